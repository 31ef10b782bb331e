"""Hostile text made harmless: what lives here turns any string into one line of plain, visible characters.

Names, labels and agent output are chosen by whoever runs the pods (law 6).  Every string of a report passes through
`plain` before a person sees it, in the table and in the page alike; nothing else here decides how text looks.
"""

from __future__ import annotations

import unicodedata

LIMIT = 2_000
"""Characters of one text that are shown; a name is at most 253, a reason is a sentence."""

_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_WIDE = frozenset({"W", "F"})
# They count as letters or symbols, and yet take no column of their own: braille blank and half-width Hangul filler show
# nothing, Hangul vowels and finals merge into the syllable before them.
_UNSEEN = frozenset("\u2800\uffa0") | frozenset(map(chr, (*range(0x1160, 0x1200), *range(0xD7B0, 0xD800))))


def plain(text: str, limit: int = LIMIT) -> str:
    """Give `text` on one line, every character visible, one column wide and in reading order, cut at `limit`."""
    if len(text) > limit:
        return f"{plain(text[:limit])}... ({len(text) - limit} more characters)"
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _shows_as_itself(char) else _escaped(char) for char in text)


def _shows_as_itself(char: str) -> bool:
    """Tell whether a terminal puts `char` into exactly one column, where it stands in the text."""
    # Not printable: controls (escapes, newlines), bidi and zero-width marks, surrogates, odd spaces.
    if not char.isprintable() or char in _UNSEEN:
        return False
    # Right-to-left letters would carry their neighbours along to the other side of the line.
    if unicodedata.bidirectional(char) in _RIGHT_TO_LEFT:
        return False
    return not unicodedata.category(char).startswith("M") and unicodedata.east_asian_width(char) not in _WIDE


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
