"""Handshakes with a host outside the cluster: nothing is said to it, and silence alone proves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.fixtures import ClusterFactory
from tests.cluster.tests.audit.command import QUICK, Command, Report
from tests.cluster.tests.audit.conftest import standing
from tests.cluster.tests.audit.outside import ADDRESS, Host, listening
from tests.cluster.tests.audit.site import Object, Site, namespace, pod, policy

OPEN, CLOSED_BY_POLICY, NOBODY = 7443, 7444, 7445
EXTERNALS = tuple(
    word
    for port, wish in ((OPEN, "model"), (CLOSED_BY_POLICY, "model"), (NOBODY, "model"))
    for word in ("--external", f"{ADDRESS}:{port}={wish}")
)
MEMBERS = {"app": "web"}
RULE = {"to": [{"ipBlock": {"cidr": f"{ADDRESS}/32"}}], "ports": [{"protocol": "TCP", "port": OPEN}]}


def scene() -> tuple[Object, ...]:
    """One pod that may talk to one port outside, and one that may talk to anybody and hears nobody."""
    return (
        namespace("out"),
        pod("out", "web", "n1", MEMBERS),
        pod("out", "free", "n2", {"app": "free"}),
        policy("out", "web-out", MEMBERS, egress=[RULE]),
        policy("out", "free-in", {"app": "free"}, ingress=[]),
    )


def told(report: Report) -> dict[tuple[str, int], tuple[str, str, str]]:
    """Verdict, outcome and agreement by source and port."""
    titles = {item["id"]: item["title"] for item in report.raw["identities"]}
    return {
        (titles[item["source_identity"]], item["port"]): (item["verdict"], item["outcome"], item["agreement"])
        for item in report.raw["handshakes"]
    }


@pytest.fixture(scope="module")
def host(site: Site) -> Iterator[Host]:
    """Give the outside host, with two listeners, and two pods in the cluster."""
    site.apply(*scene())
    with listening(site.cluster, (OPEN, CLOSED_BY_POLICY)) as outside:
        site.await_ready()
        yield outside


def test_what_nothing_enforces_gets_out_and_nothing_is_said(host: Host, netaudit: Command) -> None:
    """A denied handshake that is done is a leak, one that nobody could do is open, and the host hears not a byte."""
    result = netaudit.run("run", *QUICK, "-n", "out", *EXTERNALS)
    found = told(result.report)

    assert found == {
        ("out/web", OPEN): ("allowed", "reached", "as-expected"),
        ("out/free", OPEN): ("allowed", "reached", "as-expected"),
        ("out/web", CLOSED_BY_POLICY): ("denied", "reached", "leak"),
        ("out/free", CLOSED_BY_POLICY): ("allowed", "reached", "as-expected"),
        ("out/web", NOBODY): ("denied", "refused", "inconclusive"),
        ("out/free", NOBODY): ("allowed", "refused", "inconclusive"),
    }
    assert result.code == 3
    assert {(port, 0) for port in (OPEN, CLOSED_BY_POLICY)} == set(host.heard())
    [leak] = [item for item in result.report.raw["findings"] if item["rule"] == "handshake"]
    assert (leak["source"], leak["policies"]) == ("out/web", ["out/web-out"])


@pytest.mark.long
def test_what_cilium_enforces_is_shown_by_the_control_beside_it(cluster: ClusterFactory, tmp_path: Path) -> None:
    """The denial is proven where the control had its handshake, and stays open where nobody listens."""
    mine = standing("cilium", cluster)
    place = Site(mine)
    place.clear()
    place.apply(*scene())
    try:
        with listening(mine, (OPEN, CLOSED_BY_POLICY)):
            place.await_ready()
            result = Command(tmp_path, mine.kubeconfig).run("run", "--settle", "3", "-n", "out", *EXTERNALS)
    finally:
        place.clear()
    found = told(result.report)

    assert found["out/web", OPEN] == ("allowed", "reached", "as-expected")
    assert found["out/web", CLOSED_BY_POLICY][0::2] == ("denied", "as-expected")
    assert found["out/free", CLOSED_BY_POLICY] == ("allowed", "reached", "as-expected")
    assert found["out/web", NOBODY][0::2] == ("denied", "inconclusive")
    assert result.code == 4
    assert "did not reach it either" in str(result.report.raw["handshakes"])
