"""Identities, and the verdicts between them: one byte for each cell."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.model.cluster import ContainerPort, Owner, Pod
from auditor.model.flow import Direction, Family, Verdict

NOT_ASKED = 255
TITLE_OWNERS = 3
CODES: tuple[Verdict, ...] = (Verdict.ALLOWED, Verdict.DENIED, Verdict.UNDEFINED, Verdict.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Identity:
    """One equivalence class of pods: no policy in use can tell its members apart."""

    id: str
    """Hash of namespace, labels and named ports: the same in every run."""
    namespace: str
    labels: tuple[tuple[str, str], ...]
    """The policy-relevant labels, projected from a member and sorted."""
    named_ports: tuple[ContainerPort, ...]
    """Container ports whose names some policy uses."""
    pods: tuple[Pod, ...]
    """Members, sorted by name; never empty."""
    listens: tuple[int, ...]
    """TCP ports worth testing: declared, named by policies, and one that nobody names."""
    isolated: frozenset[Direction]

    @property
    def owners(self) -> tuple[Owner, ...]:
        """Workloads of the members, sorted, each once; a bare pod is its own owner."""
        return tuple(sorted({pod.owner or Owner("Pod", pod.name) for pod in self.pods}))

    @property
    def nodes(self) -> tuple[str, ...]:
        """Nodes that run a member, sorted."""
        return tuple(sorted({pod.node for pod in self.pods if pod.node}))

    @property
    def title(self) -> str:
        """What a person calls it: its namespace and workloads."""
        names = ", ".join(owner.name for owner in self.owners[:TITLE_OWNERS])
        more = f" and {len(self.owners) - TITLE_OWNERS} more" if len(self.owners) > TITLE_OWNERS else ""
        return f"{self.namespace}/{names}{more}"


@dataclass(frozen=True, slots=True)
class ReachabilityMatrix:
    """Predicted verdicts between identities for each destination's ports, TCP.

    `cells[((family * len(ports) + port) * n + source) * n + destination]` is an index into `CODES`, or NOT_ASKED where
    the port is not among the destination's or the family is missing at one end.
    """

    identities: tuple[Identity, ...]
    families: tuple[Family, ...]
    ports: tuple[int, ...]
    cells: bytes

    def cell(self, source: int, destination: int, family: Family, port: int) -> Verdict | None:
        """The verdict by positions in `identities`; None where it was not asked."""
        n = len(self.identities)
        plane = self.families.index(family) * len(self.ports) + self.ports.index(port)
        code = self.cells[(plane * n + source) * n + destination]
        return None if code == NOT_ASKED else CODES[code]
