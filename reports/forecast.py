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
from auditor.model.probe import ProbePlan, ServicePlan, StandIn, Timing
from reports.marks import HOW
from reports.plain import plain
from reports.words import plural

SHOWN = 40


def render(plan: ProbePlan, matrix: ReachabilityMatrix, options: Options, answers: Sequence[Answer] = ()) -> str:
    """Say what would be made and how long it would take, line by line."""
    cost = plan.estimate
    denied = sum(flow.predicted.verdict is Verdict.DENIED for flow in plan.flows)
    real, made = ([item for item in plan.stand_ins if bool(item.pod) is wanted] for wanted in (True, False))
    # Nothing is made where real pods are marked.
    homes = cost.namespaces - len({item.namespace for item in real})
    where = f"{cost.pods - len(real)} probe pods in {homes} namespaces from {options.image}"
    lines = [
        *_marking(real, options.image),
        f"would make {where}; removes them again",
        *(f"would make the NetworkPolicy {policy.ref}; removes it again" for policy in plan.policies),
        f"would try {cost.flows} flows ({denied} denied, {cost.flows - denied} allowed): {cost.probes} connections",
        _chosen(plan, options),
        *_strangers(plan),
        f"would send about {cost.requests} API requests",
        f"would take about {cost.seconds} s, and {options.settle:g} s more where there are surprises",
        *_timing(plan.timing),
        *_services(plan.services),
        *_pings(plan),
        "",
    ]
    titles = {identity.id: identity.title for identity in matrix.identities}
    for stand_in in made[:SHOWN]:
        what = f"stands for {titles[stand_in.identity]}" if stand_in.identity else "unpoliced control"
        lines.append(f"  pod in {stand_in.namespace} on {stand_in.node}: {what}")
    if len(made) > SHOWN:
        lines.append(f"  and {len(made) - SHOWN} more")
    lines += [_expected(answer) for answer in answers]
    lines += [f"  not tested: {skip.what}{_flows(skip.flows)}: {skip.reason}" for skip in plan.skipped]
    lines += [f"  note: {note}" for note in plan.notes]
    return "\n".join(plain(line) for line in lines) + "\n"


def _marking(real: Sequence[StandIn], image: str) -> list[str]:
    """Every real pod that would be marked: whoever says yes has to know which."""
    if not real:
        return []
    ports = {item.key: ", ".join(f"{port}/{protocol.value}" for protocol, port in item.listens) for item in real}
    return [
        f"would put an ephemeral container from {image} into {len(real)} real pods; {HOW}:",
        *(
            f"  pod {item.namespace}/{item.pod} on {item.node}, listening on {ports[item.key] or 'no port'}"
            for item in real
        ),
    ]


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


def _services(plan: ServicePlan | None) -> list[str]:
    if plan is None:
        return []
    names = ", ".join(f"{item.namespace}/{item.name} ({item.way.value})" for item in plan.services)
    policies = ", ".join(str(policy.ref) for policy in plan.policies)
    nodes = plural(len(plan.callers), "node")
    return [
        (
            f"would try Services of netaudit's own from {nodes}: makes {names}, the NetworkPolicies {policies} and "
            f"{plural(1 + len(plan.callers), 'pod')} of these for it; removes all of it again"
        )
    ]


def _pings(plan: ProbePlan) -> list[str]:
    pairs = f"{len(plan.pings)} pairs of probe pods"
    return [f"would try ICMP between {pairs}, as a diagnostic: no verdict comes of it"] * bool(plan.pings)


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
