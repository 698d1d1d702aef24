"""authdaemond as it is installed, over both stores: every hash that is
understood, what is kept and forgotten, how often somebody may guess, what a
local user may learn, and names that are none."""

import base64
import hashlib
import hmac
import re
import time

import pytest

from authlab import (ALIAS, AuthSite, DOMAIN, DOMDIR, FAIL, FAST, NO_IMAP,
                     NO_PASSWD, NO_POP, NO_SMTP, NO_WEBMAIL, NOTHING, OK,
                     OVERRIDE, VPOPMAIL, hashed)

PW = "secret pass"


@pytest.fixture(scope="module")
def vsite(request):
    s = AuthSite(request.param)
    s.setting("logintries", "0")
    s.reload()
    yield s
    s.close()


# Hashes.

def b64(b):
    return base64.b64encode(b).decode()


def digest(name, *parts):
    return hashlib.new(name, b"".join(parts)).digest()


P, SALT = PW.encode(), b"s4lt"
STRONG = {
    "sha256": hashed(PW, "$5$abcdefgh$"),
    "sha512": hashed(PW, "$6$rounds=1000$abcdefgh$"),
    "yescrypt": hashed(PW, "$y$j9T$abcdefgh$"),
    "bcrypt": hashed(PW, "$2b$04$abcdefghijklmnopqrstuu"),
    "prefixed": "{SHA256-CRYPT}" + hashed(PW, FAST),
    "crypt": "{CRYPT}" + hashed(PW, FAST),
}
WEAK = {
    "des": hashed(PW, "ab"),
    "md5": hashed(PW, "$1$abcdefgh$"),
    "plain": "{PLAIN}" + PW,
    "sha": "{SHA}" + b64(digest("sha1", P)),
    "ssha": "{SSHA}" + b64(digest("sha1", P, SALT) + SALT),
    "ssha256": "{SSHA256}" + b64(digest("sha256", P, SALT) + SALT),
    "smd5": "{SMD5}" + b64(digest("md5", P, SALT) + SALT),
    "plainmd5": "{PLAIN-MD5}" + digest("md5", P).hex(),
    "prefmd5": "{MD5-CRYPT}" + hashed(PW, "$1$abcdefgh$"),
}


def test_every_scheme(vsite):
    every = {**STRONG, **WEAK}
    vsite.tool(*(["user-add", *vsite.words("h" + name, hash=h)]
                 for name, h in every.items()))
    vsite.changed()
    for name in every:
        user = f"h{name}@{DOMAIN}"
        short = name == "des"           # eight characters count
        assert vsite.login(user, PW + "x") == (OK if short else FAIL), name
        if short:
            vsite.change("h" + name, hash=every[name])
        assert vsite.login(user, "") == FAIL, name
        assert vsite.login(user, PW[:7]) == FAIL, name
        assert vsite.login(user, PW) == OK, name
    for name, old in every.items():
        new = vsite.get("h" + name)[1]
        if name in STRONG:
            assert new == old
        else:           # the login made a better one of it
            assert new.startswith("$y$") and hashed(PW, new) == new
            assert vsite.login(f"h{name}@{DOMAIN}", PW) == OK


def test_no_better_hash_where_it_does_not_fit(vsite):
    """A setting that wants md5; then a column of 40 bytes."""
    md5 = WEAK["md5"]
    vsite.put("narrow", hash=md5)
    with vsite.settings(hashscheme="md5"):
        assert vsite.login(f"narrow@{DOMAIN}", PW) == OK
        assert vsite.get("narrow")[1] == md5
    if vsite.store == "mysql":
        vsite.db.ask("ALTER TABLE vpopmail MODIFY pw_passwd CHAR(128)",
                     "vpopmail")
        vsite.db.ask("CREATE TABLE kept AS SELECT * FROM vpopmail;"
                     "DELETE FROM vpopmail WHERE LENGTH(pw_passwd) > 40;"
                     "ALTER TABLE vpopmail MODIFY pw_passwd CHAR(40)",
                     "vpopmail")
        try:
            vsite.reload()
            assert vsite.login(f"narrow@{DOMAIN}", PW) == OK
            assert vsite.get("narrow")[1] == md5
            # A new password is told why not.
            r = vsite.ask(f"PASSWD imap\tnarrow@{DOMAIN}\t{PW}\tnew one\n")
            got = vsite.get("narrow")[1]
            assert (r, got) == (NOTHING, md5) or \
                (r == "OK\n" and got.startswith("$1$"))
        finally:
            vsite.db.ask("ALTER TABLE vpopmail MODIFY pw_passwd CHAR(128);"
                         "DELETE FROM vpopmail;"
                         "INSERT INTO vpopmail SELECT * FROM kept;"
                         "DROP TABLE kept", "vpopmail")
            vsite.reload()
    assert vsite.login(f"narrow@{DOMAIN}", PW) == OK
    assert vsite.get("narrow")[1].startswith("$y$")


