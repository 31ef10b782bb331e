"""UDP and SCTP through plan, rounds, judging and report, in clusters that exist only in memory."""

from __future__ import annotations

from collections import Counter

import pytest

from auditor.assemble import assemble
from auditor.identities import UNNAMED_PORTS
from auditor.model.finding import Agreement, Proof
from auditor.model.flow import Direction, Protocol, Verdict
from auditor.model.options import Options
from auditor.model.probe import Outcome
from auditor.model.report import Run
from tests import fakes, twists
from tests.builders import Raw, allow, deny_all, pod, pods, policy, port, selector, tcp, udp
from tests.fakes import Attempt
from tests.unit.auditing import audit, keys
from tests.unit.planning import plan

TCP, UDP, SCTP = Protocol.TCP, Protocol.UDP, Protocol.SCTP
FREE = UNNAMED_PORTS[0]
RUN = Run("ab12cd", "0.1.0", "", "", "clone", "busybox", "shell", 45.0, 3, 1.0, 3, 60.0)
ENDS = (
    pod("shop/web", on="n1", ports=[port(80)], app="web"),
    pod("shop/dns", on="n2", ports=[port(53, "dns", "UDP")], app="dns"),
)
SHOP = (
    *ENDS,
    policy("shop/dns-in", selector(app="dns"), ingress=[allow(pods(app="web"), ports=[udp(53)])]),
    policy("shop/web-out", selector(app="web"), types=["Egress"], egress=[allow(pods(app="dns"), ports=[udp(53)])]),
)
"""web may only ask dns, and only by UDP; dns may only be asked by web."""


def only(protocol: Protocol, twist: fakes.Twist) -> fakes.Twist:
    return lambda attempt, outcome: twist(attempt, outcome) if attempt.probe.protocol is protocol else outcome


def without_tools(attempt: Attempt, outcome: Outcome) -> Outcome:
    return Outcome.UNTESTED


def test_where_nobody_speaks_of_another_protocol_nothing_is_tried_by_it() -> None:
    """The number of flows is that of TCP alone."""
    made = plan(pod("shop/web", on="n1"), pod("shop/db", on="n1", app="db"), deny_all("shop/deny"))

    assert {flow.protocol for flow in made.flows} == {TCP}


def test_datagrams_are_planned_between_the_pods_that_rules_about_them_name() -> None:
    """The named port by both protocols, and by each a port that nobody names; controls answer for all of it."""
    made = plan(*SHOP)
    key = {dict(item.labels)["app"]: item.key for item in made.stand_ins if item.labels}
    asked = {(flow.protocol, flow.port): flow for flow in made.flows if flow.source == key["web"]}
    to_dns = {
        query: flow.predicted.verdict
        for flow in made.flows
        if (flow.source, flow.destination) == (key["web"], key["dns"])
        for query in [(flow.protocol, flow.port)]
    }

    assert to_dns == {(TCP, FREE): Verdict.DENIED, (UDP, 53): Verdict.ALLOWED, (UDP, FREE): Verdict.DENIED}
    assert {UDP, TCP} == {protocol for protocol, _ in asked}
    listens = {item.key: item.listens for item in made.stand_ins}
    assert all((flow.protocol, flow.port) in listens[flow.destination] for flow in made.flows)
    assert not [flow for flow in made.flows if flow.destination == key["web"] and flow.protocol is UDP]


def test_datagrams_add_no_more_than_a_few_flows_for_each_pair() -> None:
    """A rule for DNS to anybody costs two more ports on each pod, and no product of ports and protocols."""
    around = [pod(f"shop/{name}", on="n1", app=name) for name in "abcd"]
    dns = policy("shop/dns", types=["Egress"], egress=[allow(ports=[udp(53), tcp(53)])])
    count = Counter(flow.protocol for flow in plan(*around, dns).flows)

    assert count[UDP] <= count[TCP]
    assert count[SCTP] == 0


