"""Which requests a snapshot of a live cluster takes, and what becomes of those that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.cluster.api import KubeApi
from auditor.cluster.live import FEW_PLACES, MOST_NAMES, LiveCluster
from auditor.cluster.resources import CORE, SLICES_PATH
from auditor.errors import ApiRefused, PermissionMissing
from tests.unit.explaining import service

ACCOUNTS = "/api/v1/serviceaccounts"
SETTINGS = "/api/v1/namespaces/kube-system/configmaps/cilium-config"
CRDS = "/apis/crd.projectcalico.org/v1"


class Server(KubeApi):
    """Serves API groups, lists and single objects, and notes what it was asked for."""

    def __init__(self, *groups: str, refuses: dict[str, int] | None = None) -> None:
        self.groups = groups
        self.refuses = refuses or {}
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[str] = []

    async def get(self, path: str, **query: str | int) -> dict[str, Any]:
        self._ask(path, *query.values())
        if path in self.lists:
            return {"items": self.lists[path]}
        if path == "/apis":
            pairs = [group.split("/") for group in self.groups]
            return {"groups": [{"name": name, "versions": [{"version": version}]} for name, version in pairs]}
        return {"gitVersion": "v1.35.0"} if path == "/version" else {"metadata": {"name": path.rpartition("/")[2]}}

    async def list_all(self, path: str, resource: str = "") -> list[dict[str, Any]]:
        self._ask(path)
        return self.lists.get(path, [])

    def _ask(self, path: str, *query: str | int) -> None:
        self.asked.append(" ".join(map(str, (path, *query))))
        status = self.refuses.get(path)
        if status is not None:
            kind = PermissionMissing if status == 403 else ApiRefused
            raise kind("refused", why=f"it answered {status}", attempt="", status=status)


async def test_plain_cluster_is_asked_for_nothing_beyond_the_core() -> None:
    server = Server()
    raw = await LiveCluster(server).collect()

    assert sorted(server.asked) == sorted(["/version", "/apis", *CORE.values()])
    assert raw.unreadable == {}
    assert "serviceaccounts" not in raw.objects


async def test_calico_kinds_are_listed_where_their_resources_are_served() -> None:
    """The same data is served by a second group, which counts only where the first one is missing."""
    for groups, prefix in (
        (("crd.projectcalico.org/v1", "projectcalico.org/v3"), CRDS),
        (("projectcalico.org/v3",), "/apis/projectcalico.org/v3"),
    ):
        server = Server(*groups)
        raw = await LiveCluster(server).collect()
        assert f"{prefix}/tiers" in server.asked
        assert len([path for path in server.asked if "projectcalico" in path]) == 8
        assert "tiers.crd.projectcalico.org" in raw.objects


async def test_service_accounts_are_listed_for_policies_that_may_select_by_them() -> None:
    """On the second reading too, or selectors would lose their answers during a run."""
    server = Server("crd.projectcalico.org/v1")
    server.lists = {f"{CRDS}/globalnetworkpolicies": [{"metadata": {"name": "guard"}}], ACCOUNTS: [{"metadata": {}}]}
    live = LiveCluster(server)

    assert (await live.collect()).objects["serviceaccounts"] == [{"metadata": {}}]
    assert (await live.collect_policies()).objects["serviceaccounts"] == [{"metadata": {}}]


@pytest.mark.parametrize(("count", "asked"), [(2, 2), (FEW_PLACES + 1, 1)])
async def test_pods_are_read_whole_where_they_are_asked_for(count: int, asked: int) -> None:
    """Namespace by namespace, or all at once where that costs fewer requests."""
    server = Server()
    names = [f"n{number}" for number in range(count)]
    raw = await LiveCluster(server).collect_pods(names)

    places = [CORE["pods"]] if asked == 1 else [f"/api/v1/namespaces/{name}/pods" for name in names]
    assert server.asked == places
    assert list(raw.objects) == ["pods"]


@pytest.mark.parametrize("status", [403, 404])
async def test_what_only_helps_may_be_refused(status: int) -> None:
    """No blind spot and no end comes of it."""
    server = Server("crd.projectcalico.org/v1", "cilium.io/v2", refuses={ACCOUNTS: status, SETTINGS: status})
    server.lists = {f"{CRDS}/networkpolicies": [{"metadata": {"name": "guard"}}]}
    raw = await LiveCluster(server).collect()

    assert raw.unreadable == {}
    assert "configmaps" not in raw.objects
    assert ("serviceaccounts" in raw.objects) is (status == 404)


async def test_settings_of_an_engine_that_is_there_are_read() -> None:
    server = Server("cilium.io/v2")

    assert (await LiveCluster(server).collect()).objects["configmaps"] == [{"metadata": {"name": "cilium-config"}}]


@pytest.mark.parametrize("path", [ACCOUNTS, SETTINGS, CORE["services"], SLICES_PATH])
async def test_other_refusals_end_the_reading(path: str) -> None:
    server = Server("crd.projectcalico.org/v1", "cilium.io/v2", refuses={path: 500})
    server.lists = {f"{CRDS}/networkpolicies": [{"metadata": {"name": "guard"}}], CORE["services"]: BARE}

    with pytest.raises(ApiRefused):
        await LiveCluster(server).collect()


BARE = [service(f"shop/{name}") for name in ("db", "api", "api")]
OTHERS = [
    service("shop/web", selects={"app": "web"}),
    service("shop/out", type="ExternalName", externalName="example.org"),
    5,
    {"metadata": {"name": "odd"}},
    {"spec": {}},
]


@pytest.mark.parametrize(
    ("services", "asked"),
    [
        (OTHERS, []),
        ([*OTHERS, *BARE], [f"{SLICES_PATH} kubernetes.io/service-name in (api,db)"]),
        ([service(f"shop/s{number}") for number in range(MOST_NAMES + 1)], [SLICES_PATH]),
    ],
)
async def test_slices_are_listed_for_services_without_a_selector(services: list[Any], asked: list[str]) -> None:
    """By the names of the Services, unless these are too many for a URL."""
    server = Server()
    server.lists = {CORE["services"]: services, SLICES_PATH: [{"metadata": {}}]}
    raw = await LiveCluster(server).collect()

    assert asked == [path for path in server.asked if "endpointslices" in path]
    assert raw.objects["endpointslices"] == [{"metadata": {}}] * len(asked)


@pytest.mark.parametrize("status", [403, 404])
async def test_slices_that_cannot_be_listed_are_noted(status: int) -> None:
    """Not served is not the same as none there: a Service without a selector may lead somewhere all the same."""
    server = Server(refuses={SLICES_PATH: status})
    server.lists = {CORE["services"]: BARE}
    raw = await LiveCluster(server).collect()

    assert raw.unreadable == {"endpointslices": f"it answered {status}"}


async def test_needed_list_that_is_forbidden_ends_the_reading() -> None:
    """Another one is noted."""
    with pytest.raises(PermissionMissing, match="cannot list pods"):
        await LiveCluster(Server(refuses={CORE["pods"]: 403})).collect()
    raw = await LiveCluster(Server(refuses={CORE["services"]: 403})).collect()
    assert raw.unreadable == {"services": "it answered 403"}
