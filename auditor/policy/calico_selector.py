"""Calico's selector expressions: `role == "db" && !has(test) || tier in {"a", "b"}`.

Pure.  The grammar is that of Calico's selector reference: `!` binds before `&&`, `&&` before `||`; strings stand in
single or double quotes and know no escapes; blanks and tabs may stand between tokens, line ends may not; the words
after a label (`in`, `not in`, `contains`, `starts with`, `ends with`) need no blank around them.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from auditor.cluster import fields
from auditor.cluster.fields import FieldError, Raw
from auditor.model.labels import Labels

DEEPEST = 64
"""Parentheses inside each other; no real selector comes near."""


class Operator(enum.Enum):
    """What a term asks of its label, or of the object itself."""

    IN = "in"
    """Present with one of the values; `==` is this with one value."""
    NOT_IN = "not in"
    """Absent, or with another value; `!=` is this with one value."""
    CONTAINS = "contains"
    STARTS_WITH = "starts with"
    ENDS_WITH = "ends with"
    HAS = "has"
    ALL = "all"
    GLOBAL = "global"
    """All too, but for the namespace selectors of rules, where it means what is in no namespace."""


@dataclass(frozen=True, slots=True)
class Term:
    """One question about one label; `key` is empty for `all()` and `global()`."""

    operator: Operator
    key: str = ""
    values: frozenset[str] = frozenset()

    def matches(self, labels: Labels) -> bool:
        """Tell whether these labels are selected."""
        if not self.key:
            return True
        found = labels.get(self.key)
        if found is None:
            return self.operator is Operator.NOT_IN
        return _ANSWERS[self.operator](found, self.values)

    @property
    def keys(self) -> frozenset[str]:
        """The label keys that can change the answer."""
        return frozenset({self.key} if self.key else ())


_ANSWERS: dict[Operator, Callable[[str, frozenset[str]], bool]] = {
    Operator.IN: lambda found, values: found in values,
    Operator.NOT_IN: lambda found, values: found not in values,
    Operator.CONTAINS: lambda found, values: any(value in found for value in values),
    Operator.STARTS_WITH: lambda found, values: found.startswith(tuple(values)),
    Operator.ENDS_WITH: lambda found, values: found.endswith(tuple(values)),
    Operator.HAS: lambda *_: True,
}


@dataclass(frozen=True, slots=True)
class Negation:
    """The part does not hold."""

    part: Expression

    def matches(self, labels: Labels) -> bool:
        """Tell whether these labels are selected."""
        return not self.part.matches(labels)

    @property
    def keys(self) -> frozenset[str]:
        """The label keys that can change the answer."""
        return self.part.keys


@dataclass(frozen=True, slots=True)
class Junction:
    """All of several parts (`&&`), or any of them (`||`)."""

    every: bool
    parts: tuple[Expression, ...]

    def matches(self, labels: Labels) -> bool:
        """Tell whether these labels are selected."""
        answers = (part.matches(labels) for part in self.parts)
        return all(answers) if self.every else any(answers)

    @property
    def keys(self) -> frozenset[str]:
        """The label keys that can change the answer."""
        return frozenset().union(*(part.keys for part in self.parts))


Expression = Term | Negation | Junction
ALL = Term(Operator.ALL)


def join(*parts: Expression | None) -> Expression | None:
    """Join what is there with `&&`; None where nothing is."""
    kept = tuple(part for part in parts if part is not None)
    if not kept:
        return None
    return kept[0] if len(kept) == 1 else Junction(every=True, parts=kept)


def rewritten(expression: Expression, change: Callable[[Term], Expression]) -> Expression:
    """Put something else in the place of each term."""
    if isinstance(expression, Term):
        return change(expression)
    if isinstance(expression, Negation):
        return Negation(rewritten(expression.part, change))
    return replace(expression, parts=tuple(rewritten(part, change) for part in expression.parts))


def asks_for_global(expression: Expression) -> bool:
    """Tell whether `global()` stands anywhere in an expression."""
    if isinstance(expression, Term):
        return expression.operator is Operator.GLOBAL
    parts = (expression.part,) if isinstance(expression, Negation) else expression.parts
    return any(asks_for_global(part) for part in parts)


@lru_cache(maxsize=10_000)
def parse(text: str) -> Expression:
    """Read an expression; an empty one selects everything.

    Raises FieldError with the position, counted in characters from 1, of what was not expected.
    """
    parser = _Parser(text)
    if parser.take(_END):
        return ALL
    found = parser.alternatives()
    if not parser.take(_END):
        raise parser.error("expected &&, || or the end")
    return found


def read(raw: Raw, key: str) -> Expression | None:
    """Read the expression in a field; None where it is absent or empty, which asks for nothing."""
    text = fields.text(raw, key)
    if not text:
        return None
    try:
        return parse(text)
    except FieldError as error:
        raise FieldError(error.reason, raw, key) from None


class _Word(NamedTuple):
    """How a comparison is written after its label, and whether a set follows it."""

    pattern: re.Pattern[str]
    operator: Operator
    listed: bool = False


_BLANKS = re.compile(r"[ \t]*")
_END = re.compile(r"\Z")
_KEY = re.compile(r"[a-zA-Z0-9_./-]+")
_STRING = re.compile(r"""\"([^"]*)\"|'([^']*)'""")
_NOT, _AND, _OR = re.compile(r"!(?!=)"), re.compile(r"&&"), re.compile(r"\|\|")
_OPEN, _CLOSE = re.compile(r"\("), re.compile(r"\)")
_OPEN_SET, _CLOSE_SET, _COMMA = re.compile(r"\{"), re.compile(r"\}"), re.compile(r",")
_CALLS = re.compile(r"(has|all|global)\(")
"""Without a blank before the parenthesis; with one it is a label of that name."""
_WORDS = (
    _Word(re.compile(r"=="), Operator.IN),
    _Word(re.compile(r"!="), Operator.NOT_IN),
    _Word(re.compile(r"contains"), Operator.CONTAINS),
    _Word(re.compile(r"starts[ \t]*with"), Operator.STARTS_WITH),
    _Word(re.compile(r"ends[ \t]*with"), Operator.ENDS_WITH),
    _Word(re.compile(r"not[ \t]*in"), Operator.NOT_IN, listed=True),
    _Word(re.compile(r"in"), Operator.IN, listed=True),
)


