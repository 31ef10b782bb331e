"""`netaudit cleanup`: remove whatever earlier runs left."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console

from auditor.cluster.api import KubeApi
from auditor.commands.live import with_api
from auditor.errors import CleanupIncomplete
from auditor.model.options import Mode
from auditor.sentinel import sentinel_namespaces
from probes.backends.kubernetes import sweep
from probes.backends.kubernetes.lease import NAME as LEASE
from probes.backends.kubernetes.lease import PATH as LEASES
from probes.backends.kubernetes.lease import wait_until_free
from reports.plain import plain


async def execute(flags: argparse.Namespace, words: Sequence[str], console: Console) -> int:
    """Remove what is left of earlier runs; raises CleanupIncomplete where something stays."""
    del words

    async def work(api: KubeApi) -> int:
        def say(text: str) -> None:
            if not flags.quiet:
                console.print(plain(text), soft_wrap=True, markup=False, highlight=False)

        if not flags.force:
            await wait_until_free(api, lambda: datetime.now(UTC), say)
        own = [namespace.name for namespace in sentinel_namespaces()]
        found = await sweep.find(api, within=own if Mode(flags.mode) is Mode.SENTINEL else None)
        names = found.names()
        for name, reason in found.kept:
            console.print(
                plain(f"the namespace {name} was made by a run and stays: {reason}"),
                soft_wrap=True,
                markup=False,
                highlight=False,
            )
        if flags.dry_run:
            sys.stdout.write("".join(f"would remove {name}\n" for name in names) or "nothing to remove\n")
            return 0
        trouble = [*await sweep.remove(api, found, lambda _: None)]
        # A Lease in a namespace that is not ours stays behind its run.
        await api.delete(f"{LEASES}/{LEASE}")
        if trouble:
            raise CleanupIncomplete(
                f"{len(trouble)} objects are still there", why="; ".join(trouble), attempt="netaudit cleanup once more"
            )
        sys.stdout.write("".join(f"removed {name}\n" for name in names) or "nothing to remove\n")
        return 0

    return await with_api(flags, work)
