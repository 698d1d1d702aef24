"""The tables of the bench about virtual users: what authdaemond answers, over
both stores, and mail for a thousand of them beside Postfix with MariaDB.

As smtp.py, which it extends.  There is one domain, one set of Maildirs, one
table of accounts in one MariaDB: ours with the store "mysql" and Postfix's
virtual(8) read the same rows and deliver into the same directories, ours with
the store "cdb" has the same accounts in files.
"""

import json
import os
import subprocess
import sys
import time

from bench import BUILD, CALLS, REPO, SLOW_US, Cgroup, HostError, table
from smtp import SmtpBench, SmtpPostfix, SmtpValija

sys.path.insert(0, REPO + "/TESTS/vpop")
from mariadb import MariaDB  # noqa: E402

DOMAIN = "bench.test"
USERS = 1000
WARM = 50                       # the last of them are for warming up
SET = 50                        # users that are asked again and again
PASSWORD = "correct horse"
HOME = "/home/vpopmail"
DIR = f"{HOME}/domains/{DOMAIN}"
TOOL = "/src/build/TESTS/vpop/storetool"
DATA = "/var/spool/mysql"       # on the disk measured
ACCOUNTS = "vpop"               # the database


def box(i):
    return f"box{i:04}", f"{DIR}/{i // 100}/box{i:04}"


class VpopValija(SmtpValija):
    store = "cdb"

    @property
    def label(self):
        return f"{self.name} {self.store}"

    def install(self):
        if not self.h.exists("/var/qmail/bin"):
            super().install()

    def start(self, cgroup):
        self.h.write(f"{HOME}/etc/store", self.store + "\n")
        super().start(cgroup)
        self.h.wait(lambda: self.h.exists("/var/qmail/run/auth"),
                    "authdaemond")


class VpopMysql(VpopValija):
    store = "mysql"


class VpopPostfix(SmtpPostfix):
    label = "postfix mysql"
    packages = "postfix postfix-mysql"

    def site(self, db, user, password):
        """The domain, once it and MariaDB are there."""
        u = self.h.user("vpopmail")
        self.h.write("/etc/postfix/boxes.cf",
                     f"hosts = 127.0.0.1:{db.port}\nuser = {user}\n"
                     f"password = {password}\ndbname = {ACCOUNTS}\n"
                     "query = SELECT CONCAT(SUBSTRING(pw_dir, "
                     f"{len(HOME) + 2}), '/Maildir/') FROM vpopmail "
                     "WHERE pw_name = '%u' AND pw_domain = '%d'\n",
                     mode=0o640, owner="root")
        self.h.run(["chgrp", "postfix", "/etc/postfix/boxes.cf"])
        self.h.run(["postconf", "-e", f"virtual_mailbox_domains={DOMAIN}",
                    "virtual_mailbox_maps=proxy:mysql:/etc/postfix/boxes.cf",
                    f"virtual_mailbox_base={HOME}", "virtual_mailbox_limit=0",
                    f"virtual_minimum_uid={min(u.pw_uid, 100)}",
                    f"virtual_uid_maps=static:{u.pw_uid}",
                    f"virtual_gid_maps=static:{u.pw_gid}"])


