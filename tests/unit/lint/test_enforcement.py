"""What the cluster's engine is known to ignore."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.model.lint import LintFinding, LintSeverity, ObjectRef
from tests.builders import Raw, allow, deny_all, named, namespaces, pod, pods, policy, selector, tcp
from tests.unit.lint.linting import SHOP, found, one, places

IGNORED, SETTING, LABEL = "engine-ignores", "engine-setting", "engine-ignores-label"


def agent(daemon_set: str, home: str = "kube-system") -> Raw:
    return pod(f"{home}/{daemon_set}-1", owner=f"DaemonSet/{daemon_set}", spec={"hostNetwork": True})


def config(**data: str) -> Raw:
    return {**named("ConfigMap", "kube-system/cilium-config"), "data": data}


CILIUM = (agent("cilium"), config())
SCTP = policy("shop/sctp", ingress=[allow(ports=[tcp(80), tcp(38412, protocol="SCTP"), tcp(1, protocol="SCTP")])])


def ignored(*objects: Raw) -> tuple[LintFinding, ...]:
    return found(IGNORED, *SHOP, *objects)


def test_feature_that_the_engine_lacks() -> None:
    """One finding for each policy and feature, at the first place."""
    finding = one(IGNORED, *SHOP, *CILIUM, SCTP)

    assert (finding.path, finding.severity) == ("spec.ingress[0].ports[1].protocol", LintSeverity.WARNING)
    assert finding.message == "Cilium does not do what this says (sctp)"
    assert finding.why[1] == "the same holds at spec.ingress[0].ports[2].protocol"
    assert finding.why[2].startswith("Cilium is there: DaemonSet kube-system/cilium")


def test_feature_that_the_engine_may_lack() -> None:
    finding = one(IGNORED, *SHOP, *CILIUM, policy("shop/range", ingress=[allow(ports=[tcp(80, 90)])]))

    assert finding.severity is LintSeverity.INFO
    assert finding.message == "Cilium may not do what this says (end-port)"


@pytest.mark.parametrize("objects", [(SCTP,), (agent("calico-node"), SCTP), (*CILIUM, deny_all("shop/x"))], ids=len)
def test_nothing_to_say(objects: tuple[Raw, ...]) -> None:
    """No engine is known, or it does it all, or nobody asks for it."""
    assert ignored(*objects) == ()


def test_kind_that_the_engine_does_not_read() -> None:
    rule = {"action": "Deny", "from": [{"namespaces": {}}]}
    spec = {"priority": 1, "subject": {"namespaces": {}}, "ingress": [rule]}
    finding = one(IGNORED, *SHOP, *CILIUM, {**named("AdminNetworkPolicy", "a"), "spec": spec})

    assert (finding.object, finding.severity) == (ObjectRef("AdminNetworkPolicy", "", "a"), LintSeverity.WARNING)


def test_engine_that_enforces_nothing_is_one_finding() -> None:
    """However many policies there are: a list of them all would bury the rest."""
    finding = one(IGNORED, *SHOP, agent("kube-flannel", "kube-flannel"), deny_all("shop/a"), deny_all("shop/b"))

    assert (finding.object.name, finding.severity) == ("a", LintSeverity.ERROR)
    assert finding.message == "flannel does not enforce NetworkPolicy: neither this one nor any other"
    assert finding.why[1] == "2 NetworkPolicy objects in the cluster"


def test_engine_that_is_only_suspected() -> None:
    """That objects of its kind are there does not show that it runs."""
    other: Any = {**named("CiliumNetworkPolicy", "shop/x"), "spec": {"endpointSelector": {}}}

    assert [(item.object.name, item.severity) for item in ignored(other, SCTP)] == [("sctp", LintSeverity.INFO)]


def test_setting_that_changes_everything() -> None:
    finding = one(SETTING, *SHOP, agent("cilium"), config(**{"enable-policy": "never"}), SCTP)

    assert finding.object == ObjectRef("ConfigMap", "kube-system", "cilium-config")
    assert (finding.path, finding.severity) == ("data.enable-policy", LintSeverity.ERROR)
    assert found(SETTING, *SHOP, agent("cilium"), config(**{"enable-policy": "default"}), SCTP) == ()
    assert places(ignored(agent("cilium"), config(**{"enable-policy": "never"}), SCTP)) == [
        ("shop/sctp", "spec.ingress[0].ports[1].protocol")
    ]


HASHED: dict[str, Any] = {"pod-template-hash": "x"}


@pytest.mark.parametrize(
    "made",
    [
        policy("shop/p", selector(**HASHED)),
        policy("shop/p", ingress=[allow(pods(**HASHED))]),
        policy("shop/p", egress=[allow(pods(app="x"), namespaces() | pods(("pod-template-hash", "Exists")))]),
    ],
    ids=["subject", "peer", "peer elsewhere"],
)
def test_label_that_cilium_does_not_see(made: Raw) -> None:
    finding = one(LABEL, *SHOP, *CILIUM, made)

    assert finding.message == "selects by pod-template-hash, which Cilium does not see"
    assert finding.severity is LintSeverity.WARNING
    assert one(LABEL, *SHOP, agent("cilium"), made).severity is LintSeverity.INFO
    assert found(LABEL, *SHOP, agent("calico-node"), made) == ()


def test_labels_that_cilium_sees() -> None:
    seen = namespaces(**{"kubernetes.io/metadata.name": "x"}) | pods(**{"app.kubernetes.io/name": "web"})

    assert found(LABEL, *SHOP, *CILIUM, policy("shop/p", selector(app="web"), ingress=[allow(seen)])) == ()


def test_label_of_namespaces_that_cilium_is_told_to_leave_out() -> None:
    told = config(labels="!io.cilium.k8s.namespace.labels.team")
    made = policy("shop/p", ingress=[allow(namespaces(team="x"))])

    assert found(LABEL, *SHOP, agent("cilium"), config(), made) == ()
    assert "selects by team" in one(LABEL, *SHOP, agent("cilium"), told, made).message
