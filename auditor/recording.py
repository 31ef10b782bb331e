"""A run's journal: what goes into it, and how its lines are written and read.

Pure.  Each line bears a checksum over itself and over the checksum before it, so that a line that was changed, lost or
only half written ends what is read.  Who keeps the lines stands behind `auditor.ports.Journal`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from auditor.engines import Identification
from auditor.evaluate.model import Model
from auditor.model.cluster import Node, PolicyObject
from auditor.model.flow import Decision
from auditor.model.journal import Entry, Marks, Round, Seat, Seen, Stage, Way
from auditor.model.options import Options
from auditor.model.ping import Ping, Pinged
from auditor.model.policy import NetworkPolicy
from auditor.model.probe import NotPlaced, Observation, Outcome, Placed, PlannedFlow, Probe, ServicePlan, Timing
from auditor.model.service_path import Laid, Named, Naming
from auditor.model.timing import Trace
from auditor.ports import Journal, ProbeSession
from auditor.rounds import Placement, running

ITEMS = 500
"""Of one line: what a kill may cost beyond the round that was under way."""
LETTERS = {
    Outcome.REACHED: "+",
    Outcome.REFUSED: "x",
    Outcome.SILENT: "-",
    Outcome.FAULT: "!",
    Outcome.UNTESTED: "0",
}
FIRST = "0" * 16
"""The checksum before the first line."""
T = TypeVar("T")


def marks_of(model: Model, engine: Identification) -> Marks:
    """Fingerprints of what bears on flows in a snapshot.

    Objects of other kinds than NetworkPolicy v1 count for the whole cluster: which flows they touch is for the model.
    """
    snapshot = model.snapshot
    wide = (
        sorted(map(_object, snapshot.objects)),
        sorted((name, sorted(data.items())) for name, data in snapshot.settings.items()),
        (engine.engine, engine.confidence.value, repr(engine.dialect), engine.notes),
        sorted(snapshot.unreadable),
        sorted(snapshot.unreadable_in),
        sorted((spot.namespace or "", spot.reason) for spot in model.blind_spots),
        snapshot.server_version,
    )
    policies: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for policy in snapshot.policies:
        policies[policy.namespace].append((policy.name, policy.uid, policy.version))
    homes = {item.name: item for item in (*snapshot.namespaces, *model.extra_namespaces)}
    return Marks(
        wide=_hash(wide),
        namespaces={
            name: _hash((sorted(home.labels.items()), home.labels_known, home.terminating, sorted(policies[name])))
            for name, home in sorted(homes.items())
        },
        nodes={node.name: _node(node) for node in snapshot.nodes},
    )


def _object(item: PolicyObject) -> tuple[str, ...]:
    metadata = item.raw.get("metadata")
    marks = metadata if isinstance(metadata, Mapping) else {}
    return item.resource, item.namespace, item.name, str(marks.get("uid")), str(marks.get("resourceVersion"))


def _node(node: Node) -> str:
    return _hash((sorted(node.labels.items()), node.ready, node.unfit, node.provider_id, node.addresses))


def decision_mark(decision: Decision) -> str:
    """The fingerprint of a verdict and of the rules that it rests on; wording is no part of it."""
    ends = [
        (end.verdict.value, sorted(map(str, end.isolating)), sorted(end.allowing), sorted(end.denying))
        for end in (decision.egress, decision.ingress)
    ]
    return _hash((decision.verdict.value, ends))


def _hash(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def deciding_options(options: Options) -> dict[str, str]:
    """The options that decide what is measured and how; two runs that differ in one do not measure the same."""
    selector = options.selector.requirements if options.selector else ()
    wanted: dict[str, object] = {
        "--mode": options.mode.value,
        "--namespace": options.namespaces,
        "--selector": [(item.key, item.operator.value, sorted(item.values)) for item in selector],
        "--image": options.image,
        "--agent": options.agent,
        "--coverage": options.coverage.value,
        "--seed": options.seed,
        "--max-pods": options.max_pods,
        "--max-flows": options.max_flows,
        "--allow": options.allow,
        "--expect": sorted(f"{item.title}: {item.wish.value}" for item in options.expectations),
        "the sample": options.sample,
        "the tries": (options.connect_timeout, options.tries),
    }
    return {name: repr(value) for name, value in wanted.items()}


class Recorded:
    """A session whose rounds are noted down as they end."""

    def __init__(self, session: ProbeSession, journal: Journal, flows: Sequence[PlannedFlow]) -> None:
        """Note the stand-ins and flows of `session` at once."""
        self._session = session
        self._journal = journal
        self._first = dict(session.placed)
        for entry in stage(flows, self._first):
            journal.write(entry)

    @property
    def placed(self) -> Mapping[str, Placed | NotPlaced]:
        """As the session has it."""
        return self._session.placed

    async def run_round(self, number: int, probes: Sequence[Probe]) -> Sequence[Observation]:
        """Carry out a round and note what it gave."""
        seen = await self._session.run_round(number, probes)
        now = self._session.placed
        moved = sorted(key for key in running(self._first) if now.get(key) != self._first[key])
        # What a stranger answers is no evidence for a flow, and strangers are tried anew.
        for part in _parts([item for item in seen if not item.probe.address]):
            self._journal.write(Round(self._journal.now(), list(map(_seen, part)), moved))
        return seen

    async def time_enforcement(self, timing: Timing, seen: list[Trace]) -> None:
        """Time as the session does; nothing of it is noted, because a run that goes on times anew."""
        await self._session.time_enforcement(timing, seen)

    async def lay_services(self, plan: ServicePlan) -> Laid:
        """Make Services as the session does; nothing of it is noted, as with times."""
        return await self._session.lay_services(plan)

    async def look_up(self, namings: Sequence[Naming]) -> Sequence[Named]:
        """Look names up as the session does."""
        return await self._session.look_up(namings)

    async def send_pings(self, pings: Sequence[Ping]) -> Sequence[Pinged]:
        """Ping as the session does; nothing of it is noted, because no verdict leans on it."""
        return await self._session.send_pings(pings)

    async def make_policies(self, policies: Sequence[NetworkPolicy]) -> str:
        """Make policies as the session does."""
        return await self._session.make_policies(policies)

    def elapsed(self) -> float:
        """As the session's clock says."""
        return self._session.elapsed()

    async def wait_until(self, seconds: float) -> None:
        """Wait as the session does."""
        await self._session.wait_until(seconds)


