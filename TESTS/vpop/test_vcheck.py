"""vcheck: every kind of damage is planted, found, repaired, and then nothing
is found; what somebody has to decide is only reported; mail stays."""

import json

import pytest

from vsite import CONTROL, HOME, VPOPMAIL

USERS = HOME + "/users"
DOMAINS = VPOPMAIL + "/domains"
D = "check.example"
DIR = f"{DOMAINS}/{D}"
JO = f"{DIR}/jo"


def vcheck(s, *args, user=None):
    """(exit code, what was found)."""
    r = s.h.run([f"{VPOPMAIL}/bin/vcheck", "-j", *args], check=False,
                user=user)
    return r.returncode, [json.loads(line) for line in r.stdout.splitlines()]


@pytest.fixture(name="site", scope="module")
def with_domain(vsite):
    s = vsite
    s.add_domain("other.example")
    s.add_domain(D)
    s.v("vaddaliasdomain", D, "alias.example")
    s.add_user(f"jo@{D}")
    s.add_user(f"mo@{D}")
    s.h.run(["sh", "-c", f"echo hello > {JO}/Maildir/cur/1.a,S=6:2,S; "
             f"echo {JO}/Maildir/ > {JO}/.qmail; chown -R vpopmail:vchkpw {JO}"])
    assert vcheck(s) == (0, [])
    return s


def tree(s):
    """Everything a repair could take away or change the bytes of."""
    return s.h.run(f"cd {DOMAINS} && find . -type f -path '*/Maildir/*' "
                   "-exec cat {} + ; find . -name .qmail -exec cat {} +"
                   ).stdout


def damaged(s, check, *commands, domain=D, args=()):
    """Found once as check, with nothing changed by looking; repaired; gone."""
    mail = tree(s)
    for c in commands:
        s.h.run(c)
    code, found = vcheck(s, *args)
    assert code == 1, found
    assert [(f["check"], f["state"]) for f in found] == \
        [(check, "found")], found
    assert found[0].get("domain") == domain
    assert vcheck(s, *args) == (code, found)
    code, repaired = vcheck(s, "--repair", *args)
    assert code == 1
    assert [(f["check"], f["state"], f["problem"]) for f in repaired] == \
        [(check, "repaired", found[0]["problem"])], repaired
    assert vcheck(s) == (0, [])
    assert tree(s) == mail
    return found[0]["problem"]


def reported(s, check, *commands, undo, domain=D):
    """Found, and left as it is."""
    for c in commands:
        s.h.run(c)
    code, found = vcheck(s)
    assert code == 1, found
    assert [(f["check"], f["state"]) for f in found] == [(check, "left")], \
        found
    assert found[0].get("domain") == domain
    before = s.h.run(f"find {DOMAINS} | sort").stdout
    assert vcheck(s, "-r") == (1, found)
    assert s.h.run(f"find {DOMAINS} | sort").stdout == before
    for c in undo:
        s.h.run(c)
    assert vcheck(s) == (0, [])
    return found[0]["problem"]


# qmail's files.


@pytest.mark.parametrize("name", [D, "alias.example"])
@pytest.mark.parametrize("check, file, pattern", [
    ("virtualdomains", "control/virtualdomains", "^{}:"),
    ("rcpthosts", "control/rcpthosts", "^{}$")])
def test_line_lost(site, check, file, pattern, name):
    before = site.h.read(f"{HOME}/{file}")
    damaged(site, check, f"sed -i '/{pattern.format(name)}/d' {HOME}/{file}",
            domain=name)
    assert site.h.read(f"{HOME}/{file}") == before


def test_other_line(site):
    damaged(site, "virtualdomains",
            f"sed -i 's/^{D}:.*/{D}:somebody/' {CONTROL}/virtualdomains")


def test_local_too(site):
    damaged(site, "locals", f"echo {D} >>{CONTROL}/locals")


def test_users_cdb_old(site):
    s = site
    s.h.run(f"cp {USERS}/cdb /root/cdb")
    s.add_domain("new.example")
    s.h.run(f"cp /root/cdb {USERS}/cdb")
    code, found = vcheck(s)
    assert code == 1
    assert {(f["check"], f.get("domain")) for f in found} == \
        {("users/cdb", None), ("users/cdb", "new.example")}
    assert vcheck(s, "-r")[0] == 1
    assert vcheck(s) == (0, [])
    s.v("vdeldomain", "new.example")


def test_users_cdb_gone(site):
    s = site
    s.h.run(f"rm {USERS}/cdb")
    assert vcheck(s)[0] == 1
    assert vcheck(s, "-r")[0] == 1
    assert vcheck(s) == (0, [])


