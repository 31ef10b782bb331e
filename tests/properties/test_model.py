"""The model against a second reading of the API, and the laws that any reading keeps."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auditor.cluster.decode import decode
from auditor.model.cluster import Pod, Snapshot
from auditor.model.flow import Direction, Family, Verdict
from auditor.predict import Model, predict
from tests import oracle
from tests.builders import Raw, raw
from tests.strategies import PORTS, clusters, policies, policy_specs

Flow = tuple[Pod, Pod, Family, int]
VERSION = {Family.IPV4: 4, Family.IPV6: 6}


def read(objects: list[Raw]) -> Snapshot:
    return decode(raw(*objects))


def everyone(pod: Pod) -> bool:
    return True


def flows(snapshot: Snapshot) -> Iterator[Flow]:
    """Every flow between two pods of a snapshot that both have an address of the family."""
    for source, destination in product(snapshot.pods, repeat=2):
        for family, port in product(Family, PORTS):
            if source.address(family) and destination.address(family):
                yield source, destination, family, port


def verdicts(snapshot: Snapshot) -> dict[Any, Verdict]:
    """The verdict of every flow, by names."""
    model = Model(snapshot)
    return {
        (one.namespace, one.name, other.namespace, other.name, family, port): model.decide(
            one, other, family, port
        ).verdict
        for one, other, family, port in flows(snapshot)
    }


@given(clusters())
def test_model_agrees_with_the_oracle(objects: list[Raw]) -> None:
    """Every flow of a random cluster has the verdict that a second, independent reading of the API gives."""
    by_name = {oracle.home_and_name(item): item for item in objects if item["kind"] == "Pod"}
    snapshot = read(objects)
    model = Model(snapshot)
    for source, destination, family, port in flows(snapshot):
        one, other = (by_name[pod.namespace, pod.name] for pod in (source, destination))
        expected = oracle.verdict(objects, oracle.Flow(one, other, VERSION[family], port))
        assert model.decide(source, destination, family, port).verdict.value == expected


@given(clusters())
def test_cell_is_the_verdict_between_any_two_members(objects: list[Raw]) -> None:
    """A cell holds for each pair of members, but for ipBlocks, which may hold the address of one of them only."""
    snapshot = read(objects)
    model, matrix = Model(snapshot), predict(snapshot, everyone)
    for (i, one), (j, other) in product(enumerate(matrix.identities), repeat=2):
        for family, port in product(matrix.families, matrix.ports):
            cell = matrix.cell(i, j, family, port)
            pairs = [(a, b) for a, b in product(one.pods, other.pods) if a is not b]
            found = {model.decide(a, b, family, port).verdict for a, b in pairs} if cell else set()
            if cell is not None and i != j:
                assert cell in found
            assert len({Verdict.DENIED if item is Verdict.UNDEFINED else item for item in found}) <= 1


@given(clusters(), st.randoms(use_true_random=False))
def test_order_of_objects_changes_nothing(objects: list[Raw], random: Any) -> None:
    """The same objects in another order give the same snapshot, and so the same everything."""
    shuffled = list(objects)
    random.shuffle(shuffled)

    assert read(shuffled) == read(objects)
    assert predict(read(shuffled), everyone) == predict(read(objects), everyone)


@given(clusters(), st.data())
def test_an_added_rule_never_takes_a_flow_away(objects: list[Raw], data: st.DataObject) -> None:
    """Policies only allow: one more rule in a direction that is isolated already makes no flow worse."""
    before = verdicts(read(objects))
    grown = copy.deepcopy(objects)
    found = [item for item in grown if item["kind"] == "NetworkPolicy"]
    if not found:
        return
    chosen = data.draw(st.sampled_from(found))
    extra = data.draw(policy_specs)
    for way in ("Ingress", "Egress"):
        if way in oracle.types(chosen["spec"]):
            rules = chosen["spec"].get(way.lower()) or []
            chosen["spec"][way.lower()] = [*rules, *(extra.get(way.lower()) or [])]

    assert_never_worse(before, verdicts(read(grown)))


def assert_never_worse(before: dict[Any, Verdict], after: dict[Any, Verdict]) -> None:
    order = (Verdict.DENIED, Verdict.UNDEFINED, Verdict.ALLOWED)
    assert [key for key in before if order.index(after[key]) < order.index(before[key])] == []


@given(clusters(), policies(99))
def test_one_more_policy_takes_away_only_where_it_isolates_anew(objects: list[Raw], extra: Raw) -> None:
    """A policy never adds a flow to a pod that it isolates for the first time, and never takes one from any other."""
    plain, grown = Model(read(objects)), Model(read([*objects, extra]))
    for source, destination, family, port in flows(plain.snapshot):
        before = plain.decide(source, destination, family, port)
        after = grown.decide(source, destination, family, port)
        for one, other, pod in ((before.egress, after.egress, source), (before.ingress, after.ingress, destination)):
            news = one.direction in grown.isolates(pod) - plain.isolates(pod)
            if news:
                assert one.verdict is Verdict.ALLOWED
            else:
                assert_never_worse({1: one.verdict}, {1: other.verdict})


@given(clusters())
def test_splitting_rules_and_policies_changes_nothing(objects: list[Raw]) -> None:
    """One rule of two peers is two rules of one peer, and one policy of two rules is two policies of one rule."""
    split = [part for item in objects for part in (halves(item) if item["kind"] == "NetworkPolicy" else [item])]

    assert verdicts(read(split)) == verdicts(read(objects))


def halves(policy: Raw) -> list[Raw]:
    """A policy for each rule of each direction, and one that only isolates."""
    spec = {**policy["spec"], "policyTypes": oracle.types(policy["spec"])}
    parts = [{**spec, "ingress": None, "egress": None}]
    for way, peers in (("ingress", "from"), ("egress", "to")):
        for rule in spec.get(way) or []:
            ones = [[peer] for peer in rule.get(peers) or []] or [[]]
            parts += [{**spec, "ingress": None, "egress": None, way: [{**rule, peers: one}]} for one in ones]
    name = policy["metadata"]["name"]
    return [
        {**policy, "metadata": {**policy["metadata"], "name": f"{name}-{number}"}, "spec": part}
        for number, part in enumerate(parts)
    ]


@given(clusters())
def test_identities_partition_the_pods(objects: list[Raw]) -> None:
    """Every pod that policies apply to is in exactly one identity, and no other pod is in any."""
    snapshot = read(objects)
    identities = predict(snapshot, everyone).identities

    members = sorted((pod.namespace, pod.name) for identity in identities for pod in identity.pods)

    assert members == [(pod.namespace, pod.name) for pod in snapshot.pods if pod.talks]
    assert len({identity.id for identity in identities}) == len(identities)


@given(clusters())
def test_two_identities_of_a_namespace_differ_in_something_that_policies_see(objects: list[Raw]) -> None:
    """No class is split without need: labels, named ports or families tell any two apart."""
    for one, other in product(predict(read(objects), everyone).identities, repeat=2):
        if one is not other and one.namespace == other.namespace:
            families = one.pods[0].families != other.pods[0].families
            ports = {(p.name, p.number, p.protocol) for p in one.named_ports} != {
                (p.name, p.number, p.protocol) for p in other.named_ports
            }
            assert families or ports or one.labels != other.labels


@given(clusters())
def test_stand_in_is_judged_like_those_it_stands_for(objects: list[Raw]) -> None:
    """A pod with an identity's projected labels and named ports gets the verdicts of any member, both ways."""
    snapshot = read(objects)
    model, identities = Model(snapshot), predict(snapshot, everyone).identities
    for one, other in product(identities, repeat=2):
        first, partner = one.pods[0], other.pods[-1]
        double = Pod(one.namespace, "stand-in", dict(one.labels), "n1", first.addresses, one.named_ports)
        assert model.isolates(double) == one.isolated
        if first is partner:
            continue
        for family, port in product(set(first.families) & set(partner.families), PORTS):
            there, back = model.decide(double, partner, family, port), model.decide(partner, double, family, port)
            assert there.verdict is model.decide(first, partner, family, port).verdict
            assert back.verdict is model.decide(partner, first, family, port).verdict


@given(clusters())
def test_isolation_is_what_the_policies_of_the_namespace_say(objects: list[Raw]) -> None:
    """A pod is isolated in a direction exactly when a policy of its namespace selects it and has that type."""
    policies_of = [item for item in objects if item["kind"] == "NetworkPolicy"]
    tags = {oracle.home_and_name(item): oracle.tags(item) for item in objects if item["kind"] == "Pod"}
    model = Model(read(objects))
    for pod in model.snapshot.pods:
        found = {
            Direction(way)
            for item in policies_of
            for way in oracle.types(item["spec"])
            if oracle.home(item) == pod.namespace
            and oracle.chosen(item["spec"]["podSelector"], tags[pod.namespace, pod.name])
        }
        assert model.isolates(pod) == found
