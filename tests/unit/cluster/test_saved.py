"""Files, folders and standard input: what can be read is read, and what is in the way is told."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.cluster import saved
from auditor.cluster.decode import decode
from auditor.cluster.garbage import uncollected
from auditor.cluster.saved import FileSource, read_files
from auditor.errors import UsageError
from auditor.model.problem import Effect, Problem
from tests.unit.cluster.reading import POD

Reading = Callable[..., tuple[list[str], list[Problem]]]


def no_stdin() -> bytes:
    raise AssertionError("standard input was read")


def pod(name: str) -> str:
    return POD.replace("good", name)


def reading(*paths: Path | str, stdin: Callable[[], bytes] = no_stdin) -> tuple[list[str], list[Problem]]:
    """The names of pods, and the problems but for namespaces."""
    snapshot, problems = read_files([str(path) for path in paths], stdin)
    return [item.name for item in snapshot.pods], [one for one in problems if one.file]


def test_files_folders_and_standard_input(tmp_path: Path) -> None:
    """Each once, in the order in which they were named."""
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    for name in ("b.yaml", "a.yml", "inner/c.json", "inner/d.YAML", "readme.md", "x.yaml.orig"):
        (folder / name).write_text(pod(f"from-{name[-6:].strip('./').lower().replace('.', '-').replace('/', '-')}"))
    single = tmp_path / "single.txt"
    single.write_text(pod("single"))

    names, problems = reading(folder, single, "-", "-", single, stdin=lambda: pod("stdin").encode())
    assert names == ["from-a-yml", "from-b-yaml", "from-c-json", "from-d-yaml", "single", "stdin"]
    assert problems == []


def test_folder_is_read_in_order(tmp_path: Path) -> None:
    """So that of two objects with one name it is always the same one that counts."""
    for name in ("b/x.yaml", "a/z.yaml", "c.yaml", "B.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(pod("same"))
    _, problems = reading(tmp_path)

    assert [Path(one.file).name for one in problems] == ["z.yaml", "x.yaml", "c.yaml"]
    assert [one.why.partition(" of ")[2].partition(":2")[0] for one in problems] == [
        str(tmp_path / name) for name in ("B.yaml", "a/z.yaml", "b/x.yaml")
    ]


ODD_NAMES = [
    "with space.yaml",
    "new\nline.yaml",
    "escape\x1b[2J.yaml",
    "-rf.yaml",
    "$(id).yaml",
    "\u202eright-to-left.yaml",
    "ümlaut.yaml",
    "x" * 250 + ".yaml",
    ".hidden.yaml",
    "*.yaml",
    ".yaml.yaml",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names(tmp_path: Path, name: str) -> None:
    """They are names like others."""
    (tmp_path / name).write_text(f"{pod('good')}---\na: [\n")
    names, (problem,) = reading(tmp_path)

    assert names == ["good"]
    assert problem.file == str(tmp_path / name)


def test_name_that_is_no_text(tmp_path: Path) -> None:
    """Bytes that no encoding knows are replaced, so that every report can show them."""
    path = os.fsencode(tmp_path) + b"/\xff\xfe.yaml"
    with open(path, "wb") as file:  # noqa: PTH123 - pathlib takes no bytes
        file.write(b"a: [\n" + pod("lost").encode())
    (tmp_path / "good.yaml").write_text(pod("good"))
    names, (problem,) = reading(tmp_path)

    assert names == ["good"]
    assert problem.file.encode().endswith("/\ufffd\ufffd.yaml".encode())


def link_to_itself(folder: Path) -> None:
    (folder / "loop.yaml").symlink_to("loop.yaml")


def broken_link(folder: Path) -> None:
    (folder / "broken.yaml").symlink_to("nowhere")


def link_to_the_folder(folder: Path) -> None:
    (folder / "up").symlink_to(folder)


def a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe.yaml")


def a_socket(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = os.open(folder, os.O_RDONLY)
        try:
            made.bind(f"/proc/self/fd/{here}/socket.yaml")  # a path of a test may be too long for a socket
        finally:
            os.close(here)


def a_device(folder: Path) -> None:
    (folder / "device.yaml").symlink_to("/dev/zero")


def a_huge_file(folder: Path) -> None:
    with (folder / "huge.yaml").open("wb") as file:
        file.truncate(1 << 40)


def a_folder_named_as_a_file(folder: Path) -> None:
    (folder / "empty.yaml").mkdir()
    (folder / "bad.yaml").write_text("[\n")


@pytest.mark.parametrize(
    ("plant", "effect", "reason"),
    [
        (link_to_itself, Effect.UNSURE, "symbolic links"),
        (broken_link, Effect.UNSURE, "No such file"),
        (link_to_the_folder, Effect.NOTED, "a link to a folder"),
        (a_pipe, Effect.NOTED, "it is a pipe"),
        (a_socket, Effect.NOTED, "it is a socket"),
        (a_device, Effect.NOTED, "it is a device"),
        (a_huge_file, Effect.UNSURE, "larger than"),
        (a_folder_named_as_a_file, Effect.UNREADABLE, "did not find"),
    ],
)
def test_what_is_in_the_way(tmp_path: Path, plant: Callable[[Path], None], effect: Effect, reason: str) -> None:
    """The rest of the folder is read; what may have held policies leaves nothing certain."""
    (tmp_path / "good.yaml").write_text(pod("good"))
    plant(tmp_path)
    names, (problem,) = reading(tmp_path)

    assert names == ["good"]
    assert (problem.effect, reason in problem.why) == (effect, True)
    assert problem.attempt
    assert problem.line is None or effect is Effect.UNREADABLE


def test_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so the refusal is made up."""
    closed = tmp_path / "closed.yaml"
    for path in (closed, tmp_path / "good.yaml"):
        path.write_text(pod(path.stem))
    whole = Path.open

    def refuse(self: Path, *args: str) -> object:
        if self == closed:
            raise PermissionError(13, "Permission denied")
        return whole(self, *args)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    names, (problem,) = reading(tmp_path)

    assert names == ["good"]
    assert (problem.effect, problem.why) == (Effect.UNSURE, "Permission denied")


