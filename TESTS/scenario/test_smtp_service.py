"""SMTP as it is installed: ports 25, 587 and 465 under svscan, with TLS, the
recipient service and passwords; and each part of it killed."""

import contextlib
import re
import signal
import socket

import pytest

from conftest import CONTROL, HOME, HOSTNAME
from mailsite import STRANGER, Talking
from names import inside

CHECKPW = """#!/usr/bin/python3
import os, sys
user, password, stamp, rest = os.read(3, 600).split(b"\\0", 3)
if user == b"trouble":
    sys.exit(111)
if (user, password) != (b"ana", b"secret"):
    sys.exit(1)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Served(Talking):
    def prepare(self):
        h = self.h
        h.write("/run/checkpw", CHECKPW, mode=0o755)
        h.add_user("ana")
        h.write(f"{CONTROL}/checkpassword", "/run/checkpw /bin/true\n",
                mode=0o644)
        h.run("svc -t /service/qmail-submission /service/qmail-smtps")


@pytest.fixture(scope="module")
def site():
    s = Served()
    yield s
    s.close()


@pytest.fixture
def undo():
    with contextlib.ExitStack() as stack:
        yield stack


def received(text):
    """The Received lines, unfolded, the newest first."""
    head = re.sub(r"\n[ \t]+", " ", text.split("\n\n")[0])
    return [line for line in head.split("\n") if line.startswith("Received")]


def test_port_25_with_starttls(site, user):
    steps = site.smtp("--tls", "--sender", "a@example.org",
                      f"{user}@{HOSTNAME}")
    assert [s[0] for s in steps] == ["EHLO", "STARTTLS", "EHLO", "MAIL",
                                     "RCPT", "DATA", "QUIT"]
    assert "STARTTLS" in steps[0][2] and "STARTTLS" not in steps[2][2]
    assert "AUTH" not in steps[2][2]
    text = site.mail(user)[0]
    assert text.endswith("\nSubject: by smtp\n\nhello\n")
    by = received(text)
    assert re.match(r"Received: \(qmail \d+ invoked from network\); ", by[0])
    assert re.match(rf"Received: from \S+ \(.*\[127\.0\.0\.1\]\) by {HOSTNAME} "
                    r"with ESMTPS \(version=TLSv1\.3 cipher=TLS_\w+ .*\) id "
                    rf"\d+ for <{user}@{HOSTNAME}>; ", by[1])
    # its way in the logs
    log = site.h.log("qmail-smtpd")
    assert re.search(r"tcpserver: ok \d+ \S+:127\.0\.0\.1:25 ", log)
    assert re.search(rf"qmail-smtpd: .*{user}@{HOSTNAME}", log)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_both_families(site, user, address):
    assert site.good("--host", address, f"{user}@{HOSTNAME}")
    assert address in received(site.mail(user)[0])[1]


def test_who_is_refused(site, user):
    assert site.stranger("--sender", "a@example.org",
                         f"{user}@{HOSTNAME}")[:2] == ("QUIT", "221")
    for rcpt, code in ((f"nobody-here@{HOSTNAME}", "550 5.1.1"),
                       ("x@elsewhere.example", "550 5.7.1")):
        step, number, text = site.stranger("--sender", "a@example.org", rcpt)
        assert (step, f"{number} {text}"[:9]) == ("RCPT", code)
    assert site.stranger(f"postmaster@{HOSTNAME}")[0] == "QUIT"
    # from the machine itself anything goes
    assert site.good("x@elsewhere.example")
    log = site.h.log("qmail-smtpd")
    assert f"nobody-here@{HOSTNAME}" in log and "no_such_mailbox" in log


def test_without_rcpthosts_nothing_is_relayed_or_taken(site, user, undo):
    old = site.h.read(f"{CONTROL}/rcpthosts")
    undo.callback(site._control, "rcpthosts", old)
    site._control("rcpthosts", None)
    for rcpt in ("x@elsewhere.example", "x@second.example"):
        assert site.stranger(rcpt)[:2] == ("RCPT", "550")
    site._control("morercpthosts", "second.example\n")
    undo.callback(site.h.run, f"rm -f {CONTROL}/morercpthosts*")
    site.h.run(["qmail-newmrh"])
    assert site.stranger("x@second.example")[0] == "QUIT"
    assert site.stranger("x@elsewhere.example")[:2] == ("RCPT", "550")


def restart_smtpd(site):
    def up():
        said = site.h.run(["svstat", "/service/qmail-smtpd"]).stdout
        m = re.search(r": up \(pid (\d+)\)", said)
        return m and m.group(1)
    old = up()
    site.h.run(["svc", "-t", "/service/qmail-smtpd"])
    site.h.wait(lambda: up() not in (None, old), "port 25 again")
    site.h.wait(lambda: site.speaks(25), "port 25")


def test_rules_are_compiled_when_the_service_starts(site, user, undo):
    rules = site.h.read("/etc/tcp.smtp")
    undo.callback(restart_smtpd, site)
    undo.callback(site.h.run, "touch /etc/tcp.smtp; rm /etc/tcp.smtp.cdb")
    undo.callback(site.h.write, "/etc/tcp.smtp", rules)
    site.h.run(["touch", "-d", "2020-01-01", "/etc/tcp.smtp.cdb"])
    site.h.write("/etc/tcp.smtp", f"{STRANGER}:deny\n" + rules)
    restart_smtpd(site)
    assert site.stranger(f"{user}@{HOSTNAME}")[0] == "GONE"
    assert site.good(f"{user}@{HOSTNAME}")
    # a mistake: the service starts, and the old rules hold
    site.h.run(["touch", "-d", "2020-01-01", "/etc/tcp.smtp.cdb"])
    site.h.write("/etc/tcp.smtp", "nonsense:perhaps\n")
    restart_smtpd(site)
    assert site.stranger(f"{user}@{HOSTNAME}")[0] == "GONE"
    assert site.good(f"{user}@{HOSTNAME}")
    site.h.wait(lambda: "nonsense" in site.h.log("qmail-smtpd"), "its line")


@pytest.mark.parametrize("port", ["587", "465"])
def test_submission(site, user, port):
    tls = ["--port", port] + (["--tls"] if port == "587" else [])
    rcpt = f"{user}@{HOSTNAME}"
    assert site.good(*tls, "--login", "ana:secret", rcpt, "x@remote.example")
    with_a = received(site.mail(user)[0])[1]
    assert " with ESMTPSA (version=TLSv1.3 " in with_a
    assert "Message-ID: <" in site.mail(user)[0]
    # password first
    step, code, text = site.smtp(*tls, rcpt, last=True)
    assert (step, code, text[:5]) == ("MAIL", "530", "5.7.0")
    step, code, _ = site.smtp(*tls, "--login", "ana:wrong", rcpt, last=True)
    assert (step, code) == ("AUTH", "535")
    step, code, _ = site.smtp(*tls, "--login", "trouble:x", rcpt, last=True)
    assert (step, code) == ("AUTH", "454")
    # as somebody else
    step, code, _ = site.smtp(*tls, "--login", "ana:secret", "--sender",
                              "postmaster@elsewhere.example", rcpt,
                              last=True)
    assert step in ("MAIL", "RCPT") and code[0] == "5"
    assert "secret" not in site.h.log("qmail-submission") + \
        site.h.log("qmail-smtps")


def test_submission_wants_tls_first(site, user):
    step, code, text = site.smtp("--port", "587", f"{user}@{HOSTNAME}",
                                 last=True)
    assert (step, code, text[:5]) == ("MAIL", "530", "5.7.0")
    steps = site.smtp("--port", "587", "--login", "ana:secret")
    assert steps[-1][:2] == ("AUTH", "none")


def test_submission_asks_vchkpw_where_nothing_else_is_said(site, user, undo):
    def restart():
        site.h.run("svc -t /service/qmail-submission")
        site.h.wait(lambda: "0/100" in site.h.log("qmail-submission")[mark:]
                    and site.speaks(587), "port 587")
    mark = len(site.h.log("qmail-submission"))
    undo.callback(restart)
    undo.callback(site._control, "checkpassword",
                  site.h.read(f"{CONTROL}/checkpassword"))
    site._control("checkpassword", None)
    restart()
    steps = site.smtp("--port", "587", "--tls", "--login", "ana:secret",
                      f"{user}@{HOSTNAME}")
    assert steps[-1][:2] == ("AUTH", "535")
    log = site.h.log("qmail-submission")[mark:]
    assert "vchkpw-submission: vpopmail user not found ana:" in log


# What is killed, and what a client may see until it is back: never a refusal.
KILLED = ["qmail-verify", "qmail-queued", "tlsd", "keyd", "tcpserver",
          "qmail-send"]


@pytest.mark.parametrize("name", KILLED)
def test_killed_services_come_back(site, user, name):
    h = site.h
    rcpt = f"{user}@{HOSTNAME}"
    assert site.good("--tls", rcpt)
    old = set(h.running(name))
    assert h.kill(name, signal.SIGKILL) > 0
    sent = 1

    def again():
        nonlocal sent
        step, code, text = site.smtp("--tls", rcpt, last=True)
        assert code[0] != "5" or step == "STARTTLS", (step, code, text)
        sent += step == "QUIT"
        return step == "QUIT"
    # what is killed is used by the very next client
    again()
    h.wait(lambda: h.running(name) and not old & set(h.running(name)), name)
    h.wait(again, "mail again", step=0.2)
    assert site.stranger("--sender", "a@example.org",
                         f"nobody-here@{HOSTNAME}")[:2] == ("RCPT", "550")
    assert len(site.mail(user, n=sent)) == sent


def test_a_directory_that_fails_defers(site, user, undo):
    h = site.h
    rcpt = f"{user}@{HOSTNAME}"
    undo.callback(h.run, "chmod 644 /etc/passwd")
    h.run("chmod 600 /etc/passwd")
    for to in (rcpt, f"nobody-here@{HOSTNAME}"):
        step, code, text = site.stranger(to)
        assert (step, code, text[:5]) == ("RCPT", "451", "4.3.0")
    undo.close()
    assert site.good(rcpt)


def test_without_the_recipient_service_mail_waits(site, user, undo):
    h = site.h
    undo.callback(h.run, "svc -u /service/qmail-verify")
    h.run("svc -d /service/qmail-verify")
    h.wait(lambda: not h.running("qmail-verify"), "its end")
    step, code, text = site.stranger(f"{user}@{HOSTNAME}")
    assert (step, code, text[:5]) == ("RCPT", "451", "4.3.0")
    # postmaster needs nobody to ask
    assert site.stranger(f"postmaster@{HOSTNAME}")[0] == "QUIT"
    undo.close()
    h.wait(lambda: site.good(f"{user}@{HOSTNAME}"), "mail again", step=0.2)


def test_nothing_of_it_runs_as_root_but_what_must(site):
    out = site.h.run("ps -eo user,args").stdout
    for user, args in re.findall(r"(?m)^(\S+) +(.*)$", out):
        name = args.split()[0].rsplit("/", 1)[-1]
        if name in ("tcpserver", "qmail-smtpd") and "pop3" not in args:
            assert user == "qmaild", args
        if name == "qmail-verify":
            assert user == "qmailp", args
        if name == "keyd":
            assert user == "keyd", args


def greeted(site, source):
    c = inside(site.h, lambda: socket.create_connection(
        ("127.0.0.1" if source == "127.0.0.1" else STRANGER, 25), 60,
        (source, 0)))
    assert c.recv(100).startswith(b"220 ")
    return c


def test_sessions_of_one_template(site, undo):
    """As installed, sessions are forked, and yet each has its own rights,
    rules, and the control files as they are now."""
    def size(source):
        with greeted(site, source) as c:
            c.sendall(b"EHLO x\r\n")
            text = b""
            while b"\r\n250 " not in text:
                text += c.recv(4096)
            c.sendall(b"MAIL FROM:<>\r\nRCPT TO:<x@else.example>\r\n")
            more = b""
            while more.count(b"\n") < 2:
                more += c.recv(4096)
        return re.search(rb"SIZE (\d+)", text).group(1), \
            more.split(b"\n")[1][:3]

    for _ in range(2):                  # RELAYCLIENT stays where it was set
        assert size("127.0.0.1") == (b"0", b"250")
        assert size(STRANGER) == (b"0", b"550")
    undo.callback(site._control, "databytes", None)
    for n in ("1000", "2000"):
        site._control("databytes", n + "\n")
        assert size(STRANGER)[0] == n.encode()
    undo.close()
    assert size(STRANGER)[0] == b"0"
    # What a session may: all of it as if it had been executed.
    site.h.wait(lambda: forked(site), "a session that was forked", step=0.2)


def forked(site):
    with greeted(site, STRANGER) as c:
        mine = rf"tcpserver: ok (\d+) .*:{c.getsockname()[1]}\n"
        pid = site.h.wait(lambda: re.findall(mine, site.h.log("qmail-smtpd")),
                          "its log line")[-1]
        read = {f: site.h.read(f"/proc/{pid}/{f}")
                for f in ("environ", "limits", "status")}
        fds = site.h.listdir(f"/proc/{pid}/fd")
        owner = site.h.stat(f"/proc/{pid}/status").st_uid
    # The kernel shows the environment that the process was executed with.
    if "TCPKEEP=3" not in read["environ"]:
        return False
    assert "TCPREMOTEIP" not in read["environ"]
    assert re.search(r"Max processes +0 +0 ", read["limits"])
    assert re.search(r"Max file size +(0|unlimited) ", read["limits"])
    assert re.search(r"Max core file size +0 +0 ", read["limits"])
    assert re.search(r"NoNewPrivs:\s+1", read["status"])
    assert owner == 0 and fds == ["0", "1", "2"]
    return True


def test_home_is_as_the_programs_say(site):
    assert site.h.run([f"{HOME}/bin/valija-check", "--manifest",
                       f"{HOME}/doc/manifest"], check=False).returncode == 0
