"""The sandbox's named faults: engines that fail in a way in which real ones have failed, and what an audit must say.

Pure.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from auditor.model.finding import Agreement
from probes.backends.netns.engine import Engine
from probes.backends.netns.reading import Block, Port, Reading, Rule
from probes.backends.netns.world import Seat, World

START_WINDOW = 15.0
"""Seconds that a new pod goes unpoliced; less than the settle time of a run, and longer than its first round takes."""
RESTART = 1.0
"""Second of the realm's clock at which a node restarts."""


class Command(enum.Enum):
    """The command that shows a fault."""

    RUN = "run"
    CONFORMANCE = "conformance"


@dataclass(frozen=True, slots=True)
class Fault:
    """An engine that fails, and what an audit of it must find."""

    name: str
    sentence: str
    row: str
    """The shape of leaks (D) or over-blocks (O) that it has; empty for none, as all it does is answer."""
    command: Command
    finds: Agreement | None
    """What must be found where all is not as expected; None where nothing may be."""
    engine: Engine

    def moments(self, world: World) -> tuple[float, ...]:
        """At which seconds of the realm's clock, all later than the world's, its rules change by themselves."""
        return tuple(sorted({moment for moment in self.engine.changes(world) if moment > world.now}))


# --- what the engine sees ---


def _no_policies(world: World) -> World:
    return replace(world, policies=())


def _deleted_ones_too(world: World) -> World:
    """Where none is known to have been deleted: one of each namespace with policies, that let everybody in."""
    homes = sorted({str(policy["metadata"].get("namespace") or "default") for policy in world.policies})
    return replace(world, policies=world.policies + (world.gone or tuple(map(_let_all_in, homes))))


def _let_all_in(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deleted", "namespace": namespace},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
    }


def _labels_before(world: World) -> World:
    seats = (seat if seat.before is None else replace(seat, labels=seat.before) for seat in world.seats)
    return replace(world, seats=tuple(seats))


# --- whom it judges ---


def _not_on_the_last_node(world: World, seat: Seat) -> bool:
    return seat.node != world.all_nodes()[-1]


def _until_the_restart(world: World, seat: Seat) -> bool:
    return world.now < RESTART or _not_on_the_last_node(world, seat)


def _after_a_while(world: World, seat: Seat) -> bool:
    return world.now >= seat.born + START_WINDOW


# --- what it reads ---


def _ingress_alone(reading: Reading) -> Reading:
    return replace(reading, egress=None)


def _each_rule(change: Callable[[Rule], Rule]) -> Callable[[Reading], Reading]:
    def changed(rules: tuple[Rule, ...] | None) -> tuple[Rule, ...] | None:
        return None if rules is None else tuple(change(rule) for rule in rules)

    return lambda reading: replace(reading, ingress=changed(reading.ingress), egress=changed(reading.egress))


def _each_port(change: Callable[[Port], Port | None]) -> Callable[[Reading], Reading]:
    """Change ports, or leave them out: a rule that loses all of them allows none."""

    def changed(rule: Rule) -> Rule:
        if rule.ports is None:
            return rule
        return replace(rule, ports=tuple(port for item in rule.ports if (port := change(item)) is not None))

    return _each_rule(changed)


def _whole_blocks(rule: Rule) -> Rule:
    if rule.peers is None:
        return rule
    return replace(rule, peers=tuple(Block(peer.cidr) if isinstance(peer, Block) else peer for peer in rule.peers))


def _first_peer(rule: Rule) -> Rule:
    return rule if rule.peers is None else replace(rule, peers=rule.peers[:1])


def _no_name(port: Port) -> Port | None:
    return port if port.name is None else None


def _any_number(port: Port) -> Port:
    return port if port.name is None else Port(port.protocol)


def _first_number(port: Port) -> Port:
    return port if port.name is not None or port == Port(port.protocol) else replace(port, last=port.first)


_LEAK, _BLOCKAGE, _LATE, _INCONCLUSIVE = Agreement.LEAK, Agreement.BLOCKAGE, Agreement.LATE, Agreement.INCONCLUSIVE
_RUN, _CONFORMANCE = Command.RUN, Command.CONFORMANCE

