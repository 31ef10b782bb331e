"""The answer in one sentence, its numbers, and the exit code.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from auditor.greetings import accord
from auditor.model.cluster import Snapshot
from auditor.model.expectation import BROKEN, Accord, Answer, Told
from auditor.model.finding import Agreement, Comparison, Finding, Greeting, Judgement, Proof
from auditor.model.flow import Verdict
from auditor.model.handshake import Beyond
from auditor.model.matrix import ReachabilityMatrix
from auditor.model.options import Mode, Options
from auditor.model.ping import Pinged
from auditor.model.probe import Mark, NotPlaced, Outcome, Placed, ProbePlan
from auditor.model.problem import Problem
from auditor.model.report import Summary
from auditor.model.service_path import JUDGED, Crossed, Named
from auditor.model.timing import Figure
from auditor.model.words import plural
from auditor.plan import is_audited

CLEAN, FINDINGS, INCOMPLETE = 0, 3, 4
EVERY = "Every denial that was tested holds"
WRONG = frozenset({Agreement.LEAK, Agreement.BLOCKAGE})
NAMED = 3
"""Policies, nodes and losses that a sentence names."""
ABOUT = {
    Mode.CLONE: "",
    Mode.SENTINEL: " This is about netaudit's own policies between its own pods, not about this cluster's policies.",
    Mode.SHADOW: " This is about copies of policies over equivalent pods, not about the workloads themselves.",
    Mode.INPLACE: (
        " This is about real pods, each on one port that nobody else uses: the ports that pods or policies name were "
        "tried by handshake, or not at all."
    ),
}
"""What the sentence is about, where a reader may take it for more."""
REHEARSED = "A rehearsal in a sandbox: it tests the policies, not any cluster's engine. "
MISLED = "In a sandbox whose engine was given the fault {}: "
STATUS = {CLEAN: "clean", FINDINGS: "findings", INCOMPLETE: "incomplete"}


@dataclass(frozen=True, slots=True)
class Material:
    """What a finished audit is made of."""

    snapshot: Snapshot
    matrix: ReachabilityMatrix
    plan: ProbePlan
    placement: Mapping[str, Placed | NotPlaced]
    comparison: Comparison
    findings: tuple[Finding, ...] = ()
    strays: tuple[str, ...] = ()
    """Keys of stand-ins that policies tell apart from their identity, as they were stored."""
    rounds: int = 0
    leftovers: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    """The real pods that stay marked."""
    withdrawn: str = ""
    """What reacted to the probe pods, so that they were removed at once; empty where nothing did."""
    interrupted: bool = False
    """Whether the run was asked to end while it measured."""
    answers: tuple[Answer, ...] = ()
    """What came of the user's expectations."""
    resumed: str = ""
    """The run that this one went on from; empty where there was none."""
    timed: tuple[Figure, ...] = ()
    """How soon policies held, where that was timed."""
    crossed: tuple[Crossed, ...] = ()
    """What came of paths through netaudit's own Services."""
    unlaid: tuple[str, ...] = ()
    """What of them could not be made or found by its name, and why."""
    names: tuple[Named, ...] = ()
    """What came of looking names up."""
    pinged: tuple[Pinged, ...] = ()
    """What came of ICMP, of which nothing here is made."""


