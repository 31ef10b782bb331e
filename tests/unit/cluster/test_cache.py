"""The cache of artifacts: built once, found by what went in, safe beside others, and never half done."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.artifacts import cache_dir
from tests.cluster.artifacts.cache import KEPT, KEPT_SECONDS, Artifact, Job, Store
from tests.cluster.artifacts.catalogue import CATALOGUE
from tests.cluster.artifacts.errors import ArtifactError
from tests.cluster.artifacts.packages import missing_packages, requirements


class Workshop:
    """A store over recipes that only note that they ran."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "cache"
        self.built: list[str] = []
        self.told: list[str] = []
        self.catalogue: dict[str, Artifact] = {}

    def add(self, name: str, *, text: str = "made", work: Callable[[Job], None] | None = None, **fields: Any) -> None:
        def build(job: Job) -> None:
            self.built.append(name)
            (job.target / "out").write_text(text)
            if work is not None:
                work(job)

        self.catalogue[name] = replace(Artifact(name, build, "out"), **fields)

    def store(self) -> Store:
        return Store(self.root, self.catalogue, self.told.append)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def test_a_thing_is_built_once(workshop: Workshop) -> None:
    workshop.add("thing")
    first, second = workshop.store().ensure("thing"), workshop.store().ensure("thing")
    assert first == second
    assert first.read_text() == "made"
    assert workshop.built == ["thing"]
    assert workshop.told == ["building thing"]


def test_needs_are_built_first_and_handed_over(workshop: Workshop) -> None:
    def work(job: Job) -> None:
        (job.target / "seen").write_text(job.needed["base"].read_text())

    workshop.add("base", text="ground")
    workshop.add("top", needs=("base",), result="seen", work=work)
    assert workshop.store().ensure("top").read_text() == "ground"
    assert workshop.built == ["base", "top"]


def test_needs_of_a_built_thing_are_left_alone(workshop: Workshop) -> None:
    workshop.add("base")
    workshop.add("top", needs=("base",))
    store = workshop.store()
    store.ensure("top")
    for entry in (workshop.root / "base").iterdir():
        entry.rename(workshop.root / "gone")
    store.ensure("top")
    assert workshop.built == ["base", "top"]


@pytest.mark.parametrize("changed", [{"parameters": ("x",)}, {"result": "other"}])
def test_what_is_declared_decides_the_key(workshop: Workshop, changed: dict[str, Any]) -> None:
    workshop.add("thing")
    before = workshop.store().key("thing")
    workshop.add("thing", **changed)
    assert workshop.store().key("thing") != before


def test_a_changed_need_changes_the_key(workshop: Workshop) -> None:
    workshop.add("base")
    workshop.add("top", needs=("base",))
    before = workshop.store().key("top")
    workshop.add("base", parameters=("new",))
    assert workshop.store().key("top") != before


def edit(path: Path) -> None:
    (path / "a.txt").write_text("two")


def rename(path: Path) -> None:
    (path / "a.txt").rename(path / "b.txt")


def make_executable(path: Path) -> None:
    (path / "a.txt").chmod(0o755)


def make_link(path: Path) -> None:
    (path / "a.txt").unlink()
    (path / "a.txt").symlink_to("one")


def add_file(path: Path) -> None:
    (path / "sub").mkdir()
    (path / "sub/new").touch()


def age(path: Path) -> None:
    os.utime(path / "a.txt", (1, 1))


def leave_bytecode(path: Path) -> None:
    (path / "__pycache__").mkdir()
    (path / "__pycache__/a.pyc").write_text("x")


@pytest.mark.parametrize("change", [edit, rename, make_executable, make_link, add_file])
def test_a_changed_file_changes_the_key(workshop: Workshop, tmp_path: Path, change: Callable[[Path], None]) -> None:
    assert key_after(workshop, tmp_path, change) != workshop_key(workshop, tmp_path / "before")


@pytest.mark.parametrize("change", [age, leave_bytecode])
def test_times_and_leavings_do_not_count(workshop: Workshop, tmp_path: Path, change: Callable[[Path], None]) -> None:
    assert key_after(workshop, tmp_path, change) == workshop_key(workshop, tmp_path / "before")


def key_after(workshop: Workshop, tmp_path: Path, change: Callable[[Path], None]) -> str:
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("one")
    change(tmp_path / "after")
    return workshop_key(workshop, tmp_path / "after")


def workshop_key(workshop: Workshop, folder: Path) -> str:
    workshop.add("thing", files=(folder,))
    return workshop.store().key("thing")


def test_a_missing_file_counts_as_missing(workshop: Workshop, tmp_path: Path) -> None:
    missing = workshop_key(workshop, tmp_path / "lock")
    (tmp_path / "lock").write_text("now there")
    assert workshop_key(workshop, tmp_path / "lock") != missing


CODE = '"""What it is."""\n\n\ndef build(x):\n    """Do it."""\n    return x + 1  # because\n'


