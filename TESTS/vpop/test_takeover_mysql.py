"""Hosts of qmail and vpopmail with accounts in MySQL, with the tables of 5.4, of
5.4 with one for each domain, and of 5.6, are taken over as the page says.  The
tables stay what they were, for whoever reads them beside us."""

import os
import re
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from mariadb import MariaDB, RIGHTS  # noqa: E402
from oldsite import DOMAINS, GID, QMAIL, UID, VPOPMAIL, crypt, \
    md5  # noqa: E402
from takeover import TakenOver, differ  # noqa: E402

MD5, DES, SHA = "test", "rasmuslerdorf", "password"     # of the dumps' hashes
PEOPLE = 30
BOUNCE = "list-return-17-" + "x" * 60 + "=far.example@old.example"

SITES = {
    "54": {
        "real": ["old.example", "other.example"], "alias": {},
        "dump": {"postmaster@old.example": MD5, "ana@old.example": DES,
                 "ana@other.example": MD5, "byhand@old.example": MD5},
        "more": [
            ("team", "old.example", "&ana@old.example"),
            ("team", "old.example", "&ana@other.example"),
            ("list-return-default", "old.example",
             f"|echo $DEFAULT >>{DOMAINS}/old.example/returned"),
        ],
        "width": 40,
    },
    "56": {
        "real": ["new.example"], "alias": {"alias.example": "new.example"},
        "dump": {"postmaster@new.example": SHA, "ana@new.example": MD5},
        "more": [("p05", "new.example", "&ana@new.example"),
                 ("p06", "new.example", "&ana@new.example"),
                 ("team", "new.example", "&ana@new.example"),
                 ("team", "new.example", "&postmaster@new.example")],
        "width": 128,
    },
}
SITES["54t"] = SITES["54"]              # with a table for each domain
COLUMNS = "pw_name, pw_passwd, pw_uid, pw_gid, pw_gecos, pw_dir, pw_shell"
SPLIT = """CREATE TABLE {table} (PRIMARY KEY (pw_name)) ENGINE=MyISAM
    SELECT {columns}, pw_clear_passwd FROM vpopmail
    WHERE pw_domain = '{domain}';"""


class Site(TakenOver):
    def __init__(self, version):
        self.version, self.facts = version[:2], SITES[version]
        self.split = version.endswith("t")
        real = self.facts["real"]
        super().__init__(store="mysql", domains=dict.fromkeys(
            real, "bounce-no-mailbox"), alias_domains=self.facts["alias"])
        try:
            self.db = MariaDB(self.h)
            with open(f"{HERE}/schema{self.version}.sql") as f:
                dump = f.read()
            self.first = real[0]
            for n in range(PEOPLE):
                self.box(self.first, f"p{n:02}", f"pw-{n}", n=n, gecos=None)
            for address in self.facts["dump"]:
                name, domain = address.split("@")
                if name != "byhand":
                    self.t.maildir(f"{DOMAINS}/{domain}/{name}")
            if self.version == "54":
                self.t.dir(DOMAINS + "/old.example/0")
                self.t.maildir(DOMAINS + "/old.example/0/Capital")
            rows = ",".join(
                f"('{b.name}','{b.domain}','{b.hash}',0,0,'{b.gecos}',"
                f"'{b.home}','NOQUOTA')" for b in self.boxes.values())
            more = ",".join(f"('{a}','{d}','{line}')"
                            for a, d, line in self.facts["more"])
            count = {f"dom_{UID}": str(len(real)), **{
                d: f"(SELECT COUNT(*) FROM vpopmail WHERE pw_domain = '{d}' "
                f"AND pw_dir <> '')"
                for d in real}}
            places = ",".join(f"('{key}',{n},0,3,0,0,0,61,61,61,0,2,4,0,0,0,'')"
                              for key, n in count.items())
            self.db.fresh("vpopmail", dump, rights=RIGHTS, extra=f"""
                INSERT INTO vpopmail (pw_name, pw_domain, pw_passwd, pw_uid,
                    pw_gid, pw_gecos, pw_dir, pw_shell) VALUES {rows};
                INSERT INTO valias (alias, domain, valias_line)
                    VALUES {more};
                REPLACE INTO dir_control VALUES {places};""" + (
                    "UPDATE valias SET copy = 1 WHERE alias = 'p05';"
                    if version == "56" else "") + "".join(SPLIT.format(
                        table=d.replace(".", "_"), columns=COLUMNS, domain=d)
                        for d in real if self.split) +
                ("DROP TABLE vpopmail;" if self.split else ""))
            self.write()
            etc = VPOPMAIL + "/etc/vpopmail.mysql"
            self.h.write(etc, "# read\n" + self.db.line("vpopmail"), 0o640,
                         "vpopmail")
            self.rows, self.shape = self.content(), self.columns()
            self.take_over()
            # Before anything is changed.
            self.first_logins = self.logins(
                [["pop3", "192.0.2.1", a, w] for a, w in
                 self.passwords().items()])
            self.first_rows = self.content()
        except BaseException:
            self.close()
            raise

    def content(self):
        """table -> its rows, in order."""
        tables = self.db.ask("SHOW TABLES", "vpopmail").split()
        return {t: sorted(self.db.ask(f"SELECT * FROM `{t}`", "vpopmail")
                          .splitlines()) for t in tables}

    def columns(self):
        return self.db.ask("SELECT table_name, column_name, column_type, "
                           "is_nullable, column_default, extra FROM "
                           "information_schema.columns WHERE table_schema = "
                           "'vpopmail' ORDER BY 1, ordinal_position")

    def where(self, domain):
        return f"{domain.replace('.', '_')} WHERE TRUE" if self.split else \
            f"vpopmail WHERE pw_domain = '{domain}'"

    def row(self, address):
        name, domain = address.split("@")
        return self.db.ask("SELECT pw_passwd, pw_gid, pw_dir, pw_shell FROM "
                           f"{self.where(domain)} AND pw_name = '{name}'",
                           "vpopmail").rstrip("\n").split("\t")

    def passwords(self):
        return {**{a: b.password for a, b in self.boxes.items()},
                **self.facts["dump"]}