def test_morercpthosts(site):
    s = site
    s.h.run(f"cp {CONTROL}/rcpthosts /root/rcpthosts; sed -i '/^{D}$/d' "
            f"{CONTROL}/rcpthosts; echo {D} >{CONTROL}/morercpthosts; "
            "/var/qmail/bin/qmail-newmrh")
    assert vcheck(s) == (0, [])
    s.h.run(f"printf '{D}\\nmore.example\\n' >{CONTROL}/morercpthosts")
    code, found = vcheck(s)
    assert (code, [f["check"] for f in found]) == (1, ["morercpthosts.cdb"])
    s.h.run(f"rm {CONTROL}/morercpthosts.cdb")
    code, found = vcheck(s)
    assert {f["check"] for f in found} == {"morercpthosts.cdb"}
    assert vcheck(s, "-r")[0] == 1
    assert vcheck(s) == (0, [])
    s.h.run(f"rm {CONTROL}/morercpthosts*; "
            f"cat /root/rcpthosts >{CONTROL}/rcpthosts")
    assert vcheck(s) == (0, [])


def test_no_line_in_assign(site):
    """A domain that was moved here without users/assign is one again."""
    s = site
    before = s.h.read(f"{USERS}/assign")
    s.h.run(f"sed -i '/^+{D}-:/d; /^+alias.example-:/d' {USERS}/assign; "
            f"{HOME}/bin/qmail-newu; "
            f"sed -i '/^alias.example/d' {CONTROL}/virtualdomains "
            f"{CONTROL}/rcpthosts")
    code, found = vcheck(s)
    assert ("users/assign", D) in [(f["check"], f.get("domain"))
                                   for f in found]
    vcheck(s, "-r")
    assert f"+{D}-:{D}:" in s.h.read(f"{USERS}/assign")
    assert s.v("vuserinfo", "-n", f"jo@{D}").stdout == "jo\n"
    assert vcheck(s) == (0, [])
    s.v("vaddaliasdomain", D, "alias.example")
    assert s.h.read(f"{USERS}/assign") == before


def test_line_of_nobody(site):
    s = site
    damaged(s, "virtualdomains",
            f"echo nobody.example:nobody.example >>{CONTROL}/virtualdomains",
            domain="nobody.example")
    # somebody's, in two other ways, and none of ours
    s.h.run(f"printf 'lists.example:lists.example\\nx.example:jo-list\\n' "
            f">>{CONTROL}/virtualdomains; "
            f"touch {HOME}/alias/.qmail-lists:example-default")
    assert vcheck(s) == (0, [])
    s.h.run(f"sed -i '/^lists.example/d; /^x.example/d' "
            f"{CONTROL}/virtualdomains; "
            f"rm {HOME}/alias/.qmail-lists:example-default")


def test_alias_of_nothing(site):
    line = f"+lost.example-:gone.example:89:89:{DOMAINS}/gone.example:-::"
    s = site
    s.h.run(f"cp {USERS}/assign /root/assign; "
            f"sed -i '/^\\.$/i {line}' {USERS}/assign; "
            f"{HOME}/bin/qmail-newu; echo lost.example:lost.example "
            f">>{CONTROL}/virtualdomains; echo lost.example "
            f">>{CONTROL}/rcpthosts")
    code, found = vcheck(s)
    assert code == 1
    assert [(f["check"], f["state"]) for f in found] == \
        [("users/assign", "left")]
    s.h.run(f"cat /root/assign >{USERS}/assign; {HOME}/bin/qmail-newu; "
            f"sed -i '/^lost.example/d' {CONTROL}/virtualdomains "
            f"{CONTROL}/rcpthosts")
    assert vcheck(s) == (0, [])


def test_assign_malformed(site):
    s = site
    s.h.run(f"cp {USERS}/assign /root/assign; "
            f"sed -i '1i +broken:line' {USERS}/assign")
    r = s.v("vcheck", "-r", check=False)
    assert r.returncode == 111 and "users/assign" in r.stderr
    s.h.run(f"cat /root/assign >{USERS}/assign")
    assert vcheck(s) == (0, [])


# Directories.


