"""The dialogues of TESTS/pop3d with the installed qmail-popup, and what no
text file can say: challenges, waiting, other ways to start it."""

import glob
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

POP3D = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(
    __file__))), "pop3d")
sys.path.insert(0, POP3D)
import dialogue  # noqa: E402
from popups import BIN, CONTROL, Server  # noqa: E402


@pytest.fixture(scope="module")
def server():
    s = Server()
    yield s
    s.close()


DIALOGUES = [pytest.param(steps, id=f"{os.path.basename(path)[6:-4]}-{name}")
             for path in sorted(glob.glob(POP3D + "/popup-*.txt"))
             for name, steps in dialogue.load(path)]


@pytest.mark.parametrize("steps", DIALOGUES)
def test_dialogue(server, steps):
    server.run(steps)


# What no text file can say.

def lines(wire, n=1):
    return [wire.line().decode("latin-1") for _ in range(n)]


def step(op, rest):
    return (0, op, rest)


def stamp_of(server, *more):
    got = []

    def client(_, wire, settle):
        got.append(lines(wire)[0])
    server.run([step("env", "APOP=1"), *more], client)
    return got[0]


def test_stamp_is_another_one_each_time(server):
    seen = [stamp_of(server) for _ in range(3)]
    for s in seen:
        m = re.match(r"\+OK <(\d+)\.(\d+)\.(\d+)@mx\.valija\.test>$", s)
        assert m, s
        assert abs(int(m.group(2)) - time.time()) < 60
    assert len({s.split(".")[2] for s in seen}) == 3


def test_stamp_with_a_host_that_is_none(server):
    got = stamp_of(server, step("arg", "mx>@\\x"), step("arg", "/run/checkpw"),
                   step("arg", "/run/mailbox"))
    assert got.endswith("@mx___x>"), got


def apop(server, secret, more=()):
    said = []

    def client(_, wire, settle):
        stamp = lines(wire)[0].split(" ")[1]
        digest = hashlib.md5((stamp + secret).encode()).hexdigest()
        wire.send(f"APOP ana {digest}\r\nQUIT\r\n".encode())
        said.extend([stamp, digest, *lines(wire, 2)])
        wire.eof()
    server.run([step("env", "APOP=1"), *more], client)
    return said


def test_apop(server):
    """Without TLS: no password is sent."""
    stamp, digest, *said = apop(server, "secret")
    assert said == ["+OK mailbox of ana tls=", "+OK QUIT"]
    assert server.asked("last") == f"ana\0{digest}\0{stamp}\0"


def test_apop_wrong(server):
    *_, answer, bye = apop(server, "guess")
    assert answer.startswith("-ERR [AUTH] ")
    assert bye.startswith("+OK")


def test_pass_where_apop_is_offered(server):
    server.run([step("env", "APOP=1"), step("env", "PLAINTEXTAUTH=1"),
                step("S:", "+OK <"), step("C:", "USER ana"),
                step("C:", "PASS secret"), step("S:", "+OK"),
                step("S:", "+OK mailbox of ana")])
    assert server.asked("last").startswith("ana\0secret\0<")


def test_wrong_passwords_wait(server):
    """Two seconds, then twice as long."""
    took = []

    def client(_, wire, settle):
        lines(wire)
        for _ in range(2):
            begun = time.monotonic()
            wire.send(b"USER ana\r\nPASS no\r\n")
            ok, no = lines(wire, 2)
            assert ok.startswith("+OK") and no.startswith("-ERR [AUTH] ")
            took.append(time.monotonic() - begun)
    server.run([step("env", "PLAINTEXTAUTH=1")], client)
    assert took[0] >= 2 and took[1] >= 4, took


def test_answers_share_a_segment(server):
    """Commands that come together are answered together."""
    def client(_, wire, settle):
        lines(wire)
        wire.sock.setblocking(True)
        wire.sock.sendall(b"CAPA\r\nUTF8\r\nUSER ana\r\n")
        got = wire.sock.recv(65536)
        assert got.count(b"+OK") == 3 and got.endswith(b"+OK PASS?\r\n"), got
    server.run([step("env", "PLAINTEXTAUTH=1")], client)


def test_not_as_root(server):
    """Where nobody needs to become another user: the talkers cannot, but the
    protocol is the same."""
    server.h.run("useradd -M popper 2>/dev/null || id popper")
    server.run([step("env", "PLAINTEXTAUTH=1"), step("S:", "+OK"),
                step("C:", "USER ana"), step("C:", "PASS no"),
                step("C:", "USER ana"), step("C:", "PASS secret"),
                step("S:", "+OK"), step("S:", "-ERR [AUTH] "),
                step("S:", "+OK"), step("S:", "+OK mailbox of ana"),
                step("C:", "QUIT"), step("S:", "+OK QUIT"), step("S.", "")],
               user="popper")


