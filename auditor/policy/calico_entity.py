"""What one side of a Calico rule means: `source` or `destination` (`v3.EntityRule`).

Pure.  Everything that a side sets must hold.  Selectors mean addresses in the end: those of the pods, and of the
network sets, that they select; `notSelector` means any other address, in the cluster or outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from auditor.cluster import fields
from auditor.cluster.decode_policy import LAST_PORT, PORT_NAME
from auditor.cluster.fields import FieldError, Raw
from auditor.model.cluster import Service, Snapshot
from auditor.model.flow import Protocol
from auditor.model.labels import Labels
from auditor.model.rules import (
    ANY_POD,
    EVERYTHING_AT_ALL,
    EndKind,
    InBlock,
    IsKind,
    Match,
    Not,
    Ports,
    PortTerm,
    Predicate,
    Unsure,
    all_of,
    any_of,
    pods,
)
from auditor.policy.calico_labels import ACCOUNT, NAMESPACE, PodFacts, of_accounts, of_namespaces, of_pods, read_facts
from auditor.policy.calico_selector import Expression, Operator, Term, asks_for_global, join, read
from auditor.policy.calico_sets import NetworkSet, read_blocks, read_sets
from auditor.policy.ordered import BY_NAME, CLUSTER_NAME, inside

KNOWN = (
    *("nets", "notNets", "selector", "notSelector", "namespaceSelector", "serviceAccounts"),
    *("ports", "notPorts", "services", "domains"),
)
API_SERVER = ("default", "kubernetes")
"""The one Service without a selector whose endpoints are known to be no pods."""
NO_POD = IsKind(frozenset({EndKind.NODE, EndKind.OUTSIDE}))


@dataclass(frozen=True, slots=True)
class Cluster:
    """What of a snapshot rules are read against."""

    facts: PodFacts
    sets: tuple[NetworkSet, ...]
    services: Mapping[tuple[str, str], Service]
    on_hosts: frozenset[tuple[str, str]]
    """Services that lead to pods on their node's network, whose addresses are the node's."""
    one_family: bool
    """Whether all pods have IPv4 addresses only."""


def read_cluster(snapshot: Snapshot) -> Cluster:
    """Gather what rules are read against."""
    return Cluster(
        facts=read_facts(snapshot),
        sets=read_sets(snapshot),
        services={(item.namespace, item.name): item for item in snapshot.services},
        on_hosts=frozenset(_on_hosts(snapshot)),
        one_family=not any(":" in text for pod in snapshot.pods for text in pod.addresses),
    )


def _on_hosts(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    hosted: dict[str, list[Labels]] = {}
    for pod in snapshot.pods:
        if pod.host_network:
            hosted.setdefault(pod.namespace, []).append(pod.labels)
    for service in snapshot.services:
        selector = service.selector
        if selector is not None and any(map(selector.matches, hosted.get(service.namespace, ()))):
            yield service.namespace, service.name


@dataclass(frozen=True, slots=True)
class Side:
    """Which side of a rule this is."""

    path: str
    """`source` or `destination`."""
    namespace: str
    """The policy's; empty for policies of the whole cluster."""
    is_peer: bool
    """False for the side on which the policy's own pods stand."""
    protocol: Protocol | None
    """What the rule is about; ports need one."""

    @property
    def receives(self) -> bool:
        """Whether this is the destination."""
        return self.path == "destination"


@dataclass(frozen=True, slots=True)
class Entity:
    """What must hold of one end of a flow, and of its port."""

    predicate: Predicate = EVERYTHING_AT_ALL
    ports: tuple[Ports, ...] = ()
    unsure: tuple[str, ...] = ()
    """Fields that narrow the rule further and are not modelled."""


def read_entity(raw: Raw, side: Side, cluster: Cluster) -> Entity:
    """Translate one side of a rule; raises FieldError where it is not as its type says."""
    if not raw:
        return Entity()
    services, service_ports = _services(raw, side, cluster)
    ports = _ports(raw, side)
    predicate = all_of(
        _addresses(raw, "nets", side, cluster),
        _negated(_addresses(raw, "notNets", side, cluster)),
        _selected(endpoints(raw, side.namespace), side, cluster),
        _negated(_selected(plain_selector(raw, "notSelector"), side, cluster)),
        services,
        _domains(raw),
    )
    strange = [f"{side.path}.{key} is not modelled" for key in strange_fields(raw, *KNOWN)]
    if ports and not side.receives:
        return Entity(predicate, (), (*strange, f"{side.path}.ports: the port that a flow comes from is not known"))
    return Entity(predicate, (*ports, *service_ports), tuple(strange))


def strange_fields(raw: Raw, *known: str) -> list[str]:
    """Fields that are set and not known.

    All that a rule says must hold, so that one more field can only narrow what it matches.
    """
    return sorted(str(key) for key, value in raw.items() if key not in known and value is not None)


def _negated(predicate: Predicate | None) -> Predicate | None:
    return None if predicate is None else Not(predicate)


def _addresses(raw: Raw, key: str, side: Side, cluster: Cluster) -> Predicate | None:
    blocks = [InBlock(block) for block in read_blocks(raw, key)]
    return _here(blocks, side, cluster, key) if blocks else None