def summarise(material: Material, options: Options) -> Summary:
    """Count the judged flows and say what they come to."""
    comparison, findings = material.comparison, material.findings
    counts = Counter(item.agreement for item in comparison.judgements)
    planned = len(comparison.judgements)
    judged = planned - counts[Agreement.INCONCLUSIVE]
    coverage = judged / planned if planned else 0.0
    gaps = incompleteness(material, options)
    worst = max((finding.severity.rank for finding in findings), default=-1)
    code = FINDINGS if worst >= options.fail_on.rank else INCOMPLETE if gaps else CLEAN
    return Summary(
        status=STATUS[FINDINGS if findings and code == CLEAN else code],
        sentence=_rehearsed(options)
        + _answer(material, counts, gaps)
        + _chosen(material, options)
        + _kept(material.answers)
        + _taken(material)
        + _nodes_left(material, options)
        + _met(comparison.greetings)
        + _crossed(material.crossed)
        + ABOUT[options.mode],
        exit_code=code,
        planned=planned,
        judged=judged,
        coverage=round(coverage, 4),
        min_coverage=options.min_coverage,
        gaps=list(gaps),
        as_expected=counts[Agreement.AS_EXPECTED],
        leaks=counts[Agreement.LEAK],
        blockages=counts[Agreement.BLOCKAGE],
        late=counts[Agreement.LATE],
        inconclusive=counts[Agreement.INCONCLUSIVE],
        proven_denials=len(_shown(comparison)),
        findings=len(findings),
        unchosen=material.plan.unchosen,
        expectations=len(material.answers),
        expectations_broken=_broken(material.answers),
        taken_over=len(_measured_before(material)),
        handshakes=len(comparison.greetings),
        handshakes_wrong=sum(map(is_wrong, comparison.greetings)),
        service_paths=len(material.crossed),
        service_paths_wrong=sum(item.agreement in WRONG for item in material.crossed),
    )


def is_wrong(greeting: Greeting) -> bool:
    """Whether a handshake came out against the policies, or is not as the user expects."""
    found = accord(greeting)
    against = greeting.agreement in {Agreement.LEAK, Agreement.BLOCKAGE}
    return against or found in BROKEN or found is Accord.AGAINST_POLICIES


def _broken(answers: Sequence[Answer]) -> int:
    return sum(answer.accord in BROKEN for answer in answers)


def incompleteness(material: Material, options: Options) -> tuple[str, ...]:
    """Why the audit is incomplete, in sentences; empty when it is complete."""
    early = [f"the run was withdrawn: {material.withdrawn}"] if material.withdrawn else []
    early += ["the run was interrupted"] * material.interrupted
    early += _lost_gap(material.snapshot.lost)
    gaps = (*early, *_flow_gaps(material, options), *_pod_gaps(material, options))
    beyond = (*_handshake_gap(material.comparison.greetings, options), *_service_gap(material, options))
    return (*gaps, *_expectation_gap(material.answers), *beyond)


def _lost_gap(lost: Sequence[Problem]) -> list[str]:
    """What manifests were meant to say: each thing once, whatever the number of its faults."""
    things = dict[tuple[str, str], Problem]()
    for item in lost:
        things.setdefault((item.file, item.object or item.place), item)
    named = [item.told for item in list(things.values())[:NAMED]]
    more = len(things) - NAMED
    return [*named, *[f"{plural(more, 'thing')} more of the manifests did not count"] * (more > 0)]


def _handshake_gap(greetings: Sequence[Greeting], options: Options) -> list[str]:
    """What was asked for by name must be shown, and of the others as many as of flows."""
    open_ones = [item for item in greetings if item.agreement is Agreement.INCONCLUSIVE]
    named = any(item.handshake.kind is Beyond.EXTERNAL for item in open_ones)
    few = len(greetings) - len(open_ones) < options.min_coverage * len(greetings)
    return [f"{len(open_ones)} of {len(greetings)} handshakes with {_whom(greetings)} were not shown"] * (named or few)


def _service_gap(material: Material, options: Options) -> list[str]:
    """Paths through Services that have a verdict and were not shown, and what could not be made for them."""
    known = [item for item in material.crossed if item.path.predicted.verdict in JUDGED]
    open_ones = sum(item.agreement is Agreement.INCONCLUSIVE for item in known)
    few = bool(known) and len(known) - open_ones < options.min_coverage * len(known)
    return [*material.unlaid, *[f"{open_ones} of {len(known)} paths through Services were not shown"] * few]


