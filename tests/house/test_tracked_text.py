"""No tracked file knows the machine it was written on, or where that machine gets its packages from.

Names of such hosts are not written here either: those that could leak are read from the environment of the moment.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parent.parent.parent

HOST_WORDS = "registry|proxy|mirror|pypi|artifactory|nexus|devpi|pythonhosted"
PATTERNS = {
    "a home folder": re.compile(r"(?<![\w.$}-])/(?:home|root|Users)/[\w.]"),
    "a package index": re.compile(r"(?<!no-emit)-{1,2}(?:extra-)?(?:index-url|find-links|trusted-host)\b"),
    "a package host": re.compile(rf"https?://[\w.-]*(?:{HOST_WORDS})[\w.-]*\.[a-z]{{2,}}", re.IGNORECASE),
}
EXEMPT = ("go.sum", "LICENSE")
"""Checksums, and a text that is not ours."""
HOST_VARIABLES = re.compile(r"^(?:PIP_|UV_|GOPROXY|GONOPROXY|NPM_CONFIG_|https?_proxy$|ALL_PROXY)", re.IGNORECASE)


def leaks(text: str, machine: Iterable[str] = ()) -> Iterator[str]:
    """Name what a text gives away, line by line, without repeating it."""
    for number, line in enumerate(text.splitlines(), 1):
        found = [what for what, pattern in PATTERNS.items() if pattern.search(line)]
        found += ["this machine"] if any(word in line for word in machine) else []
        yield from (f"{number}: {what}" for what in found)


def machine_words(environment: Mapping[str, str], checkout: Path) -> set[str]:
    """Collect what only this machine can know: where the checkout lies, and the hosts that packages come from."""
    urls = [
        part for name, value in environment.items() if HOST_VARIABLES.match(name) for part in re.split(r"[ ,|]", value)
    ]
    hosts = {urlsplit(url).hostname or "" for url in urls if "://" in url}
    # A name without a dot or an address of digits stands for something else in most files.
    words = {host for host in hosts if "." in host and not re.fullmatch(r"[\d.]+", host)}
    # A folder right under / may be called anything that a container's path is called too.
    return words | ({f"{checkout}/"} if len(checkout.parts) > 2 else set())


def tracked() -> list[Path]:
    """List the files in git; where there is none, as in an unpacked archive, there is nothing to check."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_tracked_file_knows_this_machine() -> None:
    machine = machine_words(os.environ, ROOT)
    found = []
    for path in tracked():
        content = path.read_bytes()
        if path.name not in EXEMPT and b"\0" not in content:
            text = content.decode("utf-8", errors="replace")
            found += [f"{path.relative_to(ROOT)}:{leak}" for leak in leaks(text, machine)]

    assert found == []


SLASH = "/"  # joined here, so that this file passes its own test


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"cd {SLASH}home/anna/src", ["1: a home folder"]),
        (f'path = "{SLASH}root/x"', ["1: a home folder"]),
        ("one\n--index" + "-url https://x", ["2: a package index"]),
        ("--find" + "-links=wheels", ["1: a package index"]),
        (f"https:{SLASH}/pypi.example.org/simple", ["1: a package host"]),
        (f"GOPROXY=https:{SLASH}/goproxy.example.org", ["1: a package host"]),
        (f"https:{SLASH}/anna:pw@x", []),
        ("only on secret.example", ["1: this machine"]),
    ],
)
def test_leak_is_found(text: str, expected: list[str]) -> None:
    assert expected == list(leaks(text, {"secret.example"}))


@pytest.mark.parametrize(
    "text",
    [
        "--no-emit-index-url --no-emit-find-links",
        "registry.k8s.io/pause:3.10",
        "$HOME/.kube/config and ~/.kube",
        "${ROOTFS}/root/x",
        "https://kubernetes.io/docs/concepts/services-networking/network-policies/",
        "the API server's proxy, a mirror image",
        "http://127.0.0.1:8080/",
    ],
)
def test_ordinary_text_is_not_a_leak(text: str) -> None:
    assert list(leaks(text)) == []


def test_machine_words_come_from_the_settings_of_package_managers() -> None:
    environment = {
        "PIP_INDEX_URL": "https://user:word@packages.example.org/simple",
        "GOPROXY": "https://go.example.org|https://other.example.org,direct",
        "HTTPS_PROXY": "http://127.0.0.1:3128",
        "PATH": "https://not.example.org",
    }

    words = machine_words(environment, Path("/srv/builds/netaudit"))

    assert {"packages.example.org", "go.example.org", "other.example.org", "/srv/builds/netaudit/"} == words
    assert machine_words({}, Path("/src")) == set()
