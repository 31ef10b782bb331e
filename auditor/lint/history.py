"""What once meant something, or never reached the cluster: old annotations, and fields that were dropped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from auditor.cluster.history import ISOLATION, isolates
from auditor.lint.case import Case, Hit, Lint
from auditor.lint.hints import CLOSE
from auditor.model.lint import LintSeverity, ObjectRef

SPEC: Final[Mapping[str, Any]] = {
    "podSelector": (
        _SELECTOR := {"matchLabels": None, "matchExpressions": {"key": None, "operator": None, "values": None}}
    ),
    "policyTypes": None,
    "ingress": {
        "from": (
            _PEER := {
                "podSelector": _SELECTOR,
                "namespaceSelector": _SELECTOR,
                "ipBlock": {"cidr": None, "except": None},
            }
        ),
        "ports": (_PORT := {"protocol": None, "port": None, "endPort": None}),
    },
    "egress": {"to": _PEER, "ports": _PORT},
}
"""The fields of `NetworkPolicySpec`; None where anything may follow, and a list is like its items."""


def old_annotation(case: Case) -> Iterator[Hit]:
    """The isolation of a namespace by annotation, which no cluster looks at any more."""
    for item in case.snapshot.namespaces:
        said = item.annotations.get(ISOLATION)
        if said is None:
            continue
        closed = isolates(said)
        why = "the annotation belongs to extensions/v1beta1 and had no successor when that became networking.k8s.io/v1"
        same = (
            "remove the annotation and apply {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: "
            f"{{name: default-deny-ingress, namespace: {item.name}}}, "
            "spec: {podSelector: {}, policyTypes: [Ingress]}}"
        )
        yield Hit(
            ObjectRef("Namespace", "", item.name),
            f"metadata.annotations[{ISOLATION}]",
            f"{'asks for isolation' if closed else 'speaks of isolation'} in a way that has no effect today",
            (why, *_closed_already(case, item.name)),
            same if closed else "remove the annotation",
            ISOLATION,
        )


def _closed_already(case: Case, namespace: str) -> tuple[str, ...]:
    views = [
        str(view.ref)
        for view in case.by_namespace.get(namespace, ())
        if view.policy and not view.policy.pod_selector.requirements and not view.policy.ingress
    ]
    return (f"{views[0]} isolates all pods of the namespace today",) if views else ()


def dropped_fields(case: Case) -> Iterator[Hit]:
    """Fields of the manifest that was applied which the API does not know, and so did not keep."""
    for view in case.network_policies:
        for path, key, known in _unknown(view.policy.applied if view.policy else ""):
            close = get_close_matches(key, known, 1, CLOSE)
            yield Hit(
                view.object,
                path,
                f"was applied with the field {key}, which the API does not know and did not keep",
                (f"{path} stands in the manifest that kubectl apply noted, and no such field exists",),
                f"write {close[0]} for {key}, and apply again with --validate=strict"
                if close
                else "correct the manifest, and apply again with --validate=strict",
                path,
            )


def _unknown(applied: str) -> Iterator[tuple[str, str, list[str]]]:
    if not applied:
        return
    try:
        found = json.loads(applied)
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict):
        yield from _compare(found.get("spec"), SPEC, "spec")


def _compare(value: object, known: Mapping[str, Any] | None, path: str) -> Iterator[tuple[str, str, list[str]]]:
    """Every field that is not known, with its path and those that are."""
    if known is None:
        return
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield from _compare(item, known, f"{path}[{position}]")
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key in known:
                yield from _compare(inner, known[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}", key, sorted(known)


OLD_ANNOTATION = Lint(
    "isolation-by-annotation", "isolation in a way that has no effect", LintSeverity.WARNING, old_annotation
)
DROPPED_FIELD = Lint("field-dropped", "a field that the API did not keep", LintSeverity.ERROR, dropped_fields)
