"""What a cluster holds after `kubectl apply`: pods of workloads, namespaces that are only named, service accounts."""

from __future__ import annotations

from textwrap import dedent

import pytest

from auditor.model.cluster import ContainerPort, Namespace, Owner
from auditor.model.problem import Effect
from tests.unit.cluster.reading import Found, marked, reading

TEMPLATE = "template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, ports: [{containerPort: 80}]}]}}"
SELECTOR = "selector: {matchLabels: {app: web}}"
ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web, namespace: shop}\n"


def workload(api_version: str, kind: str, spec: str, name: str = "web", metadata: str = "") -> str:
    head = f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: shop{metadata}}}\n"
    return f"---\n{head}spec: {{{spec}}}\n"


def pod(name: str, owner: str = "", labels: str = "{}") -> str:
    """A running pod, as a server sends it."""
    kind, _, owned_by = owner.partition("/")
    references = f"[{{kind: {kind}, name: {owned_by}, controller: true}}]" if owner else "[]"
    metadata = f"{{name: {name}, namespace: shop, uid: u-{name}, labels: {labels}, ownerReferences: {references}}}"
    return f"---\napiVersion: v1\nkind: Pod\nmetadata: {metadata}\nstatus: {{phase: Running, podIP: 10.0.0.1}}\n"


@pytest.mark.parametrize(
    ("api_version", "kind", "spec", "labels"),
    [
        ("apps/v1", "Deployment", f"{SELECTOR}, {TEMPLATE}", {"app": "web"}),
        ("apps/v1", "StatefulSet", f"{SELECTOR}, {TEMPLATE}, replicas: 3", {"app": "web"}),
        ("apps/v1", "DaemonSet", f"{SELECTOR}, {TEMPLATE}", {"app": "web"}),
        ("apps/v1", "ReplicaSet", f"{SELECTOR}, {TEMPLATE}", {"app": "web"}),
        ("v1", "ReplicationController", f"selector: {{app: web}}, {TEMPLATE}", {"app": "web"}),
        (
            "batch/v1",
            "Job",
            TEMPLATE,
            {"app": "web", "batch.kubernetes.io/job-name": "web", "job-name": "web"},
        ),
        ("batch/v1", "CronJob", f"jobTemplate: {{spec: {{{TEMPLATE}}}}}", {"app": "web"}),
    ],
)
def test_workload_makes_one_planned_pod(api_version: str, kind: str, spec: str, labels: dict[str, str]) -> None:
    """Named as the workload and owned by it, with the labels and ports of the template, without an address."""
    found = reading(workload(api_version, kind, spec))
    (made,) = found.snapshot.pods

    assert found.of() == []
    assert (made.namespace, made.name, made.labels) == ("shop", "web", labels)
    assert (made.owner, made.ports, made.addresses) == (Owner(kind, "web"), (ContainerPort("", 80),), ())
    assert made.planned
    assert made.talks


@pytest.mark.parametrize(
    ("api_version", "kind", "spec", "reason"),
    [
        ("apps/v1", "Deployment", f"{SELECTOR}, {TEMPLATE}, replicas: 0", "it has 0 replicas"),
        ("batch/v1", "Job", f"{TEMPLATE}, suspend: true", "it is suspended"),
        ("batch/v1", "CronJob", f"jobTemplate: {{spec: {{{TEMPLATE}}}}}, suspend: true", "it is suspended"),
        (
            "batch/v1",
            "Job",
            f"{TEMPLATE}}}\nstatus: {{conditions: [{{type: Complete, status: 'True'}}]",
            "it has finished",
        ),
    ],
)
def test_workload_without_pods(api_version: str, kind: str, spec: str, reason: str) -> None:
    """It is said why there are none."""
    found = reading(workload(api_version, kind, spec))

    assert found.pods == []
    assert [one.why for one in found.problems if "no pods" in one.what] == [reason]


def test_a_daemon_set_has_no_replicas() -> None:
    assert reading(workload("apps/v1", "DaemonSet", f"{SELECTOR}, {TEMPLATE}, replicas: 0")).pods == ["shop/web"]


