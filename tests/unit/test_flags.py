"""The command line into Options: defaults, units, bounds, and what is refused."""

from __future__ import annotations

import argparse

import pytest

from auditor.errors import UsageError
from auditor.flags import Output, build_parser, options_from, outputs_from, parse_selector
from auditor.model.finding import Severity
from auditor.model.options import Coverage, Mode, Options, Targets, Transport

FORMATS = ("table", "json", "html")


def parse(*words: str) -> argparse.Namespace:
    return build_parser(FORMATS, "1.2.3").parse_args(["run", *words])


def options(*words: str) -> Options:
    return options_from(parse(*words))


def test_defaults_of_the_command_are_those_of_options() -> None:
    """Nothing said means what the model calls its default."""
    assert options() == Options()


def test_everything_said() -> None:
    """Every flag has its place; namespaces are sorted, each once."""
    words = (
        "-n b -n a --namespace b -l app=web --image netshoot --agent python --max-pods 9 --max-flows 8 --rate 7 "
        "--budget 2m --settle 1.5 --start-timeout 1m --min-coverage 0.5 --fail-on low --coverage smoke --seed 3 "
        "--transport logs"
    )

    assert options(*words.split()) == Options(
        namespaces=("a", "b"),
        selector=parse_selector("app=web"),
        image="netshoot",
        agent="python",
        transport=Transport.LOGS,
        max_pods=9,
        max_flows=8,
        rate=7,
        budget=120,
        settle=1.5,
        start_timeout=60.0,
        min_coverage=0.5,
        fail_on=Severity.LOW,
        coverage=Coverage.SMOKE,
        seed=3,
    )


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0.0), ("45", 45.0), ("45s", 45.0), ("1.5m", 90.0), ("1h", 3600.0), ("0.1", 0.1)]
)
def test_seconds_have_units(text: str, seconds: float) -> None:
    """A number alone is seconds."""
    assert options("--settle", text).settle == seconds


