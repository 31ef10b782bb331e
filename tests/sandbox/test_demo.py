"""`netaudit demo`: the story is true, its pages are there, and nothing else is left."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest

from auditor import guides
from tests.sandbox.demonstrating import adopting, command, demo, environment, offspring
from tests.sandbox.shellpod import end, wait_until

ORDINARY = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
"""Before a command: somebody without any right."""
LASTS = 12.0
"""Seconds that such a demonstration takes, or more."""
SHOP = guides.BEYOND

TWICE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: twice, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: twice}}
  template:
    metadata: {labels: {app: twice}}
    spec: {containers: [{name: main, image: "busybox:1.37", ports: [{containerPort: 7070}]}]}
"""

pytestmark = pytest.mark.sandbox


@pytest.fixture(autouse=True)
def _parent() -> Iterator[None]:
    with adopting():
        yield


def report(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "netaudit-demo" / f"{name}.json").read_text())
    return found


def agreements(found: dict[str, Any]) -> set[str]:
    return {flow["agreement"] for flow in found["flows"]}


def test_three_clusters_are_told_for_what_they_are(tmp_path: Path) -> None:
    before = offspring()
    told = demo(tmp_path)

    assert told.returncode == 0, told.stdout + told.stderr
    good, none, part = (report(tmp_path, name) for name in ("enforcing", "minikube", "eks"))
    assert agreements(good) == {"as-expected"}
    assert good["summary"]["proven_denials"] > 100
    denied = [flow for flow in none["flows"] if flow["verdict"] == "denied"]
    assert {flow["agreement"] for flow in denied} == {"leak"}
    nodes = {stand_in["key"]: stand_in["node"] for stand_in in part["stand_ins"]}
    [missing] = {
        nodes[flow["destination"]]
        for flow in part["flows"]
        if flow["agreement"] == "leak" and flow["denied_by"] == ["Ingress"]
    }
    assert missing == "ip-192-168-76-157.eu-west-1.compute.internal"
    index = (tmp_path / "netaudit-demo" / "index.html").read_text()
    for name in ("enforcing", "minikube", "eks"):
        assert f'href="{name}.html"' in index
        assert (tmp_path / "netaudit-demo" / f"{name}.html").stat().st_size > 10_000
    assert "Policies are not enforced everywhere in 2 of 3 clusters." in index
    assert len(told.stdout.split("Try next:\n")[1].splitlines()) == 3
    assert offspring() <= before


def test_a_fault_on_a_node_without_pods_is_told_to_be_unseen(tmp_path: Path) -> None:
    """What nobody could see is never shown as enforced."""
    deny_all = guides.FOLDER / "deny-all.yaml"
    told = demo(tmp_path, "--fault", "node-without-agent", "--manifests", str(deny_all), "-q")

    assert told.returncode == 0, told.stderr
    assert "Nothing in these manifests shows it" in told.stdout
    page = (tmp_path / "netaudit-demo" / "index.html").read_text()
    assert "proven on 2 of 3 nodes; nothing to try on the others" in page
    assert "</span> enforced</span>" not in page


@contextmanager
def ended_at_last(program: subprocess.Popen[str]) -> Iterator[None]:
    """A test that fails must not wait for what only it would have ended."""
    try:
        yield
    finally:
        end(program.pid)


@pytest.mark.long
def test_an_ordinary_user_sees_one_fault_in_manifests_of_ones_own(tmp_path: Path) -> None:
    told = demo(
        tmp_path, "--fault", "ingress-only", "--manifests", str(SHOP), "--folder", "netaudit-demo", before=ORDINARY
    )

    assert told.returncode == 0, told.stdout + told.stderr
    assert agreements(report(tmp_path, "enforcing")) == {"as-expected"}
    leaks = [flow for flow in report(tmp_path, "ingress-only")["flows"] if flow["agreement"] == "leak"]
    assert leaks
    assert all(flow["denied_by"] == ["Egress"] for flow in leaks)
    assert "Your manifests on clusters" in told.stdout


