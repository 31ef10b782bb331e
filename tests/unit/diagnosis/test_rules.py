"""From judged flows to findings: their ids, their groups, and the shape of the leaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from auditor.diagnosis import RULES, diagnose
from auditor.diagnosis.case import CONTROL, Case, shape_of
from auditor.model.cluster import Owner, Pod
from auditor.model.finding import Agreement, Comparison, Confidence, Finding, Judgement, Severity
from auditor.model.flow import Decision, Family, PolicyRef, Protocol, Verdict
from auditor.model.matrix import Identity
from auditor.model.probe import ProbePlan, StandIn
from tests.evidence import ALLOWED, DENIED, POLICY, decision, end, judgement, placed, stand_in

AS_EXPECTED, LEAK, BLOCKAGE = Agreement.AS_EXPECTED, Agreement.LEAK, Agreement.BLOCKAGE
LATE, INCONCLUSIVE = Agreement.LATE, Agreement.INCONCLUSIVE
EGRESS = decision(egress=Verdict.DENIED)
BOTH = decision(Verdict.DENIED, Verdict.DENIED)
STAND_INS = (
    stand_in("i0", "n1"),
    stand_in("i1", "n2"),
    stand_in("i2", "n3", namespace="ops"),
    stand_in("c0a", "n1"),
    stand_in("c0b", "n1"),
    stand_in("c1b", "n2"),
)


def identity(item: StandIn, *pods: Pod) -> Identity:
    name = item.identity.replace("id-", "app-")
    members = pods or (Pod(item.namespace, f"{name}-x7z", owner=Owner("Deployment", name)),)
    return Identity(item.identity, item.namespace, (), (), members, ((Protocol.TCP, 80),), frozenset())


def case(
    judgements: Sequence[Judgement], stand_ins: Sequence[StandIn] = STAND_INS, uid: str = "uid", suffix: str = ""
) -> Case:
    """A finished comparison; `suffix` renames every pod, as a later run would find them."""
    plan = ProbePlan((), tuple(stand_ins), tuple(item.flow for item in judgements))
    identities = {item.identity: identity(item) for item in stand_ins if item.identity}
    if suffix:
        identities = {
            key: replace(item, pods=tuple(replace(pod, name=f"{pod.name}{suffix}") for pod in item.pods))
            for key, item in identities.items()
        }
    return Case(plan, {item.key: placed(item) for item in stand_ins}, Comparison(tuple(judgements)), identities, uid)


def only(found: tuple[Finding, ...]) -> Finding:
    (finding,) = found
    return finding


def test_every_rule_answers_for_its_agreement_alone() -> None:
    """Nothing wrong, nothing found; each kind of fault is found by the rule of its name."""
    assert diagnose(case([judgement(AS_EXPECTED), judgement(INCONCLUSIVE, number=2)])) == ()
    for agreement, predicted in ((LEAK, DENIED), (BLOCKAGE, ALLOWED), (LATE, DENIED)):
        assert only(diagnose(case([judgement(agreement, predicted)]))).rule == agreement.value
    assert list(RULES) == ["leak", "blockage", "late", "expectation", "handshake", "enforcement", "service"]


def test_worst_first_whatever_the_order_of_flows() -> None:
    """Findings are sorted by severity, then by what they say."""
    judged = [judgement(LATE, number=1), judgement(BLOCKAGE, ALLOWED, number=2), judgement(LEAK, number=3)]

    assert [finding.rule for finding in diagnose(case(judged))] == ["leak", "blockage", "late"]
    assert [item.id for item in diagnose(case(judged))] == [item.id for item in diagnose(case(judged[::-1]))]


def test_flows_of_one_fault_are_one_finding() -> None:
    """Same policies and same workloads are one fault, on however many ports, families and nodes."""
    more = replace(judgement(LEAK, number=2), flow=replace(judgement(LEAK).flow, id=2, port=443, family=Family.IPV6))
    found = only(diagnose(case([judgement(LEAK), more])))

    assert found.flows == (1, 2)
    assert "TCP 80 (IPv4), TCP 443 (IPv6)" in found.title
    assert len(found.evidence) == 2
    assert found.policies == (POLICY,)


def test_other_policies_or_workloads_are_another_fault() -> None:
    """What a person would mend in another place is another finding."""
    other = decision(ingress=Verdict.DENIED)
    other = replace(other, ingress=end(other.ingress.direction, Verdict.DENIED, (PolicyRef("shop", "other"),)))
    judged = [judgement(LEAK), judgement(LEAK, other, number=2), judgement(LEAK, DENIED, "c0a", number=3)]

    found = diagnose(case(judged))

    assert len({finding.id for finding in found}) == 3


def test_id_lives_as_long_as_the_fault() -> None:
    """Other pod names, nodes, addresses, flow numbers and keys give the same id."""
    moved = [replace(item, node="n9", key=item.key.replace("i", "i7")) for item in STAND_INS]
    first = only(diagnose(case([judgement(LEAK)])))
    later = only(diagnose(case([judgement(LEAK, DENIED, "i70", "i71", number=77)], moved, suffix="-q9k")))

    assert (first.id, len(first.id)) == (later.id, 16)


@pytest.mark.parametrize(
    ("predicted", "confidence"),
    [(DENIED, Confidence.CONFIRMED), (ALLOWED, Confidence.LIKELY)],
    ids=["denied", "allowed"],
)
def test_what_was_late_is_as_sure_as_its_proof(predicted: Decision, confidence: Confidence) -> None:
    """A nonce that came back is proof; that none came may be the listener's doing as well."""
    assert only(diagnose(case([judgement(LATE, predicted)]))).confidence is confidence


