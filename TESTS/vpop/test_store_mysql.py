"""The store of accounts in a real MariaDB: both historical schemas, both
layouts, values that do not fit, and servers that stop, are killed, become
read-only or slow while they are asked."""

import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storelab import HASH, NOTHING, SHA512, Store, VSCHEMA, db, dump, \
    open_store, user  # noqa: E402, F401


# The schemas.


def test_schema_54_is_served(db, open_store):
    db.fresh("v54", dump("schema54"))
    s = open_store(db.line("v54"))
    assert s.lines("width") == ["32 40 48 160 20 16 "]
    assert s.lines("user-get", "old.example", "postmaster") == [
        f"postmaster\t{HASH}\t0\t0\tPostmaster\t"
        "/home/vpopmail/domains/old.example/postmaster\tNOQUOTA\tsecret"]
    # as somebody wrote them: NULL, empty, capitals
    assert s.lines("user-get", "old.example", "byhand") == [
        f"byhand\t{HASH}\t0\t0\t\t\t\t"]
    assert s.lines("user-get", "old.example", "capital")[0].startswith(
        f"capital\t{HASH}\t1\t2050\tCapital\t")
    assert s.status("user-get", "old.example", "nobody") == "NONE"
    assert s.status("user-get", "none.example", "ana") == "NONE"
    names = [line.split("\t")[0] for line in
             s.lines("user-each", "old.example")[:-1]]
    assert names == ["ana", "byhand", "capital", "postmaster"]
    assert s.lines("user-count", "old.example") == ["4"]
    assert s.lines("lastauth-get", "old.example", "ana") == [
        "1200000000 192.0.2.7"]
    assert s.status("lastauth-get", "old.example", "byhand") == "NONE"
    assert s.lines("alias-each", "old.example") == [
        "info\t&ana@old.example", "info\t&boss@elsewhere.example"]
    assert s.lines("dirctl-get", "old.example") == [
        "4 0 3 000 61,61,61 024 0,0,0 "]


def test_schema_56_is_served(db, open_store):
    db.fresh("v56", dump("schema56"))
    s = open_store(db.line("v56"))
    assert s.lines("width") == ["64 128 64 160 20 128 "]
    assert s.lines("user-get", "new.example", "postmaster")[0].split("\t")[1] \
        == SHA512
    # the order of lines of one alias is the order they were added in
    assert s.lines("alias-each", "new.example") == [
        "info\t&b@elsewhere.example", "info\t&a@elsewhere.example",
        "zed\t&z@elsewhere.example"]
    assert s.lines("alias-keeps", "new.example", "zed") == ["1"]
    for alias in "info", "none":
        assert s.lines("alias-keeps", "new.example", alias) == ["0"]
    assert s.lines("lastauth-get", "new.example", "ana") == [
        "1700000000 2001:db8::7"]
    # its key does not keep names apart
    assert s.status("user-add", "new.example", *user("ana")) == "EXISTS"
    assert s.status("user-add", "new.example", *user("bob")) == "OK"
    assert s.status("user-add", "new.example", *user("bob")) == "EXISTS"
    assert db.ask("SELECT pw_name, my_uid, pw_gid FROM vpopmail WHERE "
                  "pw_name = 'bob'", "v56") == "bob\t89\t0\n"
    # columns of others stay
    assert s.status("user-set", "new.example",
                    *user("ana", SHA512, gecos="A")) == "OK"
    assert db.ask("SELECT my_gid, pw_passwd, pw_gecos FROM vpopmail WHERE "
                  "pw_name = 'ana'", "v56") == f"89\t{SHA512}\tA\n"
    # without a table of limits they are in files
    assert s.ask("limits-get", "new.example") == ("NONE", "", [NOTHING])
    assert s.status("domain-del", "new.example") == "OK"
    for table in ("vpopmail", "valias", "lastauth", "aliasdomains"):
        assert db.ask(f"SELECT COUNT(*) FROM {table}", "v56") == "0\n"


