"""Law 2 for each kind that could react to a probe pod: what it was before, at every event of a run, and afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.tests.audit import inventory
from tests.cluster.tests.audit.command import QUICK, Command, Result, until
from tests.cluster.tests.audit.rights_site import workload
from tests.cluster.tests.audit.site import Object, Site, namespace, policy
from tests.cluster.tests.audit.tabling import Table, table
from tests.cluster.tests.audit.watching import MORE, Watched, watching

HOME, BOUNDED = "harm", "bounded"
HEADS = ["what is there", "probe pod beside it", "states seen during the run", "after the run"]
WIDTHS = [44, 70, 24, 30]

pytestmark = pytest.mark.long


class Case(NamedTuple):
    """A workload, what else looks at its pods, and whether a probe pod may stand beside it."""

    name: str
    kind: str = "Deployment"
    beside: tuple[Object, ...] = ()
    pod_spec: Mapping[str, Any] = {}
    tested: bool = True
    replicas: int = 1
    home: str = HOME


def other(version: str, kind: str, name: str, home: str = HOME, **spec: Any) -> Object:
    """An object with a spec."""
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": home}, "spec": spec}


def service(name: str, **spec: Any) -> Object:
    """A Service in front of a case's pods."""
    return other("v1", "Service", name, selector={"app": name}, ports=[{"port": 80}], **spec)


def budget(name: str, **spec: Any) -> Case:
    """A case of two replicas under a PodDisruptionBudget."""
    chosen = {"matchLabels": {"app": name}}
    return Case(name, beside=(other("policy/v1", "PodDisruptionBudget", name, selector=chosen, **spec),), replicas=2)


