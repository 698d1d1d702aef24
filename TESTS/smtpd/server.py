"""A host with qmail-smtpd installed, its queue running, and stand-ins for the
services it asks: where dialogues are played."""

import re

import dialogue
from dialogue import Failed
from host import Host, HOSTNAME, SRC

CONTROL = "/var/qmail/control"
RUN = "/var/qmail/run"
CAPTURE = """#!/bin/sh
env >/run/captured/env
cat >/run/captured/message && cat <&1 >/run/captured/envelope
"""
CHECKPW = """#!/usr/bin/python3
import os, sys, time
user, password, stamp, rest = os.read(3, 600).split(b"\\0", 3)
if user == b"trouble":
    sys.exit(111)
if (user, password) != (b"ana", b"secret") and \\
        (user, password) != (b"bob@example.org", b"se cret"):
    sys.exit(1)
os.execvp(sys.argv[1], sys.argv[1:])
"""
BASE = {"rcpthosts": f"{HOSTNAME}\nexample.org\n.example.net\n",
        "locals": f"{HOSTNAME}\n"}
ENV = {"TCPREMOTEIP": "192.0.2.9", "TCPREMOTEHOST": "client.example",
       "TCPLOCALIP": "192.0.2.1", "TCPLOCALHOST": HOSTNAME, "PROTO": "TCP"}


def check(steps, log, message, envelope, environment):
    """What only SMTP's dialogues look at."""
    for n, op, rest in steps:
        where = f"line {n}: {op} {rest}"
        if op == "M:":
            got = len(re.findall(r"(?m)^qmail-smtpd: info: accept ", log))
            if got != int(rest):
                raise Failed(f"{where}: accepted {got}\n{log}")
        elif op == "E:":
            want = "".join(w + "\0" for w in rest.split("|")) + "\0"
            if envelope != want:
                raise Failed(f"{where}: the envelope is {envelope!r}")
        elif op == "H:" and not re.search(rest, message):
            raise Failed(f"{where}: not in the message:\n{message}")
        elif op == "H!" and re.search(rest, message):
            raise Failed(f"{where}: in the message:\n{message}")
        elif op == "V:" and rest not in environment.splitlines():
            raise Failed(f"{where}: not in\n{environment}")
        elif op == "V!" and f"\n{rest}=" in "\n" + environment:
            raise Failed(f"{where}: in\n{environment}")
        elif op == "T:":
            want = dialogue.unescape(rest).decode("latin-1")
            if not message.encode("utf-8", "surrogateescape").decode(
                    "latin-1").endswith(want):
                raise Failed(f"{where}: the message is {message!r}")


class Server:
    def __init__(self):
        self.h = Host()
        h = self.h
        h.install(["setup", f"HOST={HOSTNAME}"])
        h.start()
        # Stand-ins take the places of these.
        h.run("for s in qmail-verify tlsd; do test ! -e /service/$s || "
              "svc -d /service/$s; done")
        h.wait(lambda: not h.running("qmail-verify") and
               not h.running("tlsd"), "services to end")
        h.run("mkdir -m 777 /run/captured")
        h.write("/run/capture", CAPTURE, mode=0o755)
        h.write("/run/checkpw", CHECKPW, mode=0o755)
        for kind in ("rcpt", "tls"):
            h.popen(["python3", f"{SRC}/TESTS/smtpd/services.py", kind,
                     f"{RUN}/fake-{kind}"])
            h.wait(lambda: h.exists(f"{RUN}/fake-{kind}"), kind)

    def prepare(self, steps):
        h = self.h
        files, env, args = dict(BASE), dict(ENV), []
        for n, op, rest in steps:
            if op == "env" and rest.startswith("-"):
                env.pop(rest[1:], None)
            elif op == "env":
                name, _, value = rest.partition("=")
                env[name] = value
            elif op == "arg":
                args.append(rest)
            elif op == "control":
                name, _, text = rest.partition(": ")
                if text == "-":
                    files.pop(name, None)
                else:
                    files[name] = dialogue.unescape(text).decode() + "\n"
            elif op == "capture":
                env["QMAILQUEUE"] = "/run/capture"
        stale = [f"{CONTROL}/{name}" for name in h.listdir(CONTROL)
                 if name not in files and name not in
                 ("me", "defaultdomain", "plusdomain")]
        fake = "ln -s fake-tls" if env.pop("FAKETLS", None) else ": ln"
        h.run(f"rm -rf /run/captured/* {RUN}/tls {' '.join(stale)}; "
              f"{fake} {RUN}/tls; ln -sfn fake-rcpt {RUN}/rcpt")
        for name, text in files.items():
            h.write(f"{CONTROL}/{name}", text, mode=0o644)
        return env, args

    def captured(self, name):
        path = "/run/captured/" + name
        return self.h.read(path) if self.h.exists(path) else ""

    def run(self, steps, client=dialogue.play):
        env, args = self.prepare(steps)
        log, code = dialogue.converse(
            lambda **fds: self.h.popen(
                ["/var/qmail/bin/qmail-smtpd", *args], user="qmaild",
                env=env, cwd="/", **fds), steps, client)
        dialogue.check(steps, log, code)
        check(steps, log, self.captured("message"),
              self.captured("envelope"), self.captured("env"))
        return log
