"""The model and the sandbox's engine, which share no code, agree on random clusters, packet by packet."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

import pytest

from probes.backends.netns.faults import FAULTS
from tests.properties.mutants import MUTANTS, Mutant, mutated
from tests.sandbox.agreeing import PATIENCE, Catch, Measured, described, hunt, judged, measured
from tests.sandbox.drawing import drawn

PORTED = ("TCP", "UDP", "SCTP")
FIXED = range(6)
"""Clusters that are the same in every run."""
FAULTY = {
    **dict.fromkeys(("except-ignored", "named-port-widened", "ingress-only", "udp-ignored", "ipv6-ignored"), "open"),
    **dict.fromkeys(("endport-ignored", "named-port-ignored", "over-blocking"), "silent"),
}
"""Some faults of the engine, and what packets say of them."""
SEEN = {
    *("endPort is ignored", "endPort is exclusive", "excepts are ignored", "blocks hold no nodes"),
    *("a name opens the whole protocol", "protocols are not told apart", "no ports means TCP"),
    *("selectors of one peer are ORed", "no peers means no pods outside", "one end that allows is enough"),
}
"""Mutants of the model that so few clusters tell from it."""


@pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.long)])
def test_packets_say_what_the_model_says(
    count: int, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every flow between pods, nodes and the outside; --hypothesis-seed asks for the clusters of an earlier run."""
    first = int(pytestconfig.getoption("hypothesis_seed") or secrets.randbelow(1_000_000))

    catch = asyncio.run(hunt(range(first, first + count)))

    with capsys.disabled():
        pytestconfig.get_terminal_writer().line(f"\n--hypothesis-seed={first}: {catch}")
    assert not catch.wrong, asyncio.run(described(catch))
    assert catch.clusters == count
    assert min(catch.counts["denied"], catch.counts["allowed"]) > 50 * count
    assert min(catch.counts[word] for word in (*PORTED, "IPv4", "IPv6")) > 20 * count
    assert catch.counts["open by the API"] < catch.counts["flows"] / 2


@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_of_the_engine_is_seen(name: str) -> None:
    found = asyncio.run(_first_disagreement(name))

    assert {found.outcomes[flow] for flow in found.disagreements()} == {FAULTY[name]}


async def _first_disagreement(name: str) -> Measured:
    for number in range(20):
        found = await measured(drawn(number), FAULTS[name], PATIENCE[:1])
        if found.disagreements():
            return found
    raise AssertionError(f"20 clusters do not show {name}")


def test_a_disagreement_is_told_in_few_words() -> None:
    async def work() -> str:
        fault = FAULTS["except-ignored"]
        found = Catch()
        found.add(0, await measured(drawn(0), fault, PATIENCE[:1]))
        return await described(found, fault)

    said = asyncio.run(work())
    assert said.startswith("cluster 0: ")
    assert "the model says denied (denied by the API alone), packets say open" in said
    assert "a second reading of the API says denied" in said
    assert said.count("except:") == said.count("networkpolicies:") == 1


@pytest.fixture(scope="module")
def corpus() -> Sequence[Measured]:
    async def work() -> list[Measured]:
        return await asyncio.gather(*(measured(drawn(number)) for number in FIXED))

    found = asyncio.run(work())
    assert not any(one.disagreements() for one in found)
    return found


@pytest.mark.parametrize("mutant", [item for item in MUTANTS if item.title in SEEN], ids=lambda item: item.title)
def test_a_fault_of_the_model_is_seen(
    corpus: Sequence[Measured], mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutant.function, "__code__", mutated(mutant))

    assert any(found.disagreements(judged(found.raw)) for found in corpus)
