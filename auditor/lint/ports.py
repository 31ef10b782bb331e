"""Ports of rules that no destination has: unknown names, a Service's port for its target, digits out of order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from auditor.lint.case import Case, Hit, Lint
from auditor.lint.hints import listed
from auditor.lint.views import RuleView
from auditor.model.cluster import Service, ServicePort
from auditor.model.flow import Direction, Protocol
from auditor.model.lint import LintSeverity
from auditor.model.rules import PortTerm, pods
from auditor.model.words import plural

_ANY_DATABASE: Final = frozenset({"db", "database", "sql"})
FAMOUS: Final[Mapping[int, frozenset[str]]] = {
    1433: _ANY_DATABASE | {"mssql", "sqlserver"},
    1521: _ANY_DATABASE | {"oracle"},
    2379: frozenset({"etcd"}),
    3306: _ANY_DATABASE | {"mysql", "mariadb"},
    5432: _ANY_DATABASE | {"postgres", "postgresql", "pg"},
    5672: frozenset({"amqp", "queue", "rabbitmq"}),
    6379: frozenset({"cache", "redis"}),
    9042: frozenset({"cassandra", "scylla"}),
    9092: frozenset({"kafka"}),
    9200: frozenset({"elastic", "elasticsearch", "opensearch"}),
    11211: frozenset({"cache", "memcached"}),
    27017: frozenset({"db", "database", "mongo", "mongodb"}),
}
"""Well-known ports whose digits are often exchanged, and the words that speak of what listens there."""


def unknown_names(case: Case) -> Iterator[Hit]:
    """A named port that no pod declares at which the rule aims."""
    for rule, position, term in _terms(case):
        if not term.name or rule.destinations & case.crowd.declaring(term.name, term.protocol):
            continue
        reason = _why_unnamed(case, rule, term)
        if reason:
            yield Hit(
                rule.of.object,
                _path(rule, position),
                f"the named port {term.name} ({_word(term.protocol)}) matches nothing: no pod that is meant has it",
                (reason,),
                "write the name as the containers declare it, or the number",
                f"{rule.direction.value}:{term.name}/{_word(term.protocol)}",
            )


def _why_unnamed(case: Case, rule: RuleView, term: PortTerm) -> str:
    """Why nobody has the port; empty where that cannot be told."""
    aimed = rule.destinations
    if not aimed:
        blocks = rule.peers and all(view.peer.ip_block is not None for view in rule.peers)
        return "the destinations are blocks of addresses, which have no named ports" if blocks else ""
    if not case.whole and _goes_elsewhere(rule):
        return ""
    others = [item for item in Protocol if item is not term.protocol]
    for protocol in others:
        if count := case.crowd.count(aimed & case.crowd.declaring(term.name, protocol)):
            return f"{term.name} is declared for {protocol.value}, by {plural(count, 'pod')} of those that are meant"
    names = sorted(case.crowd.names(aimed))
    close = get_close_matches(term.name, names, 1)
    known = (
        f"they declare {close[0]}" if close else f"they declare {listed(names)}" if names else "they declare no names"
    )
    return f"none of the {plural(case.crowd.count(aimed), 'pod')} that are meant declares it; {known}"


def _goes_elsewhere(rule: RuleView) -> bool:
    """Whether destinations may be in namespaces of which manifests hold nothing."""
    own = rule.peers and all(view.peer.namespace_selector is None for view in rule.peers)
    return rule.direction is Direction.EGRESS and not own


def service_ports(case: Case) -> Iterator[Hit]:
    """A Service's port where the port of its pods is needed: policies see traffic after the Service's translation."""
    for rule, position, term in _numbers(case) if case.translating else ():
        found = _translated(case, rule, term)
        if found is None:
            continue
        service, port, numbers = found
        targets = listed(map(str, numbers))
        yield Hit(
            rule.of.object,
            _path(rule, position),
            f"{term.first} is the port of a Service, whose pods take that traffic on {targets}",
            (
                f"Service {service.namespace}/{service.name} sends {port.protocol.value} {port.number} to {targets}",
                f"no pod that is meant declares {term.first}; policies see the pod's port, not the Service's",
            ),
            f"allow {targets} instead of {term.first}",
            f"{rule.direction.value}:{term.first}/{_word(term.protocol)}",
        )


def _translated(case: Case, rule: RuleView, term: PortTerm) -> tuple[Service, ServicePort, list[int]] | None:
    """The Service that translates this port for pods that are meant, and the ports that the rule then lacks."""
    services = case.translating.get(term.first, ())
    aimed = rule.destinations
    if not services or aimed & case.crowd.listening(term.first, term.protocol):
        return None
    for service, port in services:
        if service.selector is None or term.protocol not in {None, port.protocol}:
            continue
        behind = aimed & case.crowd.may(pods(service.namespace, selector=service.selector))
        numbers = sorted(case.crowd.targets(behind, port)) if behind else []
        missing = [number for number in numbers if not _allows(rule, number, port.protocol)]
        if missing and len(missing) == len(numbers):
            return service, port, numbers
    return None


def near_misses(case: Case) -> Iterator[Hit]:
    """A number that nobody declares, two of whose digits are exchanged against one that is meant.

    What is meant shows in what the pods declare, all of them; where they declare nothing, in a name that speaks of a
    program whose port is well known.
    """
    known: dict[tuple[int, Protocol | None], list[int]] = {}
    for rule, position, term in _numbers(case):
        key = term.first, term.protocol
        if key not in known:
            known[key] = [] if case.crowd.listening(*key) else _candidates(case, *key)
        if not known[key] or _translated(case, rule, term):
            continue
        meant, reason = _meant(case, rule, term, known[key])
        if meant and not _allows(rule, meant, term.protocol or Protocol.TCP):
            yield Hit(
                rule.of.object,
                _path(rule, position),
                f"{term.first} looks like {meant} with two digits exchanged",
                (f"no pod declares {term.first}", reason),
                f"allow {meant} if that is meant",
                f"{rule.direction.value}:{term.first}/{_word(term.protocol)}",
            )


def _candidates(case: Case, number: int, protocol: Protocol | None) -> list[int]:
    """What a number may stand for: numbers that some pod declares, or that are well known."""
    return [item for item in _variants(number) if item in FAMOUS or case.crowd.listening(item, protocol)]


def _meant(case: Case, rule: RuleView, term: PortTerm, candidates: list[int]) -> tuple[int, str]:
    """The number that is meant and what shows it; 0 where nothing does."""
    aimed, silent = rule.destinations, rule.destinations & ~case.crowd.open_handed
    for number in candidates:
        there = aimed & case.crowd.listening(number, term.protocol)
        # Only where every pod says what it listens on does silence about a number mean anything.
        if there and not silent:
            return number, f"{number} is declared by {plural(case.crowd.count(there), 'pod')} of those that are meant"
    words = _words_of(rule) if silent == aimed and term.first not in FAMOUS else frozenset()
    for number in candidates:
        said = sorted(FAMOUS.get(number, frozenset()) & words)
        if said:
            return number, f"{number} is the well-known port of what is called {said[0]} here"
    return 0, ""


def _words_of(rule: RuleView) -> frozenset[str]:
    """The words in the labels by which the destinations are selected."""
    if rule.direction is Direction.INGRESS:
        selectors = [rule.of.policy.pod_selector] if rule.of.policy else []
    else:
        selectors = [view.peer.pod_selector for view in rule.peers if view.peer.pod_selector]
    values = {value for selector in selectors for item in selector.requirements for value in item.values}
    return frozenset(word for value in values for word in re.split(r"[^a-z0-9]+", value.lower()))


def _variants(number: int) -> list[int]:
    """The numbers that differ by an exchange of two neighbouring digits, ascending."""
    digits = str(number)
    swapped = (digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :] for at in range(len(digits) - 1))
    return sorted({int(text) for text in swapped if text[0] != "0"} - {number})


def _allows(rule: RuleView, number: int, protocol: Protocol) -> bool:
    """Whether another port of the same rule covers this one."""
    return any(
        term.protocol in {None, protocol} and not term.name and term.first <= number <= term.last
        for ports in rule.clause.ports
        for term in ports.terms
    )


def _terms(case: Case) -> Iterator[tuple[RuleView, int, PortTerm]]:
    """Every port of every rule in force, with its place in the rule."""
    for rule in case.rules:
        for ports in rule.clause.ports if rule.subject else ():
            if not ports.inverted:
                for position, term in enumerate(ports.terms):
                    yield rule, position, term


def _numbers(case: Case) -> Iterator[tuple[RuleView, int, PortTerm]]:
    """Those that are one number, at pods that are known."""
    for rule, position, term in _terms(case):
        if not term.name and term.first == term.last and rule.destinations:
            yield rule, position, term


def _path(rule: RuleView, position: int) -> str:
    """Where a port stands: only of NetworkPolicies is the list known to be the manifest's."""
    return f"{rule.path}.ports[{position}].port" if rule.rule is not None else rule.path


def _word(protocol: Protocol | None) -> str:
    return protocol.value if protocol else "any protocol"


UNKNOWN_NAME = Lint("named-port-unknown", "a named port that no pod has", LintSeverity.WARNING, unknown_names)
SERVICE_PORT = Lint(
    "service-port-named", "a Service's port where the pods' port is needed", LintSeverity.WARNING, service_ports
)
NEAR_MISS = Lint("port-digits-exchanged", "a port with two digits exchanged", LintSeverity.WARNING, near_misses)
