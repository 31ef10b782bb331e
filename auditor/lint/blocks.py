"""Blocks of addresses that hold pods, hold nothing but Services, hold nothing, or are not written as a block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import collapse_addresses
from itertools import islice
from typing import Any, Final

from auditor.lint.case import Case, Hit, Lint
from auditor.lint.hints import listed
from auditor.lint.views import PeerView, RuleView
from auditor.model.flow import Direction
from auditor.model.lint import LintSeverity
from auditor.model.policy import IPBlock, Oddity
from auditor.model.rules import InBlock, Match
from auditor.model.words import plural

SHOWN: Final = 3
"""Pods that are named as examples."""


def holds_pods(case: Case) -> Iterator[Hit]:
    """A block with the addresses of pods: whether it means them is the engine's choice."""
    for rule, view, block in _blocks(case):
        # A rule that lets the same pods in by their labels leaves nothing open.
        there = _pods_in(case, block) & ~_by_selectors(rule)
        if not there:
            continue
        answer = case.engine.dialect.block_holds_pods
        reading = _READINGS[answer].format(engine=case.engine.title)
        names = listed(f"{pod.namespace}/{pod.name}" for pod in islice(case.crowd.members(there), SHOWN))
        count = plural(case.crowd.count(there), "pod")
        yield Hit(
            rule.of.object,
            f"{view.path}.ipBlock",
            f"{written(block)} holds the addresses of {count}, and blocks are meant for outside",
            (f"such as {names}", reading),
            "name pods by their labels, and take their addresses out of the block by except",
            f"{rule.direction.value}:{written(block)}",
            # Everything is meant to be everything, and a pod's address is the least of it.
            LintSeverity.INFO if block.cidr.prefixlen == 0 or answer is not Match.OPEN else None,
        )


_READINGS = {
    Match.OPEN: "the API leaves open whether a block means pods: Cilium says no, Calico yes",
    Match.UNKNOWN: "whether {engine} lets a block mean pods was not read",
    Match.YES: "{engine} lets a block mean pods, and other engines do not",
    Match.NO: "{engine} lets no block mean pods, and other engines do",
}


def _pods_in(case: Case, block: IPBlock) -> int:
    return case.crowd.may(InBlock(block)) & case.crowd.addressed


def _by_selectors(rule: RuleView) -> int:
    found = 0
    for view in rule.peers:
        if view.peer.ip_block is None:
            found |= view.pods
    return found


def holds_services(case: Case) -> Iterator[Hit]:
    """A block for egress whose only known addresses are those of Services: policies look at the pods behind them."""
    for rule, view, block in _blocks(case):
        if rule.direction is not Direction.EGRESS:
            continue
        services = case.service_addresses.within(block)
        if not services or _pods_in(case, block) or case.node_addresses.within(block):
            continue
        if len(services) == 1 or block.cidr.prefixlen >= _NARROW[block.cidr.version]:
            names = listed(f"{item.namespace}/{item.name}" for item in services)
            yield Hit(
                rule.of.object,
                f"{view.path}.ipBlock",
                f"{written(block)} holds the address of a Service, which policies do not see",
                (f"Service {names}", "its address is translated to that of a pod or host before policies apply"),
                "name the pods behind the Service by their labels, or the hosts behind it by their own addresses",
                written(block),
            )


_NARROW = {4: 12, 6: 64}
"""Prefix lengths of the widest ranges that are given to Services."""


def holds_nothing(case: Case) -> Iterator[Hit]:
    """A block whose excepts together take everything away."""
    for rule, view, block in _blocks(case):
        holes: Iterable[Any] = [hole for hole in block.excepts if hole.version == block.cidr.version]
        left = list(collapse_addresses(holes))
        if any(block.cidr.subnet_of(hole) for hole in left):
            yield Hit(
                rule.of.object,
                f"{view.path}.ipBlock.except",
                f"the excepts take away all of {block.cidr}: the peer means nobody",
                (f"together they cover it: {listed(map(str, block.excepts))}",),
                "shorten the list of excepts, or delete the peer",
                f"{rule.direction.value}:{written(block)}",
            )


def has_host_bits(case: Case) -> Iterator[Hit]:
    """A block whose address has bits beyond its mask."""
    for view in case.network_policies:
        for remark in view.policy.remarks if view.policy else ():
            if remark.oddity is Oddity.HOST_BITS:
                yield Hit(
                    view.object,
                    remark.path,
                    f"{remark.text} has bits set beyond its mask: one address may have been meant, not the whole block",
                    ("API servers mask the bits of what is stored, and newer ones refuse to store it",),
                    "write the block with its first address, or the address with the longest mask",
                    remark.text,
                )


def written(block: IPBlock) -> str:
    """A block as a reader knows it."""
    return f"{block.cidr}" + (f" except {listed(map(str, block.excepts))}" if block.excepts else "")


def _blocks(case: Case) -> Iterator[tuple[RuleView, PeerView, IPBlock]]:
    for policy in case.network_policies:
        for rule in policy.rules if policy.subject else ():
            for view in rule.peers:
                if view.peer.ip_block is not None:
                    yield rule, view, view.peer.ip_block


HOLDS_PODS = Lint("block-holds-pods", "a block that holds addresses of pods", LintSeverity.WARNING, holds_pods)
HOLDS_SERVICES = Lint(
    "block-holds-service", "a block that holds the address of a Service", LintSeverity.WARNING, holds_services
)
HOLDS_NOTHING = Lint("block-is-empty", "a block of which nothing is left", LintSeverity.WARNING, holds_nothing)
HOST_BITS = Lint("block-has-host-bits", "a block with bits beyond its mask", LintSeverity.INFO, has_host_bits)
