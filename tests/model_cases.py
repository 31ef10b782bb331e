"""Golden cases of the policy model: a folder of manifests, and tables of verdicts that were written by hand.

The form of a case is described in `tests/cases/model/README.md`.  A key that is not known, a table that does not parse
and an end that no object names are errors, so that no expectation is lost to a slip of the pen.
"""

from __future__ import annotations

import copy
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from auditor.cluster.decode import decode
from auditor.cluster.resources import CORE, FOREIGN_POLICIES
from auditor.model.cluster import Snapshot
from auditor.ports import RawSnapshot

Raw = dict[str, Any]
CASES = Path(__file__).parent / "cases" / "model"
SCENES = CASES / "scenes"
SIGNS = {".": "allowed", "X": "denied", "?": "undefined", "~": "unknown"}
SKIPPED = "-"
NAME_LABEL = "kubernetes.io/metadata.name"
AXES = {"from": "", "to": "", "port": "80", "family": "IPv4", "engine": "API"}
"""What a flow is told by, and what a table means that does not say it; `from` and `to` must be said."""
KEYS = {
    "title",
    "why",
    "scene",
    "objects",
    "tables",
    "variants",
    "rejected",
    "inert",
    "unreadable",
    "idle",
    "cluster",
    "departs",
}
VARIANT_KEYS = (KEYS | {"name"}) - {"scene", "variants", "title"}
TABLE_KEYS = {*AXES, "table"}


class CaseError(ValueError):
    """A case that is not written as the README says."""


class Cell(NamedTuple):
    """One flow under one dialect, and the verdict that was written for it."""

    source: str
    """`namespace/pod` or an address."""
    destination: str
    family: str
    port: int
    protocol: str
    engine: str
    """The dialect's name; empty for the API alone."""
    verdict: str

    def __str__(self) -> str:
        where = f"{self.source} -> {self.destination} {self.port}/{self.protocol} {self.family}"
        return f"{where} ({self.engine})" if self.engine else where


@dataclass(frozen=True, slots=True)
class Case:
    """One point of the model: objects, and what must hold of them."""

    name: str
    why: str
    objects: tuple[Raw, ...]
    cells: tuple[Cell, ...]
    rejected: frozenset[str] = frozenset()
    """Objects, as `Kind namespace/name`, that the API server would not take."""
    inert: frozenset[str] = frozenset()
    """Objects of the past that do nothing today."""
    idle: Mapping[str, str] | None = None
    """Policies that change no verdict here, by the same name, and why that is the point."""
    unreadable: Mapping[str, str] | None = None
    """Resources that could not be listed, and why."""
    cluster: str = ""
    """Why this is not deployed; empty where it is."""
    departs: str = ""
    """What Cilium is known to do otherwise than the API here; empty where packets must agree."""

    @property
    def accepted(self) -> tuple[Raw, ...]:
        """The objects that the API server would hold."""
        return tuple(item for item in self.objects if title_of(item) not in self.rejected | self.inert)


def title_of(item: Raw) -> str:
    """`Kind namespace/name` of an object; no namespace where it says none, and a question mark for no name."""
    metadata = item.get("metadata") or {}
    namespace, name = metadata.get("namespace"), metadata.get("name") or "?"
    return f"{item.get('kind')} {namespace}/{name}" if namespace else f"{item.get('kind')} {name}"


def kind_of(item: Raw) -> str:
    """`apiVersion kind` of an object."""
    return f"{item.get('apiVersion')} {item.get('kind')}"


def read_cases(folder: Path = CASES) -> tuple[Case, ...]:
    """Every case below a folder, sorted by name; a variant is a case of its own, named `case:variant`."""
    files = sorted(folder.rglob("expected.yaml"))
    return tuple(itertools.chain.from_iterable(_read(path, path.parent.relative_to(folder)) for path in files))


def _read(path: Path, name: Path) -> Iterator[Case]:
    said = yaml.safe_load(path.read_text())
    _known(said, KEYS, str(name))
    if not said.get("title"):
        raise CaseError(f"{name}: no title")
    common = _documents(SCENES / f"{said['scene']}.yaml") if "scene" in said else []
    beside = path.parent / "objects.yaml"
    common += _documents(beside) if beside.exists() else []
    if "variants" not in said:
        yield _case(str(name), said, [*common, *_listed(said.get("objects"))])
        return
    for variant in said["variants"]:
        _known(variant, VARIANT_KEYS, str(name))
        merged = {**said, **variant, "tables": variant.get("tables") or said.get("tables")}
        objects = [*common, *_listed(said.get("objects")), *_listed(variant.get("objects"))]
        yield _case(f"{name}:{variant['name']}", merged, objects)