def test_clusters_that_are_kept_can_be_looked_at(tmp_path: Path) -> None:
    before = offspring()
    (tmp_path / "twice.yaml").write_text(TWICE)
    own = ("--manifests", str(SHOP), "--manifests", "twice.yaml")
    with (
        subprocess.Popen(
            command("--keep", "--fault", "nothing-enforced", "-q", *own),
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as program,
        ended_at_last(program),
    ):
        assert program.stdout is not None
        # Each place is a line, and the line after it is the way there; of two clusters the last counts.
        ways, place, address, copies = dict[str, str](), "", "", 0
        for line in program.stdout:
            if line.startswith("    nsenter "):
                ways[" ".join(place.split()[:2])] = line.strip()
                if place.startswith("  shop/front "):
                    address = place.split()[1]
                    assert place.endswith(" listens on 8080\n")
            if "until Ctrl-C" in line:
                break
            place = line
            copies += line.startswith("  shop/twice") and line.endswith(" listens on 7070\n")
        [meter] = [way for name, way in ways.items() if name.startswith("watch/meter ")][-1:]
        inside = shlex.split(meter.removesuffix(" bash"))
        asked = ["bash", "-c", f"exec 3<>/dev/tcp/{address}/8080 && head -1 <&3"]
        said = subprocess.run([*inside, *asked], capture_output=True, text=True, check=False)
        assert said.stdout == "netaudit demo 8080\n", said.stderr
        assert copies == 4
        rules = shlex.split(ways["rules of"])
        assert "table " in subprocess.run(rules, capture_output=True, text=True, check=True).stdout
        end(program.pid, signal.SIGINT)
        assert program.wait(60) == 0
    wait_until(lambda: offspring() <= before, "the end of everything")


@pytest.mark.parametrize("turn", [pytest.param(turn, marks=[pytest.mark.long] if turn else []) for turn in range(10)])
def test_nothing_stays_whenever_it_is_killed(tmp_path: Path, turn: int) -> None:
    """At ten random moments, one in each tenth of its time; the one that every change is tried with anywhere in it."""
    first, last = (turn, turn + 1) if turn else (0, 10)
    moment = LASTS / 10 * SystemRandom().uniform(first, last)
    before = offspring()
    with subprocess.Popen(
        command("-q", "--fault", "packet-loss"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as program:
        try:
            program.wait(moment)
        except subprocess.TimeoutExpired:
            end(program.pid)
    wait_until(lambda: offspring() <= before, f"the end of everything, killed after {moment:.2f} s")


def test_ctrl_c_ends_it_in_order(tmp_path: Path) -> None:
    before = offspring()
    with subprocess.Popen(
        command(), cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as program:
        wait_until(lambda: len(offspring() - before) > 10, "agents")
        end(program.pid, signal.SIGINT)
        assert program.stderr is not None
        said = program.stderr.read()
        assert "interrupted" in said
        assert "what was measured is told" not in said
        assert program.wait(60) == 130
    assert offspring() <= before
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--fault", "nonsense"), 2, "no fault 'nonsense'"),
        (("--manifests", "nowhere"), 2, "try: --manifests with a file or folder"),
        (("--folder", "/proc/nowhere"), 2, "cannot write the pages to /proc/nowhere"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_made(
    tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    told = demo(tmp_path, *words)

    assert told.returncode == code
    assert said in told.stderr
    assert "try: " in told.stderr
    assert not list(tmp_path.iterdir())


def test_faults_are_listed_without_any_right(tmp_path: Path) -> None:
    told = demo(tmp_path, "--list-faults", before=("setpriv", "--bounding-set=-all", "--inh-caps=-all"))

    assert told.returncode == 0
    assert "node-without-agent" in told.stdout
    assert not list(tmp_path.iterdir())


def test_without_nft_the_package_is_named(tmp_path: Path) -> None:
    hidden = f"mount --bind /dev/null {_program('nft')} && exec"
    told = demo(tmp_path, before=("unshare", "--mount", "sh", "-c", f'{hidden} "$@"', "sh"))

    assert told.returncode == 1
    assert "nftables" in told.stderr
    assert not list(tmp_path.iterdir())


def _program(name: str) -> str:
    return subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip()
