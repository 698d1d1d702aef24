"""POP3 clients that others wrote, each with a home of its own on the host.

    c = Mpop(host, "stls", "jo@x.example", "secret")
    c.fetch()               # (exit, what it said); the mail stays there
    c.got                   # {file: bytes}, what it has fetched so far
    c.fetch(keep=False)     # and is deleted there

`wire` says what RETR must send for a file, `talk` is a session by hand.
"""

import itertools
import re
import shlex
import socket
import ssl
from urllib.parse import quote

from mailsite import HOSTNAME
from names import inside

CERT = "/run/mx.pem"
READER = "reader"               # the user that clients are run by
HOME = f"/home/{READER}"
PASSWORD = "se cret%1"

# Port, and how TLS comes.
WAYS = {"plain": (110, ""), "stls": (110, "stls"), "tls": (995, "tls")}

# getmail waits for its child in vain when that ends before it does so.
MDA = """#!/bin/sh
[ $# = 1 ] || sleep "$2"
exec cat >"$1/got/new/$(date +%s.%N).$$"
"""

# RETR of what was not there before; what is known by UIDL stands in a file.
POPLIB = """
import os, poplib, ssl, sys
home, port, tls, user, password, keep = sys.argv[1:]
context = ssl.create_default_context(cafile="%s")
poplib._MAXLINE = 1 << 20
try:
    if tls == "tls":
        c = poplib.POP3_SSL("%s", int(port), context=context, timeout=100)
    else:
        c = poplib.POP3("%s", int(port), timeout=100)
    if tls == "stls":
        c.stls(context)
    c.user(user)
    c.pass_(password)
    try:
        seen = open(home + "/seen").read().split()
    except OSError:
        seen = []
    count, size = c.stat()
    there = [line.split() for line in c.uidl()[1]]
    sizes = dict(line.split() for line in c.list()[1])
    assert count == len(there) == len(sizes)
    assert size == sum(int(n) for n in sizes.values())
    new = 0
    for number, uid in there:
        if uid.decode() not in seen:
            lines = c.retr(int(number))[1]
            new += 1
            with open(f"{home}/got/new/{uid.decode()}", "wb") as f:
                f.write(b"".join(x + b"\\n" for x in lines))
        if keep == "0":
            c.dele(int(number))
    c.quit()
    with open(home + "/seen", "w") as f:
        f.write("\\n".join(uid.decode() for number, uid in there))
    print(new, "new")
except poplib.error_proto as e:
    print(e)
    sys.exit(1)
""" % (CERT, HOSTNAME, HOSTNAME)


def wire(data):
    """What RETR sends of a file, without dot-stuffing and the last dot."""
    out = re.sub(rb"(?<!\r)\n", b"\r\n", data)
    return out if out.endswith(b"\n") or not out else out + b"\r\n"


def prepare(h):
    """Once a host, before clients: where their homes are."""
    h.add_user(READER, maildir=False)
    h.run(f"cat /var/qmail/tls/current/cert/default/ec.pem >{CERT}")
    h.write("/run/mda", MDA, mode=0o755)
    h.write("/run/by_poplib.py", POPLIB, mode=0o644)


class Client:
    """What they have in common.  ways: transports it can do; wrong: exits
    that say that the password is wrong; down: those that say to come again.
    nothing: exits when there is no new mail."""
    ways = tuple(WAYS)
    wrong = down = (1,)
    nothing = (0,)
    memory = True               # of what it has fetched
    numbers = itertools.count()

    def __init__(self, h, way, user, password=PASSWORD):
        self.h, self.user, self.password = h, user, password
        self.port, self.tls = WAYS[way]
        self.home = f"{HOME}/{type(self).__name__}{next(self.numbers)}"
        h.run(["mkdir", "-p", *(f"{self.home}/got/{d}" for d in
                                ("new", "cur", "tmp"))], user=READER)
        self.taken = set()

    def run(self, *argv, check=False):
        r = self.h.run([str(a) for a in argv], user=READER, cwd=self.home,
                       check=check, timeout=200,
                       env={"HOME": self.home, "TERM": "vt100"})
        return r.returncode, r.stdout + r.stderr

    def url(self, plain, tls):
        return f"{tls if self.tls == 'tls' else plain}://" \
            f"{quote(self.user)}:{quote(self.password)}@" \
            f"{HOSTNAME}:{self.port}"

    def write(self, name, text):
        self.h.write(f"{self.home}/{name}", text, mode=0o600, owner=READER)

    @property
    def got(self):
        out = {}
        for d in f"{self.home}/got/new", f"{self.home}/got/cur":
            for name in self.h.listdir(d):
                with self.h.open(f"{d}/{name}", "rb") as f:
                    out[name] = self.clean(f.read())
        return out

    def clean(self, data):
        """Without what it has added to a message."""
        return data

    def new(self):
        """What came since the last time, sorted."""
        got = self.got
        out = sorted(got[n] for n in got if n not in self.taken)
        self.taken |= set(got)
        return out

    def expect(self, data):
        """What it makes of a file of the Maildir."""
        return wire(data).replace(b"\r\n", b"\n")


