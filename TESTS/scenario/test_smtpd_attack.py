"""What strangers try on qmail-smtpd: smuggling, silence, endless input, and
trouble of our own while they look on."""

import base64
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "smtpd"))
import dialogue  # noqa: E402
from server import Server, RUN  # noqa: E402

ENDS = {"CRLF": b"\r\n", "LF": b"\n", "CR": b"\r", "LFCR": b"\n\r",
        "CRCRLF": b"\r\r\n", "CRNULLF": b"\r\0\n", "LFNUL": b"\n\0",
        "nothing": b""}


@pytest.fixture(scope="module")
def server():
    s = Server()
    yield s
    s.h.close()


def start(wire):
    """Up to 354."""
    def expect(text):
        line = wire.line()
        assert line is not None and line.startswith(text), (text, line)

    expect(b"220 ")
    wire.send(b"EHLO attack.example\r\n")
    while wire.line()[3:4] == b"-":
        pass
    wire.send(b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n"
              b"DATA\r\n")
    for code in (b"250 ", b"250 ", b"354 "):
        expect(code)


def refused(between, allow):
    """Do the bytes hold a line end that is none, or a NUL?"""
    rest = between.replace(b"\r\n", b"")
    if allow:
        rest = rest.replace(b"\n", b"")
    return any(c in rest for c in b"\r\n\0")


@pytest.mark.parametrize("allow", [False, True])
@pytest.mark.parametrize("bytewise", [False, True])
def test_smuggling(server, bytewise, allow):
    """A dot between any two line ends: only CRLF.CRLF ends the message, and
    with ALLOW_BARELF too nothing else does."""
    for before in ENDS:
        for after in ENDS:
            between = ENDS[before] + b"." + ENDS[after]
            bad = refused(between, allow)
            text = b"Subject: x\r\n\r\nhello" + between + \
                b"MAIL FROM:<evil@example.com>\r\n" \
                b"RCPT TO:<smuggled@example.org>\r\n.\r\n"
            replies = []

            def client(_, wire, settle):
                start(wire)
                for i in range(0, len(text), 1 if bytewise else len(text)):
                    wire.send(text[i:i + (1 if bytewise else len(text))])
                wire.sock.shutdown(socket.SHUT_WR)
                while (line := wire.line()) is not None:
                    replies.append(line[:3])

            log = server.run(
                ([(0, "env", "ALLOW_BARELF=1")] if allow else []) +
                [(0, "M:", "0" if bad else "1")], client)
            where = (before, after, replies, log)
            if (before, after) == ("CRLF", "CRLF"):
                assert replies == [b"250", b"250", b"250", b"521"], where
            else:
                assert replies == [b"521" if bad else b"250"], where


def test_silence_and_trickle(server):
    """timeoutsmtpd bounds the silence before a command and the whole line,
    however its bytes trickle; and data that do not flow."""
    def silent(_, wire, settle):
        assert wire.line().startswith(b"220")
        assert wire.line().startswith(b"421 4.4.2")
        wire.eof()

    def trickle(_, wire, settle):
        assert wire.line().startswith(b"220")
        while not wire.closed and b"\n" not in wire.buf:
            wire.send(b"x")
            time.sleep(0.1)
            if select.select([wire.sock], [], [], 0)[0]:
                wire._fill()
        assert wire.line().startswith(b"421 4.4.2")

    def slow_data(_, wire, settle):
        start(wire)
        while not wire.closed and b"\n" not in wire.buf:
            wire.send(b"x")
            time.sleep(0.05)
            if select.select([wire.sock], [], [], 0)[0]:
                wire._fill()
        assert wire.line().startswith(b"421 4.4.2")

    control = [(0, "control", "timeoutsmtpd: 1")]
    for client in (silent, trickle, slow_data):
        log = server.run(control + [(0, "M:", "0")], client)
        assert "reason=timeout" in log


@pytest.mark.parametrize("what", ["line", "header", "body"])
def test_endless(server, what):
    """Input without end costs no memory (8 MiB, the program included)."""
    peak = []

    def client(_, wire, settle):
        if what == "line":
            assert wire.line().startswith(b"220")
        else:
            start(wire)
            wire.send({"header": b"X: ", "body": b"\r\n"}[what])
        pid = int(server.h.run("pgrep -n qmail-smtpd").stdout)
        block = b"x" * 65536
        for i in range(1 if what == "line" else 640):
            wire.send(block)
        if what == "line":
            wire.send(block)
            assert wire.line().startswith(b"521")
            return
        status = server.h.read(f"/proc/{pid}/status")
        peak.append(int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)))
        wire.send(b"\r\n.\r\n")
        assert wire.line().startswith(b"552")

    server.run([(0, "control", "databytes: 1000"), (0, "M:", "0")], client)
    assert all(p < 8192 for p in peak), peak


