"""What befalls runs and probe pods, and what each run made of it: no verdict is wrong, nothing is left after cleanup.

Where nothing enforces, a denied flow leaks or is left open, an allowed one holds or is left open, and exit 0 is a lie.
Elsewhere: signals (test_audit_signals.py), rights that are missing (test_audit_rights.py), execs and agents that die,
an API server that is away while flows are tried or at the end, an image that nobody has (test_audit_dead_probes.py),
namespaces that let no pod in (test_audit_refused_pods.py), an engine that hangs (test_audit_cilium_faults.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.cluster.tests.audit import disturbing, meddling, vault
from tests.cluster.tests.audit.command import Command, Result, Running
from tests.cluster.tests.audit.disturbing import Befall, lasting, once, to_probe
from tests.cluster.tests.audit.site import Site
from tests.cluster.tests.audit.tabling import Table, table
from tests.cluster.tests.audit.vault import CLIENT, DENIED, WEB

SHORT_OUTAGE = 4.0
LEAK, RIGHT, OPEN = "leak", "as-expected", "inconclusive"


class Fault(NamedTuple):
    """What befalls a run, and when."""

    name: str
    stage: str
    """The line at which it begins; empty for before the run."""
    befall: Befall
    words: tuple[str, ...] = ()
    brief: bool = False
    """Whether it ends while the run still goes on."""
    quick: bool = False
    """Whether it is tried at every change."""
    may_pass: bool = False
    """Whether a run may show everything in spite of it; else it has to say what it did not."""


@pytest.fixture(scope="module")
def deployed(site: Site) -> Site:
    """Deploy something to audit."""
    vault.deploy(site)
    return site


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Collect what each case gave."""
    with table(request.config, "What befell a run, on a cluster that enforces nothing") as made:
        yield made


def outage(kind: str, stage: str) -> Fault:
    """The API server is away for some seconds, or slow all the time."""
    slow = kind == "delay"
    befall = lasting(disturbing.api, kind, *(["300"] if slow else []))
    return Fault(f"API server: {kind} from {stage!r} on", stage, befall, brief=not slow, may_pass=True)


def saying(what: str) -> Fault:
    """A probe pod's agent says something else than it should."""
    instead = meddling.SAYINGS[what]
    act = to_probe(lambda site, item: meddling.replace_agent(site, item, instead))
    return Fault(f"an agent that says {what}", "check listeners", act)


def stopping(program: str, stage: str) -> Fault:
    """A node's program hangs from some line on until the run has ended."""
    when = f"from {stage!r} on" if stage else "beforehand"
    # A node whose kubelet hangs goes on to carry packets, and agents that run to answer.
    return Fault(f"{program} of n2 stopped {when}", stage, lasting(disturbing.stopped, program), ("--budget", "3m"))


LOSS = once(lambda at: meddling.lose_packets(at, 20))
FAULTS = [
    *(
        outage(*case)
        for case in (("throttle", "read"), ("reset", "prepare"), ("drop", "start probe"), ("delay", "read"))
    ),
    Fault("API server: drop to the end", "probe (", lasting(disturbing.api, "drop"), ("--budget", "2m")),
    Fault("20 % of packets lost in every probe pod", "check listeners", LOSS, may_pass=True),
    Fault("no packet between the nodes", "check listeners", disturbing.severed),
    Fault("every pod shut off, silently", "check listeners", lasting(disturbing.closed, "DROP"), quick=True),
    Fault("every pod shut off by ICMP", "check listeners", lasting(disturbing.closed, "REJECT")),
    Fault("a probe pod evicted", "probe (", to_probe(meddling.evict)),
    Fault("a probe pod deleted", "probe (", to_probe(meddling.delete)),
    Fault("a probe pod out of memory", "probe (", to_probe(meddling.exhaust)),
    *(saying(what) for what in meddling.SAYINGS),
    Fault("a policy added while it probes", "probe (", disturbing.with_policy),
    Fault("a node full", "", disturbing.full),
    Fault("an image that one node alone has", "", disturbing.only_on_one_node, ("--image", disturbing.ONLY_HERE)),
    *(stopping(program, stage) for program in ("kubelet", "containerd") for stage in ("", "probe (")),
    Fault("the audited namespace deleted", "probe (", disturbing.without_namespace),
]
CASES = [
    pytest.param(fault, id=fault.name.replace(" ", "-"), marks=() if fault.quick else pytest.mark.long)
    for fault in FAULTS
]


