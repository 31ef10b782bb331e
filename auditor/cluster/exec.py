"""The streams of one exec, as the remote-command protocol frames them (`v4.channel.k8s.io`).

The client library's own reader drops the exit code and decodes each frame as text; this one does neither.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec

STDIN, STDOUT, ERROR = 0, 1, 3
FRAME = 16 * 1024
NO_EXIT_CODE = -1


class ExecChannel:
    """A running command's stdin, stdout and exit code."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Take an open WebSocket."""
        self._socket = socket
        self.exit_code: int | None = None
        """None until the server reports the end; -1 where the report holds no code."""

    async def write(self, data: bytes) -> None:
        """Send to stdin, in frames of bounded size."""
        for start in range(0, len(data), FRAME):
            await self._socket.send_bytes(bytes([STDIN]) + data[start : start + FRAME])

    async def read(self) -> AsyncIterator[bytes]:
        """Yield stdout as it comes until the streams end, for whatever reason."""
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel == STDOUT and data:
                yield data
            elif channel == ERROR:
                self.exit_code = _exit_code(data)


def _exit_code(data: bytes) -> int:
    try:
        status: dict[str, Any] = msgspec.json.decode(data)
        if status.get("status") == "Success":
            return 0
        causes = (status.get("details") or {}).get("causes") or []
        return next((int(item["message"]) for item in causes if item.get("reason") == "ExitCode"), NO_EXIT_CODE)
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError, ValueError):
        return NO_EXIT_CODE