def test_never_reading_client(server):
    """Replies that nobody takes end the session, not the server."""
    def client(_, wire, settle):
        data = b"HELP\r\n" * 90
        wire.sock.send(b"EHLO x\r\n")
        time.sleep(0.2)
        wire.sock.send(data)
        wire.sock.shutdown(socket.SHUT_WR)

    server.run([(0, "control", "timeoutsmtpd: 2"), (0, "M:", "0")], client)


def test_queue_service_away(server):
    """No queue: a temporary refusal before the data, and the session goes
    on."""
    steps = [(0, "S:", "220 "), (0, "C:", "EHLO x"), (0, "S+", "250 "),
             (0, "C:", "MAIL FROM:<a@example.com>"), (0, "S:", "250 "),
             (0, "C:", "RCPT TO:<b@example.org>"), (0, "S:", "250 "),
             (0, "C:", "DATA"), (0, "S:", "451 4.3.0"),
             (0, "C:", "NOOP"), (0, "S:", "250 "), (0, "M:", "0")]
    server.h.run(["svc", "-d", "/service/qmail-queued"])
    server.h.wait(lambda: not server.h.running("qmail-queued"), "its end")
    try:
        server.run(steps)
    finally:
        server.h.run(["svc", "-u", "/service/qmail-queued"])
        server.h.wait(lambda: server.h.running("qmail-queued"), "its start")


@pytest.mark.parametrize("program, reply", [
    ("exit 31", "554 5.3.0 mail server permanently rejected"),
    ("exit 53", "452 4.3.1"),
    ("exit 71", "451 4.3.0"),
    ("exit 99", "451 4.3.0"),
    ("printf 'D5.7.1 we do not like it' >&4; exit 82",
     "554 5.7.1 we do not like it"),
    ("printf 'Dno virus please' >&4; exit 88", "554 5.3.0 no virus please"),
    ("printf 'Z4.2.0 come back' >&6; exit 82", "451 4.2.0 come back"),
    ("printf 'Dtwo\\nlines\\r' >&6; exit 82", "554 5.3.0 two?lines?"),
    ("kill -9 $$", "451 4.3.0"),
])
def test_queue_results(server, program, reply):
    server.h.write("/run/fails", "#!/bin/sh\ncat >/dev/null\n" + program +
                   "\n", mode=0o755)
    server.run([(0, "env", "QMAILQUEUE=/run/fails"), (0, "S:", "220 "),
                (0, "C:", "EHLO x"), (0, "S+", "250 "),
                (0, "C:", "MAIL FROM:<a@example.com>"), (0, "S:", "250 "),
                (0, "C:", "RCPT TO:<b@example.org>"), (0, "S:", "250 "),
                (0, "C:", "DATA"), (0, "S:", "354 "), (0, "C:", "x"),
                (0, "C:", "."), (0, "S:", reply), (0, "C:", "NOOP"),
                (0, "S:", "250 "), (0, "M:", "0")])


def test_verifier_away(server):
    """No verifier: try later, never "no such user"."""
    steps = [(0, "S:", "220 "), (0, "C:", "EHLO x"), (0, "S+", "250 "),
             (0, "C:", "MAIL FROM:<a@example.com>"), (0, "S:", "250 "),
             (0, "C:", "RCPT TO:<no@example.org>"), (0, "S:", "451 4.3.0"),
             (0, "C:", "RCPT TO:<postmaster@example.org>"),
             (0, "S:", "250 ")]

    def client(steps, wire, settle):
        server.h.run(["rm", "-f", f"{RUN}/rcpt"])
        dialogue.play(steps, wire, settle)

    server.run(steps, client)


def test_unreadable_control_file(server):
    """A list that cannot be read is no empty list: nobody is greeted."""
    env, _ = server.prepare([])
    path = "/var/qmail/control/badmailfrom"
    server.h.run(["mkdir", path])
    p = server.h.run(["/var/qmail/bin/qmail-smtpd"], env=env, user="qmaild",
                     check=False)
    server.h.run(["rmdir", path])
    assert p.returncode == 111 and p.stdout == ""
    assert f"fatal: unable to read {path}" in p.stderr


