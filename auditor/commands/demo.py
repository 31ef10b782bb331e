"""`netaudit demo`: the guides' examples on clusters that do and do not enforce them, all on this machine."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from auditor import guides
from auditor.cluster.saved import FileSource
from auditor.commands.keeping import keep
from auditor.commands.recorded import now, stamp
from auditor.commands.rehearse import audited, fault_named
from auditor.commands.source import from_stdin, say_problems
from auditor.errors import NetauditError, UsageError
from auditor.model.finding import Agreement
from auditor.model.options import Options
from auditor.model.report import AuditReport, Summary
from auditor.ports import RawSnapshot, SnapshotSource
from auditor.progress import Chorus
from auditor.sandbox_flags import LATE_SETTLE, SETTLE
from auditor.scenes import SCENES, Node, Scene, scenes_with
from probes.backends.netns import Sandbox, sandbox
from probes.backends.netns.faults import FAULTS, Command, Fault
from reports import as_html, as_json, fleet_page
from reports.fleet import Member, fleet
from reports.tale import WIDTH, FaultRow, Told, render, render_faults

PAGE = "index.html"
Reports = Mapping[str, AuditReport]
"""By the key of a scene."""


@dataclass(frozen=True, slots=True)
class OnNodes:
    """Manifests as they would be on other nodes than their own."""

    manifests: SnapshotSource
    nodes: tuple[Node, ...]

    async def collect(self) -> RawSnapshot:
        """What the manifests say, but for nodes."""
        raw = await self.manifests.collect()
        return replace(raw, objects={**raw.objects, "nodes": self.nodes})

    async def collect_policies(self) -> RawSnapshot:
        """The same: files do not change while they are looked at."""
        return await self.collect()

    async def collect_pods(self, _: Sequence[str], /) -> RawSnapshot:
        """The same, of all namespaces."""
        return await self.collect()


async def execute(flags: argparse.Namespace, words: Sequence[str], console: Console) -> int:
    """Audit each cluster of the story and write its page; 0 where each was told for what it is."""
    if flags.list_faults:
        sys.stdout.write(
            render_faults([FaultRow(it.name, it.sentence, _shown_by(it), it.finds) for it in FAULTS.values()])
        )
        return 0
    fault = fault_named(flags.fault or "")
    scenes = scenes_with(fault.name, fault.sentence) if fault else SCENES
    is_late = fault is not None and fault.finds is Agreement.LATE
    settle = flags.settle if flags.settle is not None else LATE_SETTLE if is_late else SETTLE
    shown = [str(guides.BEYOND)] if fault else guides.manifests()
    files = FileSource(flags.manifests or shown, from_stdin)
    # Files that make no sense, and folders that cannot be written, are told before anything is made.
    await _read(files)
    say_problems(files.problems, quiet=flags.quiet)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(_folder(Path(flags.folder)))
        boxes = {scene.key: await stack.enter_async_context(sandbox(fault_named(scene.fault))) for scene in scenes}
        with Chorus(console, [scene.title for scene in scenes], quiet=flags.quiet) as chorus:
            found = await _Play(files, Options(settle=settle), words).audit(scenes, boxes, chorus)
        told = [_told(scene, found[scene.key]) for scene in scenes]
        _write(folder, scenes, found, told, settle)
        width = shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH
        own, page = bool(flags.manifests), str(folder / PAGE)
        sys.stdout.write(render(told, page, settle, own=own, fault=flags.fault or "", width=width))
        sys.stdout.flush()
        if flags.keep:
            await keep({scene.title: boxes[scene.key] for scene in scenes}, await files.collect())
    if flags.manifests or _is_as_it_should_be(scenes, found):
        return 0
    sys.stderr.write("error: a cluster was not told for what it is, which is a fault of netaudit, or of this machine\n")
    return 1


@dataclass(frozen=True, slots=True)
class _Play:
    """What each cluster of the story is audited with."""

    files: SnapshotSource
    options: Options
    words: Sequence[str]

    async def audit(self, scenes: Sequence[Scene], boxes: Mapping[str, Sandbox], chorus: Chorus) -> Reports:
        """All at once: they wait most of the time, and what has to settle settles together."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {scene.key: group.create_task(self._one(scene, boxes[scene.key], chorus)) for scene in scenes}
        except ExceptionGroup as errors:
            # One of them says what is wrong; the others were ended by it.
            raise errors.exceptions[0] from errors
        return {key: task.result() for key, task in tasks.items()}

    async def _one(self, scene: Scene, box: Sandbox, chorus: Chorus) -> AuditReport:
        options = replace(self.options, fault=scene.fault)
        manifests = OnNodes(self.files, scene.nodes)
        report, interrupted = await audited(
            box, manifests, options, chorus.voice(scene.title), (scene.title, self.words)
        )
        if interrupted:
            raise asyncio.CancelledError
        chorus.done(scene.title)
        return report


