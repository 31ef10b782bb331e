"""Dry runs: one for each namespace and each set of labels of the user's, and nothing is made by them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.errors import ApiRefused, ClusterUnreachable
from auditor.model.probe import ProbePlan, Rehearsal
from probes.admitted import look_of
from probes.backends.kubernetes.rehearse import MOST
from tests.memory_api import MemoryApi, Raw
from tests.unit.probes.backends.acting import CLONE, PLAN, PODS, backend


async def rehearsed(api: MemoryApi, plan: ProbePlan = PLAN) -> Rehearsal:
    found = await backend(api).rehearse(plan)
    assert set(found) == {"shop", look_of(CLONE)}
    assert found["shop"] == found[look_of(CLONE)]
    assert api.objects == {}
    return found["shop"]


async def test_a_pod_that_is_accepted() -> None:
    assert await rehearsed(MemoryApi()) == Rehearsal("i0", "")


async def test_what_admission_does_is_seen_beforehand() -> None:
    def inject(made: Raw) -> None:
        made["spec"]["initContainers"] = [{"name": "istio-proxy"}]
        made["metadata"]["labels"]["tier"] = "x"

    api = MemoryApi()
    api.admission = inject
    found = await rehearsed(api)
    assert "istio-proxy" in found.refusal
    assert found.labels == {"tier": "x"}


@pytest.mark.parametrize("status", [400, 403, 404, 422])
async def test_a_refusal_in_the_words_of_the_api_server(status: int) -> None:
    api = MemoryApi()
    api.fail("POST", f"{PODS}/.*", status, "denied the request: " + "no " * 500)
    found = await rehearsed(api)
    assert found.refusal.startswith(f"its pod would not be accepted: it answered {status}: denied")
    assert len(found.refusal) < 400


@pytest.mark.parametrize(
    ("status", "why"),
    [(400, 'admission webhook "a" does not support dry run'), (500, "failed calling webhook"), (429, "slow down")],
)
async def test_what_a_dry_run_cannot_show_is_told(status: int, why: str) -> None:
    """The pod itself may get through, and is looked at again."""
    api = MemoryApi()
    api.fail("POST", f"{PODS}/.*", status, why)
    found = await rehearsed(api)
    assert found.refusal == ""
    assert why in found.notes[0]


RIGHTS = 'pods is forbidden: User "reader" cannot create resource "pods" in API group "" in the namespace'


async def test_without_the_right_anywhere_it_ends() -> None:
    """Who may read everything and make nothing is told which right is missing, instead of an empty report."""
    api = MemoryApi()
    api.fail("POST", f"{PODS}/.*", 403, RIGHTS)
    with pytest.raises(ApiRefused) as refused:
        await backend(api).rehearse(PLAN)
    assert "cannot create" in refused.value.why


async def test_without_the_right_in_one_namespace_that_one_is_left_out() -> None:
    api = MemoryApi()
    api.fail("POST", f"{PODS}/.*", 403, RIGHTS)
    other = replace(CLONE, key="i1", namespace="open")
    api.put("/api/v1/namespaces/open", {"kind": "Namespace", "metadata": {"name": "open"}})
    found = await backend(api).rehearse(replace(PLAN, stand_ins=(*PLAN.stand_ins, other)))
    assert "cannot create" in found["shop"].refusal
    assert found["open"].refusal == ""


async def test_an_api_server_that_is_away_ends_it() -> None:
    api = MemoryApi()
    api.fail("POST", f"{PODS}/.*", 0)
    with pytest.raises(ClusterUnreachable):
        await backend(api).rehearse(PLAN)


async def test_own_namespaces_are_not_there_yet_and_not_asked() -> None:
    only_ours = ProbePlan(PLAN.own_namespaces, tuple(item for item in PLAN.stand_ins if item is not CLONE), ())
    assert await backend(MemoryApi()).rehearse(only_ours) == {}


async def test_each_set_of_labels_and_each_account_is_tried() -> None:
    """A webhook with an object selector looks at some pods only; the same look is tried once."""
    api = MemoryApi()
    looks = [replace(CLONE, key="i1", labels=(("app", "pay"),)), replace(CLONE, key="i2", account="robot")]
    looks += [replace(item, key=f"{item.key}x") for item in (CLONE, *looks)]

    def refuse(made: Raw) -> None:
        if made["metadata"]["labels"] == {"app": "pay"}:
            made["spec"]["hostNetwork"] = True

    api.admission = refuse
    found = await backend(api).rehearse(replace(PLAN, stand_ins=(*PLAN.stand_ins, *looks)))
    assert {item: bool(found[look_of(item)].refusal) for item in (CLONE, *looks)} == {
        item: item.labels == (("app", "pay"),) for item in (CLONE, *looks)
    }
    assert len(found) == 1 + 3


async def test_dry_runs_are_bounded() -> None:
    """Whatever the number of looks; the first of each namespace is always among them."""
    api, asked = MemoryApi(), []
    api.admission = lambda made: asked.append(made["metadata"]["name"])
    api.put("/api/v1/namespaces/zoo", {"kind": "Namespace", "metadata": {"name": "zoo"}})
    many = [replace(CLONE, key=f"i{number}", labels=(("app", str(number)),)) for number in range(3 * MOST)]
    plan = replace(PLAN, stand_ins=(*many, replace(CLONE, key="z", namespace="zoo")))
    found = await backend(api).rehearse(plan)
    assert len(asked) == MOST + 1
    assert {"shop", "zoo"} < found.keys()


async def test_of_another_plan_only_what_is_new_is_tried() -> None:
    """Whatever its keys are now; and what was asked before is still part of the answer."""
    api, asked = MemoryApi(), []
    api.admission = lambda made: asked.append(dict(made["metadata"]["labels"]))
    run = backend(api)
    before = await run.rehearse(PLAN)
    fresh = replace(CLONE, labels=(("app", "pay"),))
    found = await run.rehearse(replace(PLAN, stand_ins=(fresh, replace(CLONE, key="i5"))))
    assert asked == [{"app": "web"}, {"app": "pay"}]
    assert found == {**before, look_of(fresh): Rehearsal("i0", "")}


async def test_a_right_that_is_lacking_in_a_namespace_of_a_later_plan_ends_nothing() -> None:
    api = MemoryApi()
    api.put("/api/v1/namespaces/open", {"kind": "Namespace", "metadata": {"name": "open"}})
    run = backend(api)
    await run.rehearse(PLAN)
    api.fail("POST", "/api/v1/namespaces/open/pods.*", 403, RIGHTS)
    found = await run.rehearse(replace(PLAN, stand_ins=(replace(CLONE, namespace="open"),)))
    assert "cannot create" in found["open"].refusal


async def test_who_may_stand_speaks_for_others_sooner_than_who_may_not() -> None:
    """Above the most that are asked about, one look's refusal may be about that look alone."""

    def reserved(made: Raw) -> None:
        if made["metadata"]["labels"].get("app") == "a":
            made["spec"]["initContainers"] = [{"name": "istio-proxy"}]

    api = MemoryApi()
    api.admission = reserved
    looks = [replace(CLONE, key=f"i{number}", labels=(("app", app),)) for number, app in enumerate("ab")]
    found = await backend(api).rehearse(replace(PLAN, stand_ins=tuple(looks)))
    assert found[look_of(looks[0])].refusal
    assert found["shop"] == found[look_of(looks[1])]
