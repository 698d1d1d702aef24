"""qmail-queued and qmail-clean against clients and disks that misbehave.

The tests speak the protocol of qmail-queue(8)'s socket themselves.  The queue
lies on an ext4 of its own, where the number of a removed file is the next to
be given out again: what mixes up two messages of one number shows here."""

import ctypes
import os
import re
import signal
import socket
import struct
import subprocess

import pytest

from conftest import Site

HOST = "mx.valija.test"
QUEUE = "/var/qmail/queue"
IN_MOVED_TO, IN_NONBLOCK = 0x80, 0o4000
libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(scope="module")
def site():
    s = Site(disk=400)
    yield s
    s.close()


@pytest.fixture
def user(site):
    return site.new_user()


def outside(site, path):
    return f"/proc/{site.h.pid}/root{path}"


def chunk(b):
    return struct.pack(">I", len(b)) + b


def connect(site):
    s = socket.socket(socket.AF_UNIX)
    s.connect(outside(site, "/var/qmail/run/queue"))
    s.settimeout(120)
    return s


def submission(rcpt, text=b"Subject: test\n\nhello\n"):
    return chunk(text) + bytes(4) + \
        chunk(b"Fa@b.example\0T" + rcpt.encode() + b"\0\0") + bytes(4)


def answer(s):
    head = s.recv(2)
    return head[0] if head else None


def files(site, where):
    out = site.h.run(f"cd {QUEUE}/{where} && find . -type f -printf '%f\\n'")
    return set(out.stdout.split())


class Todo:
    """Which names appear in todo/, however briefly."""

    def __init__(self, site):
        self.fd = libc.inotify_init1(IN_NONBLOCK)
        assert libc.inotify_add_watch(
            self.fd, outside(site, f"{QUEUE}/todo").encode(), IN_MOVED_TO) > 0

    def seen(self):
        names, at = [], 0
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return names
        while at < len(data):
            n = struct.unpack_from("iIII", data, at)[3]
            names.append(data[at + 16:at + 16 + n].rstrip(b"\0").decode())
            at += 16 + n
        return names

    def close(self):
        os.close(self.fd)


def test_bytes_after_the_envelope_publish_nothing(site, user):
    """Who does not wait for the answer is refused before the message is
    visible: once qmail-todo may have seen it, its number is taken."""
    t = Todo(site)
    s = connect(site)
    s.sendall(submission(f"{user}@{HOST}") + b"more")
    assert answer(s) == 91
    assert t.seen() == []
    s = connect(site)
    s.sendall(submission(f"{user}@{HOST}"))
    assert answer(s) == 0
    assert len(t.seen()) == 1           # the watch does see them
    t.close()
    site.mail(user)


def test_failed_sync_withdraws_and_keeps_the_number(site, user):
    """Nobody knows what is on disk: the submitter is told no, and the number
    is not given to another message while qmail-todo may know it."""
    pid = site.h.running("qmail-queued")[0]
    before = files(site, "mess")
    p = subprocess.Popen(["strace", "-f", "-p", str(pid), "-e",
                          "inject=syncfs:error=EIO", "-e", "trace=syncfs",
                          "-o", "/dev/null"], stderr=subprocess.PIPE)
    try:
        assert b"attached" in p.stderr.readline()
        s = connect(site)
        s.sendall(submission(f"{user}@{HOST}"))
        assert answer(s) == 53
    finally:
        p.send_signal(signal.SIGINT)
        p.wait()
    s.close()
    left = files(site, "mess") - before
    assert len(left) == 1
    assert files(site, "todo") & left == set()
    s = connect(site)
    s.sendall(submission(f"{user}@{HOST}"))
    assert answer(s) == 0
    site.mail(user)
    site.h.run(f"cd {QUEUE} && rm -f intd/{min(left)} mess/*/{min(left)}")


def test_number_taken_by_a_foreign_file(site, user):
    """A queue copied without repair: a mess file whose name is the number the
    next message would get.  That one is left alone, another is taken."""
    p = f"{QUEUE}/pid/probe"
    n = site.h.run(f": >{p} && stat -c %i {p}").stdout.strip()
    foreign = f"{QUEUE}/mess/{int(n) % 23}/{n}"
    site.h.run(f"echo foreign >{foreign} && rm {p}")
    try:
        s = connect(site)
        s.sendall(submission(f"{user}@{HOST}"))
        assert answer(s) == 0
        site.mail(user)
        assert site.h.read(foreign) == "foreign\n"
    finally:
        site.h.run(f"rm -f {foreign} {QUEUE}/pid/*")


