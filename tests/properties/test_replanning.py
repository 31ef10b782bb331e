"""Admission refuses some probe pods: what is chosen anew, against what the whole matrix shows without them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from auditor.audit import run_audit
from auditor.model.finding import Proof
from auditor.model.flow import Verdict
from auditor.model.options import Coverage, Options
from auditor.model.probe import StandIn
from auditor.verdict import Material
from probes.admitted import look_of
from tests import fakes
from tests.builders import Raw, allow, namespaces, pod, policy, port, selector, tcp
from tests.fakes import FakeBackend, FakeCluster, by_model
from tests.strategies import clusters

WHY = "no bare pods here"
MOST = 4
"""How often admission is asked."""


def refusing(salt: int) -> Callable[[StandIn], str]:
    """About two of three looks are refused, and each one always or never."""

    def refuse(item: StandIn) -> str:
        lot = hashlib.blake2b(f"{salt}:{look_of(item)}".encode(), digest_size=1).digest()[0]
        return WHY if item.identity and lot % 3 else ""

    return refuse


def audited(
    objects: list[Raw], coverage: Coverage, salt: int, named: tuple[str, ...] = ()
) -> tuple[Material, FakeBackend]:
    backend = FakeBackend(by_model(objects), refuses=refusing(salt), dual_stack=True)
    options = Options(settle=1, coverage=coverage, sample=0, namespaces=named)
    return asyncio.run(run_audit(FakeCluster(objects), backend, options, fakes.ignore)), backend


def cut_short(backend: FakeBackend, refuse: Callable[[StandIn], str]) -> bool:
    """Whether admission was asked as often as it may be, and still refused somebody."""
    last = backend.rehearsed[-1].stand_ins if backend.rehearsed else ()
    return len(backend.rehearsed) == MOST and any(refuse(item) for item in last)


def proven(material: Material) -> set[tuple[object, ...]]:
    found = material.comparison
    return {
        (item.subject, item.direction)
        for item in (*found.policies, *found.nodes, *found.rules)
        if item.proof is Proof.PROVEN
    }


@given(clusters(max_pods=10, max_policies=4), st.integers(0, 1000))
def test_whatever_can_be_proven_without_those_who_are_refused_is(objects: list[Raw], salt: int) -> None:
    """It ends, nobody who is refused is made, each of them is named, and no claim is lost that others can prove."""
    refuse = refusing(salt)
    whole, _ = audited(objects, Coverage.FULL, salt)
    chosen, backend = audited(objects, Coverage.RULES, salt)

    assert len(backend.rehearsed) <= MOST
    assert not any(refuse(item) for item in chosen.plan.stand_ins)
    titles = {item.id: item.title for item in chosen.matrix.identities}
    asked = {titles[item.identity] for plan in backend.rehearsed for item in plan.stand_ins if refuse(item)}
    assert asked == {skip.what for skip in chosen.plan.skipped if skip.reason == WHY and not skip.unjudged}
    if not cut_short(backend, refuse):
        assert proven(whole) <= proven(chosen)


@st.composite
def crowds(draw: st.DrawFn) -> list[Raw]:
    """A database under one rule with some ports, and clients any of which could prove each of them."""
    homes = [f"t{number}" for number in range(draw(st.integers(1, 12)))]
    ports = draw(st.sets(st.sampled_from((5432, 5433, 6000, 7000)), min_size=1))
    rule = allow({**namespaces(), "podSelector": selector(app="client")}, ports=[tcp(item) for item in sorted(ports)])
    clients = [pod(f"{home}/p", on=draw(st.sampled_from(("n1", "n2"))), app="client") for home in homes]
    return [
        *clients,
        pod("shop/db", on="n2", ports=[port(5432)], app="db"),
        policy("shop/in", selector(app="db"), ingress=[rule]),
    ]


@given(crowds(), st.integers(0, 1000))
def test_each_port_of_a_rule_is_tried_by_whoever_may_stand(objects: list[Raw], salt: int) -> None:
    """As many of them as without any refusal, unless choosing anew came to its end."""
    every = set(tried(audited(objects, Coverage.FULL, salt, ("shop",))[0]))
    chosen, backend = audited(objects, Coverage.RULES, salt, ("shop",))
    if not cut_short(backend, refusing(salt)):
        assert set(tried(chosen)) == every


def tried(material: Material) -> Iterator[int]:
    """Ports at which something got through that the rule alone allows."""
    for item in material.comparison.judgements:
        if item.flow.predicted.verdict is Verdict.ALLOWED and item.flow.predicted.ingress.allowing:
            yield item.flow.port
