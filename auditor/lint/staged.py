"""Policies that are written down and not in force."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.lint.case import Case, Hit, Lint
from auditor.model.lint import LintSeverity, ObjectRef

STAGED = "Staged"
DELETED = "Delete"


def staged(case: Case) -> Iterator[Hit]:
    """Calico's staged kinds, which are looked at and never enforced."""
    for item in case.snapshot.objects:
        if not item.kind.startswith(STAGED):
            continue
        spec = item.raw.get("spec")
        deletes = isinstance(spec, dict) and spec.get("stagedAction") == DELETED
        real = item.kind.removeprefix(STAGED)
        yield Hit(
            ObjectRef(item.kind, item.namespace, item.name),
            "kind",
            "stages the end of a policy, which is in force still"
            if deletes
            else "is staged: it has no effect on traffic",
            (f"kinds whose names begin with {STAGED} show what a policy would do and are never enforced",),
            f"delete the {real} that it names" if deletes else f"create it as {real} when it is meant to count",
            "staged",
        )


STAGED_POLICY = Lint("policy-staged", "a policy that is staged", LintSeverity.WARNING, staged)