@pytest.mark.parametrize("schema", ["schema54", "schema56"])
def test_accounts(db, open_store, schema):
    db.fresh("acc", dump(schema))
    s = open_store(db.line("acc"))
    d = "d.example"
    assert s.status("domain-add", d) == "OK"
    full = user("carla", HASH, 1, 0x7ffff, "Carla Q. O'Neil \\\"%_;--",
                "/home/vpopmail/domains/d.example/0/carla",
                "10485760S,1000C", "cl'ear\\")
    assert s.status("user-add", d, *full) == "OK"
    assert s.lines("user-get", d, "carla") == ["\t".join(map(str, full))]
    full = user("carla", "", 0, 0, "", "", "NOQUOTA", "")
    assert s.status("user-set", d, *full) == "OK"
    assert s.status("user-set", d, *full) == "OK"       # nothing changes
    assert s.lines("user-get", d, "carla") == ["\t".join(map(str, full))]
    assert s.status("user-set", d, *user("nobody")) == "NONE"
    assert s.status("lastauth-set", d, "carla", 1234567890, "192.0.2.1") == \
        "OK"
    assert s.status("user-del", d, "carla") == "OK"
    assert s.status("user-del", d, "carla") == "NONE"
    assert s.status("lastauth-get", d, "carla") == "NONE"
    for name in ("b", "a-1", "a.b", "a_b", "ab"):
        s.lines("user-add", d, *user(name + "x"))
    each = s.lines("user-each", d)
    assert [e.split("\t")[0] for e in each[:-1]] == \
        ["a-1x", "a.bx", "a_bx", "abx", "bx"]
    assert each[-1] == "ended 0"
    assert s.lines("user-each", d, 2)[-1] == "ended 7"
    assert len(s.lines("user-each", d, 2)) == 3
    assert len(s.lines("user-walk", d)) == 6
    assert s.status("domain-add", d) == "EXISTS"
    assert s.status("domain-del", d) == "OK"
    assert s.lines("user-count", d) == ["0"]
    assert s.status("domain-add", d) == "OK"


@pytest.mark.parametrize("schema", ["schema54", "schema56"])
def test_the_rest(db, open_store, schema):
    db.fresh("rest", dump(schema))
    s = open_store(db.line("rest"))
    d = "d.example"
    line = "&\"a b\"@x.example'; DROP TABLE valias; -- \\"
    assert s.status("alias-add", d, "list", line) == "OK"
    assert s.status("alias-add", d, "list", line) == "EXISTS"
    assert s.status("alias-add", d, "list", line.upper()) == "OK"
    assert s.status("alias-add", d, "a.b-c", "|cmd") == "OK"
    assert s.lines("alias-each", d, "list") == [
        f"list\t{line}", f"list\t{line.upper()}"]
    assert s.lines("alias-each", d) == ["a.b-c\t|cmd", f"list\t{line}",
                                        f"list\t{line.upper()}"]
    assert s.status("alias-del", d, "list", line) == "OK"
    assert s.status("alias-del", d, "list", line) == "NONE"
    assert s.status("alias-del", d, "list") == "OK"
    assert s.status("alias-del", d, "list") == "NONE"
    assert s.lines("alias-each", d) == ["a.b-c\t|cmd"]

    assert s.status("dirctl-get", d) == "NONE"
    assert s.status("dirctl-set", d, 100, 0, 3, "0") == "OK"
    assert s.lines("dirctl-get", d) == [
        "100 0 3 012 61,61,61 024 10,11,12 0"]
    for wrong in ("the_dir = '../../..'", "the_dir = '0/'", "level_cur = 3",
                  "level_cur = -1", "level_start0 = 62", "level_end2 = -1",
                  "level_index1 = 99999", "the_dir = char(39)"):
        db.ask(f"UPDATE dir_control SET {wrong} WHERE domain = '{d}'", "rest")
        s.fails("TEMP", "the row of d.example", "dirctl-get", d)
        assert s.status("dirctl-set", d, 100, 0, 3, "0") == "OK"
    assert s.status("dirctl-set", d, 101, 1, 3, "z/z") == "OK"
    assert s.lines("dirctl-get", d)[0].startswith("101 1 3 ")
    assert s.status("dirctl-del", d) == "OK"
    assert s.status("dirctl-del", d) == "NONE"

    assert s.status("lastauth-set", d, "ana", 1234567890, "192.0.2.1") == "OK"
    assert s.status("lastauth-set", d, "ana", 1234567891,
                    "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff") == "OK"
    # the time is kept even where the address has no room
    assert s.lines("lastauth-get", d, "ana") == [
        "1234567891 " + ("2001:db8:aaaa::" if schema == "schema54" else
                         "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff")]
    if schema == "schema54":
        assert s.status("ipmap-set", "192.0.2.9", d) == "OK"
        assert s.status("ipmap-set", "192.0.2.9", "e.example") == "OK"
        assert s.lines("ipmap-get", "192.0.2.9") == ["e.example"]
        s.fails("WIDE", "ip_alias_map keeps 18", "ipmap-set",
                "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", d)
        assert s.lines("ipmap-each") == ["192.0.2.9\te.example"]
        assert s.status("ipmap-set", "192.0.2.9") == "OK"
        assert s.status("ipmap-get", "192.0.2.9") == "NONE"


