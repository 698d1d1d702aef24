"""Tools for many at once: vpopbull, vconvert, vdeloldusers, dotqmail2valias,
vsavealiasdomains, clearopensmtp, vkill."""

import json
import os
import signal
import subprocess
import time

import pytest

from vsite import DATABASE, VPOPMAIL

DOMAINS = VPOPMAIL + "/domains"
D = "tools.example"
DIR = f"{DOMAINS}/{D}"
BULL = "/root/bull"


def run(s, *args, **kw):
    r = s.v(*args, check=False, **kw)
    return r.returncode, r.stdout


@pytest.fixture(name="site", scope="module")
def with_domain(vsite):
    s = vsite
    s.add_domain(D)
    s.v("vaddaliasdomain", D, "alias.example")
    for name in ("jo", "mo", "zo"):
        s.add_user(f"{name}@{D}")
    s.add_domain("second.example")
    return s


@pytest.fixture(autouse=True)
def clean(request):
    yield
    if "site" in request.fixturenames:
        s = request.getfixturevalue("site")
        assert run(s, "vcheck", D, "second.example") == (0, "")


# vpopbull


def empty(s):
    s.h.run(f"find {DOMAINS} -path '*/Maildir/new/*' -delete; "
            f"find {DOMAINS} -name maildirsize -delete")


def test_bulletin(site):
    s = site
    empty(s)
    s.h.write(BULL, "Subject: all\n\nbody\n")
    s.h.write("/root/exclude", f"ZO@{D}\n\nnobody@nowhere.example\n")
    r = s.v("vpopbull", "-f", BULL, "-e", "/root/exclude", "-n")
    assert r.stdout.split() == ["postmaster@second.example", f"jo@{D}",
                                f"mo@{D}", f"postmaster@{D}"]
    assert s.vmails(f"jo@{D}") == []
    r = s.v("vpopbull", "-f", BULL, "-e", "/root/exclude")
    assert r.stdout == "" and r.stderr == "mailboxes: 4\n"
    text, = s.vmails(f"jo@{D}")
    head, body = text.split("\n\n", 1)
    assert body == "body\n"
    fields = head.split("\n")
    assert fields[0] == f"To: jo@{D}" and fields[1].startswith("Date: ")
    assert fields[2:] == ["Subject: all"]
    assert s.vmails(f"zo@{D}") == []
    assert len(s.vmails("postmaster@second.example")) == 1
    new = f"{DIR}/jo/Maildir/new"
    name, = s.h.listdir(new)
    st = s.h.stat(f"{new}/{name}")
    assert st.st_mode & 0o777 == 0o600
    assert st.st_uid == s.h.user("vpopmail").pw_uid
    assert st.st_size == len(text)
    wire = st.st_size + text.count("\n")
    assert name.endswith(f",S={st.st_size},W={wire}")


def test_bulletin_with_fields_of_its_own(site):
    s = site
    empty(s)
    text = "To: all:;\nDate: 1 Jan 2026 00:00:00 +0000\n\nx\n"
    s.h.write(BULL, text)
    for _ in range(3):
        s.v("vpopbull", "-f", BULL, D)
    assert s.vmails(f"jo@{D}") == [text] * 3
    assert s.vmails("postmaster@second.example") == []
    s.h.write(BULL, "no header\n")
    empty(s)
    s.v("vpopbull", "-f", BULL, D)
    assert s.vmails(f"jo@{D}")[0].endswith("\n\nno header\n")


def test_bulletin_counts(site):
    s = site
    empty(s)
    s.h.write(BULL, "To: all:;\nDate: x\n\n" + "x" * 1000 + "\n")
    size = s.h.stat(BULL).st_size
    s.v("vsetuserquota", f"jo@{D}", f"{2 * size + 10}S")
    try:
        for n in (1, 2):
            assert run(s, "vpopbull", "-f", BULL, D) == (0, "")
        code, out = run(s, "vpopbull", "-V", "-f", BULL, D)
        assert code == 0
        assert f"jo@{D}: skipped: the mailbox is over quota\n" in out
        assert len(s.vmails(f"jo@{D}")) == 2
        assert len(s.vmails(f"mo@{D}")) == 3
        lines = s.h.read(f"{DIR}/jo/Maildir/maildirsize").split("\n")
        assert sum(int(l.split()[0]) for l in lines[1:] if l) == 2 * size
    finally:
        s.v("vsetuserquota", f"jo@{D}", "NOQUOTA")


