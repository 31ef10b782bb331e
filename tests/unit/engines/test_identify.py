"""Which engine a snapshot shows, how sure that is, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.cluster.decode import decode
from auditor.engines import ENGINES, Identification, identify_engine
from auditor.model.cluster import Snapshot
from auditor.model.dialect import API, HostNetwork
from auditor.model.finding import Confidence
from auditor.model.rules import Match
from auditor.ports import RawSnapshot
from tests.builders import Raw, node, pod, raw, snapshot
from tests.cilium import cnp, config


def agent(daemon_set: str, namespace: str = "kube-system", on: str = "n1", **more: Any) -> Raw:
    return pod(f"{namespace}/{daemon_set}-{on}", on=on, owner=f"DaemonSet/{daemon_set}", **more)


def labelled(name: str, labels: dict[str, str]) -> Raw:
    made = node(name)
    return {**made, "metadata": {**made["metadata"], "labels": labels}}


def found(*objects: Raw) -> Identification:
    return identify_engine(snapshot(*objects))


AGENTS = {
    "antrea": ("antrea-agent", "kube-system"),
    "aws_vpc_cni": ("aws-node", "kube-system"),
    "azure_npm": ("azure-npm", "kube-system"),
    "calico": ("calico-node", "calico-system"),
    "cilium": ("cilium", "kube-system"),
    "flannel": ("kube-flannel-ds", "kube-flannel"),
    "kindnet": ("kindnet", "kube-system"),
    "kube_network_policies": ("kube-network-policies", "kube-system"),
    "kube_ovn": ("kube-ovn-cni", "kube-system"),
    "kube_router": ("kube-router", "kube-system"),
    "ovn_kubernetes": ("ovnkube-node", "openshift-ovn-kubernetes"),
    "terway": ("terway-eniip", "kube-system"),
    "weave": ("weave-net", "kube-system"),
}


def test_every_engine_is_tried_here() -> None:
    assert ENGINES.keys() == AGENTS.keys()


@pytest.mark.parametrize("name", AGENTS)
def test_engine_is_known_by_its_agents(name: str) -> None:
    daemon_set, namespace = AGENTS[name]

    seen = found(agent(daemon_set, namespace), agent(daemon_set, namespace, "n2"), node("n3"))

    assert (name, Confidence.CONFIRMED) == (seen.engine, seen.confidence)
    assert (f"DaemonSet {namespace}/{daemon_set} has pods on 2 of 3 nodes",) == seen.evidence
    assert seen.dialect.engine == name


def test_nobody_is_said() -> None:
    seen = found(pod("shop/web"))

    assert ("", API) == (seen.engine, seen.dialect)
    assert "no engine was recognised" in seen.notes[0]


def test_name_taken_elsewhere_shows_nothing() -> None:
    assert "" == found(agent("cilium", "shop")).engine


def test_pod_that_no_daemon_set_owns_shows_nothing() -> None:
    assert "" == found(pod("kube-system/cilium", owner="Deployment/cilium")).engine


def test_agents_that_have_ended_show_nothing() -> None:
    assert "" == found(agent("cilium", phase="Failed")).engine


def test_settings_alone_make_it_likely() -> None:
    seen = found(config())

    assert ("cilium", Confidence.LIKELY) == (seen.engine, seen.confidence)
    assert ("ConfigMap kube-system/cilium-config",) == seen.evidence


def test_node_labels_make_it_likely() -> None:
    seen = found(labelled("n1", {"kubernetes.azure.com/network-policy": "calico"}), node("n2"))

    assert ("calico", Confidence.LIKELY) == (seen.engine, seen.confidence)
    assert ("label kubernetes.azure.com/network-policy=calico on 1 of 2 nodes",) == seen.evidence


def test_objects_alone_are_a_suspicion() -> None:
    seen = found(cnp("a/one", endpointSelector={}), cnp("a/two", endpointSelector={}))

    assert ("cilium", Confidence.SUSPECTED) == (seen.engine, seen.confidence)
    assert ("2 objects of kind CiliumNetworkPolicy",) == seen.evidence


def of_version(version: str, *objects: Raw) -> Snapshot:
    listed = raw(*objects)
    return decode(RawSnapshot(listed.objects, listed.unreadable, version))


def test_k3s_has_kube_router_built_in() -> None:
    seen = identify_engine(of_version("v1.35.1+k3s1", node("n1")))

    assert ("kube_router", Confidence.SUSPECTED) == (seen.engine, seen.confidence)
    assert "--disable-network-policy" in seen.notes[0]


def test_engine_that_runs_comes_before_one_that_may_be_built_in() -> None:
    seen = identify_engine(of_version("v1.35.1+k3s1", agent("cilium")))

    assert ("cilium", ("kube-router",), ()) == (seen.engine, seen.others, seen.notes)
    assert Match.NO is seen.dialect.block_holds_pods


def test_engine_that_enforces_comes_before_one_that_may() -> None:
    seen = found(agent("aws-node"), agent("calico-node"), agent("kube-flannel-ds"))

    assert ("calico", ("AWS VPC CNI", "flannel")) == (seen.engine, seen.others)
    assert Match.YES is seen.dialect.block_holds_pods


def test_two_engines_leave_open_what_the_api_leaves_open() -> None:
    seen = found(agent("cilium"), agent("calico-node"))

    assert API == seen.dialect
    assert ("Calico",) == seen.others
    assert "Cilium and Calico were found at once" in seen.notes[0]


def test_flannel_by_itself_enforces_nothing() -> None:
    assert "enforces nothing" in found(agent("kube-flannel-ds")).notes[0]


def test_cilium_settles_what_the_api_leaves_open() -> None:
    dialect = found(agent("cilium"), config()).dialect

    assert (Match.NO, Match.NO, Match.YES) == (
        dialect.block_holds_pods,
        dialect.reaches_own_node,
        dialect.reaches_itself_by_service,
    )
    assert HostNetwork.AS_NODE is dialect.host_network


def test_cilium_may_be_told_to_let_blocks_hold_pods() -> None:
    assert Match.YES is found(config(policy_cidr_match_mode="nodes,pods")).dialect.block_holds_pods
    assert Match.NO is found(config(policy_cidr_match_mode="nodes")).dialect.block_holds_pods
