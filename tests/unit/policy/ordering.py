"""Objects of the Network Policy API, so that a test shows only what matters, and their translation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auditor.cluster.resources import FOREIGN_POLICIES
from auditor.model.cluster import PolicyObject, Snapshot
from auditor.model.dialect import API
from auditor.model.flow import Direction
from auditor.model.labels import EVERYTHING
from auditor.model.rules import Clause, NodeLabels, Not, Predicate, Translation, all_of
from auditor.policy import POLICY_APIS
from tests.builders import RESOURCES, Raw, named, selector

OFF_HOST = Not(NodeLabels(EVERYTHING))
"""What keeps pods on their node's network out."""
ALL: Raw = {"namespaces": {}}
"""All pods, as a subject or a peer."""


def in_team(team: str) -> Raw:
    """The pods of the namespaces with a label `team`."""
    return {"namespaces": selector(team=team)}


def app(name: str, **namespaces: str) -> Raw:
    """The pods with a label `app`, in namespaces with certain labels."""
    return {"pods": {"namespaceSelector": selector(**namespaces), "podSelector": selector(app=name)}}


def rule(action: str, *peers: Raw, **more: Any) -> Raw:
    """A rule for either direction."""
    return {"action": action, "peers": list(peers), **more}


def an_object(kind: str, name: str, **spec: Any) -> Raw:
    """An object of one of the kinds; `subject` is everything unless it is said, and None leaves a field out."""
    said = {"subject": ALL, **spec}
    for way, field in (("ingress", "from"), ("egress", "to")):
        if isinstance(said.get(way), Sequence):
            said[way] = [_directed(item, field) for item in said[way]]
    version = "v1alpha2" if kind == "ClusterNetworkPolicy" else "v1alpha1"
    return {
        "apiVersion": f"policy.networking.k8s.io/{version}",
        **named(kind, name),
        "spec": {key: value for key, value in said.items() if value is not None},
    }


def _directed(item: Any, field: str) -> Any:
    if not isinstance(item, dict):
        return item
    return {field if key == "peers" else key: value for key, value in item.items()}


def admin(name: str = "p", **spec: Any) -> Raw:
    """A ClusterNetworkPolicy of the tier Admin, with priority 10 unless another is said."""
    return an_object("ClusterNetworkPolicy", name, **{"tier": "Admin", "priority": 10, **spec})


def baseline(name: str = "p", **spec: Any) -> Raw:
    """The same in the tier Baseline."""
    return admin(name, **{"tier": "Baseline", **spec})


def old_admin(name: str = "p", **spec: Any) -> Raw:
    """An AdminNetworkPolicy with priority 10."""
    return an_object("AdminNetworkPolicy", name, **{"priority": 10, **spec})


def old_baseline(name: str = "default", **spec: Any) -> Raw:
    """A BaselineAdminNetworkPolicy."""
    return an_object("BaselineAdminNetworkPolicy", name, **spec)


def policy_object(raw: Raw) -> PolicyObject:
    """The object as a snapshot holds it."""
    resource = RESOURCES[raw["kind"]]
    kind = FOREIGN_POLICIES[resource].kind
    return PolicyObject(resource, kind, "", raw["metadata"]["name"], raw, raw["apiVersion"])


def translated(raw: Raw, *others: Raw) -> Translation:
    """What an object is translated into, in a cluster that holds these others as well."""
    one = policy_object(raw)
    snapshot = Snapshot(objects=(one, *map(policy_object, others)))
    return POLICY_APIS[one.resource](snapshot, API)(one)


def clauses(raw: Raw, direction: Direction = Direction.INGRESS) -> tuple[Clause, ...]:
    """The clauses of the one section that an object has in a direction."""
    (section,) = [item for item in translated(raw).sections if item.direction is direction]
    return section.clauses


def off_host(predicate: Predicate) -> Predicate:
    """Pods that are not on their node's network."""
    return all_of(predicate, OFF_HOST)
