"""The grammar of Calico's selectors, and what they match."""

from __future__ import annotations

import pytest

from auditor.cluster.fields import FieldError
from auditor.policy.calico_selector import (
    ALL,
    DEEPEST,
    Junction,
    Negation,
    Operator,
    Term,
    asks_for_global,
    join,
    parse,
    rewritten,
)

A_IS_X = Term(Operator.IN, "a", frozenset({"x"}))
HAS_B = Term(Operator.HAS, "b")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ALL),
        (" \t ", ALL),
        ("all()", ALL),
        ("all( )", ALL),
        ("global()", Term(Operator.GLOBAL)),
        ("has(b)", HAS_B),
        ("has( b\t)", HAS_B),
        ("a == 'x'", A_IS_X),
        ('a=="x"', A_IS_X),
        ("a in {'x'}", A_IS_X),
        ("a in{'x',}", A_IS_X),
        ("a != 'x'", Term(Operator.NOT_IN, "a", frozenset({"x"}))),
        ("a not in { 'x' , \"y\" }", Term(Operator.NOT_IN, "a", frozenset({"x", "y"}))),
        ("a notin {}", Term(Operator.NOT_IN, "a")),
        ("a in {}", Term(Operator.IN, "a")),
        ("a contains 'x'", Term(Operator.CONTAINS, "a", frozenset({"x"}))),
        ("a starts with 'x'", Term(Operator.STARTS_WITH, "a", frozenset({"x"}))),
        ("a startswith'x'", Term(Operator.STARTS_WITH, "a", frozenset({"x"}))),
        ("a ends \t with 'x'", Term(Operator.ENDS_WITH, "a", frozenset({"x"}))),
        ("a == 'say \"x\"'", Term(Operator.IN, "a", frozenset({'say "x"'}))),
        ('a == "it\'s"', Term(Operator.IN, "a", frozenset({"it's"}))),
        (r"a == 'no\n escape\'", Term(Operator.IN, "a", frozenset({r"no\n escape" + "\\"}))),
        ("a == 'x\ny'", Term(Operator.IN, "a", frozenset({"x\ny"}))),
        ("a == ''", Term(Operator.IN, "a", frozenset({""}))),
        ("k8s.io/my_app-1 == 'x'", Term(Operator.IN, "k8s.io/my_app-1", frozenset({"x"}))),
        ("in in {'in'}", Term(Operator.IN, "in", frozenset({"in"}))),
        ("not not in {}", Term(Operator.NOT_IN, "not")),
        ("has == 'x'", Term(Operator.IN, "has", frozenset({"x"}))),
        ("alls == 'x'", Term(Operator.IN, "alls", frozenset({"x"}))),
        ("!has(b)", Negation(HAS_B)),
        ("! ! has(b)", HAS_B),
        ("!!!has(b)", Negation(HAS_B)),
        ("!(has(b))", Negation(HAS_B)),
        ("((has(b)))", HAS_B),
        ("a == 'x' && has(b)", Junction(every=True, parts=(A_IS_X, HAS_B))),
        ("a == 'x'||has(b)", Junction(every=False, parts=(A_IS_X, HAS_B))),
        ("a == 'x' && has(b) && all()", Junction(every=True, parts=(A_IS_X, HAS_B, ALL))),
        # && binds before ||, and ! before both.
        ("all() || a == 'x' && has(b)", Junction(False, (ALL, Junction(True, (A_IS_X, HAS_B))))),
        ("a == 'x' && has(b) || all()", Junction(False, (Junction(True, (A_IS_X, HAS_B)), ALL))),
        ("(all() || a == 'x') && has(b)", Junction(True, (Junction(False, (ALL, A_IS_X)), HAS_B))),
        ("!has(b) && a == 'x'", Junction(True, (Negation(HAS_B), A_IS_X))),
        ("!(has(b) && a == 'x')", Negation(Junction(True, (HAS_B, A_IS_X)))),
    ],
)
def test_expression_is_read(text: str, expected: object) -> None:
    assert expected == parse(text)


