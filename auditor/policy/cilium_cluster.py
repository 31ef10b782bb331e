"""What Cilium's policies are read against: the agents' settings, API servers, groups of blocks, named ports.

Pure.  Source: the documentation and the source of Cilium 1.19; tests/cluster/tests proves the settings with packets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property

from auditor.cluster import fields
from auditor.cluster.decode_policy import decode_network
from auditor.cluster.fields import FieldError
from auditor.model.cluster import PolicyObject, Service, Snapshot
from auditor.model.flow import Protocol
from auditor.model.labels import Labels
from auditor.model.policy import IPBlock, IPNetwork
from auditor.model.rules import (
    EVERYTHING_AT_ALL,
    NOTHING,
    EndKind,
    InBlock,
    IsKind,
    Match,
    Predicate,
    Unsure,
    any_of,
    pods,
)

CONFIG = "kube-system/cilium-config"
GROUPS = "ciliumcidrgroups.cilium.io"
OUTSIDE = IsKind(frozenset({EndKind.OUTSIDE}))
NOT_A_POD = IsKind(frozenset({EndKind.NODE, EndKind.OUTSIDE}))
API_SERVER: Labels = {"component": "kube-apiserver"}
"""What kubeadm and its kin label the API server's pods with."""


class Settings:
    """The agents' ConfigMap; a key that is not there has its default, and nothing is known where it was not read."""

    def __init__(self, data: Mapping[str, str] | None) -> None:
        """Take the data of `cilium-config`, or None."""
        self.known = data is not None
        self._data = data or {}

    def text(self, key: str, default: str = "") -> str:
        """What a key says."""
        return self._data.get(key, default)

    def words(self, key: str) -> frozenset[str]:
        """A list, which may be parted by spaces or commas."""
        return frozenset(self.text(key).replace(",", " ").split())

    def is_on(self, key: str, *, default: bool) -> Match:
        """YES or NO, and UNKNOWN where the settings were not read."""
        if not self.known:
            return Match.UNKNOWN
        return Match.YES if self.text(key, str(default)).lower() == "true" else Match.NO


def read_settings(snapshot: Snapshot) -> Settings:
    """The settings of a snapshot's Cilium."""
    return Settings(snapshot.settings.get(CONFIG))


class Surroundings:
    """A snapshot as far as it changes what one of Cilium's objects means; found out when it is first asked for."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Look into `snapshot`."""
        self._snapshot = snapshot
        self.settings = read_settings(snapshot)

    @property
    def cluster(self) -> str:
        """The name that Cilium gives this cluster; empty where it was not read."""
        return self.settings.text("cluster-name", "default") if self.settings.known else ""

    @cached_property
    def local_only(self) -> Match:
        """Whether selectors that do not say otherwise mean this cluster's pods alone (`policy-default-local-cluster`).

        The switch came with 1.18 and is on by default since 1.19, so where it is absent the version decides.
        """
        if not self.settings.text("policy-default-local-cluster"):
            return Match.UNKNOWN
        return self.settings.is_on("policy-default-local-cluster", default=True)

    def block(self, network: IPNetwork, excepts: tuple[IPNetwork, ...] = ()) -> Predicate:
        """A block of addresses, which holds neither pods nor nodes unless `policy-cidr-match-mode` says so.

        The block of all addresses stands for the world, so that it holds nodes in no mode.
        """
        modes = self.settings.words("policy-cidr-match-mode")
        held = [Match.YES if mode in modes and network.prefixlen else Match.NO for mode in ("pods", "nodes")]
        return InBlock(IPBlock(network, excepts), pods=held[0], nodes=held[1])

    @cached_property
    def api_servers(self) -> Predicate:
        """The ends that are API servers: the nodes whose pods they are, else some node or address that is not known."""
        found = [
            decode_network(f"{address}/{128 if ':' in address else 32}")
            for pod in self._snapshot.pods
            if pod.host_network and API_SERVER.items() <= pod.labels.items()
            for address in pod.addresses
        ]
        if not found:
            return Unsure(Match.UNKNOWN, "names kube-apiserver, whose addresses were not read", NOT_A_POD)
        return any_of(InBlock(IPBlock(network), pods=Match.NO) for network in found)

    def world(self, version: int) -> Predicate:
        """The world by one family alone, which agents tell apart only where they serve both."""
        answers = {self.settings.is_on(f"enable-ipv{number}", default=number == 4) for number in (4, 6)}  # noqa: PLR2004
        if Match.NO in answers:
            return NOTHING
        everywhere = decode_network("0.0.0.0/0" if version == 4 else "::/0")  # noqa: PLR2004
        found = InBlock(IPBlock(everywhere), pods=Match.NO, nodes=Match.NO)
        reason = f"names world-ipv{version}, and whether agents serve both families was not read"
        return Unsure(Match.UNKNOWN, reason, found) if Match.UNKNOWN in answers else found

    @cached_property
    def groups(self) -> Mapping[str, tuple[Labels, tuple[IPNetwork, ...]] | None]:
        """The labels and blocks of each CiliumCIDRGroup; None for one that cannot be read."""
        return {item.name: _group(item) for item in self._snapshot.objects if item.resource == GROUPS}

    @cached_property
    def _named(self) -> Mapping[tuple[str, Protocol], frozenset[int]]:
        found: dict[tuple[str, Protocol], set[int]] = defaultdict(set)
        for pod in self._snapshot.pods:
            for port in pod.ports if pod.talks else ():
                found[port.name.lower(), port.protocol].add(port.number)
        return {key: frozenset(numbers) for key, numbers in found.items()}

    def numbers(self, name: str, protocol: Protocol) -> frozenset[int]:
        """The numbers that all pods together declare under a name."""
        return self._named.get((name, protocol), frozenset())

    def behind(self, namespace: str, name: str) -> Predicate:
        """What may stand behind a Service; an empty namespace means any.

        Cilium takes the selector of a Service, and the endpoints' addresses of one that has none.
        """
        found = [item for item in self._snapshot.services if item.name == name and namespace in ("", item.namespace)]
        # A rule all of whose Services are missing reaches every peer, by the ports that it names; and perhaps they were
        # only not read.
        return any_of(_backends(item) for item in found) if found else EVERYTHING_AT_ALL


def _backends(service: Service) -> Predicate:
    return OUTSIDE if service.selector is None else pods(service.namespace, None, service.selector)


def _group(item: PolicyObject) -> tuple[Labels, tuple[IPNetwork, ...]] | None:
    try:
        labels = fields.strings(fields.mapping(item.raw, "metadata"), "labels")
        blocks: Sequence[str] = fields.words(fields.mapping(item.raw, "spec"), "externalCIDRs")
        return labels, tuple(decode_network(text) for text in blocks)
    except FieldError:
        return None
