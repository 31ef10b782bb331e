"""`--ping`: which pairs of probe pods ask each other for an ICMP echo, and what that tells beside their flows.

Pure.  A diagnostic: NetworkPolicy says nothing about ICMP, so nothing here reaches a judgement, a claim, a finding or a
number of the summary.  Real pods are never asked, nor are agents in them made to ask.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from auditor.model.finding import Agreement, Judgement
from auditor.model.flow import Family, Verdict
from auditor.model.options import Options
from auditor.model.ping import Between, Echo, Ping, Pinged, PingEntry
from auditor.model.probe import Outcome, ProbePlan, Role, Skip
from auditor.plan import in_their_order
from probes.echoes import MOST as BATCH
from probes.echoes import SECONDS, TRIES, WINDOW

MOST = 500
"""Pings of one run: a diagnostic must not cost more than what it explains."""
TOLD = frozenset({Outcome.REACHED, Outcome.REFUSED, Outcome.SILENT})
"""Outcomes that say something about a path."""
LOST = frozenset({Echo.SILENT, Echo.REFUSED})
Path = tuple[str, str, Family]
"""Keys of two stand-ins, or names of two nodes."""


def with_pings(plan: ProbePlan, options: Options) -> ProbePlan:
    """The plan with pings, where the user asks for them: twins first, then each pair that flows are tried between."""
    if not options.ping or not plan.flows:
        return plan
    pods, real = _pods(plan)
    pairs = [*_twins(plan), *pods]
    kept = tuple(
        Ping(number, between, source, destination, family)
        for number, (between, (source, destination, family)) in enumerate(pairs[:MOST], 1)
    )
    skipped = [Skip(f"{real} pings between real pods", "nobody pings a workload")] * bool(real)
    if len(pairs) > MOST:
        reason = f"at most {MOST} are sent; they are a diagnostic, and nothing hangs on them"
        skipped.append(Skip(f"{len(pairs) - MOST:,} of {len(pairs):,} pings", reason))
    sources = Counter(ping.source for ping in kept)
    requests = sum(-(-TRIES * number // BATCH) for number in sources.values())
    # Sources send side by side; a window at once, and silence takes as long as it may.
    seconds = TRIES * SECONDS * -(-max(sources.values(), default=0) // WINDOW)
    cost = plan.estimate
    return replace(
        plan,
        pings=kept,
        skipped=in_their_order((*plan.skipped, *skipped)),
        estimate=replace(cost, requests=cost.requests + requests, seconds=cost.seconds + seconds),
    )


def _pods(plan: ProbePlan) -> tuple[list[tuple[Between, Path]], int]:
    """The pairs that flows are tried between, in their order, and how many of all have a real pod for an end."""
    residents = {item.key for item in plan.stand_ins if item.pod}
    paths = dict.fromkeys((flow.source, flow.destination, flow.family) for flow in plan.flows)
    ours = [(Between.PODS, path) for path in paths if not residents & {path[0], path[1]}]
    return ours, len(paths) - len(ours)


def _twins(plan: ProbePlan) -> list[tuple[Between, Path]]:
    """The unpoliced controls on each pair of nodes between which flows are tried, in that order."""
    node_of = {item.key: item.node for item in plan.stand_ins}
    at = {(item.node, item.key[-1]): item.key for item in plan.stand_ins if item.role is Role.CONTROL}
    nodes = dict.fromkeys((node_of[flow.source], node_of[flow.destination], flow.family) for flow in plan.flows)
    return [
        (Between.TWINS, (at[one, "a"], at[other, "b"], family))
        for one, other, family in nodes
        if (one, "a") in at and (other, "b") in at
    ]


@dataclass(frozen=True, slots=True)
class _Pair:
    """What is known of a pair: its own echo, that of the twins on its two nodes, and what came of its flows."""

    between: Between
    echo: Echo
    twins: Echo | None
    judged: int
    """Flows that say something about the path, and whose every piece of proof is there."""
    denied: int
    """Of those, by the policies."""
    reached: int
    """Of those, too."""
    is_open: bool
    """Whether any flow got through, judged or not."""


@dataclass(frozen=True, slots=True)
class _Row:
    when: Callable[[_Pair], bool]
    meaning: str


_TABLE = (
    _Row(
        lambda p: p.between is Between.TWINS and p.echo in LOST,
        "ICMP does not pass between unpoliced pods on these nodes either: no ping between them tells of policies",
    ),
    _Row(lambda p: p.between is Between.TWINS or not p.judged, ""),
    _Row(
        lambda p: p.echo is Echo.ANSWERED and not p.is_open and p.denied == p.judged,
        "every port that was judged is denied and the path is alive: the engine lets ICMP through, "
        "which policies do not speak of",
    ),
    _Row(
        lambda p: p.echo is Echo.ANSWERED and not p.is_open,
        "no port that was tried got through although the path is alive: ports alone are stopped",
    ),
    _Row(
        lambda p: p.echo in LOST and p.twins is Echo.ANSWERED and p.reached > 0,
        "ports get through and ICMP does not, which unpoliced pods on these nodes exchange: an engine that drops ICMP "
        "where policies isolate a pod",
    ),
    _Row(
        lambda p: p.echo in LOST and p.twins is Echo.ANSWERED and not p.is_open and p.denied == p.judged,
        "an engine that drops ICMP together with the ports that policies deny",
    ),
    _Row(
        lambda p: p.echo in LOST and p.twins is Echo.ANSWERED and not p.is_open,
        "nothing gets through, not even ICMP, which unpoliced pods on these nodes exchange: all between the two pods "
        "is dropped, or the path of one of them is dead",
    ),
    _Row(
        lambda p: p.echo in LOST and p.twins in LOST and not p.is_open and p.denied < p.judged,
        "nothing gets through, not even ICMP, nor between unpoliced pods on these nodes: the path between the nodes is "
        "dead, or all ICMP is dropped",
    ),
    _Row(lambda _: True, ""),
)


def entries(plan: ProbePlan, seen: Sequence[Pinged], judgements: Iterable[Judgement], control: str) -> list[PingEntry]:
    """Each ping of the plan with what it tells; `control` is the id under which unpoliced pods are known.

    Those that the run did not come to say so.
    """
    node_of = {item.key: item.node for item in plan.stand_ins}
    identity_of = {item.key: item.identity or control for item in plan.stand_ins}
    told = {item.ping.id: item for item in seen}
    found = [told.get(item.id) or Pinged(item, Echo.NOT_POSSIBLE, "the run ended before") for item in plan.pings]
    twins = {_nodes(item.ping, node_of): item.echo for item in found if item.ping.between is Between.TWINS}
    judged: dict[Path, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        flow = judgement.flow
        judged[flow.source, flow.destination, flow.family].append(judgement)
    return [
        PingEntry(
            id=item.ping.id,
            between=item.ping.between.value,
            source=item.ping.source,
            destination=item.ping.destination,
            source_identity=identity_of[item.ping.source],
            destination_identity=identity_of[item.ping.destination],
            source_node=node_of[item.ping.source],
            destination_node=node_of[item.ping.destination],
            family=item.ping.family.value,
            outcome=item.echo.value,
            reason=item.detail,
            meaning=meaning(
                item,
                twins.get(_nodes(item.ping, node_of)),
                judged[item.ping.source, item.ping.destination, item.ping.family],
            ),
            tries=item.tries,
            milliseconds=item.milliseconds,
        )
        for item in found
    ]


def _nodes(ping: Ping, node_of: Mapping[str, str]) -> Path:
    return node_of[ping.source], node_of[ping.destination], ping.family


def meaning(item: Pinged, twins: Echo | None, flows: Sequence[Judgement]) -> str:
    """What an echo, or its absence, tells beside the flows of the same pair and the twins on the same nodes.

    Of flows that lack a piece of proof nothing is claimed.
    """
    telling = [one for one in flows if one.outcome in TOLD and one.agreement is not Agreement.INCONCLUSIVE]
    pair = _Pair(
        between=item.ping.between,
        echo=item.echo,
        twins=twins,
        judged=len(telling),
        denied=sum(one.flow.predicted.verdict is Verdict.DENIED for one in telling),
        reached=sum(one.outcome is Outcome.REACHED for one in telling),
        is_open=any(one.outcome is Outcome.REACHED for one in flows),
    )
    return next(row.meaning for row in _TABLE if row.when(pair))