def test_limits(db, open_store):
    db.fresh("lim", dump("schema54"))
    s = open_store(db.line("lim"))
    # by name: perm_autoresponder 3, perm_maillist 42 = 2 + 5 << 3, then 5, 6
    assert s.lines("limits-get", "old.example") == [
        "25 -1 -1 -1 -1 500 0 0 0 8 0 0 0 3 2 5 0 5 6"]
    assert s.ask("limits-get", "d.example") == ("NONE", "", [NOTHING])
    new = "1 2 3 4 5 6 7 8 9 0x4c86f 1 2 3 4 7 7 1 5 6".split()
    assert s.status("limits-set", "d.example", *new) == "OK"
    assert s.lines("limits-get", "d.example") == [
        f"1 2 3 4 5 6 7 8 9 {0x4c86f} 1 2 3 4 7 7 1 5 6"]
    # two of three fields fit a tinyint, moderators do not
    new[16] = "2"
    s.fails("WIDE", "perm_maillist", "limits-set", "d.example", *new)
    db.ask("ALTER TABLE limits MODIFY perm_maillist smallint NOT NULL "
           "DEFAULT 0", "lim")
    with Store(db.h, db.line("lim")) as again:
        assert again.status("limits-set", "d.example", *new) == "OK"
        assert db.ask("SELECT perm_maillist FROM limits WHERE domain = "
                      "'d.example'", "lim") == f"{7 + 7 * 8 + 2 * 64}\n"
        assert again.status("limits-del", "d.example") == "OK"
        assert again.status("limits-del", "d.example") == "NONE"
    # a table that lacks a column: what is not limited needs none
    db.ask("ALTER TABLE limits DROP disable_maildrop", "lim")
    with Store(db.h, db.line("lim")) as again:
        none = NOTHING.split()
        assert again.status("limits-set", "e.example", *none) == "OK"
        none[9] = "0x40000"
        again.fails("WIDE", "disable_maildrop", "limits-set", "e.example",
                    *none)


def test_what_does_not_fit(db, open_store):
    db.fresh("wide", dump("schema54"))
    s = open_store(db.line("wide"))
    d = "d.example"
    s.fails("WIDE", "hash has 98 bytes, the store keeps 40", "user-add", d,
            *user("ana", SHA512))
    s.fails("WIDE", "clear password has 17", "user-add", d,
            *user("ana", clear="x" * 17))
    s.fails("WIDE", "user name has 33", "user-add", d, *user("x" * 33))
    s.fails("WIDE", "comment has 49", "user-add", d,
            *user("ana", gecos="x" * 49))
    s.fails("WIDE", "quota has 21", "user-add", d,
            *user("ana", quota="9" * 20 + "S"))
    s.fails("WIDE", "alias has 33", "alias-add", d, "x" * 33, "&a@b")
    s.fails("WIDE", "domain has 97", "domain-add", "x" * 97)
    assert s.lines("user-count", d) == ["0"]
    # a server that is not strict would cut it: the session is
    db.ask("SET GLOBAL sql_mode = ''; ALTER TABLE dir_control MODIFY the_dir "
           "char(4)", "wide")
    try:
        with Store(db.h, db.line("wide")) as lax:
            lax.fails("WIDE", "the_dir", "dirctl-set", d, 1, 1, 1, "12345")
            assert lax.status("dirctl-get", d) == "NONE"
    finally:
        db.ask("SET GLOBAL sql_mode = DEFAULT")


