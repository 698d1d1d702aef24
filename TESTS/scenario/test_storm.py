"""10,000 messages by 20 processes, while the programs of the mail path are
killed every second at random: none is lost, and the log accounts for each."""

import os
import random
import re
import signal
import time

HOST = "mx.valija.test"
MESSAGES = int(os.environ.get("STORM_MESSAGES", "10000"))
PROCESSES = 20
VICTIMS = ["qmail-send", "qmail-todo", "qmail-lspawn", "qmail-queued"]

# Each of the processes tries every message of its share until sendmail has
# taken it, and writes down which ones were taken.
INJECTOR = r'''
import subprocess, sys, time
who, first, last, boxes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), \
    sys.argv[4].split(",")
for i in range(first, last):
    text = f"Subject: storm\nX-Storm: {i}\n\nmessage {i}\n".encode()
    while True:
        r = subprocess.run(["/var/qmail/bin/qmail-inject", "-a",
                            "-fsender@mx.valija.test", boxes[i % len(boxes)]],
                           input=text, capture_output=True)
        if r.returncode == 0:
            break
        print("again", i, r.returncode, r.stderr.decode().strip(), flush=True)
        assert r.returncode == 111, r
        time.sleep(0.2)
    print("taken", i, flush=True)
print("done", flush=True)
'''


def test_kill_storm(own_site):
    site = own_site()
    h = site.h
    boxes = [site.new_user() for _ in range(10)]
    # keep the whole log: the account is made from it
    h.run("sed -i 's/^MAXLOGSIZE=.*/MAXLOGSIZE=16000000/;"
          "s/^NUMLOG=.*/NUMLOG=100/' /var/qmail/supervise/qmail/log/run && "
          "svc -t /service/qmail/log")
    h.write("/run/storm.py", INJECTOR, mode=0o644)
    share = MESSAGES // PROCESSES
    outs = []
    for p in range(PROCESSES):
        out = h.open(f"/run/storm.{p}", "wb")
        h.popen(["/usr/bin/python3", "/run/storm.py", str(p),
                 str(p * share), str((p + 1) * share), ",".join(boxes)],
                user="mailadmin", stdout=out, stderr=out)
        outs.append(f"/run/storm.{p}")
        out.close()
    rng = random.Random(20261123)
    kills = dict.fromkeys(VICTIMS, 0)

    def injected():
        return all(h.read(o).endswith("done\n") for o in outs)

    end = time.monotonic() + 1800
    while not injected():
        assert time.monotonic() < end, "the injectors did not end\n" + \
            "".join(h.read(o)[-300:] for o in outs)
        time.sleep(1)
        victim = rng.choice(VICTIMS)
        kills[victim] += h.kill(victim, signal.SIGKILL) > 0
    for _ in range(10):                 # and while the rest is delivered
        time.sleep(1)
        victim = rng.choice(VICTIMS)
        kills[victim] += h.kill(victim, signal.SIGKILL) > 0
    assert all(kills.values()), kills

    taken = {int(n) for o in outs
             for n in re.findall(r"(?m)^taken (\d+)$", h.read(o))}
    assert taken == set(range(share * PROCESSES))

    def idle():
        h.run(["svc", "-a", "/service/qmail"])
        return not site.undone()
    h.wait(idle, "the queue to be empty", seconds=900, step=2)

    arrived = {}
    for i, box in enumerate(boxes):
        for text in site.mails(box):
            n = int(re.search(r"(?m)^X-Storm: (\d+)$", text).group(1))
            assert n % len(boxes) == i
            assert text.endswith(f"\nmessage {n}\n"), n     # whole
            arrived[n] = arrived.get(n, 0) + 1
    assert taken - set(arrived) == set(), "lost"
    doubled = sum(arrived.values()) - len(arrived)
    again = sum(len(re.findall(r"(?m)^again ", h.read(o))) for o in outs)
    print(f"{len(taken)} messages, {sum(kills.values())} kills {kills}, "
          f"{again} refused and tried again, {doubled} arrived twice, "
          f"{site.queued()} half received and left for the sweep")
    account(site.log(), len(taken))


def account(log, taken):
    """Every message that the log calls new has its end; there are at least as
    many as were taken.  After a restart a message is called new again."""
    open_messages, ends, successes = set(), 0, 0
    for line in log.splitlines():
        w = line.split()
        if w[:2] == ["new", "msg"]:
            open_messages.add(w[2])
        elif w[:2] == ["end", "msg"]:
            open_messages.discard(w[2])
            ends += 1
        elif w[:1] == ["delivery"] and w[2:3] == ["success:"]:
            successes += 1
    assert open_messages == set()
    assert ends >= taken and successes >= taken