def _here(addresses: Iterable[Predicate], side: Side, cluster: Cluster, key: str) -> Predicate:
    """Addresses of this side.

    Whether a policy applies to a pod is asked once for both families, so with two of them the addresses of its own pods
    do not tell enough.
    """
    found = any_of(addresses)
    if side.is_peer or cluster.one_family:
        return found
    return Unsure(Match.UNKNOWN, f"{side.path}.{key} asks for addresses of the policy's own pods", EVERYTHING_AT_ALL)


def _selected(expression: Expression | None, side: Side, cluster: Cluster) -> Predicate | None:
    """What has an address that an expression selects: pods, and whatever else stands in network sets."""
    if expression is None:
        return None
    of_sets = [predicate for item in cluster.sets for predicate in item.predicates(expression)]
    addresses = [_here(of_sets, side, cluster, "selector")] if of_sets else []
    return any_of([all_of(ANY_POD, of_pods(expression, cluster.facts)), *addresses])


def endpoints(raw: Raw, namespace: str) -> Expression | None:
    """The expression that selects a side's endpoints; None where nothing is asked of them.

    A policy of a namespace means its own one, unless it names others, as soon as anything is asked.
    """
    asked = join(_accounts(fields.mapping(raw, "serviceAccounts")), plain_selector(raw, "selector"))
    elsewhere = read(raw, "namespaceSelector")
    if elsewhere is not None:
        return join(of_namespaces(elsewhere), asked)
    if namespace and (asked is not None or fields.text(raw, "notSelector")):
        return join(Term(Operator.IN, NAMESPACE, frozenset({namespace})), asked)
    return asked


def plain_selector(raw: Raw, key: str) -> Expression | None:
    """A selector of endpoints; None where it is absent or empty."""
    found = read(raw, key)
    if found is not None and asks_for_global(found):
        raise FieldError("global() has a meaning in the namespaceSelector of a rule only", raw, key)
    return found


def _accounts(raw: Raw) -> Expression | None:
    with inside("serviceAccounts"):
        fields.only(raw, "names", "selector")
        names, labelled = fields.words(raw, "names"), read(raw, "selector")
        named = Term(Operator.IN, ACCOUNT, frozenset(names)) if names else None
        return join(of_accounts(labelled) if labelled else None, named)


def _services(raw: Raw, side: Side, cluster: Cluster) -> tuple[Predicate | None, tuple[Ports, ...]]:
    """The pods behind a Service, and as destination the ports on which they answer."""
    if raw.get("services") is None:
        return None, ()
    with inside("services"):
        said = fields.only(fields.mapping(raw, "services"), "name", "namespace")
        key = fields.text(said, "namespace") or side.namespace, fields.text(said, "name")
        if not all(key):
            raise FieldError("a Service without a name, or without a namespace in a policy that has none")
    service = cluster.services.get(key)
    if service is None or service.selector is None or key in cluster.on_hosts or not service.ports:
        where = NO_POD if key == API_SERVER else EVERYTHING_AT_ALL
        reason = f"names Service {key[0]}/{key[1]}, whose endpoints cannot be told from its selector"
        return Unsure(Match.UNKNOWN, reason, where), ()
    terms = tuple(
        PortTerm(port.protocol, name=port.target)
        if isinstance(port.target, str)
        else PortTerm(port.protocol, port.target, port.target)
        for port in service.ports
    )
    return pods(key[0], selector=service.selector), (Ports(terms),) if side.receives else ()


def _domains(raw: Raw) -> Predicate | None:
    names = fields.words(raw, "domains")
    if not names:
        return None
    # A wildcard may stand for anything in front of what it names, but not for another domain.
    anywhere = any(CLUSTER_NAME.search(name) or name.strip("*.") == "" for name in names)
    return Unsure(Match.UNKNOWN, "has domain names, which are not resolved", EVERYTHING_AT_ALL if anywhere else BY_NAME)


def _ports(raw: Raw, side: Side) -> tuple[Ports, ...]:
    found: list[Ports] = []
    for key, inverted in (("ports", False), ("notPorts", True)):
        items = enumerate(fields.sequence(raw, key))
        terms = tuple(_term(port, side.protocol, (raw, key, position)) for position, port in items)
        if terms:
            found.append(Ports(terms, inverted))
    return tuple(found)


_RANGE = re.compile(r"([0-9]{1,5}):([0-9]{1,5})")


def _term(port: object, protocol: Protocol | None, where: tuple[Raw, str, int]) -> PortTerm:
    """A number, a range such as `8000:8080`, or a name (`numorstring.Port`)."""
    if protocol is None:
        raise FieldError("a port in a rule without protocol TCP, UDP or SCTP", *where)
    if isinstance(port, bool) or not isinstance(port, int | str):
        raise FieldError(f"expected a number, a range or a name, found {fields.kind_of(port)}", *where)
    text = str(port)
    edges = _RANGE.fullmatch(text) or re.fullmatch(r"([0-9]{1,5})()", text)
    if edges is None:
        if not PORT_NAME.fullmatch(text):
            raise FieldError(f"{text[:40]!r} is no port, range or name of a port", *where)
        return PortTerm(protocol, name=text)
    first, last = int(edges[1]), int(edges[2] or edges[1])
    if not 1 <= first <= last <= LAST_PORT:
        raise FieldError(f"{text} is no port or range from 1 to {LAST_PORT}", *where)
    return PortTerm(protocol, first, last)
