"""Ends whatever runs in this container: every process that was given the same nonce as this one, and no other.

Where a pod shares its processes among its containers, the workload's stand beside ours.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

MINE = b"NETAUDIT_NONCE=" + os.environ["NETAUDIT_NONCE"].encode()

for place in Path("/proc").glob("[0-9]*"):
    with contextlib.suppress(OSError):
        if int(place.name) != os.getpid() and MINE in (place / "environ").read_bytes().split(b"\0"):
            os.kill(int(place.name), signal.SIGTERM)
