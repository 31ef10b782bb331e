"""Workloads whose software finds its members by labels get no probe pod unless the user says so."""

from __future__ import annotations

import pytest

from auditor.model.probe import ProbePlan
from tests.builders import Raw, deny_all, pod, workload
from tests.unit.planning import clones, plan


def made_by(item: Raw, version: str, kind: str, name: str = "main") -> Raw:
    item["metadata"]["ownerReferences"] = [{"apiVersion": version, "kind": kind, "name": name, "controller": True}]
    return item


def said(made: ProbePlan) -> list[str]:
    return [skip.reason for skip in made.skipped if skip.identity]


DENY = deny_all("shop/deny", app="db")
DB = pod("shop/db-0", owner="StatefulSet/db", app="db")


@pytest.mark.parametrize(
    ("objects", "maker"),
    [
        (
            [made_by(pod("shop/db-1", app="db"), "postgresql.cnpg.io/v1", "Cluster")],
            "Cluster main of postgresql.cnpg.io",
        ),
        (
            [DB, made_by(workload("StatefulSet", "shop/db", app="db"), "acid.zalan.do/v1", "postgresql")],
            "postgresql main of acid.zalan.do",
        ),
        (
            [
                made_by(pod("shop/db-x", hashed="77", app="db"), "apps/v1", "ReplicaSet", "db-77"),
                made_by(workload("Deployment", "shop/db", app="db"), "serving.knative.dev/v1", "Revision"),
            ],
            "Revision main of serving.knative.dev",
        ),
        (
            [
                made_by(pod("shop/db-x", app="db"), "apps/v1", "ReplicaSet", "db-77"),
                made_by(workload("ReplicaSet", "shop/db-77", app="db"), "argoproj.io/v1alpha1", "Rollout"),
            ],
            "Rollout main of argoproj.io",
        ),
    ],
)
def test_what_an_operator_made_is_skipped_with_its_maker(objects: list[Raw], maker: str) -> None:
    made = plan(*objects, DENY)
    assert clones(made) == []
    (reason,) = said(made)
    assert reason.startswith(f"{maker} made its pods")
    assert "--allow operator" in reason
    assert len(clones(plan(*objects, DENY, allow=("operator",)))) == 1


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("apps/v1", "Deployment"),
        ("v1", "ReplicationController"),
        ("batch/v1", "CronJob"),
        ("apps.openshift.io/v1", "DeploymentConfig"),
        ("operators.coreos.com/v1alpha1", "ClusterServiceVersion"),
    ],
)
def test_controllers_that_look_at_owners_are_no_reason(version: str, kind: str) -> None:
    made = plan(DB, made_by(workload("StatefulSet", "shop/db", app="db"), version, kind), DENY)
    assert (len(clones(made)), said(made)) == (1, [])


def test_another_workload_beside_it_is_no_reason() -> None:
    made = plan(DB, made_by(workload("StatefulSet", "shop/else", app="x"), "acid.zalan.do/v1", "postgresql"), DENY)
    assert len(clones(made)) == 1


def test_a_pod_without_labels_is_found_by_nobody() -> None:
    """No policy looks at its labels, so the probe pod wears none."""
    made = plan(made_by(pod("shop/db-1", app="db"), "postgresql.cnpg.io/v1", "Cluster"), deny_all("shop/deny"))
    assert [item.labels for item in clones(made)] == [()]


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("application", "spilo", "Patroni"),
        ("application", "patroni", "Patroni"),
        ("spilo-role", "master", "Patroni"),
        ("cnpg.io/cluster", "main", "CloudNativePG"),
        ("strimzi.io/cluster", "main", "Strimzi"),
        ("postgres-operator.crunchydata.com/cluster", "main", "Crunchy's operator"),
        ("elasticsearch.k8s.elastic.co/cluster-name", "main", "Elastic's operator"),
    ],
)
def test_labels_that_such_software_looks_for(key: str, value: str, name: str) -> None:
    """Whoever made the pods: Patroni needs no operator."""
    db = pod("shop/db-0")
    db["metadata"]["labels"] = {key: value}
    made = plan(db, deny_all("shop/deny", **{key: value}))
    assert clones(made) == []
    assert f"{name} finds its pods by labels like these" in said(made)[0]
    assert len(clones(plan(pod("shop/x", application="web"), deny_all("shop/deny", application="web")))) == 1
