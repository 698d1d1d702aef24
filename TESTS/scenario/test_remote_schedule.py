"""Remote deliveries as qmail-send and qmail-rspawn arrange them: limits per
domain, groups, workers that stay, workers that do not behave.

A stand-in for qmail-remote -w takes the transactions (mail/remoteproto.h).
What it does is in the names of hosts and recipients, and in files of
/standin; what it was given is in /standin/log."""

import contextlib
import os
import random
import re
import signal

import pytest

from conftest import HOME, Site

STANDIN = r'''#!/usr/bin/python3 -S
import os, socket, sys, time
D = "/standin/"


def note(*words):
    fd = os.open(D + "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(fd, (" ".join(map(str, words)) + "\n").encode())
    os.close(fd)


def wait_for(name):
    while not os.path.exists(D + name):
        time.sleep(0.02)


def end(addr):
    box = addr.split("@")[0]
    return b"hno such user\n\0" if box.startswith("no") else \
        b"sbusy\n\0" if box.startswith("busy") else b"r\0"


if sys.argv[1] != "-w":                 # the historical interface
    host, sender, *rcpts = sys.argv[1:]
    note("single", host, os.getpid(), sender or "<>", *rcpts)
    os.write(1, b"".join(map(end, rcpts)) + b"Kaccepted by hand\n\0")
    sys.exit(0)
host = sys.argv[2]
note("start", host, os.getpid())
s = socket.socket(fileno=0)
s.settimeout(2)
while True:
    try:
        packet, fds, _, _ = socket.recv_fds(s, 131072, 1)
    except TimeoutError:
        break
    if not packet:
        break
    for fd in fds:
        os.close(fd)
    f = packet.decode().split("\0")
    note("begin", host, os.getpid(), f[0] or "<>", f[1] or "-",
         *("%s|%s" % p for p in zip(f[2:-1:2], f[3:-1:2])))
    if host.startswith("slow") or os.path.exists(D + "hold-" + host):
        wait_for("go")
    rcpts = f[2:-1:2]
    r = b"".join(map(end, rcpts)) + b"Kaccepted\n\0"
    if host.startswith("garbage"):
        r = b"\xff\xfe+=\0\0Q"
    note("end", host, os.getpid(), *rcpts)
    s.send(r + b"+host=mx." + host.encode() + b" dsn=1\0")
'''


@pytest.fixture(scope="module")
def site():
    s = Site()
    s.h.run("mkdir /standin && chmod 777 /standin")
    s.h.write(HOME + "/bin/qmail-remote", STANDIN, mode=0o755)
    yield s
    s.close()


@pytest.fixture(autouse=True)
def clean(site):
    site.h.run("rm -f /standin/*")
    yield
    site.h.run("touch /standin/go")
    wait_empty(site)


def wait_empty(site):
    def tried():
        if not site.undone():
            return True
        site.h.run(["svc", "-a", "/service/qmail"])
        return False
    site.h.wait(tried, "the queue to be empty", step=0.3)


def notes(site, kind=None):
    out = [x.split() for x in site.h.read("/standin/log").splitlines()] if \
        site.h.exists("/standin/log") else []
    return [x for x in out if kind is None or x[0] == kind]


def done(site, host):
    return [r for x in notes(site, "end") if x[1] == host for r in x[3:]]


def under_way(site, host):
    return len([x for x in notes(site, "begin") if x[1] == host]) - \
        len([x for x in notes(site, "end") if x[1] == host])


def fill(site, host, n, sender="a@sender.example"):
    """n messages to one domain, queued at once."""
    site.h.run("for i in $(seq %d); do printf 'F%s\\0Tu'$i'@%s\\0\\0' "
               ">/run/envelope.$i; qmail-queue </etc/hostname "
               "1</run/envelope.$i || exit 1; done" % (n, sender, host),
               user="root")


@contextlib.contextmanager
def settings(site, **files):
    """Control files for a while: until all is delivered, or the restart would
    wait for those that do not answer."""
    with site.control(**files):
        yield
        site.h.run("touch /standin/go")
        wait_empty(site)


# Limits.


def test_slow_domain_leaves_places_for_others(site):
    """Three times as many messages as there are places, all for a domain that
    does not answer: another domain's are delivered all the same."""
    fill(site, "slow.example", 60)
    site.h.wait(lambda: under_way(site, "slow.example") == 10,
                "ten deliveries")
    fill(site, "fast.example", 30)
    site.h.wait(lambda: len(done(site, "fast.example")) == 30,
                "the fast ones")
    assert under_way(site, "slow.example") == 10
    assert done(site, "slow.example") == []
    site.h.run("touch /standin/go")
    site.h.wait(lambda: len(done(site, "slow.example")) == 60, "the slow ones")
    assert sorted(done(site, "slow.example")) == \
        sorted(f"u{i}@slow.example" for i in range(1, 61))


