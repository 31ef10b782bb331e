"""Services as paths to pods."""

from __future__ import annotations

import pytest

from auditor.evaluate.model import Model
from auditor.model.cluster import Pod, Service
from auditor.model.dialect import Dialect, HostNetwork
from auditor.model.ends import Address
from auditor.model.flow import Family, Protocol, Traffic, Verdict
from auditor.model.rules import Match
from auditor.services import Backend, Services
from tests.builders import Raw, allow, deny_all, pod, pods, policy, port, selector, snapshot, tcp
from tests.unit.explaining import leading, model_of, on_host, service

WEB = {"app": "web"}
HTTP = Traffic(Family.IPV4, Protocol.TCP, 80)


def only(services: Services, name: str = "web") -> Service:
    found = services.named("shop", name)
    assert found is not None
    return found


def backends(model: Model, number: int | str, protocol: Protocol = Protocol.TCP) -> list[tuple[str, int]]:
    services = Services(model)
    found = services.backends(only(services), protocol, number)
    return [(item.end.name if isinstance(item.end, Pod) else item.end.ip, item.port) for item in found]


def one(model: Model, name: str) -> Pod:
    return next(item for item in model.snapshot.pods if item.name == name)


def test_target_port_is_where_a_flow_ends() -> None:
    model = model_of(pod("shop/a", app="web"), service("shop/web", leading(80, 8080), selects=WEB))

    assert [("a", 8080)] == backends(model, 80)
    assert [] == backends(model, 8080)


def test_left_out_target_port_is_the_port() -> None:
    model = model_of(pod("shop/a", app="web"), service("shop/web", leading(80), selects=WEB))

    assert [("a", 80)] == backends(model, 80)


def test_name_of_a_target_port_is_looked_up_in_each_pod() -> None:
    model = model_of(
        pod("shop/a", app="web", ports=[port(8080, "http")]),
        pod("shop/b", app="web", ports=[port(9090, "http"), port(9091, "http", "UDP")]),
        pod("shop/c", app="web", ports=[port(80, "other")]),
        service("shop/web", leading(80, "http"), selects=WEB),
    )

    assert [("a", 8080), ("b", 9090)] == backends(model, 80)


def test_of_two_ports_of_one_name_both_are_possible() -> None:
    twice = pod("shop/a", app="web", ports=[port(8080, "http"), port(9090, "http")])
    model = model_of(twice, service("shop/web", leading(80, "http"), selects=WEB))

    assert [("a", 8080), ("a", 9090)] == backends(model, 80)


def test_protocol_and_name_choose_among_the_ports_of_a_service() -> None:
    ports = [leading(53, 1053, protocol="UDP", name="dns"), leading(53, 2053, name="dns-tcp")]
    model = model_of(pod("shop/a", app="web"), service("shop/web", *ports, selects=WEB))

    assert [("a", 1053)] == backends(model, 53, Protocol.UDP) == backends(model, "dns", Protocol.UDP)
    assert [("a", 2053)] == backends(model, 53) == backends(model, "dns-tcp")
    assert [] == backends(model, "dns")


def test_pods_that_cannot_answer_are_not_behind_a_service() -> None:
    model = model_of(
        pod("shop/done", app="web", phase="Succeeded"),
        pod("shop/new", app="web", at=[]),
        pod("other/a", app="web"),
        pod("shop/b", app="db"),
        service("shop/web", leading(80), selects=WEB),
    )

    assert [] == backends(model, 80)


def test_pod_on_the_host_network_is_behind_a_service_too() -> None:
    model = model_of(pod("shop/a", app="web", **on_host("192.168.0.1")), service("shop/web", leading(80), selects=WEB))

    assert [("a", 80)] == backends(model, 80)


def test_headless_service_translates_no_port() -> None:
    headless = service("shop/web", leading(80, 8080, name="http"), at=["None"], selects=WEB)
    model = model_of(pod("shop/a", app="web"), headless)

    assert [("a", 80)] == backends(model, 80)
    assert [("a", 9999)] == backends(model, 9999)
    # A name is asked of DNS, whose answer names the target port (SRV).
    assert [("a", 8080)] == backends(model, "http")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (
            service("shop/web", leading(80)),
            "Service shop/web has no selector and no EndpointSlice: it has no endpoints, so that nobody can answer",
        ),
        (
            service("shop/web", leading(80), selects=WEB, type="ExternalName", externalName="example.org"),
            "Service shop/web is an ExternalName: its name leaves the cluster, for one in DNS that was not looked up",
        ),
        (service("shop/web", leading(81), selects=WEB), "no pod is behind port 80/TCP of Service shop/web"),
        (service("shop/web", leading(80), selects={"app": "x"}), "no pod is behind port 80/TCP of Service shop/web"),
        (
            service("shop/web", leading(80), selects={"app": "six"}),
            "no pod behind port 80/TCP of Service shop/web has an IPv4 address",
        ),
    ],
)
def test_flow_that_ends_nowhere_is_unknown(made: Raw, why: str) -> None:
    model = model_of(pod("shop/a", app="web"), pod("shop/six", app="six", at=["fd00::6"]), made)
    services = Services(model)

    found = services.decide(one(model, "a"), only(services), HTTP)

    assert (Verdict.UNKNOWN, why) == (found.verdict, found.reason)
    assert (Verdict.UNKNOWN, Verdict.UNKNOWN) == (found.egress.verdict, found.ingress.verdict)


