"""Least rights: without any one verb of deploy/kustomize a run says what it lacks, and what it still says is right.

Where Cilium enforces, so that the whole of the rights gives exit code 0 and whatever is missing must be noticed.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from auditor.plan import OWN_LABELS
from tests.cluster.cluster import Cluster, existing
from tests.cluster.fixtures import ClusterFactory
from tests.cluster.tests.audit import rights_site
from tests.cluster.tests.audit.command import Command, Report, Result, until
from tests.cluster.tests.audit.conftest import STANDING
from tests.cluster.tests.audit.rights import Grants, Right, objects_of
from tests.cluster.tests.audit.rights_cases import CASES, Case
from tests.cluster.tests.audit.site import Site, namespace
from tests.cluster.tests.audit.tabling import Table, agreements, sayings, table
from tests.cluster.tests.audit.test_audit_model_cases import UNHURRIED

pytestmark = pytest.mark.long


class Stage(NamedTuple):
    """A cluster with the rights of one overlay given, and what a run with all of them gives."""

    site: Site
    grants: Grants
    case: Case
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
    """Give a cluster in which the account has the rights of an overlay, and run once with all of them."""
    site, case = Site(enforcing), CASES[request.param]
    site.clear()
    rights_site.deploy(site)
    given = {item["metadata"]["name"] for item in objects_of(case.overlay) if item["kind"] == "Namespace"}
    for home in sorted(case.homes - given):
        site.apply(namespace(home, **OWN_LABELS))
    grants = Grants(site, case.overlay)
    whole = grants.command(tmp_path_factory.mktemp("whole")).run(*case.words)
    results.note(f"{case.overlay}: with all rights", whole, left(site, case))
    renew(site)
    yield Stage(site, grants, case, whole)
    site.clear()


def left(site: Site, case: Case) -> list[str]:
    """What a run left, beside the namespaces that were there before."""
    kinds = {
        "networkpolicy": "/apis/networking.k8s.io/v1/networkpolicies",
        "lease": "/apis/coordination.k8s.io/v1/leases",
        "service": "/api/v1/services",
    }
    beside = [
        f"{kind} {item['metadata']['namespace']}/{item['metadata']['name']}"
        for kind, path in kinds.items()
        for item in site.items(path)
        if item["metadata"]["namespace"] in case.homes
    ]
    made = {f"namespace {name}" for name in case.homes}
    return [*(item for item in site.traces() if item not in made), *beside, *marks(site)]


def marks(site: Site) -> list[str]:
    """The ephemeral containers in real pods."""
    return [
        f"container {pod['metadata']['name']}/{item['name']}"
        for pod in site.items(f"/api/v1/namespaces/{rights_site.SHOP}/pods")
        for item in pod["spec"].get("ephemeralContainers") or ()
    ]


def renew(site: Site) -> None:
    """Have the pods replaced that are marked, as nobody can remove the containers; five are the most that one takes."""
    marked = {mark.split(" ")[1].partition("/")[0] for mark in marks(site)}
    for name in sorted(marked):
        site.cluster.kubectl("delete", "pod", "-n", rights_site.SHOP, name, "--wait=false")
    if marked:
        until(lambda: not marks(site), "the marked pods are gone")
        site.await_ready()


@pytest.mark.parametrize("stage", CASES, indirect=True, scope="module")
def test_with_all_rights_everything_is_shown(stage: Stage) -> None:
    """What the rows below are held against: exit code 0, every denial proven, nothing left but what is named."""
    assert stage.whole.code == 0, stage.whole.err
    assert set(agreements(stage.whole.report)) == {"as-expected"}
    assert left(stage.site, stage.case) == []


def cases() -> list[object]:
    """Every right of every overlay, beyond those of the one that it stands on."""
    # With the overlay beside it no right is another overlay's too: pytest would put those one after the other, and each
    # would begin with a stage of its own.
    return [
        pytest.param(case.overlay, (case.overlay, right), id=f"{case.overlay}-{right}".replace(" ", "-"))
        for case in CASES.values()
        for right in case.lacked()
    ]


@pytest.mark.parametrize(("stage", "lacked"), cases(), indirect=["stage"], scope="module")
def test_without_one_right(
    stage: Stage, lacked: tuple[str, Right], results: Table, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """An honest partial report, or what, why and try; nothing is left once an administrator has cleaned up."""
    right = lacked[1]
    with stage.grants.lacking(right):
        result = stage.grants.command(tmp_path).run(*stage.case.words)
    rest = left(stage.site, stage.case)
    swept = sweep(stage, tmp_path)
    results.note(f"{stage.case.overlay}: {right}", result, rest, "SAME AS WITH IT" if same(stage, result) else "")

    with subtests.test("never wrong"):
        check_honest(stage, result)
    with subtests.test("nothing left that is not named"):
        assert [item for item in rest if not is_named(item, result)] == [], result.err
    with subtests.test("nothing left"):
        assert swept == []
    with subtests.test("needed"):
        assert not same(stage, result) or stage.case.may_lack(right), sayings(result)


def is_named(item: str, result: Result) -> bool:
    """Whether stderr names what was left: itself, the namespace that it is in, or how it begins and where."""
    home, _, name = item.partition(" ")[2].rpartition("/")
    lines = [line.strip() for line in result.err.splitlines()]
    told = [line for line in lines if line.startswith(("not removed: ", "pod "))]
    around = [line for line in told if "what begins with" in line or f"/namespaces/{home}: " in line]
    return any(name in line for line in told) or any(home in line for line in around)


def sweep(stage: Stage, folder: Path) -> list[str]:
    """Clean up as an administrator, who replaces pods that stay marked; what is left then."""
    words = ("cleanup", "--force", *(("--mode", "sentinel") if stage.case.sentinel else ()))
    swept = Command(folder / "sweep", stage.site.cluster.kubeconfig).run(*words)
    assert swept.code == 0, swept.err
    renew(stage.site)
    return left(stage.site, stage.case)


def same(stage: Stage, result: Result) -> bool:
    """Whether a run gave just what one with all rights gives, and said no more."""
    if not result.file.exists():
        return False
    new = answers(result.report) == answers(stage.whole.report)
    quiet = set(sayings(result)) <= set(sayings(stage.whole)) and warnings(result) <= warnings(stage.whole)
    return result.code == stage.whole.code and new and quiet


def answers(report: Report) -> Counter[str]:
    """How many flows, ways through Services and names came to what."""
    paths = Counter(f"{item['way']} {item['agreement']}" for item in report.raw["service_paths"])
    names = Counter(f"a name {item['outcome']}" for item in report.raw["names"])
    return agreements(report) + paths + names


def warnings(result: Result) -> set[str]:
    """What a run said beside its stages, and in its report's own warnings, of whichever pod it took."""
    told = {line for line in result.err.splitlines() if line.startswith(("warning", "not removed"))}
    found = told | set(result.report.raw.get("warnings") or ()) | set(result.report.raw.get("limits") or ())
    return {re.sub(r"^pod \S+:", "a pod:", text) for text in found}


def check_honest(stage: Stage, result: Result) -> None:
    """Less tested is never exit code 0, no verdict is wrong, and what ended the run is explained."""
    assert "Traceback" not in result.err + result.out
    assert "does not know" not in result.err, "a fault of the program is no answer"
    if not result.file.exists():
        assert result.code in {1, 4}
        assert result.explains(), result.err
        roles = {f"deploy/kustomize/{name}" for name in (stage.case.overlay, "read-only")}
        assert any(role in result.err for role in roles), "another mode's role would not help"
        return
    report = result.report
    assert report.judged("leak", "blockage", "late") == []
    assert {item["agreement"] for item in report.raw["service_paths"]} <= {"as-expected", "inconclusive"}
    verdicts = {flow.path: flow.verdict for flow in stage.whole.report.flows}
    assert {flow.path: flow.verdict for flow in report.flows}.items() <= verdicts.items()
    assert result.code in {0, 4}, result.err
    if result.code == 0:
        assert answers(report) == answers(stage.whole.report)
