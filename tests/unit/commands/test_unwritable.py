"""Standard output that is closed, or full, and standard input that is closed: one plain error."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from auditor.commands.writing import write
from auditor.errors import OutputRefused
from auditor.flags import Output
from auditor.voice import Outlet, Voice

ROOT = Path(__file__).parents[3]
SHOP = """
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
"""
PREDICT = ["predict", "-f", "shop.json"]
EXPLAIN = ["explain", "-f", "shop.json", "web", "web", "80"]
BATCH = ["explain", "-f", "shop.json", "--batch", "asked.json"]
CLOSED = "error: cannot write to standard output\n  why: it is closed\n  try: another place: "
FULL = CLOSED.replace("it is closed", "No space left on device")


def run(folder: Path, words: list[str], where: str) -> tuple[int, str]:
    """Exit code and stderr of the command with its stdout there, as a shell would start it."""
    (folder / "shop.json").write_text(SHOP)
    (folder / "asked.json").write_text('{"src": "web", "dst": "web", "port": 80}\n')
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {where}', "sh", sys.executable, "-m", "auditor", *words],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", [PREDICT, EXPLAIN, BATCH, ["demo", "--list-faults"]], ids=" ".join)
@pytest.mark.parametrize(("where", "said"), [(">&-", CLOSED), (">/dev/full", FULL)])
def test_it_is_told_as_what_it_is(tmp_path: Path, words: list[str], where: str, said: str) -> None:
    code, error = run(tmp_path, words, where)
    assert error.startswith(said)
    assert (error.count("\n"), code) == (3, 1)


def test_a_report_that_goes_elsewhere_needs_no_stdout(tmp_path: Path) -> None:
    assert run(tmp_path, [*PREDICT, "-o", "json=found.json"], ">&-") == (0, "")
    assert (tmp_path / "found.json").stat().st_size


def test_a_run_is_not_begun_whose_report_nobody_would_see(tmp_path: Path) -> None:
    """Nor is a sandbox made, for which this would be the wrong machine."""
    code, error = run(tmp_path, ["run", "--sandbox", "-f", "nothing-there"], ">&-")
    assert (code, error.startswith(CLOSED)) == (1, True)


def test_a_command_without_stderr_does_its_work(tmp_path: Path) -> None:
    assert run(tmp_path, [*PREDICT, "-f", "nothing-there", "-o", "json=found.json"], "2>&-") == (4, "")


class Full(io.StringIO):
    """Takes what it is given, and cannot keep it."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def flush(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left"), BrokenPipeError(32, "gone")], ids=lambda it: it.strerror
)
def test_other_reports_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    monkeypatch.setattr(sys, "stdout", Outlet(Full(error)))
    file = tmp_path / "report"
    with pytest.raises(BrokenPipeError if error.errno == 32 else OutputRefused):
        write("all well", [Output("text", None), Output("text", str(file))], {"text": str})
    assert file.read_text() == "all well"


def test_a_voice_without_a_stream_is_heard_by_nobody() -> None:
    voice = Voice(None)
    assert voice.write("hello") == 5
    voice.flush()


def test_an_outlet_without_a_stream_is_no_terminal() -> None:
    assert not Outlet(None).isatty()


@pytest.mark.parametrize("words", [["predict", "-f", "-"], [*BATCH[:-1], "-"]], ids=" ".join)
def test_input_that_is_closed_is_told_where_it_is_asked_for(tmp_path: Path, words: list[str]) -> None:
    code, error = run(tmp_path, words, "<&-")

    assert error.startswith("error: standard input is closed\n  why: - stands for it\n  try: a file instead of -")
    assert code == 2


def test_input_that_is_closed_matters_to_nobody_else(tmp_path: Path) -> None:
    assert run(tmp_path, PREDICT, "<&- >out.txt") == (0, "")
