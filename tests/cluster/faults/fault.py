"""What a fault is: a name, its arguments, and the act."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from tests.cluster.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that can go wrong."""

    name: str
    summary: str
    arguments: Callable[[argparse.ArgumentParser], None]
    act: Callable[[Cluster, argparse.Namespace], None]
