"""Handshakes with workloads' own pods: one from each probe pod to each port, not a byte, and some ports never."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.cluster.tests.audit.command import QUICK, Command, Report
from tests.cluster.tests.audit.outside import LISTEN, ended
from tests.cluster.tests.audit.site import Object, Site, namespace, pod, policy
from tests.cluster.tests.audit.test_audit_model_cases import AGENT

HOME = "served"
MET, SPARED, PRINTER = 7080, 7081, 9100
"""A port like any other, one that the user names, and one that nobody has to name."""
CALLER = {"app": "caller"}
REAL = ("--targets", "real", "--never-port", str(SPARED))


def server(name: str, node: str) -> Object:
    """A pod that listens on all the ports, and whose log is what it heard."""
    made = pod(HOME, name, node, {"app": name}, (MET, SPARED, PRINTER))
    command = ["python3", "-c", LISTEN, "/dev/stdout", *map(str, (MET, SPARED, PRINTER))]
    made["spec"]["containers"][0] |= {"image": AGENT[1], "command": command}
    return made


@pytest.fixture(scope="module")
def served(site: Site) -> Site:
    """Deploy two servers, and a pod that declares no port and that alone may talk to one of them."""
    site.apply(
        namespace(HOME),
        server("open", "n1"),
        server("shut", "n2"),
        pod(HOME, "caller", "n1", CALLER),
        policy(HOME, "shut-in", {"app": "shut"}, ingress=[{"from": [{"podSelector": {"matchLabels": CALLER}}]}]),
    )
    site.await_ready()
    return site


def heard(site: Site, name: str) -> list[tuple[int, int]]:
    """The connections that a server had, by port and bytes."""
    return ended(site.cluster.kubectl("logs", "-n", HOME, name).stdout)


def told(report: Report, name: str) -> list[tuple[str, int, str, str, str]]:
    """Source, port, verdict, outcome and agreement of each handshake with a server."""
    words = ("source", "port", "verdict", "outcome", "agreement")
    met = [item for item in report.raw["handshakes"] if item["target"] == f"pod {HOME}/{name}"]
    return [tuple(item[word] for word in words) for item in met]


def test_real_pods_are_met_once_from_each_probe_pod_and_spared_ports_never(served: Site, netaudit: Command) -> None:
    """Where nothing enforces every handshake is done, a denied one is a leak, and the servers hear no byte."""
    result = netaudit.run("run", *QUICK, "-n", HOME, *REAL)
    report = result.report
    right, leak = (MET, "allowed", "reached", "as-expected"), (MET, "denied", "reached", "leak")

    for name, expected in (("open", {right}), ("shut", {right, leak})):
        met = told(report, name)
        assert {item[1:] for item in met} == expected
        assert len({item[0] for item in met}) == len(met) >= 5, "three clones and the controls of two nodes"
        assert Counter(heard(served, name)) == {(MET, 0): len(met)}
    for port in (SPARED, PRINTER):
        assert "never tries this port" in report.skipped(f"real pods of 2 identities on port {port}")
    assert "name no TCP port" in report.skipped("real pods of 1 identity")
    assert result.code == 3
    leaks = [item for item in report.raw["findings"] if item["rule"] == "handshake"]
    assert {(leak["destination"], *leak["policies"]) for leak in leaks} == {(f"{HOME}/shut", f"{HOME}/shut-in")}