# What is said.

def test_an_answer(vsite):
    vsite.put("ann", gecos="Ann Example", quota="2000000S,100C",
              flags=NO_POP | NO_WEBMAIL)
    u = {"UID": [str(vsite.uid)], "GID": [str(vsite.gid)],
         "HOME": [f"{DOMDIR}/ann"], "ADDRESS": [f"ann@{DOMAIN}"],
         "NAME": ["Ann Example"], "QUOTA": ["2000000S,100C"],
         "OPTIONS": ["disablepop3=1,disablewebmail=1"]}
    for name in f"ann@{DOMAIN}", f"ANN@{ALIAS}", f"ann%{DOMAIN}":
        got = vsite.lines(f"PRE . imap {name}\n")
        assert got.pop("PASSWD") == [hashed(PW)]
        assert got == u
        got = vsite.lines(vsite.auth(name, PW))
        got.pop("PASSWD")
        assert got == u
    assert vsite.login(f"ann@{DOMAIN}", PW, service="esmtp") == OK
    vsite.change("ann", flags=NO_SMTP)
    for service in "esmtp", "smtp", "submission", "smtps":
        assert vsite.login(f"ann@{DOMAIN}", PW, service=service) == FAIL
    assert vsite.login(f"ann@{DOMAIN}", PW, service="imap") == OK
    # A domain's limits count too, but not for who overrides them.
    vsite.tool(["limits-set", DOMAIN, *["-1"] * 5, *["0"] * 4, str(NO_IMAP),
                *["0"] * 9])
    vsite.changed()
    got = vsite.lines(f"PRE . imap ann@{DOMAIN}\n")
    assert got["OPTIONS"] == ["disableimap=1"]
    vsite.change("ann", flags=OVERRIDE)
    assert "OPTIONS" not in vsite.lines(f"PRE . imap ann@{DOMAIN}\n")
    vsite.tool(["limits-del", DOMAIN])
    vsite.changed()


def cram(clear, user, challenge="<1.2@mx.example>"):
    mac = hmac.new(clear.encode(), challenge.encode(), "md5").hexdigest()
    return b64(challenge.encode()), b64(f"{user} {mac}".encode())


def test_cram_and_apop(vsite):
    user = f"clear@{DOMAIN}"
    vsite.put("clear", clear=PW)
    c, r = cram(PW, user)
    ask = f"esmtp\ncram-md5\n{c}\n{r}\n"
    assert vsite.verdict(vsite.ask(f"AUTH {len(ask)}\n{ask}")) == OK
    c, r = cram("wrong", user)
    ask = f"esmtp\ncram-md5\n{c}\n{r}\n"
    assert vsite.verdict(vsite.ask(f"AUTH {len(ask)}\n{ask}")) == FAIL
    stamp = "<3.4@mx.example>"
    for word, want in (PW, OK), ("wrong", FAIL):
        mac = digest("md5", stamp.encode(), word.encode()).hex()
        ask = (f"pop3\napop\n{b64(stamp.encode())}\n"
               f"{b64(f'{user} {mac}'.encode())}\n")
        assert vsite.verdict(vsite.ask(f"AUTH {len(ask)}\n{ask}")) == want
    # Who has none in the clear cannot.
    c, r = cram(PW, f"jo@{DOMAIN}")
    ask = f"esmtp\ncram-md5\n{c}\n{r}\n"
    assert vsite.verdict(vsite.ask(f"AUTH {len(ask)}\n{ask}")) == FAIL


def test_a_password_is_changed(vsite):
    vsite.put("chg")
    user = f"chg@{DOMAIN}"

    def change(old, new):
        return vsite.ask(f"PASSWD webmail\t{user}\t{old}\t{new}\n")
    assert change("wrong", "second") == "FAIL\n"
    assert change(PW, "second") == "OK\n"
    assert vsite.login(user, PW) == FAIL
    assert vsite.login(user, "second") == OK
    assert vsite.get("chg")[1].startswith("$y$")
    assert vsite.get("chg")[7] == ""
    with vsite.settings(clearpasswords="1", minpasswordlength="8"):
        assert change("second", "short") == "FAIL\n"
        assert change("second", "third one") == "OK\n"
        assert vsite.get("chg")[7] == "third one"
    vsite.change("chg", "third one", flags=NO_PASSWD)
    assert change("third one", "fourth one") == "FAIL\n"
    assert vsite.login(user, "third one") == OK


