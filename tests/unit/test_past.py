"""Going on from a journal: what is taken over, what is tried anew, and that stale data never makes a false answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from auditor.errors import UsageError
from auditor.external import parse_externals
from auditor.model.finding import Agreement, Judgement, Proof
from auditor.model.flow import Verdict
from auditor.model.journal import SCHEMA, Round
from auditor.model.options import Coverage, Options
from auditor.model.probe import Outcome
from auditor.past import MAX_AGE, Past, check, check_cluster, past_of
from auditor.recording import decode
from tests import fakes, twists
from tests.builders import CLUSTER_UID, Raw, deny_all, namespace, node, pod, policy, port, selector
from tests.unit.auditing import SHOP, WHOLE, Audited, audit, keys
from tests.unit.resuming import RUN, noted, resumed

START = datetime(2026, 1, 1, tzinfo=UTC)
LATER = START + timedelta(minutes=10)


def before(audited: Audited) -> list[Judgement]:
    """What was taken over."""
    return [item for item in audited.material.comparison.judgements if item.measured]


def denied(judgements: Sequence[Judgement]) -> list[Judgement]:
    return [item for item in judgements if item.flow.predicted.verdict is Verdict.DENIED]


def test_what_was_shown_is_taken_over_and_told() -> None:
    """With an unbroken journal most is taken over, the answer is the same, and each such flow says who measured it."""
    whole = audit()

    found = resumed(noted().past)

    taken = before(found)
    assert found.summary.exit_code == 0
    assert (found.summary.planned, found.summary.as_expected) == (whole.summary.planned, whole.summary.planned)
    assert found.summary.proven_denials == whole.summary.proven_denials
    assert denied(taken)
    assert len(denied(taken)) < len(taken) == found.summary.taken_over < found.summary.planned
    assert all(f"measured by run {RUN} at {item.measured}" in item.reason for item in taken)
    assert f"{len(taken)} of the {found.summary.planned} flows were taken over from run {RUN}" in found.summary.sentence
    assert found.material.comparison.policies == whole.material.comparison.policies


def test_nodes_are_proven_by_this_run_alone() -> None:
    """For each node and direction something is tried anew, and only that speaks for the node."""
    found = resumed(noted().past)

    taken = {item.flow.id for item in before(found)}
    claims = found.material.comparison.nodes
    assert {claim.proof for claim in claims} == {claim.proof for claim in audit().material.comparison.nodes}
    assert all(claim.flows for claim in claims if claim.proof is Proof.PROVEN)
    assert not any(taken & set(claim.flows) for claim in claims)


def test_denials_that_are_tried_anew_have_their_witnesses() -> None:
    """What shows that the paths of both ends are alive is tried with them, where policies allow anything there."""
    flows = resumed(noted().past).material.comparison.judgements
    allowed = [item for item in flows if item.flow.predicted.verdict is Verdict.ALLOWED]
    for role in ("source", "destination"):
        anew = {getattr(item.flow, role) for item in denied(flows) if not item.measured}
        assert anew & {getattr(item.flow, role) for item in allowed} <= {
            getattr(item.flow, role) for item in allowed if not item.measured
        }


@pytest.mark.parametrize("odd", [(), (twists.nothing_enforces,), (twists.node_does_not_enforce("n2"),)])
def test_journal_that_ends_anywhere_gives_no_wrong_answer(odd: tuple[fakes.Twist, ...]) -> None:
    """Whatever line is the last, what an undisturbed run finds is found; a denial is taken over with all its proof."""
    truth = audit(*odd)
    lines = noted(*odd).lines
    takes = []
    for end in range(1, len(lines) + 1):
        found = resumed(past_of(decode(b"".join(lines[:end])), RUN), *odd)
        takes.append(bool(denied(before(found))))
        agreements = {item.flow.id: item.agreement for item in found.material.comparison.judgements}
        assert agreements == {item.flow.id: item.agreement for item in truth.material.comparison.judgements}
        assert found.summary.exit_code == truth.summary.exit_code

    # The closing round is part of the proof.
    assert not any(takes[:-1])
    assert takes[-1] == (truth.summary.proven_denials > 0 and twists.nothing_enforces not in odd)


@pytest.mark.parametrize("twist", [twists.nothing_enforces, twists.node_does_not_enforce("n1"), twists.twins_blocked])
def test_engine_that_dies_in_between_is_not_covered_up(twist: fakes.Twist) -> None:
    """What leaks or cannot be shown now is never as expected because it was so then."""
    now = {item.flow.id: item.agreement for item in audit(twist).material.comparison.judgements}

    found = resumed(noted().past, twist)

    for item in denied(found.material.comparison.judgements):
        if now[item.flow.id] is not Agreement.AS_EXPECTED:
            assert item.agreement is not Agreement.AS_EXPECTED, item.flow
    assert found.summary.exit_code == audit(twist).summary.exit_code


def test_way_that_is_cut_in_between_is_not_covered_up() -> None:
    """Where nothing gets through to a node any more, nothing that did then still counts."""
    past = noted().past

    found = resumed(past, cut("n2"))

    nodes = {item.key: item.node for item in found.material.plan.stand_ins}
    allowed = [item for item in before(found) if item.flow.predicted.verdict is Verdict.ALLOWED]
    assert {nodes[item.flow.destination] for item in allowed} == {"n1"}
    assert found.summary.exit_code == 4


def cut(name: str) -> fakes.Twist:
    """Nothing gets through to the pods of a node but from themselves."""

    def twist(attempt: fakes.Attempt, outcome: Outcome) -> Outcome:
        lost = attempt.destination.pod.node == name and not attempt.is_listener_check
        return Outcome.SILENT if lost else outcome

    return twist


@pytest.mark.parametrize(
    "objects",
    [
        [{**item, "metadata": {**item["metadata"], "resourceVersion": "2"}} for item in SHOP],
        [*SHOP, deny_all("shop/more", "Ingress", app="nobody")],
        [*SHOP, namespace("shop", team="new")],
    ],
    ids=["policies stored anew", "one policy more", "labels of the namespace"],
)
def test_what_a_change_bears_on_is_tried_anew(objects: Sequence[Raw]) -> None:
    """Flows with an end in a namespace that changed are not taken over, others are."""
    found = resumed(noted().past, objects=objects)

    homes = {item.key: item.namespace for item in found.material.plan.stand_ins}
    ends = {homes[key] for item in before(found) for key in (item.flow.source, item.flow.destination)}
    assert "shop" not in ends
    assert "ops" in ends
    assert found.summary.exit_code == 0


def test_changed_node_and_changed_engine() -> None:
    """A node that changed takes its flows with it; settings of the engine, or an object of the whole cluster, all."""
    past = noted().past

    moved = resumed(past, objects=[*SHOP, node("n2", zone="new")])
    wide = resumed(replace_marks(past, wide="other"))

    nodes = {item.key: item.node for item in moved.material.plan.stand_ins}
    assert {nodes[key] for item in before(moved) for key in (item.flow.source, item.flow.destination)} == {"n1"}
    assert before(wide) == []
    assert wide.summary.exit_code == 0
    assert f"None of the {wide.summary.planned} flows was taken over from run {RUN}." in wide.summary.sentence


def replace_marks(past: Past, wide: str) -> Past:
    marks = msgspec.structs.replace(past.header.marks, wide=wide)
    return replace(past, header=msgspec.structs.replace(past.header, marks=marks))


def test_changed_identity_is_another_one() -> None:
    """Pods that wear other labels now are tried anew, although no policy or node changed."""
    relabelled = [pod("shop/web", on="n1", ports=[port(8080)], app="web") if item is SHOP[0] else item for item in SHOP]
    other = [
        pod("shop/db", on="n2", ports=[port(5432)], app="other") if item is SHOP[1] else item for item in relabelled
    ]

    found = resumed(noted().past, objects=other)

    mine = keys(found)["shop/db"]
    assert not [item for item in before(found) if mine in {item.flow.source, item.flow.destination}]


def test_surprises_are_tried_anew() -> None:
    """A leak, a blockage or what was late then is measured again, and may be otherwise now."""
    flows = audit().material.plan.flows
    flow = next(flow for flow in flows if flow.predicted.deniers)
    past = noted(twists.flipped(flow.source, flow.destination, flow.port)).past

    found = resumed(past)

    assert flow.id not in {item.flow.id for item in before(found)}
    assert found.summary.as_expected == found.summary.planned


def test_labels_that_were_changed() -> None:
    """A probe pod that did not wear its labels, or not to the end, has measured nothing for others."""
    key = keys(audit())["shop/db"]
    worn = noted(labels={key: {"app": "db", "extra": "x"}}).past
    swapped = noted(relabelled={key: {"app": "other"}}).past

    for past in (worn, swapped):
        taken = before(resumed(past))
        assert taken
        assert not [item for item in taken if key in {item.flow.source, item.flow.destination}]


def test_probe_pod_that_was_changed_still_bears_witness() -> None:
    """Where all that a changed pod was to reach stayed silent, nothing is taken over of whom it alone was let to."""
    changed = {keys(audit())["shop/web"]: {"app": "web", "extra": "x"}}
    db = keys(audit())["shop/db"]

    def dead(attempt: fakes.Attempt, outcome: Outcome) -> Outcome:
        reaches = attempt.destination.stand_in.key == db and not attempt.is_listener_check
        return Outcome.SILENT if reaches else outcome

    past = noted(dead, labels=changed).past

    assert db not in {item.judgement.flow.destination for item in past.flows.values()}


def test_probe_pod_that_does_not_run_now() -> None:
    """What was taken over still needs its probe pods: their stored labels make the verdict."""
    key = keys(audit())["shop/db"]

    found = resumed(noted().past, broken={key: "no room"})

    lost = [item for item in found.material.comparison.judgements if key in {item.flow.source, item.flow.destination}]
    assert {item.agreement for item in lost} == {Agreement.INCONCLUSIVE}
    assert found.summary.exit_code == 4


def test_admission_that_changes_labels_now() -> None:
    """A verdict that is another one now is not what was measured."""
    key = keys(audit())["shop/web"]

    found = resumed(noted().past, labels={key: {"app": "db"}})

    mine = [item for item in found.material.comparison.judgements if key in {item.flow.source, item.flow.destination}]
    assert any("rests on other rules now" in item.reason for item in mine)
    assert found.summary.exit_code == 4


def test_policy_that_changes_during_the_second_run() -> None:
    """What changes mid-run takes what was taken over with it."""
    later = [{**item, "metadata": {**item["metadata"], "resourceVersion": "9"}} for item in SHOP]
    found = resumed(noted().past, later=later)

    hit = [item for item in found.material.comparison.judgements if "not tried anew" in item.reason]
    assert hit
    assert {item.agreement for item in hit} == {Agreement.INCONCLUSIVE}
    assert any("changed during the run" in item.reason for item in hit)


def test_withdrawn_run_is_none_to_go_on_from() -> None:
    """What reacted then may react again."""
    with pytest.raises(UsageError, match="cannot go on") as caught:
        _ = noted(reacted_in=1).past
    assert "ReplicaSet web adopted a probe pod" in caught.value.why


def test_empty_and_newer_journals() -> None:
    with pytest.raises(UsageError, match="cannot go on") as empty:
        past_of([], RUN)
    newer = msgspec.structs.replace(noted().past.header, schema=SCHEMA + 1)
    with pytest.raises(UsageError, match="cannot go on") as unknown:
        past_of([newer], RUN)

    assert "damaged" in empty.value.why
    assert f"schema {SCHEMA + 1}" in unknown.value.why


@pytest.mark.parametrize(
    ("options", "version", "now", "why"),
    [
        (WHOLE, "9.9", LATER, "this is 9.9"),
        (WHOLE, "", START + timedelta(seconds=MAX_AGE + 1), "60 minutes ago"),
        (WHOLE, "", START - timedelta(minutes=2), "in the future"),
        (replace(WHOLE, seed=1), "", LATER, "--seed"),
        (replace(WHOLE, coverage=Coverage.RULES), "", LATER, "--coverage"),
        (replace(WHOLE, namespaces=("shop",)), "", LATER, "--namespace"),
        (replace(WHOLE, image="other"), "", LATER, "--image"),
        (replace(WHOLE, tries=2), "", LATER, "the tries"),
    ],
)
def test_runs_that_must_not_go_on(options: Options, version: str, now: datetime, why: str) -> None:
    past = noted().past
    said = version or past.header.version
    with pytest.raises(UsageError, match=f"cannot go on from run {RUN}") as caught:
        check(past, options, said, now)

    assert why in caught.value.why


def test_run_that_may_go_on() -> None:
    """Options that decide nothing about measuring may differ."""
    past = noted().past

    check(past, replace(WHOLE, settle=1.0, rate=5, budget=900, min_coverage=0.1), past.header.version, LATER)
    check_cluster(past, CLUSTER_UID)


@pytest.mark.parametrize("cluster", ["", "another"])
def test_other_clusters(cluster: str) -> None:
    past = noted().past

    with pytest.raises(UsageError, match="cannot go on") as caught:
        check_cluster(past, cluster)
    assert CLUSTER_UID in caught.value.why


def test_header_without_a_cluster_fits_none() -> None:
    past = noted().past
    lost = replace(past, header=msgspec.structs.replace(past.header, cluster=""))

    with pytest.raises(UsageError, match="cannot go on"):
        check_cluster(lost, "")


def test_no_time_at_all() -> None:
    past = noted().past
    lost = replace(past, header=msgspec.structs.replace(past.header, started="yesterday"))

    with pytest.raises(UsageError, match="cannot go on") as caught:
        check(lost, WHOLE, past.header.version, LATER)
    assert "nobody can tell" in caught.value.why


def test_damaged_line_ends_what_is_read() -> None:
    """A bit that fell over, a line that is missing, and half a last line: what stood before is read, nothing else."""
    lines = noted().lines
    whole = list(decode(b"".join(lines)))
    assert len(whole) == len(lines)
    for number in range(len(lines)):
        bent = [*lines]
        bent[number] = bytes([*lines[number][:20], lines[number][20] ^ 1, *lines[number][21:]])
        for damaged in (bent, lines[:number] + lines[number + 1 :], [*lines[:number], lines[number][:-9]]):
            assert list(decode(b"".join(damaged))) == whole[:number]


def test_nothing_is_noted_of_a_run_without_pods() -> None:
    """Where nothing can be tried there is nothing to go on from."""
    assert noted(objects=[policy("shop/alone", selector(app="x"))]).lines == []


@pytest.mark.parametrize(
    "twist",
    [twists.twins_blocked, twists.listener_dies("i0", 1), twists.exec_fails([4])],
    ids=["twins", "listener", "closing round"],
)
def test_proof_is_its_own(twist: fakes.Twist) -> None:
    """A denial whose twins or listener failed then is tried anew, whatever the rest of the journal holds."""
    taken = denied([item.judgement for item in noted(twist).past.flows.values()])

    assert "i0" not in {item.flow.destination for item in taken}


def test_strangers_are_no_evidence_and_are_met_anew() -> None:
    """What a handshake gave is not in the journal: whoever answers a stranger's port showed nothing of a flow."""
    options = replace(WHOLE, externals=parse_externals(["203.0.113.7:443=model"]))

    rounds = [entry for entry in decode(b"".join(noted(options=options).lines)) if isinstance(entry, Round)]
    assert rounds
    assert all(item.destination for entry in rounds for item in entry.seen)
