"""What the API server made of a probe pod, against what was sent.

Pure.  Used twice: on the answer to a dry run, before anything is made, and on the pod that was stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from auditor.cluster.decode_quota import quantity
from auditor.cluster.fields import FieldError
from auditor.model.cluster import Snapshot
from auditor.model.probe import MEBI, ProbePlan, Rehearsal, Resources, Skip, StandIn
from probes.placement import CONTAINER
from probes.safety import worn_hazards

Raw = Mapping[str, Any]
CRITICAL = 2_000_000_000
"""From this priority on the kubelet makes room by ending other pods (`SystemCriticalPriority`)."""
HOST = ("hostNetwork", "hostPID", "hostIPC")
LONGEST = 300
SHOWN = 5
LITTLE = {"cpu": Fraction(1, 4), "memory": Fraction(512 * MEBI), "ephemeral-storage": Fraction(1024 * MEBI)}
"""What a cluster may at least give each pod (GKE's Autopilot does): to ask for that much is told and no harm."""


def obstacle(stand_in: StandIn, raw: Raw) -> str:
    """Why a pod as it came back proves nothing or may do harm; empty where it is what was sent."""
    return next((text[:LONGEST] for text in _obstacles(stand_in, raw)), "")


def _obstacles(stand_in: StandIn, raw: Raw) -> Iterable[str]:
    metadata, spec = _part(raw, "metadata"), _part(raw, "spec")
    added = [name for name in _names(spec, "containers") if name != CONTAINER]
    added += _names(spec, "initContainers")
    if added:
        yield f"admission added containers ({', '.join(added[:SHOWN])}): a proxy would stand between"
    if CONTAINER not in _names(spec, "containers"):
        yield "admission took the probe's own container away"
    shared = [name for name in HOST if spec.get(name)]
    if shared:
        yield f"admission set {shared[0]}: policies would not apply to the pod"
    if spec.get("nodeName") != stand_in.node:
        yield f"admission moved it from node {stand_in.node}: it would be scheduled like a real pod"
    owners = [item for item in metadata.get("ownerReferences") or () if isinstance(item, Mapping)]
    if [item.get("kind") for item in owners if item.get("controller")] != ["Deployment"]:
        yield "admission took its owner away: other controllers and budgets would take it for theirs"
    priority = spec.get("priority")
    if isinstance(priority, int) and priority >= CRITICAL:
        yield f"admission gave it priority {priority}: the kubelet would end real pods to make room"
    yield from _scarce(stand_in.resources, spec)


def _scarce(ours: Resources, spec: Raw) -> Iterable[str]:
    """What admission lets a probe pod ask for that real pods may need."""
    sent = {
        "cpu": Fraction(ours.cpu, 1000),
        "memory": Fraction(ours.memory),
        "ephemeral-storage": Fraction(ours.storage),
    }
    for container in spec.get("containers") or ():
        for name, amount in _part(container, "resources", "requests").items():
            if name not in sent:
                yield f"admission makes it ask for {name}, of which there is little"
            elif _amount(amount) > max(sent[name], LITTLE[name]):
                yield f"admission makes it ask for {amount} of {name}, which real pods may need"
    if spec.get("resourceClaims"):
        yield "admission makes it claim a device"


def _amount(text: object) -> Fraction:
    try:
        return quantity(text) or Fraction(0)
    except FieldError:
        return Fraction(0)


def holder_fault(sent: Raw, stored: Raw) -> str:
    """Why a holder as it was stored would do more than own pods, or not be found again; empty where it is as sent."""
    for key in ("replicas", "paused", "selector"):
        if _part(sent, "spec").get(key) != _part(stored, "spec").get(key):
            return f"admission changed its {key}"
    for key in ("labels", "annotations"):
        # What comes on top of these is no harm.
        if not _part(sent, "metadata", key).items() <= _part(stored, "metadata", key).items():
            return f"admission changed its {key}"
    return ""


def rehearsal(stand_in: StandIn, sent: Raw, raw: Raw) -> Rehearsal:
    """What a dry run says about all probe pods of a namespace."""
    notes = tuple(_notes(_part(sent, "spec"), _part(raw, "spec")))
    return Rehearsal(stand_in.key, obstacle(stand_in, raw), _changed_labels(sent, raw), notes)


def _changed_labels(sent: Raw, raw: Raw) -> dict[str, str | None]:
    before, after = _labels(sent), _labels(raw)
    return {key: after.get(key) for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)}


