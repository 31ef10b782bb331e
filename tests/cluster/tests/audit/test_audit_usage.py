"""Ways into a cluster, and what is said where there is none."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.tests.audit.accounts import as_account
from tests.cluster.tests.audit.command import QUICK, Command, Result
from tests.cluster.tests.audit.site import Object, Site, namespace, pod

CLOSED = "https://127.0.0.1:1"
RBAC = "rbac.authorization.k8s.io"
READS = ["get", "list", "watch"]


@pytest.fixture(scope="module")
def home(site: Site) -> Site:
    """Deploy one pod, and readers with less and more rights."""
    site.apply(namespace("home"), pod("home", "app", "n1"), *reader("viewer", "view"), *reader("auditor", "read-all"))
    site.await_ready()
    return site


def reader(name: str, role: str) -> list[Object]:
    """A service account with a role of the whole cluster, which is made unless Kubernetes has it."""
    subject = {"kind": "ServiceAccount", "name": name, "namespace": "home"}
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
    made: list[Object] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "home"}},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"test-{name}"},
            "subjects": [subject],
            "roleRef": reference,
        },
    ]
    if role != "view":
        rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": READS}]
        made.append({"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": role}, "rules": rules})
    return made


def kubeconfig(lax: Cluster, folder: Path, **changes: Any) -> Path:
    """Write the cluster's kubeconfig with other parts."""
    config = {**json.loads(lax.kubeconfig.read_text()), **changes}
    file = folder / "kubeconfig"
    file.write_text(json.dumps(config))
    return file


def test_context_chooses_the_cluster(home: Site, lax: Cluster, tmp_path: Path) -> None:
    """With two contexts `--context` takes the named one, whatever the current one is, and the report names it."""
    config = json.loads(lax.kubeconfig.read_text())
    good = config["contexts"][0]
    away = {"name": "away", "cluster": {**config["clusters"][0]["cluster"], "server": CLOSED}}
    context = {"name": "away", "context": {**good["context"], "cluster": "away"}}
    file = kubeconfig(
        lax,
        tmp_path,
        clusters=[*config["clusters"], away],
        contexts=[context, good],
        **{"current-context": "away"},
    )

    result = Command(tmp_path, None).run("run", *QUICK, "--kubeconfig", str(file), "--context", good["name"])

    assert result.code == 0, result.err
    assert result.report.raw["cluster"]["context"] == good["name"]
    assert home.traces() == []


def test_context_that_is_not_there(lax: Cluster, netaudit: Command) -> None:
    """A context that the kubeconfig does not have is a mistake of the command line."""
    result = netaudit.run("run", "--context", "nowhere")

    assert result.code == 2
    assert result.explains(), result.err
    assert "nowhere" in result.err


def test_no_kubeconfig_at_all(tmp_path: Path) -> None:
    """Without kubeconfig and outside of a cluster it exits 2 and says what to do."""
    result = Command(tmp_path, None).run("run")

    assert result.code == 2
    assert result.explains(), result.err


def test_kubeconfig_that_is_none(tmp_path: Path) -> None:
    """A file that is no kubeconfig is a mistake of the user's, told without a traceback."""
    file = tmp_path / "kubeconfig"
    file.write_text("[this: is {not YAML")

    result = Command(tmp_path, file).run("run")

    assert result.code == 2
    assert result.explains(), result.err


def test_api_server_that_does_not_answer(lax: Cluster, tmp_path: Path) -> None:
    """A closed port is tried a few times and then reported; nothing hangs."""
    clusters = json.loads(lax.kubeconfig.read_text())["clusters"]
    clusters[0]["cluster"]["server"] = CLOSED
    began = time.monotonic()

    result = Command(tmp_path, kubeconfig(lax, tmp_path, clusters=clusters)).run("run")

    assert result.code == 1
    assert result.explains(), result.err
    assert CLOSED in result.err
    assert time.monotonic() - began < 90


@pytest.mark.parametrize("account", ["viewer", "auditor"])
def test_missing_rights(home: Site, lax: Cluster, tmp_path: Path, account: str) -> None:
    """Who may not read enough, or may read everything and make nothing, gets exit 4 and is told what to ask for."""
    command = Command(tmp_path, as_account(lax, tmp_path, "home", account))

    result = command.run("run", *QUICK)

    assert result.code == 4, result.err
    assert result.explains(), result.err
    assert f"system:serviceaccount:home:{account}" in result.err
    assert home.traces() == []


def test_reader_may_forecast(home: Site, lax: Cluster, tmp_path: Path) -> None:
    """The right to read everything is enough for `--dry-run`."""
    command = Command(tmp_path, as_account(lax, tmp_path, "home", "auditor"))

    result: Result = command.run("run", "--dry-run")

    assert result.code == 0, result.err


def test_nothing_in_scope_is_never_clean(home: Site, netaudit: Command) -> None:
    """A namespace without pods, or one that is not there, gives exit 4: nothing was tested."""
    result = netaudit.run("run", *QUICK, "-n", "not-there")

    assert result.code == 4
    assert result.report.summary["planned"] == 0
    assert home.traces() == []


def test_cleanup_with_nothing_to_do(home: Site, netaudit: Command) -> None:
    """`netaudit cleanup` on a clean cluster says that there is nothing, and exits 0."""
    result = netaudit.run("cleanup")

    assert (result.code, result.out) == (0, "nothing to remove\n")