@pytest.mark.parametrize(
    ("code", "same"),
    [
        (CODE.replace("because", "for a better reason"), True),
        (CODE.replace("Do it.", "Do it well."), True),
        (CODE.replace("x + 1", "(x +\n 1)"), True),
        (CODE.replace("x + 1", "x + 2"), False),
    ],
)
def test_only_what_a_recipe_does_counts(workshop: Workshop, tmp_path: Path, code: str, same: bool) -> None:
    recipe = tmp_path / "recipe.py"
    keys = []
    for text in (CODE, code):
        recipe.write_text(text)
        workshop.add("thing", code=(recipe,))
        keys.append(workshop.store().key("thing"))
    assert (keys[0] == keys[1]) is same


def test_a_failed_build_leaves_nothing_and_can_be_tried_again(workshop: Workshop) -> None:
    def fail(job: Job) -> None:
        raise ArtifactError("cannot do it", "it rains", "wait")

    workshop.add("thing", work=fail)
    with pytest.raises(ArtifactError, match="it rains"):
        workshop.store().ensure("thing")
    assert list((workshop.root / "thing").iterdir()) == []
    workshop.add("thing")
    assert workshop.store().ensure("thing").read_text() == "made"


def test_an_error_of_the_system_says_what_was_being_built(workshop: Workshop) -> None:
    def fail(job: Job) -> None:
        raise OSError(28, "No space left on device")

    workshop.add("thing", work=fail)
    with pytest.raises(ArtifactError, match=r"cannot build thing\n  why: .*No space left"):
        workshop.store().ensure("thing")


def test_what_a_killed_build_left_is_not_taken_for_a_result(workshop: Workshop) -> None:
    workshop.add("thing")
    leaving = workshop.root / "thing/partial"
    leaving.mkdir(parents=True)
    (leaving / "junk").touch()
    assert {entry.name for entry in workshop.store().ensure("thing").parent.iterdir()} == {"out"}
    assert not leaving.exists()


def test_a_recipe_that_makes_no_result_is_an_error(workshop: Workshop) -> None:
    workshop.add("thing", result="elsewhere")
    with pytest.raises(ArtifactError, match="made no elsewhere"):
        workshop.store().ensure("thing")


def test_an_unknown_name_is_answered_with_the_known_ones(workshop: Workshop) -> None:
    workshop.add("thing")
    with pytest.raises(ArtifactError, match="one of: thing"):
        workshop.store().ensure("think")


def test_concurrent_callers_share_one_build(workshop: Workshop) -> None:
    everyone = 4
    start = threading.Barrier(everyone)
    workshop.add("thing", work=lambda job: time.sleep(0.1))
    found: list[Path] = []

    def call() -> None:
        start.wait()
        found.append(workshop.store().ensure("thing"))

    threads = [threading.Thread(target=call) for _ in range(everyone)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert workshop.built == ["thing"]
    assert len(found) == everyone
    assert len(set(found)) == 1
    assert "waiting for thing, which another process is building" in workshop.told


def test_old_builds_go_when_nobody_asks_for_them(workshop: Workshop) -> None:
    def version(number: int) -> Path:
        workshop.add("thing", parameters=(str(number),))
        return workshop.store().ensure("thing").parent

    folders = [version(number) for number in range(KEPT + 2)]
    assert all(folder.exists() for folder in folders)
    long_ago = folders[0].stat().st_mtime - KEPT_SECONDS - 60
    for position, folder in enumerate(folders):
        os.utime(folder, (long_ago + position, long_ago + position))
    version(0)  # asked for again, so it is in use
    newest = version(99)
    left = set(newest.parent.iterdir())
    assert left == {newest, folders[0]}


def test_dropping_leaves_what_the_sources_lead_to(workshop: Workshop) -> None:
    workshop.add("gone")
    workshop.add("thing", parameters=("old",))
    workshop.store().ensure("gone")
    workshop.store().ensure("thing")
    workshop.add("thing", parameters=("new",))
    current = workshop.store().ensure("thing")
    del workshop.catalogue["gone"]
    assert workshop.store().drop_others() == 2
    assert workshop.store().drop_others() == 0
    assert workshop.store().find("thing") == current


def test_the_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NETAUDIT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache_dir() == Path.home() / ".cache/netaudit"
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_dir() == Path("/x/netaudit")
    monkeypatch.setenv("NETAUDIT_CACHE", "/y")
    assert cache_dir() == Path("/y")


def test_the_catalogue_is_sound(tmp_path: Path) -> None:
    store = Store(tmp_path, CATALOGUE, print)
    keys = {name: store.key(name) for name in CATALOGUE}
    assert len(set(keys.values())) == len(keys)
    assert all(name == artifact.name for name, artifact in CATALOGUE.items())
    position = {name: number for number, name in enumerate(CATALOGUE)}
    for artifact in CATALOGUE.values():
        # In building order, so that building all of them prints each line when its artifact is done.
        assert all(position[need] < position[artifact.name] for need in artifact.needs)
        assert all(path.exists() for path in artifact.code)


def test_missing_packages_are_among_the_required() -> None:
    assert set(missing_packages()) <= set(requirements())
    assert {"containerd", "etcd-server", "mmdebstrap"} <= set(requirements())
