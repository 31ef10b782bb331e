"""An object read in part decodes to what the whole one decodes to, whatever is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.cluster import projection
from auditor.cluster.decode import decode
from auditor.model.cluster import Snapshot
from auditor.ports import RawSnapshot
from tests.builders import Raw, named, node, pod, port, workload
from tests.strategies.mutations import mutated
from tests.unit.explaining import endpoint, service, slice_of

TERM = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "zone"}
POD: Raw = pod(
    "shop/web",
    at=["10.0.0.1", "fd00::1"],
    ports=[port(80, "http"), port(53, "dns", "UDP")],
    hashed="5d8f",
    owner="ReplicaSet/web-5d8f",
    spec={
        "hostNetwork": False,
        "serviceAccountName": "web",
        "initContainers": [{"name": "i", "restartPolicy": "Always", "ports": [port(1, "one")], "env": [{"name": "A"}]}],
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [TERM]}},
        "topologySpreadConstraints": [{**TERM, "whenUnsatisfiable": "DoNotSchedule"}],
        "volumes": [{"name": "v", "emptyDir": {}}],
    },
    app="web",
)
NODE: Raw = node("n1", team="a")
NODE["spec"] = {"providerID": "kind://n1"}
NODE["status"] |= {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}], "images": [{"names": ["x"]}]}
WHOLE: dict[str, Raw] = {
    "pods": POD,
    "nodes": NODE,
    "deployments": workload("Deployment", "shop/web", app="web"),
    "replicationcontrollers": workload("ReplicationController", "shop/old", app="old"),
    "endpointslices": slice_of("shop/web", endpoint("10.0.0.1", pod="web", ready=True), "10.0.0.2"),
    "networkpolicies": {**named("NetworkPolicy", "shop/p"), "spec": {"ingress": [{}]}},
}


def decoded(resource: str, item: Any) -> Snapshot:
    """Decode it alone; the reason in a warning may name another field where several are wrong."""
    found = decode(RawSnapshot({resource: [item], "services": [service("shop/web")]}))
    return replace(found, warnings=tuple(text.partition(": ")[0] for text in found.warnings), blind_spots=())


@given(st.sampled_from(sorted(WHOLE)).flatmap(lambda name: st.tuples(st.just(name), mutated(WHOLE[name]))))
def test_part_decodes_as_the_whole(chosen: tuple[str, Any]) -> None:
    """Deleted, nulled and swapped fields anywhere make no difference between the two."""
    resource, item = chosen
    data = msgspec.json.encode(item)

    assert decoded(resource, projection.read(data, resource)) == decoded(resource, msgspec.json.decode(data))


@pytest.mark.parametrize("resource", sorted(WHOLE))
def test_what_is_not_decoded_is_not_kept(resource: str) -> None:
    """Managed fields of all objects, and of a pod what fills it."""
    item = {**WHOLE[resource], "metadata": {**WHOLE[resource]["metadata"], "managedFields": [{"manager": "kubectl"}]}}
    text = str(projection.read(msgspec.json.encode(item), resource))

    assert "managedFields" not in text
    assert "volumes" not in text
    assert "'env'" not in text
    assert "images" not in text


def test_text_that_is_no_json_is_an_error() -> None:
    with pytest.raises(msgspec.DecodeError):
        projection.read(b'{"metadata": ', "pods")