@pytest.mark.parametrize(
    ("text", "position", "what"),
    [
        ("a", 2, "a comparison"),
        ("a = 'x'", 3, "a comparison"),
        ("a == x", 6, "a string in quotes"),
        ("a == 'x", 6, "a string in quotes"),
        ("a == \"x'", 6, "a string in quotes"),
        ("a == {'x'}", 6, "a string in quotes"),
        ("a != ", 6, "the end"),
        ("a in 'x'", 6, "{"),
        ("a in {'x'", 10, ", or }"),
        ("a in {'x' 'y'}", 11, ", or }"),
        ("a in {,}", 7, "a string in quotes"),
        ("a in {x}", 7, "a string in quotes"),
        ("a not 'x'", 3, "a comparison"),
        ("a starts 'x'", 3, "a comparison"),
        ("a has(b)", 3, "a comparison"),
        ("a b == 'x'", 3, "a comparison"),
        ("has()", 5, "a label"),
        ("has(b", 6, ")"),
        ("has(b c)", 7, ")"),
        ("has('b')", 5, "a label"),
        ("has (b)", 5, "a comparison"),
        ("all", 4, "a comparison"),
        ("all(b)", 5, ")"),
        ("(has(b)", 8, ")"),
        ("has(b))", 7, "the end"),
        ("()", 2, "a label"),
        ("!", 2, "a label"),
        ("has(b) &&", 10, "a label"),
        ("&& has(b)", 1, "a label"),
        ("has(b) & has(c)", 8, "&&"),
        ("has(b) | has(c)", 8, "||"),
        ("has(b) and has(c)", 8, "&&"),
        ("has(b) has(c)", 8, "&&"),
        ("a == 'x'\n", 9, "the end"),
        ("a\n== 'x'", 2, "a comparison"),
        ("ä == 'x'", 1, "a label"),
        ("a == ‘x’", 6, "a string in quotes"),
        ("\u00a0a == 'x'", 1, "a label"),
        ("a$ == 'x'", 2, "a comparison"),
        ("\x00", 1, "a label"),
        ("(" * (DEEPEST + 1), DEEPEST + 2, "parentheses inside each other"),
        ("(" * 100_000, DEEPEST + 2, "parentheses inside each other"),
        ("!(" * 100_000, 2 * DEEPEST + 3, "parentheses inside each other"),
        ("!" * 100_000, 100_001, "a label"),
    ],
)
def test_error_names_its_position(text: str, position: int, what: str) -> None:
    with pytest.raises(FieldError) as caught:
        parse(text)

    message = str(caught.value)
    assert message.startswith(f"position {position}: ")
    assert what in message
    assert len(message) < 150


def test_as_many_parentheses_as_allowed() -> None:
    found = parse("(!" * DEEPEST + "has(b)" + ")" * DEEPEST)

    assert 0 == DEEPEST % 2
    assert found.matches({"b": ""})
    assert not found.matches({})


def test_long_chains_are_flat() -> None:
    count = 20_000
    found = parse(" || ".join(["has(b)"] * count))

    assert isinstance(found, Junction)
    assert count == len(found.parts)
    assert found.matches({"b": ""})
    assert not found.matches({})


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("a == 'x'", {"a": "x"}, True),
        ("a == 'x'", {"a": "y"}, False),
        ("a == 'x'", {}, False),
        ("a == ''", {}, False),
        ("a == ''", {"a": ""}, True),
        ("a != 'x'", {"a": "y"}, True),
        ("a != 'x'", {"a": "x"}, False),
        ("a != 'x'", {}, True),
        ("a in {'x', 'y'}", {"a": "y"}, True),
        ("a in {'x', 'y'}", {"a": "z"}, False),
        ("a in {'x', 'y'}", {}, False),
        ("a in {}", {"a": ""}, False),
        ("a not in {'x', 'y'}", {"a": "z"}, True),
        ("a not in {'x', 'y'}", {"a": "x"}, False),
        ("a not in {'x', 'y'}", {}, True),
        ("a not in {}", {"a": "x"}, True),
        ("has(a)", {"a": ""}, True),
        ("has(a)", {"b": "a"}, False),
        ("!has(a)", {}, True),
        ("a contains 'bc'", {"a": "abcd"}, True),
        ("a contains 'bd'", {"a": "abcd"}, False),
        ("a contains ''", {"a": ""}, True),
        ("a contains ''", {}, False),
        ("a starts with 'ab'", {"a": "abc"}, True),
        ("a starts with 'bc'", {"a": "abc"}, False),
        ("a starts with 'ab'", {}, False),
        ("a ends with 'bc'", {"a": "abc"}, True),
        ("a ends with 'ab'", {"a": "abc"}, False),
        ("!(a starts with 'ab')", {}, True),
        ("all()", {}, True),
        ("global()", {}, True),
        ("!all()", {"a": "x"}, False),
        ("", {}, True),
        ("a == 'x' && !has(b)", {"a": "x"}, True),
        ("a == 'x' && !has(b)", {"a": "x", "b": ""}, False),
        ("a == 'x' || has(b)", {"b": ""}, True),
        ("a == 'x' || has(b)", {"a": "y"}, False),
    ],
)
def test_expression_matches(text: str, labels: dict[str, str], expected: bool) -> None:
    assert expected is parse(text).matches(labels)


def test_expression_is_a_value() -> None:
    text = "a in {'x', 'y'} && !(has(b) || c starts with 'z')"

    assert parse(text) == parse(text.replace("'x', 'y'", "'y', 'x'").replace("'", '"'))
    assert 1 == len({parse(text), parse(f"({text})")})
    assert parse(text) != parse(text.replace("&&", "||"))
    assert {"a", "b", "c"} == parse(text).keys
    assert frozenset() == parse("all() || !global()").keys


def test_joining_keeps_what_is_there() -> None:
    assert join() is None
    assert join(None, None) is None
    assert HAS_B == join(None, HAS_B)
    assert Junction(True, (A_IS_X, HAS_B)) == join(A_IS_X, None, HAS_B)


def test_rewriting_reaches_every_term() -> None:
    found = rewritten(parse("!(a == 'x' || all()) && has(b)"), lambda term: HAS_B if not term.key else term)

    assert parse("!(a == 'x' || has(b)) && has(b)") == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [("global()", True), ("has(a) && !(all() || global())", True), ("all()", False), ("global == 'global()'", False)],
)
def test_global_is_found_wherever_it_stands(text: str, expected: bool) -> None:
    assert expected is asks_for_global(parse(text))
