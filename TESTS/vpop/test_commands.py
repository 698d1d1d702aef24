"""The commands that show and change accounts and domains: what they print, to
the byte, over both stores, and what they change."""

import json
import re

import pytest

from commandlab import (  # noqa: E402
    ALIAS, Account, BOUNCE, DELETE_SPAM, DOMAINS, EXPERT, GOLD, LIMITED, Lab,
    MD5, NO_DIALUP, NO_IMAP, NO_MAILDROP, NO_PASSWD, NO_POP, NO_RELAY, NO_SMTP,
    NO_SPAM, NO_WEBMAIL, OVERRIDE, QA_ADMIN, SA_ADMIN, USER0, USER1, USER2,
    USER3, WORK, crypted, one_error)
from vsite import HOME, VPOPMAIL

# The flags in the order in which they are shown: letter of vmoduser, text.
FLAGS = [
    (NO_PASSWD, "d", "password can not be changed by user"),
    (NO_POP, "p", "pop access closed"),
    (NO_WEBMAIL, "w", "webmail access closed"),
    (NO_IMAP, "i", "imap access closed"),
    (NO_SMTP, "s", "smtp access is closed"),
    (NO_RELAY, "r", "user not allowed to relay mail"),
    (NO_SPAM, "f", "spamassassin processing disabled"),
    (DELETE_SPAM, "F", "delete spam"),
    (NO_MAILDROP, "m", "maildrop processing disabled"),
    (NO_DIALUP, "u", "no dialup flag has been set"),
    (BOUNCE, "b", "mail will be bounced back to sender"),
    (QA_ADMIN, "a", "has qmailadmin administrator access"),
    (SA_ADMIN, "S", "has system administrator access"),
    (EXPERT, "E", "has expert access"),
    (USER0, "0", "user flag 0 is set"),
    (USER1, "1", "user flag 1 is set"),
    (USER2, "2", "user flag 2 is set"),
    (USER3, "3", "user flag 3 is set"),
    (OVERRIDE, "o", "user is not subject to domain limits"),
]
ALL_FLAGS = sum(bit for bit, _, _ in FLAGS)


# What is expected of each stands in GOLDEN.  The limits of limited.example
# close POP3 and IMAP.
ACCOUNTS = [
    Account("adm", clear="uio", gecos="Usuario de administracion"),
    Account("apop", apop=1, gecos="Adam Pop"),
    Account("empty", hash="", gecos=""),
    Account("created", last=(1200000000, "0.0.0.0")),
    Account("seen", last=(1199145600, "192.0.2.7")),
    Account("six", last=(1200000000, "2001:db8::7")),
    Account("half", quota="1000S", size=(500, 1)),
    Account("over", quota="1000S,100C", size=(1500, 3)),
    Account("many", quota="1000000S,4C", size=(10, 3)),
    Account("none", quota="5000S"),
    Account("nopop", flags=NO_POP),
    Account("closed", flags=NO_PASSWD | NO_POP | NO_WEBMAIL | NO_IMAP |
            NO_SMTP | NO_RELAY | NO_DIALUP | BOUNCE),
    Account("admin", flags=QA_ADMIN | SA_ADMIN | EXPERT | USER1 | USER3),
    Account("every", flags=ALL_FLAGS),
    Account("o'hara+x=y", gecos="O'Hara \"x\" <y>; $(z) \\ %s"),
    Account("bytes", gecos="J\u00f6 \U0001f40e"),
    Account("plain", LIMITED),
    Account("mine", LIMITED, flags=NO_POP),
    Account("free", LIMITED, flags=OVERRIDE),
    Account("mixed", LIMITED, flags=NO_SMTP | USER0),
]

# By name: effective flags, texts of limits, usage, last lines.
NEVER = "last auth: Never logged in\n"
DOMAIN_STAR = "(*) by the limits of the domain"
GOLDEN = {
    "adm": (0, [], "NOQUOTA", NEVER),
    "apop": (0, [], "NOQUOTA", NEVER),
    "empty": (0, [], "NOQUOTA", NEVER),
    "created": (0, [], "NOQUOTA", "account created: Thu Jan 10 21:20:00 2008\n"
                + NEVER),
    "seen": (0, [], "NOQUOTA", "last auth: Tue Jan  1 00:00:00 2008\n"
             "last auth ip: 192.0.2.7\n"),
    "six": (0, [], "NOQUOTA", "last auth: Thu Jan 10 21:20:00 2008\n"
            "last auth ip: 2001:db8::7\n"),
    "half": (0, [], "50%", NEVER),
    "over": (0, [], "150%", NEVER),
    "many": (0, [], "75%", NEVER),
    "none": (0, [], "0%", NEVER),
    "nopop": (2, ["pop access closed"], "NOQUOTA", NEVER),
    "closed": (2175, ["password can not be changed by user",
                      "pop access closed", "webmail access closed",
                      "imap access closed", "smtp access is closed",
                      "user not allowed to relay mail",
                      "no dialup flag has been set",
                      "mail will be bounced back to sender"],
               "NOQUOTA", NEVER),
    "admin": (201984, ["has qmailadmin administrator access",
                       "has system administrator access",
                       "has expert access", "user flag 1 is set",
                       "user flag 3 is set"], "NOQUOTA", NEVER),
    "every": (524287, [t for _, _, t in FLAGS], "NOQUOTA", NEVER),
    "o'hara+x=y": (0, [], "NOQUOTA", NEVER),
    "bytes": (0, [], "NOQUOTA", NEVER),
    "plain": (10, ["pop access closed (*)", "imap access closed (*)",
                   DOMAIN_STAR], "NOQUOTA", NEVER),
    "mine": (10, ["pop access closed", "imap access closed (*)",
                  DOMAIN_STAR], "NOQUOTA", NEVER),
    "free": (8192, ["user is not subject to domain limits"], "NOQUOTA",
             NEVER),
    "mixed": (2186, ["pop access closed (*)", "imap access closed (*)",
                     "smtp access is closed", "user flag 0 is set",
                     DOMAIN_STAR], "NOQUOTA", NEVER),
}


