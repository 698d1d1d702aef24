"""A host of qmail and vpopmail with accounts in files is taken over as the page
valija-takeover(7) says, command by command; then everybody logs in, mail of
every kind arrives, accounts are changed; and back again."""

import os
import re
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from oldsite import DOMAINS, QMAIL, VPOPMAIL, \
    crypt  # noqa: E402
from takeover import PROGRAMS, TakenOver, differ  # noqa: E402

ONE = DOMAINS + "/one.example"
OLD_MAIL = "Return-Path: <x@old.example>\nSubject: old\n\nkept\n"

# What the original's users were given; those of a name come first.
PEOPLE = {
    "postmaster": {"gecos": "Postmaster"},
    "ana": {"quota": "10485760S,1000C", "clear": "klar:text", "gecos": "Ana"},
    "bob": {"hash": crypt("geheim42", "rl"), "password": "geheim42"},
    "cat": {"hash": crypt("miau", "$6$abcdefgh$"), "password": "miau",
            "apop": True, "clear": "miau"},
    "dan": {"flags": 0x2}, "eve": {"flags": 0x10}, "fay": {}, "gus": {},
    "hal": {}, "ivy": {}, "jim-doe": {}, "kim.lee": {}, "max": {"flags": 0x1},
    "full": {"quota": "100S"},
}
ACTIONS = {
    "one.example": "bounce-no-mailbox",
    "two.example": "delete",
    "three.example": DOMAINS + "/three.example/catch",
    "four.example": "ana@one.example",
    "five.example": '"$EXT@one.example"',
    "web.example": "bounce-no-mailbox",
}
WEB = "/home/web/domains/web.example"       # of a user of the system
FILES = {
    ".qmail-sales": "&bob@one.example\n&jim-doe@one.example\n",
    ".qmail-first:last": "&kim.lee@one.example\n",
    ".qmail-hole": "#\n",
    ".qmail-robot": "|/usr/local/bin/autorespond 10000 5 "
                    f"{ONE}/ROBOT/message {ONE}/ROBOT\n",
    ".qmail-list": f"|/usr/local/bin/ezmlm/ezmlm-send '{ONE}/list'\n",
    ".qmail-list-default": f"|/usr/local/bin/ezmlm/ezmlm-manage "
                           f"'{ONE}/list'\n",
    ".qmail-list-owner": "&postmaster@one.example\n",
    ".qmail-list-return-default": "|/usr/local/bin/ezmlm/ezmlm-return "
                                  f"'{ONE}/list'\n",
    ".no-user.msg": "Nobody of that name at One. (#5.1.1)\n",
    ".over-quota.msg": "The mailbox at One is full. (#5.2.2)\n",
    "fay/.qmail": "&bob@one.example\n",
    "gus/.qmail": "# delete\n",
    "hal/.qmail": f"&bob@one.example\n{ONE}/hal/Maildir/\n"
                  "| /usr/local/bin/autorespond 86400 3 "
                  f"{ONE}/hal/vacation/message {ONE}/hal/vacation\n",
    "ivy/.qmail": f"|cat >{ONE}/ivy/seen\n{ONE}/ivy/Maildir/\n",
    "ROBOT/message": "From: robot@one.example\nSubject: yes\n\nyes\n",
    "hal/vacation/message": "From: hal@one.example\nSubject: away\n\naway\n",
    "ana/Maildir/cur/1200000000.4711.old,S=52:2,S": OLD_MAIL,
    "ana/Maildir/new/1200000001.4712.old,S=52": OLD_MAIL,
    "ana/Maildir/maildirsize": "10485760S,1000C\n104 2\n",
    "ana/Maildir/courierimapuiddb": "1 1200000000 3\n1 1200000000.4711.old,"
                                    "S=52\n",
    "ana/lastauth": "192.0.2.9",
    # of who was courier's client, and who Dovecot's
    "kim.lee/Maildir/cur/1300000000.1.old,S=52:2,RS": OLD_MAIL,
    "kim.lee/Maildir/cur/1300000001.2.old,S=52:2,": OLD_MAIL,
    "kim.lee/Maildir/courierpop3dsizelist":
        "/3 9 1199999999\n"
        "1300000000.1.old,S=52:2,S 56 6:1199999999:0\n"
        "1300000001.2.old,S=52:2, 56 8:1199999999:0\n",
    "u000/Maildir/cur/1400000000.1.old,S=52:2,S": OLD_MAIL,
    "u000/Maildir/new/1400000001.2.old,S=52": OLD_MAIL,
    "u000/Maildir/dovecot-uidlist":
        "3 V1200000000 N18 G0123456789abcdef0123456789abcdef\n"
        "3 :1400000000.1.old,S=52\n17 W56 :1400000001.2.old,S=52\n",
    "full/Maildir/cur/1200000000.1.old,S=100:2,S": "x" * 100,
    "full/Maildir/maildirsize": "100S\n100 1\n",
}
# One that answers by the sender's address, as autorespond does.
AUTORESPOND = """#!/bin/sh
echo "$SENDER $EXT@$HOST" >>"$4/log"
cat >"$4/last"
{ echo "To: $SENDER"; cat "$3"; } | /var/qmail/bin/qmail-inject -f '' "$SENDER"
"""
EZMLM = '#!/bin/sh\n{ echo "$0 $DEFAULT"; cat; } >>"$1/got"\n'


