"""What every format shows: its order, its groups, its sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from auditor.model.report import AuditReport, ClaimEntry, FindingEntry, StandInEntry, Summary
from reports import words
from reports.view import EXAMPLES, percent, view
from tests.unit.reports import strategies
from tests.unit.reports.builders import leak_finding, report
from tests.unit.reports.samples import (
    clean,
    datagrams,
    every_agreement,
    incomplete,
    nothing_enforced,
    nothing_tested,
    one_node_leaking,
)


def finding(key: str, severity: str = "high", cause: str = "one cause") -> FindingEntry:
    made = leak_finding([], "staging/db-policy", cause, "mend it")
    return replace(made, id=key, severity=severity)


def with_findings(*findings: FindingEntry) -> AuditReport:
    base = nothing_enforced()
    return replace(base, findings=list(findings))


@given(strategies.reports)
def test_every_report_has_a_view(report: AuditReport) -> None:
    """Whatever a file holds, with values of later versions, it can be shown."""
    shown = view(report)

    assert len(report.flows) == len(shown.flows)
    assert len(report.findings) == sum(len(cause.findings) for cause in shown.causes)
    assert len(report.policies) == len(shown.policies.claims)
    assert shown.next_steps


@given(strategies.reports)
def test_numbers_are_those_of_the_summary(report: AuditReport) -> None:
    leaks, blockages, inconclusive, coverage = view(report).numbers
    summary = report.summary

    assert f"{summary.leaks:,}" == leaks.value
    assert f"{summary.blockages:,}" == blockages.value
    assert f"{summary.inconclusive:,}" == inconclusive.value
    assert coverage.value == (percent(summary.coverage) if summary.planned else "none")


@given(strategies.reports)
def test_surprises_are_leaks_blockages_and_late_flows(report: AuditReport) -> None:
    surprising = [flow.id for flow in report.flows if flow.agreement in {"leak", "blockage", "late"}]

    assert sorted(surprising) == sorted(row.entry.id for row in view(report).surprises)


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "100%"), (0.99999, "99.9%"), (0.0, "0%"), (0.9, "90%"), (0.983, "98.3%"), (2 / 3, "66.6%"), (0.29, "29%")],
)
def test_percent_never_rounds_up_to_all(share: float, text: str) -> None:
    assert text == percent(share)


def test_counts_account_for_every_flow() -> None:
    assert (
        "20 flows planned, 19 judged (95%): 16 as expected, 1 leak, 1 blockage, 1 late; 1 inconclusive. "
        "7 denials proven."
    ) == view(every_agreement()).counts


def test_findings_are_ordered_by_severity_then_id() -> None:
    shown = view(
        with_findings(finding("b"), finding("a"), finding("z", "critical"), finding("c", "of-a-later-version"))
    )

    assert ["z", "a", "b", "c"] == [found.entry.id for cause in shown.causes for found in cause.findings]


def test_findings_with_one_cause_and_remedy_stand_together_under_the_worst() -> None:
    shown = view(
        with_findings(
            finding("a", "low"), finding("b", "high", "another"), finding("c", "critical"), finding("d", "info")
        )
    )

    assert [("one cause", "critical", ["c", "a", "d"]), ("another", "high", ["b"])] == [
        (cause.cause, cause.severity, [found.entry.id for found in cause.findings]) for cause in shown.causes
    ]


def test_finding_shows_its_worst_flows_and_counts_the_others() -> None:
    base = nothing_enforced()
    every = [flow.id for flow in base.flows]

    [cause] = view(replace(base, findings=[replace(finding("a"), flows=[*every, 10_000])])).causes
    [found] = cause.findings

    assert ["leak"] * EXAMPLES == [row.sign.key for row in found.examples]
    assert len(every) + 1 - EXAMPLES == found.more


@pytest.mark.parametrize(
    ("source", "destination", "ends"),
    [("a", "b", "from a to b"), ("", "b", "from anywhere to b"), ("a", "", "from a to anywhere"), ("", "", "")],
)
def test_finding_says_where(source: str, destination: str, ends: str) -> None:
    shown = view(with_findings(replace(finding("a"), source=source, destination=destination)))

    assert ends == shown.causes[0].findings[0].ends


@pytest.mark.parametrize(
    ("audit", "steps"),
    [
        (clean(), ["Nothing to mend."]),
        (one_node_leaking(), ["Mend what Findings lists, worst first (1 cause)"]),
        (every_agreement(), ["Mend what Findings lists, worst first (2 causes)"]),
        (incomplete(), ["Coverage is 80%, below 90%", "Run netaudit cleanup: 1 object"]),
        (nothing_tested(), ["Nothing was tested: this audit proves nothing."]),
    ],
    ids=["clean", "one-node-leaking", "every-agreement", "incomplete", "nothing-tested"],
)
def test_reader_is_told_what_to_do(audit: AuditReport, steps: list[str]) -> None:
    told = view(audit).next_steps

    assert len(steps) == len(told)
    for step, sentence in zip(steps, told, strict=True):
        assert sentence.startswith(step)


def test_findings_do_not_hide_that_an_audit_is_incomplete() -> None:
    base = one_node_leaking()

    told = view(replace(base, summary=replace(base.summary, coverage=0.5, judged=10))).next_steps

    assert ["Mend", "Coverage"] == [step.split()[0] for step in told]


def test_planned_but_not_one_flow_judged_is_incomplete_whatever_coverage_was_wanted() -> None:
    base = clean()
    nothing = replace(base.summary, judged=0, coverage=0.0, min_coverage=0.0)

    assert view(replace(base, summary=nothing)).next_steps[0].startswith("Coverage is 0%")


def test_gap_that_coverage_does_not_show_is_named() -> None:
    """Enough was judged, and still the audit is incomplete: no number is green and the reader is told what to mend."""
    base = clean()
    shown = view(replace(base, summary=replace(base.summary, gaps=["1 of 2 probe pods did not run"])))

    assert shown.next_steps[0].endswith("run netaudit again: 1 of 2 probe pods did not run.")
    assert next(number for number in shown.numbers if number.label == "coverage").sign is words.INCONCLUSIVE
    assert view(base).next_steps != shown.next_steps


def test_unproven_policy_directions_are_pointed_out() -> None:
    open_claims = [ClaimEntry("a/b", "Ingress", proof, "", 0) for proof in ("not separately proven", "not applicable")]

    assert ("Read under Policies why 2 policy directions could not be proven.",) == view(
        replace(clean(), policies=open_claims)
    ).next_steps


def test_claims_that_need_a_reader_come_first() -> None:
    proofs = ["not applicable", "proven", "leaking", "of-a-later-version", "not separately proven"]
    claims = [ClaimEntry("a/b", "Ingress", proof, "", 0) for proof in proofs]

    shown = view(replace(clean(), policies=claims)).policies

    assert ["leaking", "not separately proven", "proven", "of-a-later-version", "not applicable"] == [
        claim.sign.word for claim in shown.claims
    ]
    assert shown.sentence.startswith("5 policy directions: 1 leaking, 1 not separately proven, ")


def test_no_policy_at_all_is_said() -> None:
    assert "No policy direction to prove." == view(nothing_tested()).policies.sentence


def test_identity_tells_how_far_it_was_tested() -> None:
    rows = {row.title: row for row in view(incomplete()).identities}

    assert (8, 4) == (rows["staging/frontend"].flows, rows["staging/frontend"].judged)
    assert "n1: did not start: ErrImagePull" == rows["staging/frontend"].stand_ins
    assert "n1: running; n2: running" == rows["staging/backend"].stand_ins
    assert ("Ingress", "app=backend") == (rows["staging/backend"].isolated, rows["staging/backend"].labels)
    assert "none that policies use" == rows["any other pod (control)"].labels
    assert "n1: did not start" not in rows["any other pod (control)"].stand_ins


def test_identity_names_the_protocol_of_ports_beside_tcp() -> None:
    ports = {row.title: row.ports for row in view(datagrams()).identities}

    assert (ports["staging/dns"], ports["staging/db"]) == ("53/UDP", "5432")


def test_probe_pods_of_controls_are_found_by_either_name() -> None:
    """A control's stand-in may name the control's identity, or none."""
    base = clean()
    nameless = [replace(one, identity=one.identity.replace("control", "")) for one in base.stand_ins]

    assert view(base).identities == view(replace(base, stand_ins=nameless)).identities


def test_probe_pod_that_was_changed_on_admission_says_so() -> None:
    changed = StandInEntry("k", "staging/db", "staging", "p", "", [], "running", note="admission changed its labels")
    base = replace(clean(), stand_ins=[changed])

    rows = {row.title: row for row in view(base).identities}

    assert "no node: running (admission changed its labels)" == rows["staging/db"].stand_ins
    assert "no probe pod" == rows["staging/backend"].stand_ins


@pytest.mark.parametrize(
    ("status", "key"),
    [("clean", "expected"), ("findings", "leak"), ("incomplete", "inconclusive"), ("later", "inconclusive")],
)
def test_status_has_its_sign(status: str, key: str) -> None:
    base = report()
    summary: Summary = replace(base.summary, status=status)

    assert key == view(replace(base, summary=summary)).status.key


def test_environment_tells_how_it_was_measured() -> None:
    facts = dict(view(clean()).environment)

    assert "3 tries of 1 s for each flow; surprises tried again for 45 s; 2 rounds" == facts["method"]
    assert "2 nodes, 6 namespaces, 14 pods, 2 policies" == facts["size"]
    assert "r1a2b3c4" == facts["run"]


def test_coverage_below_what_is_wanted_gets_the_sign_of_doubt() -> None:
    assert [words.AS_EXPECTED, words.INCONCLUSIVE] == [view(audit).numbers[3].sign for audit in (clean(), incomplete())]
