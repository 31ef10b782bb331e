"""Options from elsewhere than the command line: variables `NETAUDIT_<OPTION>` and the file netaudit.toml.

A flag wins over a variable, a variable over the file, and the file over the default.  Whatever is set elsewhere becomes
words of the command line, so that it is checked as they are; a value that makes no sense is told with its place.
"""

from __future__ import annotations

import argparse
import re
import shlex
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from auditor.errors import UsageError

FILE = "netaudit.toml"
PREFIX = "NETAUDIT_"
CONFIG = "config"
HARMLESS = frozenset(
    {
        "batch",
        "budget",
        "coverage",
        "debug",
        "dialect",
        "diff",
        "dry-run",
        "fail-on",
        "filename",
        "from",
        "max-flows",
        "min-coverage",
        "namespace",
        "path",
        "port",
        "proto",
        "quiet",
        "rate",
        "seed",
        "selector",
        "settle",
        "start-timeout",
        "to",
    }
)
"""Options that a file may set which was found and not named.  The working directory may be anybody's: what says which
cluster, which image, which dangers are taken, which files are written and how much is made is not for it to say."""
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off", ""})
_ERROR_AT = re.compile(r"at line (\d+)")
OTHERS = frozenset({"AGENT", "COURIER", "DEADLINE", "LINGER", "NONCE", "PORTS", "RUN", "WRITE_CASES"})
"""What `NETAUDIT_` variables without an option are called: those of probe pods, and one of the tests."""
OTHERS_BEGIN = "TEST_"
NEAR = 0.75
"""How alike two names must be, by difflib's ratio: two letters swapped in a name of four."""
_LINK = re.compile(
    r"NETAUDIT_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)", re.ASCII
)
_LINKED_PORT = re.compile(r"NETAUDIT_(\w+_)?PORT", re.ASCII)
_LINKED_TO = re.compile(r"(tcp|udp|sctp)://", re.IGNORECASE)
MakeParser = Callable[[type[argparse.ArgumentParser]], argparse.ArgumentParser]


class Refused(Exception):
    """What a parser has to say against words."""


class Strict(argparse.ArgumentParser):
    """A parser that raises instead of ending the program."""

    def error(self, message: str) -> NoReturn:
        """Raise what would be printed."""
        raise Refused(message)


@dataclass(frozen=True, slots=True)
class Setting:
    """One option that was set elsewhere, as words of the command line."""

    words: tuple[str, ...]
    place: str
    """The variable, or file and line."""


def parse(words: Sequence[str], make: MakeParser, environ: Mapping[str, str]) -> tuple[argparse.Namespace, list[str]]:
    """The flags of a command line with all that is set elsewhere, and the words that say the same.

    Help, usage errors of the words themselves and `--version` end the program, as argparse does.  Raises UsageError for
    a setting that makes no sense.
    """
    flags = make(argparse.ArgumentParser).parse_args(words)
    given = _given(make, words)
    own = options_of(make(Strict))
    is_open = {name: action for name, action in own[flags.command].items() if action.dest not in given}
    found = _from_environ(is_open, environ)
    named = flags.config or environ.get(variable(CONFIG))
    rest = {name: action for name, action in is_open.items() if name not in found}
    wanted = [*found.values(), *_from_file(named, flags.command, own, rest)]
    for setting in wanted:
        try:
            make(Strict).parse_args([flags.command, *setting.words])
        except Refused as error:
            raise UsageError(
                f"{setting.place}: {shlex.join(setting.words)}: {error}",
                why="it is set there, and no flag overrules it",
                attempt=f"netaudit {flags.command} --help, which says what the option takes",
            ) from error
    whole = [*words, *(word for setting in wanted for word in setting.words)]
    return make(argparse.ArgumentParser).parse_args(whole), whole