def test_a_login_is_noted(vsite):
    vsite.put("noted")
    vsite.directory("noted")
    before = int(time.time())
    for ip in "192.0.2.77", "2001:db8::77":
        vsite.changed("noted")
        assert vsite.login(f"noted@{DOMAIN}", PW, ip=ip) == OK
        when, got = vsite.tool(["lastauth-get", DOMAIN, "noted"]) \
            .splitlines()[0].split(" ")
        assert got == ip and int(when) >= before - 1


def test_resolve(vsite):
    h = vsite.h
    vsite.put("res", flags=NO_SMTP)
    r = vsite.resolve(f"Res@{ALIAS}")
    assert r == {"DOMAIN": [DOMAIN], "DIR": [DOMDIR], "UID": [str(vsite.uid)],
                 "GID": [str(vsite.gid)], "BASE": [VPOPMAIL],
                 "OVERQUOTA": ["defer"], "NOFILE": ["1"], "USER": ["res"],
                 "HOME": [f"{DOMDIR}/res"], "QUOTA": ["1000000S"],
                 "FLAGS": [str(NO_SMTP)]}
    h.write(f"{DOMDIR}/.qmail-default", "| /home/vpopmail/bin/vdelivermail "
            "'' bounce-no-mailbox\n", mode=0o600, owner="vpopmail")
    vsite.changed()
    assert vsite.resolve(f"res@{DOMAIN}")["ACTION"] == ["bounce-no-mailbox"]
    r = vsite.resolve(f"nobody@{DOMAIN}")
    assert r["ACTION"] == ["bounce-no-mailbox"] and "USER" not in r
    assert vsite.ask("RESOLVE jo@elsewhere.example\n") == "FAIL\n"
    # Two lines, a default, and extensions when they are wanted.
    vsite.tool(["alias-add", DOMAIN, "team", "&a@b.example"],
               ["alias-add", DOMAIN, "team", "&c@d.example"],
               ["alias-add", DOMAIN, "list-default", "&e@f.example"])
    vsite.changed()
    r = vsite.resolve(f"team@{DOMAIN}")
    s = vsite.resolve(f"list-a-b@{DOMAIN}")
    ext = vsite.resolve(f"team-x@{DOMAIN}")
    if vsite.store == "cdb":
        assert r["FILE"] == [".qmail-team"] and "ALIAS" not in r
        assert s["FILE"] == [".qmail-list-default"] and "ALIAS" not in s
    else:
        assert r["ALIAS"] == ["&a@b.example", "&c@d.example"]
        assert s["ALIAS"] == ["&e@f.example"] and s["DEFAULT"] == ["a-b"]
    assert "ALIAS" not in ext and ext["ACTION"] == ["bounce-no-mailbox"]
    with vsite.settings(qmailext="1"):
        ext = vsite.resolve(f"team-x@{DOMAIN}")
        assert ext.get("ALIAS") == (None if vsite.store == "cdb" else
                                    ["&a@b.example", "&c@d.example"])
        assert vsite.resolve(f"res-ext@{DOMAIN}")["USER"] == ["res"]
    h.run(f"rm -f {DOMDIR}/.qmail-*")
    vsite.tool(["alias-del", DOMAIN, "team"],
               ["alias-del", DOMAIN, "list-default"], check=False)
    vsite.changed()


# What is kept.

def test_a_change_is_known_at_once(vsite):
    user = f"kept@{DOMAIN}"
    assert vsite.ask(f"PRE . imap {user}\n") == "FAIL\n"
    vsite.tool(["user-add", *vsite.words("kept")])
    assert vsite.ask(f"PRE . imap {user}\n") == "FAIL\n"      # kept
    vsite.changed("kept")
    assert vsite.login(user, PW) == OK
    for i in range(20):
        new = f"password {i}"
        vsite.change("kept", new, told=False)
        if i == 0:
            assert vsite.login(user, PW) == OK          # kept
        vsite.changed("kept" if i % 2 else "")
        assert vsite.login(user, PW if i == 0 else f"password {i - 1}") == FAIL
        assert vsite.login(user, new) == OK
        assert vsite.resolve(user)["FLAGS"] == ["0"]
        vsite.change("kept", new, flags=2)
        assert vsite.resolve(user)["FLAGS"] == ["2"]
    vsite.tool(["user-del", DOMAIN, "kept"])
    # By the name of an alias domain as well.
    assert vsite.ask(f"CHANGED {ALIAS} kept\n") == "OK\n"
    vsite.changed("kept")
    assert vsite.login(user, "password 19") == FAIL


