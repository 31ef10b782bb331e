"""The golden cases of the model under Cilium: what was written by hand, what is predicted and what packets do agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.fixtures import ClusterFactory
from tests.cluster.tests.audit.command import Command, Flow, Report
from tests.cluster.tests.audit.site import Site
from tests.model_cases import Case, read_cases
from tests.moved_cases import batches, deployable, is_movable, is_probed, moved

MOST_PODS = 45
"""Workload pods of one run; as many stand-ins come beside them."""
AGENT = ("--image", "netaudit.test/netaudit-base:1", "--agent", "python")
"""The guides' audits hold the shell agent against packets; thousands of its processes would crowd a small machine."""
SWIFT = ("--settle", "5", "--rate", "100", "--budget", "25m", *AGENT)
UNHURRIED = "endpoint-create=rate-limit:20/s,rate-burst:20,parallel-requests:4,auto-adjust:false,max-wait-duration:60s"
"""By itself Cilium gives a node a new pod every two seconds, and fewer on a busy machine."""
SHORT = (
    "isolation/allow-all-beside-deny-all-is-allow-all",
    "isolation/both-ends-must-allow",
    "isolation/missing-types-are-filled-in:egress-rule-adds-egress",
    "isolation/replies-need-no-rule",
    "peers/both-selectors-in-one-item-are-and",
    "peers/namespace-by-its-name:not-in",
    "ports/end-port-is-inclusive",
    "ports/name-is-the-servers-at-ingress",
    "ports/rules-do-not-lend-each-other-ports",
    "selectors/on-peers:not-in-holds-for-an-absent-key",
    "selectors/on-subjects:empty-value-leaves-pods-without-the-label-alone",
)
"""What every change is held against; all others take their turn in the long run."""

MOVABLE = {case.name: case for case in read_cases() if is_movable(case)}
REST = batches([case for name, case in MOVABLE.items() if name not in SHORT], MOST_PODS)


@pytest.fixture(scope="module")
def enforcing(cluster: ClusterFactory) -> Iterator[Cluster]:
    """Give a cluster with Cilium, which goes when the last case is done."""
    mine = cluster(engine="cilium", nodes=2, settings={"api-rate-limit": UNHURRIED})
    yield mine
    mine.down()


@pytest.fixture
def site(enforcing: Cluster) -> Iterator[Site]:
    """Give the place for a batch of cases, which are gone after it."""
    place = Site(enforcing)
    place.clear()
    yield place
    place.clear()


def test_short_list_of_cases(site: Site, tmp_path: Path) -> None:
    check([MOVABLE[name] for name in SHORT], site, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("batch", REST, ids=[f"{number}-from-{batch[0].name}" for number, batch in enumerate(REST)])
def test_all_other_cases(site: Site, tmp_path: Path, batch: list[Case]) -> None:
    check(batch, site, tmp_path)


class Found(NamedTuple):
    """A cell of a table, and what a report says of it."""

    cell: str
    written: str
    verdict: str


def check(cases: list[Case], site: Site, folder: Path) -> None:
    """Deploy cases side by side, audit them once, and hold every flow that was tested against the tables.

    Where a case says that Cilium departs from the API, it must be seen to; in all others packets, prediction and what
    was written by hand agree.
    """
    placed = {f"c{number}": moved(case, f"c{number}") for number, case in enumerate(cases)}
    site.apply(*(deployable(item) for case in placed.values() for item in case.objects))
    site.await_ready()

    report = Command(folder, site.cluster.kubeconfig).run("run", *SWIFT, timeout=1600).report

    found = {case.name: outcomes(report, case) for case in placed.values()}
    assert {name: len(cells) for name, cells in found.items() if not cells} == {}
    assert [said for cells in found.values() for said in cells if said.verdict != said.written] == []
    # What came late ended as predicted: how soon depends on the machine.
    surprising = {surprised(flow, placed) for flow in report.judged("leak", "blockage")}
    assert surprising == {case.name for case in placed.values() if case.departs}
    open_for = Counter(flow.reason for flow in report.judged("inconclusive") if not is_untold(flow))
    assert open_for.total() < 0.05 * len(report.flows), open_for.most_common(8)


def is_untold(flow: Flow) -> bool:
    """Whether a flow was left alone because the kernel of this machine may not speak SCTP."""
    return "SCTP was not tried" in flow.reason


def surprised(flow: Flow, placed: Mapping[str, Case]) -> str:
    """The name of the case that a surprising flow belongs to; the flow itself where its ends are of two cases.

    A case that departs may also differ in flows to others.
    """
    marks = [end.partition("-")[0] for end in (flow.source, flow.destination)]
    departing = [mark for mark in marks if mark in placed and placed[mark].departs]
    if departing or marks[0] == marks[1]:
        return placed[(departing or marks)[0]].name
    return f"{flow.source} -> {flow.destination}:{flow.port} {flow.agreement} ({flow.reason})"


def outcomes(report: Report, case: Case) -> list[Found]:
    """The cells of a case that packets were sent for."""
    identities = {
        f"{item['namespace']}/{owner.removeprefix('pod/')}": item["id"]
        for item in report.raw["identities"]
        for owner in item["owners"]
    }
    verdicts = {
        (item["source_identity"], item["destination_identity"], item["port"]): item["verdict"]
        for item in report.raw["flows"]
        if item["protocol"] == "TCP"
    }
    found = []
    for cell in filter(is_probed, case.cells):
        flow = (identities.get(cell.source), identities.get(cell.destination), cell.port)
        if flow in verdicts:
            found.append(Found(f"{case.name}: {cell}", cell.verdict, verdicts[flow]))
    return found
