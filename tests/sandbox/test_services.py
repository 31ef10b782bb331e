"""Services of a sandbox: real packets get to the pods behind them and nowhere else, under policies as without."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

import pytest

from auditor.cluster.decode import decode
from auditor.evaluate.model import Model
from auditor.model.cluster import Pod
from auditor.model.flow import Family, Protocol
from auditor.services import Services
from tests.sandbox.serving import Shop, policy, service, shop

pytestmark = pytest.mark.sandbox
MOST = 200
"""Tries after which a choice of two that was always the same is no chance."""
Work = Callable[[Shop], Awaitable[None]]


def run(work: Work, *services: Mapping[str, Any], **more: Sequence[Mapping[str, Any]]) -> None:
    async def within() -> None:
        async with shop(services, **more) as made:
            await work(made)

    asyncio.run(within())


def answered(said: Sequence[str], saw: Sequence[str], *pods: str) -> None:
    """Each was answered by one of these pods, on its own port http, which saw one of these addresses."""
    ports = {"web-1": "8080", "web-2": "8081", "other": "8080"}
    for text in said:
        name, port, peer = text.split()
        assert name in pods
        assert port == ports[name]
        assert ip_address(peer) in map(ip_address, saw)


def test_an_address_leads_to_each_pod_and_to_no_other() -> None:
    """The port's name is another number in each pod, and the pods see who asks."""

    async def work(made: Shop) -> None:
        for source in ("near", "far"):
            answered(await made.all(source, made.ways("web")), made.addresses(source), "web-1", "web-2")
        found: set[str] = set()
        for _ in range(MOST):
            said = await made.all("near", made.ways("web"))
            answered(said, made.addresses("near"), "web-1", "web-2")
            found |= {text.split()[0] for text in said}
            if len(found) > 1:
                break
        assert found == {"web-1", "web-2"}

    run(work, service("web"))


def test_an_address_that_is_named_is_kept() -> None:
    async def work(made: Shop) -> None:
        assert made.spec("web")["clusterIP"] == "10.100.7.7"
        answered(await made.all("far", made.ways("web")), made.addresses("far"), "web-1", "web-2")

    run(work, service("web", clusterIPs=["10.100.7.7"], clusterIP="10.100.7.7"))


def test_a_port_of_every_node_leads_to_the_pods_and_shows_them_the_node() -> None:
    async def work(made: Shop) -> None:
        for source in ("near", "far"):
            for node in ("n1", "n3"):
                said = await made.all(source, made.doors("web", node))
                answered(said, made.box.nodes[node].addresses, "web-1", "web-2")

    run(work, service("web", type="NodePort"))


def test_where_nobody_is_it_is_refused() -> None:
    async def work(made: Shop) -> None:
        nobody = [*made.ways("none"), *made.doors("none", "n1"), *made.doors("none", "n3")]
        wrong = [(text, 81, protocol) for text, _, protocol in made.ways("web")]
        assert set(await made.all("near", [*nobody, *wrong])) == {"refused"}

    run(work, service("none", app="none", type="NodePort"), service("web"))


def test_a_pod_reaches_itself_through_its_service() -> None:
    async def work(made: Shop) -> None:
        said = await made.all("other", made.ways("other"))
        answered(said, made.box.nodes["n2"].addresses, "other")

    run(work, service("other", app="other"))


CLIENT, WEB = ({"podSelector": {"matchLabels": {"app": app}}} for app in ("client", "web"))
FIRST, SECOND = (
    service(name, selector={"name": pod}, type="NodePort") for name, pod in (("first", "web-1"), ("second", "web-2"))
)
OTHER = service("other", app="other", type="NodePort")


def test_what_goes_out_is_judged_by_the_pod_behind_and_its_own_port() -> None:
    async def work(made: Shop) -> None:
        node, own = made.box.nodes["n1"].addresses, made.addresses("near")
        answered(await made.all("near", made.ways("first")), own, "web-1")
        answered(await made.all("near", made.doors("first", "n1")), node, "web-1")
        for name in ("second", "other"):
            assert await made.silent("near", [*made.ways(name), *made.doors(name, "n1")])
            answered(await made.all("far", made.ways(name)), made.addresses("far"), "web-2", "other")

    run(work, FIRST, SECOND, OTHER, networkpolicies=[policy("client", egress=[{"to": [WEB]}])])


