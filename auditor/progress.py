"""Events on stderr: a live line on a terminal, one line for each stage otherwise, nothing when quiet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from auditor.events import ASKED_TO_END, Event, Progressed, StageStarted, Warned


class _Live:
    """Lines that stand while something goes on, and leave nothing; used as a context manager around it."""

    def __init__(self, console: Console, *columns: ProgressColumn, quiet: bool) -> None:
        self._console = console
        self._quiet = quiet
        self._live = Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)

    def __enter__(self) -> Self:
        """Begin to show."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the live line."""
        self._live.stop()


class Reporter(_Live):
    """Shows events; used as a context manager around a run."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        """Write to `console`, which should be stderr."""
        super().__init__(
            console,
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            quiet=quiet,
        )
        self._task: TaskID | None = None
        self._total = 0

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if self._quiet:
            return
        match event:
            case StageStarted():
                self._stage(event)
            case Progressed() if self._task is not None:
                self._live.update(self._task, completed=event.done, count=f"{event.done}/{self._total}")
            case Warned():
                self._line(f"warning: {event.text}")

    def _stage(self, event: StageStarted) -> None:
        text = event.name + (f": {event.detail}" if event.detail else "")
        if event.total:
            text += f" ({event.total})"
        if not self._console.is_terminal:
            self._line(text)
            return
        if self._task is not None:
            self._live.remove_task(self._task)
        self._total = event.total
        self._task = self._live.add_task(event.name, total=event.total or None, count=event.detail)

    def _line(self, text: str) -> None:
        say(self._console, text)


class Chorus(_Live):
    """Several runs at once on stderr: a live line for each on a terminal, its warnings and its end otherwise."""

    def __init__(self, console: Console, names: Sequence[str], *, quiet: bool) -> None:
        """Show runs of those names on `console`, which should be stderr."""
        super().__init__(
            console,
            SpinnerColumn(finished_text="·"),
            TextColumn("{task.description}"),
            TextColumn("{task.fields[stage]}"),
            TimeElapsedColumn(),
            quiet=quiet,
        )
        self._tasks = {name: self._live.add_task(name, total=1, stage="") for name in names}

    def voice(self, name: str) -> Callable[[Event], None]:
        """What takes the events of one of them."""

        def heard(event: Event) -> None:
            match event:
                case StageStarted():
                    self._live.update(self._tasks[name], stage=event.name)
                case Warned() if not self._quiet and event.text != ASKED_TO_END:
                    say(self._console, f"{name}: warning: {event.text}")

        return heard

    def done(self, name: str) -> None:
        """Show that one of them has ended."""
        self._live.update(self._tasks[name], completed=1, stage="done")
        if not self._quiet and not self._console.is_terminal:
            say(self._console, f"{name}: done")


def say(console: Console, text: str) -> None:
    """Write a line that may hold anything."""
    # Text, not markup: names from the cluster may look like markup, and control characters may not pass.
    safe = "".join(char if char.isprintable() else "?" for char in text)
    console.print(Text(safe), soft_wrap=True)
