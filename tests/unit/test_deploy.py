"""The roles that are handed out: nothing twice, and nothing that changes a cluster where only reading is promised."""

from __future__ import annotations

from collections import Counter

import pytest
import yaml

from auditor.service_plan import gated_policy, own_services, server_policy
from tests.cluster.tests.audit.rights import KUSTOMIZE, OVERLAYS, Right, objects_of, rights_of
from tests.cluster.tests.audit.rights_cases import CASES

READS = {"get", "list"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_each_right_is_given_once(name: str) -> None:
    """A right that two rules give cannot be taken away by who edits one of them."""
    given = Counter(right for item in objects_of(name) for right in rights_of(item))

    assert [str(right) for right, times in given.items() if times > 1] == []
    assert given


def test_read_only_reads() -> None:
    """What `--dry-run` and `predict` need changes nothing, and reads no single object but the scales of one kind."""
    rights = [
        right for item in objects_of("clone") for right in rights_of(item) if "read-only" in item["metadata"]["name"]
    ]

    assert {right.verb for right in rights} <= READS
    assert {right.resource for right in rights if right.verb == "get"} == {"rollouts/scale"}


def test_each_folder_is_tried_with_a_right_less() -> None:
    """Whoever adds one says which run it is for; what only reads is part of others, and tried with them."""
    assert {"read-only", *CASES} == set(OVERLAYS)
    assert all(case.lacked() for case in CASES.values())


def test_where_nobody_may_exec_work_goes_into_annotations_and_answers_come_from_logs() -> None:
    """All else is as where one may."""
    found, usual = (
        {right for item in objects_of(name) for right in rights_of(item)} for name in ("clone-logs", "clone")
    )

    assert {str(right) for right in found - usual} == {"patch pods", "get pods/log"}
    assert {right.resource for right in usual - found} == {"pods/exec"}


def overlay(name: str) -> list[Right]:
    """What a kustomization adds to the one that it stands on."""
    found = yaml.safe_load((KUSTOMIZE / name / "kustomization.yaml").read_text())
    assert found["resources"] == [f"../{name.removesuffix('-services')}", "rbac.yaml"]
    return [
        right for item in yaml.safe_load_all((KUSTOMIZE / name / "rbac.yaml").read_text()) for right in rights_of(item)
    ]


def test_services_are_an_overlay_and_no_default_role_may_make_them() -> None:
    whole = [name for name in OVERLAYS if not name.endswith("-services")]
    base = {right for name in whole for item in objects_of(name) for right in rights_of(item)}

    assert not [right for right in base if right.resource == "services" and right.verb not in READS]
    assert {(right.home, right.resource) for right in overlay("sentinel-services")} == {("netaudit-ctl-2", "services")}


def test_beside_workloads_only_services_and_policies_of_these_names_may_be_removed() -> None:
    names = {item.name for item in own_services()} | {server_policy().name, gated_policy().name}
    found = overlay("clone-services")

    assert {right.verb for right in found if not right.name} == {"create"}
    assert {right.name for right in found if right.name} == names
    assert {right.resource for right in found} == {"services", "networkpolicies"}