def golden(a, store, hidden=False):
    """The account as vuserinfo shows it."""
    flags, texts, usage, last = GOLDEN[a.name]

    def secret(text):
        return "*" if hidden and text else text
    limits = "limits: No user limits set.\n" if not texts else "limits:\n" + \
        "".join(f"        {t}\n" for t in texts)
    return (f"name:   {a.name}\n"
            f"passwd: {secret(a.hash)}\n"
            f"clear passwd: {secret(a.clear)}\n"
            f"comment/gecos: {a.gecos}\n"
            f"uid:    {a.apop + (store == 'cdb')}\n"
            f"gid:    {a.flags}\n"
            f"flags:  {flags}\n"
            f"gecos: {a.gecos}\n"
            f"{limits}"
            f"dir:       {a.home}\n"
            f"quota:     {a.quota}\n"
            f"usage:     {usage}\n"
            f"{last}")


@pytest.fixture(scope="module")
def lab(vsite):
    lab = Lab(vsite)
    lab.known[ALIAS] = GOLD
    lab.assign()
    lab.accounts(ACCOUNTS)
    # POP3 and IMAP closed
    lab.tool(["limits-set", LIMITED] + ["-1"] * 5 + ["0"] * 4 + ["10"] +
             ["0"] * 9)
    return lab


# vuserinfo.


@pytest.mark.parametrize("a", ACCOUNTS, ids=lambda a: a.name)
def test_vuserinfo_shows_an_account(lab, a):
    address = f"{a.name}@{a.domain}"
    assert lab.v("vuserinfo", address) == golden(a, lab.store)
    # -a is the default, and wins over single fields
    assert lab.v("vuserinfo", "-a", "-n", address) == golden(a, lab.store)
    # only root sees secrets
    assert lab.v("vuserinfo", address, user="vpopmail") == \
        golden(a, lab.store, hidden=True)


def test_vuserinfo_has_the_forms_of_old(lab):
    """The guide of vpopmail's days shows these lines; blanks have changed
    since, and how an account without limits is told."""
    then = """name:    adm
passwd:  $1$3z8Ws$5K.AcVNxoPPik7mj8NgFs.
clear passwd: uio
uid:     0
gid:     0
dir:     /home/vpopmail/domains/dominio.com/adm
quota:   NOQUOTA
usage:   NOQUOTA
"""
    then = [" ".join(x.split()) for x in then.splitlines()]
    now = [" ".join(x.split()) for x in
           lab.v("vuserinfo", f"adm@{GOLD}").splitlines()]
    now = [x.replace(f"/{GOLD}/", "/dominio.com/") for x in now]
    if lab.store == "cdb":
        now = ["uid: 0" if x == "uid: 1" else x for x in now]
    assert [x for x in now if x in then] == then


def test_vuserinfo_lists_a_domain(lab):
    for domain in (GOLD, LIMITED):
        want = "".join(golden(a, lab.store) for a in
                       sorted(ACCOUNTS, key=lambda a: a.name)
                       if a.domain == domain)
        assert lab.v("vuserinfo", "-D", domain) == want
    assert lab.v("vuserinfo", "-D", ALIAS.upper()) == \
        lab.v("vuserinfo", "-D", GOLD)


def test_vuserinfo_single_fields(lab):
    """Bare values, always in the order n p C u g c d q Q l."""
    who = f"adm@{GOLD}"
    uid = str(int(lab.store == "cdb"))
    values = {"n": "adm", "p": MD5, "C": "uio", "u": uid, "g": "0",
              "c": "Usuario de administracion", "d": f"{DOMAINS}/{GOLD}/adm",
              "q": "NOQUOTA", "Q": "NOQUOTA", "l": "Never logged in"}
    for letter, value in values.items():
        assert lab.v("vuserinfo", f"-{letter}", who) == value + "\n"
    assert lab.v("vuserinfo", "-lQqdcguCpn", who) == \
        "".join(v + "\n" for v in values.values())
    assert lab.v("vuserinfo", "-pC", who, user="vpopmail") == "*\n*\n"
    assert lab.v("vuserinfo", "-Q", f"half@{GOLD}") == "50%\n"
    assert lab.v("vuserinfo", "-l", f"seen@{GOLD}") == \
        "Tue Jan  1 00:00:00 2008\n"


