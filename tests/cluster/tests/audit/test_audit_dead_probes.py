"""Dead probes on a cluster that enforces nothing: what was not measured is inconclusive, never a pass or a leak."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from auditor.model.journal import Round
from auditor.recording import decode
from tests.cluster.cluster import Cluster
from tests.cluster.tests.audit import killing
from tests.cluster.tests.audit.accounts import as_account
from tests.cluster.tests.audit.command import Command, Flow, Report, Result, Running, until
from tests.cluster.tests.audit.disturbing import api
from tests.cluster.tests.audit.meddling import await_probe
from tests.cluster.tests.audit.requests import Requests, counting
from tests.cluster.tests.audit.site import Site
from tests.cluster.tests.audit.vault import CLIENT, DENIED, HOME, WEB, deploy

OPEN, SURE = "inconclusive", "as-expected"
MINUTE = 60.0
LOGS = Path(__file__).parents[4] / "deploy/kustomize/clone-logs"
ACCOUNT = "system:serviceaccount:netaudit:netaudit"


@pytest.fixture(scope="module")
def vault(site: Site) -> Site:
    """Deploy it."""
    deploy(site)
    return site


def about(report: Report, title: str) -> list[Flow]:
    """The flows with an end there."""
    return [flow for flow in report.flows if title in {flow.source, flow.destination}]


def agreements(flows: Sequence[Flow]) -> set[str]:
    return {flow.agreement for flow in flows}


def denied(flows: Sequence[Flow]) -> list[Flow]:
    return [flow for flow in flows if flow.verdict == "denied"]


@pytest.fixture(scope="module")
def undisturbed(vault: Site, lax: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Requests, str]:
    """Audit it without any fault; with what the API server says of a Deployment there whose pods would be no good."""
    bold = ("create", "deployment", "bold", "-n", HOME, "--image=busybox:1.37", "--dry-run=server")
    with counting(lax.audit_log) as seen:
        said = lax.kubectl(*bold).stderr
        result = Command(tmp_path_factory.mktemp("undisturbed"), lax.kubeconfig).run("run", "--settle", "1")
        assert vault.traces() == []
    return result, seen, said


def test_undisturbed_run_finds_the_leaks(undisturbed: tuple[Result, Requests, str]) -> None:
    """Without any fault the denied flows here leak and the others are as expected: the tests below start from that."""
    result = undisturbed[0]

    assert result.code == 3
    assert {flow.path for flow in result.report.judged("leak")} == DENIED
    assert agreements(result.report.flows) == {"leak", SURE}


def test_a_restricted_namespace_is_audited_like_any_other(undisturbed: tuple[Result, Requests, str]) -> None:
    """Its pods have their stand-ins, nothing is skipped, and neither warnings nor the audit log speak of netaudit's."""
    result, seen, said = undisturbed
    report = result.report

    assert "would violate PodSecurity" in said, "the namespace warns of others"
    assert report.titles() == {WEB, CLIENT}
    assert [item["what"] for item in report.raw["skipped"] if HOME in item["what"]] == []
    assert report.summary["coverage"] == 1
    assert report.raw["warnings"] == report.raw["leftovers"] == []
    assert "PodSecurity" not in result.err + result.out
    assert seen.violators == {"kubectl"}


def test_missing_image_makes_everything_inconclusive(vault: Site, netaudit: Command) -> None:
    """With an image that nobody has, no flow is judged, each says why, and the exit code is 4."""
    result = netaudit.run("run", "--image", "netaudit.test/absent:1")
    report = result.report

    assert (result.code, report.summary["status"]) == (4, "incomplete")
    assert agreements(report.flows) == {OPEN}
    assert all("probe pod does not run" in flow.reason for flow in report.flows)
    assert all("netaudit.test/absent:1" in flow.reason for flow in report.flows)
    assert report.summary["judged"] == report.summary["coverage"] == report.summary["findings"] == 0
    assert vault.traces() == []


@pytest.mark.parametrize(("app", "code"), [pytest.param("web", 4, marks=pytest.mark.long), ("client", 3)])
def test_probe_pod_that_dies_in_the_middle(vault: Site, lax: Cluster, netaudit: Command, app: str, code: int) -> None:
    """Once a probe pod's agent is killed its denied flows are inconclusive; leaks of others still make it exit 3."""
    with netaudit.start("run", "--settle", "5") as running:
        where = killing.places(lax, await_probe(vault, app))
        running.await_line("probe (")
        killing.kill(where)
        result = running.finish()

    hit = about(result.report, f"vault/{app}")
    assert agreements(denied(hit)) == {OPEN}
    assert agreements(hit) <= {OPEN, SURE}
    assert {flow.path for flow in result.report.judged("leak")} == DENIED - {flow.path for flow in hit}
    assert result.code == code
    assert vault.traces() == []


def test_exec_that_ends_half_way(vault: Site, lax: Cluster, netaudit: Command) -> None:
    """When every exec of one pod is killed, asked again or not, what it should have measured is never a pass."""
    with netaudit.start("run", "--settle", "1") as running:
        where = killing.places(lax, await_probe(vault, "client"))
        with killing.killing_execs(where) as ended:
            result = running.finish()

    mine = [flow for flow in result.report.flows if flow.source == CLIENT]
    assert len(ended) > 1
    # What an exec had said before it was killed counts, so a nonce may have come through; a denial needs every piece.
    assert OPEN in agreements(mine)
    assert agreements(denied(mine)) <= {OPEN, "leak"}
    assert agreements(mine) <= {OPEN, SURE, "leak"}
    assert {flow.path for flow in result.report.judged("leak")} >= DENIED - {flow.path for flow in mine}
    assert result.code == 3
    assert "measurements of 1 probe pod failed" in result.report.summary["sentence"]


