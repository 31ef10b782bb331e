"""Names looked up in probe pods, by one exec for each pod; what fails says nothing of any policy."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

from auditor.cluster.api import KubeApi
from auditor.errors import NetauditError
from auditor.model.probe import Placed
from auditor.model.service_path import Answer, Named, Naming, Resolving
from probes import wire
from probes.backends.conversation import STALL, by_exec
from probes.outcome import classify_lookup
from probes.placement import AgentSpec
from probes.questions import Question, encode_questions

BY_LOG = "names are looked up by exec alone, which --transport logs does without"


async def look_up(
    api: KubeApi, agent: AgentSpec, here: Mapping[str, Placed], turn: int, namings: Sequence[Naming]
) -> list[Named]:
    """Ask for every name as often as it is to be; `turn` tells this asking from others of the same pod."""
    if agent.courier:
        return [Named(naming, (Answer(Resolving.UNTESTED, (), BY_LOG),)) for naming in namings]
    by_source: dict[str, list[Naming]] = defaultdict(list)
    for naming in namings:
        by_source[naming.source].append(naming)
    work = (_from(api, agent, here[source], turn, found) for source, found in by_source.items())
    return [named for found in await asyncio.gather(*work) for named in found]


async def _from(api: KubeApi, agent: AgentSpec, source: Placed, turn: int, namings: Sequence[Naming]) -> list[Named]:
    asked = [naming for naming in namings for _ in range(naming.tries)]
    questions = [Question(number, item.name, item.family, item.seconds) for number, item in enumerate(asked)]
    batch = f"n{turn}-{source.stand_in.key}"
    reader = wire.BatchReader(batch, range(len(asked)))
    work = agent.first_line(agent.resolver) + encode_questions(batch, questions)
    patience = STALL + 3 * max(naming.seconds for naming in namings)
    try:
        fault = await by_exec(api, source, agent.reading, (work, reader, patience))
    except NetauditError as error:
        fault = f"the exec failed: {error.why}"
    if reader.header is not None and reader.header.nonce != source.nonce:
        reader.records, fault = {}, "the agent that answered is that of another pod"
    answers: dict[Naming, list[Answer]] = defaultdict(list)
    for number, naming in enumerate(asked):
        record = reader.records.get(number)
        failed = Answer(Resolving.FAULT, (), fault or reader.shortfall)
        answers[naming].append(classify_lookup(record) if record is not None else failed)
    return [Named(naming, tuple(found)) for naming, found in answers.items()]
