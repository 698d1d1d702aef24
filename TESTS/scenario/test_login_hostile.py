"""The talker of a login (mail/login.h) is an attacker's, who gains nothing.

TESTS/login/hostile.c is a monitor with such a talker.  Each attack is also made
with nothing given up, where it must win: else the test would show nothing.
"""

import ctypes
import os
import re
import signal
import socket
import subprocess
import time

import pytest
from conftest import HOME, Site
from names import inside

REPO = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
GCC = ("gcc -std=c17 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -fPIE "
       f"-static-pie -DHOME_DIR='\"{HOME}\"' -I/src")
BUILDS = {
    "hostile": "",
    "hostile-calls": "-DNO_CALLS -Wl,--wrap=sandbox_calls",
    "hostile-open": "-DOPEN -Wl,--wrap=login_confine",
    "hostile-ghost": "-DUNWIPED -Wl,--wrap=explicit_bzero,"
                     "--wrap=__explicit_bzero_chk",
}
# Notes each question; lets in who says "right", as a user of the system.
CHECKPW = """#!/bin/sh
cat <&3 >/run/now
od -An -v -tx1 /run/now | tr -d ' \\n' >>/run/given
echo >>/run/given
case $(tr '\\0' ' ' </run/now) in
*" right "*) exec setuidgid %s sh -c 'printf x >&4
	echo "in as $(id -un) tag=$LOGINTAG"';;
*" trouble "*) exit 111;;
esac
exit 1
"""
GOOD = b"jo\0right\0\0"
BAD = b"jo\0wrong\0\0"


def landlock():
    """The kernel's version of it; 0: none."""
    return max(0, ctypes.CDLL(None).syscall(444, None, 0, 1))


class Lab:
    def __init__(self):
        self.site = Site()
        self.h = self.site.h
        self.user = self.site.new_user()
        for name, more in BUILDS.items():
            self.h.run(f"{GCC} {more} -o /run/{name} "
                       "/src/TESTS/login/hostile.c /src/build/libvalija.a")
        self.h.write("/run/checkpw", CHECKPW % self.user, mode=0o755)
        self.h.write("/run/dead", "")
        self.talker = self.h.user("qmaild")

    def start(self, case, build="hostile", tls="/nonexistent"):
        """The monitor, and the client's end of its connection."""
        self.h.write("/run/given", "")
        ours, theirs = socket.socketpair()
        ours.settimeout(60)
        log = self.h.open("/run/log", "wb")
        p = self.h.popen(
            [f"/run/{build}", case, tls, "/run/checkpw"], stdin=theirs,
            stdout=theirs, stderr=log, cwd="/run",
            env={"PATH": "/usr/local/bin:/usr/bin:/bin",
                 "TALKER_UID": str(self.talker.pw_uid),
                 "TALKER_GID": str(self.talker.pw_gid)})
        theirs.close()
        log.close()
        return p, ours

    def end(self, p, sock):
        """(exit code, what the client was told, log, packets checked)"""
        out = b""
        with sock:
            try:
                while data := sock.recv(65536):
                    out += data
            except ConnectionResetError:
                pass
        code = p.wait(60)
        for name in BUILDS:
            assert not self.h.running(name), "a process was left behind"
        given = [bytes.fromhex(line)
                 for line in self.h.read("/run/given").split()]
        return code, out, self.h.read("/run/log"), given

    def run(self, case, send=b"", **kw):
        p, sock = self.start(case, **kw)
        if send:
            sock.sendall(send)
        return self.end(p, sock)


@pytest.fixture(scope="module")
def lab():
    lab = Lab()
    yield lab
    lab.site.close()


# ---- what it says ----

def test_good(lab):
    """What a talker may do, seen with the eyes of the tests below."""
    in_as = f"in as {lab.user} tag="
    assert lab.run("good") == (0, f"{in_as}\n".encode(), "", [GOOD])
    assert lab.run("tag_good") == (0, f"{in_as}A1\n".encode(), "", [GOOD])


@pytest.mark.parametrize("case", [
    "too_long", "long_user", "pipe_full", "no_nul", "one_field", "two_fields",
    "four_fields", "no_last_nul", "empty_user", "control_user", "escape_user",
    "tag_crlf", "tag_space", "tag_8bit", "tag_none", "tag_long",
    "two_packets", "right_and_wrong", "empty", "starttls_packet"])
def test_packet(lab, case):
    code, out, log, given = lab.run(case)
    assert (code, out, given) == (111, b"", [])
    assert re.fullmatch(r"hostile: warning: talker said nonsense pid=\d+\n",
                        log)


