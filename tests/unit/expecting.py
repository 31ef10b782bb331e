"""Expectations as values, for the tests of what comes of them."""

from __future__ import annotations

from auditor.model.expectation import Expectation, Wish
from auditor.model.flow import Protocol


def expect(wish: str, source: str, destination: str, port: int | str = 5432, protocol: str = "TCP") -> Expectation:
    return Expectation(source, destination, Protocol(protocol), port, Wish(wish), place="e.yaml:3")
