"""The tables of the bench that go by SMTP: mail in to Maildirs, mail through
to another host, connections that do nothing, a burst of them, STARTTLS.

As bench.py, which it extends: one throwaway host, both systems on one disk,
smtpdrive.c as the client of both, and as the host that mail is relayed to;
tlsdrive.c as the client that says STARTTLS.
"""

import json
import os
import subprocess
import time

from bench import BUILD, CALLS, MAILBOXES, SLOW_US, Bench, HostError, Postfix, \
    Valija, table

SINK_PORT = 2525


def listens(host):
    return host.run(["/usr/bin/python3", "-c", "import socket; socket."
                     "create_connection(('127.0.0.1', 25), 2)"],
                    check=False).returncode == 0


class SmtpValija(Valija):
    control = {}                # what the command line says

    def install(self):
        super().install()
        h = self.h
        for name, text in {
                "smtproutes": f"sink.test:127.0.0.1:{SINK_PORT}\n",
                "concurrencyincoming": "1200\n",
                **{k: v + "\n" for k, v in self.control.items()}}.items():
            h.write(f"/var/qmail/control/{name}", text)

    def start(self, cgroup):
        super().start(cgroup)
        self.h.wait(lambda: listens(self.h), "port 25")
        self.h.wait(lambda: self.h.exists("/var/qmail/run/tls"), "TLS")


class SmtpPostfix(Postfix):
    def install(self):
        super().install()
        self.h.run(["postconf", "-e",
                    "smtpd_client_connection_count_limit=0",
                    "transport_maps=inline:{sink.test=smtp:[127.0.0.1]:"
                    f"{SINK_PORT}}}"])
        # As many sessions at once as the largest row asks for.
        self.h.run(["postconf", "-e", "default_process_limit=1200"])
        # A certificate of the kind that ours has.
        self.h.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", "/CN=mx.valija.test", "-keyout",
                    "/etc/postfix/ec.key", "-out", "/etc/postfix/ec.pem"])
        self.h.run(["postconf", "-e", "smtpd_tls_security_level=may",
                    "smtpd_tls_chain_files=/etc/postfix/ec.key, "
                    "/etc/postfix/ec.pem"])

    def start(self, cgroup):
        super().start(cgroup)
        self.h.wait(lambda: listens(self.h), "port 25")