def test_id_tells_faults_and_clusters_apart() -> None:
    """Another cluster, another rule or another end has another id."""
    ids = [
        only(diagnose(case([judgement(LEAK)]))).id,
        only(diagnose(case([judgement(LEAK)], uid="other"))).id,
        only(diagnose(case([judgement(LATE)]))).id,
        only(diagnose(case([judgement(LEAK, DENIED, "i1", "i0")]))).id,
        only(diagnose(case([judgement(LEAK, DENIED, "c0a")]))).id,
    ]

    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("source", "severity"), [("i0", Severity.HIGH), ("i2", Severity.CRITICAL), ("c0a", Severity.CRITICAL)]
)
def test_leak_is_at_least_high(source: str, severity: Severity) -> None:
    """A leak from another namespace is critical: another tenant may live there."""
    found = only(diagnose(case([judgement(LEAK, DENIED, source)])))

    assert (found.severity, found.confidence) == (severity, Confidence.CONFIRMED)


def test_ends_are_called_as_users_know_them() -> None:
    """Workloads by name, controls as what they stand for."""
    found = only(diagnose(case([judgement(LEAK, DENIED, "c0a")])))

    assert (found.source, found.destination) == (CONTROL, "shop/app-i1")
    assert found.title == f"{CONTROL} reaches shop/app-i1 on TCP 80, which policy denies"


def leaks(*ends: tuple[str, str], predicted: Decision = DENIED) -> list[Judgement]:
    return [judgement(LEAK, predicted, *pair, number=number) for number, pair in enumerate(ends, 1)]


def held(*ends: tuple[str, str], predicted: Decision = DENIED, agreement: Agreement = AS_EXPECTED) -> list[Judgement]:
    return [judgement(agreement, predicted, *pair, number=number) for number, pair in enumerate(ends, 50)]


THREE_TO_N2 = leaks(("i0", "i1"), ("i2", "i1"), ("c0a", "i1"))


