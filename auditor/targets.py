"""What a user means by SRC and DST: pods, workloads, namespaces, Services, addresses, blocks of them, the internet.

Pure.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import islice

from auditor.errors import UsageError
from auditor.evaluate.classes import cuts, vocabulary
from auditor.evaluate.ends import FAMILIES
from auditor.evaluate.match import edges
from auditor.evaluate.model import Model
from auditor.explain import title
from auditor.model.cluster import Pod, Service, family_of
from auditor.model.ends import Address
from auditor.model.flow import Family, Protocol
from auditor.model.rules import LAST_PORT
from auditor.services import Services

INTERNET = "internet"
KINDS = {
    "pod": "Pod",
    "po": "Pod",
    "deployment": "Deployment",
    "deploy": "Deployment",
    "statefulset": "StatefulSet",
    "sts": "StatefulSet",
    "daemonset": "DaemonSet",
    "ds": "DaemonSet",
    "replicaset": "ReplicaSet",
    "rs": "ReplicaSet",
    "replicationcontroller": "ReplicationController",
    "rc": "ReplicationController",
    "job": "Job",
    "cronjob": "CronJob",
    "cj": "CronJob",
    "service": "Service",
    "svc": "Service",
    "namespace": "Namespace",
    "ns": "Namespace",
}
"""Kinds as kubectl takes them; a final `s` is allowed as well."""
ADDRESS = re.compile(r"[0-9.]+(/[0-9]+)?|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(/[0-9]+)?")
PORT_NAME = re.compile("(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
"""A container port's name (RFC 6335, 5.1)."""
MAPPED = 96
"""Bits before the IPv4 address in one that is mapped into IPv6."""
MOST_PARTS = 500
"""Parts of a block that are told apart."""
MANY_NAMES = 20_000
"""Names among which the nearest one is looked for."""
LONGEST_NAME = 600
"""Characters of a word that may be a name at all: two names of 253, and a kind."""
SHOWN = 200
"""Characters of a word that are repeated in a message."""
INTERNET_BLOCKS = {
    Family.IPV4: "1.0.0.0-223.255.255.255",
    Family.IPV6: "2000::-3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
}
"""Where public addresses lie."""
SPECIAL = {
    Family.IPV4: (
        *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
    ),
    Family.IPV6: ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
}
"""Blocks among them that are for other uses (IANA's registries of special-purpose addresses), ascending."""
Range = tuple[int, int]
"""First and last address."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a word means: pods, addresses (one for each part of a block that policies treat alike), or a Service."""

    title: str
    ends: tuple[Pod | Address, ...] = ()
    service: Service | None = None
    notes: tuple[str, ...] = ()
    families: tuple[Family, ...] = tuple(Family)
    """One where an address was given, though a pod with two of them has it."""


