"""Couriers hand work from a file to the agents: one batch after the other, each once, in the agents' own framing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from probes.agents import PARTS, courier_of, text_of
from probes.placement import AgentSpec
from probes.wire import Attempt, BatchReader, encode_batch

FOLDER = "/netaudit"
NOTHING_LISTENS = 1


@contextmanager
def courier(agent: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A courier and its agent, as in a pod, whose file of work lies in another folder."""
    spec = AgentSpec("image", text_of(agent), 60, agent, courier_of(agent).replace(FOLDER, str(folder)))
    environment = {
        "PATH": os.environ["PATH"],
        "NETAUDIT_AGENT": spec.script,
        "NETAUDIT_COURIER": spec.courier,
        "NETAUDIT_LINGER": "no",
        "NETAUDIT_NONCE": "nonce",
        "NETAUDIT_RUN": "run",
    }
    with subprocess.Popen(
        [sys.executable if word == "python3" else word for word in spec.first],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, 9)


def lay(folder: Path, work: bytes) -> None:
    """Put work into the file, as the kubelet does: all at once."""
    (folder / "new").write_bytes(work)
    (folder / "new").rename(folder / "work")


@pytest.mark.parametrize("agent", sorted(PARTS))
def test_each_batch_is_made_once_and_in_order(agent: str, tmp_path: Path) -> None:
    """Whatever the log holds of earlier batches, a reader finds its own whole; an empty file is no work."""
    said = b""
    lay(tmp_path, b"")
    with courier(agent, tmp_path) as process:
        assert process.stdout is not None
        said += process.stdout.readline()
        for batch in ("r0-i0-0", "r1-i0-1"):
            reader = BatchReader(batch, [7, 8])
            reader.feed(said)
            attempts = [Attempt(number, "127.0.0.1", NOTHING_LISTENS, 1.0) for number in (7, 8)]
            lay(tmp_path, encode_batch(batch, 8, attempts))
            while not reader.ended:
                line = process.stdout.readline()
                assert line, reader.shortfall
                reader.feed(line)
                said += line
            assert reader.complete, reader.shortfall

    assert b'"role":"serve"' in said.split(b"\n")[0]
    for batch in ("r0-i0-0", "r1-i0-1"):
        assert len(re.findall(rb'"end":\s?2,"batch":"%s"' % batch.encode(), said)) == 1


@pytest.mark.parametrize("agent", sorted(PARTS))
def test_its_text_can_get_into_any_pod(agent: str) -> None:
    text = courier_of(agent)

    assert text.isascii()
    assert len(text) < 4096
    assert "$$" not in text
    assert not re.findall(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)", text)


def test_the_shell_courier_is_clean() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    subprocess.run(["shellcheck", "--shell=sh", "-"], input=courier_of("shell"), text=True, check=True)
