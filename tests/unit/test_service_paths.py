"""Audits with `--targets service` in a faked cluster: what is proven of each way to netaudit's own pod."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from auditor.assemble import assemble
from auditor.audit import run_audit
from auditor.caveats import SERVED
from auditor.model.finding import Agreement, Severity
from auditor.model.flow import Verdict
from auditor.model.options import Mode, Options, Targets
from auditor.model.probe import Outcome, Way
from auditor.model.service_path import Answer, Crossed, Resolving, ServicePath
from auditor.service_plan import LIMITED, OPEN, SHUT
from auditor.service_proof import NO_LISTENER, NO_SOURCE, NO_TWIN, NOT_BEFORE
from auditor.service_rounds import GRACE
from auditor.verdict import INCOMPLETE, Material, incompleteness, summarise
from tests import fakes
from tests.builders import Raw, node
from tests.fakes import TIMING, Attempt, FakeBackend, FakeCluster, Twist
from tests.twists import nothing_enforces
from tests.unit.auditing import SHOP
from tests.unit.reports.builders import RUN
from tests.unit.test_sentinel import by_model, made

OPTIONS = Options(mode=Mode.SENTINEL, targets=Targets.SERVICE)


def at(name: str, *addresses: str) -> Raw:
    found = node(name)
    listed = [{"type": "InternalIP", "address": text} for text in addresses]
    return {**found, "status": {**found["status"], "addresses": listed}}


NODES = (at("n1", "198.51.100.1"), at("n2", "198.51.100.2"), at("n3", "198.51.100.3"))


def audit(*twists: Twist, options: Options = OPTIONS, nodes: tuple[Raw, ...] = NODES, **switches: Any) -> Material:
    backend = FakeBackend(by_model(*nodes), twists, **switches)
    return asyncio.run(run_audit(FakeCluster(nodes, made(*nodes)), backend, options, fakes.ignore))


def chosen(material: Material, **wanted: Any) -> list[Crossed]:
    found = [item for item in material.crossed if all(getattr(item.path, k) == v for k, v in wanted.items())]
    assert found
    return found


def agreements(found: list[Crossed]) -> set[Agreement]:
    return {item.agreement for item in found if item.path.predicted.verdict in {Verdict.ALLOWED, Verdict.DENIED}}


def is_gated(path: ServicePath) -> bool:
    return path.source.startswith("g")


def policed(attempt: Attempt) -> bool:
    """Whether netaudit's own policies, made later, deny it."""
    return bool(attempt.deniers) and attempt.destination.stand_in.key == "v"


def by(wanted: Callable[[Attempt], bool], outcome: Outcome) -> Twist:
    return lambda attempt, found: outcome if wanted(attempt) else found


def to_cluster_ip(attempt: Attempt) -> bool:
    return attempt.probe.via is not None and attempt.probe.via[0] == "10.96.0.0"


def test_where_policies_hold_every_way_that_has_a_verdict_is_as_expected() -> None:
    material = audit()
    assert agreements(list(material.crossed)) == {Agreement.AS_EXPECTED}
    for way in Way:
        verdicts = {item.path.predicted.verdict for item in chosen(material, way=way)}
        assert verdicts >= {Verdict.ALLOWED, Verdict.DENIED}
    assert material.unlaid == ()
    summary = summarise(material, OPTIONS)
    assert (summary.exit_code, summary.service_paths_wrong) == (0, 0)
    assert summary.service_paths == len(material.crossed)


def test_in_clone_mode_the_same_is_tried_beside_the_workloads() -> None:
    objects = (*SHOP, at("n1", "198.51.100.1"), at("n2", "198.51.100.2"))
    options = Options(targets=Targets.SERVICE)
    backend = FakeBackend(fakes.by_model(objects))
    material = asyncio.run(run_audit(FakeCluster(objects), backend, options, fakes.ignore))
    assert agreements(list(material.crossed)) == {Agreement.AS_EXPECTED}
    assert {item.path.way for item in material.crossed} == set(Way)
    assert [policy.name for policy in backend.made] == ["netaudit-service-in", "netaudit-service-out"]


def test_a_node_port_has_a_verdict_only_where_no_rewritten_source_would_be_the_servers_own_node() -> None:
    """The server stands on n1, from which it is always reached."""
    material = audit()
    shut = chosen(material, way=Way.NODE_PORT, port=SHUT)
    found = {(item.path.source_node, item.path.door): item.path.predicted.verdict for item in shut}
    assert found == {
        (source, door): Verdict.UNDEFINED if "n1" in {source, door} else Verdict.DENIED for source, door in found
    }
    assert Verdict.DENIED in found.values()
    undefined = next(item for item in shut if item.path.predicted.verdict is Verdict.UNDEFINED)
    assert undefined.agreement is Agreement.INCONCLUSIVE
    assert undefined.reason.startswith("silent is what was seen, and not judged: ")