class VpopBench(SmtpBench):
    SYSTEMS = (VpopValija, VpopMysql, VpopPostfix)
    net = 0                     # see authdrive.c

    def __init__(self, args):
        super().__init__(args)
        self.dbc = Cgroup("db")

    def close(self):
        super().close()
        self.dbc.remove()

    def prepare(self):
        super().prepare()
        h = self.h
        with open(f"{BUILD}/authdrive", "rb") as src, \
                h.open("/run/bench/authdrive", "wb") as dst:
            dst.write(src.read())
            os.fchmod(dst.fileno(), 0o755)
        if not any(s.name == "valija" for s in self.systems):
            raise HostError("the accounts are made by valija: measure it too")
        h.run(["make", "-s", "-C", "/src", "build/TESTS/vpop/storetool",
               "build/vschema"], timeout=900)
        # vdelivermail is static: what is preloaded reaches only another one.
        h.run("cp -p /var/qmail/bin/vdelivermail /run/bench/static && "
              "cd /src && rm -f build/vdelivermail && "
              "make -s build/vdelivermail vdelivermail_LDFLAGS= && "
              "cp build/vdelivermail /run/bench/shared", timeout=900)
        self.say("making the domain")
        self.domain()
        self.db = MariaDB(h, data=DATA)
        with open(f"{self.dbc.path}/cgroup.procs", "w") as f:
            f.write(str(self.db.pid()))
        self.database()
        for s in self.systems:
            if s.name == "postfix":
                s.site(self.db, "postfix_map", "only reads")
        h.write(f"/run/bench/smtp{USERS}", "".join(
            f"{box(i)[0]}@{DOMAIN} {box(i)[1]}/Maildir/new\n"
            for i in range(USERS)))
        self.boxes = f"/run/bench/smtp{USERS}"

    def slow_on(self):
        self.slow.install()
        self.h.run(["install", "/run/bench/shared",
                    "/var/qmail/bin/vdelivermail"])

    def slow_off(self):
        self.slow.delay(0)
        self.slow.remove()
        self.h.run(["install", "/run/bench/static",
                    "/var/qmail/bin/vdelivermail"])

    def hash(self):
        return self.h.run(["perl", "-e", "print crypt($ARGV[0], "
                           "q($y$j9T$abcdefghijklmnopqrstu.))", PASSWORD]
                          ).stdout

    def tool(self, store, lines):
        out = self.h.run([TOOL, store, HOME, f"{HOME}/domains"],
                         input="".join("\t".join(x) + "\n" for x in lines),
                         timeout=600).stdout
        if set(out.split()) != {"OK"}:
            raise HostError(f"storetool: {out[:500]}")

    def domain(self):
        """Directories, accounts in files, and what qmail's files say."""
        h = self.h
        u = h.user("vpopmail")
        self.crypt = self.hash()
        h.run(["mkdir", "-p", DIR])
        script = "import os, sys\nfor line in sys.stdin:\n" \
            "    for d in ('new', 'cur', 'tmp'):\n" \
            "        os.makedirs(line.rstrip() + '/Maildir/' + d, 0o700)\n"
        h.run(["/usr/bin/python3", "-c", script],
              input="".join(box(i)[1] + "\n" for i in range(USERS)))
        h.write(DIR + "/.qmail-default",
                f"| {HOME}/bin/vdelivermail '' bounce-no-mailbox\n")
        h.write(DIR + "/vpasswd", "".join(
            f"{box(i)[0]}:{self.crypt}:1:0::{box(i)[1]}:NOQUOTA\n"
            for i in range(USERS - 1)))
        # The last one by the store itself, which makes the index with it.
        self.tool("cdb", [self.account(USERS - 1)])
        h.run(["chown", "-R", "vpopmail:", DIR])
        h.write("/var/qmail/users/assign",
                f"+{DOMAIN}-:{DOMAIN}:{u.pw_uid}:{u.pw_gid}:{DIR}:-::\n.\n")
        h.run(["qmail-newu"])
        h.write("/var/qmail/control/virtualdomains", f"{DOMAIN}:{DOMAIN}\n")
        h.write("/var/qmail/control/rcpthosts",
                h.read("/var/qmail/control/rcpthosts") + DOMAIN + "\n")

    def account(self, i):
        return ["user-add", DOMAIN, box(i)[0], self.crypt, "0", "0", "",
                box(i)[1], "NOQUOTA", ""]

    def database(self):
        db = self.db
        db.fresh(ACCOUNTS, rights="SELECT, INSERT, UPDATE, DELETE, CREATE, "
                 "ALTER")
        self.h.write(f"{HOME}/etc/vpopmail.mysql", db.line(ACCOUNTS),
                     mode=0o640)
        self.h.run(["chgrp", "vchkpw", f"{HOME}/etc/vpopmail.mysql"])
        self.h.run(["/src/build/vschema", "--create"])
        self.tool("mysql", [["domain-add", DOMAIN]] + [
            self.account(i) for i in range(USERS)])
        db.ask("CREATE USER postfix_map@127.0.0.1 IDENTIFIED BY 'only reads'; "
               f"GRANT SELECT ON {ACCOUNTS}.* TO postfix_map@127.0.0.1")

    # Questions.

    def auth(self, kind, clients, n, first, users, net):
        """One run: what authdrive printed, with the CPU of each part."""
        u = self.h.user("qmaild")
        before = self.mta.cpu(), self.inj.cpu(), self.dbc.cpu()
        p = self.h.popen(
            ["/run/bench/authdrive", "-k", kind, "-c", str(clients), "-n",
             str(n), "-f", str(first), "-u", str(users), "-i", str(net), "-U",
             str(u.pw_uid), "-G", str(u.pw_gid), DOMAIN, PASSWORD,
             *(["/var/qmail/bin/vchkpw"] if kind == "vchkpw" else [])],
            cgroup=self.inj.path, cwd="/", stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        out, err = p.communicate(timeout=self.args.limit)
        try:
            r = json.loads(out)
        except ValueError:
            raise HostError(f"authdrive: exit {p.returncode}: {err!r}\n"
                            + self.h.tail_logs()) from None
        r["cpu_s"] = self.mta.cpu() - before[0]
        if kind == "vchkpw":
            r["cpu_s"] += self.inj.cpu() - before[1] - r["own_cpu_s"]
        r["db_cpu_s"] = self.dbc.cpu() - before[2]
        return r

    def vpop_auth(self):
        """What was never asked before, and what was asked a moment ago."""
        rows = []
        for s in self.systems:
            if s.name != "valija":
                continue
            self.use(s)
            for kind in ("resolve", "pre", "login", "vchkpw"):
                for clients in (1, 10):
                    for kept in (False, True):
                        rows.append(self.auth_row(s, kind, clients, kept))
                        self.say("  {system:12} {kind:8} {clients:2} {kept}: "
                                 "{per_s:.0f}/s, {cpu_ms:.3f} ms".format(
                                     **rows[-1]))
        return rows

    def auth_row(self, s, kind, clients, kept):
        self.net += 1
        hashes = kind in ("login", "vchkpw")
        # The workers are there, and nobody asked about these is in a row.
        self.auth("login" if hashes else "pre", 10, WARM, USERS - WARM, WARM,
                  self.net)
        if kept:
            n, users = self.args.messages * (1 if kind == "vchkpw" else 5), SET
            self.auth(kind, 10, users, 0, users, self.net)
        else:
            n = users = min(self.args.messages // (5 if hashes else 1),
                            USERS - WARM)
        r = self.auth(kind, clients, n, 0, users, self.net)
        return {"system": s.label, "kind": kind, "clients": clients,
                "kept": "kept" if kept else "new", "asked": n,
                "per_s": r["good"] / r["seconds"],
                "cpu_ms": r["cpu_s"] * 1000 / n,
                "db_cpu_ms": r["db_cpu_s"] * 1000 / n,
                "p50_ms": r["p50_ms"], "p99_ms": r["p99_ms"],
                "complete": r["good"] == n}

    # Mail.

    def vpop_in(self):
        rows = []
        for slow in (0, SLOW_US):
            if slow:
                self.slow_on()
            for s in self.systems:
                self.use(s)
                if slow:
                    self.slow.delay(slow)
                self.smtp(4, 200, True)                 # warm
                for c in self.args.connections:
                    rows.append(self.mail_row(s, slow, c))
                    self.say("  {system:13} {sync:5} {connections:3}: "
                             "{deliver_per_s:.0f}/s, {cpu_ms:.2f} ms".format(
                                 **rows[-1]))
            if slow:
                self.slow_off()
        return rows

    def mail_row(self, s, slow, c):
        n = self.args.messages // (5 if c == 1 else 1)
        db = self.dbc.cpu()
        r = self.smtp(c, n, True)
        return {"system": s.label, "connections": c,
                "sync": "+5 ms" if slow else "real",
                "accept_per_s": r["taken"] / (r["inject_s"] or 1),
                "deliver_per_s": r["arrived"] / (r["last_s"] or 1),
                "cpu_ms": r["cpu_s"] * 1000 / max(r["arrived"], 1),
                "db_cpu_ms": (self.dbc.cpu() - db) * 1000 /
                max(r["arrived"], 1),
                "p50_ms": r["p50_ms"], "p99_ms": r["p99_ms"],
                "backlog": r["taken"] - r["arrived_at_end"],
                "complete": r["arrived"] == n}

    def vpop_cost(self):
        """Syncs, and starts of programs and processes, a message; memory."""
        rows = []
        self.slow_on()
        for s in self.systems:
            self.use(s)
            time.sleep(1)
            idle = self.mta.pss_kb()
            for c in self.args.connections:
                n = max(self.args.messages // (5 if c == 1 else 1), 50)
                self.smtp(c, n, True)
                before = self.slow.counts()
                r = self.smtp(c, n, True)
                after = self.slow.counts()
                d = {k: (after[k] - before[k]) / n for k in CALLS}
                self.sampling = True
                peak = self.smtp(c, n, True)["peak_pss_kb"]
                self.sampling = False
                rows.append({"system": s.label, "connections": c,
                             "syncs": sum(d[k] for k in CALLS if k != "exec"),
                             "execs": d["exec"], "processes": r["pids"] / n,
                             "idle_kb": idle, "load_kb": peak})
        self.slow_off()
        return rows


QUESTIONS = {"resolve": "where does its mail go", "pre": "who is that",
             "login": "is the password right", "vchkpw": "the same by vchkpw"}


def show(results):
    def num(key, digits=0):
        return lambda r: f"{r[key]:.{digits}f}"
    table("Questions about virtual users", results.get("vpop_auth"), [
        ("system", lambda r: r["system"]),
        ("question", lambda r: QUESTIONS[r["kind"]]),
        ("asked before", lambda r: "yes" if r["kept"] == "kept" else "no"),
        ("at once", num("clients")), ("answers/s", num("per_s")),
        ("CPU ms each", num("cpu_ms", 3)),
        ("MariaDB's CPU", num("db_cpu_ms", 3)),
        ("p50 ms", num("p50_ms", 2)), ("p99 ms", num("p99_ms", 2)),
        ("all answered", lambda r: "yes" if r["complete"] else "NO")])
    table("Received by SMTP, delivered to 1,000 virtual users",
          results.get("vpop_in"), [
              ("system", lambda r: r["system"]),
              ("syncs", lambda r: r["sync"]),
              ("connections", num("connections")),
              ("accepted/s", num("accept_per_s")),
              ("delivered/s", num("deliver_per_s")),
              ("CPU ms/msg", num("cpu_ms", 2)),
              ("MariaDB's CPU", num("db_cpu_ms", 3)),
              ("p50 ms", num("p50_ms", 1)), ("p99 ms", num("p99_ms", 1)),
              ("backlog at end", num("backlog")),
              ("all arrived", lambda r: "yes" if r["complete"] else "NO")])
    table("Per message to virtual users (in runs of their own), and memory",
          results.get("vpop_cost"), [
              ("system", lambda r: r["system"]),
              ("connections", num("connections")),
              ("syncs", num("syncs", 2)),
              ("programs started", num("execs", 2)),
              ("processes made", num("processes", 2)),
              ("idle MB", lambda r: f"{r['idle_kb'] / 1024:.1f}"),
              ("at load MB", lambda r: f"{r['load_kb'] / 1024:.1f}")])


TABLES = ["vpop_auth", "vpop_in", "vpop_cost"]