def test_vuserinfo_names(lab):
    want = golden(ACCOUNTS[0], lab.store)
    for name in (f"ADM@{GOLD.upper()}", f"adm%{GOLD}", f"adm/{GOLD}",
                 f"adm@{ALIAS}"):
        assert lab.v("vuserinfo", name) == want
    assert lab.v("vuserinfo", "adm", env={"VPOPMAIL_DOMAIN": GOLD}) == want
    lab.s.setting("defaultdomain", GOLD)
    try:
        assert lab.v("vuserinfo", "adm") == want
    finally:
        lab.s.setting("defaultdomain", None)
    one_error(lab.v("vuserinfo", "adm", code=244), "adm: ")
    assert lab.v("vuserinfo", f"no.body@{GOLD}", code=255) == \
        f"no such user no.body@{GOLD}\n"
    assert lab.v("vuserinfo", "adm@nowhere.example", code=245) == \
        "Error: domain does not exist: nowhere.example\n"
    assert re.fullmatch("version: .*\\nadm\\n",
                        lab.v("vuserinfo", "-v", "-n", f"adm@{GOLD}"))
    for args in ((), ("-Z", f"adm@{GOLD}"), (f"adm@{GOLD}", "x"),
                 ("-D", GOLD, "x"), ("-D",)):
        assert lab.v("vuserinfo", *args, code=255).startswith("usage: ")


def test_vuserinfo_json(lab):
    for a in ACCOUNTS:
        flags, _, usage, _ = GOLDEN[a.name]
        got = json.loads(lab.v("vuserinfo", "-j", f"{a.name}@{a.domain}"))
        assert got["name"] == a.name and got["domain"] == a.domain
        assert got["passwd"] == a.hash and got["clear_passwd"] == a.clear
        assert got["comment"] == a.gecos and got["dir"] == a.home
        assert got["uid"] == a.apop + (lab.store == "cdb")
        assert got["gid"] == a.flags and got["quota"] == a.quota
        assert len(got["flags"]) == bin(a.flags).count("1")
        assert len(got["effective_flags"]) == bin(flags).count("1")
        assert got["usage_percent"] == \
            (None if usage == "NOQUOTA" else int(usage.rstrip("%")))
        if a.last and a.last[1] != "0.0.0.0":
            assert (got["last_auth"], got["last_auth_ip"]) == a.last
        else:
            assert got["last_auth"] is None and "last_auth_ip" not in got
        assert got.get("created") == (a.last[0] if a.name == "created"
                                      else None)
    lines = lab.v("vuserinfo", "-j", "-D", GOLD, user="vpopmail").splitlines()
    assert [json.loads(x)["name"] for x in lines] == \
        sorted(a.name for a in ACCOUNTS if a.domain == GOLD)
    for x in lines:
        assert "passwd" not in json.loads(x)
        assert "clear_passwd" not in json.loads(x)
    assert json.loads(lab.v("vuserinfo", "-j", f"mine@{LIMITED}"))[
        "effective_flags"] == ["no_pop", "no_imap"]


# vdominfo.


def domain_text(lab, name):
    real = lab.known[name]
    n = sum(a.domain == real for a in ACCOUNTS)
    of = f" (alias of {real})" if real != name else ""
    return (f"domain: {name}{of}\nuid:    {lab.uid}\ngid:    {lab.gid}\n"
            f"dir:    {DOMAINS}/{real}\nusers:  {n}\n")


def test_vdominfo(lab):
    assert lab.v("vdominfo", GOLD) == \
        domain_text(lab, GOLD) + f"alias: {ALIAS}\n"
    assert lab.v("vdominfo", "Limited.EXAMPLE") == domain_text(lab, LIMITED)
    assert lab.v("vdominfo", ALIAS) == domain_text(lab, ALIAS)
    assert "alias.example (alias of gold.example)\n" in lab.v("vdominfo",
                                                              ALIAS)
    for letter, value in (("n", ALIAS), ("u", str(lab.uid)),
                          ("g", str(lab.gid)), ("d", f"{DOMAINS}/{GOLD}"),
                          ("t", "16"), ("r", GOLD)):
        assert lab.v("vdominfo", "-" + letter, ALIAS) == value + "\n"
    assert lab.v("vdominfo", "-rtdgun", ALIAS) == "".join(
        f"{x}\n" for x in (ALIAS, lab.uid, lab.gid, f"{DOMAINS}/{GOLD}", 16,
                           GOLD))
    assert lab.v("vdominfo", "-n", GOLD) == GOLD + "\n"
    assert lab.v("vdominfo", "nowhere.example", code=245) == \
        "Error: domain does not exist: nowhere.example\n"
    assert lab.v("vdominfo", "a..b", code=244) == \
        "Error: invalid domain name: a..b\n"
    for args in (("-Z",), (GOLD, GOLD)):
        assert lab.v("vdominfo", *args, code=255).startswith("usage: ")


def test_vdominfo_lists_domains(lab):
    """Between domains an empty line; the number is a count, whatever a counter
    says."""
    names = sorted(lab.known)
    texts = lab.v("vdominfo").split("\n\n")
    assert len(texts) == len(names)
    for name, text in zip(names, texts):
        if name in (GOLD, ALIAS, LIMITED):
            assert text.rstrip("\n") + "\n" == domain_text(lab, name)
    assert lab.v("vdominfo", "-n").split() == names
    got = [json.loads(x) for x in lab.v("vdominfo", "-j").splitlines()]
    assert [d["domain"] for d in got] == names
    one = {"domain": GOLD, "real": GOLD, "uid": lab.uid, "gid": lab.gid,
           "dir": f"{DOMAINS}/{GOLD}", "users": 16}
    assert one in got
    assert json.loads(lab.v("vdominfo", "-j", GOLD)) == \
        {**one, "aliases": [ALIAS]}


