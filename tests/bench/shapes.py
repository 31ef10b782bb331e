"""Clusters that are hard in one way each: a real one's crooked figures, worst cases, and ordered tiers."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from auditor.ports import RawSnapshot
from tests.bench.clusters import SEED, TEAMS, spread, starts
from tests.bench.objects import (
    Raw,
    allow_from,
    allow_to,
    block,
    container_port,
    labels,
    labels_in,
    named,
    namespace,
    nodes,
    peer,
    pod,
    policy,
    port,
)

REAL_PODS, REAL_NAMESPACES, REAL_POLICIES = 5_413, 604, 13_678
REAL_EMPTY, REAL_DENY_ONLY, REAL_PEERS = 3_559, 495, 15_423
"""Policies that select nothing, policies without any rule, and peers of all the others together."""
LONG_LISTS, MOST_PEERS = 20, 21
"""A few policies are long lists of blocks; most that have a block have one."""
REAL_LARGEST = 154
"""Pods that the largest namespace has, and so a policy at most."""
REAL_SHARED = 0.66
"""The part of all pods that wear the label which some peers ask for: 3,578 of 5,413."""


def real() -> RawSnapshot:
    """A cluster whose figures were published: 5,413 pods, 604 namespaces, 13,678 policies."""
    chance = random.Random(SEED)  # noqa: S311  # shapes a benchmark, guards nothing
    homes = [f"home-{number:04}" for number in range(REAL_NAMESPACES)]
    sizes = spread(REAL_PODS, REAL_NAMESPACES, chance, REAL_LARGEST * REAL_NAMESPACES // REAL_PODS)
    kinds = [*["empty"] * REAL_EMPTY, *["closed"] * REAL_DENY_ONLY]
    kinds += ["open"] * (REAL_POLICIES - len(kinds))
    chance.shuffle(kinds)
    # Where more pods are there are more policies, though fewer for each pod.
    owners = chance.choices(range(REAL_NAMESPACES), [size**0.85 for size in sizes], k=REAL_POLICIES)
    counts = peer_counts(kinds.count("open"), REAL_PEERS, chance)
    policies = [
        crooked_policy(f"policy-{number}", kind, (homes[owner], sizes[owner]), (homes, counts), chance)
        for number, (kind, owner) in enumerate(zip(kinds, owners, strict=True))
    ]
    pods = [
        item
        for home, size, first in zip(homes, sizes, starts(sizes, 0), strict=True)
        for item in crooked_pods(home, size, first, chance)
    ]
    teams = (namespace(name, team=TEAMS[number % len(TEAMS)]) for number, name in enumerate(homes))
    return RawSnapshot({"namespaces": [*teams], "nodes": nodes(REAL_PODS), "pods": pods, "networkpolicies": policies})


def peer_counts(policies: int, peers: int, chance: random.Random) -> Iterator[int]:
    """How many peers each policy has: one, some one or two more, and a few very many."""
    counts = [MOST_PEERS] * LONG_LISTS + [1] * (policies - LONG_LISTS)
    for number in chance.choices(range(LONG_LISTS, policies), k=peers - sum(counts)):
        counts[number] += 1
    chance.shuffle(counts)
    return iter(counts)


def crooked_pods(home: str, size: int, first: int, chance: random.Random) -> Iterator[Raw]:
    for number in range(size):
        wears = {"app": f"app-{number // 3}"} | ({"mesh": "on"} if chance.random() < REAL_SHARED else {})
        yield pod(first + number, home, f"pod-{number}", wears, [container_port("http", 8080)])


def crooked_policy(
    name: str, kind: str, home: tuple[str, int], around: tuple[Sequence[str], Iterator[int]], chance: random.Random
) -> Raw:
    """One of three kinds, in a namespace of so many pods; `around` has all namespaces and the numbers of peers."""
    where, size = home
    if kind == "empty":
        return policy(where, name, labels(app="gone"), ingress=[allow_from(peer(labels(app="app-0")))])
    subject = None if chance.random() < 0.6 else labels(app=f"app-{chance.randrange(-(-size // 3))}")
    if kind == "closed":
        return policy(where, name, subject, ingress=[])
    homes, counts = around
    count = next(counts)
    one = some_block if count == MOST_PEERS else crooked_peer
    peers = [one(homes, size, chance) for _ in range(count)]
    ports = crooked_ports(chance)
    if chance.random() < 0.25:
        return policy(where, name, subject, egress=[allow_to(*peers, ports=ports)])
    return policy(where, name, subject, ingress=[allow_from(*peers, ports=ports)])


def crooked_peer(homes: Sequence[str], size: int, chance: random.Random) -> Raw:
    """Two pods for the most part; now and then all that wear a label, a team's namespaces, or a block."""
    dice = chance.random()
    if dice < 0.50:
        return peer(labels(app=f"app-{chance.randrange(-(-size // 3))}"))
    if dice < 0.84:
        return peer(labels(app=f"app-{chance.randrange(3)}"), named(chance.choice(homes)))
    if dice < 0.845:
        return peer(labels(mesh="on"), {})
    if dice < 0.86:
        return peer(None, labels(team=chance.choice(TEAMS)))
    return some_block(homes, size, chance)


def some_block(homes: Sequence[str], size: int, chance: random.Random) -> Raw:
    return block(f"203.0.113.{chance.randrange(256)}/32")


