"""Mail on its whole way, from qmail-queue to RETR: any bytes and 100 MB to the
byte, in the clear and in TLS; mailboxes that change under a session; what
Thunderbird says, word by word; and the quota's file after deletions."""

import base64
import hashlib
import re
import smtplib
import subprocess

import pytest

import pop3lab
from names import inside
from pop3lab import PASSWORD, Talk, WAYS, wire
from vsite import VSite

STORES = ["cdb"]
DOMAIN = "pop.example"
MIB = 1 << 20

# Bytes that a message may have.
BODIES = {
    "text": b"plain\n",
    "8-bit": b"\xc3\xa4 \xff\xfe \x80\n",
    "bare CR": b"a\rb\r\rc\n\rd\n",
    "NUL": b"a\0b\n\0\n\0\0",
    "dots": b".\n..\n.x\n\n.\n",
    "no final newline": b"one\ntwo",
    "a dot at the end": b"one\n.",
    "a CR at the end": b"one\ntwo\r",
    "long": b"x" * 100000 + b"\n" + b"." * 70000,
    "CR LF": b"one\r\n.two\r\n\r\n",
    "both": b"one\r\ntwo\n\r\n\n.\r\nthree\r\r\n",
    "empty lines": b"\n" * 3000,
}
BY_SMTP = ["text", "8-bit", "dots", "empty lines"]

# Files that are no messages at all.
FILES = [b"", b"\n", b"\r\n", b".", b".\n", b"\r", b"\n.", b"\0"]

RENAME = """
import os, select, sys
os.chdir(sys.argv[1])
turn = 0
while not select.select([0], [], [], 0)[0]:
    for name in os.listdir("cur"):
        to = name.split(":")[0] + ":2," + ["", "F", "FS", "S"][turn % 4]
        try:
            os.rename("cur/" + name, "cur/" + to)
        except FileNotFoundError:
            pass                # the session removed it
    turn += 1
print(turn)
"""


class Mailbox:
    def __init__(self, site, name, *options):
        self.site, self.h = site, site.h
        self.user = site.add_user(f"{name}@{DOMAIN}", PASSWORD, *options)
        self.maildir = site.user_dir(self.user) + "/Maildir"

    def talk(self, way="plain"):
        return Talk(self.h, way, self.user)

    def put(self, name, data, sub="cur"):
        path = f"{self.maildir}/{sub}/{name}"
        with self.h.open(path, "wb") as f:
            f.write(data)
        self.h.run(["chown", "vpopmail:vchkpw", path])
        self.h.run(["chmod", "600", path])

    def files(self):
        return [f"{d}/{n}" for d in ("new", "cur")
                for n in self.h.listdir(f"{self.maildir}/{d}")]

    def read(self, name):
        with self.h.open(f"{self.maildir}/{name}", "rb") as f:
            return f.read()

    def send(self, *messages):
        """By qmail-queue, which changes no byte; waits for them."""
        want = len(self.files()) + len(messages)
        self.h.write("/run/envelope", "Fmailadmin@mx.valija.test\0"
                     f"T{self.user}\0\0", mode=0o644)
        for m in messages:
            with self.h.open("/run/message", "wb") as f:
                f.write(m)
            self.h.run("qmail-queue </run/message 1</run/envelope",
                       user="mailadmin")
        self.h.wait(lambda: len(self.files()) == want, "the mail")

    def send_smtp(self, *messages):
        want = len(self.files()) + len(messages)
        with inside(self.h, lambda: smtplib.SMTP("127.0.0.1", 25,
                                                 timeout=100)) as c:
            for m in messages:
                c.ehlo()
                c.mail("a@far.example", ["BODY=8BITMIME"])
                c.rcpt(self.user)
                assert c.data(wire(m))[0] == 250
        self.h.wait(lambda: len(self.files()) == want, "the mail by SMTP")


@pytest.fixture(scope="module")
def vsite(request):
    s = VSite(request.param)
    try:
        s.h.write("/etc/tcp.pop3", '127.:allow,PLAINTEXTAUTH="1"\n')
        for name in "pop3", "pop3s":
            s.h.run(["svc", "-t", f"/service/{name}"])
        pop3lab.prepare(s.h)
        s.h.write("/run/rename.py", RENAME, mode=0o644)
        s.add_domain(DOMAIN)
        probe = Mailbox(s, "probe")

        def serves():
            try:
                for way in WAYS:
                    probe.talk(way).quit()
                return True
            except (OSError, AssertionError):
                return False
        s.h.wait(serves, "POP3")
        yield s
    finally:
        s.close()


