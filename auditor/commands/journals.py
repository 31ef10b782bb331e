"""Journals as files: one for each run, in the user's state directory or in `--journal DIR`.

A journal is written by appending alone, can be read by its owner only, and is locked as long as its run lives.
"""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from platformdirs import user_state_path

from auditor import __version__
from auditor.errors import RunInProgress, UsageError
from auditor.events import StageStarted, Warned
from auditor.model.journal import SCHEMA, Entry, Header, Marks
from auditor.model.options import Mode, Options
from auditor.past import Past, past_of
from auditor.ports import OnEvent
from auditor.recording import FIRST, deciding_options, decode, encode

LAST = "last"
RUN = re.compile(r"[a-z0-9]{6}")
ENDING = ".journal"
MOST_BYTES = 64 * 2**20
"""What comes after that is not noted, and measured anew by whoever goes on."""
KEPT_SECONDS = 86_400
"""Journals are of use for an hour; for a day the refusal says more than that there is none."""
KEPT = 20
MODE = 0o600


def folder_of(named: str | None) -> Path:
    """The folder of journals: the one that was named, or netaudit's own in the user's state directory."""
    return Path(named) if named else user_state_path("netaudit") / "journals"


@dataclass(slots=True)
class JournalFile:
    """The journal of one run; where it cannot be kept, that is said once and the run goes on."""

    folder: Path
    run: str
    options: Options
    clock: Callable[[], datetime]
    on_event: OnEvent
    _started: str = field(default="", init=False)
    _file: int = field(default=-1, init=False)
    _before: str = field(default=FIRST, init=False)
    _written: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Take the time of the run's beginning."""
        self._started = self.now()

    @property
    def stays(self) -> bool:
        """Whether something was noted that was not removed again."""
        return self._written > 0

    def now(self) -> str:
        """The time, RFC 3339 in UTC."""
        return self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")

    def begin(self, cluster: str, marks: Marks) -> None:
        """Make the file, after old ones were swept; none in a mode whose runs nobody goes on from."""
        if self.options.mode is not Mode.CLONE:
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sweep(self.folder)
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(_place(self.folder, self.run), flags, MODE)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._give_up(f"this run keeps no journal, so that none can go on from it: {error}")
            return
        options = deciding_options(self.options)
        self.write(Header(SCHEMA, __version__, self.run, cluster, self._started, options, marks))

    def write(self, entry: Entry) -> None:
        """Add one entry by a single write; a kill leaves half a line at most."""
        if self._file < 0:
            return
        line, checksum = encode(entry, self._before)
        if self._written + len(line) > MOST_BYTES:
            self._give_up(f"the journal is full ({MOST_BYTES // 2**20} MiB): the rest of this run is not noted")
            return
        try:
            done = os.write(self._file, line)
        except OSError as error:
            self._give_up(f"the journal could not be written: {error}")
            return
        if done < len(line):
            self._give_up("the journal could not be written: no room is left")
            return
        self._before, self._written = checksum, self._written + len(line)

    def close(self) -> None:
        """Let go of it; it stays."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def remove(self) -> None:
        """Let go of it, and take it away."""
        self.close()
        if self._written:
            discard(self.folder, self.run)
            self._written = 0

    def _give_up(self, why: str) -> None:
        self.close()
        self.on_event(Warned(why))


@contextmanager
def kept(journal: JournalFile) -> Iterator[JournalFile]:
    """A journal for the time of a run; however that ends, say how another goes on from what stays."""
    try:
        yield journal
    finally:
        journal.close()
        if journal.stays:
            where = "" if journal.folder == folder_of(None) else f" --journal {shlex.quote(str(journal.folder))}"
            hint = f"netaudit run --resume {journal.run}{where}, with the same options, goes on from here for an hour"
            journal.on_event(StageStarted("journal", hint))


def _place(folder: Path, run: str) -> Path:
    return folder / f"{run}{ENDING}"


def discard(folder: Path, run: str) -> None:
    """Take a run's journal away, if there is one and it can be."""
    with suppress(OSError):
        _place(folder, run).unlink()


def load(folder: Path, wanted: str) -> Past:
    """Read the journal of a run, or of the last one.

    Raises UsageError where there is none that can be gone on from, and RunInProgress while its run is alive here.
    """
    run = _last(folder) if wanted == LAST else wanted
    if not RUN.fullmatch(run):
        why = "a run's id is six small letters and digits, as the report has it"
        raise UsageError(f"--resume {wanted} names no run", why=why, attempt="--resume last")
    try:
        file = os.open(_place(folder, run), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(
            f"cannot go on from run {run}",
            why=f"its journal cannot be read: {error}",
            attempt="--journal with the folder that it was written to, or a new run; one that ended well leaves none",
        ) from error
    try:
        return past_of(decode(_read(file, run)), run)
    finally:
        os.close(file)


def _last(folder: Path) -> str:
    found = _journals(folder)
    if not found:
        raise UsageError(
            "there is no run to go on from",
            why=f"no journal lies in {folder}; a run that ended well leaves none",
            attempt="--journal with the folder that it was written to, or a new run",
        )
    return found[0].stem


def _journals(folder: Path) -> list[Path]:
    """The journals of a folder, the latest first."""
    try:
        found = [(item.lstat().st_mtime, item) for item in folder.iterdir() if _is_journal(item)]
    except OSError:
        return []
    return [item for _, item in sorted(found, reverse=True)]


def _is_journal(path: Path) -> bool:
    return path.suffix == ENDING and RUN.fullmatch(path.stem) is not None


def _read(file: int, run: str) -> bytes:
    """The bytes of a journal that nobody else could write and no run is writing."""
    about = os.fstat(file)
    if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & stat.S_IWOTH:
        raise UsageError(
            f"cannot go on from run {run}",
            why="others than you could have written its journal",
            attempt="a new run; keep journals in a folder of your own",
        )
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        raise RunInProgress(
            f"cannot go on from run {run}", why="it is still at work on this machine", attempt="wait until it has ended"
        ) from error
    with os.fdopen(os.dup(file), "rb") as stream:
        return stream.read(MOST_BYTES)


def _sweep(folder: Path) -> None:
    """Take away journals that are of no use any more; one that is being written is left alone."""
    for place, path in enumerate(_journals(folder)):
        with suppress(OSError):
            if (place >= KEPT or time.time() - path.lstat().st_mtime > KEPT_SECONDS) and not _is_locked(path):
                path.unlink()


def _is_locked(path: Path) -> bool:
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
