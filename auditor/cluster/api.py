"""The Kubernetes API: the one module that imports `kubernetes`.

Raw JSON in and out, paged lists, watches and exec; every request waits its turn, and passing faults are tried again.
The client's typed models are not used: one odd object would fail a whole list.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypedDict

import aiohttp
import msgspec
import yaml
from asyncio_throttle.throttler import Throttler
from kubernetes.aio import config as untyped_config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config import ConfigException

from auditor.cluster import projection
from auditor.cluster.answers import MISSING, Tries, answer_limit, is_same, name_of, refused, unopened, unreachable
from auditor.cluster.credentials import Credentials
from auditor.cluster.exec import ExecChannel
from auditor.cluster.retry import may_pass
from auditor.errors import ApiRefused, UsageError

STEP = 0.1
"""Seconds: the quota is spent in steps of this length, so that it never goes out in one burst."""
PAGE = 500
HANDSHAKE = 30
"""Seconds that a kubelet may take to open an exec."""
ERRORS = 300
"""HTTP statuses from here on are no success; the API server does not redirect."""
UNAUTHENTICATED = 401
CONFLICT, GONE = 409, 410
MERGE_PATCH, STRATEGIC_PATCH = "application/merge-patch+json", "application/strategic-merge-patch+json"
TRANSPORT_FAULTS = (aiohttp.ClientError, TimeoutError, OSError, ApiException)
Raw = Mapping[str, Any]
kube_config: Any = untyped_config


class _Page(TypedDict, total=False):
    metadata: dict[str, Any] | None
    items: list[msgspec.Raw] | None


_PAGE = msgspec.json.Decoder(_Page)


async def connect(*, kubeconfig: str | None, context: str | None, rate: int, version: str) -> KubeApi:
    """Open the API of a kubeconfig's context, or of the cluster that this process runs in.

    Raises UsageError where there is neither, or the kubeconfig makes no sense.
    """
    configuration = Configuration()
    if kubeconfig is not None and not _is_file(kubeconfig):
        raise _bad_kubeconfig(FileNotFoundError(f"there is no file {kubeconfig}"))
    try:
        loader = await kube_config.load_kube_config(
            config_file=kubeconfig, context=context, client_configuration=configuration, persist_config=False
        )
        named = str((loader.current_context or {}).get("name", ""))
        credentials = Credentials(loader, configuration, _tidy)
        return KubeApi(configuration, rate=rate, version=version, context=named, credentials=credentials)
    except ConfigException as error:
        fault = error
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise _bad_kubeconfig(error) from error
    finally:
        # The loader writes keys that stand in a kubeconfig to files and removes them at exit, but a process that is
        # killed has none.  The client has read them by now.
        _tidy()
    if kubeconfig is None and context is None:
        try:
            kube_config.load_incluster_config(client_configuration=configuration)
            return KubeApi(configuration, rate=rate, version=version, context="in-cluster")
        except ConfigException:
            if not any(map(_is_file, os.environ.get("KUBECONFIG", "~/.kube/config").split(os.pathsep))):
                raise _bad_kubeconfig(
                    FileNotFoundError("there is no kubeconfig in KUBECONFIG or ~/.kube, and this is not a pod")
                ) from None
    raise _bad_kubeconfig(fault)


def _tidy() -> None:
    kube_config.kube_config._cleanup_temp_files()  # noqa: SLF001 - the library has no other way


def _is_file(path: str) -> bool:
    return Path(path).expanduser().is_file()


def _bad_kubeconfig(error: Exception) -> UsageError:
    return UsageError(
        "cannot find out how to reach the cluster",
        why=str(error) or type(error).__name__,
        attempt="kubectl config get-contexts, then --kubeconfig FILE or --context NAME",
    )


class KubeApi:
    """One cluster's API, paced to `rate` requests a second."""

    _credentials: Credentials | None = None
    """What gets a new token for one that the server does not take any more."""
    _late = float("inf")
    overlay = "clone"
    """The folder of deploy/kustomize that has the rights of this command, for whoever lacks some."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        rate: int,
        version: str,
        context: str,
        chance: Callable[[], float] = random.random,
        credentials: Credentials | None = None,
    ) -> None:
        """Take a loaded configuration; `chance` gives numbers from 0 to 1, which spread tries."""
        self._credentials = credentials
        configuration.retries = False
        configuration.connection_pool_maxsize = 0  # the pace and the workers bound it, not a silent queue
        self._client: Any = ApiClient(configuration)
        self._client.user_agent = f"netaudit/{version}"
        per_step = max(1, round(rate * STEP))
        self._throttle = Throttler(rate_limit=per_step, period=per_step / max(1, rate))
        self._chance = chance
        self.context = context
        self.host = str(configuration.host)

    def hurry_after(self, seconds: float) -> None:
        """Wait for a silent server no more than a moment once these seconds are over: the command's time is up then."""
        self._late = asyncio.get_running_loop().time() + seconds

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def get(self, path: str, **query: str | int) -> dict[str, Any]:
        """Read one object or document."""
        return await self._json("GET", path, query)

    async def list_all(self, path: str, resource: str = "") -> list[dict[str, Any]]:
        """Read a list page by page; a page token that expired starts the list again.

        Of a resource that is named just what is decoded later on is kept: the rest is most of a large cluster's memory.
        """
        items, _ = await self._whole_list(path, resource)
        return items

    async def list_at(self, path: str) -> tuple[list[dict[str, Any]], str]:
        """Read a list as `list_all` does, and the version from which a watch goes on."""
        return await self._whole_list(path, "")

    async def _whole_list(self, path: str, resource: str) -> tuple[list[dict[str, Any]], str]:
        while True:
            items: list[dict[str, Any]] = []
            token = ""
            try:
                while True:
                    page, token, version = await self._page(path, token, resource)
                    items += page
                    if not token:
                        return items, version
            except ApiRefused as error:
                if error.status != GONE or not token:
                    raise

    async def _page(self, path: str, token: str, resource: str) -> tuple[list[Any], str, str]:
        query: dict[str, str | int] = {"limit": PAGE} | ({"continue": token} if token else {})
        response = await self._send("GET", path, query, None)
        try:
            page = _PAGE.decode(await response.read())
            items = [projection.read(item, resource) for item in page.get("items") or ()]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise unreachable(self.host, error) from error
        metadata = page.get("metadata") or {}
        return items, metadata.get("continue") or "", str(metadata.get("resourceVersion") or "")

    async def create(self, path: str, body: Raw, *, dry_run: bool = False) -> dict[str, Any]:
        """Create an object; a second try that meets the first one's object returns that.

        A dry run passes all of admission and stores nothing.
        """
        return await self._json("POST", path, {"dryRun": "All"} if dry_run else {}, body)

    async def replace(self, path: str, body: Raw) -> dict[str, Any]:
        """Replace an object; its resourceVersion, if given, must still be the stored one."""
        return await self._json("PUT", path, {}, body)

    async def annotate(self, path: str, annotations: Mapping[str, str]) -> None:
        """Set annotations of an object, whatever else it has, by a merge patch (RFC 7386)."""
        await self._json("PATCH", path, {}, {"metadata": {"annotations": dict(annotations)}})

    async def add_ephemeral(self, path: str, patch: Raw, *, dry_run: bool = False) -> dict[str, Any]:
        """Add what a strategic merge patch of a pod names to its ephemeral containers; the pod that came of it."""
        query: dict[str, str | int] = {"dryRun": "All"} if dry_run else {}
        return await self._json("PATCH", f"{path}/ephemeralcontainers", query, patch)

    async def delete(self, path: str, **options: object) -> bool:
        """Delete an object; false when it was not there."""
        try:
            await self._json("DELETE", path, {}, {"apiVersion": "v1", "kind": "DeleteOptions", **options})
        except ApiRefused as error:
            if error.status == MISSING:
                return False
            raise
        return True

    async def watch(
        self, path: str, version: str, seconds: int = 300, on_open: Callable[[], None] = lambda: None
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield watch events until the server ends the watch; raises ApiRefused 410 where `version` is too old.

        `on_open` is called once the server has let us watch, which may be long before the first event.
        """
        query: dict[str, str | int] = {"watch": "true", "resourceVersion": version, "timeoutSeconds": seconds}
        response = await self._send("GET", path, query, None, stream=seconds + 30)
        on_open()
        try:
            async for line in response.content:
                if line.strip():
                    event = msgspec.json.decode(line)
                    if event.get("type") == "ERROR":
                        status = event.get("object") or {}
                        code, message = int(status.get("code") or 500), str(status.get("message"))
                        raise refused("GET", path, code, message, self.overlay)
                    yield event
        except (*TRANSPORT_FAULTS, msgspec.DecodeError) as error:
            raise unreachable(self.host, error) from error

    async def log(self, namespace: str, pod: str, container: str, seconds: float) -> AsyncGenerator[bytes, None]:
        """Yield what a container has said and goes on to say; raises ConnectionError where that is cut off."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        response = await self._send("GET", path, {"container": container, "follow": "true"}, None, stream=seconds)
        try:
            async for data in response.content.iter_any():
                yield data
        except TRANSPORT_FAULTS as error:
            raise ConnectionError(str(error) or type(error).__name__) from error
        finally:
            response.close()

    @asynccontextmanager
    async def exec(
        self, namespace: str, pod: str, container: str, command: Sequence[str]
    ) -> AsyncIterator[ExecChannel]:
        """Open a command's stdin and stdout in a container; raises ApiRefused or ClusterUnreachable where that fails.

        stderr is not asked for: some runtimes end the whole connection, with stdout still in it, when a command closes
        any of its streams.
        """
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        query = [("container", container), ("stdin", "true"), ("stdout", "true"), ("stderr", "false")]
        socket = await self._opened(path, [*query, *(("command", word) for word in command)])
        try:
            yield ExecChannel(socket)
        finally:
            await socket.close()

    async def _opened(self, path: str, query: Sequence[tuple[str, str | int]]) -> aiohttp.ClientWebSocketResponse:
        """Open a stream, again where that fails: a command that was started for nobody has no input and no work."""
        tries = Tries(self._chance, self._late)
        while True:
            try:
                return await self._upgraded(path, query)
            except aiohttp.WSServerHandshakeError as error:
                if not tries.left or not may_pass(error.status, tries.made, executes=True):
                    raise unopened(path, error.status, error.message, self.overlay) from error
                await tries.wait(error.headers.get("Retry-After") if error.headers else None)
            except TRANSPORT_FAULTS as error:
                if not tries.left_unanswered:
                    raise unreachable(self.host, error) from error
                await tries.wait(None)

    async def _upgraded(self, path: str, query: Sequence[tuple[str, str | int]]) -> aiohttp.ClientWebSocketResponse:
        token = self._token()
        try:
            return await self._connected(path, query)
        except aiohttp.WSServerHandshakeError as error:
            if not await self._is_renewed(error.status, token):
                raise
        return await self._connected(path, query)

    async def _connected(self, path: str, query: Sequence[tuple[str, str | int]]) -> aiohttp.ClientWebSocketResponse:
        _, url, headers = await self._prepared("GET", path, query)
        async with self._throttle, asyncio.timeout(HANDSHAKE):
            return await self._session().ws_connect(
                url.replace("http", "ws", 1),
                headers=headers,
                protocols=("v4.channel.k8s.io",),
                heartbeat=30,
                max_msg_size=1 << 24,
                proxy=self._client.rest_client.proxy,
            )

    def _session(self) -> aiohttp.ClientSession:
        rest = self._client.rest_client
        if rest.pool_manager is None:
            rest.pool_manager = rest._create_pool_manager()  # noqa: SLF001 - the client's own exec does the same
        session: aiohttp.ClientSession = rest.pool_manager
        return session

    async def _prepared(
        self, method: str, path: str, query: Sequence[tuple[str, str | int]]
    ) -> tuple[str, str, dict[str, str]]:
        verb, url, headers, _, _ = await self._client.param_serialize(
            method, path, query_params=list(query), auth_settings=["BearerToken"]
        )
        kind = STRATEGIC_PATCH if path.endswith("/ephemeralcontainers") else MERGE_PATCH
        return verb, url, {**headers, **({"Content-Type": kind} if method == "PATCH" else {})}

    async def _json(
        self, method: str, path: str, query: Mapping[str, str | int], body: Raw | None = None
    ) -> dict[str, Any]:
        response = await self._send(method, path, query, body)
        try:
            decoded = msgspec.json.decode(await response.read())
        except msgspec.DecodeError as error:
            raise unreachable(self.host, error) from error
        return decoded if isinstance(decoded, dict) else {}

    async def _send(
        self, method: str, path: str, query: Mapping[str, str | int], body: Raw | None, *, stream: float = 0
    ) -> aiohttp.ClientResponse:
        """Send until an answer comes that is worth having, or the tries are used up.

        The body is read already, unless `stream` says for how many seconds it may go on.
        """
        tries = Tries(self._chance, self._late)
        while True:
            try:
                response = await self._once(method, path, query, body, stream)
            except TRANSPORT_FAULTS as error:
                if not tries.left_unanswered:
                    raise unreachable(self.host, error) from error
                await tries.wait(None)
                continue
            if response.status < ERRORS:
                return response
            message = await _message(response)
            if response.status == CONFLICT and method == "POST" and tries.made:
                stored = await self._send("GET", f"{path}/{name_of(body)}", {}, None)
                if is_same(body, await stored.read()):
                    return stored
            if not tries.left or not may_pass(response.status, tries.made):
                raise refused(method, path, response.status, message, self.overlay)
            await tries.wait(response.headers.get("Retry-After"))

    def _token(self) -> str:
        return self._credentials.token if self._credentials is not None else ""

    async def _is_renewed(self, status: int, token: str) -> bool:
        """Whether a request was refused for its token alone, and there is another one by now: nothing was done yet."""
        return status == UNAUTHENTICATED and self._credentials is not None and await self._credentials.renew(token)

    async def _once(
        self, method: str, path: str, query: Mapping[str, str | int], body: Raw | None, stream: float
    ) -> aiohttp.ClientResponse:
        token = self._token()
        response = await self._sent(method, path, query, body, stream)
        if await self._is_renewed(response.status, token):
            response = await self._sent(method, path, query, body, stream)
        return response

    async def _sent(
        self, method: str, path: str, query: Mapping[str, str | int], body: Raw | None, stream: float
    ) -> aiohttp.ClientResponse:
        verb, url, headers = await self._prepared(method, path, list(query.items()))
        async with self._throttle:
            limit = aiohttp.ClientTimeout(total=stream or answer_limit(self._late))
            answer = await self._client.rest_client.request(
                verb, url, headers=headers, body=body, _request_timeout=limit
            )
        response: aiohttp.ClientResponse = answer.response
        if not stream or response.status >= ERRORS:
            await response.read()
        return response


async def _message(response: aiohttp.ClientResponse) -> str:
    text = (await response.read())[:4096].decode(errors="replace")
    try:
        return str(msgspec.json.decode(text).get("message") or text)
    except (msgspec.DecodeError, AttributeError):
        return text.strip()[:300]
