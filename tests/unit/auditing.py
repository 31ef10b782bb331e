"""Audits of a faked shop, for the tests of the pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from auditor.audit import run_audit
from auditor.model.finding import Agreement, Proof
from auditor.model.flow import Direction
from auditor.model.options import Coverage, Options
from auditor.model.probe import PlannedFlow
from auditor.model.report import Summary
from auditor.verdict import Material, summarise
from tests import fakes
from tests.builders import Raw, allow, pod, pods, policy, port, selector, tcp
from tests.fakes import FakeBackend, FakeCluster, by_model

SHOP = (
    pod("shop/web", on="n1", ports=[port(8080)], app="web"),
    pod("shop/db", on="n2", ports=[port(5432)], app="db"),
    pod("ops/admin", on="n1", ports=[port(9000)], app="admin"),
    policy("shop/db-in", selector(app="db"), ingress=[allow(pods(app="web"), ports=[tcp(5432)])]),
    policy("shop/web-out", selector(app="web"), types=["Egress"], egress=[allow(pods(app="db"), ports=[tcp(5432)])]),
)
"""web may only talk to db's port 5432, db may only be talked to by web there, admin is free."""


WHOLE = Options(coverage=Coverage.FULL)
"""Every flow: what most tests are about must not hang on what `--coverage rules` chooses."""


@dataclass(frozen=True)
class Audited:
    material: Material
    summary: Summary
    backend: FakeBackend

    def of(self, agreement: Agreement) -> list[PlannedFlow]:
        return [item.flow for item in self.material.comparison.judgements if item.agreement is agreement]

    @property
    def reasons(self) -> set[str]:
        judgements = self.material.comparison.judgements
        return {item.reason for item in judgements if item.agreement is Agreement.INCONCLUSIVE}

    @property
    def rules(self) -> set[str]:
        return {finding.rule for finding in self.material.findings}

    def proof(self, node: str, direction: Direction) -> Proof:
        found = {(claim.subject, claim.direction): claim.proof for claim in self.material.comparison.nodes}
        return found[node, direction]


def audit(
    *twists: fakes.Twist,
    objects: Sequence[Raw] = SHOP,
    later: Sequence[Raw] | None = None,
    options: Options | None = None,
    without: Sequence[Raw] = (),
    gone_after: int = 99,
    **switches: Any,
) -> Audited:
    """Run an audit of a faked cluster that is bent by twists."""
    backend = FakeBackend(by_model(objects), twists, **switches)
    wanted = options or WHOLE
    cluster = FakeCluster(objects, later, without=without, gone_after=gone_after)
    material = asyncio.run(run_audit(cluster, backend, wanted, fakes.ignore))
    assert not backend.is_open
    assert len(backend.calls) <= 6
    return Audited(material, summarise(material, wanted), backend)


def keys(audited: Audited) -> dict[str, str]:
    """The keys of clones by the title of what they stand for."""
    titles = {item.id: item.title for item in audited.material.matrix.identities}
    return {titles[item.identity]: item.key for item in audited.material.plan.stand_ins if item.identity}