def test_clean_audit_of_datagrams() -> None:
    found = audit(objects=SHOP)

    assert found.summary.exit_code == 0
    assert {flow.protocol for flow in found.of(Agreement.AS_EXPECTED)} == {TCP, UDP}
    assert found.proof("n2", Direction.INGRESS) is Proof.PROVEN


def test_engine_that_lets_datagrams_through_leaks_by_them_alone() -> None:
    """Exactly the denied flows of UDP are leaks, and the finding names their ports by protocol."""
    found = audit(only(UDP, twists.nothing_enforces), objects=SHOP)
    leaks = found.of(Agreement.LEAK)

    assert {flow.protocol for flow in leaks} == {UDP}
    assert all(flow.predicted.deniers for flow in leaks)
    assert {item.id for item in leaks} == {
        flow.id for flow in found.material.plan.flows if flow.protocol is UDP and flow.predicted.deniers
    }
    assert any(f"UDP {FREE}" in finding.title + finding.cause for finding in found.material.findings)


@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_each_single_flipped_flow_is_found_and_nothing_else(protocol: Protocol) -> None:
    """A flow and its like of the other protocol are two flows."""
    flows = audit(objects=SHOP).material.plan.flows
    for flow in [flow for flow in flows if flow.protocol is protocol]:
        found = audit(twists.flipped(flow.source, flow.destination, flow.port, protocol), objects=SHOP)
        wrong = Agreement.LEAK if flow.predicted.deniers else Agreement.BLOCKAGE

        assert [item.id for item in found.of(wrong)] == [flow.id]


def test_what_no_pod_can_speak_is_untested_and_no_denial() -> None:
    """Silence of a protocol without tools proves nothing, is not waited for, and counts against the coverage."""
    found = audit(only(UDP, without_tools), objects=SHOP)
    datagrams = [item for item in found.material.comparison.judgements if item.flow.protocol is UDP]

    assert {(item.agreement, item.outcome) for item in datagrams} == {(Agreement.INCONCLUSIVE, Outcome.UNTESTED)}
    assert {flow.protocol for flow in found.of(Agreement.AS_EXPECTED)} == {TCP}
    assert found.backend.waited == []
    assert found.summary.exit_code == 4


def test_listeners_that_answer_only_streams_prove_no_silent_datagram() -> None:
    """A pod whose datagram listener is dead denies nothing."""
    found = audit()
    dns = keys(audit(objects=SHOP))["shop/dns"]

    def deaf(attempt: Attempt, outcome: Outcome) -> Outcome:
        return Outcome.SILENT if attempt.probe.destination == dns and attempt.probe.protocol is UDP else outcome

    found = audit(deaf, objects=SHOP)
    about = [item for item in found.material.comparison.judgements if item.flow.destination == dns]

    assert {item.agreement for item in about if item.flow.protocol is UDP} == {Agreement.INCONCLUSIVE}
    assert {item.agreement for item in about if item.flow.protocol is TCP} == {Agreement.AS_EXPECTED}


def test_report_says_the_protocol_of_every_port() -> None:
    report = assemble(audit(objects=SHOP).material, Options(), RUN, "test")
    [dns] = [item for item in report.identities if item.title == "shop/dns"]

    assert (dns.ports, dns.listens) == ([FREE], [f"{FREE}/TCP", "53/UDP", f"{FREE}/UDP"])
    assert {(flow.protocol, flow.port) for flow in report.flows} >= {("UDP", 53), ("TCP", FREE)}


def test_streams_of_sctp_are_tried_where_a_container_declares_them() -> None:
    objects: tuple[Raw, ...] = (*ENDS, pod("shop/mme", on="n1", ports=[port(36412, "s1", "SCTP")], app="mme"))
    made = plan(*objects, deny_all("shop/deny"))

    assert {flow.port for flow in made.flows if flow.protocol is SCTP} == {36412}
