"""Mailboxes that Debian's courier-pop and Dovecot served: their identifiers and
sizes come out of qmail-pop3d as these gave them, so that no client fetches
again what it has."""

import json

import pytest

from mailsite import CONTROL, HOME, Site
from net import debs, unpack

COURIER = ["/usr/lib/courier/courier/courierpop3d"]
DOVECOT = ["/usr/lib/dovecot/pop3", "-o", "mail_location=maildir:~/Maildir"]
OURS = [f"{HOME}/bin/qmail-pop3d", "Maildir"]
DEFAULT = "%08Xu%08Xv"

# LIST, UIDL, and what RETR really sends; some begin with a greeting.
TALK = """
import json, os, subprocess, sys
greets, retr = sys.argv[1] == "1", sys.argv[2] == "1"
p = subprocess.Popen(sys.argv[3:], stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE)

def line():
    got = p.stdout.readline()
    assert got.endswith(b"\\r\\n"), got
    return got

def ask(command, many=True):
    if command:
        p.stdin.write(command.encode() + b"\\r\\n")
        p.stdin.flush()
    got = line()
    assert got.startswith(b"+OK"), got
    out = []
    while many:
        got = line()
        if got == b".\\r\\n":
            break
        out.append(got[1:] if got.startswith(b".") else got)
    return out

if greets:
    ask("", many=False)
sizes = [int(x.split()[1]) for x in ask("LIST")]
uidl = [x.decode("latin1").rstrip("\\r\\n").split(" ", 1)[1]
        for x in ask("UIDL")]
assert len(sizes) == len(uidl)
if retr:
    for i, size in enumerate(sizes):
        assert len(b"".join(ask(f"RETR {i + 1}"))) == size
ask("QUIT", many=False)
p.stdin.close()
p.wait()
json.dump(list(zip(sizes, uidl)), sys.stdout)
"""

# Names as several programs give them; the sizes tell the messages apart.
NAMES = [
    "cur/1700000000.4711.mx.a.example:2,S",
    "cur/1700000000.4711_1.mx.a.example:2,",
    "cur/1700000100.V801I2fM5.mx.a.example:2,FRS",
    "cur/1700000200.M123456P99.mx.a.example,S={size},W={wire}:2,S",
    "cur/1700000200.M123456P98.mx.a.example,S={size}:2,RS",
    "cur/1700000200.M5P98.mx.a.example,S={size},W={wire}:2,Sab",
    "cur/1699999999.H1P2Q3.a-host-with-a-name-that-is-long.and.longer."
    "a.example,S={size}:2,",
    "cur/1700000300.a+b'c.mx.a.example:2,T",
    "new/1700000400.12.mx.a.example",
    "new/1700000500.M1P1.mx.a.example,S={size},W={wire}",
]


@pytest.fixture(scope="module")
def site():
    for package in ("courier-pop", "dovecot-pop3d"):
        debs(package)
    s = Site()
    try:
        unpack(s.h, "courier-pop", without=("exim4", "gamin_"))
        unpack(s.h, "dovecot-pop3d", without=("exim4",))
        s.h.write("/run/talk.py", TALK, mode=0o644)
        yield s
    finally:
        s.close()


class Mailbox:
    """Of a new user; setting: what control/pop3uidl says from now on."""

    def __init__(self, site, setting):
        site.h.write(f"{CONTROL}/pop3uidl", setting + "\n", mode=0o644)
        self.h, self.user = site.h, site.new_user()
        self.home = self.h.user(self.user).pw_dir
        self.dir = self.home + "/Maildir"
        self.count = 0

    def put(self, name):
        """A message with a size of its own; that size on the wire."""
        self.count += 1
        text = f"Subject: {self.count}\n\n" + "text\n" * self.count
        wire = len(text) + text.count("\n")
        name = name.format(size=len(text), wire=wire)
        self.h.write(f"{self.dir}/{name}", text, owner=self.user)
        return wire

    def move(self, old, new):
        self.h.run(["mv", f"{self.dir}/{old}", f"{self.dir}/{new}"])

    def talk(self, argv, greets=True, retr=False):
        """{size: identifier}"""
        out = self.h.run(["python3", "/run/talk.py", str(int(greets)),
                          str(int(retr)), *argv], user=self.user,
                         cwd=self.home, env={
            "HOME": self.home, "USER": self.user, "AUTHADDR": self.user,
            "AUTHENTICATED": self.user, "TCPREMOTEIP": "127.0.0.1",
            "MAILDIR": self.dir}).stdout
        pairs = json.loads(out)
        assert len(dict(pairs)) == len(pairs), "sizes are not unique"
        return dict(pairs)

    def ours(self):
        got = self.talk(OURS, retr=True)
        assert len(set(got.values())) == len(got)
        assert all(u and all("!" <= c <= "~" for c in u)
                   for u in got.values())
        return got


