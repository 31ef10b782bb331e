"""The few API requests that starting a cluster needs, without a kubectl process for each.

Tests of netaudit use kubectl or netaudit's own client; this is for the cluster's own beginnings.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.cluster.errors import ClusterError


class Api:
    """An administrator's connection; one request at a time."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        address = urlsplit(cluster["server"])
        self._host, self._port = address.hostname or "", address.port or 443
        self._tls = ssl.create_default_context(cadata=_decoded(cluster["certificate-authority-data"]))
        with tempfile.NamedTemporaryFile("w") as pair:  # the ssl module takes certificates from files only
            pair.write(_decoded(user["client-certificate-data"]) + _decoded(user["client-key-data"]))
            pair.flush()
            self._tls.load_cert_chain(pair.name)

    def connect(self, timeout: float = 5) -> http.client.HTTPSConnection:
        """A connection of its own; its requests go one after the other."""
        return http.client.HTTPSConnection(self._host, self._port, context=self._tls, timeout=timeout)

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """One request; JSON in and out."""
        connection = self.connect()
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": kind})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return answer.status, json.loads(data) if is_json else data.decode(errors="replace")

    def get(self, path: str) -> Any:
        """A GET that must succeed."""
        return self._expect("GET", path, None, (200,))

    def create(self, path: str, body: Mapping[str, Any]) -> None:
        """A POST; what exists already is as good."""
        self._expect("POST", path, body, (200, 201, 202, 409))

    def patch(self, path: str, body: Mapping[str, Any]) -> None:
        """A merge patch."""
        self._expect("PATCH", path, body, (200,))

    def _expect(self, method: str, path: str, body: Mapping[str, Any] | None, wanted: tuple[int, ...]) -> Any:
        status, answer = self.request(method, path, body)
        if status not in wanted:
            raise ClusterError(
                f"{method} {path} failed",
                f"the API server answered {status}: {str(answer)[:500]}",
                "read the API server's log in the cluster's state folder",
            )
        return answer


def wait_for(what: str, condition: Callable[[], bool], timeout: float, hint: Callable[[], str]) -> None:
    """Wait until a condition holds; `hint` explains a failure (usually the end of a log)."""
    deadline = time.monotonic() + timeout
    problem = "it is not so yet"
    while True:
        try:
            if condition():
                return
        except (OSError, http.client.HTTPException, ClusterError, KeyError) as error:
            problem = str(error) or type(error).__name__
        if time.monotonic() > deadline:
            raise ClusterError(
                f"{what}: not within {timeout:.0f} s", f"{problem}\n{hint()}", "look into the cluster's logs"
            )
        time.sleep(0.1)


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()
