"""Old ways to write a NetworkPolicy, which do nothing today, and the policy that says the same now.

Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from auditor.cluster.fields import Raw
from auditor.model.flow import Protocol

ISOLATION = "net.beta.kubernetes.io/network-policy"
"""The annotation by which a namespace was isolated before Kubernetes 1.7."""
LARGEST_SHOWN = 400
"""Values of a policy that is written out."""


def default_deny(namespace: str) -> str:
    """The policy that isolates all pods of a namespace for ingress, as the annotation did."""
    metadata = {"name": "default-deny-ingress", "namespace": namespace}
    return _shown({"metadata": metadata, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}})


def isolates(annotation: str) -> bool:
    """Whether the annotation's value once isolated its namespace."""
    try:
        found = json.loads(annotation)
    except (ValueError, RecursionError):
        return False
    ingress = found.get("ingress") if isinstance(found, dict) else None
    return isinstance(ingress, dict) and ingress.get("isolation") == "DefaultDeny"


def as_v1(raw: Raw) -> str:
    """The manifest of `networking.k8s.io/v1` that says what this older one means; nothing where it is too long."""
    metadata = raw.get("metadata")
    kept = (
        {key: metadata[key] for key in ("name", "namespace") if key in metadata} if isinstance(metadata, dict) else {}
    )
    return _shown({"metadata": kept, "spec": raw.get("spec")})


def _shown(parts: dict[str, Any]) -> str:
    try:
        whole = _Copy().of({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", **parts})
    except OverflowError:
        return ""
    text: str = yaml.safe_dump(whole, sort_keys=False, default_flow_style=False)
    return text.rstrip()


class _Copy:
    """A copy with protocols in capitals, in which nothing is shared, and which has an end."""

    def __init__(self) -> None:
        self._left = LARGEST_SHOWN

    def of(self, value: Any, key: str = "", depth: int = 0) -> Any:
        """Copy; raises OverflowError where the value is too large or too deep."""
        self._left -= 1
        if self._left < 0 or depth > LARGEST_SHOWN // 10:
            raise OverflowError
        if isinstance(value, Mapping):
            return {name: self.of(item, name, depth + 1) for name, item in value.items()}
        if isinstance(value, list):
            return [self.of(item, "", depth + 1) for item in value]
        if key == "protocol" and isinstance(value, str) and value.upper() in Protocol.__members__:
            return value.upper()
        return value
