"""OVN-Kubernetes, which OpenShift brings along."""

from __future__ import annotations

from auditor.engines.engine import Engine, Feature, Features, Marks, Ways, kinds_of
from auditor.model.dialect import Dialect
from auditor.model.rules import Match

GROUP = "k8s.ovn.org"
NAMES = "versions have read a port name as the number 0, which opens the whole protocol (ovn-org/ovn-kubernetes#2117)"
ENGINE = Engine(
    "ovn_kubernetes",
    "OVN-Kubernetes",
    Marks(
        daemon_sets=frozenset({"ovnkube-node"}),
        places=frozenset({"openshift-ovn-kubernetes", "ovn-kubernetes"}),
        groups=frozenset({GROUP}),
    ),
    Ways(
        Features(
            named_ports=Feature(Match.UNKNOWN, NAMES),
            layers=kinds_of(GROUP) | kinds_of("policy.networking.k8s.io", "v1alpha1"),
        ),
        Dialect("ovn_kubernetes"),
    ),
)