class SmtpBench(Bench):
    SYSTEMS = (SmtpValija, SmtpPostfix)
    boxes = f"/run/bench/smtp{MAILBOXES}"

    def prepare(self):
        super().prepare()
        h = self.h
        users = [f"box{i:03}" for i in range(MAILBOXES)]
        h.write(self.boxes, "".join(
            f"{u}@mx.valija.test /home/{u}/Maildir/new\n" for u in users))
        h.write("/run/bench/sink", "someone@sink.test -\n")
        with open(f"{BUILD}/tlsdrive", "rb") as src, \
                h.open("/run/bench/tlsdrive", "wb") as dst:
            dst.write(src.read())
            os.fchmod(dst.fileno(), 0o755)

    def smtp(self, connections, messages, reuse, sink=False):
        """One run: what smtpdrive printed, with CPU seconds beside it."""
        self.clean()
        before = self.mta.cpu()
        argv = ["/run/bench/smtpdrive", "-c", str(connections), "-n",
                str(messages), "-b", "/run/bench/body", "-t",
                str(self.args.limit), "-f", "sender@mx.valija.test"]
        argv += ["-r"] if reuse else []
        argv += ["-s", str(SINK_PORT), "-m", "/run/bench/sink"] if sink else \
            ["-m", self.boxes]
        p = self.h.popen([*argv, "25"], cgroup=self.inj.path, cwd="/",
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        peak, sampled = 0, 0
        while p.poll() is None:
            if self.sampling and time.monotonic() - sampled > 0.3:
                peak = max(peak, self.mta.pss_kb())
                sampled = time.monotonic()
            time.sleep(0.05)
        out, err = p.communicate()
        try:
            r = json.loads(out)
        except ValueError:
            raise HostError(f"smtpdrive: exit {p.returncode}: {err!r}\n"
                            + self.h.tail_logs()) from None
        if p.returncode != 0:
            self.say(f"  incomplete: {r['taken']} taken, {r['refused']} "
                     f"refused, {r['arrived']} arrived of {messages}; "
                     f"{err.decode()[:300]}")
        r["cpu_s"] = self.mta.cpu() - before
        r["peak_pss_kb"] = peak
        r["wanted"] = messages
        return r

    sampling = False

    def rows(self, sink):
        rows = []
        for slow in (0, SLOW_US):
            if slow:
                self.slow.install()
            for s in self.systems:
                self.use(s)
                if slow:
                    self.slow.delay(slow)
                self.smtp(4, 200, True, sink)           # warm
                for c in self.args.connections:
                    for reuse in (True, False):
                        n = self.args.messages // (5 if c == 1 else 1)
                        r = self.smtp(c, n, reuse, sink)
                        rows.append({
                            "system": s.name, "connections": c,
                            "sync": "+5 ms" if slow else "real",
                            "reuse": "kept" if reuse else "new",
                            "accept_per_s": r["taken"] / (r["inject_s"] or 1),
                            "deliver_per_s": r["arrived"] /
                            (r["last_s"] or 1),
                            "cpu_ms": r["cpu_s"] * 1000 /
                            max(r["arrived"], 1),
                            "p50_ms": r["p50_ms"], "p99_ms": r["p99_ms"],
                            "backlog": r["taken"] - r["arrived_at_end"],
                            "complete": r["arrived"] == n})
                        self.say("  {system:8} {sync:5} {connections:3} {reuse}"
                                 ": {deliver_per_s:.0f}/s, {cpu_ms:.2f} ms"
                                 .format(**rows[-1]))
            if slow:
                self.slow.delay(0)
                self.slow.remove()
        return rows

    def smtp_in(self):
        return self.rows(False)

    def smtp_out(self):
        return self.rows(True)

    def smtp_cost(self):
        """Syncs and processes per message, in and through."""
        rows = []
        self.slow.install()
        for s in self.systems:
            self.use(s)
            for way, sink in (("in", False), ("through", True)):
                for c in self.args.connections:
                    n = max(self.args.messages // (5 if c == 1 else 1), 50)
                    self.smtp(c, n, True, sink)
                    for reuse in (True, False):
                        before = self.slow.counts()
                        r = self.smtp(c, n, reuse, sink)
                        after = self.slow.counts()
                        rows.append({
                            "system": s.name, "way": way, "connections": c,
                            "reuse": "kept" if reuse else "new",
                            "syncs": sum(after[k] - before[k] for k in CALLS
                                         if k != "exec") / n,
                            "processes": r["pids"] / n})
        self.slow.remove()
        return rows

    def smtp_tls(self):
        """Connections with STARTTLS, each a whole handshake."""
        rows = []
        for s in self.systems:
            self.use(s)
            for at_once in (1, 10, 50):
                n = self.args.messages // (4 if at_once == 1 else 1)
                self.tls("-c", str(at_once), "-n", "100")       # warm
                before = self.mta.cpu()
                r = self.tls("-c", str(at_once), "-n", str(n))
                rows.append({
                    "system": s.name, "at_once": at_once,
                    "per_s": r["served"] / r["seconds"],
                    "cpu_ms": (self.mta.cpu() - before) * 1000 /
                    max(r["served"], 1),
                    "complete": r["served"] == n})
                self.say("  {system:8} {at_once:3}: {per_s:.0f}/s, "
                         "{cpu_ms:.2f} ms".format(**rows[-1]))
        return rows

    def tls(self, *args):
        p = self.h.popen(["/run/bench/tlsdrive", *args, "25"],
                         cgroup=self.inj.path, cwd="/",
                         stdout=subprocess.PIPE)
        return json.loads(p.communicate(timeout=600)[0])

    def idle(self, program, n):
        """Connections that stood, and KiB of memory of each.  Processes
        that are kept from a run before would count as nothing."""
        self.use(self.current)
        self.tls("-n", "1")
        time.sleep(3)
        base = self.mta.pss_kb()
        p = self.h.popen(["/run/bench/" + program, "-i", "60",
                          "-n" if program == "tlsdrive" else "-c", str(n),
                          "25"], cgroup=self.inj.path, cwd="/",
                         stdout=subprocess.PIPE)
        line = p.stdout.readline()
        held = json.loads(line)["greeted"] if line else 0
        each = (self.mta.pss_kb() - base) / max(held, 1)
        self.h._kill(p)
        self.h.wait(self.quiet, "the connections to end", seconds=60, step=1)
        return held, each

    def smtp_memory(self):
        rows = []
        for s in self.systems:
            self.current = s
            self.use(s)
            time.sleep(1)
            idle = self.mta.pss_kb()
            self.sampling = True
            self.smtp(50, self.args.messages, True)
            r = self.smtp(50, self.args.messages, True)
            self.sampling = False
            held, each = self.idle("smtpdrive", self.args.idle)
            tls_held, tls_each = self.idle("tlsdrive", self.args.idle)
            b = self.smtp(500, 500, False)
            rows.append({"system": s.name, "idle_kb": idle,
                         "load_kb": r["peak_pss_kb"], "held": held,
                         "each_kb": each, "tls_held": tls_held,
                         "tls_each_kb": tls_each, "burst_refused": b["refused"],
                         "burst_max_ms": b["connect_max_ms"]})
            self.say(f"  {rows[-1]}")
        return rows


def show(results):
    def num(key, digits=0):
        return lambda r: f"{r[key]:.{digits}f}"
    for name, title in (
            ("smtp_in", "Received by SMTP, delivered to 100 Maildirs"),
            ("smtp_out", "Received by SMTP, sent on by SMTP")):
        table(title, results.get(name), [
            ("system", lambda r: r["system"]),
            ("syncs", lambda r: r["sync"]),
            ("connections", num("connections")),
            ("each", lambda r: r["reuse"]),
            ("accepted/s", num("accept_per_s")),
            ("delivered/s", num("deliver_per_s")),
            ("CPU ms/msg", num("cpu_ms", 2)),
            ("p50 ms", num("p50_ms", 1)), ("p99 ms", num("p99_ms", 1)),
            ("backlog at end", num("backlog")),
            ("all arrived", lambda r: "yes" if r["complete"] else "NO")])
    table("Per message by SMTP (counted in a run of its own)",
          results.get("smtp_cost"), [
              ("system", lambda r: r["system"]), ("way", lambda r: r["way"]),
              ("connections", num("connections")),
              ("each", lambda r: r["reuse"]),
              ("syncs", num("syncs", 2)),
              ("processes made", num("processes", 2))])
    table("Memory (PSS) and a burst of 500 connections",
          results.get("smtp_memory"), [
              ("system", lambda r: r["system"]),
              ("idle MB", lambda r: f"{r['idle_kb'] / 1024:.1f}"),
              ("50 sessions MB", lambda r: f"{r['load_kb'] / 1024:.1f}"),
              ("idle connections", num("held")),
              ("KiB each", num("each_kb")),
              ("idle in TLS", num("tls_held")),
              ("KiB each in TLS", num("tls_each_kb")),
              ("refused of 500", num("burst_refused")),
              ("slowest greeting ms", num("burst_max_ms"))])


    table("Connections with STARTTLS (whole handshakes, no mail)",
          results.get("smtp_tls"), [
              ("system", lambda r: r["system"]),
              ("at once", num("at_once")), ("connections/s", num("per_s")),
              ("CPU ms each", num("cpu_ms", 2)),
              ("all served", lambda r: "yes" if r["complete"] else "NO")])


TABLES = ["smtp_in", "smtp_out", "smtp_cost", "smtp_memory", "smtp_tls"]
