"""`netaudit run` against a cluster in memory: when its journal stays, and how another run goes on from it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from auditor.cli import MAKE_PARSER
from auditor.commands import run
from auditor.errors import UsageError
from probes.backends.kubernetes import lease
from tests.builders import deny_all, pod
from tests.jumping import JumpingLoop
from tests.memory_api import MemoryApi, Step
from tests.speaking import line
from tests.unit.commands.unheard import STAYS


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemoryApi:
    """Give a cluster where two pods are to be denied everything, and where that is so."""
    api = MemoryApi()
    more = {
        "/api/v1/namespaces/shop/pods/db": pod("shop/db", app="db"),
        "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/db": deny_all("shop/db", "Ingress", app="db"),
    }
    for where, item in {**STAYS, **more}.items():
        api.put(where, item)
    api.put("/version", {"metadata": {}, "gitVersion": "v1.35.0"})
    api.put("/apis", {"metadata": {}, "groups": []})
    api.context = "memory"
    api.agent = lambda name, work: answers(api, name, work)

    async def with_api(_: object, work: Callable[[MemoryApi], Awaitable[int]]) -> int:
        return await work(api)

    monkeypatch.setattr(run, "with_api", with_api)
    monkeypatch.setattr(lease, "monotonic", lambda: asyncio.get_running_loop().time())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return api


def answers(api: MemoryApi, name: str, work: bytes) -> Iterable[Step]:
    """What an agent says where all that goes to a clone is dropped, but for what it says to itself."""
    pods = {item["status"]["podIP"]: item for path, item in api.objects.items() if "/pods/netaudit-" in path}
    header, *lines, _, _ = work.decode().split("\n")
    batch, count = header.split(" ")[1], int(header.split(" ")[3])
    mine = next(item for item in pods.values() if item["metadata"]["name"] == name)
    words = {"agent": "shell", "run": "r", "batch": batch, "nonce": nonce(mine), "client": "nc", "server": "nc"}
    yield line({"netaudit": 1, **words, "n": count})
    for asked in lines:
        number, address, port, _ = asked.split(" ")
        far = pods[address]
        is_open = far is mine or far["metadata"]["namespace"] != "shop"
        data = f"netaudit {nonce(far)} {port}" if is_open else ""
        yield line({"i": int(number), "rc": 0 if is_open else 143, "to": int(not is_open), "c": 0, "ms": 1, "d": data})
    yield line({"end": count, "batch": batch})


def nonce(pod: dict[str, Any]) -> str:
    env = pod["spec"]["containers"][0]["env"]
    return next(str(item["value"]) for item in env if item["name"] == "NETAUDIT_NONCE")


def ran(*words: str) -> tuple[int, dict[str, Any]]:
    """Run the command; its exit code and report."""
    command = ["run", "--coverage", "full", "-o", "json=report.json", *words]
    flags = MAKE_PARSER().parse_args(command)
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        code = runner.run(run.execute(flags, command, Console(stderr=True)))
    return code, json.loads(Path("report.json").read_text())


def journals() -> list[str]:
    return sorted(path.stem for path in Path("state/netaudit/journals").glob("*"))


def test_complete_run_leaves_no_journal(cluster: MemoryApi) -> None:
    code, report = ran()

    assert (code, report["summary"]["status"]) == (0, "clean"), report["summary"]["sentence"]
    assert report["run"]["resumed"] == ""
    assert journals() == []


def test_incomplete_run_is_gone_on_from(cluster: MemoryApi, capsys: pytest.CaptureFixture[str]) -> None:
    """It says how; the run that goes on says what it took over, and with it both journals go."""
    good = cluster.agent
    cluster.agent = lambda name, work: good(name, work) if "-i0-" not in name else ()
    code, first = ran()
    kept = journals()
    hint = capsys.readouterr().err
    cluster.agent = good
    again, report = ran("--resume", "last")

    assert (code, kept) == (4, [first["run"]["id"]])
    assert f"netaudit run --resume {kept[0]}, with the same options" in " ".join(hint.split())
    assert (again, report["run"]["resumed"]) == (0, kept[0]), report["summary"]["sentence"]
    assert 0 < report["summary"]["taken_over"] < report["summary"]["planned"]
    assert {bool(flow["measured"]) for flow in report["flows"]} == {True, False}
    assert journals() == []


def test_run_with_other_options_is_refused_before_anything_is_asked(cluster: MemoryApi) -> None:
    cluster.agent = lambda name, work: ()
    ran()
    cluster.fail("*", ".*", 500)

    with pytest.raises(UsageError, match="cannot go on from run"):
        ran("--resume", "last", "--seed", "3")
    assert len(journals()) == 1