def unforeseen(sent: Raw, stored: Raw, found: Rehearsal | None) -> str:
    """What admission did to the labels of a pod that its dry run had not shown; empty where it is as was foreseen."""
    changed, known = _changed_labels(sent, stored), dict(found.labels) if found is not None else {}
    if changed == known:
        return ""
    odd = {key: value for key, value in changed.items() if known.get(key, "") != value} or known
    return f"admission changes {', '.join(_told(Rehearsal('', '', odd)))}, which a dry run did not show"[:LONGEST]


def look_of(stand_in: StandIn) -> str:
    """What webhooks see of a probe pod or a real one, as a name that is the same in every plan."""
    worn = ",".join(f"{key}={value}" for key, value in stand_in.labels)
    return f"{stand_in.namespace}/{stand_in.pod}/{stand_in.account}?{worn}"


def rehearsed(rehearsals: Mapping[str, Rehearsal], stand_in: StandIn) -> Rehearsal | None:
    """The dry run for a stand-in: of one with its labels and account, else of another one in its namespace."""
    return rehearsals.get(look_of(stand_in)) or rehearsals.get(stand_in.namespace)


def _notes(sent: Raw, raw: Raw) -> Iterable[str]:
    """What admission changed that neither harms nor misleads."""
    if raw.get("schedulerName") not in {sent.get("schedulerName"), "default-scheduler", None}:
        yield f"schedulerName {str(raw.get('schedulerName'))[:LONGEST]}"
    if raw.get("priority"):
        yield f"priority {str(raw.get('priority'))[:LONGEST]}"
    wanted = [item for item in sent.get("tolerations") or () if item not in (raw.get("tolerations") or ())]
    if wanted:
        yield "its tolerations"
    asked = [[_part(item, "resources", "requests") for item in spec.get("containers") or ()] for spec in (sent, raw)]
    amounts = [[{name: _amount(text) for name, text in item.items()} for item in each] for each in asked]
    if amounts[0] != amounts[1]:
        yield f"its requests to {', '.join(f'{name} {text}' for item in asked[1] for name, text in item.items())}"[
            :LONGEST
        ]
    images = [[item.get("image") for item in spec.get("containers") or ()] for spec in (sent, raw)]
    if images[0] != images[1]:
        yield f"its image to {str(images[1])[:LONGEST]}"


def refusals(
    plan: ProbePlan, snapshot: Snapshot, rehearsals: Mapping[str, Rehearsal], allowed: Collection[str]
) -> dict[str, str]:
    """The stand-ins that admission refuses or endangers, by key, with the reason."""
    found = {item.key: (item, rehearsed(rehearsals, item)) for item in plan.stand_ins}
    reasons = {key: _refused(snapshot, item, told, allowed) for key, (item, told) in found.items() if told is not None}
    return {key: reason for key, reason in reasons.items() if reason}


def barred(plan: ProbePlan, reasons: Mapping[str, str], asked: Collection[str]) -> dict[str, str]:
    """The identities, by id, none of whose stand-ins may stand, with the reason; `reasons` are those of stand-ins.

    Only of looks that admission was asked about: what it said of others in the namespace may be about them alone.
    """
    standing = {item.identity for item in plan.stand_ins if item.key not in reasons or look_of(item) not in asked}
    gone = {item.identity: reasons[item.key] for item in plan.stand_ins if item.key in reasons and item.identity}
    return {identity: reason for identity, reason in gone.items() if identity not in standing}


