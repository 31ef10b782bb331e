"""The real command, run as a user runs it, and what it says on its streams and in its report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[4]
CONTROL = "control"
PATIENCE = 900.0
"""Seconds for whatever a run does on a slow machine."""
POLL = 0.05
LOOK = 0.3
"""Seconds between two looks that ask an API server: it has its work to do too."""
QUICK = ("--settle", "0", "--rate", "200")
"""For runs whose pace and settle time are not what a test is about."""
AGENTS = {"shell": (), "python": ("--image", "netaudit.test/netaudit-base:1", "--agent", "python")}
"""The words that ask for each agent; the image has the Python of netaudit's own and is on every node."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow of a report, its ends by what a person calls them."""

    source: str
    destination: str
    port: int
    verdict: str
    agreement: str
    reason: str
    policies: frozenset[str]
    keys: tuple[str, str]
    """The stand-ins that stood for the ends."""

    @property
    def path(self) -> tuple[str, str, int]:
        """Source, destination and port."""
        return self.source, self.destination, self.port


@dataclass(frozen=True, slots=True)
class Report:
    """A report.json, read by its published schema alone."""

    raw: Mapping[str, Any]

    @property
    def summary(self) -> Mapping[str, Any]:
        """The answer in numbers."""
        return dict(self.raw["summary"])

    @property
    def flows(self) -> list[Flow]:
        """Every flow."""
        return [self._flow(item) for item in self.raw["flows"]]

    def judged(self, *agreements: str) -> list[Flow]:
        """The flows with one of these agreements."""
        return [flow for flow in self.flows if flow.agreement in agreements]

    def skipped(self, what: str) -> str:
        """Why something was skipped; empty where nothing of that name was."""
        return "; ".join(item["reason"] for item in self.raw["skipped"] if item["what"] == what)

    def titles(self) -> set[str]:
        """The identities that were stood for."""
        return {item["title"] for item in self.raw["identities"] if not item.get("control")}

    def _flow(self, item: Mapping[str, Any]) -> Flow:
        names = {entry["id"]: CONTROL if entry.get("control") else entry["title"] for entry in self.raw["identities"]}
        return Flow(
            source=names[item["source_identity"]],
            destination=names[item["destination_identity"]],
            port=item["port"],
            verdict=item["verdict"],
            agreement=item["agreement"],
            reason=item["reason"],
            policies=frozenset(item["policies"]),
            keys=(item["source"], item["destination"]),
        )


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str
    file: Path

    @property
    def report(self) -> Report:
        """The report that it wrote; fails where it wrote none."""
        assert self.file.exists(), f"no report; exit {self.code}: {self.err}"
        return Report(json.loads(self.file.read_text()))

    def explains(self) -> bool:
        """Whether it says what, why and try, and shows no traceback."""
        lines = [line.strip() for line in self.err.splitlines()]
        said = [any(line.startswith(mark) for line in lines) for mark in ("error: ", "why: ", "try: ")]
        return all(said) and "Traceback" not in self.err + self.out


class Running:
    """A command at work."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process = process
        self._folder = folder

    @property
    def err(self) -> str:
        """What it has written to stderr so far."""
        return (self._folder / "err").read_text()

    def await_line(self, start: str) -> None:
        """Wait until a line of stderr begins like this."""

        def holds() -> bool:
            return any(line.startswith(start) for line in self.err.splitlines())

        until(lambda: holds() or self._process.poll() is not None, f"a line {start!r}")
        assert holds(), f"it ended before it said {start!r}: {self.err}"

    def wait_for_line(self, start: str, seconds: float) -> bool:
        """Wait for such a line at most so long; whether it came."""
        deadline = time.monotonic() + seconds
        while not any(line.startswith(start) for line in self.err.splitlines()):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL)
        return True

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def finish(self, timeout: float = PATIENCE) -> Result:
        """Wait for its end."""
        code = self._process.wait(timeout)
        return Result(code, (self._folder / "out").read_text(), self.err, self._folder / "report.json")

    def stop(self) -> None:
        """End it whatever it does, gently first."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(90)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Command:
    """`netaudit` with a kubeconfig, or with none, in a folder of its own."""

    def __init__(self, folder: Path, kubeconfig: Path | None) -> None:
        self._folder = folder
        self._kubeconfig = kubeconfig
        self._count = 0
        self._scratch = folder / "tmp"

    def run(self, *words: str, timeout: float = PATIENCE) -> Result:
        """Run it to its end."""
        with self.start(*words) as running:
            return running.finish(timeout)

    @property
    def journals(self) -> list[Path]:
        """The journals of its runs that stayed."""
        return sorted((self._folder / ".local/state/netaudit/journals").glob("*"))

    @contextmanager
    def start(self, *words: str) -> Iterator[Running]:
        """Start it; it has ended when the block ends."""
        self._count += 1
        folder = self._folder / f"command-{self._count}"
        folder.mkdir(parents=True)
        self._scratch.mkdir(exist_ok=True)
        arguments = [sys.executable, "-m", "auditor", *_with_report(words, folder)]
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=ROOT, env=self._environment()
            )
        running = Running(process, folder)
        try:
            yield running
        finally:
            running.stop()
        assert list(self._scratch.iterdir()) == [], "left in the folder for temporary files, perhaps a key"

    def _environment(self) -> dict[str, str]:
        env = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "LANG": "C.UTF-8", "TMPDIR": str(self._scratch)}
        # Half of a small audit is waiting for its own pace.
        env["NETAUDIT_RATE"] = "100"
        return {**env, "KUBECONFIG": str(self._kubeconfig)} if self._kubeconfig else env


def _with_report(words: Sequence[str], folder: Path) -> list[str]:
    if words[0] != "run":
        return list(words)
    # What most tests look at must not hang on what a smaller coverage chooses; whoever tests that says so.
    whole = [] if "--coverage" in words else ["--coverage", "full"]
    if "--dry-run" in words:
        return [*words, *whole]
    return [*words, *whole, "-o", f"json={folder / 'report.json'}", "-o", "table"]


def until(holds: Callable[[], object], what: str, seconds: float = PATIENCE, every: float = POLL) -> None:
    """Wait for a condition; `every` is the time between two looks."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(every)
