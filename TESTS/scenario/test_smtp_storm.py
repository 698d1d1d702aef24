"""500 messages by SMTP into one host of ours and on to a second one, with TLS
and without, while the programs on their way are killed all the time on both
hosts: whatever was accepted arrives, whole."""

import contextlib
import os
import random
import re
import signal
import time

import pytest

from conftest import CONTROL, Site
from net import Net

MESSAGES = int(os.environ.get("STORM_MESSAGES", "500"))
CLIENTS = 5
BOXES = 5
VICTIMS = ["qmail-smtpd", "qmail-remote", "qmail-rspawn", "tlsd",
           "qmail-verify", "keyd", "qmail-queued"]

# Sends each message of its share until a server has accepted it.
CLIENT = r'''
import smtplib, ssl, sys, time
me, first, last, boxes = map(int, sys.argv[1:])
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
server = None
for i in range(first, last):
    while True:
        try:
            if server is None:
                server = smtplib.SMTP("127.0.0.1", 25, "client.example",
                                      timeout=30)
                if me % 2:
                    server.starttls(context=context)
            server.sendmail("sender@a.example", f"box{i % boxes}@b.example",
                            f"Subject: storm\r\nX-Storm: {i}\r\n\r\n"
                            f"{'x' * 60}\r\nmessage {i}\r\n")
            break
        except (OSError, smtplib.SMTPException) as e:
            print("again", i, type(e).__name__, flush=True)
            server = None
            time.sleep(0.05)
    print("taken", i, flush=True)
    if i % 7 == 0:
        server.close()
        server = None
print("done", flush=True)
'''


class NetSite(Site):
    """Our mail system on a host of a network."""

    def __init__(self, net, name, domain):
        self.h = net.host(name)
        self.h.add_user("mailadmin")
        self.h.install(["setup", "check", "ADMIN=mailadmin", f"HOST={name}"])
        for file in ("locals", "rcpthosts"):
            path = f"{CONTROL}/{file}"
            self.h.write(path, self.h.read(path) + domain + "\n")
        net.mail_domain(domain, self.h)

    def start(self):
        # keep the whole log, and kill what is killed again at once
        self.h.run("sed -i 's/^MAXLOGSIZE=.*/MAXLOGSIZE=16000000/' "
                   "/var/qmail/supervise/*/log/run")
        self.h.start()
        self.h.wait(lambda: "certificates=1" in self.h.log("tlsd"),
                    "a certificate")


@pytest.fixture
def hosts():
    with Net() as net:
        a = NetSite(net, "mx.a.example", "a.example")
        b = NetSite(net, "mx.b.example", "b.example")
        a.h.write("/etc/tcp.smtp", '127.:allow,RELAYCLIENT=""\n:allow\n')
        a.h.add_user("sender")
        for i in range(BOXES):
            b.h.add_user(f"box{i}")
        a.start()
        b.start()
        yield a, b


def storm(sites, rng, kills):
    """One death somewhere: of a service's process, or of one of many.  Where
    mail is sent on there is more to be hit."""
    site = rng.choice([sites[0], *sites])
    victim = rng.choice(VICTIMS)
    pids = site.h.running("qmail-remote") if rng.random() < 0.5 else []
    if pids:
        victim = "qmail-remote"
    elif victim == "qmail-rspawn" and rng.random() < 0.7:
        return          # qmail-send ends with it, and nothing goes on
    else:
        pids = site.h.running(victim)
    with contextlib.suppress(ProcessLookupError, IndexError):
        os.kill(rng.choice(pids), signal.SIGKILL)
        kills[victim] += 1


def test_smtp_storm(hosts):
    a, b = hosts
    a.h.write("/run/client.py", CLIENT, mode=0o644)
    share = MESSAGES // CLIENTS
    outs = [f"/run/client.{c}" for c in range(CLIENTS)]
    for c, name in enumerate(outs):
        with a.h.open(name, "wb") as out:
            a.h.popen(["/usr/bin/python3", "/run/client.py", str(c),
                       str(c * share), str((c + 1) * share), str(BOXES)],
                      user="mailadmin", stdout=out, stderr=out)
    rng = random.Random(20261123)
    kills = dict.fromkeys(VICTIMS, 0)
    end = time.monotonic() + 240
    while not all(a.h.read(o).endswith("done\n") for o in outs):
        assert time.monotonic() < end, a.h.tail_logs() + "".join(
            a.h.read(o)[-300:] for o in outs)
        time.sleep(0.02)
        storm(hosts, rng, kills)
    for i in range(200):                # and while the rest is delivered
        if i % 10 == 0:
            a.h.run(["svc", "-a", "/service/qmail"])
        time.sleep(0.02)
        storm(hosts, rng, kills)
    taken = {int(n) for o in outs
             for n in re.findall(r"(?m)^taken (\d+)$", a.h.read(o))}
    assert taken == set(range(share * CLIENTS))

    def idle():
        for site in hosts:
            site.h.run(["svc", "-a", "/service/qmail"])
        return not a.undone() and not b.undone()
    a.h.wait(idle, "the queues to be empty", seconds=240, step=0.5)

    arrived = {}
    for i in range(BOXES):
        for text in b.mails(f"box{i}"):
            n = int(re.search(r"(?m)^X-Storm: (\d+)$", text).group(1))
            assert n % BOXES == i
            assert text.endswith(f"\n{'x' * 60}\nmessage {n}\n"), n  # whole
            arrived[n] = arrived.get(n, 0) + 1
    again = sum(len(re.findall(r"(?m)^again ", a.h.read(o))) for o in outs)
    print(f"{len(taken)} messages, kills {kills}, {again} tried again, "
          f"{sum(arrived.values()) - len(arrived)} arrived twice")
    assert taken - set(arrived) == set(), "lost"
    assert a.mails("sender") == [], "bounced"
    assert all(kills.values()), kills
    # Clients that ask for TLS get it or come again.  From host to host it
    # need not be: few connections are made, and a tlsd may be dead at each.
    log = a.h.log("qmail-smtpd")
    assert " tls=TLSv1.3" in log
