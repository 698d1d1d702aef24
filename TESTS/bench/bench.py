"""Measure this mail system beside Debian's Postfix on the same file system.

One throwaway host, one loop-mounted journalled ext4 under /home, /var/qmail
and /var/spool, both systems installed, one of them running at a time.  The
same program (drive.c) injects through /usr/sbin/sendmail and watches the
mailboxes.  TESTS/bench/README.md says what each column means.
"""

import json
import os
import signal
import statistics
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
BUILD = REPO + "/build/TESTS/bench"
sys.path.insert(0, REPO + "/TESTS/host")
from host import Host, HostError  # noqa: E402

BODY_BYTES = 5000
MAILBOXES = 100
SLOW_US = 5000
# As TESTS/bench/slowsync.h
CALLS = ["fsync", "fdatasync", "syncfs", "sync", "sync_file_range", "msync",
         "exec"]


def build():
    os.makedirs(BUILD, exist_ok=True)
    cc = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-I",
          REPO]
    for name in ("drive", "smtpdrive", "authdrive"):
        subprocess.run([*cc, "-o", f"{BUILD}/{name}", f"{HERE}/{name}.c",
                        HERE + "/load.c"], check=True)
    for name in ("tlsdrive", "pop3drive"):
        subprocess.run([*cc, "-o", f"{BUILD}/{name}", f"{HERE}/{name}.c",
                        HERE + "/load.c", "-lssl", "-lcrypto"], check=True)
    subprocess.run([*cc, "-fPIC", "-shared", "-o", BUILD + "/slowsync.so",
                    HERE + "/slowsync.c"], check=True)


class Cgroup:
    """CPU of a set of processes, ended ones included (cgroup v2; cpu.stat
    is there without any controller)."""

    def __init__(self, name):
        root = None
        with open("/proc/mounts") as f:
            for line in f:
                if line.split()[2] == "cgroup2":
                    root = line.split()[1]
        if root is None:
            raise HostError("no cgroup v2 mounted: CPU cannot be counted")
        self.path = f"{root}/valija-bench-{os.getpid()}-{name}"
        os.mkdir(self.path)

    def cpu(self):
        with open(self.path + "/cpu.stat") as f:
            return int(f.readline().split()[1]) / 1e6

    def pids(self):
        with open(self.path + "/cgroup.procs") as f:
            return [int(p) for p in f]

    def pss_kb(self):
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/smaps_rollup") as f:
                    for line in f:
                        if line.startswith("Pss:"):
                            total += int(line.split()[1])
            except OSError:
                pass
        return total

    def remove(self):
        for _ in range(100):
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.05)


class Slowsync:
    """The shared page of the preloaded library; absent until install()."""

    def __init__(self, host):
        self.host = host
        self.on = False

    def install(self):
        with open(BUILD + "/slowsync.so", "rb") as f:
            so = f.read()
        with self.host.open("/usr/local/lib/slowsync.so", "wb") as f:
            f.write(so)
            os.fchmod(f.fileno(), 0o755)
        with self.host.open("/run/slowsync", "wb") as f:
            f.write(bytes(8 + 8 * len(CALLS)))
            os.fchmod(f.fileno(), 0o666)
        self.host.write("/etc/ld.so.preload", "/usr/local/lib/slowsync.so\n")
        self.on = True

    def remove(self):
        self.host.run(["rm", "-f", "/etc/ld.so.preload"])
        self.on = False

    def delay(self, microseconds):
        with self.host.open("/run/slowsync", "r+b") as f:
            f.write(struct.pack("<I", microseconds))

    def counts(self):
        with self.host.open("/run/slowsync", "rb") as f:
            data = f.read()
        return dict(zip(CALLS, struct.unpack_from(f"<{len(CALLS)}Q", data,
                                                  8)))


