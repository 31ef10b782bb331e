"""Why a selector finds nothing, and which label its author may have meant.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Final

from auditor.model.labels import Labels, LabelSelector, Operator, Requirement

CLOSE: Final = 0.75
"""How alike two words are before one may be a misspelling of the other: `wbe` and `web` are not, `fronted` is."""
LONGEST: Final = 5
"""Names that one sentence lists."""


class Tally:
    """How often each label occurs in a set of objects."""

    def __init__(self, items: Iterable[Labels]) -> None:
        """Count the labels of `items`."""
        self.total = 0
        self.values: dict[str, Counter[str]] = {}
        for labels in items:
            self.total += 1
            for key, value in labels.items():
                self.values.setdefault(key, Counter())[value] += 1

    def meeting(self, item: Requirement) -> int:
        """How many objects meet one requirement."""
        seen = self.values.get(item.key, Counter())
        if item.operator in {Operator.EXISTS, Operator.DOES_NOT_EXIST}:
            found = seen.total()
        else:
            found = sum(seen[value] for value in item.values)
        return self.total - found if item.operator in {Operator.NOT_IN, Operator.DOES_NOT_EXIST} else found

    def why_nothing(self, selector: LabelSelector, what: str) -> Iterator[str]:
        """Say which requirements no object meets, with labels that are nearly the same; `what` is `pod of shop`."""
        failing = [item for item in selector.requirements if not self.meeting(item)]
        for item in failing:
            close = self._close(item)
            yield f"no {what} has {requirement(item)}" + (f"; {close}" if close else "")
        if not failing:
            yield f"no {what} has {text(selector)} at once"

    def _close(self, item: Requirement) -> str:
        """The label that is nearly the one asked for, and how many have it."""
        if item.operator is not Operator.IN:
            return ""
        wanted = sorted(item.values)
        seen = self.values.get(item.key)
        if seen is None:
            for key in get_close_matches(item.key, sorted(self.values), 1, CLOSE):
                for value in wanted:
                    if count := self.values[key][value]:
                        return f"{key}={value} is there {times(count)}"
            return f"the key {item.key} is not in use there"
        for value in wanted:
            others = sorted(other for other in seen if _unnumbered(other) != _unnumbered(value))
            for near in get_close_matches(value, others, 1, CLOSE):
                return f"{item.key}={near} is there {times(seen[near])}"
        return ""


def _unnumbered(value: str) -> str:
    """A value without its digits: what differs by a number alone is another thing, and no misspelling."""
    return "".join(char for char in value if not char.isdigit())


def requirement(item: Requirement) -> str:
    """A requirement as kubectl writes it."""
    values = sorted(item.values)
    match item.operator:
        case Operator.IN if len(values) == 1:
            return f"{item.key}={values[0]}"
        case Operator.IN:
            return f"{item.key} in ({', '.join(values)})"
        case Operator.NOT_IN:
            return f"{item.key} notin ({', '.join(values)})"
        case Operator.EXISTS:
            return item.key
        case _:
            return f"!{item.key}"


def text(selector: LabelSelector) -> str:
    """A selector as kubectl writes it; `{}` for the empty one, which selects everything."""
    return ",".join(sorted(map(requirement, selector.requirements))) or "{}"


def listed(names: Iterable[str]) -> str:
    """Some names in a sentence, and how many more there are."""
    ordered = sorted(dict.fromkeys(names))
    more = len(ordered) - LONGEST
    return ", ".join(ordered[:LONGEST]) + (f" and {more} more" if more > 0 else "")


def times(count: int) -> str:
    """How often, in words."""
    return "once" if count == 1 else f"{count} times"