def test_vdominfo_of_a_domain_that_cannot_be_counted(lab):
    if lab.store != "cdb":
        pytest.skip("accounts are not in the domain's directory")
    lab.h.run(["mv", f"{DOMAINS}/{LIMITED}", f"{DOMAINS}/away"])
    lab.h.write(f"{DOMAINS}/{LIMITED}", "no directory")
    try:
        p = lab.h.run([f"{VPOPMAIL}/bin/vdominfo"], check=False)
        assert p.returncode == 218
        assert p.stdout.count("domain: ") == len(lab.known)
        assert "users:  unknown\n" in p.stdout
        assert p.stdout.splitlines()[-1].startswith("Error: ")
        assert LIMITED in p.stderr
    finally:
        lab.h.run(["rm", f"{DOMAINS}/{LIMITED}"])
        lab.h.run(["mv", f"{DOMAINS}/away", f"{DOMAINS}/{LIMITED}"])


# valias.


def test_valias(lab):
    assert lab.v("valias", WORK, code=255) == f"Error: no alias: {WORK}\n"
    assert lab.v("valias", "-i", f"&jo@{WORK}", f"Sales@{WORK}") == ""
    assert lab.v("valias", "-i", "|/bin/echo 'x y' \"z\" %s; $(id)",
                 f"sales@{WORK}") == ""
    assert lab.v("valias", "-i", "&a@b.example", f"in.fo@{WORK}") == ""
    sales = (f"sales@{WORK} -> &jo@{WORK}\n"
             f"sales@{WORK} -> |/bin/echo 'x y' \"z\" %s; $(id)\n")
    info = f"in.fo@{WORK} -> &a@b.example\n"
    assert lab.v("valias", f"sales@{WORK}") == sales
    assert lab.v("valias", "-s", WORK) == info + sales
    assert lab.v("valias", "-n", WORK) == f"in.fo@{WORK}\nsales@{WORK}\n"
    assert [json.loads(x) for x in
            lab.v("valias", "-j", WORK).splitlines()] == [
        {"alias": "in.fo", "domain": WORK, "line": "&a@b.example"},
        {"alias": "sales", "domain": WORK, "line": f"&jo@{WORK}"},
        {"alias": "sales", "domain": WORK,
         "line": "|/bin/echo 'x y' \"z\" %s; $(id)"}]
    assert [json.loads(x) for x in
            lab.v("valias", "-jn", WORK).splitlines()] == [
        {"alias": "in.fo", "domain": WORK},
        {"alias": "sales", "domain": WORK}]
    # the same line again
    one_error(lab.v("valias", "-i", "&a@b.example", f"in.fo@{WORK}",
                    code=254), "in.fo")
    assert lab.v("valias", WORK) == info + sales
    if lab.store == "cdb":
        f = f"{DOMAINS}/{WORK}/.qmail-in:fo"
        assert lab.h.read(f) == "&a@b.example\n"
        assert lab.h.stat(f).st_mode & 0o777 == 0o600
        assert lab.h.stat(f).st_uid == lab.uid
    assert lab.v("valias", "-d", f"sales@{WORK}") == ""
    assert lab.v("valias", WORK) == info
    one_error(lab.v("valias", "-d", f"sales@{WORK}", code=255),
              f"no alias: sales@{WORK}")
    assert lab.v("valias", "-d", f"in.fo@{WORK}") == ""
    one_error(lab.v("valias", "a@nowhere.example", code=245))
    for args in ((), ("-Z", WORK), ("-d", WORK), ("-i", "x", WORK),
                 ("-n", "-d", f"a@{WORK}"), (WORK, WORK)):
        assert lab.v("valias", *args, code=254).startswith("usage: ")


def test_valias_tells_where_mail_goes(lab):
    lab.h.write(f"{DOMAINS}/{GOLD}/.qmail-default",
                f"| {VPOPMAIL}/bin/vdelivermail '' bounce-no-mailbox\n",
                owner="vpopmail")
    lab.h.write(f"{HOME}/control/virtualdomains", f"{GOLD}:{GOLD}\n",
                mode=0o644)
    out = lab.v("valias", "-w", f"adm@{GOLD}")
    assert re.search(rf"(?m)^deliver +maildir {DOMAINS}/{GOLD}/adm/Maildir/$",
                     out), out
    assert out.rstrip().endswith("yes")
    got = json.loads(lab.v("valias", "-jw", f"no.body@{GOLD}"))
    assert got["answer"] == "no"


# vmoddomlimits.

