"""Manifests as text, and what came of reading them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import dedent

from auditor.cluster.saved import read_files
from auditor.model.cluster import Snapshot
from auditor.model.problem import Effect, Problem

MARK = "# <-"
"""Stands in test manifests on the line that a problem should name."""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: good, namespace: shop, labels: {app: good}}
spec: {containers: [{name: c, image: c}]}
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A snapshot and the problems of its text."""

    snapshot: Snapshot
    problems: Sequence[Problem]

    def of(self, *effects: Effect) -> list[Problem]:
        """The problems with these effects; all but NOTED where none is given."""
        return [one for one in self.problems if one.effect in (effects or set(Effect) - {Effect.NOTED})]

    @property
    def pods(self) -> list[str]:
        """The names of all pods."""
        return [f"{pod.namespace}/{pod.name}" for pod in self.snapshot.pods]

    @property
    def policies(self) -> list[str]:
        """The names of all policies."""
        return [str(policy.ref) for policy in self.snapshot.policies]


def reading(text: str | bytes) -> Found:
    """Read it from standard input, indentation of the test's own taken away."""
    data = text if isinstance(text, bytes) else dedent(text).encode()
    return Found(*read_files(["-"], lambda: data))


def marked(text: str) -> list[int]:
    """The lines that are marked, counted from 1."""
    return [number for number, line in enumerate(dedent(text).splitlines(), 1) if MARK in line]


def policy(body: str, where: str = "shop/p") -> str:
    """A NetworkPolicy with what stands below `spec`, and a good pod beside it."""
    namespace, _, name = where.partition("/")
    head = (
        f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
    )
    return f"{head}spec:\n{_indented(dedent(body).strip())}\n---{POD}"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
