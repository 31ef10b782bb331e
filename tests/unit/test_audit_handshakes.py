"""Handshakes with addresses outside through the whole pipeline: planned, tried, judged, found, told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from auditor.assemble import assemble
from auditor.errors import UsageError
from auditor.external import parse_externals
from auditor.model.expectation import Accord
from auditor.model.finding import Agreement, Confidence, Finding, Severity
from auditor.model.flow import Family
from auditor.model.options import Coverage, Options
from auditor.model.probe import Outcome, Placed, Probe, Rehearsal
from auditor.model.report import AuditReport, Run
from auditor.rounds import FLOWS, SETTLED, timeouts
from reports.forecast import render
from tests.builders import Raw, allow, block, deny_all, pod, pods, policy, port, selector, tcp
from tests.fakes import Stranger
from tests.unit.auditing import Audited, audit, keys

SHOP: tuple[Raw, ...] = (
    pod("shop/web", on="n1", ports=[port(8080)], app="web"),
    pod("shop/db", on="n2", ports=[port(5432)], app="db"),
    policy(
        "shop/web-out", selector(app="web"), egress=[allow(block("203.0.113.0/25"), pods(app="db"), ports=[tcp(443)])]
    ),
    deny_all("shop/db-in", "Ingress", app="db"),
)
"""web may only talk to a block of addresses, and to db, on port 443; nothing holds db back."""
OPS: tuple[Raw, ...] = (
    pod("ops/admin", on="n1", ports=[port(9000)], app="admin"),
    deny_all("ops/admin-in", "Ingress", app="admin"),
)
INSIDE, OUT = "203.0.113.7", "198.51.100.7"
"""What web may talk to, and what it may not."""
REACHED, SILENT = Outcome.REACHED, Outcome.SILENT
RUN = Run("r", "1", "", "", "clone", "busybox", "shell", 1.0, 3, 1.0, 1, 1.0)


def wanting(*externals: str, **more: Any) -> Options:
    return Options(externals=parse_externals(externals), coverage=Coverage.FULL, **more)


def enforced(number: int, probe: Probe, source: Placed) -> Outcome:
    """What an engine does that carries the policies of SHOP out."""
    is_web = source.pod.labels.get("app") == "web"
    return SILENT if is_web and probe.address == OUT else REACHED


def open_to_all(number: int, probe: Probe, source: Placed) -> Outcome:
    return REACHED


def nobody_there(number: int, probe: Probe, source: Placed) -> Outcome:
    return SILENT


def only_controls(number: int, probe: Probe, source: Placed) -> Outcome:
    return SILENT if source.stand_in.identity else REACHED


def late(number: int, probe: Probe, source: Placed) -> Outcome:
    return enforced(number, probe, source) if number == SETTLED else REACHED


def tried(*externals: str, stranger: Stranger = enforced, objects: Sequence[Raw] = SHOP, **more: Any) -> Audited:
    return audit(objects=objects, options=wanting(*externals), stranger=stranger, **more)


def found(audited: Audited) -> list[Finding]:
    return [finding for finding in audited.material.findings if finding.rule == "handshake"]


def agreements(audited: Audited) -> dict[str, Agreement]:
    """By the title of the source."""
    titles = {key: title for title, key in keys(audited).items()}
    return {titles[item.handshake.source]: item.agreement for item in audited.material.comparison.greetings}


CASES = [
    pytest.param(f"{OUT}:443=model", enforced, Agreement.AS_EXPECTED, None, 0, id="denied, not through"),
    pytest.param(f"{INSIDE}:443=model", enforced, Agreement.AS_EXPECTED, None, 0, id="allowed, through"),
    pytest.param(f"{OUT}:443=deny", enforced, Agreement.AS_EXPECTED, None, 3, id="denied, and db is not, as it should"),
    pytest.param(f"{OUT}:443=model", open_to_all, Agreement.LEAK, Severity.HIGH, 3, id="denied, through"),
    pytest.param("9.9.9.9:443=model", open_to_all, Agreement.LEAK, Severity.CRITICAL, 3, id="denied, to the internet"),
    pytest.param(f"{OUT}:443=model", late, Agreement.LATE, None, 0, id="denied, through at first"),
    pytest.param(f"{OUT}:443=model", nobody_there, Agreement.INCONCLUSIVE, None, 4, id="denied, nobody is there"),
    pytest.param(f"{INSIDE}:443=model", nobody_there, Agreement.INCONCLUSIVE, None, 4, id="allowed, nobody is there"),
    pytest.param(
        f"{INSIDE}:443=model", only_controls, Agreement.BLOCKAGE, Severity.MEDIUM, 0, id="allowed, not through"
    ),
    pytest.param(f"{INSIDE}:443=allow", only_controls, Agreement.BLOCKAGE, Severity.HIGH, 3, id="the same, expected"),
]


@pytest.mark.parametrize(("external", "stranger", "agreement", "severity", "code"), CASES)
def test_case(external: str, stranger: Stranger, agreement: Agreement, severity: Severity | None, code: int) -> None:
    """Of web, whose egress is policed; db's is not."""
    audited = tried(external, stranger=stranger)

    assert agreements(audited)["shop/web"] is agreement
    of_web = [finding.severity for finding in found(audited) if finding.source == "shop/web"]
    assert [severity] * (severity is not None) == of_web
    assert audited.summary.exit_code == code


