"""A host with qmail-smtpd installed, its queue running, and stand-ins for the
services it asks: where dialogues are played."""

import fcntl
import os
import re
import socket
import struct
import subprocess
import termios
import threading
import time

import dialogue
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

    def settled(self, sock, child):
        """What was sent has been read."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            n = struct.unpack("i", fcntl.ioctl(
                sock.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
            if n == 0:
                return
            time.sleep(0.002)
        raise dialogue.Failed("the server does not read")

    def run(self, steps, client=dialogue.play):
        env, args = self.prepare(steps)
        pipes = any(op == "input" for _, op, _ in steps)
        ours, theirs = socket.socketpair()
        argv = ["/var/qmail/bin/qmail-smtpd", *args]
        if pipes:
            child = self.h.popen(argv, user="qmaild", env=env, cwd="/",
                                 stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, bufsize=0)
            wire = dialogue.Wire(child.stdin.fileno(), child.stdout.fileno())
        else:
            child = self.h.popen(argv, user="qmaild", env=env, cwd="/",
                                 stdin=theirs, stdout=theirs,
                                 stderr=subprocess.PIPE)
            wire = dialogue.Wire(ours)
        theirs.close()
        logged = []
        reader = threading.Thread(
            target=lambda: logged.append(child.stderr.read()))
        reader.start()
        error = None
        try:
            client(steps, wire, lambda: self.settled(ours, child))
        except dialogue.Failed as e:
            error = e
        ours.close()
        if pipes:
            child.stdin.close()
        reader.join()
        log = logged[0].decode("latin-1")
        code = child.wait()
        if error:
            raise dialogue.Failed(f"{error}\n{log}")
        assert all(re.match(r"^[ -~]*$", line) for line in log.split("\n")), \
            log
        dialogue.check(steps, log, code, self.captured("message"),
                       self.captured("envelope"), self.captured("env"))
        return log