def test_bytes_stay_what_they_are(db, open_store):
    db.fresh("b1", dump("schema54"))
    s = open_store(db.line("b1"))
    latin, utf = "Jos\udce9 \udc81\udc9d", "Jos\u00e9 \u20ac"
    assert s.status("user-add", "d.example", *user("a1", gecos=latin)) == "OK"
    assert s.status("user-add", "d.example", *user("a2", gecos=utf)) == "OK"
    assert s.lines("user-get", "d.example", "a1")[0].split("\t")[4] == latin
    assert s.lines("user-get", "d.example", "a2")[0].split("\t")[4] == utf
    db.ask("ALTER TABLE vpopmail CONVERT TO CHARACTER SET utf8mb4; "
           "DELETE FROM vpopmail", "b1")
    with Store(db.h, db.line("b1")) as again:
        assert again.status("user-add", "d.example",
                            *user("a2", gecos=utf)) == "OK"
        assert again.lines("user-get", "d.example",
                           "a2")[0].split("\t")[4] == utf
        again.fails("WIDE", "character set", "user-add", "d.example",
                    *user("a1", gecos=latin, clear="sec\udce9ret"))


def test_a_table_per_domain(db, open_store):
    db.fresh("per", rights="ALL")
    with Store(db.h, db.line("per")) as s:
        s.fails("TEMP", "vschema --create", "user-get", "d.example", "ana")
    db.ask("CREATE TABLE old_example (pw_name char(32) NOT NULL, "
           "pw_passwd char(40), pw_uid int, pw_gid int, pw_gecos char(48), "
           "pw_dir char(160), pw_shell char(20), PRIMARY KEY (pw_name));"
           f"INSERT INTO old_example VALUES ('ana', '{HASH}', 0, 0, 'A', "
           "'', 'NOQUOTA')", "per")
    s = open_store(db.line("per"))
    assert s.lines("width") == ["32 40 48 160 20 0 "]
    assert s.lines("user-get", "old.example", "ana") == [
        f"ana\t{HASH}\t0\t0\tA\t\tNOQUOTA\t"]
    s.fails("WIDE", "no place for a clear password", "user-add",
            "old.example", *user("bob", clear="x"))
    assert s.status("user-add", "old.example", *user("bob")) == "OK"
    assert s.lines("user-count", "old.example") == ["2"]
    assert s.status("domain-add", "n-1.example") == "OK"
    assert s.status("user-add", "n-1.example", *user("ana")) == "OK"
    # differs in a letter that table names do not have
    s.fails("EXISTS", "", "domain-add", "n.1.example")
    # never a table of ours, never one with a quote in it
    s.fails("WIDE", "no table", "domain-add", "lastauth")
    s.fails("WIDE", "no table", "user-add", "a`b", *user("ana"))
    assert s.status("user-get", "a`b", "ana") == "NONE"
    # a domain whose table has gone is no answer about an account
    s.fails("TEMP", "gone_example", "user-get", "gone.example", "ana")
    assert s.status("domain-del", "n-1.example") == "OK"
    assert s.status("domain-del", "n-1.example") == "OK"
    assert db.ask("SHOW TABLES", "per") == "old_example\n"


# vschema.


def vschema(db, conf, *args, code=0):
    db.h.write("/run/vschema.conf", conf, mode=0o600)
    p = db.h.run([VSCHEMA, "-f", "/run/vschema.conf", *args], check=False)
    assert p.returncode == code, (p.returncode, p.stdout, p.stderr)
    assert "p'w" not in p.stdout + p.stderr
    return p.stdout if code in (0, 1) else p.stderr


def types(db, database):
    return dict(line.split("\t") for line in db.ask(
        "SELECT CONCAT(table_name, '.', column_name), column_type FROM "
        f"information_schema.columns WHERE table_schema = '{database}' "
        "AND table_name <> 'v'")
        .splitlines())


def rows(db, database):
    return {t: db.ask(f"SELECT * FROM `{t}`", database)
            for t in db.ask("SHOW TABLES", database).split()}


WIDENED = {
    "vpopmail.pw_name": "varchar(64)", "vpopmail.pw_passwd": "varchar(128)",
    "vpopmail.pw_gecos": "varchar(64)",
    "vpopmail.pw_clear_passwd": "varchar(128)",
    "valias.alias": "varchar(64)", "lastauth.user": "varchar(64)",
    "lastauth.remote_ip": "varchar(39)", "relay.ip_addr": "varchar(39)",
    "ip_alias_map.ip_addr": "varchar(39)", "vlog.user": "varchar(64)",
    "vlog.remoteip": "varchar(39)", "limits.perm_maillist": "smallint(6)",
}


