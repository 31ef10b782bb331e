"""Which policies a sandbox refuses: all that could decide and that its engine does not know."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from auditor.cluster.resources import FOREIGN_POLICIES
from auditor.cluster.saved import FileSource
from auditor.errors import UsageError
from auditor.ports import RawSnapshot
from probes.backends.netns.source import check_kinds

DECIDING = sorted(name for name, kind in FOREIGN_POLICIES.items() if kind.decides)
RESTING = sorted(name for name, kind in FOREIGN_POLICIES.items() if not kind.decides)
BESIDE = "{apiVersion: v1, kind: Pod, metadata: {name: db}, spec: {containers: [{name: main, image: none}]}}"


def read(folder: Path, resource: str, version: str) -> RawSnapshot:
    """What is read from a folder with a pod and one object of that resource."""
    known = FOREIGN_POLICIES[resource]
    kind, home = known.kind.partition(" ")[0], ", namespace: shop" if known.namespaced else ""
    odd = f"{{apiVersion: {known.group}/{version}, kind: {kind}, metadata: {{name: odd{home}, uid: u1}}, spec: {{}}}}"
    (folder / "odd.yaml").write_text(f"{BESIDE}\n---\n{odd}\n")
    return asyncio.run(FileSource([str(folder)], bytes).collect())


@pytest.mark.parametrize("resource", DECIDING)
def test_each_other_kind_of_policy_is_refused(tmp_path: Path, resource: str) -> None:
    with pytest.raises(UsageError, match=rf"a sandbox cannot enforce {resource}\n"):
        check_kinds(read(tmp_path, resource, FOREIGN_POLICIES[resource].versions[0]))


@pytest.mark.parametrize("resource", DECIDING)
def test_of_any_version(tmp_path: Path, resource: str) -> None:
    """The model knows nothing of such an object, and the engine as little."""
    with pytest.raises(UsageError, match=rf"a sandbox cannot enforce {resource}\n"):
        check_kinds(read(tmp_path, resource, "v9"))


@pytest.mark.parametrize("resource", RESTING)
def test_what_decides_about_no_flow_by_itself_is_taken(tmp_path: Path, resource: str) -> None:
    found = read(tmp_path, resource, FOREIGN_POLICIES[resource].versions[0])
    assert found.objects[resource]
    check_kinds(found)


def test_several_are_named_together() -> None:
    names = ["ciliumnetworkpolicies.cilium.io", "egressfirewalls.k8s.ovn.org"]
    with pytest.raises(UsageError, match=", ".join(names)):
        check_kinds(RawSnapshot({name: [{}] for name in reversed(names)}))


def test_network_policies_are_taken() -> None:
    check_kinds(RawSnapshot({"networkpolicies": [{}], "egressfirewalls.k8s.ovn.org": []}))
