"""Handshakes with the workloads' own pods: which, on which ports, how often, and what becomes of a pod that goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from auditor.assemble import assemble
from auditor.handshakes import twin_probes
from auditor.model.finding import Agreement, Finding, Greeting, Severity
from auditor.model.flow import Protocol
from auditor.model.handshake import Beyond
from auditor.model.options import NEVER_PORTS, Coverage, Options, Targets
from auditor.model.probe import Outcome, Placed, Probe, Role
from auditor.model.report import Run
from auditor.ports import RawSnapshot
from auditor.reals import Standing, standing
from auditor.rounds import SETTLED
from reports.forecast import render
from tests.builders import Raw, allow, deny_all, pod, pods, policy, port, raw, selector, tcp
from tests.fakes import Attempt, Stranger, Twist
from tests.unit.auditing import Audited, audit, keys

REACHED, SILENT, REFUSED = Outcome.REACHED, Outcome.SILENT, Outcome.REFUSED
RUN = Run("r", "1", "", "", "clone", "busybox", "shell", 1.0, 3, 1.0, 1, 1.0)


def ready(made: Raw, word: str = "True", **metadata: Any) -> Raw:
    """The pod with a condition Ready."""
    status = {**made["status"], "conditions": [{"type": "Ready", "status": word}]}
    return {**made, "status": status, "metadata": {**made["metadata"], **metadata}}


WEB = ready(pod("shop/web", on="n1", ports=[port(8080)], app="web"))
DB = ready(pod("shop/db", on="n2", ports=[port(5432), port(9100), port(53, protocol="UDP")], app="db"))
POLICIES: tuple[Raw, ...] = (
    policy("shop/db-in", selector(app="db"), ingress=[allow(pods(app="web"), ports=[tcp(5432)])]),
    deny_all("shop/web-in", "Ingress", app="web"),
)
SHOP: tuple[Raw, ...] = (WEB, DB, *POLICIES)
"""Only web may talk to db, on 5432 alone, and nobody to web."""
DB_ADDRESS = DB["status"]["podIPs"][0]["ip"]


def wanting(**more: Any) -> Options:
    return Options(targets=Targets.REAL, coverage=Coverage.FULL, **more)


def enforced(number: int, probe: Probe, source: Placed) -> Outcome:
    """What an engine does that carries the policies of SHOP out, on the node of a witness too."""
    is_web = source.pod.labels.get("app") == "web"
    return REACHED if probe.address == DB_ADDRESS and is_web else SILENT


def all_open(number: int, probe: Probe, source: Placed) -> Outcome:
    return REACHED


def tried(
    *, stranger: Stranger = enforced, objects: Sequence[Raw] = SHOP, twists: Sequence[Twist] = (), **more: Any
) -> Audited:
    return audit(*twists, objects=objects, options=more.pop("options", wanting()), stranger=stranger, **more)


def greetings(audited: Audited) -> dict[tuple[str, str, int], Greeting]:
    """By source, target and port; controls by their key."""
    titles = {key: title for title, key in keys(audited).items()}
    return {
        (titles.get(item.handshake.source, item.handshake.source), item.handshake.target, item.handshake.port): item
        for item in audited.material.comparison.greetings
    }


def found(audited: Audited) -> list[Finding]:
    return [finding for finding in audited.material.findings if finding.rule == "handshake"]


# --- which ---


def test_each_probe_pod_and_two_controls_try_each_tcp_port_of_each_identity() -> None:
    shakes = greetings(tried())

    to_db = {(source, number) for source, target, number in shakes if target == "pod shop/db"}
    assert to_db == {(source, 5432) for source in ("shop/web", "shop/db", "c0a", "c1a")}
    assert {number for _, target, number in shakes if target == "pod shop/web"} == {8080}
    assert {Beyond.REAL} == {item.handshake.kind for item in shakes.values()}


def test_the_answer_begins_with_leaks_that_handshakes_alone_show() -> None:
    """Where probe pods are held back and real ones reached, "no leak was found" must not come first."""
    sentence = tried(stranger=all_open).summary.sentence

    assert sentence.startswith("7 handshakes or connections through Services got through that must not. Between probe")
    assert tried().summary.sentence.startswith("No leak was found")


def test_without_the_option_nobody_is_met() -> None:
    assert tried(options=Options(coverage=Coverage.FULL)).backend.greeted == []


def test_ports_that_are_left_alone_are_named() -> None:
    """Printers and MySQL by default, and whatever else the user says."""
    skips = {item.what for item in tried().material.plan.skipped}
    more = tried(options=wanting(never_ports=(*NEVER_PORTS, 5432)))

    assert "real pods of 1 identity on port 9100" in skips
    assert {8080} == {number for _, _, number in greetings(more)}
    assert set(NEVER_PORTS) == {515, 3306, 9100}


def test_nobody_is_met_before_the_settle_time_is_over_and_nobody_twice() -> None:
    """Not even where it is a surprise: a real pod has one connection to each port from each probe pod."""
    backend = tried(stranger=all_open).backend
    met = Counter((probe.source, probe.address, probe.port) for _, probe in backend.greeted)

    assert {SETTLED} == {number for number, _ in backend.greeted}
    assert any(seconds >= Options().settle for seconds in backend.waited)
    assert {1} == set(met.values())
    assert {(3.5,)} == {probe.timeouts for _, probe in backend.greeted}


@pytest.mark.parametrize(
    "made",
    [
        ready(pod("shop/db", on="n2", ports=[port(5432)], app="db"), "False"),
        pod("shop/db", on="n2", ports=[port(5432)], app="db"),
        ready(pod("shop/db", on="n2", ports=[port(5432)], app="db"), deletionTimestamp="2026-01-01T00:00:00Z"),
    ],
    ids=["not ready", "says nothing", "going"],
)
def test_pod_that_is_not_ready_is_no_target(made: Raw) -> None:
    audited = tried(objects=(WEB, made, *POLICIES))

    assert "pod shop/db" not in {target for _, target, _ in greetings(audited)}
    assert "real pods of 1 identity" in {item.what for item in audited.material.plan.skipped}


def test_pod_without_ports_is_no_target() -> None:
    audited = tried(objects=(WEB, ready(pod("shop/db", on="n2", app="db")), *POLICIES))

    (skip,) = [item for item in audited.material.plan.skipped if item.what == "real pods of 1 identity"]
    assert skip.reason == "their containers name no TCP port"


def test_what_is_read_of_pods_is_never_trusted() -> None:
    odd: list[Any] = [{}, {"metadata": [], "status": 1}, {"metadata": {}, "status": {"conditions": [None, {}]}}, WEB]

    assert list(standing(RawSnapshot({"pods": odd}))) == [("shop", "web")]
    assert standing(raw(DB))["shop", "db"] == Standing("uid-shop/db", frozenset({DB_ADDRESS, "None"}), {"app": "db"})


# --- what it shows ---


def test_allowed_and_denied_as_policies_say() -> None:
    """The control on its node is denied too; that somebody beside it was let through is what shows the denial."""
    shakes = greetings(tried())

    assert shakes["shop/web", "pod shop/db", 5432].agreement is Agreement.AS_EXPECTED
    beside = shakes["c0a", "pod shop/db", 5432]
    assert (beside.agreement, beside.outcome) == (Agreement.AS_EXPECTED, SILENT), beside.reason


def test_denial_on_a_node_where_nobody_gets_through_is_shown_by_twins_on_its_port() -> None:
    """There nobody may talk to db; from elsewhere somebody does, and unpoliced twins have the same way."""
    shakes = greetings(tried())

    far = shakes["c1a", "pod shop/db", 5432]
    assert far.agreement is Agreement.AS_EXPECTED, far.reason
    assert "unpoliced twins on the nodes of both ends reached each other on its port" in far.reason


def test_denial_where_twins_do_not_meet_is_open() -> None:
    """Their way is dead on that port at the end of the settle time, when db was met: silence shows nothing there."""

    def severed(attempt: Attempt, outcome: Outcome) -> Outcome:
        probe = attempt.probe
        return SILENT if attempt.round == SETTLED and probe.source != probe.destination else outcome

    far = greetings(tried(twists=[severed]))["c1a", "pod shop/db", 5432]
    assert far.agreement is Agreement.INCONCLUSIVE
    assert "unpoliced twins on the nodes of both ends did not reach each other" in far.reason


def test_denial_of_what_answers_nobody_is_open() -> None:
    """To web nobody may talk at all, and its clone is not it: whether it listens is not known."""
    nobody = greetings(tried())["shop/db", "pod shop/web", 8080]

    assert nobody.agreement is Agreement.INCONCLUSIVE
    assert "the unpoliced control on the same node did not reach it either" in nobody.reason


def test_twins_meet_once_for_real_pods_when_the_settle_time_is_over() -> None:
    """The control on a real pod's node listens on its ports."""
    plan = tried().material.plan
    at = {item.node: item.listens for item in plan.stand_ins if item.role is Role.CONTROL and item.key.endswith("b")}

    assert (Protocol.TCP, 5432) in at["n2"]
    assert (Protocol.TCP, 8080) in at["n1"]
    assert tried().backend.calls.count(SETTLED) == 1


