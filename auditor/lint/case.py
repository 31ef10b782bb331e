"""What every rule is given: the snapshot, its policies with the pods they mean, and how an oddity is told.

Pure.  Whom a predicate means is the model's answer, as a set of pods in one big number; everything here is found once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

from auditor.engines import Identification
from auditor.evaluate.vocabulary import at_home
from auditor.lint.absent import Absent
from auditor.lint.addresses import Addresses
from auditor.lint.crowd import Crowd
from auditor.lint.hints import LONGEST, Tally
from auditor.lint.views import PeerView, PolicyView, RuleView, only_pods
from auditor.model.cluster import Namespace, Node, Service, ServicePort, Snapshot
from auditor.model.flow import Direction, PolicyRef
from auditor.model.labels import Labels, LabelSelector
from auditor.model.lint import LintSeverity, ObjectRef
from auditor.model.policy import NetworkPolicy, Rule
from auditor.model.rules import (
    AnyOf,
    Clause,
    Match,
    NamespaceLabels,
    Section,
    pods,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Hit:
    """Something odd, before it has a name; `severity` None means that of its rule."""

    object: ObjectRef
    path: str
    message: str
    why: tuple[str, ...]
    remedy: str
    about: str = ""
    """What tells it from other oddities of the same object, without positions in lists; else its path does."""
    severity: LintSeverity | None = None


@dataclass(frozen=True, slots=True)
class Lint:
    """A rule: a stable id, what it finds, and how to find it."""

    id: str
    title: str
    severity: LintSeverity
    """The highest that it gives."""
    check: Callable[[Case], Iterator[Hit]]


class Case:
    """A snapshot, ready to be looked at."""

    def __init__(self, snapshot: Snapshot, crowd: Crowd, engine: Identification) -> None:
        """Look at `snapshot`, whose pods `crowd` answers for and whose policies `engine` enforces."""
        self.engine = engine
        self.snapshot = snapshot
        self.crowd = crowd
        self.model = crowd.model
        self.namespaces: dict[str, Namespace] = {item.name: item for item in snapshot.namespaces}
        self._made: dict[Callable[[Case], Any], Any] = {}
        self._tallies: dict[str, Tally] = {}
        self._meeting: dict[LabelSelector, list[Namespace]] = {}
        self.whole = bool(snapshot.cluster_uid)
        """Whether this is a cluster and not some manifests, beside which others may exist."""

    @cached_property
    def policies(self) -> tuple[PolicyView, ...]:
        """Every policy that can be read: NetworkPolicies first, each kind in the snapshot's order."""
        return (*self.network_policies, *self._foreign())

    @cached_property
    def network_policies(self) -> tuple[PolicyView, ...]:
        """Every NetworkPolicy."""
        found = []
        for namespace in dict.fromkeys(policy.namespace for policy in self.snapshot.policies):
            # One section for each direction, policy by policy: a name may occur twice in what was read from files.
            sections = iter(self.model.sections(namespace))
            for policy in self.model.policies(namespace):
                mine = tuple(islice(sections, len(policy.isolates)))
                found.append(self._view(policy, mine))
        return tuple(found)

    @cached_property
    def by_namespace(self) -> dict[str, list[PolicyView]]:
        """NetworkPolicies by namespace."""
        found: dict[str, list[PolicyView]] = defaultdict(list)
        for view in self.network_policies:
            found[view.namespace].append(view)
        return found

    @cached_property
    def rules(self) -> tuple[RuleView, ...]:
        """Every rule in force."""
        return tuple(rule for view in self.policies for rule in view.rules)

    @cached_property
    def absent(self) -> Absent:
        """What has labels and is no pod that policies apply to."""
        return Absent(self.snapshot)

    @cached_property
    def service_addresses(self) -> Addresses[Service]:
        """The Services by their addresses."""
        return Addresses((text, item) for item in self.snapshot.services for text in item.addresses)

    @cached_property
    def node_addresses(self) -> Addresses[Node]:
        """The nodes by their addresses."""
        return Addresses((text, item) for item in self.snapshot.nodes for text in item.addresses)

    @cached_property
    def translating(self) -> dict[int, list[tuple[Service, ServicePort]]]:
        """By number, the ports of Services that lead, or may lead, to another number."""
        found: dict[int, list[tuple[Service, ServicePort]]] = defaultdict(list)
        for service in self.snapshot.services:
            for port in service.ports:
                if port.target != port.number:
                    found[port.number].append((service, port))
        return found

    def namespaces_meeting(self, selector: LabelSelector) -> list[Namespace]:
        """The namespaces that a selector meets, or may meet."""
        if selector not in self._meeting:
            asked = NamespaceLabels(selector)
            self._meeting[selector] = [
                item for item in self.snapshot.namespaces if at_home(asked, item) is not Match.NO
            ]
        return self._meeting[selector]

    def tally(self, namespace: str) -> Tally:
        """The labels of a namespace's pods."""
        if namespace not in self._tallies:
            here = self.crowd.members(self.crowd.in_namespace(namespace))
            self._tallies[namespace] = Tally(pod.labels for pod in here)
        return self._tallies[namespace]

    @cached_property
    def labels(self) -> Tally:
        """The labels of all pods."""
        return Tally(pod.labels for pod in self.snapshot.pods if pod.talks)

    @cached_property
    def namespace_labels(self) -> Tally:
        """The labels of all namespaces."""
        return Tally(item.labels for item in self.snapshot.namespaces)

    def meeting(self, selector: LabelSelector) -> int:
        """The pods of any namespace that a selector meets."""
        return self.crowd.may(pods(selector=selector))

    def namespaces_with(self, selector: LabelSelector) -> set[str]:
        """The namespaces that hold a pod which a selector meets; none where there are too many to mean anything."""
        homes: set[str] = set()
        for pod in self.crowd.members(self.meeting(selector)):
            homes.add(pod.namespace)
            if len(homes) > LONGEST:
                return set()
        return homes

    def labelled(self, namespace: str, labels: Labels) -> int:
        """The pods of a namespace that wear some labels."""
        return self.crowd.among(self.crowd.in_namespace(namespace), lambda pod: labels.items() <= pod.labels.items())

    def once(self, make: Callable[[Case], T]) -> T:
        """What more than one rule looks at, made when the first one does."""
        if make not in self._made:
            self._made[make] = make(self)
        found: T = self._made[make]
        return found

    def can_tell(self, namespace: str) -> bool:
        """Whether what is missing in a namespace is missing for sure: its pods were read, and there are some."""
        if ("pods", namespace) in self.snapshot.unreadable_in or "pods" in self.snapshot.unreadable:
            return False
        return self.whole or bool(self.crowd.in_namespace(namespace))

    def _view(self, policy: NetworkPolicy, sections: tuple[Section, ...]) -> PolicyView:
        subject = self.crowd.may(pods(policy.namespace, selector=policy.pod_selector))
        view = PolicyView(policy.ref, policy.namespace, subject, sections, policy)
        for section in sections:
            rules = policy.rules(section.direction)
            for clause, rule in zip(section.clauses, rules, strict=True):
                view.rules.append(self._rule(view, section, clause, rule))
        return view

    def _rule(self, view: PolicyView, section: Section, clause: Clause, rule: Rule) -> RuleView:
        path = f"spec.{clause.path}"
        word = "from" if section.direction is Direction.INGRESS else "to"
        parts = clause.peer.parts if isinstance(clause.peer, AnyOf) else (clause.peer,)
        peers = tuple(
            PeerView(f"{path}.{word}[{position}]", peer, self.crowd.may(part))
            for position, (peer, part) in enumerate(zip(rule.peers, parts, strict=bool(rule.peers)))
        )
        reached = _union(peer.pods for peer in peers) if peers else self.crowd.may(clause.peer)
        beyond = not rule.peers or any(peer.ip_block is not None for peer in rule.peers)
        return RuleView(view, section.direction, path, clause, view.subject, reached, beyond, rule, peers)

    def _foreign(self) -> Iterator[PolicyView]:
        by_ref: dict[PolicyRef, list[Section]] = defaultdict(list)
        for section in self.model.foreign:
            by_ref[section.ref].append(section)
        for ref, sections in by_ref.items():
            subjects = [self.crowd.may(section.subject) for section in sections]
            view = PolicyView(ref, ref.namespace, _union(subjects), tuple(sections))
            for section, subject in zip(sections, subjects, strict=True):
                for clause in section.clauses:
                    reached, beyond = self.crowd.may(clause.peer), not only_pods(clause.peer)
                    path = f"spec.{clause.path}"
                    view.rules.append(RuleView(view, section.direction, path, clause, subject, reached, beyond))
            yield view


def _union(sets: Iterable[int]) -> int:
    found = 0
    for one in sets:
        found |= one
    return found
