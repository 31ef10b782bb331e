"""How a kubeconfig becomes a connection, and what that leaves on the machine: nothing."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from pathlib import Path

import certifi
import pytest

from auditor.cluster.api import connect
from auditor.errors import UsageError

AUTHORITIES = Path(certifi.where()).read_bytes()


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def kubeconfig(folder: Path, authority: bytes) -> str:
    """A kubeconfig that holds its certificate authority itself."""
    cluster = {"server": "https://127.0.0.1:1", "certificate-authority-data": base64.b64encode(authority).decode()}
    parts = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "here",
    }
    path = folder / "config"
    path.write_text(json.dumps(parts))
    return str(path)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder for temporary files, for this test alone."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


async def test_what_stands_in_a_kubeconfig_does_not_stay_in_files(tmp_path: Path, scratch: Path) -> None:
    """The library writes it down for the TLS context; a process that is killed later could not remove it."""
    api = await connect(kubeconfig=kubeconfig(tmp_path, AUTHORITIES), context=None, rate=20, version="test")
    try:
        assert left_in(scratch) == []
        assert api.context == "here"
    finally:
        await api.close()


async def test_a_broken_kubeconfig_leaves_nothing_either(tmp_path: Path, scratch: Path) -> None:
    """What is no certificate ends in what, why and try."""
    with pytest.raises((UsageError, ssl.SSLError)):
        await connect(kubeconfig=kubeconfig(tmp_path, b"no certificate"), context=None, rate=20, version="test")

    assert left_in(scratch) == []
