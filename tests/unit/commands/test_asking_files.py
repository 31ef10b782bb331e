"""`netaudit predict` and `explain` as a user types them, on files: what they print, and how they end."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from auditor.cli import main
from auditor.flags import RUN_FORMATS
from auditor.model_flags import EXPLAIN_FORMATS, PREDICT_FORMATS
from reports import FORMATS
from reports.difference import DIFFERENCES
from reports.explanation import EXPLANATIONS
from reports.prediction import PREDICTIONS

STAGING = str(Path(__file__).parents[3] / "auditor" / "guides" / "staging.yaml")
REFUSED = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-all, namespace: staging}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
  ingress: {}
  egress: {}
"""
OPEN = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: open, namespace: staging}
spec: {podSelector: {}, ingress: [{}]}
"""
Captured = pytest.CaptureFixture[str]


def answers(capsys: Captured, *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_formats_that_help_names_are_those_there_are() -> None:
    """Flags name formats without importing what renders them."""
    assert tuple(FORMATS) == RUN_FORMATS
    assert tuple(PREDICTIONS) == PREDICT_FORMATS
    assert tuple(EXPLANATIONS) == tuple(DIFFERENCES) == EXPLAIN_FORMATS


@pytest.mark.parametrize("format", PREDICT_FORMATS)
def test_predict_in_every_format(capsys: Captured, format: str) -> None:  # noqa: A002  # its name on the command line
    """Each format names the workloads; nothing is wrong, so the exit code is 0."""
    code, out, err = answers(capsys, "predict", "-f", STAGING, "-o", format)

    assert (0, "") == (code, err)
    assert "frontend" in out


def test_predict_writes_files_too(capsys: Captured, tmp_path: Path) -> None:
    """`-o` is repeatable; with a file nothing of it goes to stdout."""
    code, out, _ = answers(capsys, "predict", "-f", STAGING, "-o", f"json={tmp_path / 'p.json'}", "-o", "csv")

    assert code == 0
    assert json.loads((tmp_path / "p.json").read_text())
    assert "staging" in out


def test_predict_narrowed(capsys: Captured) -> None:
    """--from, --to and --port leave just those flows."""
    words = ("--from", "staging/backend", "--to", "staging/db", "--port", "5432")
    _, out, _ = answers(capsys, "predict", "-f", STAGING, *words, "-o", "csv")

    lines = out.strip().splitlines()
    assert len(lines) == 2
    assert lines[1].endswith("allowed")


def test_predict_goes_on_without_what_the_server_refuses(capsys: Captured, tmp_path: Path) -> None:
    """An object that the API server would refuse is told with its line, and the exit code says incomplete."""
    (tmp_path / "refused.yaml").write_text(REFUSED)

    code, out, _ = answers(capsys, "predict", "-f", STAGING, "-f", str(tmp_path))

    assert code == 4
    assert "refused.yaml:8" in out
    assert "staging/backend" in out


def test_predict_may_fail_on_findings(capsys: Captured, tmp_path: Path) -> None:
    """--fail-on turns findings about policies into exit code 3."""
    (tmp_path / "odd.yaml").write_text(OPEN.replace("podSelector: {}", "podSelector: {matchLabels: {role: nobody}}"))
    words = ("predict", "-f", STAGING, "-f", str(tmp_path))

    assert answers(capsys, *words)[0] == 0
    assert answers(capsys, *words, "--fail-on", "error")[0] == 0
    assert answers(capsys, *words, "--fail-on", "warning")[0] == 3


def test_difference(capsys: Captured, tmp_path: Path) -> None:
    """Flows that open are told with the policy that opens them, and end with 3; the same twice ends with 0."""
    new = tmp_path / "new.yaml"
    new.write_text(f"{Path(STAGING).read_text()}\n---{OPEN}")

    code, out, _ = answers(capsys, "predict", "--diff", STAGING, str(new))
    same, nothing, _ = answers(capsys, "predict", "--diff", STAGING, STAGING)

    assert code == 3
    assert "staging/open" in out
    assert same == 0
    assert "staging/open" not in nothing


def test_difference_knows_of_the_outside(capsys: Captured, tmp_path: Path) -> None:
    """A policy that lets addresses in opens flows, though no pod reaches anything that it did not."""
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(OPEN.replace("[{}]", "[]"))
    new.write_text(OPEN.replace("[{}]", "[{from: [{ipBlock: {cidr: 8.0.0.0/8}}]}]"))

    code, out, _ = answers(capsys, "predict", "-f", STAGING, "--diff", str(old), str(new), "--port", "8642")

    assert code == 3
    assert "8.0.0.0/8  staging/pod/curl" in out


def test_difference_of_nothing_is_no_answer(capsys: Captured, tmp_path: Path) -> None:
    """Policies without a pod cannot be compared, and filters that would not count are refused."""
    (tmp_path / "only.yaml").write_text(OPEN)

    code, out, _ = answers(capsys, "predict", "--diff", str(tmp_path), str(tmp_path))
    refused, _, err = answers(capsys, "predict", "--diff", STAGING, STAGING, "-n", "staging")

    assert (4, True) == (code, "nothing could be compared" in out)
    assert (2, True) == (refused, err.startswith("error: --diff takes no -n"))


def test_problems_are_told_beside_formats_that_cannot(capsys: Captured, tmp_path: Path) -> None:
    """CSV and graphs have no place for what is wrong with the input: stderr has."""
    (tmp_path / "refused.yaml").write_text(REFUSED)

    code, _, err = answers(capsys, "predict", "-f", STAGING, "-f", str(tmp_path), "-o", "csv")

    assert code == 4
    assert "refused.yaml:8" in err


def test_namespace_that_is_not_there(capsys: Captured) -> None:
    """A name that nothing has is a mistake, and not an empty answer."""
    code, _, err = answers(capsys, "predict", "-f", STAGING, "-n", "stagin")

    assert code == 2
    assert "staging" in err


def test_nothing_of_no_pods_is_no_mistake(capsys: Captured, tmp_path: Path) -> None:
    """Where there are no pods at all, a selector cannot be wrong."""
    (tmp_path / "only.yaml").write_text(OPEN)

    assert answers(capsys, "predict", "-f", str(tmp_path), "-l", "zz=1")[0] == 0


def test_pods_outside_of_the_matrix_cannot_be_chosen(capsys: Captured, tmp_path: Path) -> None:
    """It is said why there is nothing to be shown of pods that are there."""
    host = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: host}, spec: {hostNetwork: true}}"
    (tmp_path / "host.yaml").write_text(host.replace("true", "true, containers: [{name: c, image: i}]"))

    code, _, err = answers(capsys, "predict", "-f", STAGING, "-f", str(tmp_path), "-n", "host")

    assert code == 2
    assert "they are on their node's network" in err


def test_the_internet_is_called_so(capsys: Captured) -> None:
    """An address that stands for many is told with what was asked about; one that was asked about is itself."""
    _, out, _ = answers(capsys, "explain", "-f", STAGING, "internet", "staging/db", "5432")
    _, single, _ = answers(capsys, "explain", "-f", STAGING, "9.9.9.9", "staging/db", "5432")

    assert out.startswith("DENIED  the internet (1.0.0.0) -> staging/db 5432/TCP")
    assert single.startswith("DENIED  9.9.9.9 -> staging/db 5432/TCP")


def test_explain(capsys: Captured) -> None:
    """The verdict, and the rule with what it lacks."""
    code, out, _ = answers(capsys, "explain", "-f", STAGING, "staging/frontend", "staging/db", "5432")

    assert code == 0
    assert out.startswith("DENIED")
    assert "role=backend is wanted" in out


def test_explain_by_service(capsys: Captured) -> None:
    """--path service goes by the Services that select the pod, svc/NAME by that one."""
    by_path = answers(capsys, "explain", "-f", STAGING, "admin", "staging/db", "5432", "--path", "service")
    by_name = answers(capsys, "explain", "-f", STAGING, "admin", "staging/svc/db", "5432")

    assert "ALLOWED" in by_path[1]
    assert "Service staging/db leads 5432 to port 5432" in by_path[1]
    assert "ALLOWED" in by_name[1]


def batch(monkeypatch: pytest.MonkeyPatch, capsys: Captured, *lines: str) -> list[dict[str, Any]]:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode())))
    out = io.TextIOWrapper(io.BytesIO(), write_through=True)
    monkeypatch.setattr(sys, "stdout", out)
    code = main(["explain", "-f", STAGING, "--batch", "-"])
    found = [json.loads(line) for line in out.buffer.getvalue().decode().splitlines()]
    refused = sum("error" in item for item in found)
    assert (code, f"{refused} of the queries could not be asked" in capsys.readouterr().err) == (4, True) or not refused
    assert refused or code == 0
    return found


def test_batch_answers_line_by_line(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """An answer per line in the same order; what is no query gets an answer that says so."""
    found = batch(
        monkeypatch,
        capsys,
        '{"src": "staging/backend", "dst": "staging/db", "port": 5432, "protocol": "TCP"}',
        "not json",
        '{"src": {"ip": "203.0.113.9"}, "dst": "staging/db", "port": 5432, "id": 7}',
        '{"src": "staging/nobody", "dst": "staging/db", "port": 5432}',
    )

    assert [item["verdict"] for item in found] == ["allowed", "unknown", "denied", "unknown"]
    assert found[0]["by"] == ["staging/staging.db.ingress[0]"]
    assert "not JSON" in found[1]["error"]
    assert found[2]["id"] == 7
    assert "staging/nobody" in found[3]["error"]


class Asking(io.RawIOBase):
    """Standard input and output of a program that asks on when it has read an answer."""

    def __init__(self, *pieces: str) -> None:
        self._pieces = [piece.encode() for piece in pieces]
        self._written = b""
        self.answers: list[int] = []

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        self.answers.append(self._written.count(b"\n"))
        piece = self._pieces.pop(0) if self._pieces else b""
        room[: len(piece)] = piece
        return len(piece)

    def write(self, data: Any) -> int:
        self._written += bytes(data)
        return len(data)


def test_batch_answers_what_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before more is waited for, all whole lines are answered: a program may need the answer to go on."""
    line = '{"src": "staging/backend", "dst": "staging/db", "port": 5432}\n'
    asking = Asking(line, line[:20], line[20:], line * 3 + line[:9], line[9:] + "\n", line.strip())
    # The empty line among them is refused.
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(asking)))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(asking)))

    assert main(["explain", "-f", STAGING, "--batch", "-"]) == 4

    assert [0, 1, 1, 2, 5, 7, 7] == asking.answers
    assert asking._written.count(b"\n") == 8


