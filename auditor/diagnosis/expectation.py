"""What a user expects and what is not so."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.accord import MEANINGS
from auditor.diagnosis.case import Case, finding_id
from auditor.model.expectation import BROKEN, Accord, Answer, Told, Wish
from auditor.model.finding import Confidence, Finding, Severity
from auditor.model.flow import Verdict

SHOWN = 20
"""Flows of an item that are told as evidence."""
REMEDIES = {
    Accord.LEAK: "find out why the network plugin does not enforce the policies: the leak of the same flow tells more",
    Accord.POLICIES_ALLOW: "write a policy that denies it, or correct the expectation",
    Accord.BLOCKAGE: "look at the network plugin's state for both pods: the blockage of the same flow tells more",
    Accord.POLICIES_FORBID: "write a rule that allows it, or correct the expectation",
    Accord.AGAINST_POLICIES: "make the policies say what is expected: nothing promises that it stays so",
    Accord.INCONCLUSIVE: "make the policies say what is expected, or correct the expectation",
}


def find(case: Case) -> tuple[Finding, ...]:
    """One finding for each item and each way in which it is not so."""
    return tuple(finding for answer in case.answers for finding in _of(case, answer))


def _of(case: Case, answer: Answer) -> Iterator[Finding]:
    for accord in Accord:
        told = [item for item in answer.told if item.accord is accord and _is_wrong(answer, item)]
        if told:
            yield _finding(case, answer, accord, told)


def _is_wrong(answer: Answer, item: Told) -> bool:
    if item.accord is Accord.INCONCLUSIVE:
        # Nothing was shown, but what the policies say is reason enough to look at them.
        return item.verdict is (Verdict.DENIED if answer.expectation.wish is Wish.ALLOWED else Verdict.ALLOWED)
    return item.accord in BROKEN or item.accord is Accord.AGAINST_POLICIES


def _finding(case: Case, answer: Answer, accord: Accord, told: list[Told]) -> Finding:
    item = answer.expectation
    policies = tuple(sorted({ref for it in told if it.verdict is Verdict.DENIED for ref in it.flow.policies}))
    words = item.source, f"{item.destination} {item.port}/{item.protocol.value} {accord.value}"
    is_open = accord is Accord.INCONCLUSIVE
    meaning = f"the policies say {told[0].verdict.value}, which was not measured" if is_open else MEANINGS[accord]
    evidence = [_evidence(it) for it in told[:SHOWN]]
    if len(told) > SHOWN:
        evidence.append(f"and {len(told) - SHOWN} more flows")
    return Finding(
        id=finding_id("expectation", case.cluster_uid, (policies, *words)),
        rule="expectation",
        severity=Severity.HIGH if accord in BROKEN else Severity.MEDIUM,
        confidence=Confidence.LIKELY if is_open else Confidence.CONFIRMED,
        title=f"{item.title}: expected to be {item.wish.value}",
        cause=meaning,
        remedy=REMEDIES[accord],
        policies=policies,
        source=item.source,
        destination=item.destination,
        flows=tuple(it.id for it in told if it.id),
        evidence=(f"expected at {item.place}{item.reason and ': '}{item.reason}", *evidence),
    )


def _evidence(item: Told) -> str:
    flow = item.flow
    number = f"flow {item.id}: " if item.id else ""
    where = f"{flow.source} to {flow.destination}, {flow.protocol.value} {flow.port} {flow.family.value}"
    return f"{number}{where}: the model says {item.verdict.value}; {item.reason}"