@pytest.mark.parametrize("case", ["endless", "stays", "spins"])
def test_does_not_end(lab, case):
    """A packet counts when its writer is gone; who does not go is killed."""
    start = time.monotonic()
    assert lab.run(case) == (0, b"", "", [])
    assert time.monotonic() - start >= 3


def test_crash(lab):
    code, out, log, given = lab.run("crashes")
    assert (code, out, given) == (111, b"", [])
    assert "talker ended: signal " in log


def test_exit_codes(lab):
    """Of all ways to end with a good packet, one asks."""
    for n in range(256):
        code, out, log, given = lab.run(f"ends:{n}")
        if n == 10:
            assert (code, given, log) == (0, [GOOD], "")
            continue
        assert (out, given) == (b"", []), n
        assert code == (0 if n == 0 else 111), n
        if n == 11:
            assert "nonsense" in log
        elif n != 0:
            assert f"talker ended: exit code {n} " in log


# ---- how often ----

def test_starttls_for_ever(lab):
    """There is one "no TLS" and one handshake, and no passwords or bytes from
    before it."""
    code, out, log, given = lab.run("starttls", tls="/run/dead")
    assert (code, out, given) == (111, b"talker\n" * 2, [])
    assert "unable to reach tlsd on /run/dead" in log
    assert "talker said nonsense" in log
    code, out, log, given = lab.run("starttls")
    assert (code, out, given) == (111, b"talker\n", [])

    p, sock = lab.start("starttls", tls=f"{HOME}/run/tls")
    while b"go ahead\n" not in (head := sock.recv(100, socket.MSG_PEEK)):
        assert b"talker\ngo ahead\n".startswith(head) and head
    sock.sendall(b"USER jo\r\nPASS right\r\n")
    code, out, log, given = lab.end(p, sock)
    assert (code, given) == (0, [])
    assert out.startswith(b"talker\ngo ahead\n") and out.count(b"talker") == 1
    assert "no TLS: " in log

    code, out, log, given = lab.run("starttls", tls=f"{HOME}/run/tls",
                                    send=b"USER jo\r\nPASS right\r\n")
    assert (code, out, given) == (0, b"talker\n", [])
    assert "no TLS: the client sent more before it" in log


@pytest.mark.parametrize("case, packet, code", [
    ("guesses", BAD, 77), ("unknowns", b"jo\0trouble\0\0", 111)])
def test_tries_for_ever(lab, case, packet, code):
    """Three attempts, each with its wait, however the talker hurries."""
    start = time.monotonic()
    got, out, log, given = lab.run(case)
    assert time.monotonic() - start >= 0.1 + 0.2 + 0.4
    assert (got, out, given) == (code, b"talker\n" * 4, [packet] * 3)
    assert "talker said nonsense" in log


# ---- what it reaches ----

# case: what it wins with nothing given up; True: one of the calls that a talker
# has not got
ATTACKS = {
    "files": (["/etc/passwd", "/proc/1/environ", "/proc/self/maps", "/",
               "/tmp/new"], True),
    "root": (["a directory", "a mount", "another root"], True),
    "user": (["uid 0", "groups"], True),
    "sockets": ([f"{HOME}/run/queue", f"{HOME}/run/auth", f"{HOME}/run/tls"],
                True),
    "tcp": (["port 25", "port 1999"], True),
    "passes": (["the pipe elsewhere"], True),
    "signals": (["a signal to the monitor"], True),
    "signals_all": (["a signal to others"], True),
    "traces": (["the monitor's memory", "a trace of the monitor"], True),
    "forks": (["a child"], True),
    "executes": (["a shell"], True),
    "descriptors": (["descriptor"], False),
    "memory": (["64 MiB"], False),
}


@pytest.mark.parametrize("case", ATTACKS)
def test_attack(lab, case):
    wins, is_call = ATTACKS[case]
    _, out, _, given = lab.run(case, build="hostile-open")
    for what in wins:
        assert b"won " + what.encode() in out, "the attack itself is broken"
    code, out, log, given = lab.run(case)
    assert (out, given) == (b"", [])
    if is_call:
        assert code == 111 and "talker ended: signal 31 " in log
    else:
        assert code == 0 and log == ""


@pytest.mark.parametrize("case", [c for c in ATTACKS if c != "passes"])
def test_attack_without_calls(lab, case):
    """The other walls hold without the list of system calls (which alone keeps
    a talker from giving its pipe to the client)."""
    if case == "tcp" and landlock() < 4 or \
            case == "signals_all" and landlock() < 6:
        pytest.skip("this kernel's Landlock has no such rule")
    assert lab.run(case, build="hostile-calls") == (0, b"", "", [])


def test_log(lab):
    """What it writes to descriptor 2 is not in the log."""
    assert "forged" in lab.run("forges", build="hostile-open")[2]
    assert lab.run("forges") == (0, b"", "", [])