NOTHING = """--
Max Pop Accounts: -1
Max Aliases: -1
Max Forwards: -1
Max Autoresponders: -1
Max Mailing Lists: -1
GID Flags:
Flags (for commandline):\x20
Flags for non postmaster accounts:
  pop account:              ALLOW_CREATE  ALLOW_MODIFY  ALLOW_DELETE
  alias:                    ALLOW_CREATE  ALLOW_MODIFY  ALLOW_DELETE
  forward:                  ALLOW_CREATE  ALLOW_MODIFY  ALLOW_DELETE
  autoresponder:            ALLOW_CREATE  ALLOW_MODIFY  ALLOW_DELETE
  mailing list:             ALLOW_CREATE  ALLOW_MODIFY  ALLOW_DELETE
  mailing list users:       ALLOW_CREATE  ALLOW_MODIFY  ALLOW_DELETE
  mailing list moderators:  ALLOW_CREATE  ALLOW_MODIFY  ALLOW_DELETE
  quota:                    ALLOW_CREATE  ALLOW_MODIFY  ALLOW_DELETE
  default quota:            ALLOW_CREATE  ALLOW_MODIFY  ALLOW_DELETE
Domain Quota: 0 MB
Default User Quota: 0 bytes
Max Domain Messages: 0
Default Max Messages per User: 0
"""
MUCH = """--
Max Pop Accounts: 10
Max Aliases: 20
Max Forwards: 30
Max Autoresponders: 0
Max Mailing Lists: -1
GID Flags:
  NO_IMAP
  NO_SMTP
  NO_POP
  NO_WEBMAIL
  NO_PASSWD_CHNG
  NO_RELAY
  NO_DIALUP
  NO_SPAMASSASSIN
  DEL_SPAM
  NO_MAILDROP
Flags (for commandline): ispwdrucxm
Flags for non postmaster accounts:
  pop account:              DENY_CREATE   DENY_MODIFY   DENY_DELETE
  alias:                    DENY_CREATE   ALLOW_MODIFY  ALLOW_DELETE
  forward:                  ALLOW_CREATE  DENY_MODIFY   ALLOW_DELETE
  autoresponder:            ALLOW_CREATE  ALLOW_MODIFY  DENY_DELETE
  mailing list:             DENY_CREATE   DENY_MODIFY   ALLOW_DELETE
  mailing list users:       DENY_CREATE   ALLOW_MODIFY  DENY_DELETE
  mailing list moderators:  ALLOW_CREATE  DENY_MODIFY   DENY_DELETE
  quota:                    DENY_CREATE   DENY_MODIFY   DENY_DELETE
  default quota:            ALLOW_CREATE  DENY_MODIFY   ALLOW_DELETE
Domain Quota: 500 MB
Default User Quota: 10485760 bytes
Max Domain Messages: 7000
Default Max Messages per User: 300
"""
MUCH_ARGS = ["-P", "10", "-A", "20", "-F", "30", "-R", "0", "-L", "-1",
             "-g", "udpswircxm", "-p", "a", "-a", "c", "-f", "m", "-r", "d",
             "-l", "cm", "-u", "dc", "-o", "dm", "-x", "cmd", "-z", "m",
             "-Q", "500", "-q", "10M", "-M", "7000", "-m", "300"]


def test_vmoddomlimits(lab):
    head = f"Domain: {WORK}\n"
    assert lab.v("vmoddomlimits", "-S", WORK) == head + NOTHING
    assert lab.v("vmoddomlimits", *MUCH_ARGS, WORK) == ""
    assert lab.v("vmoddomlimits", "-S", WORK.upper()) == head + MUCH
    got = json.loads(lab.v("vmoddomlimits", "-j", WORK))
    assert got["own"] is True and got["domain"] == WORK
    assert (got["max_accounts"], got["max_lists"], got["quota_mb"],
            got["default_quota"]) == (10, -1, 500, 10485760)
    assert set(got["disabled"]) == {
        "no_imap", "no_smtp", "no_pop", "no_webmail", "no_password_change",
        "no_relay", "no_dialup", "no_spamassassin", "delete_spam",
        "no_maildrop"}
    assert got["denied"] == {
        "account": ["create", "modify", "delete"], "alias": ["create"],
        "forward": ["modify"], "autoresponder": ["delete"],
        "list": ["create", "modify"], "list_users": ["create", "delete"],
        "list_moderators": ["modify", "delete"],
        "quota": ["create", "modify", "delete"],
        "default_quota": ["modify"]}
    # what is not named stays; what is named takes the place of what was
    out = lab.v("vmoddomlimits", "-S", "-g", "p", "-p", "", "-P", "11", WORK)
    assert "GID Flags:\n  NO_POP\nFlags (for commandline): p\n" in out
    assert "  pop account:              ALLOW_CREATE  ALLOW_MODIFY  " \
        "ALLOW_DELETE\n" in out
    assert "Max Pop Accounts: 11\nMax Aliases: 20\n" in out
    # a service that is denied to the domain is denied to its users
    who = lab.fresh("limited")
    assert "        pop access closed (*)\n" in lab.v("vuserinfo", who)
    assert lab.v("vmoddomlimits", "-g", "", WORK) == ""
    assert "No user limits set" in lab.v("vuserinfo", who)
    assert lab.v("vmoddomlimits", "-D", WORK) == ""
    assert lab.v("vmoddomlimits", "-D", WORK) == ""
    assert lab.v("vmoddomlimits", "-S", WORK) == head + NOTHING