@pytest.mark.parametrize(
    ("judged", "everywhere", "nodes", "sure"),
    [
        pytest.param([], False, (), False, id="no leak"),
        pytest.param(THREE_TO_N2, True, (), True, id="nothing held"),
        pytest.param(THREE_TO_N2[:1], True, (), False, id="nothing held, but little was tried"),
        pytest.param([*THREE_TO_N2, *held(("i1", "i0"))], False, ("n2",), True, id="one node"),
        pytest.param([*THREE_TO_N2[:2], *held(("i1", "i0"))], False, ("n2",), False, id="one node, few flows"),
        pytest.param(
            [*THREE_TO_N2, *held(("i1", "i0")), *held(("i2", "i1"))], False, (), None, id="the node holds others"
        ),
        pytest.param(
            [*THREE_TO_N2, *held(("i1", "i0"), agreement=LATE)], False, ("n2",), True, id="late denials hold too"
        ),
        pytest.param(
            [*leaks(("i0", "i1"), ("i0", "i2"), predicted=EGRESS), *held(("i1", "i2"), predicted=EGRESS)],
            False,
            ("n1",),
            False,
            id="egress leaks at the source's node",
        ),
        pytest.param(
            [*leaks(("i0", "i1"), ("i0", "i2")), *held(("i1", "i0"))], False, ("n2", "n3"), False, id="two nodes"
        ),
        pytest.param(
            [*leaks(("i0", "i1")), *held(("i0", "i1"), predicted=BOTH), *held(("i1", "i0"))],
            False,
            ("n2",),
            False,
            id="a denial of both ends acquits nobody",
        ),
        pytest.param(
            [*THREE_TO_N2, *held(("i1", "i0"), predicted=ALLOWED)], True, (), True, id="allowed flows hold nothing"
        ),
    ],
)
def test_shape_of_leaks(judged: list[Judgement], everywhere: bool, nodes: tuple[str, ...], sure: bool | None) -> None:
    """The smallest part of the cluster that explains all leaks, and nothing where none does."""
    shape = shape_of(case(judged))

    assert (shape.everywhere, shape.nodes) == (everywhere, nodes)
    if sure is not None:
        assert shape.is_sure is sure


@pytest.mark.parametrize(
    ("judged", "words"),
    [
        (THREE_TO_N2, "most likely: nothing enforces NetworkPolicy in this cluster"),
        (THREE_TO_N2[:1], "suspected, because few flows show it: nothing enforces"),
        ([*THREE_TO_N2, *held(("i1", "i0"))], "most likely: n2 does not enforce NetworkPolicy"),
        ([*THREE_TO_N2, *held(("i1", "i0")), *held(("c0b", "i1"))], "not determined"),
    ],
)
def test_cause_of_leaks(judged: list[Judgement], words: str) -> None:
    """The cause says no more than the shape supports."""
    for finding in diagnose(case(judged)):
        assert finding.cause.startswith(words)
        assert finding.remedy


def blocked_by(*isolating: PolicyRef) -> Decision:
    return replace(ALLOWED, ingress=end(ALLOWED.ingress.direction, Verdict.ALLOWED, isolating))


@pytest.mark.parametrize(
    ("judged", "words"),
    [
        ([judgement(BLOCKAGE, ALLOWED)], "no NetworkPolicy isolates either end"),
        ([judgement(BLOCKAGE, blocked_by(POLICY))], "the network plugin does not carry out an allow rule"),
        (
            [judgement(BLOCKAGE, blocked_by(POLICY), "i1", "i0", number=9), *THREE_TO_N2, *held(("i0", "i2"))],
            "most likely: the network plugin does not manage the pods on n2",
        ),
    ],
)
def test_cause_of_blockages(judged: list[Judgement], words: str) -> None:
    """A blockage is medium, and its cause depends on who could have been in the way."""
    (found,) = [finding for finding in diagnose(case(judged)) if finding.rule == "blockage"]

    assert found.severity is Severity.MEDIUM
    assert found.cause.startswith(words)


@pytest.mark.parametrize(("predicted", "words"), [(DENIED, "was denied only after"), (ALLOWED, "was let through only")])
def test_late(predicted: Decision, words: str) -> None:
    """A late flow is low, and its title holds the longest time that any of its flows took."""
    slow = replace(judgement(LATE, predicted, number=2), settled_after=31.4)
    found = only(diagnose(case([replace(judgement(LATE, predicted), settled_after=3.0), slow])))

    assert found.severity is Severity.LOW
    assert words in found.title
    assert "31 s" in found.title