def test_leak_into_a_real_pod() -> None:
    findings = {finding.source: finding for finding in found(tried(stranger=all_open))}

    other = findings["an unpoliced pod of another namespace"]
    assert (other.severity, findings["shop/db"].severity) == (Severity.CRITICAL, Severity.HIGH)
    assert other.destination in {"shop/db", "shop/web"}
    assert tried(stranger=all_open).summary.exit_code == 3


def test_many_that_are_open_make_the_run_incomplete() -> None:
    audited = tried()

    assert audited.summary.exit_code == 4
    assert "handshakes with real pods were not shown" in audited.summary.sentence


# --- what changes meanwhile ---


@pytest.mark.parametrize("left", [(WEB,), (WEB, ready(pod("shop/db", on="n2", at=["10.9.9.9"], app="db")))])
def test_pod_that_is_gone_is_not_met(left: tuple[Raw, ...]) -> None:
    """Its address may be somebody else's by then."""
    audited = tried(objects=SHOP, without=left, gone_after=2)

    assert DB_ADDRESS not in {probe.address for _, probe in audited.backend.greeted}
    assert {Agreement.INCONCLUSIVE} == {
        item.agreement for (_, target, _), item in greetings(audited).items() if target == "pod shop/db"
    }


def test_pod_that_goes_while_it_is_met_shows_nothing() -> None:
    audited = tried(stranger=all_open, without=(WEB,), gone_after=3)

    to_db = [item for (_, target, _), item in greetings(audited).items() if target == "pod shop/db"]
    assert DB_ADDRESS in {probe.address for _, probe in audited.backend.greeted}
    assert {"the pod was replaced, changed, or not ready any more during the run"} == {item.reason for item in to_db}
    assert {Agreement.INCONCLUSIVE} == {item.agreement for item in to_db}