def test_vmoddomlimits_default(lab):
    f = f"{VPOPMAIL}/etc/vlimits.default"
    head = f"Default limits file: {f}\n"
    old = lab.h.read(f) if lab.h.exists(f) else None
    try:
        assert lab.v("vmoddomlimits", "-d", *MUCH_ARGS) == ""
        assert lab.v("vmoddomlimits", "-S", "-d") == head + MUCH
        # it is the limits of those who have none
        assert lab.v("vmoddomlimits", "-S", WORK) == f"Domain: {WORK}\n" + MUCH
        assert json.loads(lab.v("vmoddomlimits", "-j", WORK))["own"] is False
        assert lab.v("vmoddomlimits", "-d", "-D") == ""
        assert lab.v("vmoddomlimits", "-S", "-d") == head + NOTHING
        assert json.loads(lab.v("vmoddomlimits", "-j", "-d"))["domain"] is \
            None
    finally:
        if old is not None:
            lab.h.write(f, old)


@pytest.mark.parametrize("args", [
    ("-P", "ten"), ("-P", "-2"), ("-P", ""), ("-P", "99999999999"),
    ("-Q", "-1"), ("-Q", "5x"), ("-Q", "9999999999999999999"),
    ("-q", "none"), ("-q", "5C"), ("-q", "1G"), ("-M", "-1"), ("-m", "x"),
    ("-g", "z"), ("-g", "px "), ("-p", "x"), ("-z", "C")])
def test_vmoddomlimits_refuses(lab, args):
    before = lab.all()
    out = lab.v("vmoddomlimits", "-A", "5", *args, WORK, code=255)
    one_error(out, f"{args[0]} ")
    assert lab.all() == before


def test_vmoddomlimits_misuse(lab):
    for args in ((), (WORK,), ("-D", "-P", "1", WORK), ("-S",),
                 ("-S", "-d", WORK), ("-S", WORK, WORK), ("-Z", WORK)):
        assert lab.v("vmoddomlimits", *args, code=255).startswith("usage: ")
    assert lab.v("vmoddomlimits", "-S", "nowhere.example", code=245) == \
        "Error: domain does not exist: nowhere.example\n"


# vipmap, vmkpasswd.


def test_vipmap(lab):
    assert lab.v("vipmap", "-p") == ""
    assert lab.v("vipmap", "-a", "192.0.2.1", GOLD) == ""
    assert lab.v("vipmap", "-a", "192.0.2.2", WORK.upper()) == ""
    assert sorted(lab.v("vipmap", "-p").splitlines()) == [
        f"IP: 192.0.2.1 Domain: {GOLD}", f"IP: 192.0.2.2 Domain: {WORK}"]
    assert [json.loads(x) for x in lab.v("vipmap", "-jp").splitlines()] == [
        {"ip": "192.0.2.1", "domain": GOLD},
        {"ip": "192.0.2.2", "domain": WORK}]
    one_error(lab.v("vipmap", "-d", "192.0.2.2", GOLD, code=255))
    one_error(lab.v("vipmap", "-d", "192.0.2.9", GOLD, code=255))
    one_error(lab.v("vipmap", "-a", "192.0.2", GOLD, code=217))
    one_error(lab.v("vipmap", "-a", "192.0.2.3", "nowhere.example",
                    code=245))
    assert lab.v("vipmap", "-d", "192.0.2.1", GOLD) == ""
    assert lab.v("vipmap", "-d", "192.0.2.2", WORK) == ""
    assert lab.v("vipmap", "-p") == ""
    for args in ((), ("-a",), ("-a", "192.0.2.1"), ("-p", "x"),
                 ("-a", "-d", "192.0.2.1", GOLD)):
        assert lab.v("vipmap", *args, code=255).startswith("usage: ")


def test_vmkpasswd(lab):
    if lab.store == "cdb":
        d = f"{DOMAINS}/{LIMITED}"
        old = lab.h.read(d + "/vpasswd")
        # by hand, with an editor
        lab.h.write(d + "/vpasswd", old.replace("A Name", "An Edit", 1),
                    owner="vpopmail")
        assert lab.v("vmkpasswd", LIMITED) == ""
        index = lab.h.read(d + "/vpasswd.cdb")
        assert "An Edit" in index
        lab.h.write(d + "/vpasswd", old, owner="vpopmail")
    assert lab.v("vmkpasswd", LIMITED) == ""
    assert lab.v("vmkpasswd", ALIAS) == ""
    assert lab.v("vuserinfo", f"plain@{LIMITED}") == \
        golden(next(a for a in ACCOUNTS if a.name == "plain"), lab.store)
    assert lab.v("vmkpasswd", code=255).startswith("usage: ")
    one_error(lab.v("vmkpasswd", "nowhere.example", code=245))


# vpasswd and vchangepw.


