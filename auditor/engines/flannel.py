"""Flannel, which carries packets and by itself enforces nothing."""

from __future__ import annotations

from auditor.engines.engine import Engine, Feature, Features, Marks, Ways
from auditor.model.dialect import Dialect
from auditor.model.rules import Match

ALONE = "by itself it enforces nothing; its chart can add kube-network-policies to its pods, which no pod's name shows"
ENGINE = Engine(
    "flannel",
    "flannel",
    Marks(
        daemon_sets=frozenset({"kube-flannel", "kube-flannel-ds"}),
        places=frozenset({"kube-flannel", "kube-system"}),
    ),
    Ways(Features(policies=Feature(Match.NO, ALONE)), Dialect("flannel")),
)
