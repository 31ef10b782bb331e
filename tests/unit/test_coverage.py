"""`--coverage`: what is chosen of a small shop, what is drawn, and how it is told that it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.assemble import assemble
from auditor.coverage import cover
from auditor.model.finding import Proof
from auditor.model.flow import Verdict
from auditor.model.options import Coverage, Options
from auditor.model.probe import ProbePlan, Skip
from auditor.model.report import Run
from auditor.plan import make_plan
from auditor.predict import predict
from auditor.verdict import summarise
from reports.as_table import render
from reports.forecast import render as render_forecast
from tests import fakes, twists
from tests.builders import Raw, allow, deny_all, pod, pods, policy, port, selector, snapshot, tcp
from tests.evidence import flow
from tests.unit.auditing import Audited, audit, keys
from tests.unit.planning import by_key, clones, plan

RULES = Options(coverage=Coverage.RULES, sample=0)
SMOKE = replace(RULES, coverage=Coverage.SMOKE)
PORTS = [port(number) for number in (80, 443, 8080, 9090)]
APPS = ("a", "b", "c", "d", "f")
TOWN: tuple[Raw, ...] = (
    *(pod(f"shop/{app}", on=f"n{number % 2}", ports=PORTS, app=app) for number, app in enumerate(APPS)),
    policy("shop/a-in", selector(app="a"), ingress=[allow(pods(app="b"), ports=[tcp(80)]), allow(pods(app="c"))]),
    policy("shop/f-out", selector(app="f"), types=["Egress"], egress=[allow(pods(app="d"), ports=[tcp(443)])]),
    policy("shop/d-in", selector(app="d"), ingress=[allow(pods(app="f"), ports=[tcp(443)]), allow(pods(app="x"))]),
    deny_all("shop/rest", "Ingress"),
)
RUN = Run("ab12cd", "0.1.0", "", "", "clone", "busybox", "shell", 10.0, 3, 1.0, 3, 60.0, coverage="rules")


def coverage(word: str, *objects: Raw, **options: object) -> ProbePlan:
    return plan(*(objects or TOWN), coverage=Coverage(word), **{"sample": 0, **options})


def sizes(made: ProbePlan) -> tuple[int, int]:
    return len(made.flows), made.unchosen


def test_full_leaves_nothing_out() -> None:
    """Every pair and port, and no word about a choice."""
    made = coverage("full")

    assert (made.unchosen, made.spared) == (0, ())
    assert "--coverage" not in "".join(skip.reason for skip in made.skipped)


def test_rules_take_a_part_and_smoke_a_smaller_one() -> None:
    """The rest is counted, denied and allowed flows apart."""
    whole, rules, smoke = (coverage(word) for word in ("full", "rules", "smoke"))

    assert len(smoke.flows) < len(rules.flows) < len(whole.flows) / 3
    for made in (rules, smoke):
        assert sum(sizes(made)) == len(whole.flows)
        left = [skip for skip in made.skipped if skip.by_choice and skip.flows]
        assert {skip.what.split()[-2] for skip in left} == {"allowed", "denied"}
        assert not any(skip.unjudged or skip.identity for skip in left)


RANGE: tuple[Raw, ...] = (
    pod("shop/a", on="n0", app="a"),
    pod("shop/b", on="n1", app="b"),
    policy("shop/a-in", selector(app="a"), ingress=[allow(pods(app="b"), ports=[tcp(443), tcp(8000, 8010), tcp(53)])]),
)


def test_rules_try_every_number_that_a_rule_names_and_both_ends_of_a_range() -> None:
    """An engine may forget a port of a list, or the endPort, and enforce the rest."""
    made = coverage("rules", *RANGE)

    allowed = {flow.port for flow in made.flows if flow.predicted.ingress.allowing}
    assert allowed == {53, 443, 8000, 8010}


def test_a_rule_whose_last_port_is_not_let_through_is_not_proven() -> None:
    """As on an engine that ignores endPort."""
    named = keys(audit(objects=RANGE, options=RULES))
    done = audit(twists.flipped(named["shop/b"], named["shop/a"], 8010), objects=RANGE, options=RULES)

    (rule,) = done.material.comparison.rules
    assert rule.proof is Proof.NOT_PROVEN
    assert done.summary.blockages == 1


def test_rules_stand_for_every_identity() -> None:
    """None is spared, so each pod is somewhere source and somewhere destination."""
    made = coverage("rules")
    keys = {item.key for item in clones(made)}

    assert len(keys) == len({item.identity for item in clones(made)}) == len(APPS)
    assert keys <= {item.source for item in made.flows}
    assert keys <= {item.destination for item in made.flows}


def test_smoke_names_whom_it_spares() -> None:
    """An identity that was asked for and has no probe pod stands there by name, and is no gap."""
    made = coverage("smoke")
    named = [skip for skip in made.skipped if skip.what.startswith("shop/")]

    assert len(clones(made)) + len(made.spared) == len(APPS)
    assert len(named) == len(made.spared) > 0
    assert all("--coverage smoke" in skip.reason and not skip.identity for skip in named)


def test_each_rule_gets_its_flow_and_the_nearest_denied_one() -> None:
    """For b to a on 80 that is another port of the same pair, the nearest one."""
    made = coverage("rules")
    names = {item.key: dict(item.labels).get("app", "control") for item in by_key(made).values()}
    found = {(names[item.source], names[item.destination], item.port): item.predicted.verdict for item in made.flows}

    assert found["b", "a", 80] is Verdict.ALLOWED
    assert found["b", "a", 443] is Verdict.DENIED


HIGH: tuple[Raw, ...] = (
    *(pod(f"shop/{app}", on=f"n{number % 2}", ports=PORTS, app=app) for number, app in enumerate("abc")),
    policy("shop/a-in", selector(app="a"), ingress=[allow(pods(app="b"), pods(app="c"), ports=[tcp(9090)])]),
    policy("shop/c-out", selector(app="c"), types=["Egress"], egress=[allow(pods(), ports=[tcp(9090)])]),
)
"""Rules about a port that no other duty would choose."""


def paired(made: ProbePlan, gone: str) -> set[str]:
    """Rules of which a pair of flows is there without one pod, by the words of the design and no index."""
    left = [item for item in made.flows if gone not in (item.source, item.destination)]
    return {
        one.predicted.ingress.allowing[0]
        for one in left
        for other in left
        if one.predicted.verdict is Verdict.ALLOWED
        if len(one.predicted.ingress.allowing) == 1
        if other.predicted.ingress.verdict is Verdict.DENIED
        if not other.predicted.egress.isolating
        if other.destination == one.destination
        if other.source == one.source or other.port == one.port
    }


def test_pair_of_a_rule_is_there_whichever_pod_dies() -> None:
    """As far as the whole matrix has another one."""
    whole, chosen = coverage("full", *HIGH), coverage("rules", *HIGH)

    assert paired(whole, "") == {"shop/a-in.ingress[0]"}
    for key in by_key(whole):
        assert paired(whole, key) == paired(chosen, key)


def drawn(seed: int, sample: int = 10) -> set[int]:
    needed = {item.id for item in coverage("rules").flows}
    return {item.id for item in coverage("rules", seed=seed, sample=sample).flows} - needed


def test_sample_is_of_denied_flows_of_the_size_that_is_said_and_hangs_on_the_seed() -> None:
    """The same seed draws the same ones."""
    made = coverage("rules", seed=1, sample=10)
    verdicts = {item.id: item.predicted.verdict for item in made.flows}

    assert len(drawn(1)) == 10
    assert drawn(1) == drawn(1) != drawn(2)
    assert {verdicts[number] for number in drawn(1)} == {Verdict.DENIED}
    assert any("10 denied flows drawn with --seed 1" in skip.reason for skip in made.skipped)


def test_sample_keeps_within_max_flows() -> None:
    """What the duties need comes before what is drawn."""
    needed = len(coverage("rules").flows)
    made = coverage("rules", sample=1000, max_flows=needed + 3)

    assert len(made.flows) == needed + 3
    assert not any("--max-flows" in skip.reason for skip in made.skipped)


def test_cover_takes_the_most_useful_first_and_the_lowest_number_among_equals() -> None:
    """Groups that one flow can meet together cost one flow; empty ones cost nothing."""
    one, two, three = (flow(number=number) for number in (1, 2, 3))

    assert cover([[one, three], [two, three], []]) == [three]
    assert cover([[two, one], [three]]) == [one, three]
    assert cover([]) == []


def audited(options: Options, *twists: fakes.Twist) -> Audited:
    return audit(*twists, objects=TOWN, options=options)


@pytest.mark.parametrize("options", [RULES, SMOKE])
def test_clean_audit_of_a_part_is_complete_and_says_that_it_is_a_part(options: Options) -> None:
    """Exit 0, and a sentence that nobody takes for the whole matrix."""
    found = audited(options)
    summary = found.summary
    report = assemble(found.material, options, RUN, "prod")

    assert (summary.exit_code, summary.coverage) == (0, 1.0)
    assert summary.unchosen == found.material.plan.unchosen > 0
    tail = f"Tried were {summary.planned} of {summary.planned + summary.unchosen} flows"
    assert f"{tail}, as --coverage {options.coverage.value} chose them." in summary.sentence
    assert "a leak among them would not show" in report.limits[0]
    assert f"of {summary.planned + summary.unchosen} that could be tried" in " ".join(render(report).split())


def test_rules_are_claimed_with_what_is_missing() -> None:
    """The report has each rule, and shows those without proof."""
    found = audited(RULES)
    report = assemble(found.material, RULES, RUN, "prod")
    proofs = {item.subject: item.proof for item in report.rules}

    assert proofs == {
        "shop/a-in.ingress[0]": "proven",
        "shop/a-in.ingress[1]": "proven",
        "shop/d-in.ingress[0]": "proven",
        "shop/d-in.ingress[1]": "not separately proven",
        "shop/f-out.egress[0]": "proven",
    }
    assert "5 rules of these policies: 1 not separately proven, 4 proven." in render(report)
    assert "shop/d-in.ingress[1]" in render(report)


def test_policy_whose_pods_smoke_spares_is_not_chosen_rather_than_not_tested() -> None:
    """It is no gap of the run, and not proven either."""
    found = audited(SMOKE)
    proofs = {claim.proof for claim in found.material.comparison.policies}

    assert Proof.UNTESTED not in proofs
    assert found.material.plan.spared


def test_leaks_are_found_by_either() -> None:
    """Where nothing enforces, a few flows are enough to say so."""
    for options in (RULES, SMOKE):
        assert audited(options, twists.nothing_enforces).summary.exit_code == 3


def test_flows_without_a_verdict_are_measured_against_all_and_not_against_the_chosen() -> None:
    """A few open flows among very many do not make a small choice incomplete."""
    found = audited(SMOKE).material
    tried = len(found.plan.flows)
    open_ones = Skip("flows with the verdict UNKNOWN", "not modelled", tried, unjudged=True)
    material = replace(found, plan=replace(found.plan, skipped=(*found.plan.skipped, open_ones)))

    assert summarise(material, SMOKE).exit_code == (0 if tried <= 0.1 * (2 * tried + found.plan.unchosen) else 4)
    assert summarise(material, replace(SMOKE, min_coverage=0.5)).exit_code == 0


def test_dry_run_says_what_is_left_out() -> None:
    """Before anything is made."""
    found = snapshot(*TOWN)
    matrix = predict(found, lambda pod: True)
    texts = {options: render_forecast(make_plan(found, matrix, options), matrix, options) for options in (RULES, SMOKE)}

    assert "flows: --coverage rules, seed 0" in texts[RULES]
    assert "not tested: shop/" in texts[SMOKE]
