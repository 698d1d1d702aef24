"""One list of tests of the store of accounts for every place they can lie in:
files with cdb, MariaDB with the tables of vpopmail 5.4, of 5.6, with ours, and
with a table for each domain."""

import itertools
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storelab import DOMAINS, HASH, NOTHING, Store, VSCHEMA, db, dump, \
    user  # noqa: E402, F401

PLACES = ["cdb", "schema54", "schema56", "ours", "per-domain"]
numbers = itertools.count(1)


class Place(Store):
    """A store whose domains get names of their own."""

    def __init__(self, host, conf, name):
        super().__init__(host, conf)
        self.name = name

    def domain(self):
        name = f"d{next(numbers)}.example"
        self.h.run(["mkdir", "-p", f"{DOMAINS}/{name}"])
        assert self.status("domain-add", name) == "OK"
        return name

    def names(self, domain):
        return [line.split("\t")[0] for line in
                self.lines("user-each", domain)[:-1]]

    def get(self, domain, name):
        return self.lines("user-get", domain, name)[0].split("\t")


@pytest.fixture(scope="module", params=PLACES)
def s(request, db):
    conf, name = None, "p_" + request.param.replace("-", "_")
    if request.param != "cdb":
        made = not request.param.startswith("schema")
        db.fresh(name, *([] if made else [dump(request.param)]),
                 rights="ALL" if made else "SELECT, INSERT, UPDATE, DELETE")
        conf = db.line(name)
        if made:
            db.h.write("/run/vschema.conf", conf, mode=0o600)
            db.h.run([VSCHEMA, "-f", "/run/vschema.conf", "--create"] +
                     ["--table-per-domain"] * (request.param == "per-domain"))
    with Place(db.h, conf, request.param) as place:
        yield place


def same(got, given):
    """The line of user-get is what was given."""
    return got == [str(w) for w in given]


def test_an_account_from_first_to_last(s):
    d = s.domain()
    full = user("carla", HASH, 1, 0x7ffff, "Carla Q. O'Neil \\\"%_;--",
                f"{DOMAINS}/{d}/0/carla", "10485760S,1000C", "cl'ear\\")
    assert s.status("user-get", d, "carla") == "NONE"
    assert s.status("user-set", d, *full) == "NONE"
    assert s.status("user-del", d, "carla") == "NONE"
    assert s.lines("user-count", d) == ["0"]
    assert s.status("user-add", d, *full) == "OK"
    assert same(s.get(d, "carla"), full)
    assert s.status("user-add", d, *user("carla")) == "EXISTS"
    assert same(s.get(d, "carla"), full)
    other = user("carla", "", 0, 0, "", "", "NOQUOTA", "")
    assert s.status("user-set", d, *other) == "OK"
    assert s.status("user-set", d, *other) == "OK"
    assert same(s.get(d, "carla"), other)
    assert s.lines("user-count", d) == ["1"]
    assert s.status("user-del", d, "carla") == "OK"
    assert s.status("user-get", d, "carla") == "NONE"
    assert s.status("user-del", d, "carla") == "NONE"


def test_accounts_by_name(s):
    d = s.domain()
    names = ["bb", "a-1", "a.b", "a_b", "ab", "a=b", "00", "zz",
             "a'b", "a`b", "a*b", "''--"]
    for name in names:
        assert s.status("user-add", d, *user(name, gecos=name)) == "OK", name
    assert s.names(d) == sorted(names)
    for name in names:
        assert s.get(d, name)[4] == name
    assert s.lines("user-each", d, 3)[-1] == "ended 7"
    assert len(s.lines("user-each", d, 3)) == 4
    # asked again from inside
    assert [line.split("\t")[0] for line in s.lines("user-walk", d)] == \
        sorted(names) + ["ended 0"]
    assert s.status("user-del", d, "a_b") == "OK"
    assert s.names(d) == sorted(set(names) - {"a_b"})
    assert s.lines("user-count", d) == [str(len(names) - 1)]


