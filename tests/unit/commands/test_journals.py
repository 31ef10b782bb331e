"""Journals as files: who may read them, how long they stay, and what is refused of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor.commands import journals
from auditor.commands.journals import KEPT, JournalFile, discard, folder_of, kept, load
from auditor.errors import NetauditError, RunInProgress, UsageError
from auditor.events import Event, StageStarted, Warned
from auditor.model.journal import Marks, Round
from auditor.model.options import Mode, Options

RUN = "ab12cd"
MARKS = Marks("wide", {}, {})
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def said() -> list[Event]:
    return []


@pytest.fixture
def journal(tmp_path: Path, said: list[Event]) -> Iterator[JournalFile]:
    made = JournalFile(tmp_path / "notes", RUN, Options(), lambda: NOW, said.append)
    yield made
    made.close()


def file_of(journal: JournalFile) -> Path:
    return journal.folder / f"{journal.run}.journal"


def written(journal: JournalFile) -> Path:
    """The file of a run that has ended."""
    journal.begin("uid", MARKS)
    journal.close()
    return file_of(journal)


def refusal(folder: Path, run: str) -> NetauditError:
    with pytest.raises(NetauditError) as caught:
        load(folder, run)
    return caught.value


@pytest.mark.parametrize("mode", [Mode.SENTINEL, Mode.SHADOW, Mode.INPLACE])
def test_a_mode_that_refuses_to_go_on_keeps_none_and_promises_nothing(
    tmp_path: Path, said: list[Event], mode: Mode
) -> None:
    made = JournalFile(tmp_path / "notes", RUN, Options(mode=mode), lambda: NOW, said.append)
    with kept(made):
        made.begin("uid", MARKS)
        made.write(Round("now"))
    assert said == []
    assert not made.folder.exists()


def test_only_its_owner_reads_it(journal: JournalFile) -> None:
    """Mode 0600 in a folder of mode 0700, whatever the umask is, and read back as it was written."""
    before = os.umask(0)
    try:
        path = written(journal)
    finally:
        os.umask(before)

    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    header = load(journal.folder, RUN).header
    assert (header.run, header.cluster, header.started, header.marks) == (RUN, "uid", "2026-01-01T00:00:00Z", MARKS)


def test_default_folder_is_the_users_own(tmp_path: Path) -> None:
    assert folder_of(None) == tmp_path / "state" / "netaudit" / "journals"
    assert folder_of("here") == Path("here")


def test_last_is_the_one_written_last(tmp_path: Path, said: list[Event]) -> None:
    """Whatever else lies in the folder."""
    for number, run in enumerate(("aaaaaa", "cccccc", "bbbbbb")):
        path = written(JournalFile(tmp_path, run, Options(), lambda: NOW, said.append))
        os.utime(path, (number, number))
    (tmp_path / "zzzzzz.txt").write_text("")
    (tmp_path / "no-run.journal").write_text("")

    assert load(tmp_path, "last").run == "bbbbbb"


def test_run_that_is_alive_is_not_gone_on_from(journal: JournalFile) -> None:
    """Its journal is locked until it ends, however it ends."""
    journal.begin("uid", MARKS)

    assert isinstance(refusal(journal.folder, RUN), RunInProgress)

    journal.close()
    assert load(journal.folder, RUN).run == RUN


@pytest.mark.parametrize("name", ["../etc", "AB12CD", "abc", "ab12cd/", ""])
def test_words_that_name_no_run(tmp_path: Path, name: str) -> None:
    found = refusal(tmp_path, name)

    assert isinstance(found, UsageError)
    assert found.attempt == "--resume last"


def test_journals_that_are_not_there(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path, RUN).why
    assert "no journal lies in" in refusal(tmp_path / "nowhere", "last").why


def test_journal_that_others_could_have_written(journal: JournalFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that all may write, one of another user, and a link are not believed."""
    path = written(journal)
    path.chmod(0o602)
    open_to_all = refusal(journal.folder, RUN)
    path.chmod(0o600)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    foreign = refusal(journal.folder, RUN)
    monkeypatch.undo()
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")

    assert open_to_all.why == foreign.why == "others than you could have written its journal"
    assert "cannot be read" in refusal(journal.folder, RUN).why


