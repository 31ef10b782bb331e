"""What `policy.networking.k8s.io/v1alpha1` AdminNetworkPolicy and BaselineAdminNetworkPolicy say.

Pure.  Source: the API's types as of v0.1.7.  The first releases, up to v0.1.1, wrote peers with one level more, and
could compare labels of both ends' namespaces (`sameLabels`), which later ones gave up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from auditor.cluster import fields
from auditor.cluster.fields import FieldError, Raw
from auditor.model.cluster import PolicyObject, Snapshot
from auditor.model.dialect import Dialect
from auditor.model.flow import Direction
from auditor.model.labels import EVERYTHING
from auditor.model.rules import ADMIN, BASELINE, Action, Match, PortTerm, Predicate, Section, Translation, Unsure
from auditor.policy.ordered import (
    IN_CLUSTER,
    OUT_OF_CLUSTER,
    Grammar,
    PeerReader,
    inside,
    of_pods,
    one_of,
    read_port,
    read_priority,
    read_protocol,
    read_selector,
    read_spec,
    translate,
)

BASELINE_KIND = "BaselineAdminNetworkPolicy"
BASELINE_NAME = "default"
RIVAL = "clusternetworkpolicies.policy.networking.k8s.io"
FIRST, LAST = float("-inf"), float("inf")
"""Before and after every priority of a ClusterNetworkPolicy."""
OLD_SETS = ("namespaceSelector", "sameLabels", "notSameLabels")


def translator(snapshot: Snapshot, dialect: Dialect) -> Callable[[PolicyObject], Translation]:  # noqa: ARG001
    """A baseline's place depends on whether ClusterNetworkPolicies stand in the same tier."""
    rivals = any(item.resource == RIVAL and _is_baseline(item) for item in snapshot.objects)

    def translate_one(policy: PolicyObject) -> Translation:
        return _baseline(policy, rivals=rivals) if policy.kind == BASELINE_KIND else _admin(policy)

    return translate_one


def _is_baseline(policy: PolicyObject) -> bool:
    spec = policy.raw.get("spec")
    return isinstance(spec, Mapping) and spec.get("tier") == BASELINE.name


def _admin(policy: PolicyObject) -> Translation:
    spec = read_spec(policy, "priority")
    return translate(policy, spec, ADMIN, read_priority(spec), GRAMMAR)


def _baseline(policy: PolicyObject, *, rivals: bool) -> Translation:
    """The one baseline, which has no priority: no text says whether it comes before or after a ClusterNetworkPolicy."""
    if policy.name != BASELINE_NAME:
        raise FieldError(f"metadata.name: {policy.name!r}, but there is only one, named {BASELINE_NAME!r}")
    found = translate(policy, read_spec(policy), BASELINE, LAST, BASELINE_GRAMMAR)
    if not rivals:
        return found
    return replace(found, sections=(*map(_perhaps_first, found.sections), *found.sections))


def _perhaps_first(section: Section) -> Section:
    reason = "may come before or after the ClusterNetworkPolicies of its tier, which the API leaves open"
    return replace(section, rank=(FIRST, ""), perhaps=reason)


def _port(raw: Raw) -> PortTerm:
    """One of a rule's ports (`AdminNetworkPolicyPort`); a named port has the protocol that its pod declares."""
    key = one_of(raw, "portNumber", "portRange", "namedPort")
    if key == "namedPort":
        return PortTerm(None, name=fields.text(raw, key))
    with inside(key):
        if key == "portNumber":
            port = fields.only(fields.mapping(raw, key), "protocol", "port")
            return PortTerm(read_protocol(port), *(read_port(port, "port"),) * 2)
        port = fields.only(fields.mapping(raw, key), "protocol", "start", "end")
        start, end = read_port(port, "start"), read_port(port, "end")
        if start > end:
            # Only the API's comments forbid it, and no reader would agree with another on what it means.
            raise FieldError(f"start {start} is above end {end}")
        return PortTerm(read_protocol(port), start, end)


def _namespaces(peer: Raw, key: str) -> Predicate:
    """Pods of namespaces, by a selector or, in old releases, by one of several ways to name a set of them."""
    inner = fields.mapping(peer, key)
    if not any(name in inner for name in OLD_SETS):
        return IN_CLUSTER[key](peer, key)
    return _old_set(inner, key, {})


def _pods(peer: Raw, key: str) -> Predicate:
    """Pods by namespace and label; old releases had a set of namespaces in the selector's place."""
    inner = fields.mapping(peer, key)
    if "namespaces" not in inner:
        return IN_CLUSTER[key](peer, key)
    fields.only(inner, "namespaces", "podSelector")
    with inside("namespaces"):
        return _old_set(fields.mapping(inner, "namespaces"), f"{key}.namespaces", inner)


def _old_set(inner: Raw, path: str, beside: Raw) -> Predicate:
    """A set of namespaces as v0.1.1 wrote it; `beside` may hold a `podSelector`."""
    chosen = one_of(inner, *OLD_SETS)
    selector = read_selector(beside, "podSelector")
    if chosen == "namespaceSelector":
        return of_pods(read_selector(inner, chosen), selector)
    return Unsure(
        Match.UNKNOWN, f"has {path}.{chosen}, which the API gave up and is not modelled", of_pods(EVERYTHING, selector)
    )


PODS_OF_ALL_RELEASES: dict[str, PeerReader] = {"namespaces": _namespaces, "pods": _pods}
GRAMMAR = Grammar(
    actions={"Allow": Action.ALLOW, "Deny": Action.DENY, "Pass": Action.PASS},
    ports="ports",
    port=_port,
    peers={Direction.INGRESS: PODS_OF_ALL_RELEASES, Direction.EGRESS: PODS_OF_ALL_RELEASES | OUT_OF_CLUSTER},
)
BASELINE_GRAMMAR = replace(GRAMMAR, actions={"Allow": Action.ALLOW, "Deny": Action.DENY})