@pytest.mark.parametrize("option", ["-h", "-s"])
def test_bulletin_links(site, option):
    s = site
    empty(s)
    path = f"{VPOPMAIL}/bulletin"
    s.h.write(path, "Subject: x\n\nlinked\n", mode=0o644)
    assert run(s, "vpopbull", option, "-f", path, D) == (0, "")
    new = f"{DIR}/jo/Maildir/new"
    name, = s.h.listdir(new)
    assert s.h.read(f"{new}/{name}") == "Subject: x\n\nlinked\n"
    link = s.h.stat(f"{new}/{name}", follow=False)
    if option == "-h":
        assert link.st_ino == s.h.stat(path).st_ino and link.st_nlink == 5
    else:
        assert os.path.stat.S_ISLNK(link.st_mode)
    empty(s)
    # one that its readers could not read
    s.h.run(f"chmod 600 {path}; chown root {path}")
    code, out = run(s, "vpopbull", option, "-f", path, D)
    assert code == 255 and out.count("Permission denied") == 4
    assert s.h.listdir(new) == []
    s.h.run(f"rm {path}")


def test_bulletin_trouble(site):
    s = site
    empty(s)
    s.h.write(BULL, "Subject: x\n\n")
    assert run(s, "vpopbull")[0] == 255
    assert run(s, "vpopbull", "-f", "/root/none")[0] == 256 - 38
    assert run(s, "vpopbull", "-f", "/root")[0] == 256 - 38
    assert run(s, "vpopbull", "-f", BULL, "none.example")[0] == 256 - 11
    # nobody, when one of the domains is none
    assert run(s, "vpopbull", "-f", BULL, D, "none.example")[0] == 256 - 11
    assert s.vmails(f"jo@{D}") == []
    assert "alias of" in run(s, "vpopbull", "-f", BULL, "alias.example")[1]
    s.h.run(f"mv {DIR}/mo /root/mo")
    code, out = run(s, "vpopbull", "-f", BULL, D)
    s.h.run(f"mv /root/mo {DIR}/mo")
    assert code == 255 and f"mo@{D}: skipped" in out
    assert len(s.vmails(f"zo@{D}")) == 1


# vdeloldusers


def last(s, name, days):
    when = int(time.time()) - days * 86400
    if s.store == "mysql":
        s.db.ask(f"UPDATE lastauth SET timestamp = {when} WHERE "
                 f"user = '{name}' AND domain = '{D}'", DATABASE)
    else:
        s.h.run(["touch", "-d", f"@{when}", f"{DIR}/{name}/lastauth"])


def test_old_users(site):
    s = site
    for name in ("old", "older", "never", "young"):
        s.add_user(f"{name}@{D}")
    last(s, "postmaster", 5000)
    last(s, "old", 181)
    last(s, "older", 400)
    last(s, "young", 179)
    if s.store == "mysql":
        s.db.ask("DELETE FROM lastauth WHERE user = 'never'", DATABASE)
    else:
        s.h.run(f"rm {DIR}/never/lastauth")
    code, out = run(s, "vdeloldusers", "-d", D)
    assert (code, out) == (0, f"old@{D}: last login 181 days ago: old\n"
                           f"older@{D}: last login 400 days ago: old\n"
                           "2 found, 0 deleted\n")
    r = [json.loads(line) for line in
         s.v("vdeloldusers", "-j", "-e", "-a", "399").stdout.splitlines()]
    assert [(x["address"], x["days"], x["state"]) for x in r] == \
        [(f"older@{D}", 400, "old")]
    # the one that gets the mail of unknown names stays
    s.h.write(f"{DIR}/.qmail-default", f"| {VPOPMAIL}/bin/vdelivermail '' "
              f"{DIR}/older\n")
    code, out = run(s, "vdeloldusers", "-D", "-V", "-e")
    assert code == 255 and f"old@{D}: last login 181 days ago: deleted" in out
    assert "1 deleted" in out
    assert not s.h.exists(f"{DIR}/old") and s.h.exists(f"{DIR}/older")
    s.h.write(f"{DIR}/.qmail-default", f"| {VPOPMAIL}/bin/vdelivermail '' "
              "bounce-no-mailbox\n")
    for name in ("older", "never", "young"):
        s.v("vdeluser", f"{name}@{D}")


