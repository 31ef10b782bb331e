"""`--ping`: what is asked, within which bounds, what it tells, and that nothing hangs on it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from auditor import pings
from auditor.assemble import assemble
from auditor.audit import run_audit
from auditor.forecast import forecast
from auditor.model.finding import Agreement, Judgement
from auditor.model.flow import Family, Verdict
from auditor.model.options import Coverage, Mode, Options
from auditor.model.ping import Between, Echo, Ping, Pinged, PingEntry
from auditor.model.probe import Outcome, ProbePlan, Rehearsal, Role
from auditor.pings import meaning, with_pings
from probes.echoes import SECONDS, TRIES
from reports.forecast import render
from tests import fakes, twists
from tests.builders import Raw
from tests.evidence import decision
from tests.fakes import FakeBackend, FakeCluster
from tests.unit.auditing import SHOP, WHOLE, Audited, audit
from tests.unit.planning import SHOP as PLANNED
from tests.unit.planning import plan
from tests.unit.reports.builders import RUN
from tests.unit.test_inplace import SHOP as REAL
from tests.unit.test_inplace import planned
from tests.unit.test_sentinel import by_model, made
from tests.unit.test_service_paths import NODES
from tests.unit.test_service_paths import OPTIONS as SENTINELS

PING = replace(WHOLE, ping=True)
V4 = Family.IPV4


def pairs(made: ProbePlan, between: Between) -> list[tuple[str, str, Family]]:
    return [(item.source, item.destination, item.family) for item in made.pings if item.between is between]


def entries(found: Audited) -> list[PingEntry]:
    return assemble(found.material, PING, RUN, "context").pings


# --- the plan ---


def test_each_pair_with_flows_is_asked_once_and_no_other() -> None:
    made = with_pings(plan(*PLANNED), PING)

    wanted = {(flow.source, flow.destination, flow.family) for flow in made.flows}
    assert Counter(pairs(made, Between.PODS)) == Counter(wanted)
    assert len(made.flows) > len(wanted)
    assert [item.id for item in made.pings] == list(range(1, len(made.pings) + 1))


def test_twins_are_asked_on_each_pair_of_nodes_with_flows() -> None:
    made = with_pings(plan(*PLANNED), PING)
    at = {item.key: item for item in made.stand_ins}

    found = pairs(made, Between.TWINS)
    assert {(at[one].role, at[other].role) for one, other, _ in found} == {(Role.CONTROL, Role.CONTROL)}
    nodes = Counter((at[one].node, at[other].node, family) for one, other, family in found)
    assert nodes == Counter({(at[flow.source].node, at[flow.destination].node, flow.family) for flow in made.flows})


def test_nothing_is_added_unasked() -> None:
    assert with_pings(plan(*PLANNED), WHOLE) == plan(*PLANNED)
    assert entries(audit()) == []


def test_no_more_than_the_limit_twins_first_and_the_rest_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = with_pings(plan(*PLANNED), PING)
    monkeypatch.setattr(pings, "MOST", 5)
    few = with_pings(plan(*PLANNED), PING)

    assert few.pings == whole.pings[:5]
    assert few.pings[0].between is Between.TWINS
    (skip,) = set(few.skipped) - set(whole.skipped)
    assert skip.what == f"{len(whole.pings) - 5} of {len(whole.pings)} pings"
    assert (skip.flows, skip.unjudged, skip.identity, skip.by_choice) == (0, False, False, False)


def test_the_cost_is_said_before() -> None:
    known = asyncio.run(forecast(FakeCluster(SHOP), PING, fakes.ignore))
    plain = asyncio.run(forecast(FakeCluster(SHOP), WHOLE, fakes.ignore))

    sources = {item.source for item in known.plan.pings}
    assert known.plan.estimate.requests - plain.plan.estimate.requests == len(sources)
    assert f"ICMP between {len(known.plan.pings)} pairs" in render(known.plan, known.matrix, PING)
    assert "ICMP" not in render(plain.plan, plain.matrix, WHOLE)


def test_real_pods_are_neither_asked_nor_made_to_ask() -> None:
    """In mode inplace all that is left are netaudit's own twins."""
    made = planned(*REAL, ping=True)
    residents = {item.key for item in made.stand_ins if item.pod}

    assert residents
    assert made.pings
    assert not residents & {key for item in made.pings for key in (item.source, item.destination)}
    assert "nobody pings a workload" in {skip.reason for skip in made.skipped}


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.CLONE])
def test_modes_with_probe_pods_of_their_own_ping(mode: Mode) -> None:
    known = asyncio.run(forecast(FakeCluster(SHOP), replace(PING, mode=mode), fakes.ignore))
    assert pairs(known.plan, Between.PODS)