def misspelt(make: MakeParser, environ: Mapping[str, str]) -> tuple[str, ...]:
    """What to warn of, in sentences: variables that are no option's and nearly are, each with the one it is like.

    Variables of probe pods, of tests and of Kubernetes' service links are left alone.
    """
    ours = sorted(name for name, text in environ.items() if name.startswith(PREFIX) and not is_link(name, text))
    known = {variable(name).removeprefix(PREFIX) for options in options_of(make(Strict)).values() for name in options}
    found = []
    for name in (full.removeprefix(PREFIX) for full in ours):
        near = get_close_matches(name.upper(), sorted(known), 1, NEAR)
        if near and not (name in known or name in OTHERS or name.startswith(OTHERS_BEGIN)):
            found.append(f"{PREFIX}{name} does not count: no option has this variable\n  try: {PREFIX}{near[0]}")
    return tuple(found)


def is_link(name: str, text: str) -> bool:
    """Whether Kubernetes set a variable in a pod, because a Service there is called netaudit or netaudit-something.

    Source: Kubernetes documentation, "Service: Environment variables" (those of Docker's links).
    """
    return bool(_LINK.fullmatch(name) or (_LINKED_PORT.fullmatch(name) and _LINKED_TO.match(text)))


def options_of(parser: argparse.ArgumentParser) -> dict[str, dict[str, argparse.Action]]:
    """The options of each command by their long names without dashes; those that only print are left out."""
    actions = parser._actions  # noqa: SLF001 -- argparse tells nobody else what it was given
    commands = next(action for action in actions if isinstance(action, argparse._SubParsersAction))  # noqa: SLF001
    return {
        command: {
            name: action
            for action in sub._actions  # noqa: SLF001
            if (name := _name(action)) and name not in {"help", "version"}
        }
        for command, sub in commands.choices.items()
    }


def variable(name: str) -> str:
    """The variable of an option."""
    return PREFIX + name.upper().replace("-", "_")


def _name(action: argparse.Action) -> str:
    return next((text[2:] for text in action.option_strings if text.startswith("--")), "")


def _given(make: MakeParser, words: Sequence[str]) -> frozenset[str]:
    """The options that stand among the words."""
    parser = make(argparse.ArgumentParser)
    for options in options_of(parser).values():
        for action in options.values():
            action.default = argparse.SUPPRESS
    return frozenset(vars(parser.parse_args(words)))


def _from_environ(options: Mapping[str, argparse.Action], environ: Mapping[str, str]) -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    for name, action in options.items():
        text = environ.get(variable(name))
        if text is not None and name != CONFIG and not is_link(variable(name), text):
            found[name] = Setting(_words_of_text(name, action, text), variable(name))
    return found


def _words_of_text(name: str, action: argparse.Action, text: str) -> tuple[str, ...]:
    """The text of a variable as words; those that a flag may be given several times are parted as in a shell."""
    if action.nargs == 0:
        return _switch(name, action, on=_truth(text, variable(name)))
    if not _takes_many(action):
        return (f"--{name}={text}",)
    try:
        parts = shlex.split(text)
    except ValueError as error:
        why = f"{error}; several values are parted by spaces, as in a shell"
        raise UsageError(f"{variable(name)}: cannot read {text!r}", why=why, attempt="close the quotation") from error
    return _many(name, action, parts)


def _truth(text: str, place: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise UsageError(f"{place}: {text!r} is neither true nor false", why="it is a switch", attempt="true or false")


def _switch(name: str, action: argparse.Action, *, on: bool) -> tuple[str, ...]:
    # Where the default is not always off, the opposite has a word of its own.
    off = (f"--no-{name}",) if isinstance(action, argparse.BooleanOptionalAction) else ()
    return (f"--{name}",) if on else off


def _takes_many(action: argparse.Action) -> bool:
    return isinstance(action.default, list) or isinstance(action.nargs, int)


def _many(name: str, action: argparse.Action, parts: Sequence[str]) -> tuple[str, ...]:
    if isinstance(action.nargs, int):
        return (f"--{name}", *parts)
    return tuple(f"--{name}={part}" for part in parts)


def _from_file(
    named: str | None,
    command: str,
    own: Mapping[str, Mapping[str, argparse.Action]],
    options: Mapping[str, argparse.Action],
) -> Iterable[Setting]:
    """What the file sets of a command's options: in its own table, else at the top."""
    path = Path(named or FILE)
    if not named and not path.is_file():
        return ()
    page = _Page(str(path), _text(path), is_named=bool(named))
    page.check(own)
    return page.settings(command, options)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}", why=str(error), attempt="--config with a TOML file") from error