class _Parser:
    """A position in a text, and one method for each rule of the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def error(self, what: str) -> FieldError:
        """Say what was expected at the next token."""
        place = _BLANKS.match(self.text, self.at)
        at = place.end() if place else self.at
        found = repr(self.text[at : at + 12]) if at < len(self.text) else "the end"
        return FieldError(f"position {at + 1}: {what}, found {found}")

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Read a token, and the blanks before it, if it comes next."""
        blanks = _BLANKS.match(self.text, self.at)
        found = pattern.match(self.text, blanks.end() if blanks else self.at)
        if found:
            self.at = found.end()
        return found

    def need(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        """Read a token that must come next."""
        found = self.take(pattern)
        if found is None:
            raise self.error(f"expected {what}")
        return found

    def alternatives(self) -> Expression:
        """Conjunctions with `||` between them."""
        parts = [self.conjunction()]
        while self.take(_OR):
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else Junction(every=False, parts=tuple(parts))

    def conjunction(self) -> Expression:
        """Operands with `&&` between them."""
        parts = [self.operand()]
        while self.take(_AND):
            parts.append(self.operand())
        return parts[0] if len(parts) == 1 else Junction(every=True, parts=tuple(parts))

    def operand(self) -> Expression:
        """A term or a parenthesis, after any number of `!`."""
        negated = False
        while self.take(_NOT):
            negated = not negated
        found = self.parenthesis() if self.take(_OPEN) else self.term()
        return Negation(found) if negated else found

    def parenthesis(self) -> Expression:
        """What follows an open parenthesis, to its close."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.error(f"more than {DEEPEST} parentheses inside each other")
        found = self.alternatives()
        self.need(_CLOSE, ")")
        self.depth -= 1
        return found

    def term(self) -> Term:
        """A call, or a label with a comparison."""
        call = self.take(_CALLS)
        if call:
            key = self.need(_KEY, "a label")[0] if call[1] == "has" else ""
            self.need(_CLOSE, ")")
            return Term(Operator(call[1]), key)
        key = self.need(_KEY, "a label, has(), all(), ! or (")[0]
        for word in _WORDS:
            if self.take(word.pattern):
                return Term(word.operator, key, self.listed() if word.listed else frozenset({self.string()}))
        raise self.error("expected a comparison such as == or in")

    def string(self) -> str:
        """A string in either kind of quotes."""
        found = self.need(_STRING, "a string in quotes")
        return found[1] if found[1] is not None else found[2]

    def listed(self) -> frozenset[str]:
        """Strings in braces; none, and a comma after the last one, are allowed."""
        self.need(_OPEN_SET, "{")
        values: set[str] = set()
        while not self.take(_CLOSE_SET):
            values.add(self.string())
            if not self.take(_COMMA):
                self.need(_CLOSE_SET, ", or }")
                break
        return frozenset(values)
