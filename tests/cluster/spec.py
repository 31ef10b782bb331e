"""What a cluster is asked to be, as frozen values, and the addresses that follow from it.

Pure: nothing here touches the machine.  All addresses lie in documentation and benchmark ranges (RFC 5737, 2544, 3849),
so that nothing in a test can be mistaken for a real network; clusters never meet, so each uses the same ones.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CONTROL_PLANE = "cp"
OUTSIDE = "ext"
MAX_NODES = 80

ANY_V4 = "0.0.0.0"  # noqa: S104 - of a namespace without a way out
API_V4 = "192.0.2.1"
API_V6 = "2001:db8::1"
API_PORT = 6443
REGISTRY = "192.0.2.1:5000"
OUTSIDE_V4 = "203.0.113.10"
OUTSIDE_V6 = "2001:db8:ffff::10"
OUTSIDE_GATEWAY_V4 = "192.0.2.99"
OUTSIDE_GATEWAY_V6 = "2001:db8::99"
PODS_V4 = "198.18.0.0/16"
PODS_V6 = "2001:db8:1::/48"
SERVICES_V4 = "198.19.0.0/16"
SERVICES_V6 = "2001:db8:2::/112"
API_SERVICE_V4 = "198.19.0.1"
DNS_V4 = "198.19.0.10"
DNS_V6 = "2001:db8:2::a"

MAX_NAME = 20
_NAME = re.compile(rf"[a-z0-9]([a-z0-9-]{{0,{MAX_NAME - 2}}}[a-z0-9])?")


class Engine(enum.Enum):
    """What enforces policy."""

    NONE = "none"
    CILIUM = "cilium"


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One node; its number fixes its addresses."""

    number: int
    bare: bool = False
    """Plain bridge networking and no agent, although the cluster has an engine."""
    labels: Mapping[str, str] = field(default_factory=dict)
    provider_id: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    """cilium-config keys that a CiliumNodeConfig overrides on this node alone."""

    @property
    def name(self) -> str:
        return f"n{self.number}"

    @property
    def v4(self) -> str:
        return f"192.0.2.{10 + self.number}"

    @property
    def v6(self) -> str:
        return f"2001:db8::{10 + self.number:x}"

    @property
    def pods_v4(self) -> str:
        return f"198.18.{self.number}.0/24"

    @property
    def pods_v6(self) -> str:
        return f"2001:db8:1:{self.number:x}::/64"


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """Everything that `up` was asked for."""

    name: str
    engine: Engine
    nodes: tuple[NodeSpec, ...]
    dual_stack: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    """cilium-config keys for every agent."""
    server_version: str = ""

    def bridged(self, node: NodeSpec) -> bool:
        """Whether this node has the plain bridge plugin rather than an engine."""
        return node.bare or self.engine is Engine.NONE

    @property
    def machines(self) -> tuple[str, ...]:
        return (CONTROL_PLANE, *(node.name for node in self.nodes), OUTSIDE)


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """Per-node options as the command line and the fixture take them: node name -> value."""

    bare: Sequence[str] = ()
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    provider_ids: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def make_spec(
    name: str,
    *,
    engine: str = "none",
    nodes: int = 2,
    dual_stack: bool = False,
    settings: Mapping[str, str] | None = None,
    server_version: str = "",
    per_node: NodeOptions | None = None,
) -> ClusterSpec:
    """Check what was asked for and number the nodes; ValueError says what is wrong with it."""
    options = per_node or NodeOptions()
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a cluster name: 1 to {MAX_NAME} of a-z, 0-9 and dash")
    if not 0 <= nodes <= MAX_NODES:
        raise ValueError(f"{nodes} nodes: between 0 (etcd and the API server alone) and {MAX_NODES} are possible")
    known = {f"n{number}" for number in range(1, nodes + 1)}
    named = {*options.bare, *options.labels, *options.provider_ids, *options.settings}
    if named - known:
        raise ValueError(f"no such node: {', '.join(sorted(named - known))}; there are {', '.join(sorted(known))}")
    if engine == Engine.CILIUM.value and not nodes:
        raise ValueError("an engine needs a node")
    if engine != Engine.CILIUM.value and (settings or options.settings or options.bare):
        raise ValueError("--set, --set-node and --bare-node need --engine cilium: without an engine nothing reads them")
    if set(options.bare) & set(options.settings):
        raise ValueError("a bare node has no agent that --set-node could configure")
    return ClusterSpec(
        name=name,
        engine=Engine(engine),
        nodes=tuple(_node(number, options) for number in range(1, nodes + 1)),
        dual_stack=dual_stack,
        settings=dict(settings or {}),
        server_version=server_version,
    )


def _node(number: int, options: NodeOptions) -> NodeSpec:
    name = f"n{number}"
    return NodeSpec(
        number=number,
        bare=name in options.bare,
        labels=dict(options.labels.get(name, {})),
        provider_id=options.provider_ids.get(name, ""),
        settings=dict(options.settings.get(name, {})),
    )
