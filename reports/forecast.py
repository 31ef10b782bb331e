"""A plan in words: what a run would make, try and cost.

Not a report format: there is no report yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from auditor.accord import MEANINGS
from auditor.model.expectation import Answer
from auditor.model.flow import Verdict
from auditor.model.matrix import ReachabilityMatrix
from auditor.model.options import Options
from auditor.model.probe import ProbePlan, Timing
from reports.plain import plain
from reports.words import plural

SHOWN = 40


def render(plan: ProbePlan, matrix: ReachabilityMatrix, options: Options, answers: Sequence[Answer] = ()) -> str:
    """Say what would be made and how long it would take, line by line."""
    cost = plan.estimate
    denied = sum(flow.predicted.verdict is Verdict.DENIED for flow in plan.flows)
    lines = [
        f"would make {cost.pods} probe pods in {cost.namespaces} namespaces from {options.image}; removes them again",
        *(f"would make the NetworkPolicy {policy.ref}; removes it again" for policy in plan.policies),
        f"would try {cost.flows} flows ({denied} denied, {cost.flows - denied} allowed): {cost.probes} connections",
        _chosen(plan, options),
        *_strangers(plan),
        f"would send about {cost.requests} API requests",
        f"would take about {cost.seconds} s, and {options.settle:g} s more where there are surprises",
        *_timing(plan.timing),
        "",
    ]
    titles = {identity.id: identity.title for identity in matrix.identities}
    for stand_in in plan.stand_ins[:SHOWN]:
        what = f"stands for {titles[stand_in.identity]}" if stand_in.identity else "unpoliced control"
        lines.append(f"  pod in {stand_in.namespace} on {stand_in.node}: {what}")
    if len(plan.stand_ins) > SHOWN:
        lines.append(f"  and {len(plan.stand_ins) - SHOWN} more")
    lines += [_expected(answer) for answer in answers]
    lines += [f"  not tested: {skip.what}{_flows(skip.flows)}: {skip.reason}" for skip in plan.skipped]
    lines += [f"  note: {note}" for note in plan.notes]
    return "\n".join(plain(line) for line in lines) + "\n"


def _strangers(plan: ProbePlan) -> list[str]:
    """How many handshakes, and each address once with how many pods would try it."""
    if not plan.handshakes:
        return []
    pods = Counter((item.target, item.port, item.protocol) for item in plan.handshakes)
    each = [
        f"  {count} probe pods with {target} on {protocol.value} {port}"
        for (target, port, protocol), count in list(pods.items())[:SHOWN]
    ]
    if len(pods) > SHOWN:
        each.append(f"  and {len(pods) - SHOWN} addresses more")
    return [f"would try {len(plan.handshakes)} handshakes with listeners of others, sending nothing:", *each]


def _timing(timing: Timing | None) -> list[str]:
    if timing is None:
        return []
    nodes = plural(len(timing.nodes), "node")
    return [
        (
            f"would time how soon policies hold on {nodes}: makes the NetworkPolicy {timing.policy.ref} and two of "
            f"these pods on each; up to {timing.limit:g} s more for each of three changes that do not follow"
        )
    ]


def _chosen(plan: ProbePlan, options: Options) -> str:
    word = options.coverage.value
    if not plan.unchosen:
        return f"would try every flow that has a verdict (--coverage {word})"
    whole = len(plan.flows) + plan.unchosen
    return f"would leave out {plan.unchosen:,} of {whole:,} flows: --coverage {word}, seed {options.seed}"


def _expected(answer: Answer) -> str:
    """An expectation before any packet: what the policies say of it, and of how many flows packets will tell."""
    tried = sum(item.flow.demand is not None for item in answer.told)
    wish, meaning = answer.expectation.wish.value, MEANINGS[answer.accord]
    told = f"{meaning}, by the model; {tried} of {len(answer.told)} flows tried"
    return f"  expected {wish}: {answer.expectation.title}: {told}"


def _flows(count: int) -> str:
    return f" ({count} flows)" if count else ""