def test_vpasswd(lab):
    who = lab.fresh("pw")
    assert lab.v("vpasswd", who, "a New pass") == ""
    assert lab.is_password(who, "a New pass")
    assert lab.get(who)["clear"] == ""
    ask = f"Please enter password for {who}: enter password again: "
    assert lab.v("vpasswd", who, input="two\ntwo\n") == ask
    assert lab.is_password(who, "two")
    again = ask + "The passwords are not the same, try again.\n" + ask
    assert lab.v("vpasswd", who, input="a\nb\nthree\nthree\n") == again
    assert lab.is_password(who, "three")
    out = lab.v("vpasswd", who, code=255, input="four\n")
    assert out == ask + "Error: nothing was entered\n"
    assert lab.is_password(who, "three")
    for args, n in ((("-r",), 12), (("-r20",), 20)):
        m = re.fullmatch(r"Random password: ([A-Za-z2-9]+)\n",
                         lab.v("vpasswd", *args, who))
        assert len(m.group(1)) == n
        assert lab.is_password(who, m.group(1))
    with lab.s.settings(clearpasswords="1", minpasswordlength="6"):
        one_error(lab.v("vpasswd", who, "short", code=187))
        assert lab.v("vpasswd", who, "longer") == ""
        assert lab.get(who)["clear"] == "longer"
    assert lab.v("vpasswd", who, "again") == ""
    assert lab.get(who)["clear"] == ""
    one_error(lab.v("vpasswd", f"nobody@{WORK}", "x", code=246),
              f"nobody@{WORK}")
    # who is not there is not asked about
    assert "Please" not in lab.v("vpasswd", f"nobody@{WORK}", code=246,
                                 input="x\nx\n")
    for args in ((), (who, "a", "b"), ("-r", who, "x"), ("-rx", who),
                 ("-r0", who), ("-r999", who)):
        assert lab.v("vpasswd", *args, code=255).startswith("usage: ")


def test_vpasswd_keeps_what_may_not_be_changed(lab):
    who = lab.fresh("keep", flags=NO_PASSWD, hash=crypted("old"))
    assert lab.v("vpasswd", who, "new", code=255) == \
        f"Error: the password of {who} may not be changed; -f changes it\n"
    assert lab.v("vpasswd", who, "new", code=255, user="vpopmail") == \
        f"Error: the password of {who} may not be changed\n"
    one_error(lab.v("vpasswd", "-f", who, "new", code=234, user="vpopmail"),
              "root")
    assert lab.is_password(who, "old")
    assert lab.v("vpasswd", "-f", who, "new") == ""
    assert lab.is_password(who, "new")
    # by the domain
    who = lab.fresh("keep2", hash=crypted("old"))
    assert lab.v("vmoddomlimits", "-g", "d", WORK) == ""
    try:
        assert "may not be changed" in lab.v("vpasswd", who, "new", code=255)
        lab.v("vmoduser", "-o", who)
        assert lab.v("vpasswd", who, "new") == ""
    finally:
        lab.v("vmoddomlimits", "-D", WORK)


def test_vchangepw(lab):
    who = lab.fresh("shell", hash=crypted("old one"))
    ask = (f"Please enter your email address: Enter old password: "
           f"Please enter password for {who}: enter password again: ")

    def change(old, new, again=None, code=0, name=who):
        return lab.v("vchangepw", code=code, user="stranger",
                     input=f"{name}\n{old}\n{new}\n{again or new}\n")
    assert change("old one", "new one") == ask + "Password changed.\n"
    assert lab.is_password(who, "new one")
    out = change("old one", "newer", code=3)
    assert out.startswith(ask + "Not changed: ")
    assert lab.is_password(who, "new one")
    change("new one", "x", code=3, name=f"nobody@{WORK}")
    change("new one", "tab\there", code=3)
    assert lab.is_password(who, "new one")
    assert lab.v("vchangepw", "-c", "id", code=255, user="stranger") \
        .startswith("usage: ")
    lab.v("vchangepw", code=255, user="stranger", input=who + "\n")
    # what it is told at once is true
    assert lab.v("vmoduser", "-d", who) == ""
    change("new one", "newest", code=3)
    assert lab.v("vmoduser", "-X", "d", who) == ""
    change("new one", "newest")
    assert lab.is_password(who, "newest")


def test_vchangepw_without_authdaemond(lab):
    who = lab.fresh("later", hash=crypted("old"))
    lab.h.run(["svc", "-d", "/service/authdaemond"])
    lab.h.wait(lambda: not lab.h.running("authdaemond"), "its end")
    try:
        out = lab.v("vchangepw", code=111, user="stranger",
                    input=f"{who}\nold\nnew\nnew\n")
        assert out.endswith("Not changed: it cannot be done now, try "
                            "later.\n")
        # those that need it not do not need it
        assert lab.v("vpasswd", who, "newer") == ""
    finally:
        lab.h.run(["svc", "-u", "/service/authdaemond"])
        lab.h.wait(lambda: lab.h.running("authdaemond"), "its start")
    assert lab.is_password(who, "newer")


# vmoduser and vsetuserquota.


def test_vmoduser_flags(lab):
    who = lab.fresh("flags")
    had = 0
    for bit, letter, text in FLAGS:
        assert lab.v("vmoduser", f"-{letter}", who) == ""
        had |= bit          # beside those that there are
        assert int(lab.get(who)["flags"]) == had
    assert had == ALL_FLAGS == 524287
    for bit, letter, text in FLAGS:
        assert lab.v("vmoduser", "-X", letter, who) == ""
        had &= ~bit
        assert int(lab.get(who)["flags"]) == had
    assert lab.v("vmoduser", "-pi", "-s", who) == ""
    assert int(lab.get(who)["flags"]) == NO_POP | NO_IMAP | NO_SMTP
    assert lab.v("vmoduser", "-X", "ps", "-w", who) == ""
    assert int(lab.get(who)["flags"]) == NO_IMAP | NO_WEBMAIL
    assert lab.v("vmoduser", "-b", "-x", who) == ""
    assert int(lab.get(who)["flags"]) == BOUNCE
    assert lab.v("vmoduser", "-x", who) == ""
    assert int(lab.get(who)["flags"]) == 0
    # as vpopmail all but what only root gives
    assert lab.v("vmoduser", "-a", who, user="vpopmail") == ""
    for letter in "SE":
        one_error(lab.v("vmoduser", f"-{letter}", who, user="vpopmail",
                        code=234))
    assert int(lab.get(who)["flags"]) == QA_ADMIN
    for args in ((), (who,), ("-n", who), ("-p",), ("-p", who, who),
                 ("-X", "Z", who), ("-p", "-X", "p", who), ("-Z", who)):
        assert lab.v("vmoduser", *args, code=255).startswith("usage: ")
    one_error(lab.v("vmoduser", "-p", f"nobody@{WORK}", code=246))


