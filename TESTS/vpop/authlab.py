"""A site for the tests of authdaemond and vchkpw: accounts put into the store
as they are, questions on the socket byte by byte, many runs of vchkpw at once.

    s = AuthSite("mysql")
    s.put("jo", "secret", flags=NO_POP)
    s.login("jo@x.example", "secret")       # "OK", "FAIL" or "" for no answer
"""

import json
import os
import socket
import subprocess
import warnings

from host import REPO
from vsite import HOME, VPOPMAIL, VSite

with warnings.catch_warnings():
    warnings.simplefilter("ignore")     # deprecated; Debian 12 has it
    import crypt

TOOL = "/src/build/TESTS/vpop/storetool"
DOMAIN, ALIAS = "x.example", "alias.example"
DOMDIR = f"{VPOPMAIL}/domains/{DOMAIN}"
SOCKET = HOME + "/run/auth"
COURIER = "/run/courier/authdaemon/socket"
NO_PASSWD, NO_POP, NO_WEBMAIL, NO_IMAP, NO_SMTP = 1, 2, 4, 8, 0x800
OVERRIDE = 0x2000
OK, FAIL, NOTHING = "OK", "FAIL", ""
FAST = "$5$rounds=1000$abcdefgh$"       # cheap to check, and not weak


def hashed(password, salt=FAST):
    return crypt.crypt(password, salt)


# Asks as the user it is run as; in and out: JSON lists of latin-1 strings.
ASK = """
import json, socket, sys
path, questions = json.load(sys.stdin)
out = []
for q in questions:
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(path)
    got = b""
    try:
        s.sendall(q.encode("latin-1"))
        while True:
            b = s.recv(65536)
            if not b:
                break
            got += b
    except ConnectionError:
        pass
    out.append(got.decode("latin-1"))
json.dump(out, sys.stdout)
"""

# Runs vchkpw for each case: {input, env, argv, closed}: [code, out, err].
RUN = """
import json, os, subprocess, sys
out = []
for c in json.load(sys.stdin):
    r, w = os.pipe()
    assert r == 3
    def fd3(c=c):
        if c.get("closed"):
            os.close(3)
        else:
            os.set_inheritable(3, True)
    if os.fork() == 0:
        os.close(r)
        data = c["input"].encode("latin-1")
        try:
            while data:
                data = data[os.write(w, data):]
        except BrokenPipeError:
            pass
        os._exit(0)
    os.close(w)
    p = subprocess.run(["/var/qmail/bin/vchkpw", *c["argv"]], env=c["env"],
                       preexec_fn=fd3, close_fds=False, cwd="/",
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE)
    os.close(r)
    os.wait()
    out.append([p.returncode, p.stdout.decode("latin-1"),
                p.stderr.decode("latin-1")])
json.dump(out, sys.stdout)
"""