def stage(flows: Sequence[PlannedFlow], placement: Placement) -> Iterator[Stage]:
    """The stand-ins that run, and the flows between them."""
    here = running(placement)
    for seats in _parts(tuple(here.values())):
        yield Stage(seats=[_seat(item) for item in seats])
    for ways in _parts([flow for flow in flows if {flow.source, flow.destination} <= here.keys()]):
        yield Stage(ways=[_way(flow) for flow in ways])


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for begin in range(0, len(items), ITEMS):
        yield items[begin : begin + ITEMS]


def _seat(item: Placed) -> Seat:
    what = item.stand_in
    plain = dict(item.pod.labels) == dict(what.labels)
    return Seat(what.key, what.identity, what.role, what.namespace, item.pod.node, list(item.pod.families), plain)


def _way(flow: PlannedFlow) -> Way:
    decided = flow.predicted
    ends = flow.source, flow.destination
    return Way(flow.id, *ends, flow.family, flow.protocol, flow.port, decided.verdict, decision_mark(decided))


def _seen(item: Observation) -> Seen:
    probe, outcomes = item.probe, "".join(LETTERS[outcome] for outcome in item.outcomes)
    path = probe.source, probe.destination, probe.family, probe.protocol, probe.port
    return Seen(item.round, *path, list(probe.timeouts), outcomes, item.at, item.milliseconds)


def encode(entry: Entry, before: str) -> tuple[bytes, str]:
    """An entry as a line behind the line with that checksum, and its own checksum."""
    text = msgspec.json.encode(entry)
    checksum = _checksum(text, before)
    return checksum.encode() + b" " + text + b"\n", checksum


def decode(data: bytes) -> Iterator[Entry]:
    """The entries of a journal up to the first line that is not whole, or is not what was written."""
    before = FIRST
    for line in data.split(b"\n"):
        checksum, _, text = line.partition(b" ")
        if checksum.decode("ascii", "replace") != _checksum(text, before):
            return
        before = checksum.decode("ascii")
        try:
            entry: Entry = _DECODER.decode(text)
        except msgspec.DecodeError:
            return
        yield entry


_DECODER = msgspec.json.Decoder(Entry)


def _checksum(text: bytes, before: str) -> str:
    return hashlib.sha256(before.encode() + text).hexdigest()[:16]


def observations(rounds: Iterable[Round]) -> Iterator[Observation]:
    """What was seen, as it was observed but for its words; raises KeyError for an outcome of another version."""
    outcome_of = {letter: outcome for outcome, letter in LETTERS.items()}
    for entry in rounds:
        for item in entry.seen:
            timeouts = tuple(item.timeouts)
            probe = Probe(item.source, item.destination, item.family, item.port, timeouts, item.protocol)
            outcomes = tuple(outcome_of[letter] for letter in item.outcomes)
            yield Observation(item.round, probe, outcomes, "read from a journal", item.at, item.milliseconds)
