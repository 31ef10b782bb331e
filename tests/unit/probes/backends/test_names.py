"""Names looked up in a cluster in memory: one exec for each pod, and what fails is no answer of DNS."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.model.flow import Family
from auditor.model.probe import NotPlaced, Placed
from auditor.model.service_path import Named, Naming, Resolving
from probes.backends.kubernetes import names
from probes.backends.kubernetes.names import BY_LOG, look_up
from probes.placement import AgentSpec
from tests.memory_api import MemoryApi
from tests.speaking import line
from tests.unit.probes.backends.acting import PLAN, backend, silent

SPEC = AgentSpec("image", "script", 600, resolver="echo\n")
NAMING = Naming("c0", "n1", "web.shop", Family.IPV4, 2, 5)
OTHER = Naming("c0", "n1", "db.shop", Family.IPV6, 1, 5)


def saying(*answers: tuple[int, str], nonce: str = "nonce") -> MemoryApi:
    """A cluster whose agents answer so, one question after the other."""
    api, said = MemoryApi(), list(answers)

    def agent(_: str, work: bytes) -> Iterable[bytes]:
        program, opening, *questions, _end, _ = work.decode().split("\n")
        assert program == "echo\\n"
        batch = opening.split(" ")[1]
        words = {"agent": "a", "run": "r", "batch": batch, "nonce": nonce, "client": "c", "server": "none"}
        yield line({"netaudit": 1, **words, "n": len(questions)})
        for question, (code, text) in zip(questions, said, strict=False):
            yield line({"i": int(question.split(" ")[0]), "rc": code, "to": 0, "ms": 4, "d": text})
        yield line({"end": min(len(said), len(questions)), "batch": batch})

    api.agent = agent
    return api


async def asked(api: MemoryApi, *namings: Naming, spec: AgentSpec = SPEC) -> list[Named]:
    async with backend(api).session(PLAN, silent) as session:
        here = {key: item for key, item in session.placed.items() if isinstance(item, Placed)}
        assert not [item for item in session.placed.values() if isinstance(item, NotPlaced)]
        return await look_up(api, spec, here, 1, namings)


async def test_each_name_has_all_its_tries_in_one_exec() -> None:
    api = saying((0, "10.1.2.3"), (1, "NXDOMAIN"), (0, "2001:db8::1"))
    found = await asked(api, NAMING, OTHER)
    assert [item.naming for item in found] == [NAMING, OTHER]
    assert [answer.outcome for answer in found[0].answers] == [Resolving.RESOLVED, Resolving.NOT_RESOLVED]
    assert (found[0].best.addresses, found[0].best.milliseconds) == (("10.1.2.3",), 4)
    assert found[1].best.addresses == ("2001:db8::1",)


async def test_what_an_agent_leaves_out_is_a_fault_with_its_reason() -> None:
    [found] = await asked(saying((0, "10.1.2.3")), NAMING)
    assert [answer.outcome for answer in found.answers] == [Resolving.RESOLVED, Resolving.FAULT]
    assert "no record of 1 of 2" in found.answers[1].detail
    api = saying()
    api.fail("EXEC", ".*", 403, "no exec for you")
    [found] = await asked(api, NAMING)
    assert found.best.outcome is Resolving.FAULT
    assert "no exec for you" in found.best.detail


async def test_the_agent_of_another_pod_tells_nothing() -> None:
    [found] = await asked(saying((0, "10.1.2.3"), (0, "10.1.2.3"), nonce="other"), NAMING)
    assert found.best.outcome is Resolving.FAULT
    assert "another pod" in found.best.detail


async def test_without_exec_no_name_is_looked_up() -> None:
    spec = AgentSpec("image", "script", 600, courier="courier", resolver="echo")
    [found] = await asked(saying(), NAMING, spec=spec)
    assert (found.best.outcome, found.best.detail) == (Resolving.UNTESTED, BY_LOG)
    assert names.BY_LOG