def courier(box):
    return box.talk(COURIER)


def dovecot(uidl_format):
    more = [] if uidl_format == DEFAULT else \
        ["-o", "pop3_uidl_format=" + uidl_format]
    return lambda box: box.talk(DOVECOT + more, greets=False)


SERVERS = [
    ("courier", "auto", courier, "courierpop3dsizelist"),
    ("courier only", "courier", courier, "courierpop3dsizelist"),
    ("dovecot", "auto", dovecot(DEFAULT), "dovecot-uidlist"),
] + [(f"dovecot {f}", f"dovecot {f}", dovecot(f), "dovecot-uidlist")
     for f in ("%u-%v", "%f", "%g", "%v.%u", "%05Xu", "%Lf", "%4u.%10f%v")]


@pytest.mark.parametrize("setting, serve, listed",
                         [s[1:] for s in SERVERS], ids=[s[0] for s in SERVERS])
def test_identifiers(site, setting, serve, listed):
    box = Mailbox(site, setting)
    sizes = [box.put(name) for name in NAMES]
    theirs = serve(box)
    assert sorted(theirs) == sorted(sizes)
    # Twice: what they say themselves is the same, or nothing is to be kept.
    assert serve(box) == theirs

    # Mail comes, somebody reads, somebody deletes.
    new = [box.put("new/1800000000.M1P1.mx.a.example,S={size},W={wire}"),
           box.put("cur/1600000000.77.mx.a.example:2,")]
    box.move("cur/1700000000.4711_1.mx.a.example:2,",
             "cur/1700000000.4711_1.mx.a.example:2,FS")
    box.h.run(["rm", f"{box.dir}/cur/1700000300.a+b'c.mx.a.example:2,T"])
    del theirs[sizes[7]]
    got = box.ours()
    assert {size: got[size] for size in theirs} == theirs
    assert sorted(got) == sorted([*theirs, *new])

    # The list has done its duty; and what is new keeps its identifier too.
    box.h.run(["rm", f"{box.dir}/{listed}"])
    new = box.put("new/1800000001.M1P1.mx.a.example")
    again = box.ours()
    assert again.pop(new)
    assert again == got
    box.h.run(["rm", "-f", f"{box.dir}/pop3d.sizes"])
    again = box.ours()
    del again[new]
    assert again == got


def test_newest_of_both(site):
    """First one server, then the other: clients know what the last one said."""
    for first, last in ((courier, dovecot(DEFAULT)),
                        (dovecot(DEFAULT), courier)):
        box = Mailbox(site, "auto")
        for name in NAMES:
            box.put(name)
        first(box)
        box.h.run(["touch", "-d", "1 hour ago",
                   f"{box.dir}/courierpop3dsizelist" if first is courier else
                   f"{box.dir}/dovecot-uidlist"])
        theirs = last(box)
        assert box.ours() == theirs


def test_names_alone(site):
    """Without a list, and with "name": the base name, as the classic
    qmail-pop3d has it."""
    box = Mailbox(site, "name")
    for name in NAMES:
        box.put(name)
    courier(box)
    got = box.ours()
    assert len(got) == len(NAMES)
    assert max(map(len, got.values())) <= 70
    assert "1700000000.4711.mx.a.example" in got.values()
    assert "1700000400.12.mx.a.example" in got.values()
    assert not box.h.exists(f"{box.dir}/pop3d.uidl")