class Targets:
    """Finds what words mean in a snapshot."""

    def __init__(self, model: Model, services: Services, namespace: str = "default") -> None:
        """Look into `model`; `namespace` is where a name without one is looked for."""
        self._model = model
        self._services = services
        self._namespace = namespace
        self._all_taken: dict[Family, list[int]] = {}

    def find(self, word: str) -> Target:
        """Find what a word means; raises UsageError where nothing has that name."""
        if word.lower() == INTERNET:
            return self._internet()
        network = _network(word)
        if network is not None:
            return self._addresses(network)
        # What looks like an address and is none may be a name still: namespaces may consist of digits.
        for target in self._readings(word.split("/")):
            if target is not None:
                return target
        raise self._unknown(word)

    def namespace(self, name: str) -> Target:
        """The pods of a namespace; raises UsageError where there is none of that name."""
        found = self._whole(name)
        if found is None:
            raise self._unknown(name)
        return found

    def _readings(self, parts: Sequence[str]) -> Iterator[Target | None]:
        """Everything that a word may mean, the most likely first."""
        kind = KINDS.get(parts[0].lower()) or KINDS.get(parts[0].lower().removesuffix("s"))
        match parts:
            case [name]:
                yield self._whole(name)
                yield self._named(self._namespace, "", name)
            case [namespace, name]:
                yield self._named(namespace, "", name)
                if kind == "Namespace":
                    yield self._whole(name)
                elif kind:
                    yield self._named(self._namespace, kind, name)
            case [namespace, word, name]:
                wanted = KINDS.get(word.lower()) or KINDS.get(word.lower().removesuffix("s"))
                if wanted:
                    yield self._named(namespace, wanted, name)
            case _:
                return

    def _whole(self, namespace: str) -> Target | None:
        pods = tuple(pod for pod in self._pods() if pod.namespace == namespace)
        if pods or namespace in self._model.namespaces:
            empty = () if pods else (f"namespace {namespace} has no pod that sends or receives",)
            return Target(f"namespace {namespace}", pods, notes=empty)
        return None

    def _named(self, namespace: str, kind: str, name: str) -> Target | None:
        here = [pod for pod in self._model.snapshot.pods if pod.namespace == namespace]
        if kind in {"", "Pod"}:
            for pod in here:
                if pod.name == name:
                    return self._pod(pod)
        if kind not in {"Pod", "Service"}:
            pods = [
                pod
                for pod in self._pods()
                if pod.namespace == namespace and pod.owner and pod.owner.name == name and kind in {"", pod.owner.kind}
            ]
            if pods:
                return Target(f"{namespace}/{name}", tuple(pods))
        service = self._services.named(namespace, name) if kind in {"", "Service"} else None
        return None if service is None else Target(f"Service {namespace}/{name}", service=service)

    def _pod(self, pod: Pod) -> Target:
        name = f"{pod.namespace}/{pod.name}"
        if pod.finished:
            return Target(name, notes=(f"pod {name} has finished, and has given its address back",))
        if not pod.addresses and not pod.planned:
            return Target(name, notes=(f"pod {name} has no address yet",))
        return Target(name, (pod,))

    def _pods(self) -> Iterator[Pod]:
        """Pods that send or receive, those on the host's network included."""
        return (pod for pod in self._model.snapshot.pods if not pod.finished and (pod.addresses or pod.planned))

    def _addresses(self, network: IPv4Network | IPv6Network) -> Target:
        first, last = edges(network)
        family = FAMILIES[network.version]
        if first == last:
            text = str(network.network_address)
            service = self._services.at(text)
            if service is not None:
                return Target(f"Service {service.namespace}/{service.name}", (), service, families=(family,))
            end = self._model.resolve(Address(text))
            return Target(title(end), (end,), families=(family,))
        found, notes = self._parts(family, [(first, last)])
        taken = self._taken(family)
        inside = bisect_right(taken, last) - bisect_left(taken, first)
        if inside:
            notes.append(f"{inside} of its addresses are those of pods and nodes, which are not meant here: name them")
        return Target(str(network), found, notes=tuple(notes))

    def _internet(self) -> Target:
        """Public addresses of both families, one for each part of them that policies treat alike."""
        found = [self._parts(family, _public(family)) for family in Family]
        notes = (f"{family.value}: {note}" for family, (_, said) in zip(Family, found, strict=True) for note in said)
        return Target("the internet", tuple(end for ends, _ in found for end in ends), notes=tuple(notes))

    def _parts(self, family: Family, ranges: Sequence[Range]) -> tuple[tuple[Address, ...], list[str]]:
        """An address for each part of some ranges that no block of a policy divides, where it has a free one."""
        edges_here = self._cuts[family]
        wanted: dict[int, list[Range]] = defaultdict(list)
        for first, last in ranges:
            inside = edges_here[bisect_right(edges_here, first) : bisect_right(edges_here, last)]
            for start, end in zip([first, *inside], [*(cut - 1 for cut in inside), last], strict=True):
                wanted[bisect_right(edges_here, start)].append((start, end))
        found = []
        for pieces in islice(wanted.values(), MOST_PARTS):
            address = next((free for start, end in pieces if (free := self._free(start, end, family))), None)
            if address is not None:
                found.append(address)
        notes = []
        if len(wanted) > MOST_PARTS:
            notes.append(f"policies divide it into {len(wanted)} parts, of which the first {MOST_PARTS} are shown")
        return tuple(found), notes

    @cached_property
    def _cuts(self) -> Mapping[Family, Sequence[int]]:
        # NetworkPolicies are asked as they are: to translate them all takes ten times as long.
        rules = (rule for item in self._model.snapshot.policies for rule in (*item.ingress, *item.egress))
        blocks = {peer.ip_block: None for rule in rules for peer in rule.peers if peer.ip_block is not None}
        foreign = vocabulary(self._model.foreign).blocks
        return cuts([*blocks, *(leaf.block for leaf in foreign)])

    def _taken(self, family: Family) -> list[int]:
        """The addresses of pods and nodes, sorted."""
        if family not in self._all_taken:
            here = self._model.snapshot
            texts = {text for pod in here.pods if not pod.finished for text in pod.addresses}
            texts |= {text for node in here.nodes for text in node.addresses}
            self._all_taken[family] = sorted({int(ip_address(text)) for text in texts if family_of(text) is family})
        return self._all_taken[family]

    def _free(self, start: int, end: int, family: Family) -> Address | None:
        """The first address of a range that is neither a pod's nor a node's."""
        taken = self._taken(family)
        for place in range(bisect_left(taken, start), len(taken)):
            if taken[place] != start:
                break
            start += 1
        if start > end:
            return None
        return Address(str(IPv4Address(start) if family is Family.IPV4 else IPv6Address(start)))

    def _unknown(self, word: str) -> UsageError:
        if ADDRESS.fullmatch(word):
            return UsageError(
                f"not an address or a block of addresses: {word[:SHOWN]}",
                why="its numbers are out of range, too many or too few",
                attempt="10.0.0.1, 10.0.0.0/8 or 2001:db8::/32",
            )
        pods = self._model.snapshot.pods
        names = {f"{pod.namespace}/{pod.name}" for pod in pods} | {pod.namespace for pod in pods}
        names |= {f"{pod.namespace}/{pod.owner.name}" for pod in pods if pod.owner}
        few = len(names) < MANY_NAMES and len(word) <= LONGEST_NAME
        near = get_close_matches(word, sorted(names), 3, 0.6) if few else []
        attempt = "namespace/pod, namespace/deployment/name, a namespace, an address, a block, or `internet`"
        return UsageError(
            f"nothing is called {word[:SHOWN]}" if word else "an empty word names nothing",
            why="no pod, workload, Service or namespace of the snapshot has that name",
            attempt=f"{' or '.join(near)}; or {attempt}" if near else attempt,
        )


