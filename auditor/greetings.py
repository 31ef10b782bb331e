"""Decide what handshakes with strangers say about the predicted verdicts.

Pure.  As `compare` does for flows between probe pods, with what can be known of a stranger: that it was reached is
plain from the handshake; that it was not says something only if another probe pod on the same node reached it in that
round.  A real pod's node is known: there it is enough that somebody reached it, be it an agent in the pod itself, and
that unpoliced twins on the same two nodes met on the same port.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from auditor.accord import MEASURED
from auditor.compare import BLOCKED, MOVED, moved_pods, strongest, touched
from auditor.evaluate.model import Model
from auditor.handshakes import placed, standard, twins_of
from auditor.model.expectation import Accord
from auditor.model.finding import Agreement, Greeting
from auditor.model.flow import Family, Verdict
from auditor.model.handshake import Handshake
from auditor.model.probe import Observation, Outcome, PlannedFlow, Probe
from auditor.rounds import FLOWS, SETTLED, Placement, controls, running

Target = tuple[str, Family, int]
NO_WITNESS = "the unpoliced control on the same node did not reach it either, so that it did not answer proves nothing"
PATCHY = "the unpoliced control on the same node reached it only in some of the tries"
NO_TWINS = (
    "{who}, but nobody on the same node, and unpoliced twins on the nodes of both ends did not reach each other on its "
    "port"
)
NO_CONTROL = "{who}, but nobody on the same node, and no unpoliced control stands on {where} node"
OTHERS, ITSELF = "it answered others", "its own agent reached it"


class Seen:
    """What was seen of strangers, and which probe pods could connect at all."""

    def __init__(
        self, placement: Placement, observations: Iterable[Observation], flows: Iterable[PlannedFlow] = ()
    ) -> None:
        """Index the observations; of `flows`, and of what was seen of them, only what shows that a path is alive."""
        self.placement = placement
        self._here = running(placement)
        self._node = {key: item.pod.node for key, item in self._here.items()}
        self._controls = set(controls(self._here).values())
        self._alive: set[tuple[str, Family]] = set()
        self._left: set[tuple[str, Family, int]] = set()
        """Sources from which anything got to somebody else, with the round."""
        self._outward = {(item.source, item.family) for item in flows if item.predicted.verdict is Verdict.ALLOWED}
        self._by_target: dict[Target, list[Observation]] = defaultdict(list)
        self._between: dict[tuple[str, str, Family, int, int], list[Outcome]] = defaultdict(list)
        """Outcomes between probe pods by ends, port and round."""
        for item in sorted(observations, key=lambda item: item.round):
            probe = item.probe
            if probe.address:
                self._by_target[probe.address, probe.family, probe.port].append(item)
            else:
                self._between[probe.source, probe.destination, probe.family, probe.port, item.round] += item.outcomes
            if Outcome.REACHED in item.outcomes:
                self._alive.add((probe.source, probe.family))
                if not self._is_itself(probe):
                    self._left.add((probe.source, probe.family, item.round))

    def of(self, handshake: Handshake) -> tuple[Observation, ...]:
        """The observations of a handshake, by round."""
        return tuple(item for item in self._of_target(handshake) if item.probe.source == handshake.source)

    def gap(self, handshake: Handshake, number: int) -> str:
        """The first piece of proof that is missing for one that got no answer in a round; empty where none is."""
        return self._witness_gap(handshake, number) or self._source_gap(handshake) or self._path_gap(handshake, number)

    def _of_target(self, handshake: Handshake) -> Sequence[Observation]:
        return self._by_target.get((handshake.address, handshake.family, handshake.port), ())

    def beside(self, handshake: Handshake, number: int) -> bool:
        """Whether another probe pod on the same node reached it in a round: the path is the same but for the pod."""
        node = self._node.get(handshake.source, "")
        return any(self._node.get(item.probe.source) == node for item in self._reached_by(handshake, number))

    def _reached_by(self, handshake: Handshake, number: int) -> list[Observation]:
        """Other probe pods that had the same handshake in each of their tries of a round."""
        return [
            item
            for item in self._of_target(handshake)
            if item.round == number
            and item.probe.source != handshake.source
            and not self._is_itself(item.probe)
            and set(item.outcomes) == {Outcome.REACHED}
        ]

    def _is_itself(self, probe: Probe) -> bool:
        """Whether a pod met itself: no packet left it."""
        found = self._here.get(probe.source)
        met_itself = bool(probe.address) and found is not None and probe.address in found.pod.addresses
        return probe.source == probe.destination or met_itself

    def answered(self, handshake: Handshake, number: int) -> str:
        """Who else reached it in a round; empty where nobody did."""
        if self._reached_by(handshake, number):
            return OTHERS
        tries = [item for item in self._of_target(handshake) if item.round == number and self._is_itself(item.probe)]
        return ITSELF if any(Outcome.REACHED in item.outcomes for item in tries) else ""

    def _twins_met(self, handshake: Handshake, number: int) -> bool:
        twins = twins_of(handshake, self._here)
        if twins is None:
            return False
        return set(self._between[*twins, handshake.family, handshake.port, number]) == {Outcome.REACHED}

    def _apart(self, handshake: Handshake, who: str) -> str:
        """What is missing where somebody reached it, and no twins on the nodes of both ends met."""
        at, near = controls(self._here), self._node.get(handshake.source, "")
        ends = {"the pod's": (handshake.node, "b"), "the source's": (near, "a")}
        lacking = next((where for where, end in ends.items() if end not in at), "")
        return NO_CONTROL.format(who=who, where=lacking) if lacking else NO_TWINS.format(who=who)

    def _witness_gap(self, handshake: Handshake, number: int) -> str:
        """Nobody reached it at the same time who shows that somebody is there to answer, and that the path works."""
        if self.beside(handshake, number):
            return ""
        if who := self.answered(handshake, number):
            if self._twins_met(handshake, number):
                return ""
            if handshake.is_once:
                return self._apart(handshake, who)
        return self._lonely(handshake, number)

    def _lonely(self, handshake: Handshake, number: int) -> str:
        """What is missing where nobody reached it who counts."""
        node = self._node.get(handshake.source, "")
        here = [
            item
            for item in self._of_target(handshake)
            if item.round == number and self._node.get(item.probe.source) == node
        ]
        if not any(item.probe.source in self._controls for item in here):
            return "no unpoliced control runs on the same node"
        if handshake.source in self._controls:
            return "no other probe pod on the same node reached it, so that it did not answer proves nothing"
        others = [item for item in here if item.probe.source != handshake.source]
        return PATCHY if any(Outcome.REACHED in item.outcomes for item in others) else NO_WITNESS

    def _source_gap(self, handshake: Handshake) -> str:
        if (handshake.source, handshake.family) in self._alive:
            return ""
        return f"the source's agent reached nothing at all by {handshake.family.value}, not even itself"

    def _path_gap(self, handshake: Handshake, number: int) -> str:
        """As in `Evidence.path_gap`: of all that policies allow out of the source, something must have come through."""
        side = handshake.source, handshake.family
        if side not in self._outward or any((*side, item) in self._left for item in range(FLOWS, number + 1)):
            return ""
        return "nothing that policies allow left the source by then: its own path may be dead"


def greet(handshakes: Iterable[Handshake], seen: Seen, changed: Mapping[int, str]) -> tuple[Greeting, ...]:
    """Judge every handshake; `changed` names those whose prediction did not hold for the whole run, with the reason."""
    judged = []
    for item in handshakes:
        found = _judged(item, seen)
        if item.id in changed:
            found = replace(found, agreement=Agreement.INCONCLUSIVE, reason=changed[item.id])
        judged.append(found)
    return tuple(judged)


def _judged(item: Handshake, seen: Seen) -> Greeting:
    tries = seen.of(item)
    lost = _lost(item, seen.placement)
    if lost or not tries:
        reason = lost or "the run ended before it was tried"
        return Greeting(item, Agreement.INCONCLUSIVE, Outcome.UNTESTED, reason)
    outcome = strongest(tries[-1])
    wanted = standard(item)
    if wanted is None:
        reason = f"the verdict is {item.predicted.verdict.name}: {item.predicted.reason}"
        return Greeting(item, Agreement.INCONCLUSIVE, outcome, reason, tries)
    if outcome is not Outcome.REACHED and outcome not in BLOCKED:
        return Greeting(item, Agreement.INCONCLUSIVE, outcome, f"the measurement failed: {tries[-1].detail}", tries)
    return _denied(item, tries, seen) if wanted is Verdict.DENIED else _allowed(item, tries, seen)


def _lost(item: Handshake, placement: Placement) -> str:
    here = running(placement).get(item.source)
    if here is None:
        found = placement.get(item.source)
        reason = "it was not made" if found is None else getattr(found, "reason", "")
        return f"the source's probe pod does not run: {reason}"
    return "" if here.pod.address(item.family) else f"the source's probe pod got no {item.family.value} address"


def _denied(item: Handshake, tries: tuple[Observation, ...], seen: Seen) -> Greeting:
    last, outcome = tries[-1], strongest(tries[-1])
    early = [one for one in tries if Outcome.REACHED in one.outcomes]
    if outcome is Outcome.REACHED:
        if last.round < SETTLED:
            reason = "got through, but the run ended before the settle time was over"
            return Greeting(item, Agreement.INCONCLUSIVE, outcome, reason, tries)
        reached = sum(one.outcomes.count(Outcome.REACHED) for one in tries)
        reason = f"the handshake was done in {reached} of {_count(tries)} tries, the last after {last.at:.0f} s"
        return Greeting(item, Agreement.LEAK, outcome, reason, tries)
    gap = seen.gap(item, last.round)
    whole = all(set(one.outcomes) == {Outcome.REACHED} for one in early) and list(tries[: len(early)]) == early
    if not gap and early and not whole:
        gap = "got through in some tries and not in others: neither denied nor let through for good"
    if gap:
        return Greeting(item, Agreement.INCONCLUSIVE, outcome, gap, tries)
    if early:
        return Greeting(item, Agreement.LATE, outcome, "got through at first, then denied", tries, last.at)
    return Greeting(item, Agreement.AS_EXPECTED, outcome, f"denied, while {_witness(item, last, seen)}", tries)


def _witness(item: Handshake, last: Observation, seen: Seen) -> str:
    """What shows that silence is somebody's doing."""
    if seen.beside(item, last.round):
        return "others on the same node reached it"
    who = seen.answered(item, last.round)
    return f"{who}, and unpoliced twins on the nodes of both ends reached each other on its port"


