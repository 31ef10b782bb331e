"""`--targets real`: handshakes with the workloads' own pods, on the ports that their containers name.

Pure.  The other end is somebody's service, so each probe pod meets each of its ports once in a run, says nothing, and
leaves; ports on which even that may do something are left alone.  A pod that is not ready, or was replaced meanwhile,
is no target.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from auditor.evaluate.model import Model
from auditor.handshakes import estimate_of, is_clear, pod_of
from auditor.model.cluster import Pod
from auditor.model.flow import Family, Protocol, Verdict
from auditor.model.handshake import Beyond, Handshake
from auditor.model.matrix import Identity, in_order
from auditor.model.options import Options
from auditor.model.probe import ProbePlan, Role, Skip, StandIn
from auditor.ports import RawSnapshot

MOST = 2000
"""Handshakes with real pods in one run."""
CONTROLS = 2
"""Unpoliced controls that try each pod: the one on its node, and another."""
Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """A ready pod, as far as it must stay what it is."""

    uid: str
    addresses: frozenset[str]
    labels: Mapping[str, str]


Ready = Mapping[Name, Standing]


def standing(raw: RawSnapshot) -> Ready:
    """The pods that are ready, by namespace and name; what is not as the API type says is not ready."""
    found: dict[Name, Standing] = {}
    for item in raw.objects.get("pods", ()):
        metadata, status = _part(item, "metadata"), _part(item, "status")
        if metadata.get("deletionTimestamp") is None and _is_ready(status):
            labels = {str(key): str(value) for key, value in _part(metadata, "labels").items()}
            addresses = {str(entry.get("ip")) for entry in _list(status, "podIPs")} | {str(status.get("podIP"))}
            name = str(metadata.get("namespace")), str(metadata.get("name"))
            found[name] = Standing(str(metadata.get("uid", "")), frozenset(addresses), labels)
    return found


def _is_ready(status: Mapping[str, object]) -> bool:
    return any(item.get("type") == "Ready" and item.get("status") == "True" for item in _list(status, "conditions"))


def _part(item: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = item.get(key)
    return found if isinstance(found, Mapping) else {}


def _list(item: Mapping[str, object], key: str) -> Iterator[Mapping[str, object]]:
    found = item.get(key)
    return (entry for entry in (found if isinstance(found, list) else ()) if isinstance(entry, Mapping))


def homes(identities: Iterable[Identity]) -> tuple[str, ...]:
    """The namespaces whose pods are looked at."""
    return tuple(sorted({item.namespace for item in identities}))


def with_reals(
    plan: ProbePlan,
    model: Model,
    identities: Sequence[Identity],
    audited: frozenset[str],
    options: Options,
    *,
    ready: Ready,
) -> ProbePlan:
    """The plan with handshakes from its probe pods to one ready pod of each identity, on its own TCP ports."""
    maker = _Maker(model, {item.id: item for item in identities}, audited, plan, options.never_ports)
    made = [shake for identity in identities for shake in maker.towards(identity, ready)]
    open_ones = Counter(item.predicted.reason for item in made if not is_clear(item))
    judged = [item for item in made if is_clear(item)]
    # A denial is what the audit is about.
    kept = sorted(judged, key=lambda item: item.predicted.verdict is not Verdict.DENIED)[:MOST]
    skips = [*maker.skips(), *(Skip("handshakes with real pods", why, number) for why, number in open_ones.items())]
    if len(kept) < len(judged):
        skips.append(Skip("handshakes with real pods", f"more than {MOST}", len(judged) - len(kept), unjudged=True))
    numbers = count(len(plan.handshakes) + 1)
    whole = replace(
        plan,
        stand_ins=tuple(_listening(item, kept) for item in plan.stand_ins),
        handshakes=(*plan.handshakes, *(replace(item, id=next(numbers)) for item in kept)),
        skipped=tuple(sorted([*plan.skipped, *skips], key=lambda skip: (skip.what, skip.reason))),
    )
    cost = estimate_of(whole, options)
    return replace(whole, estimate=replace(cost, probes=cost.probes + _beside(plan, whole, kept, options)))


def _beside(before: ProbePlan, whole: ProbePlan, met: Iterable[Handshake], options: Options) -> int:
    """Connections that handshakes cost beside themselves: checks of listeners, first and last, and tries of twins."""
    old, new = (sum(len(item.listens) for item in plan.stand_ins) for plan in (before, whole))
    node_of = {item.key: item.node for item in whole.stand_ins}
    at = {(item.node, item.key[-1]) for item in whole.stand_ins if item.role is Role.CONTROL}
    twins = {
        (node_of[item.source], item.node, item.family, item.protocol, item.port)
        for item in met
        if {(node_of[item.source], "a"), (item.node, "b")} <= at
    }
    return 2 * (new - old) + options.tries * len(twins)


def _listening(item: StandIn, met: Iterable[Handshake]) -> StandIn:
    """The control that takes connections, on the ports of the real pods on its node as well: it is their twins' end."""
    if item.role is not Role.CONTROL or not item.key.endswith("b"):
        return item
    ports = {(one.protocol, one.port) for one in met if one.node == item.node}
    return replace(item, listens=in_order({*item.listens, *ports}))


