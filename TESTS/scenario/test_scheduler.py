"""qmail-todo and qmail-send where things meet: restarts, reused numbers,
administrators, spawners that misbehave.

Three kinds of tests: on a whole system; with a spawner of our own found first
in PATH; and with qmail-send alone, whose four neighbours the test plays."""

import ctypes
import os
import re
import select
import signal
import struct
import subprocess
import time

import pytest

from conftest import Site

HOST = "mx.valija.test"
QUEUE = "/var/qmail/queue"
CTL = "/var/qmail/bin/qmail-queuectl"


@pytest.fixture(scope="module")
def site():
    s = Site(disk=400)
    yield s
    s.close()


@pytest.fixture
def user(site):
    return site.new_user()


def files(site, where):
    out = site.h.run(f"cd {QUEUE} && find {where} -type f").stdout
    return sorted(p for p in out.split())


def number(site, mark):
    return site.h.wait(lambda: re.search(r"(?m)^new msg (\d+)",
                                         site.log()[mark:]),
                       "the message").group(1)


def stop(site):
    site.h.run(["svc", "-d", "/service/qmail"])
    site.h.wait(lambda: not (site.h.running("qmail-send") or
                             site.h.running("qmail-clean")), "its end")


def start(site):
    site.h.run(["svc", "-u", "/service/qmail"])
    site.h.wait(lambda: site.h.running("qmail-send"), "qmail-send to start")


# Restarts and numbers.


def test_next_generation_waits_for_the_last_removals(site, user):
    """What was delivered before a restart is not delivered again because
    qmail-clean was slow, and its number is not read as two messages."""
    site.dotqmail(user, "|echo x >>ran\n./Maildir/\n")
    old = site.h.running("qmail-clean")
    site.h.kill("qmail-clean", signal.SIGSTOP)
    try:
        mark = site.send(f"{user}@{HOST}")
        site.h.wait(lambda: "end msg" in site.log()[mark:], "its end")
        site.restart()
        site.h.wait(lambda: len(site.h.running("qmail-clean")) == 2,
                    "the new qmail-clean")
        time.sleep(3)                   # where it must do nothing
        assert "waiting for the qmail-clean before" in site.log()[mark:]
    finally:
        for pid in old:
            os.kill(pid, signal.SIGCONT)
    site.send(f"{user}@{HOST}", text="Subject: second\n\nx\n")
    site.h.wait(lambda: any("second" in m for m in site.mails(user)),
                "the second message")
    assert len(site.mails(user)) == 2
    assert site.h.read(f"/home/{user}/ran") == "x\nx\n"
    site.empty()


def test_number_of_a_bad_envelope_is_used_again(site, user):
    """An envelope nobody understands is left alone; a new message of that
    number is a new message."""
    p = f"{QUEUE}/pid/probe"
    n = site.h.run(f": >{p} && stat -c %i {p}").stdout.strip()
    mark = site.mark()
    site.h.write(f"{QUEUE}/todo/{n}", "zonsense\0\0", mode=0o644,
                 owner="qmailq")
    site.h.run(f"printf '\\0' >{QUEUE}/lock/trigger")
    site.h.wait(lambda: f"understand todo/{n}" in site.log()[mark:],
                "the complaint")
    site.h.run(["rm", p])
    mark = site.send(f"{user}@{HOST}")
    assert number(site, mark) == n      # or this test tests nothing
    site.mail(user)


def test_bounce_leaves_no_file(site, user):
    site.queue(f"{user}@{HOST}", [f"nobody-here@{HOST}"])
    site.mail(user)
    site.empty()
    site.h.wait(lambda: files(site, "bounce") == [], "bounce/ to be empty",
                seconds=10)