@pytest.mark.parametrize(
    ("kind", "spec", "path"),
    [
        ("Deployment", TEMPLATE, "spec.selector"),
        ("Deployment", f"selector: {{matchLabels: {{app: other}}}}, {TEMPLATE}", "spec.selector"),
        ("Deployment", SELECTOR, "spec.template"),
        ("Deployment", f"{SELECTOR}, template: []", "spec.template"),
        ("Deployment", f"{SELECTOR}, {TEMPLATE}, replicas: many", "spec.replicas"),
        (
            "Deployment",
            f"{SELECTOR}, template: {{metadata: {{labels: {{app: 5}}}}}}",
            "spec.template.metadata.labels.app",
        ),
        ("StatefulSet", f"{SELECTOR}, template: {{spec: {{containers: 5}}}}", "spec.selector"),
        ("DaemonSet", f"selector: {{}}, {TEMPLATE}", "spec.selector"),
        (
            "DaemonSet",
            f"{SELECTOR}, {TEMPLATE}".replace("[{name: c", "[5, {name: c"),
            "spec.template.spec.containers[0]",
        ),
    ],
)
def test_workload_that_the_server_refuses(kind: str, spec: str, path: str) -> None:
    """It is left out, its pod too, and the field is named."""
    found = reading(workload("apps/v1", kind, spec))
    (problem,) = found.of()

    assert (problem.effect, problem.line) == (Effect.REFUSED, 5)
    assert problem.why.startswith(f"{path}: ")
    assert (found.pods, found.snapshot.workloads) == ([], ())


DEPLOYMENT = workload("apps/v1", "Deployment", f"{SELECTOR}, {TEMPLATE}")
REPLICA_SET = workload(
    "apps/v1",
    "ReplicaSet",
    f"{SELECTOR}, {TEMPLATE}",
    "web-5d8f",
    ", ownerReferences: [{kind: Deployment, name: web, controller: true}]",
)
JOB = workload(
    "batch/v1", "Job", TEMPLATE, "nightly-1", ", ownerReferences: [{kind: CronJob, name: nightly, controller: true}]"
)
CRON_JOB = workload("batch/v1", "CronJob", f"jobTemplate: {{spec: {{{TEMPLATE}}}}}", "nightly")


@pytest.mark.parametrize(
    ("text", "pods"),
    [
        (DEPLOYMENT + pod("web-5d8f-x", "ReplicaSet/web-5d8f", "{pod-template-hash: 5d8f}"), ["shop/web-5d8f-x"]),
        (DEPLOYMENT + REPLICA_SET + pod("web-5d8f-x", "ReplicaSet/web-5d8f"), ["shop/web-5d8f-x"]),
        (DEPLOYMENT + pod("other", "ReplicaSet/other"), ["shop/other", "shop/web"]),
        (DEPLOYMENT + REPLICA_SET, ["shop/web"]),
        (REPLICA_SET, ["shop/web-5d8f"]),
        (JOB + CRON_JOB, ["shop/nightly"]),
        (CRON_JOB + JOB + pod("nightly-1-x", "Job/nightly-1"), ["shop/nightly-1-x"]),
        (DEPLOYMENT.replace("namespace: shop", "namespace: ops") + pod("x", "Deployment/web"), ["ops/web", "shop/x"]),
    ],
)
def test_pods_of_the_input_stand_for_their_workloads(text: str, pods: list[str]) -> None:
    """Nothing is planned beside them, nor for what another workload of the input makes."""
    assert reading(text).pods == pods


def test_planned_pods_take_no_name_that_is_taken() -> None:
    text = pod("web") + DEPLOYMENT + workload("batch/v1", "Job", TEMPLATE) + pod("web-job")

    assert reading(text).pods == ["shop/web", "shop/web-deployment", "shop/web-job", "shop/web-job-1"]


def test_workloads_that_own_each_other_end() -> None:
    """A loop of owners is nobody's mistake to fall into."""
    loop = workload(
        "apps/v1",
        "ReplicaSet",
        f"{SELECTOR}, {TEMPLATE}",
        "a",
        ", ownerReferences: [{kind: ReplicaSet, name: b, controller: true}]",
    )
    other = loop.replace("name: a,", "name: c,").replace("name: b,", "name: a,").replace("name: c,", "name: b,")

    assert reading(loop + other + pod("x", "ReplicaSet/a")).pods == ["shop/x"]


def namespaces(found: Found) -> list[Namespace]:
    return list(found.snapshot.namespaces)


def test_namespace_that_manifests_name_is_made_plainly() -> None:
    """With the label that the server sets, and a word about it; `default` is in every cluster."""
    found = reading(f"{DEPLOYMENT}{DEPLOYMENT.replace('shop', 'default')}")
    (problem,) = found.problems

    assert namespaces(found) == [Namespace(name, {"kubernetes.io/metadata.name": name}) for name in ("default", "shop")]
    assert problem.what == "namespaces are named that the input does not hold: shop"
    assert "kubectl create namespace" in problem.why


def test_namespace_that_only_running_pods_name_has_unknown_labels() -> None:
    """It exists, so it may have any labels."""
    found = reading(f"{pod('x')}{DEPLOYMENT}")
    (problem,) = found.problems

    assert namespaces(found) == [Namespace("shop", {"kubernetes.io/metadata.name": "shop"}, labels_known=False)]
    assert "UNKNOWN" in problem.why
    assert "kubectl get namespaces" in problem.attempt