def test_vmoduser_fields(lab):
    who = lab.fresh("fields", clear="old")
    h = crypted("by hash")
    assert lab.v("vmoduser", "-c", "It's \"me\" $(id) \\", "-q", "10m,5c",
                 "-e", h, "-n", who) == ""
    got = lab.get(who)
    assert got["gecos"] == "It's \"me\" $(id) \\"
    assert got["quota"] == "10485760S,5C" and got["hash"] == h
    assert got["clear"] == ""       # it was another password's
    one_error(lab.v("vmoduser", "-C", "clear", who, code=221))
    with lab.s.settings(clearpasswords="1"):
        assert lab.v("vmoduser", "-C", "clear", who) == ""
    assert lab.get(who)["clear"] == "clear" and lab.get(who)["hash"] == h
    assert lab.v("vmoduser", "-C", "", who) == ""
    assert lab.get(who)["clear"] == ""
    assert lab.v("vmoduser", "-D", f"{DOMAINS}/{WORK}/0/fields", who) == ""
    assert lab.get(who)["dir"] == f"{DOMAINS}/{WORK}/0/fields"
    assert lab.v("vmoduser", "-c", "", who) == ""
    assert lab.get(who)["gecos"] == ""
    before = lab.all()
    for code, args in ((236, ("-q", "10G")), (236, ("-q", "none")),
                       (236, ("-q", "")), (236, ("-c", "a\nb")),
                       (228, ("-c", "x" * 65)), (236, ("-e", "a:b")),
                       (236, ("-e", "a\nb")), (229, ("-e", "x" * 300)),
                       (236, ("-D", "relative")), (236, ("-D", "/a/../b")),
                       (236, ("-D", "/a/..")), (236, ("-D", "/a\nb")),
                       (226, ("-D", "/" + "x" * 160))):
        one_error(lab.v("vmoduser", "-p", *args, who, code=code))
    assert lab.all() == before


def test_vmoduser_of_a_domain(lab):
    """Each account, keeping what it has."""
    lab.domains("all.example")
    lab.assign()
    lab.accounts([Account(f"u{i}", "all.example", flags=i) for i in range(8)])
    assert lab.v("vmoduser", "-b", "-X", "d", "all.example") == ""
    for i in range(8):
        got = lab.get(f"u{i}@all.example")
        assert int(got["flags"]) == i & ~1 | BOUNCE
        assert got["hash"] == MD5 and got["gecos"] == "A Name"
    assert lab.v("vsetuserquota", "all.example", "5000") == ""
    for i in range(8):
        assert lab.get(f"u{i}@all.example")["quota"] == "5000S"
        assert lab.h.read(f"{DOMAINS}/all.example/u{i}/Maildir/maildirsize")\
            .startswith("5000S\n")
    for args in (("-e", "x"), ("-C", ""), ("-D", "/x")):
        one_error(lab.v("vmoduser", *args, "all.example", code=255))


def test_vsetuserquota(lab):
    who = lab.fresh("quota")
    d = f"{DOMAINS}/{WORK}/quota/Maildir"
    lab.h.run(f"head -c 700 /dev/zero >{d}/new/1; head -c 5 /dev/zero "
              f">{d}/cur/2,S=300:2,S")
    for typed, stored in (("1000", "1000S"), ("1000s", "1000S"),
                          ("10k", "10240S"), ("10MB,50c", "10485760S,50C"),
                          ("7C", "7C"), ("7c,1M", "1048576S,7C")):
        assert lab.v("vsetuserquota", who, typed) == ""
        assert lab.get(who)["quota"] == stored
        first, *rest = lab.h.read(d + "/maildirsize").splitlines()
        assert first == stored
        assert [x.split() for x in rest] == [["1000", "2"]]
        s = lab.h.stat(d + "/maildirsize")
        assert s.st_uid == lab.uid
    assert lab.v("vuserinfo", "-Q", who) == "28%\n"         # 2 of 7
    assert lab.v("vsetuserquota", who, "2000S") == ""
    assert lab.v("vuserinfo", "-Q", who) == "50%\n"
    assert lab.v("vsetuserquota", who, "noquota") == ""
    assert lab.get(who)["quota"] == "NOQUOTA"
    assert not lab.h.exists(d + "/maildirsize")
    before = lab.all()
    for bad in ("", "1G", "x", "5,6", "-5", "1000S,", "nothing", "5 S",
                "1" * 30, "9" * 10000):
        one_error(lab.v("vsetuserquota", "--", who, bad, code=236))
    assert lab.all() == before
    for args in ((), (who,), (who, "1", "2")):
        assert lab.v("vsetuserquota", *args, code=255).startswith("usage: ")
