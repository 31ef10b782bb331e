"""Which flows a prediction is about, which of its ports were made up, and what identities are called."""

from __future__ import annotations

from auditor.evaluate.model import Model
from auditor.identities import UNNAMED_PORTS
from auditor.model.flow import Protocol
from auditor.model.prediction import Prediction
from auditor.prediction import Wanted, foresee
from auditor.targets import Target
from tests.builders import Raw, a_pod, allow, block, pod, policy, port, snapshot, tcp

FIRST, SECOND = UNNAMED_PORTS[:2]
PAIR = (pod("ops/x"), pod("shop/web"))


def prediction(*objects: Raw, **wanted: object) -> Prediction:
    return foresee(Model(snapshot(*objects)), Wanted(**wanted), origin="test")  # type: ignore[arg-type]


def test_a_namespace_asks_for_flows_with_one_end_in_it() -> None:
    found = prediction(*PAIR, namespaces=("ops",))

    assert (frozenset({0}), (0, 1), (0, 1)) == (found.scope, found.sources, found.destinations)


def test_ends_that_are_named_need_no_scope() -> None:
    found = prediction(*PAIR, namespaces=("ops",), destinations=(Target("", (a_pod("shop/web"),)),))

    assert (None, (0,), (1,)) == (found.scope, found.sources, found.destinations)


def test_without_any_wish_there_is_no_scope() -> None:
    assert prediction(*PAIR).scope is None


def test_port_that_nobody_declares_or_names_is_told_apart() -> None:
    found = prediction(*PAIR, pod("shop/db", ports=[port(5432)]))

    assert ((Protocol.TCP, FIRST),) == found.unnamed
    assert ((Protocol.TCP, FIRST), (Protocol.TCP, 5432)) == tuple(sorted(found.queries, key=lambda it: -it[1]))


def test_port_that_somebody_declares_is_not_made_up_though_others_were_asked_about_it() -> None:
    found = prediction(*PAIR, pod("shop/db", ports=[port(FIRST)]))

    assert {(Protocol.TCP, FIRST), (Protocol.TCP, SECOND)} == set(found.queries)
    assert ((Protocol.TCP, SECOND),) == found.unnamed


def test_port_that_a_policy_names_is_not_made_up() -> None:
    found = prediction(*PAIR, policy("shop/p", ingress=[allow(ports=[tcp(FIRST)])]))

    assert ((Protocol.TCP, SECOND),) == found.unnamed


def test_ports_that_a_user_names_are_not_made_up() -> None:
    assert () == prediction(*PAIR, ports=((Protocol.TCP, FIRST),)).unnamed


def test_identities_that_only_blocks_tell_apart_have_ids_of_their_own() -> None:
    twins = (pod("a/x-1", owner="Deployment/x", at=["10.1.0.1"]), pod("a/x-2", owner="Deployment/x", at=["10.2.0.1"]))
    into = policy("a/p", ingress=[allow(block("10.1.0.0/16"))])

    ids = [item.id for item in prediction(*twins, into).matrix.identities]

    assert 2 == len(set(ids))
    assert ids == [item.id for item in prediction(*twins[::-1], into).matrix.identities]
    assert prediction(*twins).matrix.identities[0].id not in ids
