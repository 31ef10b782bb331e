"""Pods that may open connections by name and are not let through to whoever answers names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from auditor.lint.case import Case, Hit, Lint
from auditor.lint.hints import listed
from auditor.lint.views import PolicyView, RuleView
from auditor.model.cluster import ContainerPort, Pod
from auditor.model.ends import Address
from auditor.model.flow import Direction, Protocol, Verdict
from auditor.model.lint import LintSeverity
from auditor.model.rules import PortTerm, pods
from auditor.model.words import plural

DNS: Final = 53
SYSTEM: Final = ("kube-system", "openshift-dns")
"""Namespaces whose Services answer names."""
LABELS: Final = {"k8s-app": "kube-dns"}
"""What pods of the cluster's DNS wear, whichever program it is."""
LOCAL: Final = frozenset({"node-local-dns", "nodelocaldns"})
LOCAL_ADDRESS: Final = Address("169.254.20.10")
"""Where a cache on each node answers, by default."""
REMEDY: Final = (
    "allow egress to the pods of kube-system with k8s-app=kube-dns on UDP and TCP 53, for all pods of the namespace"
)


@dataclass(slots=True, eq=False)
class Servers:
    """Who answers names, and where."""

    pods: int
    """Known ones."""
    one: Pod
    """Any of them, or one that is taken for granted where manifests hold none."""
    ports: frozenset[int]
    names: frozenset[tuple[str, Protocol]]
    """What their containers call these ports."""
    known: bool


@dataclass(slots=True, eq=False)
class Gap:
    """Pods that lack DNS by the same policy."""

    policy: PolicyView
    pods: int = 0
    others: set[str] = field(default_factory=set)
    talks: bool = False
    """Whether anything else is allowed to leave them."""


def servers(case: Case) -> Servers:
    """Find the pods behind the cluster's DNS Service."""
    found, ports = 0, set()
    for service in case.snapshot.services:
        if service.namespace in SYSTEM and service.selector is not None:
            for port in service.ports:
                if port.number == DNS and port.protocol is Protocol.UDP:
                    behind = case.crowd.may(pods(service.namespace, selector=service.selector))
                    found |= behind
                    ports |= case.crowd.targets(behind, port) if behind else set()
    if not found:
        for name in SYSTEM:
            found |= case.labelled(name, LABELS)
    if found:
        numbers = frozenset(ports or {DNS})
        return Servers(found, case.crowd.one_of(found), numbers, _names(case, found, numbers), known=True)
    declared = (ContainerPort("dns", DNS, Protocol.UDP), ContainerPort("dns-tcp", DNS, Protocol.TCP))
    pod = Pod(SYSTEM[0], "(dns)", LABELS, ports=declared, planned=True)
    return Servers(0, pod, frozenset({DNS}), frozenset(), known=False)


def _names(case: Case, found: int, numbers: frozenset[int]) -> frozenset[tuple[str, Protocol]]:
    declared = (port for pod in case.crowd.members(found) for port in pod.ports)
    return frozenset((port.name, port.protocol) for port in declared if port.name and port.number in numbers)


def blocked(case: Case) -> Iterator[Hit]:
    """Policies that close egress while nothing lets their pods ask for names."""
    at = case.once(servers)
    for gap in _gaps(case, at):
        policy, count = gap.policy, case.crowd.count(gap.pods)
        wrong = _tcp_alone(gap.policy, at)
        where = f"UDP {listed(map(str, sorted(at.ports)))} of the cluster's DNS"
        why = [f"egress is closed for {plural(count, 'pod')}, such as {_name(case.crowd.one_of(gap.pods))}"]
        why.append(f"no rule lets them through to {where}")
        why += [f"{wrong.path} allows TCP {DNS} alone: a port without a protocol is TCP"] if wrong else []
        why += [f"isolated by {listed(gap.others)} as well"] if gap.others else []
        yield Hit(
            policy.object,
            wrong.path if wrong else "spec.egress",
            "lets pods connect to others but not ask for their names"
            if gap.talks
            else "closes egress altogether, DNS included",
            tuple(why),
            REMEDY,
            "dns",
            None if gap.talks else LintSeverity.INFO,
        )


def _gaps(case: Case, at: Servers) -> list[Gap]:
    """Group the pods without DNS by the policy that most likely should have allowed it."""
    gaps: dict[int, Gap] = {}
    for views in case.by_namespace.values():
        closing = [view for view in views if Direction.EGRESS in view.isolates and view.subject]
        lacking = _union(view.subject for view in closing)
        for view in closing:
            if any(_reaches(rule, at, Protocol.UDP) for rule in view.rules_of(Direction.EGRESS)):
                lacking &= ~view.subject
        for group, found in _alike(lacking, closing):
            if _is_denied(case, at, case.crowd.one_of(found), Protocol.UDP):
                open_ = [view for view in group if view.rules_of(Direction.EGRESS)]
                owner = (open_ or group)[0]
                gap = gaps.setdefault(id(owner), Gap(owner))
                gap.pods |= found
                gap.talks = gap.talks or bool(open_)
                gap.others |= {str(view.ref) for view in group if view is not owner}
    return list(gaps.values())


