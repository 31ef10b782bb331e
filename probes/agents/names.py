"""What looks names up in a probe pod whose image has Python, one after the other: DNS apart from connecting.

The caller's lines are `netaudit/1 BATCH WINDOW COUNT SECONDS`, then `ID NAME a|aaaa SECONDS`, then `end COUNT`; what is
said back is a batch as agent.py says it, whose text is the addresses, or a word for why there are none.  A name is
NAME.NAMESPACE of a Service: the pod's own resolv.conf says which domain follows.  Nothing newer than Python 3.9.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import time

FAMILIES = {"a": socket.AF_INET, "aaaa": socket.AF_INET6}
MAX_SAID = 256
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,250}")
WORD = re.compile(r"[A-Za-z0-9._-]{1,64}")
SUFFIX = re.compile(r"svc\.[A-Za-z0-9.-]+")
# By number, since the library has no names for them; glibc's and musl's are the same.
WORDS = {-2: "EAI_NONAME", -3: "EAI_AGAIN", -4: "EAI_FAIL", -5: "EAI_NODATA"}


def own(name: str) -> str:
    """Give a word of the environment; "none" for what is no plain word."""
    word = os.environ.get("NETAUDIT_" + name, "")
    return word if WORD.fullmatch(word) else "none"


def domain(lines: list[str]) -> str:
    """Give what follows NAME.NAMESPACE: the word of the search list that begins with svc."""
    found = "svc"
    for line in lines:
        words = line.split()
        if words[:1] == ["search"]:
            found = next((word for word in words[1:] if SUFFIX.fullmatch(word)), found)
    return found


def resolve(name: str, family: socket.AddressFamily, found: list[str]) -> None:
    """Add the addresses of a name to what was found, or a word for why it has none."""
    try:
        answers = socket.getaddrinfo(name, None, family, socket.SOCK_STREAM)
    except socket.gaierror as error:
        found += ["", WORDS.get(error.errno or 0, "EAI_OTHER")]
        return
    found.append(" ".join(sorted({str(answer[4][0]) for answer in answers}))[:MAX_SAID])


def record(number: int, code: int, timed: int, took: int, said: str) -> str:
    """Write the record of one lookup with its checksum, as agent.py does for what has no connections."""
    total = 0
    for figure in (number, code + 256, 3 * timed + 2, took + 1, len(said)):
        total = (total * 31 + figure) % 9973
    return f'{{"i":{number},"rc":{code},"to":{timed},"ms":{took},"d":"{said}","s":{total}}}'


def look_up(line: str, suffix: str) -> str:
    """Carry out one line; raises ValueError for one that is malformed."""
    number, name, kind, seconds = line.split(" ")
    if not NAME.fullmatch(name) or kind not in FAMILIES or not 1 <= int(seconds) <= 60:  # noqa: PLR2004
        raise ValueError(line)
    found: list[str] = []
    began = time.monotonic()
    # The resolver has no time limit of ours, and a thread that is left behind ends with the program.
    thread = threading.Thread(target=resolve, args=(f"{name}.{suffix}.", FAMILIES[kind], found), daemon=True)
    thread.start()
    thread.join(int(seconds))
    took = round((time.monotonic() - began) * 1000)
    if not found:
        return record(int(number), 1, 1, took, "TIMEOUT")
    return record(int(number), 0 if found[0] else 1, 0, took, found[0] or found[1])


def main() -> int:
    """Carry out one batch; the exit code."""
    magic, batch, _, count, *_ = (sys.stdin.readline() + " - - - -").split()
    if magic != "netaudit/1" or not WORD.fullmatch(batch) or not re.fullmatch(r"[0-9]{1,3}", count):
        print('{"error":"the header is malformed"}', flush=True)
        return 2
    with open("/etc/resolv.conf", encoding="ascii", errors="replace") as file:  # noqa: PTH123
        suffix = domain(file.readlines())
    who = f'"run":"{own("RUN")}","batch":"{batch}","nonce":"{own("NONCE")}","client":"python","server":"none"'
    print(f'{{"netaudit":1,"agent":"python",{who},"n":{int(count)}}}', flush=True)
    done = 0
    while (line := sys.stdin.readline().rstrip("\n")) and not line.startswith("end "):
        try:
            print(look_up(line, suffix), flush=True)
            done += 1
        except ValueError:
            print('{"error":"a line is malformed"}', flush=True)
    print(f'{{"end":{done},"batch":"{batch}"}}', flush=True)
    # The caller leaves first: an exec that ends by itself may lose what was not read yet.
    sys.stdin.readline()
    return 0


if __name__ == "__main__":
    sys.exit(main())
