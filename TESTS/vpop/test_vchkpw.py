"""vchkpw as it is installed: every service with every flag, mechanism and kind
of address and its exit code; what it becomes; what it may be told on descriptor
3; its lines before Debian's fail2ban."""

import hashlib
import hmac
import itertools
import os
import re

import pytest

from authlab import (AuthSite, DOMAIN, DOMDIR, NO_IMAP, NO_POP, NO_SMTP,
                     NO_WEBMAIL, OVERRIDE)
from net import unpack

PW = "secret pass"
STAMP = "<1.2@mx.example>"
OUTSIDE, WEBMAIL = "192.0.2.9", "127.0.0.1"
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                    "../../vpop/vchkpw.8")


@pytest.fixture(scope="module")
def vsite(request):
    s = AuthSite(request.param)
    s.setting("logintries", "0")
    s.setting("clearpasswords", "1")
    s.reload()
    yield s
    s.close()


# Service x flag x mechanism x address.

SERVICES = [            # port, environment, program, what it is, its log name
    ("25", {}, "/bin/true", "smtp", "smtp"),
    ("465", {}, "/bin/true", "smtp", "smtps"),
    ("587", {}, "/bin/true", "smtp", "submission"),
    ("2525", {}, "/bin/true", "smtp", "2525"),
    ("110", {}, "/bin/true", "pop", "pop3"),
    ("995", {}, "/bin/true", "pop", "pop3s"),
    ("1110", {"SERVICE": "pop3"}, "/bin/true", "pop", "1110"),
    ("143", {}, "/bin/true", "imap", "imap"),
    ("993", {}, "/bin/true", "imap", "imaps"),
    ("1143", {"SERVICE": "imap"}, "/bin/true", "imap", "1143"),
]
FLAGS = {"none": 0, "nopop": NO_POP, "noimap": NO_IMAP, "nosmtp": NO_SMTP,
         "noweb": NO_WEBMAIL, "allow": OVERRIDE,
         "nothing": NO_POP | NO_IMAP | NO_SMTP | NO_WEBMAIL,
         "rest": 0x1 | 0x10 | 0x20 | 0x40}
MECHANISMS = ["right", "wrong", "cram", "cram-wrong", "apop", "apop-wrong"]


def secret_of(mechanism):
    """(what is sent, challenge)"""
    kind, _, wrong = mechanism.partition("-")
    word = (PW + "x" if wrong else PW).encode()
    if kind == "cram":
        return hmac.new(word, STAMP.encode(), "md5").hexdigest(), STAMP
    if kind == "apop":
        return hashlib.md5(STAMP.encode() + word).hexdigest(), STAMP
    return (PW, "") if kind == "right" else (PW + "x", "")


def expected(kind, flags, mechanism, ip):
    """The code and the words of the line."""
    if mechanism == "right":
        how = "PLAIN"
    elif mechanism == "cram" and kind == "smtp":
        how = "CRAM-MD5"
    elif mechanism == "apop" and kind == "pop":
        how = "APOP"
    else:
        return 3, "password fail"
    web = ip == WEBMAIL and kind != "smtp"
    denied = {"smtp": NO_SMTP, "pop": NO_POP, "imap": NO_IMAP}[kind]
    if web:
        denied, kind = NO_WEBMAIL, "webmail"
    if flags & denied:
        return 1, f"{kind} access denied"
    return 0, f"({how}) login success"


def test_table(vsite):
    for name, flags in FLAGS.items():
        vsite.put("f" + name, clear=PW, flags=flags)
    rows, cases = [], []
    for (port, env, program, kind, log), (name, flags), mech, ip in \
            itertools.product(SERVICES, FLAGS.items(), MECHANISMS,
                              (OUTSIDE, WEBMAIL)):
        secret, stamp = secret_of(mech)
        rows.append((port, kind, log, name, flags, mech, ip))
        cases.append(vsite.case(f"f{name}@{DOMAIN}", secret, stamp, port, ip,
                                (program,), env))
    got = vsite.vchkpws(cases)
    assert len(got) == 10 * 8 * 6 * 2
    for (port, kind, log, name, flags, mech, ip), (code, _, err) in \
            zip(rows, got):
        want, words = expected(kind, flags, mech, ip)
        line = f"vchkpw: vchkpw-{log}: {words} f{name}@{DOMAIN}:{ip}\n"
        row = port, name, mech, ip, err
        assert code == want, row
        assert err.startswith(line), row
        # With a challenge it is an answer to it, for SMTP.
        how = "CRAM-MD5" if kind == "smtp" and secret_of(mech)[1] else "PLAIN"
        assert err[len(line):] == (f"LOGIN FAILED, method={how}, ip=[{ip}]\n"
                                   if code == 3 else ""), row


