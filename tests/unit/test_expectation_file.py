"""A file of expectations: what it may hold, and how each mistake is told with its line."""

from __future__ import annotations

import json
import re

import pytest

from auditor.errors import UsageError
from auditor.expectation_file import EXAMPLE, SCHEMA, check_consistent, read_expectations
from auditor.model.expectation import Expectation, Wish
from auditor.model.flow import Protocol

HEAD = f"schema: {SCHEMA}\nflows:\n"
ITEM = {"from": "shop/web", "to": "shop/db", "port": 80, "expect": "denied"}


def read(text: str) -> tuple[Expectation, ...]:
    return read_expectations("e.yaml", text.encode())


def refused(text: str | bytes) -> UsageError:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(UsageError) as caught:
        read_expectations("e.yaml", data)
    return caught.value


def test_example_that_errors_show_is_read() -> None:
    (found,) = read(EXAMPLE)

    assert found == Expectation(
        "shop/web", "shop/db", Protocol.TCP, 5432, Wish.ALLOWED, "the shop reaches its database", "", "e.yaml:3"
    )
    assert found.title == "the shop reaches its database"


def test_every_key_in_either_language() -> None:
    """JSON, indented by tabs too, is the same as YAML."""
    item = ITEM | {"port": "53/UDP", "reason": "no DNS among us"}
    text = json.dumps({"schema": SCHEMA, "flows": [item]}, indent="\t")

    (found,) = read(text)

    assert (found.protocol, found.port, found.wish, found.reason) == (Protocol.UDP, 53, Wish.DENIED, "no DNS among us")
    assert found.title == "shop/web to shop/db on 53/UDP"
    assert found.place == "e.yaml:4"


@pytest.mark.parametrize(
    ("port", "meant"),
    [(80, (Protocol.TCP, 80)), ("http", (Protocol.TCP, "http")), ("80/sctp", (Protocol.SCTP, 80))],
)
def test_ports(port: object, meant: object) -> None:
    (found,) = read(json.dumps({"schema": SCHEMA, "flows": [ITEM | {"port": port}]}))

    assert meant == (found.protocol, found.port)


MISTAKES = {
    "empty": ("", "e.yaml:1: a file of expectations is one document", "empty"),
    "two documents": (f"{EXAMPLE}\n---\n{EXAMPLE}", "e.yaml:1: a file of expectations is one document", "2 documents"),
    "no YAML": ("schema: [", "e.yaml:1: this is neither YAML nor JSON", ""),
    "a list": ("- a", "e.yaml:1: this is no file of expectations", ""),
    "no schema": ("flows: []", "e.yaml:1: schema: nothing", "netaudit.expectations/1"),
    "later schema": ("flows: []\nschema: netaudit.expectations/2", "e.yaml:2: schema: 'netaudit.expect", "/1 is known"),
    "no flows": (f"schema: {SCHEMA}", "e.yaml:1: no flow is expected", ""),
    "empty flows": (f"schema: {SCHEMA}\nflows: []", "e.yaml:2: no flow is expected", ""),
    "unknown key": (f"{HEAD}- {{}}\nflow: []", "e.yaml:4: unknown key 'flow'", "known here: flows, schema"),
    "unknown key of an item": (f"{EXAMPLE}\n  expects: x", "e.yaml:8: unknown key 'expects'", "known here: expect,"),
    "key twice": (f"{EXAMPLE}\n  expect: denied", "e.yaml:8: the key 'expect' stands twice", ""),
    "item is no mapping": (f"{HEAD}- a\n", "e.yaml:3: no expectation: 'a'", ""),
    "missing keys": (f"{HEAD}- from: a\n", "e.yaml:3: an expectation without to, port, expect", ""),
    "expect is a synonym": (EXAMPLE.replace("allowed", "must"), "e.yaml:7: expect: 'must'", "allowed or denied"),
    "expect is a boolean": (EXAMPLE.replace("allowed", "yes"), "e.yaml:7: expect: True", "allowed or denied"),
    "port too large": (EXAMPLE.replace("5432", "70000"), "e.yaml:6: no such port: 70000", "1 to 65535"),
    "port is nothing": (EXAMPLE.replace("5432", ""), "e.yaml:6: no port: nothing", "a port is a number"),
    "port is a boolean": (EXAMPLE.replace("5432", "on"), "e.yaml:6: no port: True", "a port is a number"),
    "protocol unknown": (EXAMPLE.replace("5432", "1/ICMP"), "e.yaml:6: no such protocol: ICMP", ""),
    "from is a number": (EXAMPLE.replace("shop/web", "12"), "e.yaml:4: from: no text: 12", "not text"),
    "to is a list": (EXAMPLE.replace("shop/db", "[a]"), "e.yaml:5: to: no text: a list", "not text"),
    "name is empty": (
        EXAMPLE.replace("the shop reaches its database", ""),
        "e.yaml:3: name: no text: nothing",
        "empty",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_told_with_its_line(name: str) -> None:
    """Nothing is passed over: what, why and what to try, at the line where it stands."""
    text, what, why = MISTAKES[name]

    error = refused(text)

    assert error.what.startswith(what)
    assert why in error.why
    assert error.attempt
    assert error.exit_code == 2


def test_bytes_that_are_no_text() -> None:
    assert refused(b"a: b\n\xff").what == "e.yaml:2: this is not UTF-8 text"


def test_nearest_key_is_offered() -> None:
    assert refused(f"{EXAMPLE}\n  expects: x").attempt == "expect"


def test_long_values_are_cut() -> None:
    assert len(refused(EXAMPLE.replace("allowed", "x" * 10_000)).what) < 300


def test_items_that_contradict_each_other() -> None:
    """Both places are named; the same item twice is no contradiction."""
    found = read(json.dumps({"schema": SCHEMA, "flows": [ITEM, ITEM]}))
    check_consistent(found)
    other = read(json.dumps({"schema": SCHEMA, "flows": [ITEM | {"expect": "allowed"}]}))

    with pytest.raises(UsageError, match=re.escape("allowed is expected of a flow, and denied at e.yaml:1")):
        check_consistent([*found, *other])