@pytest.mark.parametrize("check, command, text", [
    ("mode", f"chmod 777 {DIR}", "lets others write"),
    ("mode", f"chmod 500 {DIR}", "keeps its owner out"),
    ("owner", f"chown root:root {DIR}/.qmail-default", "belongs to 0:0"),
    ("mode", f"chmod 666 {DIR}/.qmail-default", "lets others write"),
    (".qmail-default", f"rm {DIR}/.qmail-default", "there is none"),
    (".qmail-default", f": >{DIR}/.qmail-default", "it is empty"),
    ("mode", f"chmod 722 {JO}", "lets others write"),
    ("mode", f"chmod 400 {JO}/Maildir/new", "keeps its owner out"),
    ("owner", f"chown -R root:root {JO}", "the first is itself"),
    ("owner", f"chown root {JO}/Maildir/cur/1.a*", "the first is 1.a,S=6:2,S"),
    ("Maildir", f"rmdir {JO}/Maildir/tmp", "tmp is not there"),
    ("directory", f"rm -r {DIR}/mo", "is not there"),
])
def test_directory(site, check, command, text):
    assert text in damaged(site, check, command)
    st = site.h.stat(f"{DIR}/jo/Maildir/new")
    assert st.st_mode & 0o777 == 0o700
    assert site.h.stat(f"{DIR}/mo/Maildir/tmp").st_uid == st.st_uid


def test_owner_of_the_domain(site):
    """In the cdb store its accounts cannot be seen before that is repaired."""
    s = site
    s.h.run(f"chown root {DIR}")
    code, found = vcheck(s)
    assert code == (111 if s.store == "cdb" else 1)
    assert found[0]["check"] == "owner" and found[0]["state"] == "found"
    assert {f["state"] for f in found[1:]} <= {"unknown"}
    assert vcheck(s, "-r")[1][0]["state"] == "repaired"
    assert vcheck(s) == (0, [])


def test_maildir_gone(site):
    s = site
    s.h.run(f"rm -r {DIR}/mo/Maildir")
    code, found = vcheck(s)
    assert (code, {f["check"] for f in found}) == (1, {"Maildir"})
    assert {f["state"] for f in vcheck(s, "-r", D)[1]} == {"repaired"}
    assert vcheck(s) == (0, [])


def test_links_lead_nowhere(site):
    """A user's directory that is a link, a file with two names, a record that
    names a directory of the system: nothing outside is given away."""
    s = site
    s.h.run("mkdir -p /root/precious; echo x >/root/precious/file")
    s.h.run(f"mv {DIR}/mo {DIR}/.mo; ln -s /root/precious {DIR}/mo; "
            f"ln /root/precious/file {JO}/Maildir/tmp/linked")
    vcheck(s, "-r")
    for path in ("/root/precious", "/root/precious/file"):
        st = s.h.stat(path)
        assert (st.st_uid, st.st_gid) == (0, 0), path
    assert s.h.listdir("/root/precious") == ["file"]
    s.h.run(f"rm -rf {DIR}/mo {JO}/Maildir/tmp/linked; mv {DIR}/.mo {DIR}/mo")
    assert vcheck(s) == (0, [])
    s.v("vmoduser", "-D", "/root/precious", f"mo@{D}")
    vcheck(s, "-r")
    assert s.h.stat("/root/precious").st_uid == 0
    assert s.h.listdir("/root/precious") == ["file"]
    s.v("vmoduser", "-D", f"{DIR}/mo", f"mo@{D}")
    assert vcheck(s) == (0, [])


def test_orphan_of_a_user(site):
    text = reported(site, "orphan", f"cp -a {DIR}/mo {DIR}/ghost",
                    undo=[f"rm -r {DIR}/ghost"])
    assert f"{DIR}/ghost" in text
    reported(site, "orphan", f"mkdir -p {DIR}/0; cp -a {DIR}/mo {DIR}/0/ghost",
             undo=[f"rm -r {DIR}/0"])


def test_orphan_of_a_domain(site):
    reported(site, "orphan", f"cp -a {DIR} {DOMAINS}/ghost.example",
             undo=[f"rm -r {DOMAINS}/ghost.example"], domain=None)


def test_domain_directory_gone(site):
    s = site
    s.h.run(f"mv {DIR} /root/away")
    code, found = vcheck(s, D)
    assert (code, found[0]["check"]) == (1, "directory")
    if s.store == "cdb":
        assert found[0]["state"] == "left"
        assert vcheck(s, "-r", D) == (code, found)
        assert not s.h.exists(DIR)
    else:
        assert vcheck(s, "-r", D)[0] == 1
        assert vcheck(s, D) == (0, [])
        assert s.h.exists(f"{JO}/Maildir/new")
    s.h.run(f"rm -rf {DIR}; mv /root/away {DIR}")
    assert vcheck(s) == (0, [])


