"""What `netaudit explain SRC DST PORT` answers."""

from __future__ import annotations

import pytest

from auditor import asking
from auditor.errors import UsageError
from auditor.model.flow import Family, Verdict
from tests.builders import Raw, allow, deny_all, pod, pods, policy, port, selector
from tests.unit.explaining import asked, leading, model_of, service, slice_of

WEB = [
    pod(f"shop/web-{it}", owner="StatefulSet/web", app="web", at=[f"10.0.0.{it}", f"fd00::{it}"]) for it in range(1, 4)
]
DB = pod("shop/db", owner="Deployment/db", app="db", at=["10.0.1.1"], ports=[port(5432, "sql"), port(53, "dns", "UDP")])
LET_WEB = policy("shop/p", selector(app="db"), ingress=[allow(pods(app="web"))])


def groups(
    *objects: Raw, source: str = "web", destination: str = "db", number: int | str = 80, **more: bool
) -> list[tuple[Verdict, int]]:
    found = asked(model_of(*WEB, DB, *objects), source, destination, number, **more)
    return [(item.verdict, item.flows) for item in found.groups]


def test_flows_that_are_decided_alike_are_one_group() -> None:
    found = asked(model_of(*WEB, DB, LET_WEB), "web", "db", 80)

    (group,) = found.groups
    assert (Verdict.ALLOWED, 3, 3, 1) == (group.verdict, group.flows, group.sources, group.destinations)
    assert ("shop/web", "shop/db", "80/TCP") == (found.source, found.destination, found.port)


def test_flows_that_are_decided_otherwise_are_another() -> None:
    other = pod("shop/web-4", owner="StatefulSet/web", at=["10.0.0.4"])

    assert [(Verdict.ALLOWED, 3), (Verdict.DENIED, 1)] == groups(LET_WEB, other)


def test_both_families_are_asked_where_both_ends_have_them() -> None:
    assert [(Verdict.ALLOWED, 12)] == groups(destination="web")


def test_family_of_an_address_is_the_only_one() -> None:
    (group,) = asked(model_of(*WEB), "shop/web-1", "fd00::2", 80).groups

    assert (1, Family.IPV6) == (group.flows, group.example.traffic.family)


def test_pod_alone_may_be_asked_about_itself() -> None:
    assert [(Verdict.ALLOWED, 1)] == groups(deny_all("shop/p"), source="db", destination="db")


def test_among_many_nobody_is_asked_about_itself() -> None:
    assert [(Verdict.DENIED, 4)] == groups(deny_all("shop/p", app="web"), source="shop/web-1", destination="web")


def test_name_of_a_port_is_looked_up_for_the_protocol() -> None:
    assert [(Verdict.ALLOWED, 3)] == groups(number="sql")
    assert [(Verdict.ALLOWED, 3)] == groups(number="dns", udp=True)
    with pytest.raises(UsageError) as caught:
        groups(number="dns")
    assert "no pod there has that port, or the ends share no address family" == caught.value.why


LEAVES = "is an ExternalName: its name leaves the cluster, for one in DNS that was not looked up"
ALIAS = service("shop/alias", type="ExternalName", externalName="example.org")
SVC = service("shop/db", leading(80, "sql", name="front"), at=["10.96.0.1"], selects={"app": "db"})


@pytest.mark.parametrize(
    ("destination", "number", "by_service"),
    [
        ("svc/db", 80, False),
        ("svc/db", "front", False),
        ("10.96.0.1", 80, False),
        ("shop/pod/db", 80, True),
        ("ns/shop", "front", True),
    ],
)
def test_service_leads_to_the_port_of_its_pods(destination: str, number: int | str, by_service: bool) -> None:
    found = asked(model_of(*WEB, DB, SVC, LET_WEB), "web", destination, number, by_service=by_service)

    (group,) = found.groups
    assert (Verdict.ALLOWED, 3, 5432) == (group.verdict, group.flows, group.example.traffic.port)
    assert (f"Service shop/db leads {number} to port 5432 of shop/db",) == group.example.notes


def test_headless_service_says_that_no_port_is_translated() -> None:
    headless = service("shop/h", leading(80, 5432), at=["None"], selects={"app": "db"})

    (group,) = asked(model_of(*WEB, DB, headless), "web", "svc/h", 7).groups

    assert 7 == group.example.traffic.port
    assert (
        "Service shop/h is headless: its name stands for shop/db, and no port is translated",
    ) == group.example.notes


def test_pod_behind_its_own_service_is_explained_by_its_policies() -> None:
    (group,) = asked(model_of(DB, SVC, deny_all("shop/p")), "db", "svc/db", 80).groups

    assert Verdict.UNDEFINED is group.verdict is group.example.decision.verdict
    assert all(steps.tiers for steps in group.example.directions)
    assert [Verdict.UNDEFINED] * 2 == [steps.verdict for steps in group.example.directions]


