"""Whatever a manifest holds, it is read or it is a warning; it never ends a run."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auditor.cluster.decode import decode
from auditor.model.options import Options
from auditor.plan import make_plan
from auditor.ports import RawSnapshot
from auditor.predict import predict
from tests.builders import RESOURCES, Raw, autoscaler, raw, service, workload
from tests.strategies import clusters, junk, mutated

OTHERS = (
    service("one/svc", app="a"),
    workload("Deployment", "one/web", app="a"),
    workload("ReplicationController", "two/old", app="a"),
    autoscaler("one/grow", "Deployment/web"),
    {"kind": "CiliumNetworkPolicy", "metadata": {"namespace": "three", "name": "cnp"}, "spec": {}},
)


def survives(snapshot: RawSnapshot) -> None:
    """Decode, predict and plan; each of them has to bear what the one before let through."""
    decoded = decode(snapshot)
    matrix = predict(decoded, lambda pod: True)
    make_plan(decoded, matrix, Options())


@given(clusters(), st.data())
def test_one_mutated_object_never_ends_a_run(objects: list[Raw], data: st.DataObject) -> None:
    """Deleted, nulled and swapped fields anywhere in one object leave at most one warning for it."""
    everything = [*objects, *OTHERS]
    chosen = data.draw(st.integers(0, len(everything) - 1))
    kind = everything[chosen]["kind"]
    whole = raw(*everything)
    changed = data.draw(mutated({key: value for key, value in everything[chosen].items() if key != "kind"}))
    lists = {name: list(items) for name, items in whole.objects.items()}
    lists[RESOURCES[kind]] = [changed if item is everything[chosen] else item for item in lists[RESOURCES[kind]]]

    survives(RawSnapshot(lists))
    assert len(decode(RawSnapshot(lists)).warnings) <= 1


@given(st.dictionaries(st.sampled_from(sorted(RESOURCES.values())), st.lists(junk, max_size=3)))
def test_lists_of_anything_never_end_a_run(lists: dict[str, list[Any]]) -> None:
    """Items that are no objects at all are warnings too."""
    survives(RawSnapshot(lists))