def write_one(old):
    t = old.t
    old.fill("one.example", 126, PEOPLE)
    for d in ("two", "three", "four", "five", "web"):
        old.box(f"{d}.example", "postmaster", f"pw-{d}")
    old.box("two.example", "ana", "anders", n=7, quota="5000000S")
    old.box("three.example", "catch", "fang")
    for d in ("two", "three", "four", "five", "web"):
        domain = f"{d}.example"
        old.dir_control(domain, len(old.of(domain)), "")
    t.file(DOMAINS + "/two.example/.qmailadmin-limits",
           "maxpopaccounts: 3\nmaxaliases 10\nquota: 100\n"
           "default_quota: 5000000\ndisable_imap\nperm_alias: 3\n")
    for sub in ("ROBOT", "hal/vacation", "list", "list/text"):
        t.dir(f"{ONE}/{sub}")
    for name, text in FILES.items():
        t.file(f"{ONE}/{name}", text)
    t.dir("/usr/local/bin/ezmlm", 0o755, (0, 0))
    t.program("/usr/local/bin/autorespond", AUTORESPOND)
    for name in ("send", "manage", "return"):
        t.program(f"/usr/local/bin/ezmlm/ezmlm-{name}", EZMLM)


class Site(TakenOver):
    def __init__(self):
        super().__init__(domains=ACTIONS,
                         alias_domains={"zwei.example": "two.example"},
                         owners={"web.example": ("web", 1500, WEB)})
        try:
            write_one(self)
            self.write()
            self.waiting = [self.queue("jim-doe", "todo"),
                            self.queue("kim.lee", "local")]
            self.take_over()
            # Before anything is changed.
            self.first_logins = self.logins(
                [["pop3", "192.0.2.1", a, b.password]
                 for a, b in self.boxes.items()])
            self.first_lines = {d: self.vpasswd(d) for d in self.domains}
        except BaseException:
            self.close()
            raise

    def queue(self, name, where):
        """A message that the original has taken, or begun to deliver."""
        q = QMAIL + "/queue"
        self.h.write(f"{q}/pid/1", f"Subject: waited for {name}\n\nx\n", 0o644,
                     "qmailq")
        n = self.h.stat(f"{q}/pid/1").st_ino
        self.h.run(["mv", f"{q}/pid/1", f"{q}/mess/{n % 23}/{n}"])
        if where == "todo":
            for d in ("intd", "todo"):
                self.h.write(f"{q}/{d}/{n}", "u1000\0p77\0Fold@remote.example"
                             f"\0T{name}@one.example\0", 0o644, "qmailq")
        else:
            self.h.write(f"{q}/info/{n % 23}/{n}", "Fold@remote.example\0",
                         0o600, "qmails")
            self.h.write(f"{q}/local/{n % 23}/{n}",
                         f"Tone.example-{name}@one.example\0", 0o600, "qmails")
        return n


