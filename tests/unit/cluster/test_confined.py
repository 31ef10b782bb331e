"""What a run reads that may look at nothing but nodes and netaudit's own namespaces."""

from __future__ import annotations

import pytest

from auditor.cluster.confined import OwnNamespaces
from auditor.cluster.decode import decode
from auditor.errors import PermissionMissing
from tests.unit.cluster.test_live import Server

OWN = ("netaudit-ctl-1", "netaudit-ctl-2")
POLICIES = [f"/apis/networking.k8s.io/v1/namespaces/{name}/networkpolicies" for name in OWN]
SYSTEM = "/api/v1/namespaces/kube-system"
CILIUM = "/apis/cilium.io/v2"
WIDE = f"{CILIUM}/ciliumclusterwidenetworkpolicies"
CALICO = "/apis/crd.projectcalico.org/v1"


async def test_nothing_else_is_asked_for() -> None:
    server = Server()
    await OwnNamespaces(server, OWN).collect()

    assert sorted(server.asked) == sorted(["/version", "/apis", "/api/v1/nodes", SYSTEM, *POLICIES])


async def test_other_kinds_are_asked_for_in_own_namespaces_where_they_stand_in_namespaces() -> None:
    server = Server("cilium.io/v2")
    await OwnNamespaces(server, OWN).collect_policies()

    assert WIDE in server.asked
    assert f"{CILIUM}/namespaces/netaudit-ctl-2/ciliumnetworkpolicies" in server.asked
    assert f"{CILIUM}/ciliumnetworkpolicies" not in server.asked


async def test_policies_of_the_whole_cluster_that_may_not_be_read_are_a_doubt_and_not_unknown() -> None:
    found = decode(await OwnNamespaces(Server("cilium.io/v2", refuses={WIDE: 403, SYSTEM: 403}), OWN).collect())

    assert found.doubts == ("ciliumclusterwidenetworkpolicies.cilium.io could not be listed: it answered 403",)
    assert (found.blind_spots, found.unreadable, found.cluster_uid) == ((), frozenset(), "")


async def test_what_policies_that_were_read_lean_on_leaves_them_unknown() -> None:
    server = Server("crd.projectcalico.org/v1", refuses={f"{CALICO}/tiers": 403})
    server.lists[f"{CALICO}/globalnetworkpolicies"] = [{"metadata": {"name": "g"}, "spec": {}}]
    found = decode(await OwnNamespaces(server, OWN).collect())

    assert found.unreadable == {"tiers.crd.projectcalico.org"}
    assert found.blind_spots


@pytest.mark.parametrize("path", ["/api/v1/nodes", *POLICIES])
async def test_without_nodes_or_own_policies_there_is_no_audit(path: str) -> None:
    with pytest.raises(PermissionMissing, match="cannot list") as caught:
        await OwnNamespaces(Server(refuses={path: 403}), OWN).collect()
    assert "deploy/kustomize/sentinel" in caught.value.attempt