def test_one_user_cannot_hold_all_envelope_memory(site, user):
    hogs = []
    block = chunk(b"x" * 65536)
    try:
        for _ in range(4):
            s = connect(site)
            hogs.append(s)
            s.sendall(chunk(b"x\n") + bytes(4))
            try:
                for _ in range(1024):
                    s.sendall(block)
            except OSError:
                pass                    # refused: as good
        mark = site.send(f"{user}@{HOST}")
        assert site.result(f"{user}@{HOST}", mark)[0] == "success"
    finally:
        for s in hogs:
            s.close()


def test_too_many_recipients_are_refused(site, user):
    """Short names that would grow beyond all bounds when they are routed."""
    s = connect(site)
    s.sendall(chunk(b"x\n") + bytes(4) + chunk(b"Fa@b.example\0"))
    block = chunk(b"Ta\0" * 21845)
    code = None
    try:
        for _ in range(1000):
            s.sendall(block)
        s.sendall(chunk(b"\0") + bytes(4))
    except OSError:
        pass
    code = answer(s)
    assert code is not None and 11 <= code <= 40
    mark = site.send(f"{user}@{HOST}")
    assert site.result(f"{user}@{HOST}", mark)[0] == "success"


def test_envelope_too_long_for_its_readers(site):
    """What is taken must be readable with the records the service adds: at
    most 64 MiB in all."""
    rcpts = b"".join(b"T" + b"%07d" % i + b"x" * 970 + b"@far.example\0"
                     for i in range((64 << 20) // 991))
    envelope = b"Fa@b.example\0" + rcpts
    envelope += b"T" + b"y" * ((64 << 20) - len(envelope) - 3) + b"\0\0"
    assert len(envelope) == 64 << 20
    s = connect(site)
    s.sendall(chunk(b"x\n") + bytes(4))
    try:
        for i in range(0, len(envelope), 65536):
            s.sendall(chunk(envelope[i:i + 65536]))
        s.sendall(bytes(4))
    except OSError:
        pass
    assert answer(s) == 11


def test_hang_up_while_waiting_for_the_sync(site, user):
    """A whole message counts, also when its sender does not wait; and the
    service does not spin on the broken connection."""
    site.h.kill("qmail-queued", signal.SIGSTOP)
    s = connect(site)
    s.sendall(submission(f"{user}@{HOST}"))
    s.close()
    site.h.kill("qmail-queued", signal.SIGCONT)
    site.mail(user)


def test_clean_answers_each_request_once(site):
    """Also what is too long, empty, or no request; and goes on."""
    text = "\0".join(["foop/12345678", "x" * 300, "", "foop/1x", "nope/12",
                      "todo/99999999", "foop/" + "9" * 30]) + "\0"
    site.h.run(["svc", "-d", "/service/qmail"])
    site.h.wait(lambda: not site.h.running("qmail-clean"), "its end")
    try:
        r = site.h.run(["setpriv", "--reuid=qmailq", "--regid=qmail",
                        "--clear-groups", "qmail-clean"], input=text)
        assert r.stdout == "+xxxx+x"
    finally:
        site.h.run(["svc", "-u", "/service/qmail"])
        site.h.wait(lambda: site.h.running("qmail-send"), "its start")


@pytest.mark.skipif(libc.syscall(444, None, 0, 1) < 2,
                    reason="this kernel has no Landlock")
def test_service_writes_nowhere_but_in_the_queue(site, user):
    """Even where its user may write: a directory that leads out of the queue
    leads nowhere."""
    site.h.run(f"install -d -o qmailq -g qmail /var/qmail/outside && "
               f"mv {QUEUE}/pid {QUEUE}/pid.real && "
               f"ln -s /var/qmail/outside {QUEUE}/pid")
    try:
        s = connect(site)
        s.sendall(submission(f"{user}@{HOST}"))
        assert answer(s) == 63
    finally:
        site.h.run(f"rm {QUEUE}/pid && mv {QUEUE}/pid.real {QUEUE}/pid")
    s = connect(site)
    s.sendall(submission(f"{user}@{HOST}"))
    assert answer(s) == 0
    site.mail(user)


def status(pid, key):
    with open(f"/proc/{pid}/status") as f:
        return re.search(rf"(?m)^{key}:\s*(\S+)", f.read()).group(1)


@pytest.mark.parametrize("program", ["qmail-queued", "qmail-todo",
                                     "qmail-clean", "qmail-send",
                                     "qmail-rspawn"])
def test_programs_are_undumpable(site, program):
    """No core, no ptrace by the same user, no new privileges."""
    (pid,) = site.h.running(program)
    assert os.stat(f"/proc/{pid}/mem").st_uid == 0
    assert status(pid, "NoNewPrivs") == "1" or program == "qmail-rspawn"
    with open(f"/proc/{pid}/limits") as f:
        assert re.search(r"Max core file size\s+0\s+0\s", f.read())
