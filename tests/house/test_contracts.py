"""The import contracts hold what they say: each violation, planted in a copy of the tree, is caught under its name.

The copy holds our modules without their contents, so that planted imports are the only ones there are.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS: dict[str, dict[str, Any]] = {contract["id"]: contract for contract in CONFIG["contracts"]}
PACKAGES: list[str] = CONFIG["root_packages"]

ACTING = (
    "auditor.__main__",
    "auditor.audit",
    "auditor.forecast",
    "auditor.measuring",
    "auditor.cli",
    "auditor.cluster.answers",
    "auditor.cluster.api",
    "auditor.cluster.confined",
    "auditor.cluster.credentials",
    "auditor.cluster.exec",
    "auditor.cluster.garbage",
    "auditor.cluster.live",
    "auditor.cluster.scales",
    "auditor.cluster.saved",
    "auditor.commands",
    "auditor.flag_values",
    "auditor.flags",
    "auditor.guides",
    "auditor.mode_flags",
    "auditor.model_flags",
    "auditor.ports",
    "auditor.progress",
    "auditor.service_rounds",
    "auditor.settings",
    "auditor.pod_flags",
    "auditor.sandbox_flags",
    "auditor.stranger_flags",
    "auditor.voice",
    "probes.agents",
    "probes.backends",
    "probes.runner",
    "reports.as_html",
    "reports.as_json",
    "reports.as_junit",
    "reports.as_table",
    "reports.fleet_page",
    "reports.page",
    "reports.schema",
)
"""Modules that may touch the outside. A new module stands here or in the contract "deciding", by choice."""


def module_of(path: Path) -> str:
    """Name the module that a file of the tree is."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def real_modules() -> list[str]:
    return [module_of(path) for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def modules_named_in_contracts() -> list[str]:
    """List every module that a contract speaks of, whether it exists yet or not."""
    layers = CONTRACTS["layers"]["layers"] + [f"probes.{name}" for name in members(CONTRACTS["probes"]["layers"])]
    listed = CONTRACTS["deciding"]["source_modules"] + CONTRACTS["formats"]["modules"]
    extra = ["auditor.cluster.api", "probes.agents.agent", "probes.backends.netns.sandbox"]
    rules = [f"auditor.diagnosis.{name}" for name in ("case", "one", "other")]
    return [*members(layers), *listed, *extra, *rules]


def members(layers: list[str]) -> list[str]:
    return [name for layer in layers for name in re.findall(r"[\w.]+", layer)]


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    """A tree of all modules, empty, under our contracts."""
    names = {*PACKAGES, *real_modules(), *modules_named_in_contracts()}
    # Every module becomes a package: what a contract says of a file, it says of a folder of that name.
    for name in names:
        folder = tmp_path.joinpath(*name.split("."))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").touch()
    for folder in (path for package in PACKAGES for path in (tmp_path / package).rglob("*") if path.is_dir()):
        (folder / "__init__.py").touch()
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    # An import that a contract lets pass must exist, or the exception is out of date.
    plant(tmp_path, "auditor.cluster.api", "kubernetes.aio")
    return tmp_path


def plant(skeleton: Path, module: str, *imports: str) -> None:
    folder = skeleton.joinpath(*module.split("."))
    folder.mkdir(exist_ok=True)
    with (folder / "__init__.py").open("a") as file:
        file.writelines(f"import {name}\n" for name in imports)


def broken(skeleton: Path) -> set[str]:
    """Run lint-imports there and name the contracts that it calls broken, by id."""
    script = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    done = subprocess.run(
        [sys.executable, "-c", script, "--no-logo", "--no-cache"],
        cwd=skeleton,
        env={"COLUMNS": "300", "PYTHONPATH": str(skeleton)},
        capture_output=True,
        text=True,
        check=False,
    )
    status = dict(re.findall(r"^(.*) (KEPT|BROKEN)\b", done.stdout, re.MULTILINE))
    assert len(status) == len(CONTRACTS), done.stdout + done.stderr
    found = {name for name, contract in CONTRACTS.items() if status[contract["name"]] == "BROKEN"}
    assert (done.returncode != 0) == bool(found)
    return found


def test_empty_tree_keeps_all(skeleton: Path) -> None:
    assert set() == broken(skeleton)


ORDER = [members([layer]) for layer in CONTRACTS["layers"]["layers"]]
UPWARD = [(low[0], high[-1]) for high, low in pairwise(ORDER)]


@pytest.mark.parametrize(("low", "high"), UPWARD, ids=[f"{low} -> {high}" for low, high in UPWARD])
def test_layer_may_not_import_the_next_higher_one(skeleton: Path, low: str, high: str) -> None:
    plant(skeleton, low, high)

    assert "layers" in broken(skeleton)


@pytest.mark.parametrize(
    ("importer", "imported", "expected"),
    [
        ("reports.as_json", "probes.backends", {"layers"}),
        ("probes.runner", "probes.placement", {"layers", "probes"}),
        ("auditor.plan", "auditor.compare", {"layers", "auditor"}),
        ("probes.safety", "auditor.plan", {"layers"}),
        ("auditor.cluster.api", "auditor.predict", {"layers", "auditor"}),
        ("probes.wire", "probes.backends", {"layers", "probes"}),
        ("auditor.cluster.live", "kubernetes.client", {"kubernetes"}),
        ("probes.backends", "kubernetes", {"kubernetes"}),
        ("auditor.predict", "kubernetes.aio", {"kubernetes", "deciding"}),
        ("reports.view", "pathlib", {"deciding"}),
        ("auditor.model.flow", "os.path", {"deciding"}),
        ("auditor.cluster.decode", "time", {"deciding"}),
        ("auditor.compare", "random", {"deciding"}),
        ("probes.agents.agent", "auditor.errors", {"agents"}),
        ("probes.agents.agent", "probes.wire", {"agents", "probes"}),
        ("probes.backends.netns.sandbox", "auditor.policy.networkpolicy", {"sandbox"}),
        ("probes.backends.netns", "auditor.predict", {"sandbox"}),
        ("probes.backends.netns.sandbox", "auditor.evaluate.model", {"sandbox"}),
        ("probes.backends.netns.reading", "auditor.model.labels", {"reading"}),
        ("probes.backends.netns.ruleset", "subprocess", {"deciding"}),
        ("reports.as_table", "reports.as_json", {"formats"}),
        ("reports.prediction.as_dot", "reports.prediction.as_mermaid", {"predictions"}),
        ("auditor.diagnosis.one", "auditor.diagnosis.other", {"rules"}),
    ],
)
def test_planted_import_breaks_its_contract(skeleton: Path, importer: str, imported: str, expected: set[str]) -> None:
    plant(skeleton, importer, imported)

    assert expected == broken(skeleton)


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("auditor.cluster.api", "kubernetes.aio"),
        ("auditor.diagnosis.one", "auditor.diagnosis.case"),
        ("auditor.cli", "reports.as_json"),
        ("auditor.plan", "probes.safety"),
        ("probes.runner", "asyncio"),
        ("probes.backends.netns", "auditor.model.flow"),
    ],
)
def test_import_as_intended_is_kept(skeleton: Path, importer: str, imported: str) -> None:
    plant(skeleton, importer, imported)

    assert set() == broken(skeleton)


