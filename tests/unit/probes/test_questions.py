"""Names to look up, as they are written for an agent, and what its records mean."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from auditor.model.flow import Family
from auditor.model.service_path import Resolving
from probes.agents import resolver_of
from probes.outcome import classify_lookup
from probes.placement import AgentSpec
from probes.questions import Question, encode_questions
from probes.wire import NO_MEANS, Record

V4, V6 = Family.IPV4, Family.IPV6


def test_questions_are_lines_under_a_batchs_opening() -> None:
    written = encode_questions("n1-c0a", [Question(0, "web.shop", V4, 5), Question(1, "web.shop", V6, 5)])
    assert written == b"netaudit/1 n1-c0a 1 2 40\n0 web.shop a 5\n1 web.shop aaaa 5\nend 2\n"


@pytest.mark.parametrize("name", ["", "-x", ".x", "a b", "a\nend 1", "A.shop", "x;y", "a" * 300])
def test_what_is_no_name_is_never_written(name: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        encode_questions("b", [Question(0, name, V4, 5)])


@pytest.mark.parametrize("seconds", [0, 61])
def test_a_time_limit_has_bounds(seconds: int) -> None:
    with pytest.raises(ValueError, match="out of bounds"):
        encode_questions("b", [Question(0, "web.shop", V4, seconds)])


@pytest.mark.parametrize(
    ("record", "outcome", "addresses"),
    [
        (Record(1, 0, False, None, 7, "10.1.2.3 10.1.2.4"), Resolving.RESOLVED, ("10.1.2.3", "10.1.2.4")),
        (Record(1, 0, False, None, 7, "2001:db8:0:0::1"), Resolving.RESOLVED, ("2001:db8::1",)),
        (Record(1, 1, False, None, 7, "NXDOMAIN"), Resolving.NOT_RESOLVED, ()),
        (Record(1, 0, False, None, 7, ""), Resolving.NOT_RESOLVED, ()),
        (Record(1, 0, False, None, 7, "10.1.2.3 web"), Resolving.NOT_RESOLVED, ()),
        (Record(1, 1, True, None, 5000, "TIMEOUT"), Resolving.SILENT, ()),
        (Record(1, NO_MEANS, False, None, 0, ""), Resolving.UNTESTED, ()),
        (Record(1, 137, False, None, 0, ""), Resolving.FAULT, ()),
        (Record(1, -9, False, None, 0, ""), Resolving.FAULT, ()),
        (None, Resolving.FAULT, ()),
    ],
)
def test_only_addresses_alone_are_an_answer(
    record: Record | None, outcome: Resolving, addresses: tuple[str, ...]
) -> None:
    found = classify_lookup(record)
    assert (found.outcome, found.addresses) == (outcome, addresses)
    assert found.detail


def test_a_program_goes_in_as_one_line_of_ascii() -> None:
    text = 'printf "%s\\n" "a\\\\b"\n# \t end\n'
    for name in ("shell", "python"):
        line = AgentSpec("image", "", 60, name).first_line(text)
        assert line.count(b"\n") == 1
        assert line.endswith(b"\n")
    assert eval(AgentSpec("image", "", 60, "python").first_line(text)) == text  # noqa: S307


def test_the_shell_program_is_plain_posix() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    subprocess.run(["shellcheck", "--shell=sh", "-"], input=resolver_of("shell"), text=True, check=True)
