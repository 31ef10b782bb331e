"""Explanations, batches, Services, targets, differences and predictions say what `Model.decide` says of each flow."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_network
from itertools import product
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from auditor.asking import Question, ask
from auditor.change import compare_models
from auditor.errors import UsageError
from auditor.evaluate.model import Model
from auditor.explain import explain
from auditor.model.cluster import Pod
from auditor.model.ends import Address
from auditor.model.explanation import DirectionSteps
from auditor.model.flow import Direction, Family, Protocol, Traffic, Verdict
from auditor.model.prediction import Change, Difference
from auditor.prediction import Wanted, foresee
from auditor.query import Oracle
from auditor.services import Services
from auditor.targets import Target, Targets, port_of
from tests.builders import Raw, named
from tests.properties.asking import End, few, model_of, questions, read
from tests.strategies import clusters

PORTS = (80, 81, 443)
TARGETS = (80, 81, "http", "web", None)


def title(item: End) -> str | dict[str, str]:
    return {"ip": item.name} if isinstance(item.given, Address) else item.name


def certain(steps: DirectionSteps) -> bool:
    """Whether the chain of one direction leads to its verdict and no other."""
    ends = [tier.end for tier in steps.tiers]
    if steps.verdict is Verdict.ALLOWED:
        return "always reache" in steps.reason or not any("denied" in text for text in ends)
    if steps.verdict is Verdict.DENIED:
        return "denied" in ends[-1] and "passed on" not in ends[-1] and not any("allowed by" in text for text in ends)
    # On the host's network the two readings differ, and one of them is shown.
    open_ends = "; or: " in steps.reason or "leaves open" in steps.reason
    return steps.verdict is Verdict.UNKNOWN or open_ends or any("not certain" in text for text in ends)


@given(clusters(ordered=True, gaps=True))
@few
def test_chain_leads_to_the_verdict(objects: list[Raw]) -> None:
    model = model_of(objects)
    for question in questions(objects, model.snapshot):
        decision = question.ask(model)
        traffic = Traffic(question.family, question.protocol, question.port)

        found = explain(model, question.source.given, question.destination.given, traffic)

        assert found.decision == decision
        assert [found.decision.egress.verdict, found.decision.ingress.verdict] == [
            it.verdict for it in found.directions
        ]
        wrong = [
            (steps.verdict, steps.reason, [it.end for it in steps.tiers])
            for steps in found.directions
            if not certain(steps)
        ]
        assert [] == wrong, question.name


@given(clusters(ordered=True, gaps=True))
@few
def test_batch_says_what_the_model_decides(objects: list[Raw]) -> None:
    model = model_of(objects)
    oracle = Oracle(model)
    for number, question in enumerate(questions(objects, model.snapshot)):
        asked = {
            "id": number,
            "src": title(question.source),
            "dst": title(question.destination),
            "port": question.port,
            "protocol": question.protocol.value,
            "family": question.family.value,
        }
        decision = question.ask(model)

        found = oracle.answer(asked)

        assert (number, decision.verdict.value) == (found["id"], found["verdict"])
        # The verdict follows from both directions, a pod to itself and blind spots included.
        assert found["verdict"] == joined(found["egress"], found["ingress"])
        assert "error" not in found
        assert (found["verdict"] == "denied") <= bool(found["by"])


def joined(*directions: str) -> str:
    return next(word for word in ("denied", "unknown", "undefined", "allowed") if word in directions)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
almost = st.fixed_dictionaries(
    {},
    optional={
        "src": st.sampled_from(["one/pod-0", "two/pod-0", {"ip": "10.0.2.1"}, {"ip": "::"}]) | anything,
        "dst": st.sampled_from(["one/pod-0", "one/svc/s", {"ip": "192.168.1.1"}, {"ip": "::1"}]) | anything,
        "port": st.sampled_from([80, 65535]) | anything,
        "protocol": st.sampled_from(["TCP", "SCTP"]) | anything,
        "family": st.sampled_from(["IPv4", "IPv6"]) | anything,
        "id": anything,
    },
)
KEYS = {"verdict", "ingress", "egress", "by", "reason"}


@given(clusters(), st.lists(anything | almost, max_size=20))
def test_no_line_of_a_batch_stops_the_others(objects: list[Raw], lines: list[Any]) -> None:
    oracle = Oracle(model_of(objects))
    for line in lines:
        found = oracle.answer(line)

        assert set(found) - {"error", "id"} == KEYS
        assert found["verdict"] in {item.value for item in Verdict}
        assert msgspec.json.encode(found)


def service(number: int, target: int | str | None, selects: Raw | None, cluster_ip: str) -> Raw:
    port = {"port": 80, **({} if target is None else {"targetPort": target})}
    spec: Raw = {"ports": [port], "clusterIP": cluster_ip}
    return {**named("Service", f"one/s{number}"), "spec": spec | ({} if selects is None else {"selector": selects})}


services = st.builds(
    service,
    st.just(0),
    st.sampled_from(TARGETS),
    st.sampled_from([{"app": "a"}, {"app": ""}, {"tier": "b"}, None]),
    st.sampled_from(["10.96.0.1", "None"]),
)


@given(clusters(), services)
def test_service_is_as_its_pods_are(objects: list[Raw], made: Raw) -> None:
    model = model_of([*objects, made])
    known = Services(model)
    found = known.named("one", "s0")
    assert found is not None
    for source in model.snapshot.pods:
        if source.finished or Family.IPV4 not in source.families:
            continue
        behind = [
            (pod, number)
            for pod in model.snapshot.pods
            if pod.namespace == "one" and chosen(made, pod) and not pod.finished and Family.IPV4 in pod.families
            for number in ends(made, pod)
        ]
        if any(pod is source for pod, _ in behind):
            continue
        verdicts = {model.decide(source, pod, Family.IPV4, number).verdict for pod, number in behind}
        sure = verdicts.pop() if len(verdicts) == 1 else Verdict.UNDEFINED
        expected = sure if behind else Verdict.UNKNOWN

        assert expected is known.decide(source, found, Traffic(Family.IPV4, Protocol.TCP, 80)).verdict


def chosen(made: Raw, pod: Pod) -> bool:
    wanted = made["spec"].get("selector")
    return wanted is not None and all(pod.labels.get(key) == value for key, value in wanted.items())


def ends(made: Raw, pod: Pod) -> Iterable[int]:
    target = made["spec"]["ports"][0].get("targetPort", 80)
    if made["spec"]["clusterIP"] == "None":
        return [80]
    if isinstance(target, int):
        return [target]
    return {item.number for item in pod.ports if (item.name, item.protocol) == (target, Protocol.TCP)}


words = (
    st.text(max_size=12) | st.text(alphabet="0123456789./:abf-", max_size=20) | st.sampled_from(("one", "one/pod-0"))
)


@given(clusters(), st.lists(words, max_size=20))
def test_no_word_fails_but_as_a_mistake_of_the_user(objects: list[Raw], asked: list[str]) -> None:
    model = model_of(objects)
    targets = Targets(model, Services(model))
    for word in asked:
        for read_it in (targets.find, lambda text: port_of(text, None)):
            with suppress(UsageError):
                read_it(word)


@given(clusters(ordered=True), st.sampled_from(("10.1.2.0/28", "192.0.2.0/25", "192.168.1.0/29", "2001:db8::/125")))
@few
def test_block_stands_for_every_address_in_it(objects: list[Raw], block: str) -> None:
    model = model_of(objects)
    target = Targets(model, Services(model)).find(block)
    (family,) = {Family.IPV6 if ":" in block else Family.IPV4}
    outside = [address for address in addresses(block) if is_outside(model, address)]
    for pod in model.snapshot.pods:
        if pod.finished or family not in pod.families:
            continue
        for port in PORTS:
            assert {model.decide(pod, end, family, port).verdict for end in target.ends} == {
                model.decide(pod, end, family, port).verdict for end in outside
            }
            assert {model.decide(end, pod, family, port).verdict for end in target.ends} == {
                model.decide(end, pod, family, port).verdict for end in outside
            }


def addresses(block: str) -> list[Address]:
    return [Address(str(item)) for item in ip_network(block)]


def is_outside(model: Model, address: Address) -> bool:
    there = {text for pod in model.snapshot.pods if not pod.finished for text in pod.addresses}
    there |= {text for node in model.snapshot.nodes for text in node.addresses}
    return address.ip not in there


def whole(pod: Pod) -> Target:
    return Target(f"{pod.namespace}/{pod.name}", (pod,))


@given(clusters(ordered=True))
@few
def test_answer_groups_every_flow_of_two_namespaces(objects: list[Raw]) -> None:
    model = model_of(objects)
    known = Services(model)
    targets = Targets(model, known)
    try:
        question = Question(targets.find("one"), targets.find("internet"), Protocol.TCP, 80)
        found = ask(model, known, question)
    except UsageError:
        return
    expected = [
        model.decide(source, destination, family, 80).verdict
        for source, destination in product(question.source.ends, question.destination.ends)
        for family in Family
        if isinstance(source, Pod) and isinstance(destination, Address)
        if family in source.families and (":" in destination.ip) == (family is Family.IPV6)
    ]
    told = [group.verdict for group in found.groups for _ in range(group.flows)]
    assert sorted(it.value for it in expected) == sorted(it.value for it in told)
    for group in found.groups:
        assert group.verdict is group.example.decision.verdict


def moved(objects: list[Raw], others: list[Raw]) -> list[Raw]:
    """The same pods under the policies of another cluster."""
    kinds = {"NetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"}
    return [it for it in objects if it["kind"] not in kinds] + [it for it in others if it["kind"] in kinds]


QUERIES = ((Protocol.TCP, 80), (Protocol.UDP, 81))


def difference(old: list[Raw], new: list[Raw]) -> Difference:
    return compare_models(model_of(old), model_of(new), names=("old", "new"), queries=QUERIES)


def key(change: Change) -> tuple[object, ...]:
    return change.source, change.destination, change.family, change.query


def workload(pod: Pod) -> str:
    return f"{pod.namespace}/{pod.owner}"


def told(changes: Iterable[Change]) -> set[tuple[object, ...]]:
    return {
        (it.source.split(" ")[0], it.destination.split(" ")[0], it.family, it.query, it.before, it.after)
        for it in changes
    }


@given(clusters(ordered=True), clusters(ordered=True))
def test_difference_is_every_pair_of_pods_that_changes(old: list[Raw], others: list[Raw]) -> None:
    new = moved(old, others)
    before, after = model_of(old), model_of(new)
    there = {(pod.namespace, pod.name): pod for pod in after.snapshot.pods}
    pods = [(pod, there[pod.namespace, pod.name]) for pod in before.snapshot.pods if pod.talks]
    expected: set[tuple[object, ...]] = set()
    for (one, first), (other, second) in product(pods, repeat=2):
        for family, query in product(Family, QUERIES):
            if one is other or family not in one.families or family not in other.families:
                continue
            was = before.decide(one, other, family, query[1], query[0]).verdict
            now = after.decide(first, second, family, query[1], query[0]).verdict
            if was is not now:
                expected.add((workload(one), workload(other), family, query, was, now))

    found = difference(old, new)

    changes = [*found.opened, *found.closed, *found.other]
    # A workload of one pod may have more of them one day: what they would say to each other no pair of today shows.
    assert told(it for it in changes if it.source != it.destination) <= expected <= told(changes)
    assert all((it.before, it.after) == (Verdict.DENIED, Verdict.ALLOWED) for it in found.opened)
    assert all((it.before, it.after) == (Verdict.ALLOWED, Verdict.DENIED) for it in found.closed)
    assert () == found.appeared == found.vanished


@given(clusters(ordered=True), clusters(ordered=True))
def test_difference_the_other_way_is_its_mirror(old: list[Raw], others: list[Raw]) -> None:
    there, back = difference(old, others), difference(others, old)

    assert [key(it) for it in there.opened] == [key(it) for it in back.closed]
    assert [key(it) for it in there.closed] == [key(it) for it in back.opened]
    assert [(key(it), it.before, it.after) for it in there.other] == [
        (key(it), it.after, it.before) for it in back.other
    ]
    assert (there.appeared, there.vanished, there.flows) == (back.vanished, back.appeared, back.flows)


@given(clusters(ordered=True))
def test_nothing_changes_between_equals(objects: list[Raw]) -> None:
    found = difference(objects, objects)

    assert () == (*found.opened, *found.closed, *found.other)


@given(clusters(ordered=True, gaps=True))
def test_prediction_is_what_is_decided_pod_by_pod(objects: list[Raw]) -> None:
    snapshot = read(objects)
    model = Model(snapshot)
    found = foresee(model, Wanted(), origin="test")
    identities = found.matrix.identities
    for (i, one), (j, other) in product(enumerate(identities), repeat=2):
        for family, query in product(found.matrix.families, found.queries):
            verdict = found.verdict(i, j, family, query)
            pairs = [(a, b) for a, b in product(one.pods, other.pods) if a is not b] if verdict else []
            assert {model.decide(a, b, family, query[1], query[0]).verdict for a, b in pairs} <= {verdict}


@given(clusters())
def test_coverage_counts_pods_one_by_one(objects: list[Raw]) -> None:
    model = model_of(objects)
    found = foresee(model, Wanted(), origin="test")
    pods = [pod for pod in model.snapshot.pods if pod.talks]
    for item in found.coverage:
        here = [pod for pod in pods if pod.namespace == item.namespace]
        isolated = [pod for pod in here if item.direction in model.isolates(pod)]
        stranger = Pod(item.namespace, "stranger", {"never": "seen"}, addresses=("10.9.9.9",))
        assert (len(here), len(isolated)) == (item.pods, item.isolated)
        assert (not item.default_deny) or item.direction in model.isolates(stranger)
        assert (not item.default_deny) or item.pods == item.isolated
    assert {(pod.namespace, way) for pod in pods for way in Direction} == {
        (item.namespace, item.direction) for item in found.coverage
    }
    free = [pod for pod in pods if not model.isolates(pod)]
    assert len(free) == sum(item.pods for item in found.unselected)
    assert {(pod.namespace, str(pod.owner)) for pod in free} == {(it.namespace, it.workload) for it in found.unselected}
    assert len(model.snapshot.pods) == len(pods) + sum(item.pods for item in found.excluded)
