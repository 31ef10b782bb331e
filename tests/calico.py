"""Manifests of Calico's own kinds for tests, and snapshots that hold them beside other objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditor.cluster.decode import decode
from auditor.evaluate.model import Model
from auditor.model.cluster import PolicyObject, Snapshot
from auditor.model.dialect import API
from auditor.model.rules import Section, Translation
from auditor.policy import POLICY_APIS
from tests.builders import Raw, named, namespace, raw

V1, V3 = "crd.projectcalico.org/v1", "projectcalico.org/v3"
PLURALS = {
    "NetworkPolicy": "networkpolicies",
    "GlobalNetworkPolicy": "globalnetworkpolicies",
    "Tier": "tiers",
    "NetworkSet": "networksets",
    "GlobalNetworkSet": "globalnetworksets",
    "StagedNetworkPolicy": "stagednetworkpolicies",
    "StagedGlobalNetworkPolicy": "stagedglobalnetworkpolicies",
    "StagedKubernetesNetworkPolicy": "stagedkubernetesnetworkpolicies",
}


def made(kind: str, where: str, spec: Any, *, version: str = V3, **metadata: Any) -> Raw:
    """An object of a Calico kind."""
    return {"apiVersion": version, **named(kind, where, **metadata), "spec": spec}


def policy(where: str, *, version: str = V3, **spec: Any) -> Raw:
    """A policy: of a namespace where `where` has one, else of the whole cluster."""
    return made("NetworkPolicy" if "/" in where else "GlobalNetworkPolicy", where, spec, version=version)


def tier(name: str, **spec: Any) -> Raw:
    return made("Tier", name, spec)


def network_set(where: str, *nets: str, **labels: str) -> Raw:
    kind = "NetworkSet" if "/" in where else "GlobalNetworkSet"
    return made(kind, where, {"nets": list(nets)}, labels=labels)


def rule(action: str = "Allow", *, source: Any = None, destination: Any = None, **more: Any) -> Raw:
    """A rule; what is None is absent."""
    said = {"action": action, "source": source, "destination": destination, **more}
    return {key: value for key, value in said.items() if value is not None}


def is_calico(item: Raw) -> bool:
    return str(item.get("apiVersion", "")).partition("/")[0].endswith("projectcalico.org")


def snapshot(*objects: Raw, unreadable: Mapping[str, str] | None = None) -> Snapshot:
    """The Snapshot of these objects, Calico's among them."""
    own = [item for item in objects if is_calico(item)]
    others = [item for item in objects if not is_calico(item)]
    known = {item["metadata"]["name"] for item in others if item["kind"] == "Namespace"}
    homes = {item["metadata"].get("namespace") for item in own} - known - {None}
    accounts = [item for item in others if item["kind"] == "ServiceAccount"]
    others = [item for item in others if item["kind"] != "ServiceAccount"]
    read = raw(*others, *map(namespace, sorted(homes)), unreadable=unreadable)
    read.objects["serviceaccounts"] = accounts  # type: ignore[index]
    for item in own:
        read.objects.setdefault(f"{PLURALS[item['kind']]}.crd.projectcalico.org", []).append(item)  # type: ignore[attr-defined]
    return decode(read)


def model(*objects: Raw) -> Model:
    return Model(snapshot(*objects))


def translated(item: Raw, *others: Raw) -> Translation:
    """What one object becomes beside others."""
    read = snapshot(item, *others)
    wanted = item["metadata"].get("namespace", ""), item["metadata"]["name"]
    (found,) = (one for one in read.objects if (one.namespace, one.name) == wanted and _kind(one) == item["kind"])
    return POLICY_APIS[found.resource](read, API)(found)


def _kind(item: PolicyObject) -> str:
    return item.kind.removesuffix(" (Calico)")


def only_section(item: Raw, *others: Raw) -> Section:
    (section,) = translated(item, *others).sections
    return section
