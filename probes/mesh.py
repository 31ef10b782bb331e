"""The marks by which a probe pod stays out of a service mesh, only where one is seen.

Pure.  Annotations change no selector's answer; where a mesh reads only a label, `probes.wardrobe` finds out whether a
probe pod may wear it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from auditor.model.cluster import Namespace, Snapshot
from auditor.model.labels import Labels

Marks = tuple[tuple[str, str], ...]
Seen = Callable[[Namespace, Collection[Labels]], bool]
"""Whether a mesh takes pods of a namespace, told from it and from the labels of its pods."""


@dataclass(frozen=True, slots=True)
class _Mesh:
    name: str
    seen: Seen
    annotations: Marks = ()
    labels: Marks = ()


def _home(key: str, *values: str) -> Seen:
    """A label or annotation of the namespace; no value stands for any."""
    return lambda home, _: any(
        key in marks and (not values or marks[key] in values) for marks in (home.labels, home.annotations)
    )


def _worn(key: str) -> Seen:
    return lambda _, pods: any(key in labels for labels in pods)


def _any(*ways: Seen) -> Seen:
    return lambda home, pods: any(way(home, pods) for way in ways)


_OUT_OF_ISTIO = (("sidecar.istio.io/inject", "false"),)
MESHES = (
    # The webhook reads the annotation where the label of the same name is missing (`pkg/kube/inject/inject.go`).
    _Mesh(
        "Istio",
        _any(_home("istio-injection", "enabled"), _home("istio.io/rev"), _worn("security.istio.io/tlsMode")),
        _OUT_OF_ISTIO,
    ),
    _Mesh(
        "Istio's ambient mode", _home("istio.io/dataplane-mode", "ambient"), (), (("istio.io/dataplane-mode", "none"),)
    ),
    _Mesh(
        "Linkerd",
        _any(_home("linkerd.io/inject", "enabled", "ingress"), _worn("linkerd.io/control-plane-ns")),
        (("linkerd.io/inject", "disabled"),),
    ),
    _Mesh(
        "Consul",
        _worn("consul.hashicorp.com/connect-inject-status"),
        (("consul.hashicorp.com/connect-inject", "false"),),
    ),
    _Mesh(
        "Kuma",
        _home("kuma.io/sidecar-injection", "enabled", "true"),
        (("kuma.io/sidecar-injection", "disabled"),),
        (("kuma.io/sidecar-injection", "disabled"),),
    ),
)


def _meshes(snapshot: Snapshot, namespace: str) -> Iterable[_Mesh]:
    home = snapshot.namespace(namespace)
    if home is None:
        return ()
    worn = [pod.labels for pod in snapshot.pods if pod.namespace == namespace]
    return (mesh for mesh in MESHES if mesh.seen(home, worn))


def opt_out(snapshot: Snapshot, namespace: str) -> Marks:
    """The annotations that keep meshes off a probe pod in this namespace, sorted; none where no mesh is seen."""
    return tuple(sorted({mark for mesh in _meshes(snapshot, namespace) for mark in mesh.annotations}))


def labels_of(snapshot: Snapshot, namespace: str) -> Iterable[tuple[str, Marks]]:
    """The meshes that are kept away from a namespace's pods by a label alone, each with its labels."""
    return ((mesh.name, mesh.labels) for mesh in _meshes(snapshot, namespace) if mesh.labels)