def _allowed(item: Handshake, tries: tuple[Observation, ...], seen: Seen) -> Greeting:
    last, outcome = tries[-1], strongest(tries[-1])
    if outcome is Outcome.REACHED:
        slow = [one for one in tries[:-1] if BLOCKED & set(one.outcomes)]
        if any(not seen.gap(item, one.round) for one in slow):
            return Greeting(item, Agreement.LATE, outcome, "got no answer at first, then one", tries, last.at)
        return Greeting(item, Agreement.AS_EXPECTED, outcome, "the handshake was done", tries)
    gap = seen.gap(item, last.round)
    if not gap and last.round < SETTLED:
        gap = "got no answer, but the run ended before the settle time was over"
    if gap:
        return Greeting(item, Agreement.INCONCLUSIVE, outcome, gap, tries)
    reason = f"no handshake to the end ({outcome.value}), while {_witness(item, last, seen)}"
    return Greeting(item, Agreement.BLOCKAGE, outcome, reason, tries)


def _count(tries: Iterable[Observation]) -> int:
    return sum(len(one.outcomes) for one in tries)


def to_repeat(handshakes: Iterable[Handshake], seen: Seen) -> tuple[Handshake, ...]:
    """Those to be tried when the settle time is over: surprises, what lacks its proof, and what is met once only."""
    return tuple(item for item in handshakes if item.is_once or _is_open(item, seen))