def test_no_secret_left(lab):
    """A talker is a copy of the monitor, which has forgotten the attempt
    before."""
    packet = b"jo\0" + 400 * b"x" + b"sEkrEt09\0\0"
    _, out, _, given = lab.run("ghosts", build="hostile-ghost")
    for where in (b"in the heap", b"on the stack"):
        assert b"won a secret " + where in out, "the search itself is broken"
    code, out, log, given = lab.run("ghosts")
    assert (code, out, given) == (77, b"looked\n", [packet])
    assert "sEkrEt09" not in log


# ---- what it is, seen from outside ----

def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(re.findall(r"(?m)^(\w+):\s*(.*?)\s*$", f.read()))


def limits(pid):
    """name: soft and hard limit, of those that are not unlimited"""
    with open(f"/proc/{pid}/limits") as f:
        return {m[0]: (m[1], m[2]) for m in re.findall(
            r"(?m)^(Max .*?)  +(\d+) +(\d+)", f.read())}


def halves(lab, comm):
    """(monitor, talker) as soon as both are there and the latter is ready."""
    def look():
        pids = [(p, status(p)) for p in lab.h.running(comm)]
        talkers = [p for p, s in pids if s["Seccomp"] == "2"]
        monitors = [p for p, s in pids
                    if any(status(t)["PPid"] == str(p) for t in talkers)]
        return monitors + talkers if len(talkers) == 1 else None
    return lab.h.wait(look, "a talker")


def is_confined(lab, talker):
    s = status(talker)
    uid, gid = str(lab.talker.pw_uid), str(lab.talker.pw_gid)
    assert s["Uid"].split() == [uid] * 4
    assert s["Gid"].split() == [gid] * 4
    assert s["Groups"] == gid
    assert s["NoNewPrivs"] == "1"
    assert s["Seccomp"] == "2"
    for caps in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(s[caps], 16) == 0, caps
    for where in ("root", "cwd"):
        assert os.path.samefile(f"/proc/{talker}/{where}",
                                f"/proc/{lab.h.pid}/root{HOME}/tls/empty")
    assert os.listdir(f"/proc/{talker}/root") == []
    fds = {fd: os.readlink(f"/proc/{talker}/fd/{fd}")
           for fd in os.listdir(f"/proc/{talker}/fd")}
    assert sorted(fds) == ["0", "1", "2", "3"]
    assert fds["0"].startswith("socket:") and fds["0"] == fds["1"]
    assert fds["2"] == "/dev/null"
    assert fds["3"].startswith("pipe:")
    lim = limits(talker)
    assert lim["Max open files"] == ("4", "4")
    assert lim["Max processes"] == ("0", "0")
    assert lim["Max file size"] == ("0", "0")
    assert lim["Max core file size"] == ("0", "0")
    assert lim["Max cpu time"] == ("10", "10")
    assert lim["Max address space"] == (str(16 << 20),) * 2
    # Not to be traced by others of its user: its files are root's.
    assert os.stat(f"/proc/{talker}/status").st_uid == 0


def test_confined(lab):
    p, sock = lab.start("waits")
    assert sock.recv(100) == b"waiting\n"
    monitor, talker = halves(lab, "hostile")
    is_confined(lab, talker)
    s = status(monitor)
    assert s["Uid"].split() == ["0"] * 4
    assert s["NoNewPrivs"] == "1"
    sock.sendall(b"x\r\n")
    sock.shutdown(socket.SHUT_WR)
    assert lab.end(p, sock) == (0, b"", "", [])


def test_dies_with_the_monitor(lab):
    p, sock = lab.start("waits")
    assert sock.recv(100) == b"waiting\n"
    monitor, talker = halves(lab, "hostile")
    os.kill(monitor, signal.SIGKILL)
    lab.h.wait(lambda: not lab.h.running("hostile"), "the talker's end")
    assert sock.recv(100) == b""
    sock.close()
    p.wait(60)


def test_confined_in_service(lab):
    """The same for qmail-popup as it is installed, with a client."""
    lab.h.wait(lambda: lab.h.exists("/service/pop3") and lab.h.run(
        "svstat /service/pop3").stdout.count(" up "), "the service")
    sock = lab.h.wait(lambda: connect(lab), "port 110")
    assert sock.recv(1000).startswith(b"+OK")
    _, talker = halves(lab, "qmail-popup")
    is_confined(lab, talker)
    sock.sendall(b"QUIT\r\n")
    assert sock.recv(1000).startswith(b"+OK")
    assert sock.recv(1000) == b""
    sock.close()


def connect(lab):
    try:
        return inside(lab.h, lambda: socket.create_connection(
            ("127.0.0.1", 110), 60))
    except OSError:
        return None