def test_vschema_widens_54_and_keeps_everything(db, open_store):
    db.fresh("up", dump("schema54"), rights="ALL", extra="""
        UPDATE vpopmail SET pw_gecos = '' WHERE pw_gecos IS NULL;
        ALTER TABLE vpopmail ADD note char(3) DEFAULT 'x',
          MODIFY pw_gecos char(48) CHARACTER SET utf8mb4
          COLLATE utf8mb4_bin NOT NULL DEFAULT 'it''s' COMMENT 'a''b';
        CREATE TABLE vpopmail_old SELECT * FROM vpopmail;
        CREATE TABLE theirs (pw_name char(3), alias char(2));
        CREATE VIEW v AS SELECT pw_name, pw_passwd FROM vpopmail;
        """)
    conf = db.line("up")
    before, old = types(db, "up"), rows(db, "up")
    out = vschema(db, conf, code=1)
    assert "accounts: one table for all domains\n" in out
    assert "pw_passwd char(40) to varchar(128)" in out
    assert "not there" not in out
    assert types(db, "up") == before
    out = vschema(db, conf, "--upgrade")
    assert "done: limits: perm_maillist tinyint(4) to smallint\n" in out
    assert types(db, "up") == {**before, **WIDENED}
    assert rows(db, "up") == old
    assert "utf8mb4_bin NOT NULL DEFAULT 'it''s' COMMENT 'a''b'" in \
        db.ask("SHOW CREATE TABLE vpopmail", "up")
    assert vschema(db, conf) == "accounts: one table for all domains\n"
    assert vschema(db, conf, "--upgrade") == "nothing to do\n"
    assert "pw_shell char(20) to varchar(64)" in \
        vschema(db, conf, "--wide-quota", code=1)
    vschema(db, conf, "--upgrade", "--wide-quota")
    s = open_store(conf)
    assert s.lines("width") == ["64 128 64 160 64 128 "]
    assert s.status("user-set", "old.example", *user("ana", SHA512)) == "OK"


def test_vschema_prints_what_it_would_do(db):
    db.fresh("pr", dump("schema54"))
    conf = db.line("pr")
    before = types(db, "pr")
    text = vschema(db, conf, "--upgrade", "--print")
    assert types(db, "pr") == before
    # the user of every day may not
    assert "command denied" in vschema(db, conf, "--upgrade", code=111)
    assert types(db, "pr") == before
    db.ask(text, "pr")
    assert types(db, "pr") == {**before, **WIDENED}
    assert vschema(db, conf, "--upgrade", "--print") == ""


def test_vschema_adds_missing_columns(db):
    db.fresh("lack", dump("schema54"), rights="ALL",
             extra="ALTER TABLE limits DROP disable_maildrop, "
             "DROP delete_spam; ALTER TABLE vpopmail DROP pw_clear_passwd")
    out = vschema(db, db.line("lack"), "--upgrade")
    assert "delete_spam new, disable_maildrop new" in out
    now = types(db, "lack")
    assert now["limits.disable_maildrop"].startswith("tinyint")
    # a place for clear passwords is nobody's wish but the administrator's
    assert "vpopmail.pw_clear_passwd" not in now


def test_vschema_creates(db, open_store):
    db.fresh("new", rights="ALL")
    conf = db.line("new")
    assert "no table" in vschema(db, conf, code=1)
    vschema(db, conf, "--create")
    assert db.ask("SHOW TABLES", "new").split() == [
        "dir_control", "ip_alias_map", "lastauth", "limits", "valias",
        "vpopmail"]
    assert vschema(db, conf) == "accounts: one table for all domains\n"
    assert vschema(db, conf, "--create") == "nothing to do\n"
    vschema(db, conf, "--create", "relay", "vlog", "aliasdomains")
    assert vschema(db, conf) == "accounts: one table for all domains\n"
    s = open_store(conf)
    assert s.lines("width") == ["64 128 64 160 20 128 "]
    assert s.status("user-add", "d.example",
                    *user("ana", SHA512, clear="c" * 128)) == "OK"
    assert s.status("alias-add", "d.example", "i", "&ana@d.example") == "OK"
    for words in (["limits-set", "d.example", *NOTHING.split()],
                  ["dirctl-set", "d.example", 1, 0, 3, ""],
                  ["ipmap-set", "2001:db8::1", "d.example"],
                  ["lastauth-set", "d.example", "ana", 1 << 33, "::1"]):
        assert s.status(*words) == "OK"
    assert s.lines("lastauth-get", "d.example", "ana") == [f"{1 << 33} ::1"]
    assert "already" in vschema(db, conf, "--create", "--table-per-domain",
                                code=100)