def test_slow_domains_leave_places_for_others(site):
    """Three domains that do not answer have more messages than there are
    places: a quarter of these is left to domains that have none, and when the
    slow ones answer all is delivered."""
    for i in (1, 2, 3):
        fill(site, f"slow{i}.example", 30)
        site.h.wait(lambda: under_way(site, f"slow{i}.example") >= 1,
                    "it to have a place")
    site.h.wait(lambda: sum(under_way(site, f"slow{i}.example")
                            for i in (1, 2, 3)) >= 16, "what they may have")
    fill(site, "fast.example", 30)
    site.h.wait(lambda: len(done(site, "fast.example")) == 30,
                "the fast ones")
    assert under_way(site, "slow1.example") == 10
    assert under_way(site, "slow2.example") == 5
    assert under_way(site, "slow3.example") == 1
    site.h.run("touch /standin/go")
    for i in (1, 2, 3):
        site.h.wait(lambda: len(done(site, f"slow{i}.example")) == 30,
                    "the slow ones")
    wait_empty(site)


def test_one_message_for_slow_and_fast(site):
    """The domains of one message do not wait for one another either, and a
    later message for the slow one has its turn among the recipients of it."""
    with settings(site, concurrencyhost="1\n"):
        mixed = [f"m{i}@{'slow' if i % 2 else 'fast'}.example"
                 for i in range(40)]
        site.queue("a@sender.example", mixed)
        site.h.wait(lambda: len(done(site, "fast.example")) == 20,
                    "its fast recipients")
        fill(site, "SLOW.example", 1)   # the same domain
        assert under_way(site, "slow.example") == 1
        site.h.run("touch /standin/go")
        site.h.wait(lambda: len(done(site, "slow.example")) == 21,
                    "the slow ones")
        order = done(site, "slow.example")
        assert order.index("u1@SLOW.example") < 20


def test_no_limit_of_its_own(site):
    with settings(site, concurrencyhost="0\n"):
        fill(site, "slow.example", 30)
        site.h.wait(lambda: under_way(site, "slow.example") == 20,
                    "all places taken")


def test_limit_is_read_again(site):
    with settings(site, concurrencyhost="2\n"):
        fill(site, "slow.example", 12)
        site.h.wait(lambda: under_way(site, "slow.example") == 2, "two")
        site._control("concurrencyhost", "7\n")
        site.h.run(["svc", "-h", "/service/qmail"])
        site.h.wait(lambda: under_way(site, "slow.example") == 7, "seven")


def test_deleted_and_held_ones_are_not_waited_for(site):
    """Messages that wait for a place at a domain may go away."""
    with settings(site, concurrencyhost="1\n"):
        mark = site.mark()
        fill(site, "slow.example", 6)
        site.h.wait(lambda: len(re.findall(r"(?m)^new msg (\d+)",
                                           site.log()[mark:])) == 6, "six")
        site.h.wait(lambda: under_way(site, "slow.example") == 1, "one")
        first = re.search(r"(?m)^starting delivery \d+: msg (\d+)",
                          site.log()[mark:]).group(1)
        ids = [i for i in re.findall(r"(?m)^new msg (\d+)",
                                     site.log()[mark:]) if i != first]
        site.h.run(["qmail-queuectl", "delete", *ids[:2]], user="root")
        site.h.run(["qmail-queuectl", "hold", ids[2]], user="root")
        site.h.run("touch /standin/go")
        site.h.wait(lambda: len(done(site, "slow.example")) == 3, "the rest")
        site.h.run(["qmail-queuectl", "release", ids[2]], user="root")
        site.h.run(["qmail-queuectl", "retry", ids[2]], user="root")
        site.h.wait(lambda: len(done(site, "slow.example")) == 4,
                    "the held one")


# Groups.


def test_groups(site):
    """Up to so many recipients of a domain go together; each has a report
    and log lines of its own."""
    rcpts = [f"ok{i}@g.example" for i in range(22)] + \
        ["no1@G.example", "busy1@g.example", "ok@other.example"]
    with settings(site, rcptsremote="10\n"):
        mark = site.queue("a@sender.example", rcpts)
        site.h.wait(lambda: all(site.outcome(r, mark) for r in rcpts),
                    "all reports")
        groups = sorted((x[1], len(x) - 5) for x in notes(site, "begin")
                        if x[3] == "a@sender.example")
        assert groups == [("g.example", 4), ("g.example", 10),
                          ("g.example", 10), ("other.example", 1)]
        assert site.outcome("no1@G.example", mark) == \
            ("failure", "no_such_user/")
        assert site.outcome("busy1@g.example", mark) == ("deferral", "busy/")
        log = site.log()[mark:]
        assert len(re.findall(r"(?m)^starting delivery \d+: msg \d+ to "
                              r"remote ok\d*@", log)) == 23
        # The notes of a report stand behind the historical text.
        assert re.search(r"(?m)^delivery \d+: success: accepted/ "
                         r"host=mx\.g\.example dsn=1 msg=\d+ seconds=", log)
        site.h.run(["qmail-queuectl", "delete", "--all"], user="root",
                   check=False)
        site.h.run("rm -f /standin/log")
        # Variable envelope return paths differ for each recipient.
        mark = site.queue("list-@sender.example-@[]", rcpts[:5])
        site.h.wait(lambda: all(site.outcome(r, mark) for r in rcpts[:5]),
                    "all reports")
        assert sorted(x[3] for x in notes(site, "begin")) == \
            [f"list-ok{i}=g.example@sender.example" for i in range(5)]


