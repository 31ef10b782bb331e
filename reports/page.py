"""What every HTML page of ours is made with: templates that neutralise each text, inline assets, and a policy for them.

A page loads nothing: its policy (CSP) allows one style sheet and one script, both inline, by their hashes.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from reports.plain import plain


@functools.cache
def template(name: str) -> Template:
    """One of the templates."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
        loader=PackageLoader("reports"),
    )
    environment.filters["breakable"] = _breakable
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "separators": (",", ":")}
    return environment.get_template(name)


def _breakable(text: str) -> Markup:
    """Let a name of several parts break after its slashes."""
    return Markup("/<wbr>").join(plain(text).split("/"))


def _harmless(value: Any) -> Any:
    """Neutralise every text on its way into the page; autoescape comes after and takes care of markup."""
    # Markup is a str too, and it is only ever made by the template itself.
    return plain(value) if type(value) is str else value


@functools.cache
def asset(name: str) -> Markup:
    """A style sheet or script as it stands in a page."""
    # Our own files, and what the hashes of the policy are made of.
    return Markup(resources.files("reports").joinpath("assets", name).read_text("utf-8"))  # noqa: S704


def content_policy(style: str, script: str = "") -> str:
    """The policy of a page with that style sheet, and that script where it has one."""
    scripts = f"script-src '{_hash(script)}'; " if script else ""
    return f"default-src 'none'; style-src '{_hash(style)}'; {scripts}base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