@pytest.mark.parametrize("args", [[], ["-e", "-d", D], ["-e", "-a", "0"],
                                  ["-e", "-a", "x"], ["-e", "more"]])
def test_old_users_misuse(site, args):
    code, out = run(site, "vdeloldusers", *args)
    assert code == 255 and out.startswith("usage: ")


# clearopensmtp and vkill


def test_clearopensmtp(site):
    s = site
    etc = f"{VPOPMAIL}/etc"
    now = int(time.time())
    s.h.run(f"rm -f {etc}/tcp.smtp* {etc}/open-smtp")
    assert run(s, "clearopensmtp") == (0, "")
    if s.store == "cdb":
        assert not s.h.exists(f"{etc}/tcp.smtp.cdb")
    s.h.write(f"{etc}/tcp.smtp", "10.:allow,HERE=\"1\"\n:deny")
    open_to = ':allow,RELAYCLIENT="",RBLSMTPD=""\t'
    s.h.write(f"{etc}/open-smtp", f"192.0.2.1{open_to}{now - 60}\n"
              f"192.0.2.2{open_to}{now - 4 * 3600}\n"
              f"2001:db8::1{open_to}{now - 60}\nnonsense\n")
    assert run(s, "clearopensmtp") == (0, "")
    assert s.h.read(f"{etc}/open-smtp") == (
        f"192.0.2.1{open_to}{now - 60}\n2001:db8::1{open_to}{now - 60}\n")

    def rule(ip):
        r = s.h.run(["tcprulescheck", f"{etc}/tcp.smtp.cdb", ip],
                    env={"TCPREMOTEIP": ip})
        return "RELAYCLIENT" in r.stdout, "deny" in r.stdout
    assert rule("192.0.2.1") == (True, False)
    assert rule("2001:db8::1") == (True, False)
    assert rule("192.0.2.2") == (False, True)
    assert rule("10.1.2.3") == (False, False)
    assert run(s, "clearopensmtp", "-m", "0") == (0, "")
    assert s.h.read(f"{etc}/open-smtp") == ""
    assert rule("192.0.2.1") == (False, True)
    s.h.write(f"{etc}/tcp.smtp", ":nonsense")
    assert run(s, "clearopensmtp")[0] == 256 - 17
    assert rule("10.1.2.3") == (False, False)
    s.h.run(f"rm -f {etc}/tcp.smtp* {etc}/open-smtp")


def test_relay_table(site):
    s = site
    if s.store != "mysql":
        pytest.skip("it is about mysql")
    now = int(time.time())
    s.db.ask("CREATE TABLE IF NOT EXISTS relay (ip_addr char(18) PRIMARY KEY,"
             " timestamp char(12)); INSERT INTO relay VALUES "
             f"('192.0.2.1', '{now}'), ('192.0.2.2', '{now - 9 * 3600}'), "
             f"('192.0.2.3', NULL), ('evil:allow', '{now}')", DATABASE)
    assert run(s, "clearopensmtp") == (0, "")
    assert s.db.ask("SELECT ip_addr FROM relay ORDER BY 1", DATABASE) == \
        "192.0.2.1\nevil:allow\n"
    r = s.h.run(["tcprulescheck", f"{VPOPMAIL}/etc/tcp.smtp.cdb",
                 "192.0.2.1"], env={"TCPREMOTEIP": "192.0.2.1"})
    assert "RELAYCLIENT" in r.stdout
    s.db.ask("DROP TABLE relay", DATABASE)
    s.h.run(f"rm {VPOPMAIL}/etc/tcp.smtp.cdb")


