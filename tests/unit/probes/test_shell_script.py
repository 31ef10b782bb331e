"""What the text of the shell agent must be like to survive its way into a pod."""

import re
import shutil
import subprocess

import pytest

from probes.agents import text_of

TEXT = text_of("shell")
CODE = "\n".join(line for line in TEXT.splitlines() if not line.lstrip().startswith("#"))


def test_the_kubelet_leaves_the_text_as_it_is() -> None:
    # In the value of an environment variable "$$" becomes "$", and "$(NAME)" the value of a variable that comes before.
    assert "$$" not in CODE
    names = set(re.findall(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)", CODE))
    assert not names


def test_the_text_is_small_and_plain() -> None:
    assert len(TEXT) < 32_768
    assert TEXT.isascii()
    assert "\r" not in TEXT


def test_no_file_is_written() -> None:
    targets = {target for target in re.findall(r"[0-9]?<?>+\s*([^\s;|)}]+)", CODE) if not target.startswith(("&", "'"))}
    assert targets <= {"/dev/null", "/proc/self/fd/0", '"/dev/tcp/$ip/$port"', '"/dev/udp/$ip/$port"', "<(:"}
    assert "<<" not in CODE  # some shells keep a here-document in a file


def test_nothing_but_its_own_words_is_evaluated() -> None:
    evaluated = re.findall(r"\beval\b.*", CODE)
    assert evaluated == ['eval "$speak"', 'eval "$hear"', "eval 'exec 6<> <(:)'"]


def test_the_text_is_clean_shell() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    subprocess.run(["shellcheck", "--shell=sh", "-"], input=TEXT, text=True, check=True)
