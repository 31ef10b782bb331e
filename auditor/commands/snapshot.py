"""A cluster, read once."""

from __future__ import annotations

import argparse

from auditor.cluster.api import KubeApi
from auditor.cluster.decode import decode
from auditor.cluster.live import LiveCluster
from auditor.commands.live import with_api
from auditor.model.cluster import Snapshot


async def collect(flags: argparse.Namespace) -> tuple[Snapshot, str]:
    """Read the cluster that the flags name; with it, the name of the context."""

    async def work(api: KubeApi) -> tuple[Snapshot, str]:
        return decode(await LiveCluster(api).collect()), api.context

    return await with_api(flags, work)