class AuthSite(VSite):
    def prepare(self):
        subprocess.run(["make", "-s", "-C", REPO, TOOL.replace("/src/", "")],
                       check=True, timeout=600)
        super().prepare()
        h = self.h
        h.write("/run/ask.py", ASK, mode=0o644)
        h.write("/run/vchkpws.py", RUN, mode=0o644)
        h.run(["useradd", "stranger"])
        u = h.user("vpopmail")
        self.uid, self.gid = u.pw_uid, u.pw_gid
        h.run(["install", "-d", "-m", "700", "-o", "vpopmail", "-g", "vchkpw",
               f"{VPOPMAIL}/domains", DOMDIR])
        ids = f"{self.uid}:{self.gid}:{DOMDIR}:-::"
        h.write(f"{HOME}/users/assign", f"+{DOMAIN}-:{DOMAIN}:{ids}\n"
                f"+{ALIAS}-:{DOMAIN}:{ids}\n.\n", mode=0o644)
        h.run(["qmail-newu"])
        self.tool(["domain-add", DOMAIN])
        self.put("jo", "secret pass")
        self.directory("jo")

    # The store.

    def tool(self, *lines, check=True):
        """storetool as vpopmail; its answers, a line each."""
        text = "".join("\t".join(w.replace("\\", "\\\\") for w in words) +
                       "\n" for words in lines)
        out = self.h.run([TOOL, self.store, VPOPMAIL, VPOPMAIL + "/domains"],
                         input=text, user="vpopmail").stdout
        if check:
            bad = [a for a in out.splitlines()
                   if a.split(" ")[0] in ("WIDE", "TEMP", "EXISTS")]
            assert not bad, bad
        return out

    def words(self, name, password="secret pass", flags=0, clear="",
              hash=None, quota="1000000S", gecos="A Name", home=None):
        return [DOMAIN, name, hashed(password) if hash is None else hash, "0",
                str(flags), gecos,
                f"{DOMDIR}/{name}" if home is None else home, quota, clear]

    def put(self, name, *args, **kw):
        self.tool(["user-add", *self.words(name, *args, **kw)])
        self.changed(name)

    def directory(self, name):
        d = f"{DOMDIR}/{name}"
        self.h.run(["install", "-d", "-m", "700", "-o", "vpopmail", "-g",
                    "vchkpw", d] + [f"{d}/Maildir/{sub}" for sub in
                                    ("", "new", "cur", "tmp")])

    def change(self, name, *args, told=True, **kw):
        self.tool(["user-set", *self.words(name, *args, **kw)])
        if told:
            self.changed(name)

    def get(self, name):
        """[name, hash, apop, flags, gecos, dir, quota, clear], or None."""
        out = self.tool(["user-get", DOMAIN, name]).splitlines()
        return out[0].split("\t") if out[-1] == "OK" else None

    def changed(self, name=""):
        assert self.ask(f"CHANGED {DOMAIN} {name}".rstrip() + "\n") == "OK\n"

    # Questions.

    def connect(self, path=SOCKET):
        """As root, from outside."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(100)
        s.connect(f"/proc/{self.h.pid}/root{path}")
        return s

    def ask(self, question, path=SOCKET):
        if isinstance(question, str):
            question = question.encode("latin-1")
        got = b""
        with self.connect(path) as s:
            try:
                s.sendall(question)
                while True:
                    b = s.recv(65536)
                    if not b:
                        break
                    got += b
            except ConnectionError:
                pass
        return got.decode("latin-1")

    def ask_as(self, user, *questions, path=SOCKET):
        out = self.h.run(["python3", "/run/ask.py"], user=user, cwd="/",
                         input=json.dumps([path, questions])).stdout
        return json.loads(out)

    @staticmethod
    def auth(user, password, service="imap", ip="192.0.2.9", kind="login"):
        payload = f"{service}\n{kind}\n{user}\n{password}\n"
        meta = f"TCPREMOTEIP={ip}\n" if ip else ""
        return f"{meta}AUTH {len(payload)}\n{payload}"

    @staticmethod
    def verdict(answer):
        if answer in ("", "FAIL\n", "OK\n"):
            return answer.strip()
        assert answer.endswith("\n.\n"), answer
        return OK

    def login(self, user, password, *args, **kw):
        return self.verdict(self.ask(self.auth(user, password, *args, **kw)))

    def lines(self, question, path=SOCKET):
        """{name: [values]} of an answer."""
        answer = self.ask(question, path)
        assert self.verdict(answer) == OK, answer
        out = {}
        for line in answer.splitlines()[:-1]:
            name, _, value = line.partition("=")
            out.setdefault(name, []).append(value)
        return out

    def resolve(self, address):
        return self.lines(f"RESOLVE {address}\n")

    # Settings.

    def log(self, service="authdaemond"):
        return super().log() if service == "qmail" else self.h.log(service)

    def reload(self, said="settings read again"):
        n = self.log().count(said)
        self.h.run(["svc", "-h", "/service/authdaemond"])
        self.h.wait(lambda: self.log().count(said) > n,
                    "authdaemond to read its settings")

    def again(self):
        """authdaemond started anew."""
        old = self.h.running("authdaemond")
        self.h.run(["svc", "-t", "/service/authdaemond"])
        self.h.wait(lambda: self.h.running("authdaemond") and
                    not set(old) & set(self.h.running("authdaemond")) and
                    self.alive(), "authdaemond to start again")

    def alive(self):
        try:
            return self.ask("PRE . x nobody@nowhere.example\n") == "FAIL\n"
        except OSError:
            return False

    # vchkpw.

    @staticmethod
    def case(user, password, stamp="", port="110", ip="192.0.2.9",
             argv=("/bin/true",), env=None, input=None):
        return {"input": f"{user}\0{password}\0{stamp}\0"
                if input is None else input, "argv": list(argv),
                "env": {"TCPLOCALPORT": port, "TCPREMOTEIP": ip,
                        "PATH": "/usr/bin:/bin", **(env or {})}}

    def vchkpws(self, cases, user=None):
        """[code, stdout, stderr] of each."""
        out = self.h.run(["python3", "/run/vchkpws.py"], user=user, cwd="/",
                         input=json.dumps(cases)).stdout
        return json.loads(out)

    def vchkpw(self, *args, user=None, **kw):
        return self.vchkpws([self.case(*args, **kw)], user)[0]


def kill_worker(site, sig):
    """To one, whichever it is."""
    for pid in (pids := site.h.running("authdaemond")):
        with open(f"/proc/{pid}/stat") as f:
            if int(f.read().rsplit(")", 1)[1].split()[1]) in pids:
                os.kill(pid, sig)
                return
    raise AssertionError("there is no worker")
