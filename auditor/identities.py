"""Pods into identities: who cannot be told apart by any policy in use, and which of their ports are worth asking for.

Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property

from auditor.evaluate.bits import ones
from auditor.evaluate.classes import Class
from auditor.evaluate.match import matches
from auditor.evaluate.model import Model
from auditor.evaluate.reach import Classified
from auditor.evaluate.vocabulary import Leaf, about_pods, homes_of, port_terms, predicates
from auditor.model.cluster import ContainerPort, Owner, Pod
from auditor.model.flow import Direction, Family, Protocol
from auditor.model.matrix import Identity, Query, in_order
from auditor.model.rules import (
    FIRST_PORT,
    LAST_PORT,
    AccountIs,
    AccountLabels,
    Action,
    Clause,
    InBlock,
    Match,
    PodLabels,
    PortTerm,
    Predicate,
    Section,
)

OWN_NAMESPACE = "netaudit"
OWN_NAMESPACES = ("netaudit-ctl-", "netaudit-conf-")
OWN_POD = re.compile(r"(netaudit-[a-z0-9]+)-[a-z0-9]+-[0-9]+")
"""The name of a probe pod of any run, and in it that of its owner."""
UNNAMED_PORTS = (8642, 18642, 28642, 38642, 48642, 58642, 9753, 19753, 29753, 39753, 864, 642, 975, 753)
"""Candidates for the port that nobody declares or names; where policies name all of them, there is none to test.

The last ones are low, because a range of all that is not takes in the others (probe pods may listen on any port).
"""


def find_identities(
    model: Model,
    covers: Callable[[Pod], bool],
    *,
    by_address: bool = False,
    classified: Classified | None = None,
    own: bool = False,
) -> tuple[Identity, ...]:
    """Group pods by namespace, answers to every selector in use, named ports and address families; sorted.

    With `by_address` blocks of addresses tell pods apart too: a stand-in, which has an address of its own, cannot
    represent such a group, but a verdict can be given for it.  `classified` may hold all pods, where it is at hand.
    netaudit's own pods are nobody's workload, and left out unless `own` says that they are what is asked about.
    """
    known = classified or Classified(model, (pod for pod in model.snapshot.pods if covers(pod)))
    groups: dict[tuple[object, ...], list[Pod]] = defaultdict(list)
    relevant = Relevance(model)
    inside = _Inside(known)
    # Classes are finer than identities, so that one member of each answers for all.
    for item in known.classes:
        pods = [pod for pod in item.pods if (own or not is_ours(pod)) and covers(pod)]
        if pods:
            groups[*relevant.key(pods[0]), inside.blocks(item) if by_address else ()] += pods
    named = _Ports(model, known)
    found = [(key[-1], _identity(model, relevant, named, sorted(pods, key=_name))) for key, pods in groups.items()]
    return tuple(sorted(_with_own_ids(found), key=lambda item: (item.namespace, item.title, item.id)))


def _with_own_ids(found: Sequence[tuple[object, Identity]]) -> Iterable[Identity]:
    """Give those that nothing but blocks tells apart ids of their own, made from the numbers of these."""
    times = Counter(identity.id for _, identity in found)
    for blocks, identity in found:
        yield identity if times[identity.id] == 1 else replace(identity, id=_hash((identity.id, blocks)))


def _name(pod: Pod) -> str:
    return pod.name


class _Inside:
    """Which of the blocks that policies name hold the addresses of a class."""

    def __init__(self, known: Classified) -> None:
        self._blocks = known.words.blocks
        self._answers: dict[object, tuple[int, ...]] = {}

    def blocks(self, item: Class) -> tuple[int, ...]:
        """The numbers of the blocks, the same for all addresses that no edge of a block parts."""
        pod = item.end.pod
        looks = item.intervals, pod is not None and pod.planned
        if looks not in self._answers:
            self._answers[looks] = tuple(
                number
                for number, block in enumerate(self._blocks)
                if any(matches(block, item.end, item.end, family) is not Match.NO for family in Family)
            )
        return self._answers[looks]


def is_ours(pod: Pod) -> bool:
    """Whether netaudit made a pod: by its namespace, or by its name and its owner's."""
    if pod.namespace == OWN_NAMESPACE or pod.namespace.startswith(OWN_NAMESPACES):
        return True
    name = OWN_POD.fullmatch(pod.name)
    return name is not None and pod.owner == Owner("Deployment", name[1])


def same_class(model: Model, one: Pod, other: Pod) -> bool:
    """Whether no policy can tell two pods of one namespace apart by labels or named ports."""
    relevant = Relevance(model)
    return relevant.key(one)[:-1] == relevant.key(other)[:-1]


