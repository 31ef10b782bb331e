"""The roles that are handed out: nothing twice, and nothing that changes a cluster where only reading is promised."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.cluster.tests.audit.rights import MODES, objects_of, rights_of

READS = {"get", "list"}


@pytest.mark.parametrize("mode", MODES)
def test_each_right_is_given_once(mode: str) -> None:
    """A right that two rules give cannot be taken away by who edits one of them."""
    given = Counter(right for item in objects_of(mode) for right in rights_of(item))

    assert [str(right) for right, times in given.items() if times > 1] == []
    assert given


def test_read_only_reads() -> None:
    """What `--dry-run` and `predict` need changes nothing, and reads no single object but the scales of one kind."""
    rights = [
        right for item in objects_of("clone") for right in rights_of(item) if "read-only" in item["metadata"]["name"]
    ]

    assert {right.verb for right in rights} <= READS
    assert {right.resource for right in rights if right.verb == "get"} == {"rollouts/scale"}
