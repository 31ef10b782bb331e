"""Clusters of any size in the shape of ordinary ones: the same numbers give the same objects.

Apps of about four replicas, namespaces whose sizes differ as they do in life (Pareto), and ten policies for each:
default deny, DNS, the same namespace, ingress controller, monitoring by a named port, app to app, expressions, a range
of ports, SCTP, and blocks of addresses with holes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from auditor.ports import RawSnapshot
from tests.bench.objects import (
    NETWORK,
    Raw,
    allow_from,
    allow_to,
    block,
    container_port,
    expression,
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

SEED = 7
SYSTEM = {
    "kube-system": ("kube-dns", {"k8s-app": "kube-dns"}, (("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"))),
    "ingress-nginx": ("controller", {"app.kubernetes.io/name": "ingress-nginx"}, (("http", 80, "TCP"),)),
    "monitoring": ("prometheus", {"app": "prometheus"}, (("web", 9090, "TCP"),)),
}
"""Namespaces that all others know, with what runs there, two replicas each."""
SYSTEM_PODS = 2 * len(SYSTEM)
TIERS = {
    "web": (("http", 8080), ("metrics", 9090)),
    "api": (("http", 8000), ("admin", 8443), ("metrics", 9091)),
    "db": (("sql", 5432), ("metrics", 9187)),
    "cache": (("redis", 6379),),
}
"""The same name stands for other numbers in other tiers, as it does where many teams write manifests."""
ENVIRONMENTS = ("prod", "prod", "stage", "dev", "test")
TEAMS = tuple(f"team-{letter}" for letter in "abcdefghijklmnop")
REPLICAS = (2, 3, 4, 4, 5, 6)
SKEW = 1.4
"""Exponent of the sizes of namespaces."""
ODD = ("05", "25", "45", "65", "85")
"""How the names of one namespace in twenty end: those with a block that holds pods of the cluster."""
LARGEST = 16
"""How many times the mean a namespace may hold."""


def cluster(pods: int, namespaces: int, policies: int) -> RawSnapshot:
    """Make a cluster of exactly so many objects."""
    chance = random.Random(SEED)  # noqa: S311  # shapes a benchmark, guards nothing
    homes = [f"home-{number:04}" for number in range(namespaces - len(SYSTEM))]
    sizes = spread(pods - SYSTEM_PODS, len(homes), chance)
    shares = evenly(policies, len(homes))
    workers = [
        item
        for home, size, first in zip(homes, sizes, starts(sizes, SYSTEM_PODS), strict=True)
        for item in workloads(home, size, first, chance)
    ]
    return RawSnapshot(
        {
            "namespaces": [
                *(namespace(name, purpose=name) for name in SYSTEM),
                *(namespace(name, **namespace_labels(number)) for number, name in enumerate(homes)),
            ],
            "nodes": nodes(pods),
            "pods": [*system_pods(), *workers],
            "networkpolicies": [
                item
                for home, size, share in zip(homes, sizes, shares, strict=True)
                for item in policies_of(home, max(1, size // 4), share, chance)
            ],
        },
        server_version="v1.35.0",
    )


def spread(total: int, parts: int, chance: random.Random, largest: int = LARGEST) -> list[int]:
    """Cut `total` into sizes of at least one, few of them large."""
    weights = [chance.paretovariate(SKEW) for _ in range(parts)]
    scale = (total - parts) / sum(weights)
    sizes = [1 + min(int(weight * scale), largest * total // parts) for weight in weights]
    for number in range(total - sum(sizes)):
        sizes[number % parts] += 1
    return sizes


def evenly(total: int, parts: int) -> list[int]:
    """Cut `total` into sizes that differ by one at most."""
    return [total // parts + (number < total % parts) for number in range(parts)]


def starts(sizes: Sequence[int], first: int) -> Iterator[int]:
    """The number of the first pod of each namespace."""
    for size in sizes:
        yield first
        first += size


def namespace_labels(number: int) -> dict[str, str]:
    return {"env": ENVIRONMENTS[number % len(ENVIRONMENTS)], "team": TEAMS[number % len(TEAMS)]}


def system_pods() -> Iterator[Raw]:
    for number in range(SYSTEM_PODS):
        home = list(SYSTEM)[number // 2]
        name, wears, ports = SYSTEM[home]
        yield pod(number, home, f"{name}-{number}", wears, [container_port(*item) for item in ports])


def workloads(home: str, size: int, first: int, chance: random.Random) -> Iterator[Raw]:
    """The pods of a namespace, app after app."""
    made = app = 0
    while made < size:
        replicas = min(chance.choice(REPLICAS), size - made)
        wears, ports = app_labels(app, chance), app_ports(app)
        for replica in range(replicas):
            own = wears | ({"track": "canary"} if replica == 0 and chance.random() < 0.05 else {})
            yield pod(first + made, home, f"app-{app}-{wears['pod-template-hash']}-{replica}", own, ports)
            made += 1
        app += 1


def app_labels(number: int, chance: random.Random) -> dict[str, str]:
    tier = list(TIERS)[number % len(TIERS)]
    found = {"app": f"app-{number}", "tier": tier, "pod-template-hash": f"{chance.getrandbits(40):010x}"}
    if chance.random() < 0.7:
        found["team"] = chance.choice(TEAMS)
    if tier == "web":
        found["expose"] = "true"
    if chance.random() < 0.02:
        found["quarantine"] = ""
    return found


def app_ports(number: int) -> list[Raw]:
    tier = list(TIERS)[number % len(TIERS)]
    found = [container_port(name, value) for name, value in TIERS[tier]]
    return [*found, container_port("diameter", 3868, "SCTP")] if number % 9 == 0 else found


def policies_of(home: str, apps: int, count: int, chance: random.Random) -> list[Raw]:
    """The ten usual policies, then as many from app to app as are wanted."""
    usual = [
        *closed_but_for_system(home, chance.choice(ENVIRONMENTS)),
        *among_apps(home, apps, chance),
        *with_strangers(home, chance),
    ]
    more = [app_to_app(home, f"more-{number}", apps, chance) for number in range(count - len(usual))]
    return [*usual[:count], *more]


def closed_but_for_system(home: str, called: str) -> list[Raw]:
    """Default deny, and what every namespace needs; its pods may call those of one environment."""
    dns = peer(labels(k8s_app="kube-dns"), named("kube-system"))
    controller = peer({"matchLabels": {"app.kubernetes.io/name": "ingress-nginx"}}, named("ingress-nginx"))
    scraper = peer(labels(app="prometheus"), labels(purpose="monitoring"))
    return [
        policy(home, "default-deny", ingress=[], egress=[]),
        policy(home, "dns", egress=[allow_to(dns, ports=[port(53, "UDP"), port(53)])]),
        policy(
            home,
            "same-namespace",
            ingress=[allow_from(peer({}))],
            egress=[allow_to(peer({}), peer(None, labels(env=called)))],
        ),
        policy(
            home, "exposed", labels(expose="true"), ingress=[allow_from(controller, ports=[port(8080), port(8443)])]
        ),
        policy(home, "monitoring", ingress=[allow_from(scraper, ports=[port("metrics")])]),
    ]


def among_apps(home: str, apps: int, chance: random.Random) -> list[Raw]:
    neighbour = labels(team=chance.choice(TEAMS))
    calm = {
        "matchExpressions": [
            expression("team", "Exists"),
            expression("quarantine", "DoesNotExist"),
            expression("track", "NotIn", "canary", "preview"),
        ]
    }
    serious = {"matchExpressions": [expression("env", "NotIn", "dev", "test")]}
    some = labels(app=f"app-{chance.randrange(apps)}")
    return [
        app_to_app(home, "app-to-app", apps, chance),
        policy(
            home,
            "serious",
            labels_in("tier", "web", "api"),
            ingress=[allow_from(peer(calm, serious), ports=[port("http")])],
        ),
        policy(home, "ranges", some, ingress=[allow_from(peer(None, neighbour), ports=[port(30_000, end=30_100)])]),
        policy(home, "signals", some, ingress=[allow_from(peer({}, neighbour), ports=[port(3868, "SCTP")])]),
    ]


def app_to_app(home: str, name: str, apps: int, chance: random.Random) -> Raw:
    one, *others = (f"app-{chance.randrange(apps)}" for _ in range(3))
    callers = peer(labels_in("app", *sorted(set(others))))
    return policy(home, name, labels(app=one), ingress=[allow_from(callers, ports=[port(8080), port("http")])])


def with_strangers(home: str, chance: random.Random) -> list[Raw]:
    """Blocks for the world outside; a few hold pods of the cluster too, on which the API is silent."""
    world = block("0.0.0.0/0", NETWORK, "192.0.2.0/24", "10.0.0.0/8")
    offices = [block(f"203.0.113.{16 * chance.randrange(16)}/28") for _ in range(2)]
    odd = [block("198.18.0.0/22", f"198.18.{chance.randrange(4)}.64/26")] if home.endswith(ODD) else []
    return [
        policy(
            home,
            "world",
            labels(tier="api"),
            ingress=[allow_from(*offices, *odd, ports=[port(8443)])],
            egress=[allow_to(world, ports=[port(443)])],
        )
    ]
