"""`netaudit predict --expect` as a user types it, on files: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.commands.test_asking_files import OPEN, STAGING, Captured, answers

EXPECTED = """
schema: netaudit.expectations/1
flows:
- {from: staging/backend, to: staging/db, port: 5432, expect: allowed}
"""
CALLER = """
apiVersion: v1
kind: Pod
metadata: {name: caller, namespace: admin}
spec: {nodeName: n1, containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 10.0.0.9, podIPs: [{ip: 10.0.0.9}]}
"""
BROKEN = "- {name: 'no way out', from: staging/db, to: internet, port: 443, expect: denied}\n"


@pytest.fixture
def expected(tmp_path: Path) -> Path:
    path = tmp_path / "flows.yaml"
    path.write_text(EXPECTED)
    return path


def test_expectations_that_the_policies_keep(capsys: Captured, expected: Path) -> None:
    code, out, err = answers(capsys, "predict", "-f", STAGING, "--expect", str(expected))

    assert (0, "") == (code, err)
    assert "1 expectation: 1 kept." in out


def test_expectation_that_the_policies_break(capsys: Captured, expected: Path) -> None:
    """The exit code is 3; JSON has each flow, formats without room for it say so on stderr."""
    expected.write_text(EXPECTED + BROKEN)
    words = ("predict", "-f", STAGING, "--expect", str(expected))

    code, out, _ = answers(capsys, *words, "-o", "json")
    other, _, err = answers(capsys, *words, "-o", "csv")

    assert code == other == 3
    assert ["kept", "policies allow it"] == [item["accord"] for item in json.loads(out)["expectations"]]
    assert "flows.yaml:5: no way out: expected to be denied: " in err


def test_expectation_on_which_policies_are_open(capsys: Captured, expected: Path, tmp_path: Path) -> None:
    """An ipBlock that holds a pod's address leaves the verdict undefined: neither kept nor broken, so exit 4."""
    block = OPEN.replace("ingress: [{}]", "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]")
    (tmp_path / "open.yaml").write_text(f"{CALLER}---{block}")
    expected.write_text(EXPECTED.replace("staging/backend", "admin/caller").replace("5432", "5433"))

    code, out, _ = answers(
        capsys, "predict", "-f", STAGING, "-f", str(tmp_path / "open.yaml"), "--expect", str(expected)
    )

    assert code == 4
    assert "1 expectation: 1 inconclusive." in out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (EXPECTED.replace("staging/db", "staging/dp"), "flows.yaml:4: nothing is called staging/dp"),
        (EXPECTED.replace("expect:", "expects:"), "flows.yaml:4: unknown key 'expects'"),
        (EXPECTED + BROKEN + BROKEN.replace("denied", "allowed"), "flows.yaml:6: allowed is expected of a flow"),
    ],
)
def test_mistake_in_expectations_ends_with_2(capsys: Captured, expected: Path, text: str, said: str) -> None:
    expected.write_text(text)

    code, out, err = answers(capsys, "predict", "-f", STAGING, "--expect", str(expected))

    assert (2, "") == (code, out)
    assert said in err


def test_expectations_that_are_not_there(capsys: Captured, tmp_path: Path) -> None:
    code, _, err = answers(capsys, "predict", "-f", STAGING, "--expect", str(tmp_path / "none"))

    assert code == 2
    assert "cannot read" in err


def test_difference_takes_no_expectations(capsys: Captured, expected: Path) -> None:
    code, _, err = answers(capsys, "predict", "--diff", STAGING, STAGING, "--expect", str(expected))

    assert code == 2
    assert "--diff takes no --expect" in err