@pytest.fixture(scope="module")
def old():
    site = Site()
    yield site
    site.close()


def test_looking_first_finds_nothing_but_what_is_there(old):
    assert sorted(old.said["Look first"][1].splitlines()) == sorted(
        [f"+web.example-:web.example:1500:1500:{WEB}:-::",
         f"{ONE}/hal/.qmail:{ONE}/hal/Maildir/",
         f"{ONE}/ivy/.qmail:{ONE}/ivy/Maildir/"])


def test_nothing_was_changed(old):
    """By installing: not a byte, owner, mode or time of what is to stay."""
    assert differ(old.before, old.after) == [
        f"{VPOPMAIL}/etc/{n}" for n in ("hashscheme", "overquota", "store")
    ] + [f"{QMAIL}/control/plaintextauth"]
    for name in ("vadduser", "vchkpw", "vdelivermail"):
        assert "original" in old.h.read(f"{VPOPMAIL}/bin/{name}.orig")
        assert old.h.run(["readlink", f"{VPOPMAIL}/bin/{name}"]).stdout == \
            f"{QMAIL}/bin/{name}\n"
    assert old.h.read(VPOPMAIL + "/bin/vpopmaild").endswith(
        "the original vpopmaild\n")
    assert old.h.read("/etc/tcp.smtp") == \
        old.h.read(VPOPMAIL + "/etc/tcp.smtp")


def test_looking_again(old):
    text = old.said["Look again"][-1]
    for domain in (*ACTIONS, "zwei.example"):
        at = text.index(f"postmaster@{domain}\n")
        assert re.search(r"(?m)^answer +yes$", text[at:])
    assert old.h.exists("/usr/local/share/man/man7/valija-takeover.7")


def test_everybody_logs_in(old):
    for (address, b), (code, said) in zip(old.boxes.items(),
                                          old.first_logins):
        if b.flags & 2:
            assert code == 1, address
        else:
            assert (code, said) == (0, [b.home, *map(
                str, old.owner_of(b.domain)), b.name]), address
            # What is another's authdaemond does not write to.
            if b.domain != "web.example" and old.h.exists(b.home):
                assert old.h.read(b.home + "/lastauth").startswith("192.0.2.")
    # In other ways, and not otherwise.
    code = [c for c, _ in old.logins([
        ["smtp", "192.0.2.2", "dan@one.example", "pw-dan"],
        ["pop3", "192.0.2.2", "ana%two.example", "anders"],
        ["pop3", "192.0.2.2", "ANA@Zwei.Example", "anders"],
        ["imap", "192.0.2.2", "ana@two.example", "anders"],
        ["imap", "127.0.0.1", "ana@two.example", "anders"],
        ["pop3", "192.0.2.2", "ana@one.example", "anders"],
        ["pop3", "192.0.2.2", "bob@one.example", "geheim4"],
        ["pop3", "192.0.2.2", "nobody@one.example", "anders"]])]
    assert code == [0, 0, 0, 1, 0, 3, 3, 3]
    for domain in ACTIONS:
        assert old.first_lines[domain] == [old.vpasswd_line(b) for b in
                                           old.of(domain)]


