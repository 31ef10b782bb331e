"""What both agents are tried on: two pods with the same image, and a situation on each port of the target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from auditor.model.probe import Outcome
from probes.wire import Attempt
from tests.cluster.artifacts import ensure
from tests.sandbox.shellpod import Network, Pod, busybox_image, debian_image, network, pod, python_image
from tests.sandbox.strangers import Manner, Stranger, drips, floods, hangs_up, resets, silent, speaks, strangers

REACHED, REFUSED, SILENT, FAULT = Outcome.REACHED, Outcome.REFUSED, Outcome.SILENT, Outcome.FAULT
NEAR_NONCE, FAR_NONCE = "near0123456789abcdef", "far00123456789abcdef"
OPEN = 8080

# What each image is known to connect and to listen with.
IMAGES = {
    "busybox-debian": ("nc-busybox", "nc"),
    "busybox-glibc": ("nc-busybox", "tcpsvd"),
    "busybox-musl": ("nc-busybox", "tcpsvd"),
    "dash+nc+socat": ("nc-openbsd", "socat"),
    "dash+socat": ("socat", "socat"),
    "bash+socat": ("bash", "socat"),
    "python": ("python", "python"),
}


@dataclass(frozen=True)
class Situation:
    port: int
    outcomes: set[Outcome]
    seconds: float = 20.0
    """Generous where an answer must come, short where none may."""
    manner: Manner | None = None
    rule: str = ""


SITUATIONS = {
    "open": Situation(OPEN, {REACHED}),
    "low port": Situation(80, {REACHED}),
    "closed": Situation(1000, {REFUSED}),
    "dropped": Situation(1001, {SILENT}, 1, rule="drop"),
    "rejected by ICMP": Situation(1002, {REFUSED}, rule="reject with icmpx type port-unreachable"),
    "rejected as prohibited": Situation(1003, {REFUSED}, rule="reject with icmpx type admin-prohibited"),
    "reset": Situation(1004, {REFUSED}, rule="reject with tcp reset"),
    "another program": Situation(2000, {FAULT}, manner=speaks(b"220 mail.example\r\n")),
    "another netaudit": Situation(2001, {FAULT}, manner=speaks(b"netaudit ffffffffffffffff 2001\n")),
    "another port's answer": Situation(2002, {FAULT}, manner=speaks(f"netaudit {FAR_NONCE} {OPEN}\n".encode())),
    "the answer in a second line": Situation(2003, {FAULT}, manner=speaks(f"\nnetaudit {FAR_NONCE} 2003\n".encode())),
    "odd bytes": Situation(2004, {FAULT}, manner=speaks(bytes(range(256)))),
    "accepts and is silent": Situation(2005, {FAULT}, 1, silent),
    "accepts and hangs up": Situation(2006, {FAULT}, manner=hangs_up),
    "accepts and resets": Situation(2007, {FAULT, REFUSED}, manner=resets),
    "a flood in one line": Situation(2008, {FAULT}, 2, floods(b"x" * 65536)),
    "a flood of lines": Situation(2009, {FAULT}, 2, floods(b"\n" * 65536)),
    "letter by letter": Situation(2010, {FAULT}, 2, drips),
}


@dataclass(frozen=True)
class Stage:
    """A source and a target pod with the same image, and strangers beside the target."""

    net: Network
    near: Pod
    far: Pod
    others: dict[int, Stranger]

    def attempts(self, port: int, number: int, seconds: float = 20.0) -> list[Attempt]:
        return [Attempt(i, Network.FAR[i % 2], port, seconds) for i in range(number)]

    def closed_network(self, port: int, number: int) -> list[Attempt]:
        """Attempts that would take a minute if nobody ended them."""
        return self.attempts(SITUATIONS["dropped"].port, number, 60)


def image(name: str) -> AbstractContextManager[Path]:
    """The folder of programs of that image."""
    match name.split("+"):
        case ["python"]:
            return python_image()
        case ["busybox-debian"]:
            return busybox_image(Path("/usr/bin/busybox"))
        case [built] if built.startswith("busybox"):
            return busybox_image(ensure(built))
        case [shell, *tools]:
            return debian_image(shell, *tools)
    raise AssertionError(name)


@contextmanager
def staged(name: str) -> Iterator[Stage]:
    """Both pods with that image, and every situation."""
    with ExitStack() as stack:
        tools = stack.enter_context(image(name))
        net = stack.enter_context(network())
        rules = [f"tcp dport {s.port} {s.rule}" for s in SITUATIONS.values() if s.rule]
        chain = ["type filter hook input priority 0", *rules]
        net.run(net.far, "nft", "-f", "-", given="\n".join(["table inet t {", "chain c {", *chain, "}", "}", ""]))
        near = stack.enter_context(pod(tools, net.near, [OPEN], NEAR_NONCE))
        far = stack.enter_context(pod(tools, net.far, [80, OPEN], FAR_NONCE))
        manners = {s.port: s.manner for s in SITUATIONS.values() if s.manner}
        yield Stage(net, near, far, stack.enter_context(strangers(net.far, manners)))
