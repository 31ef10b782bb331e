"""Options from variables and from netaudit.toml: every option of every command, which one wins, and what is refused."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from auditor.cli import main
from auditor.errors import UsageError
from auditor.flags import RUN_FORMATS, build_parser
from auditor.settings import OTHERS, PREFIX, Refused, Strict, is_link, misspelt, options_of, parse, variable
from probes import placement

MAKE = partial(build_parser, RUN_FORMATS, "1.2.3")
OPTIONS = options_of(MAKE())
EVERY = [(command, name) for command, options in OPTIONS.items() for name in options if name != "config"]
NUMBERS = {
    "rate": ("7", "8"),
    "budget": ("200", "300"),
    "settle": ("1.5", "2.5"),
    "start-timeout": ("10", "20"),
    "min-coverage": ("0.5", "0.25"),
    "max-pods": ("9", "10"),
    "max-flows": ("8", "7"),
    "seed": ("7", "8"),
    "never-port": ("70", "80"),
}
"""Two values of each option that takes a number; none is the default."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def values(command: str, name: str) -> tuple[str, str]:
    """Two texts that an option takes."""
    action = OPTIONS[command][name]
    if action.choices:
        first, *_, last = list(action.choices)
        return (str(last), str(first)) if last != action.default else (str(first), str(last))
    if action.nargs == 0:
        return "true", "false"
    return NUMBERS.get(name, ("one", "two"))


def is_switch(command: str, name: str) -> bool:
    return OPTIONS[command][name].nargs == 0


def takes_many(command: str, name: str) -> bool:
    return isinstance(OPTIONS[command][name].default, list) or OPTIONS[command][name].nargs == 2


def as_words(command: str, name: str, text: str) -> list[str]:
    if isinstance(OPTIONS[command][name], argparse.BooleanOptionalAction):
        return [f"--{name}" if text == "true" else f"--no-{name}"]
    if is_switch(command, name):
        return [f"--{name}"] * (text == "true")
    return [f"--{name}", text] + [text] * (OPTIONS[command][name].nargs == 2)


def as_variable(command: str, name: str, text: str) -> dict[str, str]:
    return {variable(name): f"{text} {text}" if OPTIONS[command][name].nargs == 2 else text}


def as_file(command: str, name: str, text: str) -> str:
    if is_switch(command, name):
        return f"{name} = {text}\n"
    if takes_many(command, name):
        return f"{name} = {[text] * (2 if OPTIONS[command][name].nargs == 2 else 1)!r}\n"
    return f"{name} = {text if name in NUMBERS else repr(text)}\n"


def asked(*words: str, environ: Mapping[str, str] | None = None, file: str = "") -> dict[str, Any]:
    """What the flags come to, with a file that is named: one that is found may not set everything."""
    Path("named.toml").write_text(file)
    flags, _ = parse([*words, "--config", "named.toml"], MAKE, environ or {})
    return vars(flags)


