"""What keeps a machine from making a sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.errors import NetauditError
from probes.backends.netns.allowed import check_agent, check_programs, forbidden


def test_missing_programs_are_named_with_their_packages() -> None:
    with pytest.raises(NetauditError) as caught:
        check_programs(lambda name, path: None if name == "nft" else f"{path}/{name}")
    assert caught.value.why == "nft is not installed"
    assert caught.value.attempt.startswith("apt-get install nftables ")


def test_several_missing_programs_are_told_at_once() -> None:
    with pytest.raises(NetauditError) as caught:
        check_programs(lambda name, path: None)
    assert caught.value.why == "ip and nft are not installed"


def test_a_shell_agent_that_nothing_listens_for_is_told() -> None:
    with pytest.raises(NetauditError) as caught:
        check_agent("shell", lambda name, path: None)
    assert "socat" in caught.value.why
    assert caught.value.attempt.startswith("apt-get install socat ")


@pytest.mark.parametrize("tool", ["socat", "tcpsvd"])
def test_one_tool_to_listen_with_is_enough(tool: str) -> None:
    check_agent("shell", lambda name, path: f"/bin/{name}" if name == tool else None)


def test_netcat_must_be_busybox(tmp_path: Path) -> None:
    for program in ("busybox", "nc.openbsd"):
        (tmp_path / program).touch()
        (tmp_path / f"nc of {program}").symlink_to(program)
    check_agent("shell", lambda name, path: str(tmp_path / "nc of busybox") if name == "nc" else None)
    with pytest.raises(NetauditError):
        check_agent("shell", lambda name, path: str(tmp_path / "nc of nc.openbsd") if name == "nc" else None)


def test_the_python_agent_needs_nothing() -> None:
    check_agent("python", lambda name, path: None)


@pytest.mark.parametrize(
    ("setting", "value", "remedy"),
    [
        ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"),
        ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ],
)
def test_the_setting_that_forbids_it_is_named(tmp_path: Path, setting: str, value: str, remedy: str) -> None:
    file = tmp_path / setting
    file.parent.mkdir()
    file.write_text(f"{value}\n")
    assert remedy in forbidden(tmp_path)


def test_where_no_setting_forbids_it_a_container_may(tmp_path: Path) -> None:
    assert "in a container it needs the capability SYS_ADMIN" in forbidden(tmp_path)
