"""`netaudit cleanup`: remove whatever earlier runs left."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from rich.console import Console

from auditor import __version__
from auditor.cluster.api import KubeApi
from auditor.commands.live import with_api
from auditor.errors import CleanupIncomplete
from auditor.model.options import Mode
from auditor.sentinel import sentinel_namespaces
from probes.backends.kubernetes import sweep
from probes.backends.kubernetes.cleaning import clean_up, clean_up_by_force
from probes.backends.kubernetes.lease import wait_until_free
from probes.backends.kubernetes.lodging import marks_left
from probes.placement import Marks
from reports.marks import marked_text
from reports.plain import plain


async def execute(flags: argparse.Namespace, words: Sequence[str], console: Console) -> int:
    """Remove what is left of earlier runs; raises CleanupIncomplete where something stays."""
    del words

    async def work(api: KubeApi) -> int:
        def say(text: str) -> None:
            if not flags.quiet:
                console.print(plain(text), soft_wrap=True, markup=False, highlight=False)

        api.overlay = Mode(flags.mode).value
        own = [namespace.name for namespace in sentinel_namespaces()]
        within = own if Mode(flags.mode) is Mode.SENTINEL else None
        if flags.dry_run:
            await _tell(api, within, say, force=flags.force)
            return 0
        found, trouble = await _remove(api, within, say, force=flags.force)
        if trouble:
            raise CleanupIncomplete(
                f"{len(trouble)} objects are still there", why="; ".join(trouble), attempt="netaudit cleanup once more"
            )
        sys.stdout.write("".join(f"removed {name}\n" for name in found.names()) or "nothing to remove\n")
        return 0

    return await with_api(flags, work)


async def _remove(
    api: KubeApi, within: Sequence[str] | None, say: Callable[[str], None], *, force: bool
) -> tuple[sweep.Leftovers, Sequence[str]]:
    """Remove what is there, and say what stays by right or because nobody can remove it."""
    if force:
        found, trouble = await clean_up_by_force(api, within)
    else:
        marks = Marks(f"cleanup{secrets.token_hex(3)}", __version__, "")
        found, trouble = await clean_up(api, marks, _now, say, within)
    for text in _kept(found):
        say(text)
    await _tell_marked(api, within, say)
    return found, trouble


async def _tell_marked(api: KubeApi, within: Sequence[str] | None, say: Callable[[str], None]) -> None:
    """Name the real pods that stay marked; where only own namespaces are looked at there are none."""
    if within is None:
        sys.stderr.write(marked_text(await marks_left(api, say)))


async def _tell(api: KubeApi, within: Sequence[str] | None, say: Callable[[str], None], *, force: bool) -> None:
    """Say what would be done."""
    if not force:
        await wait_until_free(api, _now, say)
    found = await sweep.find(api, within=within)
    for text in _kept(found):
        say(text)
    await _tell_marked(api, within, say)
    sys.stdout.write("".join(f"would remove {name}\n" for name in found.names()) or "nothing to remove\n")


def _kept(found: sweep.Leftovers) -> list[str]:
    return [f"the namespace {name} was made by a run and stays: {reason}" for name, reason in found.kept]


def _now() -> datetime:
    return datetime.now(UTC)