def _alike(found: int, views: list[PolicyView]) -> Iterator[tuple[list[PolicyView], int]]:
    """Part a set of pods by which policies select them."""
    parts: list[tuple[list[PolicyView], int]] = [([], found)] if found else []
    for view in views:
        split: list[tuple[list[PolicyView], int]] = []
        for group, members in parts:
            inside, outside = members & view.subject, members & ~view.subject
            split += [([*group, view], inside)] if inside else []
            split += [(group, outside)] if outside else []
        parts = split
    yield from parts


def _reaches(rule: RuleView, at: Servers, protocol: Protocol) -> bool:
    """Whether a rule lets through to DNS; of manifests without it, any rule that names the port is taken to."""
    explicit = [term for term in _named(rule) if term.protocol in {None, protocol} and _holds(term, at)]
    if not at.known:
        return bool(explicit) or (not rule.clause.ports and not rule.peers)
    if explicit and rule.beyond:
        # A block with this very port is a server of names too: a cache on the node, or one outside.
        return True
    named = any((term.name, protocol) in at.names for term in _named(rule) if term.protocol in {None, protocol})
    return bool(rule.pods & at.pods) and (not rule.clause.ports or bool(explicit) or named)


def _holds(term: PortTerm, at: Servers) -> bool:
    return not term.name and any(term.first <= number <= term.last for number in at.ports)


def _named(rule: RuleView) -> list[PortTerm]:
    return [term for ports in rule.clause.ports for term in ports.terms]


def _is_denied(case: Case, at: Servers, pod: Pod, protocol: Protocol) -> bool:
    """Ask the model: other kinds of policy may allow what NetworkPolicies do not."""
    if pod.namespace in SYSTEM and not at.known:
        return False
    family = next((item for item in pod.families if item in at.one.families), pod.families[0])
    verdicts = {case.model.decide(pod, at.one, family, port, protocol).egress.verdict for port in at.ports}
    return verdicts == {Verdict.DENIED}


def _tcp_alone(view: PolicyView, at: Servers) -> RuleView | None:
    """The rule that would allow DNS, had it named UDP."""
    for rule in view.rules_of(Direction.EGRESS):
        if any(term.protocol is Protocol.TCP and term.first == term.last and _holds(term, at) for term in _named(rule)):
            return rule
    return None


def without_tcp(case: Case) -> Iterator[Hit]:
    """Rules that allow DNS by UDP and whose pods may not go on by TCP, which long answers need."""
    at = case.once(servers)
    for views in case.by_namespace.values():
        closing = [view for view in views if Direction.EGRESS in view.isolates and view.subject]
        rules = [rule for view in closing for rule in view.rules_of(Direction.EGRESS)]
        full = _union(rule.subject for rule in rules if _reaches(rule, at, Protocol.TCP))
        for rule in rules:
            lacking = rule.subject & ~full
            udp = [term for term in _named(rule) if term.protocol is Protocol.UDP and _holds(term, at)]
            if not lacking or not udp or not _reaches(rule, at, Protocol.UDP):
                continue
            if _is_denied(case, at, case.crowd.one_of(lacking), Protocol.TCP):
                yield Hit(
                    rule.of.object,
                    rule.path,
                    "allows DNS by UDP and not by TCP, which answers need that are too long for one datagram",
                    (f"{plural(case.crowd.count(lacking), 'pod')} may ask by UDP alone",),
                    f"add {{protocol: TCP, port: {min(at.ports)}}} to the rule",
                    "dns-tcp",
                )


def past_the_cache(case: Case) -> Iterator[Hit]:
    """Rules that allow DNS to its pods, while a cache on each node is what is really asked."""
    caches = [pod for name in SYSTEM for pod in case.absent.on_host(name) if pod.labels.get("k8s-app") in LOCAL]
    if not caches or not case.once(servers).known:
        return
    for views in case.by_namespace.values():
        for view in views:
            for rule in view.rules_of(Direction.EGRESS) if view.subject else ():
                if any(term.protocol is Protocol.UDP and _holds(term, case.once(servers)) for term in _named(rule)):
                    yield from _past_the_cache(case, rule, caches[0])


def _past_the_cache(case: Case, rule: RuleView, cache: Pod) -> Iterator[Hit]:
    pod = case.crowd.one_of(rule.subject)
    decision = case.model.decide(pod, LOCAL_ADDRESS, pod.families[0], DNS, Protocol.UDP)
    if decision.egress.verdict is Verdict.DENIED and rule.pods & case.once(servers).pods:
        yield Hit(
            rule.of.object,
            rule.path,
            f"allows DNS to its pods, but not to the cache on the node, {LOCAL_ADDRESS.ip}",
            (f"{_name(cache)} runs on the nodes' network, and pods ask it instead of the pods of DNS",),
            f"allow UDP and TCP {DNS} to the ipBlock {LOCAL_ADDRESS.ip}/32 as well",
            "dns-cache",
        )


def _name(pod: Pod) -> str:
    return f"{pod.namespace}/{pod.name}"


def _union(sets: Iterator[int]) -> int:
    found = 0
    for one in sets:
        found |= one
    return found


BLOCKED = Lint("dns-blocked", "egress that is closed for DNS", LintSeverity.WARNING, blocked)
WITHOUT_TCP = Lint("dns-without-tcp", "DNS by UDP alone", LintSeverity.INFO, without_tcp)
PAST_THE_CACHE = Lint("dns-past-the-cache", "DNS beside the cache that pods ask", LintSeverity.WARNING, past_the_cache)
