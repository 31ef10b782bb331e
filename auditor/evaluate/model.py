"""A snapshot's policies, ready to be asked about flows.

Pure.  The one place where the ends of a flow are found out and both directions are put together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import product

from auditor.evaluate import ends
from auditor.evaluate.end import Applied, End, Selection
from auditor.evaluate.foreign import translate
from auditor.evaluate.match import NAME_LABEL, Asked, clause_matches, is_own_node, matches
from auditor.evaluate.reasons import decision
from auditor.evaluate.vocabulary import leaves
from auditor.evaluate.walk import walk
from auditor.evaluate.without import is_free
from auditor.model.cluster import BlindSpot, Namespace, Pod, Snapshot
from auditor.model.dialect import API, Dialect, HostNetwork
from auditor.model.ends import Address
from auditor.model.flow import Decision, Direction, DirectionDecision, Family, Protocol, Traffic, Verdict
from auditor.model.policy import NetworkPolicy
from auditor.model.rules import EndKind, InBlock, Match, Section
from auditor.policy import networkpolicy

SELF = "a pod always reaches itself"
OWN_NODE = "a pod is always reached from its own node"


class Model:
    """The policies of a snapshot, indexed for questions about flows.

    `pods` given to it need not be part of the snapshot: a probe pod is judged as the API server stored it.
    """

    def __init__(self, snapshot: Snapshot, extra_namespaces: Iterable[Namespace] = (), dialect: Dialect = API) -> None:
        """Index `snapshot`; `extra_namespaces` are netaudit's own, which do not exist yet."""
        self.snapshot = snapshot
        self.dialect = dialect
        self.extra_namespaces = tuple(extra_namespaces)
        self.namespaces = {item.name: item for item in (*self.extra_namespaces, *snapshot.namespaces)}
        self._policies: dict[str, list[NetworkPolicy]] = defaultdict(list)
        for policy in snapshot.policies:
            self._policies[policy.namespace].append(policy)
        self._sections: dict[str, tuple[Section, ...]] = {}
        self._ends: dict[int, tuple[Pod, tuple[End, ...]]] = {}
        self._selections: dict[tuple[object, ...], Selection] = {}
        self._finder = ends.Finder(snapshot)
        self.hits: Callable[[Selection, Asked], tuple[int, ...] | None] = _hits
        """Which of a selection's plain clauses match for sure; None where it takes a walk to tell. See `quicken`."""
        foreign, spots, self.notes = translate(snapshot, dialect)
        self.foreign: tuple[Section, ...] = foreign
        """Sections of every kind but NetworkPolicy v1."""
        self.blind_spots: tuple[BlindSpot, ...] = tuple(dict.fromkeys((*snapshot.blind_spots, *spots)))
        self._everywhere = [spot.reason for spot in self.blind_spots if spot.namespace is None]
        self._blind = {spot.namespace: spot.reason for spot in self.blind_spots if spot.namespace is not None}

    def namespace(self, name: str) -> Namespace:
        """The namespace of that name; where none was read, its name is all that is known of it."""
        return self.namespaces.get(name) or Namespace(name, {NAME_LABEL: name}, labels_known=False)

    def policies(self, namespace: str) -> Sequence[NetworkPolicy]:
        """The NetworkPolicies of a namespace."""
        return self._policies.get(namespace, ())

    def sections(self, namespace: str) -> tuple[Section, ...]:
        """What the NetworkPolicies of a namespace say."""
        if namespace not in self._sections:
            found = self._policies.get(namespace, ())
            self._sections[namespace] = tuple(
                section for policy in found for section in networkpolicy.sections(policy, self.dialect)
            )
        return self._sections[namespace]

    def all_sections(self) -> Iterator[Section]:
        """What every policy object says, in a fixed order."""
        for namespace in sorted(self._policies):
            yield from self.sections(namespace)
        yield from self.foreign

    @cached_property
    def dark(self) -> tuple[bool, frozenset[str]]:
        """Whether nothing can be said of any flow, and the namespaces of whose flows nothing can."""
        return bool(self._everywhere), frozenset(self._blind)

    def isolates(self, pod: Pod) -> frozenset[Direction]:
        """The directions in which at least one policy has a say about the pod."""
        end = self.end(pod)
        return frozenset(direction for direction in Direction if self.applied(end, direction))

    def end(self, pod: Pod) -> End:
        """A pod as one end of a flow, read as a pod even on the host's network."""
        return next(end for end in self.readings(pod) if end.kind is EndKind.POD)

    def applied(self, end: End, direction: Direction) -> tuple[Applied, ...]:
        """The sections that select an end in a direction, by tier and rank."""
        return self.selection(end, direction).applied

    def selection(self, end: End, direction: Direction) -> Selection:
        """The sections that select an end in a direction; nothing selects what is not read as a pod."""
        known = end.egress if direction is Direction.EGRESS else end.ingress
        if known is not None:
            return known
        found = self._shared(end, direction)
        if direction is Direction.EGRESS:
            end.egress = found
        else:
            end.ingress = found
        return found

    def _shared(self, end: End, direction: Direction) -> Selection:
        """One selection for all pods that look alike to policies' subjects."""
        if end.kind is not EndKind.POD or end.pod is None:
            return Selection(())
        pod = end.pod
        looks = direction, pod.namespace, pod.service_account, tuple(pod.labels.items()), self._address(pod)
        if pod.host_network or end.namespace is not self.namespaces.get(pod.namespace):
            return Selection(self._selecting(end, direction))
        found = self._selections.get(looks)
        if found is None:
            found = self._selections[looks] = Selection(self._selecting(end, direction))
        return found

    def _address(self, pod: Pod) -> tuple[str, ...]:
        """The pod's addresses, where some policy selects its pods by them."""
        return pod.addresses if self._selects_by_address else ()

    @cached_property
    def _selects_by_address(self) -> bool:
        return any(isinstance(leaf, InBlock) for section in self.foreign for leaf in leaves(section.subject))

    def _selecting(self, end: End, direction: Direction) -> Iterator[Applied]:
        home = end.pod.namespace if end.pod is not None else ""
        for section in (*self.sections(home), *self.foreign):
            if section.direction is direction:
                match = matches(section.subject, end, end, Family.IPV4)
                if match is not Match.NO:
                    yield Applied(section, match is Match.YES)

    def decide(
        self,
        source: Pod | Address,
        destination: Pod | Address,
        family: Family,
        port: int,
        protocol: Protocol = Protocol.TCP,
    ) -> Decision:
        """Predict one flow, with what each end contributed.

        Denied by either end is DENIED, whatever the other one leaves open; an unmodelled object comes before all.  An
        address that a pod or a node has stands for that one.
        """
        traffic = Traffic(family, protocol, port)
        one, other = self.resolve(source), self.resolve(destination)
        # An engine reads both ends in the same way, so ends on the host's network are paired and not multiplied.
        here, there = self.readings(one), self.readings(other)
        if len(here) == len(there) == 1:
            return self._decide(here[0], there[0], traffic)
        pairs = zip(here, there, strict=True) if len(here) == len(there) else product(here, there)
        found = [self._decide(first, second, traffic) for first, second in pairs]
        return either(found, "the API leaves open what policies mean for pods on the host's network")

    def resolve(self, end: Pod | Address) -> Pod | Address:
        """The running pod that has an address, or the address itself."""
        return end if isinstance(end, Pod) else self._finder.pod(end) or end

    def is_node(self, address: Address) -> bool:
        """Whether a node has an address."""
        return self._finder.address_end(address).kind is EndKind.NODE

    def readings(self, end: Pod | Address) -> tuple[End, ...]:
        """What an end may be taken for: one thing, or two for a pod on the host's network."""
        end = self.resolve(end)
        if isinstance(end, Address):
            return (self._finder.address_end(end),)
        if id(end) not in self._ends:
            self._ends[id(end)] = end, self._finder.pod_ends(end, self.namespace(end.namespace))
        found = self._ends[id(end)][1]
        if not end.host_network or self.dialect.host_network is HostNetwork.OPEN:
            return found
        wanted = EndKind.POD if self.dialect.host_network is HostNetwork.AS_POD else EndKind.NODE
        return tuple(item for item in found if item.kind is wanted)

    def ruled(self, source: Pod, destination: Pod, traffic: Traffic) -> Decision:
        """What policies alone say of a flow, though it be from a pod to itself."""
        one, other = self.end(source), self.end(destination)
        egress, ingress = (self.direction(item, one, other, traffic) for item in (Direction.EGRESS, Direction.INGRESS))
        return combine(egress, ingress)

    def _decide(self, source: End, destination: End, traffic: Traffic) -> Decision:
        egress = self.direction(Direction.EGRESS, source, destination, traffic)
        ingress = self.direction(Direction.INGRESS, source, destination, traffic)
        for text in self._blindness(source, destination):
            return Decision(Verdict.UNKNOWN, egress, ingress, text)
        if _same_pod(source, destination):
            return Decision(Verdict.ALLOWED, _open(egress, SELF), _open(ingress, SELF), SELF)
        return combine(egress, ingress)

    def direction(self, direction: Direction, source: End, destination: End, traffic: Traffic) -> DirectionDecision:
        """What the policies of one end decide: the source's for egress, the destination's for ingress."""
        subject, peer = (source, destination) if direction is Direction.EGRESS else (destination, source)
        selection = self.selection(subject, direction)
        asked = Asked(subject, peer, destination, traffic)
        hits = None if selection.clauses is None else self.hits(selection, asked)
        # Where the same clauses match the answer is the same, whoever the peer is; most often it is none of them.
        found = None if hits is None else selection.known.get(hits)
        if found is None:
            course = walk(selection, asked)
            found = decision(direction, course, asked)
            if found.allowing and found.verdict is Verdict.ALLOWED and is_free(selection, course, asked):
                found = replace(found, free=True)
            if hits is not None:
                selection.known[hits] = found
        if found.verdict is Verdict.ALLOWED or peer.kind is not EndKind.NODE:
            return found
        return self._by_node(found, subject, peer)

    def _by_node(self, found: DirectionDecision, subject: End, node: End) -> DirectionDecision:
        """What is special about the node that a pod runs on: its kubelet must be able to probe."""
        if is_own_node(node, subject):
            if found.direction is Direction.INGRESS or self.dialect.reaches_own_node is Match.YES:
                return _open(found, OWN_NODE)
            # What was not read may deny or not, whatever the engine makes of a denial.
            if self.dialect.reaches_own_node is Match.NO or found.verdict is Verdict.UNKNOWN:
                return found
            reason = "the API leaves open whether policies apply from a pod to its own node"
        elif found.verdict is not Verdict.DENIED or (subject.node_name and node.node_name):
            return found
        else:
            reason = "which node the pod will run on is not known, and from its own it is reached"
        return DirectionDecision(found.direction, Verdict.UNDEFINED, found.isolating, (), reason)

    def _blindness(self, source: End, destination: End) -> list[str]:
        if not self.blind_spots:
            return []
        names = dict.fromkeys(end.pod.namespace for end in (source, destination) if end.pod is not None)
        return [*self._everywhere, *(self._blind[name] for name in names if name in self._blind)]


