"""What a flow can prove, and so what a chosen set of flows must show: its duties.

Pure.  A duty is met by a flow that is judged; a rule is proven by a pair of flows (design, "What counts as proof"): one
that it alone allows, and one next to it that nothing allows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from auditor.model.flow import Decision, Direction, DirectionDecision, Family, PolicyRef, Verdict
from auditor.model.probe import PlannedFlow

Duty = tuple[str, ...]
"""Something to show: its kind, then what it is about."""
Spot = tuple[object, ...]
"""A place that flows near each other share: the same pair, or the same policed end and port."""
NODE_DUTIES = ("node denies alone", "node denies", "node lets through")
"""The duties of a smoke test; what meets the first one meets the second one too."""
PATH_DUTIES = ("something gets out", "something gets in")
"""Witnesses of a pod's own path: without one, silence there rests on its twins alone."""
POLICY_DUTIES = ("policy denies alone", "policy denies at one end", "policy denies")


@dataclass(frozen=True, slots=True)
class Scene:
    """Where the ends of flows stand, and for whom."""

    nodes: Mapping[str, str]
    """Node by the key of a stand-in."""
    identities: Mapping[str, str]
    """Id of the identity by the key of a stand-in; controls have none."""
    audited: frozenset[str]
    """Ids of the identities that were asked for."""
    edges: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """The first and the last ports of the ranges that a rule gives by number, by the rule's name."""

    def asks_for(self, key: str) -> bool:
        """Whether a stand-in stands for an identity that was asked for."""
        return self.identities.get(key, "") in self.audited


def end_of(decision: Decision, direction: Direction) -> DirectionDecision:
    """What the policies of one direction say of a flow."""
    return decision.egress if direction is Direction.EGRESS else decision.ingress


def policed_end(flow: PlannedFlow, direction: Direction) -> str:
    """The stand-in whose policies and whose node decide in a direction."""
    return flow.source if direction is Direction.EGRESS else flow.destination


def denies_alone(decision: Decision, direction: Direction) -> bool:
    """Whether a direction denies a flow whose other end no policy isolates, so that the denial is its own."""
    one, other = decision.egress, decision.ingress
    if direction is Direction.INGRESS:
        one, other = other, one
    return one.verdict is Verdict.DENIED and not other.isolating


def rules_alone(decision: Decision) -> Iterator[tuple[str, Direction]]:
    """The rules without which an allowed flow would be denied: each the only one of its direction that can allow it."""
    if decision.verdict is Verdict.ALLOWED:
        for direction in Direction:
            name = rule_alone(end_of(decision, direction))
            if name:
                yield name, direction


def rule_alone(end: DirectionDecision) -> str:
    """The rule of an allowed direction without which it would be denied; empty where there is no such rule."""
    return end.allowing[0] if len(end.allowing) == 1 and not (end.doubtful or end.free) else ""


def policy_alone(end: DirectionDecision) -> PolicyRef | None:
    """The policy all of whose own rules, and nobody else's, allow a flow that another one's isolation would deny.

    Rules go by their policy's name, so two policies of one name in different kinds leave it open whose they are.
    """
    names = {rule.rpartition(".")[0] for rule in (*end.allowing, *end.doubtful)}
    found = [ref for ref in end.isolating if names == {str(ref)}]
    return found[0] if len(found) == 1 < len(end.isolating) and not end.free else None


def edges_met(flow: PlannedFlow, scene: Scene) -> Iterator[tuple[str, Direction]]:
    """The rules that alone allow a flow and of which its port is an edge: engines forget some, or endPort."""
    for name, direction in rules_alone(flow.predicted):
        if flow.port in scene.edges.get(name, ()):
            yield name, direction


def spots(flow: PlannedFlow, direction: Direction) -> tuple[Spot, Spot]:
    """Where a flow's neighbours are, nearest first: other ports of the pair; other peers of the policed end's port."""
    # Plain values, because these are keys of hundreds of thousands of flows and enums hash slowly.
    is_egress, is_v6 = direction is Direction.EGRESS, flow.family is Family.IPV6
    policed = flow.source if is_egress else flow.destination
    return (
        (is_egress, flow.source, flow.destination, is_v6),
        (is_egress, policed, is_v6, flow.protocol.value, flow.port),
    )


def duties(flow: PlannedFlow, scene: Scene) -> list[Duty]:
    """Every duty that a flow meets by itself."""
    found = [*_of_nodes(flow, scene), *_of_identities(flow, scene)]
    for direction in Direction:
        if scene.asks_for(policed_end(flow, direction)):
            found += _of_policies(flow, direction)
    for name, direction in edges_met(flow, scene):
        if scene.asks_for(policed_end(flow, direction)):
            found.append(
                ("rule allows at", name, direction.value, flow.family.value, flow.protocol.value, str(flow.port))
            )
    return found


def _of_nodes(flow: PlannedFlow, scene: Scene) -> Iterator[Duty]:
    """A denial that a node must enforce, from itself and from elsewhere, and something that it must let through."""
    predicted = flow.predicted
    way = "from the same node" if scene.nodes[flow.source] == scene.nodes[flow.destination] else "between nodes"
    for direction in Direction:
        about = scene.nodes[policed_end(flow, direction)], direction.value, flow.family.value, flow.protocol.value
        if predicted.verdict is Verdict.ALLOWED:
            yield "node lets through", *about
        elif end_of(predicted, direction).verdict is Verdict.DENIED:
            yield "node denies", *about
            if denies_alone(predicted, direction):
                yield "node denies alone", *about
                yield f"node denies alone {way}", *about


def _of_identities(flow: PlannedFlow, scene: Scene) -> Iterator[Duty]:
    for role, key in (("source", flow.source), ("destination", flow.destination)):
        if scene.asks_for(key):
            yield f"identity as {role}", scene.identities[key]
    if flow.predicted.verdict is Verdict.ALLOWED:
        for kind, key in zip(PATH_DUTIES, (flow.source, flow.destination), strict=True):
            # Twins are the controls' own witnesses.
            if key in scene.identities:
                yield kind, key, flow.family.value


def _of_policies(flow: PlannedFlow, direction: Direction) -> Iterator[Duty]:
    """What a flow shows of the policies of one direction, the weakest proof first."""
    end = end_of(flow.predicted, direction)
    where = direction.value, flow.family.value
    if flow.predicted.verdict is Verdict.ALLOWED:
        ref = policy_alone(end)
        if ref is not None:
            yield "policy allows alone", *_name(ref), *where
        name = rule_alone(end)
        if name:
            yield "rule allows alone", name, *where
    elif end.verdict is Verdict.DENIED:
        alone = denies_alone(flow.predicted, direction)
        kinds = ["policy denies"] + ["policy denies at one end"] * alone
        kinds += ["policy denies alone"] * (alone and len(end.isolating) == 1)
        for ref, kind in product(end.isolating, kinds):
            yield kind, *_name(ref), *where
        if alone and len(end.denying) == 1:
            yield "rule denies alone", end.denying[0], *where


def _name(ref: PolicyRef) -> Duty:
    return ref.kind, ref.namespace, ref.name