def test_hup_forgets(vsite):
    vsite.put("hup")
    assert vsite.login(f"hup@{DOMAIN}", PW) == OK
    vsite.change("hup", "other", told=False)
    assert vsite.login(f"hup@{DOMAIN}", PW) == OK
    vsite.reload()
    assert vsite.login(f"hup@{DOMAIN}", PW) == FAIL


# Guessing.

def test_guesses_are_counted_over_all_services(vsite):
    vsite.put("gues")
    user, ip = f"gues@{DOMAIN}", "198.51.100.1"
    other = "198.51.100.2"
    assert vsite.login(user, PW, ip="198.51.100.200") == OK
    with vsite.settings(logintries="5"):
        def wrong(n, service, ip=ip):
            return vsite.login(user, f"wrong {n}", service=service, ip=ip)
        assert wrong(1, "imap") == FAIL
        assert wrong(2, "pop3") == FAIL
        assert wrong(3, "esmtp") == FAIL
        assert vsite.ask(f"TCPREMOTEIP={ip}\nPASSWD webmail\t{user}\twrong 4"
                         "\tnew\n") == "FAIL\n"
        code, _, err = vsite.vchkpw(user, "wrong 5", ip=ip, port="110")
        assert code == 3 and "password fail" in err
        for service in "imap", "pop3", "esmtp", "vchkpw-smtp", "webmail":
            assert vsite.login(user, PW, service=service, ip=ip) == NOTHING
        code, _, err = vsite.vchkpw(user, PW, ip=ip, port="587")
        assert code == 111 and "no answer" in err and "fail" not in err
        # For every user there, but for nobody elsewhere.
        assert vsite.login(f"jo@{DOMAIN}", PW, ip=ip) == NOTHING
        assert vsite.login(f"jo@{DOMAIN}", PW, ip=other) == OK
        assert vsite.login(user, PW, ip=other) == OK
        vsite.h.wait(lambda: f"too many wrong passwords: {ip} {user}\n"
                     in vsite.log(),
                     "the reason in the log")
        # One user from many addresses: three times as many in all.
        for i in range(10):
            assert wrong(i, "imap", f"203.0.113.{i}") == FAIL
        assert wrong(0, "imap", "203.0.113.99") == NOTHING
        assert vsite.login(user, PW, ip="203.0.113.99") == NOTHING
        assert vsite.login(user, PW, ip="198.51.100.200") == OK
    # HUP does not forget guesses; a setting of 0 asks nobody.
    assert vsite.login(user, PW, ip=ip) == OK


def test_a_stranger_locks_out_nobody(vsite):
    """What a local user says about an address is not believed."""
    vsite.put("safe")
    user, ip = f"safe@{DOMAIN}", "198.51.100.50"
    with vsite.settings(logintries="5"):
        said = vsite.ask_as("stranger", *(
            vsite.auth(user, f"guess {i}", ip=ip) for i in range(30)))
        assert said == ["FAIL\n"] * 5 + [""] * 25
        assert vsite.ask_as("stranger", vsite.auth(user, PW, ip="1.2.3.4")) \
            == [""]
        assert vsite.login(user, PW, ip=ip) == OK
        assert vsite.login(user, PW, ip="198.51.100.51") == OK


# Local users.

def test_what_a_stranger_learns(vsite):
    user = f"jo@{DOMAIN}"
    secret = vsite.get("jo")[1]
    asked = [f"PRE . imap {user}\n", vsite.auth(user, PW), f"RESOLVE {user}\n",
             "ENUMERATE\n", f"CHANGED {DOMAIN}\n", f"CHANGED {DOMAIN} jo\n",
             "nonsense\n"]
    root = [vsite.ask(q) for q in asked]
    assert secret in root[0] and secret in root[1] and user in root[3]
    pre, login, resolve, listed, *changed, nonsense = \
        vsite.ask_as("stranger", *asked)
    for text in pre, login, resolve:
        assert text.endswith(".\n") and "PASSWD" not in text
        assert secret not in text and "$" not in text
    assert f"HOME={DOMDIR}/jo\n" in pre
    assert [listed, *changed, nonsense] == ["FAIL\n"] * 3 + [""]
    own = vsite.ask_as("vpopmail", *asked)
    assert own[:4] == root[:4] and own[4] == "OK\n"


