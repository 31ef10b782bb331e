"""What `policy.networking.k8s.io/v1alpha2` and `v1beta1` ClusterNetworkPolicy say.

Pure.  Source: the API's types as of v0.2.0; those of v1beta1 have the same fields.  Pass leaves the tier Baseline as it
leaves Admin, so that what is passed there is allowed (`ClusterNetworkPolicyIngressRule.action`).
"""

from __future__ import annotations

from collections.abc import Callable

from auditor.cluster import fields
from auditor.cluster.fields import FieldError, Raw
from auditor.model.cluster import PolicyObject, Snapshot
from auditor.model.dialect import Dialect
from auditor.model.flow import Direction, Protocol
from auditor.model.rules import ADMIN, BASELINE, Action, PortTerm, Translation
from auditor.policy.ordered import (
    IN_CLUSTER,
    OUT_OF_CLUSTER,
    Grammar,
    inside,
    one_of,
    read_port,
    read_priority,
    read_spec,
    translate,
)

TIERS = {tier.name: tier for tier in (ADMIN, BASELINE)}
PROTOCOLS = {protocol.value.lower(): protocol for protocol in Protocol}
NAMED = "destinationNamedPort"


def translator(snapshot: Snapshot, dialect: Dialect) -> Callable[[PolicyObject], Translation]:  # noqa: ARG001
    """What an object says depends on nothing else."""
    return _translate


def _translate(policy: PolicyObject) -> Translation:
    spec = read_spec(policy, "tier", "priority")
    with inside("spec.tier"):
        word = fields.text(spec, "tier")
        if word not in TIERS:
            raise FieldError(f"{word!r} is not one of {', '.join(TIERS)}")
    return translate(policy, spec, TIERS[word], read_priority(spec), GRAMMAR)


def _port(raw: Raw) -> PortTerm:
    """One of a rule's protocols (`ClusterNetworkPolicyProtocol`).

    A named port is of whatever protocol its pod declares.  A protocol without `destinationPort` means all of its
    ports, as the overview of the API says.
    """
    key = one_of(raw, *PROTOCOLS, NAMED)
    if key == NAMED:
        return PortTerm(None, name=fields.text(raw, key))
    with inside(key):
        match = fields.only(fields.mapping(raw, key), "destinationPort")
        if match.get("destinationPort") is None:
            return PortTerm(PROTOCOLS[key])
        with inside("destinationPort"):
            return PortTerm(PROTOCOLS[key], *_numbers(fields.mapping(match, "destinationPort")))


def _numbers(port: Raw) -> tuple[int, int]:
    """A number or an inclusive range."""
    key = one_of(port, "number", "range")
    if key == "number":
        return (read_port(port, key),) * 2
    with inside(key):
        edges = fields.only(fields.mapping(port, key), "start", "end")
        start, end = read_port(edges, "start"), read_port(edges, "end")
        if start >= end:
            raise FieldError(f"start {start} is not below end {end}")
        return start, end


GRAMMAR = Grammar(
    actions={"Accept": Action.ALLOW, "Deny": Action.DENY, "Pass": Action.PASS},
    ports="protocols",
    port=_port,
    peers={Direction.INGRESS: IN_CLUSTER, Direction.EGRESS: IN_CLUSTER | OUT_OF_CLUSTER},
)