def test_restart_remembers_a_channel_that_is_done(site, user):
    """One channel of a message in memory is finished, the other has begun
    with one of its recipients: the first is not delivered again."""
    home = f"/home/{user}"
    site.dotqmail(user, "|touch started; while test ! -e go; do sleep 0.1; "
                        "done; exit 111\n")
    with site.control(concurrencylocal="1\n"), wrapped(site, "classic") as w:
        mark = site.queue("a@b", [f"{user}@{HOST}", f"{user}@{HOST}",
                                  "once@far.example"])
        site.h.wait(lambda: w.seen() == ["once@far.example"] and
                    site.h.exists(f"{home}/started"), "both channels")
        old = site.h.running("qmail-send")
        site.h.run(["svc", "-t", "/service/qmail"])
        site.h.wait(lambda: "exitasap" in site.log()[mark:], "exitasap")
        site.h.run(["touch", "go"], user=user, cwd=home)
        site.h.wait(lambda: site.h.running("qmail-send") not in ([], old),
                    "the next qmail-send")
        site.dotqmail(user, "./Maildir/\n")
        site.h.run(["svc", "-a", "/service/qmail"])
        site.h.wait(lambda: len(re.findall(rf"(?m)^delivery \d+: success",
                    site.log()[mark:])) >= 3 or (site.h.run(
                        ["svc", "-a", "/service/qmail"]) and False),
                    "the others", step=1)
        assert w.seen() == ["once@far.example"]
    site.empty()


# Administrators.


def test_hold_stops_what_has_not_begun(site, user):
    """Running attempts end, no further one begins, also within one message
    of many recipients; release goes on."""
    site.dotqmail(user, "|echo x >>running; while test ! -e go; do sleep 0.1;"
                        " done\n")

    def ran():
        path = f"/home/{user}/running"
        return len(site.h.read(path).split()) if site.h.exists(path) else 0
    with site.control(concurrencylocal="2\n"):
        mark = site.queue("a@b", [f"{user}@{HOST}"] * 20)
        n = number(site, mark)
        site.h.wait(lambda: ran() == 2, "two programs")
        site.h.run([CTL, "hold", n])
        site.h.run(["touch", "go"], user=user, cwd=f"/home/{user}")
        site.h.wait(lambda: len(re.findall(r"(?m)^delivery \d+: success",
                                           site.log()[mark:])) >= 2, "them")
        time.sleep(2)
        assert ran() == 2
        site.h.run([CTL, "release", n])
        site.h.run([CTL, "retry", n])
        site.h.wait(lambda: ran() == 20, "the others")
    site.empty()


def test_expire_on_a_full_disk_loses_nothing(own_site):
    """Only a date is changed; the sender is not written again."""
    s = own_site(disk=64)
    user = s.new_user()
    s.dotqmail(user, "|test -e ready || exit 111\n./Maildir/\n")
    mark = s.queue("from@far.example", [f"{user}@{HOST}"])
    n = number(s, mark)
    s.h.wait(lambda: files(s, "info"), "its files")
    s.h.run(f"dd if=/dev/zero of=/var/qmail/filler bs=64k 2>/dev/null; "
            "dd if=/dev/zero of=/var/qmail/filler2 bs=1k 2>/dev/null; true")
    s.h.run([CTL, "expire", n], check=False)
    info = s.h.read(f"{QUEUE}/{files(s, 'info')[0]}")
    s.h.run("rm /var/qmail/filler*")
    assert info == "Ffrom@far.example\0"


# Spawners.


SPAWNER = r'''#!/usr/bin/python3 -u
import os, sys, time
mode = open("/wrap/mode").read().strip()
name = os.path.basename(sys.argv[0])
if mode == "deaf":                      # stops listening, lives on
    os.write(1, b"\x78")
    os.close(0)
    while True: time.sleep(1000)
if mode == "classic":                   # one byte hello, one byte numbers
    os.write(1, b"\xff")
    buf, seen = b"", open("/wrap/seen", "a")
    while True:
        b = os.read(0, 65536)
        if not b: sys.exit(0)
        buf += b
        out = b""
        while True:
            parts = buf[1:].split(b"\0", 3) if buf else []
            if len(parts) < 4: break
            seen.write(parts[2].decode() + "\n")
            out += buf[:1] + b"Kfine\0"
            buf = parts[3]
        seen.flush()
        while out:
            out = out[os.write(1, out):]
if mode == "liar":                      # reports what nobody asked, mangles
    os.write(1, b"\0\1\0\x20")
    while True:
        b = os.read(0, 65536)
        if not b: sys.exit(0)
        os.write(1, b"\xff\xffKnever\0" + b[:2] + b"?what\0" + b[:2] +
                 b"Ktwice\0")
'''


