"""One test for each kind of hazard, and what overrules it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from auditor.model.cluster import ContainerPort, Pod
from auditor.model.flow import Protocol
from auditor.model.matrix import Identity
from auditor.model.options import Kind
from probes.safety import hazard, overruled
from tests.builders import Raw, autoscaler, named, namespace, pod, selector, service, snapshot, workload

METRICS = ContainerPort("metrics", 9100)
WEB = Identity("id", "shop", (("app", "web"),), (METRICS,), (Pod("shop", "web"),), ((Protocol.TCP, 80),), frozenset())


def why(*objects: Raw, allowed: Sequence[str] = ()) -> str:
    return hazard(snapshot(*objects), WEB, allowed) or ""


def repelling(**labels: str) -> Raw:
    term = {"labelSelector": selector(**labels), "topologyKey": "kubernetes.io/hostname"}
    return {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def spreading(hard: bool = True, **more: Any) -> Raw:
    how = "DoNotSchedule" if hard else "ScheduleAnyway"
    rule = {"labelSelector": selector(app="web"), "topologyKey": "zone", "whenUnsatisfiable": how, **more}
    return {"topologySpreadConstraints": [rule]}


def template(kind: str, pod_spec: Raw, where: str = "shop/later", **spec: Any) -> Raw:
    """A controller without a pod, whose pods to come have this spec."""
    made: Raw = {"metadata": {"labels": {"app": "web"}}, "spec": pod_spec}
    inner: Raw = {"selector": selector(app="web"), "template": made, **spec}
    if kind == "ReplicationController":
        inner["selector"] = {"app": "web"}
    return {**named(kind, where), "spec": {"jobTemplate": {"spec": inner}} if kind == "CronJob" else inner}


def vertical(target: str) -> Raw:
    kind, _, name = target.partition("/")
    return {**named("VerticalPodAutoscaler", "shop/v"), "spec": {"targetRef": {"kind": kind, "name": name}}}


def monitor(where: str, *endpoints: Raw, homes: Raw | None = None, **labels: str) -> Raw:
    spec = {"selector": selector(**labels), "podMetricsEndpoints": list(endpoints), "namespaceSelector": homes or {}}
    return {**named("PodMonitor", where), "spec": spec}


def scaled_by(*types: str) -> Raw:
    made = autoscaler("shop/web", "Deployment/web")
    return {**made, "spec": {**made["spec"], "metrics": [{"type": name} for name in types]}}


WEB_DEPLOYMENT = workload("Deployment", "shop/web", app="web")
CONTROLLERS = (*("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "DaemonSet", "Job", "CronJob"),)


@pytest.mark.parametrize("kind", CONTROLLERS)
@pytest.mark.parametrize(("rule", "word"), [(repelling(app="web"), "anti-affinity"), (spreading(), "topology spread")])
def test_pods_that_do_not_exist_yet_are_kept_away(kind: str, rule: Raw, word: str) -> None:
    """A template counts like a pod: its next one would not be scheduled."""
    reason = why(template(kind, rule))
    assert f"when it places {kind.lower()}/later ({word})" in reason
    assert why(template(kind, rule, "ops/later")) == ""


DONE = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
HARMLESS_TEMPLATES = {
    "a job that is over": {**template("Job", repelling(app="web")), **DONE},
    "an old ReplicaSet": template("ReplicaSet", repelling(app="web"), replicas=0),
    "anti-affinity to others": template("Deployment", repelling(app="db")),
    "a soft spread": template("Deployment", spreading(hard=False)),
    "a spread over each revision alone": template("Deployment", spreading(matchLabelKeys=["pod-template-hash"])),
    "a spread over each tenant alone": template("Deployment", spreading(matchLabelKeys=["tenant"]), metadata={})
    | {"spec": {"template": {"metadata": {"labels": {"tenant": "a"}}, "spec": spreading(matchLabelKeys=["tenant"])}}},
}


@pytest.mark.parametrize("name", HARMLESS_TEMPLATES)
def test_templates_that_no_probe_pod_touches(name: str) -> None:
    assert why(HARMLESS_TEMPLATES[name]) == ""


@pytest.mark.parametrize(
    "more", [{"minDomains": 3}, {"matchLabelKeys": ["tenant"]}, {"nodeTaintsPolicy": "Honor"}, {"maxSkew": 5}]
)
def test_a_spread_counts_whatever_else_it_says(more: Raw) -> None:
    """`minDomains` makes it stricter; keys of labels that its pods lack are ignored by the scheduler."""
    assert "topology spread" in why(template("Deployment", spreading(**more)))


def test_a_running_pod_names_the_values_of_its_keys() -> None:
    spec = spreading(matchLabelKeys=["pod-template-hash"])
    assert why(pod("shop/x", spec=spec, hashed="abc")) == ""
    assert "topology spread" in why(pod("shop/x", spec=spec))


@pytest.mark.parametrize(
    ("types", "counts"),
    [
        ((), True),
        (("Resource",), True),
        (("ContainerResource",), True),
        (("Pods",), True),
        (("External", "Resource"), True),
        (("SomethingNew",), True),
        (("External",), False),
        (("Object", "External"), False),
    ],
)
def test_autoscalers_of_metrics_that_are_no_pods(types: Sequence[str], counts: bool) -> None:
    """External and Object metrics are divided by ready pods; a probe pod is never ready."""
    assert ("HorizontalPodAutoscaler web would count" in why(WEB_DEPLOYMENT, scaled_by(*types))) is counts


@pytest.mark.parametrize("target", ["Rollout/web", "Deployment/gone"])
def test_an_autoscaler_of_something_unknown(target: str) -> None:
    assert "whose selector is not known" in why(autoscaler("shop/web", target))


def test_scales_say_what_a_foreign_kind_counts() -> None:
    scale = {**named("Scale", "shop/web"), "status": {"selector": "app=web,tier!=x"}, "kind": "Rollout"}
    other = {**scale, "status": {"selector": "app in (db)"}}
    for found, hazardous in ((scale, True), (other, False)):
        made = snapshot(autoscaler("shop/web", "Rollout/web"))
        assert hazard(made, WEB)
        raw_scale = {**found, "kind": "Scale"}
        raw_scale["metadata"] = {**found["metadata"]}
        text = hazard(snapshot(autoscaler("shop/web", "Scale/web"), raw_scale), WEB) or ""
        assert ("would count" in text) is hazardous


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicationController"])
def test_vertical_autoscalers_remember_what_pods_used(kind: str) -> None:
    target = template(kind, {}, "shop/web")
    assert "VerticalPodAutoscaler v would count" in why(target, vertical(f"{kind}/web"))
    assert why(target, workload("Deployment", "shop/db", app="db"), vertical("Deployment/db")) == ""


@pytest.mark.parametrize(
    ("made", "scrapes"),
    [
        (monitor("shop/m", {"port": "metrics"}, app="web"), True),
        (monitor("shop/m", {"portNumber": 9100}, app="web"), True),
        (monitor("shop/m", {"targetPort": "metrics"}), True),
        (monitor("ops/m", {"port": "metrics"}, homes={"any": True}, app="web"), True),
        (monitor("ops/m", {"port": "metrics"}, homes={"matchNames": ["shop"]}, app="web"), True),
        (monitor("ops/m", {"port": "metrics"}, app="web"), False),
        (monitor("shop/m", {"port": "http"}, app="web"), False),
        (monitor("shop/m", {"port": "metrics"}, app="db"), False),
    ],
)
def test_pod_monitors(made: Raw, scrapes: bool) -> None:
    """A probe pod declares a port only where policies name it, and is scraped only there."""
    assert ("would scrape" in why(made)) is scrapes


HAZARDS: dict[Kind, Sequence[Raw]] = {
    Kind.SERVICE: [service("shop/web", publishes=True, app="web")],
    Kind.HPA: [WEB_DEPLOYMENT, autoscaler("shop/web", "Deployment/web")],
    Kind.VPA: [WEB_DEPLOYMENT, vertical("Deployment/web")],
    Kind.PODMONITOR: [monitor("shop/m", {"port": "metrics"}, app="web")],
    Kind.TOPOLOGY: [pod("shop/x", spec=spreading())],
    Kind.AFFINITY: [pod("shop/x", spec=repelling(app="web"))],
}


@pytest.mark.parametrize("kind", HAZARDS)
def test_allow_overrules_one_kind_and_no_other(kind: Kind) -> None:
    """The reason names the flag, the flag takes the hazard, and what was taken is said."""
    objects = HAZARDS[kind]
    others = [item.value for item in Kind if item is not kind]
    assert f"--allow {kind.value}" in why(*objects)
    assert why(*objects, allowed=[kind.value]) == ""
    assert why(*objects, allowed=others) != ""
    (risk,) = overruled(snapshot(*objects), WEB, [kind.value])
    assert risk.startswith(f"--allow {kind.value}: ")


def test_unlisted_quotas_are_of_their_kind() -> None:
    made = snapshot(pod("shop/x"), unreadable={"resourcequotas": "403"})
    assert "--allow quota" in (hazard(made, WEB) or "")
    assert hazard(made, WEB, ["quota"]) is None


def test_some_hazards_nobody_may_overrule() -> None:
    """Where one of these stands, no flag is offered for the others either."""
    going = {**namespace("shop"), "metadata": {"name": "shop", "deletionTimestamp": "now"}}
    reason = why(going, *HAZARDS[Kind.HPA], allowed=[item.value for item in Kind])
    assert reason == "its namespace is being deleted"
    assert "--allow" not in why(going, *HAZARDS[Kind.HPA])


def test_many_hazards_are_bounded() -> None:
    busy = [pod(f"shop/x{number}", spec=repelling(app="web")) for number in range(9)]
    assert why(*busy).count("anti-affinity") == 3
    assert "; and 6 more (--allow affinity" in why(*busy)


CLAIMING = ("ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job")


@pytest.mark.parametrize("kind", CLAIMING)
def test_no_controller_adopts_a_pod_that_has_one(kind: str) -> None:
    """Their selectors may match: `controller_ref_manager.go` leaves pods alone whose controller has another UID."""
    assert why(template(kind, {})) == ""
