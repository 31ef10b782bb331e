"""Identities and the matrix: what they group, and that a cell holds for all that it stands for."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auditor.evaluate.model import Model
from auditor.model.cluster import Pod
from auditor.model.flow import Direction, Protocol, Verdict
from auditor.predict import predict
from tests import oracle
from tests.builders import Raw
from tests.properties.asking import read
from tests.strategies import PORTS, clusters


def everyone(pod: Pod) -> bool:
    return True


@given(clusters())
def test_cell_is_the_verdict_between_any_two_members(objects: list[Raw]) -> None:
    """A cell holds for each pair of members, but for ipBlocks, which may hold the address of one of them only."""
    snapshot = read(objects)
    model, matrix = Model(snapshot), predict(snapshot, everyone)
    for (i, one), (j, other) in product(enumerate(matrix.identities), repeat=2):
        for family, port in product(
            matrix.families, [port for protocol, port in matrix.queries if protocol is Protocol.TCP]
        ):
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
            and oracle.chosen(item["spec"].get("podSelector"), tags[pod.namespace, pod.name])
        }
        assert model.isolates(pod) == found
