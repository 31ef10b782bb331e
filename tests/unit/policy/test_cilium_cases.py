"""The model says of Cilium's policies what packets said."""

from __future__ import annotations

import pytest

from auditor.engines import identify_engine
from auditor.evaluate.model import Model
from auditor.evaluate.reach import reach
from auditor.model.flow import Family, Protocol
from tests.cilium import NODES, Case, config
from tests.cilium_cases import CASES, SETTINGS, UNDER_SETTINGS
from tests.unit.policy.cilium_scene import ALLOWED, DENIED, decide, scene

each_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


@each_case
def test_case(case: Case) -> None:
    found = scene(*case.objects)

    said = {
        (source, target): decide(found, source, target, None if target in NODES else case.port).verdict
        for source, target in case.flows
    }

    assert said == {flow: ALLOWED if opens else DENIED for flow, opens in case.flows.items()}


@pytest.mark.parametrize("case", UNDER_SETTINGS, ids=[case.name for case in UNDER_SETTINGS])
def test_case_under_other_settings(case: Case) -> None:
    settings = config(**{key.replace("-", "_"): value for key, value in SETTINGS.items()})
    found = scene(*case.objects, settings=settings)

    said = {flow: decide(found, *flow).verdict for flow in case.flows}

    assert said == {flow: ALLOWED if opens else DENIED for flow, opens in case.flows.items()}


@each_case
def test_all_flows_at_once(case: Case) -> None:
    found = scene(*case.objects)
    query = (Protocol.TCP, case.port)
    pods = {f"{item.namespace}/{item.name}": item for item in found.pods if item.talks}
    at_once = reach(Model(found, dialect=identify_engine(found).dialect), pods.values(), [query])

    between = {flow: opens for flow, opens in case.flows.items() if set(flow) <= pods.keys()}

    said = {flow: at_once.verdict(pods[flow[0]], pods[flow[1]], Family.IPV4, query) for flow in between}
    assert said == {flow: ALLOWED if opens else DENIED for flow, opens in between.items()}


def test_names_of_cases_are_their_own() -> None:
    assert len(CASES) == len({case.name for case in CASES})