# Counters.


def counter(s, key, n):
    """A command that sets it."""
    if s.store == "mysql":
        return lambda: s.db.ask(
            f"UPDATE dir_control SET cur_users = {n} WHERE domain = '{key}'",
            "vpopmail")
    d = DOMAINS if key.startswith("dom_") else DIR
    return lambda: s.h.run(f"sed -i '1s/.*/{n}/' {d}/.dir-control")


@pytest.mark.parametrize("n", [0, 2, 4, 250])
def test_counter(site, n):
    counter(site, D, n)()
    assert "there are 3 users" in damaged(site, "counter")


def test_counter_of_domains(site):
    uid = site.h.user("vpopmail").pw_uid
    counter(site, f"dom_{uid}", 7)()
    assert "says 7, there are 2" in damaged(site, "counter", domain=None)


def test_counter_gone(site):
    s = site
    if s.store == "mysql":
        s.db.ask(f"DELETE FROM dir_control WHERE domain = '{D}'", "vpopmail")
    else:
        s.h.run(f"rm {DIR}/.dir-control")
    assert "there is none" in damaged(s, "counter")
    if s.store == "cdb":
        assert "what it should be" in damaged(
            s, "counter", f"echo nonsense >{DIR}/.dir-control")


# The store.


def only(s, store):
    if s.store != store:
        pytest.skip(f"it is about {store}")


def test_index(site):
    s = site
    only(s, "cdb")
    damaged(s, "vpasswd.cdb", f"rm {DIR}/vpasswd.cdb")
    damaged(s, "vpasswd.cdb", f"touch -d '+1 minute' {DIR}/vpasswd")
    damaged(s, "vpasswd.cdb", f"sed -i s/:jo:/:Jo:/ {DIR}/vpasswd",
            f"touch -d '+1 minute' {DIR}/vpasswd.cdb")
    assert s.v("vuserinfo", "-c", f"jo@{D}").stdout == "Jo\n"
    s.h.run(f"cp -p {DIR}/vpasswd.cdb /root/v.cdb; cp -p {DIR}/vpasswd /root")
    s.add_user(f"extra@{D}")
    s.h.run(f"cp -p {DIR}/vpasswd.cdb /root/more.cdb")
    s.v("vdeluser", f"extra@{D}")
    damaged(s, "vpasswd.cdb", f"cat /root/more.cdb >{DIR}/vpasswd.cdb",
            f"touch -d '+1 minute' {DIR}/vpasswd.cdb")


def test_malformed_line(site):
    s = site
    only(s, "cdb")
    s.h.run(f"cp -p {DIR}/vpasswd /root/vpasswd; "
            f"echo nonsense >>{DIR}/vpasswd; "
            f"head -n 1 {DIR}/vpasswd >>{DIR}/vpasswd")
    code, found = vcheck(s)
    assert code == 1
    assert [(f["check"], f["state"]) for f in found
            if f["check"] != "vpasswd.cdb"] == [("vpasswd", "left")] * 2
    s.h.run(f"cat /root/vpasswd >{DIR}/vpasswd")
    vcheck(s, "-r")
    assert vcheck(s) == (0, [])


def test_vpasswd_gone(site):
    s = site
    only(s, "cdb")
    s.h.run(f"mv {DIR}/vpasswd /root/vpasswd")
    code, found = vcheck(s, "-r")
    assert (code, [f["state"] for f in found]) == (1, ["left"])
    s.h.run(f"mv /root/vpasswd {DIR}/vpasswd")
    assert vcheck(s)[0] == 0


def test_login_of_nobody(site):
    s = site
    only(s, "mysql")
    s.db.ask(f"INSERT INTO lastauth VALUES ('ghost', '{D}', '192.0.2.1', 5)",
             "vpopmail")
    assert "ghost" in damaged(s, "lastauth")
    assert s.db.ask(f"SELECT COUNT(*) FROM lastauth WHERE domain = '{D}'",
                    "vpopmail") == "3\n"


def test_rows_of_no_domain(site):
    s = site
    only(s, "mysql")
    s.db.ask("INSERT INTO vpopmail (pw_name, pw_domain) VALUES "
             "('jo', 'moved.example'), ('mo', 'moved.example')", "vpopmail")
    code, found = vcheck(s, "-r")
    assert code == 1
    assert [(f["check"], f["domain"], f["state"]) for f in found] == \
        [("accounts", "moved.example", "left")]
    assert "has 2" in found[0]["problem"]
    s.db.ask("DELETE FROM vpopmail WHERE pw_domain = 'moved.example'",
             "vpopmail")