def test_vkill(site):
    r = site.v("vkill", "qmail-send", check=False)
    assert r.returncode == 100 and "not killed by name" in r.stderr
    assert site.h.running("qmail-send")


# Tables.


def test_save_alias_domains(site):
    s = site
    if s.store != "mysql":
        assert run(s, "vsavealiasdomains")[0] == 255
        return
    s.db.ask("CREATE TABLE IF NOT EXISTS aliasdomains (alias varchar(96) "
             "PRIMARY KEY, domain varchar(96)); INSERT INTO aliasdomains "
             "VALUES ('stale.example', 'x.example')", DATABASE)
    assert run(s, "vsavealiasdomains") == \
        (0, "1 alias domains: 1 written, 1 removed\n")
    rows = "SELECT * FROM aliasdomains"
    assert s.db.ask(rows, DATABASE) == f"alias.example\t{D}\n"
    assert run(s, "vsavealiasdomains") == \
        (0, "1 alias domains: 0 written, 0 removed\n")
    s.db.ask("UPDATE aliasdomains SET domain = 'wrong.example'", DATABASE)
    assert run(s, "vsavealiasdomains")[0] == 0
    assert s.db.ask(rows, DATABASE) == f"alias.example\t{D}\n"
    s.db.ask("DROP TABLE aliasdomains", DATABASE)


def test_dotqmail2valias(site):
    s = site
    if s.store != "mysql":
        assert run(s, "dotqmail2valias", "-a")[0] == 255
        return
    assert run(s, "dotqmail2valias")[0] == 255
    files = {"info": f"&jo@{D}\n# and\n|/bin/true 'x'\n\n&mo@{D}\n",
             "first:last": f"{DIR}/jo/Maildir/\n", "list-owner": f"mo@{D}",
             "half": f"&jo@{D}\n&mo@{D}\n", "other": f"&jo@{D}\n",
             "news": "|/usr/bin/ezmlm-send x\n"}
    for name, text in files.items():
        s.h.write(f"{DIR}/.qmail-{name}", text, owner="vpopmail", mode=0o600)
    s.h.run(f"mkdir {DIR}/list; echo x >{DIR}/list/editor; "
            f"ln -s {DIR}/list/editor {DIR}/.qmail-list; "
            f"chown -R vpopmail {DIR}/list")
    s.db.ask("INSERT INTO valias (alias, domain, valias_line) VALUES "
             f"('half', '{D}', '&jo@{D}'), ('other', '{D}', '&zo@{D}')",
             DATABASE)
    code, out = run(s, "dotqmail2valias", D)
    assert code == 0 and f"{D}: 4 moved, 3 left\n" in out
    left = [n for n in s.h.listdir(DIR) if n.startswith(".qmail-")]
    assert left == [".qmail-default", ".qmail-list", ".qmail-news",
                    ".qmail-other"]
    rows = s.db.ask("SELECT alias, valias_line FROM valias ORDER BY "
                    "alias, id", DATABASE)
    assert rows == (f"first.last\t{DIR}/jo/Maildir/\nhalf\t&jo@{D}\n"
                    f"half\t&mo@{D}\ninfo\t&jo@{D}\ninfo\t# and\n"
                    f"info\t|/bin/true 'x'\ninfo\t&mo@{D}\n"
                    f"list-owner\tmo@{D}\nother\t&zo@{D}\n")
    s.stranger(f"first.last@{D}")
    s.vmail(f"jo@{D}")
    assert run(s, "dotqmail2valias", "-a")[0] == 0
    s.h.run(f"rm -r {DIR}/list {DIR}/.qmail-list {DIR}/.qmail-news "
            f"{DIR}/.qmail-other")
    s.db.ask("DELETE FROM valias", DATABASE)


