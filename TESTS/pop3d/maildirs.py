"""A host with qmail-pop3d installed, and a user whose Maildir each dialogue
finds as it says."""

import base64
import json

import dialogue
from dialogue import Failed
from host import Host, HOSTNAME

BIN = "/var/qmail/bin"
CONTROL = "/var/qmail/control"
USER = "ana"
HOME = f"/home/{USER}"
MAILDIR = HOME + "/Maildir"
SETTINGS = ("pop3logindelay", "pop3sessions", "pop3uidl", "timeoutpop3d")
ENV = {"USER": USER, "TCPREMOTEIP": "192.0.2.9", "PATH": "/usr/bin:/bin"}
# What a dialogue finds that names no message.  On the wire: 28 bytes and 4 LFs
# are 32; 27 and 5 and an end for the last line 34; 21 with CR LFs stay 21.
THREE = {
    "cur/1700000001.M1P1.mx,S=28,W=32:2,S":
        b"Subject: one\nTo: ana\n\nfirst\n",
    "new/1700000002.M1P1.mx":
        b"Subject: two\n\n.dot\n..\n.\nend",
    "cur/1700000003.M1P1.mx:2,":
        b"Subject: three\r\n\r\nc\r\n",
}
FILL = """
import base64, json, os, shutil, sys
os.umask(0o077)
if os.path.lexists("Maildir"):
    os.system("chmod -R u+rwx Maildir")
    shutil.rmtree("Maildir")
for d in "new", "cur", "tmp":
    os.makedirs("Maildir/" + d)
for path, data in json.load(sys.stdin).items():
    with open("Maildir/" + path, "wb") as f:
        f.write(base64.b64decode(data))
"""


class Mailbox:
    def __init__(self):
        h = self.h = Host()
        h.install(["setup", f"HOST={HOSTNAME}"])
        h.add_user(USER)

    def close(self):
        self.h.close()

    def fill(self, messages):
        """The Maildir has these files, {path: bytes}, and no others."""
        self.h.run(["python3", "-c", FILL], user=USER, cwd=HOME, input=json
                   .dumps({path: base64.b64encode(data).decode()
                           for path, data in messages.items()}))

    def sh(self, command):
        """As the user, in the Maildir."""
        return self.h.run(command, user=USER, cwd=MAILDIR).stdout

    def files(self):
        return {f"{d}/{name}" for d in ("new", "cur", "tmp")
                for name in self.h.listdir(f"{MAILDIR}/{d}")}

    def prepare(self, steps, messages=None):
        env, args, named = dict(ENV), [], {}
        self.h.run("rm -f " + " ".join(f"{CONTROL}/{s}" for s in SETTINGS))
        for _, op, rest in steps:
            if op == "env":
                name, _, value = rest.partition("=")
                if name.startswith("-"):
                    env.pop(name[1:], None)
                else:
                    env[name] = value
            elif op == "arg":
                args.append(rest)
            elif op == "control":
                name, _, text = rest.partition(": ")
                self.h.write(f"{CONTROL}/{name}", text + "\n", mode=0o644)
            elif op == "message":
                path, _, data = rest.partition(" ")
                named[path] = dialogue.unescape(data)
        self.fill(messages or named or THREE)
        return env, args or ["Maildir"]

    def start(self, env=ENV, args=("Maildir",), **fds):
        return self.h.popen([f"{BIN}/qmail-pop3d", *args], env=env, user=USER,
                            cwd=HOME, **fds)

    def run(self, steps, client=dialogue.play, messages=None):
        env, args = self.prepare(steps, messages)
        log, code = dialogue.converse(
            lambda **fds: self.start(env, args, **fds), steps, client)
        dialogue.check(steps, log, code)
        if code != 0:
            raise Failed(f"exit code {code}\n{log}")
        files = self.files()
        for n, op, rest in steps:
            if op == "F:" and rest not in files:
                raise Failed(f"line {n}: {rest} is not in {files}\n{log}")
            if op == "F!" and rest in files:
                raise Failed(f"line {n}: {rest} is there\n{log}")
        return log
