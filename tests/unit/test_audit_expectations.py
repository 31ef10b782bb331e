"""Expectations through the whole pipeline: every case of user, model and packets, its finding and its exit code."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.assemble import assemble
from auditor.errors import UsageError
from auditor.model.expectation import Accord, Expectation
from auditor.model.finding import Confidence, Finding, Severity
from auditor.model.flow import Verdict
from auditor.model.options import Options
from auditor.model.report import AuditReport, Run
from tests import twists
from tests.builders import allow, block, pod, policy, port, selector, tcp
from tests.fakes import Twist
from tests.unit.auditing import SHOP, Audited, audit, keys
from tests.unit.expecting import expect

YES, NO = expect("allowed", "shop/web", "shop/db"), expect("denied", "ops/admin", "shop/db")
"""What the policies say too."""
OPENED, CLOSED = expect("denied", "shop/web", "shop/db"), expect("allowed", "ops/admin", "shop/db")
"""What they do not say."""
RUN = Run("r", "1", "", "", "clone", "busybox", "shell", 1.0, 3, 1.0, 1, 1.0)


def with_expectations(*items: Expectation, twist: Twist | None = None, **more: Any) -> Audited:
    return audit(*([twist] if twist else []), options=Options(expectations=items), **more)


def found(audited: Audited) -> list[Finding]:
    return [finding for finding in audited.material.findings if finding.rule == "expectation"]


def flipped(item: Expectation) -> Twist:
    """The flow that is expected comes out the other way."""
    by_title = keys(with_expectations(item))
    return twists.flipped(by_title[item.source], by_title[item.destination], 5432)


CASES = [
    pytest.param(YES, None, Accord.KEPT, None, 0, id="allowed, allowed, through"),
    pytest.param(NO, None, Accord.KEPT, None, 0, id="denied, denied, not through"),
    pytest.param(NO, twists.late(3), Accord.LATE, None, 0, id="denied, denied, not through after a while"),
    pytest.param(NO, twists.nothing_enforces, Accord.LEAK, Severity.HIGH, 3, id="denied, denied, through"),
    pytest.param(YES, flipped(YES), Accord.BLOCKAGE, Severity.HIGH, 3, id="allowed, allowed, not through"),
    pytest.param(OPENED, None, Accord.POLICIES_ALLOW, Severity.HIGH, 3, id="denied, allowed, through"),
    pytest.param(CLOSED, None, Accord.POLICIES_FORBID, Severity.HIGH, 3, id="allowed, denied, not through"),
    pytest.param(
        OPENED, flipped(OPENED), Accord.AGAINST_POLICIES, Severity.MEDIUM, 4, id="denied, allowed, not through"
    ),
    pytest.param(CLOSED, flipped(CLOSED), Accord.AGAINST_POLICIES, Severity.MEDIUM, 3, id="allowed, denied, through"),
    pytest.param(NO, twists.twins_blocked, Accord.INCONCLUSIVE, None, 4, id="denied, denied, without proof"),
    pytest.param(
        CLOSED, twists.twins_blocked, Accord.INCONCLUSIVE, Severity.MEDIUM, 4, id="allowed, denied, without proof"
    ),
]


@pytest.mark.parametrize(("item", "twist", "accord", "severity", "code"), CASES)
def test_case(item: Expectation, twist: Twist | None, accord: Accord, severity: Severity | None, code: int) -> None:
    """A leak is one for the rule of leaks too, so that an exit code may have two reasons."""
    audited = with_expectations(item, twist=twist)

    (answer,) = audited.material.answers
    assert answer.accord is accord
    assert [severity] * (severity is not None) == [finding.severity for finding in found(audited)]
    assert audited.summary.exit_code == code


def test_finding_tells_all_three_voices() -> None:
    (finding,) = found(with_expectations(CLOSED))

    assert finding.title == "ops/admin to shop/db on 5432/TCP: expected to be allowed"
    assert finding.cause == "the policies forbid what is expected to work"
    assert ["shop/db-in"] == [str(ref) for ref in finding.policies]
    assert finding.confidence is Confidence.CONFIRMED
    assert finding.evidence[0] == "expected at e.yaml:3"
    assert "the model says denied; denied, with every piece of proof" in finding.evidence[1]


def test_finding_of_what_was_not_measured_is_not_sure() -> None:
    (finding,) = found(with_expectations(expect("denied", "ops/admin", "internet", 443)))

    assert (finding.severity, finding.confidence) == (Severity.MEDIUM, Confidence.LIKELY)
    assert finding.cause == "the policies say allowed, which was not measured"


def test_id_is_that_of_the_expectation() -> None:
    """The same for the same fault in every run, another for another."""
    first, again = (found(with_expectations(CLOSED))[0].id for _ in range(2))
    (other,) = found(with_expectations(OPENED))

    assert first == again != other.id


def test_where_only_the_model_can_tell_and_does_nothing_is_missing() -> None:
    """An audit is no less complete for an address that nobody can probe."""
    audited = with_expectations(expect("allowed", "ops/admin", "internet", 443))

    (answer,) = audited.material.answers
    assert answer.accord is Accord.INCONCLUSIVE
    assert answer.worst.reason.startswith("not tested: addresses outside")
    assert audited.summary.exit_code == 0
    assert "Of 1 expectations 0 are kept and 0 are broken." in audited.summary.sentence


def test_probe_pod_that_does_not_run_leaves_it_open() -> None:
    dead = keys(with_expectations(NO))["ops/admin"]

    audited = with_expectations(NO, broken={dead: "ErrImagePull"})

    (answer,) = audited.material.answers
    assert answer.accord is Accord.INCONCLUSIVE
    assert "1 of 1 expectations were not shown for every flow" in audited.summary.sentence
    assert audited.summary.exit_code == 4


def test_identity_that_is_left_out_is_the_reason() -> None:
    """The plan says why; nothing is silently not tested."""
    audited = audit(options=Options(expectations=(NO,), max_pods=3))

    (answer,) = audited.material.answers
    assert "has no probe pod: more probe pods than --max-pods 3 allows" in answer.worst.reason


CALICO = pod("calico-system/calico-node-1", on="n1", owner="DaemonSet/calico-node")
FLEET = (
    pod("shop/db", on="n2", ports=[port(5432)], app="db"),
    *(pod(f"ops/admin-{n}", on="n1", at=[f"10.{n}.0.1"], owner="StatefulSet/admin") for n in (1, 2, 9)),
    policy("shop/db-in", selector(app="db"), ingress=[allow(block("10.9.0.0/16"), ports=[tcp(5432)])]),
)
"""The third admin's address lies in a block that may talk to db; no probe pod's does."""


@pytest.mark.parametrize("source", ["ops/admin-9", "ops/statefulset/admin"])
def test_pod_that_policies_treat_unlike_its_probe_pod_is_not_shown(source: str) -> None:
    """Calico matches pods by their addresses: what the probe pod is denied says nothing of the one in the block."""
    audited = with_expectations(expect("denied", source, "shop/db"), objects=(CALICO, *FLEET))

    (answer,) = audited.material.answers
    assert answer.accord is Accord.INCONCLUSIVE
    assert answer.worst.verdict is Verdict.ALLOWED
    assert "the probe pod's own verdict is DENIED" in answer.worst.reason
    assert "the policies say allowed, which was not measured" in [item.cause for item in found(audited)]
    assert audited.summary.exit_code == 4


def test_probe_pod_that_admission_relabels_speaks_for_nobody() -> None:
    """The policies allow web to db, and deny it to what web's probe pod has become."""
    audited = with_expectations(OPENED, labels={keys(with_expectations(OPENED))["shop/web"]: {}})

    assert [answer.accord for answer in audited.material.answers] == [Accord.INCONCLUSIVE]
    assert audited.summary.exit_code == 4


