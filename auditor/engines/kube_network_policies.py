"""kube-network-policies, the project of Kubernetes itself, as a DaemonSet of its own."""

from __future__ import annotations

from auditor.engines.engine import NETWORK_POLICY_API, Engine, Features, Marks, Ways
from auditor.model.dialect import Dialect

ENGINE = Engine(
    "kube_network_policies",
    "kube-network-policies",
    Marks(daemon_sets=frozenset({"kube-network-policies"})),
    # There is a build for each of the API's versions.
    Ways(Features(perhaps=NETWORK_POLICY_API), Dialect("kube_network_policies")),
)
