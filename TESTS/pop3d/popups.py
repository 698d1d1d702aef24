"""A host with qmail-popup installed, and stand-ins for what it asks and runs:
where dialogues are played."""

import dialogue
from dialogue import Failed
from host import Host, HOSTNAME, SRC

BIN = "/var/qmail/bin"
CONTROL = "/var/qmail/control"
RUN = "/var/qmail/run"
# Whom it knows: PASS and AUTH say the password, APOP its digest.
CHECKPW = """#!/usr/bin/python3
import hashlib, os, signal, sys
asked = b""
while piece := os.read(3, 4096):
    asked += piece
with open("/run/asked/last", "wb") as f:
    f.write(asked)
with open("/run/asked/count", "ab") as f:
    f.write(b"x")
user, secret, stamp, rest = asked.split(b"\\0")
if user == b"down":
    sys.exit(111)
if user == b"misused":
    sys.exit(2)
if user == b"three":
    sys.exit(3)
digest = hashlib.md5(stamp + b"secret").hexdigest().encode()
if (user, secret) not in [(b"ana", b"secret"), (b"b ob@example.org",
                          b" se cret "), (b"\\xc3\\xb8", b"\\xc3\\xa5")] and \\
        not (user == b"ana" and stamp and secret == digest):
    sys.exit(1)
os.environ["USER"] = user.decode()
os.execvp(sys.argv[1], sys.argv[1:])
"""
# It says at once that it has the connection, and repeats what it reads.
MAILBOX = """#!/bin/sh
printf x >&$LOGINFD
exec 4>&-
printf '+OK mailbox of %s tls=%s\\r\\n' "$USER" "$SSL_PROTOCOL"
while IFS= read -r line; do
	line=${line%?}
	printf '+OK %s\\r\\n' "$line"
	[ "$line" != QUIT ] || exit 1
done
"""
ENV = {"TCPREMOTEIP": "192.0.2.9", "TCPLOCALIP": "192.0.2.1",
       "TCPLOCALHOST": HOSTNAME, "PROTO": "TCP", "PATH": "/usr/bin:/bin"}


class Server:
    def __init__(self):
        h = self.h = Host()
        h.install(["setup", f"HOST={HOSTNAME}"])
        h.run("mkdir -m 777 /run/asked")
        h.write("/run/checkpw", CHECKPW, mode=0o755)
        h.write("/run/mailbox", MAILBOX, mode=0o755)
        h.popen(["python3", f"{SRC}/TESTS/smtpd/services.py", "tls",
                 f"{RUN}/fake-tls"])
        h.wait(lambda: h.exists(f"{RUN}/fake-tls"), "the stand-in for tlsd")

    def close(self):
        self.h.close()

    def prepare(self, steps):
        env, args = dict(ENV), []
        self.h.run(f"rm -rf /run/asked/* {RUN}/tls {CONTROL}/plaintextauth "
                   f"{CONTROL}/pop3logindelay")
        for _, op, rest in steps:
            if op == "env":
                name, _, value = rest.partition("=")
                env[name] = value
            elif op == "arg":
                args.append(rest)
            elif op == "control":
                name, _, text = rest.partition(": ")
                if text == "/":         # that cannot be read
                    self.h.run(["mkdir", f"{CONTROL}/{name}"])
                    continue
                self.h.write(f"{CONTROL}/{name}", text + "\n", mode=0o644)
        if env.pop("FAKETLS", None):
            self.h.run(["ln", "-s", "fake-tls", f"{RUN}/tls"])
        return env, args or [HOSTNAME, "/run/checkpw", "/run/mailbox"]

    def asked(self, name):
        path = "/run/asked/" + name
        return self.h.read(path) if self.h.exists(path) else ""

    def run(self, steps, client=dialogue.play, user=None):
        env, args = self.prepare(steps)
        log, code = dialogue.converse(
            lambda **fds: self.h.popen([f"{BIN}/qmail-popup", *args],
                                       env=env, cwd="/", user=user, **fds),
            steps, client)
        dialogue.check(steps, log, code)
        for n, op, rest in steps:
            where = f"line {n}: {op} {rest}"
            if op == "A:" and len(self.asked("count")) != int(rest):
                raise Failed(f"{where}: {self.asked('count')!r}\n{log}")
            if op == "A=" and self.asked("last") != dialogue.unescape(
                    rest).decode().replace("|", "\0"):
                raise Failed(f"{where}: {self.asked('last')!r}\n{log}")
        return log