SHOP = (
    pod("shop/client"),
    pod("shop/a", app="web"),
    pod("shop/b", app="web", tier="new"),
    service("shop/web", leading(80, 8080), at=["10.96.0.1", "fd00:96::1"], selects=WEB),
)


def test_policies_see_the_port_of_the_pod() -> None:
    model = model_of(*SHOP, policy("shop/p", selector(app="web"), ingress=[allow(ports=[tcp(8080)])]))
    services = Services(model)

    assert Verdict.ALLOWED is services.decide(one(model, "client"), only(services), HTTP).verdict


def test_backends_that_differ_leave_the_flow_open() -> None:
    model = model_of(*SHOP, deny_all("shop/p", "Ingress", tier="new"))
    services = Services(model)

    found = services.decide(one(model, "client"), only(services), HTTP)

    assert Verdict.UNDEFINED is found.verdict
    assert "the pods behind shop/web differ, and any of them may be chosen" == found.reason
    assert (Verdict.ALLOWED, Verdict.UNDEFINED) == (found.egress.verdict, found.ingress.verdict)


def test_addresses_of_a_service_lead_to_it() -> None:
    services = Services(model_of(*SHOP))

    assert services.at("10.96.0.1") is services.at("fd00:96::1") is only(services)
    assert services.at("10.96.0.2") is None


def test_families_are_those_of_the_addresses_else_of_the_pods() -> None:
    four = service("shop/four", leading(80), at=["10.96.0.9"], selects=WEB)
    headless, empty = service("shop/headless", at=["None"], selects={"app": "six"}), service("shop/empty")
    model = model_of(*SHOP, four, headless, empty, pod("shop/six", app="six", at=["fd00::6"]))
    services = Services(model)

    assert (Family.IPV4, Family.IPV6) == services.families(only(services))
    assert (Family.IPV4,) == services.families(only(services, "four"))
    assert (Family.IPV6,) == services.families(only(services, "headless"))
    assert (Family.IPV4, Family.IPV6) == services.families(only(services, "empty"))


def test_services_of_a_pod_are_those_that_select_it() -> None:
    external = service("shop/external", selects=WEB, type="ExternalName")
    model = model_of(*SHOP, service("shop/db", selects={"app": "db"}), service("shop/none"), external)
    services = Services(model)

    assert ["web"] == [item.name for item in services.of(one(model, "a"))]


ITSELF = (pod("shop/a", app="web"), service("shop/web", leading(80), selects=WEB))


def through(model: Model, name: str = "a", source: Pod | Address | None = None) -> Verdict:
    found = one(model, name)
    return Services(model).through(source or found, found, HTTP).verdict


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [(Match.OPEN, Verdict.UNDEFINED), (Match.YES, Verdict.ALLOWED), (Match.NO, Verdict.DENIED)],
)
def test_pod_to_itself_by_a_service_is_what_the_dialect_says(answer: Match, verdict: Verdict) -> None:
    model = model_of(*ITSELF, deny_all("shop/p"), dialect=Dialect(reaches_itself_by_service=answer))

    assert verdict is through(model)
    # By its address it is the same pod.
    assert verdict is through(model, source=Address(one(model, "a").addresses[0]))


def test_pod_to_itself_by_a_service_is_allowed_where_policies_allow_it() -> None:
    assert Verdict.ALLOWED is through(model_of(*ITSELF, policy("shop/p", ingress=[allow(pods(app="web"))])))


def test_pod_to_itself_by_a_service_is_unknown_where_something_was_not_read() -> None:
    model = Model(snapshot(*ITSELF, unreadable={"networkpolicies": "forbidden"}))

    assert Verdict.UNKNOWN is through(model)


@pytest.mark.parametrize(
    ("network", "answer", "verdict"),
    [
        (HostNetwork.OPEN, Match.OPEN, Verdict.UNDEFINED),
        (HostNetwork.OPEN, Match.NO, Verdict.UNDEFINED),
        (HostNetwork.AS_NODE, Match.NO, Verdict.ALLOWED),
        (HostNetwork.AS_POD, Match.NO, Verdict.DENIED),
        (HostNetwork.AS_POD, Match.OPEN, Verdict.UNDEFINED),
    ],
)
def test_pod_on_the_host_network_to_itself(network: HostNetwork, answer: Match, verdict: Verdict) -> None:
    host = pod("shop/a", app="web", **on_host("192.168.0.1"))
    dialect = Dialect(reaches_itself_by_service=answer, host_network=network)

    assert verdict is through(model_of(host, ITSELF[1], deny_all("shop/p"), dialect=dialect))


def test_backend_says_where_it_is() -> None:
    model = model_of(*SHOP)

    assert (Backend(one(model, "a"), 8080), Backend(one(model, "b"), 8080)) == Services(model).backends(
        only(Services(model)), Protocol.TCP, 80
    )