def test_vschema_hides_no_files(db, open_store):
    """A site with limits in files and aliases in .qmail files."""
    db.fresh("hide", dump("schema54"), rights="ALL",
             extra="DROP TABLE limits, valias")
    conf = db.line("hide")
    out = vschema(db, conf, "--create")
    assert "limits: not there; files are used" in out
    vschema(db, conf, "--upgrade")
    assert not {"limits", "valias"} & set(db.ask("SHOW TABLES",
                                                 "hide").split())
    db.h.run(["mkdir", "-p", "/run/domains/old.example"])
    s = open_store(conf)
    one = "1 " + NOTHING.partition(" ")[2]
    assert s.status("limits-set", "old.example", *one.split()) == "OK"
    assert s.lines("limits-get", "old.example") == [one]
    assert db.h.exists("/run/domains/old.example/.qmailadmin-limits")
    assert s.status("alias-add", "old.example", "info", "&a@b.example") == "OK"
    assert s.lines("alias-each", "old.example") == ["info\t&a@b.example"]
    assert db.h.exists("/run/domains/old.example/.qmail-info")


def test_vschema_with_a_table_per_domain(db, open_store):
    db.fresh("tpd", rights="ALL")
    conf = db.line("tpd")
    vschema(db, conf, "--create", "--table-per-domain")
    assert "vpopmail" not in db.ask("SHOW TABLES", "tpd").split()
    s = open_store(conf)
    assert s.status("domain-add", "d-1.example") == "OK"
    assert s.status("user-add", "d-1.example", *user("ana", SHA512)) == "OK"
    db.ask("CREATE TABLE `o'``ld` (pw_name char(32) NOT NULL, pw_passwd "
           "char(40), pw_uid int, pw_gid int, pw_gecos char(48), pw_dir "
           "char(160), pw_shell char(20), PRIMARY KEY (pw_name))", "tpd")
    out = vschema(db, conf, "--upgrade")
    assert "pw_passwd char(40) to varchar(128)" in out
    assert vschema(db, conf, "--upgrade") == "nothing to do\n"
    assert "already" in vschema(db, conf, "--create", "vpopmail", code=100)


@pytest.mark.parametrize("args", [
    ["--check", "--upgrade"], ["--drop"], ["x"], ["--check", "valias"],
    ["--create", "mysql"], ["--upgrade", "--table-per-domain"], ["-f"]])
def test_vschema_misuse(db, args):
    vschema(db, db.line("new"), *args, code=100)


# Many.


def test_ten_thousand_users(db, open_store):
    db.fresh("many", dump("schema56"))
    s = open_store(db.line("many"))
    assert s.status("load", "big.example", "u", 10000, 0) == "OK"
    assert s.lines("user-count", "big.example") == ["10000"]
    each = s.lines("user-walk", "big.example")
    assert len(each) == 10001
    assert each == sorted(each[:-1]) + ["ended 0"]
    assert each[9999].startswith("u009999\t")
    assert s.status("load", "big.example", "u", 1, 0) == "EXISTS"


# Servers in trouble.


def test_no_server_and_no_file(db):
    with Store(db.h, "127.0.0.1|1|vpopmail|p'w|x\n") as s:
        s.fails("TEMP", "database server 127.0.0.1", "user-get", "d.example",
                "ana")
    with Store(db.h, db.line("nodb")) as s:
        s.fails("TEMP", "Access denied", "user-get", "d.example", "ana")
    with Store(db.h, "127.0.0.1|0|vpopmail\n") as s:
        s.fails("TEMP", "line 1: too few fields", "user-get", "d.example",
                "ana")
    with Store(db.h, "") as s:
        db.h.run(["rm", "/run/vpop/etc/vpopmail.mysql"])
        s.fails("TEMP", "No such file", "user-add", "d.example",
                *user("ana"))


