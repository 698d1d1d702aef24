"""Mail of virtual users by the services of ports 587 and 465 as they are
installed: their passwords by vchkpw and authdaemond, asked by swaks; whose
sender they may use; guesses, trouble, names that are none; the log before
Debian's fail2ban."""

import base64
import concurrent.futures
import itertools
import json
import re

import pytest

from authlab import ALIAS, AuthSite, DOMAIN, NO_SMTP
from net import unpack

PW = "secret pass"
JO = f"jo@{DOMAIN}"
AUTH_REFUSED, MAIL_REFUSED = 28, 23     # swaks's own exits
# Of one address that guesses tcpserver takes no more connections.
OTHERS = (f"127.1.{i}.{k}" for i in itertools.count(1) for k in range(1, 250))

# AUTH PLAIN with bytes as they are, a connection each; the replies.
PLAIN = """
import base64, concurrent.futures, json, smtplib, ssl, sys
def ask(words):
    user, password, ip = words
    c = smtplib.SMTP("127.0.0.1", 587, timeout=100, source_address=(ip, 0))
    c.ehlo()
    c.docmd("STARTTLS")
    context = ssl._create_unverified_context()
    c.sock = context.wrap_socket(c.sock, server_hostname="x")
    c.file = None
    c.ehlo()
    said = ("\\0" + user + "\\0" + password).encode("latin-1")
    try:
        code, text = c.docmd("AUTH PLAIN",
                             base64.b64encode(said).decode())
        c.quit()
        return code
    except (smtplib.SMTPException, OSError):
        return 0
with concurrent.futures.ThreadPoolExecutor(20) as pool:
    json.dump(list(pool.map(ask, json.load(sys.stdin))), sys.stdout)
"""


@pytest.fixture(scope="module")
def vsite(request):
    s = AuthSite(request.param)
    s.setting("logintries", "0")
    s.reload()
    s.h.write("/run/plain.py", PLAIN, mode=0o644)
    yield s
    s.close()


def swaks(vsite, *args, port="587", user=JO, password=PW, sender=None,
          rcpt="mailadmin@mx.valija.test", ip=None, tls=True):
    """(exit, dialogue)"""
    r = vsite.h.run(
        ["swaks", "--server", "127.0.0.1", "--port", port,
         "--local-interface", next(OTHERS) if ip is None else ip,
         *(["--tls-on-connect"] if port == "465" else
           ["--tls"] if tls else []),
         "--from", user if sender is None else sender, "--to", rcpt,
         *(["--auth-user", user, "--auth-password", password]
           if user else []), *args], check=False, timeout=100)
    return r.returncode, r.stdout + r.stderr


@pytest.mark.parametrize("port, service, name", [
    ("587", "qmail-submission", "vchkpw-submission"),
    ("465", "qmail-smtps", "vchkpw-smtps")])
@pytest.mark.parametrize("how", ["PLAIN", "LOGIN"])
def test_mail_is_taken(vsite, port, service, name, how):
    subject = f"{port} {how} {vsite.store}"
    ip = next(OTHERS)
    code, said = swaks(vsite, "--auth", how, "--header",
                       f"Subject: {subject}", port=port, ip=ip)
    assert code == 0, said
    vsite.h.wait(lambda: any(f"Subject: {subject}\n" in m
                             for m in vsite.mails("mailadmin")), subject)
    got, = (m for m in vsite.mails("mailadmin")
            if f"Subject: {subject}\n" in m)
    assert f"Return-Path: <{JO}>" in got
    vsite.h.wait(lambda: f"vchkpw: {name}: (PLAIN) login success "
                 f"{JO}:{ip}\n" in vsite.log(service), "the line")
    when, noted = vsite.tool(["lastauth-get", DOMAIN, "jo"]) \
        .splitlines()[0].split(" ")
    assert noted == ip and int(when) > 0
    # And for another host, who is nobody's without it.
    code, said = swaks(vsite, "--auth", how, "--quit-after", "RCPT",
                       port=port, rcpt="a@elsewhere.example")
    assert code == 0, said
    code, said = swaks(vsite, "--quit-after", "RCPT", port=port, user="",
                       sender=JO, rcpt="a@elsewhere.example")
    assert code == MAIL_REFUSED and " 530 " in said, said


def test_what_is_refused(vsite):
    vsite.put("nosmtp", flags=NO_SMTP)
    cases = [(*case, next(OTHERS)) for case in (
        (JO, "wrong", "password fail"),
        (f"nobody@{DOMAIN}", PW, "vpopmail user not found"),
        ("jo@other.example", PW, "vpopmail user not found"),
        ("jo", PW, "vpopmail user not found"),
        (f"nosmtp@{DOMAIN}", PW, "smtp access denied"))]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        got = list(pool.map(lambda c: swaks(
            vsite, "--quit-after", "AUTH", user=c[0], password=c[1],
            ip=c[3]), cases))
    vsite.h.wait(lambda: all(f"{line} {user}:{ip}\n" in
                             vsite.log("qmail-submission")
                             for user, _, line, ip in cases), "all lines")
    log = vsite.log("qmail-submission")
    for (user, password, line, ip), (code, said) in zip(cases, got):
        assert code == AUTH_REFUSED and "535 5.7.8" in said, (user, said)
        assert f"vchkpw: vchkpw-submission: {line} {user}:{ip}\n" in log
        assert (f"\nLOGIN FAILED, method=PLAIN, ip=[{ip}]\n" in log) == \
            ("denied" not in line)
    assert PW not in log
    # No password without TLS.
    code, said = swaks(vsite, "--quit-after", "AUTH", tls=False)
    assert code == AUTH_REFUSED and "250-AUTH" not in said, said