def _crossed(crossed: Sequence[Crossed]) -> str:
    """What came of the paths through Services, where there are some."""
    if not crossed:
        return ""
    wrong = sum(item.agreement in WRONG for item in crossed)
    right = sum(item.agreement is not Agreement.INCONCLUSIVE for item in crossed) - wrong
    seen = sum(item.path.predicted.verdict not in JUDGED for item in crossed)
    more = f"; {seen} have no verdict" if seen else ""
    return f" Of {len(crossed)} paths through and beside Services {right} are as they should be, {wrong} are not{more}."


def _whom(greetings: Iterable[Greeting]) -> str:
    kinds = {item.handshake.kind for item in greetings}
    words = {Beyond.EXTERNAL: "addresses outside", Beyond.REAL: "real pods"}
    return " and ".join(word for kind, word in words.items() if kind in kinds)


def _expectation_gap(answers: Sequence[Answer]) -> list[str]:
    """An expectation that packets could have told about and did not; of what only the model speaks, it has spoken."""
    open_ones = [
        answer
        for answer in answers
        if any(item.accord is Accord.INCONCLUSIVE and not _is_answered(item) for item in answer.told)
    ]
    return [f"{len(open_ones)} of {len(answers)} expectations were not shown for every flow"] * bool(open_ones)


def _is_answered(item: Told) -> bool:
    """Whether packets cannot tell, and the model can."""
    return bool(item.flow.untested) and item.verdict in {Verdict.ALLOWED, Verdict.DENIED}


def _flow_gaps(material: Material, options: Options) -> list[str]:
    judgements = material.comparison.judgements
    if not judgements:
        reasons = sorted({f"{skip.what}: {skip.reason}" for skip in material.plan.skipped})
        return [f"nothing was tested ({'; '.join(reasons) or 'no flow to test'})"]
    open_ones = sum(item.agreement is Agreement.INCONCLUSIVE for item in judgements)
    if open_ones == len(judgements) or (len(judgements) - open_ones) / len(judgements) < options.min_coverage:
        return [f"{open_ones} of {len(judgements)} flows could not be judged"]
    shown = _denial_gap(judgements, options) or _claim_gap(material.comparison)
    return [*shown, *_waver_gap(judgements), *_unjudged_gap(material, options)]


def _unjudged_gap(material: Material, options: Options) -> list[str]:
    """What was not even planned must not pass for tested: flows without a verdict, and policies without a subject."""
    gaps = []
    judgements = material.comparison.judgements
    left = sum(skip.flows for skip in material.plan.skipped if skip.unjudged)
    judged = {item.flow.predicted.verdict for item in judgements if item.agreement is not Agreement.INCONCLUSIVE}
    # Flows without a verdict are counted over all pairs, so they are measured against all, chosen or not.
    whole = left + len(judgements) + material.plan.unchosen
    if left > (1 - options.min_coverage) * whole or (left and Verdict.DENIED not in judged):
        gaps.append(f"{left} flows have no verdict or were left out")
    unseen = {str(claim.subject) for claim in material.comparison.policies if claim.proof is Proof.UNTESTED}
    if unseen:
        gaps.append(f"{len(unseen)} policies select only pods that were not tested")
    return gaps


def _pod_gaps(material: Material, options: Options) -> list[str]:
    plan = material.plan
    dead = [key for key, item in material.placement.items() if isinstance(item, NotPlaced)]
    faulty = {item.flow.source for item in material.comparison.judgements if item.outcome is Outcome.FAULT}
    lost = sum(skip.identity for skip in plan.skipped)
    # Partners of what was asked for have probe pods too, and stand for nothing that was.
    beside = {item.id for item in material.matrix.identities if not is_audited(item, options)}
    tested = len({item.identity for item in plan.stand_ins if item.identity} - beside) + len(plan.spared)
    few = bool(plan.stand_ins) and tested < options.min_coverage * (tested + lost)
    gaps = {
        f"{len(dead)} of {len(plan.stand_ins)} probe pods did not run": bool(dead),
        f"measurements of {plural(len(faulty), 'probe pod')} failed": bool(faulty),
        f"{lost} of {tested + lost} identities were not tested": few,
        f"{len(material.strays)} probe pods do not stand for their identity: admission changed them": bool(
            material.strays
        ),
        f"{plural(len(material.leftovers), 'object')} could not be removed": bool(material.leftovers),
        f"not readable: {', '.join(sorted(material.snapshot.unreadable))}": bool(material.snapshot.unreadable),
    }
    return [text for text, holds in gaps.items() if holds]