# --- what is told ---


def test_report_and_forecast_name_them() -> None:
    audited = tried()
    report = assemble(audited.material, wanting(), RUN, "context")
    text = render(audited.material.plan, audited.material.matrix, wanting())

    assert {"real"} == {item.kind for item in report.handshakes}
    assert any("but 515, 3306, 9100" in text for text in report.limits)
    assert "  4 probe pods with pod shop/db on TCP 5432" in text
    plain = audit(objects=SHOP, options=Options(coverage=Coverage.FULL)).material.plan.estimate
    assert audited.material.plan.estimate.seconds >= plain.seconds + Options().settle


def test_the_cost_has_the_checks_of_more_listeners_and_the_tries_of_twins() -> None:
    """The control on a real pod's node listens on ports more, which are checked first and last."""
    few = Options(coverage=Coverage.SMOKE)
    many = ready(pod("shop/db", on="n2", ports=[port(number) for number in range(5432, 5436)], app="db"))
    objects = (WEB, many, *POLICIES)
    plain = audit(objects=objects, options=few).material.plan
    material = tried(objects=objects, options=replace(few, targets=Targets.REAL)).material
    listens = [sum(len(item.listens) for item in plan.stand_ins) for plan in (plain, material.plan)]
    twins = twin_probes(material.plan.handshakes, material.placement, few)

    assert twins
    assert listens[1] > listens[0]
    assert material.plan.estimate.probes - plain.estimate.probes == 2 * (listens[1] - listens[0]) + sum(
        len(item.timeouts) for item in twins
    )