class _Page:
    """A file of settings whose lines are known."""

    def __init__(self, file: str, text: str, *, is_named: bool) -> None:
        self._file = file
        self._is_named = is_named
        try:
            self._value: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = _ERROR_AT.search(str(error))
            line = int(found[1]) if found else text.count("\n") + 1
            raise UsageError(
                f"{file}:{line}: this is not TOML", why=str(error), attempt='rate = 5, image = "busybox"'
            ) from error
        self._lines = dict(_lines(text))

    def check(self, own: Mapping[str, Mapping[str, argparse.Action]]) -> None:
        """Raise UsageError for a key that no command knows, whichever is run: it was meant to count."""
        everywhere = {name for options in own.values() for name in options} - {CONFIG}
        for key, value in self._value.items():
            if key in own and isinstance(value, dict):
                for name in value:
                    self._known(key, name, own[key].keys() - {CONFIG})
            else:
                self._known("", key, everywhere | own.keys())

    def _known(self, table: str, name: str, names: set[str]) -> None:
        where = f"netaudit {table}" if table else "any command"
        place = self._place(table, name)
        if name not in names:
            near = get_close_matches(name, names, 1)
            why = f"it is no option of {where}"
            raise UsageError(f"{place}: unknown key {name!r}", why=why, attempt=near[0] if near else "leave it out")
        if name not in HARMLESS and not self._is_named:
            why = "this file was found, not named, and may be anybody's: it has no say in what is run, made or written"
            raise UsageError(f"{place}: {name} is not taken from here", why=why, attempt=f"--config {self._file}")

    def settings(self, command: str, options: Mapping[str, argparse.Action]) -> Iterator[Setting]:
        """The settings of one command."""
        for name, action in options.items():
            for table in (command, ""):
                values = self._value.get(table, {}) if table else self._value
                if isinstance(values, dict) and name in values:
                    place = self._place(table, name)
                    yield Setting(_words_of_value(name, action, values[name], place), place)
                    break

    def _place(self, table: str, name: str) -> str:
        return f"{self._file}:{self._lines.get((table, name), 1)}"


def _words_of_value(name: str, action: argparse.Action, value: Any, place: str) -> tuple[str, ...]:
    if action.nargs == 0:
        if not isinstance(value, bool):
            why = "it is a switch"
            raise UsageError(f"{place}: {name} is neither true nor false", why=why, attempt=f"{name} = true")
        return _switch(name, action, on=value)
    values = value if isinstance(value, list) and _takes_many(action) else [value]
    if any(isinstance(item, bool) or not isinstance(item, str | int | float) for item in values):
        kind = "a list of texts" if _takes_many(action) else "a text or a number"
        raise UsageError(f"{place}: {name} takes {kind}", why="it is something else here", attempt=f'{name} = "..."')
    texts = [str(item) for item in values]
    return _many(name, action, texts) if _takes_many(action) else (f"--{name}={texts[0]}",)


_TABLE = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]")
_KEY = re.compile(r"\s*(?:([A-Za-z0-9_-]+)\s*\.\s*)?[\"']?([A-Za-z0-9_-]+)[\"']?\s*=")


def _lines(text: str) -> Iterator[tuple[tuple[str, str], int]]:
    """The line of each key by table and name; tomllib says nothing of lines."""
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        head, key = _TABLE.match(line), _KEY.match(line)
        if head:
            table = head[1]
            yield ("", table), number
        elif key:
            yield (key[1] or table, key[2]), number
