"""What Calico's own kinds say: NetworkPolicy and GlobalNetworkPolicy, in tiers, with network sets as peers.

Pure.  Source: the types and the reference of `projectcalico.org/v3`; `crd.projectcalico.org/v1` stores the same specs.
Policies of a tier are asked by order, absent last, and then by name; rules in order, the first match decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import NamedTuple

from auditor.cluster import fields
from auditor.cluster.fields import FieldError, Raw
from auditor.model.cluster import PolicyObject, Snapshot
from auditor.model.dialect import Dialect
from auditor.model.flow import Direction, PolicyRef
from auditor.model.rules import (
    ADMIN,
    BASELINE,
    EVERYTHING_AT_ALL,
    MIDDLE,
    MIDDLE_RANK,
    Action,
    InNamespace,
    Predicate,
    Section,
    Tier,
    Translation,
    all_of,
)
from auditor.policy.calico_entity import Cluster, plain_selector, read_cluster
from auditor.policy.calico_labels import of_accounts, of_namespaces, of_pods
from auditor.policy.calico_rule import read_rule
from auditor.policy.calico_selector import join
from auditor.policy.calico_sets import RESOURCES as SETS
from auditor.policy.calico_sets import read_set
from auditor.policy.ordered import inside

TIERS = "tiers.crd.projectcalico.org"
BUILT_IN = {
    "default": MIDDLE,
    "kube-admin": ADMIN,
    "adminnetworkpolicy": ADMIN,
    "kube-baseline": BASELINE,
    "baselineadminnetworkpolicy": BASELINE,
}
"""Tiers whose order and default action Calico fixes; the policies of Kubernetes' own APIs stand in the same ones."""
WITHOUT_ORDER = math.nextafter(math.inf, 0)
"""A tier without order comes after all that have one, and only one that does not exist comes later still."""
FOR_ALL = frozenset({"tier", "order", "selector", "types", "ingress", "egress", "serviceAccountSelector"})
FOR_GLOBAL = frozenset({"namespaceSelector", "doNotTrack", "preDNAT", "applyOnForward"})
HINTS = "performanceHints"
"""Never changes what a policy means."""


def translator(snapshot: Snapshot, dialect: Dialect) -> Callable[[PolicyObject], Translation]:  # noqa: ARG001
    """Prepare for one of Calico's kinds; what policies are read against is gathered when the first one is seen."""
    gather = cache(lambda: _Surroundings(read_cluster(snapshot), _tiers(snapshot), _where_v1(snapshot)))
    homes = {item.name: item for item in snapshot.namespaces}

    def translate_one(item: PolicyObject) -> Translation:
        if item.resource == TIERS:
            return _checked(item, lambda: _read_tier(item))
        if item.resource in SETS:
            return _checked(item, lambda: read_set(item, homes))
        if item.kind.startswith("Staged"):
            return _noted(item, "intended but staged: it is never enforced")
        return _policy(item, gather())

    return translate_one


class _Surroundings(NamedTuple):
    """What policies are read against."""

    cluster: Cluster
    tiers: Mapping[str, Tier | FieldError]
    v1_in: frozenset[str]
    """Namespaces that have a NetworkPolicy of Kubernetes."""


def _where_v1(snapshot: Snapshot) -> frozenset[str]:
    return frozenset(policy.namespace for policy in snapshot.policies)


def _noted(item: PolicyObject, note: str) -> Translation:
    name = f"{item.namespace}/{item.name}" if item.namespace else item.name
    return Translation(notes=(f"{item.kind} {name}: {note}",))


def _checked(item: PolicyObject, read: Callable[[], object]) -> Translation:
    """Read what decides nothing alone: an error leaves open only what the policies that need it say."""
    try:
        read()
    except FieldError as error:
        return _noted(item, f"cannot be read, so that what depends on it is unknown: {error}")
    return Translation()


def _tiers(snapshot: Snapshot) -> dict[str, Tier | FieldError]:
    found: dict[str, Tier | FieldError] = {}
    for item in snapshot.objects:
        if item.resource == TIERS:
            try:
                found[item.name] = _read_tier(item)
            except FieldError as error:
                found[item.name] = error
    return found


def _read_tier(item: PolicyObject) -> Tier:
    """A tier's place and what befalls a flow that its policies leave undecided: Deny unless it says Pass."""
    with inside("spec"):
        spec = fields.only(fields.mapping(item.raw, "spec"), "order", "defaultAction")
        order, action = _order(spec), fields.text(spec, "defaultAction", "Deny")
        if action not in {"Deny", "Pass"}:
            raise FieldError(f"{action[:40]!r} is neither Deny nor Pass", spec, "defaultAction")
    return Tier(WITHOUT_ORDER if order is None else order, item.name, Action.PASS if action == "Pass" else Action.DENY)


def _order(spec: Raw) -> float | None:
    """A number, fractions allowed; None when absent or null."""
    value = spec.get("order")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FieldError(f"expected a number, found {fields.kind_of(value)}", spec, "order")
    try:
        found = float(value)
    except OverflowError as error:
        raise FieldError("not a number that Calico can hold", spec, "order") from error
    if not math.isfinite(found):
        raise FieldError(f"{found} is not a number to sort by", spec, "order")
    return found


@dataclass(frozen=True, slots=True)
class _Policy:
    """A policy's place, and the pods that it applies to."""

    ref: PolicyRef
    tier: Tier
    rank: tuple[float, str]
    subject: Predicate