def test_limits_of_the_domain(vsite):
    for name in "none", "allow":
        vsite.tool(["user-del", DOMAIN, "f" + name], check=False)
        vsite.put("f" + name, flags=FLAGS[name])
    vsite.tool(["limits-set", DOMAIN, *["-1"] * 5, *["0"] * 4,
                str(NO_POP | NO_SMTP), *["0"] * 9])
    vsite.changed()
    try:
        for port, name, want in (("110", "none", 1), ("587", "none", 1),
                                 ("143", "none", 0), ("110", "allow", 0),
                                 ("587", "allow", 0)):
            code, _, err = vsite.vchkpw(f"f{name}@{DOMAIN}", PW, port=port)
            assert code == want, err
    finally:
        vsite.tool(["limits-del", DOMAIN])
        vsite.changed()


def test_who_it_cannot_be(vsite):
    for user in ("nobody@" + DOMAIN, "jo@other.example", "jo", "",
                 "@" + DOMAIN, "jo@"):
        code, _, err = vsite.vchkpw(user, PW)
        assert code == (12 if user == "" else 3), (user, err)
    vsite.put("nopw", hash="")
    for word, want in (("", 13), ("x", 3)):
        assert vsite.vchkpw(f"nopw@{DOMAIN}", word)[0] == want
    # The domain of those who give none.
    assert vsite.vchkpw("jo", PW, env={"VPOPMAIL_DOMAIN": DOMAIN})[0] == 0
    with vsite.settings(defaultdomain=DOMAIN):
        assert vsite.vchkpw("jo", PW)[0] == 0
    assert vsite.vchkpw(f"jo%{DOMAIN}", PW)[0] == 0


# What it becomes.

SHOW = ("/bin/sh", "-c", "id -u; id -g; id -G; pwd; echo $USER; echo $HOME; "
        "echo $VPOPUSER; echo $SHELL; ls /proc/self/fd | tr '\\n' ' '")


def test_it_becomes_the_user(vsite):
    vsite.put("me")
    code, out, err = vsite.vchkpw(f"Me@{DOMAIN}", PW, STAMP, argv=SHOW)
    assert code == 0, err
    home = f"{DOMDIR}/me"
    assert out.splitlines()[:8] == [str(vsite.uid), str(vsite.gid),
                                    str(vsite.gid), home, "Me", home,
                                    f"Me@{DOMAIN}", "NOLOGIN"]
    assert out.splitlines()[8].split()[:3] == ["0", "1", "2"]
    # It was not there: made, for its owner alone.
    for name in "", "/Maildir", "/Maildir/new", "/Maildir/cur", "/Maildir/tmp":
        st = vsite.h.stat(home + name)
        assert (st.st_uid, st.st_gid, st.st_mode & 0o777) == \
            (vsite.uid, vsite.gid, 0o700)
    # The program's own end is told.
    assert vsite.vchkpw(f"me@{DOMAIN}", PW, argv=("/bin/sh", "-c",
                                                  "exit 77"))[0] == 77
    assert vsite.vchkpw(f"me@{DOMAIN}", PW, argv=("/no/such",))[0] == 111
    assert vsite.vchkpw(f"me@{DOMAIN}", PW, argv=())[0] == 2


