"""Many clients at once on SMTP as it is installed: slow ones, ones in TLS, idle
ones, and what a disk that is full does.  Counts decide, never times: the
limits are there to end a broken run."""

import re
import time

import pytest

from conftest import CONTROL, HOME, HOSTNAME, Site
from mailsite import CLIENT
from test_smtp_service import restart_smtpd, Served

SLOW = 1000
# Clients that send a byte a second; prints how many were greeted, then holds
# on until its input ends, and prints how many are still connected.
SLOW_CLIENTS = """
import select, socket, sys, time
n, data = int(sys.argv[1]), sys.argv[2].encode().decode("unicode_escape")
socks, greeted = [], 0
for i in range(n):
    socks.append(socket.create_connection(("127.0.0.1", 25)))
for s in socks:
    s.settimeout(100)
    greeted += s.recv(200).startswith(b"220")
print(greeted, flush=True)
at = alive = 0
while not select.select([sys.stdin], [], [], 1)[0]:
    byte = data[min(at, len(data) - 1)].encode()
    for s in socks:
        s.sendall(byte)
    at += 1
for s in socks:
    s.setblocking(False)
    try:
        alive += s.recv(2000) != b""
    except BlockingIOError:
        alive += 1
    except OSError:
        pass
print(alive, at, flush=True)
"""
# STARTTLS over and over, so many at a time; prints how many were served and
# the first trouble of the others.
TLS_CLIENTS = """
import concurrent.futures, smtplib, ssl, sys, threading
n, at_once, hold = int(sys.argv[1]), int(sys.argv[2]), len(sys.argv) > 3
context = ssl._create_unverified_context()
held = []
def one(i):
    try:
        c = smtplib.SMTP("127.0.0.1", 25, timeout=100)
        c.starttls(context=context)
        code = c.ehlo()[0]
        version = c.sock.version()
        if hold:
            held.append(c)
        else:
            c.quit()
        return (code, version)
    except Exception as e:
        return repr(e)
with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
    got = list(pool.map(one, range(n)))
good = sum(g == (250, "TLSv1.3") for g in got)
print(good, next((g for g in got if g != (250, "TLSv1.3")), ""), flush=True)
if hold:
    sys.stdin.read()
    print(sum(c.noop()[0] == 250 for c in held), flush=True)
"""


@pytest.fixture(scope="module")
def site():
    s = Served()
    s.h.write("/run/slow.py", SLOW_CLIENTS, mode=0o644)
    s.h.write("/run/tls.py", TLS_CLIENTS, mode=0o644)
    s._control("concurrencyincoming", f"{SLOW + 100}\n")
    restart_smtpd(s)
    yield s
    s.close()


class Clients:
    """A program of clients that runs until told to end."""

    def __init__(self, site, *argv):
        self.p = site.h.popen(["python3", *argv], stdin=-1, stdout=-1)

    def line(self):
        return self.p.stdout.readline().decode().split()

    def end(self):
        self.p.stdin.close()
        return self.line()

    def close(self):
        for f in (self.p.stdin, self.p.stdout):
            f.close()
        self.p.wait(100)


@pytest.fixture
def clients(site):
    made = []

    def start(*argv):
        made.append(Clients(site, *argv))
        return made[-1]
    yield start
    for c in made:
        c.close()
    site.h.wait(lambda: sessions(site) == 0, "sessions to end")


def sessions(site):
    """As tcpserver counts them."""
    return int(re.findall(r"(?m)^tcpserver: status: (\d+)/\d+$",
                          site.h.log("qmail-smtpd"))[-1])


def connections(site):
    return int(site.h.run("ss -Hnt state established sport = :25 | wc -l"
                          ).stdout)


@pytest.mark.parametrize("data", ["EHLO x", "EHLO x\\r\\nMAIL FROM:<a@x.org>"
                                  "\\r\\nRCPT TO:<postmaster>\\r\\n"])
def test_slow_clients_keep_nobody_waiting(site, user, clients, data):
    slow = clients("/run/slow.py", str(SLOW), data)
    assert slow.line() == [str(SLOW)]
    site.h.wait(lambda: sessions(site) >= SLOW, "the log to say so")
    for i in range(3):
        time.sleep(1)           # their bytes come meanwhile
        assert site.good("--tls", f"{user}@{HOSTNAME}")
    assert len(site.mail(user, 3)) == 3
    assert connections(site) >= SLOW
    alive, ticks = slow.end()
    # They were sent away only when their line took a minute.
    assert int(alive) == SLOW or int(ticks) > 55


def test_beyond_the_limit_they_wait(site, user, clients):
    """More than concurrencyincoming wait in the backlog; nobody is refused,
    and they are served when others leave."""
    undo = site.h.read(f"{CONTROL}/concurrencyincoming")
    site._control("concurrencyincoming", "20\n")
    restart_smtpd(site)
    try:
        idle = clients("/run/slow.py", "20", "E")
        assert idle.line() == ["20"]
        late = site.h.popen(["python3", "/run/client.py",
                             f"{user}@{HOSTNAME}"], stdout=-1)
        site.h.wait(lambda: connections(site) >= 21, "the 21st connection")
        site.h.wait(lambda: sessions(site) == 20, "the log to say so")
        assert late.poll() is None
        idle.end()
        idle.close()
        out = late.communicate(timeout=100)[0].decode()
        assert out.splitlines()[-1].startswith("QUIT 221"), out
    finally:
        site._control("concurrencyincoming", undo)
        restart_smtpd(site)


