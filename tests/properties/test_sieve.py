"""A model that was made faster gives the same decisions, reasons included."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from hypothesis import given

from auditor.evaluate.model import Model
from auditor.evaluate.sieve import quicken
from auditor.model.cluster import Pod, Snapshot
from auditor.model.ends import Address
from auditor.model.flow import Family
from tests.builders import Raw
from tests.properties.asking import TRAFFIC, read, read_file
from tests.strategies import clusters

OUTSIDE = Address("203.0.113.9")


def differences(snapshot: Snapshot) -> list[str]:
    """Flows of which the two do not say the same, between pods, a stranger to the snapshot and an address outside."""
    plain, quick = Model(snapshot), Model(snapshot)
    quicken(quick)
    talking = [pod for pod in snapshot.pods if pod.talks]
    strangers = [replace(pod, name=f"{pod.name}-2", addresses=()) for pod in talking[:1]]
    ends: tuple[Pod | Address, ...] = (*snapshot.pods, *strangers, OUTSIDE)
    return [
        f"{source} -> {destination}: {protocol.value} {port}"
        for source, destination in product(ends, repeat=2)
        for protocol, port in TRAFFIC
        if plain.decide(source, destination, Family.IPV4, port, protocol)
        != quick.decide(source, destination, Family.IPV4, port, protocol)
    ]


@given(clusters())
def test_networkpolicies(objects: list[Raw]) -> None:
    assert differences(read(objects)) == []


@given(clusters(ordered=True, gaps=True, max_policies=2))
def test_tiers_and_unread_namespaces(objects: list[Raw]) -> None:
    assert differences(read(objects)) == []


@given(clusters(gaps=True, files=True))
def test_planned_pods(objects: list[Raw]) -> None:
    assert differences(read_file(objects)) == []
