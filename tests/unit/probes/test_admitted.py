"""What admission made of a probe pod, and which changes end in a skip."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from auditor.model.flow import Protocol
from auditor.model.options import Coverage, Kind, Options
from auditor.model.probe import ProbePlan, Rehearsal, Role, StandIn
from probes.admitted import LONGEST, barred, look_of, obstacle, rehearsal, rehearsed, unforeseen, without_refused
from probes.placement import AgentSpec, Marks, pod_manifest
from tests.builders import Raw, allow, deny_all, namespaces, pod, policy, port, selector, service, snapshot, tcp
from tests.unit.auditing import audit
from tests.unit.planning import clones, plan

WEB = StandIn("i0", Role.CLONE, "shop", "n1", (("app", "web"),), ((Protocol.TCP, 80),))
SENT = pod_manifest(WEB, Marks("a", "0", ""), AgentSpec("image", "", 1), "n", "u")


def stored(change: Callable[[Raw], object]) -> Raw:
    made = deepcopy(SENT)
    made["spec"] |= {"priority": 0, "schedulerName": "default-scheduler"}
    change(made)
    return made


def setting(*path: str, to: Any) -> Callable[[Raw], object]:
    def change(made: Raw) -> None:
        for name in path[:-1]:
            made = made[name]
        made[path[-1]] = to

    return change


def asking(**amounts: str) -> Callable[[Raw], object]:
    return lambda made: made["spec"]["containers"][0]["resources"]["requests"].update(amounts)


CHANGES: dict[str, tuple[Callable[[Raw], object], str]] = {
    "a sidecar": (lambda made: made["spec"]["containers"].append({"name": "proxy"}), "added containers (proxy)"),
    "a native sidecar": (setting("spec", "initContainers", to=[{"name": "istio-proxy"}]), "(istio-proxy)"),
    "another container instead": (setting("spec", "containers", to=[]), "own container away"),
    "host network": (setting("spec", "hostNetwork", to=True), "set hostNetwork"),
    "host processes": (setting("spec", "hostPID", to=True), "set hostPID"),
    "another node": (setting("spec", "nodeName", to="n2"), "moved it from node n1"),
    "no node": (lambda made: made["spec"].pop("nodeName"), "moved it from node n1"),
    "no owner": (lambda made: made["metadata"].pop("ownerReferences"), "took its owner away"),
    "another owner": (
        setting("metadata", "ownerReferences", to=[{"kind": "Job", "controller": True}]),
        "took its owner away",
    ),
    "an address of its own": (asking(**{"vpc.amazonaws.com/pod-eni": "1"}), "ask for vpc.amazonaws.com/pod-eni"),
    "much CPU": (asking(cpu="2"), "ask for 2 of cpu"),
    "much memory": (asking(memory="600Mi"), "ask for 600Mi of memory"),
    "a device": (setting("spec", "resourceClaims", to=[{"name": "gpu"}]), "claim a device"),
    "critical priority": (setting("spec", "priority", to=2_000_001_000), "the kubelet would end real pods"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_that_end_it(name: str) -> None:
    """Each is an obstacle in a dry run and in the pod that was stored alike."""
    change, words = CHANGES[name]
    assert words in obstacle(WEB, stored(change))
    assert words in rehearsal(WEB, SENT, stored(change)).refusal


def test_what_came_back_as_it_was_sent() -> None:
    assert rehearsal(WEB, SENT, stored(lambda made: None)) == Rehearsal("i0", "")


NOTED: dict[str, tuple[Callable[[Raw], object], str]] = {
    "scheduler": (setting("spec", "schedulerName", to="mine"), "schedulerName mine"),
    "priority": (setting("spec", "priority", to=1000), "priority 1000"),
    "tolerations": (setting("spec", "tolerations", to=[]), "its tolerations"),
    "requests as on Autopilot": (asking(cpu="250m", memory="512Mi"), "its requests to cpu 250m, memory 512Mi"),
    "some storage": (asking(**{"ephemeral-storage": "1Gi"}), "ephemeral-storage 1Gi"),
    "image": (lambda made: made["spec"]["containers"][0].update(image="mirror/image"), "mirror/image"),
}


@pytest.mark.parametrize("name", NOTED)
def test_changes_that_are_only_told(name: str) -> None:
    change, words = NOTED[name]
    found = rehearsal(WEB, SENT, stored(change))
    assert found.refusal == ""
    (note,) = found.notes
    assert words in note


def test_requests_in_other_words_are_the_same() -> None:
    assert rehearsal(WEB, SENT, stored(asking(cpu="0.01", memory=str(32 * 1024**2)))).notes == ()


def test_a_dry_run_for_its_own_labels_goes_before_that_of_its_namespace() -> None:
    """Webhooks with an object selector do to one pod what they do not to another."""
    one, other = Rehearsal("i0", "no"), Rehearsal("i1", "")
    seen = replace(WEB, key="i1", labels=(("app", "pay"),))
    found = {"shop": one, look_of(seen): other}
    assert (rehearsed(found, WEB), rehearsed(found, seen), rehearsed(found, replace(seen, key="i7"))) == (
        one,
        other,
        other,
    )
    assert rehearsed(found, replace(WEB, namespace="ops")) is None


@pytest.mark.parametrize(
    ("foreseen", "said"),
    [
        (None, "tier=x"),
        ({}, "tier=x"),
        ({"tier": "x"}, ""),
        ({"tier": "y"}, "tier=x"),
        ({"tier": "x", "a": "b"}, "a=b"),
    ],
)
def test_labels_that_no_dry_run_has_shown(foreseen: dict[str, str | None] | None, said: str) -> None:
    made = stored(lambda made: made["metadata"]["labels"].update(tier="x"))
    text = unforeseen(SENT, made, None if foreseen is None else Rehearsal("i0", "", foreseen))
    assert (said in text, bool(text)) == (True, bool(said))


def test_hostile_text_is_bounded() -> None:
    many = [{"name": "x" * 10_000}] * 900
    assert len(obstacle(WEB, stored(setting("spec", "initContainers", to=many)))) <= LONGEST
    odd = stored(setting("metadata", to="text"))
    odd["spec"] = ["no", "mapping"]
    assert rehearsal(WEB, SENT, odd).refusal


SHOP = (
    pod("shop/web", app="web"),
    pod("ops/db", on="n2", app="db"),
    deny_all("shop/deny", app="web"),
    deny_all("ops/deny", app="db"),
)
PUBLISHING = service("shop/etcd", publishes=True, tier="front")


def planned(found: Rehearsal, *more: Raw, allowed: tuple[str, ...] = ()) -> ProbePlan:
    titles = {item.identity: "shop/web" for item in clones(plan(*SHOP, *more)) if item.namespace == "shop"}
    return without_refused(
        plan(*SHOP, *more), snapshot(*SHOP, *more), {"shop": found}, titles, audited=titles, allowed=allowed
    )


def test_a_refusal_takes_stand_in_and_flows_out_of_the_plan() -> None:
    """And no others: what is left is what a plan without it would hold."""
    before, made = plan(*SHOP), planned(Rehearsal("i0", "no bare pods here"))
    assert [item.namespace for item in clones(made)] == ["ops"]
    gone = {item.key for item in clones(before)} - {item.key for item in clones(made)}
    assert {flow.id for flow in made.flows} == {f.id for f in before.flows if not {f.source, f.destination} & gone}
    assert [(skip.what, skip.reason) for skip in made.skipped if skip.identity] == [("shop/web", "no bare pods here")]
    left = [(skip.flows, skip.reason) for skip in made.skipped if skip.unjudged]
    assert left == [(len(before.flows) - len(made.flows), "no bare pods here")]


def test_partners_that_admission_refuses_leave_the_audit_incomplete() -> None:
    """Most of what was to be tried went with them, and what was asked for is there."""
    homes = [f"t{number}" for number in range(20)]
    objects = [pod(f"{home}/p", on="n1", ports=[port(9000)], app=home) for home in homes]
    objects += [pod("shop/db", on="n2", ports=[port(5432)], app="db")]
    objects += [policy("shop/in", selector(app="db"), ingress=[allow(namespaces(), ports=[tcp(5432)])])]
    options = Options(namespaces=("shop",), coverage=Coverage.FULL)
    refused = audit(objects=objects, options=options, rehearsals={home: Rehearsal("x", "no") for home in homes})

    assert audit(objects=objects, options=options).summary.exit_code == 0
    assert refused.summary.exit_code == 4
    assert "flows have no verdict or were left out" in refused.summary.sentence


def test_labels_that_admission_adds_are_looked_at_like_any_others() -> None:
    """Harmless ones are told; one that a publishing Service selects is a hazard, which its kind overrules."""
    found = Rehearsal("i0", "", {"tier": "front"})
    assert "admission in shop changes labels of probe pods: tier=front" in planned(found).notes
    assert len(clones(planned(found))) == 2
    made = planned(found, PUBLISHING)
    (reason,) = [skip.reason for skip in made.skipped if skip.identity]
    assert reason.startswith("admission changes labels of probe pods: tier=front, and then Service etcd")
    assert len(clones(planned(found, PUBLISHING, allowed=(Kind.SERVICE.value,)))) == 2


def test_a_label_that_admission_removes_is_told() -> None:
    assert (
        "admission in shop changes labels of probe pods: app (removed)"
        in planned(Rehearsal("i0", "", {"app": None})).notes
    )


def test_without_answers_the_plan_is_what_it_was() -> None:
    assert without_refused(plan(*SHOP), snapshot(*SHOP), {}, {}, audited=(), allowed=()) == plan(*SHOP)


def test_nobody_is_barred_whom_admission_was_not_asked_about() -> None:
    """What it said of one look may be about that look alone."""
    plan = ProbePlan((), (clone("i0", "a"), clone("i1", "b")), ())
    reasons = dict.fromkeys(("i0", "i1"), "app=a is reserved")
    asked = {look_of(plan.stand_ins[0])}
    assert barred(plan, reasons, asked) == {"a": "app=a is reserved"}
    assert barred(plan, reasons, {*asked, look_of(plan.stand_ins[1])}).keys() == {"a", "b"}


def clone(key: str, identity: str) -> StandIn:
    return StandIn(key, Role.CLONE, "shop", "n1", (("app", identity),), (), identity=identity)
