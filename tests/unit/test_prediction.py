"""What `netaudit predict` says, as a value."""

from __future__ import annotations

import pytest

from auditor.errors import UsageError
from auditor.evaluate.model import Model
from auditor.model.flow import Direction, Family, Protocol, Verdict
from auditor.model.prediction import Coverage, Excluded, Prediction, Unselected
from auditor.prediction import Wanted, foresee
from auditor.services import Services
from auditor.targets import Targets
from tests.builders import Raw, allow, deny_all, named, pod, policy, port, selector, snapshot
from tests.unit.explaining import leading, on_host, service

WEB = [pod(f"shop/web-{it}", owner="Deployment/web", app="web") for it in range(2)]
DB = pod("shop/db", owner="StatefulSet/db", app="db", ports=[port(5432, "sql")])
OPS = pod("ops/x", owner="Deployment/x")


def predicted(*objects: Raw, to: tuple[str, ...] = (), **wanted: object) -> Prediction:
    model = Model(snapshot(*objects))
    targets = Targets(model, Services(model), "shop")
    made = Wanted(destinations=tuple(map(targets.find, to)), **wanted)  # type: ignore[arg-type]
    return foresee(model, made, origin="test")


def coverage(*objects: Raw) -> dict[tuple[str, Direction], tuple[int, int, bool]]:
    return {
        (it.namespace, it.direction): (it.pods, it.isolated, it.default_deny) for it in predicted(*objects).coverage
    }


def test_coverage_counts_the_pods_that_are_isolated() -> None:
    found = coverage(*WEB, DB, OPS, policy("shop/p", selector(app="web"), ingress=[]))

    assert {
        ("ops", Direction.INGRESS): (1, 0, False),
        ("ops", Direction.EGRESS): (1, 0, False),
        ("shop", Direction.INGRESS): (3, 2, False),
        ("shop", Direction.EGRESS): (3, 0, False),
    } == found


def test_default_deny_is_a_policy_that_selects_every_pod_there_may_be() -> None:
    every = {app: policy("shop/p", selector(app=app), ingress=[]) for app in ("web", "db")}

    assert (3, 3, True) == coverage(*WEB, DB, deny_all("shop/p"))["shop", Direction.EGRESS]
    assert (2, 2, False) == coverage(*WEB, every["web"])["shop", Direction.INGRESS]


def test_default_deny_of_a_whole_cluster_s_policy() -> None:
    closed = {
        **named("CiliumClusterwideNetworkPolicy", "all"),
        "apiVersion": "cilium.io/v2",
        "spec": {"endpointSelector": {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "shop"}}, "ingress": [{}]},
    }

    found = coverage(*WEB, OPS, closed)

    assert ((2, 2, True), (1, 0, False)) == (found["shop", Direction.INGRESS], found["ops", Direction.INGRESS])


def test_pods_that_no_policy_selects_are_named_by_workload() -> None:
    found = predicted(*WEB, DB, OPS, policy("shop/p", selector(app="db"), ingress=[]))

    assert (Unselected("ops", "deployment/x", 1), Unselected("shop", "deployment/web", 2)) == found.unselected


def test_pods_outside_the_matrix_are_counted_by_reason() -> None:
    outside = (
        pod("ops/a", phase="Failed"),
        pod("ops/b", at=[]),
        pod("ops/c", **on_host("192.168.0.1")),
        pod("ops/d", phase="Succeeded", **on_host("192.168.0.1")),
    )

    assert (
        Excluded("are on their node's network, where the API leaves open what policies mean", 1),
        Excluded("have finished", 2),
        Excluded("have no address yet", 1),
    ) == predicted(*WEB, *outside).excluded


def titles(found: Prediction) -> list[str]:
    return [found.matrix.identities[place].title for place in found.destinations]


FRONT = service("shop/front", leading(80), at=["10.96.0.1"], selects={"app": "web"})


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("db",), ["shop/db"]),
        (("shop",), ["shop/db", "shop/web"]),
        (("svc/front",), ["shop/web"]),
        (("10.96.0.1",), ["shop/web"]),
        (("ops", "shop/pod/web-1"), ["ops/x", "shop/web"]),
    ],
)
def test_targets_choose_identities(words: tuple[str, ...], expected: list[str]) -> None:
    assert expected == titles(
        predicted(*WEB, DB, OPS, FRONT, policy("shop/p", selector(app="db"), ingress=[]), to=words)
    )


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("10.0.0.0/8", "the matrix is of flows between pods, and of addresses it says nothing"),
        ("internet", "the matrix is of flows between pods, and of addresses it says nothing"),
        ("ops/done", "pod ops/done has finished, and has given its address back"),
        ("ops/host", "its pods are on their node's network, or there are none"),
        ("shop/svc/none", "its pods are on their node's network, or there are none"),
    ],
)
def test_target_without_a_place_in_the_matrix_is_no_empty_answer(word: str, why: str) -> None:
    more = (pod("ops/done", phase="Failed"), pod("ops/host", **on_host("192.168.0.1")), service("shop/none"))

    with pytest.raises(UsageError) as caught:
        predicted(*WEB, *more, to=(word,))

    assert why == caught.value.why


def test_tiers_and_sets_are_no_policies() -> None:
    group = {
        **named("CiliumCIDRGroup", "g"),
        "apiVersion": "cilium.io/v2alpha1",
        "spec": {"externalCIDRs": ["192.0.2.0/24"]},
    }

    assert 1 == predicted(*WEB, group, deny_all("shop/p")).policies


def test_named_port_is_looked_up_among_the_destinations() -> None:
    found = predicted(*WEB, DB, ports=((Protocol.TCP, "sql"),))

    assert ((Protocol.TCP, 5432),) == found.queries


def test_verdict_of_a_family_that_an_end_lacks_was_not_asked_for() -> None:
    six = pod("shop/six", owner="Deployment/six", at=["fd00::6"])
    found = predicted(DB, six, ports=((Protocol.TCP, 80),))

    assert found.verdict(0, 1, Family.IPV4, (Protocol.TCP, 80)) is None
    assert found.verdict(0, 0, Family.IPV4, (Protocol.TCP, 80)) is Verdict.ALLOWED
    assert found.verdict(0, 0, Family.IPV4, (Protocol.TCP, 81)) is None


def test_rules_that_allow_everything_still_isolate() -> None:
    assert (
        Coverage("shop", Direction.INGRESS, 2, 2, default_deny=True)
        in predicted(*WEB, policy("shop/p", ingress=[allow()])).coverage
    )
