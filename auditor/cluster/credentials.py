"""Credentials that end before a run does: asked for again from where the kubeconfig had them.

The client takes them once.  The token of an exec plugin lives for a quarter of an hour on EKS, and a run whose token
has ended cannot remove what it made.  Certificates of a plugin are not renewed: they stand in the client's TLS context.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

TOKEN = "BearerToken"  # noqa: S105 - the name under which the client looks for it
APART = 30.0
"""Seconds between two times of asking, so that a token of short life does not start a plugin for each request."""
PATIENCE = 60.0
"""Seconds that a plugin or an issuer of tokens may take."""


class Credentials:
    """The token of one client configuration, kept from running out and renewed once it was refused."""

    def __init__(self, loader: Any, configuration: Any, tidy: Callable[[], None]) -> None:
        """Take the library's loader of a kubeconfig; `tidy` removes what it writes down."""
        self._loader = loader
        self._configuration = configuration
        self._tidy = tidy
        self._lock = asyncio.Lock()
        self._asked = float("-inf")
        configuration.refresh_api_key_hook = self._keep

    @property
    def token(self) -> str:
        """What requests carry now; empty where they carry none."""
        return str(self._configuration.api_key.get(TOKEN) or "")

    async def renew(self, refused: str) -> bool:
        """Get another token than the one that was refused; false where there is none."""
        async with self._lock:
            if self.token == refused:
                # The server knows better than the time that the plugin gave.
                vars(self._loader).pop("exec_plugin_expiry", None)
                await self._load()
            return self.token != refused

    async def _keep(self, _: object) -> None:
        """Before each request: the loader knows whether a plugin's token is about to end."""
        if not hasattr(self._loader, "exec_plugin_expiry"):
            return
        async with self._lock:
            if asyncio.get_running_loop().time() >= self._asked + APART:
                await self._load()

    async def _load(self) -> None:
        # What fails leaves the token as it is, and the server's answer says the rest.
        with suppress(Exception):
            async with asyncio.timeout(PATIENCE):
                await self._loader._load_authentication()  # noqa: SLF001 - what can be called without loading all
        self._asked = asyncio.get_running_loop().time()
        self._tidy()
        token = vars(self._loader).get("token")
        if token:
            self._configuration.api_key[TOKEN] = token
