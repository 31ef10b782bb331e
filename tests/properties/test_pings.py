"""ICMP beside audits of random clusters: whatever comes of it, nothing else says anything different."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from auditor.assemble import assemble
from auditor.audit import run_audit
from auditor.model.options import Coverage, Options
from auditor.model.ping import Between, Echo, Ping
from auditor.model.report import AuditReport, Run
from tests import fakes
from tests.builders import Raw
from tests.fakes import FakeBackend, FakeCluster, by_model
from tests.strategies import clusters
from tests.twists import nothing_enforces

RUN = Run("ab12cd", "0.1.0", "", "", "clone", "busybox", "shell", 10.0, 3, 1.0, 3, 60.0)


def reported(objects: list[Raw], options: Options, salt: int, *, enforced: bool) -> AuditReport:
    def echo(ping: Ping) -> Echo:
        lot = hashlib.blake2b(f"{salt}:{ping}".encode(), digest_size=1).digest()[0]
        return list(Echo)[lot % len(Echo)]

    backend = FakeBackend(by_model(objects), () if enforced else (nothing_enforces,), echo=echo, dual_stack=True)
    material = asyncio.run(run_audit(FakeCluster(objects), backend, options, fakes.ignore))
    return assemble(material, options, RUN, "context")


@given(clusters(max_pods=6, max_policies=4), st.sampled_from(Coverage), st.integers(0, 1000), st.booleans())
def test_the_report_is_the_same_but_for_its_list_of_pings(
    objects: list[Raw], coverage: Coverage, salt: int, enforced: bool
) -> None:
    """Every pair that flows are tried between is in it once, in each family, and nobody else but twins."""
    plain = Options(settle=1, coverage=coverage)
    without = reported(objects, plain, salt, enforced=enforced)
    with_it = reported(objects, replace(plain, ping=True), salt, enforced=enforced)

    assert replace(with_it, pings=[]) == without
    pods = [item for item in with_it.pings if item.between == Between.PODS.value]
    paths = [(item.source, item.destination, item.family) for item in pods]
    assert sorted(paths) == sorted({(flow.source, flow.destination, flow.family) for flow in with_it.flows})
