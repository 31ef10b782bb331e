"""Services without a selector: where their EndpointSlices lead, and why it cannot be said where they do not."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.evaluate.model import Model
from auditor.model.cluster import Pod
from auditor.model.flow import Family, Protocol, Traffic, Verdict
from auditor.services import Services
from tests.builders import Raw, allow, block, deny_all, pod, policy, snapshot
from tests.unit.cluster.reading import reading
from tests.unit.explaining import answered, endpoint, leading, model_of, on_host, service, slice_of

FOUR, SIX = "10.96.0.1", "fd00:96::1"
API = service("shop/api", leading(80, 9090), at=[FOUR])
CLIENT = pod("shop/client", at=["10.0.0.1", "fd00::1"])
DB = pod("other/db", app="db", at=["10.0.0.2", "fd00::2"])
FAR = "203.0.113.9"


def behind(*objects: Raw, port: int | str = 80, protocol: Protocol = Protocol.TCP) -> list[tuple[str, int]]:
    """What stands behind the Service shop/api."""
    services = Services(model_of(*objects))
    found = services.named("shop", "api")
    assert found is not None
    backends = services.backends(found, protocol, port)
    return [(item.end.name if isinstance(item.end, Pod) else item.end.ip, item.port) for item in backends]


def verdict(*objects: Raw, **more: Any) -> tuple[str, str]:
    found = answered(model_of(CLIENT, *objects), "shop/client", "shop/svc/api", **more)
    assert "error" not in found
    return found["verdict"], found["reason"]


def test_addresses_of_pods_are_those_pods_and_others_are_outside() -> None:
    assert [("db", 8080), (FAR, 8080)] == behind(API, DB, slice_of("shop/api", "10.0.0.2", FAR))


def test_port_is_the_one_of_the_slice_by_its_name_and_protocol() -> None:
    ports = [leading(80, name="web"), leading(443, name="tls"), leading(443, protocol="UDP", name="quic")]
    led = [{"name": "web", "port": 1}, {"name": "tls", "port": 2}, {"name": "quic", "port": 3, "protocol": "UDP"}]
    objects = service("shop/api", *ports, at=[FOUR]), slice_of("shop/api", FAR, ports=led)

    assert [(FAR, 1)] == behind(*objects) == behind(*objects, port="web")
    assert [(FAR, 2)] == behind(*objects, port=443)
    assert [(FAR, 3)] == behind(*objects, port=443, protocol=Protocol.UDP)
    assert [] == behind(*objects, port=81)


@pytest.mark.parametrize(
    ("ports", "ends"),
    [
        ([{"port": None}], [(FAR, 9090)]),
        ([{"name": "", "port": 1}, {"port": 2}], [(FAR, 1), (FAR, 2)]),
        ([{"name": "other", "port": 1}], []),
        ([{"port": 1, "protocol": "UDP"}], []),
        ([{"port": 0}], []),
        ([], []),
    ],
)
def test_port_without_a_number_is_every_port_and_no_port_is_none(ports: list[Raw], ends: list[tuple[str, int]]) -> None:
    assert ends == behind(API, slice_of("shop/api", FAR, ports=ports))


def test_port_without_a_number_and_with_a_target_by_name_is_the_service_s() -> None:
    named = service("shop/api", leading(80, "http"), at=[FOUR])

    assert [(FAR, 80)] == behind(named, slice_of("shop/api", FAR, ports=[{}]))


LAST = endpoint("10.1.0.3", ready=False, serving=True, terminating=True)
GONE = endpoint("10.1.0.4", ready=False, serving=False, terminating=True)
SLOW = endpoint("10.1.0.5", ready=False, serving=False, terminating=False)


@pytest.mark.parametrize(
    ("endpoints", "chosen"),
    [
        ([endpoint("10.1.0.1"), endpoint("10.1.0.2", ready=None), SLOW], ["10.1.0.1", "10.1.0.2"]),
        ([endpoint("10.1.0.1", ready=True), LAST], ["10.1.0.1"]),
        ([LAST, GONE, SLOW], ["10.1.0.3"]),
        ([endpoint("10.1.0.3", ready=False, terminating=True)], ["10.1.0.3"]),
        ([GONE, SLOW], []),
    ],
)
def test_endpoints_are_chosen_as_kube_proxy_does(endpoints: list[Raw], chosen: list[str]) -> None:
    """Ready ones, or, where there is none, those that end and serve still; what is not said is ready."""
    assert chosen == [end for end, _ in behind(API, slice_of("shop/api", *endpoints))]


def test_each_family_falls_back_for_itself() -> None:
    six = endpoint("fd00::3", ready=False, serving=True, terminating=True)
    slices = slice_of("shop/api", FAR), slice_of("shop/api", six, name="six")

    assert {FAR, "fd00::3"} == {end for end, _ in behind(API, *slices)}


def test_headless_service_has_the_ready_ones_at_any_port() -> None:
    headless = service("shop/api", leading(80, name="web"), at=["None"])
    made = slice_of("shop/api", FAR, LAST, ports=[{"name": "web", "port": 8080}])

    assert [(FAR, 7)] == behind(headless, made, port=7)
    assert [(FAR, 8080)] == behind(headless, made, port="web")
    assert [] == behind(headless, slice_of("shop/api", LAST), port="web")


def test_same_endpoint_in_two_slices_is_one() -> None:
    assert [(FAR, 8080)] == behind(API, slice_of("shop/api", FAR), slice_of("shop/api", FAR, name="more"))


def test_slices_of_other_services_and_namespaces_do_not_count() -> None:
    assert [] == behind(API, slice_of("other/api", FAR), slice_of("shop/web", FAR))


def test_policies_judge_the_endpoint_and_its_port() -> None:
    egress = policy("shop/out", egress=[allow(block("203.0.113.0/24"), ports=[{"port": 8080}])])

    assert "allowed" == verdict(API, slice_of("shop/api", FAR), egress)[0]
    assert "denied" == verdict(API, slice_of("shop/api", "198.51.100.1"), egress)[0]
    assert "denied" == verdict(API, DB, slice_of("shop/api", "10.0.0.2"), deny_all("other/in", app="db"))[0]


def test_endpoints_that_differ_leave_the_flow_open() -> None:
    made = slice_of("shop/api", "10.0.0.2", FAR)

    found = verdict(API, DB, made, deny_all("other/in", "Ingress", app="db"))

    assert ("undefined", "the endpoints behind shop/api differ, and any of them may be chosen") == found


def test_node_is_an_endpoint_like_the_api_server_s() -> None:
    host = pod("kube-system/apiserver", **on_host("192.168.0.1", "n2"))
    made = slice_of("shop/api", "192.168.0.1", ports=[{"port": 6443}])

    assert [("192.168.0.1", 6443)] == behind(API, host, made)
    assert "denied" == verdict(API, host, made, deny_all("shop/out", "Egress"))[0]


def test_families_are_those_of_the_endpoints_where_the_service_has_no_address() -> None:
    bare = service("shop/api", leading(80))
    for made, families in (
        ([slice_of("shop/api", "fd00::9")], (Family.IPV6,)),
        ([slice_of("shop/api", "fd00::9"), slice_of("shop/api", FAR, name="four")], tuple(Family)),
        ([], tuple(Family)),
    ):
        services = Services(model_of(bare, *made))
        found = services.named("shop", "api")
        assert found is not None
        assert families == services.families(found)


def test_pods_behind_endpoints_are_pods_of_the_service() -> None:
    model = model_of(
        API, DB, CLIENT, slice_of("shop/api", "10.0.0.2", FAR), slice_of("shop/api", "fd00::2", name="six")
    )
    services = Services(model)
    (db,) = [item for item in model.snapshot.pods if item.name == "db"]
    found = services.named("shop", "api")
    assert found is not None

    assert (db,) == services.pods(found)
    assert [found] == services.of(db)
    assert [] == [item for other in model.snapshot.pods if other is not db for item in services.of(other)]


def test_pod_that_reaches_itself_by_its_endpoint_may_be_ruled() -> None:
    found = verdict(API, slice_of("shop/api", "10.0.0.1"), deny_all("shop/p"))

    assert "undefined" == found[0]
    assert "reaches itself through a Service" in found[1]


FORBIDDEN = "it answered 403: endpointslices.discovery.k8s.io is forbidden"


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        (
            [slice_of("other/api", FAR)],
            "Service shop/api has no selector and no EndpointSlice: it has no endpoints, so that nobody can answer",
        ),
        (
            [slice_of("shop/api", SLOW)],
            "no endpoint behind port 80/TCP of Service shop/api is ready, so that nobody can answer",
        ),
        (
            [slice_of("shop/api", "fd00::9")],
            "no endpoint behind port 80/TCP of Service shop/api has an IPv4 address",
        ),
        (
            [{**slice_of("shop/api", "x"), "addressType": "FQDN"}],
            "the EndpointSlices of Service shop/api name hosts in DNS, which were not looked up",
        ),
        (
            [slice_of("shop/api", FAR), slice_of("shop/api", "no address", name="bad")],
            "Service shop/api has no selector, and an EndpointSlice of its namespace could not be read",
        ),
        ([slice_of("shop/api", FOUR)], f"{FOUR} is the address of a Service, to which no other can lead"),
        (
            [slice_of("shop/api", endpoint("10.0.0.77", pod="gone"))],
            "10.0.0.77 is a pod's by its EndpointSlice, and no pod is known to have it",
        ),
    ],
)
def test_what_nobody_can_tell_is_unknown_and_says_why(objects: list[Raw], why: str) -> None:
    assert ("unknown", why) == verdict(API, *objects, deny_all("shop/p"), family="IPv4")


def test_pod_on_the_host_network_is_no_pod_that_is_missing() -> None:
    host = pod("other/host", **on_host("192.168.0.1"))

    assert "allowed" == verdict(API, host, slice_of("shop/api", endpoint("192.168.0.1", pod="host")))[0]


def test_missing_right_is_named_and_concerns_nobody_else() -> None:
    found = snapshot(CLIENT, API, unreadable={"endpointslices": FORBIDDEN})
    answer = answered(Model(found), "shop/client", "shop/svc/api")

    assert (frozenset(), (), ()) == (found.unreadable, found.warnings, found.blind_spots)
    assert "unknown" == answer["verdict"]
    assert answer["reason"] == (
        "Service shop/api has no selector, and to read where it leads takes the right to "
        f"list endpointslices.discovery.k8s.io: {FORBIDDEN}"
    )


def test_selector_comes_before_slices() -> None:
    """What is not ready is behind such a Service as before: what a Service is made for counts, not the moment."""
    chosen = service("shop/api", leading(80), at=[FOUR], selects={"app": "db"}, publishNotReadyAddresses=True)
    made = slice_of("shop/api", FAR)

    assert [("db-0", 80)] == behind(chosen, pod("shop/db-0", app="db"), made)
    assert () == snapshot(chosen, made).slices


FILES = """
apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {clusterIP: 10.96.0.1, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop}
spec: {containers: [{name: c, image: c}]}
---
"""
SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: api-1, namespace: shop, labels: {kubernetes.io/service-name: api}}
addressType: IPv4
endpoints: [{addresses: [203.0.113.9], conditions: {ready: true}, nodeName: n1, hints: {}}]
ports: [{port: 8080}]
"""


def test_files_give_slices_and_say_where_one_is_missing() -> None:
    given, missing = reading(FILES + SLICE), reading(FILES)

    assert [] == given.of() == missing.of()
    first, second = (answered(Model(item.snapshot), "shop/client", "shop/svc/api") for item in (given, missing))
    assert "allowed" == first["verdict"]
    assert ("unknown", "Service shop/api has no selector, and no EndpointSlice of it was given") == (
        second["verdict"],
        second["reason"],
    )


def test_decision_by_family_of_two_addresses() -> None:
    dual = service("shop/api", leading(80), at=[FOUR, SIX])
    model = model_of(CLIENT, dual, slice_of("shop/api", FAR), deny_all("shop/p", "Egress"))
    services = Services(model)
    found, client = services.named("shop", "api"), model.snapshot.pods[0]
    assert found is not None

    verdicts = [services.decide(client, found, Traffic(it, Protocol.TCP, 80)).verdict for it in Family]

    assert {Verdict.DENIED, Verdict.UNKNOWN} == set(verdicts)