def agree(box, way):
    """LIST, STAT and RETR of each message say what the files say: sorted
    pairs of what came and what lies there."""
    with box.talk(way) as t:
        count, total = map(int, t.ok("STAT").split())
        sizes = [int(size) for _, size in t.words("LIST")]
        assert count == len(sizes) and total == sum(sizes)
        got = []
        for i, size in enumerate(sizes, 1):
            said = t.ok(f"RETR {i}")
            body = t.rest()
            assert said == f"{size} octets" and len(body) == size
            assert t.ok(f"LIST {i}") == f"{i} {size}"
            got.append(body)
        t.quit()
    return sorted(got), sorted(wire(box.read(f)) for f in box.files())


@pytest.mark.parametrize("way", WAYS)
def test_any_bytes(vsite, way):
    box = Mailbox(vsite, f"bytes{way}")
    mails = {name: f"Subject: {name}\n\n".encode() + body
             for name, body in BODIES.items()}
    box.send(*mails.values())
    box.send_smtp(*(mails[name] for name in BY_SMTP))
    for f in box.files():
        data = box.read(f)
        head, body = data.split(b"\n\n", 1)
        name = re.search(rb"(?m)^Subject: (.*)$", head)[1].decode()
        assert body == BODIES[name], name
        size = f",S={len(data)}"
        if data.endswith(b"\n"):
            size += f",W={len(wire(data))}"
        assert f.endswith(size), (f, data[:500])
    for i, body in enumerate(BODIES.values()):
        box.put(f"1600000{i:03}.M1P1.mx:2,S", b"Subject: x\n\n" + body)
    for i, data in enumerate(FILES):
        box.put(f"1500000{i:03}.M1P1.mx", data, sub="new")
    got, want = agree(box, way)
    assert got == want
    assert len(got) == 2 * len(BODIES) + len(BY_SMTP) + len(FILES)
    # The same again: all in cur/, sizes known.
    assert agree(box, way) == (got, want)


