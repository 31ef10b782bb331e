"""What is said on stderr while several runs go on."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from auditor.events import ASKED_TO_END, StageStarted, Warned
from auditor.progress import Chorus


@pytest.mark.parametrize("quiet", [False, True])
def test_warnings_and_ends_are_told_by_name(*, quiet: bool) -> None:
    said = io.StringIO()
    with Chorus(Console(file=said), ["one", "two"], quiet=quiet) as chorus:
        chorus.voice("one")(StageStarted("probe", total=3))
        chorus.voice("one")(Warned("odd\x1b[31m"))
        chorus.voice("two")(Warned(ASKED_TO_END))
        chorus.done("two")

    assert said.getvalue() == ("" if quiet else "one: warning: odd?[31m\ntwo: done\n")


def test_a_terminal_shows_each_and_keeps_nothing() -> None:
    said = io.StringIO()
    with Chorus(Console(file=said, force_terminal=True), ["one", "two"], quiet=False) as chorus:
        chorus.voice("two")(StageStarted("probe", total=3))
        chorus.done("one")

    assert "two" in said.getvalue()
    assert "probe" in said.getvalue()
    assert "one: done" not in said.getvalue()