def test_folder_that_may_not_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (tmp_path / "good.yaml").write_text(pod("good"))
    whole = Path.iterdir

    def refuse(self: Path) -> object:
        if self == closed:
            raise PermissionError(13, "Permission denied")
        return whole(self)

    monkeypatch.setattr(Path, "iterdir", refuse)
    names, (problem,) = reading(tmp_path)

    assert (names, problem.effect, problem.file) == (["good"], Effect.UNSURE, str(closed))


def test_folders_in_folders_without_end(tmp_path: Path) -> None:
    """Deeper than Python recurses, which is why they are not left to pytest to remove."""
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1_200):
        os.mkdir("d", dir_fd=here)
        there = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = there
    os.close(here)
    (tmp_path / "good.yaml").write_text(pod("good"))
    try:
        assert reading(tmp_path)[0] == ["good"]
    finally:
        subprocess.run(["rm", "-r", str(tmp_path / "d")], check=True)


def test_files_of_a_mounted_config_map(tmp_path: Path) -> None:
    """Links to files are followed, the hidden folder that they point into is not read a second time."""
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "a.txt").write_text(pod("good"))
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "a.yaml").symlink_to("..data/a.txt")

    assert reading(tmp_path) == (["good"], [])


def test_pipe_in_the_place_of_a_file(tmp_path: Path) -> None:
    """As a shell makes of <(kubectl get ...)."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(pod("good"),))
    writer.start()
    found = reading(pipe)
    writer.join()

    assert found == (["good"], [])


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        (["nowhere.yaml"], "No such file"),
        (["nowhere/"], "No such file"),
        (["x" * 5_000], "File name too long"),
        (["a\0b"], "null"),
        ([""], "it has no name"),
        (["https://example.org/x.yaml"], "it is a URL"),
        (["/dev/null"], "it is a device"),
        (["empty"], "no file below it ends in"),
        (["blank.yaml"], "nothing stands in it"),
        (["bad.yaml", "nowhere.yaml"], "this is not YAML: while parsing a flow node"),
        (["-"], "nothing stands in it"),
        ([], "nothing stands in it"),
    ],
)
def test_nothing_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paths: list[str], why: str) -> None:
    """Then there is nothing to go on with: a usage error says why."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "blank.yaml").write_text("# nothing\n")
    (tmp_path / "bad.yaml").write_text("a: [\n")

    with pytest.raises(UsageError) as caught:
        read_files(paths, lambda: b"")
    assert why in caught.value.why
    assert caught.value.attempt
    assert caught.value.exit_code == 2


def test_standard_input_that_is_closed(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(pod("good"))

    def closed() -> bytes:
        raise OSError(9, "Bad file descriptor")

    names, (problem,) = reading(tmp_path, "-", stdin=closed)
    assert (names, problem.file, problem.why) == (["good"], "-", "Bad file descriptor")


async def test_as_a_source_of_snapshots() -> None:
    """Read once, policies included; the problems are known then."""
    asked: list[int] = []

    def stdin() -> bytes:
        asked.append(1)
        return f"{pod('good')}---\na: [\n".encode()

    source = FileSource(["-"], stdin)
    first, again = await source.collect(), await source.collect_policies()

    assert first is again
    assert len(asked) == 1
    assert [item.name for item in decode(first).pods] == ["good"]
    assert [one.line for one in source.problems if one.line] == [8]


def test_too_much_at_once_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also where nobody could say beforehand how much it is."""
    monkeypatch.setattr(saved, "LARGEST", 100)
    (tmp_path / "good.yaml").write_text("kind: x\n")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"x" * 101,))
    writer.start()
    with pytest.raises(UsageError, match="no manifests") as caught:
        read_files([str(pipe)], no_stdin)
    writer.join()

    assert "larger than 100 bytes" in caught.value.why


def test_the_collector_is_as_it_was() -> None:
    """On where it was on, off where it was off, also after an error."""
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(UsageError):
        read_files([], no_stdin)
    assert gc.isenabled()
