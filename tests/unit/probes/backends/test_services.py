"""Services of netaudit's own in a cluster in memory: what is made, what is refused, and that nothing of it stays."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor.errors import NetauditError
from auditor.model.cluster import Snapshot
from auditor.model.options import Options, Targets
from auditor.model.probe import Outcome, Placed, Probe, ProbePlan, Role, StandIn, Way
from auditor.model.service_path import LaidService
from auditor.plan import CONTROL_NAMESPACE
from auditor.sentinel import POLICED
from auditor.service_plan import OPEN, SERVICE_PORTS, own_services, with_services
from probes.backends.kubernetes import sweep
from probes.backends.kubernetes.services import services_path
from probes.laying import service_manifest
from probes.placement import MANAGED_BY, Marks
from tests.evidence import V4, WEB
from tests.memory_api import MemoryApi, Raw
from tests.speaking import line
from tests.unit.probes.backends.acting import backend, cancelled, silent
from tests.unit.probes.backends.test_session_sentinel import OWN, Guarded, given, granted, quiet

MARKS = Marks("dddddd", "1", "x")
CONTROLS = tuple(StandIn(f"c0{letter}", Role.CONTROL, CONTROL_NAMESPACE, "n1", (), (WEB,)) for letter in "ab")
BARE = ProbePlan(("netaudit", CONTROL_NAMESPACE), CONTROLS, ())
PLAN = with_services(BARE, Snapshot(), Options(targets=Targets.SERVICE))
SERVICES = services_path(POLICED)
OVERLAY = Path(__file__).parents[4] / "deploy/kustomize/sentinel-services/rbac.yaml"


class Serving(MemoryApi):
    """Gives Services their addresses and ports, as the API server does."""

    async def create(self, path: str, body: Mapping[str, Any], *, dry_run: bool = False) -> Raw:
        stored = await super().create(path, body, dry_run=dry_run)
        return served(stored) if path.endswith("/services") else stored


def served(stored: Raw) -> Raw:
    spec = stored["spec"]
    headless = spec.get("clusterIP") == "None"
    given_ports = [
        {**port, **({"nodePort": 30000 + port["port"]} if spec["type"] == "NodePort" else {})} for port in spec["ports"]
    ]
    return {**stored, "spec": {**spec, "clusterIPs": ["None"] if headless else ["10.96.0.7"], "ports": given_ports}}


def answering(work: bytes) -> Iterable[bytes]:
    """An agent whose attempts end at the server's open port, whatever they connect to."""
    first, *lines, _, _ = work.decode().split("\n")
    _, batch, _, count, _ = first.split(" ")
    words = {"agent": "a", "run": "r", "batch": batch, "nonce": "nonce", "client": "c", "server": "s"}
    yield line({"netaudit": 1, **words, "n": int(count)})
    for asked in lines:
        yield line({"i": int(asked.split(" ")[0]), "rc": 0, "to": 0, "ms": 1, "d": f"netaudit nonce {OPEN}"})
    yield line({"end": int(count), "batch": batch})


def placed_before(api: MemoryApi, marks: Marks = MARKS) -> None:
    """Leave behind what a killed run has made."""
    for service in own_services():
        api.put(f"{SERVICES}/{service.name}", service_manifest(service, marks))


@pytest.mark.parametrize("service", own_services(), ids=lambda service: service.name)
def test_a_service_leads_to_pods_that_are_never_ready(service: Any) -> None:
    made = service_manifest(service, MARKS)
    assert made["spec"]["publishNotReadyAddresses"] is True
    assert made["spec"]["selector"] == dict(service.selector)
    assert {port["targetPort"]: port["port"] for port in made["spec"]["ports"]} == SERVICE_PORTS
    assert made["metadata"]["labels"] == MANAGED_BY
    assert made["metadata"]["annotations"] == MARKS.annotations()
    assert made["spec"]["type"] == ("NodePort" if service.way is Way.NODE_PORT else "ClusterIP")


async def test_what_was_made_is_told_and_gone_afterwards() -> None:
    api = Serving()
    assert PLAN.services is not None
    async with backend(api).session(PLAN, silent) as session:
        laid = await session.lay_services(PLAN.services)
        assert isinstance(session.placed["v"], Placed)
        assert isinstance(laid.placed["g0"], Placed)
        assert await session.make_policies(PLAN.services.policies) == ""
        assert [path.rpartition("/")[2] for path in api.paths("networkpolicies")] == [
            "netaudit-service-in",
            "netaudit-service-out",
        ]
    assert laid.services[Way.CLUSTER_IP] == LaidService(("10.96.0.7",), SERVICE_PORTS)
    assert laid.services[Way.HEADLESS].addresses == ()
    assert laid.services[Way.NODE_PORT].ports == {port: 30000 + number for port, number in SERVICE_PORTS.items()}
    assert api.paths("/namespaces/netaudit") == []