class wrapped:
    """Our own qmail-rspawn, first in PATH."""

    def __init__(self, site, mode):
        self.site, self.mode = site, mode

    def __enter__(self):
        h = self.site.h
        h.run("mkdir -p /wrap && chmod 777 /wrap && rm -f /wrap/seen")
        h.write("/wrap/qmail-rspawn", SPAWNER, mode=0o755)
        h.write("/wrap/mode", self.mode + "\n", mode=0o644)
        self.rc = h.read("/var/qmail/rc")
        h.write("/var/qmail/rc", self.rc.replace('PATH="', 'PATH="/wrap:'))
        self.site.restart()
        return self

    def __exit__(self, *_):
        self.site.h.write("/var/qmail/rc", self.rc)
        self.site.restart()

    def seen(self):
        return self.site.h.read("/wrap/seen").split() if \
            self.site.h.exists("/wrap/seen") else []


def test_deaf_spawner_does_not_make_it_spin(site, user):
    with wrapped(site, "deaf"):
        (pid,) = site.h.running("qmail-send")

        def ticks():
            with open(f"/proc/{pid}/stat") as f:
                t = f.read().rsplit(")", 1)[1].split()
            return int(t[11]) + int(t[12])
        mark = site.send(f"{user}@{HOST}")
        assert site.result(f"{user}@{HOST}", mark)[0] == "success"
        before = ticks()
        time.sleep(3)
        assert ticks() - before < 50    # of 300


def test_classic_spawner(site):
    """One byte each: 255 at most, whatever the control file says; and 100,000
    recipients of one message go through the queue's files."""
    with site.control(concurrencyremote="400\n"), \
            wrapped(site, "classic") as w:
        mark = site.mark()
        rcpts = [f"r{i}@far.example" for i in range(100000)]
        site.queue("a@b", rcpts)
        site.h.wait(lambda: len(w.seen()) >= 100000, "all recipients",
                    seconds=300, step=1)
        assert sorted(w.seen()) == sorted(rcpts)
        limits = re.findall(r"(?m)^status: local \S+ remote \d+/(\d+)",
                            site.log()[mark:])
        assert limits and set(limits) <= {"0", "255"}
        site.empty()


def test_lying_spawner_harms_nobody(site, user):
    with wrapped(site, "liar"):
        mark = site.queue("a@b", ["x@far.example"])
        n = number(site, mark)
        site.h.wait(lambda: "mangled" in site.log()[mark:], "the report")
        m2 = site.send(f"{user}@{HOST}")
        assert site.result(f"{user}@{HOST}", m2)[0] == "success"
        site.h.run([CTL, "delete", n])
    site.empty()


# qmail-send alone.


class Alone:
    """qmail-send, with the test as spawners and as qmail-todo."""

    def __init__(self, site):
        self.site = site
        stop(site)
        pipes = [os.pipe() for _ in range(7)]
        # its 0: log, 1 3 5: what it writes, 2 4 6: what it reads
        theirs = [p[0] if i in (2, 4, 6) else p[1]
                  for i, p in enumerate(pipes)]
        self.fd = [p[1] if i in (2, 4, 6) else p[0]
                   for i, p in enumerate(pipes)]
        dups = " ".join(f"{i}{'<' if i in (2, 4, 6) else '>'}&{fd}"
                        for i, fd in enumerate(theirs))
        self.p = site.h.popen(
            ["setpriv", "--reuid=qmails", "--regid=qmail", "--clear-groups",
             "bash", "-c", f"exec qmail-send {dups}"], pass_fds=theirs)
        for fd in theirs:
            os.close(fd)
        self.got = {i: b"" for i in (0, 1, 3, 5)}
        for i in (2, 4):
            os.write(self.fd[i], b"\0\1\0\x14")

    def read(self, i, until, seconds=60):
        end = time.monotonic() + seconds
        while until not in self.got[i]:
            assert time.monotonic() < end, (i, until, self.got)
            for j in self.got:
                if select.select([self.fd[j]], [], [], 0.05)[0]:
                    self.got[j] += os.read(self.fd[j], 65536)
        return self.got[i]

    def todo(self, text):
        os.write(self.fd[6], text.encode())

    def close(self):
        for fd in self.fd:
            os.close(fd)
        self.p.wait()
        start(self.site)