def _shown_by(fault: Fault) -> str:
    return "netaudit run" if fault.command is Command.RUN else "conformance (to come)"


def _is_as_it_should_be(scenes: Sequence[Scene], found: Reports) -> bool:
    """Whether each cluster was told for what it is: a demonstration that shows anything else is none."""
    return all(
        _is_told(fault_named(scene.fault), found[scene.key].summary)
        and not _is_unseen(fault_named(scene.fault), found[scene.key].summary)
        for scene in scenes
    )


def _is_told(fault: Fault | None, summary: Summary) -> bool:
    if fault is None:
        return summary.leaks == 0 and summary.proven_denials > 0
    return summary.leaks == 0 or fault.finds is Agreement.LEAK


def _is_unseen(fault: Fault | None, summary: Summary) -> bool:
    """Whether a fault that audits find was not found."""
    if fault is None or fault.command is not Command.RUN:
        return False
    match fault.finds:
        case Agreement.LEAK:
            return summary.leaks == 0
        case Agreement.BLOCKAGE:
            return summary.blockages == 0
        case Agreement.LATE:
            return summary.late == 0
        case _:
            return False


def _told(scene: Scene, report: AuditReport) -> Told:
    unseen = _is_unseen(fault_named(scene.fault), report.summary)
    return Told(scene.title, scene.story, f"{scene.key}.html", report, unseen=unseen)


async def _read(files: FileSource) -> None:
    """Read the manifests; raises UsageError where there are none."""
    try:
        await files.collect()
    except UsageError as error:
        attempt = "--manifests with a file or folder that holds manifests"
        raise UsageError(error.what, why=error.why, attempt=attempt) from error


@contextmanager
def _folder(folder: Path) -> Iterator[Path]:
    """The folder of the pages, gone again where it stays empty; raises UsageError where it cannot be written."""
    missing = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"cannot write the pages to {folder}", why=str(error), attempt="another folder with --folder"
        ) from error
    try:
        yield folder
    finally:
        if missing:
            with suppress(OSError):
                folder.rmdir()


def _write(folder: Path, scenes: Sequence[Scene], found: Reports, told: Sequence[Told], settle: float) -> None:
    members = [Member(item.title, item.page, item.report) for item in told]
    stories = [f"{scene.title}: {scene.story}" for scene in scenes]
    pages = {f"{key}.html": as_html.render(report) for key, report in found.items()}
    pages |= {f"{key}.json": as_json.render(report) for key, report in found.items()}
    note = (
        "These clusters are network namespaces of one machine under an engine of netaudit's own, which was given those "
        f"faults; packets were real. Surprises were tried again for {settle:g} s; on a real cluster it is 45 s."
    )
    pages[PAGE] = fleet_page.render(fleet(members, stamp(now())), intro=stories, note=note)
    for name, text in pages.items():
        try:
            (folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise NetauditError(
                f"cannot write {folder / name}", why=str(error), attempt="another folder with --folder"
            ) from error
