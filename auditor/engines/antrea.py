"""Antrea."""

from __future__ import annotations

from auditor.engines.engine import NETWORK_POLICY_API, Engine, Features, Marks, Ways, kinds_of
from auditor.model.dialect import Dialect

GROUP = "crd.antrea.io"
ENGINE = Engine(
    "antrea",
    "Antrea",
    Marks(daemon_sets=frozenset({"antrea-agent"}), groups=frozenset({GROUP})),
    # AdminNetworkPolicy behind a feature gate, ClusterNetworkPolicy from 2.7 on.
    Ways(Features(layers=kinds_of(GROUP), perhaps=NETWORK_POLICY_API), Dialect("antrea")),
)
