"""Old policies and annotations do nothing today; what says the same now is written out and means the same."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.cluster import history
from auditor.model.flow import Direction, Protocol
from auditor.model.problem import Effect
from tests.unit.cluster.reading import Found, marked, policy, reading

OLD = """
apiVersion: extensions/v1beta1 # <-
kind: NetworkPolicy
metadata: {name: old, namespace: shop, labels: {a: b}}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: &peers
    - podSelector: {matchLabels: {app: web}}
    ports: [{port: 5432, protocol: tcp}]
  - from: *peers
"""
ISOLATED = """
apiVersion: v1
kind: Namespace
metadata:
  name: shop
  annotations:
    net.beta.kubernetes.io/network-policy: VALUE # <-
"""


def followed(found: Found) -> Found:
    """What comes of following the advice of the only problem."""
    (problem,) = [one for one in found.of() if one.line]
    return reading(problem.attempt)


def test_old_policy() -> None:
    """Of the API group that is gone: no effect on any verdict, with its line, and the policy of today."""
    found = reading(OLD)
    (problem,) = found.of()

    assert (problem.effect, [problem.line]) == (Effect.INERT, marked(OLD))
    assert problem.what == "this policy has no effect today"
    assert "1.16" in problem.why
    assert found.policies == []
    (today,) = followed(found).snapshot.policies
    assert (today.namespace, today.name, len(today.ingress)) == ("shop", "old", 2)
    assert today.ingress[0].ports[0].protocol is Protocol.TCP
    assert today.ingress[0].peers == today.ingress[1].peers


def test_old_policy_of_a_server_that_served_it() -> None:
    """An export of an old cluster: there it had its effect."""
    assert reading(OLD.replace("name: old", "name: old, uid: u").replace("tcp", "TCP")).policies == ["shop/old"]


@pytest.mark.parametrize("word", ["tcp", "Udp", "sctp"])
def test_protocol_in_small_letters(word: str) -> None:
    """The server refuses it, and the same in capitals is what was meant."""
    text = policy(f"ingress:\n- ports:\n  - port: 53\n    protocol: {word} # <-")
    found = reading(text)
    (problem,) = found.of()

    assert (problem.effect, [problem.line]) == (Effect.REFUSED, marked(text))
    assert "no effect" in problem.what
    (today,) = followed(found).snapshot.policies
    assert today.ingress[0].ports[0].protocol is Protocol[word.upper()]


def test_isolated_namespace() -> None:
    """The annotation of before Kubernetes 1.7 isolates nothing; a policy for ingress does."""
    text = ISOLATED.replace("VALUE", """'{"ingress": {"isolation": "DefaultDeny"}}'""")
    found = reading(text)
    (problem,) = found.of()

    assert (problem.effect, [problem.line]) == (Effect.INERT, marked(text))
    assert problem.what == "this annotation has no effect today"
    assert [item.name for item in found.snapshot.namespaces] == ["shop"]
    (today,) = followed(found).snapshot.policies
    assert (today.namespace, set(today.isolates), today.ingress) == ("shop", {Direction.INGRESS}, ())
    assert today.pod_selector.requirements == ()


@pytest.mark.parametrize("value", ["'{}'", "'{'", "'[]'", "''", """'{"ingress": {"isolation": "x"}}'""", "'[[[['"])
def test_annotation_that_never_isolated(value: str) -> None:
    """It is told all the same, and no policy is proposed."""
    (problem,) = reading(ISOLATED.replace("VALUE", value)).of()

    assert problem.attempt == "take the annotation away"


def nested(depth: int) -> Any:
    found: Any = {}
    for _ in range(depth):
        found = {"a": found}
    return found


@pytest.mark.parametrize("spec", [nested(100), [[{}] * 1_000], {str(number): number for number in range(1_000)}])
def test_what_is_too_large_to_be_shown_is_not(spec: Any) -> None:
    """A policy of today is proposed for what a person may have written."""
    assert history.as_v1({"metadata": {"name": "x"}, "spec": spec}) == ""
    assert history.as_v1({"metadata": {"name": "x"}, "spec": nested(5)}) != ""
