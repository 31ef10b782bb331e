"""A token that ends during a run is renewed from where the kubeconfig had it, for requests and for execs."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from auditor.cluster.api import KubeApi, connect
from auditor.errors import PermissionMissing

PLUGIN = """
import json, pathlib
calls = pathlib.Path({calls!r})
calls.write_text(str(number := int(calls.read_text()) + 1))
status = {{"token": f"t{{number}}", **{more!r}}}
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}}))
"""


class Cluster:
    """An API server that takes one token, which changes, and a plugin that gives a new one at each call."""

    def __init__(self, folder: Path, api: KubeApi) -> None:
        self.folder, self.api = folder, api
        self.taken = {"t1"}
        self.refused = 0

    @property
    def calls(self) -> int:
        return int((self.folder / "calls").read_text())


@asynccontextmanager
async def cluster(folder: Path, **more: Any) -> AsyncIterator[Cluster]:
    """Serve on loopback, with a kubeconfig whose user has an exec plugin; `more` is in what the plugin says."""
    found: list[Cluster] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in found[0].taken:
            found[0].refused += 1
            return web.json_response({"message": "Unauthorized"}, status=401)
        if request.path.endswith("/exec"):
            socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
            await socket.prepare(request)
            await socket.close()
            return socket
        return web.json_response({"kind": "Namespace"})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    (folder / "calls").write_text("0")
    plugin = folder / "plugin.py"
    plugin.write_text(PLUGIN.format(calls=str(folder / "calls"), more=more))
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": [str(plugin)]}
    parts = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://{host}:{port}"}}],
        "users": [{"name": "u", "user": {"exec": run}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "here",
    }
    (folder / "config").write_text(json.dumps(parts))
    api = await connect(kubeconfig=str(folder / "config"), context=None, rate=100, version="test")
    found.append(Cluster(folder, api))
    try:
        yield found[0]
    finally:
        await api.close()
        await runner.cleanup()


async def test_a_request_whose_token_is_refused_is_sent_again_with_a_new_one(tmp_path: Path) -> None:
    async with cluster(tmp_path) as here:
        await here.api.get("/api/v1/namespaces/shop")
        here.taken = {"t2"}
        await here.api.delete("/api/v1/namespaces/shop")
        await here.api.get("/api/v1/namespaces/shop")
        assert (here.calls, here.refused) == (2, 1)


async def test_an_exec_whose_token_is_refused_is_opened_with_a_new_one(tmp_path: Path) -> None:
    async with cluster(tmp_path) as here:
        here.taken = {"t2"}
        async with here.api.exec("shop", "p", "c", ["true"]):
            pass
        assert (here.calls, here.refused) == (2, 1)


async def test_a_token_that_is_about_to_end_is_renewed_before_it_is_refused(tmp_path: Path) -> None:
    """Once in a while, not for each request: the plugin of this user gives tokens of a minute."""
    soon = (datetime.now(UTC) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    async with cluster(tmp_path, expirationTimestamp=soon) as here:
        here.taken = {"t2"}
        for _ in range(3):
            await here.api.get("/api/v1/namespaces/shop")
        assert (here.calls, here.refused) == (2, 0)


async def test_whoever_has_no_access_is_told_so_after_one_more_try(tmp_path: Path) -> None:
    """Each token is a new one and none is taken: no reason to go on asking."""
    async with cluster(tmp_path) as here:
        here.taken = set()
        with pytest.raises(PermissionMissing, match="does not allow"):
            await here.api.get("/api/v1/namespaces/shop")
        assert (here.calls, here.refused) == (2, 2)


async def test_a_plugin_that_fails_leaves_the_servers_answer(tmp_path: Path) -> None:
    async with cluster(tmp_path) as here:
        (tmp_path / "plugin.py").write_text("raise SystemExit(1)")
        here.taken = set()
        with pytest.raises(PermissionMissing, match="does not allow"):
            await here.api.get("/api/v1/namespaces/shop")
        assert here.refused == 1