def crooked_ports(chance: random.Random) -> list[Raw]:
    dice = chance.random()
    if dice < 0.5:
        return []
    if dice < 0.98:
        return [port(chance.choice((80, 443, 8080, 8443, 9090, "http")))]
    return [port(30_000, end=32_767)]


def burner(pods: int = 10_000, namespaces: int = 500, policies: int = 5_000, rules: int = 20) -> RawSnapshot:
    """Every rule names namespaces that no other rule names together, a pod selector, a block, and ten ports."""
    chance = random.Random(SEED)  # noqa: S311  # shapes a benchmark, guards nothing
    homes = [f"home-{number:04}" for number in range(namespaces)]
    made = [
        pod(number, homes[number % namespaces], f"pod-{number}", {"group": f"group-{number // namespaces % 2}"})
        for number in range(pods)
    ]
    seen: set[tuple[str, ...]] = set()
    return RawSnapshot(
        {
            "namespaces": [namespace(name) for name in homes],
            "nodes": nodes(pods),
            "pods": made,
            "networkpolicies": [burning_policy(number, homes, rules, seen, chance) for number in range(policies)],
        }
    )


def burning_policy(
    number: int, homes: Sequence[str], rules: int, seen: set[tuple[str, ...]], chance: random.Random
) -> Raw:
    subject = labels(group=f"group-{number // len(homes) % 2}")
    made = [burning_rule(number, rule, unseen(homes, seen, chance)) for rule in range(rules)]
    ingress = [{"from": peers, "ports": ports} for peers, ports in made[: rules // 2]]
    egress = [{"to": peers, "ports": ports} for peers, ports in made[rules // 2 :]]
    return policy(homes[number % len(homes)], f"policy-{number}", subject, ingress=ingress, egress=egress)


def unseen(homes: Sequence[str], seen: set[tuple[str, ...]], chance: random.Random) -> tuple[str, ...]:
    """Five namespaces that nobody has named together."""
    while True:
        chosen = tuple(sorted(chance.sample(homes, 5)))
        if chosen not in seen:
            seen.add(chosen)
            return chosen


def burning_rule(number: int, rule: int, homes: Sequence[str]) -> tuple[list[Raw], list[Raw]]:
    outside = block(f"203.0.{number % 256}.{rule}/32")
    peers = [peer(labels(group=f"group-{rule % 2}"), named(*homes)), outside]
    return peers, [port(1_000 + 10 * (number % 50) + offset) for offset in range(10)]


def distinct(pods: int = 10_000, namespaces: int = 500) -> RawSnapshot:
    """No two pods alike: each wears a label of its own, which a policy of its own selects."""
    homes = [f"home-{number:04}" for number in range(namespaces)]
    made = [pod(number, homes[number % namespaces], f"pod-{number}", {"id": f"id-{number}"}) for number in range(pods)]
    policies = [
        policy(
            homes[number % namespaces],
            f"policy-{number}",
            labels(id=f"id-{number}"),
            ingress=[allow_from(peer(labels(id=f"id-{(number + namespaces) % pods}")), ports=[port(8080)])],
        )
        for number in range(pods)
    ]
    return RawSnapshot(
        {
            "namespaces": [namespace(name) for name in homes],
            "nodes": nodes(pods),
            "pods": made,
            "networkpolicies": policies,
        }
    )


CLUSTER_POLICIES = "clusternetworkpolicies.policy.networking.k8s.io"
ACTIONS = ("Accept", "Deny", "Pass")


def with_tiers(below: RawSnapshot, policies: int, rules: int) -> RawSnapshot:
    """The same cluster under so many ClusterNetworkPolicies, nine in ten of them in the Admin tier."""
    chance = random.Random(SEED)  # noqa: S311  # shapes a benchmark, guards nothing
    made = [cluster_policy(number, rules, chance) for number in range(policies)]
    return RawSnapshot({**below.objects, CLUSTER_POLICIES: made}, below.unreadable, below.server_version)


def cluster_policy(number: int, rules: int, chance: random.Random) -> Raw:
    halves = {"ingress": "from", "egress": "to"}
    spec: Raw = {
        "tier": "Baseline" if number % 10 == 9 else "Admin",
        "priority": number,
        "subject": {"namespaces": labels_in("team", *chance.sample(TEAMS, 2))},
    }
    way, peers = list(halves.items())[number % 2]
    spec[way] = [tier_rule(rule, peers, chance) for rule in range(rules)]
    return {
        "apiVersion": "policy.networking.k8s.io/v1alpha2",
        "kind": "ClusterNetworkPolicy",
        "metadata": {"name": f"tier-{number:04}", "uid": f"tier-{number}"},
        "spec": spec,
    }


def tier_rule(number: int, peers: str, chance: random.Random) -> Raw:
    teams = labels(team=chance.choice(TEAMS))
    tier = labels(tier=chance.choice(("web", "api", "db", "cache")))
    where: Raw = {"namespaces": teams} if number % 3 else {"pods": {"namespaceSelector": teams, "podSelector": tier}}
    one, many = {"number": chance.choice((80, 443, 8080, 5432))}, {"range": {"start": 30_000, "end": 30_100}}
    chosen = many if number % 2 else one
    return {
        "name": f"rule-{number}",
        "action": chance.choice(ACTIONS),
        peers: [where],
        "protocols": [{"tcp": {"destinationPort": chosen}}],
    }