@pytest.fixture(scope="module", params=list(SITES))
def old(request):
    site = Site(request.param)
    yield site
    site.close()


def test_nothing_was_changed(old):
    assert differ(old.before, old.after) == [
        f"{VPOPMAIL}/etc/{n}" for n in ("hashscheme", "overquota", "store")
    ] + [f"{QMAIL}/control/plaintextauth"]
    assert old.shape == old.columns()


def test_a_login_changes_little(old):
    """What tells of it, and the directory that a row by hand lacked."""
    before, now = old.rows, old.first_rows
    for table in before:
        if table in ("lastauth", "dir_control"):
            continue
        new = set(now[table]) - set(before[table])
        assert all("\tbyhand\t" in "\t" + row for row in new), new
        assert len(now[table]) == len(before[table]), table
    times = old.db.ask("SELECT user, remote_ip FROM lastauth WHERE domain = "
                       f"'{old.first}'", "vpopmail")
    assert re.search("(?m)^ana\t192.0.2.", times)
    assert re.search("(?m)^p29\t192.0.2.", times)


def test_everybody_logs_in(old):
    words = old.passwords()
    for address, (code, lines) in zip(words, old.first_logins):
        name, domain = address.split("@")
        assert code == 0, address
        assert lines == [f"{DOMAINS}/{domain}/{name}", str(UID), str(GID),
                         name]
    rest = [["pop3", "192.0.2.1", f"p01@{old.first}", "pw-2"],
            ["pop3", "192.0.2.1", "nobody@" + old.first, "x"]]
    want = [3, 3]
    if old.version == "54":             # flags 0x802: no POP, no SMTP
        rest += [[s, "192.0.2.1", "capital@old.example", MD5]
                 for s in ("pop3", "smtp", "imap")]
        want += [1, 1, 1]               # the domain's limits: no IMAP
    else:
        rest.append(["pop3", "192.0.2.1", "ana@alias.example", MD5])
        want.append(0)
    assert [c for c, _ in old.logins(rest)] == want


def test_mail(old):
    s, d = "far@remote.example", old.first
    ways = [(f"p00@{d}", [f"p00@{d}"]), (f"P01@{d.upper()}", [f"p01@{d}"])]
    if old.version == "54":
        ways += [("team@old.example", ["ana@old.example",
                                       "ana@other.example"]),
                 ("info@other.example", ["ana@other.example"]),
                 ("byhand@old.example", ["byhand@old.example"])]
    else:
        ways += [("team@new.example", ["ana@new.example",
                                       "postmaster@new.example"]),
                 ("ana@alias.example", ["ana@new.example"]),
                 # its alias says that it keeps a copy; the other's does not
                 ("p05@new.example", ["ana@new.example", "p05@new.example"]),
                 ("p06@new.example", ["ana@new.example"])]
    said = old.smtp([(s, rcpt, f"k{i}") for i, (rcpt, _) in enumerate(ways)])
    assert [c for c, _ in said] == [250] * len(ways), said
    for i, (_, boxes) in enumerate(ways):
        for box in boxes:
            old.arrived(box, f"k{i}")
    assert [c for c, _ in old.smtp([(s, "nobody@" + d, "n")])] == [550]
    if old.version == "56":
        assert old.mails("p06@new.example") == []
    if old.version == "54":
        # Longer than any account can be called.
        assert old.smtp([(s, BOUNCE, "b")])[0][0] == 250
        path = DOMAINS + "/old.example/returned"
        old.h.wait(lambda: old.h.exists(path) and old.h.read(path),
                   "the alias's program")
        assert old.h.read(path) == BOUNCE[len("list-return-"):].split("@")[0] \
            + "\n"


