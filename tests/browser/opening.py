"""Opens pages in a real browser, and sees what they do."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from auditor.model.report import AuditReport
from reports import as_html

CHROMIUM = shutil.which("chromium")
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)"),
]
"""Of every file here."""
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
WIDTHS = (360, 1280)
CONTRASTS = (Path(__file__).parent / "contrasts.js").read_text()


@dataclass
class Seen:
    """What a page did while it was open."""

    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@dataclass
class Opener:
    """Opens a report's page from a file, as a reader would."""

    browser: Browser
    folder: Path

    def __call__(self, report: AuditReport, *, width: int = 1280, scripts: bool = True) -> tuple[Page, Seen]:
        """Open the page of one report."""
        return self.text(as_html.render(report), width=width, scripts=scripts)

    def text(self, text: str, *, width: int = 1280, scripts: bool = True) -> tuple[Page, Seen]:
        """Open a page."""
        file = self.folder / "report.html"
        file.write_text(text)
        viewport: ViewportSize = {"width": width, "height": 900}
        context = self.browser.new_context(viewport=viewport, java_script_enabled=scripts)
        page, seen = context.new_page(), Seen()
        page.on("console", lambda message: seen.console.append(message.text))
        page.on("pageerror", lambda error: seen.console.append(str(error)))
        page.on("request", lambda request: seen.requests.append(request.url))
        page.on("dialog", lambda dialog: seen.console.append(f"dialog {dialog.message}"))
        page.goto(file.as_uri())
        return page, seen