def test_no_line_ends_a_batch(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """Whatever stands in a line, there is one answer for it, and the next line has its own."""
    ends = '"src": "staging/backend", "dst": "staging/db", "port": "5432"'
    strange = ["", " ", "\r", "\x00", "[]", "7", '"\\ud800"', '{"id": 1e999}', '{"id": ' + "9" * 9_999 + "}"]
    nested = ["{" + f'{ends}, "id": ' + "[" * depth + "]" * depth + "}" for depth in (10, *range(900, 1_050), 10**5)]
    hostile = ['{"src": {"ip": "fe80::1%e"}, "dst": "staging/db", "port": 1}', '{"src": {"ip": []}}', "\ufeff{}"]
    lines = [*strange, *nested, *hostile]

    found = batch(monkeypatch, capsys, *(part for line in lines for part in (line, "{" + ends + "}")))

    assert len(found) == 2 * len(lines)
    assert {"allowed"} == {item["verdict"] for item in found[1::2]}
    assert all("error" in item for item in found[: 2 * len(strange) : 2])


def test_batch_from_a_file(capsys: Captured, tmp_path: Path) -> None:
    """Lines may end as on Windows, and the last one may have no end."""
    line = b'{"src": "staging/backend", "dst": "staging/db", "port": 5432}'
    (tmp_path / "asked").write_bytes(line + b"\r\n" + line)
    (tmp_path / "nothing").write_bytes(b"")

    for name, number in (("asked", 2), ("nothing", 0)):
        code, out, _ = answers(capsys, "explain", "-f", STAGING, "--batch", str(tmp_path / name))
        assert (0, number) == (code, out.count('"verdict":"allowed"'))
    assert answers(capsys, "explain", "-f", STAGING, "--batch", str(tmp_path))[0] == 2


@pytest.mark.parametrize(
    "words",
    [
        ["explain"],
        ["explain", "a", "b"],
        ["explain", "staging/nobody", "staging/db", "80"],
        ["explain", "staging/backend", "staging/db", "70000"],
        ["explain", "staging/backend", "staging/db", "80", "--proto", "ICMP"],
        ["explain", "--batch", "/nonexistent"],
        ["predict", "--dialect", "nobody"],
        ["predict", "-o", "pdf"],
        ["predict", "--to", "nobody"],
        ["predict", "-l", "zz=1"],
        ["predict", "-l", "zz=1", "--to", "staging/db"],
        ["predict", "-n", "admin", "-l", "role=db"],
        ["predict", "-n", "nobody"],
    ],
)
def test_mistakes_say_what_why_and_try(capsys: Captured, words: list[str]) -> None:
    """A command line that makes no sense ends with 2 and three lines."""
    code, _, err = answers(capsys, words[0], "-f", STAGING, *words[1:])

    assert code == 2
    assert err.startswith("error: ")
    assert "\n  why: " in err
    assert "\n  try: " in err


def test_nothing_to_read(capsys: Captured, tmp_path: Path) -> None:
    """An input without any object is an error, and not an empty answer."""
    code, out, err = answers(capsys, "predict", "-f", str(tmp_path))

    assert (2, "") == (code, out)
    assert err.startswith("error: ")


def test_quiet_does_not_hide_that_a_policy_is_refused(capsys: Captured, tmp_path: Path) -> None:
    """It hides progress; that something does not count is part of the answer."""
    (tmp_path / "refused.yaml").write_text(REFUSED)
    words = ("-f", STAGING, "-f", str(tmp_path), "staging/curl", "staging/db", "5432")
    code, _, err = answers(capsys, "explain", "-q", *words)
    assert (code, "refuse" in err) == (4, True)