def test_an_egress_policy_that_names_pods_may_or_may_not_mean_a_node_port() -> None:
    gated = [item for item in chosen(audit(), way=Way.NODE_PORT) if is_gated(item.path)]
    allowed = [item.path.predicted.verdict for item in gated if item.path.port == OPEN]
    denied = {item.path.predicted.verdict for item in gated if item.path.port == LIMITED and item.path.door != "n1"}
    assert set(allowed) == {Verdict.UNDEFINED}
    assert Verdict.DENIED in denied


def test_where_nothing_enforces_each_way_leaks_and_is_a_finding() -> None:
    material = audit(nothing_enforces)
    for way in Way:
        denied = [item for item in chosen(material, way=way) if item.path.predicted.verdict is Verdict.DENIED]
        assert {item.agreement for item in denied} == {Agreement.LEAK}
    found = [item for item in material.findings if item.rule == "service"]
    assert {item.title for item in found} == {f"A policy does not hold for connections by {way.value}" for way in Way}
    assert all("does not enforce it at all" in item.cause for item in found)
    assert {item.severity for item in found} == {Severity.HIGH}


def test_a_leak_through_the_cluster_ip_alone_is_told_from_one_at_the_pods_address() -> None:
    material = audit(by(lambda attempt: policed(attempt) and to_cluster_ip(attempt), Outcome.REACHED))
    assert agreements(chosen(material, way=Way.POD)) == {Agreement.AS_EXPECTED}
    assert Agreement.LEAK in agreements(chosen(material, way=Way.CLUSTER_IP))
    [found] = [item for item in material.findings if item.rule == "service"]
    assert found.title.endswith("by ClusterIP")
    assert "holds at the pod's own address and not by this way" in found.cause
    assert {str(ref) for ref in found.policies} == {
        "netaudit-ctl-2/netaudit-service-in",
        "netaudit-ctl-2/netaudit-service-out",
    }
    assert summarise(material, OPTIONS).exit_code == 3


def test_an_engine_that_polices_the_service_address_blocks_what_its_policy_allows() -> None:
    """Before the policies it got through, and its control still does."""

    def before_translation(attempt: Attempt, found: Outcome) -> Outcome:
        blocks = attempt.round > AFTER and to_cluster_ip(attempt) and attempt.source.stand_in.key.startswith("g")
        return Outcome.SILENT if blocks else found

    material = audit(before_translation)
    blocked = [item for item in material.crossed if item.agreement is Agreement.BLOCKAGE]
    assert {(item.path.way, item.path.port, is_gated(item.path)) for item in blocked} == {(Way.CLUSTER_IP, OPEN, True)}
    [found] = [item for item in material.findings if item.rule == "service"]
    assert found.severity is Severity.MEDIUM
    assert "decided before the translation" in found.cause


AFTER = 6
"""The last round before the policies, where every path is there at once: one of all, and one of those by name."""


def test_a_path_that_was_never_there_is_no_denial() -> None:
    """As without kube-proxy, or behind a firewall: nobody may call that enforced."""
    material = audit(by(to_cluster_ip, Outcome.SILENT))
    found = chosen(material, way=Way.CLUSTER_IP)
    assert {(item.agreement, item.reason) for item in found} == {(Agreement.INCONCLUSIVE, NOT_BEFORE)}
    assert any("paths through Services were not shown" in gap for gap in incompleteness(material, OPTIONS))
    assert summarise(material, OPTIONS).exit_code == INCOMPLETE


def test_a_path_that_comes_with_delay_is_waited_for() -> None:
    material = audit(by(lambda attempt: to_cluster_ip(attempt) and attempt.round < 7, Outcome.REFUSED))
    assert agreements(chosen(material, way=Way.CLUSTER_IP)) == {Agreement.AS_EXPECTED}


def test_policies_have_their_grace_before_anybody_tries_a_path() -> None:
    """What has no verdict is looked at once: right after they were made it would still get through."""
    tried: dict[int, list[Attempt]] = defaultdict(list)

    def note(attempt: Attempt, found: Outcome) -> Outcome:
        tried[attempt.round].append(attempt)
        return found

    backend = FakeBackend(by_model(*NODES), (note,))
    asyncio.run(run_audit(FakeCluster(NODES, made(*NODES)), backend, OPTIONS, fakes.ignore))

    assert not any(policed(attempt) for attempt in tried[AFTER])
    assert any(policed(attempt) for attempt in tried[AFTER + 1])
    assert backend.waited[-1] == backend.policed_at + GRACE