def autoscaler(name: str, *metrics: Any) -> Object:
    """A HorizontalPodAutoscaler of a case's Deployment."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    made = other("autoscaling/v2", "HorizontalPodAutoscaler", name, scaleTargetRef=target, minReplicas=1, maxReplicas=2)
    made["spec"] |= {"metrics": list(metrics)} if metrics else {}
    return made


def spread(name: str, how: str) -> dict[str, Any]:
    """A topology spread over nodes."""
    chosen = {"matchLabels": {"app": name}}
    return {
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": how, "labelSelector": chosen}
        ]
    }


def apart(name: str, *, hard: bool) -> dict[str, Any]:
    """An anti-affinity to pods of its own kind."""
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": name}}}
    if hard:
        return {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}
    soft = [{"weight": 1, "podAffinityTerm": term}]
    return {"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": soft}}}


QUEUE = {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "5"}}}
LIMITS = [{"type": "Container", "min": {"memory": "8Mi"}, "max": {"memory": "128Mi"}, "default": {"memory": "64Mi"}}]
CASES = [
    Case("service", beside=(service("service"),)),
    Case("publishing", beside=(service("publishing", publishNotReadyAddresses=True),), tested=False),
    Case("headless", beside=(service("headless", clusterIP="None"),)),
    Case("replicaset", "ReplicaSet"),
    Case("replicationcontroller", "ReplicationController"),
    Case("statefulset", "StatefulSet", (service("statefulset", clusterIP="None"),)),
    Case("daemonset", "DaemonSet"),
    Case("job", "Job"),
    Case("cronjob", "CronJob"),
    budget("min-integer", minAvailable=1),
    budget("min-percent", minAvailable="50%"),
    budget("max-integer", maxUnavailable=1),
    budget("max-percent", maxUnavailable="50%"),
    budget("always-allow", minAvailable="60%", unhealthyPodEvictionPolicy="AlwaysAllow"),
    budget("if-healthy", maxUnavailable=1, unhealthyPodEvictionPolicy="IfHealthyBudget"),
    Case("by-cpu", beside=(autoscaler("by-cpu"),), tested=False),
    Case("by-queue", beside=(autoscaler("by-queue", QUEUE),)),
    Case("quota", beside=(other("v1", "ResourceQuota", "quota", BOUNDED, hard={"pods": "20"}),), home=BOUNDED),
    Case("limits", beside=(other("v1", "LimitRange", "limits", BOUNDED, limits=LIMITS),), home=BOUNDED),
    Case("spread-hard", pod_spec=spread("spread-hard", "DoNotSchedule"), tested=False),
    Case("spread-soft", pod_spec=spread("spread-soft", "ScheduleAnyway")),
    Case("apart-hard", pod_spec=apart("apart-hard", hard=True), tested=False),
    Case("apart-soft", pod_spec=apart("apart-soft", hard=False)),
]
HOMES = sorted({case.home for case in CASES})


def objects(case: Case) -> Iterator[Object]:
    """What a case puts into the cluster; its pods all wear `app: NAME`, which a policy selects them by."""
    made = _workload(case)
    made["metadata"]["namespace"] = case.home
    yield made
    yield from case.beside
    yield policy(case.home, case.name, {"app": case.name}, ingress=[{"ports": [{"port": 80}]}])


def _workload(case: Case) -> Object:
    labels = {"app": case.name}
    if case.kind == "CronJob":
        once = _workload(case._replace(kind="Job"))["spec"]
        return other("batch/v1", "CronJob", case.name, case.home, schedule="0 0 1 1 *", jobTemplate={"spec": once})
    counted = {} if case.kind in {"DaemonSet", "Job"} else {"replicas": case.replicas}
    named = {"serviceName": case.name} if case.kind == "StatefulSet" else {}
    made = workload(case.kind, case.name, labels, **counted, **named)
    made["spec"]["template"]["metadata"]["labels"] = labels
    if case.kind != "Job":
        made["spec"]["selector"] = labels if case.kind == "ReplicationController" else {"matchLabels": labels}
    once = {"restartPolicy": "Never"} if case.kind == "Job" else {}
    made["spec"]["template"]["spec"].update({**case.pod_spec, **once})
    return made


class Seen(NamedTuple):
    """One run beside all cases: what it said, what watches saw, and what was different afterwards."""

    result: Result
    watched: Watched
    after: list[str]
    left: list[str]


@pytest.fixture(scope="module")
def deployed(site: Site) -> Site:
    """Deploy all cases, start the CronJob once, and wait until their controllers are content."""
    site.apply(*(namespace(home) for home in HOMES), *(item for case in CASES for item in objects(case)))
    site.cluster.kubectl("create", "job", "-n", HOME, "--from=cronjob/cronjob", "cronjob-now")
    site.await_ready()
    budgets = f"/apis/policy/v1/namespaces/{HOME}/poddisruptionbudgets"
    until(lambda: all(item["status"]["currentHealthy"] == 2 for item in site.items(budgets)), "budgets count all pods")
    scaled = f"/apis/autoscaling/v2/namespaces/{HOME}/horizontalpodautoscalers"
    until(lambda: all(item["status"].get("conditions") for item in site.items(scaled)), "autoscalers had a look")
    return site


@pytest.fixture(scope="module")
def seen(deployed: Site, lax: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Audit them once while everything is watched."""
    folder = tmp_path_factory.mktemp("harm")
    before = inventory.take_settled(deployed.api)
    with watching(lax, HOMES, folder, MORE) as watched:
        result = Command(folder, lax.kubeconfig).run("run", *QUICK, "--coverage", "rules")
        left = deployed.traces()
        try:
            inventory.await_equal(deployed.api, before)
            after = []
        except AssertionError as error:
            after = str(error).splitlines()[1:]
    return Seen(result, watched, after, left)


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Collect what each case gave."""
    with table(request.config, "What stood beside probe pods", HEADS, WIDTHS) as made:
        yield made


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_nothing_reacts(seen: Seen, case: Case, results: Table) -> None:
    """Not one event changes its state, and where that cannot be shown beforehand no probe pod is made."""
    mine = {path: states for path, states in seen.watched.histories().items() if _is_of(case, path)}
    tested = {title for title in seen.result.report.titles() if _is_of(case, title)}
    skipped = [
        item["reason"] for item in seen.result.report.raw["skipped"] if _is_of(case, item["what"]) and item["reason"]
    ]
    changed = [line for line in seen.after if _is_of(case, line.split(":")[1].strip())]
    count = f"{len(mine)} objects, {sum(len(states) - 1 for states in mine.values())} changes"
    beside = "yes" if tested else f"no: {'; '.join(skipped)}"
    results.add(f"{case.kind} {case.name}", beside, count, "; ".join(changed) or "as before")

    assert mine
    assert [path for path, states in mine.items() if len(states) > 1] == []
    assert changed == []
    assert bool(tested) == case.tested


def test_nothing_is_left(seen: Seen) -> None:
    """The run ends by itself, nobody reacted, and the whole cluster is what it was."""
    assert seen.result.code == 3, seen.result.err
    assert "withdrawn" not in seen.result.err
    assert (seen.left, seen.after) == ([], [])


def _is_of(case: Case, path: str) -> bool:
    """Whether a path or title is that of a case's object: its name, or its name and what a controller adds."""
    name = path.rpartition("/")[2].split(" ")[0]
    exact = {other.name for other in CASES}
    longest = max((known for known in exact if name == known or name.startswith(f"{known}-")), key=len, default="")
    return longest == case.name