async def test_a_probe_goes_to_the_service_and_expects_the_servers_nonce() -> None:
    api, works = Serving(), list[bytes]()

    def agent(_: str, work: bytes) -> Iterable[bytes]:
        works.append(work)
        return answering(work)

    api.agent = agent
    assert PLAN.services is not None
    async with backend(api).session(PLAN, silent) as session:
        await session.lay_services(PLAN.services)
        probe = Probe("c0a", "v", V4, OPEN, (1.0,), via=("10.96.0.7", 80))
        [seen] = await session.run_round(9, [probe])
    assert seen.outcomes == (Outcome.REACHED,)
    assert re.search(rb"^0 10\.96\.0\.7 80 1\.0$", works[0], re.MULTILINE)


async def test_a_quota_takes_one_service_and_nothing_else() -> None:
    api = Serving()
    api.fail("POST", f"{SERVICES}/netaudit-node-port", 403, "exceeded quota: q, requested: services.nodeports=3")
    assert PLAN.services is not None
    async with backend(api).session(PLAN, silent) as session:
        laid = await session.lay_services(PLAN.services)
    assert "the NodePort Service was not accepted" in laid.services[Way.NODE_PORT].fault
    assert "exceeded quota" in laid.services[Way.NODE_PORT].fault
    assert laid.services[Way.CLUSTER_IP].addresses == ("10.96.0.7",)


async def test_a_namespace_without_a_holder_has_no_service() -> None:
    api = Serving()
    api.fail("POST", f"/apis/apps/v1/namespaces/{POLICED}/deployments/.*", 403, "no")
    assert PLAN.services is not None
    async with backend(api).session(PLAN, silent) as session:
        laid = await session.lay_services(PLAN.services)
        strange = replace(PLAN.services.policies[0], namespace="shop")
        assert "only in its own namespaces" in await session.make_policies([strange])
    assert api.paths("/services/") == []
    assert all("no holder can be made" in item.fault for item in laid.services.values())


async def test_what_could_not_be_found_again_is_not_made() -> None:
    """Without the right to list Services they would stay in a namespace that stays, and nobody would be told."""
    api = given(granted() | overlay() - {(POLICED, "", "services", "list")})
    assert PLAN.services is not None
    async with replace(backend(api), confined=True).session(PLAN, silent) as session:
        laid = await session.lay_services(PLAN.services)
        assert api.paths("/services/") == []
    assert all("no Service is made" in item.fault and "403" in item.fault for item in laid.services.values())
    assert api.paths(f"/namespaces/{POLICED}/") == []


async def test_a_policy_that_is_refused_is_a_reason_and_no_end() -> None:
    api = Serving()
    api.fail("POST", ".*/networkpolicies/netaudit-service-in", 403, "forbidden")
    assert PLAN.services is not None
    async with backend(api).session(PLAN, silent) as session:
        assert "it answered 403: forbidden" in await session.make_policies(PLAN.services.policies)


async def test_a_run_that_is_cancelled_leaves_no_service_in_a_namespace_that_stays() -> None:
    """As by Ctrl-C, at any moment of making them."""
    for after in (0.5, 2.0, 3.5, 5.0):
        api = given(())
        api.rights = None

        async def work(api: Guarded = api) -> None:
            async with backend(api).session(PLAN, silent) as session:
                assert PLAN.services is not None
                await session.lay_services(PLAN.services)
                await session.make_policies(PLAN.services.policies)
                await asyncio.sleep(60)

        await cancelled(work, after)
        assert api.paths(f"/namespaces/{POLICED}/") == []
        assert f"/api/v1/namespaces/{POLICED}" in api.objects


def overlay() -> set[tuple[str, str, str, str]]:
    return {
        (item["metadata"]["namespace"], group, resource, verb)
        for item in yaml.safe_load_all(OVERLAY.read_text())
        if item["kind"] == "Role"
        for rule in item["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


async def test_what_a_killed_run_left_is_swept_and_a_users_service_stays() -> None:
    api = given(granted() | overlay())
    placed_before(api)
    theirs = {"kind": "Service", "metadata": {"name": "theirs", "namespace": POLICED, "labels": MANAGED_BY}}
    api.put(f"{SERVICES}/theirs", theirs)

    found = await sweep.find(api, within=OWN)
    assert [text for text in found.names() if "service" in text] == [
        f"service {POLICED}/{service.name}" for service in sorted(own_services(), key=lambda item: item.name)
    ]
    assert (await sweep.find(api, "eeeeee", OWN)).services == ()
    assert await sweep.remove(api, found, quiet) == []
    assert api.paths("/services/") == [f"{SERVICES}/theirs"]


async def test_who_may_not_list_services_is_not_kept_from_a_run() -> None:
    """The roles of sentinel alone say nothing of Services, and nothing that has only them can have made one."""
    api = given(granted())
    assert (await sweep.find(api, within=OWN)).services == ()


@pytest.mark.parametrize("namespace", ["shop", "default", "netaudit", "netaudit-ctl-2x"])
async def test_no_service_is_made_or_removed_outside_own_namespaces(namespace: str) -> None:
    api = Serving()
    with pytest.raises(NetauditError, match="makes and removes no Service"):
        await sweep.remove(api, sweep.Leftovers((), (), (), services=((namespace, "x"),)), quiet)
    assert api.paths("/services/") == []
