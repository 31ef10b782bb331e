"""The peers of Cilium's rules: selectors, entities, blocks, nodes, Services, names.

Pure.  A rule has peers of one sort only: Cilium refuses another one beside it, and with it the whole object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from auditor.cluster import fields
from auditor.cluster.decode_policy import decode_network, decode_selector
from auditor.cluster.fields import FieldError, Raw
from auditor.model.flow import Direction
from auditor.model.labels import EVERYTHING
from auditor.model.policy import IPNetwork
from auditor.model.rules import (
    EVERYTHING_AT_ALL,
    NOTHING,
    Match,
    NodeLabels,
    Not,
    OwnNode,
    Predicate,
    Unsure,
    all_of,
    any_of,
)
from auditor.policy import cilium_selector
from auditor.policy.cilium_cluster import OUTSIDE, Surroundings
from auditor.policy.cilium_selector import ENTITIES
from auditor.policy.ordered import inside

WORDS = {Direction.INGRESS: "from", Direction.EGRESS: "to"}


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a rule stands."""

    namespace: str
    around: Surroundings


Reader = Callable[[Any, Scene], Predicate]
"""Reads one item of a list of peers."""


def read_peer(rule: Raw, direction: Direction, scene: Scene) -> Predicate | None:
    """What a rule's lists of peers mean together; None where there is none, which means any peer.

    An empty list of some sorts means nobody; of the others it is as good as absent.
    """
    given = {name: rule[name] for name in READERS[direction] if rule.get(name) is not None}
    items = {name: fields.sequence(rule, name) for name in given}
    filled = [name for name in given if items[name]]
    if len(filled) > 1:
        raise FieldError(f"{filled[0]} and {filled[1]} stand in one rule, which Cilium refuses")
    if any(not items[name] and name[len(WORDS[direction]) :] in NOBODY_WHEN_EMPTY for name in given):
        return NOTHING
    if not filled:
        return None
    name = filled[0]
    found = []
    for position, item in enumerate(items[name]):
        with inside(f"{name}[{position}]"):
            found.append(READERS[direction][name](item, scene))
    return any_of(found)


def _endpoints(item: object, scene: Scene) -> Predicate:
    return cilium_selector.peer(fields.an_object(item), scene.namespace, scene.around)


def _entity(item: object, scene: Scene) -> Predicate:
    if not isinstance(item, str) or item not in ENTITIES:
        raise FieldError(f"{str(item)[:40]!r} is not one of {', '.join(ENTITIES)}")
    return ENTITIES[item](scene.around)


def _cidr(item: object, scene: Scene) -> Predicate:
    if not isinstance(item, str):
        raise FieldError(f"expected a string, found {type(item).__name__}")
    # Versions before 1.18 take a lone address as well.
    lone = "" if "/" in item else "/128" if ":" in item else "/32"
    return scene.around.block(decode_network(item + lone))


def _cidr_rule(item: object, scene: Scene) -> Predicate:
    raw = fields.only(fields.an_object(item), "cidr", "cidrGroupRef", "cidrGroupSelector", "except")
    excepts = tuple(decode_network(text) for text in fields.words(raw, "except"))
    chosen = [name for name in ("cidr", "cidrGroupRef", "cidrGroupSelector") if raw.get(name) not in (None, "")]
    if len(chosen) != 1:
        raise FieldError("one of cidr, cidrGroupRef and cidrGroupSelector must be given, and one only")
    if chosen == ["cidr"]:
        network = decode_network(fields.text(raw, "cidr"))
        _check_excepts(network, excepts)
        return scene.around.block(network, excepts)
    return _groups(raw, excepts, scene)


def _check_excepts(network: IPNetwork, excepts: tuple[IPNetwork, ...]) -> None:
    for hole in excepts:
        if hole.network_address not in network:
            raise FieldError(f"{network} does not hold the exception {hole}, which Cilium refuses")


def _groups(raw: Raw, excepts: tuple[IPNetwork, ...], scene: Scene) -> Predicate:
    """The blocks of CiliumCIDRGroups, by name or by their labels."""
    groups, name = scene.around.groups, fields.text(raw, "cidrGroupRef")
    if name:
        chosen = [groups.get(name)]
    else:
        selector = decode_selector(fields.mapping(raw, "cidrGroupSelector"))
        chosen = (
            [found for found in groups.values() if found is None or selector.matches(found[0])] if groups else [None]
        )
    if None in chosen:
        which = f"CiliumCIDRGroup {name[:80]}" if name else "a CiliumCIDRGroup"
        return _unknown(f"names {which}, which was not read", OUTSIDE)
    networks = [network for found in chosen if found is not None for network in found[1]]
    holes = {
        network.version: tuple(hole for hole in excepts if hole.version == network.version) for network in networks
    }
    return any_of(scene.around.block(network, holes[network.version]) for network in networks)


def _nodes(item: object, scene: Scene) -> Predicate:
    """Other nodes by their labels; whether agents look at those labels is a setting."""
    decode_selector(fields.an_object(item))
    if scene.around.settings.is_on("enable-node-selector-labels", default=False) is Match.NO:
        raise FieldError("nodes are selected while enable-node-selector-labels is off, which Cilium refuses")
    return _unknown("selects nodes by labels", all_of(NodeLabels(EVERYTHING), Not(OwnNode())))


def _service(item: object, scene: Scene) -> Predicate:
    raw = fields.only(fields.an_object(item), "k8sService", "k8sServiceSelector")
    if raw.get("k8sServiceSelector") is not None:
        return _unknown("selects Services by labels, which were not read", EVERYTHING_AT_ALL)
    service = fields.only(fields.mapping(raw, "k8sService"), "serviceName", "namespace")
    namespace, name = fields.text(service, "namespace"), fields.text(service, "serviceName")
    reason = f"names Service {namespace or '*'}/{name}, of which versions of Cilium make different things"[:200]
    return _unknown(reason, scene.around.behind(namespace, name))


def _outside(item: object, scene: Scene, *, reason: str) -> Predicate:  # noqa: ARG001  # they are all alike
    fields.an_object(item)
    return _unknown(reason, OUTSIDE)


def _unknown(reason: str, where: Predicate) -> Predicate:
    return Unsure(Match.UNKNOWN, reason, where)


NOBODY_WHEN_EMPTY = frozenset({"Endpoints", "Entities", "CIDR", "CIDRSet", "Nodes"})
_BOTH: Mapping[str, Reader] = {
    "Endpoints": _endpoints,
    "Entities": _entity,
    "CIDR": _cidr,
    "CIDRSet": _cidr_rule,
    "Nodes": _nodes,
    "Groups": partial(_outside, reason="names groups of a provider, whose addresses only its API knows"),
}
_names = partial(_outside, reason="names domains, whose addresses Cilium learns while it runs")
READERS: Mapping[Direction, Mapping[str, Reader]] = {
    Direction.INGRESS: {f"from{name}": reader for name, reader in _BOTH.items()},
    Direction.EGRESS: {
        **{f"to{name}": reader for name, reader in _BOTH.items()},
        "toServices": _service,
        "toFQDNs": _names,
    },
}
GROUPS = frozenset({"fromGroups", "toGroups"})
