"""Debian's courier against our authdaemond, unchanged, at courier's own place:
authtest, authenumerate, authpasswd, and courier-imap and its mailboxes."""

import json

import pytest

from authlab import (AuthSite, COURIER, DOMAIN, DOMDIR, NO_IMAP, NO_POP,
                     NO_SMTP, NO_WEBMAIL)
from net import unpack

PW = "secret pass"

# A session by imaplib: each command's status, a line each.
IMAP = """
import imaplib, json, sys
user, password, commands = json.load(sys.stdin)
c = imaplib.IMAP4("127.0.0.1", timeout=60)
out = []
try:
    out.append([c.login(user, password)[0], ""])
    for name, *args in commands:
        typ, data = getattr(c, name)(*args)
        out.append([typ, repr(data)])
    c.logout()
except imaplib.IMAP4.error as e:
    out.append(["NO", str(e)])
json.dump(out, sys.stdout)
"""


@pytest.fixture(scope="module")
def vsite(request):
    s = AuthSite(request.param)
    try:
        unpack(s.h, "courier-imap", without=("exim4", "gamin_"))
        s.setting("logintries", "0")
        # authtest says that it is ::1, where web mail is by default.
        s.setting("webmailhosts", "192.0.2.200")
        s.setting("authsockets", COURIER)
        # What a start of the machine leaves of /run.
        s.h.run(["rm", "-rf", "/run/courier"])
        s.again()
        for name, flags in (("nopop", NO_POP), ("noimap", NO_IMAP),
                            ("nosmtp", NO_SMTP), ("noweb", NO_WEBMAIL)):
            s.put(name, flags=flags)
        s.h.write("/run/imap.py", IMAP, mode=0o644)
        s.h.run(["/usr/lib/courier/imapd", "start"])
        yield s
    finally:
        s.close()


def authtest(vsite, *args):
    r = vsite.h.run(["authtest", *args], check=False)
    return r.stdout + r.stderr


def test_the_place(vsite):
    """Made again, with the directory, and closed to nobody."""
    assert vsite.h.stat(COURIER).st_mode & 0o777 == 0o666
    assert vsite.ask(f"PRE . imap jo@{DOMAIN}\n", path=COURIER) == \
        vsite.ask(f"PRE . imap jo@{DOMAIN}\n")


def test_authtest(vsite):
    said = authtest(vsite, "-s", "imap", f"jo@{DOMAIN}")
    for line in (f"Authenticated: jo@{DOMAIN}", f"uid {vsite.uid}",
                 f"gid {vsite.gid}", f"Home Directory: {DOMDIR}/jo",
                 "Quota: 1000000S", vsite.get("jo")[1]):
        assert line in said, said
    assert "succeeded" in authtest(vsite, "-s", "imap", f"jo@{DOMAIN}", PW)
    assert "FAILED" in authtest(vsite, "-s", "imap", f"jo@{DOMAIN}", "wrong")
    assert "FAILED" in authtest(vsite, "-s", "imap", f"nobody@{DOMAIN}")
    assert "FAILED" in authtest(vsite, "-s", "esmtp", f"nosmtp@{DOMAIN}", PW)
    for name, option in (("nopop", "disablepop3=1"),
                         ("noimap", "disableimap=1"),
                         ("noweb", "disablewebmail=1")):
        assert option in authtest(vsite, "-s", "imap", f"{name}@{DOMAIN}")


def test_web_mail(vsite):
    with vsite.settings(webmailhosts=None):
        for name, options in (("nopop", "(none)"), ("noweb", "disableimap=1,"
                              "disablepop3=1,disablewebmail=1")):
            assert f"Options: {options}\n" in \
                authtest(vsite, "-s", "imap", f"{name}@{DOMAIN}")


def test_authtest_changes_a_password(vsite):
    vsite.put("chg")
    user = f"chg@{DOMAIN}"
    assert "FAILED" in authtest(vsite, "-s", "imap", user, "wrong", "new one")
    assert "succeeded" in authtest(vsite, "-s", "imap", user, PW, "new one")
    assert "FAILED" in authtest(vsite, "-s", "imap", user, PW)
    assert "succeeded" in authtest(vsite, "-s", "imap", user, "new one")


def test_authpasswd(vsite):
    """It makes a hash for a table by hand: one that we understand."""
    r = vsite.h.run("authpasswd", input="of courier\nof courier\n",
                    check=False)
    made = r.stdout.strip().splitlines()[-1].split()[-1]
    vsite.put("crypted", hash=made)
    assert "succeeded" in authtest(vsite, "-s", "imap", f"crypted@{DOMAIN}",
                                   "of courier")
    assert "FAILED" in authtest(vsite, "-s", "imap", f"crypted@{DOMAIN}",
                                "of couriers")


def test_authenumerate(vsite):
    out = vsite.h.run(["authenumerate"]).stdout
    rows = {line.split("\t")[0]: line.split("\t") for line in
            out.splitlines()}
    assert rows[f"jo@{DOMAIN}"][1:4] == [str(vsite.uid), str(vsite.gid),
                                        f"{DOMDIR}/jo"]
    wide = vsite.h.run(["authenumerate", "-o"]).stdout
    assert "disableimap=1" in wide
    assert {f"{n}@{DOMAIN}" for n in ("jo", "nopop", "noimap", "nosmtp",
                                      "noweb")} <= set(rows)


def imap(vsite, name, password, *commands):
    out = vsite.h.run(["python3", "/run/imap.py"], input=json.dumps(
        [f"{name}@{DOMAIN}", password, commands])).stdout
    return json.loads(out)


def test_courier_imap(vsite):
    u = f"{DOMDIR}/box"
    vsite.put("box")
    vsite.h.run(f"mkdir -m 700 -p {u}/Maildir/new {u}/Maildir/cur "
                f"{u}/Maildir/tmp && chown -R vpopmail:vchkpw {u}")
    vsite.h.write(f"{u}/Maildir/new/1.2.host", "Subject: by hand\n\nhello\n",
                  mode=0o600, owner="vpopmail")
    r = imap(vsite, "box", PW, ["select"],
             ["fetch", "1", "(BODY[HEADER.FIELDS (SUBJECT)])"],
             ["create", "INBOX.Sent"], ["list"])
    assert [s for s, _ in r] == ["OK"] * 5, r
    assert "b'1'" in r[1][1] and "by hand" in r[2][1] and "Sent" in r[4][1]
    owner = vsite.h.stat(f"{u}/Maildir/.Sent").st_uid
    assert owner == vsite.uid
    assert imap(vsite, "box", "wrong")[0][0] == "NO"
    # courier looks at the options of an answer itself.
    r = imap(vsite, "noimap", PW)
    assert r[0][0] == "NO", r


def test_courier_imap_while_we_are_away(vsite):
    """Trouble is not a wrong password: courier says so and lets go on."""
    vsite.h.run(["svc", "-d", "/service/authdaemond"])
    vsite.h.wait(lambda: not vsite.h.running("authdaemond"), "its end")
    try:
        r = imap(vsite, "box", PW)
        assert r[0][0] == "NO"
        assert "emporar" in r[0][1], r
    finally:
        vsite.h.run(["svc", "-u", "/service/authdaemond"])
        vsite.h.wait(vsite.alive, "authdaemond")
    assert imap(vsite, "box", PW)[0][0] == "OK"