def test_ucspi_tls(server):
    """A wrapper with descriptors of its own, as UCSPI-TLS has it."""
    env, args = server.prepare([])
    ctl, ctl_far = socket.socketpair()
    plain, plain_far = socket.socketpair()
    net, net_far = socket.socketpair()
    env.update(SSLCTLFD=str(ctl_far.fileno()),
               SSLREADFD=str(plain_far.fileno()),
               SSLWRITEFD=str(plain_far.fileno()))
    child = server.h.popen(["/var/qmail/bin/qmail-smtpd"], user="qmaild",
                           env=env, cwd="/", stdin=net_far, stdout=net_far,
                           stderr=subprocess.PIPE,
                           pass_fds=(ctl_far.fileno(), plain_far.fileno()))
    for s in (ctl_far, plain_far, net_far):
        s.close()
    before, after = dialogue.Wire(net), dialogue.Wire(plain)

    def engine():
        assert ctl.recv(1) == b"Y"
        ctl.sendall(b"SSL_PROTOCOL=TLSv1.3\0SSL_CIPHER=X\0PATH=/evil\0\0")

    t = threading.Thread(target=engine)
    t.start()
    dialogue.play([(1, "S:", "220 "), (2, "C:", "EHLO a"), (3, "S+", "250 "),
                   (4, "S?", "STARTTLS"), (5, "C:", "STARTTLS"),
                   (6, "S:", "220 ")], before)
    t.join()
    dialogue.play([(1, "C:", "MAIL FROM:<a@example.com>"), (2, "S:", "503 "),
                   (3, "C:", "EHLO b"), (4, "S+", "250 "),
                   (5, "S!", "STARTTLS"), (6, "C:", "QUIT"),
                   (7, "S:", "221 "), (8, "S.", "")], after)
    log = child.stderr.read().decode()
    assert "info: tls " in log and "tls=TLSv1.3 cipher=X" in log
    assert child.wait() == 0
    for s in (ctl, plain, net):
        s.close()


def test_no_password_stays(server):
    """A canary among the passwords is in no log, environment or command
    line, and no longer in the session's memory."""
    canary = "CanaryPassword4711"
    token = base64.b64encode(f"\0ana\0{canary}".encode()).decode()
    found = []

    def client(_, wire, settle):
        assert wire.line().startswith(b"220")
        wire.send(b"EHLO x\r\n")
        while wire.line()[3:4] == b"-":
            pass
        wire.send(f"AUTH PLAIN {token}\r\n".encode())
        assert wire.line().startswith(b"535")
        out = server.h.run(
            "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'")
        found.append(canary in out.stdout or token in out.stdout)
        for pid in server.h.run("pgrep qmail-smtpd").stdout.split():
            found.append(in_memory(server, pid, canary) or
                         in_memory(server, pid, token))
        wire.send(b"QUIT\r\n")

    log = server.run([(0, "env", "SSL_PROTOCOL=TLSv1.3"),
                      (0, "arg", "/run/checkpw"), (0, "arg", "true"),
                      (0, "X:", "77")], client)
    assert canary not in log and token not in log
    # The session, its checker, and what the services keep.
    assert len(found) >= 3 and not any(found), found


def in_memory(server, pid, text):
    want = text.encode()
    with server.h.open(f"/proc/{pid}/maps") as maps, \
            server.h.open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if not m:
                continue
            low, high = (int(x, 16) for x in m.groups())
            try:
                mem.seek(low)
                if want in mem.read(high - low):
                    return True
            except OSError:
                continue
    return False


def test_rights(server):
    """As installed, a session can open nothing, start nothing, and not be
    traced."""
    seen = {}

    def client(_, wire, settle):
        assert wire.line().startswith(b"220")
        pid = int(server.h.run("pgrep -n qmail-smtpd").stdout)
        seen["limits"] = server.h.read(f"/proc/{pid}/limits")
        seen["status"] = server.h.read(f"/proc/{pid}/status")
        seen["owner"] = server.h.stat(f"/proc/{pid}/status").st_uid
        seen["fds"] = server.h.listdir(f"/proc/{pid}/fd")
        wire.send(b"QUIT\r\n")

    server.run([], client)
    assert re.search(r"Max processes +0 +0 ", seen["limits"])
    assert re.search(r"Max file size +0 +0 ", seen["limits"])
    assert re.search(r"Max core file size +0 +0 ", seen["limits"])
    assert re.search(r"NoNewPrivs:\s+1", seen["status"])
    assert seen["owner"] == 0           # undumpable
    assert seen["fds"] == ["0", "1", "2"]


def test_sendmail_bs(server):
    """sendmail -bs: a local program speaks SMTP, and may relay."""
    p = server.h.run(["sendmail", "-bs"], user="qmaild", input=(
        "EHLO localhost\r\nMAIL FROM:<a@example.com>\r\n"
        "RCPT TO:<b@elsewhere.example>\r\nDATA\r\nhello\r\n.\r\nQUIT\r\n"))
    codes = [line[:4] for line in p.stdout.splitlines()]
    assert codes[-6:] == ["250 ", "250 ", "250 ", "354 ", "250 ", "221 "]
