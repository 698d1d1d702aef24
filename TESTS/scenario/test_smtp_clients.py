"""Clients that others wrote, against SMTP as it is installed: swaks, msmtp,
curl, Python's smtplib, openssl s_client, s-nail, mutt, and the smtp-source and
smtp-sink of Debian's Postfix.  Each must deliver, by port 25 in the clear and
with STARTTLS, by 587 and 465 with a password; and what arrives is what was
sent, with a Received line that says how it came."""

import contextlib
import email
import email.policy
import os
import re
import shlex

import pytest

from conftest import HOSTNAME
from net import debs
from test_smtp_service import Served, received

SENDER = f"ana@{HOSTNAME}"
# Dots, bytes above 127, blanks at the end of a line, long lines.
BODY = (".\n..\n.dot\nFrom the start\n\tt\u00e4b und \u20ac\nblank at end \n"
        + "x" * 990 + "\n\n-- \nend\n")
HEAD = f"From: <{SENDER}>\nSubject: by a client\nMIME-Version: 1.0\n" \
    "Content-Type: text/plain; charset=utf-8\n" \
    "Content-Transfer-Encoding: 8bit\n"
CERT = "/run/mx.pem"

# The way a mail goes: port, and is it TLS at once or by STARTTLS.
WAYS = {"plain": (25, None, False), "starttls": (25, "starttls", False),
        "submission": (587, "starttls", True),
        "submissions": (465, "at once", True)}
PROTOCOL = {"plain": "ESMTP", "starttls": "ESMTPS", "submission": "ESMTPSA",
            "submissions": "ESMTPSA"}

SMTPLIB = """
import smtplib, ssl, sys
port, tls, auth, rcpt = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
context = ssl.create_default_context(cafile="%s")
if tls == "at once":
    c = smtplib.SMTP_SSL("%s", port, context=context, timeout=60)
else:
    c = smtplib.SMTP("%s", port, timeout=60)
if tls == "starttls":
    c.starttls(context=context)
if auth:
    c.login(*auth.split(":"))
refused = c.sendmail("%s", [rcpt],
                     open("/run/message", "rb").read().replace(b"\\n",
                                                               b"\\r\\n"),
                     mail_options=["BODY=8BITMIME"])
assert not refused
c.quit()
""" % (CERT, HOSTNAME, HOSTNAME, SENDER)

# s_client is driven a reply at a time: it is a pipe into TLS and no more.
S_CLIENT = """
import base64, signal, subprocess, sys
port, tls, auth, rcpt = sys.argv[1:5]
p = subprocess.Popen(["openssl", "s_client", "-quiet", "-connect",
                      "127.0.0.1:" + port, "-CAfile", "%s",
                      "-verify_return_error", "-verify_hostname", "%s"] +
                     (["-starttls", "smtp"] if tls == "starttls" else []),
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
def reply(want):
    line = p.stdout.readline()
    while line[3:4] == b"-":
        line = p.stdout.readline()
    assert line.startswith(want), line
def say(line, want):
    p.stdin.write(line + b"\\r\\n")
    p.stdin.flush()
    reply(want)
signal.alarm(100)
if tls != "starttls":           # with it, s_client has done that and EHLO
    reply(b"220")
say(b"EHLO client.example", b"250")
if auth:
    say(b"AUTH PLAIN " + base64.b64encode(b"\\0" + auth.replace(
        ":", "\\0").encode()), b"235")
say(b"MAIL FROM:<%s> BODY=8BITMIME", b"250")
say(b"RCPT TO:<" + rcpt.encode() + b">", b"250")
say(b"DATA", b"354")
text = open("/run/message", "rb").read().replace(b"\\n", b"\\r\\n")
say(text.replace(b"\\r\\n.", b"\\r\\n..") + b".", b"250")
say(b"QUIT", b"221")
p.stdin.close()
assert p.wait(30) == 0
""" % (CERT, HOSTNAME, SENDER)


@pytest.fixture(scope="module")
def site():
    debs("postfix")             # before a host lies over this file system
    s = Served()
    s.h.run(f"cat /var/qmail/tls/current/cert/default/ec.pem >{CERT}")
    s.h.write("/run/by_smtplib.py", SMTPLIB, mode=0o644)
    s.h.write("/run/s_client.py", S_CLIENT, mode=0o644)
    s.h.write("/run/body", BODY, mode=0o644)
    yield s
    s.close()


def write_message(site):
    """swaks puts a line end behind what it is given."""
    text = HEAD + "\n" + BODY
    site.h.write("/run/message", text, mode=0o644)
    site.h.write("/run/message-", text[:-1], mode=0o644)


def swaks(way, rcpt):
    port, tls, auth = WAYS[way]
    argv = ["swaks", "--silent", "2", "--server", f"127.0.0.1:{port}",
            "--ehlo", "client.example", "--from", SENDER, "--to", rcpt,
            "--data", "@/run/message-"]
    if tls:
        argv += ["--tls" if tls == "starttls" else "--tls-on-connect"]
    if auth:
        argv += ["--auth", "LOGIN" if port == 465 else "PLAIN", "--auth-user",
                 "ana", "--auth-password", "secret"]
    return argv