_TABLE = (
    Fault(
        "nothing-enforced",
        "No engine is there: policies are stored, and nobody acts on them.",
        "D1",
        _RUN,
        _LEAK,
        Engine(sees=_no_policies),
    ),
    Fault(
        "ingress-only",
        "What comes in is policed, what goes out is not.",
        "D2",
        _RUN,
        _LEAK,
        Engine(reads=_ingress_alone),
    ),
    Fault(
        "node-without-agent",
        "The last node has no agent, so that its pods are not policed.",
        "D3",
        _RUN,
        _LEAK,
        Engine(polices=_not_on_the_last_node),
    ),
    Fault(
        "stale-policy",
        "The rules of deleted policies stay: what they allowed, here everything that comes in, still gets through.",
        "D12",
        _RUN,
        _LEAK,
        Engine(sees=_deleted_ones_too),
    ),
    Fault(
        "stale-labels",
        "A pod that was relabelled is judged by the labels it had: it still gets where they let it.",
        "D12",
        _CONFORMANCE,
        _LEAK,
        Engine(sees=_labels_before),
    ),
    Fault(
        "late-start",
        f"A pod is not policed for its first {START_WINDOW:.0f} seconds.",
        "D11",
        _RUN,
        _LATE,
        Engine(
            polices=_after_a_while,
            changes=lambda world: tuple(seat.born + START_WINDOW for seat in world.seats),
        ),
    ),
    Fault(
        "except-ignored",
        "The exceptions of an ipBlock are ignored: the whole block is let through.",
        "D9",
        _CONFORMANCE,
        _LEAK,
        Engine(reads=_each_rule(_whole_blocks)),
    ),
    Fault(
        "named-port-ignored",
        "A port given by name matches nothing.",
        "D9",
        _RUN,
        _BLOCKAGE,
        Engine(reads=_each_port(_no_name)),
    ),
    Fault(
        "named-port-widened",
        "A port given by name matches every port of its protocol.",
        "D9",
        _RUN,
        _LEAK,
        Engine(reads=_each_port(_any_number)),
    ),
    Fault(
        "endport-ignored",
        "Of a range of ports the first alone is let through.",
        "D9",
        _RUN,
        _BLOCKAGE,
        Engine(reads=_each_port(_first_number)),
    ),
    Fault(
        "udp-ignored",
        "UDP is never denied.",
        "D8",
        _RUN,
        _LEAK,
        Engine(passes=("meta l4proto udp",)),
    ),
    Fault(
        "ipv6-ignored",
        "IPv6 is never denied.",
        "D15",
        _RUN,
        _LEAK,
        Engine(passes=("meta nfproto ipv6",)),
    ),
    Fault(
        "source-lost",
        "What leaves a node bears the node's address, so that no rule at its destination knows the pod it comes from.",
        "O2",
        _RUN,
        _BLOCKAGE,
        Engine(masquerades=True),
    ),
    Fault(
        "reject-icmp",
        "What is denied is answered by ICMP, which is a denial all the same.",
        "",
        _RUN,
        None,
        Engine(denies=("reject with icmpx port-unreachable",)),
    ),
    Fault(
        "reject-reset",
        "A denied connection is answered by a reset, which is a denial all the same.",
        "",
        _RUN,
        None,
        Engine(denies=("meta l4proto tcp reject with tcp reset", "drop")),
    ),
    Fault(
        "restart-loses-rules",
        f"The last node restarts after {RESTART:.0f} s, and its agent does not write its rules again.",
        "D18",
        _RUN,
        _LEAK,
        Engine(polices=_until_the_restart, changes=lambda _: (RESTART,)),
    ),
    Fault(
        "over-blocking",
        "Of several peers of a rule the first alone is let through.",
        "D9",
        _RUN,
        _BLOCKAGE,
        Engine(reads=_each_rule(_first_peer)),
    ),
    Fault(
        "always-deny",
        "Pods that no policy selects are denied everything too, so that nothing is left to compare with.",
        "O1",
        _RUN,
        _INCONCLUSIVE,
        Engine(strict=True),
    ),
    Fault(
        "established-kept",
        "A connection that was open when a policy came lives on, which the API leaves open.",
        "D14",
        _CONFORMANCE,
        None,
        Engine(keeps=True),
    ),
    Fault(
        "packet-loss",
        "A fifth of all packets is lost: nothing is wrong with any policy, and some denials cannot be proven.",
        "D17",
        _RUN,
        _INCONCLUSIVE,
        Engine(loses="numgen random mod 100 < 20"),
    ),
)

FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in _TABLE}
"""Every fault by name, in the order in which lists show them."""