def lost_by(plan: ProbePlan, refused: Mapping[str, str]) -> Counter[tuple[str, str]]:
    """How many flows and handshakes of a plan go with these identities, by what they are and why."""
    return lost_with(plan, {item.key: refused[item.identity] for item in plan.stand_ins if item.identity in refused})


def lost_with(plan: ProbePlan, reasons: Mapping[str, str]) -> Counter[tuple[str, str]]:
    """How many flows and handshakes go with these stand-ins, by what they are and why."""
    ends = [reasons.get(flow.source) or reasons.get(flow.destination, "") for flow in plan.flows]
    sources = [reasons.get(item.source, "") for item in plan.handshakes]
    lost = Counter(("flows", reason) for reason in ends if reason)
    return lost + Counter(("handshakes", reason) for reason in sources if reason)


def as_skips(lost: Mapping[tuple[str, str], int]) -> list[Skip]:
    """What went with stand-ins, as things that were to be tried and are not judged."""
    return [
        Skip(f"{what} of probe pods that admission keeps away", reason, count, unjudged=True)
        for (what, reason), count in lost.items()
    ]


def without_refused(
    plan: ProbePlan,
    snapshot: Snapshot,
    rehearsals: Mapping[str, Rehearsal],
    titles: Mapping[str, str],
    *,
    audited: Collection[str],
    allowed: Collection[str],
) -> ProbePlan:
    """The plan without the stand-ins that admission refuses or endangers.

    `titles` are those of all identities, `audited` the ids of those that were asked for.  Flows that go with a stand-in
    were to be tried, so they count as not judged.
    """
    reasons = refusals(plan, snapshot, rehearsals, allowed)
    lost = {item.identity: reasons[item.key] for item in plan.stand_ins if item.key in reasons}
    skips = [
        Skip(titles.get(identity, "unpoliced controls"), reason, identity=identity in audited)
        for identity, reason in lost.items()
    ]
    skips += as_skips(lost_with(plan, reasons))
    notes = [
        f"admission in {home.partition('/')[0]} changes {text}"
        for home, found in rehearsals.items()
        for text in (*found.notes, *_told(found))
    ]
    return replace(
        plan,
        stand_ins=tuple(item for item in plan.stand_ins if item.key not in reasons),
        flows=tuple(flow for flow in plan.flows if not {flow.source, flow.destination} & reasons.keys()),
        handshakes=tuple(item for item in plan.handshakes if item.source not in reasons),
        pings=tuple(item for item in plan.pings if not {item.source, item.destination} & reasons.keys()),
        skipped=tuple(sorted([*plan.skipped, *skips], key=lambda skip: (skip.what, skip.reason))),
        notes=tuple(sorted({*plan.notes, *notes})),
    )


def _refused(snapshot: Snapshot, stand_in: StandIn, found: Rehearsal, allowed: Collection[str]) -> str:
    if found.refusal or not found.labels:
        return found.refusal
    worn = dict(stand_in.labels)
    for key, value in found.labels.items():
        worn.pop(key, None)
        worn |= {} if value is None else {key: value}
    for item in worn_hazards(snapshot, stand_in.namespace, worn):
        if item.kind is None or item.kind.value not in allowed:
            return f"admission changes {', '.join(_told(found))}, and then {item.reason}"[:LONGEST]
    return ""


def _told(found: Rehearsal) -> Iterable[str]:
    if found.labels:
        said = [f"{key}={value}" if value is not None else f"{key} (removed)" for key, value in found.labels.items()]
        more = f" and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
        yield f"labels of probe pods: {', '.join(said[:SHOWN])}{more}"[:LONGEST]


def _labels(raw: Raw) -> dict[str, str]:
    return {str(key): str(value) for key, value in _part(raw, "metadata", "labels").items()}


def _names(spec: Raw, key: str) -> list[str]:
    return [str(item.get("name")) for item in spec.get(key) or () if isinstance(item, Mapping)]


def _part(raw: Raw, *path: str) -> Raw:
    found: Any = raw
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}