@pytest.mark.parametrize(
    "words",
    [
        "--settle -1",
        "--settle 61m",
        "--settle nan",
        "--settle inf",
        "--settle soon",
        "--settle s",
        "--budget 89",
        "--budget 2h",
        "--max-pods 2",
        "--max-pods many",
        "--max-flows 0",
        "--rate 0",
        "--min-coverage 1.1",
        "--min-coverage -0.1",
        "--min-coverage nan",
        "--fail-on never",
        "--coverage everything",
        "--seed x",
        "--unknown",
        "positional",
    ],
)
def test_what_makes_no_sense_is_refused(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong value ends with exit code 2 and a sentence on stderr."""
    with pytest.raises(SystemExit) as stopped:
        parse(*words.replace(" -1", "=-1").replace(" -0.1", "=-0.1").split())

    assert stopped.value.code == 2
    assert "error" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        ("app=web", {"app": "web"}, {"app": "db"}),
        ("app==web", {"app": "web"}, {}),
        ("app!=web", {}, {"app": "web"}),
        ("app", {"app": ""}, {}),
        ("!app", {}, {"app": "web"}),
        ("app=web,tier!=test", {"app": "web"}, {"app": "web", "tier": "test"}),
        (" app=web , tier ", {"app": "web", "tier": "x"}, {"app": "web"}),
        ("app=", {"app": ""}, {"app": "web"}),
    ],
)
def test_selectors(text: str, matching: dict[str, str], other: dict[str, str]) -> None:
    """Selectors are written as kubectl takes them."""
    assert parse_selector(text).matches(matching)
    assert not parse_selector(text).matches(other)


@pytest.mark.parametrize(
    "text",
    [",", " ", "=a", "!", "!=b", "a===b", "a=b=c", "a!=b!=c", "a;b", "app in (a,b)", "app notin (a)", "app = web"],
)
def test_selectors_that_are_not_understood(text: str) -> None:
    """What would be misread is refused, with an example of what is understood."""
    with pytest.raises(UsageError) as refused:
        options("-l", text)

    assert refused.value.exit_code == 2
    assert "-l app=web" in refused.value.attempt


def test_outputs() -> None:
    """The table goes to stdout unless something else is asked for; files keep their equals signs."""
    assert outputs_from(parse(), FORMATS) == (Output("table", None),)
    assert outputs_from(parse("-o", "json=a=b.json", "-o", "html=r.html", "-o", "table"), FORMATS) == (
        Output("json", "a=b.json"),
        Output("html", "r.html"),
        Output("table", None),
    )


@pytest.mark.parametrize("text", ["pdf", "json=", "=file", "", "JSON"])
def test_outputs_that_are_not_understood(text: str) -> None:
    """An unknown format or a file without a name is a usage error."""
    with pytest.raises(UsageError):
        outputs_from(parse("-o", text), FORMATS)


def test_help_names_every_format_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """The help is where users learn what they may ask for."""
    with pytest.raises(SystemExit) as stopped:
        parse("--help")

    said = capsys.readouterr().out
    assert stopped.value.code == 0
    assert all(name in said for name in FORMATS)
    assert "3 findings" in said


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), ([], 2), (["audit"], 2)])
def test_whole_command(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The version is printed, and a command is needed."""
    with pytest.raises(SystemExit) as stopped:
        build_parser(FORMATS, "1.2.3").parse_args(words)

    assert stopped.value.code == code
    assert ("1.2.3" in capsys.readouterr().out) is (code == 0)


def test_cleanup() -> None:
    """Cleanup has its own two switches, off unless they are given."""
    parser = build_parser(FORMATS, "1.2.3")
    plain, both = parser.parse_args(["cleanup"]), parser.parse_args(["cleanup", "--force", "--dry-run"])

    assert (plain.command, plain.force, plain.dry_run) == ("cleanup", False, False)
    assert (both.force, both.dry_run) == (True, True)


def test_sentinel_mode_takes_no_scope() -> None:
    """It audits no workloads, so to choose some is a mistake rather than nothing."""
    assert options("--mode", "sentinel") == Options(mode=Mode.SENTINEL, coverage=Coverage.FULL, enforce_time=True)
    for words in (("-n", "shop"), ("-l", "app=web")):
        with pytest.raises(UsageError, match="audits no workloads"):
            options("--mode", "sentinel", *words)


def test_sentinel_mode_tries_all_that_it_plans() -> None:
    """Its report must not speak of a choice that was not made."""
    assert options("--mode", "sentinel", "--coverage", "smoke").coverage is Coverage.FULL


@pytest.mark.parametrize(
    ("words", "on"),
    [
        ("--mode sentinel", True),
        ("--mode sentinel --no-enforce-time", False),
        ("--mode clone", False),
        ("--mode clone --enforce-time", True),
    ],
)
def test_only_sentinel_mode_times_unasked(words: str, on: bool) -> None:
    assert options(*words.split()).enforce_time is on


def test_shadows_are_not_timed() -> None:
    with pytest.raises(UsageError, match="shadow does not time"):
        options("--mode", "shadow", "--enforce-time")


def test_sentinel_mode_takes_no_expectations() -> None:
    """Its probe pods stand for no workload, so that nothing would be told of one."""
    with pytest.raises(UsageError, match="nothing of --expect") as caught:
        options("--mode", "sentinel", "--expect", "a")

    assert caught.value.why
    assert caught.value.attempt


def test_files_of_expectations_are_only_named() -> None:
    """They are read by the command, so that options stay values."""
    assert parse("--expect", "a", "--expect", "b").expect == ["a", "b"]
    assert options("--expect", "a").expectations == ()


def test_strangers_are_named_and_ports_added_to_those_that_are_left_alone() -> None:
    chosen = options("--external", "203.0.113.7:443=deny", "--targets", "real", "--never-port", "6379")

    assert [item.title for item in chosen.externals] == ["203.0.113.7"]
    assert (chosen.targets, chosen.never_ports) == (Targets.REAL, (515, 3306, 6379, 9100))


@pytest.mark.parametrize("words", [("--external", "203.0.113.7:443=deny"), ("--targets", "real")])
def test_sentinel_mode_meets_no_strangers(words: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match=f"nothing of {words[0]}"):
        options("--mode", "sentinel", *words)


@pytest.mark.parametrize("word", ["0", "65536", "x"])
def test_port_that_is_none(word: str) -> None:
    with pytest.raises(SystemExit):
        options("--never-port", word)


def test_logs_time_nothing() -> None:
    with pytest.raises(UsageError, match="cannot time"):
        options("--transport", "logs", "--enforce-time")


def test_logs_ping_nobody() -> None:
    with pytest.raises(UsageError, match="cannot ping") as found:
        options("--transport", "logs", "--ping")

    assert found.value.why
    assert found.value.attempt
    assert not options("--transport", "logs", "--no-ping").ping


def test_icmp_is_tried_where_it_is_asked_for() -> None:
    assert not options().ping
    assert options("--ping").ping
    assert not options("--ping", "--no-ping").ping
    assert options("--mode", "sentinel", "--ping").ping
