"""How the sandbox's policy engine goes about its work; each field is a place where a real engine may fail.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from probes.backends.netns.reading import Reading
from probes.backends.netns.world import Seat, World


def _all_of(world: World) -> World:
    return world


def _to_the_letter(reading: Reading) -> Reading:
    return reading


def _everyone(world: World, seat: Seat) -> bool:
    del world, seat
    return True


def _never(world: World) -> tuple[float, ...]:
    del world
    return ()


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine; without arguments, one that does what the API says."""

    sees: Callable[[World], World] = _all_of
    """The world as it knows it."""
    reads: Callable[[Reading], Reading] = _to_the_letter
    """What it takes a policy to say."""
    polices: Callable[[World, Seat], bool] = _everyone
    """Whether it judges a pod's traffic at all."""
    changes: Callable[[World], tuple[float, ...]] = _never
    """At which later seconds of the realm's clock it would write other rules for the same world, sorted."""
    strict: bool = False
    """Whether it denies all traffic of pods that no policy selects."""
    denies: tuple[str, ...] = ("drop",)
    """The nftables statements that end what no rule allows."""
    passes: tuple[str, ...] = ()
    """nftables matches of packets that it never judges."""
    loses: str = ""
    """nftables match of packets from its node's pods that get lost."""
    keeps: bool = False
    """Whether a connection that was open when a policy came lives on; otherwise replies alone pass unjudged."""
    masquerades: bool = False
    """Whether what leaves a node bears the node's address from there on."""


ORDINARY = Engine()