def _network(word: str) -> IPv4Network | IPv6Network | None:
    """A word as an address or a block of them; None where it is neither."""
    if not ADDRESS.fullmatch(word):
        return None
    try:
        network = ip_network(word, strict=False)
    except ValueError:
        return None
    if isinstance(network, IPv6Network) and network.prefixlen >= MAPPED and network.network_address.ipv4_mapped:
        # An IPv4 address in the clothes of IPv6 (RFC 4291, 2.5.5.2).
        return IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - MAPPED))
    return network


def _public(family: Family) -> list[Range]:
    """The public addresses of a family."""
    first, last = (int(ip_address(text)) for text in INTERNET_BLOCKS[family].split("-"))
    found = []
    for text in SPECIAL[family]:
        start, end = edges(ip_network(text))
        found.append((first, start - 1))
        first = end + 1
    return [*found, (first, last)]


def port_of(word: str, protocol: str | None) -> tuple[str, int | str]:
    """Read `80`, `80/UDP` or a name into protocol and port; raises UsageError."""
    text, _, given = word.partition("/")
    wanted = (given or protocol or "TCP").upper()
    if given and protocol and given.upper() != protocol.upper():
        why = f"{word[:SHOWN]} and --proto {protocol[:SHOWN]} contradict each other"
        raise UsageError("two protocols for one port", why=why, attempt="one of them")
    if wanted not in Protocol.__members__:
        raise UsageError(f"no such protocol: {wanted[:SHOWN]}", why="policies know TCP, UDP and SCTP", attempt="80/TCP")
    if re.fullmatch("[1-9][0-9]{0,4}", text) and int(text) <= LAST_PORT:
        return wanted, int(text)
    if text.isdecimal():
        why = f"ports are numbers from 1 to {LAST_PORT}, without zeros before them"
        raise UsageError(f"no such port: {text[:SHOWN]}", why=why, attempt="80")
    if not PORT_NAME.fullmatch(text):
        why = "neither a number nor the name of a container port"
        raise UsageError(f"no such port: {text[:SHOWN]}", why=why, attempt="80")
    return wanted, text
