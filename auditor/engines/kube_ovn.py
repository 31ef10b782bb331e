"""Kube-OVN."""

from __future__ import annotations

from auditor.engines.engine import NETWORK_POLICY_API, Engine, Feature, Features, Marks, Ways
from auditor.model.dialect import Dialect
from auditor.model.rules import Match

ENGINE = Engine(
    "kube_ovn",
    "Kube-OVN",
    Marks(daemon_sets=frozenset({"kube-ovn-cni"})),
    Ways(
        Features(
            policies=Feature(Match.UNKNOWN, "policies can be switched off (enable-np)"), perhaps=NETWORK_POLICY_API
        ),
        Dialect("kube_ovn"),
    ),
)
