"""An audit of datagrams on a cluster that enforces nothing: all of it gets through, be it allowed or denied."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.cluster.tests.audit.command import QUICK, Command, Report
from tests.cluster.tests.audit.site import Site, namespace, pod, policy

UDP_53 = [{"protocol": "UDP", "port": 53}]


@pytest.fixture(scope="module")
def asked(site: Site) -> Site:
    """Deploy a server of names that only one pod may ask, and only by UDP."""
    rule = {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": UDP_53}
    site.apply(
        namespace("names"),
        pod("names", "web", "n1", {"app": "web"}),
        pod("names", "dns", "n2", {"app": "dns"}),
        policy("names", "only-web", {"app": "dns"}, ingress=[rule]),
    )
    site.await_ready()
    return site


def test_datagrams_that_are_denied_leak_and_those_that_are_allowed_get_through(asked: Site, netaudit: Command) -> None:
    """Each flow of UDP has the nonce back; the report names its protocol, and nothing about it is inconclusive."""
    result = netaudit.run("run", *QUICK, "-n", "names")
    report: Report = result.report
    datagrams = [item for item in report.raw["flows"] if item["protocol"] == "UDP"]
    found = Counter((item["verdict"], item["outcome"], item["agreement"]) for item in datagrams)

    assert set(found) == {("allowed", "reached", "as-expected"), ("denied", "reached", "leak")}, found
    assert {53} < {item["port"] for item in datagrams}
    assert result.code == 3
    assert any("UDP 53" in item["title"] + item["cause"] for item in report.raw["findings"])
    [dns] = [item for item in report.raw["identities"] if item["title"] == "names/dns"]
    assert "53/UDP" in dns["listens"]