def test_mail_of_every_kind(old):
    s = "far@remote.example"
    ok = [
        ("jim-doe@one.example", "jim-doe@one.example"),
        ("Kim.Lee@ONE.example", "kim.lee@one.example"),
        ("u111@one.example", "u111@one.example"),
        ("sales@one.example", "bob@one.example"),
        ("sales@one.example", "jim-doe@one.example"),
        ("first.last@one.example", "kim.lee@one.example"),
        ("fay@one.example", "bob@one.example"),
        ("hal@one.example", "hal@one.example"),
        ("hal@one.example", "bob@one.example"),
        ("ivy@one.example", "ivy@one.example"),
        ("list-owner@one.example", "postmaster@one.example"),
        ("ana@zwei.example", "ana@two.example"),
        ("whoever@three.example", "catch@three.example"),
        ("whoever@four.example", "ana@one.example"),
        ("kim.lee@five.example", "kim.lee@one.example"),
        ("postmaster@web.example", "postmaster@web.example"),
    ]
    mails = [(s, rcpt, f"k{i}") for i, (rcpt, _) in enumerate(ok)]
    for (rcpt, box), (code, said) in zip(ok, old.smtp(mails)):
        assert code == 250, (rcpt, said)
    for i, (rcpt, box) in enumerate(ok):
        text = old.arrived(box, f"k{i}")
        assert re.search(r"(?m)^Delivered-To: (one\.example-)?"
                         rf"{re.escape(rcpt.lower())}$", text), text
        assert text.startswith(f"Return-Path: <{s}>\n")
    # Programs: robot, vacation, list.
    for rcpt, subject in (("robot@one.example", "yes"),
                          ("hal@one.example", "away")):
        assert old.smtp([("postmaster@five.example", rcpt, "q")])[0][0] == 250
        old.arrived("postmaster@five.example", subject)
    for rcpt in ("list", "list-subscribe", "list-return-17-a=b.example"):
        assert old.smtp([(s, rcpt + "@one.example", rcpt)])[0][0] == 250
    old.h.wait(lambda: old.h.exists(ONE + "/list/got") and sorted(
        re.findall(r"(?m)^\S+/ezmlm-(.*)$", old.h.read(ONE + "/list/got")))
        == ["manage subscribe", "return 17-a=b.example", "send "],
        "the list's programs")
    assert "Subject: k9\n" in old.h.read(ONE + "/ivy/seen")


def test_mail_for_nobody(old):
    s = "far@remote.example"
    codes = [c for c, _ in old.smtp([
        (s, "nobody@one.example", "n"), (s, "eve@one.example", "n"),
        (s, "nobody@two.example", "n"), (s, "nobody@zwei.example", "n"),
        (s, "gus@one.example", "n"), (s, "hole@one.example", "n"),
        (s, "full@one.example", "n"), (s, "nobody@web.example", "n")])]
    assert codes == [550, 550, 250, 250, 250, 250, 552, 550]
    # What passes by another way than SMTP gets the domain's own words.
    old.h.run(["qmail-inject", "-f", "postmaster@four.example",
               "nobody@one.example"], input="Subject: n\n\nx\n")
    old.h.wait(lambda: any("Nobody of that name at One." in m for m in
                           old.mails("postmaster@four.example")),
               "the bounce")
    for a in ("gus@one.example", "full@one.example"):
        assert old.mails(a) == []


def test_mail_that_waited(old):
    for name in ("jim-doe", "kim.lee"):
        old.arrived(f"{name}@one.example", f"waited for {name}")
    old.h.wait(lambda: not any(old.h.exists(f"{QMAIL}/queue/mess/{n % 23}/{n}")
                               for n in old.waiting), "the queue to be empty")


def test_old_mail_is_untouched(old):
    d = f"{ONE}/ana/Maildir"
    assert old.h.read(d + "/cur/1200000000.4711.old,S=52:2,S") == OLD_MAIL
    assert old.h.read(d + "/new/1200000001.4712.old,S=52") == OLD_MAIL
    assert old.h.read(d + "/courierimapuiddb") == \
        FILES["ana/Maildir/courierimapuiddb"]
    # What was known of its size is gone on with.
    old.smtp([("far@remote.example", "ana@one.example", "size")])
    old.arrived("ana@one.example", "size")
    old.h.wait(lambda: sum(int(l.split()[1]) for l in old.h.read(
        d + "/maildirsize").splitlines()[1:]) ==
        1 + len(old.mails("ana@one.example")), "maildirsize to be right")


