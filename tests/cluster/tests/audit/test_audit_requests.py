"""Law 7: the API requests of a run grow with identities, never with ports or flows."""

from __future__ import annotations

import pytest
from tabulate import tabulate

from tests.cluster.cluster import Cluster
from tests.cluster.tests.audit.command import QUICK, Command, Report
from tests.cluster.tests.audit.requests import Requests, counting
from tests.cluster.tests.audit.site import Site, namespace, pod, policy

PER_POD = 10
FIXED = 60
"""Requests that any run makes: reading the cluster, its own namespaces, the Lease."""


def grow(site: Site, identities: int, ports: int) -> None:
    """Have this many pods that policies can tell apart, each open to the first one on this many ports."""
    peer = {"podSelector": {"matchLabels": {"row": "row-0"}}}
    opened = {"from": [peer], "ports": [{"port": 1000 + number} for number in range(ports)]}
    names = [f"row-{number}" for number in range(identities)]
    site.apply(
        namespace("rows"),
        *(pod("rows", name, f"n{1 + number % 2}", {"row": name}) for number, name in enumerate(names)),
        *(policy("rows", name, {"row": name}, ingress=[opened]) for name in names),
    )
    site.await_ready()


def measure(site: Site, lax: Cluster, netaudit: Command, identities: int, ports: int) -> tuple[Requests, Report]:
    """Audit that many identities and count."""
    grow(site, identities, ports)
    with counting(lax.audit_log) as seen:
        result = netaudit.run("run", *QUICK)
    assert result.code == 3, result.err
    assert len(result.report.titles()) == identities
    return seen, result.report


def test_requests_grow_with_identities_alone(
    site: Site, lax: Cluster, netaudit: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """From 2 to 4 to 8 identities each one costs the same few requests, and twelve times the ports cost none."""
    sizes = [(2, 1), (2, 12), (4, 1), (8, 1)]
    runs = [measure(site, lax, netaudit, *size) for size in sizes]
    rows = [
        [identities, ports, len(report.raw["stand_ins"]), len(report.flows), seen.work, seen.waits]
        for (identities, ports), (seen, report) in zip(sizes, runs, strict=True)
    ]
    with capsys.disabled():
        heads = ["identities", "ports", "probe pods", "flows", "requests", "looks while waiting"]
        print(f"\n{tabulate(rows, heads)}")  # noqa: T201 - the figures are the acceptance
    two, wide, four, eight = (seen.work for seen, _ in runs)
    per_identity = [(four - two) / 2, (eight - four) / 4]

    assert abs(wide - two) <= 4, "more ports, more requests"
    assert max(per_identity) <= PER_POD
    assert abs(per_identity[0] - per_identity[1]) <= 1.5, "not linear"
    for seen, report in runs:
        assert seen.work <= FIXED + PER_POD * len(report.raw["stand_ins"])


def test_dry_run_only_reads(site: Site, lax: Cluster, netaudit: Command) -> None:
    """`--dry-run` says what would be made and tried; the audit log shows nothing but reads."""
    grow(site, 4, 1)
    with counting(lax.audit_log) as seen:
        result = netaudit.run("run", "--dry-run")

    assert result.code == 0, result.err
    assert seen.total > 0
    assert seen.writes == set()
    assert "8" in result.out
    assert site.traces() == []