@pytest.mark.parametrize(
    ("source", "destination", "number", "why"),
    [
        ("svc/db", "web", 80, "a Service opens no connections: ask for the pods behind it"),
        ("web", "svc/db", 81, "Service shop/db offers 80/TCP, and not 81/TCP"),
        ("web", "svc/none", 81, "Service shop/none offers 80/TCP, and not 81/TCP"),
        ("web", "svc/alias", "http", f"Service shop/alias {LEAVES}"),
        ("web", "svc/empty", 80, "no pod is behind port 80/TCP of Service shop/empty"),
        ("web", "ops/done", 80, "pod ops/done has finished, and has given its address back"),
        ("fd00::9", "db", 80, "no pod there has that port, or the ends share no address family"),
    ],
)
def test_question_without_a_flow_says_why(source: str, destination: str, number: int | str, why: str) -> None:
    empty = service("shop/empty", leading(80), selects={"app": "nobody"})
    model = model_of(*WEB, DB, SVC, service("shop/none", leading(80)), empty, ALIAS, pod("ops/done", phase="Failed"))

    with pytest.raises(UsageError) as caught:
        asked(model, source, destination, number)

    assert why == caught.value.why


@pytest.mark.parametrize(
    ("destination", "number", "why"),
    [
        ("svc/alias", 443, f"Service shop/alias {LEAVES}"),
        (
            "svc/none",
            "web",
            "Service shop/none has no selector and no EndpointSlice: it has no endpoints, so that nobody can answer",
        ),
        (
            "svc/bare",
            7,
            "Service shop/bare has no selector and no EndpointSlice: it has no endpoints, so that nobody can answer",
        ),
        (
            "svc/unready",
            80,
            "no endpoint behind port 80/TCP of Service shop/unready is ready, so that nobody can answer",
        ),
    ],
)
def test_service_that_leads_nowhere_known_is_unknown(destination: str, number: int | str, why: str) -> None:
    none, bare = service("shop/none", leading(80, name="web")), service("shop/bare", at=["None"])
    unready = service("shop/unready", leading(80)), slice_of("shop/unready")

    found = asked(model_of(*WEB, DB, ALIAS, none, bare, *unready), "web", destination, number)

    (group,) = found.groups
    assert (Verdict.UNKNOWN, why) == (group.verdict, group.example.decision.reason)
    assert f"Service shop/{destination[4:]}" == group.example.destination == found.destination
    assert [(Verdict.UNKNOWN, ())] * 2 == [(steps.verdict, steps.tiers) for steps in group.example.directions]
    assert (6, 3, 1, ()) == (group.flows, group.sources, group.destinations, found.notes)


@pytest.mark.parametrize(("destination", "by_service"), [("svc/api", False), ("shop/pod/db", True)])
def test_endpoints_stand_for_the_pods_of_a_service_without_a_selector(destination: str, by_service: bool) -> None:
    api = service("shop/api", leading(80), at=["10.96.0.7"]), slice_of("shop/api", "10.0.1.1", "203.0.113.9")

    found = asked(model_of(*WEB, DB, *api, deny_all("shop/p", app="db")), "web", destination, 80, by_service=by_service)

    notes = {group.example.destination: (group.verdict, group.flows, group.example.notes) for group in found.groups}
    assert notes == {
        "shop/db": (Verdict.DENIED, 3, ("Service shop/api leads 80 to port 8080 of shop/db",)),
        "203.0.113.9": (Verdict.ALLOWED, 3, ("Service shop/api leads 80 to port 8080 of 203.0.113.9",)),
    }


def test_service_that_nobody_has_is_said() -> None:
    with pytest.raises(UsageError) as caught:
        asked(model_of(*WEB, DB, SVC), "web", "shop/pod/db", 81, by_service=True)

    assert "no Service that selects shop/db has port 81/TCP" == caught.value.why


def test_only_so_many_flows_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_PAIRS", 5)

    found = asked(model_of(*WEB), "web", "web", 80)

    assert (5, ("only the first 5 flows were looked at",)) == (found.groups[0].flows, found.notes)


@pytest.mark.parametrize(
    ("spec", "families"),
    [
        ({"at": ["10.96.0.5"]}, {Family.IPV4}),
        ({"at": ["10.96.0.5", "fd96::5"]}, set(Family)),
        ({"at": ["None"]}, {Family.IPV4}),
        ({"at": ["None"], "ipFamilies": ["IPv6"]}, {Family.IPV6}),
        ({"at": ["None"], "ipFamilyPolicy": "PreferDualStack"}, set(Family)),
        ({"ipFamilyPolicy": "SingleStack"}, {Family.IPV4}),
        ({"ipFamilies": ["IPv6"]}, {Family.IPV6}),
    ],
)
def test_a_service_leads_to_its_own_families_only(spec: Raw, families: set[Family]) -> None:
    """Its pods have addresses of both; one that is not said has the family of its pods' first addresses."""
    behind = service("shop/web", leading(80), selects={"app": "web"}, **spec)
    by_address = policy("shop/p", selector(app="web"), ingress=[allow({"ipBlock": {"cidr": "10.0.0.0/8"}})])
    found = asked(model_of(*WEB, by_address, behind), "shop/web-1", "svc/web", 80)

    assert {group.example.traffic.family for group in found.groups} == families