def test_clients_of_pop3_fetch_nothing_again(old):
    """The identifiers of qmail-pop3d, courier and Dovecot are kept, also when
    the latters' files are gone."""
    def seen(port, name, password):
        got, = old.pop3([port, f"{name}@one.example", password, True])
        return {u: text for u, text in got.items()
                if "\nSubject: old\n" in text}
    text = OLD_MAIL.rstrip("\n")
    want = {"ana": ["1200000000.4711.old,S=52", "1200000001.4712.old,S=52"],
            "kim.lee": ["UID6-1199999999", "UID8-1199999999"],
            # 1200000000 is 0x47868c00
            "u000": ["0000000347868c00", "0000001147868c00"]}
    for port in (110, 995):
        for name, uidls in want.items():
            assert seen(port, name, f"pw-{name}") == dict.fromkeys(uidls,
                                                                   text)
        for name in ("kim.lee/Maildir/courierpop3dsizelist",
                     "u000/Maildir/dovecot-uidlist"):
            old.h.run(["rm", "-f", f"{ONE}/{name}"])
    # as vpopmail's users may write who they are, and who may not fetch
    ok, alias, wrong, denied = old.pop3(
        [110, "ana%two.example", "anders", True],
        [995, "ANA@Zwei.Example", "anders", True],
        [110, "ana@two.example", "ander", True],
        [110, "dan@one.example", "pw-dan", True])
    assert ok and ok == alias
    assert "-ERR [AUTH]" in wrong and "-ERR [AUTH]" in denied


def test_listings(old):
    for address, b in list(old.boxes.items())[:20]:
        said = old.vpop("vuserinfo", address).stdout.splitlines()
        assert said[0] == "name:   " + b.name
        assert said[1] == "passwd: " + b.hash
        assert said[2] == "clear passwd: " + (b.clear or "")
        assert said[3] == "comment/gecos: " + b.gecos
        assert said[4] == f"uid:    {2 if b.apop else 1}"
        assert said[5] == f"gid:    {b.flags}"
        assert "dir:       " + b.home in said
        assert any(l.startswith("quota:     ") and
                   l.split()[1] == b.quota for l in said)
    assert sorted(old.vpop("vdominfo", "-n").stdout.split()) == \
        sorted([*ACTIONS, "zwei.example"])
    said = old.vpop("vdominfo", "two.example").stdout.splitlines()
    assert said[0] == "domain: two.example"
    assert "dir:    " + DOMAINS + "/two.example" in said
    assert "users:  2" in said and "alias: zwei.example" in said
    assert sorted(old.vpop("valias", "sales@one.example").stdout
                  .splitlines()) == [
        "sales@one.example -> &bob@one.example",
        "sales@one.example -> &jim-doe@one.example"]
    assert "Max Popaccounts" in old.vpop("vmoddomlimits", "-S",
                                         "two.example").stdout \
        .replace("Max Pop Accounts", "Max Popaccounts")


