"""What is tried in each round: listeners on themselves, flows with a twin each, every probe once."""

from __future__ import annotations

from collections import Counter

from auditor.model.flow import Family, Protocol
from auditor.model.options import Options
from auditor.model.probe import NotPlaced
from auditor.rounds import (
    CLOSING,
    FLOWS,
    OPENING,
    SETTLE_STEPS,
    Placement,
    controls,
    flow_probes,
    listener_probes,
    running,
    silent_listeners,
    timeouts,
    twin_of,
)
from tests.evidence import ALLOWED, DENIED, REACHED, SILENT, UNTESTED, flow, placed, seen, stand_in

TCP, UDP = Protocol.TCP, Protocol.UDP
OPTIONS = Options(connect_timeout=1.0, tries=3)
HERE = {key: placed(stand_in(key, on)) for key, on in (("i0", "n1"), ("i1", "n2"), ("c0a", "n1"), ("c1b", "n2"))}


def test_rounds_are_six_at_most() -> None:
    """The opening may be repeated once; with flows, settling and closing that makes six."""
    assert 2 + 1 + len(SETTLE_STEPS) + 1 == 6
    assert OPENING < FLOWS < CLOSING == FLOWS + len(SETTLE_STEPS) + 1
    assert SETTLE_STEPS[-1] == 1.0


def test_each_listener_is_tried_from_its_own_pod_in_each_family() -> None:
    """A listener check never leaves the pod, and there is one for each port and family."""
    item = placed(stand_in("i0", listens=((TCP, 80), (TCP, 81))), addresses=("10.0.0.1", "fd00::1"))
    probes = listener_probes({"i0": item, "i1": NotPlaced(stand_in("i1"), "Pending")}, OPTIONS)

    assert {(probe.source, probe.destination) for probe in probes} == {("i0", "i0")}
    assert {(probe.family, probe.port) for probe in probes} == {(f, p) for f in Family for p in (80, 81)}
    assert listener_probes({"i0": item}, OPTIONS, keys=["other"]) == ()


def test_denied_flow_is_tried_three_times_and_its_last_try_waits_longer() -> None:
    """A refusal by ICMP shows itself only after the first SYN was sent again."""
    assert timeouts(OPTIONS) == (1.0, 1.0, 2.0)
    assert timeouts(Options(tries=1)) == (2.0,)
    probes = {(probe.source, probe.destination): probe.timeouts for probe in flow_probes([flow(DENIED)], HERE, OPTIONS)}

    assert probes == {("i0", "i1"): (1.0, 1.0, 2.0), ("c0a", "c1b"): (1.0, 1.0, 1.0)}


def test_allowed_flow_is_tried_once_a_round_with_its_twin() -> None:
    """What must get through is repeated over rounds instead of within one."""
    probes = {
        (probe.source, probe.destination): probe.timeouts for probe in flow_probes([flow(ALLOWED)], HERE, OPTIONS)
    }

    assert probes == {("i0", "i1"): (2.0,), ("c0a", "c1b"): (1.0, 1.0, 1.0)}


def test_twin_that_flows_share_is_tried_once() -> None:
    """Two flows over the same two nodes and port need one twin."""
    flows = [flow(DENIED), flow(DENIED, number=2), flow(ALLOWED, "c0a", "i1", number=3)]
    probes = flow_probes(flows, HERE, OPTIONS)

    assert len(probes) == len(set(probes)) == 3
    assert probes == tuple(sorted(probes, key=lambda probe: (probe.source, probe.destination)))


def test_flow_without_both_ends_is_not_tried() -> None:
    """A pod that does not run is neither source nor destination."""
    placement: Placement = {**HERE, "i1": NotPlaced(stand_in("i1"), "Pending")}

    assert flow_probes([flow(DENIED), flow(DENIED, "i1", "i0")], placement, OPTIONS) == ()


def test_twin_stands_on_the_same_two_nodes() -> None:
    """Control a on the source's node and control b on the destination's, or none."""
    here = running(HERE)

    assert twin_of(flow(), here, controls(here)) == ("c0a", "c1b")
    assert twin_of(flow(DENIED, "i1", "i0"), here, controls(here)) is None
    assert twin_of(flow(DENIED, "i0", "gone"), here, controls(here)) is None


def test_silent_listeners_are_those_with_any_port_or_family_that_did_not_answer() -> None:
    """One listener of several that is not up yet is reason to try the pod again."""
    placement = {"i0": placed(stand_in("i0", listens=((TCP, 80), (TCP, 81)))), "i1": placed(stand_in("i1"))}
    first = [seen(OPENING, "i0", "i0", REACHED), seen(OPENING, "i1", "i1", SILENT)]

    assert silent_listeners(placement, first) == ("i0", "i1")
    assert silent_listeners(placement, [*first, seen(OPENING, "i0", "i0", REACHED, port=81)]) == ("i1",)


def test_listener_of_one_protocol_does_not_answer_for_another() -> None:
    """Port 80 of UDP is another listener than port 80 of TCP; one that cannot be tried at all is not waited for."""
    placement = {"i0": placed(stand_in("i0", listens=((TCP, 80), (UDP, 80))))}
    opening = seen(OPENING, "i0", "i0", REACHED)

    assert silent_listeners(placement, [opening]) == ("i0",)
    for outcome in (REACHED, UNTESTED):
        assert silent_listeners(placement, [opening, seen(OPENING, "i0", "i0", outcome, protocol=UDP)]) == ()


def test_flow_and_its_twin_are_tried_by_its_own_protocol() -> None:
    """Two flows that differ in nothing but the protocol are two probes with two twins."""
    flows = [flow(protocol=protocol, number=number) for number, protocol in enumerate(Protocol)]
    probes = flow_probes(flows, HERE, OPTIONS)

    assert Counter(probe.protocol for probe in probes) == dict.fromkeys(Protocol, 2)
    assert {probe.protocol for probe in probes if probe.source == "c0a"} == set(Protocol)