def test_for_smtp_it_stays_who_it_is(vsite):
    code, out, err = vsite.vchkpw(f"jo@{DOMAIN}", PW, port="587", argv=SHOW,
                                  user="qmaild")
    assert code == 0, err
    assert out.splitlines()[0] == str(vsite.h.user("qmaild").pw_uid)
    # Who is not root cannot become the user for POP3.
    code, _, err = vsite.vchkpw(f"jo@{DOMAIN}", PW, user="qmaild")
    assert code in (4, 5), err
    # As the user himself no bit is needed.
    code, out, err = vsite.vchkpw(f"jo@{DOMAIN}", PW, user="vpopmail",
                                  argv=SHOW)
    assert code == 0 and out.splitlines()[0] == str(vsite.uid), err
    assert vsite.h.stat("/var/qmail/bin/vchkpw").st_mode & 0o6000 == 0


def test_a_directory_that_cannot_be_had(vsite):
    h = vsite.h
    h.write(f"{DOMDIR}/afile", "", mode=0o600, owner="vpopmail")
    vsite.put("under", home=f"{DOMDIR}/afile/under")
    assert vsite.vchkpw(f"under@{DOMAIN}", PW)[0] in (6, 14)
    h.run(["mkdir", "-m", "0", f"{DOMDIR}/closed"])
    vsite.put("closed")
    assert vsite.vchkpw(f"closed@{DOMAIN}", PW)[0] == 6
    h.run(["install", "-d", "-m", "755", "/srv/root"])
    vsite.put("away", home="/srv/root/away")
    assert vsite.vchkpw(f"away@{DOMAIN}", PW)[0] == 14
    # A link that somebody left there leads nowhere as root.
    h.run(["ln", "-s", "/root", f"{DOMDIR}/link"])
    vsite.put("link")
    assert vsite.vchkpw(f"link@{DOMAIN}", PW)[0] == 6


# Descriptor 3.

def test_descriptor_3(vsite):
    user = f"jo@{DOMAIN}"
    good = f"{user}\0{PW}\0"
    cases = {
        good: 0, good + "\0": 0, good + "<1@2>\0": 0, f"{user}\0{PW}": 0,
        good + "\0more\0and more\0": 0, good + "y" * 1000 + "\0": 0,
        "": 11, good + "x" * 2048: 11, "x" * 10000: 11, "\0" * 5000: 11,
        "\0": 12, f"\0{PW}\0": 12, user: 13, user + "\0": 13,
        user + "\0\0": 13, f"{user}\0\0{PW}\0": 13,
        f"{user}\n\0{PW}\0": 3, f"{user}\0{PW}\n\0": 3, f" {user}\0{PW}\0": 3,
        f"{user}\0{PW}\t\0": 3, f"jo\n@{DOMAIN}\0{PW}\0": 3,
        f"jo\t@{DOMAIN}\0{PW}\0": 3, f"{user}\0{PW}\xff\0": 3,
    }
    for bad in ("jo'", 'jo"', "jo' OR '1'='1", "../jo", "/jo", "jo\\", "j\xf6",
                "jo;id", "$(id)", "|id", "jo%", "a" * 1500, "'" * 1500,
                "AUTH 5", "jo\nTCPREMOTEIP=9.9.9.9", "%s%n", "\x1b[2J"):
        cases[f"{bad}@{DOMAIN}\0{PW}\0"] = 3
        cases[f"{bad}\0{PW}\0"] = 3
        cases[f"{user}\0{bad}\0"] = 3
    got = vsite.vchkpws([vsite.case("", "", input=text) for text in cases])
    for (text, want), (code, _, err) in zip(cases.items(), got):
        assert code == want, (text[:80], err)
        assert PW not in err and re.fullmatch(r"[\n\x20-\x7e]*", err)
        if want == 3:           # never more than two lines, and both whole
            assert re.fullmatch(r"vchkpw: vchkpw-pop3: \S[^\n]*:192\.0\.2\.9\n"
                                r"LOGIN FAILED, [^\n]*\[192\.0\.2\.9\]\n",
                                err), err
    case = vsite.case("", "", input=good)
    case["closed"] = True
    assert vsite.vchkpws([case])[0][0] == 11


