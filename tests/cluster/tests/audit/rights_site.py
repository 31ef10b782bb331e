"""A small place in which each right of deploy/kustomize matters: one of everything that may look at probe pods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from auditor.cluster.resources import FOREIGN_POLICIES, MONITORS, VERTICAL
from tests.cluster.tests.audit.command import until
from tests.cluster.tests.audit.site import Object, Site, namespace, pod_spec, policy

SHOP = "shop"
AUTOSCALING = "autoscaling.k8s.io"
SERVED = "crd.projectcalico.org", "crd.antrea.io", "k8s.ovn.org", "networking.k8s.aws", "policy.networking.k8s.io"
"""Groups of policy kinds that only engines of other makers bring."""
MISSING = 404


def workload(kind: str, name: str, labels: dict[str, str], **spec: Any) -> Object:
    """A controller whose pods wear `job: NAME` and these labels, and nothing else of its own choosing."""
    group = {"ReplicationController": "v1", "Job": "batch/v1"}.get(kind, "apps/v1")
    worn = {"job": name, **labels}
    # Those that a run has to watch select by what probe pods wear too; they own no more than what they made.
    met = labels if kind in {"ReplicationController", "ReplicaSet", "StatefulSet"} else {"job": name}
    chosen = {} if kind == "Job" else {"selector": met if kind == "ReplicationController" else {"matchLabels": met}}
    return {
        "apiVersion": group,
        "kind": kind,
        "metadata": {"name": name, "namespace": SHOP},
        "spec": {**chosen, "template": {"metadata": {"labels": worn}, "spec": pod_spec([80])}, **spec},
    }


def custom(group: str, version: str, kind: str, plural: str, *, scope: str = "Namespaced") -> Object:
    """A CustomResourceDefinition of which everything can be written and scaled."""
    schema: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    scale = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [{**served, "subresources": {"scale": scale}}],
        },
    }


def kinds() -> Iterator[Object]:
    """Every kind that netaudit may read and that is not there by itself."""
    for item in FOREIGN_POLICIES.values():
        if item.group in SERVED:
            scope = "Namespaced" if item.namespaced else "Cluster"
            yield custom(item.group, item.versions[0], item.kind.partition(" ")[0], item.plural, scope=scope)
    yield custom(AUTOSCALING, "v1", "VerticalPodAutoscaler", VERTICAL.partition(".")[0])
    yield custom("monitoring.coreos.com", "v1", "PodMonitor", MONITORS.partition(".")[0])
    yield custom("argoproj.io", "v1alpha1", "Rollout", "rollouts")


def workloads() -> Iterator[Object]:
    """Two identities, `web` and `client`, whose pods come from controllers of every kind."""
    yield namespace(SHOP)
    yield workload("Deployment", "web", {"app": "web"}, replicas=2)
    yield workload("Deployment", "client", {"app": "client"}, replicas=1)
    yield workload("StatefulSet", "store", {"app": "client"}, replicas=1, serviceName="store")
    yield workload("ReplicaSet", "bare", {"app": "client"}, replicas=1)
    yield workload("ReplicationController", "old", {"app": "client"}, replicas=1)
    yield workload("DaemonSet", "agent", {"app": "client"})
    job = workload("Job", "once", {"app": "client"})
    job["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    yield job
    spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job["spec"]}}
    yield beside("batch/v1", "CronJob", "yearly", **spec)


def beside(version: str, kind: str, name: str, **spec: Any) -> Object:
    """Any object of the shop."""
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": SHOP}, "spec": spec}


def watchers() -> Iterator[Object]:
    """What looks at pods by their labels, and none of it at those of the probe pods but for a Service and a budget."""
    yield beside("v1", "Service", "web", selector={"app": "web"}, ports=[{"port": 80}])
    yield beside("policy/v1", "PodDisruptionBudget", "web", maxUnavailable=1, selector={"matchLabels": {"app": "web"}})
    yield beside("v1", "ResourceQuota", "wide", hard={"pods": "90"})
    limits = [{"type": "Container", "default": {"memory": "64Mi"}, "defaultRequest": {"memory": "16Mi"}}]
    yield beside("v1", "LimitRange", "usual", limits=limits)
    yield scaler("by-cpu", "apps/v1", "Deployment", "client")
    yield scaler("of-rollout", "argoproj.io/v1alpha1", "Rollout", "roll")
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "client"}
    yield beside(f"{AUTOSCALING}/v1", "VerticalPodAutoscaler", "sized", targetRef=target)
    chosen = {"matchLabels": {"job": "nobody"}}
    ports = [{"port": "metrics"}]
    yield beside("monitoring.coreos.com/v1", "PodMonitor", "seen", selector=chosen, podMetricsEndpoints=ports)
    yield beside("argoproj.io/v1alpha1", "Rollout", "roll", replicas=1, selector={"matchLabels": {"job": "roll"}})


def scaler(name: str, version: str, kind: str, target: str) -> Object:
    """A HorizontalPodAutoscaler by CPU."""
    reference = {"apiVersion": version, "kind": kind, "name": target}
    return beside(
        "autoscaling/v2", "HorizontalPodAutoscaler", name, scaleTargetRef=reference, minReplicas=1, maxReplicas=2
    )


def policies() -> Iterator[Object]:
    """Who may reach `web`: its namespace, and addresses, of which the engine says whether they hold pods of others."""
    peers = [{"podSelector": {}}, {"ipBlock": {"cidr": "0.0.0.0/0"}}]
    yield policy(SHOP, "client", {"app": "client"}, ingress=[{"from": [{"podSelector": {}}]}])
    yield policy(SHOP, "web", {"app": "web"}, ingress=[{"from": peers, "ports": [{"port": 80}]}])
    # Of no pod, once it is known that no account has the label.
    spec = {"selector": "app == 'web'", "serviceAccountSelector": "has(nobody)", "types": ["Ingress"]}
    yield {
        "apiVersion": "crd.projectcalico.org/v1",
        "kind": "GlobalNetworkPolicy",
        "metadata": {"name": "by-account"},
        "spec": {**spec, "ingress": [{"action": "Deny"}]},
    }


def deploy(site: Site) -> None:
    """Make all of it and wait until controllers are content."""
    site.apply(*kinds())
    for item in kinds():
        _await_served(site, item)
    site.apply(*workloads(), *watchers(), *policies())
    site.await_ready()
    rollout = f"/apis/argoproj.io/v1alpha1/namespaces/{SHOP}/rollouts/roll"
    site.api.patch(rollout, {"status": {"selector": "job=roll", "replicas": 1}})


def _await_served(site: Site, definition: Object) -> None:
    spec = definition["spec"]
    path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
    until(lambda: site.api.request("GET", path)[0] != MISSING, f"{path} is served", 60)