def _policy(item: PolicyObject, around: _Surroundings) -> Translation:
    with inside("spec"):
        spec = fields.mapping(item.raw, "spec")
        known = FOR_ALL if item.namespace else FOR_ALL | FOR_GLOBAL
        fields.only(spec, HINTS, *known)
        for hosts in ("doNotTrack", "preDNAT"):
            if fields.flag(spec, hosts):
                return _noted(item, f"{hosts} policies apply to hosts' own interfaces only, never to pods")
        tier, notes = _tier(spec, around)
        policy = _Policy(
            PolicyRef(item.namespace, item.name, item.kind),
            tier,
            _rank(item, spec, tier, around),
            _subject(item, spec, around),
        )
        if fields.flag(spec, "applyOnForward"):
            notes = (*notes, "applyOnForward concerns hosts' own interfaces, which are not modelled")
        if policy.rank == MIDDLE_RANK:
            notes = (*notes, "it has the order of all NetworkPolicies; which comes first is up to Calico's release")
        rules = {direction: fields.objects(spec, direction.value.lower()) for direction in Direction}
        types = _types(spec, rules)
    sections = tuple(
        section
        for direction in Direction
        if direction in types
        for section in _sections(policy, direction, rules[direction], around.cluster)
    )
    told = sorted(note for text in notes for note in _noted(item, text).notes)
    return Translation(sections, tuple(told))


def _tier(spec: Raw, around: _Surroundings) -> tuple[Tier, tuple[str, ...]]:
    """The tier of a policy; one that does not exist comes last and denies, as Calico's agents treat it."""
    name = fields.text(spec, "tier") or "default"
    found = BUILT_IN.get(name) or around.tiers.get(name)
    if isinstance(found, FieldError):
        raise FieldError(f"Tier {name} cannot be read: {found}", spec, "tier")
    if found is None:
        return Tier(math.inf, name, Action.DENY), (f"there is no Tier {name}: taken as the last one, which denies",)
    return found, ()


def _rank(item: PolicyObject, spec: Raw, tier: Tier, around: _Surroundings) -> tuple[float, str]:
    """The place in the tier: order, absent last, and for equal ones the name.

    Calico prefixes the names of the tier `default` when it stores them, so the prefix is no part of the name.  At the
    one order that NetworkPolicies of Kubernetes have, which of both comes first differs between Calico's releases: such
    a policy shares their rank, and where it makes a difference nothing is guessed.
    """
    order = _order(spec)
    rivals = item.namespace in around.v1_in if item.namespace else bool(around.v1_in)
    if tier is MIDDLE and order == MIDDLE_RANK[0] and rivals:
        return MIDDLE_RANK
    return math.inf if order is None else order, item.name.removeprefix("default.")


def _subject(item: PolicyObject, spec: Raw, around: _Surroundings) -> Predicate:
    """The pods that a policy applies to; empty selectors select everything."""
    own, home, account = (
        plain_selector(spec, key) for key in ("selector", "namespaceSelector", "serviceAccountSelector")
    )
    joined = join(own, of_namespaces(home) if home else None, of_accounts(account) if account else None)
    namespace = InNamespace(item.namespace) if item.namespace else None
    return all_of(namespace, None if joined is None else of_pods(joined, around.cluster.facts))


def _types(spec: Raw, rules: Mapping[Direction, object]) -> frozenset[Direction]:
    """The directions that a policy is about.

    Where it does not say: Egress alone where it has egress rules and no others, else Ingress, and Egress where it has
    rules for it (`v3.NetworkPolicySpec.types`).
    """
    said = fields.words(spec, "types")
    if not said:
        ruled = frozenset(direction for direction in Direction if rules[direction])
        return ruled or frozenset({Direction.INGRESS})
    strange = sorted(set(said) - {direction.value for direction in Direction})
    if strange:
        raise FieldError(f"{strange[0][:40]!r} is neither Ingress nor Egress", spec, "types")
    return frozenset(map(Direction, said))


def _sections(policy: _Policy, direction: Direction, rules: Sequence[Raw], cluster: Cluster) -> Iterator[Section]:
    """One section, or several where rules ask something of the policy's own pods too.

    A clause has no subject of its own.  So runs of rules with the same demand become sections of those pods, ranked by
    the position of their first rule, after one that isolates every pod of the policy whatever its rules ask.
    """
    read = [
        (position, *found)
        for position, rule in enumerate(rules)
        if (
            found := read_rule(rule, f"{direction.value.lower()}[{position}]", direction, policy.ref.namespace, cluster)
        )
    ]
    runs = [(demand, list(members)) for demand, members in groupby(read, key=lambda item: item[2])]
    order, name = policy.rank
    if all(demand == EVERYTHING_AT_ALL for demand, _ in runs):
        clauses = tuple(clause for _, clause, _ in read)
        yield Section(policy.ref, direction, policy.tier, policy.rank, policy.subject, clauses)
        return
    yield Section(policy.ref, direction, policy.tier, policy.rank, policy.subject)
    for demand, members in runs:
        # A policy's name ends before any character that another name could go on with.
        rank = policy.rank if policy.rank == MIDDLE_RANK else (order, f"{name}\x00{members[0][0]:04d}")
        subject, clauses = all_of(policy.subject, demand), tuple(clause for _, clause, _ in members)
        yield Section(policy.ref, direction, policy.tier, rank, subject, clauses, isolates=False)