def test_what_comes_in_is_judged_by_the_pod_that_asks() -> None:
    async def work(made: Shop) -> None:
        answered(await made.all("near", made.ways("first")), made.addresses("near"), "web-1")
        answered(await made.all("near", made.ways("other")), made.addresses("near"), "other")
        assert await made.silent("near", made.ways("second"))
        assert await made.silent("far", [*made.ways("first"), *made.ways("second"), *made.doors("first", "n3")])

    run(work, FIRST, SECOND, OTHER, networkpolicies=[policy("web", ingress=[{"from": [CLIENT]}])])


def test_a_service_may_lead_to_pods_of_the_same_node_alone() -> None:
    """Through a node's port they see who asks then; elsewhere the packets are lost."""

    async def work(made: Shop) -> None:
        ways = [*made.ways("web"), *made.doors("web", "n1")]
        answered(await made.all("near", ways), made.addresses("near"), "web-1")
        answered(await made.all("far", made.doors("web", "n1")), made.addresses("far"), "web-1")
        assert await made.silent("far", [*made.ways("web"), *made.doors("web", "n3")])

    run(work, service("web", type="NodePort", internalTrafficPolicy="Local", externalTrafficPolicy="Local"))


def test_slices_by_hand_lead_where_they_say_and_only_without_a_selector() -> None:
    """Here to the second pod of the second node."""
    slices = [
        {
            "metadata": {"name": name, "namespace": "shop", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.244.1.3"]}],
            "ports": [{"name": it.lower(), "protocol": it, "port": 8080} for it in ("TCP", "UDP")],
        }
        for name in ("hand", "web")
    ]

    async def work(made: Shop) -> None:
        assert made.addresses("other")[0] == "10.244.1.3"
        answered(await made.all("near", made.ways("hand")), made.addresses("near"), "other")
        for _ in range(3):
            answered(await made.all("near", made.ways("web")), made.addresses("near"), "web-1", "web-2")

    run(work, service("hand", selector=None, ipFamilyPolicy="SingleStack"), service("web"), endpointslices=slices)


def test_the_snapshot_holds_what_the_packets_meet() -> None:
    """The model reads Services by their selectors, and the sandbox's rules come from slices."""

    async def work(made: Shop) -> None:
        snapshot = decode(made.raw)
        known = Services(Model(snapshot))
        for item in snapshot.services:
            behind = known.backends(item, Protocol.UDP, "udp")
            ends = {(text, it.port) for it in behind if isinstance(it.end, Pod) for text in it.end.addresses}
            assert listed(made, item.name) == ends
            assert item.families == (Family.IPV4, Family.IPV6)
        assert [item.addresses == () for item in snapshot.services] == [True, False, False]
        assert [len(listed(made, item.name)) for item in snapshot.services] == [4, 0, 4]

    run(work, service("web", type="NodePort"), service("head", clusterIP="None"), service("none", app="none"))


def listed(made: Shop, name: str) -> set[tuple[str, int]]:
    """Addresses and UDP ports in a Service's slices."""
    return {
        (str(ip_address(text)), port["port"])
        for piece in made.raw.objects["endpointslices"]
        if piece["metadata"]["labels"]["kubernetes.io/service-name"] == name
        for port in piece["ports"]
        if port["protocol"] == "UDP"
        for endpoint in piece["endpoints"]
        for text in endpoint["addresses"]
    }


def test_services_come_and_go_without_the_pods() -> None:
    async def work(made: Shop) -> None:
        box = made.box
        assert await made.table("n1") == ["netaudit"]
        [raw] = box.serve([service("late")])
        await box.enforce()
        assert sorted(await made.table("n1")) == ["netaudit", "netaudit_services"]
        ways = [(text, 80, "TCP") for text in raw["spec"]["clusterIPs"]]
        answered(await made.all("far", ways), made.addresses("far"), "web-1", "web-2")
        box.release({"shop"})
        await box.enforce()
        assert await made.table("n1") == ["netaudit"]

    run(work)
