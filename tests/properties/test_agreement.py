"""The model against a second, independent reading of the APIs: every flow of a random cluster has the same verdict."""

from __future__ import annotations

from hypothesis import given

from tests.builders import Raw
from tests.properties.asking import difference, many, read_file
from tests.strategies import clusters


@many
@given(clusters())
def test_networkpolicies(objects: list[Raw]) -> None:
    """NetworkPolicy v1, with pods, nodes and the outside at either end."""
    assert not difference(objects)


@many
@given(clusters(gaps=True))
def test_namespaces_that_nobody_read(objects: list[Raw]) -> None:
    """A live cluster of which some namespaces were not listed: what their labels decide is UNKNOWN."""
    assert not difference(objects)


@many
@given(clusters(gaps=True, files=True))
def test_manifests(objects: list[Raw]) -> None:
    """Files: pods without address or node, and namespaces that nobody wrote down."""
    assert not difference(objects, read_file)


@many
@given(clusters(max_policies=2, ordered=True))
def test_ordered_policies(objects: list[Raw]) -> None:
    """Tiers before and behind NetworkPolicies, with priorities that are equal at times."""
    assert not difference(objects)


@many
@given(clusters(max_policies=2, ordered=True, gaps=True))
def test_ordered_policies_with_unread_namespaces(objects: list[Raw]) -> None:
    """What is unread may come before or behind what is certain."""
    assert not difference(objects)
