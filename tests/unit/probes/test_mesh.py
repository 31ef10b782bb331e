"""Probe pods stay out of meshes, only where one is seen, and without a label that policies could notice."""

from __future__ import annotations

import pytest

from auditor.model.probe import StandIn
from probes.placement import AgentSpec, Marks, pod_manifest
from tests.builders import Raw, deny_all, namespace, pod, policy, selector, snapshot
from tests.unit.planning import clones, plan, plan_of


def home(note: dict[str, str] | None = None) -> Raw:
    made = namespace("shop")
    made["metadata"]["annotations"] = note or {}
    return made


def marked(key: str, value: str) -> Raw:
    made = namespace("shop")
    made["metadata"]["labels"][key] = value
    return made


def web(mark: dict[str, str] | None = None) -> Raw:
    made = pod("shop/web", app="web")
    made["metadata"]["labels"] |= mark or {}
    return made


def stand_ins(*objects: Raw) -> list[StandIn]:
    return clones(plan(*objects, deny_all("shop/deny", app="web")))


INJECTED = {
    "istio": (marked("istio-injection", "enabled"), web(), "sidecar.istio.io/inject", "false"),
    "a revision of istio": (marked("istio.io/rev", "1-24"), web(), "sidecar.istio.io/inject", "false"),
    "istio in a pod": (home(), web({"security.istio.io/tlsMode": "istio"}), "sidecar.istio.io/inject", "false"),
    "linkerd": (home({"linkerd.io/inject": "enabled"}), web(), "linkerd.io/inject", "disabled"),
    "linkerd in a pod": (home(), web({"linkerd.io/control-plane-ns": "linkerd"}), "linkerd.io/inject", "disabled"),
    "consul": (
        home(),
        web({"consul.hashicorp.com/connect-inject-status": "injected"}),
        "consul.hashicorp.com/connect-inject",
        "false",
    ),
}


@pytest.mark.parametrize("name", INJECTED)
def test_annotations_keep_injectors_off(name: str) -> None:
    """They change no selector's answer: the labels stay exactly those of the identity."""
    *objects, key, value = INJECTED[name]
    (clone,) = stand_ins(*objects)
    assert dict(clone.annotations) == {key: value}
    assert clone.labels == (("app", "web"),)
    made = pod_manifest(clone, Marks("a", "0", ""), AgentSpec("i", "", 1), "n", "u")
    assert made["metadata"]["annotations"][key] == value
    assert made["metadata"]["annotations"]["netaudit/run"] == "a"


@pytest.mark.parametrize(
    "quiet",
    [
        home(),
        marked("istio-injection", "disabled"),
        home({"linkerd.io/inject": "disabled"}),
        marked("kuma.io/x", "y"),
    ],
)
def test_no_marks_where_no_mesh_is_seen(quiet: Raw) -> None:
    (clone,) = stand_ins(quiet, web())
    assert (clone.annotations, clone.labels) == ((), (("app", "web"),))


AMBIENT, KUMA = ("istio.io/dataplane-mode", "ambient"), ("kuma.io/sidecar-injection", "enabled")


@pytest.mark.parametrize(
    ("seen", "worn"),
    [(AMBIENT, ("istio.io/dataplane-mode", "none")), (KUMA, ("kuma.io/sidecar-injection", "disabled"))],
)
def test_a_label_is_worn_where_nothing_tells_it_apart(seen: tuple[str, str], worn: tuple[str, str]) -> None:
    (clone,) = stand_ins(marked(*seen), web())
    assert worn in clone.labels
    assert ("app", "web") in clone.labels


def test_a_label_that_policies_notice_is_not_worn() -> None:
    """A stand-in of another class would answer for somebody else."""
    nosy = policy("shop/nosy", selector(("istio.io/dataplane-mode", "DoesNotExist")))
    made = plan_of(snapshot(marked(*AMBIENT), web(), nosy))
    assert clones(made) == []
    (reason,) = [skip.reason for skip in made.skipped if skip.identity]
    assert "kept away only by the label istio.io/dataplane-mode=none, and policies tell pods apart by it" in reason


def test_a_label_that_something_reacts_to_is_not_worn() -> None:
    term = {"labelSelector": selector(("istio.io/dataplane-mode", "Exists")), "topologyKey": "zone"}
    spec = {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}
    made = plan_of(snapshot(marked(*AMBIENT), web(), pod("shop/x", spec=spec), deny_all("shop/deny", app="web")))
    reasons = [skip.reason for skip in made.skipped if skip.identity]
    assert any("and with it the scheduler counts pods" in reason for reason in reasons)