def test_what_was_denied_late_is_late() -> None:
    material = audit(by(lambda attempt: policed(attempt) and attempt.round <= AFTER + 1, Outcome.REACHED))
    denied = [item for item in material.crossed if item.path.predicted.verdict is Verdict.DENIED]
    assert {item.agreement for item in denied} == {Agreement.LATE}
    assert not [item for item in material.findings if item.rule == "service"]


def test_times_count_from_when_the_policies_were_made() -> None:
    """And not from the first try, which comes when they had their grace."""
    late = by(lambda attempt: policed(attempt) and attempt.round <= AFTER + 1, Outcome.REACHED)
    backend = FakeBackend(by_model(*NODES), (late,))
    found = asyncio.run(run_audit(FakeCluster(NODES, made(*NODES)), backend, OPTIONS, fakes.ignore)).crossed
    times = {(item.settled_after, item.observations[1].at) for item in found if item.agreement is Agreement.LATE}
    assert times
    assert all(settled == at - backend.policed_at for settled, at in times)

    backend = FakeBackend(by_model(*NODES), (nothing_enforces,))
    found = asyncio.run(run_audit(FakeCluster(NODES, made(*NODES)), backend, OPTIONS, fakes.ignore)).crossed
    leaks = [item for item in found if item.agreement is Agreement.LEAK]
    assert leaks
    for item in leaks:
        assert f"the last {item.observations[-1].at - backend.policed_at:.0f} s after the policies" in item.reason


def test_what_wavers_is_neither() -> None:
    odd = by(lambda attempt: policed(attempt) and attempt.round in {AFTER + 1, AFTER + 3}, Outcome.REACHED)
    reasons = {item.reason for item in audit(odd).crossed if item.path.predicted.verdict is Verdict.DENIED}
    assert "got through in some rounds and not in others: neither denied nor let through for good" in reasons


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (lambda attempt: attempt.round > AFTER and not attempt.is_listener_check, NO_TWIN),
        (lambda attempt: attempt.round > AFTER and attempt.source.stand_in.key.startswith("g"), NO_SOURCE),
        (lambda attempt: attempt.round > AFTER and attempt.is_listener_check, NO_LISTENER.format(when="afterwards")),
    ],
    ids=["no twin", "a dead source", "a dead listener"],
)
def test_silence_without_its_proof_is_inconclusive(wanted: Callable[[Attempt], bool], reason: str) -> None:
    def service_only(attempt: Attempt) -> bool:
        return attempt.destination.stand_in.key == "v" and wanted(attempt)

    denied = [
        item
        for item in audit(by(service_only, Outcome.SILENT)).crossed
        if item.path.predicted.verdict is Verdict.DENIED and item.reason == reason
    ]
    assert denied
    assert {item.agreement for item in denied} == {Agreement.INCONCLUSIVE}


def test_a_refused_service_is_named_and_ends_nothing() -> None:
    why = "the NodePort Service was not accepted: exceeded quota: q, requested: services.nodeports=3"
    material = audit(refused={Way.NODE_PORT: why})
    assert material.unlaid == (why,)
    assert Counter(item.path.way for item in material.crossed)[Way.NODE_PORT] == 0
    assert agreements(list(material.crossed)) == {Agreement.AS_EXPECTED}
    assert why in incompleteness(material, OPTIONS)
    assert summarise(material, OPTIONS).exit_code == INCOMPLETE


def test_refused_policies_leave_every_path_untested() -> None:
    why = "a policy was not accepted: it answered 403"
    material = audit(refused_policies=why)
    assert {(item.agreement, item.outcome, item.reason) for item in material.crossed} == {
        (Agreement.INCONCLUSIVE, Outcome.UNTESTED, why)
    }
    assert why in incompleteness(material, OPTIONS)


def test_a_server_that_does_not_run_leaves_nothing_to_try() -> None:
    material = audit(broken={"v": "ImagePullBackOff"})
    assert material.crossed == ()
    assert any("ImagePullBackOff" in text for text in material.unlaid)
    assert summarise(material, OPTIONS).exit_code == INCOMPLETE


def test_a_run_that_is_withdrawn_or_out_of_time_makes_no_service() -> None:
    material = audit(reacted_in=1)
    assert material.crossed == ()
    assert material.unlaid == ("the run ended before any Service was made",)


def test_both_families_are_tried_where_pods_have_both() -> None:
    nodes = tuple(at(f"n{n}", f"198.51.100.{n}", f"2001:db8::{n}") for n in (1, 2))
    material = audit(nodes=nodes, dual_stack=True)
    assert Counter(item.path.family.value for item in chosen(material, way=Way.POD)).keys() == {"IPv4", "IPv6"}


