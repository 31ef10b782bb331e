"""The clusters that are measured are what their names say, and the same in every run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import mean, median

import msgspec
import pytest

from auditor.cluster.decode import decode
from auditor.evaluate.model import Model
from auditor.evaluate.reach import reach
from auditor.model.cluster import Snapshot
from auditor.model.flow import Direction, Family, Protocol, Verdict
from auditor.model.labels import Operator
from auditor.model.policy import NetworkPolicy, Rule
from tests.bench import shapes
from tests.bench.clusters import ODD, cluster
from tests.bench.manifests import full_pod, write_folder
from tests.bench.objects import Raw


@pytest.fixture(scope="module")
def small() -> Snapshot:
    return decode(cluster(400, 20, 190))


@pytest.fixture(scope="module")
def real() -> Snapshot:
    return decode(shapes.real())


def rules(policy: NetworkPolicy) -> tuple[Rule, ...]:
    return (*policy.ingress, *policy.egress)


def counts(snapshot: Snapshot) -> tuple[int, int, int]:
    return len(snapshot.pods), len(snapshot.namespaces), len(snapshot.policies)


def test_ordinary_cluster_has_the_objects_asked_for_and_no_other(small: Snapshot) -> None:
    assert (400, 20, 190) == counts(small)
    assert small.warnings == ()
    assert len({pod.addresses for pod in small.pods}) == 400
    assert {pod.node for pod in small.pods} == {node.name for node in small.nodes}
    sizes = Counter(pod.namespace for pod in small.pods)
    assert max(sizes.values()) > 2 * mean(sizes.values()) > 4 * min(sizes.values())


def test_ordinary_cluster_asks_everything_that_the_api_has(small: Snapshot) -> None:
    ports = [port for policy in small.policies for rule in rules(policy) for port in rule.ports]
    peers = [peer for policy in small.policies for rule in rules(policy) for peer in rule.peers]
    selectors = [item for peer in peers for item in (peer.pod_selector, peer.namespace_selector) if item]

    assert set(Protocol) == {port.protocol for port in ports}
    assert {int, str} == {type(port.port) for port in ports}
    assert any(port.end_port for port in ports)
    assert any(peer.ip_block and peer.ip_block.excepts for peer in peers)
    assert set(Operator) == {part.operator for selector in selectors for part in selector.requirements}


def test_verdicts_of_an_ordinary_cluster_differ(small: Snapshot) -> None:
    model = Model(small)
    some = small.pods[::9]
    others = [*some, *(pod for pod in small.pods if pod.namespace.endswith(ODD))]
    found = Counter(
        model.decide(one, other, Family.IPV4, port).verdict for one in some for other in others for port in (8080, 8443)
    )

    assert {Verdict.ALLOWED, Verdict.DENIED, Verdict.UNDEFINED} == set(found)
    assert found[Verdict.UNDEFINED] < found[Verdict.ALLOWED] < found[Verdict.DENIED]


def test_same_numbers_give_the_same_objects(small: Snapshot) -> None:
    assert small == decode(cluster(400, 20, 190))
    assert shapes.real() == shapes.real()


def test_real_cluster_has_the_published_figures(real: Snapshot) -> None:
    homes = {name: [pod for pod in real.pods if pod.namespace == name] for name in {pod.namespace for pod in real.pods}}
    local = [
        sum(policy.pod_selector.matches(pod.labels) for pod in homes[policy.namespace]) for policy in real.policies
    ]
    peers = [sum(len(rule.peers) for rule in rules(policy)) for policy in real.policies]
    selecting = [number for number in local if number]

    assert (5_413, 604, 13_678) == counts(real)
    assert (3_559, 495) == (local.count(0), sum(not count for count in peers))
    assert sum(count for count, number in zip(peers, local, strict=True) if number) == 15_423
    assert 12 < mean(selecting) < 14
    assert median(selecting) in {5, 6}
    assert 140 < max(selecting) <= 154
    assert max(peers) == 21
    assert 3_400 < sum("mesh" in pod.labels for pod in real.pods) < 3_750


def test_worst_case_repeats_nothing() -> None:
    snapshot = decode(shapes.burner(pods=40, namespaces=20, policies=30, rules=4))
    found = [rule for policy in snapshot.policies for rule in rules(policy)]
    sets = [rule.peers[0].namespace_selector for rule in found]

    assert (40, 20, 30) == counts(snapshot)
    assert snapshot.warnings == ()
    assert len(found) == len(set(sets)) == 120
    assert {10} == {len(rule.ports) for rule in found}


def test_matrix_of_an_ordinary_cluster_is_what_is_said_of_each_flow(small: Snapshot) -> None:
    model = Model(small)
    some = small.pods[::13]
    found = reach(model, small.pods, [(Protocol.TCP, 8443), (Protocol.UDP, 53)])

    for query in found.queries:
        assert all(
            found.verdict(one, other, Family.IPV4, query)
            is model.decide(one, other, Family.IPV4, query[1], query[0]).verdict
            for one in some
            for other in some
        )


def test_distinct_pods_are_each_selected_alone() -> None:
    snapshot = decode(shapes.distinct(pods=20, namespaces=4))
    model = Model(snapshot)
    reached = Counter(
        (one.namespace, model.decide(one, other, Family.IPV4, 8080).verdict)
        for one in snapshot.pods
        for other in snapshot.pods
        if one is not other
    )

    assert {number for (_, verdict), number in reached.items() if verdict is Verdict.ALLOWED} == {5}
    assert all(model.isolates(pod) == {Direction.INGRESS} for pod in snapshot.pods)


def test_ordered_tiers_are_read_and_decide() -> None:
    below = cluster(200, 20, 100)
    model = Model(decode(shapes.with_tiers(below, 20, 5)))

    assert model.blind_spots == ()
    assert len(model.foreign) == 20
    assert sum(len(section.clauses) for section in model.foreign) == 100
    pods = model.snapshot.pods
    plain = Model(decode(below))
    assert any(
        plain.decide(one, other, Family.IPV4, 80).verdict is not model.decide(one, other, Family.IPV4, 80).verdict
        for one in pods[::5]
        for other in pods[::7]
    )


def test_full_size_changes_nothing_that_decides(tmp_path: Path) -> None:
    raw = cluster(40, 5, 20)
    size = write_folder(raw, tmp_path)
    lists: dict[str, Raw] = {path.stem: msgspec.json.decode(path.read_bytes()) for path in tmp_path.iterdir()}

    assert {"pods", "namespaces", "networkpolicies"} == lists.keys()
    assert 6_000 < size / 40 < 6_600
    assert [full_pod(pod)["spec"]["nodeName"] for pod in raw.objects["pods"]] == [
        item["spec"]["nodeName"] for item in lists["pods"]["items"]
    ]
    small, large = (
        decode(type(raw)({**raw.objects, "pods": pods})) for pods in (raw.objects["pods"], lists["pods"]["items"])
    )
    assert [(pod.labels, pod.addresses, pod.ports) for pod in small.pods] == [
        (pod.labels, pod.addresses, pod.ports) for pod in large.pods
    ]
    assert "Deployment" in {pod.owner.kind for pod in large.pods if pod.owner}