def test_pop3(old):
    address, d = f"p02@{old.first}", old.first
    old.smtp([("far@remote.example", address, "fetch me")])
    old.arrived(address, "fetch me")
    plain, tls, wrong = old.pop3([110, address, "pw-2", True],
                                 [995, address, "pw-2", True],
                                 [110, address, "pw-3", True])
    assert plain == tls and len(plain) == 1
    uidl, text = plain.popitem()
    assert "\nSubject: fetch me\n" in text
    assert [n.split(":")[0] for n in old.h.listdir(
        f"{DOMAINS}/{d}/p02/Maildir/cur")] == [uidl]
    assert "-ERR [AUTH]" in wrong


def test_changes(old):
    """Of the rows meant and no others; columns and widths stay."""
    d = old.first

    def others():
        rows = [old.db.ask(f"SELECT * FROM {old.where(domain)} AND pw_name "
                           "NOT IN ('zoe', 'p10', 'p11', 'p12')", "vpopmail")
                for domain in old.facts["real"]]
        return rows, old.db.ask("SELECT * FROM valias WHERE alias <> 'news'",
                                "vpopmail")

    def login(name, password):
        return old.logins([["pop3", "192.0.2.3", f"{name}@{d}",
                            password]])[0][0]

    before = others()
    old.vpop("vadduser", "-c", "Zoe", "-q", "5000S", f"zoe@{d}", "z1")
    row = old.row(f"zoe@{d}")
    good = old.facts["width"] > 40 and \
        not old.h.exists(VPOPMAIL + "/etc/hashscheme")
    assert row[0].startswith("$y$" if good else "$1$") and row[3] == "5000S"
    assert login("zoe", "z1") == 0
    old.vpop("vpasswd", f"p10@{d}", "new")
    assert (login("p10", "new"), login("p10", "pw-10")) == (0, 3)
    old.vpop("vmoduser", "-p", f"p11@{d}")
    assert old.row(f"p11@{d}")[1] == "2" and login("p11", "pw-11") == 1
    old.vpop("vmoduser", "-x", f"p11@{d}")
    assert login("p11", "pw-11") == 0
    old.vpop("vdeluser", f"zoe@{d}")
    assert old.row(f"zoe@{d}") == [""] and login("zoe", "z1") == 3
    old.vpop("vdeluser", f"p12@{d}")
    assert not old.h.exists(f"{DOMAINS}/{d}/p12")
    old.vpop("valias", "-i", f"&ana@{d}", f"news@{d}")
    assert old.vpop("valias", f"news@{d}").stdout == f"news@{d} -> &ana@{d}\n"
    old.vpop("valias", "-d", f"news@{d}")
    assert others() == before and old.columns() == old.shape
    said = old.vpop("vuserinfo", f"p00@{d}").stdout.splitlines()
    assert said[0] == "name:   p00" and f"dir:       {DOMAINS}/{d}/p00" in said
    assert sorted(old.vpop("vdominfo", "-n").stdout.split()) == \
        sorted([*old.facts["real"], *old.facts["alias"]])
    # A row as the original writes it is a user at once.
    domain = ("", "") if old.split else (", pw_domain", f", '{d}'")
    old.db.ask(f"INSERT INTO {old.where(d).split()[0]} ({COLUMNS}{domain[0]}) "
               f"VALUES ('late', '{md5('late', 5)}', 0, 0, 'Late', '', "
               f"'NOQUOTA'{domain[1]})", "vpopmail")
    assert login("late", "late") == 0
    assert old.smtp([("far@remote.example", f"late@{d}", "late")])[0][0] == 250
    old.arrived(f"late@{d}", "late")
    old.vpop("vcheck")


def test_good_hashes_where_there_is_room(old):
    """With what the page says about staying."""
    address = f"p20@{old.first}"
    old.follow("Staying")
    old.h.run(["svc", "-h", "/service/authdaemond"])
    assert [old.logins([["pop3", "192.0.2.5", address, "pw-20"]])[0][0]
            for _ in range(2)] == [0, 0]
    old.h.wait(lambda: old.logins([["pop3", "192.0.2.5", address, "pw-20"]])
               [0][0] == 0 and old.row(address)[0].startswith(
                   "$y$" if old.facts["width"] > 40 else "$1$"),
               "the hash that fits")
    hash = old.row(address)[0]
    assert crypt("pw-20", hash) == hash and len(hash) <= old.facts["width"]
