"""The command line: what it understands, what it prints, and how it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import __main__ as command
from tests.cluster import lifecycle, state
from tests.cluster.cluster import Cluster
from tests.cluster.spec import ClusterSpec, Engine


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[ClusterSpec]:
    """What `up` was asked for, instead of a cluster."""
    monkeypatch.setenv("NETAUDIT_STATE", str(tmp_path))
    specs: list[ClusterSpec] = []

    def up(spec: ClusterSpec) -> state.Record:
        specs.append(spec)
        return state.Record(spec)

    monkeypatch.setattr(lifecycle, "up", up)
    return specs


def test_up_takes_its_options_and_ends_with_the_kubeconfig(
    asked: list[ClusterSpec], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = "up x --engine cilium --nodes 3 --dual-stack --bare-node n3 --set enable-policy=never --server-version v1"
    more = "--set-node n2:policy-audit-mode=true --node-label n1:a/b=c --provider-id n1:aws:///a/i-1"

    assert 0 == command.main([*words.split(), *more.split()])

    (spec,) = asked
    first, second, third = spec.nodes
    assert (Engine.CILIUM, True, "v1", {"enable-policy": "never"}) == (
        spec.engine,
        spec.dual_stack,
        spec.server_version,
        spec.settings,
    )
    assert ({"a/b": "c"}, "aws:///a/i-1") == (first.labels, first.provider_id)
    assert {"policy-audit-mode": "true"} == second.settings
    assert third.bare
    assert str(tmp_path / "x" / "kubeconfig") == capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(
    "words",
    ["up x --set enable-policy", "up x --set-node enable-policy=never", "up x --bare-node n2", "up x --engine calico"],
)
def test_what_is_not_understood_ends_with_2(
    asked: list[ClusterSpec], capsys: pytest.CaptureFixture[str], words: str
) -> None:
    with pytest.raises(SystemExit) as end:
        command.main(words.split())

    assert 2 == end.value.code
    assert "error:" in capsys.readouterr().err
    assert not asked


def test_a_cluster_that_is_not_there_is_named_with_those_that_are(
    asked: list[ClusterSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    state.Record(ClusterSpec("other", Engine.NONE, ())).save()

    assert 1 == command.main(["fault", "x", "policy-off", "n1"])

    complaint = capsys.readouterr().err
    assert "error: there is no cluster x" in complaint
    assert "other" in complaint
    assert "try: " in complaint


def test_a_record_is_read_as_it_was_written(asked: list[ClusterSpec]) -> None:
    command.main(["up", "x", "--engine", "cilium", "--set-node", "n1:a=b", "--node-label", "n2:c=d"])
    state.Record(asked[0], cgroups={"": ["/a"]}, ready=True).save()

    loaded = state.load("x")

    assert loaded is not None
    assert (asked[0], {"": ["/a"]}, True) == (loaded.spec, loaded.cgroups, loaded.ready)


def test_clusters_are_listed_and_entered(plain: Cluster) -> None:
    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tests.cluster", *words], text=True, capture_output=True, check=True
        )
        return done.stdout

    line = next(line for line in run("list").splitlines() if line.startswith(f"{plain.name}\t"))
    assert [plain.name, "none", "2 node(s)", "ready", str(plain.kubeconfig)] == line.split("\t")
    assert "n2\n" == run("exec", plain.name, "n2", "--", "hostname")
    assert "node/n1\nnode/n2\n" == run("kubectl", plain.name, "--", "get", "nodes", "-o", "name")