class _Maker:
    """Pairs probe pods with real ones."""

    def __init__(
        self,
        model: Model,
        identities: Mapping[str, Identity],
        audited: frozenset[str],
        plan: ProbePlan,
        never: tuple[int, ...],
    ) -> None:
        self._model = model
        self._identities = identities
        self._audited = audited
        self._never = never
        self._clones = [item for item in plan.stand_ins if item.identity and not item.key.endswith("x")]
        self._controls = [item for item in plan.stand_ins if item.role is Role.CONTROL and item.key.endswith("a")]
        self._inside = {(item.namespace, item.pod) for item in plan.stand_ins if item.pod}
        self._left: Counter[tuple[str, str]] = Counter()

    def towards(self, identity: Identity, ready: Ready) -> Iterator[Handshake]:
        """The handshakes with one pod of an identity."""
        sources = [item for item in self._clones if {item.identity, identity.id} & self._audited]
        if not sources:
            return
        # An agent in the pod itself can say whether anybody listens there.
        them = sorted(identity.pods, key=lambda item: (item.namespace, item.name) not in self._inside)
        pod = next((item for item in them if _stands(item, ready)), None)
        if pod is None:
            self._left["", "none of their pods is ready"] += 1
            return
        declared = {item.number for item in pod.ports if item.protocol is Protocol.TCP}
        if not declared:
            self._left["", "their containers name no TCP port"] += 1
        for number in sorted(declared & set(self._never)):
            self._left[f" on port {number}", "--targets real never tries this port"] += 1
        if identity.id in self._audited:
            sources += sorted(self._controls, key=lambda item: (item.node != pod.node, item.node))[:CONTROLS]
        # What a pod says to itself passes no policy.
        sources = [item for item in sources if (item.namespace, item.pod) != (pod.namespace, pod.name)]
        for number in sorted(declared - set(self._never)):
            for source in sources:
                yield from self._between(source, pod, identity, number)

    def skips(self) -> Iterator[Skip]:
        """What has no target, counted."""
        for (where, why), number in self._left.items():
            yield Skip(f"real pods of {number} {'identity' if number == 1 else 'identities'}{where}", why)

    def _between(self, source: StandIn, pod: Pod, identity: Identity, port: int) -> Iterator[Handshake]:
        # A control will have an address like anybody's.
        one = pod_of(source, self._identities[source.identity or self._clones[0].identity])
        for family in Family:
            address = pod.address(family)
            if address is None or family not in one.families:
                continue
            yield Handshake(
                id=0,
                kind=Beyond.REAL,
                source=source.key,
                target=f"pod {pod.namespace}/{pod.name}",
                address=address,
                family=family,
                port=port,
                predicted=self._model.decide(one, pod, family, port),
                block=identity.title,
                pod=(pod.namespace, pod.name),
                node=pod.node,
            )


def _stands(pod: Pod, ready: Ready) -> bool:
    found = ready.get((pod.namespace, pod.name))
    if found is None or pod.host_network or not pod.addresses:
        return False
    return found.addresses >= set(pod.addresses) and dict(pod.labels) == found.labels


def still_there(handshakes: Iterable[Handshake], before: Ready, now: Ready | str) -> tuple[Handshake, ...]:
    """Those that may be tried: strangers outside, and pods that are what they were when they were chosen."""
    return tuple(
        item
        for item in handshakes
        if item.kind is not Beyond.REAL
        or (not isinstance(now, str) and item.pod in before and now.get(item.pod) == before[item.pod])
    )


def gone(handshakes: Iterable[Handshake], before: Ready, now: Ready | str) -> dict[int, str]:
    """Those whose pod is not any more what it was, or of which that cannot be said."""
    reason = now if isinstance(now, str) else "the pod was replaced, changed, or not ready any more during the run"
    reals = [item for item in handshakes if item.kind is Beyond.REAL]
    there = set(still_there(reals, before, now))
    return {item.id: reason for item in reals if item not in there}
