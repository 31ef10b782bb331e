"""What every engine's file holds: its marks in a snapshot, its answers to what the API leaves open, its gaps.

Pure.  That agents run shows which engine it is, and never that it enforces anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from auditor.cluster.resources import FOREIGN_POLICIES
from auditor.model.cluster import Pod, Snapshot
from auditor.model.dialect import API, Dialect
from auditor.model.finding import Confidence
from auditor.model.labels import Labels
from auditor.model.lint import ObjectRef
from auditor.model.rules import Match

SYSTEM = frozenset({"kube-system"})


def kinds_of(group: str, *versions: str) -> frozenset[str]:
    """The policy resources of an API group, or of some of its versions."""
    return frozenset(
        name
        for name, kind in FOREIGN_POLICIES.items()
        if kind.group == group and (not versions or set(versions) & set(kind.versions))
    )


NETWORK_POLICY_API = kinds_of("policy.networking.k8s.io")
"""AdminNetworkPolicy, its baseline, and ClusterNetworkPolicy."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What tells an engine from others; nothing here is an image, which a snapshot does not hold."""

    daemon_sets: frozenset[str]
    places: frozenset[str] = SYSTEM
    """Namespaces in which its agents run: elsewhere anybody may take such a name."""
    settings: frozenset[str] = frozenset()
    """ConfigMaps, by `namespace/name`."""
    node_labels: Labels = field(default_factory=dict)
    groups: frozenset[str] = frozenset()
    """API groups of its own policy kinds."""
    version: str = ""
    """What a server's version says where the engine is built in."""


@dataclass(frozen=True, slots=True)
class Feature:
    """Whether an engine does what a field says; `why` is empty where it does."""

    works: Match = Match.YES
    """UNKNOWN where versions or settings differ that a snapshot does not hold."""
    why: str = ""


WORKS = Feature()


@dataclass(frozen=True, slots=True)
class Features:
    """What an engine makes of NetworkPolicy v1, and which other kinds it reads."""

    policies: Feature = WORKS
    """NetworkPolicy at all."""
    end_port: Feature = WORKS
    sctp: Feature = WORKS
    named_ports: Feature = WORKS
    ipv6: Feature = WORKS
    """Blocks of IPv6 addresses."""
    layers: frozenset[str] = frozenset()
    """Resources of the other policy kinds that it enforces."""
    perhaps: frozenset[str] = frozenset()
    """Those that some versions or settings enforce."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that an engine does otherwise than the API, a setting or an object says, known before any probe."""

    topic: str
    """A stable name, such as `end-port`."""
    text: str
    """A sentence that names neither object nor path."""
    object: ObjectRef
    path: str = ""
    sure: bool = True
    """False where it depends on a version or a setting that was not read."""


@dataclass(frozen=True, slots=True)
class Identification:
    """An engine that was found, and what shows it."""

    engine: str
    """A key of `ENGINES`; empty where none was found."""
    title: str
    confidence: Confidence
    """How sure it is that this engine is there."""
    evidence: tuple[str, ...]
    dialect: Dialect = API
    others: tuple[str, ...] = ()
    """Titles of engines that were found beside it."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ways:
    """How an engine behaves under the settings of a cluster."""

    features: Features = field(default_factory=Features)
    dialect: Dialect = API


def _nothing(_: Snapshot) -> tuple[Remark, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine."""

    name: str
    title: str
    marks: Marks
    ways: Ways | Callable[[Snapshot], Ways] = field(default_factory=Ways)
    """The same everywhere, or by settings."""
    remarks: Callable[[Snapshot], tuple[Remark, ...]] = _nothing
    """What its settings say, and what it makes of single policies, beyond its features."""

    def ways_in(self, snapshot: Snapshot) -> Ways:
        """How it behaves in a cluster."""
        return self.ways if isinstance(self.ways, Ways) else self.ways(snapshot)

    def identify(self, snapshot: Snapshot) -> Identification | None:
        """Find the engine in a snapshot, with the strongest evidence first."""
        found = list(self._evidence(snapshot))
        if not found:
            return None
        best = max((confidence for confidence, _ in found), key=_rank)
        evidence = tuple(text for _, text in found)
        return Identification(self.name, self.title, best, evidence, self.ways_in(snapshot).dialect)

    def _evidence(self, snapshot: Snapshot) -> Iterator[tuple[Confidence, str]]:
        marks = self.marks
        yield from ((Confidence.CONFIRMED, text) for text in _agents(marks, snapshot))
        yield from (
            (Confidence.LIKELY, f"ConfigMap {name}") for name in sorted(marks.settings & set(snapshot.settings))
        )
        for key, value in sorted(marks.node_labels.items()):
            wearers = sum(node.labels.get(key) == value for node in snapshot.nodes)
            if wearers:
                yield Confidence.LIKELY, f"label {key}={value} on {wearers} of {len(snapshot.nodes)} nodes"
        if marks.version and marks.version in snapshot.server_version:
            yield Confidence.SUSPECTED, f"server version {snapshot.server_version}, which has it built in"
        yield from ((Confidence.SUSPECTED, text) for text in _objects(marks, snapshot))


def _rank(confidence: Confidence) -> int:
    return -list(Confidence).index(confidence)


def _agents(marks: Marks, snapshot: Snapshot) -> Iterator[str]:
    found: dict[tuple[str, str], set[str]] = {}
    for pod in snapshot.pods:
        if _is_agent(marks, pod) and pod.owner is not None:
            found.setdefault((pod.namespace, pod.owner.name), set()).add(pod.node)
    for (namespace, name), nodes in sorted(found.items()):
        yield f"DaemonSet {namespace}/{name} has pods on {len(nodes)} of {len(snapshot.nodes)} nodes"


def _is_agent(marks: Marks, pod: Pod) -> bool:
    owned = pod.owner is not None and pod.owner.kind == "DaemonSet" and pod.owner.name in marks.daemon_sets
    return owned and pod.namespace in marks.places and not pod.finished


def _objects(marks: Marks, snapshot: Snapshot) -> Iterator[str]:
    kinds = Counter(item.kind for item in snapshot.objects if _group(item.resource) in marks.groups)
    yield from (f"{number} objects of kind {kind}" for kind, number in sorted(kinds.items()))


def _group(resource: str) -> str:
    kind = FOREIGN_POLICIES.get(resource)
    return kind.group if kind is not None else resource.partition(".")[2]