@pytest.mark.parametrize("at_once", [20, 100])
def test_starttls_in_batches(site, clients, at_once):
    mark = len(site.h.log("qmail-smtpd"))
    some = clients("/run/tls.py", "400", str(at_once))
    assert some.line() == ["400"]
    log = site.h.log("qmail-smtpd")[mark:]
    assert len(re.findall(r"(?m)^qmail-smtpd: info: tls .* tls=TLSv1\.3 ",
                          log)) == 400
    assert " tls-failed " not in log


def test_idle_tls_connections(site, user, clients):
    """200 that do nothing: others are served, and so are they in the end."""
    idle = clients("/run/tls.py", "200", "20", "hold")
    assert idle.line() == ["200"]
    for i in range(2):
        assert site.good("--tls", f"{user}@{HOSTNAME}")
    assert connections(site) >= 200
    assert idle.end() == ["200"]


def test_a_burst_of_connections(site, user, clients):
    """500 at the same moment: none is refused."""
    burst = clients("/run/slow.py", "500", "E")
    assert burst.line() == ["500"]
    burst.end()


# The disk is full.


@pytest.fixture
def small():
    """A mail system on a disk of its own."""
    s = Site(disk=160)
    s.h.write("/run/client.py", CLIENT, mode=0o644)
    yield s
    s.close()


FILL = """
import os, socket, sys
def reply(s):
    line = s.readline()
    while line[3:4] == b"-":
        line = s.readline()
    return line.decode().strip()
c = socket.create_connection(("127.0.0.1", 25), 100)
f = c.makefile("rb")
print(reply(f))
for line in ("EHLO x", "MAIL FROM:<a@example.org>", "RCPT TO:<%s>" %
             sys.argv[1], "DATA"):
    c.sendall(line.encode() + b"\\r\\n")
    print(reply(f), flush=True)
block = b"Subject: large\\r\\n\\r\\n" + (b"x" * 76 + b"\\r\\n") * 800
for i in range(int(sys.argv[2])):
    c.sendall(block)
    if i == 3:
        print("begun", flush=True)
        sys.stdin.readline()
c.sendall(b".\\r\\n")
print(reply(f), flush=True)
c.sendall(b"NOOP\\r\\n")
print(reply(f), flush=True)
"""


def test_the_disk_is_full(small):
    """In the midst of DATA: 452, nothing is left of it, a mail that was
    accepted before is delivered, and new mail is refused for now at MAIL."""
    h = small.h
    who = small.new_user()
    h.write("/run/fill.py", FILL, mode=0o644)

    def client(*rcpts):
        out = h.run(["python3", "/run/client.py", "--sender",
                     "a@example.org", *rcpts], timeout=200).stdout
        return out.splitlines()
    h.wait(lambda: client()[-1:] and client()[-1].startswith("QUIT 221"),
           "port 25")
    # one that waits: its user's home is being changed
    h.run(f"chmod +t ~{who}")
    assert client(f"{who}@{HOSTNAME}")[-1].startswith("QUIT 221")
    h.wait(lambda: (small.outcome(f"{who}@{HOSTNAME}") or "")[:1] ==
           ("deferral",), "the deferral")
    p = h.popen(["python3", "/run/fill.py", f"postmaster@{HOSTNAME}", "200"],
                stdin=-1, stdout=-1)
    lines = [p.stdout.readline().decode().strip() for _ in range(6)]
    assert [x[:3] for x in lines] == ["220", "250", "250", "250", "354",
                                      "beg"], lines
    before = h.run(f"find {HOME}/queue -type f | wc -l").stdout
    h.run(f"dd if=/dev/zero of={HOME}/fill bs=64k 2>/dev/null; "
          f"dd if=/dev/zero of={HOME}/fill2 bs=1k 2>/dev/null; sync",
          check=False)
    p.stdin.write(b"go on\n")
    p.stdin.close()
    end, noop = p.stdout.read().decode().splitlines()
    p.stdout.close()
    p.wait(60)
    assert end.startswith("452 4.3.1"), end
    assert noop.startswith("250 ")
    # nothing is left of it: its own file too is gone
    h.wait(lambda: int(h.run(f"find {HOME}/queue -type f | wc -l").stdout) <
           int(before), "the file to go")
    last = client(f"{who}@{HOSTNAME}")[-1]
    assert last.startswith("MAIL 452 4.3.1"), last
    h.wait(lambda: " code=452 " in h.log("qmail-smtpd"), "the line of it")
    # room again: what waited is delivered, and new mail is taken
    h.run(f"rm -f {HOME}/fill {HOME}/fill2; chmod -t ~{who}; "
          "svc -a /service/qmail")
    assert small.mail(who)
    assert client(f"{who}@{HOSTNAME}")[-1].startswith("QUIT 221")
    assert len(small.mail(who, 2)) == 2
    small.empty()