# vconvert


CONV = "conv.example"
CDIR = f"{DOMAINS}/{CONV}"
HASH = "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0"


def rows(s, domain=CONV):
    return s.db.ask("SELECT pw_name, pw_passwd, pw_uid, pw_gid, pw_gecos, "
                    "pw_dir, pw_shell, pw_clear_passwd FROM vpopmail WHERE "
                    f"pw_domain = '{domain}' ORDER BY BINARY pw_name",
                    DATABASE)


@pytest.fixture(name="both", scope="module")
def cdb_domain(vsite):
    """Accounts as the cdb store has them, in a host that has both."""
    s = vsite
    if s.store != "mysql":
        pytest.skip("both stores are in the host of mysql")
    s.setting("store", "cdb")
    s.add_domain(CONV)
    s.h.run(["vschema", "--create"], check=False)
    s.setting("store", "mysql")
    return s


def put(s, lines, **files):
    """The text of vpasswd; maildirs only where asked."""
    s.h.write(f"{CDIR}/vpasswd", "".join(line + "\n" for line in lines),
              mode=0o600, owner="vpopmail")
    s.h.run(f"rm -f {CDIR}/vpasswd.cdb {CDIR}/.qmail-info {CDIR}/.qmail-list")
    s.db.ask(f"DELETE FROM vpopmail WHERE pw_domain = '{CONV}';"
             f"DELETE FROM valias WHERE domain = '{CONV}';"
             f"DELETE FROM limits WHERE domain = '{CONV}';"
             f"DELETE FROM lastauth WHERE domain = '{CONV}'", DATABASE)


def test_there_and_back(both):
    s = both
    lines = [f"a:{HASH}:1:0:one letter:{CDIR}/a:NOQUOTA:",
             f"jo:{HASH}:2:4294967295:Jö 'x' \"y\" \\ %s ;--:{CDIR}/jo:"
             "5000S,10C:clear'\\",
             "nodir:*:1:16:::NOQUOTA:", f"o'b$:x:1:0:0:{CDIR}/o:1:",
             f"slash/name:{HASH}:1:0:old:{CDIR}/s:NOQUOTA:"]
    lines = [x.replace("4294967295", "2147483647") for x in lines]
    put(s, lines)
    before = s.h.read(f"{CDIR}/vpasswd")
    s.h.run(f"mkdir -p {CDIR}/jo; printf 192.0.2.9 >{CDIR}/jo/lastauth; "
            f"touch -d @1700000000 {CDIR}/jo/lastauth; "
            f"printf '&jo@{CONV}\\n|true %%s\\n' >{CDIR}/.qmail-info; "
            f"ln -s /nowhere {CDIR}/.qmail-list; "
            "printf 'maxpopaccounts: 7\\ndisable_pop\\n' "
            f">{CDIR}/.qmailadmin-limits; chown -R vpopmail:vchkpw {CDIR}")
    code, out = run(s, "vconvert", "-c", "-m", CONV)
    assert code == 0, out
    assert f"{CONV}: 5 accounts, 5 changed, 1 aliases\n" in out
    got = rows(s).splitlines()
    assert len(got) == 5 and got[0].startswith(f"a\t{HASH}\t0\t0\tone letter")
    assert s.db.ask("SELECT alias, valias_line FROM valias WHERE domain = "
                    f"'{CONV}' ORDER BY id", DATABASE) == \
        f"info\t&jo@{CONV}\ninfo\t|true %s\n"
    assert s.db.ask("SELECT maxpopaccounts, disable_pop FROM limits WHERE "
                    f"domain = '{CONV}'", DATABASE) == "7\t1\n"
    assert s.db.ask("SELECT user, remote_ip, timestamp FROM lastauth WHERE "
                    f"domain = '{CONV}'", DATABASE) == \
        "jo\t192.0.2.9\t1700000000\n"
    assert s.h.read(f"{CDIR}/vpasswd") == before
    # again: nothing to do
    assert "5 accounts, 0 changed" in run(s, "vconvert", "-c", "-m", CONV)[1]
    # and back, to where nothing is
    s.h.run(f"rm {CDIR}/vpasswd* {CDIR}/.qmail-info {CDIR}/.qmailadmin-limits"
            f" {CDIR}/jo/lastauth")
    code, out = run(s, "vconvert", "-m", "-c", CONV)
    assert code == 0, out
    assert s.h.read(f"{CDIR}/.qmail-info") == f"&jo@{CONV}\n|true %s\n"
    assert "maxpopaccounts: 7" in s.h.read(f"{CDIR}/.qmailadmin-limits")
    assert s.h.read(f"{CDIR}/jo/lastauth") == "192.0.2.9"
    assert int(s.h.stat(f"{CDIR}/jo/lastauth").st_mtime) == 1700000000

    def fields(text):       # an empty clear password may be left out
        return [line.rstrip(":") for line in text.splitlines()]
    assert fields(s.h.read(f"{CDIR}/vpasswd")) == fields(before)
    s.h.run(f"rm {CDIR}/.qmail-list")