def test_namespace_that_is_refused_has_unknown_labels() -> None:
    """Its objects are there, and what it is to be nobody knows."""
    text = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{a: 5}}}} # <-\n{DEPLOYMENT}"
    found = reading(text)

    assert [one.line for one in found.of()] == marked(text)
    assert [one.labels_known for one in namespaces(found)] == [False]


def test_given_namespace_is_taken_as_it_is() -> None:
    found = reading(f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{a: b}}}}\n{DEPLOYMENT}")

    assert found.problems == ()
    assert namespaces(found) == [Namespace("shop", {"a": "b", "kubernetes.io/metadata.name": "shop"})]


def test_many_namespaces_are_not_all_named() -> None:
    found = reading("".join(DEPLOYMENT.replace("shop", f"n{number}") for number in range(7)))

    assert found.problems[0].what.endswith("n0, n1, n2, n3, n4 and 2 more")


def policy_of(api_version: str, kind: str, metadata: str) -> str:
    return f"---\napiVersion: {api_version}\nkind: {kind}\nmetadata: {metadata}\nspec: {{}}\n"


@pytest.mark.parametrize(
    ("api_version", "kind", "metadata", "also", "told"),
    [
        ("networking.k8s.io/v1", "NetworkPolicy", "{name: p} # <-", "", True),
        ("networking.k8s.io/v1", "NetworkPolicy", "{name: p, namespace: ''} # <-", "", True),
        ("cilium.io/v2", "CiliumNetworkPolicy", "{name: p} # <-", "", True),
        ("projectcalico.org/v3", "NetworkPolicy", "{name: p} # <-", "", True),
        ("networking.k8s.io/v1", "NetworkPolicy", "{name: p, namespace: default}", "", False),
        ("projectcalico.org/v3", "GlobalNetworkPolicy", "{name: p}", "", False),
        ("networking.k8s.io/v1", "NetworkPolicy", "{name: p}", pod("near").replace("shop", "default"), False),
    ],
)
def test_policy_that_names_no_namespace(api_version: str, kind: str, metadata: str, also: str, told: bool) -> None:
    """It is told where all pods are elsewhere, and not where the input is at home in `default`."""
    text = policy_of(api_version, kind, metadata) + pod("far") + also
    found = reading(text)
    notes = [one for one in found.of(Effect.NOTED) if one.what == "this policy names no namespace"]

    assert [one.line for one in notes] == marked(text)
    assert bool(notes) is told
    assert {one.why for one in notes} <= {"it is taken to be in default, where the input has no pod"}


def test_policies_alone_are_at_home_in_default() -> None:
    """Without any pod nobody can say that they belong elsewhere; pods of workloads are pods."""
    text = policy_of("networking.k8s.io/v1", "NetworkPolicy", "{name: p}")

    assert reading(text).problems == ()
    told = reading(text + workload("apps/v1", "Deployment", f"{SELECTOR}, {TEMPLATE}")).of(Effect.NOTED)
    assert "this policy names no namespace" in {one.what for one in told}


def test_service_accounts() -> None:
    """Not read where there are none; where there are, each namespace has its own default one too."""
    assert reading(DEPLOYMENT).snapshot.accounts is None
    found = reading(f"{ACCOUNT}{DEPLOYMENT}{DEPLOYMENT.replace('shop', 'ops')}")
    assert [(one.namespace, one.name) for one in found.snapshot.accounts or ()] == [
        ("ops", "default"),
        ("shop", "default"),
        ("shop", "web"),
    ]
    given = reading(ACCOUNT.replace("name: web", "name: default, labels: {a: b}"))
    assert [one.labels for one in given.snapshot.accounts or ()] == [{"a": "b"}]


def test_export_that_cannot_be_read_leaves_nothing_certain() -> None:
    """What it held may decide about any flow; a broken manifest would not even be applied."""
    export = f'{DEPLOYMENT}---\n{{"metadata": {{"resourceVersion": "5"'
    (spot,) = reading(export).snapshot.blind_spots
    assert spot.namespace is None
    assert "-:7: this is not JSON" in spot.reason
    assert reading(export.replace("resourceVersion", "x")).snapshot.blind_spots == ()


def test_problems_stand_in_the_order_of_the_input() -> None:
    """Those about all of it come last."""
    text = dedent("""
        apiVersion: v1
        kind: Pod
        metadata: {name: A, namespace: shop} # <-
        ---
        a: [ # <-
        ---
        apiVersion: example.org/v1
        kind: Widget
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: B, namespace: shop} # <-
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: c, namespace: shop}
        """)

    lines = [one.line for one in reading(text).problems]
    assert [line for line in lines if line] == sorted(line for line in lines if line)
    assert lines[-2:] == [None, None]
