"""What runs in a probe pod that nobody may exec into, whose image has Python; the shell's twin is courier.sh.

It starts the agent's listeners, and hands the agent each batch of work that appears in a file of the pod's own
annotations. What the agent says of it goes to the container's stdout, which is the pod's log. One batch at a time:
records bear no batch, so that only their order says whose they are.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

WORK = "/netaudit/work"
PAUSE = 0.2


def agent(half: str) -> list[str]:
    """The words that start one half of the agent, as an exec would."""
    return [sys.executable, "-IS", "-c", 'import os; exec(os.environ["NETAUDIT_AGENT"])', half]


def work_after(last: bytes) -> bytes:
    """The work that is there, if it is another than the last one by its first line."""
    try:
        with open(WORK, "rb") as file:  # noqa: PTH123 -- pathlib takes longer to import than all the rest
            work = file.read()
    except OSError:
        return b""
    return b"" if work.split(b"\n", 1)[0] == last.split(b"\n", 1)[0] else work


def hand_over(work: bytes) -> None:
    """Have a batch made; its stdin stays open to the end, which the agent would take for the end of our care."""
    inside, outside = os.pipe()
    maker = subprocess.Popen(agent("probe"), stdin=inside)  # noqa: S603 -- our own words
    os.close(inside)
    with contextlib.suppress(OSError), os.fdopen(outside, "wb") as pipe:
        pipe.write(work)
        pipe.flush()
        maker.wait()
    maker.wait()


def main() -> None:
    """Hand over work until the listeners end."""
    for wanted in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(wanted, lambda *_: os._exit(0))
    server = subprocess.Popen(agent("serve"), stdin=subprocess.DEVNULL)  # noqa: S603 -- our own words
    last = b""
    while server.poll() is None:
        work = work_after(last)
        if work:
            last = work
            os.write(1, b"\n")  # whatever the batch before left half said
            hand_over(work)
        time.sleep(PAUSE)


main()
