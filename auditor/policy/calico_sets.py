"""Calico's network sets: blocks of addresses that selectors match by the labels of the set.

Pure.  NetworkSets inherit the labels of their namespace as pods do, GlobalNetworkSets are in none.  HostEndpoints,
where a snapshot has them, are sets of the addresses that they expect.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network

from auditor.cluster import fields
from auditor.cluster.decode_policy import decode_network
from auditor.cluster.fields import FieldError, Raw
from auditor.model.cluster import Namespace, PolicyObject, Snapshot
from auditor.model.labels import Labels
from auditor.model.policy import IPBlock, IPNetwork
from auditor.model.rules import EVERYTHING_AT_ALL, InBlock, Match, Predicate, Unsure, any_of
from auditor.policy.calico_labels import METADATA_NAME, NAME, NAMESPACE, OF_NAMESPACE
from auditor.policy.calico_selector import Expression
from auditor.policy.ordered import BY_NAME, inside

RESOURCES = frozenset(f"{name}.crd.projectcalico.org" for name in ("networksets", "globalnetworksets", "hostendpoints"))
ORIGINAL = "projectcalico.org/metadata"
"""The annotation in which Calico keeps an object's own metadata, labels included, in a resource of its v1 API."""


@dataclass(frozen=True, slots=True)
class NetworkSet:
    """A set with the labels that selectors see, or with the reason why it could not be read."""

    title: str
    labels: Labels
    blocks: tuple[IPBlock, ...] = ()
    inherits: bool = True
    """False where the labels of its namespace were not read."""
    domains: bool = False
    """Whether names stand in it as well."""
    unread: str = ""

    def predicates(self, expression: Expression) -> Iterator[Predicate]:
        """What holds of the addresses that an expression selects with this set."""
        if self.unread:
            yield Unsure(
                Match.UNKNOWN, f"may select {self.title}, which cannot be read: {self.unread}", EVERYTHING_AT_ALL
            )
            return
        lacking = not self.inherits and any(map(_is_inherited, expression.keys))
        if not lacking and not expression.matches(self.labels):
            return
        here = any_of(map(InBlock, self.blocks))
        if lacking:
            yield Unsure(Match.UNKNOWN, f"may select {self.title}, whose namespace's labels were not read", here)
        elif self.blocks:
            yield from map(InBlock, self.blocks)
        if self.domains:
            yield Unsure(Match.UNKNOWN, f"selects {self.title}, and its domain names are not resolved", BY_NAME)


def _is_inherited(key: str) -> bool:
    return key.startswith(OF_NAMESPACE) and key.removeprefix(OF_NAMESPACE) not in {NAME, METADATA_NAME}


def read_sets(snapshot: Snapshot) -> tuple[NetworkSet, ...]:
    """Every set of a snapshot; one that cannot be read may be selected by anything, and hold any address."""
    homes = {item.name: item for item in snapshot.namespaces}
    return tuple(_lenient(item, homes) for item in snapshot.objects if item.resource in RESOURCES)


def _lenient(item: PolicyObject, homes: Mapping[str, Namespace]) -> NetworkSet:
    try:
        return read_set(item, homes)
    except FieldError as error:
        return NetworkSet(_title(item), {}, unread=str(error))


def read_set(item: PolicyObject, homes: Mapping[str, Namespace]) -> NetworkSet:
    """Read one set; raises FieldError where it is not as its type says."""
    with inside("spec"):
        spec, hosts = fields.mapping(item.raw, "spec"), item.resource.startswith("hostendpoints")
        if not hosts:
            fields.only(spec, "nets", "allowedEgressDomains")
        blocks = read_blocks(spec, "expectedIPs" if hosts else "nets")
        domains = bool(fields.words(spec, "allowedEgressDomains"))
    home = homes.get(item.namespace)
    return NetworkSet(
        title=_title(item),
        labels={
            **_inherited(item, home),
            **own_labels(item.raw),
            **({NAMESPACE: item.namespace} if item.namespace else {}),
        },
        blocks=blocks,
        inherits=not item.namespace or (home is not None and home.labels_known),
        domains=domains,
    )


def read_blocks(raw: Raw, key: str) -> tuple[IPBlock, ...]:
    """Blocks of addresses, and lone addresses, which are blocks of one."""
    return tuple(IPBlock(_network(raw, key, position)) for position in range(len(fields.words(raw, key))))


def _network(raw: Raw, key: str, position: int) -> IPNetwork:
    text = raw[key][position]
    alone = fields.address(text)
    try:
        return decode_network(text) if alone is None else ip_network(alone)
    except FieldError as error:
        raise FieldError(error.reason, raw, key, position) from None


def _inherited(item: PolicyObject, home: Namespace | None) -> dict[str, str]:
    if not item.namespace:
        return {}
    found = {METADATA_NAME: item.namespace, **(home.labels if home else {}), NAME: item.namespace}
    return {OF_NAMESPACE + key: value for key, value in found.items()}


def own_labels(raw: Raw) -> dict[str, str]:
    """An object's labels; Calico keeps those of v1 resources in an annotation, whose word counts."""
    with inside("metadata"):
        metadata = fields.mapping(raw, "metadata")
        labels = fields.strings(metadata, "labels")
        kept = fields.mapping(metadata, "annotations").get(ORIGINAL)
        return labels if kept is None else {**labels, **_kept_labels(kept)}


def _kept_labels(kept: object) -> dict[str, str]:
    with inside(f"annotations.{ORIGINAL}"):
        if not isinstance(kept, str):
            raise FieldError(f"expected a string, found {fields.kind_of(kept)}")
        try:
            return fields.strings(fields.an_object(json.loads(kept)), "labels")
        except (RecursionError, json.JSONDecodeError) as error:
            raise FieldError("not a JSON object") from error


def _title(item: PolicyObject) -> str:
    kind = item.kind.removesuffix(" (Calico)")
    return f"{kind} {item.namespace}/{item.name}" if item.namespace else f"{kind} {item.name}"
