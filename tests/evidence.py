"""What a run measured, for tests: stand-ins, flows, and a ledger of observations from which pieces can be taken away.

`Ledger()` holds every piece of proof for one flow from stand-in i0 on node n1 to stand-in i1 on node n2; each method
takes one away or changes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from auditor.compare import judge
from auditor.evidence import Evidence
from auditor.model.cluster import Pod
from auditor.model.finding import Agreement, Judgement
from auditor.model.flow import Decision, Direction, DirectionDecision, Family, PolicyRef, Protocol, Verdict
from auditor.model.matrix import Query
from auditor.model.probe import NotPlaced, Observation, Outcome, Placed, PlannedFlow, Probe, Role, StandIn
from auditor.rounds import CLOSING, FLOWS, OPENING

REACHED, REFUSED, SILENT, FAULT = Outcome.REACHED, Outcome.REFUSED, Outcome.SILENT, Outcome.FAULT
UNTESTED = Outcome.UNTESTED
LAST = CLOSING - 1
"""The last round in which flows are tried."""
PORT = 80
WEB = (Protocol.TCP, PORT)
V4 = Family.IPV4
POLICY = PolicyRef("shop", "deny")


def end(
    direction: Direction, verdict: Verdict = Verdict.ALLOWED, isolating: tuple[PolicyRef, ...] = ()
) -> DirectionDecision:
    """What one end decides; a denial comes from POLICY unless others are named."""
    if verdict is Verdict.DENIED and not isolating:
        isolating = (POLICY,)
    return DirectionDecision(direction, verdict, isolating, (), "as the test says")


def decision(egress: Verdict = Verdict.ALLOWED, ingress: Verdict = Verdict.ALLOWED) -> Decision:
    """A decision from the verdicts of both ends."""
    order = (Verdict.UNKNOWN, Verdict.DENIED, Verdict.UNDEFINED, Verdict.ALLOWED)
    verdict = min((egress, ingress), key=order.index)
    return Decision(verdict, end(Direction.EGRESS, egress), end(Direction.INGRESS, ingress), "as the test says")


ALLOWED = decision()
DENIED = decision(ingress=Verdict.DENIED)


def stand_in(key: str, node: str = "n1", *, namespace: str = "shop", listens: tuple[Query, ...] = (WEB,)) -> StandIn:
    """A clone, or a control where the key begins with c."""
    role = Role.CONTROL if key.startswith("c") else Role.CLONE
    home = "netaudit-ctl-1" if role is Role.CONTROL else namespace
    return StandIn(key, role, home, node, (), listens, identity="" if role is Role.CONTROL else f"id-{key}")


def placed(item: StandIn, *, labels: dict[str, str] | None = None, addresses: Sequence[str] = ("10.0.0.1",)) -> Placed:
    """A stand-in that runs where it was asked to."""
    return Placed(item, Pod(item.namespace, item.key, labels or {}, item.node, tuple(addresses)), f"nonce-{item.key}")


def flow(
    predicted: Decision = DENIED,
    source: str = "i0",
    destination: str = "i1",
    *,
    number: int = 1,
    port: int = PORT,
    protocol: Protocol = Protocol.TCP,
) -> PlannedFlow:
    return PlannedFlow(number, source, destination, V4, protocol, port, predicted)


def judgement(
    agreement: Agreement, predicted: Decision = DENIED, source: str = "i0", destination: str = "i1", *, number: int = 1
) -> Judgement:
    """A judged flow, with the outcome that its agreement suggests."""
    outcomes = {Agreement.LEAK: REACHED, Agreement.INCONCLUSIVE: UNTESTED}
    made = flow(predicted, source, destination, number=number)
    return Judgement(made, agreement, outcomes.get(agreement, SILENT), "as the test says")


def seen(
    number: int,
    source: str,
    destination: str,
    *outcomes: Outcome,
    port: int = PORT,
    protocol: Protocol = Protocol.TCP,
) -> Observation:
    probe = Probe(source, destination, V4, port, (1.0,) * len(outcomes), protocol)
    return Observation(number, probe, outcomes, "as the test says", number * 10.0, 5)


@dataclass
class Ledger:
    """All that was seen of one flow, complete to begin with."""

    predicted: Decision = DENIED
    stand_ins: dict[str, StandIn] = field(
        default_factory=lambda: {
            item.key: item
            for item in (stand_in("i0", "n1"), stand_in("i1", "n2"), stand_in("c0a", "n1"), stand_in("c1b", "n2"))
        }
    )
    lost: dict[str, str] = field(default_factory=dict)
    entries: dict[tuple[int, str, str], tuple[Outcome, ...]] = field(default_factory=dict)
    beside: list[PlannedFlow] = field(default_factory=list)
    """Flows that policies allow, beside the one that is judged."""

    def __post_init__(self) -> None:
        for key in self.stand_ins:
            self.entries[OPENING, key, key] = self.entries[CLOSING, key, key] = (REACHED,)

    def tried(self, *outcomes: Outcome, number: int = FLOWS, twin: tuple[Outcome, ...] = (REACHED,) * 3) -> Ledger:
        """The flow's tries in a round, and its twin's in the same round."""
        self.entries[number, "i0", "i1"] = outcomes
        self.entries[number, "c0a", "c1b"] = twin
        return self

    def without(self, number: int, source: str, destination: str) -> Ledger:
        """One observation less."""
        del self.entries[number, source, destination]
        return self

    def instead(self, number: int, source: str, destination: str, *outcomes: Outcome) -> Ledger:
        """Another outcome for one observation."""
        self.entries[number, source, destination] = outcomes
        return self

    def with_allowed(self, source: str, destination: str, *outcomes: Outcome, number: int = FLOWS) -> Ledger:
        """A flow that policies allow, and what a round showed of it."""
        if (source, destination) not in {(item.source, item.destination) for item in self.beside}:
            self.beside.append(flow(ALLOWED, source, destination, number=len(self.beside) + 2))
        return self.instead(number, source, destination, *outcomes)

    def moved(self, key: str, node: str) -> Ledger:
        """A stand-in on another node."""
        self.stand_ins[key] = replace(self.stand_ins[key], node=node)
        return self

    def gone(self, key: str, reason: str) -> Ledger:
        """A stand-in that does not run."""
        self.lost[key] = reason
        return self

    def evidence(self) -> Evidence:
        placement = {
            key: NotPlaced(item, self.lost[key]) if key in self.lost else placed(item)
            for key, item in self.stand_ins.items()
        }
        observations = [seen(*where, *outcomes) for where, outcomes in self.entries.items()]
        return Evidence(placement, observations, self.flows)

    @property
    def flows(self) -> list[PlannedFlow]:
        """The flow that is judged, as number 1, and those beside it."""
        return [flow(self.predicted), *self.beside]

    def judged(self, number: int = 1) -> Judgement:
        """What comes of the flow of that number."""
        return judge(self.flows[number - 1], self.evidence())