def test_domains_do_not_meet(s):
    one, two = s.domain(), s.domain()
    for d in one, two:
        assert s.status("user-add", d, *user("ana", gecos=d)) == "OK"
        assert s.status("alias-add", d, "info", f"&ana@{d}") == "OK"
        s.h.run(["mkdir", "-p", f"{DOMAINS}/{d}/ana"])
        assert s.status("lastauth-set", d, "ana", 7, "192.0.2.7") == "OK"
        assert s.status("limits-set", d, "7", *NOTHING.split()[1:]) == "OK"
    assert s.status("domain-del", one) == "OK"
    # where a file or a table of its own has gone, nobody can say
    assert s.status("user-get", one, "ana") in ("NONE", "TEMP")
    assert s.lines("alias-each", one) == []
    assert s.ask("limits-get", one)[0] == "NONE"
    assert s.status("domain-del", one) == "OK"      # again
    assert s.get(two, "ana")[4] == two
    assert s.lines("alias-each", two) == [f"info\t&ana@{two}"]
    assert s.lines("lastauth-get", two, "ana") == ["7 192.0.2.7"]
    assert s.lines("limits-get", two) == ["7 " + NOTHING.partition(" ")[2]]
    assert s.status("domain-add", one) == "OK"
    assert s.lines("user-count", one) == ["0"]


BAD_NAMES = ["", ".", "..", "../ana", "a/b", "/etc/passwd", "a b", "a\nb",
             "a\tb", "ana\\", "a\"b", "a;b", "a:b", "a%b",
             "' OR '1'='1", "ana'; DROP TABLE vpopmail; -- ", "Ana", "ANA",
             "\udcc3\udca4", "\udce4na", "ana\r", "ana ", " ana", "a" * 65,
             "a" * 10000, "a,b", "a\x01b", "a\x7fb"]


def test_names_that_are_none(s):
    d = s.domain()
    assert s.status("user-add", d, *user("ana")) == "OK"
    before = s.lines("user-each", d)
    for name in BAD_NAMES:
        st, reason, _ = s.ask("user-add", d, *user(name))
        assert st == "WIDE" and reason, (name, st, reason)
        assert s.status("user-get", d, name) == "NONE", name
        assert s.status("user-del", d, name) == "NONE", name
        st, reason, _ = s.ask("user-set", d, *user(name))
        assert st in ("WIDE", "NONE"), (name, st, reason)
        if name not in (".", ".."):     # .qmail-: and .qmail-::
            assert s.status("alias-add", d, name, "&a@b.example") == "WIDE"
        assert s.ask("alias-each", d, name) == ("OK", "", []), name
        assert s.status("alias-del", d, name) in ("NONE", "WIDE"), name
    assert s.lines("user-each", d) == before
    assert s.lines("alias-each", d) == []


def test_values_that_are_none(s):
    d = s.domain()
    assert s.status("user-add", d, *user("ana")) == "OK"
    before = s.lines("user-each", d)
    for field in ("hash", "gecos", "home", "quota", "clear"):
        for value in "a\nb", "\n", "x" * 10000:
            for verb, name in ("user-add", "bob"), ("user-set", "ana"):
                st, reason, _ = s.ask(verb, d, *user(name, **{field: value}))
                assert st == "WIDE", (field, value[:9], st)
                assert value[:100] not in reason or value == "\n"
    assert s.lines("user-each", d) == before
    for line in "", "&a@b\n|c", "x" * 100000:
        assert s.status("alias-add", d, "info", line) == "WIDE"
    assert s.lines("alias-each", d) == []


def test_what_quoting_could_break(s):
    """Bytes that mean something to SQL come back as they are."""
    d = s.domain()
    for i, word in enumerate(["'", "''", "\\", "\\'", "%", "_", "\"", "`",
                              "--", "/*", "*/;", "?", "x\\n", "&amp;",
                              "') OR ('1'='1", "\udce4\udcf6", "NULL"]):
        assert s.status("user-add", d, *user(f"u{i}", gecos=word,
                                             clear=word)) == "OK", word
        got = s.get(d, f"u{i}")
        assert (got[4], got[7]) == (word, word)
        line = "&" + word + "@x.example"
        assert s.status("alias-add", d, "i", line) == "OK"
        assert s.status("alias-add", d, "i", line) == "EXISTS"
        assert s.status("alias-del", d, "i", line) == "OK"
        assert s.status("alias-del", d, "i", line) == "NONE"


def test_aliases(s):
    d = s.domain()
    lines = ["&one@x.example", "&ONE@x.example", "|cmd 'a b'", "./Maildir/"]
    for line in lines:
        assert s.status("alias-add", d, "info", line) == "OK"
        assert s.status("alias-add", d, "info", line) == "EXISTS"
    assert s.status("alias-add", d, "a.b-c", "|x") == "OK"
    assert s.status("alias-add", d, "in", "|y") == "OK"
    # 5.4's table keeps no order
    assert sorted(s.lines("alias-each", d, "info")) == \
        sorted(f"info\t{line}" for line in lines)
    names = [line.split("\t")[0] for line in s.lines("alias-each", d)]
    assert names == ["a.b-c", "in"] + ["info"] * 4
    assert s.status("alias-del", d, "info", lines[0]) == "OK"
    assert s.status("alias-del", d, "info", lines[0]) == "NONE"
    assert len(s.lines("alias-each", d, "info")) == 3
    assert s.status("alias-del", d, "info") == "OK"
    assert s.status("alias-del", d, "info") == "NONE"
    assert s.lines("alias-each", d, "info") == []
    assert s.lines("alias-each", d) == ["a.b-c\t|x", "in\t|y"]
    assert s.lines("alias-keeps", d, "in") == ["0"]


