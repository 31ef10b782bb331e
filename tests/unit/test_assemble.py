"""The report document: everything that was found, sorted, and the same bytes for the same audit."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from auditor.assemble import CONTROL_ID, assemble
from auditor.audit import run_audit
from auditor.model.problem import Effect, Problem
from auditor.model.report import SCHEMA, AuditReport, Run
from auditor.verdict import Material
from tests import fakes, twists
from tests.builders import CLUSTER_UID, Raw, allow, autoscaler, block, deny_all, node, pod, pods, policy, port, tcp
from tests.fakes import FakeBackend, FakeCluster, by_model
from tests.unit.auditing import WHOLE

RUN = Run(
    "ab12cd",
    "0.1.0",
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:01:00Z",
    "clone",
    "busybox",
    "shell",
    45.0,
    3,
    1.0,
    3,
    60.0,
)
SHOP = (
    pod("shop/web-1", on="n1", owner="StatefulSet/web", ports=[port(8080)], app="web"),
    pod("shop/web-2", on="n2", owner="StatefulSet/web", ports=[port(8080)], app="web"),
    pod("shop/db", on="n2", ports=[port(5432)], app="db"),
    pod("ops/host", spec={"hostNetwork": True}),
    pod("kube-system/dns", on="n1"),
    deny_all("shop/deny", "Ingress"),
    policy("shop/db", {"matchLabels": {"app": "db"}}, ingress=[allow(pods(app="web"), ports=[tcp(5432)])]),
)


def material(*twists: fakes.Twist, objects: Sequence[Raw] = SHOP, **switches: Any) -> Material:
    backend = FakeBackend(by_model(objects), twists, **switches)
    return asyncio.run(run_audit(FakeCluster(objects), backend, WHOLE, fakes.ignore))


def report(*twists: fakes.Twist, objects: Sequence[Raw] = SHOP, **switches: Any) -> AuditReport:
    return assemble(material(*twists, objects=objects, **switches), WHOLE, RUN, "prod")


def as_bytes(made: AuditReport) -> bytes:
    return msgspec.json.encode(made)


def test_same_input_same_bytes_whatever_the_order_of_input() -> None:
    """No order of listing shows in the document."""
    expected = as_bytes(report(twists.nothing_enforces))
    for objects in itertools.islice(itertools.permutations(SHOP), 0, 5040, 700):
        assert as_bytes(report(twists.nothing_enforces, objects=objects)) == expected


def test_clean_report() -> None:
    """Cluster, run and summary are filled in, and every flow, stand-in and identity has its entry."""
    made = report()

    assert (made.schema, made.run, made.summary.exit_code, made.findings) == (SCHEMA, RUN, 0, [])
    assert (made.cluster.uid, made.cluster.context, made.cluster.server_version) == (CLUSTER_UID, "prod", "v1.35.0")
    assert (made.cluster.nodes, made.cluster.namespaces, made.cluster.pods, made.cluster.policies) == (2, 3, 5, 2)
    assert made.summary.planned == len(made.flows)
    assert {flow.agreement for flow in made.flows} == {"as-expected"}
    assert made.leftovers == []
    assert made.limits


def test_references_inside_the_report_resolve() -> None:
    """Whatever a flow or a finding points at is in the report."""
    made = report(twists.nothing_enforces)
    keys = {item.key for item in made.stand_ins}
    identities = {item.id for item in made.identities}
    flows = {item.id for item in made.flows}

    assert {end for flow in made.flows for end in (flow.source, flow.destination)} <= keys
    assert {end for flow in made.flows for end in (flow.source_identity, flow.destination_identity)} <= identities
    assert {item.identity for item in made.stand_ins} <= identities
    assert {number for finding in made.findings for number in finding.flows} <= flows
    assert made.findings


def test_identities_and_controls() -> None:
    """An identity shows how many pods it stands for; the control stands for any other pod."""
    made = {item.title: item for item in report().identities}
    web, control = made["shop/web"], made["any other pod (unpoliced control)"]

    assert (web.pods, web.nodes, web.owners, web.isolated) == (2, ["n1", "n2"], ["statefulset/web"], ["Ingress"])
    assert (control.id, control.control, control.pods) == (CONTROL_ID, True, 4)
    assert web.labels == {"app": "web"}


def test_denied_flow_names_policies_and_directions() -> None:
    """Who denies a flow, where, how often it was tried and what was seen."""
    denied = [flow for flow in report().flows if flow.verdict == "denied"]

    assert {tuple(flow.denied_by) for flow in denied} == {("Ingress",)}
    assert all(flow.policies and flow.outcome == "silent" and flow.tries == 3 for flow in denied)
    assert any(flow.policies == ["shop/db", "shop/deny"] for flow in denied)


def test_stand_ins_that_do_not_run_or_were_changed() -> None:
    """Each stand-in says whether it runs, why not, and where admission changed it."""
    key = report().stand_ins[0].key
    broken = {item.key: item for item in report(broken={key: "ImagePullBackOff"}).stand_ins}
    changed = {item.key: item for item in report(labels={key: {"app": "web", "extra": "1"}}).stand_ins}

    assert (broken[key].state, broken[key].addresses) == ("ImagePullBackOff", [])
    assert "admission changed its labels" in changed[key].note
    assert "'extra': '1'" in changed[key].note
    assert {item.note for name, item in changed.items() if name != key} == {""}
    assert broken[key].pod == f"netaudit-ab12cd-{key}-0"


def test_what_is_left_out_is_named() -> None:
    """Host network, system namespaces, hazards and open verdicts are in the report with their reasons."""
    objects = [
        *SHOP,
        pod("dev/a", app="x"),
        deny_all("dev/p", app="x"),
        autoscaler("dev/grow", "Deployment/gone"),
        pod("lab/b", at=["10.0.0.9"]),
        policy("lab/p", ingress=[allow(block("10.0.0.0/8"))]),
    ]
    skipped = {item.what: item for item in report(objects=objects).skipped}

    assert list(skipped) == sorted(skipped)
    assert "1 pod on the host's network" in skipped
    assert "namespace kube-system (1 pod)" in skipped
    assert "whose selector is not known" in skipped["dev/a"].reason
    assert skipped["flows with the verdict UNDEFINED"].flows > 0


def test_late_flow_has_its_time() -> None:
    """The seconds that enforcement took are in the flow's entry, rounded."""
    settled = {flow.settled_after_seconds for flow in report(twists.late(until=2)).flows if flow.agreement == "late"}

    assert settled == {21.0}


