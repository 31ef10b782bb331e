"""Explanations: the verdict first, then each direction with its tiers and rules, and why."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.explanation import DirectionSteps, Explained, Explanation, Group, RuleStep, TierStep
from auditor.model.flow import Direction, PolicyRef, Verdict
from auditor.model_flags import EXPLAIN_FORMATS
from reports.explanation import EXPLANATIONS, POLICIES, RULES, WIDTH, render_json, render_table
from tests.unit.reports.answers import EXPLAINED, rule
from tests.unit.reports.strategies import texts

ALLOWED, DENIED, TIERS = (EXPLAINED[name] for name in ("allowed", "denied", "tiers"))


def words(text: str) -> str:
    return " ".join(text.split())


def with_tiers(*tiers: TierStep) -> Explained:
    """A flow whose destination's ingress has these tiers."""
    (group,) = DENIED.groups
    steps = DirectionSteps(Direction.INGRESS, "shop/db", Verdict.DENIED, "that is why", tiers)
    return replace(DENIED, groups=(replace(group, example=replace(group.example, directions=(steps,))),))


def tier(*rules: RuleStep, policies: int = 1, name: str = "NetworkPolicy") -> TierStep:
    refs = tuple(PolicyRef("shop", f"p{number}") for number in range(policies))
    return TierStep(name, refs, rules, "this is how it ended")


def test_formats_are_those_that_the_help_names() -> None:
    assert EXPLAIN_FORMATS == tuple(EXPLANATIONS)


def test_verdict_and_reason_come_first() -> None:
    first, second = render_table(DENIED).splitlines()[:2]

    assert "DENIED  shop/web -> shop/db 5432/TCP (IPv4)" == first
    assert "  Ingress: 2 policies isolate it for Ingress and no rule allows the flow" == second


def test_both_directions_follow_egress_first() -> None:
    lines = render_table(ALLOWED).splitlines()

    assert ["Egress, leaving shop/api: allowed", "Ingress, entering shop/db: allowed"] == [
        line for line in lines if line.startswith(("Egress,", "Ingress,"))
    ]


def test_every_rule_has_a_line_with_its_place_and_why() -> None:
    text = words(render_table(DENIED))

    for direction in DENIED.groups[0].example.directions:
        for step in (step for each in direction.tiers for step in each.rules):
            assert words(f"{step.matched} {step.policy} {step.path} {step.because}") in text


def test_actions_have_a_column_where_they_differ_from_allow() -> None:
    assert "action" not in render_table(DENIED)
    assert "yes pass AdminNetworkPolicy guard spec.ingress[1]" in words(render_table(TIERS))


def test_end_of_a_tier_is_told_where_there_are_several() -> None:
    assert "passed on by guard spec.ingress[1]" in render_table(TIERS)
    assert "this is how it ended" not in render_table(with_tiers(tier(rule(0))))
    assert 2 == render_table(with_tiers(tier(rule(0)), tier(rule(1)))).count("this is how it ended")


def test_tier_without_a_policy_of_the_pod_is_left_out() -> None:
    text = render_table(with_tiers(tier(policies=0, name="Admin"), tier(rule(0))))

    assert "tier Admin" not in text
    assert "tier NetworkPolicy: shop/p0" in text


def test_many_policies_are_counted() -> None:
    text = words(render_table(with_tiers(tier(rule(0), policies=POLICIES + 3))))

    assert f"shop/p{POLICIES - 1} and 3 more" in text
    assert "more" not in render_table(with_tiers(tier(rule(0), policies=POLICIES)))


def test_rules_that_have_a_say_are_told_however_many_others_there_are() -> None:
    rules = [rule(number) for number in range(RULES + 5)]
    rules += [rule(100, "yes"), rule(101, "open"), rule(102, "unknown")]

    text = render_table(with_tiers(tier(*rules)))

    assert "... and 5 more that do not match; -o json has all of them" in text
    assert [True, False, True, True, True] == [
        f"spec.ingress[{number}]" in text for number in (RULES - 1, RULES, 100, 101, 102)
    ]