def _denial_gap(judgements: Sequence[Judgement], options: Options) -> list[str]:
    """Many allowed flows must not hide that the denials, which the audit is about, were not judged."""
    denied = [item for item in judgements if item.flow.predicted.verdict is Verdict.DENIED]
    open_ones = sum(item.agreement is Agreement.INCONCLUSIVE for item in denied)
    enough = options.min_coverage * len(denied)
    if denied and (open_ones == len(denied) or len(denied) - open_ones < enough):
        return [f"{open_ones} of {len(denied)} flows that policies deny could not be judged"]
    return []


def _claim_gap(comparison: Comparison) -> list[str]:
    """A policy or a node of which no denial was shown, though some were tried, is no small part of what was asked."""
    claims = [("policy", claim) for claim in comparison.policies] + [("node", claim) for claim in comparison.nodes]
    left = [f"{word} {claim.subject} {claim.direction.value}" for word, claim in claims if claim.is_open]
    more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    return [f"nothing is shown of {', '.join(left[:NAMED])}{more}: each denial was inconclusive"] if left else []


def _waver_gap(judgements: Sequence[Judgement]) -> list[str]:
    """What policies deny and what got through all the same, if only at times, has no place under a clean answer."""
    found = [
        item
        for item in judgements
        if item.flow.predicted.verdict is Verdict.DENIED
        and item.agreement is Agreement.INCONCLUSIVE
        and any(Outcome.REACHED in seen.outcomes for seen in item.observations)
    ]
    return [f"{plural(len(found), 'flow')} that policies deny got through in some tries"] * bool(found)


def _shown(comparison: Comparison) -> list[int]:
    return [
        item.flow.id
        for item in comparison.judgements
        if item.flow.predicted.verdict is Verdict.DENIED and item.agreement in {Agreement.AS_EXPECTED, Agreement.LATE}
    ]


def _chosen(material: Material, options: Options) -> str:
    """Where not all was tried the answer must not sound as if it had been."""
    tried, left = len(material.comparison.judgements), material.plan.unchosen
    if not left:
        return ""
    return f" Tried were {tried:,} of {tried + left:,} flows, as --coverage {options.coverage.value} chose them."


def _kept(answers: Sequence[Answer]) -> str:
    """What came of the expectations, where there are some."""
    if not answers:
        return ""
    broken, kept = _broken(answers), sum(answer.accord in {Accord.KEPT, Accord.LATE} for answer in answers)
    return f" Of {len(answers)} expectations {kept} are kept and {broken} are broken."


def _measured_before(material: Material) -> list[str]:
    """The times at which another run measured what was taken over, sorted."""
    return sorted(item.measured for item in material.comparison.judgements if item.measured)


def _taken(material: Material) -> str:
    """What was not measured by this run, and when it was."""
    if not material.resumed:
        return ""
    times = _measured_before(material)
    whole = len(material.comparison.judgements)
    if not times:
        return f" None of the {whole:,} flows was taken over from run {material.resumed}."
    when = f"at {times[0]}" if times[0] == times[-1] else f"from {times[0]} to {times[-1]}"
    return f" {len(times):,} of the {whole:,} flows were taken over from run {material.resumed}, measured {when}."