def test_inetd(server):
    """Its log is the client: then there is none, and no environment."""
    server.prepare([step("control", "plaintextauth: 1")])
    ours, theirs = socket.socketpair()
    child = server.h.popen([f"{BIN}/qmail-popup", "mx.valija.test",
                            "/run/checkpw", "/run/mailbox"], env={}, cwd="/",
                           stdin=theirs, stdout=theirs, stderr=theirs)
    theirs.close()
    wire = dialogue.Wire(ours)
    wire.send(b"USER down\r\nPASS x\r\nUSER ana\r\nPASS secret\r\nQUIT\r\n")
    got = lines(wire, 6)
    assert [x.split(" ")[:2] for x in got[:4]] == [
        ["+OK", "valija"], ["+OK", "PASS?"], ["-ERR", "[SYS/TEMP]"],
        ["+OK", "PASS?"]]
    assert got[4:] == ["+OK mailbox of ana tls=", "+OK QUIT"]
    wire.eof()
    assert child.wait() == 0


def test_no_account_for_talkers(server):
    h = server.h
    h.run("cp -p /etc/passwd /etc/passwd.saved && "
          "sed -i /^qmaild:/d /etc/passwd")
    try:
        log = server.run([step("S.", ""), step("X:", "111")])
    finally:
        h.run("mv /etc/passwd.saved /etc/passwd")
    assert "fatal: no account qmaild in /etc/passwd" in log


def test_unreadable_setting(server):
    """Never taken for one that is not there."""
    log = server.run([step("control", "pop3logindelay: /"), step("S.", ""),
                      step("X:", "111")])
    assert re.search(r"fatal: unable to read \S+/pop3logindelay: ", log), log


# Under tcpserver.

CLIENT = """
import json, socket, sys
source, port, steps = json.load(sys.stdin)
s = socket.create_connection(("127.0.0.1", port), 60, (source, 0))
f = s.makefile("rb")
out = [f.readline().decode()]
for step in steps:
    s.sendall(step.encode() + b"\\r\\n")
    out.append(f.readline().decode())
    while step == "CAPA" and out[-1] != ".\\r\\n":
        out.append(f.readline().decode())
json.dump([x.rstrip("\\r\\n") for x in out], sys.stdout)
"""
PORT = 1110


@pytest.fixture
def kept(server):
    """A tcpserver with one template, and a way to speak to it."""
    h = server.h
    server.prepare([])
    h.write("/run/client.py", CLIENT, mode=0o644)
    h.write("/run/rules", '127.0.0.2:allow,PLAINTEXTAUTH="1"\n'
            '127.0.0.3:allow,APOP="1"\n:allow\n')
    h.run("tcprules /run/rules.cdb /run/rules.tmp </run/rules")
    child = h.popen(["tcpserver", "-k", "-x", "/run/rules.cdb", "-H", "-R",
                     "-l", "0", "127.0.0.1", str(PORT),
                     f"{BIN}/qmail-popup", "mx.valija.test", "/run/checkpw",
                     "/run/mailbox"], env={"PATH": "/usr/local/bin:/usr/bin:"
                                           "/bin"})

    def ask(*steps, source="127.0.0.1"):
        return json.loads(h.run(["python3", "/run/client.py"],
                                input=json.dumps([source, PORT, steps])
                                ).stdout)

    def up():
        return h.run(["python3", "/run/client.py"], check=False,
                     input=json.dumps(["127.0.0.1", PORT, ["QUIT"]])
                     ).returncode == 0
    h.wait(up, "the server")
    yield h, ask
    h.kill("tcpserver", signal.SIGTERM)
    child.wait()


def popups(h):
    """{pid: (parent, uid)} of all processes of the program."""
    out = {}
    for line in h.run("ps -eo pid=,ppid=,uid=,comm=").stdout.splitlines():
        pid, parent, uid, comm = line.split(None, 3)
        if comm == "qmail-popup":
            out[int(pid)] = (int(parent), int(uid))
    return out


def test_kept(kept):
    """One template; a rule of tcprules counts for its clients alone, and a
    change of a setting for the next connection."""
    h, ask = kept
    h.wait(lambda: len(popups(h)) == 1, "one template")
    template = set(popups(h))
    assert "USER" not in ask("CAPA", "QUIT")
    assert "USER" in ask("CAPA", "QUIT", source="127.0.0.2")
    assert "USER" not in ask("CAPA", "QUIT")
    first, second = (ask("QUIT", source="127.0.0.3")[0] for _ in range(2))
    assert first.startswith("+OK <") and first != second
    assert ask("QUIT")[0] == "+OK valija POP3"
    h.wait(lambda: set(popups(h)) == template, "the same template")
    h.write(f"{CONTROL}/plaintextauth", "1\n", mode=0o644)
    assert "USER" in ask("CAPA", "QUIT")
    got = ask("USER ana", "PASS secret", "QUIT")
    assert got[2:] == ["+OK mailbox of ana tls=", "+OK QUIT"]


def test_kept_processes(kept):
    """While a client is there: a monitor that is root, and a talker that is
    not."""
    h, ask = kept
    qmaild = int(h.run(["id", "-u", "qmaild"]).stdout)
    idle = h.popen(["python3", "-c", "import socket, sys\n"
                    f"s = socket.create_connection(('127.0.0.1', {PORT}))\n"
                    "s.recv(100)\nprint(flush=True)\nsys.stdin.read()"],
                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        idle.stdout.readline()
        seen = popups(h)
        talkers = [p for p, (_, uid) in seen.items() if uid == qmaild]
        assert len(talkers) == 1 and len(seen) == 3, seen
        assert seen[seen[talkers[0]][0]][1] == 0, seen
    finally:
        idle.communicate()
    h.wait(lambda: len(popups(h)) == 1, "the session to end")