def refused(*words: str, environ: Mapping[str, str] | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse(words, MAKE, environ or {})
    return caught.value


def test_there_are_options() -> None:
    assert {"run", "predict", "explain", "cleanup"} <= OPTIONS.keys()
    assert {("run", "fail-on"), ("predict", "from"), ("explain", "batch"), ("cleanup", "force")} <= set(EVERY)


@pytest.mark.parametrize(("command", "name"), EVERY)
def test_option_means_the_same_wherever_it_is_set(command: str, name: str) -> None:
    """As a flag, as a variable, at the top of the file and in the command's table."""
    text, _ = values(command, name)

    flag = asked(command, *as_words(command, name, text))

    assert flag != asked(command)
    assert flag == asked(command, environ=as_variable(command, name, text))
    assert flag == asked(command, file=as_file(command, name, text))
    assert flag == asked(command, file=f"[{command}]\n{as_file(command, name, text)}")


@pytest.mark.parametrize(("command", "name"), EVERY)
def test_flag_wins_over_variable_and_variable_over_file(command: str, name: str) -> None:
    """Lists too: they are not put together.  A switch can be put on by a flag, and off by a variable."""
    first, second = values(command, name)
    one, other = asked(command, *as_words(command, name, first)), asked(command, *as_words(command, name, second))

    by_variable = asked(command, environ=as_variable(command, name, second), file=as_file(command, name, first))
    by_flag = asked(
        command,
        *as_words(command, name, first),
        environ=as_variable(command, name, second),
        file=as_file(command, name, second),
    )

    assert one != other
    assert by_variable == other
    assert by_flag == one


@pytest.mark.parametrize(("command", "name"), EVERY)
def test_own_table_wins_over_the_top_of_the_file(command: str, name: str) -> None:
    first, second = values(command, name)
    file = f"{as_file(command, name, first)}[{command}]\n{as_file(command, name, second)}"

    assert asked(command, file=file) == asked(command, *as_words(command, name, second))


CHECKED = [(command, name) for command, name in EVERY if name in NUMBERS or OPTIONS[command][name].choices]


@pytest.mark.parametrize(("command", "name"), CHECKED)
def test_bad_value_is_told_with_its_place(command: str, name: str) -> None:
    """The variable, or file and line; a flag that overrules it makes it harmless."""
    text, _ = values(command, name)
    Path("netaudit.toml").write_text(f"# a comment\n\n{name} = 'x'\n")

    by_file = refused(command, "--config", "netaudit.toml")
    by_variable = refused(command, "--config", "netaudit.toml", environ={variable(name): "x"})

    assert by_file.what.startswith(f"netaudit.toml:3: --{name}=x: ")
    assert by_variable.what.startswith(f"{variable(name)}: --{name}=x: ")
    assert by_file.exit_code == 2
    assert vars(parse([command, *as_words(command, name, text), "--config", "netaudit.toml"], MAKE, {})[0])


@pytest.mark.parametrize(("command", "name"), [item for item in EVERY if is_switch(*item)])
def test_switch_is_true_or_false(command: str, name: str) -> None:
    """A flag makes what is set elsewhere harmless."""
    Path("netaudit.toml").write_text(f"[{command}]\n{name} = 'x'\n")

    by_file = refused(command, "--config", "netaudit.toml")
    assert by_file.what == f"netaudit.toml:2: {name} is neither true nor false"
    assert refused(command, environ={variable(name): "x"}).what == f"{variable(name)}: 'x' is neither true nor false"
    words = [command, f"--{name}", "--config", "netaudit.toml"]
    assert vars(parse(words, MAKE, {variable(name): "x"})[0])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("rate = 5\nrat = 6\n", "netaudit.toml:2: unknown key 'rat'"),
        ("[run]\nforce = true\n", "netaudit.toml:2: unknown key 'force'"),
        ("[runs]\nrate = 1\n", "netaudit.toml:1: unknown key 'runs'"),
        ("rate = \n", "netaudit.toml:1: this is not TOML"),
        ("rate = [1]\n", "netaudit.toml:1: rate takes a text or a number"),
        ("seed = 1979-05-27\n", "netaudit.toml:1: seed takes a text or a number"),
        ("namespace = [true]\n", "netaudit.toml:1: namespace takes a list of texts"),
        ("config = 'x'\n", "netaudit.toml:1: unknown key 'config'"),
        ("\nkubeconfig = 'x'\n", "netaudit.toml:2: kubeconfig is not taken from here"),
        ("run.kubeconfig = 'x'\n", "netaudit.toml:1: kubeconfig is not taken from here"),
    ],
)
def test_mistake_in_the_file(text: str, what: str) -> None:
    Path("netaudit.toml").write_text(text)

    error = refused("run")

    assert error.what.startswith(what)
    assert error.why
    assert error.attempt


@pytest.mark.parametrize(
    "name", ["image", "agent", "allow", "context", "output", "max-pods", "journal", "resume", "expect"]
)
def test_what_is_run_made_and_written_is_not_for_a_file_that_was_only_found(name: str) -> None:
    """Whoever goes into somebody's repository and asks for an audit has not read its netaudit.toml."""
    text = as_file("run", name, values("run", name)[0])
    Path("netaudit.toml").write_text(text)

    assert refused("run").what == f"netaudit.toml:1: {name} is not taken from here"
    assert refused("run").attempt == "--config netaudit.toml"
    assert vars(parse(["run", "--config", "netaudit.toml"], MAKE, {})[0]) == asked("run", file=text) | {
        "config": "netaudit.toml"
    }


def test_a_found_file_of_harmless_options_counts() -> None:
    Path("netaudit.toml").write_text('fail-on = "medium"\n[run]\nnamespace = ["shop"]\n')

    flags, _ = parse(["run"], MAKE, {})

    assert flags.namespace == ["shop"]


def test_key_of_another_command_is_known_and_does_not_count() -> None:
    """One file serves all commands."""
    assert asked("run", file="force = true\n[cleanup]\nrate = 3\n") == asked("run")


def test_file_may_be_named_by_variable_and_must_be_there() -> None:
    Path("mine.toml").write_text("rate = 3\nkubeconfig = 'k'\n")

    flags, words = parse(["run"], MAKE, {"NETAUDIT_CONFIG": "mine.toml"})

    assert (flags.rate, flags.kubeconfig) == (3, "k")
    assert ["run", "--kubeconfig=k", "--rate=3"] == words
    assert refused("run", "--config", "none.toml").what == "cannot read none.toml"


def test_several_values_in_a_variable_are_parted_as_in_a_shell() -> None:
    flags, _ = parse(["run"], MAKE, {"NETAUDIT_OUTPUT": "table 'html=my report.html'"})

    assert flags.output == ["table", "html=my report.html"]
    assert refused("run", environ={"NETAUDIT_OUTPUT": "'a"}).what == 'NETAUDIT_OUTPUT: cannot read "\'a"'


