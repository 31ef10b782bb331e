"""How many attempts may be under way at once, in what order batches go, and when the next round must go slower.

Pure.  Nodes are other people's machines: whatever probes there are, each node makes, and takes, no more attempts at
once than its bound.  A machine that cannot follow shows it where the answer is known beforehand, in listeners that do
not answer their own pod and in unpoliced twins that do not meet, and in attempts that end long after their time limit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from auditor.model.probe import Observation, Outcome, Probe

STRANGERS = 4
"""Batches of handshakes at once in the whole cluster, so that no stranger meets all our pods together."""
FEW = 16
"""Handshakes that a pod has under way at most, and attempts that a real pod has."""
EXECS_PER_NODE = 16
"""Batches at once on one node: more execs than that make container runtimes crawl."""
SLOWEST = 3
"""How often the pace can be halved."""
OVERDUE = 1.5
"""Seconds beyond its time limit after which an attempt's end shows a machine that cannot follow."""
SOME, MOST = 0.05, 0.5
"""Shares of what is strained from which the pace is halved once, and twice."""
TICK = 0.2
"""Seconds that an agent takes on average to notice that a time limit is over."""
Place = tuple[str, str]
"""What is bounded on which node: `execs`, attempts `from` it, attempts `to` it; on none, batches for `strangers`."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The most attempts at once."""

    window: int
    """Of one pod."""
    per_node: int
    """From all pods of one node, and to all pods of one node."""


BOUNDS: Mapping[str, Bound] = {
    # An attempt is two processes and 4 ms of a processor: 256 that time out each second keep one processor busy.
    "shell": Bound(64, 256),
    # An attempt is a socket.
    "python": Bound(1024, 4096),
}
"""By agent."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one source tries in one round."""

    source: str
    node: str
    probes: tuple[Probe, ...]
    window: int
    seconds: float
    """How long all its attempts wait, one after the other, where nobody answers."""
    claim: Mapping[Place, int]
    """The places that it occupies while it runs."""


class Room:
    """The places that are taken; a batch may start when all that it claims are free."""

    def __init__(self, bound: Bound) -> None:
        """Start with nothing taken."""
        self._most = {
            "execs": EXECS_PER_NODE,
            "from": bound.per_node,
            "to": bound.per_node,
            "strangers": STRANGERS,
        }
        self._taken: Counter[Place] = Counter()

    def fits(self, batch: Batch) -> bool:
        """Whether a batch may start now; alone it always may."""
        return all(self._taken[place] + count <= self._most[place[0]] for place, count in batch.claim.items())

    def take(self, batch: Batch) -> None:
        """Occupy what a batch claims."""
        self._taken.update(batch.claim)

    def give(self, batch: Batch) -> None:
        """Free what a batch claimed."""
        self._taken.subtract(batch.claim)


def bound_at(agent: str, level: int) -> Bound:
    """The bound of an agent after its pace was halved so many times."""
    full = BOUNDS[agent]
    return Bound(max(1, full.window >> level), max(1, full.per_node >> level))


def one_try_wide(asked: Sequence[Probe], window: int) -> int:
    """How many of these attempts may be under way, so that tries of one probe follow each other; one entry each."""
    widest = max(Counter(asked).values(), default=1)
    return max(1, min(window, -(-len(asked) // widest)))


def split(
    probes: Iterable[Probe], node_of: Mapping[str, str], bound: Bound, gentle: Collection[str] = ()
) -> tuple[Batch, ...]:
    """One batch for each source, the longest first, so that no long one is left over at the end.

    Sources that are `gentle` have few attempts under way: they are other people's pods, whose share they use.
    """
    by_source: dict[str, list[Probe]] = defaultdict(list)
    for probe in probes:
        by_source[probe.source].append(probe)
    spared = Bound(min(FEW, bound.window), bound.per_node)
    batches = [
        _batch(source, found, node_of, spared if source in gentle else bound) for source, found in by_source.items()
    ]
    return tuple(sorted(batches, key=lambda batch: (-batch.seconds, batch.source)))


def _batch(source: str, found: Sequence[Probe], node_of: Mapping[str, str], bound: Bound) -> Batch:
    # Each source begins with whoever comes after it: otherwise all would fall upon the same destination first.
    probes = (
        *(probe for probe in found if probe.destination > source),
        *(probe for probe in found if probe.destination <= source),
    )
    asked = [probe for probe in probes for _ in probe.timeouts]
    meets = any(probe.address for probe in asked)
    window = one_try_wide(asked, min(FEW, bound.window) if meets else bound.window)
    ends = Counter(node_of[probe.destination] for probe in asked if not probe.address)
    to = {("to", node): -(-window * count // len(asked)) for node, count in sorted(ends.items())}
    claim = {("execs", node_of[source]): 1, ("from", node_of[source]): window, **to}
    claim |= {("strangers", ""): 1} if meets else {}
    seconds = sum(limit + TICK for probe in probes for limit in probe.timeouts)
    return Batch(source, node_of[source], probes, window, seconds, claim)


def longest(batches: Iterable[Batch], bound: Bound) -> float:
    """Seconds that a round takes at most where nobody answers: no node works for longer, all working side by side."""
    by_node: dict[str, list[Batch]] = defaultdict(list)
    for batch in batches:
        by_node[batch.node].append(batch)
    return max((_busy(found, bound) for found in by_node.values()), default=0.0)


def _busy(batches: Sequence[Batch], bound: Bound) -> float:
    """The bound for any list scheduling (Graham 1966): the whole work shared out, and the longest piece at the end."""
    last = max(batches, key=lambda batch: batch.seconds / batch.window)
    shared = sum(batch.seconds for batch in batches) / bound.per_node
    return shared + last.seconds / last.window * (1 - last.window / bound.per_node)


def level_within(level: int, agent: str, probes: Sequence[Probe], node_of: Mapping[str, str], seconds: float) -> int:
    """The level that is wanted, or the nearest faster one at which a round ends within so many seconds.

    A round that used up the budget would cost the closing one, and with it every proof.
    """
    for lower in range(level, 0, -1):
        bound = bound_at(agent, lower)
        if longest(split(probes, node_of, bound), bound) <= seconds:
            return lower
    return 0


def strain(seen: Iterable[Observation], controls: frozenset[str]) -> int:
    """How many times the pace should be halved after a round: not at all, once or twice."""
    found = list(seen)
    known = [outcome for item in found if _is_known(item.probe, controls) for outcome in item.outcomes]
    timed = [item for item in found if item.milliseconds >= 0]
    lost = sum(outcome in {Outcome.SILENT, Outcome.FAULT} for outcome in known)
    late = sum(item.milliseconds > 1000 * (item.probe.timeouts[-1] + OVERDUE) for item in timed)
    share = max(lost / max(1, len(known)), late / max(1, len(timed)))
    return (share > SOME) + (share > MOST)


def _is_known(probe: Probe, controls: frozenset[str]) -> bool:
    """Whether no policy has a say: a pod's own listener, or twins."""
    return probe.source == probe.destination or {probe.source, probe.destination} <= controls