def test_the_address_is_a_strangers_too(vsite):
    for ip, shown in (("::ffff:192.0.2.1", "192.0.2.1"), ("", ""),
                      ("2001:db8::1", "2001:db8::1")):
        _, _, err = vsite.vchkpw(f"jo@{DOMAIN}", "wrong", ip=ip)
        assert err.splitlines()[0].endswith(f"jo@{DOMAIN}:{shown}")
        assert ("LOGIN FAILED" in err) == (shown != "")
    for ip in "1.2.3.4\n5.6.7.8", "x" * 5000, "1.2.3.4 ip=[5.6.7.8]":
        code, _, err = vsite.vchkpw(f"jo@{DOMAIN}", "wrong", ip=ip)
        assert code in (3, 111) and "LOGIN FAILED" not in err
        assert len(err.splitlines()) == 1


# fail2ban.

GUESSES = [f"jo@{DOMAIN}", f"nobody@{DOMAIN}", "jo:203.0.113.1", "jo, ip=[x]",
           "jo@x\n203.0.113.1", "a" * 1500, "ip=[203.0.113.1]", "j\xf6",
           f"jo@{DOMAIN}:203.0.113.1", "user=x, ip=[203.0.113.1], "]


def stamp(line):
    return "@4000000065642e7f00000000 " + line


def found(vsite, log, rules):
    r = vsite.h.run(["fail2ban-regex", "-v", log, rules], check=False)
    hosts = re.findall(r"(?m)^\|\s+([0-9a-f.:]+)  [A-Z][a-z]{2} ", r.stdout)
    m = re.search(r"Lines: (\d+) lines, \d+ ignored, (\d+) matched",
                  r.stdout)
    assert m, r.stdout + r.stderr
    return int(m[1]), int(m[2]), hosts


def test_fail2ban(vsite):
    h = vsite.h
    unpack(h, "fail2ban")
    got = vsite.vchkpws([vsite.case(u, "wrong", port=p, ip=ip)
                         for u in GUESSES for p in ("110", "587", "993")
                         for ip in ("192.0.2.9", "2001:db8::9")] +
                        [vsite.case(f"jo@{DOMAIN}", PW, port="587")])
    log = [stamp(line) for _, _, err in got for line in err.splitlines()]
    h.write("/run/guesses", "\n".join(log) + "\n", mode=0o644)
    n = len(GUESSES) * 6
    assert len(log) == 2 * n + 1
    # The filter that it brings: no line too few, no other address.
    lines, matched, hosts = found(vsite, "/run/guesses",
                                  "/etc/fail2ban/filter.d/courier-auth.conf")
    assert (lines, matched) == (2 * n + 1, n)
    assert set(hosts) == {"192.0.2.9", "2001:db8::9"}
    # The one of our page.
    with open(PAGE) as f:
        m = re.search(r"(?s)\n(\[Definition\]\n.*?)\.Ed", f.read())
    h.write("/run/own.conf", m[1].replace("\\e", "\\"), mode=0o644)
    lines, matched, hosts = found(vsite, "/run/guesses", "/run/own.conf")
    assert matched == n
    assert set(hosts) == {"192.0.2.9", "2001:db8::9"}


@pytest.mark.parametrize("rule", [
    # As people have published them for vpopmail.
    r"vchkpw-(smtp|smtps|submission|pop3|pop3s|imap|imaps|webmail|\d+): "
    r"(password fail|vpopmail user not found) .*:<HOST>$",
    r"vchkpw-pop3: password fail ([^)]*) ?[^@]*@[^:]*:<HOST>",
    r"vchkpw-.*: vpopmail user not found .*@.*:<HOST>",
])
def test_rules_of_the_field(vsite, rule):
    h = vsite.h
    got = vsite.vchkpws([vsite.case(u, "wrong") for u in
                         (f"jo@{DOMAIN}", f"nobody@{DOMAIN}")])
    h.write("/run/field", "".join(stamp(line) + "\n" for _, _, err in got
                                  for line in err.splitlines()), mode=0o644)
    if not h.exists("/usr/bin/fail2ban-regex"):
        unpack(h, "fail2ban")
    lines, matched, hosts = found(vsite, "/run/field", rule)
    assert matched == (1 if "pop3:" in rule or "not found .*@" in rule else 2)
    assert set(hosts) == {"192.0.2.9"}
