"""kube-router: as a DaemonSet, in k0s, and built into k3s, where no pod shows it."""

from __future__ import annotations

from auditor.engines.engine import Engine, Feature, Features, Marks, Ways
from auditor.model.dialect import Dialect
from auditor.model.rules import Match

ENGINE = Engine(
    "kube_router",
    "kube-router",
    Marks(daemon_sets=frozenset({"kube-router"}), version="+k3s"),
    Ways(
        Features(
            policies=Feature(
                Match.UNKNOWN, "the firewall can be switched off (--run-firewall, in k3s --disable-network-policy)"
            ),
            sctp=Feature(Match.UNKNOWN, "versions differ in what they do with SCTP (cloudnativelabs/kube-router#1019)"),
        ),
        Dialect("kube_router", block_holds_pods=Match.YES),
    ),
)