@pytest.mark.parametrize("fault", CASES)
def test_fault(deployed: Site, netaudit: Command, fault: Fault, results: Table) -> None:
    """The answer is right as far as it goes, says what is missing, and is never exit code 0."""
    words = ("run", "--settle", "3", "--start-timeout", "40", *fault.words)
    if fault.stage:
        with netaudit.start(*words) as running:
            result = under(deployed, fault, running)
    else:
        with fault.befall(deployed):
            result = netaudit.run(*words)
    rest = deployed.traces()
    swept = netaudit.run("cleanup", "--force")
    results.note(fault.name, result, rest)

    check_right(result)
    check_told(result, rest, may_pass=fault.may_pass)
    assert swept.code == 0, swept.err
    assert deployed.traces() == []


def under(site: Site, fault: Fault, running: Running) -> Result:
    """Let it befall a run from its line on, for a while or to the end."""
    running.await_line(fault.stage)
    with fault.befall(site):
        if not fault.brief:
            return running.finish()
        running.wait_for_line("clean up", SHORT_OUTAGE)
    return running.finish()


def check_right(result: Result) -> None:
    """Nothing is called what it is not: here no denial holds, and nothing that is allowed is blocked."""
    assert "Traceback" not in result.err + result.out
    assert "does not know" not in result.err, "a fault of the program is no answer"
    assert result.code in {1, 3, 4}, result.err
    if not result.file.exists():
        assert result.explains(), result.err
        return
    for flow in result.report.flows:
        assert flow.agreement in {LEAK if flow.verdict == "denied" else RIGHT, OPEN}, flow
    assert result.code == 3 or result.report.judged(LEAK) == []


def check_told(result: Result, rest: list[str], *, may_pass: bool) -> None:
    """What is missing is told, and so is what is left."""
    if not result.file.exists():
        return
    report = result.report
    whole = report.summary["coverage"] == 1 and report.titles() == {WEB, CLIENT}
    assert may_pass or not whole
    assert whole or "ncomplete" in report.summary["sentence"]
    assert not rest or report.raw["leftovers"]


@pytest.mark.parametrize("manner", [pytest.param("icmp", marks=pytest.mark.long), "reset"])
def test_denial_by_rejection(deployed: Site, netaudit: Command, manner: str, results: Table) -> None:
    """A refusal is a denial where twins got through: the rejected port is denied as it should be, the other leaks."""
    with netaudit.start("run", "--settle", "3") as running:
        running.await_line("check listeners")
        with disturbing.rejecting(deployed.cluster, manner, meddling.await_probe(deployed, "web"), "8642"):
            result = running.finish()
    results.note(f"a port denied by {manner}", result, deployed.traces())

    report = result.report
    by_path = {flow.path: flow.agreement for flow in report.flows if flow.path in DENIED}
    outcomes = {item["outcome"] for item in report.raw["flows"] if item["agreement"] == RIGHT and item["port"] == 8642}
    assert by_path == {path: RIGHT if path[2] == 8642 else LEAK for path in DENIED}
    assert outcomes == {"refused", "reached"}
    assert {flow.agreement for flow in report.flows if flow.verdict == "allowed"} == {RIGHT}
    assert result.code == 3
    assert deployed.traces() == []


@pytest.mark.long
@pytest.mark.parametrize("manner", ["icmp", "reset"])
def test_rejection_of_what_is_allowed(deployed: Site, netaudit: Command, manner: str, results: Table) -> None:
    """A pod to which nobody gets through is blocked where policies allow it, and its denials are not proven."""
    with netaudit.start("run", "--settle", "3") as running:
        running.await_line("check listeners")
        with disturbing.rejecting(deployed.cluster, manner, meddling.await_probe(deployed, "web")):
            result = running.finish()
    results.note(f"a pod shut off by {manner}", result, deployed.traces())

    flows = result.report.flows
    assert {flow.path for flow in flows if flow.agreement == "blockage"} == {(CLIENT, WEB, 80)}
    assert {flow.agreement for flow in flows if flow.path in DENIED} == {OPEN}
    assert result.code == 4
    assert deployed.traces() == []
