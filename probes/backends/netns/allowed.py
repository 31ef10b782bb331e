"""What keeps this machine from making a sandbox, and what to change."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from auditor.errors import NetauditError

SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for: an ordinary user's PATH often leaves out those of the administrator."""
PROGRAMS = {"ip": "iproute2", "nft": "nftables"}
"""By program, the package that holds it; distributions name them alike."""
_SETTINGS = (
    ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"),
    ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
)
"""Settings below /proc/sys that forbid user namespaces, the value that does, and what ends it."""


def check_programs(find: Callable[..., str | None] = shutil.which) -> None:
    """Raise NetauditError where a program is missing that a sandbox is made with."""
    missing = [name for name in PROGRAMS if find(name, path=SEARCHED) is None]
    if missing:
        packages = " ".join(PROGRAMS[name] for name in missing)
        raise NetauditError(
            "no sandbox can be made on this machine",
            why=f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed",
            attempt=f"apt-get install {packages} (as root; other distributions name the packages alike)",
        )


def check_agent(name: str, find: Callable[..., str | None] = shutil.which) -> None:
    """Raise NetauditError where nothing is here that the agent of that name could listen with."""
    if name != "shell" or find("socat", path=SEARCHED) or find("tcpsvd", path=SEARCHED):
        return
    netcat = find("nc", path=SEARCHED)
    # Others start no program for whoever connects.
    if netcat and Path(netcat).resolve().name == "busybox":
        return
    raise NetauditError(
        "the shell agent cannot run on this machine",
        why=f"it listens with socat, or with busybox as tcpsvd or nc, and none of them is in {SEARCHED}",
        attempt="apt-get install socat (as root), or leave out --agent shell: the Python agent needs nothing more",
    )


def forbidden(settings: Path = Path("/proc/sys")) -> str:
    """What to change where namespaces were refused."""
    for path, value, remedy in _SETTINGS:
        try:
            found = (settings / path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if found == value:
            return f"as root: {remedy}   ({path.replace('/', '.')} is {found} here)"
    return (
        "run it as root, or outside of a container; in a container it needs the capability SYS_ADMIN and a seccomp "
        "profile that lets it make namespaces"
    )