class Relevance:
    """The questions and port names of policies, by the namespace whose pods they can tell apart."""

    def __init__(self, model: Model) -> None:
        """Look through all policies of `model`."""
        self._model = model
        self.port_names = frozenset(term.name for s in model.all_sections() for term in port_terms(s.clauses))
        self._questions: dict[str, tuple[Leaf, ...]] = {}
        self._keys: dict[str, frozenset[str]] = {}
        self._answers: dict[tuple[object, ...], tuple[Match, ...]] = {}

    @cached_property
    def _predicates(self) -> tuple[dict[str, dict[Predicate, None]], dict[Predicate, None]]:
        """Predicates by the one namespace of whose pods they can hold, and those without such a limit."""
        local: dict[str, dict[Predicate, None]] = defaultdict(dict)
        wide: dict[Predicate, None] = {}
        for section in self._model.all_sections():
            for predicate in predicates(section):
                for part, home in homes_of(predicate):
                    if home is None:
                        wide[part] = None
                    else:
                        local[home][part] = None
        return local, wide

    def questions(self, namespace: str) -> tuple[Leaf, ...]:
        """Every question that pods of a namespace may be asked, but for their addresses."""
        if namespace not in self._questions:
            home = self._model.namespace(namespace)
            local, wide = self._predicates
            found = (
                leaf
                for predicate in (*local.get(namespace, ()), *wide)
                for leaf in about_pods(predicate, home)
                if not isinstance(leaf, InBlock)
            )
            self._questions[namespace] = tuple(dict.fromkeys(found))
        return self._questions[namespace]

    def named_ports(self, pod: Pod) -> tuple[ContainerPort, ...]:
        """The pod's container ports whose names policies use, sorted."""
        return tuple(port for port in pod.ports if port.name and port.name in self.port_names)

    def labels(self, pod: Pod) -> tuple[tuple[str, str], ...]:
        """The labels that some selector can see; all others make no difference."""
        namespace = pod.namespace
        if namespace not in self._keys:
            asked = (leaf.selector.keys for leaf in self.questions(namespace) if isinstance(leaf, PodLabels))
            self._keys[namespace] = frozenset().union(*asked)
        keys = self._keys[namespace]
        return tuple(sorted((key, value) for key, value in pod.labels.items() if key in keys))

    def account(self, pod: Pod) -> str:
        """The pod's service account where some policy can see it."""
        seen = any(isinstance(leaf, AccountIs | AccountLabels) for leaf in self.questions(pod.namespace))
        return pod.service_account if seen else ""

    def key(self, pod: Pod) -> tuple[object, ...]:
        """Equal for two pods exactly when no policy can tell them apart."""
        seen = (pod.namespace, self.labels(pod), self.account(pod))
        answers = self._answers.get(seen)
        if answers is None:
            answers = self._answers[seen] = self._ask(pod)
        ports = tuple((port.name, port.number, port.protocol) for port in self.named_ports(pod))
        return pod.namespace, answers, ports, pod.families

    def _ask(self, pod: Pod) -> tuple[Match, ...]:
        end = self._model.end(pod)
        return tuple(matches(leaf, end, end, Family.IPV4) for leaf in self.questions(pod.namespace))


def _identity(model: Model, relevant: Relevance, named: _Ports, members: Sequence[Pod]) -> Identity:
    first = members[0]
    # Members may wear different labels to which all selectors answer alike; the choice is the same in every run.
    labels = min(relevant.labels(pod) for pod in members)
    ports = relevant.named_ports(first)
    families = [family.value for family in first.families]
    parts = [first.namespace, labels, [(port.name, port.number, port.protocol.value) for port in ports], families]
    account = relevant.account(first)
    asks = named.interesting(members)
    return Identity(
        id=_hash(tuple(parts + [account] * bool(account))),
        namespace=first.namespace,
        labels=labels,
        named_ports=ports,
        pods=tuple(members),
        asks=asks,
        isolated=model.isolates(first),
        account=account,
        listens=named.tested(members, asks),
    )


def _hash(parts: tuple[object, ...]) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


