"""Policies that held late or never, where that was timed.

Limits from what others measured until 2026: a new policy holds within 120 ms with Antrea, Calico and Cilium, within
5 s with kube-router and OVN; a fresh pod is open for 1 to 2 s with the AWS VPC CNI in its standard mode, for 10 to 15 s
with old k0s, and not at all where the engine holds a pod back until its policies are in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from auditor.diagnosis.case import Case, finding_id
from auditor.model.finding import Finding, Severity
from auditor.model.timing import Change, Figure, Pace

SLOW, VERY_SLOW = 5_000, 30_000
"""Milliseconds after which a new policy is slow to hold."""
LONG_OPEN = 5_000
"""Milliseconds for which a fresh pod may be open before that is more than a blink."""
CAUSES = {
    Change.NEW_POLICY: (
        "a new policy is not taken into force on running pods within the time that others need",
        (
            "look at the log and the load of the network plugin's agent there: kubectl get pods -A -o wide "
            "--field-selector spec.nodeName=NODE; until it is quick, treat a new policy as not in force yet"
        ),
    ),
    Change.FRESH_POD: (
        "the network plugin lets a pod begin before the policies that select it are in force",
        (
            "use the plugin's strict start mode (AWS VPC CNI: NETWORK_POLICY_ENFORCING_MODE=strict, kube-router: "
            "--netpol-default-deny, Calico: linuxPolicySetupTimeoutSeconds, Cilium: its agent-not-ready taint)"
        ),
    ),
    Change.POLICY_REMOVED: (
        "the network plugin goes on denying what no policy denies any more",
        "look at the log of the network plugin's agent there; its restart may drop what it keeps",
    ),
}
TITLES = {
    Change.NEW_POLICY: "A new policy {pace} on running pods",
    Change.FRESH_POD: "A policy that stands {pace} on pods that have just begun",
    Change.POLICY_REMOVED: "A policy that was removed {pace}",
}


def find(case: Case) -> tuple[Finding, ...]:
    """At most one finding for each kind of change; nodes and directions are its evidence."""
    found = (_finding(case, change, [item for item in case.timed if item.change is change]) for change in Change)
    return tuple(finding for finding in found if finding is not None)


def _finding(case: Case, change: Change, figures: Iterable[Figure]) -> Finding | None:
    bad = [(severity, item) for item in figures if (severity := _severity(item)) is not None]
    if not bad:
        return None
    severity = max((one for one, _ in bad), key=lambda one: one.rank)
    worst = [item for one, item in bad if one is severity]
    cause, remedy = CAUSES[change]
    return Finding(
        id=finding_id("enforcement", case.cluster_uid, ((), change.value, "")),
        rule="enforcement",
        severity=severity,
        confidence=case.confidence,
        title=TITLES[change].format(pace=_pace(change, worst)),
        cause=cause + case.proviso,
        remedy=remedy.replace("NODE", worst[0].node),
        evidence=tuple(_evidence(item) for _, item in bad),
    )


def _severity(item: Figure) -> Severity | None:
    """How bad a figure is; None where it is as it should be, or says nothing."""
    never, late = item.pace is Pace.NEVER, item.pace is Pace.AFTER
    if item.change is Change.POLICY_REMOVED:
        return Severity.MEDIUM if never else None
    if never:
        return Severity.HIGH
    if item.change is Change.FRESH_POD:
        return (Severity.MEDIUM if item.milliseconds >= LONG_OPEN else Severity.LOW) if late else None
    if late and item.milliseconds >= SLOW:
        return Severity.MEDIUM if item.milliseconds >= VERY_SLOW else Severity.LOW
    return None


def _pace(change: Change, worst: Sequence[Figure]) -> str:
    longest = max(item.milliseconds for item in worst) / 1000
    nodes = " and ".join(sorted({item.node for item in worst})[:3])
    if worst[0].pace is Pace.NEVER:
        held = "still denied" if change is Change.POLICY_REMOVED else "does not hold"
        return f"{held} after {longest:.1f} s (on {nodes})"
    return f"holds only after at most {longest:.1f} s (on {nodes})"


def _evidence(item: Figure) -> str:
    way = f"{item.node}, {item.direction.value}"
    if item.pace is Pace.NEVER:
        return f"{way}: {item.reason} ({item.tries} tries)"
    return f"{way}: {item.reason}, after at most {item.milliseconds} ms, +0 -{item.resolution} ms ({item.tries} tries)"
