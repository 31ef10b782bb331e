"""What can be done to a cluster while a run is at work, each for as long as a block lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.cluster.cluster import Cluster
from tests.cluster.faults import inflict
from tests.cluster.tests.audit import meddling, vault
from tests.cluster.tests.audit.site import Object, Site

Befall = Callable[[Site], AbstractContextManager[None]]
"""What befalls the cluster of a site."""
ONLY_HERE = "netaudit.test/only-on-one-node:1"


def once(act: Callable[[Site], object]) -> Befall:
    """What needs no end."""

    @contextmanager
    def befall(site: Site) -> Iterator[None]:
        act(site)
        yield

    return befall


def to_probe(act: Callable[[Site, Object], object]) -> Befall:
    """What befalls the probe pod that stands for the clients."""
    return once(lambda site: act(site, meddling.await_probe(site, "client")))


def lasting(befall: Callable[..., AbstractContextManager[None]], *words: str) -> Befall:
    """One of those below, with its words."""

    def wrapped(site: Site) -> AbstractContextManager[None]:
        return befall(site, *words)

    return wrapped


@contextmanager
def api(site: Site, *words: str) -> Iterator[None]:
    """Connections to the API server are disturbed."""
    inflict(site.cluster, "api", *words)
    try:
        yield
    finally:
        # The proxy throttles connections for as long as they live, an API server only for a while.
        if words[0] == "throttle":
            inflict(site.cluster, "api", "reset")
        inflict(site.cluster, "api", "off")


@contextmanager
def stopped(site: Site, program: str, node: str = "n2") -> Iterator[None]:
    """A program of a node hangs."""
    inflict(site.cluster, "stop", node, program)
    try:
        yield
    finally:
        inflict(site.cluster, "continue", node, program)


@contextmanager
def full(site: Site) -> Iterator[None]:
    """The second node takes no pod any more."""
    inflict(site.cluster, "fill", "n2")
    try:
        yield
    finally:
        inflict(site.cluster, "fill", "n2", "--off")


@contextmanager
def severed(site: Site) -> Iterator[None]:
    """No packet passes between the two nodes."""
    inflict(site.cluster, "drop-between", "n1", "n2")
    try:
        yield
    finally:
        inflict(site.cluster, "drop-between", "n1", "n2", "--off")


@contextmanager
def closed(site: Site, *verdict: str) -> Iterator[None]:
    """Both nodes let no pod talk to another, and nothing in the API says so; nodes and pods still can."""
    rule = ("FORWARD", "-m", "conntrack", "--ctstate", "NEW", "-j", *verdict)
    for node in site.cluster.nodes:
        site.cluster.on_machine(node, "iptables", "-w", "-I", *rule)
    try:
        yield
    finally:
        for node in site.cluster.nodes:
            site.cluster.on_machine(node, "iptables", "-w", "-D", *rule)


@contextmanager
def rejecting(cluster: Cluster, manner: str, item: Object, port: str = "") -> Iterator[None]:
    """A pod's node answers what comes for it with a refusal, by ICMP or by a reset."""
    target = f"{item['status']['podIP']}:{port}".rstrip(":")
    words = ("reject", item["spec"]["nodeName"], manner, target)
    inflict(cluster, *words)
    try:
        yield
    finally:
        inflict(cluster, *words, "--off")


@contextmanager
def applied(site: Site, item: Object) -> Iterator[None]:
    """An object more."""
    site.apply(item)
    home = item["metadata"].get("namespace", "")
    try:
        yield
    finally:
        words = ("delete", item["kind"], item["metadata"]["name"], *(("-n", home) if home else ()))
        site.cluster.kubectl(*words, "--ignore-not-found")


def with_policy(site: Site) -> AbstractContextManager[None]:
    """A policy more, which closes what was open."""
    return applied(site, vault.LATE_POLICY)


@contextmanager
def without_namespace(site: Site) -> Iterator[None]:
    """The audited namespace is deleted, with all that is in it."""
    site.cluster.kubectl("delete", "namespace", vault.HOME, "--wait=false")
    try:
        yield
    finally:
        vault.deploy(site)


@contextmanager
def only_on_one_node(site: Site) -> Iterator[None]:
    """An image has a name that the first node alone knows."""
    images = ("ctr", "-n", "k8s.io", "images")
    site.cluster.on_machine("n1", *images, "tag", "--force", "docker.io/library/busybox:1.37", ONLY_HERE)
    try:
        yield
    finally:
        site.cluster.on_machine("n1", *images, "rm", ONLY_HERE)
