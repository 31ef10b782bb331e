"""Build a thing once, and find it again by what it was made from.

An artifact's key is a hash of everything that went into it: parameters, files, the code of its recipe and the keys of
the artifacts it needs. So a key is known before anything is built, and a stale result cannot be found. What artifacts
there are is not known here.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.cluster.artifacts.errors import ArtifactError

KEY_LENGTH = 20
LOCKS = "locks"
KEPT = 2
KEPT_SECONDS = 6 * 3600.0
"""Older builds of an artifact stay while they are among the newest few or were used within this time."""

IGNORED = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"})


@dataclass(frozen=True, slots=True)
class Job:
    """What a recipe gets to work with."""

    target: Path
    """An empty folder that becomes the artifact."""
    needed: Mapping[str, Path]
    """The results of the artifacts named in ``needs``."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """One thing that is built once, and what decides whether it must be built again."""

    name: str
    build: Callable[[Job], None]
    result: str = "."
    """What ``ensure`` returns, relative to the artifact's folder."""
    needs: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    """Files and folders that are read by the build; one that does not exist counts as such."""
    code: tuple[Path, ...] = ()
    """Python files of the recipe: their comments and docstrings do not count."""


class Store:
    """A folder of built artifacts, shared by any number of processes."""

    def __init__(self, root: Path, catalogue: Mapping[str, Artifact], notify: Callable[[str], None]) -> None:
        self._root = root
        self._catalogue = catalogue
        self._notify = notify

    def key(self, name: str) -> str:
        """Hash all that goes into an artifact."""
        artifact = self._artifact(name)
        recipe = {
            "name": name,
            "result": artifact.result,
            "parameters": artifact.parameters,
            "files": [_tree_digest(path) for path in artifact.files],
            "code": [_code_digest(path.read_text()) for path in artifact.code],
            "needs": {need: self.key(need) for need in artifact.needs},
        }
        return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:KEY_LENGTH]

    def find(self, name: str) -> Path | None:
        """Give the artifact if it has been built from just these inputs."""
        folder = self._root / name / self.key(name)
        if not folder.is_dir():
            return None
        # The time of last use decides what is removed; another process may be removing it at this very moment.
        try:
            os.utime(folder)
        except FileNotFoundError:
            return None
        return (folder / self._artifact(name).result).resolve()

    def ensure(self, name: str) -> Path:
        """Give the artifact, after building it and what it needs if that has not been done."""
        found = self.find(name)
        if found is not None:
            return found
        # Before the lock, so that no process ever waits for one artifact while it holds another.
        needed = {need: self.ensure(need) for need in self._artifact(name).needs}
        with self._lock(name):
            return self.find(name) or self._build(name, needed)

    def drop_others(self) -> int:
        """Remove every build that the catalogue as it stands does not lead to; return how many there were."""
        dropped = 0
        for folder in sorted(self._root.glob("*/")):
            if folder.name == LOCKS:
                continue
            with self._lock(folder.name):
                kept = self.key(folder.name) if folder.name in self._catalogue else None
                others = [entry for entry in folder.iterdir() if entry.name != kept]
                for entry in others:
                    shutil.rmtree(entry)
                dropped += len(others)
        return dropped

    def _build(self, name: str, needed: Mapping[str, Path]) -> Path:
        artifact = self._artifact(name)
        folder = self._root / name / self.key(name)
        partial = folder.with_name("partial")
        # Only a build that was killed leaves this behind, and the lock says that nobody else is at it.
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        self._notify(f"building {name}")
        try:
            artifact.build(Job(partial, needed))
            if not (partial / artifact.result).exists():
                raise ArtifactError(
                    f"cannot build {name}", f"its recipe made no {artifact.result}", "mend the recipe in the catalogue"
                )
            partial.rename(folder)
        except OSError as error:
            raise ArtifactError(f"cannot build {name}", str(error), f"see to {self._root}: room, rights") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self._prune(folder)
        return (folder / artifact.result).resolve()

    def _prune(self, newest: Path) -> None:
        """Remove builds that nobody has asked for lately; without this every edit of a source would stay for ever."""
        others = [entry for entry in newest.parent.iterdir() if entry != newest]
        others.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
        for entry in others[KEPT - 1 :]:
            if time.time() - entry.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(entry)

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        locks = self._root / LOCKS
        locks.mkdir(parents=True, exist_ok=True)
        with (locks / name).open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._notify(f"waiting for {name}, which another process is building")
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _artifact(self, name: str) -> Artifact:
        try:
            return self._catalogue[name]
        except KeyError:
            known = ", ".join(sorted(self._catalogue))
            raise ArtifactError(f"cannot build {name!r}", "no artifact has this name", f"one of: {known}") from None


def _tree_digest(path: Path) -> str:
    """Hash the names, kinds and content below a path; times and owners do not count."""
    digest = hashlib.sha256()
    for file in _walk(path):
        relative = file.relative_to(path).as_posix()
        if file.is_symlink():
            kind, content = "link", str(file.readlink()).encode()
        else:
            kind, content = f"file {file.stat().st_mode & stat.S_IXUSR}", file.read_bytes()
        digest.update(f"{relative}\0{kind}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _walk(path: Path) -> Iterator[Path]:
    if path.is_file() or path.is_symlink():
        yield path
    elif path.is_dir():
        for entry in sorted(path.iterdir()):
            if entry.name not in IGNORED:
                yield from _walk(entry)


@cache
def _code_digest(source: str) -> str:
    """Hash what a Python file does, so that a better comment does not cost a build."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [line for line in node.body if not _is_docstring(line)]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_docstring(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)