def _nodes_left(material: Material, options: Options) -> str:
    """Where nodes are the question, those that no probe pod stood on."""
    stood = {item.node for item in material.plan.stand_ins}
    left = [node.name for node in material.snapshot.nodes if node.name not in stood]
    if options.mode is not Mode.SENTINEL or not left or not stood:
        return ""
    more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    return f" {len(left)} of {len(material.snapshot.nodes)} nodes were left out: {', '.join(left[:NAMED])}{more}."


def _met(greetings: Sequence[Greeting]) -> str:
    """What came of the handshakes, where there are some."""
    if not greetings:
        return ""
    wrong = sum(map(is_wrong, greetings))
    right = sum(item.agreement is not Agreement.INCONCLUSIVE and not is_wrong(item) for item in greetings)
    whom = _whom(greetings)
    return f" Of {len(greetings)} handshakes with {whom} {right} are as they should be and {wrong} are not."


def _where(comparison: Comparison) -> str:
    leaking = [claim for claim in comparison.nodes if claim.proof is Proof.LEAKING]
    nodes = ", ".join(sorted({str(claim.subject) for claim in leaking}))
    # Where some denials hold on the same node, enforcement has a hole rather than being absent.
    whole = all(claim.whole for claim in leaking)
    return f"Policy is not enforced on {nodes}" if whole else f"Policy is enforced only in part on {nodes}"


def _rehearsed(options: Options) -> str:
    """What a sentence about a sandbox begins with: whoever gave it a fault asked what that looks like."""
    if not options.sandbox:
        return ""
    return MISLED.format(options.fault) if options.fault else REHEARSED


def _answer(material: Material, counts: Counter[Agreement], gaps: tuple[str, ...]) -> str:
    """The answer; leaks beyond those between probe pods come first where there are no others."""
    text = _sentence(material.comparison, counts, gaps)
    met = [item.agreement for item in material.comparison.greetings]
    beyond = (met + [item.agreement for item in material.crossed]).count(Agreement.LEAK)
    if not beyond or counts[Agreement.LEAK]:
        return text
    what = plural(beyond, "handshake or connection through Services", "handshakes or connections through Services")
    return f"{what} got through that must not. Between probe pods {text[0].lower()}{text[1:]}"


def _sentence(comparison: Comparison, counts: Counter[Agreement], gaps: tuple[str, ...]) -> str:
    denied = [item for item in comparison.judgements if item.flow.predicted.verdict is Verdict.DENIED]
    tail = f" Incomplete: {'; '.join(gaps)}." if gaps else ""
    if not comparison.judgements:
        return f"No answer.{tail}"
    if counts[Agreement.LEAK]:
        head = f"{_where(comparison)}: {counts[Agreement.LEAK]} of {len(denied)} flows that policies deny"
        return f"{head} got through.{tail}"
    if counts[Agreement.BLOCKAGE]:
        blocked = f"{plural(counts[Agreement.BLOCKAGE], 'flow')} that policies allow did not get through"
        return f"{blocked}; {len(_shown(comparison))} of {len(denied)} denials were shown.{tail}"
    if not denied:
        return f"No policy denies any of the {len(comparison.judgements)} flows that were tried.{tail}"
    shown = len(_shown(comparison))
    if gaps:
        return f"No leak was found, but not everything was shown: {shown} of {len(denied)} denials were.{tail}"
    open_claims = sum(claim.proof is Proof.NOT_PROVEN for claim in (*comparison.policies, *comparison.nodes))
    verb = "is" if open_claims == 1 else "are"
    claims = plural(open_claims, "direction of a policy or node", "directions of policies or nodes")
    rest = f" {claims} {verb} not separately proven." if open_claims else ""
    late = f", {plural(counts[Agreement.LATE], 'flow')} only after a while" if counts[Agreement.LATE] else ""
    held = f"{shown} of {len(denied)} flows that policies deny were shown to be"
    left = len(denied) - shown
    head, more = ("No leak was found", f", {left} could not be judged") if left else (EVERY, "")
    return f"{head}{late}: {held}{more}.{rest}"