@pytest.mark.parametrize("tcp", [True, False])
def test_a_server_that_goes_and_comes(db, open_store, tcp):
    db.fresh("life", dump("schema56"))
    s = open_store(db.line("life", tcp=tcp))
    assert s.status("user-get", "new.example", "ana") == "OK"
    db.stop()
    s.fails("TEMP", "database server", "user-get", "new.example", "ana")
    s.fails("TEMP", "database server", "user-get", "new.example", "nobody")
    s.fails("TEMP", "database server", "user-add", "new.example",
            *user("bob"))
    s.fails("TEMP", "database server", "user-each", "new.example")
    db.start()
    assert s.status("user-get", "new.example", "ana") == "OK"
    db.kill()
    db.start()
    # the connection is dead and nobody said so
    assert s.status("user-add", "new.example", *user("bob")) == "OK"
    db.kill()
    db.start()
    assert s.lines("user-count", "new.example") == ["3"]
    # a session that an administrator killed
    for line in db.ask("SELECT id FROM information_schema.processlist "
                       "WHERE user = 'vpopmail'").split():
        db.ask(f"KILL {line}")
    assert s.status("user-get", "new.example", "bob") == "OK"


def test_a_server_killed_in_a_bulk(db, open_store):
    db.fresh("bulk", dump("schema56"))
    s = open_store(db.line("bulk"))
    s.tell("load", "new.example", "u", 2000, 1000)
    assert s.line() == "stands at 1000"
    db.kill()
    db.start()
    s.tell("")                  # go on
    assert s.line().startswith("TEMP database server")
    # nothing half done, and the store is good for more
    assert s.lines("user-count", "new.example") == ["2"]
    assert s.status("load", "new.example", "u", 10, 0) == "OK"
    assert s.lines("user-count", "new.example") == ["12"]


def test_a_read_only_server(db, open_store):
    db.fresh("ro", dump("schema56"))
    s = open_store(db.line("ro"))
    db.ask("SET GLOBAL read_only = 1")
    try:
        s.fails("TEMP", "read-only", "user-add", "new.example", *user("bob"))
        s.fails("TEMP", "read-only", "user-del", "new.example", "ana")
        assert s.status("user-get", "new.example", "ana") == "OK"
    finally:
        db.ask("SET GLOBAL read_only = 0")
    assert s.status("user-add", "new.example", *user("bob")) == "OK"


def test_a_slow_server(db, open_store):
    db.fresh("slow", dump("schema56"))
    s = open_store(db.line("slow", "timeout=2"))
    assert s.status("user-get", "new.example", "ana") == "OK"
    db.freeze()
    try:
        s.fails("TEMP", "database server", "user-get", "new.example", "ana")
        s.fails("TEMP", "database server", "user-set", "new.example",
                *user("ana"))
    finally:
        db.thaw()
    db.h.wait(lambda: s.status("user-get", "new.example", "ana") == "OK",
              "the server to be asked again")
    # a row that another transaction holds
    lock = db.h.popen(["mariadb", "--no-defaults", "-n", "-N", "-B", "-u",
                       "root", "-S", db.socket, "slow"],
                      stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                      text=True)
    lock.stdin.write("BEGIN; DELETE FROM vpopmail; SELECT 'held';\n")
    lock.stdin.flush()
    assert lock.stdout.readline() == "held\n"
    s.fails("TEMP", "database server", "user-set", "new.example",
            *user("ana", gecos="late"))
    assert s.status("user-get", "new.example", "ana") == "OK"
    lock.stdin.write("ROLLBACK;\n")
    lock.stdin.close()
    assert lock.wait(30) == 0


OPENSSL = """cd /run/tls && chmod 755 . &&
openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=ca \\
    -keyout ca.key -out ca.pem &&
openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=ca \\
    -keyout no.key -out no.pem &&
openssl req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout s.key \\
    -out s.csr -addext subjectAltName=IP:127.0.0.1,DNS:localhost &&
openssl x509 -req -in s.csr -CA ca.pem -CAkey ca.key -CAcreateserial \\
    -copy_extensions copy -days 9 -out s.pem && chmod 644 *"""