def test_what_the_user_expects_and_the_policies_do_not_say() -> None:
    (finding,) = found(tried(f"{OUT}:443=deny"))

    assert finding.title == f"shop/db to {OUT} on TCP 443: expected to be denied, and allowed by the policies"
    assert (finding.severity, finding.confidence) == (Severity.HIGH, Confidence.LIKELY)
    assert "the policies do not say what is expected" in finding.cause


def test_leak_names_its_policy_and_proof_and_keeps_its_id() -> None:
    first, again = (found(tried(f"{OUT}:443=model", stranger=open_to_all)) for _ in range(2))
    (finding,) = first

    assert ["shop/web-out"] == [str(ref) for ref in finding.policies]
    assert f"n1 to {OUT}, TCP 443: the model says denied; the handshake was done in 6 of 6 tries" in finding.evidence[0]
    assert finding.id == again[0].id


def test_a_clean_one_is_tried_once_and_a_surprise_once_more_when_the_settle_time_is_over() -> None:
    clean, surprised = tried(f"{OUT}:443=model").backend, tried(f"{OUT}:443=model", stranger=open_to_all).backend

    assert {FLOWS} == {number for number, _ in clean.greeted}
    assert clean.waited == []
    assert {FLOWS, SETTLED} == {number for number, _ in surprised.greeted}
    assert any(seconds >= Options().settle for seconds in surprised.waited)


def test_controls_on_both_nodes_try_the_same() -> None:
    """What is denied is tried as often as any denied flow, what is allowed once, and by controls three times."""
    audited = tried(f"{OUT}:443=model")
    key = keys(audited)
    tries = {probe.source: probe.timeouts for _, probe in audited.backend.greeted}

    assert tries[key["shop/web"]] == timeouts(Options())
    assert len(tries[key["shop/db"]]) == 1
    assert {len(tries[name]) for name in tries if name.startswith("c")} == {3}
    assert {"c0a", "c1a"} < tries.keys()


def test_flows_between_probe_pods_are_judged_as_if_there_were_no_handshakes() -> None:
    """Old semantics stay: neither judgements nor claims look at strangers."""
    with_them, without = tried(f"{OUT}:443=model", stranger=open_to_all), audit(objects=SHOP, options=wanting())

    assert with_them.material.comparison.judgements == without.material.comparison.judgements
    assert with_them.material.comparison.nodes == without.material.comparison.nodes
    assert with_them.summary.planned == without.summary.planned


def test_agent_that_only_ever_met_strangers_is_no_proof() -> None:
    """A handshake does not stand in for the agent's own listener."""
    dead = keys(tried(f"{OUT}:443=model"))["shop/web"]

    def faulty(attempt: Any, outcome: Outcome) -> Outcome:
        return Outcome.FAULT if attempt.probe.source == dead else outcome

    audited = audit(faulty, objects=SHOP, options=wanting(f"{INSIDE}:443=model"), stranger=enforced)

    assert Agreement.AS_EXPECTED not in {
        item.agreement for item in audited.material.comparison.judgements if item.flow.source == dead
    }


def test_policy_that_changes_meanwhile_leaves_it_open() -> None:
    audited = tried(f"{OUT}:443=model", later=(*SHOP[:2], deny_all("shop/other")))

    assert {Agreement.INCONCLUSIVE} == set(agreements(audited).values())