def test_whom_admission_refuses_is_not_asked() -> None:
    found = audit(options=PING, rehearsals={"ops": Rehearsal("i0", "no")})
    keys = {item.key for item in found.material.plan.stand_ins}

    assert found.material.plan.pings
    assert {key for item in found.material.plan.pings for key in (item.source, item.destination)} <= keys


def test_the_cost_is_that_of_the_source_with_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources send side by side, each some at once."""
    plain = plan(*PLANNED)
    most = max(Counter(item.source for item in with_pings(plain, PING).pings).values())
    monkeypatch.setattr(pings, "WINDOW", most - 1)
    few = with_pings(plain, PING).estimate.seconds - plain.estimate.seconds
    monkeypatch.setattr(pings, "WINDOW", most)
    one = with_pings(plain, PING).estimate.seconds - plain.estimate.seconds

    assert (few, one) == (2 * TRIES * SECONDS, TRIES * SECONDS)


def test_a_source_with_more_than_a_batch_costs_a_request_more(monkeypatch: pytest.MonkeyPatch) -> None:
    made = with_pings(plan(*PLANNED), PING)
    number = Counter(item.source for item in made.pings)
    monkeypatch.setattr(pings, "BATCH", TRIES * max(number.values()) - 1)
    more = with_pings(plan(*PLANNED), PING).estimate.requests - made.estimate.requests

    assert more == sum(found == max(number.values()) for found in number.values())


def test_pings_come_last_and_take_the_time_of_nothing_else() -> None:
    whole = replace(SENTINELS, ping=True, enforce_time=True)
    backend = FakeBackend(by_model(*NODES))
    found = asyncio.run(run_audit(FakeCluster(NODES, made(*NODES)), backend, whole, fakes.ignore))
    withdrawn = FakeBackend(by_model(*NODES), reacted_in=fakes.TIMING)
    asyncio.run(run_audit(FakeCluster(NODES, made(*NODES)), withdrawn, whole, fakes.ignore))

    assert found.timed
    assert backend.pinged_at >= max(item.at for path in found.crossed for item in path.observations)
    assert withdrawn.pinged_at < 0


# --- what it tells ---


Row = tuple[Verdict, Outcome, Agreement]


def told(between: Between, echo: Echo, twins: Echo | None, *flows: Row) -> str:
    """What a ping tells beside flows of these verdicts, outcomes and agreements."""
    one = plan(*SHOP).flows[0]
    judged = [
        Judgement(replace(one, predicted=decision(egress=verdict)), agreement, outcome, "")
        for verdict, outcome, agreement in flows
    ]
    return meaning(Pinged(Ping(1, between, "i0", "i1", V4), echo, ""), twins, judged)


DENIED: Row = (Verdict.DENIED, Outcome.SILENT, Agreement.AS_EXPECTED)
REFUSED: Row = (Verdict.DENIED, Outcome.REFUSED, Agreement.AS_EXPECTED)
ALLOWED: Row = (Verdict.ALLOWED, Outcome.REACHED, Agreement.AS_EXPECTED)
BLOCKED: Row = (Verdict.ALLOWED, Outcome.SILENT, Agreement.BLOCKAGE)
LEAK: Row = (Verdict.DENIED, Outcome.REACHED, Agreement.LEAK)
FAULT: Row = (Verdict.DENIED, Outcome.FAULT, Agreement.INCONCLUSIVE)
UNPROVEN: Row = (Verdict.DENIED, Outcome.SILENT, Agreement.INCONCLUSIVE)
UNSETTLED: Row = (Verdict.DENIED, Outcome.REACHED, Agreement.INCONCLUSIVE)
LOOKED_AT: Row = (Verdict.UNDEFINED, Outcome.SILENT, Agreement.INCONCLUSIVE)
UNKNOWN: Row = (Verdict.UNKNOWN, Outcome.SILENT, Agreement.AS_EXPECTED)
PODS, TWINS = Between.PODS, Between.TWINS
YES, NO, REJECTED, UNABLE = Echo.ANSWERED, Echo.SILENT, Echo.REFUSED, Echo.NOT_POSSIBLE


TELLING = (
    ("between unpoliced pods", told(TWINS, NO, NO)),
    ("between unpoliced pods", told(TWINS, REJECTED, REJECTED)),
    ("the engine lets ICMP through", told(PODS, YES, YES, DENIED, REFUSED)),
    ("the engine lets ICMP through", told(PODS, YES, NO, DENIED)),
    ("ports alone are stopped", told(PODS, YES, YES, DENIED, BLOCKED)),
    ("drops ICMP together with the ports", told(PODS, NO, YES, DENIED, DENIED)),
    ("drops ICMP together with the ports", told(PODS, REJECTED, YES, DENIED)),
    ("ICMP where policies isolate", told(PODS, NO, YES, DENIED, ALLOWED)),
    ("ICMP where policies isolate", told(PODS, NO, YES, LEAK)),
    ("the path of one of them is dead", told(PODS, NO, YES, BLOCKED)),
    ("the path between the nodes is dead", told(PODS, NO, NO, BLOCKED, DENIED)),
    # What lacks its proof is not counted, neither for denied nor for allowed.
    ("every port that was judged is denied", told(PODS, YES, YES, DENIED, UNPROVEN, LOOKED_AT)),
    ("drops ICMP together with the ports", told(PODS, NO, YES, DENIED, LOOKED_AT)),
    # Only what policies deny is denied.
    ("ports alone are stopped", told(PODS, YES, YES, DENIED, UNKNOWN)),
)


@pytest.mark.parametrize("number", range(len(TELLING)))
def test_what_a_ping_tells(number: int) -> None:
    words, found = TELLING[number]
    assert words in found


NOT_TELLING = (
    told(TWINS, YES, YES),
    told(TWINS, UNABLE, UNABLE),
    told(PODS, YES, YES, ALLOWED),
    told(PODS, YES, YES, ALLOWED, DENIED),
    told(PODS, UNABLE, YES, DENIED),
    told(PODS, Echo.FAULT, YES, DENIED),
    told(PODS, YES, YES, FAULT),
    told(PODS, NO, YES),
    told(PODS, NO, NO, DENIED),
    told(PODS, NO, UNABLE, DENIED),
    told(PODS, NO, None, BLOCKED),
    told(PODS, YES, YES, UNPROVEN),
    told(PODS, YES, YES, LOOKED_AT),
    told(PODS, NO, YES, UNPROVEN, LOOKED_AT),
    told(PODS, NO, YES, UNSETTLED),
    told(PODS, NO, NO, UNPROVEN),
    # Where something got through nobody says that nothing does, be it open what that shows.
    told(PODS, YES, YES, DENIED, UNSETTLED),
    told(PODS, NO, YES, BLOCKED, UNSETTLED),
    told(PODS, NO, NO, BLOCKED, UNSETTLED),
)


@pytest.mark.parametrize("number", range(len(NOT_TELLING)))
def test_where_it_tells_nothing_nothing_is_said(number: int) -> None:
    """Least of all from silence where unpoliced pods cannot ping either."""
    assert NOT_TELLING[number] == ""


def test_each_pair_of_an_audit_says_what_came_of_it() -> None:
    def echo(ping: Ping) -> Echo:
        return Echo.ANSWERED if ping.between is Between.TWINS else Echo.SILENT

    found = entries(audit(options=PING, echo=echo))

    assert {item.outcome for item in found if item.between == "unpoliced twins"} == {"answered"}
    assert all(item.outcome == "silent" for item in found if item.between == "probe pods")
    assert {item.meaning for item in found if item.between == "probe pods"} >= {
        "an engine that drops ICMP together with the ports that policies deny"
    }
    assert {item.source_node for item in found} == {"n1", "n2"}


def test_what_the_run_did_not_come_to_says_so() -> None:
    found = audit(options=PING, ended_in=1)

    assert found.material.interrupted
    assert {(item.outcome, item.reason) for item in entries(found)} == {("not possible", "the run ended before")}


# --- what hangs on it ---


@pytest.mark.parametrize("echo", Echo)
@pytest.mark.parametrize("twist", [(), (twists.nothing_enforces,)], ids=["enforced", "nothing enforced"])
def test_no_echo_changes_an_answer(echo: Echo, twist: tuple[fakes.Twist, ...]) -> None:
    """Summary with its exit code, findings, claims, judgements: all as without."""
    plain, pinged = audit(*twist), audit(*twist, options=PING, echo=lambda _: echo)

    assert pinged.material.pinged
    assert plain.summary == pinged.summary
    assert plain.material.findings == pinged.material.findings
    assert plain.material.comparison == pinged.material.comparison
    one, other = (assemble(item.material, WHOLE, RUN, "context") for item in (plain, pinged))
    assert replace(other, pings=[]) == one


def test_smoke_pings_only_between_what_it_makes() -> None:
    objects: tuple[Raw, ...] = SHOP
    some = audit(objects=objects, options=Options(ping=True, coverage=Coverage.SMOKE)).material.plan
    keys = {item.key for item in some.stand_ins}
    assert {key for item in some.pings for key in (item.source, item.destination)} <= keys