# Injection.

NASTY = ["jo'", 'jo"', "jo' OR '1'='1", "jo'; DROP TABLE vpopmail; -- ",
         "jo\\", "jo\\' OR 1=1 #", "jo`", "jo%", "j%", "j_", "jo;", "jo ",
         " jo", "jo\r", "jo\0x", "../jo", "..", ".", "/", "/jo",
         "../../../../etc/passwd", "jo/../jo", "j\xf6", "\xff\xfe", "j\u00f6"
         .encode().decode("latin-1"), "jo:x", "jo@jo", "jo\tx", "a" * 10000,
         "'" * 5000, "-" * 5000, "${jo}", "$(jo)", "|jo", "*", "jo\x1b[2J",
         "jo,", "(jo)", "<jo>", "jo\x7f", "vpasswd", "vpasswd.cdb"]


def test_injection(vsite):
    """Names that are none: FAIL or silence, and the service lives on."""
    vsite.put("inj")
    rows = vsite.get("inj"), vsite.get("jo")
    for bad in NASTY:
        for name in f"{bad}@{DOMAIN}", f"jo@{bad}", bad:
            payload = f"imap\nlogin\n{name}\n{bad}\n"
            b = b64(f"{name} {'0' * 32}".encode("latin-1"))
            digests = f"esmtp\ncram-md5\n{b64(b'<1@2>')}\n{b}\n"
            for q in (f"PRE . imap {name}\n", f"PRE . {name} x@{DOMAIN}\n",
                      f"AUTH {len(payload)}\n{payload}",
                      f"AUTH {len(digests)}\n{digests}",
                      f"PASSWD imap\t{name}\t{bad}\tnew\n",
                      f"PASSWD imap\tinj@{DOMAIN}\t{bad}\tnew\n",
                      f"CHANGED {name}\n", f"CHANGED {DOMAIN} {name}\n",
                      f"TCPREMOTEIP={bad}\nPRE . imap {name}\n"):
                answer = vsite.ask(q)
                if q.startswith("CHANGED") and answer == "OK\n":
                    continue
                assert answer in ("FAIL\n", ""), (q[:200], answer[:200])
            answer = vsite.ask(f"RESOLVE {name}\n")
            assert "USER=" not in answer and "ALIAS=" not in answer, name
            assert "FILE=/" not in answer and "FILE=.." not in answer
    assert (vsite.get("inj"), vsite.get("jo")) == rows
    assert vsite.login(f"inj@{DOMAIN}", PW) == OK
    # Passwords may hold anything but the end of a line.
    for word in NASTY[:6] + ["p\u00e4ssw\u00f6rd", "a\tb", "x" * 500]:
        vsite.change("inj", hash=hashed(word))
        said = word.encode().decode("latin-1")
        assert vsite.login(f"inj@{DOMAIN}", said) == OK, word
        assert vsite.login(f"inj@{DOMAIN}", said + "'") == FAIL, word
    # Nothing of it stands in the log as it came.
    assert not re.search(r"[^\n\x20-\x7e]", vsite.log())
    if vsite.store == "mysql":
        assert vsite.db.ask("SELECT COUNT(*) > 2 FROM vpopmail",
                            "vpopmail") == "1\n"


def test_no_secret_is_left(vsite):
    """Not in the log, and not in what can be seen of its processes."""
    vsite.login(f"jo@{DOMAIN}", "a very special one")
    vsite.ask(f"PASSWD imap\tjo@{DOMAIN}\t{PW}x\ta very special two\n")
    assert "special" not in vsite.log()
    for pid in vsite.h.running("authdaemond"):
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            assert b"special" not in f.read()
        with open(f"/proc/{pid}/status") as f:
            status = f.read()
        assert re.search(r"(?m)^NoNewPrivs:\s1$", status)
        assert re.search(rf"(?m)^Uid:(\s+{vsite.uid}){{4}}$", status)
        assert re.search(rf"(?m)^Gid:(\s+{vsite.gid}){{4}}$", status)
        assert re.search(r"(?m)^Groups:\s*(\d+ )?$", status)