def test_other_accounts_in_the_target(both):
    s = both
    put(s, [f"jo:{HASH}:1:0:cdb:{CDIR}/jo:NOQUOTA"])
    s.db.ask("INSERT INTO vpopmail (pw_name, pw_domain, pw_passwd, pw_uid, "
             f"pw_gid, pw_gecos, pw_dir, pw_shell) VALUES ('mo', '{CONV}', "
             "'x', 0, 0, 'sql', '', 'NOQUOTA')", DATABASE)
    before = rows(s)
    code, out = run(s, "vconvert", "-c", "-m", CONV)
    assert code == 255 and "not converted" in out and "-f" in out
    assert rows(s) == before
    code, out = run(s, "vconvert", "-f", "-c", "-m", CONV)
    assert code == 0
    assert rows(s).startswith("jo\t") and len(rows(s).splitlines()) == 1


def test_what_does_not_fit(both):
    s = both
    put(s, [f"jo:{HASH}:1:0:x:{CDIR}/jo:NOQUOTA",
            f"mo:{HASH}:1:0:{'x' * 64}:{CDIR}/mo:NOQUOTA",
            f"zo:{HASH}:1:0:x:{CDIR}/{'z' * 200}:NOQUOTA"])
    code, out = run(s, "vconvert", "-c", "-m", CONV)
    assert code == 255 and "zo: the directory has" in out
    assert rows(s) == ""
    put(s, [f"jo:{HASH}:1:0:x:{CDIR}/jo:NOQUOTA", "nonsense"])
    code, out = run(s, "vconvert", "-c", "-m", CONV)
    assert code == 255 and "malformed" in out
    assert rows(s) == ""


def many(n):
    return [f"user{i:05}:{HASH}:1:0:User {i}:{CDIR}/user{i:05}:NOQUOTA"
            for i in range(n)]