@pytest.fixture
def alone(site):
    a = Alone(site)
    yield a
    a.close()


def test_second_arrival_of_a_number_in_delivery(alone):
    """It cannot be (and where it is, somebody removed files by hand): the
    running delivery must not be mixed up with the new message, and nothing
    read that was freed.  It leaves, and all is read anew."""
    alone.todo("b0\0")
    alone.todo("m4711 1 10 1 0 1 0 0\0Fa@b\0Lone@x\0")
    alone.read(1, b"one@x\0")
    alone.todo("m4711 1 10 1 0 1 0 0\0Fc@d\0Ltwo@x\0")
    alone.read(0, b"twice")
    os.write(alone.fd[2], b"\0\0Kdone\0")
    assert alone.p.wait(60) == 111
    assert b"two@x" not in alone.got[1]


def test_arrival_of_what_the_scan_has_found(site):
    """The scan of info/ saw it before qmail-todo's word was read: one
    message, not two."""
    stop(site)
    n = 99900001
    for d, text in (("mess", "x\n"), ("info", "Fa@b\0"),
                    ("local", "Tone@x\0")):
        p = f"{QUEUE}/{d}/{n % 23}/{n}"
        site.h.write(p, text, mode=0o600)
        site.h.run(["chown", "qmailq" if d == "mess" else "qmails", p])
        site.h.run(["touch", "-d", "@1700000000", p])
    a = Alone(site)
    try:
        a.todo("b0\0")
        a.read(1, b"one@x\0")
        a.todo(f"p{n} 1700000000 10 1 0 1 0 0\0Fa@b\0")
        a.todo("m4711 1 10 1 0 1 0 0\0Fa@b\0Lother@x\0")
        a.read(1, b"other@x\0")
        assert a.got[1].count(b"one@x\0") == 1
        at = a.got[1].index(b"one@x\0")
        os.write(a.fd[2], b"\0\0Kdone\0")
        a.read(5, f"d{n}\0".encode())
        assert at >= 0
    finally:
        a.close()
        site.h.run(f"rm -f {QUEUE}/*/{n % 23}/{n}")


def test_scan_waits_for_the_word_of_qmail_todo(site):
    """Until `b 0` another generation may still be removing files."""
    stop(site)
    n = 99900001
    for d, text in (("mess", "x\n"), ("info", "Fa@b\0"),
                    ("local", "Tone@x\0")):
        p = f"{QUEUE}/{d}/{n % 23}/{n}"
        site.h.write(p, text, mode=0o600)
        site.h.run(["chown", "qmailq" if d == "mess" else "qmails", p])
        site.h.run(["touch", "-d", "@1700000000", p])
    a = Alone(site)
    try:
        a.todo("m4711 1 10 1 0 1 0 0\0Fa@b\0Lother@x\0")
        a.read(1, b"other@x\0")
        time.sleep(1)
        assert b"one@x" not in a.got[1]
        a.todo("b0\0")
        a.read(1, b"one@x\0")
    finally:
        a.close()
        site.h.run(f"rm -f {QUEUE}/*/{n % 23}/{n}")