def test_tls(db):
    db.h.run(["mkdir", "-p", "/run/tls"])
    db.h.run(OPENSSL)
    secure = db.another(3309, ["--ssl-cert=/run/tls/s.pem",
                               "--ssl-key=/run/tls/s.key",
                               "--ssl-ca=/run/tls/ca.pem",
                               "--bind-address=0.0.0.0"])
    try:
        for server in (db, secure):
            server.fresh("tls", dump("schema56"))
        secure.ask("ALTER USER vpopmail@127.0.0.1 REQUIRE SSL")
        ask = ("user-get", "new.example", "ana")
        for options, status in (
                ("tls", "OK"), ("tls-verify,tls-ca=/run/tls/ca.pem", "OK"),
                ("tls-verify,tls-ca=/run/tls/no.pem", "TEMP"),
                ("tls-ca=/run/tls/none.pem", "TEMP"), ("", "TEMP")):
            with Store(db.h, secure.line("tls", options)) as s:
                assert s.status(*ask) == status, options
        # the name in the certificate counts
        for options, status in (
                ("tls", "OK"), ("tls-verify,tls-ca=/run/tls/ca.pem", "TEMP")):
            line = secure.line("tls", options)
            with Store(db.h, line.replace("127.0.0.1|", "127.0.0.2|")) as s:
                assert s.status(*ask) == status, options
        # a server without TLS is no server then
        for options in "tls", "tls-verify,tls-ca=/run/tls/ca.pem":
            with Store(db.h, db.line("tls", options)) as s:
                s.fails("TEMP", "TLS", *ask)
    finally:
        secure.stop()


def test_several_servers(db, open_store):
    """Two for reading, two for updates, each with data of its own, so that
    an answer tells who gave it."""
    servers = [db, db.another(3307), db.another(3308)]
    try:
        for i, server in enumerate(servers):
            server.fresh("multi", dump("schema56"), extra="UPDATE vpopmail "
                         f"SET pw_gecos = 'server {i}'")
        conf = servers[0].line("multi", "read,timeout=3") + \
            servers[1].line("multi", "read,update,timeout=3") + \
            servers[2].line("multi", "update,timeout=3")
        s = open_store(conf)

        def who():
            return s.lines("user-get", "new.example",
                           "ana")[0].split("\t")[4][-1]
        assert who() == "0"
        assert s.status("lastauth-set", "new.example", "ana", 5,
                        "192.0.2.5") == "OK"
        assert servers[1].ask("SELECT timestamp FROM lastauth",
                              "multi") == "5\n"
        assert who() == "0"     # a login moves no reading
        # read-only: the next one is changed, and read from then on
        servers[1].ask("SET GLOBAL read_only = 1")
        assert s.status("user-add", "new.example", *user("bob")) == "OK"
        count = "SELECT COUNT(*) FROM vpopmail WHERE pw_name = 'bob'"
        assert servers[1].ask(count, "multi") == "0\n"
        assert servers[2].ask(count, "multi") == "1\n"
        servers[1].ask("SET GLOBAL read_only = 0")
        # what a copy does not have is asked of the server for updates
        servers[1].ask("INSERT INTO vpopmail (pw_name, pw_domain, pw_gecos) "
                       "VALUES ('late', 'new.example', 'x');"
                       "INSERT INTO valias (alias, domain, valias_line) "
                       "VALUES ('late', 'new.example', '&x@y.example')",
                       "multi")
        with Store(db.h, conf) as fresh:
            assert fresh.status("user-get", "new.example", "late") == "OK"
            assert fresh.status("user-get", "new.example", "never") == "NONE"
            assert fresh.lines("alias-each", "new.example", "late") == [
                "late\t&x@y.example"]
            assert fresh.lines("user-get", "new.example",
                               "ana")[0].split("\t")[4] == "server 0"
        servers[0].kill()
        with Store(db.h, conf) as fresh:
            assert fresh.lines("user-get", "new.example",
                               "ana")[0].split("\t")[4] == "server 1"
            servers[1].kill()
            assert fresh.lines("user-get", "new.example",
                               "ana")[0].split("\t")[4] == "server 2"
            assert fresh.status("user-add", "new.example",
                                *user("eve")) == "OK"
            servers[2].kill()
            fresh.fails("TEMP", "database server", "user-get", "new.example",
                        "ana")
        # a copy alone knows who is there, and not who is not
        servers[0].start()
        with Store(db.h, conf) as fresh:
            assert fresh.status("user-get", "new.example", "ana") == "OK"
            fresh.fails("TEMP", "database server", "user-get", "new.example",
                        "never")
    finally:
        for server in servers[1:]:
            if server.pid():
                server.stop()
        if db.pid() is None:
            db.start()
