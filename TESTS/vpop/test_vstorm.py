"""500 messages to virtual users, of either store, while everything on their way
is killed: vdelivermail itself, authdaemond, the database, the spawner.  None is
lost and none comes back; what is known of full mailboxes becomes right again."""

import contextlib
import os
import random
import re
import signal
import time

MESSAGES = int(os.environ.get("STORM_MESSAGES", "500"))
PROCESSES = 4
BIG = "50000000S"
# address -> the mailboxes that get what is sent there
WAYS = {
    "b0": ["b0"], "b1": ["b1"], "b2": ["b2"], "b3": ["b3"],
    "keep": ["keep", "b4"],             # .qmail: copy, program, forward
    "team": ["b4", "b5"],               # an alias of two lines
    "nobody": ["catch"],                # .qmail-default
}
BOXES = sorted({b for boxes in WAYS.values() for b in boxes})

INJECTOR = r'''
import subprocess, sys, time
who, of, n = map(int, sys.argv[1:4])
ways = sys.argv[4].split(",")
for i in range(who, n, of):
    text = f"Subject: storm\nX-Storm: {i}\n\n{'x' * 900}\nmessage {i}\n"
    while True:
        r = subprocess.run(["/var/qmail/bin/qmail-inject", "-a",
                            "-fsender@mx.valija.test",
                            ways[i % len(ways)] + "@storm.example"],
                           input=text.encode(), capture_output=True)
        if r.returncode == 0:
            break
        assert r.returncode == 111, r
        time.sleep(0.1)
    print("taken", i, flush=True)
    time.sleep(0.05)
print("done", flush=True)
'''


def prepare(s):
    s.add_domain("storm.example")
    for b in BOXES:
        s.add_user(f"{b}@storm.example", "secret", "-q", BIG)
    home = s.user_dir("keep@storm.example")
    s.h.write(f"{home}/.qmail", f"{home}/Maildir/\n|cat >>seen\n"
              "&b4@storm.example\n", mode=0o600, owner="vpopmail")
    for b in ("b4", "b5"):
        s.v("valias", "-i", f"&{b}@storm.example", "team@storm.example")
    catch = s.user_dir("catch@storm.example")
    d = os.path.dirname(catch)
    s.h.write(f"{d}/.qmail-default", "| /home/vpopmail/bin/vdelivermail '' "
              f"{catch}\n", mode=0o600, owner="vpopmail")
    s.h.run("sed -i 's/^MAXLOGSIZE=.*/MAXLOGSIZE=16000000/' "
            "/var/qmail/supervise/*/log/run && svc -t /service/*/log")
    return {b: s.user_dir(f"{b}@storm.example") + "/Maildir" for b in BOXES}


def start(s):
    s.h.write("/run/storm.py", INJECTOR, mode=0o644)
    outs = [f"/run/storm.{p}" for p in range(PROCESSES)]
    for p, name in enumerate(outs):
        with s.h.open(name, "wb") as out:
            s.h.popen(["/usr/bin/python3", "/run/storm.py", str(p),
                       str(PROCESSES), str(MESSAGES), ",".join(WAYS)],
                      user="mailadmin", stdout=out, stderr=out)
    return outs


def kill(s, victim, most, kills):
    for pid in s.h.running(victim)[:most]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            kills[victim] += 1


def strike(s, rng, kills):
    """Deliveries live for a moment only, but wait where there is nobody to
    ask: so they are hit after authdaemond or the database, too."""
    victim = rng.choice(["vdelivermail"] * 6 + ["authdaemond"] * 3 +
                        ["qmail-lspawn"] + ["mariadbd"] * (s.db is not None))
    if victim == "mariadbd":
        s.db.kill()
        kills[victim] += 1
        time.sleep(rng.random() * 0.3)
        kill(s, "vdelivermail", 3, kills)
        s.db.start()
        return
    kill(s, victim, 1 if victim == "vdelivermail" else 99, kills)
    if victim == "authdaemond":
        time.sleep(rng.random() * 0.2)
        kill(s, "vdelivermail", 2, kills)


def test_none_is_lost(vsite):
    s, h = vsite, vsite.h
    maildirs = prepare(s)
    outs = start(s)
    rng = random.Random(20261123)
    kills = dict.fromkeys(["vdelivermail", "authdaemond", "qmail-lspawn"] +
                          ["mariadbd"] * (s.db is not None), 0)

    def injected():
        return all(h.read(o).endswith("done\n") for o in outs)

    end = time.monotonic() + 240
    while not injected() or not all(kills.values()) or s.undone():
        assert time.monotonic() < end, h.tail_logs() + str(kills)
        if not injected() or not all(kills.values()):
            strike(s, rng, kills)
            time.sleep(rng.random() * 0.05)
        else:
            time.sleep(0.3)
        if not all(kills.values()) and injected() and not s.undone():
            s.queue("sender@mx.valija.test", ["b0@storm.example"])
        if rng.random() < 0.1 or injected():
            h.run(["svc", "-a", "/service/qmail"])
    taken = {int(n) for o in outs
             for n in re.findall(r"(?m)^taken (\d+)$", h.read(o))}
    assert taken == set(range(MESSAGES))

    names, doubled, of = list(WAYS), 0, {b: {} for b in BOXES}
    for b in BOXES:
        for name in h.listdir(maildirs[b] + "/new"):
            text = h.read(f"{maildirs[b]}/new/{name}")
            m = re.search(r"(?m)^X-Storm: (\d+)$", text)
            if m is None:
                continue
            n = int(m.group(1))
            assert b in WAYS[names[n % len(names)]]
            assert text.endswith(f"\nmessage {n}\n"), n     # whole
            assert int(re.search(r",S=(\d+)", name).group(1)) == \
                len(text.encode())
            doubled += n in of[b]
            of[b][n] = name
    for n in taken:
        for b in WAYS[names[n % len(names)]]:
            assert n in of[b], f"{n} to {b} is lost"
    assert not re.search(r"(?m)^delivery \d+: failure:", s.log())
    print(f"{MESSAGES} messages, kills {kills}, {doubled} arrived twice")
    for b in BOXES[:3]:
        heals(s, b, maildirs[b])


def held(h, maildir):
    """(bytes, messages) by the files themselves."""
    sizes = [int(re.search(r",S=(\d+)", n).group(1))
             for sub in ("new", "cur") for n in h.listdir(f"{maildir}/{sub}")]
    return sum(sizes), len(sizes)


def said(h, maildir):
    lines = h.read(maildir + "/maildirsize").splitlines()
    assert lines[0] == BIG
    return tuple(sum(int(line.split()[i]) for line in lines[1:])
                 for i in (0, 1))


def heals(s, box, maildir):
    """A delivery that was killed before its line in maildirsize leaves the sum
    too small; the file is made anew when it is long, or says that the mailbox
    is full."""
    h = s.h
    for wrong in ("0 0\n" * 1280, "60000000 0\n"):
        h.write(maildir + "/wrong", h.read(maildir + "/maildirsize") + wrong,
                mode=0o600, owner="vpopmail")
        h.run(["mv", f"{maildir}/wrong", f"{maildir}/maildirsize"])
        # A count is not kept when something changed in the same tick.
        for _ in range(5):
            before = held(h, maildir)[1]
            s.send(f"{box}@storm.example")
            h.wait(lambda: held(h, maildir)[1] > before, "a message more")
            s.empty()
            if said(h, maildir) == held(h, maildir):
                break
        assert said(h, maildir) == held(h, maildir)
