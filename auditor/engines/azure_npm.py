"""Azure Network Policy Manager, of AKS."""

from __future__ import annotations

from auditor.engines.engine import Engine, Feature, Features, Marks, Ways
from auditor.model.dialect import Dialect
from auditor.model.rules import Match

ENGINE = Engine(
    "azure_npm",
    "Azure Network Policy Manager",
    Marks(
        daemon_sets=frozenset({"azure-npm"}),
        settings=frozenset({"kube-system/azure-npm-config"}),
        node_labels={"kubernetes.azure.com/network-policy": "azure"},
    ),
    Ways(
        Features(ipv6=Feature(Match.NO, "IPv6 is not supported")),
        # Azure/azure-container-networking#2786: traffic to the own node is not filtered, by design.
        Dialect("azure_npm", reaches_own_node=Match.YES),
    ),
)
