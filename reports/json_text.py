"""Documents as JSON text for files and terminals alike: pure ASCII, indented, nothing lost.

What a terminal or an editor could act upon stands as a JSON escape.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

_NOT_ASCII = re.compile(r"[^\x20-\x7e\n]")
# Line breaks stand between values only: inside of a text they are escaped.
_NUMBERS = re.compile(r"\[(?:\n *\d+,?)+\n *\]")


def encode(document: Any) -> str:
    """Write a document of dataclasses: fields in their order, keys of mappings sorted."""
    try:
        text = msgspec.json.encode(document, order="deterministic").decode()
    except UnicodeEncodeError:
        text = _without_surrogates(document)
    return _NOT_ASCII.sub(_escape, msgspec.json.format(text, indent=1)) + "\n"


def encode_rows(document: Any) -> str:
    """The same, with each list of numbers on one line: some are as long as a cluster is large."""
    return _NUMBERS.sub(lambda match: "[" + " ".join(match[0][1:-1].split()) + "]", encode(document))


def _without_surrogates(document: Any) -> str:
    """Encode a document that holds half characters, which UTF-8 has no form for, with `?` in their place."""
    builtins = msgspec.to_builtins(document, order="deterministic")
    return json.dumps(builtins, ensure_ascii=False).encode("utf-8", "replace").decode()


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]