def test_protocol_without_handshake_is_not_tried() -> None:
    audited = tried(f"{OUT}:53/UDP=deny")

    assert audited.backend.greeted == []
    (skip,) = [item for item in audited.material.plan.skipped if "--external" in item.what]
    assert skip.what == f"--external {OUT}:53/UDP"
    assert "no handshake" in skip.reason


def test_family_that_no_probe_pod_has() -> None:
    audited = tried("[2001:db8::7]:443=deny")

    assert audited.backend.greeted == []
    assert any(
        "no probe pod of an audited identity has an address" in item.reason for item in audited.material.plan.skipped
    )


def test_family_is_that_of_the_address() -> None:
    dual = tuple(
        pod(f"shop/{name}", on="n1", at=[f"10.0.0.{number}", f"fd00::{number}"], ports=[port(80)], app=name)
        for number, name in enumerate(("web", "db"), 1)
    )
    audited = tried(
        "[2001:db8::7]:443=allow", objects=(*dual, deny_all("shop/db-in", "Ingress", app="db")), dual_stack=True
    )

    assert {Family.IPV6} == {probe.family for _, probe in audited.backend.greeted}
    assert {Agreement.AS_EXPECTED} == set(agreements(audited).values())


def test_address_of_a_pod_ends_the_run_before_a_pod_is_made() -> None:
    address = SHOP[1]["status"]["podIPs"][0]["ip"]
    with pytest.raises(UsageError, match="not outside"):
        tried(f"{address}:5432=deny")


def test_probe_pod_that_admission_refuses_meets_nobody_and_is_told() -> None:
    """Its handshakes were asked for, so they count as not judged."""
    refused = {"shop": Rehearsal("i0", "webhook says no")}

    audited = tried(f"{OUT}:443=model", rehearsals=refused, objects=(*SHOP, *OPS))

    assert {"ops/admin"} == set(agreements(audited))
    (skip,) = [item for item in audited.material.plan.skipped if item.what.startswith("handshakes")]
    assert (skip.flows, skip.unjudged, skip.reason) == (2, True, "webhook says no")


# --- what is told ---


def reported(*externals: str, stranger: Stranger = enforced) -> AuditReport:
    return assemble(tried(*externals, stranger=stranger).material, wanting(*externals), RUN, "context")


def test_report_has_each_handshake() -> None:
    report = reported(f"{OUT}:443=deny", "203.0.113.0/24:443=model")

    first = report.handshakes[0]
    assert [item.id for item in report.handshakes] == [1, 2, 3, 4, 5, 6]
    assert {(item.expected, item.accord != "") for item in report.handshakes} == {("denied", True), ("", False)}
    assert {item.target for item in report.handshakes[2:]} == {
        "203.0.113.1, the first usable of 203.0.113.0 to 203.0.113.127 (128 addresses)",
        "203.0.113.128, the first usable of 203.0.113.128 to 203.0.113.255 (128 addresses)",
    }
    assert first.accord in {Accord.KEPT.value, Accord.POLICIES_ALLOW.value}
    assert (report.summary.handshakes, report.summary.handshakes_wrong) == (6, 2)
    assert " Of 6 handshakes with addresses outside" in report.summary.sentence
    assert any("by handshake with strangers" in text for text in report.limits)
    assert not any("addresses outside the cluster were not tried" in text for text in report.limits)


def test_report_without_them_says_that_they_were_not_tried() -> None:
    report = reported()

    assert report.handshakes == []
    assert "handshake" not in report.summary.sentence
    assert any("addresses outside the cluster were not tried" in text for text in report.limits)


def test_dry_run_counts_and_names_them() -> None:
    material = tried(f"{OUT}:443=deny").material

    text = render(material.plan, material.matrix, wanting(f"{OUT}:443=deny"))

    assert "would try 2 handshakes with listeners of others, sending nothing:" in text
    assert f"  2 probe pods with {OUT} on TCP 443" in text
    assert material.plan.estimate.handshakes == 2
    plain = audit(objects=SHOP, options=wanting()).material.plan.estimate
    assert material.plan.estimate.requests > plain.requests
    assert material.plan.estimate.seconds > plain.seconds