def test_changes(old):
    """After each: sorted, indexed, the others' lines as they were."""
    lines = old.vpasswd("one.example")

    def changed(*names):
        nonlocal lines
        now = old.vpasswd("one.example")
        rest = [[l for l in some if l.split(":")[0] not in names]
                for some in (lines, now)]
        assert rest[0] == rest[1]
        lines = now
        return [l for l in now if l.split(":")[0] in names]

    def login(name, password):
        return old.logins([["pop3", "192.0.2.3", f"{name}@one.example",
                             password]])[0][0]

    old.vpop("vadduser", "-c", "Zoe", "-q", "5000S", "zoe@one.example", "z1")
    line, = changed("zoe")
    f = line.split(":")
    # Where the original would have put it.
    assert f[5] == f"{ONE}/0/zoe" and f[4] == "Zoe" and f[6] == "5000S"
    assert f[1].startswith("$1$")
    assert old.h.read(ONE + "/.dir-control").splitlines()[0] == "127"
    assert login("zoe", "z1") == 0
    old.vpop("vpasswd", "u110@one.example", "new")
    changed("u110")
    assert (login("u110", "new"), login("u110", "pw-u110")) == (0, 3)
    old.vpop("vmoduser", "-p", "u109@one.example")
    line, = changed("u109")
    assert line.split(":")[3] == "2" and login("u109", "pw-u109") == 1
    old.vpop("vmoduser", "-x", "u109@one.example")
    line, = changed("u109")
    assert line == old.vpasswd_line(old.boxes["u109@one.example"])
    old.vpop("vsetuserquota", "u108@one.example", "1M")
    line, = changed("u108")
    assert line.split(":")[6] == "1048576S"
    old.vpop("vdeluser", "zoe@one.example")
    assert changed("zoe") == []
    assert not old.h.exists(ONE + "/0/zoe")
    assert login("zoe", "z1") == 3
    old.vpop("vdeluser", "u107@one.example")
    assert changed("u107") == []
    # Its place is the next one's.
    old.vpop("vadduser", "zed@one.example", "z2")
    line, = changed("zed")
    assert line.split(":")[5] == f"{ONE}/0/zed"
    old.vpop("valias", "-i", "&bob@one.example", "news.letter@one.example")
    assert old.h.read(ONE + "/.qmail-news:letter") == "&bob@one.example\n"
    old.vpop("valias", "-d", "news.letter@one.example")
    assert not old.h.exists(ONE + "/.qmail-news:letter")
    old.vpop("vadduser", "jo@web.example", "w1")
    assert len(old.vpasswd("web.example")) == 2
    assert old.logins([["pop3", "192.0.2.3", "jo@web.example", "w1"]])[0] == \
        [0, [WEB + "/jo", "1500", "1500", "jo"]]
    old.vpop("vmkpasswd", "one.example")
    assert changed() == []


def test_domains_come_and_go(old):
    files = [QMAIL + "/users/assign", QMAIL + "/control/rcpthosts",
             QMAIL + "/control/virtualdomains"]
    before = [old.h.read(f) for f in files]
    old.vpop("vadddomain", "six.example", "pw-six")
    old.vpop("vaddaliasdomain", "six.example", "sechs.example")
    assert old.logins([["pop3", "192.0.2.4", "postmaster@sechs.example",
                         "pw-six"]])[0][0] == 0
    old.vpasswd("six.example")
    assert old.smtp([("far@remote.example", "postmaster@sechs.example",
                       "six")])[0][0] == 250
    d = DOMAINS + "/six.example/postmaster/Maildir/new"
    old.h.wait(lambda: old.h.listdir(d), "mail for a new domain")
    assert [old.h.read(f) for f in files] != before
    old.vpop("vdeldomain", "sechs.example")
    old.vpop("vdeldomain", "six.example")
    assert [old.h.read(f) for f in files] == before
    assert not old.h.exists(DOMAINS + "/six.example")
    old.vpop("vcheck")


def test_back_again():
    site = Site()
    try:
        site.vpop("vadduser", "new@one.example", "pw")
        site.follow("Back again")
        h = site.h
        h.wait(lambda: h.running("qmail-smtpd") and h.running("qmail-send"),
               "the old services")
        h.wait(lambda: h.running("qmail-pop3d"), "the old POP3")
        assert not h.running("qmail-queued") and not h.running("authdaemond")
        assert not h.running("tcpserver")
        now = site.tree(*PROGRAMS)
        # Directories have other times; what the original lacked may be there.
        assert [p for p in site.programs
                if now.get(p) != site.programs[p]] == []
        assert not [p for p in now.keys() - site.programs.keys()
                    if p.startswith(VPOPMAIL)]
        assert any(l.startswith("new:$1$")
                   for l in site.vpasswd("one.example"))
    finally:
        site.close()