class Fetchmail(Client):
    wrong, down, nothing = (3,), (14,), (1,)

    def configure(self, keep=True):
        self.write("rc", f"""
set invisible
set no bouncemail
set no softbounce
poll {HOSTNAME} proto pop3 port {self.port} uidl auth password timeout 100
    user "{self.user}" password "{self.password}"
    {'ssl' if self.tls == 'tls' else ''}
    sslproto "{'TLS1.2+' if self.tls else ''}" sslcertck sslcertfile "{CERT}"
    no rewrite pass8bits {'keep' if keep else 'fetchall no keep'}
    mda "/run/mda {self.home}"
""")

    def fetch(self, keep=True):
        self.configure(keep)
        return self.run("fetchmail", "-f", f"{self.home}/rc", "-N",
                        "--pidfile", f"{self.home}/pid", "-v", "-i",
                        f"{self.home}/ids")


class Mpop(Client):
    wrong = (77,)               # EX_NOPERM
    down = (77,)
    method = "user"

    def fetch(self, keep=True):
        self.write("rc", f"""
account default
host {HOSTNAME}
port {self.port}
timeout 100
tls {'on' if self.tls else 'off'}
tls_starttls {'on' if self.tls == 'stls' else 'off'}
tls_trust_file {CERT}
auth {self.method}
user {self.user}
password "{self.password}"
delivery maildir {self.home}/got
uidls_file {self.home}/uidls
received_header off
keep {'on' if keep else 'off'}
only_new {'on' if keep else 'off'}
""")
        return self.run("mpop", "-C", f"{self.home}/rc", "-d")


class MpopPlain(Mpop):
    method = "plain"


class Getmail(Client):
    ways = ("plain", "tls")     # it has no STLS
    wrong = down = (127,)

    def fetch(self, keep=True):
        self.write("rc", f"""
[retriever]
type = {'SimplePOP3SSLRetriever' if self.tls else 'SimplePOP3Retriever'}
server = {HOSTNAME}
port = {self.port}
username = {self.user}
password = {self.password}
{'ca_certs = ' + CERT if self.tls else ''}
[destination]
type = MDA_external
path = /run/mda
arguments = ("{self.home}", "0.2")
[options]
read_all = {'false' if keep else 'true'}
delete = {'false' if keep else 'true'}
delivered_to = false
received = false
""")
        return self.run("getmail", "-g", self.home, "-r", f"{self.home}/rc")


class Poplib(Client):
    def fetch(self, keep=True):
        return self.run("python3", "/run/by_poplib.py", self.home, self.port,
                        self.tls, self.user, self.password, int(keep))


class Curl(Client):
    """A command each; what is new is found by UIDL."""
    wrong = down = (67,)        # CURLE_LOGIN_DENIED

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self.seen = set()

    def curl(self, path, *options):
        scheme = "pop3s" if self.tls == "tls" else "pop3"
        return self.run(
            "curl", "-sSv", f"{scheme}://{HOSTNAME}:{self.port}/{path}", "-u",
            f"{self.user}:{self.password}", "--cacert", CERT,
            *(["--ssl-reqd"] if self.tls else []), *options)

    def fetch(self, keep=True):
        code, said = self.curl("", "-X", "UIDL", "-o", f"{self.home}/list")
        if code != 0:
            return code, said
        # an empty list is an empty line for it
        lines = self.h.read(f"{self.home}/list").split("\n")
        lines = [line for line in lines if line]
        for number, uid in (line.split(" ") for line in lines):
            if uid not in self.seen:
                code, more = self.curl(number, "-o",
                                       f"{self.home}/got/new/{uid}")
                assert code == 0, more
                self.seen.add(uid)
        for _ in lines if not keep else []:     # a session each
            code, more = self.curl("", "-X", "DELE 1", "-I")
            assert code == 0, more
        return 0, said

    def expect(self, data):
        return wire(data)


