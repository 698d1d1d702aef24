"""The tables of the bench about POP3, beside Debian's Dovecot and courier.

A throwaway host of its own, with the Maildirs of one virtual domain on the
disk measured: all servers read the same ones and run at the same time, on
ports of their own (for the table about memory alone).  What a server writes
down beside new/ and cur/ is there when it is its turn, and put away else.
pop3drive.c is the client of all.
"""

import json
import os
import statistics
import subprocess
import sys
import time

from bench import BUILD, Cgroup, Host, HostError, table
from pop3serve import CERT, SYSTEMS, VPOP, fetch

DOMAIN = "bench.test"
PASSWORD = "correct horse"
AWAY = "/home/away"             # on the disk of the Maildirs
BODY = 2200                     # bytes of a message, near enough
BIG = 8000                      # of those in the mailbox for RETR
SETTLE_S = 0.05


def own_files(path):
    """What somebody has written beside new/, cur/ and tmp/."""
    return [n for n in os.listdir(path) if os.path.isfile(f"{path}/{n}")]


class Pop3Bench:
    def __init__(self, args):
        self.args = args
        self.runs = 1 if args.quick else max(args.repeat, 5)
        self.idling = min(args.idle, 30) if args.quick else args.idle
        self.users = max(self.idling, 10)
        # Mailboxes: name, messages, bytes of each, whether names tell sizes.
        self.boxes = [(f"box{i:03}", 20, BODY, True)
                      for i in range(self.users)]
        self.sizes = [20, 10000] + ([] if args.quick else [100000])
        for n in self.sizes:
            self.boxes += [(f"sized{n}", n, BODY, True),
                           (f"plain{n}", n, BODY, False)]
        self.boxes.append(("retr", 2000, BIG, True))
        wanted = ["valija", *args.pop3.split(",")]
        fetch(wanted)
        self.h = Host(disk=args.disk, disk_dir=args.disk_dir)
        self.groups = []
        self.inj = self.group("inj")
        # Ours is there in any case: it makes the accounts.
        self.everyone = [c(self.h, self.group(c.label.replace(" ", "-")))
                         for c in SYSTEMS if c.name in wanted]
        self.ours = self.everyone[0]
        self.systems = [s for s in self.everyone
                        if s.name in args.pop3.split(",")]
        self.here = None                # whose own files are in place

    def group(self, name):
        self.groups.append(Cgroup(name))
        return self.groups[-1]

    def close(self):
        self.h.close()
        for g in self.groups:
            g.remove()

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    # What is there.

    def prepare(self):
        h = self.h
        for s in self.everyone:
            self.say(f"installing {s.label}")
            s.install()
        h.run(["mkdir", "-p", "/run/bench", AWAY])
        with open(f"{BUILD}/pop3drive", "rb") as src, \
                h.open("/run/bench/pop3drive", "wb") as dst:
            dst.write(src.read())
            os.fchmod(dst.fileno(), 0o755)
        # A certificate of the kind that ours has.
        h.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
               "/CN=mx.valija.test", "-keyout", CERT, "-out",
               CERT + ".crt"])
        h.run(f"cat {CERT}.crt >>{CERT}; chmod 600 {CERT}")
        self.say("making mailboxes")
        h.run([f"{VPOP}/bin/vadddomain", DOMAIN, PASSWORD])
        self.dirs = {}
        lines = []
        u = h.user("vpopmail")
        for name, n, size, sized in self.boxes:
            h.run([f"{VPOP}/bin/vadduser", f"{name}@{DOMAIN}", PASSWORD])
            home = h.run([f"{VPOP}/bin/vuserinfo", "-d",
                          f"{name}@{DOMAIN}"]).stdout.strip()
            self.dirs[name] = home + "/Maildir"
            self.fill(self.outside(self.dirs[name]) + "/cur", n, size, sized,
                      u)
            lines.append(f"{name}@{DOMAIN}:{{PLAIN}}{PASSWORD}:{u.pw_uid}:"
                         f"{u.pw_gid}::{home}::\n")
        if h.exists("/etc/dovecot"):
            h.write("/etc/dovecot/users", "".join(lines))
        h.run(["sync"])
        for s in self.everyone:
            s.start()
        self.listening()

    def outside(self, path):
        return f"/proc/{self.h.pid}/root{path}"

    def fill(self, cur, n, size, sized, owner):
        """n messages, all seen; their sizes differ a little."""
        line = b"a line of text in the body of a message, as mail has it\n"
        fd = os.open(cur, os.O_RDONLY | os.O_DIRECTORY)
        for i in range(n):
            head = (f"From: sender <sender@mx.valija.test>\nTo: box\n"
                    f"Subject: message {i}\nMessage-Id: <{i}@bench.test>\n"
                    "Date: Mon, 23 Nov 2026 00:00:00 +0000\n\n").encode()
            body = head + line * ((size + i % 7 * 100 - 300 - len(head)) //
                                  len(line))
            # As our qmail-local names them, and as others do.
            name = f"{1700000000 + i}.M{i % 999983:06}N{i % 1000:03}P4711." \
                "mx.valija.test"
            if sized:
                name += f",S={len(body)},W={len(body) + body.count(10)}"
            f = os.open(name + ":2,S", os.O_WRONLY | os.O_CREAT, 0o600,
                        dir_fd=fd)
            os.write(f, body)
            os.fchown(f, owner.pw_uid, owner.pw_gid)
            os.close(f)
        os.close(fd)

    def listening(self, systems=None):
        ports = [p for s in systems or self.systems
                 for p in s.ports.values()]
        self.h.wait(lambda: set(ports) <= self.ports(), "all ports", 30)

    def ports(self):
        out = self.h.run(["ss", "-Hltn"]).stdout
        return {int(x.split()[3].rpartition(":")[2])
                for x in out.splitlines()}

    def turn(self, s):
        """Its own files are in place, those of the one before are not."""
        if self.here is s:
            return
        for who, way in ((self.here, "out"), (s, "in")):
            if who is None:
                continue
            for name, path in self.dirs.items():
                box, away = self.outside(path), self.outside(
                    f"{AWAY}/{who.name}/{name}")
                os.makedirs(away, exist_ok=True)
                a, b = (box, away) if way == "out" else (away, box)
                for f in own_files(a):
                    os.rename(f"{a}/{f}", f"{b}/{f}")
        self.here = s

    def forget(self, name):
        path = self.outside(self.dirs[name])
        for f in own_files(path):
            os.unlink(f"{path}/{f}")

    # One run.

    def cpu(self, s):
        """Of the server; authdaemond serves courier too."""
        groups = {s.cgroup}
        if s.name == "courier":
            groups |= {self.ours.cgroup}
        return sum(g.cpu() for g in groups)

    def settled(self, s):
        """Its CPU, when sessions that have said goodbye are gone."""
        for _ in range(60):
            before = self.cpu(s)
            time.sleep(SETTLE_S)
            now = self.cpu(s)
            if now - before < 0.0005:
                break
        return now

    def drive(self, s, kind, user, tls=False, **options):
        """What pop3drive printed, with the CPU seconds of the server."""
        self.turn(s)
        before = self.settled(s)
        p = self.h.popen(self.argv(s, kind, user, tls, options),
                         cgroup=self.inj.path, cwd="/",
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = p.communicate(timeout=self.args.limit)
        try:
            r = json.loads(out)
        except ValueError:
            raise HostError(f"pop3drive: exit {p.returncode}: {err!r}\n"
                            + self.h.tail_logs()) from None
        if p.returncode != 0:
            self.say(f"  incomplete: {s.label} {kind} {user} {options}: "
                     f"{r['good']}")
        r["cpu_s"] = self.settled(s) - before
        r["complete"] = p.returncode == 0
        return r

    def argv(self, s, kind, user, tls, options):
        argv = ["/run/bench/pop3drive", "-k", kind]
        argv += ["-s"] if tls else []
        for k, v in options.items():
            argv += ["-" + k, str(v)]
        return [*argv, str(s.ports[tls]), user, DOMAIN, PASSWORD]

    def alternated(self, systems, run):
        """run(system) for each, again and again, no order preferred: the
        results of each."""
        got = {s: [] for s in systems}
        for i in range(self.runs):
            order = systems[i % len(systems):] + systems[:i % len(systems)]
            for s in order if i % 2 == 0 else reversed(order):
                got[s].append(run(s))
        return got

    def plain(self):
        return [s for s in self.systems if not s.extra]

    # The tables.

    def pop3_sessions(self):
        """20 messages: connect, login, STAT, UIDL, QUIT."""
        rows = []
        for tls in (False, True):
            for c in (1, 10):
                n = (30 if c == 1 else 90) * (1 if self.args.quick else 3)
                o = {"u": 10, "m": 20, "c": c}
                for s in self.systems:
                    self.drive(s, "session", "box", tls, n=20, **o)
                got = self.alternated(self.systems, lambda s: self.drive(
                    s, "session", "box", tls, n=n, **o))
                for s in self.systems:
                    runs = got[s]
                    rows.append({
                        "system": s.label, "tls": tls, "clients": c,
                        "per_s": statistics.median(
                            r["good"] / r["seconds"] for r in runs),
                        "cpu_ms": statistics.median(
                            r["cpu_s"] * 1000 / n for r in runs),
                        "login_ms": statistics.median(
                            x for r in runs for x in r["login_ms"]),
                        "complete": all(r["complete"] for r in runs)})
                    self.say("  {system:10} {clients:2} {tls}: "
                             "{per_s:.0f}/s, {cpu_ms:.2f} ms".format(
                                 **rows[-1]))
        return rows

    def pop3_login(self):
        """Connect to the answer to STAT, without the server's own files and
        with them."""
        rows = []
        for n in self.sizes:
            for box in (f"sized{n}", f"plain{n}"):
                got = self.alternated(self.plain(),
                                      lambda s: self.login(s, box, n))
                for s in self.plain():
                    rows.append({"system": s.label, "names": box[:5],
                                 "messages": n,
                                 "complete": all(r["complete"]
                                                 for r in got[s])})
                    for k in ("first_ms", "first_cpu", "again_ms",
                              "again_cpu"):
                        rows[-1][k] = statistics.median(
                            r[k] for r in got[s])
                    self.say("  {system:10} {names} {messages:6}: first "
                             "{first_ms:.1f} {{{first_cpu:.1f}}}, again "
                             "{again_ms:.1f} {{{again_cpu:.1f}}}".format(
                                 **rows[-1]))
        return rows

    def login(self, s, box, n):
        again = 5 if n > 20 else 20
        # A password known: that is not measured here.
        self.drive(s, "stat", "box", u=1, m=20)
        self.drive(s, "stat", box, m=n)
        self.forget(box)
        first = self.drive(s, "stat", box, m=n)
        r = self.drive(s, "stat", box, m=n, n=again)
        return {"first_ms": first["login_ms"][0],
                "first_cpu": first["cpu_s"] * 1000,
                "again_ms": statistics.median(r["login_ms"]),
                "again_cpu": r["cpu_s"] * 1000 / again,
                "complete": first["complete"] and r["complete"]}

    def pop3_list(self):
        """A line a message."""
        rows = []
        n = self.sizes[-1]
        for kind in ("uidl", "list"):
            for box in (f"sized{n}", f"plain{n}"):
                def run(s):
                    return self.drive(s, kind, box, m=n, n=2)
                for s in self.plain():
                    self.drive(s, kind, box, m=n)
                got = self.alternated(self.plain(), run)
                for s in self.plain():
                    rows.append({
                        "system": s.label, "command": kind.upper(),
                        "messages": n, "names": box[:5],
                        "bytes": got[s][0]["bytes"],
                        "ms": statistics.median(
                            x for r in got[s] for x in r["work_ms"]),
                        "cpu_ms": statistics.median(
                            r["cpu_s"] * 1000 / 2 for r in got[s]),
                        "complete": all(r["complete"] for r in got[s])})
                    self.say("  {system:10} {command} {names}: {ms:.1f}"
                             .format(**rows[-1]))
        return rows

    def pop3_retr(self):
        """2,000 messages, 16 MB."""
        rows = []
        for tls in (False, True):
            for depth in (1, 50):
                def run(s):
                    # A delayed acknowledgement in each: not all are waited
                    # for.
                    few = s.name == "courier" and depth == 1
                    n = 50 if few else 2000
                    r = self.drive(s, "retr", "retr", tls, m=2000, p=depth,
                                   r=n)
                    r["ms"] = r["work_ms"][0] * 2000 / n
                    r["cpu_ms"] = r["cpu_s"] * 1000 * 2000 / n
                    r["bytes"] = r["bytes"] * 2000 // n
                    return r
                for s in self.plain():
                    run(s)
                got = self.alternated(self.plain(), run)
                for s in self.plain():
                    rows.append({
                        "system": s.label, "tls": tls, "depth": depth,
                        "bytes": got[s][0]["bytes"],
                        "ms": statistics.median(r["ms"] for r in got[s]),
                        "cpu_ms": statistics.median(r["cpu_ms"]
                                                    for r in got[s]),
                        "complete": all(r["complete"] for r in got[s])})
                    self.say("  {system:10} {tls} {depth}: {ms:.0f} "
                             "{{{cpu_ms:.0f}}}".format(**rows[-1]))
        return rows

    # Memory.

    def memory(self, s):
        """KiB: what all its processes have, and their page tables."""
        tables = 0
        for pid in s.cgroup.pids():
            try:
                with open(f"/proc/{pid}/status") as f:
                    for line in f:
                        if line.startswith("VmPTE:"):
                            tables += int(line.split()[1])
            except OSError:
                pass
        return s.cgroup.pss_kb(), tables

    def idle(self, s, kind, tls, n):
        time.sleep(1)
        pss, tables = self.memory(s)
        p = self.h.popen(self.argv(s, kind, "box", tls, {
            "i": 600, "n": n, "u": self.users, "m": 20}),
            cgroup=self.inj.path, cwd="/", stdout=subprocess.PIPE)
        line = p.stdout.readline()
        held = json.loads(line)["held"] if line else 0
        self.settled(s)
        full, more = self.memory(s)
        self.h._kill(p)
        self.h.wait(lambda: not self.h.run(
            ["ss", "-Htn", "state", "established", "sport", "=",
             f":{s.ports[tls]}"]).stdout, "the connections to end", 60)
        self.settled(s)
        return {"held": held, "complete": held == n,
                "pss": (full - pss) / max(held, 1),
                "tables": (more - tables) / max(held, 1)}

    def pop3_memory(self):
        """Each server alone: pages shared with another would count less."""
        rows = []
        n = self.idling
        for s in self.everyone:
            s.stop()
        for s in self.systems:
            others = [self.ours] if s.name == "courier" else []
            for x in [*others, s]:
                x.start()
            self.listening([s])
            self.turn(s)
            idle = None
            for kind in ("stat",) if self.args.quick else ("greet", "stat"):
                for tls in (False, True):
                    self.drive(s, "stat", "box", tls, m=20, u=self.users,
                               n=self.users)
                    time.sleep(2)
                    idle = idle or sum(self.memory(s))
                    rows.append({"system": s.label, "kind": kind, "tls": tls,
                                 "idle_kb": idle,
                                 **self.idle(s, kind, tls, n)})
                    self.say("  {system:10} {kind} {tls}: {held} held, "
                             "{pss:.0f} + {tables:.0f} KiB".format(
                                 **rows[-1]))
            for x in [s, *others]:
                x.stop()
        for s in self.everyone:
            s.start()
        self.listening()
        return rows


def show(results):
    def num(key, digits=0):
        return lambda r: f"{r[key]:.{digits}f}"

    def good(r):
        return "yes" if r["complete"] else "NO"

    system = ("system", lambda r: r["system"])
    way = ("over", lambda r: "TLS" if r["tls"] else "plain")
    names = ("names tell sizes",
             lambda r: "yes" if r["names"] == "sized" else "no")
    table("POP3: sessions (20 messages: login, STAT, UIDL, QUIT)",
          results.get("pop3_sessions"), [
              system, way, ("clients", num("clients")),
              ("sessions/s", num("per_s")), ("CPU ms each", num("cpu_ms", 2)),
              ("connect to STAT ms", num("login_ms", 2)), ("all good", good)])
    table("POP3: from connect to the answer to STAT",
          results.get("pop3_login"), [
              system, ("messages", num("messages")), names,
              ("first login ms", num("first_ms", 1)),
              ("CPU ms", num("first_cpu", 1)),
              ("again ms", num("again_ms", 1)),
              ("CPU ms", num("again_cpu", 1)), ("all good", good)])
    table("POP3: all messages listed", results.get("pop3_list"), [
        system, ("messages", num("messages")),
        ("command", lambda r: r["command"]), names,
        ("bytes", num("bytes")), ("ms", num("ms", 1)),
        ("CPU ms of the session", num("cpu_ms", 1)), ("all good", good)])
    table("POP3: 2,000 messages by RETR", results.get("pop3_retr"), [
        system, way, ("commands at a time", num("depth")),
        ("bytes", num("bytes")), ("ms", num("ms")),
        ("CPU ms of the session", num("cpu_ms")), ("all good", good)])
    table("POP3: memory of a connection that does nothing (PSS, and page "
          "tables)", results.get("pop3_memory"), [
              system, ("after", lambda r: "greeting" if r["kind"] == "greet"
                       else "STAT"), way, ("held", num("held")),
              ("KiB each", lambda r: f"{r['pss'] + r['tables']:.0f}"),
              ("of which page tables", num("tables")),
              ("server alone MB", lambda r: f"{r['idle_kb'] / 1024:.1f}")])


TABLES = ["pop3_sessions", "pop3_login", "pop3_list", "pop3_retr",
          "pop3_memory"]