def _case(name: str, said: Raw, objects: Sequence[Raw]) -> Case:
    why, tables = said.get("why"), said.get("tables")
    if not why or not tables:
        raise CaseError(f"{name}: a case needs `why` and `tables`")
    cells = tuple(cell for table in tables for cell in _cells(table, name))
    known = {end_of(item) for item in objects if item.get("kind") == "Pod"}
    for end in {end for cell in cells for end in (cell.source, cell.destination)}:
        if end not in known and not is_address(end):
            raise CaseError(f"{name}: {end} is neither a pod of the case nor an address")
    return Case(
        name=name,
        why=why,
        objects=tuple(copy.deepcopy(item) for item in objects),
        cells=cells,
        rejected=frozenset(said.get("rejected") or ()),
        inert=frozenset(said.get("inert") or ()),
        idle=said.get("idle"),
        unreadable=said.get("unreadable"),
        cluster=said.get("cluster") or "",
        departs=said.get("departs") or "",
    )


def end_of(pod: Raw) -> str:
    """The name by which tables call a pod."""
    metadata = pod["metadata"]
    return f"{metadata.get('namespace') or 'default'}/{metadata['name']}"


def is_address(end: str) -> bool:
    """Whether an end is an address rather than a pod."""
    try:
        ip_address(end)
    except ValueError:
        return False
    return True


def _documents(path: Path) -> list[Raw]:
    return _listed(list(yaml.safe_load_all(path.read_text())))


def _listed(items: Sequence[Raw | None] | None) -> list[Raw]:
    """The objects among these documents, those of Lists one by one."""
    found: list[Raw] = []
    for item in items or ():
        if item is not None and item.get("kind") == "List":
            found += item["items"]
        elif item is not None:
            found.append(item)
    return found


def _known(said: object, keys: set[str], name: str) -> None:
    if not isinstance(said, dict):
        raise CaseError(f"{name}: expected keys and values")
    if strange := sorted(set(said) - keys):
        raise CaseError(f"{name}: unknown key {strange[0]}")


def _cells(said: Raw, name: str) -> Iterator[Cell]:
    """The cells of one table: its corner names what rows and columns are, the rest is said once beside it."""
    _known(said, TABLE_KEYS, name)
    lines = [line.split() for line in said["table"].splitlines() if line.strip()]
    corner, *columns = lines[0]
    down, _, across = corner.partition("\\")
    if down not in AXES or across not in AXES or down == across or {down, across} & set(said):
        raise CaseError(f"{name}: the corner {corner} does not name two things that the table leaves open")
    for row, *signs in lines[1:]:
        if len(signs) != len(columns):
            raise CaseError(f"{name}: row {row} has {len(signs)} cells for {len(columns)} columns")
        for column, sign in zip(columns, signs, strict=True):
            if sign == SKIPPED:
                continue
            if sign not in SIGNS:
                raise CaseError(f"{name}: {sign} in row {row} is no verdict")
            yield from _flows({**AXES, **_fixed(said), down: row, across: column}, SIGNS[sign])


def _fixed(said: Raw) -> dict[str, str]:
    return {key: str(value) for key, value in said.items() if key in AXES}


def _flows(told: Mapping[str, str], verdict: str) -> Iterator[Cell]:
    """One cell of a table, once for each of the ports and families that it is told for."""
    engine = "" if told["engine"] == "API" else told["engine"]
    for port, family in itertools.product(told["port"].split(), told["family"].split()):
        number, _, protocol = port.partition("/")
        yield Cell(told["from"], told["to"], family, int(number), protocol or "TCP", engine, verdict)


def snapshot_of(case: Case, objects: Sequence[Raw] | None = None) -> Snapshot:
    """What a cluster that holds the case's objects, or others in their place, would be read as."""
    accepted = [item for item in case.accepted if objects is None or item in objects]
    found: dict[str, list[Raw]] = defaultdict(list)
    for item in [*accepted, *missing_namespaces(accepted)]:
        found[_resource_of(item)].append(item)
    return decode(RawSnapshot(found, dict(case.unreadable or {}), "v1.35.0"))


def missing_namespaces(objects: Sequence[Raw]) -> list[Raw]:
    """Namespaces that manifests use and none makes, as `kubectl create namespace` makes them.

    What has a uid comes from a cluster, where every namespace exists: one that is missing there was not read.
    """
    made = {item["metadata"]["name"] for item in objects if item["kind"] == "Namespace"}
    live = {item["metadata"].get("namespace") for item in objects if item["metadata"].get("uid")}
    used = {item["metadata"].get("namespace") for item in objects} - {None} - live
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {NAME_LABEL: name}}}
        for name in sorted(used - made)
    ]


def _resource_of(item: Raw) -> str:
    group, kind = item["apiVersion"].rpartition("/")[0], item["kind"]
    if group in {"", "networking.k8s.io"}:
        plural = f"{kind.lower()}s" if kind != "NetworkPolicy" else "networkpolicies"
        if plural in {*CORE, "configmaps", "serviceaccounts"}:
            return plural
    for resource, foreign in FOREIGN_POLICIES.items():
        if foreign.kind.partition(" ")[0] == kind and group in {foreign.group, foreign.other_group}:
            return resource
    raise CaseError(f"no resource for {item['apiVersion']} {kind}")
