"""JSON objects read in part: only the fields that the decoder looks at become Python objects.

Pure.  What the API server adds to a pod (managed fields, volumes, environment, conditions) is most of its bytes.  An
object that does not fit the types here is read whole, so that the decoder can say what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import msgspec

MARKS = "ephemeral containers"
"""Pods of which only these matter."""
Json = bytes | bytearray | memoryview | msgspec.Raw

# Leaves are Any: whether a value is what it should be is for the decoder to say, of that one object.


class _Reference(TypedDict, total=False):
    apiVersion: Any
    kind: Any
    name: Any
    controller: Any


class _Metadata(TypedDict, total=False):
    name: Any
    namespace: Any
    uid: Any
    labels: Any
    deletionTimestamp: Any
    ownerReferences: list[_Reference] | None


class _Container(TypedDict, total=False):
    restartPolicy: Any
    ports: Any
    resources: Any


class _PodSpec(TypedDict, total=False):
    nodeName: Any
    hostNetwork: Any
    serviceAccountName: Any
    serviceAccount: Any
    containers: list[_Container] | None
    initContainers: list[_Container] | None
    affinity: Any
    topologySpreadConstraints: Any
    overhead: Any
    resources: Any


class _Ephemeral(TypedDict, total=False):
    name: Any


class _MarkedSpec(TypedDict, total=False):
    ephemeralContainers: list[_Ephemeral] | None


class _MarkedStatus(TypedDict, total=False):
    ephemeralContainerStatuses: Any


class _Marked(TypedDict, total=False):
    metadata: _Metadata | None
    spec: _MarkedSpec | None
    status: _MarkedStatus | None


class _PodStatus(TypedDict, total=False):
    phase: Any
    podIP: Any
    podIPs: Any


class _Pod(TypedDict, total=False):
    apiVersion: Any
    kind: Any
    metadata: _Metadata | None
    spec: _PodSpec | None
    status: _PodStatus | None


class _TemplateMetadata(TypedDict, total=False):
    labels: Any


class _Template(TypedDict, total=False):
    metadata: _TemplateMetadata | None
    spec: _PodSpec | None


class _WorkloadSpec(TypedDict, total=False):
    replicas: Any
    selector: Any
    template: _Template | None


class _Workload(TypedDict, total=False):
    apiVersion: Any
    kind: Any
    metadata: _Metadata | None
    spec: _WorkloadSpec | None


class _NodeStatus(TypedDict, total=False):
    conditions: Any
    addresses: Any
    allocatable: Any


class _Node(TypedDict, total=False):
    apiVersion: Any
    kind: Any
    metadata: _Metadata | None
    spec: Any
    status: _NodeStatus | None


class _Target(TypedDict, total=False):
    kind: Any


class _Endpoint(TypedDict, total=False):
    addresses: Any
    conditions: Any
    targetRef: _Target | None


class _SliceMetadata(TypedDict, total=False):
    name: Any
    namespace: Any
    uid: Any
    labels: Any


class _Slice(TypedDict, total=False):
    apiVersion: Any
    kind: Any
    metadata: _SliceMetadata | None
    addressType: Any
    endpoints: list[_Endpoint] | None
    ports: Any


_WORKLOAD = msgspec.json.Decoder(_Workload)
_PARTS: dict[str, msgspec.json.Decoder[Any]] = {
    "pods": msgspec.json.Decoder(_Pod),
    MARKS: msgspec.json.Decoder(_Marked),
    "nodes": msgspec.json.Decoder(_Node),
    "endpointslices": msgspec.json.Decoder(_Slice),
    "deployments": _WORKLOAD,
    "statefulsets": _WORKLOAD,
    "daemonsets": _WORKLOAD,
    "replicasets": _WORKLOAD,
    "replicationcontrollers": _WORKLOAD,
}


def read(data: Json, resource: str = "") -> Any:
    """What the decoder needs of an object of a resource; raises what `msgspec.json.decode` raises."""
    decoder = _PARTS.get(resource)
    if decoder is not None:
        try:
            return decoder.decode(data)
        except msgspec.ValidationError:
            pass
    return without_managed_fields(msgspec.json.decode(data))


def without_managed_fields(item: Any) -> Any:
    """The object, from which the record of who changed what is taken out in place: it is larger than all the rest."""
    metadata = item.get("metadata") if isinstance(item, Mapping) else None
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
    return item
