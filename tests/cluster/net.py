"""The cluster's wires: one bridge in the control plane's namespace, a veth pair to each node and to the outside host.

`plan` is pure and gives shell lines per machine; `build` carries them out.  There is no way out: no machine has a link
to anything but this bridge.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

from tests.cluster import spec
from tests.cluster.errors import ClusterError
from tests.cluster.machine import Machine
from tests.cluster.spec import CONTROL_PLANE, OUTSIDE, ClusterSpec, NodeSpec


def plan(cluster: ClusterSpec, init_pids: Mapping[str, int]) -> list[tuple[str, list[str]]]:
    """What to do where, in order."""
    steps = [(CONTROL_PLANE, _bridge(cluster, init_pids))]
    steps += [(node.name, _node(cluster, node)) for node in cluster.nodes]
    steps.append((OUTSIDE, _outside(cluster)))
    return steps


def build(cluster: ClusterSpec, machines: Mapping[str, Machine]) -> None:
    """Carry out the plan."""
    for name, lines in plan(cluster, {name: machine.init.pid for name, machine in machines.items()}):
        # The network namespace alone: moving a veth's end names the other machine by its pid out here.
        command = ["nsenter", "--target", str(machines[name].init.pid), "--net", "sh", "-e"]
        done = subprocess.run(command, input="\n".join(lines), text=True, capture_output=True, check=False)
        if done.returncode:
            raise ClusterError(
                f"the network of {name} cannot be made", done.stderr.strip(), "install iproute2 and procps"
            )


def _bridge(cluster: ClusterSpec, init_pids: Mapping[str, int]) -> list[str]:
    lines = ["ip link set lo up", "ip link add br0 type bridge"]
    lines += [f"ip addr add {spec.API_V4}/24 dev br0"]
    if cluster.dual_stack:
        lines += [f"ip addr add {spec.API_V6}/64 dev br0 nodad"]
    lines += ["ip link set br0 up", *_forwarding(cluster)]
    for name in (*(node.name for node in cluster.nodes), OUTSIDE):
        lines += [
            f"ip link add v-{name} type veth peer name eth0 netns {init_pids[name]}",
            f"ip link set v-{name} master br0 up",
        ]
    return lines + _pod_routes(cluster, cluster.nodes)


def _node(cluster: ClusterSpec, node: NodeSpec) -> list[str]:
    lines = [
        "ip link set lo up",
        f"ip addr add {node.v4}/24 dev eth0",
        "ip link set eth0 up",
        *_forwarding(cluster),
        # packets between pods of one node cross a bridge; kube-proxy must see them to undo what it did to a service's
        "sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1",
        f"ip route add default via {spec.API_V4}",
        f"ip route add 203.0.113.0/24 via {spec.OUTSIDE_GATEWAY_V4}",
    ]
    if cluster.dual_stack:
        lines += [
            f"ip -6 addr add {node.v6}/64 dev eth0 nodad",
            f"ip -6 route add default via {spec.API_V6}",
            f"ip -6 route add 2001:db8:ffff::/64 via {spec.OUTSIDE_GATEWAY_V6}",
        ]
    others = tuple(other for other in cluster.nodes if other != node and _needs_route(cluster, node, other))
    return lines + _pod_routes(cluster, others)


def _needs_route(cluster: ClusterSpec, node: NodeSpec, other: NodeSpec) -> bool:
    # Between two nodes with agents the engine sets the routes itself.
    return cluster.bridged(node) or cluster.bridged(other)


def _outside(cluster: ClusterSpec) -> list[str]:
    lines = [
        "ip link set lo up",
        f"ip addr add {spec.OUTSIDE_GATEWAY_V4}/24 dev eth0",
        f"ip addr add {spec.OUTSIDE_V4}/32 dev lo",
        "ip link set eth0 up",
    ]
    if cluster.dual_stack:
        lines += [
            f"ip -6 addr add {spec.OUTSIDE_GATEWAY_V6}/64 dev eth0 nodad",
            f"ip -6 addr add {spec.OUTSIDE_V6}/128 dev lo nodad",
        ]
    return lines + _pod_routes(cluster, cluster.nodes)


def _pod_routes(cluster: ClusterSpec, nodes: tuple[NodeSpec, ...]) -> list[str]:
    lines = [f"ip route replace {node.pods_v4} via {node.v4}" for node in nodes]
    if cluster.dual_stack:
        lines += [f"ip -6 route replace {node.pods_v6} via {node.v6}" for node in nodes]
    return lines


def _forwarding(cluster: ClusterSpec) -> list[str]:
    lines = ["sysctl -qw net.ipv4.ip_forward=1"]
    if cluster.dual_stack:
        lines.append("sysctl -qw net.ipv6.conf.all.forwarding=1")
    return lines