def test_file_that_is_no_journal(journal: JournalFile) -> None:
    written(journal).write_bytes(b"\0garbage\n" * 100)

    assert "empty or damaged" in refusal(journal.folder, RUN).why


def test_folder_that_cannot_be_written(tmp_path: Path, said: list[Event]) -> None:
    """The run goes on without a journal, and says so once."""
    (tmp_path / "file").write_text("")
    journal = JournalFile(tmp_path / "file" / "notes", RUN, Options(), lambda: NOW, said.append)

    with kept(journal) as inside:
        inside.begin("uid", MARKS)
        inside.write(Round(inside.now()))
        inside.write(Round(inside.now()))

    assert [type(event) for event in said] == [Warned]
    assert "keeps no journal" in _text(said[0])


def _text(event: Event) -> str:
    return event.text if isinstance(event, Warned) else getattr(event, "detail", "")


def test_disk_that_fills_up(journal: JournalFile, said: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written whole before counts, half a line does not, and the run goes on."""
    journal.begin("uid", MARKS)
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:10]))
    journal.write(Round("now"))
    monkeypatch.undo()
    journal.write(Round("later"))

    assert "no room is left" in _text(said[0])
    assert len(said) == 1
    assert load(journal.folder, RUN).run == RUN
    assert len(file_of(journal).read_bytes().splitlines()) == 2


def test_journal_is_bounded(journal: JournalFile, said: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "MOST_BYTES", 2000)
    journal.begin("uid", MARKS)
    for _ in range(100):
        journal.write(Round("now"))

    assert file_of(journal).stat().st_size <= 2000
    assert "is full" in _text(said[0])
    assert len(said) == 1


def test_ending_well_leaves_nothing(journal: JournalFile, said: list[Event]) -> None:
    """A journal that was removed is not spoken of; one that stays is, with the words that go on from it."""
    with kept(journal) as inside:
        inside.begin("uid", MARKS)
        inside.remove()
    assert said == []
    assert not file_of(journal).exists()

    other = JournalFile(journal.folder, "cd34ef", Options(), lambda: NOW, said.append)
    with pytest.raises(KeyboardInterrupt), kept(other):
        _interrupted(other)
    hint = f"netaudit run --resume cd34ef --journal {journal.folder}"
    assert isinstance(said[0], StageStarted)
    assert _text(said[0]).startswith(hint)
    discard(journal.folder, "cd34ef")
    discard(journal.folder, "cd34ef")
    assert list(journal.folder.iterdir()) == []


def _interrupted(journal: JournalFile) -> None:
    journal.begin("uid", MARKS)
    raise KeyboardInterrupt


def test_old_journals_are_swept(tmp_path: Path, said: list[Event]) -> None:
    """Those of the day before, and all beyond the last few, but for one whose run is alive; nothing else."""
    names = [f"run{number:03}" for number in range(KEPT + 3)]
    alive = JournalFile(tmp_path, names[0], Options(), lambda: NOW, said.append)
    alive.begin("uid", MARKS)
    for name in names[1:]:
        (tmp_path / f"{name}.journal").write_text("")
    old = 1.0
    (tmp_path / "other.txt").write_text("")
    for place in (names[0], names[1], names[2]):
        os.utime(tmp_path / f"{place}.journal", (old, old))

    newest = JournalFile(tmp_path, RUN, Options(), lambda: NOW, said.append)
    newest.begin("uid", MARKS)

    left = {path.stem for path in tmp_path.iterdir()}
    alive.close()
    newest.close()
    assert {names[0], RUN, "other"} <= left
    assert not {names[1], names[2]} & left
    assert len(left) == KEPT + 3