class _Ports:
    """The ports that policies name, by the pods that their rules are about."""

    def __init__(self, model: Model, classified: Classified) -> None:
        self._number = classified.number
        self._unnamed = Unnamed(model)
        sets: dict[int, set[Query]] = defaultdict(set)
        others: dict[int, set[Query]] = defaultdict(set)
        for section in model.all_sections():
            for clause in section.clauses:
                named = {(protocol, port) for protocol in Protocol for port in edges_of((clause,), protocol)}
                beside = beside_tcp((clause,), self._unnamed.port())
                if named or beside:
                    about = _about(classified, section, clause)
                    sets[about] |= named
                    others[about] |= beside
        self._named = _by_class(sets)
        self._beside_tcp = _by_class(others)

    def interesting(self, members: Sequence[Pod]) -> tuple[Query, ...]:
        """Ports to ask for at these pods: declared, named by rules about them, and a TCP port that nobody names."""
        first = members[0]
        declared = {(port.protocol, port.number) for pod in members for port in pod.ports}
        named = self._named[self._number[first.namespace, first.name]]
        free = self._unnamed.port(number for protocol, number in declared if protocol is Protocol.TCP)
        queries = {*declared, *named, *((Protocol.TCP, port) for port in free)}
        return in_order(queries)

    def tested(self, members: Sequence[Pod], asks: Iterable[Query]) -> tuple[Query, ...]:
        """Of the ports asked for those worth a packet: UDP and SCTP only where a pod or a rule names the protocol."""
        first = members[0]
        declared = {(port.protocol, port.number) for pod in members for port in pod.ports}
        beside = self._beside_tcp[self._number[first.namespace, first.name]]
        return in_order({*beside, *(query for query in asks if query[0] is Protocol.TCP or query in declared)})


def _by_class(sets: dict[int, set[Query]]) -> dict[int, set[Query]]:
    found: dict[int, set[Query]] = defaultdict(set)
    for bits, ports in sets.items():
        for number in ones(bits):
            found[number] |= ports
    return found


def _about(classified: Classified, section: Section, clause: Clause) -> int:
    """The destinations that a rule is about: the subjects for ingress, the peers for egress."""
    bits = classified.bits
    if section.direction is Direction.INGRESS:
        return bits.answer(section.subject, Family.IPV4).maybe
    return bits.answer(clause.peer, Family.IPV4).maybe | bits.answer(clause.peer, Family.IPV6).maybe


def edges_of(clauses: Iterable[Clause], protocol: Protocol = Protocol.TCP) -> set[int]:
    """First and last port of every range that clauses give by number for a protocol."""
    return {port for term in port_terms(clauses) if term.protocol in {protocol, None} for port in edges(term)}


def rule_edges(model: Model) -> dict[str, frozenset[int]]:
    """First and last port of every range that rules that allow give by number, by the rule's name."""
    found: dict[str, frozenset[int]] = defaultdict(frozenset)
    for section in model.all_sections():
        for clause in section.clauses:
            if clause.action is Action.ALLOW:
                ports = (port for term in port_terms((clause,)) for port in edges(term))
                found[f"{section.ref}.{clause.path}"] |= frozenset(ports)
    return found


def beside_tcp(clauses: Iterable[Clause], free: Iterable[int]) -> set[Query]:
    """Ports that clauses give for UDP or SCTP by the protocol's name, and for UDP those of `free` as well.

    A term for whatever protocol speaks of none of them: to try each of its ports three times would say little more.
    """
    terms = [term for term in port_terms(clauses) if term.protocol not in {Protocol.TCP, None}]
    named = {(term.protocol, port) for term in terms if term.protocol for port in edges(term)}
    is_udp = any(term.protocol is Protocol.UDP for term in terms)
    return named | {(Protocol.UDP, port) for port in free if is_udp}


def edges(term: PortTerm) -> Iterable[int]:
    """First and last port that a term gives by number; nothing for a name and for "all ports"."""
    if not term.name and (term.first, term.last) != (FIRST_PORT, LAST_PORT):
        yield from {term.first, term.last}


class Unnamed:
    """Finds a port that no policy names."""

    def __init__(self, model: Model) -> None:
        """Look through all policies of `model`."""
        ranges = {
            (term.first, term.last)
            for section in model.all_sections()
            for term in port_terms(section.clauses)
            if not term.name and (term.first, term.last) != (FIRST_PORT, LAST_PORT)
        }
        self._free = tuple(port for port in UNNAMED_PORTS if not any(first <= port <= last for first, last in ranges))

    def __contains__(self, port: object) -> bool:
        """Whether a port may be made up."""
        return port in self._free

    def port(self, declared: Iterable[int] = ()) -> frozenset[int]:
        """A port that no policy names and that is not declared, as a set of one; empty where all are named."""
        taken = set(declared)
        return frozenset([port for port in self._free if port not in taken][:1])


def unnamed_port(model: Model, declared: Iterable[int] = ()) -> frozenset[int]:
    """A port that no policy names and that is not declared, as a set of one."""
    return Unnamed(model).port(declared)