class SNail(Client):
    """It has no memory: all is fetched each time."""
    memory = False

    def fetch(self, keep=True):
        settings = ["v15-compat", "pop3-bulk-load", "hold",
                    "tls-verify=strict", f"tls-ca-file={CERT}",
                    "tls-ca-no-defaults"]
        if self.tls == "stls":
            settings.append("pop3-use-starttls")
        self.write("say", f"copy * maildir://{self.home}/got\n"
                   f"{'' if keep else 'delete *'}\nquit\n")
        argv = ["s-nail", "-:/", *(x for s in settings for x in ("-S", s)),
                "-Y", "", "-f", self.url("pop3", "pop3s")]
        return self.run("sh", "-c", f"exec {shlex.join(argv)} <say")

    def expect(self, data):
        """It writes all files as if they were in one."""
        out = re.sub(rb"(?m)^From ", b">From ", super().expect(data))
        return out if out.endswith(b"\n\n") else out + b"\n"


class Mutt(Client):
    """As a mailbox over the net: what it has read it keeps in a cache, by
    UIDL; all of it is copied to a Maildir."""
    wrong = down = (0,)
    memory = False

    def fetch(self, keep=True):
        self.h.run(["mkdir", "-p", f"{self.home}/cache"], user=READER)
        end = "<exit>y" if keep else \
            "<tag-pattern>~A<enter><tag-prefix><delete-message><quit>"
        settings = [
            "pop_reconnect=no", "sleep_time=0", "confirmcreate=no", "confirmappend=no",
            "wait_key=no", "mbox_type=Maildir", "delete=yes", "quit=yes",
            "ssl_starttls=" + ("yes" if self.tls == "stls" else "no"),
            "ssl_force_tls=" + ("yes" if self.tls else "no"),
            f"certificate_file={CERT}", f"folder={self.home}", "copy=no",
            f"message_cachedir={self.home}/cache",
            f"header_cache={self.home}/cache", "mail_check=0",
            "pop_authenticators=user", "sort=mailbox-order"]
        push = ("<tag-pattern>~A<enter><tag-prefix><copy-message>"
                f"<kill-line>{self.home}/got<enter>{end}")
        argv = ["mutt", "-F", "/dev/null", "-n",
                *(x for s in settings for x in ("-e", "set " + s)),
                "-e", f"push '{push}'", "-f",
                self.url("pop", "pops") + "/"]
        return self.run("timeout", 60, "script", "-qec", shlex.join(argv),
                        "/dev/null")

    def clean(self, data):
        return re.sub(rb"\n(Content-Length|Lines): \d+(?=\n)", b"", data)


class Talk:
    """A session by hand."""

    def __init__(self, h, way="plain", user=None, password=PASSWORD,
                 ip="127.0.0.1"):
        port, tls = WAYS[way]
        self.h = h
        self.s = inside(h, lambda: socket.create_connection((ip, port), 100))
        self.left = b""
        if tls == "tls":
            self.wrap()
        self.greeting = self.line()
        assert self.greeting.startswith(b"+OK"), self.greeting
        if tls == "stls":
            self.ok("STLS")
            self.wrap()
        if user is not None:
            self.ok("USER " + user)
            self.ok("PASS " + password)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def wrap(self):
        context = ssl.create_default_context(cadata=self.h.read(CERT))
        self.s = context.wrap_socket(self.s, server_hostname=HOSTNAME)

    def line(self):
        """Without its CR LF; b"" at the end."""
        while b"\r\n" not in self.left:
            more = self.s.recv(65536)
            if not more:
                assert self.left == b"", self.left
                return b""
            self.left += more
        line, self.left = self.left.split(b"\r\n", 1)
        return line

    def send(self, text):
        self.s.sendall(text.encode("latin-1") + b"\r\n")

    def ask(self, text):
        self.send(text)
        return self.line()

    def ok(self, text):
        """What follows +OK."""
        said = self.ask(text)
        assert said.startswith(b"+OK"), (text, said)
        return said[4:].decode("latin-1")

    def err(self, text):
        said = self.ask(text)
        assert said.startswith(b"-ERR "), (text, said)
        return said[5:].decode("latin-1")

    def rest(self):
        """The lines up to the dot, with the dots taken off, as bytes."""
        out = []
        while (line := self.line()) != b".":
            assert line or self.left, "the connection ended"
            out.append(line[1:] if line.startswith(b".") else line)
        return b"".join(x + b"\r\n" for x in out)

    def many(self, text):
        self.ok(text)
        return self.rest()

    def words(self, text):
        """Lines of a list as lists of words."""
        return [x.split(" ") for x in
                self.many(text).decode("latin-1").split("\r\n")[:-1]]

    def quit(self):
        self.ok("QUIT")
        assert self.line() == b""
        self.s.close()