def test_100_mb(vsite):
    box = Mailbox(vsite, "large")
    line = bytes(range(32, 127)) + b"\xc3\xa4 .\n.\n"
    box.send(b"Subject: large\n\n" + line * (100 * MIB // len(line)) + b"end")
    name, = box.files()
    want = wire(box.read(name))
    assert len(want) > 100 * MIB
    digest = hashlib.sha256(want).hexdigest()
    for way in WAYS:
        with box.talk(way) as t:
            assert t.ok("RETR 1") == f"{len(want)} octets"
            got = bytearray(t.left)
            while not got.endswith(b"\r\n.\r\n"):
                more = t.s.recv(MIB)
                assert more
                got += more
            body = bytes(got[:-3]).replace(b"\r\n.", b"\r\n")
            t.left = b""
            assert hashlib.sha256(body).hexdigest() == digest
            assert t.ok("STAT") == f"1 {len(want)}"
            check_memory(box.h)
            t.quit()


def check_memory(h):
    """A session needs no more for it, and neither does its TLS."""
    for comm, limit in (("qmail-pop3d", 2500), ("tlsd", 16000)):
        pids = h.running(comm)
        assert pids
        for pid in pids:
            with open(f"/proc/{pid}/status") as f:
                peak = int(re.search(r"(?m)^VmHWM:\s+(\d+)", f.read())[1])
            assert peak < limit, (comm, peak)


@pytest.mark.parametrize("way", ["plain", "tls"])
def test_changed_by_others(vsite, way):
    """By a delivery, a second session and rm: what was there at the start is
    what there is, and only what is gone is said to be gone."""
    box = Mailbox(vsite, f"changed{way}")
    box.send(*(f"Subject: {i}\n\n{i}\n".encode() for i in range(5)))
    with box.talk(way) as a, box.talk(way) as b:
        there = {i: a.many(f"RETR {i}") for i in range(1, 6)}
        uids = a.words("UIDL")
        assert b.words("UIDL") == uids
        stat = a.ok("STAT")
        b.ok("DELE 1")
        b.ok("DELE 5")
        assert a.many("RETR 1") == there[1]     # b is not at its end yet
        b.quit()
        box.send(b"Subject: new\n\nnew\n")
        name, = [f for f in box.files() if wire(box.read(f)) == there[2]]
        box.h.run(["rm", f"{box.maildir}/{name}"])
        assert a.ok("STAT") == stat and a.words("UIDL") == uids
        for i in 1, 2, 5:
            a.err(f"RETR {i}")
            a.err(f"TOP {i} 0")
        for i in 3, 4:
            assert a.many(f"RETR {i}") == there[i]
        a.err("RETR 6")
        for i in 1, 2, 3:       # gone is gone: nothing that could fail
            a.ok(f"DELE {i}")
        a.quit()
    left = sorted(wire(box.read(f)) for f in box.files())
    assert len(left) == 2 and there[4] in left
    assert any(x.endswith(b"\r\nnew\r\n") for x in left)
    with box.talk(way) as t:    # the same, and a new one behind it
        assert [u for _, u in t.words("UIDL")][0] == uids[3][1]
        assert t.many("RETR 1") == there[4]
        assert t.ok("STAT").startswith("2 ")


def test_flags_change_all_the_time(vsite):
    """Every message stands under another name at every moment; all of them can
    be read, and those that are deleted are removed, no other."""
    box = Mailbox(vsite, "flags")
    n = 300
    box.h.run(["python3", "-c", f"""
import os
os.umask(0o77)
for i in range({n}):
    with open("{box.maildir}/cur/%d.M1P1.mx:2," % (1600000000 + i), "w") as f:
        f.write("Subject: %d\\n\\n%d\\n" % (i, i))
"""], user="vpopmail")
    child = box.h.popen(["python3", "/run/rename.py", box.maildir],
                        user="vpopmail", stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE)
    left = list(range(n))
    try:
        for turn in range(3):
            with box.talk(["plain", "stls", "tls"][turn]) as t:
                assert t.ok("STAT").startswith(f"{len(left)} ")
                for i, number in enumerate(left, 1):
                    assert t.many(f"RETR {i}") == \
                        b"Subject: %d\r\n\r\n%d\r\n" % (number, number)
                for i in range(1, len(left) + 1, 2):
                    t.ok(f"DELE {i}")
                t.quit()
            left = left[1::2]
    finally:
        turns = child.communicate(b"\n", 60)[0]
    assert int(turns) > 3
    assert sorted(int(f[4:14]) - 1600000000 for f in box.files()) == left


def sasl(user, password=PASSWORD):
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


@pytest.mark.parametrize("initial", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_thunderbird(vsite, way, initial):
    """What it says, in its order: CAPA before TLS and after it, AUTH PLAIN,
    its lists, the headers and 20 lines, then all of it, and away with it."""
    box = Mailbox(vsite, f"bird{way}{int(initial)}")
    body = "".join(f"line {i}\n" for i in range(1, 31))
    box.send(b"Subject: one\n\n" + body.encode(), b"Subject: two\n\n.\n")
    with Talk(vsite.h, "plain" if way == "stls" else way) as t:
        first = {w[0]: w[1:] for w in t.words("CAPA")}
        assert {"TOP", "UIDL", "PIPELINING", "RESP-CODES",
                "AUTH-RESP-CODE"} <= set(first)
        assert ("STLS" in first) == (way != "tls")
        if way == "stls":
            t.ok("STLS")
            t.wrap()
            first = {w[0]: w[1:] for w in t.words("CAPA")}
            assert "STLS" not in first
        assert {"PLAIN", "LOGIN"} <= set(first["SASL"]) and "USER" in first
        if initial:
            t.ok("AUTH PLAIN " + sasl(box.user))
        else:
            assert t.ask("AUTH PLAIN") == b"+ "
            t.ok(sasl(box.user))
        after = {w[0]: w[1:] for w in t.words("CAPA")}
        assert {"TOP", "UIDL", "RESP-CODES"} <= set(after)
        count, size = map(int, t.ok("STAT").split())
        listed = t.words("LIST")
        uids = t.words("UIDL")
        assert count == len(listed) == len(uids) == 2
        assert size == sum(int(s) for _, s in listed)
        assert len({u for _, u in uids}) == 2
        for _, uid in uids:
            assert re.fullmatch("[!-~]{1,70}", uid)
        t.err("XTND XLST Message-Id")
        top = {i: t.many(f"TOP {i} 20") for i in (1, 2)}
        whole = {i: t.many(f"RETR {i}") for i in (1, 2)}
        one, two = (1, 2) if b"Subject: one" in whole[1] else (2, 1)
        head, lines = whole[one].split(b"\r\n\r\n")
        assert lines == body.replace("\n", "\r\n").encode()
        assert top[one] == head + b"\r\n\r\n" + \
            b"".join(b"line %d\r\n" % i for i in range(1, 21))
        assert top[two] == whole[two]
        assert t.ok(f"UIDL {one}") == f"{one} {dict(uids)[str(one)]}"
        t.ok(f"DELE {one}")
        t.err(f"RETR {one}")
        t.quit()
    with box.talk(way) as t:            # later: it is the other one's number
        assert t.words("UIDL") == [["1", dict(uids)[str(two)]]]
        t.quit()
    # A second try in one connection, after a wrong password.
    with Talk(vsite.h, way) as t:
        assert t.err("AUTH PLAIN " + sasl(box.user, "wrong")) \
            .startswith("[AUTH] ")
        t.ok("USER " + box.user)
        t.ok("PASS " + PASSWORD)
        assert t.ok("STAT").startswith("1 ")


def test_quota(vsite):
    """maildirsize says what is there, after deletions as well."""
    box = Mailbox(vsite, "quota", "-q", "1000000S,100C")

    def said():
        lines = box.h.read(box.maildir + "/maildirsize").splitlines()
        return tuple(sum(int(x.split()[i]) for x in lines[1:])
                     for i in (0, 1))

    def held():
        return (sum(len(box.read(f)) for f in box.files()),
                len(box.files()))
    box.send(*(b"Subject: x\n\n" + b"y\n" * i for i in range(1, 9)))
    vsite.h.wait(lambda: said() == held(), "all to be counted")
    assert held()[1] == 8
    box.put("1600000000.M1P1.mx:2,T", b"x" * 1000)      # does not count
    with box.talk("tls") as t:
        uids = t.words("UIDL")
        assert uids[0][1].startswith("1600000000")
        for i in 1, 3, 5, 9:
            t.ok(f"DELE {i}")
        t.quit()
    assert held()[1] == 5
    assert said() == held()
    # A session that only looks changes nothing; nor does one that is cut off.
    with box.talk() as t:
        t.ok("DELE 1")
        t.s.close()
    with box.talk() as t:
        t.ok("DELE 2")
        t.ok("RSET")
        t.quit()
    assert said() == held() and held()[1] == 5
    # Counted anew it is the same.
    box.h.run(["rm", box.maildir + "/maildirsize"])
    box.send(b"Subject: last\n\n")
    vsite.h.wait(lambda: said() == held(), "all to be counted again")
    assert held()[1] == 6


def test_apop(vsite):
    """A challenge where the accounts can serve it, and nowhere else."""
    h = vsite.h

    def challenge():
        try:
            with Talk(h) as t:
                found = re.search(rb"<[!-=?-~]+@[!-=?-~]+>$", t.greeting)
        except (OSError, AssertionError):
            return None                 # it is being started
        return found.group(0) if found else b""

    def again(wanted, what):
        h.run(["svc", "-t", "/service/pop3"])
        h.wait(wanted, what)

    def response(t, word):
        stamp = t.greeting[t.greeting.index(b"<"):]
        return hashlib.md5(stamp + word.encode()).hexdigest()
    assert challenge() == b""
    with vsite.settings(clearpasswords="1"):
        box = Mailbox(vsite, "apop")
        box.send(b"Subject: x\n\ny\n")
        again(challenge, "a challenge")
        assert challenge() != challenge()
        for way in "plain", "stls":
            with Talk(h, way) as t:
                assert t.err(f"APOP {box.user} {response(t, 'guess')}"
                             ).startswith("[AUTH] ")
                digest = response(t, PASSWORD)
                t.ok(f"APOP {box.user} "
                     f"{digest.upper() if way == 'stls' else digest}")
                assert t.ok("STAT").startswith("1 ")
                t.quit()
        # The password itself is good as well, where there is a challenge.
        with box.talk() as t:
            assert t.ok("STAT").startswith("1 ")
            t.quit()
    again(lambda: challenge() == b"", "no challenge")