def test_forbidden_import_is_found_through_another_module(skeleton: Path) -> None:
    plant(skeleton, "auditor.predict", "auditor.cluster.api")
    plant(skeleton, "auditor.cluster.api", "socket")

    assert {"deciding"} == broken(skeleton)


def test_new_module_needs_a_layer(skeleton: Path) -> None:
    plant(skeleton, "auditor.utils")
    plant(skeleton, "probes.helpers")

    assert {"auditor", "probes"} == broken(skeleton)


def test_siblings_may_not_import_each_other_in_a_circle(skeleton: Path) -> None:
    plant(skeleton, "reports.view", "reports.heatmap")
    plant(skeleton, "reports.heatmap", "reports.words")
    plant(skeleton, "reports.words", "reports.view")

    assert {"siblings"} == broken(skeleton)


def test_both_orders_of_auditor_agree() -> None:
    """The first contract spans the packages, the second is exhaustive; neither can be both."""
    own = [[name.removeprefix("auditor.") for name in layer if name.startswith("auditor.")] for layer in ORDER]

    assert [members([layer]) for layer in CONTRACTS["auditor"]["layers"]] == [layer for layer in own if layer]


@pytest.mark.parametrize(("contract", "package"), [("formats", "reports"), ("predictions", "reports.prediction")])
def test_every_format_is_in_the_contract(contract: str, package: str) -> None:
    formats = [name for name in real_modules() if name.startswith(f"{package}.as_")]

    assert formats == CONTRACTS[contract]["modules"]


def test_every_module_is_known_to_decide_or_to_act() -> None:
    known = (*CONTRACTS["deciding"]["source_modules"], *ACTING)
    holders = {name.rpartition(".")[0] for name in real_modules()}  # a package's own file only gathers

    unknown = [
        name
        for name in real_modules()
        if name not in holders and not any(name == each or name.startswith(f"{each}.") for each in known)
    ]

    assert unknown == []
