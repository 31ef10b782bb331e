"""What the sieve answers itself, what it leaves to others, and that it forgets."""

from __future__ import annotations

import pytest

from auditor.cluster.decode import decode
from auditor.evaluate import sieve
from auditor.evaluate.match import Asked
from auditor.evaluate.model import Model
from auditor.model.cluster import Pod, Snapshot
from auditor.model.ends import Address
from auditor.model.flow import Direction, Family, Protocol, Traffic, Verdict
from auditor.query import MANY, Oracle
from tests.bench.clusters import cluster

WEB = Traffic(Family.IPV4, Protocol.TCP, 8080)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return decode(cluster(200, 10, 90))


def hits(model: Model, source: Pod, destination: Pod, traffic: Traffic = WEB) -> tuple[int, ...] | None:
    one, other = model.end(source), model.end(destination)
    return sieve.Sieve(model).hits(model.selection(other, Direction.INGRESS), Asked(other, one, other, traffic))


def test_rules_that_match_are_numbered_and_others_are_not(snapshot: Snapshot) -> None:
    model = Model(snapshot)
    homes = [[pod for pod in snapshot.pods if pod.namespace == f"home-000{number}"] for number in (0, 1)]

    assert hits(model, homes[0][0], homes[0][-1])
    assert () == hits(model, homes[1][0], homes[0][0], Traffic(Family.IPV4, Protocol.UDP, 7))


def test_ends_that_are_in_no_class_are_left_to_others(snapshot: Snapshot) -> None:
    model = Model(snapshot)
    stranger = Pod("home-0000", "late", {"app": "app-0"}, addresses=("198.18.250.1",))

    assert sieve.OUTSIDE == hits(model, snapshot.pods[0], stranger)
    assert sieve.OUTSIDE == hits(model, stranger, snapshot.pods[0])


def test_quickened_model_still_knows_the_world_outside(snapshot: Snapshot) -> None:
    plain, quick = Model(snapshot), Model(snapshot)
    sieve.quicken(quick)
    api = next(pod for pod in snapshot.pods if pod.labels.get("tier") == "api")

    found = [model.decide(api, Address("203.0.113.200"), Family.IPV4, 443) for model in (plain, quick)]

    assert Verdict.ALLOWED is found[0].verdict
    assert found[0] == found[1]


def test_what_is_remembered_is_bounded(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sieve, "MOST_KEPT", 3)
    model = Model(snapshot)
    small = sieve.Sieve(model)
    one, other = model.end(snapshot.pods[9]), model.end(snapshot.pods[10])

    for port in range(1, 20):
        asked = Asked(other, one, other, Traffic(Family.IPV4, Protocol.TCP, port))
        small.hits(model.selection(other, Direction.INGRESS), asked)

    assert 1 <= len(small._matching) <= 3


def test_long_batch_is_quickened_and_answers_alike(snapshot: Snapshot) -> None:
    model = Model(snapshot)
    oracle, before = Oracle(model), model.hits
    names = [f"{pod.namespace}/{pod.name}" for pod in snapshot.pods[:40]]
    queries = [{"src": one, "dst": other, "port": 8080} for one in names for other in names]

    first = [oracle.answer(query) for query in queries]
    for _ in range(MANY // len(queries)):
        assert first == [oracle.answer(query) for query in queries]

    assert model.hits is not before
    assert first == [oracle.answer(query) for query in queries]
