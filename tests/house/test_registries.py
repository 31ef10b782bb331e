"""Each registry lists exactly the files of its folder, so that forgetting the one line fails."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.house.registries import Registry, mismatches

SHARED = frozenset(
    {"networkpolicy", "ordered"}
    | {f"calico_{part}" for part in ("entity", "labels", "rule", "selector", "sets")}
    | {f"cilium_{part}" for part in ("cluster", "host", "peer", "ports", "rule", "selector")}
)
"""NetworkPolicy v1, which is decoded into a type of its own, and what kinds of one API share."""
REGISTRIES = (
    # By resource.
    Registry("auditor.policy", "POLICY_APIS", besides=SHARED, keyed=False),
    Registry("auditor.engines", "ENGINES", besides=frozenset({"engine", "gaps"})),
    Registry("auditor.providers", "PROVIDERS"),
    Registry("auditor.lint", "LINTS", besides=frozenset({"absent", "addresses", "case", "crowd", "hints", "views"})),
    Registry("auditor.diagnosis", "RULES", besides=frozenset({"case"})),
    Registry("auditor.compliance", "FRAMEWORKS"),
    Registry("probes.backends", "BACKENDS"),
    Registry("reports", "FORMATS", prefix="as_"),
    Registry("reports.prediction", "PREDICTIONS", prefix="as_"),
)


@pytest.mark.parametrize("registry", REGISTRIES, ids=[registry.name for registry in REGISTRIES])
def test_registry_lists_its_folder(registry: Registry) -> None:
    # Only what is not there may be skipped: a package that fails to import must fail here.
    if find_spec(registry.package) is None or not hasattr(importlib.import_module(registry.package), registry.name):
        pytest.skip(f"{registry.package} has no {registry.name} yet")

    assert mismatches(registry) == []


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of two plug-ins, one of them with a record, and what they share."""
    folder = tmp_path / "planted"
    folder.mkdir()
    (folder / "as_one.py").write_text("def render() -> str: return ''\n")
    (folder / "as_two.py").write_text("from planted.shape import Shape\nSHAPE = Shape()\n")
    (folder / "shape.py").write_text("class Shape: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "planted"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        ("(as_one, as_two)", []),
        ("(as_one.render, as_two.SHAPE)", []),
        ("{'one': as_one.render, 'two': as_two.SHAPE}", []),
        ("(as_one,)", ["planted.as_two is not in PLANTED"]),
        ("{'one': as_one, 'zwei': as_two}", ["PLANTED['zwei'] should be 'two', as its file is called"]),
        ("{}", ["planted.as_one is not in PLANTED", "planted.as_two is not in PLANTED"]),
        ("(as_one, as_two, len)", ["PLANTED has <built-in function len>, which no file of planted holds"]),
    ],
)
def test_mismatch_is_named(package: Path, registry: str, expected: list[str]) -> None:
    (package / "__init__.py").write_text(f"from planted import as_one, as_two\nPLANTED = {registry}\n")
    importlib.invalidate_caches()

    assert expected == mismatches(Registry("planted", "PLANTED", prefix="as_"))


def test_shared_files_are_no_entries(package: Path) -> None:
    (package / "__init__.py").write_text("from planted import as_one, as_two\nPLANTED = (as_one, as_two)\n")
    importlib.invalidate_caches()

    assert mismatches(Registry("planted", "PLANTED", besides=frozenset({"shape"}))) == []
    assert mismatches(Registry("planted", "PLANTED")) == ["planted.shape is not in PLANTED"]


def test_keys_may_be_other_names(package: Path) -> None:
    (package / "__init__.py").write_text("from planted import as_one\nPLANTED = {'a': as_one, 'b': as_one.render}\n")
    importlib.invalidate_caches()

    assert mismatches(Registry("planted", "PLANTED", keyed=False)) == [
        "planted.as_two is not in PLANTED",
        "planted.shape is not in PLANTED",
    ]
