"""The guides' examples on a cluster that enforces nothing: every denial leaks, is named, and nothing else is said."""

from __future__ import annotations

import json

import jsonschema
import pytest

from tests import oracle
from tests.cluster.cluster import Cluster
from tests.cluster.tests.audit import guides
from tests.cluster.tests.audit.command import CONTROL, Command, Result
from tests.cluster.tests.audit.site import Site

LEAKS = "leak"
NETWORKING = "/apis/networking.k8s.io/v1"


@pytest.fixture(scope="module")
def deployed(site: Site) -> Site:
    """Deploy both examples, on both nodes."""
    site.apply(*guides.objects("staging", "three-tier"))
    site.await_ready()
    return site


@pytest.fixture(scope="module")
def audited(deployed: Site, lax: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Audit them once for all tests here."""
    return Command(tmp_path_factory.mktemp("guides"), lax.kubeconfig).run("run", "--settle", "3")


def test_leaks_make_the_exit_code_3(audited: Result) -> None:
    """A run that finds leaks exits 3, and its summary and first sentence say the same."""
    summary = audited.report.summary

    assert (audited.code, summary["exit_code"], summary["status"]) == (3, 3, "findings")
    assert "not enforced on n1, n2" in summary["sentence"]
    assert summary["sentence"] in " ".join(audited.out.split())


def test_every_denied_flow_leaks_and_no_other(audited: Result) -> None:
    """The leaks are exactly the flows that the guides' policies deny, read by hand."""
    tried = {flow.path for flow in audited.report.flows}
    denied = {path for path in tried if guides.deniers(path)}

    assert {flow.path for flow in audited.report.judged(LEAKS)} == denied
    assert audited.report.summary["leaks"] == len(audited.report.judged(LEAKS))


def test_hand_and_oracle_read_the_policies_alike(deployed: Site) -> None:
    """The table that the leaks are held against agrees with a second reading, from the objects as they are stored."""
    objects = [
        {**item, "kind": kind}
        for kind, path in (("Namespace", "/api/v1/namespaces"), ("NetworkPolicy", f"{NETWORKING}/networkpolicies"))
        for item in deployed.items(path)
    ]
    pods = {f"{oracle.home(item)}/{item['metadata']['name']}": item for item in deployed.items("/api/v1/pods")}
    stranger = {"namespace": "elsewhere", "name": "stranger"}
    pods[CONTROL] = {"metadata": stranger, "spec": {}, "status": {"podIPs": [{"ip": "192.0.2.200"}]}}

    for source, destination, port in guides.paths_between_pods() | guides.paths_with_strangers():
        read = oracle.verdict(objects, oracle.Flow(pods[source], pods[destination], 4, port))
        assert read == ("denied" if guides.deniers((source, destination, port)) else "allowed")


def test_every_pair_of_pods_is_tried(audited: Result) -> None:
    """Each pod is tried from each other one and from strangers, on its ports and on one that nobody names."""
    tried = {flow.path for flow in audited.report.flows}

    assert tried == guides.paths_between_pods() | guides.paths_with_strangers()


def test_each_leak_names_the_policies_that_deny_it(audited: Result) -> None:
    """A leak carries every policy whose isolation denies the flow, at both ends."""
    named = {flow.path: flow.policies for flow in audited.report.judged(LEAKS)}

    assert named == {path: guides.deniers(path) for path in named}


def test_findings_cover_the_leaks_and_name_a_cause(audited: Result) -> None:
    """Each leaked flow stands in one finding of at least high severity, with cause, remedy and evidence."""
    findings = audited.report.raw["findings"]
    leaked = sorted(item["id"] for item in audited.report.raw["flows"] if item["agreement"] == LEAKS)

    assert sorted(number for finding in findings for number in finding["flows"]) == leaked
    assert {finding["severity"] for finding in findings} <= {"high", "critical"}
    assert all(finding["cause"] and finding["remedy"] and finding["evidence"] for finding in findings)


def test_nothing_but_leaks_and_what_was_expected_is_reported(audited: Result) -> None:
    """Where nothing is enforced there is no blockage, nothing late and nothing inconclusive."""
    assert {flow.agreement for flow in audited.report.flows} == {LEAKS, "as-expected"}
    assert audited.report.summary["coverage"] == 1
    assert audited.report.raw["warnings"] == audited.report.raw["leftovers"] == []


def test_report_follows_the_published_schema(audited: Result) -> None:
    """The JSON report validates against the schema that is published with netaudit."""
    schema = json.loads(guides.SCHEMA.read_text())

    jsonschema.validate(audited.report.raw, schema)


def test_system_pods_are_named_as_left_out(audited: Result) -> None:
    """What is out of scope by default is said, with its reason."""
    assert "system namespaces" in audited.report.skipped("namespace kube-system (1 pod)")


def test_namespace_limits_the_audit(deployed: Site, netaudit: Command) -> None:
    """With `-n staging` each flow has an end in staging, and the leaks there are the same as in the whole audit."""
    report = netaudit.run("run", "--settle", "0", "--rate", "200", "-n", "staging").report
    tried = {flow.path for flow in report.flows}

    assert all(any(end.startswith("staging/") for end in path[:2]) for path in tried)
    about = {path for path in guides.paths_between_pods() if "staging" in path[0] + path[1]}
    assert {path for path in tried if CONTROL not in path} == about
    assert {flow.path for flow in report.judged(LEAKS)} == {path for path in tried if guides.deniers(path)}