def test_ten_thousand_and_killed(both):
    """The target is as before or complete, whenever it is killed."""
    s = both
    put(s, many(10000))
    command = [f"{VPOPMAIL}/bin/vconvert", "-c", "-m", CONV]
    seen = set()
    for ms in (30, 200, 600, 1200):
        p = s.h.popen(command, stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL)
        time.sleep(ms / 1000)           # anywhere in its work
        for pid in s.h.running("vconvert"):
            os.kill(pid, signal.SIGKILL)
        p.wait(60)
        s.h.wait(lambda: not s.db.ask(
            "SELECT id FROM information_schema.processlist WHERE user = "
            "'vpopmail' AND command <> 'Sleep'"), "the server to notice")
        seen.add(len(rows(s).splitlines()))
    assert seen <= {0, 10000}
    r = s.h.run(command, check=False)
    assert r.returncode == 0, r.stdout
    assert "accounts: 10000 of 10000" in r.stderr
    assert len(rows(s).splitlines()) == 10000
    # back, killed too
    before = s.h.read(f"{CDIR}/vpasswd")
    s.h.run(f"rm {CDIR}/vpasswd*")
    s.h.write(f"{CDIR}/vpasswd", "", owner="vpopmail", mode=0o600)
    back = [command[0], "-m", "-c", CONV]
    for ms in (50, 300):
        p = s.h.popen(back, stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL)
        time.sleep(ms / 1000)
        for pid in s.h.running("vconvert"):
            os.kill(pid, signal.SIGKILL)
        p.wait(60)
        assert s.h.read(f"{CDIR}/vpasswd").rstrip(":") in ("", before) or \
            len(s.h.read(f"{CDIR}/vpasswd").splitlines()) == 10000
    assert s.h.run(back, check=False).returncode == 0
    assert [x.rstrip(":") for x in
            s.h.read(f"{CDIR}/vpasswd").splitlines()] == many(10000)
    put(s, [])


def test_database_gone_in_the_middle(both):
    s = both
    put(s, many(3000))
    p = s.h.popen([f"{VPOPMAIL}/bin/vconvert", "-c", "-m", CONV],
                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    s.h.wait(lambda: s.db.ask("SELECT COUNT(*) FROM information_schema."
                              "innodb_trx") != "0\n" or
             p.poll() is not None, "a transaction")
    s.db.kill()
    out = p.communicate(timeout=100)[0].decode()
    s.db.start()
    if p.returncode == 0:
        assert len(rows(s).splitlines()) == 3000
    else:
        assert "not converted" in out or "Error" in out
        assert rows(s) == ""
    put(s, [])


def test_from_a_file_and_the_system(site):
    s = site
    to = "-m" if s.store == "mysql" else "-c"
    s.h.write("/root/people", "# who\nfay secret one\n\ngil:pass:word\n"
              "jo other\n..bad x\n", mode=0o600)
    code, out = run(s, "vconvert", "-p", "/root/people", to, D)
    assert code == 0 and f"{D}: 2 accounts\n" in out
    assert "jo: left out: user name already exists" in out
    assert "..bad: left out" in out
    for user, word in (("fay", "secret one"), ("gil", "pass:word")):
        h = s.v("vuserinfo", "-p", f"{user}@{D}").stdout.strip()
        assert s.h.run(["python3", "-c", "import crypt, sys; "
                        "print(crypt.crypt(*sys.argv[1:]))", word,
                        h]).stdout.strip() == h
    s.h.write("/root/people", "hal good\nian\n")
    code, out = run(s, "vconvert", "-p", "/root/people", to, D)
    assert code != 0 and "ian: it has no password" in out
    assert run(s, "vuserinfo", f"hal@{D}")[0] == 255
    assert not s.h.exists(f"{DIR}/hal")
    s.h.add_user("sysone")
    s.h.run(["chpasswd", "-e"], input=f"sysone:{HASH}\n")
    code, out = run(s, "vconvert", "-e", to, D)
    assert code == 0 and "sysone" not in out
    assert s.v("vuserinfo", "-p", f"sysone@{D}").stdout == HASH + "\n"
    assert s.h.exists(f"{DIR}/sysone/Maildir/new")
    r = s.h.run([f"{VPOPMAIL}/bin/vconvert", "-e", to, D], user="vpopmail",
                check=False)
    assert r.returncode == 256 - 22
    for user in ("fay", "gil", "sysone"):
        s.v("vdeluser", f"{user}@{D}")


@pytest.mark.parametrize("args", [[], ["-c"], ["-c", "-c"], ["-c", "-e"],
                                  ["-c", "-m", "-c"], ["-x"], ["-e", "-c"],
                                  ["-p", "/root/x", "-c"]])
def test_convert_misuse(site, args):
    code, out = run(site, "vconvert", *args)
    assert code == 255 and out.startswith("usage: ")
