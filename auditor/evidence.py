"""What a run observed, by the path that was tried, and which piece of proof is missing (design, section 9).

Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from auditor.model.flow import Family, Protocol, Verdict
from auditor.model.probe import Observation, Outcome, PlannedFlow, Probe
from auditor.rounds import CLOSING, Placement, controls, running, twin_of

Path = tuple[str, str, Family, Protocol, int]
"""Source, destination, and the traffic between them."""
Side = tuple[str, Family]
"""One end of paths, as a source or as a destination."""


class Evidence:
    """All observations of a run, by the path they tried: source, destination, family, protocol, port."""

    def __init__(self, placement: Placement, observations: Iterable[Observation], flows: Iterable[PlannedFlow]) -> None:
        """Index the observations; `flows` are all that are judged, of which those that policies allow bear witness."""
        self.placement = placement
        self.here = running(placement)
        self._by_path: dict[Path, list[Observation]] = defaultdict(list)
        self._controls = controls(self.here)
        self._connected: set[Side] = set()
        """Stand-ins that reached anything at all of a family, be it themselves."""
        self._left: set[tuple[Side, int]] = set()
        """Sources from which anything got to another pod, with the round; and destinations to which it did."""
        self._arrived: set[tuple[Side, int]] = set()
        self.is_over = False
        """Whether the closing round was carried out: until then surprises may still settle."""
        for seen in sorted(observations, key=lambda item: item.round):
            probe = seen.probe
            if probe.address:
                continue  # what a stranger answers is no nonce
            self.is_over |= seen.round >= CLOSING
            if Outcome.REACHED in seen.outcomes:
                self._add_reached(probe, seen.round)
            path = probe.source, probe.destination, probe.family, probe.protocol, probe.port
            self._by_path[path].append(seen)
        self._outward: dict[Side, list[PlannedFlow]] = defaultdict(list)
        """What policies allow out of a source and was tried, by id; and into a destination."""
        self._inward: dict[Side, list[PlannedFlow]] = defaultdict(list)
        for flow in sorted(flows, key=lambda item: item.id):
            if flow.predicted.verdict is Verdict.ALLOWED and self._bears_witness(flow):
                self._outward[flow.source, flow.family].append(flow)
                self._inward[flow.destination, flow.family].append(flow)

    def _add_reached(self, probe: Probe, number: int) -> None:
        self._connected.add((probe.source, probe.family))
        if probe.source != probe.destination:
            self._left.add(((probe.source, probe.family), number))
            self._arrived.add(((probe.destination, probe.family), number))

    def _bears_witness(self, flow: PlannedFlow) -> bool:
        """Whether it was tried, which what the pods cannot speak was not, on a listener that is not dead itself."""
        tried = any(outcome is not Outcome.UNTESTED for item in self.of(flow) for outcome in item.outcomes)
        return tried and bool(self.answered(flow.destination, flow))

    def of(self, flow: PlannedFlow) -> Sequence[Observation]:
        """The observations of a flow, by round."""
        return self._tried(flow.source, flow.destination, flow)

    def answered(self, key: str, flow: PlannedFlow | Probe) -> list[int]:
        """The rounds in which a pod's listener on a flow's protocol and port answered its own pod."""
        return [item.round for item in self._tried(key, key, flow) if Outcome.REACHED in item.outcomes]

    def is_strange(self, flow: PlannedFlow | Probe) -> bool:
        """Whether what stands on a port of a real pod may be the workload's own: our listener there never answered."""
        found = self.here.get(flow.destination)
        return found is not None and bool(found.stand_in.pod) and not self.answered(flow.destination, flow)

    def untried(self, flow: PlannedFlow) -> str:
        """Say why a flow between stand-ins that run was not tried."""
        if self.is_strange(flow):
            port = f"{flow.protocol.value} {flow.port}"
            return (
                f"no agent of ours answered on {port} in the real pod: something else may hold it, and was left alone"
            )
        return "the run ended before it was tried"

    def _tried(self, source: str, destination: str, flow: PlannedFlow | Probe) -> Sequence[Observation]:
        """What was seen between two stand-ins of the same traffic as a flow's."""
        return self._by_path.get((source, destination, flow.family, flow.protocol, flow.port), ())

    def listener_gap(self, flow: PlannedFlow, number: int) -> str | None:
        """Say what is missing to prove that the destination listened before and after a round."""
        rounds = self.answered(flow.destination, flow)
        if not any(item < number for item in rounds):
            return "the destination's listener did not answer its own pod before"
        if not any(item > number for item in rounds):
            return "the destination's listener did not answer its own pod afterwards"
        return None

    def twin_gap(self, flow: PlannedFlow, number: int) -> str | None:
        """Say what is missing to prove that unpoliced pods on the same nodes exchanged a nonce in a round."""
        twin = twin_of(flow, self.here, self._controls)
        if twin is None:
            return "no unpoliced twin runs on both nodes"
        tries = [outcome for item in self._tried(*twin, flow) if item.round == number for outcome in item.outcomes]
        if not tries or Outcome.REACHED not in tries:
            return "unpoliced twins on the same nodes did not reach each other on this port"
        if any(outcome is not Outcome.REACHED for outcome in tries):
            return "unpoliced twins on the same nodes reached each other only in some of the tries"
        return None

    def source_gap(self, flow: PlannedFlow) -> str | None:
        """Say what is missing to prove that the source's agent can connect at all."""
        if (flow.source, flow.family) in self._connected:
            return None
        return f"the source's agent reached nothing at all by {flow.family.value}, not even itself"

    def path_gap(self, flow: PlannedFlow, number: int) -> str | None:
        """Say where, in a round, nothing came through of all that policies allow: silence there is no denial.

        A pod that policies allow nothing at all has no such witness; of its path only the twins speak.
        """
        source, destination = (flow.source, flow.family), (flow.destination, flow.family)
        if self._inward.get(destination) and (destination, number) not in self._arrived:
            return "nothing that policies allow reached the destination in this round: its own path may be dead"
        if self._outward.get(source) and (source, number) not in self._left:
            return "nothing that policies allow left the source in this round: its own path may be dead"
        return None

    def witnesses(self, flow: PlannedFlow) -> Iterable[PlannedFlow]:
        """A flow into the destination and one out of the source, that policies allow and that got through before."""
        for found in (self._inward.get((flow.destination, flow.family)), self._outward.get((flow.source, flow.family))):
            yield from [item for item in found or () if self.got_through(item)][:1]

    def got_through(self, flow: PlannedFlow) -> bool:
        """Whether a flow's nonce came back in any round."""
        return any(Outcome.REACHED in item.outcomes for item in self.of(flow))

    def gap(self, flow: PlannedFlow, number: int) -> str | None:
        """The first piece of proof that is missing for a blocked outcome of a round; None when it is complete."""
        return self.listener_gap(flow, number) or self.twin_gap(flow, number) or self.source_gap(flow)
