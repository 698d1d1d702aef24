"""The database stopped, killed, paused, read-only, killed in the middle of a
command: mail waits and arrives, nobody is told that an address or a password
is wrong, and a command that failed has left nothing."""

import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from domainlab import files, run, tree  # noqa: E402
from vsite import DATABASE, HOME, VPOPMAIL, VSite  # noqa: E402

D = "d.example"
ANA = f"ana@{D}"


@pytest.fixture(scope="module")
def site():
    s = VSite("mysql")
    try:
        conf = f"{VPOPMAIL}/etc/vpopmail.mysql"
        s.h.write(conf, s.db.line(DATABASE, "timeout=2"), mode=0o640)
        s.h.run(["chgrp", "vchkpw", conf])
        s.reload()
        s.add_domain(D)
        s.add_user(ANA)
        s.v("valias", "-i", f"&{ANA}", f"info@{D}")
        yield s
    finally:
        s.close()


def login(site, password="secret"):
    """vchkpw's exit code."""
    site.h.write("/run/login", f"{ANA}\0{password}\0\0", mode=0o600)
    return site.h.run(f"{HOME}/bin/vchkpw /bin/true 3</run/login",
                      check=False).returncode


def homes(site):
    return [line for line in tree(site) if "/Maildir" not in line]


def content(site):
    return [site.db.ask(f"SELECT * FROM `{t}` ORDER BY 1, 2", DATABASE)
            for t in ("vpopmail", "valias", "limits", "dir_control")]


COMMANDS = [
    ("vadduser", f"eve@{D}", "secret"), ("vdeluser", ANA),
    ("vpasswd", ANA, "other"), ("vmoduser", "-c", "New", ANA),
    ("vsetuserquota", ANA, "5000000S"), ("valias", "-d", f"info@{D}"),
    ("valias", "-i", "&x@y.example", f"info@{D}"),
    ("vadddomain", "new.example", "secret"), ("vdeldomain", D),
    ("vmoddomlimits", "-Q", "10", D), ("vuserinfo", ANA),
]


def try_commands(site, commands=COMMANDS):
    """Each fails, says why in a line, and changes nothing."""
    before, there = files(site), tree(site)
    for words in commands:
        code, said = run(site, *words)
        assert code != 0 and "database" in said, (words, code, said)
        assert "secret" not in said and "p'w" not in said, said
        assert files(site) == before, words
        assert tree(site) == there, words


def down(db, how):
    {"stop": db.stop, "kill": db.kill, "freeze": db.freeze}[how]()


def up(db, how):
    (db.thaw if how == "freeze" else db.start)()


@pytest.mark.parametrize("how", ["stop", "kill", "freeze"])
def test_mail_waits(site, how):
    mails = len(site.vmails(ANA))
    before = content(site)
    site.reload()               # what it has kept is forgotten
    down(site.db, how)
    try:
        for rcpt in (ANA, f"nobody@{D}", f"info@{D}"):
            step, code, text = site.stranger(rcpt)
            assert (step, code[0]) == ("RCPT", "4"), (rcpt, code, text)
        mark = site.send([ANA, f"nobody@{D}"])
        for rcpt in (ANA, f"nobody@{D}"):
            assert site.result(f"{D}-{rcpt}", mark)[0] == "deferral"
        assert login(site) == 111
        assert login(site, "wrong") == 111
        try_commands(site)
    finally:
        up(site.db, how)
    site.h.wait(lambda: login(site) == 0, "a login")
    assert content(site) == before

    def arrived():
        site.h.run(["svc", "-a", "/service/qmail"])
        return len(site.vmails(ANA)) > mails
    site.h.wait(arrived, "the message", step=1)
    site.h.wait(lambda: site.stranger(ANA)[0] == "QUIT", "a recipient")
    assert site.stranger(f"nobody@{D}")[:2] == ("RCPT", "550")
    assert login(site, "wrong") == 3


def test_read_only(site):
    """Reading goes on; what is to be changed stays."""
    mails, before = len(site.vmails(ANA)), content(site)
    site.reload()
    site.db.ask("SET GLOBAL read_only = 1")
    try:
        assert site.stranger(ANA)[0] == "QUIT"
        site.vmail(ANA, mails + 1)
        assert login(site) == 0
        try_commands(site, COMMANDS[:-1])
        assert run(site, "vuserinfo", ANA)[0] == 0
    finally:
        site.db.ask("SET GLOBAL read_only = 0")
    assert content(site) == before


@pytest.mark.parametrize("words, verb, table", [
    (COMMANDS[0], "INSERT", "vpopmail"), (COMMANDS[1], "DELETE", "vpopmail"),
    (COMMANDS[2], "UPDATE", "vpopmail"), (COMMANDS[5], "DELETE", "valias"),
    (COMMANDS[7], "INSERT", "vpopmail")], ids=lambda w: w[0])
def test_killed_in_the_middle_of_a_command(site, words, verb, table):
    before, there, rows = files(site), homes(site), content(site)
    site.db.ask("DELIMITER $$\n"
                f"CREATE TRIGGER t BEFORE {verb} ON `{table}` FOR EACH ROW "
                "BEGIN DO SLEEP(1.8); END$$\n", DATABASE)
    p = site.h.popen([f"{VPOPMAIL}/bin/{words[0]}", *words[1:]],
                     stdout=subprocess.PIPE, text=True)
    try:
        site.h.wait(lambda: site.db.ask(
            "SELECT 1 FROM information_schema.processlist "
            "WHERE state = 'User sleep'"), "the change")
        site.db.kill()
        said = p.communicate(timeout=100)[0]
        assert p.returncode != 0 and "database" in said, said
    finally:
        if site.db.pid() is None:
            site.db.start()
        site.db.ask("DROP TRIGGER IF EXISTS t", DATABASE)
    assert (files(site), content(site)) == (before, rows)
    code, said = run(site, "vuserinfo", ANA)
    assert code == 0, said
    # what is left of it is no obstacle
    assert run(site, *words)[0] == 0
    if words[0] == "vadduser":
        site.v("vdeluser", words[1])
    elif words[0] == "vdeluser":
        site.add_user(ANA)
    elif words[0] == "vpasswd":
        site.v("vpasswd", ANA, "secret")
    elif words[0] == "valias":
        site.v("valias", "-i", f"&{ANA}", f"info@{D}")
    else:
        site.v("vdeldomain", words[1])
    assert homes(site) == there
