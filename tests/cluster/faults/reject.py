"""Answer new connections to a pod with a refusal, as engines do that reject what a policy denies; on bridged nodes."""

from __future__ import annotations

import argparse
import ipaddress

from tests.cluster.cluster import Cluster
from tests.cluster.errors import ClusterError
from tests.cluster.faults.fault import Fault

_COMMENT = "netaudit-reject"


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node")
    parser.add_argument("manner", choices=("icmp", "reset"))
    parser.add_argument("target", metavar="POD_IP[:PORT]", help="IPv6 with a port as [IP]:PORT")
    parser.add_argument("--off", action="store_true")


def _act(cluster: Cluster, options: argparse.Namespace) -> None:
    record = cluster.record()
    node = next((node for node in record.spec.nodes if node.name == options.node), None)
    if node is None or not record.spec.bridged(node):
        why = "only a node with the plain bridge leaves it to iptables"
        raise ClusterError(f"cannot reject on {options.node}", why, "use --engine none or --bare-node")
    address, port = split_target(options.target)
    program = "ip6tables" if address.version == 6 else "iptables"
    rule = reject_rule(address, port, options.manner)
    record.machine(node.name).run(program, "-w", "-D" if options.off else "-I", "FORWARD", *rule)


def split_target(text: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, str]:
    """POD_IP[:PORT] in its parts; an empty port is every port."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return ipaddress.ip_address(host), port.removeprefix(":")
    host, _, port = text.partition(":") if text.count(":") == 1 else (text, "", "")
    return ipaddress.ip_address(host), port


def reject_rule(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: str, manner: str) -> list[str]:
    """What iptables needs to know; new connections only, so that the pod's own go on."""
    unreachable = "icmp6-port-unreachable" if address.version == 6 else "icmp-port-unreachable"
    rule = ["-d", str(address), "-m", "conntrack", "--ctstate", "NEW", "-m", "comment", "--comment", _COMMENT]
    if port or manner == "reset":
        rule += ["-p", "tcp"]
    if port:
        rule += ["--dport", port]
    return [*rule, "-j", "REJECT", "--reject-with", "tcp-reset" if manner == "reset" else unreachable]


FAULTS = (Fault("reject", "connections to a pod are refused by ICMP or TCP reset", _arguments, _act),)
