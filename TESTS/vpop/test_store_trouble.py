"""MariaDB that goes while something is changed, lets nobody in, ends sessions
that stand idle, or undoes what it was about to commit, as a cluster does.
Whatever happens, a change is done or not, and no account is said to be
missing that is there."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storelab import DOMAINS, HASH, NOTHING, Store, VSCHEMA, db, \
    user  # noqa: E402, F401

D, BASE = "d.example", "trouble"
TABLES = ("vpopmail", "valias", "lastauth", "limits", "dir_control",
          "ip_alias_map")


@pytest.fixture
def store(db):
    db.fresh(BASE, rights="ALL")
    conf = db.line(BASE, "timeout=20")
    db.h.write("/run/vschema.conf", conf, mode=0o600)
    db.h.run([VSCHEMA, "-f", "/run/vschema.conf", "--create"])
    with Store(db.h, conf) as s:
        yield s


def fill(s):
    """One of everything, to change or to delete."""
    limits = ["limits-set", D, "3", *NOTHING.split()[1:]]
    for words in (["user-add", D, *user("ana")], ["user-add", D, *user("bob")],
                  ["alias-add", D, "info", "&ana@d.example"],
                  ["lastauth-set", D, "ana", 5, "192.0.2.5"], limits,
                  ["dirctl-set", D, 1, 0, 3, ""],
                  ["ipmap-set", "192.0.2.9", D]):
        assert s.status(*words) == "OK", words


# (the request, its statement, the table)
CHANGES = [
    (["user-add", D, *user("eve")], "INSERT", "vpopmail"),
    (["user-set", D, *user("ana", gecos="new")], "UPDATE", "vpopmail"),
    (["user-del", D, "ana"], "DELETE", "vpopmail"),
    (["user-del", D, "ana"], "DELETE", "lastauth"),
    (["domain-del", D], "DELETE", "vpopmail"),
    (["domain-del", D], "DELETE", "limits"),
    (["alias-add", D, "info", "&bob@d.example"], "INSERT", "valias"),
    (["alias-del", D, "info"], "DELETE", "valias"),
    (["lastauth-set", D, "ana", 9, "192.0.2.9"], "UPDATE", "lastauth"),
    (["lastauth-set", D, "bob", 9, "192.0.2.9"], "INSERT", "lastauth"),
    (["limits-set", D, *NOTHING.split()], "UPDATE", "limits"),
    (["limits-set", "e.example", *NOTHING.split()], "INSERT", "limits"),
    (["limits-del", D], "DELETE", "limits"),
    (["dirctl-set", D, 2, 0, 3, ""], "UPDATE", "dir_control"),
    (["dirctl-del", D], "DELETE", "dir_control"),
    (["ipmap-set", "192.0.2.9", "e.example"], "UPDATE", "ip_alias_map"),
    (["ipmap-set", "192.0.2.9"], "DELETE", "ip_alias_map"),
    (["load", D, "u", 50, 0], "INSERT", "vpopmail"),
]


def named(change):
    return f"{change[0][0]}-{change[2]}"


def content(db):
    return {t: db.ask(f"SELECT * FROM `{t}` ORDER BY 1, 2", BASE)
            for t in TABLES}


def trigger(db, when, verb, table, body):
    db.ask("DELIMITER $$\n"
           f"CREATE TRIGGER t {when} {verb} ON `{table}` FOR EACH ROW\n"
           f"BEGIN {body} END$$\n", BASE)


@pytest.mark.parametrize("change", CHANGES, ids=named)
def test_killed_in_the_middle(db, store, change):
    """Before a row is changed or after it: as it was, and then it can be
    done."""
    words, verb, table = change
    when = "BEFORE" if CHANGES.index(change) % 2 else "AFTER"
    fill(store)
    before = content(db)
    trigger(db, when, verb, table, "DO SLEEP(50);")
    store.tell(*words)
    db.h.wait(lambda: db.ask("SELECT 1 FROM information_schema.processlist "
                             "WHERE state = 'User sleep'"), "the change")
    db.kill()
    while True:
        line = store.line()
        if line.split(" ")[0] in ("OK", "NONE", "EXISTS", "WIDE", "TEMP"):
            break
    assert line.startswith("TEMP database server"), line
    db.start()
    assert content(db) == before
    db.ask("DROP TRIGGER t", BASE)
    assert store.status("user-get", D, "ana") == "OK"
    assert store.status(*words) == "OK"
    assert content(db) != before


# A counter of the session: the trigger of the first attempt fails, no more.
DEADLOCK = ("SET @n = COALESCE(@n, 0) + 1; IF @n <= {0} THEN SIGNAL SQLSTATE "
            "'40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found "
            "when trying to get lock; try restarting transaction'; END IF;")


@pytest.mark.parametrize("change", [c for c in CHANGES if c[0][0] not in (
    "load", "user-del", "domain-del")], ids=named)
def test_a_deadlock_is_tried_again(db, store, change):
    words, verb, table = change
    fill(store)
    trigger(db, "AFTER", verb, table, DEADLOCK.format(1))
    before = content(db)
    assert store.status(*words) == "OK"
    assert content(db) != before


@pytest.mark.parametrize("change", [c for c in CHANGES if c[0][0] in (
    "user-del", "domain-del")], ids=named)
def test_a_deadlock_in_a_transaction_is_tried_again(db, store, change):
    """Another connection then: the counter is a table that undoes nothing."""
    words, verb, table = change
    fill(store)
    db.ask("CREATE TABLE counter (n int) ENGINE=MyISAM; "
           "INSERT INTO counter VALUES (0)", BASE)
    trigger(db, "AFTER", verb, table, "UPDATE counter SET n = n + 1; "
            "SET @n = (SELECT n - 1 FROM counter); " + DEADLOCK.format(1))
    before = content(db)
    assert store.status(*words) == "OK"
    assert content(db) != before
    # and when it does not end, nothing was done
    db.ask("DELETE FROM vpopmail; DELETE FROM valias; DELETE FROM limits; "
           "DELETE FROM lastauth; DELETE FROM ip_alias_map", BASE)
    fill(store)
    db.ask("UPDATE counter SET n = -1000", BASE)
    before = content(db)
    store.fails("TEMP", "(1213)", *words)
    assert content(db) == before


def test_a_deadlock_in_a_bulk_undoes_all(db, store):
    fill(store)
    before = content(db)
    trigger(db, "BEFORE", "INSERT", "vpopmail",
            "IF NEW.pw_name = 'u000030' THEN SIGNAL SQLSTATE '40001' "
            "SET MYSQL_ERRNO = 1213; END IF;")
    store.fails("TEMP", "(1213)", "load", D, "u", 50, 0)
    assert content(db) == before
    assert store.status("load", D, "v", 50, 0) == "OK"
    assert store.lines("user-count", D) == ["52"]


def test_every_table_has_a_primary_key(db, store):
    db.h.run([VSCHEMA, "-f", "/run/vschema.conf", "--create", "relay", "vlog",
              "aliasdomains"])
    assert db.ask("SELECT t.table_name FROM information_schema.tables t WHERE "
                  f"t.table_schema = '{BASE}' AND NOT EXISTS (SELECT 1 FROM "
                  "information_schema.statistics i WHERE i.table_schema = "
                  "t.table_schema AND i.table_name = t.table_name AND "
                  "i.index_name = 'PRIMARY')") == ""


def test_too_many_connections(db, store):
    fill(store)
    conf = db.line(BASE)
    db.ask("ALTER USER vpopmail@127.0.0.1 WITH MAX_USER_CONNECTIONS 1")
    with Store(db.h, conf) as one, Store(db.h, conf) as other:
        assert one.status("user-get", D, "ana") == "OK"
        other.fails("TEMP", "database server", "user-get", D, "ana")
        other.fails("TEMP", "database server", "user-get", D, "none")
        other.fails("TEMP", "database server", "user-del", D, "ana")
        assert one.status("user-get", D, "ana") == "OK"
    db.ask("ALTER USER vpopmail@127.0.0.1 WITH MAX_USER_CONNECTIONS 0")
    db.ask("SET GLOBAL max_connections = 10")
    held = []
    try:
        for _ in range(30):
            held.append(Store(db.h, conf, vpop=f"/run/vpop{len(held)}"))
            st, reason, _ = held[-1].ask("user-get", D, "ana")
            if st != "OK":
                break
        assert st == "TEMP" and "Too many connections" in reason
        held[-1].fails("TEMP", "Too many", "user-get", D, "none")
        held[-1].fails("TEMP", "Too many", "user-add", D, *user("eve"))
        held[0].close()
        db.h.wait(lambda: held[-1].status("user-add", D, *user("eve")) == "OK",
                  "a place")
    finally:
        for s in held:
            if not s.p.stdin.closed:
                s.close()
        db.ask("SET GLOBAL max_connections = DEFAULT")


def test_sessions_that_stood_idle(db, store):
    """The server ended them and said nothing: everything works."""
    fill(store)
    db.ask("SET GLOBAL wait_timeout = 1")
    try:
        for words in (["user-get", D, "ana"], ["user-each", D],
                      ["alias-each", D, "info"], *(
                      CHANGES[i][0] for i in (0, 1, 3, 8, 17, 5))):
            with Store(db.h, db.line(BASE)) as s:
                assert s.status("user-count", D) == "OK"
                db.h.wait(lambda: db.ask(
                    "SELECT COUNT(*) FROM information_schema.processlist "
                    "WHERE user = 'vpopmail' AND time < 600") <= "1\n",
                    "sessions to end")
                assert s.status(*words) == "OK", words
    finally:
        db.ask("SET GLOBAL wait_timeout = DEFAULT")
