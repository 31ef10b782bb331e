"""Laws of tiers, priorities and passing on, as `policy.networking.k8s.io` has them."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from auditor.model.cluster import Pod
from auditor.model.flow import Direction, Verdict
from tests.builders import Raw, named
from tests.properties.asking import Question, few, model_of, questions, verdicts
from tests.strategies import clusters
from tests.strategies.objects import of_kind
from tests.strategies.ordered import V1ALPHA2

KINDS = ("AdminNetworkPolicy", "ClusterNetworkPolicy", "BaselineAdminNetworkPolicy")
ANYBODY: list[Raw] = [{"namespaces": {}}]
SIDES = {"ingress": "from", "egress": "to"}
tiers = st.sampled_from(("Admin", "Baseline"))


def blanket(action: str, *, tier: str = "Admin", priority: int = 0) -> Raw:
    """A policy of one rule for all pods, in both directions and towards all pods."""
    rules = {"ingress": [{"action": action, "from": ANYBODY}], "egress": [{"action": action, "to": ANYBODY}]}
    spec = {"tier": tier, "priority": priority, "subject": {"namespaces": {}}, **rules}
    return {"apiVersion": V1ALPHA2, **named("ClusterNetworkPolicy", "blanket"), "spec": spec}


def later(objects: Sequence[Raw]) -> list[Raw]:
    """The same with priority 0 left free, and all others as they were to each other."""
    moved = copy.deepcopy(list(objects))
    for item in of_kind(moved, *KINDS):
        if "priority" in item["spec"]:
            item["spec"]["priority"] = 1 + item["spec"]["priority"] // 2
    return moved


def without(objects: Sequence[Raw], *, tier: str) -> list[Raw]:
    """The same without the policies of a tier."""
    return [item for item in objects if _tier(item) != tier]


def _tier(item: Raw) -> str:
    named_so = {"AdminNetworkPolicy": "Admin", "BaselineAdminNetworkPolicy": "Baseline"}
    return str(item["spec"]["tier"]) if item["kind"] == "ClusterNetworkPolicy" else named_so.get(item["kind"], "")


def between_pods(question: Question) -> bool:
    """Whether both ends are pods with addresses of their own, and two of them."""
    one, other = question.source.given, question.destination.given
    if not isinstance(one, Pod) or not isinstance(other, Pod):
        return False
    return not one.host_network and not other.host_network and one != other


@few
@given(clusters(ordered=True))
def test_moving_all_priorities_changes_nothing(objects: list[Raw]) -> None:
    """Only their order counts; equal ones stay equal."""
    assert verdicts(later(objects)) == verdicts(objects)


@few
@given(clusters(ordered=True), st.sampled_from(("Accept", "Deny")))
def test_first_blanket_rule_decides_between_pods(objects: list[Raw], action: str) -> None:
    """What stands before everything else is all there is to say between pods."""
    model = model_of([*later(objects), blanket(action)])
    expected = Verdict.ALLOWED if action == "Accept" else Verdict.DENIED
    for question in questions(objects, model.snapshot):
        if between_pods(question):
            assert question.ask(model).verdict is expected


@few
@given(clusters(ordered=True))
def test_first_blanket_pass_is_a_cluster_without_that_tier(objects: list[Raw]) -> None:
    """Between pods; what else has an address was never meant by it."""
    passing, plain = model_of([*later(objects), blanket("Pass")]), model_of(without(objects, tier="Admin"))
    for question in questions(objects, plain.snapshot):
        if between_pods(question):
            assert question.ask(passing).verdict is question.ask(plain).verdict


@few
@given(clusters(ordered=True), tiers)
def test_last_pass_changes_nothing(objects: list[Raw], tier: str) -> None:
    """What would have gone on to the next tier anyway, does."""
    low = [item for item in objects if item.get("spec", {}).get("priority") != 1000]
    last = blanket("Pass", tier=tier, priority=1000)
    if tier == "Baseline":
        # It has no priority, so it may come behind even this one.
        low = [item for item in low if item["kind"] != "BaselineAdminNetworkPolicy"]

    assert verdicts([*low, last]) == verdicts(low)


@few
@given(clusters(ordered=True))
def test_baseline_has_no_say_where_networkpolicies_isolate(objects: list[Raw]) -> None:
    """NetworkPolicies are final for the pods that they isolate, in the directions in which they do."""
    isolating = [item for item in objects if item["kind"] == "NetworkPolicy"]
    model, plain = model_of(objects), model_of(without(objects, tier="Baseline"))
    only = model_of([item for item in objects if item["kind"] not in KINDS]) if isolating else plain
    for question in questions(objects, plain.snapshot):
        if between_pods(question):
            one, other = question.ask(model), question.ask(plain)
            assert isinstance(question.source.given, Pod)
            assert isinstance(question.destination.given, Pod)
            if Direction.EGRESS in only.isolates(question.source.given):
                assert one.egress.verdict is other.egress.verdict
            if Direction.INGRESS in only.isolates(question.destination.given):
                assert one.ingress.verdict is other.ingress.verdict


@few
@given(clusters(ordered=True))
def test_rules_behind_one_for_everybody_are_dead(objects: list[Raw]) -> None:
    """In one policy the first match decides, so what stands behind a rule for all pods changes no flow between pods."""
    short, long = (model_of([_with_wall(item, behind=behind) for item in objects]) for behind in (False, True))
    for question in questions(objects, short.snapshot):
        if between_pods(question):
            assert question.ask(short).verdict is question.ask(long).verdict


def _with_wall(item: Raw, *, behind: bool) -> Raw:
    """The policy with a rule for all pods behind its first one, and the others behind that, or left out."""
    if item["kind"] not in KINDS:
        return item
    spec = dict(item["spec"])
    for way, side in SIDES.items():
        if spec.get(way):
            first, *rest = spec[way]
            spec[way] = [first, {"action": "Deny", side: ANYBODY}, *(rest if behind else [])]
    return {**item, "spec": spec}


@few
@given(clusters(ordered=True))
def test_a_policy_of_equal_priority_that_says_the_same_changes_nothing(objects: list[Raw]) -> None:
    """Which of the two comes first makes no difference."""
    copies = copy.deepcopy(list(of_kind(objects, "AdminNetworkPolicy", "ClusterNetworkPolicy")))
    for item in copies:
        item["metadata"]["name"] += "-again"
    shared = Counter((_tier(item), item["spec"]["priority"]) for item in copies)
    twins = [item for item in copies if shared[_tier(item), item["spec"]["priority"]] == 1]
    if any(item["kind"] == "BaselineAdminNetworkPolicy" for item in objects):
        twins = [item for item in twins if _tier(item) == "Admin"]

    assert verdicts([*objects, *twins]) == verdicts(objects)


@few
@given(clusters(ordered=True, max_policies=0))
def test_old_and_new_kind_say_the_same(objects: list[Raw]) -> None:
    """An AdminNetworkPolicy and the ClusterNetworkPolicy of the Admin tier with its rules."""
    assert verdicts([_modern(item) for item in objects]) == verdicts(objects)


def _modern(item: Raw) -> Raw:
    if item["kind"] != "AdminNetworkPolicy":
        return item
    spec = {**item["spec"], "tier": "Admin"}
    for way in SIDES:
        if spec.get(way):
            spec[way] = [_modern_rule(rule) for rule in spec[way]]
    return {**item, "apiVersion": V1ALPHA2, "kind": "ClusterNetworkPolicy", "spec": spec}


def _modern_rule(rule: Raw) -> Raw:
    kept = {key: value for key, value in rule.items() if key not in {"ports", "action"}}
    kept["action"] = "Accept" if rule["action"] == "Allow" else rule["action"]
    return kept | ({"protocols": [_modern_port(port) for port in rule["ports"]]} if rule.get("ports") else {})


def _modern_port(port: Raw) -> Raw:
    if "namedPort" in port:
        return {"destinationNamedPort": port["namedPort"]}
    said = port.get("portNumber") or port["portRange"]
    number = {"number": said["port"]} if "port" in said else {"range": {"start": said["start"], "end": said["end"]}}
    return {said.get("protocol", "TCP").lower(): {"destinationPort": number}}
