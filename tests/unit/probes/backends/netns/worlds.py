"""A small world for the engine's tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from probes.backends.netns.world import Seat, World

WEB = Seat("shop", "web", {"app": "web"}, ("10.0.1.1", "fd00:1::1"), "n1", "v1", (("http", "TCP", 80),))
API = Seat("shop", "api", {"app": "api"}, ("10.0.2.1", "fd00:2::1"), "n2", "v2", (("http", "TCP", 8080),))
GUEST = Seat("guests", "guest", {"app": "web"}, ("10.0.2.2",), "n2", "v3", (("http", "UDP", 80),))
WORLD = World({"shop": {"team": "a"}, "guests": {"team": "b"}}, (WEB, API, GUEST), nodes=("n1", "n2", "n3"))


def policy(namespace: str = "shop", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": "one"}, "spec": spec}


def under(*policies: Mapping[str, Any], world: World = WORLD) -> World:
    return replace(world, policies=policies)


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    """A Service of port 80 over the pods of an app, which lead to their port http."""
    usual = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": "http"}]}
    return {"metadata": {"namespace": "shop", "name": name}, "spec": {**usual, **spec}}
