"""Policies and rules that change nothing, because others say the same or more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from auditor.lint.case import Case, Hit, Lint
from auditor.lint.hints import listed, text
from auditor.lint.views import PolicyView, RuleView
from auditor.model.flow import Direction
from auditor.model.labels import EVERYTHING
from auditor.model.lint import LintSeverity
from auditor.model.policy import IPBlock, IPNetwork, NetworkPolicy, Peer, Rule
from auditor.model.rules import PortTerm
from auditor.model.words import plural


@dataclass(slots=True, eq=False)
class Reach:
    """What a rule allows, in a form that can be compared: today's pods, blocks, and ports."""

    rule: RuleView
    place: int
    """Of rules that say the same the one with the lowest place counts."""
    anybody: bool
    pods: int
    """By selectors."""
    blocks: tuple[IPBlock, ...]
    ports: tuple[PortTerm, ...]
    """None means any."""
    abroad: tuple[Peer, ...] = ()
    """Peers of other namespaces, where not all of their pods were read."""

    def covers(self, other: Reach) -> bool:
        """Whether this allows, to the same subjects, everything that `other` allows."""
        # Sets of pods are compared first: that costs least and settles most.
        if not self.anybody and (other.anybody or other.pods & ~self.pods):
            return False
        if not self.anybody and not all(self._implied(peer) for peer in other.abroad):
            return False
        if other.rule.subject & ~self.rule.subject or not _covers_ports(self.ports, other.ports):
            return False
        return self.anybody or all(any(_covers_block(mine, block) for mine in self.blocks) for block in other.blocks)

    def _implied(self, peer: Peer) -> bool:
        """Whether a peer is one of these whatever pods there are: by having all their requirements."""
        return any(_requires(peer, view.peer) for view in self.rule.peers)


def _requires(narrow: Peer, wide: Peer) -> bool:
    if wide.namespace_selector is None or narrow.namespace_selector is None:
        return False
    homes = set(wide.namespace_selector.requirements) <= set(narrow.namespace_selector.requirements)
    own = set((wide.pod_selector or EVERYTHING).requirements) <= set((narrow.pod_selector or EVERYTHING).requirements)
    return homes and own


def _reach(case: Case, rule: RuleView, place: int) -> Reach:
    pods = 0
    for view in rule.peers:
        if view.peer.ip_block is None:
            pods |= view.pods
    blocks = tuple(view.peer.ip_block for view in rule.peers if view.peer.ip_block is not None)
    terms = tuple(term for ports in rule.clause.ports for term in ports.terms)
    peers = () if case.whole else tuple(view.peer for view in rule.peers if view.peer.namespace_selector is not None)
    return Reach(rule, place, not rule.peers, pods, blocks, terms, peers)


def _covers_ports(wide: tuple[PortTerm, ...], narrow: tuple[PortTerm, ...]) -> bool:
    if not wide or wide == narrow:
        return True
    return bool(narrow) and all(any(_covers_term(one, term) for one in wide) for term in narrow)


def _covers_term(wide: PortTerm, narrow: PortTerm) -> bool:
    if wide.protocol is not narrow.protocol:
        return False
    if wide.name or narrow.name:
        return wide.name == narrow.name or (not wide.name and (wide.first, wide.last) == (1, 65535))
    return wide.first <= narrow.first and narrow.last <= wide.last


def _covers_block(wide: IPBlock, narrow: IPBlock) -> bool:
    if not _within(narrow.cidr, wide.cidr):
        return False
    holes = [hole for hole in wide.excepts if hole.overlaps(narrow.cidr)]
    return all(any(_within(hole, mine) for mine in narrow.excepts) for hole in holes)


def _within(narrow: IPNetwork, wide: IPNetwork) -> bool:
    if isinstance(narrow, IPv4Network):
        return isinstance(wide, IPv4Network) and narrow.subnet_of(wide)
    return isinstance(wide, IPv6Network) and narrow.subnet_of(wide)


def duplicates(case: Case) -> Iterator[Hit]:
    """NetworkPolicies of one namespace with the same spec; the first by name is not odd."""
    for first, others in case.once(_twins):
        for view in others:
            yield Hit(
                view.object,
                "spec",
                f"says the same as {first.ref}",
                (f"both select {text(_policy(view).pod_selector)} in {view.namespace}, with the same types and rules",),
                "delete one of the two",
                "duplicate",
            )


def _twins(case: Case) -> list[tuple[PolicyView, list[PolicyView]]]:
    found: dict[object, list[PolicyView]] = defaultdict(list)
    for view in case.network_policies:
        policy = _policy(view)
        if not view.subject and policy.pod_selector.requirements:
            # That it selects nothing is odd enough.
            continue
        # Most differ in these already; what is left is compared to the letter.
        rough = (view.namespace, view.subject, policy.isolates, len(policy.ingress), len(policy.egress))
        found[rough].append(view)
    twins = []
    for group in found.values():
        exact: dict[object, list[PolicyView]] = defaultdict(list)
        for view in group if len(group) > 1 else ():
            exact[_spec(_policy(view))].append(view)
        twins += [(same[0], same[1:]) for same in exact.values() if len(same) > 1]
    return twins


def _policy(view: PolicyView) -> NetworkPolicy:
    if view.policy is None:
        raise TypeError(view.ref)
    return view.policy


def _spec(policy: NetworkPolicy) -> object:
    """What a policy says, in no order."""
    return frozenset(policy.pod_selector.requirements), _rules(policy.ingress), _rules(policy.egress)


def _rules(rules: tuple[Rule, ...]) -> frozenset[object]:
    return frozenset((frozenset(rule.peers), frozenset(rule.ports)) for rule in rules)


