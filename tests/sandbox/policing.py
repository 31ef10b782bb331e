"""How the engine's tests write policies and say which packets get through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from probes.backends.netns.faults import Fault
from probes.backends.netns.world import World
from tests.sandbox.packets import Flow
from tests.sandbox.policed import Realm
from tests.sandbox.spaces import WORLD

WEB, API, CLIENT = ({"matchLabels": {"app": app}} for app in ("web", "api", "client"))
EVERYWHERE = {"cidr": "0.0.0.0/0"}
TO_HTTP = {"ports": [{"port": "http"}]}


def policy(spec: Mapping[str, Any], namespace: str = "shop") -> dict[str, Any]:
    """Write a NetworkPolicy."""
    return {"metadata": {"name": "under-test", "namespace": namespace}, "spec": spec}


@dataclass(frozen=True)
class Case:
    """Policies, and flows of which some get through and some do not; several are parted by commas."""

    title: str
    policies: Sequence[Mapping[str, Any]]
    passes: str
    stays: str

    def world(self) -> World:
        return replace(WORLD, policies=tuple(self.policies))


def shown(realm: Realm, world: World, fault: Fault | None = None, *, passes: str, stays: str) -> None:
    """Load a world's rules and see that exactly those flows get through."""
    through, held = ([Flow.parse(text) for text in texts.split(",") if text] for texts in (passes, stays))
    realm.load(world, fault)
    found = realm.outcomes((*through, *held), through)
    assert found == dict.fromkeys(through, "open") | dict.fromkeys(held, "silent")


def ingress(pods: Mapping[str, Any], *rules: Mapping[str, Any]) -> dict[str, Any]:
    return policy({"podSelector": pods, "policyTypes": ["Ingress"], "ingress": list(rules)})


def egress(pods: Mapping[str, Any], *rules: Mapping[str, Any]) -> dict[str, Any]:
    return policy({"podSelector": pods, "policyTypes": ["Egress"], "egress": list(rules)})


def match(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}
