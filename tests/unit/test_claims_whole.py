"""Claims of whole audits: an engine that ignores a rule or a policy never has it called proven."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from auditor.audit import run_audit
from auditor.cluster.decode import decode
from auditor.evaluate.model import Model
from auditor.model.cluster import Pod
from auditor.model.dialect import Dialect
from auditor.model.finding import Claim, Proof
from auditor.model.flow import Direction, PolicyRef, Traffic, Verdict
from auditor.model.rules import Match
from auditor.plan import own_namespaces
from auditor.verdict import Material
from tests import fakes
from tests.builders import Raw, allow, block, named, namespace, pod, pods, policy, port, raw, selector, tcp
from tests.fakes import Deniers, FakeBackend, FakeCluster
from tests.unit.auditing import WHOLE

PODS = (
    namespace("shop"),
    pod("shop/web", on="n1", ports=[port(8080)], app="web"),
    pod("shop/db", on="n2", ports=[port(5432)], app="db"),
    pod("shop/bad", on="n1", ports=[port(8080)], app="bad"),
)
TIED = (
    policy("shop/db", selector(app="db"), types=["Ingress"]),
    {
        **named("CiliumNetworkPolicy", "shop/db"),
        "apiVersion": "cilium.io/v2",
        "spec": {
            "endpointSelector": {"matchLabels": {"app": "db"}},
            "ingress": [
                {"fromEndpoints": [{"matchLabels": {"app": "web"}}], "toPorts": [{"ports": [{"port": "5432"}]}]}
            ],
        },
    },
)
"""Two kinds, one name: the first denies all, the rule is the second one's."""


def admin(*ingress: tuple[str, str]) -> Raw:
    """A ClusterNetworkPolicy over db: what it says to whom, in order."""
    rules = [{"name": app, "action": action, "from": [peer(app)]} for action, app in ingress]
    spec = {"tier": "Admin", "priority": 10, "subject": peer("db"), "ingress": rules}
    return {**named("ClusterNetworkPolicy", "admin"), "apiVersion": "policy.networking.k8s.io/v1alpha2", "spec": spec}


def peer(app: str) -> Raw:
    return {"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": app}}}}


def engine(objects: Sequence[Raw], dialect: Dialect) -> Deniers:
    model = Model(decode(raw(*objects)), own_namespaces(), dialect)

    def deniers(source: Pod, destination: Pod, traffic: Traffic) -> frozenset[Direction]:
        found = model.decide(source, destination, traffic.family, traffic.port, traffic.protocol)
        return frozenset(found.deniers) if found.verdict is Verdict.DENIED else frozenset()

    return deniers


def claims(objects: Sequence[Raw], enforced: Sequence[Raw]) -> dict[str, Claim]:
    """Claims on policies, by kind and name, and on rules, by name, where the engine reads other policies."""
    material: Material = asyncio.run(
        run_audit(
            FakeCluster([*PODS, *objects]),
            FakeBackend(engine([*PODS, *enforced], Dialect("any", block_holds_pods=Match.YES))),
            WHOLE,
            fakes.ignore,
        )
    )
    found = material.comparison
    policies = [(claim.subject, claim) for claim in found.policies]
    kinds = {f"{ref.kind} {ref}": claim for ref, claim in policies if isinstance(ref, PolicyRef)}
    return kinds | {str(claim.subject): claim for claim in found.rules}


BLOCKS = (
    policy("shop/in", selector(app="db"), ingress=[allow(pods(app="web"), ports=[tcp(5432)])]),
    policy("shop/block", selector(app="db"), ingress=[allow(block("192.0.2.0/24"), ports=[tcp(5432)])]),
)


@pytest.mark.parametrize(
    ("objects", "enforced", "ignored"),
    [
        pytest.param(TIED, TIED[1:], "NetworkPolicy shop/db", id="a kind of which another has the name"),
        pytest.param(TIED, TIED[:1], "CiliumNetworkPolicy shop/db", id="and the other way round"),
        pytest.param(
            [admin(("Accept", "web"), ("Deny", "bad"))],
            [admin(("Deny", "bad"))],
            "admin.ingress[0]",
            id="a rule that allows what nothing denies",
        ),
        pytest.param(BLOCKS, BLOCKS[1:], "shop/in.ingress[0]", id="a rule beside a block that may hold pods"),
        pytest.param(BLOCKS, BLOCKS[1:], "NetworkPolicy shop/in", id="and its policy"),
    ],
)
def test_what_the_engine_ignores_is_not_proven(objects: Sequence[Raw], enforced: Sequence[Raw], ignored: str) -> None:
    assert claims(objects, enforced)[ignored].proof is not Proof.PROVEN


def test_rule_over_a_denial_is_proven() -> None:
    """Without the Accept the NetworkPolicy below would deny web too."""
    objects = [admin(("Accept", "web")), policy("shop/db", selector(app="db"), types=["Ingress"])]

    assert claims(objects, objects)["admin.ingress[0]"].proof is Proof.PROVEN


def test_policies_of_one_name_are_told_apart_by_kind() -> None:
    reason = claims(TIED, TIED)["NetworkPolicy shop/db"].reason

    assert reason.endswith("isolated by other policies too: CiliumNetworkPolicy shop/db")
