"""A command whose words nobody hears any more finishes its work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent.parent


@pytest.mark.parametrize("how", ["pty", "pipe"])
def test_a_run_that_loses_its_terminal_removes_everything(how: str, tmp_path: Path) -> None:
    """A terminal that is closed (SIGHUP) and `2>&1 | tee` under Ctrl-C: stderr fails from then on."""
    told = tmp_path / "told"
    command = [sys.executable, str(HERE / "unheard.py"), how, str(told)]

    env = {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}  # its journal stays, because the run was broken off
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)

    assert done.returncode == 130
    assert "the run was interrupted" in " ".join(done.stdout.split())
    standing, code, *left = told.read_text().split()
    assert (int(standing) > 0, code, left) == (True, "130", [])
