"""Calico's own kinds against a second reading of their reference, flow by flow and all flows at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.cluster.fields import FieldError
from auditor.evaluate.model import Model
from auditor.evaluate.reach import reach
from auditor.model.cluster import Pod
from auditor.model.dialect import API
from auditor.model.ends import Address
from auditor.model.flow import Family, Protocol
from auditor.policy import POLICY_APIS
from tests.builders import Raw
from tests.calico import is_calico, snapshot
from tests.model_cases import CASES as FOLDERS
from tests.model_cases import end_of, read_cases
from tests.oracle import Flow, home_and_name
from tests.oracle import calico as oracle
from tests.strategies.calico import OUTSIDE, OUTSIDE_6, clusters
from tests.strategies.mutations import mutated

QUERIES = ((Protocol.TCP, 80), (Protocol.TCP, 79), (Protocol.UDP, 53), (Protocol.UDP, 80), (Protocol.SCTP, 80))
VERSIONS = {Family.IPV4: 4, Family.IPV6: 6}


def differences(objects: Sequence[Raw], families: Sequence[Family]) -> Iterator[str]:
    """Where the model and the oracle do not agree, in words."""
    found = snapshot(*objects)
    model, raw = Model(found), {home_and_name(item): item for item in objects if item["kind"] == "Pod"}
    assert model.blind_spots == ()
    asked = [(query, family) for query in QUERIES for family in families]
    matrix = reach(model, found.pods, QUERIES)
    for one, other in _pairs(found.pods):
        for (protocol, port), family in asked:
            if any(isinstance(end, Address) and (":" in end.ip) is (family is Family.IPV4) for end in (one, other)):
                continue
            ends = [end.ip if isinstance(end, Address) else raw[end.namespace, end.name] for end in (one, other)]
            expected = oracle.verdict(objects, Flow(ends[0], ends[1], VERSIONS[family], port, protocol.value))
            said = {"decide": model.decide(one, other, family, port, protocol).verdict}
            if isinstance(one, Pod) and isinstance(other, Pod):
                said["reach"] = matrix.verdict(one, other, family, (protocol, port))
            for how, verdict in said.items():
                if verdict.value != expected:
                    yield f"{one} -> {other} {protocol} {port} {family}: {how} says {verdict.value}, not {expected}"


def _pairs(pods: Sequence[Pod]) -> Iterator[tuple[Pod | Address, Pod | Address]]:
    outside = [Address(text) for text in (*OUTSIDE, *OUTSIDE_6)]
    yield from product(pods, repeat=2)
    for pod, address in product(pods, outside):
        yield pod, address
        yield address, pod


@given(clusters())
def test_model_agrees_with_the_oracle(objects: list[Raw]) -> None:
    assert list(differences(objects, [Family.IPV4])) == []


@given(clusters(dual=True))
def test_model_agrees_with_the_oracle_in_both_families(objects: list[Raw]) -> None:
    assert list(differences(objects, list(Family))) == []


BEYOND = (
    "tier-of-admin-policies",
    "what-is-not-modelled",
    "order-and-networkpolicies:at-the-same-order",
    "planned-pods-and-no-nets",
)
"""Cases about what the oracle does not know: other APIs, fields without a meaning here, what is left to releases, pods
without an address."""
CASES = {case.name: case for case in read_cases(FOLDERS / "calico") if not case.name.startswith(BEYOND)}
NODES = ("192.168.0.11", "192.168.0.12")


@pytest.mark.parametrize("name", CASES)
def test_oracle_says_what_was_written(name: str) -> None:
    case, wrong = CASES[name], []
    pods = {end_of(item): item for item in case.objects if item["kind"] == "Pod"}
    for cell in case.cells:
        if cell.verdict == "unknown" or {cell.source, cell.destination} & set(NODES):
            continue
        ends = [pods.get(end, end) for end in (cell.source, cell.destination)]
        family = 4 if cell.family == "IPv4" else 6
        said = oracle.verdict(case.objects, Flow(ends[0], ends[1], family, cell.port, cell.protocol))
        wrong += [] if said == cell.verdict else [f"{cell}: {said}, not {cell.verdict}"]
    assert wrong == []


@given(clusters(), st.data())
def test_one_mutated_object_is_read_or_named(objects: list[Raw], data: st.DataObject) -> None:
    """Whatever stands in a spec, it is translated or it makes a blind spot with a reason; nothing else happens."""
    own = [number for number, item in enumerate(objects) if is_calico(item)]
    chosen = objects[data.draw(st.sampled_from(own))]
    chosen = {**chosen, "spec": data.draw(mutated(chosen["spec"]))}
    read = snapshot(*(item for item in objects if item["metadata"] != chosen["metadata"]), chosen)
    for item in read.objects:
        translator = POLICY_APIS[item.resource](read, API)
        try:
            found = translator(item)
        except FieldError as error:
            assert error.reason  # noqa: PT017  # either outcome is right
        else:
            assert isinstance(hash(found), int)
    assert all(len(spot.reason) < 500 for spot in Model(read).blind_spots)
