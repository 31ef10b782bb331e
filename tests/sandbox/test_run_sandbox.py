"""`netaudit run --sandbox`, as people and pull requests use it."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from auditor import guides
from tests.sandbox.shellpod import bearing

SHOP = guides.BEYOND
ROOT = Path(__file__).parents[2]
MARK = "NETAUDIT_TEST_RUN"
ORDINARY = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
"""Before a command: somebody without any right."""
REFUSED = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: odd, namespace: shop}
spec: {podSelector: {}, ingress: {}}
"""
TIERED = """
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: odd}
spec: {priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}
"""
SERVED = """
apiVersion: v1
kind: Service
metadata: {name: front, namespace: shop}
spec: {selector: {app: front}, clusterIP: %s, publishNotReadyAddresses: true, ports: [{port: 80, targetPort: http}]}
"""
SMALL = """
apiVersion: v1
kind: Pod
metadata: {name: one, labels: {app: one}}
spec: {nodeName: n1, containers: [{name: main, image: none}]}
---
apiVersion: v1
kind: Pod
metadata: {name: other, labels: {app: other}}
spec: {nodeName: n2, containers: [{name: main, image: none}]}
---
{apiVersion: v1, kind: Node, metadata: {name: n1}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {}}
"""


def command(*words: str, before: Sequence[str] = ()) -> list[str]:
    return [*before, sys.executable, "-m", "auditor", "run", "--sandbox", "--settle", "2", *words]