def test_last_logins(s):
    d = s.domain()
    s.h.run(["mkdir", "-p", f"{DOMAINS}/{d}/ana"])
    assert s.status("user-add", d, *user("ana", home=f"{DOMAINS}/{d}/ana")) \
        == "OK"
    assert s.status("lastauth-get", d, "ana") == "NONE"
    for when, ip in (1234567890, "192.0.2.1"), (1234567890, "192.0.2.1"), \
            (1234567891, "0.0.0.0"):
        assert s.status("lastauth-set", d, "ana", when, ip) == "OK"
        assert s.lines("lastauth-get", d, "ana") == [f"{when} {ip}"]
    for ip in "x" * 200, "192.0.2.1\n":
        assert s.status("lastauth-set", d, "ana", 5, ip) == "WIDE"
    assert s.lines("lastauth-get", d, "ana") == ["1234567891 0.0.0.0"]


def test_limits(s):
    d = s.domain()
    assert s.ask("limits-get", d) == ("NONE", "", [NOTHING])
    assert s.status("limits-del", d) == "NONE"
    for new in ("1 2 3 4 5 6 7 8 9 313455 1 2 3 4 7 7 1 5 6",
                "0 0 0 0 0 0 0 0 0 0 7 7 7 7 0 0 0 7 7",
                "-1 2 -1 4 -1 2000000000 7 2000000000 9 2 0 0 0 0 0 0 0 0 0"):
        assert s.status("limits-set", d, *new.split()) == "OK"
        assert s.lines("limits-get", d) == [new]
    assert s.status("limits-del", d) == "OK"
    assert s.ask("limits-get", d) == ("NONE", "", [NOTHING])


def test_directory_counters(s):
    d = s.domain()
    assert s.status("dirctl-get", d) == "NONE"
    for n, level, place in (1, 0, ""), (100, 0, "0"), (4000, 1, "Z/z"):
        assert s.status("dirctl-set", d, n, level, 3, place) == "OK"
        assert s.lines("dirctl-get", d) == [
            f"{n} {level} 3 012 61,61,61 024 10,11,12 {place}"]
    assert s.status("dirctl-del", d) == "OK"
    assert s.status("dirctl-del", d) == "NONE"
    assert s.status("dirctl-get", d) == "NONE"


def test_addresses(s):
    d = s.domain()
    assert s.status("ipmap-get", "192.0.2.9") == "NONE"
    assert s.status("ipmap-set", "192.0.2.9", d) == "OK"
    assert s.status("ipmap-set", "192.0.2.9", "e.example") == "OK"
    assert s.status("ipmap-set", "192.0.2.10", d) == "OK"
    assert s.lines("ipmap-get", "192.0.2.9") == ["e.example"]
    assert sorted(s.lines("ipmap-each")) == [f"192.0.2.10\t{d}",
                                             "192.0.2.9\te.example"]
    for ip, name in ("192.0.2.300", d), ("x", d), ("192.0.2.9", "a/b"), \
            ("192.0.2.9", "../x"), ("192.0.2.9", "a\nb"):
        assert s.status("ipmap-set", ip, name) == "WIDE"
    for ip in "192.0.2.9", "192.0.2.10":
        assert s.status("ipmap-set", ip) == "OK"
        assert s.status("ipmap-set", ip) == "NONE"
    assert s.lines("ipmap-each") == []


def test_many_at_once(s):
    d = s.domain()
    assert s.status("user-add", d, *user("xx")) == "OK"
    assert s.status("load", d, "u", 3000, 0) == "OK"
    assert s.lines("user-count", d) == ["3001"]
    assert s.names(d) == [f"u{i:06}" for i in range(3000)] + ["xx"]
    # one that is there already
    assert s.status("load", d, "u", 1, 0) == "EXISTS"
    assert s.lines("user-count", d) == ["3001"]
    assert s.status("domain-del", d) == "OK"