def _is_open(item: Handshake, seen: Seen) -> bool:
    tries = seen.of(item)
    wanted = standard(item)
    if not tries or wanted is None:
        return False
    outcome = strongest(tries[-1])
    if wanted is Verdict.ALLOWED:
        return outcome is not Outcome.REACHED
    return outcome not in BLOCKED or bool(seen.gap(item, tries[-1].round))


def changed_handshakes(
    handshakes: Sequence[Handshake], placement: Placement, before: Model, after: Model
) -> dict[int, str]:
    """Those whose prediction did not hold for the whole run, because a policy or a namespace's labels changed."""
    homes, here = touched(before, after), running(placement)
    changed: dict[int, str] = {}
    for item, now in zip(handshakes, placed(handshakes, placement, after), strict=True):
        if item.source not in here:
            continue
        if "" in homes:
            changed[item.id] = "a policy of the whole cluster changed during the run"
        elif {here[item.source].pod.namespace, item.pod[0]} & homes:
            changed[item.id] = "a policy of one end's namespace changed during the run"
        elif now.predicted.verdict is not item.predicted.verdict:
            changed[item.id] = "labels of a namespace changed during the run, and the verdict with them"
    return changed


def after_moves(
    handshakes: Iterable[Handshake], before: Placement, now: Placement, changed: Mapping[int, str]
) -> dict[int, str]:
    """What changed, with the handshakes whose probe pod is not any more what it was when their verdict was made."""
    moved = moved_pods(before, now)
    here = running(before)
    return {
        **changed,
        **{item.id: MOVED[bool(here[item.source].stand_in.pod)] for item in handshakes if item.source in moved},
    }


def accord(greeting: Greeting) -> Accord | None:
    """What user, model and packets say together; None where the user expects what the model says."""
    item = greeting.handshake
    wanted = standard(item)
    if item.wish is None or wanted is None:
        return None
    return MEASURED[item.wish, wanted, greeting.agreement]