def test_whose_sender(vsite):
    def mail(sender):
        code, said = swaks(vsite, "--quit-after", "MAIL", sender=sender)
        assert code in (0, MAIL_REFUSED), said
        if code:
            assert "553 5.7.1" in said
        return code == 0
    for sender in JO, JO.upper(), f"jo-list@{DOMAIN}", "<>":
        assert mail(sender), sender
    for sender in (f"ann@{DOMAIN}", f"jo2@{DOMAIN}", "jo@elsewhere.example",
                   f"jo@{ALIAS}", "mailadmin@mx.valija.test",
                   f"postmaster@{DOMAIN}", "jo@mx.valija.test", "jo"):
        assert not mail(sender), sender
    path = "/var/qmail/control/senderlogins"
    vsite.h.write(path, f"{JO}:jo@{ALIAS}\n{JO}:@team.example\n", mode=0o644)
    try:
        assert mail(f"jo@{ALIAS}") and mail("any@team.example")
        assert not mail(f"ann@{DOMAIN}")
    finally:
        vsite.h.run(["rm", path])


def test_guesses(vsite):
    """What was guessed at elsewhere counts here, and the other way round."""
    vsite.put("gues")
    user, ip = f"gues@{DOMAIN}", next(OTHERS)
    with vsite.settings(logintries="4"):
        for i in range(3):
            assert vsite.login(user, f"w{i}", ip=ip) == "FAIL"
        code, said = swaks(vsite, "--quit-after", "AUTH", user=user,
                           password="wrong", ip=ip)
        assert "535 5.7.8" in said
        code, said = swaks(vsite, "--quit-after", "AUTH", user=user, ip=ip)
        assert code == AUTH_REFUSED and "454 4.7.0" in said, said
        assert vsite.login(user, PW, service="imap", ip=ip) == ""
        code, said = swaks(vsite, "--quit-after", "AUTH", user=user)
        assert code == 0, said


def test_trouble_is_not_a_wrong_password(vsite):
    vsite.h.run(["svc", "-d", "/service/authdaemond"])
    vsite.h.wait(lambda: not vsite.h.running("authdaemond"), "its end")
    try:
        code, said = swaks(vsite, "--quit-after", "AUTH")
        assert code == AUTH_REFUSED and "454 4.7.0" in said, said
    finally:
        vsite.h.run(["svc", "-u", "/service/authdaemond"])
        vsite.h.wait(vsite.alive, "authdaemond")
    if vsite.store == "mysql":
        vsite.db.stop()
        try:
            vsite.changed()
            code, said = swaks(vsite, "--quit-after", "AUTH")
            assert code == AUTH_REFUSED and "454 4.7.0" in said, said
        finally:
            vsite.db.start()
    vsite.h.wait(lambda: swaks(vsite, "--quit-after", "AUTH")[0] == 0,
                 "a login")


NASTY = ["jo'", 'jo"', "jo' OR '1'='1", "jo'; DROP TABLE vpopmail; -- ",
         "jo\\", "jo\n", "jo\r\nQUIT", "../jo", "/jo", "j\xf6", "\xff\xfe",
         "$(id)", "|id", "jo\t", "%s%n", "a" * 300, "jo\x1b[2J",
         "AUTH 5\nimap\nlogin\njo@x.example\nsecret pass"]


def test_names_that_are_none(vsite):
    tries = [(f"{bad}@{DOMAIN}", PW) for bad in NASTY] + \
        [(bad, PW) for bad in NASTY] + [(JO, bad) for bad in NASTY] + \
        [(f"jo\0@{DOMAIN}", PW), (JO, PW + "\0"), (JO, "\0" + PW),
         ("a" * 10000, PW), (JO, "a" * 10000), ("", PW), (JO, ""),
         (JO, PW)]
    out = vsite.h.run(["python3", "/run/plain.py"],
                      input=json.dumps([[*t, next(OTHERS)] for t in
                                        tries])).stdout
    codes = json.loads(out)
    for pair, code in zip(tries[:-1], codes):
        assert code in (535, 501, 500, 454), (pair, code)
    assert codes[-1] == 235
    log = vsite.log("qmail-submission")
    assert not re.search(r"[^\n\t\x20-\x7e]", log)
    assert PW not in log and base64.b64encode(PW.encode()).decode() not in log


def test_fail2ban_reads_the_log(vsite):
    """The file that multilog writes, by the filter that fail2ban brings."""
    h = vsite.h
    unpack(h, "fail2ban")
    log = "/var/log/qmail/qmail-submission/current"

    def found(rules):
        out = h.run(["fail2ban-regex", "-v", log, rules], check=False).stdout
        return int(re.search(r", (\d+) matched", out)[1]), set(re.findall(
            r"(?m)^\|\s+([0-9a-f.:]+)  [A-Z][a-z]{2} ", out))
    rules = "/etc/fail2ban/filter.d/courier-auth.conf"
    before = h.read(log).count("LOGIN FAILED")
    ips = [next(OTHERS) for _ in range(3)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda ip: swaks(vsite, "--quit-after", "AUTH", ip=ip,
                                       password=f"guess {ip}"), ips))
    h.wait(lambda: h.read(log).count("LOGIN FAILED") >= before + 3,
           "the lines")
    n, hosts = found(rules)
    assert n == h.read(log).count("LOGIN FAILED") >= 3
    assert set(ips) <= hosts
    assert hosts <= set(re.findall(r"\[([0-9.]+)\]\n", h.read(log)))
