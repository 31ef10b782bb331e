"""Verdicts for flows of `tests.cilium.SCENE` under Cilium's policies."""

from __future__ import annotations

from auditor.engines import identify_engine
from auditor.evaluate.model import Model
from auditor.model.cluster import Pod, Snapshot
from auditor.model.ends import Address
from auditor.model.flow import Decision, Family, Verdict
from tests.builders import Raw, snapshot
from tests.cilium import NODES, ON_NODES, OUTSIDE, SCENE, SERVED, config

ALLOWED, DENIED, UNKNOWN = Verdict.ALLOWED, Verdict.DENIED, Verdict.UNKNOWN


def scene(*objects: Raw, settings: Raw | None = None) -> Snapshot:
    """The scene with more objects, and the agents' usual settings unless others are given."""
    return snapshot(*SCENE, settings or config(), *objects)


def decide(found: Snapshot, source: str, target: str, port: int | None = None) -> Decision:
    """The decision about a flow between pods, nodes and `ext`, the machine outside."""
    pods = {f"{item.namespace}/{item.name}": item for item in found.pods}

    def end(name: str, way: str) -> Pod | Address:
        return Address(OUTSIDE[way]) if name == "ext" else Address(NODES[name]) if name in NODES else pods[name]

    number = port or (ON_NODES if target in NODES else SERVED)
    model = Model(found, dialect=identify_engine(found).dialect)
    return model.decide(end(source, "source"), end(target, "destination"), Family.IPV4, number)


def says(found: Snapshot, source: str, *targets: str, port: int | None = None) -> list[Verdict]:
    """The verdicts for the flows from one source."""
    return [decide(found, source, target, port).verdict for target in targets]
