"""A namespace that a run made stays as soon as somebody else's things are in it."""

from __future__ import annotations

import pytest

from auditor.plan import CONTROL_NAMESPACE, OWN_LABELS
from probes.backends.kubernetes import sweep
from probes.backends.kubernetes.residents import APPLIED
from probes.placement import Marks, namespace_manifest
from tests.memory_api import MemoryApi
from tests.unit.probes.backends.acting import CTL, HOME, PLAN, Heard, backend

KINDS = {"serviceaccount": "/api/v1", "pod": "/api/v1", "deployment": "/apis/apps/v1"}
RESIDENTS = ["applied", "serviceaccount netaudit", "pod reporter", "deployment grafana", "unseen"]


def make(api: MemoryApi, path: str, run: str = "dddddd") -> None:
    """A namespace as a run leaves it."""
    api.put(path, namespace_manifest(path.rpartition("/")[2], OWN_LABELS, Marks(run, "1", "x")))


def move_in(api: MemoryApi, path: str, resident: str) -> None:
    """Let somebody use a namespace that is there."""
    home = path.rpartition("/")[2]
    if resident == "applied":
        metadata = api.objects[path]["metadata"]
        api.change(path, metadata={**metadata, "annotations": {**metadata["annotations"], APPLIED: "{}"}})
    elif resident == "unseen":
        api.fail("GET", f".*/{home}/serviceaccounts", 403)
    else:
        kind, name = resident.split()
        api.put(f"{KINDS[kind]}/namespaces/{home}/{kind}s/{name}", {"metadata": {"name": name, "namespace": home}})


@pytest.mark.parametrize("path", [HOME, CTL])
@pytest.mark.parametrize("resident", RESIDENTS)
async def test_what_moved_in_before_a_run_stays_with_its_namespace(path: str, resident: str) -> None:
    """The Lease, pods and holders go; that the namespace stays is said with the reason."""
    api, heard = MemoryApi(), Heard()
    make(api, path)
    move_in(api, path, resident)
    before = api.paths()
    run = backend(api)
    async with run.session(PLAN, heard):
        pass
    assert api.paths() == before
    assert bool(run.leftovers) == (resident == "unseen" and path == HOME), "nobody is known to live there"
    said = [text for text in heard.warnings if "stays" in text]
    assert bool(said) == (path == HOME), "of other namespaces of earlier runs cleanup tells"


@pytest.mark.parametrize("path", [HOME, CTL])
@pytest.mark.parametrize("resident", RESIDENTS)
async def test_what_moves_in_during_a_run_stays_with_its_namespace(path: str, resident: str) -> None:
    api, heard = MemoryApi(), Heard()
    run = backend(api)
    async with run.session(PLAN, heard):
        move_in(api, path, resident)
    assert {path.rpartition("/")[2] in each for each in api.paths()} == {True}
    assert len(api.paths()) == (2 if " " in resident else 1), "the namespace, and whoever lives there"
    assert bool(run.leftovers) == (resident == "unseen")
    assert [
        text for text in heard.warnings if f"namespace {path.rpartition('/')[2]} was made by a run and stays" in text
    ]


async def test_what_the_cluster_puts_into_each_namespace_keeps_none() -> None:
    api = MemoryApi()
    make(api, HOME)
    for name in ("default", "builder", "pipeline"):
        move_in(api, HOME, f"serviceaccount {name}")
    async with backend(api).session(PLAN, Heard()):
        pass
    assert api.paths() == []


async def test_a_clean_up_names_what_it_keeps() -> None:
    api = MemoryApi()
    make(api, CTL)
    move_in(api, CTL, "serviceaccount netaudit")
    found = await sweep.find(api)
    assert (found.names(), found.kept) == ([], ((CONTROL_NAMESPACE, "it holds the ServiceAccount netaudit"),))