def _hits(selection: Selection, asked: Asked) -> tuple[int, ...] | None:
    """No clause at all, or nothing that could be told without a walk."""
    for clause in selection.fitting(asked.traffic):
        if clause_matches(clause, asked):
            return None
    return ()


def _same_pod(source: End, destination: End) -> bool:
    one, other = source.pod, destination.pod
    if one is None or other is None:
        return False
    return (one.namespace, one.name) == (other.namespace, other.name)


def _open(end: DirectionDecision, reason: str) -> DirectionDecision:
    return DirectionDecision(end.direction, Verdict.ALLOWED, (), (), reason)


def combine(egress: DirectionDecision, ingress: DirectionDecision) -> Decision:
    """Put both directions together: a flow needs both."""
    for verdict in (Verdict.DENIED, Verdict.UNKNOWN, Verdict.UNDEFINED):
        found = [end for end in (egress, ingress) if end.verdict is verdict]
        if found:
            return Decision(verdict, egress, ingress, "; ".join(f"{e.direction.value}: {e.reason}" for e in found))
    return Decision(Verdict.ALLOWED, egress, ingress, f"Egress: {egress.reason}; Ingress: {ingress.reason}")


def either(found: Sequence[Decision], reason: str) -> Decision:
    """Any of these may be what happens: where they differ the verdict is UNDEFINED for `reason`, or UNKNOWN.

    Each direction is put together in the same way.
    """
    if len({item.verdict for item in found}) == 1:
        return found[0]
    egress, ingress = _one_of([item.egress for item in found]), _one_of([item.ingress for item in found])
    for item in found:
        if item.verdict is Verdict.UNKNOWN:
            return Decision(Verdict.UNKNOWN, egress, ingress, item.reason)
    return Decision(Verdict.UNDEFINED, egress, ingress, reason)


def _one_of(ends: Sequence[DirectionDecision]) -> DirectionDecision:
    verdicts = {end.verdict for end in ends}
    if len(verdicts) == 1:
        return ends[0]
    return DirectionDecision(
        ends[0].direction,
        Verdict.UNKNOWN if Verdict.UNKNOWN in verdicts else Verdict.UNDEFINED,
        tuple(sorted({ref for end in ends for ref in end.isolating})),
        tuple(sorted({name for end in ends for name in end.allowing})),
        "; or: ".join(dict.fromkeys(end.reason for end in ends)),
        tuple(sorted({name for end in ends for name in end.denying})),
    )
