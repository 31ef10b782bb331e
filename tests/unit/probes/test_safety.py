"""Which identities no probe pod may stand for, because something real might react."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from auditor.cluster.decode import decode
from auditor.cluster.resources import MONITORS
from auditor.model.cluster import ContainerPort, Pod
from auditor.model.flow import Protocol
from auditor.model.matrix import Identity
from auditor.ports import RawSnapshot
from probes.safety import WATCHERS, hazard
from tests.builders import Raw, autoscaler, named, namespace, pod, raw, selector, service, snapshot, workload

WEB = Identity("id", "shop", (("app", "web"),), (), (Pod("shop", "web"),), ((Protocol.TCP, 80),), frozenset())


def why(*objects: Raw, identity: Identity = WEB, unreadable: dict[str, str] | None = None) -> str | None:
    return hazard(snapshot(*objects, unreadable=unreadable), identity)


def picky(where: str, *, wants: Raw, **term: object) -> Raw:
    """A pod that stays away from others with these labels."""
    rules = [{"labelSelector": wants, "topologyKey": "kubernetes.io/hostname", **term}]
    return pod(where, spec={"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": rules}}})


SAFE: list[tuple[str, Sequence[Raw]]] = [
    ("an empty cluster", []),
    ("a Service that waits for readiness", [service("shop/web", app="web")]),
    ("a publishing Service of others", [service("shop/web", publishes=True, app="db")]),
    ("a publishing Service that wants one label more", [service("shop/web", publishes=True, app="web", tier="x")]),
    ("a publishing Service of another namespace", [service("ops/web", publishes=True, app="web")]),
    ("a publishing Service without selector", [service("shop/web", publishes=True)]),
    ("its own Deployment", [workload("Deployment", "shop/web", app="web")]),
    ("an autoscaler of others", [workload("Deployment", "shop/db", app="db"), autoscaler("shop/db", "Deployment/db")]),
    ("an autoscaler of another namespace", [autoscaler("ops/web", "Deployment/gone")]),
    ("anti-affinity to others", [picky("shop/x", wants=selector(app="db"))]),
    ("anti-affinity in another namespace", [picky("ops/x", wants=selector(app="web"))]),
    ("a soft spread", [pod("shop/x", spec={"topologySpreadConstraints": [{"whenUnsatisfiable": "ScheduleAnyway"}]})]),
]


@pytest.mark.parametrize("objects", [row[1] for row in SAFE], ids=[row[0] for row in SAFE])
def test_safe(objects: Sequence[Raw]) -> None:
    """What cannot react to the projected labels is no hazard."""
    assert why(*objects) is None


HAZARDS: list[tuple[str, Sequence[Raw], str]] = [
    ("a publishing Service", [service("shop/web", publishes=True, app="web")], "publishNotReadyAddresses"),
    (
        "an autoscaler of its workload",
        [workload("Deployment", "shop/web", app="web"), autoscaler("shop/web", "Deployment/web")],
        "HorizontalPodAutoscaler web would count",
    ),
    ("an autoscaler of something unknown", [autoscaler("shop/web", "Rollout/web")], "whose selector is not known"),
    (
        "an autoscaler of a namesake elsewhere",
        [workload("Deployment", "ops/web", app="db"), autoscaler("shop/web", "Deployment/web")],
        "whose selector is not known",
    ),
    ("anti-affinity", [picky("shop/x", wants=selector(app="web"))], "anti-affinity"),
    ("anti-affinity to all", [picky("shop/x", wants={})], "anti-affinity"),
    ("anti-affinity by absence", [picky("shop/x", wants=selector(("tier", "DoesNotExist")))], "anti-affinity"),
    ("anti-affinity across namespaces", [picky("ops/x", wants=selector(app="web"), namespaceSelector={})], "scheduler"),
    (
        "anti-affinity to named namespaces",
        [picky("ops/x", wants=selector(app="web"), namespaces=["shop"])],
        "scheduler",
    ),
    (
        "a hard spread",
        [
            pod(
                "shop/x",
                spec={
                    "topologySpreadConstraints": [
                        {"whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector(app="web")}
                    ]
                },
            )
        ],
        "spread",
    ),
    (
        "a namespace that goes",
        [{**namespace("shop"), "metadata": {"name": "shop", "deletionTimestamp": "now"}}],
        "being deleted",
    ),
    ("a Service that cannot be read", [{**named("Service", "shop/bad"), "spec": []}], "one of the services"),
    (
        "a quota that cannot be read",
        [{**named("ResourceQuota", "shop/q"), "status": {"hard": {"pods": "many"}}}],
        "one of the resourcequotas",
    ),
    ("a pod that cannot be read", [{**named("Pod", "shop/bad"), "spec": {"affinity": []}}], "one of the pods"),
]


@pytest.mark.parametrize(("objects", "words"), [row[1:] for row in HAZARDS], ids=[row[0] for row in HAZARDS])
def test_hazard(objects: Sequence[Raw], words: str) -> None:
    """Where harmlessness cannot be shown, the reason is given."""
    reason = why(*objects)

    assert reason is not None
    assert words in reason


@pytest.mark.parametrize("resource", sorted(WATCHERS))
def test_what_could_not_be_listed_might_react(resource: str) -> None:
    """Without the list nobody can say that nothing in it reacts."""
    assert f"{resource} could not be listed" in (why(unreadable={resource: "403"}) or "")


def test_monitors_that_could_not_be_listed_matter_where_a_port_has_a_name() -> None:
    """A PodMonitor scrapes a port that the pod declares, and a probe pod declares those that policies name."""
    metrics = (ContainerPort("metrics", 80),)
    scraped = Identity("id", "shop", (), metrics, (Pod("shop", "web"),), ((Protocol.TCP, 80),), frozenset())
    unreadable = {MONITORS: "403"}

    assert f"{MONITORS} could not be listed" in (why(identity=scraped, unreadable=unreadable) or "")
    assert why(unreadable=unreadable) is None


def test_unreadable_things_elsewhere_do_not_matter() -> None:
    """A bad object of another namespace cannot react to pods here; one without a namespace might stand anywhere."""
    elsewhere = {**named("Service", "ops/bad"), "spec": []}
    nowhere = RawSnapshot({**raw(namespace("shop")).objects, "services": ["text"]})  # type: ignore[list-item]

    assert why(elsewhere) is None
    assert hazard(decode(nowhere), WEB) is not None


def test_one_container_cannot_declare_a_name_twice() -> None:
    """S12: a name may stand for several numbers in several containers, which a stand-in has not."""
    ports = (ContainerPort("http", 80), ContainerPort("http", 81))
    double = Identity("id", "shop", (), ports, (Pod("shop", "web"),), ((Protocol.TCP, 80),), frozenset())

    assert "one container cannot declare" in (why(identity=double) or "")


def test_labels_that_are_not_worn_cannot_hurt() -> None:
    """Only the projected labels count: a stand-in without any meets no Service that wants some."""
    bare = Identity("id", "shop", (), (), (Pod("shop", "web", {"app": "web"}),), ((Protocol.TCP, 80),), frozenset())

    assert why(service("shop/web", publishes=True, app="web"), identity=bare) is None
    assert why(picky("shop/x", wants={}), identity=bare) is not None