def test_who_knows_a_number(alone):
    """The sweep asks before it removes."""
    alone.todo("b0\0")
    alone.todo("m4711 1 10 1 0 1 0 0\0Fa@b\0Lone@x\0")
    alone.read(1, b"one@x\0")
    alone.todo("e4711\0e4712\0")
    assert alone.read(5, b"\0") == b"f4712\0"


def test_sweep(site, user):
    """What a crash left of a submission goes after 36 hours, a minute after a
    start; what is younger, or known, stays."""
    site.dotqmail(user, "|test -e ready || exit 111\n./Maildir/\n")
    mark = site.queue("a@b", [f"{user}@{HOST}"])
    known = number(site, mark)
    site.h.wait(lambda: files(site, "info"), "its files")
    old, young = "99900001", "99900024"         # the same directory
    for n in (old, young):
        site.h.run(f"setpriv --reuid=qmailq --regid=qmail --clear-groups "
                   f"sh -c 'echo x >{QUEUE}/mess/{int(n) % 23}/{n}'")
    site.h.run(f"cd {QUEUE}/mess && touch -d '3 days ago' "
               f"{int(old) % 23}/{old} {int(known) % 23}/{known}")
    site.restart()
    site.h.wait(lambda: not any(old in f for f in files(site, "mess")),
                "the sweep", seconds=150)
    left = files(site, "mess")
    assert any(young in f for f in left) and any(known in f for f in left)
    site.h.run(f"rm {QUEUE}/mess/{int(young) % 23}/{young}")
    site.h.run(["touch", "ready"], user=user, cwd=f"/home/{user}")
    site.h.run(["svc", "-a", "/service/qmail"])
    site.mail(user)
    site.empty()


# What they gave up.


def landlock():
    return ctypes.CDLL(None).syscall(444, None, 0, 1)


@pytest.mark.skipif(landlock() < 2, reason="this kernel has no Landlock")
def test_scheduler_writes_nowhere_but_in_the_queue(site, user):
    """What qmail-send runs inherits its walls: here a program in the place of
    qmail-bounce, which would else be able to write into /tmp."""
    site.h.run("mkdir -p /wrap && chmod 777 /wrap")
    site.h.write("/wrap/qmail-bounce", "#!/bin/sh\n"
                 "echo hello 2>/wrap/said >/tmp/outside\n"
                 f"if echo x >{QUEUE}/bounce/probe; then\n"
                 f"rm {QUEUE}/bounce/probe; else exit 111; fi\n"
                 "exec /var/qmail/bin/qmail-bounce \"$@\"\n", mode=0o755)
    rc = site.h.read("/var/qmail/rc")
    site.h.write("/var/qmail/rc", rc.replace('PATH="', 'PATH="/wrap:'))
    site.restart()
    try:
        site.queue(f"{user}@{HOST}", [f"nobody-here@{HOST}"])
        site.mail(user)                 # the bounce
        assert not site.h.exists("/tmp/outside")
    finally:
        site.h.write("/var/qmail/rc", rc)
        site.h.run("rm /wrap/qmail-bounce")
        site.restart()


@pytest.mark.skipif(landlock() < 2, reason="this kernel has no Landlock")
def test_todo_writes_nowhere_but_in_the_queue(site, user):
    """A directory that leads out of the queue leads nowhere: the message
    waits until it is put right."""
    site.h.run(f"install -d -o qmails -g qmail /var/qmail/outside && "
               f"mv {QUEUE}/info {QUEUE}/info.real && "
               f"cp -a {QUEUE}/info.real/. /var/qmail/outside && "
               f"ln -s /var/qmail/outside {QUEUE}/info")
    mark = site.mark()
    try:
        site.queue("a@b", [f"{user}@{HOST}"] * 100)     # through files
        site.h.wait(lambda: "unable to preprocess" in site.log()[mark:],
                    "the complaint")
        assert site.mails(user) == []
    finally:
        site.h.run(f"rm {QUEUE}/info && mv {QUEUE}/info.real {QUEUE}/info")
    site.restart()
    site.mail(user, 100)
