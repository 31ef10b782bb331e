"""Bytes into objects: every encoding and form in which kubectl and helm write them, with the lines of the text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from auditor.cluster.documents import Item, read
from auditor.model.problem import Problem
from tests.builders import named

ONE = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: one\n"
TWO = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: two\n"


def objects(text: str | bytes) -> list[Item]:
    """The objects of a text with which nothing is wrong."""
    items, problems = read("f.yaml", text if isinstance(text, bytes) else text.encode())
    assert problems == []
    return items


def names(text: str | bytes) -> list[Any]:
    return [item.value["metadata"]["name"] for item in objects(text)]


def problems(text: str | bytes) -> list[Problem]:
    return read("f.yaml", text if isinstance(text, bytes) else text.encode())[1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings(encoding: str) -> None:
    """PowerShell writes UTF-16, Windows editors a byte order mark."""
    assert names(f"{ONE}---\n{TWO}".encode(encoding)) == ["one", "two"]
    assert names(json.dumps(named("Pod", "one")).encode(encoding)) == ["one"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends(end: str) -> None:
    text = f"{ONE}---\n{TWO}".replace("\n", end)

    assert names(text) == ["one", "two"]
    assert objects(text)[1].line(("metadata", "name")) == 9


@pytest.mark.parametrize(
    "text",
    [
        f"---\n---\n{ONE}---\n# nothing\n---\n{TWO}---\n",
        f"%YAML 1.2\n---\n{ONE}...\n---\n{TWO}...\n",
        f"--- # first\n{ONE}--- # second\n{TWO}",
        f"{ONE}---\n{json.dumps(named('Pod', 'two'))}\n",
        f"{json.dumps(named('Pod', 'one'))}\n---\n{TWO}",
        json.dumps(named("Pod", "one")) + json.dumps(named("Pod", "two")),
        f"{json.dumps(named('Pod', 'one'), indent=2)}\n\n{json.dumps(named('Pod', 'two'), indent=2)}\n",
        json.dumps([named("Pod", "one"), named("Pod", "two")]),
        f"- {ONE}- {TWO}".replace("\nkind", "\n  kind").replace("\nmeta", "\n  meta").replace("\n  name", "\n    name"),
        '{"kind": "Pod", "metadata": {"name": "\\x6fne"}}\n---\n{"kind": "Pod", "metadata": {"name": "two",}}',
        "{apiVersion: v1, kind: Pod, metadata: {name: one}}\n---\n{kind: Pod, metadata: {name: two}}",
    ],
)
def test_several_in_one_text(text: str) -> None:
    """Documents, JSON in a row, mixtures, and lists that are not wrapped."""
    assert names(text) == ["one", "two"]


def a_list(kind: str, *items: Any) -> str:
    return json.dumps({"apiVersion": "v1", "kind": kind, "metadata": {}, "items": list(items)})


def test_lists() -> None:
    """Of any kind, in lists too; items of a typed list take kind and version from it."""
    bare = {"metadata": {"name": "one"}}
    inner = json.loads(a_list("PodList", bare, {"kind": "Job", "metadata": {"name": "two"}}))
    three = named("Service", "three")

    found = objects(a_list("List", inner, three))
    assert [(item.value["kind"], item.value["metadata"]["name"]) for item in found] == [
        ("Pod", "one"),
        ("Job", "two"),
        ("Service", "three"),
    ]
    assert found[0].value["apiVersion"] == "v1"
    assert [item.path for item in found] == [("items", 0, "items", 0), ("items", 0, "items", 1), ("items", 1)]
    assert objects('{"kind": "PodList", "items": null}') == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{ONE}---\n{TWO}", 9),
        (f"{ONE}...\n---\n{TWO}", 10),
        (f"--- # one\n{ONE}\n# two\n--- # two\n{TWO}", 12),
        (f"{ONE}---\n{TWO}".replace("\n", "\r"), 9),
        (f"{json.dumps(named('Pod', 'one'), indent=1)}\n{json.dumps(named('Pod', 'two'), indent=1)}", 12),
    ],
)
def test_lines_of_the_second_document(text: str, line: int) -> None:
    """However the documents are parted."""
    assert [item.line(("metadata", "name")) for item in objects(text)][1:] == [line]


def test_list_in_yaml_has_the_lines_of_its_items() -> None:
    text = "kind: List\nitems:\n- kind: Pod\n  metadata:\n    name: one\n- kind: Pod\n  spec: {}\n"
    one, two = objects(text)

    assert [one.line(), one.line(("metadata", "name")), two.line(("spec",)), two.line(("missing",))] == [3, 5, 7, 6]


def test_json_has_lines_too_unless_it_is_long() -> None:
    """Then the position in the list has to do."""
    short = json.dumps(json.loads(a_list("List", named("Pod", "a/one"))), indent=1)
    (one,) = objects(short)
    assert one.line(("metadata", "name")) == 10
    assert one.title == "Pod a/one"

    (two,) = objects(a_list("List", {**named("Pod", "a/two"), "spec": {"x": "y" * 5_000_000}}))
    assert two.line(("metadata", "name")) is None
    assert two.title == "Pod a/two at items[0]"


HELM = f"""NAME: shop
LAST DEPLOYED: Fri Nov 20 12:00:00 2026
NAMESPACE: default
STATUS: pending-install
REVISION: 1
HOOKS:
---
# Source: shop/templates/hook.yaml
{ONE}MANIFEST:
---
# Source: shop/templates/empty.yaml
---
# Source: shop/templates/two.yaml
{TWO}
NOTES:
1. Get the URL by running these commands:
  export POD_NAME=$(kubectl get pods -o jsonpath="{{.items[0].metadata.name}}")
"""


def test_what_helm_prints() -> None:
    """Of a dry run: hooks and manifests, without what is said around them, on their own lines."""
    assert names(HELM) == ["one", "two"]
    assert objects(HELM)[1].line(("metadata", "name")) == HELM.splitlines().index("  name: two") + 1
    assert names(HELM.replace("\n", "\r\n")) == ["one", "two"]
    assert names(HELM.partition("HOOKS:\n")[0] + "MANIFEST:\n---\n" + ONE) == ["one"]


def test_notes_without_the_rest_of_helm_are_no_notes() -> None:
    """Nothing is cut from other text."""
    assert "YAML" in problems(f"{ONE}NOTES:\n1. Get: the: URL\n")[0].what


@pytest.mark.parametrize(
    ("text", "attempt"),
    [
        ("metadata: {{ .Values.x }}\n", "helm template"),
        ("a:\n\tb: 1\n", "indent with spaces"),
        (
            "1apiVersion: v1\n2kind: Pod\n3metadata:\n4 name: web\n5spec:\n6 x: {}And so on\n",
            "take away the line numbers",
        ),
        ("a: [\n", "kubectl apply --dry-run=client"),
        ('{"metadata": {"resourceVersion": "5"', "write the file again"),
    ],
)
def test_unreadable_text_comes_with_what_to_do(text: str, attempt: str) -> None:
    (problem,) = problems(text)

    assert attempt in problem.attempt


def test_keys_that_stand_twice() -> None:
    """In YAML, in JSON and in lists, each with its line."""
    for text, line in (
        ("kind: Pod\nmetadata: {name: a}\nspec:\n  a: 1\n  b: 2\n  a: 3\n", 6),
        ('{"kind": "Pod",\n"metadata": {"name": "a"},\n"kind":\n"Pod"}', 3),
        ("kind: List\nitems:\n- kind: Pod\n  kind: Pod\n", 4),
    ):
        (problem,) = problems(text)
        assert (problem.line, "twice" in problem.what) == (line, True)