@pytest.mark.parametrize("leftovers", [(), ("pod b", "pod a")])
def test_leftovers_and_warnings_are_sorted(leftovers: tuple[str, ...]) -> None:
    """What could not be removed or read is listed."""
    bad = {**node("n9"), "metadata": {"name": "n9", "labels": 5}}
    made = report(objects=[*SHOP, bad], leftovers=leftovers)

    assert made.leftovers == sorted(leftovers)
    assert [text.split()[0] for text in made.warnings] == ["Node"]


def test_empty_audit_has_a_report_too() -> None:
    """A cluster without pods gives a whole document that says so."""
    made = report(objects=[])

    assert (made.flows, made.stand_ins, made.identities, made.summary.exit_code) == ([], [], [], 4)
    assert made.skipped[0].what == "everything"


def test_pods_whose_silence_has_no_witness_of_their_own_are_counted() -> None:
    """Nothing may reach db and web, so only twins tell of paths to them; admin may be reached."""
    objects = (*SHOP[:3], pod("ops/admin", on="n1", ports=[port(9000)]), deny_all("shop/deny", "Ingress"))
    told = [text for text in report(objects=objects).limits if "paths were alive" in text]

    assert [text.split(";")[0] for text in told] == [
        "Policies allow nothing that was tried into or out of 2 of 3 probe pods"
    ]
    assert not [text for text in report(objects=objects[:4]).limits if "paths were alive" in text]


def test_each_manifest_that_does_not_count_is_among_what_was_skipped() -> None:
    """All of them, where the sentence counts some."""
    told = tuple(
        Problem(Effect.REFUSED, "a.yaml", number, f"NetworkPolicy shop/p{number}", "refused", "it has no spec", "")
        for number in range(9)
    )
    found = material()
    made = assemble(replace(found, snapshot=replace(found.snapshot, lost=told)), WHOLE, RUN, "prod")
    left = {item.what: item.reason for item in made.skipped if item.what.startswith("a.yaml")}
    assert left == {f"a.yaml:{n}: NetworkPolicy shop/p{n}": "was left out: it has no spec" for n in range(9)}