LINKS = {
    "NETAUDIT_SERVICE_HOST": "10.0.0.1",
    "NETAUDIT_SERVICE_PORT": "80",
    "NETAUDIT_SERVICE_PORT_HTTP": "80",
    "NETAUDIT_PORT": "tcp://10.0.0.1:80",
    "NETAUDIT_PORT_80_TCP": "tcp://10.0.0.1:80",
    "NETAUDIT_PORT_80_TCP_PROTO": "tcp",
    "NETAUDIT_PORT_80_TCP_PORT": "80",
    "NETAUDIT_PORT_80_TCP_ADDR": "10.0.0.1",
    "NETAUDIT_PORT_53_UDP": "udp://10.0.0.1:53",
    "NETAUDIT_PORT_9_SCTP_ADDR": "10.0.0.1",
    "NETAUDIT_X_PORT": "tcp://10.0.0.2:80",
    "NETAUDIT_X_SERVICE_HOST": "10.0.0.2",
}
"""What Kubernetes sets in pods beside Services called netaudit and netaudit-x."""


@pytest.mark.parametrize("command", OPTIONS)
def test_variables_of_a_service_of_that_name_are_none_of_ours(command: str) -> None:
    """`netaudit predict` has a --port, which a Service must not set."""
    assert parse([command], MAKE, {}) == parse([command], MAKE, LINKS)
    assert misspelt(MAKE, LINKS) == ()


@pytest.mark.parametrize("name", LINKS)
def test_most_of_them_are_known_by_name_and_two_by_their_address(name: str) -> None:
    """`NETAUDIT_PORT` is an option's as well."""
    assert is_link(name, LINKS[name])
    assert is_link(name, "80") is (name not in {"NETAUDIT_PORT", "NETAUDIT_X_PORT"})


def test_port_that_a_user_sets_counts() -> None:
    assert parse(["predict"], MAKE, {"NETAUDIT_PORT": "80 53/UDP"})[0].port == ["80", "53/UDP"]


def test_no_option_has_a_variable_of_a_service() -> None:
    """Or it could not be set by its variable."""
    assert not [name for _, name in EVERY if is_link(variable(name), "x")]


@pytest.mark.parametrize(
    ("stray", "meant"),
    [
        ("COVRAGE", "COVERAGE"),
        ("SEDE", "SEED"),
        ("MOED", "MODE"),
        ("FAILON", "FAIL_ON"),
        ("NAMESPACES", "NAMESPACE"),
        ("EXPECTED", "EXPECT"),
        ("MAX_POD", "MAX_PODS"),
        ("CONFG", "CONFIG"),
        ("rate", "RATE"),
    ],
)
def test_variable_that_is_nearly_an_option_is_warned_about(stray: str, meant: str) -> None:
    """Its value is not said: it may be anything."""
    (said,) = misspelt(MAKE, {f"NETAUDIT_{stray}": "secret", "PATH": "/bin", variable("rate"): "5"})

    assert said == f"NETAUDIT_{stray} does not count: no option has this variable\n  try: NETAUDIT_{meant}"


@pytest.mark.parametrize("name", [*sorted(OTHERS), "TEST_KUBECONFIG", "TEST_MODE", "SOMETHING_ELSE", "", "CACHE"])
def test_other_variables_are_not(name: str) -> None:
    assert misspelt(MAKE, {f"NETAUDIT_{name}": "x"}) == ()


@pytest.mark.parametrize(("command", "name"), EVERY)
def test_variables_of_options_are_not(command: str, name: str) -> None:
    """Whichever command is run: one environment serves all."""
    assert misspelt(MAKE, {variable(name): command}) == ()


def test_variables_of_probe_pods_are_known() -> None:
    source = Path(placement.__file__).read_text(encoding="utf-8")
    used = set(re.findall(rf"{PREFIX}(\w+)", source))

    assert used
    assert used <= OTHERS


def test_strict_parser_raises_what_others_print() -> None:
    with pytest.raises(Refused, match="invalid"):
        parse_strictly("--rate", "x")


def parse_strictly(*words: str) -> argparse.Namespace:

    return MAKE(Strict).parse_args(["run", *words])


def test_error_ends_the_command_with_2(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETAUDIT_RATE", "fast")

    code = main(["cleanup"])

    assert code == 2
    assert capsys.readouterr().err.startswith("error: NETAUDIT_RATE: --rate=fast: ")


def test_warning_goes_to_stderr_and_the_command_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETAUDIT_FAILON", "high")

    code = main(["predict", "-f", "nowhere", "-q"])

    said = capsys.readouterr()
    assert said.err.startswith(
        "warning: NETAUDIT_FAILON does not count: no option has this variable\n  try: NETAUDIT_FAIL_ON\nerror: "
    )
    assert (code, said.out) == (2, "")


@pytest.mark.parametrize("command", ["", *OPTIONS])
def test_help_says_so(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit):
        parse([*([command] if command else []), "--help"], MAKE, {})

    said = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "NETAUDIT_FAIL_ON=medium" in said
    assert "A flag wins over the variable, the variable over the file, the file over the default." in said
