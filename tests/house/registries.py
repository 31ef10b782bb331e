"""Compare a registry, written out by hand in a package's `__init__.py`, with the files of its folder.

An entry belongs to a file when it is that module, was defined in it, or stands in it under a name.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True, slots=True)
class Registry:
    """Where a registry stands, and which files of its folder are entries."""

    package: str
    name: str
    prefix: str = ""
    """What the file names of entries begin with."""
    besides: frozenset[str] = frozenset()
    """Files of the folder that are not entries: what all entries share."""
    keyed: bool = True
    """Whether a key is its file's name; one file may hold several entries where it is not."""

    def modules(self) -> list[ModuleType]:
        """Import the files that should be entries."""
        package = importlib.import_module(self.package)
        names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
        chosen = [name for name in names if name.startswith(self.prefix) and name not in self.besides]
        return [importlib.import_module(f"{self.package}.{name}") for name in chosen]

    def entries(self) -> Mapping[str, Any] | Collection[Any]:
        """Look the registry up in its package; AttributeError when it is not there."""
        found: Mapping[str, Any] | Collection[Any] = getattr(importlib.import_module(self.package), self.name)
        return found


def mismatches(registry: Registry) -> list[str]:
    """Name the files without an entry, the entries without a file, and the keys that are not their file's name."""
    modules = registry.modules()
    entries = registry.entries()
    homes = [(entry, home(entry, modules)) for entry in (entries.values() if isinstance(entries, Mapping) else entries)]
    missing = [module for module in modules if module not in [place for _, place in homes]]
    found = [f"{module.__name__} is not in {registry.name}" for module in missing]
    found += [
        f"{registry.name} has {entry!r}, which no file of {registry.package} holds"
        for entry, place in homes
        if place is None
    ]
    if isinstance(entries, Mapping) and registry.keyed:
        keyed = zip(entries, (place for _, place in homes), strict=True)
        found += misnamed(registry, ((key, place) for key, place in keyed if place is not None))
    return found


def home(entry: object, modules: Iterable[ModuleType]) -> ModuleType | None:
    """Find the file that an entry belongs to."""
    for module in modules:
        defined_here = getattr(entry, "__module__", None) == module.__name__ and hasattr(entry, "__qualname__")
        if entry is module or defined_here or any(value is entry for value in vars(module).values()):
            return module
    return None


def misnamed(registry: Registry, keyed: Iterable[tuple[str, ModuleType]]) -> list[str]:
    """Name the keys that differ from their file's name; a user types the key and looks for the file."""
    expected = [(key, module.__name__.rpartition(".")[2].removeprefix(registry.prefix)) for key, module in keyed]
    return [
        f"{registry.name}[{key!r}] should be {name!r}, as its file is called"
        for key, name in expected
        if key.replace("-", "_") != name
    ]
