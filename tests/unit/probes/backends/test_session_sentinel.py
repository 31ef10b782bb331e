"""Sentinel runs against an API in memory: policies before pods, own namespaces only, just the rights given."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from auditor.audit import run_audit
from auditor.cluster.confined import OwnNamespaces
from auditor.cluster.decode_policy import decode_network_policy
from auditor.errors import NetauditError
from auditor.model.finding import Proof
from auditor.model.options import Mode, Options
from auditor.plan import CONTROL_NAMESPACE, OWN_LABELS
from auditor.sentinel import POLICED, own_policies
from auditor.verdict import Material, summarise
from probes.backends.kubernetes import sweep
from probes.placement import MANAGED_BY, Marks, policies_path, policy_manifest
from tests.builders import node
from tests.memory_api import MemoryApi, Raw, refusal
from tests.unit.probes.backends.acting import CONTROL, PLAN, answering, backend, silent

OPTIONS = Options(mode=Mode.SENTINEL, settle=30.0)
RBAC = Path(__file__).parents[4] / "deploy/kustomize/sentinel/rbac.yaml"
OBJECTS: list[Raw] = list(yaml.safe_load_all(RBAC.read_text()))
OWN = ("netaudit", CONTROL_NAMESPACE, POLICED)
VERBS = {"POST": ("create",), "PUT": ("update",), "DELETE": ("delete",), "WATCH": ("watch",), "EXEC": ("get", "create")}
LISTS = ("/pods", "/deployments", "/networkpolicies", "/nodes", "/services")
PATH = re.compile(r"/(?:api|apis/(?P<group>[^/]+))/[^/]+(?:/namespaces/(?P<home>[^/]+))?/(?P<plural>[a-z]+)(?:/.*)?")
Right = tuple[str, str, str, str]
"""Namespace (empty for the whole cluster), group, resource, verb."""


def granted() -> set[Right]:
    return {
        (item["metadata"].get("namespace", ""), group, resource, verb)
        for item in OBJECTS
        if item["kind"] in {"Role", "ClusterRole"}
        for rule in item["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def needs(verb: str, path: str) -> set[Right]:
    """The rights that a request takes."""
    if (path.startswith(("/version", "/apis/")) and path.count("/") < 3) or path == "/apis":
        return set()  # what everybody may read
    verbs = VERBS.get(verb) or (("list",) if path.endswith(LISTS) else ("get",))
    own = re.fullmatch(r"/api/v1/namespaces/([^/]+)", path)
    if own:  # a namespace may be read by whoever has that right inside of it
        return {("" if verb == "POST" else own[1], "", "namespaces", each) for each in verbs}
    found = PATH.fullmatch(path)
    assert found, path
    resource = "pods/exec" if verb == "EXEC" else found["plural"]
    return {(found["home"] or "", found["group"] or "", resource, each) for each in verbs}


class Guarded(MemoryApi):
    """Lets through only what the roles of the sentinel mode grant, and notes which of these rights are used."""

    def __init__(self, rights: Iterable[Right] | None = None) -> None:
        super().__init__()
        self.rights = None if rights is None else set(rights)
        self.used: set[Right] = set()
        self.requests: list[tuple[str, str]] = []
        self.agent = lambda _, work: answering(work)
        for path in ("/version", "/apis"):
            self.objects[path] = {"metadata": {"uid": path, "name": path}, "groups": []}
        for name in ("n1", "n2"):
            self.put(f"/api/v1/nodes/{name}", node(name))

    def _fail_if_told(self, verb: str, path: str) -> None:
        super()._fail_if_told(verb, path)
        self.requests.append((verb, path))
        wanted = needs(verb, path)
        if self.rights is not None and not wanted <= self.rights:
            raise refusal(403, f"{verb} {path} is not granted")
        self.used |= wanted


def given(rights: Iterable[Right]) -> Guarded:
    """A cluster to which the kustomization was applied, but for some rights."""
    api = Guarded(rights)
    for item in OBJECTS:
        if item["kind"] == "Namespace":
            api.put(f"/api/v1/namespaces/{item['metadata']['name']}", item)
    return api


def quiet(_: str) -> None:
    """Hear nothing."""


async def sentinel_run(api: MemoryApi) -> Material:
    """A whole audit in sentinel mode; the agents reach everything, as where nothing enforces."""
    acting = backend(api)
    acting.confined = True
    return await run_audit(OwnNamespaces(api, (CONTROL_NAMESPACE, POLICED)), acting, OPTIONS, silent)


@pytest.mark.parametrize("policy", own_policies(), ids=lambda policy: policy.name)
def test_a_policy_that_is_made_is_the_one_that_was_predicted_with(policy: object) -> None:
    assert decode_network_policy(policy_manifest(policy, Marks("r", "1", "x"))) == policy  # type: ignore[arg-type]


async def test_policies_stand_before_the_first_pod() -> None:
    api = Guarded()
    await sentinel_run(api)

    made = [path.split("/")[-2] for verb, path in api.requests if verb == "POST" and "/namespaces/" in path]
    assert made.index("pods") > max(number for number, kind in enumerate(made) if kind == "networkpolicies")


async def test_a_run_that_may_do_anything_leaves_nothing_and_finds_that_nothing_enforces() -> None:
    api = Guarded()
    found = await sentinel_run(api)

    assert api.paths("/namespaces/") == []
    assert {claim.proof for claim in found.comparison.nodes} == {Proof.LEAKING}
    assert summarise(found, OPTIONS).exit_code == 3


@pytest.mark.parametrize(
    "namespace", ["shop", "default", "netaudit", "netaudit-ctl-2x", "netaudit-ctl-", "my-netaudit-ctl-2"]
)
async def test_no_policy_is_made_or_removed_outside_own_namespaces(namespace: str) -> None:
    """Law 2: not even a plan that asks for it, nor leftovers that look like ours, make netaudit do it."""
    api = Guarded()
    strange = replace(own_policies()[0], namespace=namespace)
    plan = replace(PLAN, stand_ins=(CONTROL,), policies=(strange,))

    with pytest.raises(NetauditError, match="makes and removes no policy"):
        async with backend(api).session(plan, silent):
            pass
    with pytest.raises(NetauditError, match="makes and removes no policy"):
        await sweep.remove(api, sweep.Leftovers((), (), (), ((namespace, "x"),)), quiet)
    assert [request for request in api.requests if "networkpolicies" in request[1]] == []


async def test_a_run_asks_for_nothing_outside_its_own_namespaces_but_nodes_and_whole_cluster_policies() -> None:
    api = given(granted())
    await sentinel_run(api)

    homes = {right[0] for path in api.requests for right in needs(*path)}
    assert homes <= {*OWN, "", "kube-system"}


async def test_the_rights_suffice_and_each_is_used() -> None:
    """In namespaces that were made beforehand, which stay with nothing in them."""
    api = given(granted())
    found = await sentinel_run(api)

    assert summarise(found, OPTIONS).exit_code == 3
    assert api.used == granted()
    assert [path for path in api.paths("/namespaces/") if path.count("/") > 4] == []
    assert api.paths("/api/v1/namespaces/") == sorted(f"/api/v1/namespaces/{name}" for name in OWN)


@pytest.mark.parametrize("right", sorted(granted()), ids="-".join)
async def test_without_any_one_right_no_run_passes_for_clean_or_says_why(right: Right) -> None:
    api = given(granted() - {right})
    (ended,) = await asyncio.gather(sentinel_run(api), return_exceptions=True)

    told = isinstance(ended, NetauditError) and "not granted" in ended.why
    assert told or (isinstance(ended, Material) and summarise(ended, OPTIONS).exit_code != 0)


async def test_what_a_killed_run_left_in_namespaces_that_stay_is_swept() -> None:
    """By the next run and `cleanup --mode sentinel`, and by clean-up everywhere; a user's policy there stays."""
    marks = Marks("dddddd", "1", "x")
    for within in (OWN, None):
        api = given(granted())
        api.rights = api.rights if within else None
        for policy in own_policies():
            api.put(f"{policies_path(POLICED)}/{policy.name}", policy_manifest(policy, marks))
        theirs = {"kind": "NetworkPolicy", "metadata": {"name": "theirs", "namespace": POLICED, "labels": MANAGED_BY}}
        api.put(f"{policies_path(POLICED)}/theirs", theirs)

        found = await sweep.find(api, within=within)

        assert [name for _, name in found.policies] == sorted(policy.name for policy in own_policies())
        assert found.names()[0] == f"networkpolicy {POLICED}/netaudit-gated-in"
        assert await sweep.remove(api, found, quiet) == []
        assert api.paths("networkpolicies") == [f"{policies_path(POLICED)}/theirs"]


def test_namespaces_that_are_made_beforehand_are_as_restricted_as_a_runs_own() -> None:
    made = {item["metadata"]["name"]: item["metadata"]["labels"] for item in OBJECTS if item["kind"] == "Namespace"}

    assert made == dict.fromkeys(OWN, OWN_LABELS)
