"""Least rights: without any one verb of deploy/kustomize a run says what it lacks, and what it still says is right.

Where Cilium enforces, so that the whole of the rights gives exit code 0 and whatever is missing must be noticed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cluster.cluster import Cluster, existing
from tests.cluster.fixtures import ClusterFactory
from tests.cluster.tests.audit import rights_site
from tests.cluster.tests.audit.command import Command, Result
from tests.cluster.tests.audit.conftest import STANDING
from tests.cluster.tests.audit.rights import HOME, Grants, Right, rights
from tests.cluster.tests.audit.site import Site
from tests.cluster.tests.audit.tabling import Table, agreements, sayings, table
from tests.cluster.tests.audit.test_audit_model_cases import UNHURRIED

SOON = ("--settle", "0")
WORDS = {"clone": ("run", *SOON, "-n", rights_site.SHOP), "sentinel": ("run", *SOON, "--mode", "sentinel")}
GIVEN = {"clone": {HOME}, "sentinel": {HOME, "netaudit-ctl-1", "netaudit-ctl-2"}}
"""Namespaces that an administrator made, and that stay."""
UNSERVED = "projectcalico.org"
KEPT = {
    "get pods": "a probe pod that is slow to go is waited for by looking at it",
    "get configmaps in kube-system": "switches that are not the default answer what the API leaves open, and are told",
    "update leases.coordination.k8s.io in netaudit": "a run of more than half a minute has to renew its Lease",
}
"""Rights that a short run, where all is as usual, may do without, and why they are given all the same."""

pytestmark = pytest.mark.long


class Stage(NamedTuple):
    """A cluster with the rights of one mode given, and what a run with all of them gives."""

    site: Site
    grants: Grants
    mode: str
    whole: Result


@pytest.fixture(scope="module")
def enforcing(cluster: ClusterFactory) -> Iterator[Cluster]:
    """Give a cluster with Cilium, which goes when the last right is tried."""
    name = os.environ.get(STANDING)
    mine = existing(name) if name else cluster(engine="cilium", nodes=2, settings={"api-rate-limit": UNHURRIED})
    yield mine
    if not name:
        mine.down()


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Collect what each case gave."""
    with table(request.config, "Each right taken away in turn, on Cilium") as made:
        yield made


@pytest.fixture(scope="module")
def stage(
    request: pytest.FixtureRequest, enforcing: Cluster, results: Table, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """Give a cluster in which the account has the rights of a mode, and run once with all of them."""
    site = Site(enforcing)
    site.clear()
    rights_site.deploy(site)
    grants = Grants(site, request.param)
    whole = grants.command(tmp_path_factory.mktemp("whole")).run(*WORDS[request.param])
    results.note(f"{request.param}: with all rights", whole, left(site, request.param))
    yield Stage(site, grants, request.param, whole)
    site.clear()


def left(site: Site, mode: str) -> list[str]:
    """What a run left, beside the namespaces that were there before."""
    policies = [
        f"networkpolicy {item['metadata']['namespace']}/{item['metadata']['name']}"
        for item in site.items("/apis/networking.k8s.io/v1/networkpolicies")
        if item["metadata"]["namespace"] in GIVEN[mode]
    ]
    leases = [
        f"lease {item['metadata']['namespace']}/{item['metadata']['name']}"
        for item in site.items("/apis/coordination.k8s.io/v1/leases")
        if item["metadata"]["namespace"] in GIVEN[mode]
    ]
    made = {f"namespace {name}" for name in GIVEN[mode]}
    return [*(item for item in site.traces() if item not in made), *policies, *leases]


@pytest.mark.parametrize("stage", WORDS, indirect=True, scope="module")
def test_with_all_rights_everything_is_shown(stage: Stage) -> None:
    """What the rows below are held against: exit code 0, every denial proven, nothing left."""
    assert stage.whole.code == 0, stage.whole.err
    assert set(agreements(stage.whole.report)) == {"as-expected"}
    assert left(stage.site, stage.mode) == []


def cases() -> list[object]:
    """Every right of every mode, once."""
    return [
        pytest.param(mode, right, id=f"{mode}-{right}".replace(" ", "-"))
        for mode in WORDS
        for right in rights(mode)
        if right.group != UNSERVED
    ]


@pytest.mark.parametrize(("stage", "right"), cases(), indirect=["stage"], scope="module")
def test_without_one_right(
    stage: Stage, right: Right, results: Table, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """An honest partial report, or what, why and try; nothing is left once an administrator has cleaned up."""
    with stage.grants.lacking(right):
        result = stage.grants.command(tmp_path).run(*WORDS[stage.mode])
    rest = left(stage.site, stage.mode)
    swept = sweep(stage, tmp_path)
    results.note(f"{stage.mode}: {right}", result, rest, "SAME AS WITH IT" if same(stage, result) else "")

    with subtests.test("never wrong"):
        check_honest(stage, result)
    with subtests.test("nothing left"):
        assert swept == []
    with subtests.test("needed"):
        assert not same(stage, result) or str(right) in KEPT, sayings(result)


def sweep(stage: Stage, folder: Path) -> list[str]:
    """Clean up as an administrator; what is left then."""
    words = ("cleanup", "--force", *(("--mode", "sentinel") if stage.mode == "sentinel" else ()))
    swept = Command(folder / "sweep", stage.site.cluster.kubeconfig).run(*words)
    assert swept.code == 0, swept.err
    return left(stage.site, stage.mode)


def same(stage: Stage, result: Result) -> bool:
    """Whether a run gave just what one with all rights gives, and said no more."""
    if not result.file.exists():
        return False
    new = agreements(result.report) == agreements(stage.whole.report)
    quiet = set(sayings(result)) <= set(sayings(stage.whole)) and warnings(result) <= warnings(stage.whole)
    return result.code == stage.whole.code and new and quiet


def warnings(result: Result) -> set[str]:
    """What a run said beside its stages, and in its report's own warnings."""
    told = {line for line in result.err.splitlines() if line.startswith(("warning", "not removed"))}
    return told | set(result.report.raw.get("warnings") or ()) | set(result.report.raw.get("limits") or ())


def check_honest(stage: Stage, result: Result) -> None:
    """Less tested is never exit code 0, no verdict is wrong, and what ended the run is explained."""
    assert "Traceback" not in result.err + result.out
    assert "does not know" not in result.err, "a fault of the program is no answer"
    if not result.file.exists():
        assert result.code in {1, 4}
        assert result.explains(), result.err
        return
    report = result.report
    assert report.judged("leak", "blockage", "late") == []
    verdicts = {flow.path: flow.verdict for flow in stage.whole.report.flows}
    assert {flow.path: flow.verdict for flow in report.flows}.items() <= verdicts.items()
    assert result.code in {0, 4}, result.err
    if result.code == 0:
        assert agreements(report) == agreements(stage.whole.report)