def test_groups_are_summed_up_then_explained() -> None:
    lines = render_table(EXPLAINED["several"]).splitlines()

    assert "namespace shop -> namespace shop 9187/TCP: 6 flows" == lines[0]
    assert "  DENIED     2 flows (2 sources, 1 destination), such as shop/api -> shop/web" == lines[1]
    assert "  UNDEFINED  shop/api -> shop/db" == lines[5]
    assert "2 flows (2 sources, 1 destination), of which one is:" in lines
    starts = [line.partition("  ")[0] for line in lines if " -> " in line and not line.startswith((" ", "namespace"))]
    assert ["DENIED"] * 4 + ["UNDEFINED"] == starts


def test_a_group_of_several_flows_is_summed_up_even_alone() -> None:
    (group,) = DENIED.groups

    lines = render_table(replace(DENIED, groups=(replace(group, flows=3, sources=3),))).splitlines()

    assert ["shop/web -> shop/db 5432/TCP: 3 flows", ""] == [lines[0], lines[2]]
    assert "3 flows (3 sources, 1 destination), of which one is:" == lines[3]


def test_notes_are_told() -> None:
    (group,) = DENIED.groups
    noted = replace(group, example=replace(group.example, notes=("Service shop/db leads there",)))

    lines = render_table(replace(DENIED, groups=(noted,), notes=("about the whole",))).splitlines()

    assert "  note: Service shop/db leads there" in lines
    assert ["", "note: about the whole"] == lines[-2:]


def test_json_has_everything() -> None:
    found = json.loads(render_json(TIERS))

    assert ("netaudit.explanation/1", "shop/web", "shop/db", "5432/TCP") == tuple(
        found[key] for key in ("schema", "source", "destination", "port")
    )
    example = found["groups"][0]["example"]
    assert {"family": "IPv4", "protocol": "TCP", "port": 5432} == example["traffic"]
    admin, last = example["directions"][1]["tiers"]
    assert {"namespace": "", "name": "guard", "kind": "AdminNetworkPolicy"} == admin["policies"][0]
    assert ["no", "yes"] == [step["matched"] for step in admin["rules"]]
    assert TIERS.groups[0].example.directions[1].tiers[1].end == last["end"]
    assert ("denied", [], []) == (found["groups"][0]["verdict"], found["notes"], example["notes"])


@st.composite
def explanations(draw: st.DrawFn) -> Explained:
    """Any text in every place."""
    (group,) = DENIED.groups
    refs = st.builds(PolicyRef, texts, texts, texts)
    step = st.builds(RuleStep, refs, texts, st.sampled_from(["yes", "no"]), texts, texts)
    some = st.lists(step, max_size=2).map(tuple)
    tiers = st.builds(TierStep, texts, st.lists(refs, max_size=2).map(tuple), some, texts)
    ways = st.builds(
        DirectionSteps,
        st.sampled_from(Direction),
        texts,
        st.sampled_from(Verdict),
        texts,
        st.lists(tiers, max_size=2).map(tuple),
    )
    decision = replace(group.example.decision, reason=draw(texts), verdict=draw(st.sampled_from(Verdict)))
    notes = draw(st.lists(texts, max_size=1).map(tuple))
    example = Explanation(draw(texts), draw(texts), group.example.traffic, decision, (draw(ways), draw(ways)), notes)
    made = Group(decision.verdict, draw(st.integers(1, 2)), 1, 1, example)
    return Explained(draw(texts), draw(texts), draw(texts), (made,) * draw(st.integers(0, 2)), notes)


@given(explanations())
def test_text_is_narrow_and_visible_whatever_it_is_about(explained: Explained) -> None:
    assert all(len(line) <= WIDTH and line.isprintable() for line in render_table(explained).splitlines())


@pytest.mark.parametrize("form", EXPLANATIONS)
@given(explained=explanations())
def test_text_ends_with_its_last_line(form: str, explained: Explained) -> None:
    text = EXPLANATIONS[form](explained)

    assert text.endswith("\n")
    assert not text.endswith("\n\n")