class Valija:
    name = "valija"
    sendmail = "/var/qmail/bin/sendmail"

    def __init__(self, host):
        self.h = host

    def install(self):
        self.h.install(["setup"])

    def start(self, cgroup):
        self.h.start(cgroup=cgroup)

    def stop(self):
        self.h.kill("svscan", signal.SIGTERM)
        self.h.wait(lambda: not self.h.running("svscan"), "svscan to end",
                    seconds=120)
        for comm in ("supervise", "multilog", "qmail-send", "qmail-todo",
                     "qmail-lspawn", "qmail-queued"):
            self.h.kill(comm)

    def restart(self, cgroup):
        self.stop()
        self.start(cgroup)

    def defer_everything_for(self, user):
        """A home with the sticky bit: its owner is editing, try later."""
        self.h.run(["chmod", "+t", f"/home/{user}"])

    def queued(self):
        out = self.h.run(["qmail-qstat"], check=False).stdout
        return int(out.split("\n")[0].split()[-1])

    def fill(self, rcpt, n):
        """n messages straight through the queue's socket."""
        script = r'''
import socket, struct, sys
rcpt, n = sys.argv[1].encode(), int(sys.argv[2])
def chunk(b): return struct.pack(">I", len(b)) + b if b else b"\0\0\0\0"
body = b"Subject: deferred\n\n" + b"x" * 99 + b"\n"
env = b"Fsender@mx.valija.test\0T" + rcpt + b"\0\0"
one = chunk(body) + chunk(b"") + chunk(env) + chunk(b"")
socks = []
for _ in range(40):
    s = socket.socket(socket.AF_UNIX)
    s.connect("/var/qmail/run/queue")
    socks.append(s)
left = n
while left > 0:
    batch = socks[:left]
    for s in batch: s.sendall(one)
    for s in batch:
        r = s.recv(2)
        assert r[0] == 0, r
        assert r[1] == 0 or s.recv(r[1])
    left -= len(batch)
'''
        self.h.write("/run/fill.py", script)
        self.h.run(["/usr/bin/python3", "/run/fill.py",
                    rcpt + "@mx.valija.test", str(n)], user="sender",
                   timeout=3600)


class Postfix:
    name = "postfix"
    packages = "postfix"
    sendmail = "/usr/sbin/sendmail.postfix"

    def __init__(self, host):
        self.h = host

    def install(self):
        h = self.h
        h.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", mode=0o755)
        h.write("/etc/dpkg/dpkg.cfg.d/bench",
                "path-exclude=/usr/share/man/*\n"
                "path-exclude=/usr/share/doc/*\n")
        h.run(["debconf-set-selections"], input="postfix postfix/main_mailer_"
              "type select Local only\npostfix postfix/mailname string "
              "mx.valija.test\n")
        h.run(f"dpkg-query -W {self.packages} >/dev/null 2>&1 || "
              "{ apt-get -q update && apt-get -q -y --no-install-recommends "
              f"install {self.packages}; }}", net=False, timeout=900,
              env={"DEBIAN_FRONTEND": "noninteractive"})
        h.run(["postconf", "-e", "home_mailbox=Maildir/",
               "mailbox_size_limit=0", "maillog_file=/var/log/postfix.log",
               "smtputf8_enable=no", "compatibility_level=3.6",
               "transport_maps=inline:{deferred.test=smtp:[127.0.0.1]:9}"])
        h.run(["mv", "/usr/sbin/sendmail", self.sendmail])
        h.run(["newaliases"], check=False)
        self.h.write("/etc/aliases", "postmaster: root\n")
        h.run(["postalias", "/etc/aliases"])

    def start(self, cgroup):
        self.h.run(["postfix", "start"], cgroup=cgroup)
        self.h.wait(lambda: self.h.running("qmgr") and
                    self.h.running("pickup"), "Postfix to start")

    def stop(self):
        self.h.run(["postfix", "stop"], check=False)
        self.h.wait(lambda: not self.h.running("master"), "Postfix to end")

    def restart(self, cgroup):
        self.stop()
        self.start(cgroup)

    def defer_everything_for(self, user):
        pass                    # the domain deferred.test is

    def queued(self):
        out = self.h.run("find /var/spool/postfix/maildrop "
                         "/var/spool/postfix/incoming "
                         "/var/spool/postfix/active "
                         "/var/spool/postfix/deferred -type f | wc -l").stdout
        return int(out)

    def fill(self, rcpt, n):
        self.h.run(["smtp-source", "-s", "20", "-m", str(n), "-d", "-l",
                    "200", "-f", "sender@mx.valija.test", "-t",
                    rcpt + "@deferred.test", "127.0.0.1:25"], timeout=3600)


