"""Who has which address, and what stands behind a pod or an address.

Pure.
"""

from __future__ import annotations

from functools import cached_property
from ipaddress import ip_address

from auditor.evaluate.end import End
from auditor.model.cluster import Namespace, Node, Pod, Snapshot, family_of
from auditor.model.ends import Address
from auditor.model.flow import Family
from auditor.model.labels import Labels
from auditor.model.rules import EndKind

FAMILIES = {4: Family.IPV4, 6: Family.IPV6}


class Finder:
    """A snapshot's addresses and names, indexed when they are first asked for."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Look into `snapshot`."""
        self._snapshot = snapshot

    @cached_property
    def _nodes(self) -> dict[str, Node]:
        return {node.name: node for node in self._snapshot.nodes}

    @cached_property
    def _node_of(self) -> dict[str, str]:
        """The node that has an address: from its status, or by a pod on its network."""
        hosts = {
            text: pod.node for pod in self._snapshot.pods if pod.host_network and pod.node for text in pod.addresses
        }
        return hosts | {text: node.name for node in self._snapshot.nodes for text in node.addresses}

    @cached_property
    def _pod_of(self) -> dict[str, Pod]:
        return {text: pod for pod in self._snapshot.pods if pod.talks for text in pod.addresses}

    @cached_property
    def _accounts(self) -> dict[tuple[str, str], Labels] | None:
        accounts = self._snapshot.accounts
        return None if accounts is None else {(item.namespace, item.name): item.labels for item in accounts}

    def pod(self, address: Address) -> Pod | None:
        """The pod with an address of its own; a finished one has given it back."""
        return self._pod_of.get(address.ip)

    def address_end(self, address: Address) -> End:
        """A node or an address outside."""
        node = self._node_of.get(address.ip, "")
        kind = EndKind.NODE if node else EndKind.OUTSIDE
        return End(kind, numbers((address.ip,)), node=self._nodes.get(node), node_name=node)

    def pod_ends(self, pod: Pod, namespace: Namespace) -> tuple[End, ...]:
        """A pod; on the host's network both readings that the API permits, as its node and as a pod."""
        accounts, node = self._accounts, self._nodes.get(pod.node)
        account = None if accounts is None else accounts.get((pod.namespace, pod.service_account), {})
        if not pod.host_network:
            return (End(EndKind.POD, numbers(pod.addresses), pod, namespace, account, node, pod.node),)
        # It is reached at its own address only, though its node have others.
        theirs = numbers(pod.addresses) or _first_of_each(node)
        as_pod = End(EndKind.POD, theirs, pod, namespace, account, node, pod.node)
        return End(EndKind.NODE, theirs, pod, namespace, node=node, node_name=pod.node), as_pod


def _first_of_each(node: Node | None) -> dict[Family, tuple[int, ...]]:
    """The addresses that the kubelet will give to a pod on the node's network: one of each family."""
    return {family: found[:1] for family, found in numbers(node.addresses if node else ()).items()}


def numbers(texts: tuple[str, ...]) -> dict[Family, tuple[int, ...]]:
    """Addresses as integers, by family."""
    found: dict[Family, tuple[int, ...]] = {}
    for text in texts:
        family = family_of(text)
        found[family] = (*found.get(family, ()), _number(text, family))
    return found


def _number(text: str, family: Family) -> int:
    if family is Family.IPV6:
        return int(ip_address(text))
    # Several times as fast as `ipaddress`, which checks once more what was checked when the object was read.
    first, second, third, fourth = text.split(".")
    return int(first) << 24 | int(second) << 16 | int(third) << 8 | int(fourth)
