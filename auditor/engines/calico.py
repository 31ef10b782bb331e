"""Calico: as its operator or manifests install it, with flannel (canal), and in managed clusters."""

from __future__ import annotations

from auditor.engines.engine import NETWORK_POLICY_API, Engine, Features, Marks, Ways, kinds_of
from auditor.model.dialect import Dialect
from auditor.model.rules import Match

GROUP = "crd.projectcalico.org"
ENGINE = Engine(
    "calico",
    "Calico",
    Marks(
        daemon_sets=frozenset({"calico-node", "canal", "rke2-canal"}),
        places=frozenset({"calico-system", "kube-system"}),
        node_labels={"kubernetes.azure.com/network-policy": "calico"},
        groups=frozenset({GROUP}),
    ),
    # AdminNetworkPolicy and its baseline in 3.29 to 3.31, ClusterNetworkPolicy from 3.32 on.
    Ways(Features(layers=kinds_of(GROUP), perhaps=NETWORK_POLICY_API), Dialect("calico", block_holds_pods=Match.YES)),
)