def shadowed_policies(case: Case) -> Iterator[Hit]:
    """Policies without which everything would be as it is, as long as the pods are as they are."""
    for view, by in case.once(Shadows).policies:
        yield Hit(
            view.object,
            "spec",
            f"changes nothing: {listed(by)} {'allows' if len(set(by)) == 1 else 'allow'} all that it allows, and more",
            (
                f"the {plural(case.crowd.count(view.subject), 'pod')} that it selects are isolated by others too",
                "each of its rules is part of a wider one, as far as today's pods go",
            ),
            "delete it, or narrow the rules that allow more than it does",
            "shadowed",
        )


def shadowed_rules(case: Case) -> Iterator[Hit]:
    """Rules that are part of a wider one for the same pods."""
    for narrow, wide in case.once(Shadows).rules:
        yield Hit(
            narrow.of.object,
            narrow.path,
            f"allows nothing that {wide.of.ref} does not allow already",
            (f"{wide.of.ref}: {wide.path} is for the same pods or more, and allows these peers and ports or more",),
            "delete the rule, or narrow the wider one",
            f"{narrow.path}",
        )


class Shadows:
    """Which rules, and which whole policies, other rules make superfluous."""

    def __init__(self, case: Case) -> None:
        """Compare the rules of each namespace and direction with each other."""
        self.rules: list[tuple[RuleView, RuleView]] = []
        self.policies: list[tuple[PolicyView, list[str]]] = []
        twins = {id(view) for _, others in case.once(_twins) for view in others}
        for views in case.by_namespace.values():
            kept = [view for view in views if view.subject and id(view) not in twins]
            self._compare(case, kept, {id(view) for view in kept if _means_host(case, view)})

    def _compare(self, case: Case, views: list[PolicyView], hosting: set[int]) -> None:
        wider: dict[int, Reach] = {}
        for direction in Direction:
            rules = [rule for view in views for rule in view.rules_of(direction) if rule.pods or rule.beyond]
            wider |= _wider([_reach(case, rule, place) for place, rule in enumerate(rules)])
        whole: set[int] = set()
        for view in views:
            # What goes already can isolate nothing for others: all that is named here may go at once.
            left = [other for other in views if other is not view and id(other) not in whole]
            if id(view) not in hosting and self._is_whole(view, left, wider):
                whole.add(id(view))
        for view in views:
            shadowed = [(rule, wider[id(rule)].rule) for rule in view.rules if id(rule) in wider]
            if id(view) in hosting:
                # Of pods on the host's network nobody knows what the wider rule means for them.
                continue
            if id(view) in whole:
                self.policies.append((view, [str(wide.of.ref) for _, wide in shadowed]))
            else:
                self.rules += shadowed

    def _is_whole(self, view: PolicyView, others: list[PolicyView], wider: dict[int, Reach]) -> bool:
        """Whether `others` do all that this one does: each of its rules, and all of its isolation."""
        if not view.rules or any(id(rule) not in wider or wider[id(rule)].rule.of is view for rule in view.rules):
            return False
        for direction in view.isolates:
            rest = view.subject
            for other in others:
                if direction in other.isolates:
                    rest &= ~other.subject
            if rest:
                return False
        return True


def _means_host(case: Case, view: PolicyView) -> bool:
    selector = _policy(view).pod_selector
    return any(selector.matches(pod.labels) for pod in case.absent.on_host(view.namespace))


def _wider(reaches: list[Reach]) -> dict[int, Reach]:
    """For each rule that another one covers, the first such rule; of equals the first one stays."""
    groups: dict[int, list[Reach]] = defaultdict(list)
    for reach in reaches:
        groups[reach.rule.subject].append(reach)
    found: dict[int, Reach] = {}
    for subject, members in groups.items():
        candidates = [reach for wide, group in groups.items() if not subject & ~wide for reach in group]
        for narrow in members:
            for wide in candidates:
                if (
                    wide is not narrow
                    and wide.covers(narrow)
                    and not (narrow.covers(wide) and narrow.place < wide.place)
                ):
                    found[id(narrow.rule)] = wide
                    break
    return found


def overridden(case: Case) -> Iterator[Hit]:
    """A policy that closes a direction beside one that opens it again, altogether and for the same pods."""
    for views in case.by_namespace.values():
        for direction in Direction:
            opening = [
                rule for view in views for rule in view.rules_of(direction) if not rule.peers and not rule.clause.ports
            ]
            closing = [view for view in views if direction in view.isolates and not view.rules_of(direction)]
            for view in closing if opening else ():
                wide = next((rule for rule in opening if view.subject and not view.subject & ~rule.subject), None)
                if wide:
                    yield _overridden(case, view, direction, wide)


def _overridden(case: Case, view: PolicyView, direction: Direction, wide: RuleView) -> Hit:
    word = direction.value.lower()
    return Hit(
        view.object,
        f"spec.{word}",
        f"denies no {word}: {wide.of.ref} allows all of it for the same pods",
        (
            f"{wide.of.ref}: {wide.path} has no peers and no ports, which means any",
            f"policies only add to each other, for {plural(case.crowd.count(view.subject), 'pod')} here",
        ),
        f"delete that rule of {wide.of.ref}, or limit it to the pods that are meant to be open",
        f"overridden:{word}",
    )


DUPLICATE = Lint("policy-duplicate", "two policies that say the same", LintSeverity.WARNING, duplicates)
SHADOWED_POLICY = Lint("policy-shadowed", "a policy that changes nothing", LintSeverity.WARNING, shadowed_policies)
SHADOWED_RULE = Lint("rule-shadowed", "a rule that changes nothing", LintSeverity.INFO, shadowed_rules)
OVERRIDDEN = Lint("deny-overridden", "a denial that another policy undoes", LintSeverity.WARNING, overridden)