def test_timing_comes_before_services_and_both_are_reported() -> None:
    material = audit(options=replace(OPTIONS, enforce_time=True))
    assert material.timed
    assert material.crossed
    withdrawn = audit(options=replace(OPTIONS, enforce_time=True), reacted_in=TIMING)
    assert withdrawn.crossed == ()


def test_the_report_has_each_path_with_what_was_connected_to() -> None:
    material = audit()
    report = assemble(material, OPTIONS, RUN, "test")
    assert [item.id for item in report.service_paths] == list(range(1, len(material.crossed) + 1))
    entry = next(item for item in report.service_paths if item.way == "ClusterIP" and item.target_port == SHUT)
    assert (entry.address, entry.port, entry.verdict, entry.agreement) == ("10.96.0.0", 81, "denied", "as-expected")
    assert entry.policies == ["netaudit-ctl-2/netaudit-service-in"]
    door = next(item for item in report.service_paths if item.node == "n2")
    assert (door.way, door.address) == ("NodePort", "198.51.100.2")
    assert {item.caller for item in report.service_paths} == {"unpoliced", "gated"}
    assert SERVED in report.limits
    rehearsed = assemble(material, replace(OPTIONS, sandbox=True), RUN, "test")
    assert any("of the sandbox's engine and of its own Services holds" in text for text in rehearsed.limits)
    assert not any("kube-proxy" in text for text in rehearsed.limits)
    assert not any(
        "Service addresses and addresses outside the cluster were not tried" in text for text in report.limits
    )


def said(outcome: Resolving, *addresses: str) -> Answer:
    return Answer(outcome, addresses, "DNS says: NXDOMAIN", 5)


def test_a_name_is_resolved_apart_from_connecting_and_leads_to_the_pods_own_address() -> None:
    material = audit()
    assert {item.path.via for item in chosen(material, way=Way.HEADLESS)} == {
        ("192.0.2.200", port) for port in (OPEN, SHUT, LIMITED)
    }
    assert not any(is_gated(item.path) for item in chosen(material, way=Way.HEADLESS))
    report = assemble(material, OPTIONS, RUN, "test")
    assert [(item.source_node, item.outcome, item.milliseconds) for item in report.names] == [
        (name, "resolved", 3) for name in ("n1", "n2", "n3")
    ]
    assert {item.name for item in report.names} == {"netaudit-headless.netaudit-ctl-2"}


@pytest.mark.parametrize("outcome", [Resolving.NOT_RESOLVED, Resolving.SILENT, Resolving.FAULT, Resolving.UNTESTED])
def test_a_name_that_does_not_resolve_is_never_denied(outcome: Resolving) -> None:
    material = audit(dns=lambda _, __, ___: said(outcome))
    assert not [item for item in material.crossed if item.path.way is Way.HEADLESS]
    assert agreements(list(material.crossed)) == {Agreement.AS_EXPECTED}
    assert [text for text in material.unlaid if "headless name" in text and outcome.value in text]
    assert summarise(material, OPTIONS).exit_code == INCOMPLETE
    assert {item.outcome for item in assemble(material, OPTIONS, RUN, "test").names} == {outcome.value}


def test_a_name_is_looked_up_again_until_dns_knows_it() -> None:
    late = FakeBackend(
        by_model(*NODES),
        dns=lambda turn, naming, own: (
            said(Resolving.RESOLVED, own) if turn > 2 or naming.source_node == "n1" else said(Resolving.NOT_RESOLVED)
        ),
    )
    material = asyncio.run(run_audit(FakeCluster(NODES, made(*NODES)), late, OPTIONS, fakes.ignore))
    assert [[item.source_node for item in turn] for turn in late.looked] == [
        ["n1", "n2", "n3"],
        ["n2", "n3"],
        ["n2", "n3"],
    ]
    assert {item.path.source_node for item in chosen(material, way=Way.HEADLESS)} == {"n1", "n2", "n3"}
    assert material.unlaid == ()


def test_a_name_that_leads_elsewhere_is_said_and_not_tried() -> None:
    material = audit(dns=lambda _, __, ___: said(Resolving.RESOLVED, "203.0.113.9"))
    assert not [item for item in material.crossed if item.path.way is Way.HEADLESS]
    assert [text for text in material.unlaid if "leads to 203.0.113.9, which is not the server" in text]


def test_a_headless_service_that_is_refused_has_no_name_to_look_up() -> None:
    material = audit(refused={Way.HEADLESS: "the headless Service was not accepted: quota"})
    assert material.names == ()
    assert material.unlaid == ("the headless Service was not accepted: quota",)