def msmtp(way, rcpt):
    port, tls, auth = WAYS[way]
    argv = ["msmtp", "--host", HOSTNAME, "--port", str(port), "--from",
            SENDER, "--domain", "client.example"]
    if tls:
        argv += ["--tls=on", "--tls-trust-file=" + CERT, "--tls-starttls=" +
                 ("on" if tls == "starttls" else "off")]
    if auth:
        argv += ["--auth=" + ("login" if port == 465 else "plain"),
                 "--user=ana", "--passwordeval=echo secret"]
    return ["sh", "-c", shlex.join([*argv, "--", rcpt]) + " </run/message"]


def curl(way, rcpt):
    port, tls, auth = WAYS[way]
    argv = ["curl", "-sS", ("smtps" if tls == "at once" else "smtp") +
            f"://{HOSTNAME}:{port}/client.example", "--mail-from", SENDER,
            "--mail-rcpt", rcpt, "-T", "/run/message", "--crlf"]
    if tls:
        argv += ["--ssl-reqd", "--cacert", CERT]
    if auth:
        argv += ["-u", "ana:secret", "--login-options",
                 "AUTH=LOGIN" if port == 465 else "AUTH=PLAIN"]
    return argv


def smtplib(way, rcpt):
    port, tls, auth = WAYS[way]
    return ["python3", "/run/by_smtplib.py", str(port), tls or "",
            "ana:secret" if auth else "", rcpt]


def s_client(way, rcpt):
    return ["python3", "/run/s_client.py", *smtplib(way, rcpt)[2:]]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("client", [swaks, msmtp, curl, smtplib, s_client])
def test_client(site, user, client, way):
    if client is s_client and way == "plain":
        pytest.skip("it speaks TLS only")
    rcpt = f"{user}@{HOSTNAME}"
    write_message(site)
    out = site.h.run(client(way, rcpt), timeout=100)
    assert "error" not in out.stderr, out.stderr
    check(site, way, site.mail(user), rcpt, "" if client is smtplib else
          r"client\.example")


def check(site, way, mails, rcpt, helo, body=BODY, helo_too=False):
    text, = mails
    by = received(text)[1]
    assert re.match(rf"Received: from {helo or '.*'} \(\S+ "
                    r"\[127\.0\.0\.1\]\) by " +
                    rf"{re.escape(HOSTNAME)} with (?:{PROTOCOL[way]}{'|SMTP' if helo_too else ''}) ", by), by
    assert f" for <{rcpt}>; " in by
    assert ("(version=TLSv1.3 cipher=" in by) == (way != "plain")
    service = {25: "qmail-smtpd", 587: "qmail-submission",
               465: "qmail-smtps"}[WAYS[way][0]]
    # It is written after the answer, so mail may be there before it.
    line, = site.h.wait(lambda: re.findall(
        rf"(?m)^qmail-smtpd: info: accept .* to={rcpt} .*\n",
        site.h.log(service)), f"the log of {rcpt}")
    assert (" auth=ana " in line) == WAYS[way][2]
    assert (" tls=TLSv1.3" in line) == (way != "plain")
    if body is not None:
        assert text.split("\n\n", 1)[1] == body
        assert "\nSubject: by a client\n" in text
    return text


def s_nail(way, rcpt):
    port, tls, auth = WAYS[way]
    url = ("smtps" if tls == "at once" else "smtp") + "://" + \
        ("ana:secret@" if auth else "") + f"{HOSTNAME}:{port}"
    return ["s-nail", "-:/", "-S", "v15-compat", "-S", "mta=" + url, "-S",
            "smtp-auth=" + ("plain" if auth else "none"), "-S", "sendwait",
            "-S", "tls-ca-file=" + CERT, "-S", "tls-ca-no-defaults", "-S",
            "tls-verify=strict", "-S", "hostname=client.example", *(
                ["-S", "smtp-use-starttls"] if tls == "starttls" else []),
            "-r", SENDER, "-s", "by a client", rcpt]


def mutt(way, rcpt):
    port, tls, auth = WAYS[way]
    return ["mutt", "-F", "/dev/null", *(x for s in (
        f"smtp_url={'smtps' if tls == 'at once' else 'smtp'}://"
        f"{'ana:secret@' if auth else ''}{HOSTNAME}:{port}",
        "ssl_starttls=" + ("yes" if tls == "starttls" else "no"),
        "ssl_force_tls=" + ("yes" if tls else "no"),
        f"certificate_file={CERT}", f"from={SENDER}", "envelope_from=yes",
        "smtp_authenticators=plain", "hostname=client.example",
        "copy=no") for x in ("-e", "set " + s)), "-s", "by a client", "--",
        rcpt]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("client", [s_nail, mutt])
def test_mail_user_agent(site, user, client, way):
    """They write the message themselves: the text inside is compared.  Both
    say HELO when they want nothing of EHLO."""
    rcpt = f"{user}@{HOSTNAME}"
    site.h.run(["sh", "-c", shlex.join(client(way, rcpt)) + " </run/body"],
               timeout=100, env={"LANG": "C.UTF-8", "TERM": "dumb"})
    text = check(site, way, site.mail(user), rcpt, "", None, helo_too=True)
    m = email.message_from_bytes(text.encode("utf-8", "surrogateescape"),
                                 policy=email.policy.default)
    assert m["Subject"] == "by a client"
    assert m.get_content().rstrip("\n") == BODY.rstrip("\n")


