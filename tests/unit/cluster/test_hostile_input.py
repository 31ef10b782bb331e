"""Input that nobody should send: each piece gives a clear message with its line, and all that is good is read.

Every row stands between two good documents in one stream where that is possible, and beside a good file in any case.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.cluster.saved import read_files
from auditor.model.problem import Effect, Problem
from tests.builders import named
from tests.unit.cluster.reading import POD

POLICY = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\n"
HEAD = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: bad\n  namespace: shop\n"
BEFORE = POD.replace("good", "before").lstrip()
AFTER = POD.replace("good", "after").lstrip()
FIRST = BEFORE.count("\n") + 2
"""The first line of what stands between the two, counted from 1."""
REFUSED, UNREADABLE, UNSURE, INERT, NOTED = (
    Effect.REFUSED,
    Effect.UNREADABLE,
    Effect.UNSURE,
    Effect.INERT,
    Effect.NOTED,
)


def bomb(levels: int) -> str:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    return text + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, levels))


def lists_of_lists(levels: int) -> str:
    text = "apiVersion: v1\nkind: List\nx0: &x0 {apiVersion: v1, kind: List, items: []}\n"
    for n in range(1, levels):
        items = ", ".join([f"*x{n - 1}"] * 10)
        text += f"x{n}: &x{n} {{apiVersion: v1, kind: List, items: [{items}]}}\n"
    return f"{text}items: [*x{levels - 1}]\n"


def spec(text: str) -> str:
    return f"{POLICY}spec:\n{text}"


def metadata(text: str) -> str:
    return f"apiVersion: v1\nkind: Pod\nmetadata:\n{text}spec: {{containers: [{{name: c}}]}}\n"


STREAM: list[tuple[str, str, Effect, int | None, str]] = [
    # What it is, the document, what becomes of it, the line in it that is named (from 0), and a part of the reason.
    ("truncated in a flow list", f"{POLICY}spec: {{podSelector: {{}}, ingress: [", UNREADABLE, 4, "did not find"),
    ("truncated in a quoted text", f'{HEAD}  labels: {{app: "web', UNREADABLE, 5, "unexpected end"),
    ("truncated after a key", f"{POLICY}spec:\n  podSelector:\n  ingress:\n  - from:\n    - ", UNSURE, 7, "from[0]"),
    ("tab as indentation", f"{POLICY}spec:\n\tpodSelector: {{}}\n", UNREADABLE, 4, "cannot start any token"),
    ("colons in a row", "a: b: c\n", UNREADABLE, 0, "mapping values"),
    ("indentation that jumps back", "a:\n    b: 1\n  c: 2\n", UNREADABLE, 2, "did not find expected"),
    ("a template of Helm", f"{HEAD}  labels: {{{{ include 'x' . }}}}\n", UNREADABLE, 5, ""),
    ("conflict markers of git", "<<<<<<< HEAD\nkind: Pod\n=======\nkind: Job\n>>>>>>> x\n", UNREADABLE, 1, ""),
    ("a shell here-document", f"cat << EOF > p.yaml\n{POLICY}EOF\n", UNREADABLE, 1, "mapping values"),
    ("line numbers copied along", "1apiVersion: v1\n2kind: Pod\n3metadata:\n4 name: x\n", UNREADABLE, 0, "apiVersion"),
    (
        "indentation lost",
        "apiVersion: v1\nkind: Pod\nmetadata:\nname: web\nnamespace: shop\nspec:\n",
        REFUSED,
        2,
        "name",
    ),
    ("an alias without anchor", "a: *nowhere\n", UNREADABLE, 0, "not defined"),
    ("an anchor in itself", "a: &a [*a]\n", UNREADABLE, 0, "contains itself"),
    ("a billion laughs", bomb(10), UNREADABLE, 4, "aliases expand"),
    ("a billion laughs of lists", lists_of_lists(10), UNREADABLE, 7, "aliases expand"),
    ("a billion laughs in labels", f"{bomb(10)}{HEAD}  labels: *a9\n", UNREADABLE, 4, "aliases expand"),
    ("deep nesting of lists", "[" * 50_000 + "\n", UNREADABLE, 0, "nested"),
    ("deep nesting of mappings", "{a: " * 50_000 + "\n", UNREADABLE, 0, "nested"),
    ("deep nesting of dashes", "- " * 50_000 + "\n", UNREADABLE, 0, "nested"),
    ("deep nesting in a selector", spec(f"  podSelector: {'{a: ' * 190}{'}' * 190}\n"), UNSURE, 4, "podSelector.a"),
    ("a key that is a list", "? [a, b]\n: c\n", UNREADABLE, 0, "as a key"),
    ("a key that is null", "~: x\n", UNREADABLE, 0, "null"),
    ("control characters", "a: \x01\n", UNREADABLE, 0, "control characters"),
    ("a tag that would run code", "--- !!python/object/apply:os.system [id]\n", UNREADABLE, 0, "expected an object"),
    ("a scalar", "just some text\n", UNREADABLE, 0, "expected an object"),
    ("a number", "42\n", UNREADABLE, 0, "the number 42"),
    ("a list of words", "- a\n- b\n", UNREADABLE, 0, "expected an object"),
    ("a shell script", "#!/bin/sh\nkubectl apply -f x\n", UNREADABLE, 1, "expected an object"),
    ("HTML", "<html><body>404</body></html>\n", UNREADABLE, 0, "expected an object"),
    ("values of a chart", "image: {tag: 1}\nreplicaCount: 2\n", UNREADABLE, 0, "apiVersion and kind"),
    ("no kind", "apiVersion: v1\nmetadata: {name: x}\n", UNREADABLE, 0, "does not say its kind"),
    ("no apiVersion", "kind: NetworkPolicy\nmetadata: {name: x}\n", UNREADABLE, 0, "does not say its apiVersion"),
    ("kind of a wrong type", "apiVersion: v1\nkind: [Pod]\n", UNREADABLE, 0, "does not say its kind"),
    ("apiVersion of a wrong type", "apiVersion: 1\nkind: Pod\n", UNREADABLE, 0, "does not say its apiVersion"),
    (
        "metadata that is a list",
        "apiVersion: v1\nkind: Pod\nmetadata: []\n",
        REFUSED,
        2,
        "metadata: expected an object",
    ),
    ("metadata that is text", "apiVersion: v1\nkind: Pod\nmetadata: x\n", REFUSED, 2, "found a string"),
    ("no metadata", "apiVersion: v1\nkind: Pod\n", REFUSED, 0, "an object needs metadata"),
    ("no name", metadata("  labels: {a: b}\n"), REFUSED, 2, "metadata.name: an object needs a name"),
    ("a name that is a number", metadata("  name: 5\n"), REFUSED, 3, "metadata.name: expected a string"),
    ("a name in capitals", metadata("  name: Web\n"), REFUSED, 3, "'Web' is no name"),
    ("a name that climbs", metadata("  name: ../../etc\n"), REFUSED, 3, "is no name"),
    ("a name with an escape", metadata('  name: "web\\e[2J"\n'), REFUSED, 3, "is no name"),
    ("a name of a megabyte", metadata(f"  name: {'x' * 1_000_000}\n"), REFUSED, 3, "is no name"),
    ("a namespace with a dot", metadata("  name: x\n  namespace: a.b\n"), REFUSED, 4, "no namespace's name"),
    ("labels that are a list", metadata("  name: x\n  labels: [a]\n"), REFUSED, 4, "labels: expected an object"),
    (
        "a label that is a switch",
        metadata("  name: x\n  labels: {on: yes}\n"),
        REFUSED,
        4,
        "expected a string, found true",
    ),
    ("a label that is a number", metadata("  name: x\n  labels:\n    a: b\n    v: 1.5\n"), REFUSED, 6, "number 1.5"),
    ("a label value with spaces", metadata("  name: x\n  labels:\n    a: b c\n"), REFUSED, 5, "no label value"),
    ("a label key with a space", metadata("  name: x\n  labels:\n    a b: c\n"), REFUSED, 5, "no label key"),
    ("a label key with two slashes", metadata("  name: x\n  labels:\n    a/b/c: d\n"), REFUSED, 5, "before the slash"),
    (
        "10 MB of annotations",
        metadata(f"  name: x\n  annotations:\n    a: {'x' * 10_000_000}\n"),
        REFUSED,
        None,
        "bytes",
    ),
    ("an annotation that is a list", metadata("  name: x\n  annotations:\n    a: []\n"), REFUSED, 5, "found a list"),
    ("a misspelt field of metadata", metadata("  name: x\n  lables: {a: b}\n"), NOTED, 4, "metadata.lables"),
    ("a pod's spec that is text", f"{HEAD}spec: text\n", REFUSED, 5, "spec: expected an object"),
    ("containers that are an object", f"{HEAD}spec:\n  containers: {{a: b}}\n", REFUSED, 6, "expected a list"),
    ("a container that is null", f"{HEAD}spec:\n  containers:\n  - \n", NOTED, 7, "containers[0]"),
    ("ports that are a number", f"{HEAD}spec: {{containers: [{{ports: 80}}]}}\n", REFUSED, 5, "found the number 80"),
    (
        "a port that is text",
        f'{HEAD}spec: {{containers: [{{ports: [{{containerPort: "80"}}]}}]}}\n',
        REFUSED,
        5,
        "whole",
    ),
    (
        "rules that are an object",
        spec("  podSelector: {}\n  ingress: {}\n"),
        REFUSED,
        5,
        "spec.ingress: expected a list",
    ),
    ("rules that are text", spec("  podSelector: {}\n  egress: all\n"), REFUSED, 5, "spec.egress: expected a list"),
    ("peers that are an object", spec("  ingress:\n  - from: {}\n"), REFUSED, 5, "spec.ingress[0].from"),
    ("a rule that is null", spec("  ingress:\n  -\n"), UNSURE, 5, "spec.ingress[0]: expected an object, found null"),
    ("a misspelt field of a policy", spec("  podSelectors: {}\n"), UNSURE, 4, "spec.podSelectors"),
    ("a field beside spec", f"{POLICY}podSelector: {{}}\nspec: {{}}\n", NOTED, 3, "podSelector"),
    ("a policy without spec", f"{POLICY}spec: []\n", REFUSED, 3, "spec: expected an object, found a list"),
    ("an unknown kind", "apiVersion: example.org/v1\nkind: Widget\n", NOTED, None, "1 Widget"),
    ("a kind in small letters", POLICY.replace("NetworkPolicy", "networkpolicy"), REFUSED, 1, "not what API servers"),
    ("a version that never was", POLICY.replace("/v1", "/v9"), REFUSED, 0, "not what API servers serve"),
    ("a group that is wrong", POLICY.replace("networking.k8s.io/v1", "v1"), REFUSED, 0, "not what API servers serve"),
    ("a version that is gone", "apiVersion: apps/v1beta2\nkind: Deployment\nmetadata: {name: x}\n", REFUSED, 0, "1.16"),
    ("an old policy", POLICY.replace("networking.k8s.io/v1", "extensions/v1beta1"), INERT, 0, "1.16"),
    ("items that are an object", "apiVersion: v1\nkind: List\nitems: {}\n", UNREADABLE, 2, "items: expected a list"),
    (
        "items that are words",
        "apiVersion: v1\nkind: PodList\nitems: [a]\n",
        UNREADABLE,
        2,
        "items[0]: expected an object",
    ),
    ("a key twice", f"{HEAD}  name: twice\nspec: {{}}\n", NOTED, 5, "'name' stands twice"),
    ("an object twice", f"{BEFORE}", NOTED, 0, "it replaces the one of -:1"),
]


def told(problem: Problem) -> str:
    return f"{problem.what} | {problem.why}"


def check(problems: list[Problem], effect: Effect, line: int | None, reason: str) -> None:
    """One problem says it; all of them are complete, of a bearable length, and name no file that is none."""
    matching = [one for one in problems if one.effect is effect and reason in told(one)]
    assert matching, [(one.effect, one.line, told(one)) for one in problems]
    assert matching[0].line == line
    for one in problems:
        assert one.what
        assert one.why
        assert one.attempt
        assert len(told(one)) < 2_000
        assert len(one.object) < 700
        assert one.file in {"-", ""}


@pytest.fixture
def beside(tmp_path: Path) -> Callable[[bytes], tuple[list[str], list[Problem]]]:
    """Reads bytes from standard input and a good file beside them: the names of pods, and the problems."""
    good = tmp_path / "good.yaml"
    good.write_text(f"{POD}---\n{POLICY.replace('name: p', 'name: good')}spec: {{podSelector: {{}}}}\n")

    def read(data: bytes) -> tuple[list[str], list[Problem]]:
        snapshot, problems = read_files(["-", str(good)], lambda: data)
        assert "shop/good" in [str(policy.ref) for policy in snapshot.policies]
        return [pod.name for pod in snapshot.pods], list(problems)

    return read


@pytest.mark.parametrize(
    ("text", "effect", "line", "reason"), [row[1:] for row in STREAM], ids=[row[0] for row in STREAM]
)
def test_document_among_good_ones(
    beside: Callable[[bytes], tuple[list[str], list[Problem]]], text: str, effect: Effect, line: int | None, reason: str
) -> None:
    names, problems = beside(f"{BEFORE}---\n{text.rstrip(chr(10))}\n---\n{AFTER}".encode())

    assert {"before", "after", "good"} <= set(names)
    check(problems, effect, None if line is None else FIRST + line, reason)


def a_list(*items: Any) -> bytes:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1).encode()


GOOD = {"apiVersion": "v1", **named("Pod", "shop/before"), "status": {"phase": "Running"}}
WHOLE: list[tuple[str, bytes, Effect, int | None, str]] = [
    ("truncated JSON", b'{"apiVersion": "v1",\n "kind": "Pod",\n "metadata"', UNREADABLE, 3, "truncated"),
    ("truncated export", a_list(GOOD)[:-20], UNSURE, 15, "was read from a cluster"),
    ("JSON with a comment", b'{"a": 1, // x\n"b": 2}', UNREADABLE, 1, "must be strings"),
    ("JSON with commas too many", b'{"a": 1,\n,}', UNREADABLE, 2, "object keys"),
    ("JSON that nests deeply", b'{"a":' * 20_000, UNREADABLE, 1, "nested too deeply"),
    (
        "JSON with a key twice",
        b'{"apiVersion": "v1", "kind": "Pod",\n"metadata": {"name": "a",\n"name": "b"}}',
        NOTED,
        3,
        "twice",
    ),
    ("a list in which one item is text", a_list("text", GOOD), UNREADABLE, 5, "items[0]: expected an object"),
    (
        "a list in which one item is no text",
        a_list(GOOD, {"x": "@"}).replace(b"@", b"\xff"),
        UNREADABLE,
        18,
        "items[1]",
    ),
    ("an empty file", b"", NOTED, None, "namespaces"),
    ("spaces and comments", b"\n\n  # nothing\n---\n---\n# x\n...\n", NOTED, None, "namespaces"),
    ("bytes that are no text", b"\x89PNG\r\n\x1a\n\x00\x00", UNREADABLE, 1, "UTF-8"),
    ("Latin-1", "a: 1\nb: caf\xe9\n".encode("latin-1"), UNREADABLE, 2, "0xe9"),
    ("UTF-16 cut in half", "\ufeffkind: Pod".encode("utf-16-le")[:-1], UNREADABLE, None, "truncated"),
    ("UTF-32 that is none", b"\xff\xfe\x00\x00\xff\xff\xff\xff", UNREADABLE, None, "utf-32"),
    ("null bytes", b"kind: Pod\x00\n", UNREADABLE, 1, "control characters"),
]


@pytest.mark.parametrize(
    ("data", "effect", "line", "reason"), [row[1:] for row in WHOLE], ids=[row[0] for row in WHOLE]
)
def test_file_beside_a_good_one(
    beside: Callable[[bytes], tuple[list[str], list[Problem]]],
    data: bytes,
    effect: Effect,
    line: int | None,
    reason: str,
) -> None:
    names, problems = beside(data)

    assert "good" in names
    check(problems, effect, line, reason)


def test_there_are_enough_of_them() -> None:
    """And no two that are called the same."""
    names = [row[0] for row in (*STREAM, *WHOLE)]

    assert len(names) == len(set(names))
    assert len(names) >= 60
