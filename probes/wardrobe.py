"""The labels that a probe pod wears: enough to be of its identity's class, and no more than is safe.

Pure.  An identity's labels are those that policies look at.  Often fewer do: where nothing would notice that one is
missing, and something real would react to it, the probe pod goes without.  Where a mesh is kept away by a label alone,
it is worn if policies and everything that could react answer as without it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from auditor.evaluate.model import Model
from auditor.identities import Relevance
from auditor.model.cluster import Snapshot
from auditor.model.labels import Labels
from auditor.model.matrix import Identity
from probes.mesh import labels_of
from probes.safety import worn_hazards


class Wardrobe:
    """Dresses the identities of one model."""

    def __init__(self, model: Model) -> None:
        """Look at nothing yet: most identities wear what they have."""
        self._model = model

    @cached_property
    def _relevance(self) -> Relevance:
        return Relevance(self._model)

    @cached_property
    def _around(self) -> Snapshot:
        # Of all pods only those matter here that keep away from others; there are few, and this is asked often.
        snapshot = self._model.snapshot
        return replace(snapshot, pods=tuple(pod for pod in snapshot.pods if pod.repelled_by))

    def dress(self, identity: Identity) -> tuple[Identity, str]:
        """The identity with the labels to wear, and why a mesh cannot be kept away; empty where it can."""
        identity = self._lighter(identity)
        for name, marks in labels_of(self._around, identity.namespace):
            worn = dict(identity.labels) | dict(marks)
            told = ", ".join(f"{key}={value}" for key, value in marks)
            if not self._alike(identity, worn):
                return identity, f"{name} is kept away only by the label {told}, and policies tell pods apart by it"
            fresh = self._hazards(identity, worn) - self._hazards(identity, dict(identity.labels))
            if fresh:
                return identity, f"{name} is kept away only by the label {told}, and with it {min(fresh)}"
            identity = replace(identity, labels=tuple(sorted(worn.items())))
        return identity, ""

    def _lighter(self, identity: Identity) -> Identity:
        """Without the labels that bring a hazard and that no policy would miss."""
        worn, found = dict(identity.labels), self._hazards(identity, dict(identity.labels))
        for key, _ in identity.labels if found else ():
            fewer = {name: value for name, value in worn.items() if name != key}
            left = self._hazards(identity, fewer)
            if left < found and self._alike(identity, fewer):
                worn, found = fewer, left
        return identity if len(worn) == len(identity.labels) else replace(identity, labels=tuple(sorted(worn.items())))

    def _hazards(self, identity: Identity, worn: Labels) -> frozenset[str]:
        return frozenset(item.reason for item in worn_hazards(self._around, identity.namespace, worn))

    def _alike(self, identity: Identity, worn: Labels) -> bool:
        """Whether no policy can tell a pod with these labels from the identity's own."""
        member = identity.pods[0]
        plain = self._relevance.key(replace(member, labels=dict(identity.labels)))
        return plain == self._relevance.key(replace(member, labels=worn))