def netaudit(*words: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words, before=before),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def report(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.mark.parametrize("before", [(), ORDINARY], ids=["root", "ordinary user"])
def test_policies_that_hold_are_clean(tmp_path: Path, before: Sequence[str]) -> None:
    file, cases = tmp_path / "report.json", tmp_path / "junit.xml"
    result = netaudit("-f", str(SHOP), "-o", "table", "-o", f"json={file}", "-o", f"junit={cases}", before=before)
    assert result.returncode == 0, result.stderr
    assert "A rehearsal in a sandbox: it tests the policies, not any cluster's engine." in " ".join(
        result.stdout.split()
    )
    found = report(file)
    assert (found["run"]["sandbox"], found["run"]["fault"]) == (True, "")
    assert {flow["agreement"] for flow in found["flows"]} == {"as-expected"}
    assert any("not tested" in limit for limit in found["limits"])
    assert 'failures="0" errors="0"' in cases.read_text().splitlines()[1]


def test_a_fault_is_found_and_said(tmp_path: Path) -> None:
    file, cases = tmp_path / "report.json", tmp_path / "junit.xml"
    outputs = ("-o", f"json={file}", "-o", f"junit={cases}")
    result = netaudit("-f", str(SHOP), "--fault", "nothing-enforced", *outputs, "-q")
    assert (result.returncode, result.stderr) == (3, "")
    found = report(file)
    assert found["run"]["fault"] == "nothing-enforced"
    assert found["summary"]["leaks"] > 0
    assert found["summary"]["sentence"].startswith("In a sandbox whose engine was given the fault nothing-enforced: ")
    assert cases.read_text().count('<failure type="leak"') == found["summary"]["leaks"]


def test_expectations_are_told(tmp_path: Path) -> None:
    wanted = tmp_path / "flows.yaml"
    wanted.write_text(
        "schema: netaudit.expectations/1\nflows:\n- {from: shop/front, to: shop/store, port: 5432, expect: allowed}\n"
    )
    result = netaudit("-f", str(SHOP), "--expect", str(wanted), "-q")
    assert result.returncode == 3
    assert "policies forbid it" in result.stdout


def test_a_policy_that_a_server_would_refuse_makes_it_incomplete(tmp_path: Path) -> None:
    """Whoever has the report alone must see it as well: what it is, where it stands and why."""
    odd, file, cases = tmp_path / "odd.yaml", tmp_path / "report.json", tmp_path / "junit.xml"
    odd.write_text(REFUSED)
    outputs = ("-o", "table", "-o", f"json={file}", "-o", f"junit={cases}")
    result = netaudit("-f", str(SHOP), "-f", str(odd), *outputs, "-q")
    assert result.returncode == 4
    assert "odd.yaml" in result.stderr
    subject, why = f"{odd}:5: NetworkPolicy shop/odd", "was left out: spec.ingress: expected a list, found an object"
    found = report(file)
    assert found["summary"]["gaps"] == [f"{subject} {why}"]
    assert (found["summary"]["status"], found["summary"]["exit_code"]) == ("incomplete", 4)
    assert "Every denial that was tested holds" not in found["summary"]["sentence"]
    assert why in found["summary"]["sentence"]
    assert {"what": subject, "reason": why, "flows": 0} in found["skipped"]
    assert re.search(r'<error type="incomplete"[^>]*>' + re.escape(f"{subject} {why}</error>"), cases.read_text())
    shown = " ".join(result.stdout.split())
    assert "Mend what makes this audit incomplete" in shown
    assert shown.count("NetworkPolicy shop/odd was left out") > 1


def test_a_dry_run_of_a_policy_that_a_server_would_refuse_is_incomplete(tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text(REFUSED)
    assert netaudit("-f", str(SHOP), "-f", str(tmp_path), "-q", "--dry-run").returncode == 4


def test_policies_that_the_sandbox_does_not_know_are_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text(TIERED)
    result = netaudit("-f", str(SHOP), "-f", str(tmp_path), "-q")
    assert result.returncode == 2
    assert "a sandbox cannot enforce" in result.stderr
    assert "netaudit predict -f" in result.stderr


def served(folder: Path, address: str) -> Path:
    file = folder / "served.yaml"
    file.write_text(SERVED % address)
    return file


def test_an_address_that_a_service_cannot_have_is_refused(tmp_path: Path) -> None:
    result = netaudit("-f", str(SHOP), "-f", str(served(tmp_path, "10.244.0.9")), "-q")
    assert result.returncode == 2
    assert "a sandbox cannot take Service shop/front: address 10.244.0.9 is one of the sandbox's own" in result.stderr
    assert "leave that field out" in result.stderr


def test_services_of_the_manifests_keep_no_identity_from_being_tested(tmp_path: Path) -> None:
    """Where pods that are not ready count, a cluster's Service would send traffic to probe pods."""
    result = netaudit("-f", str(SHOP), "-f", str(served(tmp_path, "10.100.0.9")), "--dry-run")
    assert result.returncode == 0, result.stderr
    assert "publishNotReadyAddresses" not in result.stdout


@pytest.mark.parametrize(
    ("words", "code", "agreement", "before"),
    [((), 0, "as-expected", ORDINARY), (("--fault", "nothing-enforced"), 3, "leak", ())],
    ids=["none", "nothing-enforced"],
)
def test_what_policies_deny_is_told_through_every_way_to_a_service(
    tmp_path: Path, words: Sequence[str], code: int, agreement: str, before: Sequence[str]
) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    file = tmp_path / "report.json"
    result = netaudit(
        *("--targets", "service", "-f", str(tmp_path / "small.yaml"), "-o", f"json={file}", "-q", *words), before=before
    )
    assert result.returncode == code, result.stderr
    found = report(file)
    denied = [path for path in found["service_paths"] if path["verdict"] == "denied"]
    assert {path["agreement"] for path in denied} == {agreement}
    assert {(path["way"], path["family"]) for path in denied} == {
        (way, family) for way in ("pod address", "ClusterIP", "NodePort") for family in ("IPv4", "IPv6")
    }
    assert {path["agreement"] for path in found["service_paths"] if path["verdict"] == "allowed"} == {"as-expected"}
    assert "a sandbox has no DNS" in {item["reason"] for item in found["skipped"]}
    assert found["names"] == []


def test_a_dry_run_sends_nothing() -> None:
    result = netaudit("-f", str(SHOP), "--dry-run")
    assert result.returncode == 0, result.stderr
    assert "start probe pods" not in result.stderr
    assert "shop/store" in result.stdout


def test_a_wrong_name_of_a_fault_lists_them() -> None:
    result = netaudit("-f", str(SHOP), "--fault", "none")
    assert result.returncode == 2
    assert "nothing-enforced, ingress-only" in result.stderr


def test_without_nft_the_package_is_named(tmp_path: Path) -> None:
    """Somebody who has an empty folder where the administrator's programs are."""
    hidden = f'mount --bind {tmp_path} /usr/sbin && exec "$@"'
    apart = ("unshare", "--mount", "sh", "-c", hidden, "sh")
    result = netaudit("-f", str(SHOP), before=apart)
    assert result.returncode == 1
    assert "apt-get install" in result.stderr
    assert "nftables" in result.stderr


def test_with_the_shell_agent(tmp_path: Path) -> None:
    """Under whatever listens and connects on this machine."""
    file = tmp_path / "report.json"
    result = netaudit("-f", str(SHOP), "--agent", "shell", "-o", f"json={file}", "-q")
    assert result.returncode == 0, result.stderr
    found = report(file)
    assert found["run"]["agent"] == "shell"
    assert {flow["protocol"]: flow["agreement"] for flow in found["flows"]} == dict.fromkeys(
        ("TCP", "UDP"), "as-expected"
    )


def test_a_shell_agent_that_could_not_listen_is_told_at_once() -> None:
    """Somebody who has none of the tools that wait for connections."""
    hidden = 'for name in socat tcpsvd nc; do mount --bind /dev/null "$(command -v $name)"; done; exec "$@"'
    result = netaudit("-f", str(SHOP), "--agent", "shell", before=("unshare", "--mount", "sh", "-c", hidden, "sh"))
    assert result.returncode == 1
    assert "start probe pods" not in result.stderr
    assert "the shell agent cannot run on this machine" in result.stderr
    assert "socat" in result.stderr
    assert "leave out --agent shell" in result.stderr


def test_several_at_once_do_not_meet(tmp_path: Path) -> None:
    """Two that are alike and one with a fault: each has its own answer, and nothing of any is left."""
    wanted = {"one": "", "other": "", "faulty": "nothing-enforced"}
    mark = secrets.token_hex(8)
    with ThreadPoolExecutor(len(wanted)) as room:
        codes = room.map(lambda name: marked(tmp_path / name, mark, wanted[name]), wanted)
    assert dict(zip(wanted, codes, strict=True)) == {"one": 0, "other": 0, "faulty": 3}
    found = {name: report(tmp_path / name / "report.json") for name in wanted}
    assert answers(found["one"]) == answers(found["other"])
    assert {flow["agreement"] for flow in found["one"]["flows"]} == {"as-expected"}
    assert found["faulty"]["summary"]["leaks"] > 0
    assert len({item["run"]["id"] for item in found.values()}) == len(wanted)
    left = [f"{MARK}={mark}", *(f"NETAUDIT_RUN={item['run']['id']}" for item in found.values())]
    assert not any(map(bearing, left))
    for name in wanted:
        assert (tmp_path / name / "mounts after").read_text() == (tmp_path / name / "mounts before").read_text()


def marked(folder: Path, mark: str, fault: str) -> int:
    """A run in a mount namespace of its own, which nobody else changes; what is mounted before it and after it."""
    folder.mkdir()
    look = (
        f'cat /proc/self/mountinfo >"{folder}/mounts before"; "$@"; code=$?; '
        f'cat /proc/self/mountinfo >"{folder}/mounts after"; exit "$code"'
    )
    words = ["-f", str(SHOP), "-o", f"json={folder}/report.json", "-q", *(["--fault", fault] if fault else [])]
    return subprocess.run(
        command(*words, before=("unshare", "--mount", "sh", "-c", look, "sh")),
        env={**os.environ, "PYTHONPATH": str(ROOT), MARK: mark},
        check=False,
    ).returncode


def answers(found: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """What a report says of each flow, but for times."""
    keys = ("source", "destination", "family", "protocol", "port", "verdict", "outcome", "agreement")
    return [tuple(flow[key] for key in keys) for flow in found["flows"]]


def test_an_interrupted_rehearsal_tells_what_it_has(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    with subprocess.Popen(
        command("-f", str(SHOP), "--fault", "nothing-enforced", "-o", f"json={file}"),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stderr is not None
        for line in program.stderr:
            if line.startswith("probe ("):
                program.send_signal(signal.SIGINT)
                break
        rest = program.stderr.read()
        assert program.wait() == 130, rest
    assert "the run was interrupted" in report(file)["summary"]["sentence"]
