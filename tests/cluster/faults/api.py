"""Disturb connections to the API server: those of clients outside, which go through the cluster's proxy.

Kubelets, controllers and pods have their own way and notice nothing.
"""

from __future__ import annotations

import argparse
import json
import socket

from tests.cluster.apiproxy import KINDS
from tests.cluster.cluster import Cluster
from tests.cluster.errors import ClusterError
from tests.cluster.faults.fault import Fault


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=KINDS, help="throttle answers 429 with Retry-After")
    parser.add_argument(
        "milliseconds", type=int, nargs="?", default=0, help="for delay: before each piece of a request"
    )
    parser.add_argument("--percent", type=int, default=100, help="the share of new connections that it befalls")


def _act(cluster: Cluster, options: argparse.Namespace) -> None:
    if (options.kind == "delay") != bool(options.milliseconds):
        raise ValueError("delay, and nothing else, needs a number of milliseconds")
    order = {"kind": options.kind, "milliseconds": options.milliseconds, "percent": options.percent}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(cluster.record().proxy_socket))
        connection.sendall(json.dumps(order).encode() + b"\n")
        answer = json.loads(connection.makefile().readline())
    if not answer["ok"]:
        raise ClusterError(
            "the proxy refuses the order", answer["error"], "read the proxy's log in the cluster's folder"
        )


FAULTS = (Fault("api", "connections to the API server: drop, delay MS, reset, throttle, off", _arguments, _act),)
