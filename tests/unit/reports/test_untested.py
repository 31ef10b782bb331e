"""What was not tested is found in one place, whatever the way in which it was left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given

from auditor.model.report import AuditReport, SkipEntry
from reports import untested, words
from reports.untested import Gap, gaps
from tests.unit.reports import strategies
from tests.unit.reports.builders import STAGING, as_predicted, identity, report
from tests.unit.reports.samples import incomplete, nothing_tested


@given(strategies.reports)
def test_every_inconclusive_flow_is_counted_once(report: AuditReport) -> None:
    counted = sum(gap.flows for gap in gaps(report) if gap.kind == untested.INCONCLUSIVE)

    assert counted == sum(1 for flow in report.flows if words.agreement_of(flow).key == "inconclusive")


@given(strategies.reports)
def test_every_skip_and_every_probe_pod_that_did_not_run_is_named(report: AuditReport) -> None:
    found = gaps(report)
    kinds = Counter(gap.kind for gap in found)

    assert sorted((skip.what, skip.reason, skip.flows) for skip in report.skipped) == sorted(
        (gap.what, gap.reason, gap.flows) for gap in found if gap.kind == untested.NOT_PLANNED
    )
    assert kinds[untested.NOT_RUNNING] == sum(1 for one in report.stand_ins if one.state != "running")


def test_inconclusive_flows_are_gathered_by_reason() -> None:
    assert (
        Gap("tried, inconclusive", "measured: untested", "The source's probe pod did not run: ErrImagePull.", 4)
        == gaps(incomplete())[0]
    )


def test_probe_pod_that_did_not_run_tells_why_and_how_many_flows_lack_it() -> None:
    assert Gap("probe pod did not run", "staging/frontend-n1", "did not start: ErrImagePull", 8) in gaps(incomplete())


def test_largest_gap_of_a_kind_comes_first() -> None:
    skips = [SkipEntry("b", "why", 1), SkipEntry("a", "why", 1), SkipEntry("c", "why", 30)]

    assert ["c", "a", "b"] == [gap.what for gap in gaps(replace(report(), skipped=skips))]


def test_identity_that_no_flow_touches_is_named() -> None:
    base = report()
    alone = identity(replace(STAGING[0], name="alone"))

    found = gaps(replace(base, identities=[*base.identities, alone]))

    assert ["admin/alone"] == [gap.what for gap in found if gap.kind == untested.NO_FLOW]


def test_control_without_flows_is_no_gap() -> None:
    assert () == gaps(replace(report(()), skipped=[]))


def test_reason_that_is_missing_is_said_to_be_missing() -> None:
    base = report(measure=lambda flow: replace(as_predicted(flow), agreement="inconclusive", reason=""))

    assert {"no reason was given"} == {gap.reason for gap in gaps(base) if gap.kind == untested.INCONCLUSIVE}


def test_audit_that_tested_nothing_says_why() -> None:
    assert ["Pods may not be created: PodSecurity restricted."] == [gap.reason for gap in gaps(nothing_tested())]
