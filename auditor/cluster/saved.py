"""The SnapshotSource of files: manifests and what kubectl has written, from files, folders and standard input."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from auditor.cluster.applied import applied
from auditor.cluster.decode import decode
from auditor.cluster.documents import Item, forget_lines, read
from auditor.cluster.garbage import uncollected
from auditor.errors import UsageError
from auditor.model.cluster import Snapshot
from auditor.model.problem import Effect, Problem
from auditor.ports import RawSnapshot

STDIN = "-"
ENDINGS = (".yaml", ".yml", ".json")
LARGEST = 1 << 29
"""Bytes of one file; 10,000 pods with all that a server adds are an eighth of it."""
_SORTS = {
    stat.S_IFSOCK: "a socket",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def read_files(paths: Sequence[str], stdin: Callable[[], bytes]) -> tuple[Snapshot, tuple[Problem, ...]]:
    """The snapshot of files and folders, and what is wrong with them.

    Raises UsageError where they hold no object at all.
    """
    with uncollected():
        raw, problems = _load(paths, stdin)
        return decode(raw), problems


class FileSource:
    """What files say that a cluster holds."""

    def __init__(self, paths: Sequence[str], stdin: Callable[[], bytes]) -> None:
        """Read `paths`, folders with all that is in them, and `stdin` where a path is `-`."""
        self._paths = paths
        self._stdin = stdin
        self._raw: RawSnapshot | None = None
        self.problems: Sequence[Problem] = ()
        """What is wrong with the files; known once they were read."""

    async def collect(self) -> RawSnapshot:
        """Read the files, once.  Raises UsageError where they hold no object at all."""
        if self._raw is None:
            with uncollected():
                self._raw, self.problems = _load(self._paths, self._stdin)
        return self._raw

    async def collect_policies(self) -> RawSnapshot:
        """What was read: files do not change while they are looked at."""
        return await self.collect()

    async def collect_pods(self, _: Sequence[str], /) -> RawSnapshot:
        """What was read, of all namespaces."""
        return await self.collect()


def _load(paths: Sequence[str], stdin: Callable[[], bytes]) -> tuple[RawSnapshot, tuple[Problem, ...]]:
    items: list[Item] = []
    problems: list[Problem] = []
    for path in dict.fromkeys(paths):
        for found in _sources(path, stdin):
            if isinstance(found, Problem):
                problems.append(found)
            else:
                some, wrong = read(*found)
                items += some
                problems += wrong
    if not items:
        raise _nothing(paths, problems)
    try:
        return applied(items, problems)
    finally:
        forget_lines()


def _nothing(paths: Sequence[str], problems: Sequence[Problem]) -> UsageError:
    where = ", ".join(_shown(path) for path in paths) or "no files"
    if not problems:
        attempt = "kubectl get pods,networkpolicies,namespaces,services -A -o json | netaudit predict -f -"
        return UsageError(f"there are no manifests in {where}", why="nothing stands in it", attempt=attempt)
    first = problems[0]
    more = f"; {len(problems) - 1} problems more" if len(problems) > 1 else ""
    why = f"{first.place}: {first.what}: {first.why}{more}"
    return UsageError(f"there are no manifests in {where}", why=why, attempt=first.attempt)


def _sources(path: str, stdin: Callable[[], bytes]) -> Iterator[tuple[str, bytes] | Problem]:
    """Each file's name and bytes, or why it has none."""
    if path == STDIN:
        yield _stdin(stdin)
    elif not path:
        yield _unread(path, "it has no name", "name files, folders or -")
    elif "://" in path:
        yield _unread(path, "it is a URL, and netaudit reads files only", "curl -L URL | netaudit predict -f -")
    elif _is_folder(Path(path)):
        yield from _folder(Path(path))
    else:
        yield _file(Path(path), pipes=True)


def _stdin(stdin: Callable[[], bytes]) -> tuple[str, bytes] | Problem:
    try:
        return STDIN, stdin()
    except OSError as error:
        return _unread(STDIN, _reason(error), "send manifests to standard input")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _folder(path: Path) -> Iterator[tuple[str, bytes] | Problem]:
    """The manifests below a folder, sorted; links to folders are not followed, as kubectl does not either."""
    waiting, seen = [path], False
    while waiting:
        place = waiting.pop()
        if place == path or (_is_folder(place) and not place.is_symlink()):
            try:
                waiting += sorted(place.iterdir(), reverse=True)
            except OSError as error:
                yield _unread(place, _reason(error), "make the folder readable")
        elif _is_folder(place):
            if not place.name.startswith("."):
                yield _skipped(place, "it is a link to a folder", "name the folder itself with -f")
        elif place.suffix.lower() in ENDINGS:
            seen = True
            yield _file(place, pipes=False)
    if not seen:
        yield _skipped(path, f"no file below it ends in {', '.join(ENDINGS)}", "name the files with -f")


def _file(path: Path, *, pipes: bool) -> tuple[str, bytes] | Problem:
    """A file's name and bytes; a pipe, which a shell may put in the place of a file, only where it was named."""
    try:
        found = path.stat()
        kind = stat.S_IFMT(found.st_mode)
        if kind != stat.S_IFREG and not (pipes and kind == stat.S_IFIFO):
            return _skipped(path, f"it is {_SORTS.get(kind, 'no file')}", "name files, folders or -")
        if found.st_size > LARGEST:
            return _too_large(path)
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        return _unread(path, _reason(error), "look for a misspelt name, and for the right to read it")
    return _too_large(path) if len(data) > LARGEST else (_shown(path), data)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _too_large(path: Path) -> Problem:
    return _unread(path, f"it is larger than {LARGEST:,} bytes", "leave out what does not matter, or split it")


def _unread(path: str | Path, why: str, attempt: str) -> Problem:
    """What may hold policies, so that nothing is known for sure without it."""
    return Problem(Effect.UNSURE, _shown(path), None, "", "this cannot be read", why, attempt)


def _skipped(path: Path, why: str, attempt: str) -> Problem:
    return Problem(Effect.NOTED, _shown(path), None, "", "this is left out", why, attempt)


def _shown(path: str | Path) -> str:
    """A path as text, whatever bytes it is made of."""
    return os.fsencode(path).decode(errors="replace")