# Postfix's generator and its sink.

POSTFIX = "/run/postfix"


@pytest.fixture(scope="module")
def postfix(site):
    """Where smtp-source and smtp-sink are: unpacked only."""
    site.h.run(["mkdir", "-p", POSTFIX])
    for path in debs("postfix"):
        inside = "/run/" + os.path.basename(path)
        with open(path, "rb") as f, site.h.open(inside, "wb") as out:
            out.write(f.read())
        site.h.run(["dpkg", "-x", inside, POSTFIX])
    return {"LD_LIBRARY_PATH": f"{POSTFIX}/usr/lib/postfix:"
            f"{POSTFIX}/usr/lib/x86_64-linux-gnu:"
            f"{POSTFIX}/usr/lib/aarch64-linux-gnu"}


@pytest.fixture
def numbered(site, user):
    """Any address at load.test is this user's."""
    site.h.run("mkdir -m 700 Load Load/new Load/cur Load/tmp", user=user,
               cwd=site.h.user(user).pw_dir)
    site.dotqmail(user, "./Load/\n", ext="load-default")
    with site.control(virtualdomains=f"load.test:{user}-load\n",
                      rcpthosts=f"{HOSTNAME}\nload.test\n"):
        yield user


@pytest.mark.parametrize("options, messages, each", [
    (["-d", "-N"], 60, 1),
    (["-r", "10"], 20, 10),
    (["-d", "-N", "-s", "20"], 500, 1),
    (["-s", "20", "-R", "1", "-r", "10", "-l", "30000"], 40, 10),
])
def test_smtp_source(site, numbered, postfix, options, messages, each):
    mark = len(site.h.log("qmail-smtpd"))
    site.h.run([f"{POSTFIX}/usr/sbin/smtp-source", *options, "-m",
                str(messages), "-f", "a@far.example", "-t", "x@load.test",
                "-M", "client.example", "127.0.0.1:25"], env=postfix,
               timeout=200)
    d = f"{site.h.user(numbered).pw_dir}/Load/new"
    site.h.wait(lambda: len(site.h.listdir(d)) >= messages * each,
                f"{messages * each} mails")
    site.empty()
    assert len(site.h.listdir(d)) == messages * each
    log = site.h.log("qmail-smtpd")[mark:]
    assert log.count("qmail-smtpd: info: accept ") == messages
    # which sessions they came by: one for all of a source, or one each
    sessions = len(re.findall(r"(?m)^qmail-smtpd: info: end ", log))
    assert sessions == (int(options[options.index("-s") + 1]) if "-s" in
                        options else 1) if "-d" in options else messages


def test_smtp_sink(site, user, postfix):
    """Out to smtp-sink: one session each, or the same for many."""
    site.h.run("useradd -r sink; install -d -o sink /run/sink")
    child = site.h.popen([f"{POSTFIX}/usr/sbin/smtp-sink", "-u", "sink", "-R",
                          "/run/sink", "-D", "dump", "127.0.0.1:2525", "100"],
                         env=postfix)
    rcpts = [f"r{i}@sink.test" for i in range(3)]
    try:
        site.h.wait(lambda: ":2525 " in site.h.run(["ss", "-Hltn"]).stdout,
                    "smtp-sink to listen")
        with site.control(smtproutes="sink.test:127.0.0.1:2525\n"):
            mark = site.send(rcpts, HEAD + "\n" + BODY, sender=SENDER,
                             user=user)
            for r in rcpts:
                assert site.result(r, mark)[0] == "success"
        dump = site.h.read("/run/sink/dump").replace("\r", "")
        assert dump.count("\n\n" + BODY) == \
            len(re.findall(r"(?m)^X-Mail-Args: ", dump))
        assert sorted(re.findall(r"(?m)^X-Rcpt-Args: <(\S+)>", dump)) == rcpts
    finally:
        site.h.kill("smtp-sink")
        with contextlib.suppress(Exception):
            child.wait(10)


def test_their_refusals(site, user):
    """What a client is told when it may not: each ends with an error and
    shows our words.  (After a third session with wrong passwords tcpserver
    would not answer any more.)"""
    write_message(site)
    for client in (swaks, msmtp, curl, smtplib):
        out = site.h.run(client("submission", f"nobody-here@{HOSTNAME}"),
                         check=False)
        assert out.returncode != 0
        assert "550" in out.stdout + out.stderr, out
    for client in (swaks, curl):
        out = site.h.run([a.replace("secret", "wrong") for a in
                          client("submission", f"{user}@{HOSTNAME}")],
                         check=False)
        assert out.returncode != 0, out
    site.h.wait(lambda: site.h.log("qmail-submission").count(
        " auth-failed ") >= 2, "both failures in the log")
    assert site.h.log("qmail-submission").count(" auth-failed ") == 2
    assert site.mails(user) == []