class Bench:
    SYSTEMS = (Valija, Postfix)

    def __init__(self, args):
        self.args = args
        self.results = []
        self.h = Host(disk=args.disk, disk_dir=args.disk_dir)
        self.mta, self.inj = Cgroup("mta"), Cgroup("inj")
        self.slow = Slowsync(self.h)
        self.systems = [c(self.h) for c in self.SYSTEMS
                        if c.name in args.systems]

    def close(self):
        self.h.close()
        self.mta.remove()
        self.inj.remove()

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def prepare(self):
        h = self.h
        for s in self.systems:
            self.say(f"installing {s.name}")
            s.install()
        h.run(["mkdir", "-p", "/run/bench"])
        for name in ("drive", "smtpdrive"):
            with open(f"{BUILD}/{name}", "rb") as src, \
                    h.open(f"/run/bench/{name}", "wb") as dst:
                dst.write(src.read())
                os.fchmod(dst.fileno(), 0o755)
        users = [f"box{i:03}" for i in range(MAILBOXES)]
        text = "".join(f"{u}:x:{20000 + i}:20000::/home/{u}:/bin/sh\n"
                       for i, u in enumerate(users + ["sender", "deferred"]))
        h.write("/etc/passwd", h.read("/etc/passwd") + text)
        h.write("/etc/group", h.read("/etc/group") + "bench:x:20000:\n")
        h.run(f"for u in {' '.join(users)} sender deferred; do mkdir -m 755 "
              "/home/$u && mkdir -m 700 /home/$u/Maildir /home/$u/Maildir/new"
              " /home/$u/Maildir/cur /home/$u/Maildir/tmp && "
              "chown -R $u:bench /home/$u; done")
        for n in (1, MAILBOXES):
            h.write(f"/run/bench/boxes{n}", "".join(
                f"{u} /home/{u}/Maildir/new\n" for u in users[:n]))
        head = ("From: sender <sender@mx.valija.test>\nTo: box\nSubject: "
                "bench\nDate: Mon, 23 Nov 2026 00:00:00 +0000\n\n")
        line = "a line of text in the body of a message, as mail has it\n"
        body = head + line * ((BODY_BYTES - len(head)) // len(line))
        h.write("/run/bench/body", body, mode=0o644)

    def use(self, system):
        """Make this one the running mail system and /usr/sbin/sendmail."""
        for s in self.systems:
            if s is not system:
                s.stop()
        self.h.run(["ln", "-sf", system.sendmail, "/usr/sbin/sendmail"])
        system.restart(self.mta.path)

    def clean(self):
        self.h.run("find /home -path '*/Maildir/new/*' -type f -delete; "
                   "rm -f /var/log/qmail/*/@*; sync")

    def drive(self, injectors, messages, boxes, sample=False):
        """One run: what drive printed, with CPU seconds beside it."""
        self.clean()
        sender = self.h.user("sender")
        before = self.mta.cpu(), self.inj.cpu()
        argv = ["/run/bench/drive", "-u", str(sender.pw_uid), "-g",
                str(sender.pw_gid), "-c", str(injectors), "-n",
                str(messages), "-b", "/run/bench/body", "-t",
                str(self.args.limit), "-m", f"/run/bench/boxes{boxes}",
                "/usr/sbin/sendmail"]
        p = self.h.popen(argv, cgroup=self.inj.path, cwd="/",
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        peak = 0
        while sample and p.poll() is None:
            peak = max(peak, self.mta.pss_kb())
            time.sleep(0.2)
        out, err = p.communicate()
        try:
            r = json.loads(out)
        except ValueError:
            raise HostError(f"drive: exit {p.returncode}: {err!r}\n"
                            + self.h.tail_logs()) from None
        if p.returncode != 0:
            self.say(f"  incomplete: {r['taken']} taken, {r['refused']} "
                     f"refused, {r['arrived']} arrived of {messages}; "
                     f"{err.decode()[:300]}")
        files = int(self.h.run("find /home -path '*/Maildir/new/*' -type f "
                               "| wc -l").stdout)
        r["files"] = files
        r["mta_cpu_s"] = self.mta.cpu() - before[0]
        r["inj_cpu_s"] = self.inj.cpu() - before[1] - r["own_cpu_s"]
        r["peak_pss_kb"] = peak
        r["wanted"] = messages
        return r

    def per_message(self, r, seconds):
        return seconds * 1000 / max(r["arrived"], 1)

    # The tables.

    def throughput(self):
        rows = []
        for slow in (0, SLOW_US):
            if slow:
                self.slow.install()
            for s in self.systems:
                self.use(s)
                if slow:
                    self.slow.delay(slow)
                self.drive(4, 100, MAILBOXES)           # warm
                for boxes in (1, MAILBOXES):
                    for c in (1, 10, 50):
                        n = self.args.messages // (5 if c == 1 else 1)
                        runs = [self.drive(c, n, boxes)
                                for _ in range(self.args.repeat)]
                        rows.append(self.throughput_row(s, slow, boxes, c, n,
                                                        runs))
            if slow:
                self.slow.delay(0)
                self.slow.remove()
        return rows

    def throughput_row(self, s, slow, boxes, c, n, runs):
        def mid(f):
            return statistics.median(f(r) for r in runs)
        row = {
            "system": s.name, "sync": "+5 ms" if slow else "real",
            "boxes": boxes, "injectors": c, "messages": n,
            "complete": all(r["arrived"] == r["files"] == n for r in runs),
            "accept_per_s": mid(lambda r: r["taken"] / r["inject_s"]
                                if r["inject_s"] else 0),
            "deliver_per_s": mid(lambda r: r["arrived"] / r["last_s"]
                                 if r["last_s"] else 0),
            "cpu_ms": mid(lambda r: self.per_message(
                r, r["mta_cpu_s"] + r["inj_cpu_s"])),
            "daemon_cpu_ms": mid(lambda r: self.per_message(
                r, r["mta_cpu_s"])),
            "p50_ms": mid(lambda r: r["p50_ms"]),
            "p99_ms": mid(lambda r: r["p99_ms"]),
            "backlog": mid(lambda r: r["taken"] - r["arrived_at_end"]),
        }
        self.say("  {system:8} {sync:5} {boxes:3} mailboxes {injectors:2} "
                 "injectors: {deliver_per_s:.0f}/s, {cpu_ms:.2f} ms".format(
                     **row))
        return row

    def cost(self):
        """Syncs and starts of programs and processes per message."""
        rows = []
        self.slow.install()
        for s in self.systems:
            self.use(s)
            for c in (1, 10, 50):
                n = max(self.args.messages // (5 if c == 1 else 1), 50)
                self.drive(c, n, MAILBOXES)             # workers exist
                before = self.slow.counts()
                r = self.drive(c, n, MAILBOXES)
                after = self.slow.counts()
                d = {k: (after[k] - before[k]) / n for k in CALLS}
                rows.append({
                    "system": s.name, "injectors": c,
                    "syncs": sum(d[k] for k in CALLS if k != "exec"),
                    "kinds": {k: round(d[k], 3) for k in CALLS
                              if k != "exec" and d[k] > 0.0005},
                    # drive's own start and two helpers of the bench are
                    # below a hundredth a message
                    "execs": d["exec"], "processes": r["pids"] / n})
        self.slow.remove()
        return rows

    def memory(self):
        rows = []
        for s in self.systems:
            self.use(s)
            time.sleep(1)
            idle, procs = self.mta.pss_kb(), len(self.mta.pids())
            for boxes in (1, MAILBOXES):
                self.drive(50, self.args.messages, boxes)
                r = self.drive(50, self.args.messages, boxes, sample=True)
                rows.append({"system": s.name, "boxes": boxes,
                             "idle_kb": idle, "idle_procs": procs,
                             "load_kb": r["peak_pss_kb"]})
        return rows

    def starvation(self):
        """Arrivals at full speed for a while: what leaves meanwhile?"""
        rows = []
        n = self.args.messages * 4
        for s in self.systems:
            self.use(s)
            self.drive(10, 100, MAILBOXES)
            r = self.drive(50, n, MAILBOXES)
            last = max((i for i, x in enumerate(r["in"]) if x), default=0)
            arrivals = r["in"][:last + 1]
            fifth = max(len(arrivals) // 5, 1)
            rows.append({
                "system": s.name, "messages": n,
                "accept_per_s": r["taken"] / r["inject_s"],
                "deliver_per_s_meanwhile":
                    r["arrived_at_end"] / r["inject_s"],
                "backlog": r["taken"] - r["arrived_at_end"],
                "worst_fifth_in": min(
                    sum(r["in"][i * fifth:(i + 1) * fifth])
                    for i in range(5)) / (fifth * 0.1),
                "worst_fifth_out": min(
                    sum(r["out"][i * fifth:(i + 1) * fifth])
                    for i in range(5)) / (fifth * 0.1),
                "drain_s": r["last_s"] - r["inject_s"]})
        return rows

    def big_queue(self):
        rows = []
        n = self.args.deferred
        for s in self.systems:
            self.use(s)
            self.clean()
            empty = self.probe()
            s.defer_everything_for("deferred")
            self.say(f"  {s.name}: filling the queue with {n}")
            start = time.monotonic()
            s.fill("deferred", n)
            filled = time.monotonic() - start
            first = self.drive(1, 1, 1)["last_s"] * 1000
            self.h.wait(lambda: self.quiet(), "the queue to be tried once",
                        seconds=1800, step=1)
            queued = s.queued()
            probes = self.probe()
            s.restart(self.mta.path)
            start = time.monotonic()
            r = self.drive(1, 1, 1)
            rows.append({
                "system": s.name, "queued": queued,
                "fill_per_s": n / filled,
                "empty_p50_ms": statistics.median(empty),
                "empty_max_ms": max(empty), "while_tried_ms": first,
                "p50_ms": statistics.median(probes), "max_ms": max(probes),
                "after_restart_ms": r["last_s"] * 1000,
                "pss_kb": self.mta.pss_kb()})
            self.say(f"  {rows[-1]}")
        return rows

    def quiet(self):
        a = self.mta.cpu()
        time.sleep(2)
        return self.mta.cpu() - a < 0.1

    def probe(self):
        return [self.drive(1, 1, 1)["last_s"] * 1000
                for _ in range(self.args.probes)]


def table(title, rows, columns):
    if not rows:
        return
    print(f"\n{title}\n")
    text = [[head for head, _ in columns]] + \
        [[f(r) for _, f in columns] for r in rows]
    width = [max(len(line[i]) for line in text)
             for i in range(len(columns))]
    for k, line in enumerate(text):
        print("| " + " | ".join(c.ljust(w) if i == 0 else c.rjust(w)
                                for i, (c, w) in enumerate(zip(line, width)))
              + " |")
        if k == 0:
            print("|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":")
                                 for i, w in enumerate(width)) + "|")


def show(results):
    def num(key, digits=0):
        return lambda r: f"{r[key]:.{digits}f}"
    table("Injected through sendmail, delivered to Maildirs",
          results.get("throughput"), [
              ("system", lambda r: r["system"]),
              ("syncs", lambda r: r["sync"]),
              ("mailboxes", num("boxes")), ("injectors", num("injectors")),
              ("accepted/s", num("accept_per_s")),
              ("delivered/s", num("deliver_per_s")),
              ("CPU ms/msg", num("cpu_ms", 2)),
              ("daemons' CPU", num("daemon_cpu_ms", 2)),
              ("sendmail p50 ms", num("p50_ms", 1)),
              ("p99 ms", num("p99_ms", 1)),
              ("backlog at end", num("backlog")),
              ("all arrived", lambda r: "yes" if r["complete"] else "NO")])
    table("Per message, 100 mailboxes (counted in a run of its own)",
          results.get("cost"), [
              ("system", lambda r: r["system"]),
              ("injectors", num("injectors")), ("syncs", num("syncs", 2)),
              ("of which", lambda r: ", ".join(
                  f"{k} {v:.2f}" for k, v in r["kinds"].items())),
              ("programs started", num("execs", 2)),
              ("processes made", num("processes", 2))])
    table("Memory of the daemons (PSS)", results.get("memory"), [
        ("system", lambda r: r["system"]), ("mailboxes", num("boxes")),
        ("idle MB", lambda r: f"{r['idle_kb'] / 1024:.1f}"),
        ("idle processes", num("idle_procs")),
        ("50 injectors MB", lambda r: f"{r['load_kb'] / 1024:.1f}")])
    table("Arrivals at full speed (50 injectors, 100 mailboxes)",
          results.get("starvation"), [
              ("system", lambda r: r["system"]), ("messages", num("messages")),
              ("accepted/s", num("accept_per_s")),
              ("delivered/s meanwhile", num("deliver_per_s_meanwhile")),
              ("worst fifth in/s", num("worst_fifth_in")),
              ("worst fifth out/s", num("worst_fifth_out")),
              ("backlog at end", num("backlog")),
              ("drained after s", num("drain_s", 2))])
    table("A new message beside a big deferred queue (ms to its mailbox)",
          results.get("big_queue"), [
              ("system", lambda r: r["system"]), ("queued", num("queued")),
              ("empty queue p50", num("empty_p50_ms", 1)),
              ("max", num("empty_max_ms", 1)),
              ("while all are tried", num("while_tried_ms", 1)),
              ("resting p50", num("p50_ms", 1)), ("max", num("max_ms", 1)),
              ("after a restart", num("after_restart_ms", 1)),
              ("daemons MB", lambda r: f"{r['pss_kb'] / 1024:.1f}")])


TABLES = ["throughput", "cost", "memory", "starvation", "big_queue"]