# What killed commands leave.


@pytest.mark.parametrize("name", [".vpasswd.new", ".vpasswd.cdb.new",
                                  ".new.qmail-x", ".new.dir-control"])
def test_leftover_file(site, name):
    damaged(site, "leftover", f"echo x >{DIR}/{name}")
    assert not site.h.exists(f"{DIR}/{name}")


def test_leftover_in_use_is_none(site):
    """Who holds the lock is at work."""
    s = site
    s.h.run(f"echo x >{DIR}/.vpasswd.new")
    holder = s.h.popen(
        ["python3", "-c", "import fcntl, sys, time\n"
         f"f = open('{DIR}/.vpasswd.lock', 'a')\n"
         "fcntl.lockf(f, fcntl.LOCK_EX)\nprint('held', flush=True)\n"
         "sys.stdin.read()"], stdin=-1, stdout=-1)
    assert holder.stdout.readline() == b"held\n"
    assert vcheck(s, "-r") == (0, [])
    holder.stdin.close()
    holder.wait(30)
    s.h.wait(lambda: vcheck(s)[0] == 1, "the lock to be free")
    vcheck(s, "-r")
    assert vcheck(s) == (0, [])


@pytest.mark.parametrize("where, domain", [(DIR, D), (DOMAINS, None)])
def test_leftover_tree(site, where, domain):
    damaged(site, "leftover", f"mkdir {where}/.trash.old; echo x "
            f">{where}/.trash.old/x; chown -R vpopmail:vchkpw "
            f"{where}/.trash.old", domain=domain)
    assert not site.h.exists(f"{where}/.trash.old")


def test_unfinished_domain(site):
    s = site
    damaged(s, "leftover", f"touch {DIR}/.unfinished")
    # and one that no mail can reach yet
    reported(s, "leftover", f"mkdir {DOMAINS}/half.example; "
             f"touch {DOMAINS}/half.example/.unfinished",
             undo=[f"rm -r {DOMAINS}/half.example"], domain=None)


# The whole.


def test_everything_at_once(site):
    s = site
    s.h.run(f"rm {USERS}/cdb {DIR}/.qmail-default; chown -R root {JO}; "
            f"sed -i /{D}/d {CONTROL}/virtualdomains {CONTROL}/rcpthosts; "
            f"rm -r {DIR}/mo/Maildir; chmod 777 {DIR}; touch {DIR}/.new.x")
    counter(s, D, 99)()
    assert len(vcheck(s)[1]) >= 9
    code, found = vcheck(s, "-r")
    assert code == 1
    assert {f["state"] for f in found} == {"repaired"}, found
    assert vcheck(s) == (0, [])
    s.stranger(f"jo@{D}")
    s.vmail(f"jo@{D}")


def test_text(site):
    s = site
    s.h.run(f"sed -i /^{D}$/d {CONTROL}/rcpthosts")
    r = s.v("vcheck", check=False)
    assert r.stdout == (f"{D}: rcpthosts: it is neither there nor in "
                        "morercpthosts, so its mail is refused\n"
                        "1 found, 0 repaired\n")
    r = s.v("vcheck", "--repair", check=False)
    assert r.stdout.endswith("is refused: repaired\n1 found, 1 repaired\n")
    r = s.v("vcheck")
    assert r.stdout == ""


def test_misuse(site):
    s = site
    assert s.v("vcheck", "-x", check=False).returncode == 255
    assert s.v("vcheck", "none.example", check=False).returncode == 256 - 11
    assert s.v("vcheck", "bad_name!", check=False).returncode == 256 - 12
    r = s.h.run([f"{VPOPMAIL}/bin/vcheck"], user="qmaild", check=False)
    assert r.returncode == 256 - 22


def test_as_vpopmail(site):
    """Less can be repaired, and that is said."""
    s = site
    s.h.run(f"chown root {DIR}/.qmail-default; chmod 644 {DIR}/.qmail-default")
    code, found = vcheck(s, "-r", D, user="vpopmail")
    assert (code, found[0]["state"]) == (1, "failed")
    assert found[0]["reason"] == "Operation not permitted"
    vcheck(s, "-r")
    assert vcheck(s) == (0, [])


def test_database_down(site):
    s = site
    only(s, "mysql")
    s.db.stop()
    try:
        code, found = vcheck(s, "-r", D)
    finally:
        s.db.start()
    assert code == 111
    assert {f["state"] for f in found} == {"unknown"}
    assert vcheck(s) == (0, [])