def test_nothing_to_test_still_answers() -> None:
    audited = audit(
        objects=(pod("kube-system/a"), pod("kube-system/b", app="b")),
        options=Options(expectations=(expect("denied", "kube-system/a", "kube-system/b", 80),)),
    )

    (answer,) = audited.material.answers
    assert "system namespace" in answer.worst.reason
    assert [Severity.MEDIUM] == [finding.severity for finding in found(audited)]


def test_item_that_matches_nothing_ends_the_run_before_a_pod_is_made() -> None:
    with pytest.raises(UsageError, match="nothing is called shop/wep"):
        with_expectations(expect("denied", "shop/wep", "shop/db"))


def reported(*items: Expectation) -> AuditReport:
    options = Options(expectations=items)
    return assemble(audit(options=options).material, options, RUN, "context")


def test_report_has_a_section_of_them() -> None:
    report = reported(OPENED, NO)

    assert ["policies allow it", "kept"] == [item.accord for item in report.expectations]
    assert (2, 1) == (report.summary.expectations, report.summary.expectations_broken)
    (flow,) = report.expectations[0].flows
    assert flow.flow in {item.id for item in report.flows}
    assert ("allowed", "policies allow it") == (flow.verdict, flow.accord)


def test_report_without_them_says_nothing_of_them() -> None:
    report = reported()

    assert report.expectations == []
    assert "expectation" not in report.summary.sentence


def test_shop_is_the_one_that_the_cases_speak_of() -> None:
    assert {"shop/web", "shop/db", "ops/admin"} <= {
        f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in SHOP
    }
