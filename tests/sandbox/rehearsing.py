"""Whole audits in sandboxes, as the command would make them."""

from __future__ import annotations

import asyncio
import random
import secrets
import string
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from auditor.audit import run_audit
from auditor.cluster.saved import FileSource
from auditor.model.options import Options
from auditor.verdict import Material
from probes.agents import text_of
from probes.backends.netns import NetnsBackend, SandboxSource, sandbox
from probes.backends.netns.faults import FAULTS
from probes.placement import AgentSpec, Marks

ALPHABET = string.ascii_lowercase + string.digits
AT_ONCE = 4
"""Sandboxes side by side: they mostly wait for what does not answer."""


def word(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


async def rehearse(folder: Path, fault: str = "", *, settle: float = 2.0) -> Material:
    """Audit the manifests of a folder in a sandbox whose engine has that fault."""
    # Twice the usual patience: a busy machine must not look like a policy.
    options = replace(Options(), settle=settle, connect_timeout=2.0)
    async with sandbox(FAULTS[fault] if fault else None) as box:
        source = SandboxSource(box, FileSource([str(folder)], bytes))
        agent = AgentSpec("none", text_of("python"), options.budget, "python")
        marks = Marks(word(6), "0", "2030-01-01T00:00:00Z")
        backend = NetnsBackend(box, marks, agent, lambda: word(24), 60, random.random)
        return await run_audit(source, backend, options, lambda _: None)


def rehearse_all(folder: Path, faults: Iterable[tuple[str, float]]) -> dict[str, Material]:
    """Audit it under each of these faults, with that settle time; several at a time."""

    async def work() -> dict[str, Material]:
        room = asyncio.Semaphore(AT_ONCE)

        async def one(fault: str, settle: float) -> tuple[str, Material]:
            async with room:
                return fault, await rehearse(folder, fault, settle=settle)

        return dict(await asyncio.gather(*(one(*item) for item in faults)))

    return asyncio.run(work())