def test_one_by_one_unless_asked(site):
    mark = site.queue("a@sender.example", [f"u{i}@g.example"
                                           for i in range(5)])
    site.h.wait(lambda: len(done(site, "g.example")) == 5, "five")
    assert all(len(x) == 6 for x in notes(site, "begin"))
    assert "deferral" not in site.log()[mark:]


# Workers.


def test_nothing_is_started_per_message(site):
    with settings(site, concurrencyhost="1\n"):
        fill(site, "one.example", 40)
        site.h.wait(lambda: len(done(site, "one.example")) == 40, "forty")
        # More than one only if this machine stood still for seconds.
        assert len(notes(site, "start")) <= 4


def test_garbling_worker(site):
    mark = site.queue("a@sender.example", ["x@garbage.example"])
    assert site.result("x@garbage.example", mark)[0] == "deferral"
    site.h.run(["qmail-queuectl", "delete", "--all"], user="root",
               check=False)


def test_killed_worker_loses_nothing(site):
    """It ends in the middle of a group: all of that is put off and done
    later."""
    rcpts = [f"k{i}@kill.example" for i in range(5)]
    site.h.run("touch /standin/hold-kill.example")
    with settings(site, rcptsremote="50\n"):
        mark = site.queue("a@sender.example", rcpts)
        site.h.wait(lambda: under_way(site, "kill.example") == 1, "it to run")
        (pid,) = {int(x[2]) for x in notes(site, "start")}
        site.h.run(["kill", "-9", str(pid)], user="root")
        for r in rcpts:
            kind, text = site.result(r, mark)
            assert kind == "deferral"
            assert text.startswith("qmail-remote_gave_no_report:_")
        assert done(site, "kill.example") == []
        site.h.run("rm /standin/hold-kill.example")
        site.h.run(["svc", "-a", "/service/qmail"])
        site.h.wait(lambda: sorted(done(site, "kill.example")) == rcpts,
                    "all of them")


def test_nothing_lost_under_kill(site):
    """Whatever is killed, every recipient is delivered to in the end."""
    n = int(os.environ.get("KILL_MESSAGES", "300"))
    rng = random.Random(7)
    want = set()
    with settings(site, rcptsremote="5\n", concurrencyhost="3\n"):
        for part in range(6):
            for d in ("p.example", "q.example", "r.example"):
                fill(site, f"{part}{d}", n // 18)
                want |= {f"u{i}@{part}{d}" for i in range(1, n // 18 + 1)}
            victim = ("qmail-send", "qmail-rspawn", "qmail-todo",
                      "qmail-remote")[part % 4]
            if victim == "qmail-remote":
                pids = [x[2] for x in notes(site, "start")]
                site.h.run("kill -9 %s 2>/dev/null; true" %
                           " ".join(rng.sample(pids, min(3, len(pids)))),
                           user="root")
            else:
                site.h.kill(victim, signal.SIGKILL)
        wait_empty(site)
        got = {r for x in notes(site, "end") for r in x[3:]}
        assert want - got == set()


def test_program_of_old(site):
    """QMAILREMOTE names a program with the historical interface: it gets one
    recipient, and runs for each."""
    rc = site.h.read(HOME + "/rc")
    site.h.run(["cp", HOME + "/bin/qmail-remote", "/standin-old"])
    site.h.write(HOME + "/rc", rc.replace(
        'PATH="', 'QMAILREMOTE=/standin-old PATH="'), mode=0o755)
    try:
        with settings(site, rcptsremote="10\n"):
            rcpts = [f"o{i}@old.example" for i in range(4)] + \
                ["no@old.example"]
            mark = site.queue("a@sender.example", rcpts)
            for r in rcpts:
                assert site.result(r, mark)[0] == \
                    ("failure" if r == "no@old.example" else "success")
            # The bounce may be on its way to its domain already.
            assert sorted(x[4:] for x in notes(site, "single")
                          if x[1] == "old.example") == \
                sorted([r] for r in rcpts)
            assert notes(site, "start") == []
    finally:
        site.h.write(HOME + "/rc", rc, mode=0o755)
        site.restart()
