"""What the tests of v* commands share: accounts put into the store as they
are, by storetool, so that what is shown is known beforehand.

    lab = Lab(vsite)
    lab.fresh("jo", flags=NO_POP)       # jo@work.example
    lab.v("vuserinfo", "jo@work.example", code=0)
"""

import crypt
import json
import shlex
import subprocess

from host import REPO
from vsite import HOME, VPOPMAIL

TOOL = "/src/build/TESTS/vpop/storetool"
DOMAINS = VPOPMAIL + "/domains"
GOLD, LIMITED, WORK = "gold.example", "limited.example", "work.example"
ALIAS = "alias.example"
# "clave", by crypt(3).
MD5 = "$1$3z8Ws$5K.AcVNxoPPik7mj8NgFs."
FAST = "$5$rounds=1000$abcdefgh$"

NO_PASSWD, NO_POP, NO_WEBMAIL, NO_IMAP, BOUNCE, NO_RELAY, NO_DIALUP = \
    1, 2, 4, 8, 0x10, 0x20, 0x40
USER0, USER1, USER2, USER3, NO_SMTP, QA_ADMIN, OVERRIDE = \
    0x80, 0x100, 0x200, 0x400, 0x800, 0x1000, 0x2000
NO_SPAM, DELETE_SPAM, SA_ADMIN, EXPERT, NO_MAILDROP = \
    0x4000, 0x8000, 0x10000, 0x20000, 0x40000


def crypted(password):
    return crypt.crypt(password, FAST)


class Account:
    def __init__(self, name, domain=GOLD, hash=MD5, clear="", gecos="A Name",
                 apop=0, flags=0, quota="NOQUOTA", size=None, last=None):
        self.name, self.domain, self.hash, self.clear = \
            name, domain, hash, clear
        self.gecos, self.apop, self.flags = gecos, apop, flags
        self.quota, self.size, self.last = quota, size, last
        self.home = f"{DOMAINS}/{domain}/{name}"

    def words(self):
        return [self.domain, self.name, self.hash, str(self.apop),
                str(self.flags), self.gecos, self.home, self.quota,
                self.clear]


# Runs each of a list of commands; gives [code, output, errors] of each.
RUNS = """
import json, subprocess, sys
out = []
for argv in json.load(sys.stdin):
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True,
                       text=True, errors="surrogateescape")
    out.append([p.returncode, p.stdout, p.stderr])
json.dump(out, sys.stdout)
"""


class Lab:
    def __init__(self, s):
        self.s, self.h, self.store = s, s.h, s.store
        subprocess.run(["make", "-s", "-C", REPO, TOOL.replace("/src/", "")],
                       check=True, timeout=600)
        u = self.h.user("vpopmail")
        self.ids = f"{u.pw_uid}:{u.pw_gid}"
        self.uid, self.gid = u.pw_uid, u.pw_gid
        self.known = {}         # name: real name
        self.h.run(["useradd", "-M", "stranger"])
        self.h.write("/run/runs.py", RUNS, mode=0o644)
        self.domains(GOLD, LIMITED, WORK)
        self.assign()

    def tool(self, *lines, check=True):
        text = "".join("\t".join(w.replace("\\", "\\\\").replace("\t", "\\t")
                                 .replace("\n", "\\n") for w in words) + "\n"
                       for words in lines)
        out = self.h.run([TOOL, self.store, VPOPMAIL, DOMAINS], input=text,
                         user="vpopmail").stdout
        if check:
            bad = [a for a in out.splitlines()
                   if a.split(" ")[0] in ("WIDE", "TEMP", "EXISTS", "NONE")]
            assert not bad, bad
        return out

    def domains(self, *names):
        dirs = [f"{DOMAINS}/{n}" for n in names]
        self.h.run(["install", "-d", "-m", "700", "-o", "vpopmail", "-g",
                    str(self.gid), DOMAINS, *dirs])
        self.tool(*[["domain-add", n] for n in names])
        for n in names:
            self.known[n] = n

    def assign(self):
        self.h.write(f"{HOME}/users/assign", "".join(
            f"+{n}-:{real}:{self.ids}:{DOMAINS}/{real}:-::\n"
            for n, real in self.known.items()) + ".\n", mode=0o644)
        self.h.run([f"{HOME}/bin/qmail-newu"])

    def accounts(self, accounts):
        self.tool(*[["user-add", *a.words()] for a in accounts])
        script = ["umask 077"]
        for a in accounts:
            d = shlex.quote(a.home + "/Maildir")
            script.append(f"mkdir -p {d}/cur {d}/new {d}/tmp")
            if a.size is None:
                continue
            size, n = a.size
            script.append(f"echo '{a.quota}\n{size} {n}' >{d}/maildirsize")
            # so that a count comes to the same
            for i in range(n):
                part = size // n + (size % n if i == 0 else 0)
                script.append(f"head -c {part} /dev/zero >{d}/new/{i}")
        self.h.run("\n".join(script), user="vpopmail", cwd="/")
        self.tool(*[["lastauth-set", a.domain, a.name, str(a.last[0]),
                     a.last[1]] for a in accounts if a.last])

    def fresh(self, name, **kw):
        """A new account of work.example."""
        a = Account(name, WORK, **kw)
        self.accounts([a])
        return f"{name}@{WORK}"

    def get(self, address):
        """{hash, apop, flags, gecos, dir, quota, clear} as stored."""
        user, _, domain = address.partition("@")
        out = self.tool(["user-get", domain, user]).splitlines()
        assert out[-1] == "OK", out
        return dict(zip(("name", "hash", "apop", "flags", "gecos", "dir",
                         "quota", "clear"), out[0].split("\t")))

    def is_password(self, address, password):
        h = self.get(address)["hash"]
        return crypt.crypt(password, h) == h

    def v(self, command, *args, code=0, user=None, input=None, env=None,
          **kw):
        """Standard output; nothing may be on descriptor 2."""
        full = {"TZ": "UTC", "LANG": "C.UTF-8", **(env or {})}
        p = self.h.run([f"{VPOPMAIL}/bin/{command}", *args], user=user,
                       input=input, check=False, env=full, cwd="/", **kw)
        assert p.returncode == code, (command, args, p)
        return p.stdout

    def runs(self, commands, user=None):
        """Each [command, argument, ...]; (code, output, errors) of each."""
        out = self.h.run(["python3", "/run/runs.py"], user=user, cwd="/",
                         input=json.dumps([[f"{VPOPMAIL}/bin/{c}", *args]
                                           for c, *args in commands])).stdout
        return [tuple(x) for x in json.loads(out)]

    def all(self):
        """All that the store knows, and every file of a domain but what a
        count changes."""
        ask = []
        for d in (GOLD, LIMITED, WORK):
            ask += [["user-each", d], ["alias-each", d], ["limits-get", d]]
        files = self.h.run("cd /home/vpopmail && find . -type f "
                           "! -name maildirsize ! -name '*lock*' | sort | "
                           "xargs -d '\\n' cksum; cksum /var/qmail/users/* "
                           "/var/qmail/control/*").stdout
        return self.tool(*ask, ["ipmap-each"], check=False), files


def one_error(out, text=""):
    """One line, with nothing in it that a terminal obeys."""
    assert out.endswith("\n") and out.count("\n") == 1, out
    assert out.startswith("Error: "), out
    assert out[:-1].isprintable(), out
    assert text in out, out
