"""Whether a connection gets through: tiers one after the other at each end, and both ends must allow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from tests.oracle import ordered
from tests.oracle.ends import AS_NODE, AS_POD, Flow, find, node_of, on_host, same
from tests.oracle.manifests import NO, UNKNOWN, YES, Raw
from tests.oracle.networkpolicy import Asked, isolating, lets_through


@dataclass(frozen=True)
class Prospect:
    """What may become of a flow at one end."""

    ways: frozenset[frozenset[str]]
    """For each way in which what nobody read may turn out, the answers that the engine may choose from."""
    unread: bool = False
    """Whether something that nobody read was met, be it to no effect."""

    def or_else(self, other: Prospect) -> Prospect:
        """The engine chooses between two."""
        ways = frozenset(one | another for one in self.ways for another in other.ways)
        return Prospect(ways, self.unread or other.unread)

    def unless(self, other: Prospect) -> Prospect:
        """It depends on what nobody read which of two it is."""
        return Prospect(self.ways | other.ways, unread=True)

    @property
    def word(self) -> str:
        if len(self.ways) > 1:
            return "unknown"
        (answers,) = self.ways
        return "undefined" if len(answers) > 1 else next(iter(answers))


ALLOWED, DENIED = (Prospect(frozenset({frozenset({answer})})) for answer in ("allowed", "denied"))


def verdict(objects: Sequence[Raw], flow: Flow) -> str:
    """Whether the connection gets through; raises NotAnEnd."""
    return fitting_verdicts(objects, flow)[0]


def fitting_verdicts(objects: Sequence[Raw], flow: Flow) -> list[str]:
    """Whether the connection gets through, and what else may be said of it: UNDEFINED may be called UNKNOWN.

    That is so where something unread was met that turns out not to matter.  Pods on the host's network may be read in
    two ways, the same one for all of them.
    """
    hosted = any(isinstance(end, dict) and on_host(end) for end in (flow.source, flow.destination))
    readings = [in_reading(objects, flow, reading) for reading in ((AS_NODE, AS_POD) if hosted else (AS_POD,))]
    found = {word for word, _ in readings}
    word = found.pop() if len(found) == 1 else "unknown" if "unknown" in found else "undefined"
    return [word, "unknown"] if word == "undefined" and any(unread for _, unread in readings) else [word]


def in_reading(objects: Sequence[Raw], flow: Flow, reading: str) -> tuple[str, bool]:
    sides = [prospect(objects, way, flow, reading) for way in ("Egress", "Ingress")]
    if same(objects, flow):
        return "allowed", False
    words = [side.word for side in sides]
    word = next((word for word in ("denied", "unknown", "undefined") if word in words), "allowed")
    return word, any(side.unread for side in sides)


def one_side(objects: Sequence[Raw], way: str, flow: Flow) -> str:
    """What the policies say that select the source (Egress) or the destination (Ingress)."""
    return prospect(objects, way, flow, AS_POD).word


def prospect(objects: Sequence[Raw], way: str, flow: Flow, reading: str) -> Prospect:
    source = find(objects, flow.source, flow.family, reading)
    destination = find(objects, flow.destination, flow.family, reading)
    asked = Asked(objects, way, source, destination, flow.port, flow.protocol)
    if asked.subject.pod is None:
        return ALLOWED
    found = admin(asked)
    return found if asked.other.pod is not None or asked.other.node is None else by_node(found, asked)


def by_node(found: Prospect, asked: Asked) -> Prospect:
    """A pod is reached from its own node; whether it may be kept from it is not said clearly."""
    mine = node_of(asked.subject.pod or {})
    own = bool(mine) and mine == asked.other.node
    if own and asked.way == "Ingress":
        return ALLOWED
    # A pod that has no node yet may come to run on the same one.
    return found.or_else(ALLOWED) if own or not mine or not asked.other.node else found


def admin(asked: Asked) -> Prospect:
    later = middle(asked)
    effects = {"Allow": ALLOWED, "Deny": DENIED, "Pass": later}
    return any_order(asked, "Admin", effects, later)


def middle(asked: Asked) -> Prospect:
    """NetworkPolicies are final for the pods that they isolate; the Baseline tier is for all others."""
    policies = isolating(asked)
    if not policies:
        effects = {"Allow": ALLOWED, "Deny": DENIED, "Pass": ALLOWED}
        return any_order(asked, "Baseline", effects, ALLOWED)
    return first_match([(lets_through(policies, asked), ALLOWED)], DENIED)


def any_order(asked: Asked, tier: str, effects: dict[str, Prospect], otherwise: Prospect) -> Prospect:
    """Of policies with the same priority the engine may apply any one first."""
    found = [in_order(order, asked, effects, otherwise) for order in ordered.orders(asked.objects, tier)]
    return reduce(Prospect.or_else, found)


def in_order(policies: Sequence[Raw], asked: Asked, effects: dict[str, Prospect], otherwise: Prospect) -> Prospect:
    """One policy after the other; where nobody read whether one selects the pod, it is there or is not."""
    if not policies:
        return otherwise
    without = in_order(policies[1:], asked, effects, otherwise)
    selects = ordered.subject_fits(policies[0], asked)
    if selects == NO:
        return without
    rules = [(answer, effects[action]) for answer, action in ordered.matches(policies[0], asked)]
    there = first_match(rules, without)
    return there if selects == YES else there.unless(without)


def first_match(rules: Sequence[tuple[str, Prospect]], otherwise: Prospect) -> Prospect:
    """The effect of the first rule that matches; one that may match leaves two ways to go on."""
    for position, (answer, effect) in enumerate(rules):
        if answer == YES:
            return effect
        if answer != NO:
            after = first_match(rules[position + 1 :], otherwise)
            return effect.unless(after) if answer == UNKNOWN else effect.or_else(after)
    return otherwise
