"""The cluster's only door: passes connections from this machine's loopback to the API server, or disturbs them.

A program of its own that imports nothing of ours. It listens outside and then moves into the control plane's network
namespace, where it dials; TLS passes through untouched, save that a throttled connection ends here, with 429 answers.
A control socket takes one JSON object per line, such as {"kind": "delay", "milliseconds": 200, "percent": 100}.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import socket
import ssl
import struct
from dataclasses import dataclass
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_CHUNK = 1 << 16
KINDS = ("off", "drop", "delay", "reset", "throttle")


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to connections."""

    kind: str = "off"
    milliseconds: int = 0
    percent: int = 100
    """The share of new connections that it befalls."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no such fault: {self.kind}")


class Proxy:
    """All connections and the fault in force."""

    def __init__(self, target: tuple[str, int], refuser: str) -> None:
        self._target = target
        self._refuser = refuser
        self._fault = Fault()
        self._changed = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self._count = 0

    def set(self, fault: Fault) -> None:
        """Put a fault in force; what a packet filter would end at once ends at once."""
        self._fault = fault
        self._changed.set()
        self._changed = asyncio.Event()
        if fault.kind in ("reset", "throttle"):
            for writer in self._open:
                _reset(writer)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        self._count += 1
        share = self._fault.percent
        chosen = self._count * share // 100 != (self._count - 1) * share // 100
        if chosen and self._fault.kind == "reset":
            _reset(writer)
            return
        self._open.add(writer)
        try:
            await self._carry(reader, writer, chosen)
        except OSError:  # either side went away; the other one learns of it by the close below
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chosen: bool) -> None:
        if chosen and self._fault.kind == "throttle":
            upstream = await asyncio.open_unix_connection(self._refuser)
        else:
            upstream = await asyncio.open_connection(*self._target)
        back = asyncio.create_task(self._pump(upstream[0], writer, chosen, delayed=False))
        try:
            await self._pump(reader, upstream[1], chosen, delayed=True)
            await back
        finally:
            back.cancel()
            upstream[1].close()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, chosen: bool, *, delayed: bool
    ) -> None:
        while data := await source.read(_CHUNK):
            # Dropped packets would be sent again: what was held back goes on when the fault ends.
            while chosen and self._fault.kind == "drop":
                await self._changed.wait()
            if chosen and delayed and self._fault.kind == "delay":
                await asyncio.sleep(self._fault.milliseconds / 1000)
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take orders, one per line."""
        while line := await reader.readline():
            try:
                self.set(Fault(**json.loads(line)))
                answer: dict[str, object] = {"ok": True, "connections": self._count}
            except (ValueError, TypeError) as error:
                answer = {"ok": False, "error": str(error)}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request of a connection as an overloaded API server does."""
    status = {
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 429, "reason": "TooManyRequests",
        "message": "too many requests, please try again later", "details": {"retryAfterSeconds": 1},
    }  # fmt: skip
    body = json.dumps(status).encode()
    head = (
        b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    try:
        while request := await reader.readuntil(b"\r\n\r\n"):
            fields = dict(line.lower().split(b":", 1) for line in request.split(b"\r\n")[1:] if b":" in line)
            await reader.readexactly(int(fields.get(b"content-length", b"0")))
            writer.write(head + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, OSError):  # the client has had enough
        pass
    finally:
        writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing sends RST
    writer.transport.abort()


def _enter(namespace: str) -> None:
    with Path(namespace).open("rb") as file:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(file.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns", namespace)


async def main() -> None:
    """Listen out here, dial in there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="where the control socket and the port's file go")
    parser.add_argument("--namespace", required=True, help="network namespace to dial in")
    parser.add_argument("--target", required=True, help="HOST:PORT in there")
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    _enter(options.namespace)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(options.cert, options.key)
    host, _, port = options.target.rpartition(":")
    refuser = str(options.home / "proxy-429.sock")
    proxy = Proxy((host, int(port)), refuser)
    async with (
        await asyncio.start_unix_server(refuse, refuser, ssl=tls),
        await asyncio.start_unix_server(proxy.control, options.home / "proxy.sock"),
        await asyncio.start_server(proxy.serve, sock=listener),
    ):
        draft = options.home / "proxy.port.new"
        draft.write_text(str(listener.getsockname()[1]))
        draft.replace(options.home / "proxy.port")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