@pytest.mark.long
def test_exec_that_is_killed_once(vault: Site, lax: Cluster, netaudit: Command) -> None:
    """What it had not said is asked for again in the same round, and the answer is that of an undisturbed run."""
    with netaudit.start("run", "--settle", "1") as running:
        where = killing.places(lax, await_probe(vault, "client"))
        with killing.killing_execs(where, most=1) as ended:
            result = running.finish()

    assert len(ended) == 1
    assert {flow.path for flow in result.report.judged("leak")} == DENIED
    assert agreements(result.report.flows) == {"leak", SURE}
    assert result.code == 3


@pytest.mark.parametrize(
    "kind", ["throttle", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("reset", "drop"))]
)
def test_api_server_that_fails_for_a_while(vault: Site, netaudit: Command, kind: str) -> None:
    """429, resets and silence of the API server during a round lead to the right answer or to inconclusive flows."""
    with netaudit.start("run", "--settle", "8") as running:
        running.await_line("probe (")
        _outage(vault, running, kind)
        result = running.finish()

    flows = result.report.flows
    assert result.code in {3, 4}
    assert agreements(denied(flows)) <= {"leak", OPEN}
    assert agreements([flow for flow in flows if flow.verdict == "allowed"]) <= {SURE, OPEN}
    assert {flow.path for flow in denied(flows)} == DENIED
    assert vault.traces() == []


def _outage(vault: Site, running: Running, kind: str) -> None:
    """For three seconds, or until the round is given up."""
    with api(vault, kind):
        running.wait_for_line("probe again", 3)


@pytest.mark.long
def test_api_server_that_is_away_at_the_end(vault: Site, netaudit: Command) -> None:
    """What could not be removed stands in the report, and `netaudit cleanup` removes it later."""
    with netaudit.start("run", "--settle", "1") as running:
        running.await_line("clean up")
        with api(vault, "reset"):
            result = running.finish()
    left = vault.traces()
    swept = netaudit.run("cleanup")

    assert result.code == 3
    assert left
    assert result.report.raw["leftovers"]
    assert swept.code == 0, swept.err
    assert vault.traces() == []


def test_killed_run_is_gone_on_from(vault: Site, netaudit: Command) -> None:
    """What a run had shown when it was killed is taken over by the next, all else is tried anew, and nothing stays."""
    with netaudit.start("run", "--settle", "10m") as killed:
        killed.await_line("probe (")
        until(lambda: len(netaudit.journals) == 1 and 1 in rounds(netaudit), "the round of flows is noted")
        killed.signal(signal.SIGKILL)
        killed.finish()
    (journal,) = netaudit.journals
    left, mode = vault.traces(), journal.stat().st_mode & 0o777
    result = netaudit.run("run", "--settle", "1", "--resume", "last")

    report = result.report
    taken = [item for item in report.raw["flows"] if item["measured"]]
    assert left
    assert mode == 0o600
    assert result.code == 3
    assert {flow.path for flow in report.judged("leak")} == DENIED
    assert agreements(report.flows) == {"leak", SURE}
    assert len(taken) == report.summary["taken_over"] > 0
    assert {item["verdict"] for item in taken} == {"allowed"}
    assert f"taken over from run {journal.stem}" in report.summary["sentence"]
    assert netaudit.journals == []
    assert vault.traces() == []


def rounds(netaudit: Command) -> set[int]:
    """The rounds that a run has noted so far."""
    entries = decode(netaudit.journals[0].read_bytes())
    return {seen.round for entry in entries if isinstance(entry, Round) for seen in entry.seen}


def test_where_nobody_may_exec(vault: Site, lax: Cluster, tmp_path: Path) -> None:
    """With the rights of clone-logs, which lack exec, `--transport logs` says of each flow what execs would say."""
    lax.kubectl("apply", "-k", str(LOGS))
    try:
        mine = Command(tmp_path, as_account(lax, tmp_path))
        may = lax.kubectl("auth", "can-i", "create", "pods", "--subresource=exec", f"--as={ACCOUNT}", check=False)
        result = mine.run("run", "--settle", "1", "--transport", "logs")
    finally:
        lax.kubectl("delete", "-k", str(LOGS), "--wait=false")
    until(lambda: vault.traces() == [], "nothing is left")

    print(result.report.summary, result.err)  # noqa: T201
    assert may.stdout.strip() == "no"
    assert {flow.path for flow in result.report.judged("leak")} == DENIED
    assert agreements(result.report.flows) == {"leak", SURE}
    assert result.code == 3


def test_one_run_at_a_time(vault: Site, netaudit: Command) -> None:
    """While a run renews its Lease another run and `netaudit cleanup` refuse, say what to do, and touch nothing."""
    with netaudit.start("run", "--settle", "10m") as first:
        first.await_line("probe (")
        before = {item["metadata"]["uid"] for item in vault.probe_pods("Running")}
        with netaudit.start("run") as second, netaudit.start("cleanup") as sweep:
            refused = [second.finish(MINUTE), sweep.finish(MINUTE)]
        after = {item["metadata"]["uid"] for item in vault.probe_pods("Running")}
        first.signal(signal.SIGINT)
        first.finish()

    for result in refused:
        assert result.code == 1, result.err
        assert result.explains(), result.err
        assert "another run" in result.err
    assert before
    assert after == before
    assert vault.traces() == []
