"""A cluster to talk to."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from typing import TypeVar

from auditor import __version__
from auditor.cluster.api import KubeApi, connect

T = TypeVar("T")


async def with_api(flags: argparse.Namespace, work: Callable[[KubeApi], Awaitable[T]]) -> T:
    """Connect as the flags say, do the work, and disconnect."""
    api = await connect(kubeconfig=flags.kubeconfig, context=flags.context, rate=flags.rate, version=__version__)
    try:
        return await work(api)
    finally:
        await api.close()
