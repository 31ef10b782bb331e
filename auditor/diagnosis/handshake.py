"""Handshakes with strangers that came out against the policies, or not as the user expects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from ipaddress import ip_address

from auditor.accord import MEANINGS
from auditor.diagnosis.case import Case, finding_id
from auditor.greetings import accord
from auditor.handshakes import CLEAR
from auditor.model.expectation import BROKEN, Accord
from auditor.model.finding import Agreement, Confidence, Finding, Greeting, Severity
from auditor.model.flow import PolicyRef
from auditor.model.handshake import Beyond, Handshake

SHOWN = 20
"""Handshakes of a finding that are told as evidence."""
REMEDIES = {
    Accord.LEAK: "look at the network plugin's state for the pods named here, and whether a proxy on their node "
    "answers in place of the address",
    Accord.BLOCKAGE: "look at the network plugin's state for the pods named here, and at firewalls on the way that "
    "treat their addresses unlike other pods'",
    Accord.POLICIES_ALLOW: "write an egress policy that denies it, or correct the expectation",
    Accord.POLICIES_FORBID: "write a rule that allows it, or correct the expectation",
    Accord.AGAINST_POLICIES: "make the policies say what is expected: nothing promises that it stays so",
}
OF_AGREEMENT = {Agreement.LEAK: Accord.LEAK, Agreement.BLOCKAGE: Accord.BLOCKAGE}
Group = tuple[Accord, tuple[PolicyRef, ...], str, str]
"""What is wrong, who denies it, the workloads, and what was named."""


def find(case: Case) -> tuple[Finding, ...]:
    """One finding for each way of being wrong, set of policies, workload and target."""
    groups: dict[Group, list[Greeting]] = defaultdict(list)
    for item in case.comparison.greetings:
        wrong = accord(item) or OF_AGREEMENT.get(item.agreement)
        if wrong in REMEDIES:
            shake = item.handshake
            named = f"{shake.block} {shake.port}/{shake.protocol.value}"
            groups[wrong, shake.predicted.denied_by, case.owners(shake.source), named].append(item)
    ordered = sorted(groups.items(), key=lambda entry: (entry[0][0].rank, *entry[0][1:]))
    return tuple(_finding(case, group, items) for group, items in ordered)


def _finding(case: Case, group: Group, items: Sequence[Greeting]) -> Finding:
    wrong, policies, owners, named = group
    shake = items[0].handshake
    evidence = [_evidence(case, item) for item in items[:SHOWN]]
    if len(items) > SHOWN:
        evidence.append(f"and {len(items) - SHOWN} more handshakes")
    return Finding(
        id=finding_id("handshake", case.cluster_uid, (policies, owners, f"{named} {wrong.value}")),
        rule="handshake",
        severity=_severity(case, wrong, items),
        # What answered is not known, and neither is what else stands on the way.
        confidence=Confidence.LIKELY,
        title=f"{case.end(shake.source)} to {shake.block} on {shake.protocol.value} {shake.port}: {_said(wrong)}",
        cause=_cause(wrong, items) + case.proviso,
        remedy=REMEDIES[wrong],
        policies=policies,
        source=case.end(shake.source),
        destination=shake.block,
        evidence=tuple(evidence),
    )


def _severity(case: Case, wrong: Accord, items: Sequence[Greeting]) -> Severity:
    if wrong is Accord.LEAK and any(_reaches_far(case, item.handshake) for item in items):
        return Severity.CRITICAL
    if wrong is Accord.BLOCKAGE and all(item.handshake.wish is None for item in items):
        return Severity.MEDIUM
    return Severity.HIGH if wrong in BROKEN else Severity.MEDIUM


def _reaches_far(case: Case, shake: Handshake) -> bool:
    """Whether it goes to the internet, or to another namespace, where another tenant lives."""
    if shake.kind is Beyond.REAL:
        return case.namespace(shake.source) != shake.pod[0]
    return ip_address(shake.address).is_global


def _said(wrong: Accord) -> str:
    return {
        Accord.LEAK: "a handshake is done that must not be",
        Accord.BLOCKAGE: "no handshake is done that should be",
        Accord.POLICIES_ALLOW: "expected to be denied, and allowed by the policies",
        Accord.POLICIES_FORBID: "expected to be allowed, and denied by the policies",
    }.get(wrong, "as expected, against the policies")


def _cause(wrong: Accord, items: Sequence[Greeting]) -> str:
    predicted = items[0].handshake.predicted
    if predicted.verdict not in CLEAR:
        return f"packets do not do what is expected; the model has no verdict: {predicted.reason}"
    if wrong is Accord.LEAK:
        return (
            "policies deny it and a connection stood: the network plugin does not enforce them for these pods, or a "
            "proxy on the way answered before they were asked"
        )
    if wrong is Accord.BLOCKAGE:
        return "policies allow it and no connection stood, while other pods on the same node had one"
    return MEANINGS[wrong]


def _evidence(case: Case, item: Greeting) -> str:
    shake = item.handshake
    verdict = shake.predicted.verdict.value
    where = f"{case.node(shake.source)} to {shake.target}, {shake.protocol.value} {shake.port}"
    return f"handshake {shake.id}: {where}: the model says {verdict}; {item.reason}"
