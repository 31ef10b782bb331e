"""The answer in one sentence, its numbers, and the exit code: what may be called clean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from auditor.model.finding import Agreement, Claim, Comparison, Confidence, Finding, Judgement, Proof, Severity
from auditor.model.flow import Direction
from auditor.model.matrix import ReachabilityMatrix
from auditor.model.options import Options
from auditor.model.probe import NotPlaced, Outcome, ProbePlan, Skip
from auditor.model.problem import Effect, Problem
from auditor.model.report import Summary
from auditor.rounds import FLOWS
from auditor.verdict import Material, incompleteness, summarise
from tests.builders import autoscaler, pod, policy, port, selector, snapshot, workload
from tests.evidence import ALLOWED, DENIED, FAULT, REACHED, SILENT, flow, judgement, seen, stand_in
from tests.unit.auditing import audit

AS_EXPECTED, LEAK, BLOCKAGE = Agreement.AS_EXPECTED, Agreement.LEAK, Agreement.BLOCKAGE
LATE, INCONCLUSIVE = Agreement.LATE, Agreement.INCONCLUSIVE
HOLDS = "Every denial that was tested holds: 2 of 2 flows that policies deny were shown to be."
STAND_INS = tuple(stand_in(key) for key in ("i0", "i1"))


def finding(severity: Severity) -> Finding:
    return Finding("id", "leak", severity, Confidence.CONFIRMED, "title", "cause", "remedy")


def material(
    judgements: Sequence[Judgement],
    *findings: Severity,
    skipped: Sequence[Skip] = (),
    dead: Sequence[str] = (),
    unreadable: dict[str, str] | None = None,
    nodes: Sequence[Claim] = (),
) -> Material:
    placement = {item.key: NotPlaced(item, "Pending") for item in STAND_INS if item.key in dead}
    plan = ProbePlan((), STAND_INS, tuple(item.flow for item in judgements), tuple(skipped))
    comparison = Comparison(tuple(judgements), nodes=tuple(nodes))
    matrix = ReachabilityMatrix((), (), (), (), {})
    found = snapshot(unreadable=unreadable)
    return Material(found, matrix, plan, placement, comparison, tuple(map(finding, findings)))


def many(agreement: Agreement, count: int, start: int = 1, *, denied: bool = True) -> list[Judgement]:
    predicted = DENIED if denied else ALLOWED
    return [judgement(agreement, predicted, number=start + number) for number in range(count)]


def summary(found: Material, **options: object) -> Summary:
    return summarise(found, Options(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("judgements", "findings", "options", "code"),
    [
        pytest.param(many(AS_EXPECTED, 3), (), {}, 0, id="all as expected"),
        pytest.param(many(AS_EXPECTED, 3, denied=False), (), {}, 0, id="nothing denied"),
        pytest.param(many(LATE, 3), (Severity.LOW,), {}, 0, id="late is below the threshold"),
        pytest.param(many(LEAK, 3), (Severity.HIGH,), {}, 3, id="leak"),
        pytest.param(many(LEAK, 3), (Severity.CRITICAL,), {}, 3, id="critical leak"),
        pytest.param(many(BLOCKAGE, 3, denied=False), (Severity.MEDIUM,), {}, 0, id="blockage below the threshold"),
        pytest.param(
            many(BLOCKAGE, 3, denied=False), (Severity.MEDIUM,), {"fail_on": Severity.MEDIUM}, 3, id="threshold lowered"
        ),
        pytest.param(many(LEAK, 3), (Severity.HIGH,), {"fail_on": Severity.CRITICAL}, 0, id="threshold raised"),
        pytest.param([], (), {}, 4, id="no flow"),
        pytest.param(many(INCONCLUSIVE, 3), (), {}, 4, id="nothing judged"),
        pytest.param(
            many(INCONCLUSIVE, 3), (), {"min_coverage": 0.0}, 4, id="nothing judged, and no coverage asked for"
        ),
        pytest.param(
            many(INCONCLUSIVE, 3, denied=False), (), {"min_coverage": 0.0}, 4, id="nothing judged, and nothing denied"
        ),
        pytest.param([*many(AS_EXPECTED, 9), *many(INCONCLUSIVE, 1, 10)], (), {}, 0, id="nine of ten"),
        pytest.param([*many(AS_EXPECTED, 8), *many(INCONCLUSIVE, 2, 9)], (), {}, 4, id="eight of ten"),
        pytest.param(
            [*many(AS_EXPECTED, 8), *many(INCONCLUSIVE, 2, 9)], (), {"min_coverage": 0.8}, 0, id="eight of ten will do"
        ),
        pytest.param(
            [*many(AS_EXPECTED, 95, denied=False), *many(INCONCLUSIVE, 5, 96)], (), {}, 4, id="all denials open"
        ),
        pytest.param(
            [*many(AS_EXPECTED, 95, denied=False), *many(INCONCLUSIVE, 5, 96)],
            (),
            {"min_coverage": 0.0},
            4,
            id="all denials open, and no coverage asked for",
        ),
        pytest.param([*many(LEAK, 1), *many(INCONCLUSIVE, 9, 2)], (Severity.HIGH,), {}, 3, id="3 wins over 4"),
    ],
)
def test_exit_code(
    judgements: list[Judgement], findings: tuple[Severity, ...], options: dict[str, object], code: int
) -> None:
    """0 only where enough was judged and nothing is wrong, 3 before 4."""
    found = summary(material(judgements, *findings), **options)

    assert found.exit_code == code
    assert found.status == ("incomplete" if code == 4 else "findings" if findings else "clean")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"dead": ["i0"]}, "1 of 2 probe pods did not run"),
        ({"unreadable": {"services": "403"}}, "not readable: services"),
        ({"skipped": [Skip(name, "hazard", identity=True) for name in ("a", "b", "c")]}, "3 of 5 identities"),
    ],
)
def test_other_gaps_are_incomplete_too(more: dict[str, object], words: str) -> None:
    """Pods that did not run, identities left out and resources not read keep an audit from being clean."""
    found = summary(material(many(AS_EXPECTED, 5), **more))  # type: ignore[arg-type]

    assert found.exit_code == 4
    assert words in found.sentence


def test_objects_that_could_not_be_removed_are_a_gap() -> None:
    """A cluster that was not left as it was found is not clean."""
    found = summary(replace(material(many(AS_EXPECTED, 5)), leftovers=("pod shop/x",)))

    assert found.exit_code == 4
    assert "1 object could not be removed" in found.sentence


def test_skipped_flows_are_no_identities() -> None:
    """Flows left out by their verdict are counted elsewhere and are no gap."""
    found = material(many(AS_EXPECTED, 5), skipped=[Skip("flows with the verdict UNDEFINED", "blocks", 900)])

    assert incompleteness(found, Options()) == ()


def test_faults_are_a_gap_even_with_enough_coverage() -> None:
    """A source whose measurement failed is said, whatever the share."""
    failed = Judgement(flow(DENIED, number=99), INCONCLUSIVE, FAULT, "the measurement failed")
    found = summary(material([*many(AS_EXPECTED, 99), failed]))

    assert found.exit_code == 4
    assert "measurements of 1 probe pod failed" in found.sentence


def test_what_got_through_at_times_is_a_gap_even_with_enough_coverage() -> None:
    """An engine that wavers has not denied."""
    tries = (seen(FLOWS, "i0", "i1", REACHED, SILENT, REACHED), seen(FLOWS + 1, "i0", "i1", *(SILENT,) * 3))
    wavering = Judgement(flow(DENIED, number=99), INCONCLUSIVE, SILENT, "got through in some tries", tries)
    found = summary(material([*many(AS_EXPECTED, 99), wavering]))

    assert found.exit_code == 4
    assert "1 flow that policies deny got through in some tries" in found.sentence


def test_node_of_which_nothing_is_shown_is_a_gap_even_with_enough_coverage() -> None:
    """Nobody may read that a node enforces where each of its denials stayed open."""
    claims = [Claim(f"n{number}", Direction.INGRESS, Proof.NOT_PROVEN, "", is_open=number != 1) for number in range(5)]
    found = summary(material(many(AS_EXPECTED, 5), nodes=claims))

    assert found.exit_code == 4
    assert "nothing is shown of node n0 Ingress, node n2 Ingress, node n3 Ingress and 1 more" in found.sentence


def test_partners_do_not_stand_for_what_was_asked_for() -> None:
    """`-n pay`: nine of its identities are left out, and a hundred others have probe pods as their partners."""
    objects = [pod(f"pay/p{number}", ports=[port(80)], app=f"p{number}") for number in range(10)]
    objects += [pod(f"b{number}/x", on="n2") for number in range(100)]
    objects += [policy("pay/in", selector(app=f"p{number}"), types=["Ingress"]) for number in range(10)]
    for number in range(1, 10):
        objects += [workload("Deployment", f"pay/w{number}", app=f"p{number}")]
        objects += [autoscaler(f"pay/h{number}", f"Deployment/w{number}")]
    found = audit(objects=objects, options=Options(namespaces=("pay",), max_pods=400))

    assert found.summary.exit_code == 4
    assert "9 of 10 identities were not tested" in found.summary.sentence


def test_incomplete_findings_say_that_they_are_incomplete() -> None:
    """Exit 3 hides no gap."""
    found = summary(material([*many(LEAK, 1), *many(INCONCLUSIVE, 9, 2)], Severity.HIGH))

    assert "Incomplete: 9 of 10 flows could not be judged" in found.sentence


def test_numbers_add_up() -> None:
    """Each flow is counted once, and a denial is proven as expected or late, never otherwise."""
    parts = [
        *many(AS_EXPECTED, 5),
        *many(AS_EXPECTED, 4, 6, denied=False),
        *many(LATE, 2, 10),
        *many(LATE, 1, 12, denied=False),
        *many(LEAK, 3, 13),
        *many(BLOCKAGE, 1, 16, denied=False),
        *many(INCONCLUSIVE, 4, 17),
    ]
    found = summary(material(parts, Severity.HIGH))

    assert found.planned == 20 == found.judged + found.inconclusive
    assert (found.as_expected, found.late, found.leaks, found.blockages, found.inconclusive) == (9, 3, 3, 1, 4)
    assert (found.coverage, found.proven_denials, found.findings) == (0.8, 7, 1)


@pytest.mark.parametrize(
    ("judgements", "nodes", "sentence"),
    [
        ([], (), "No answer. Incomplete: nothing was tested (no flow to test)."),
        (
            many(AS_EXPECTED, 2),
            (),
            HOLDS,
        ),
        (
            many(AS_EXPECTED, 2),
            (Claim("n1", Direction.EGRESS, Proof.NOT_PROVEN, ""), Claim("n2", Direction.EGRESS, Proof.PROVEN, "")),
            f"{HOLDS} 1 direction of a policy or node is not separately proven.",
        ),
        (
            [*many(AS_EXPECTED, 9), *many(INCONCLUSIVE, 1, 10)],
            (),
            "No leak was found: 9 of 10 flows that policies deny were shown to be, 1 could not be judged.",
        ),
        (many(AS_EXPECTED, 2, denied=False), (), "No policy denies any of the 2 flows that were tried."),
        (
            many(BLOCKAGE, 2, denied=False),
            (),
            "2 flows that policies allow did not get through; 0 of 0 denials were shown.",
        ),
    ],
)
def test_sentences(judgements: list[Judgement], nodes: tuple[Claim, ...], sentence: str) -> None:
    """The answer says what was shown, and never more."""
    assert summary(material(judgements, nodes=nodes)).sentence == sentence


def test_unproven_denials_are_never_said_to_hold() -> None:
    """Where denials stay open, the sentence says how many were shown."""
    found = summary(material([*many(AS_EXPECTED, 1), *many(INCONCLUSIVE, 9, 2)]))

    assert found.sentence.startswith("No leak was found, but not everything was shown: 1 of 10 denials were.")


@pytest.mark.parametrize(
    ("whole", "words"), [(True, "Policy is not enforced on n2: "), (False, "Policy is enforced only in part on n2: ")]
)
def test_leaking_nodes_are_named(whole: bool, words: str) -> None:
    """The sentence of a leak names where, whether anything held there, and how many of how many got through."""
    nodes = [
        Claim("n2", Direction.INGRESS, Proof.LEAKING, "", whole=whole),
        Claim("n1", Direction.INGRESS, Proof.PROVEN, ""),
    ]
    found = summary(material([*many(LEAK, 2), *many(AS_EXPECTED, 1, 3)], Severity.HIGH, nodes=nodes))

    assert found.sentence == f"{words}2 of 3 flows that policies deny got through."


def test_nothing_tested_gives_its_reasons() -> None:
    """Each reason of each skip is in the sentence, each once."""
    skips = [Skip("shop/a", "a hazard"), Skip("shop/a", "a hazard"), Skip("flows", "blocks", 9)]
    found = summary(material([], skipped=skips))

    assert "nothing was tested (flows: blocks; shop/a: a hazard)" in found.sentence
    assert found.coverage == 0.0
    assert all(item.outcome is not Outcome.REACHED for item in many(AS_EXPECTED, 1))


def lost(number: int, *, effect: Effect = Effect.REFUSED, about: str = "") -> Problem:
    why = f"reason {number}"
    return Problem(effect, "k8s/a.yaml", number, about, "the API server would refuse this object", why, "mend it")


def with_lost(found: Material, *problems: Problem) -> Material:
    return replace(found, snapshot=replace(found.snapshot, lost=problems))


def test_manifests_that_do_not_count_make_it_incomplete() -> None:
    """All that was tested holds, but not all that was meant was tested."""
    found = summary(with_lost(material(many(AS_EXPECTED, 3)), lost(7, about="NetworkPolicy shop/db")))
    gap = "k8s/a.yaml:7: NetworkPolicy shop/db was left out: reason 7"
    assert (found.status, found.exit_code, found.gaps) == ("incomplete", 4, [gap])
    assert "Every denial" not in found.sentence
    assert gap in found.sentence


def test_findings_win_over_manifests_that_do_not_count() -> None:
    found = summary(with_lost(material(many(LEAK, 3), Severity.HIGH), lost(7, about="NetworkPolicy shop/db")))
    assert (found.status, found.exit_code) == ("findings", 3)
    assert "was left out" in found.sentence


def test_what_is_no_object_is_named_by_its_place() -> None:
    told = Problem(Effect.UNREADABLE, "-", 3, "", "this is not YAML", "a bracket is open", "close it")
    assert incompleteness(with_lost(material(many(AS_EXPECTED, 3)), told), Options()) == (
        "-:3: this is not YAML: a bracket is open",
    )


def test_many_losses_are_counted_and_each_thing_once() -> None:
    """An object with two faults is one thing."""
    twice = [lost(number, about="NetworkPolicy shop/db") for number in (1, 2)]
    others = [lost(number, about=f"NetworkPolicy shop/p{number}") for number in (3, 4, 5)]
    *named, rest = incompleteness(with_lost(material(many(AS_EXPECTED, 3)), *twice, *others), Options())
    assert [text.partition(" was")[0] for text in named] == [
        "k8s/a.yaml:1: NetworkPolicy shop/db",
        "k8s/a.yaml:3: NetworkPolicy shop/p3",
        "k8s/a.yaml:4: NetworkPolicy shop/p4",
    ]
    assert rest == "1 thing more of the manifests did not count"
