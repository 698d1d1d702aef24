"""What senders are told who said what they want to be told (RFC 3461, 3464):
by sendmail, through the queue, past restarts, to hosts with and without DSN.
"""

import email
import email.policy
import os
import re
import socket
import threading

import pytest

from conftest import CONTROL, HOME, Site
from remote_lab import CLONE_NEWNET, Peer, ehlo, libc

HOST = "mx.valija.test"
PORTS = {"dsn.example": 2525, "plain.example": 2526}


class Sink:
    """A Peer on a port of the host; one thread a connection."""

    def __init__(self, site, port, peer):
        self.peer = peer
        made = []

        def make():
            ns = os.open(f"/proc/{site.h.pid}/ns/net", os.O_RDONLY)
            assert libc.setns(ns, CLONE_NEWNET) == 0
            os.close(ns)
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            s.listen(64)
            made.append(s)
        t = threading.Thread(target=make)
        t.start()
        t.join()
        self.sock = made[0]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            c, _ = self.sock.accept()
            threading.Thread(target=self.peer.serve, args=(c,),
                             daemon=True).start()

    def commands(self, verb):
        return [x for c in self.peer.conns for x in c.seen
                if isinstance(x, str) and x.upper().startswith(verb)]


def rcpt(conn, line):
    box = re.search(r"<([^@>]*)", line).group(1)
    conn.say("550-5.7.26 not here\r\n550 5.7.26 really"
             if box.startswith("no") else
             "451 4.7.1 come back" if box.startswith("busy") and
             not Sink.open else "250 2.1.5 ok")


@pytest.fixture(scope="module")
def site():
    s = Site()
    s.h.write(CONTROL + "/smtproutes", "".join(
        f"{d}:127.0.0.1:{p}\n" for d, p in PORTS.items()), mode=0o644)
    s.dsn = Sink(s, PORTS["dsn.example"], Peer(RCPT=rcpt))
    s.plain = Sink(s, PORTS["plain.example"], Peer(
        RCPT=rcpt, EHLO=ehlo("8BITMIME", "SIZE 0")))
    yield s
    s.close()


@pytest.fixture
def user(site):
    Sink.open = False
    return site.new_user()


TEXT = "Subject: hello\n\n" + "line of the text\n" * 20


def submit(site, user, to, *options, text=TEXT):
    mark = site.mark()
    site.h.run(["sendmail", "-i", "-f", f"{user}@{HOST}", *options, "--",
                *([to] if isinstance(to, str) else to)], input=text,
               user="mailadmin")
    return mark


class Report:
    def __init__(self, raw):
        self.raw = raw
        self.m = m = email.message_from_string(raw,
                                               policy=email.policy.default)
        assert m["Return-Path"] == "<>" or raw.startswith("Return-Path: <>")
        assert m["Auto-Submitted"] == "auto-replied"
        self.multipart = m.get_content_type() == "multipart/report"
        if not self.multipart:
            return
        assert m.get_param("report-type") == "delivery-status"
        text, status, self.original = m.get_payload()
        assert not m.defects and not text.defects and not status.defects
        self.text = text.get_content()
        assert status.get_content_type() == "message/delivery-status"
        first, *rest = status.get_payload()
        self.fields = dict(first.items())
        self.rcpts = {r["Final-Recipient"].split(";")[1].strip():
                      dict(r.items()) for r in rest}
        self.actions = {a: r["Action"] for a, r in self.rcpts.items()}


def report(site, user, n=1):
    mails = site.mail(user, n)
    assert len(mails) == n
    return Report(mails[n - 1])


def no_report(site, user):
    """The queue is empty, so nothing is on its way either."""
    site.empty()
    assert site.mails(user) == []


def all_due(site, what):
    """Everything is due; wait for what, which is asked again and again."""
    def tried():
        if what():
            return True
        site.h.run(["svc", "-a", "/service/qmail"])
        return False
    site.h.wait(tried, "deliveries", step=0.3)


# Success.


def test_delivered(site, user):
    to = site.new_user()
    submit(site, user, f"{to}@{HOST}", "-N", "success", "-V", "QQ+31+2B4")
    r = report(site, user)
    assert r.m["Subject"] == "success notice"
    assert r.actions == {f"{to}@{HOST}": "delivered"}
    assert r.rcpts[f"{to}@{HOST}"]["Status"] == "2.0.0"
    assert r.fields["Original-Envelope-Id"] == "QQ1+4"
    assert r.fields["Reporting-MTA"] == f"dns; {HOST}"
    assert "Arrival-Date" in r.fields
    # Nothing a program of old takes for a bounce, and no text back.
    assert "Hi. This is the" not in r.text
    assert not re.search(r"(?m)^<", r.text)
    assert r.original.get_content_type() == "text/rfc822-headers"
    assert "hello" in r.original.get_content()
    assert "line of the text" not in r.raw
    assert len(site.mail(to)) == 1


def test_nothing_asked_nothing_said(site, user):
    to = site.new_user()
    submit(site, user, [f"{to}@{HOST}", "a@plain.example", "b@dsn.example"])
    site.mail(to)
    no_report(site, user)


def test_relayed(site, user):
    submit(site, user, "a@plain.example", "-Nsuccess,failure", "-Rfull")
    r = report(site, user)
    assert r.actions == {"a@plain.example": "relayed"}
    f = r.rcpts["a@plain.example"]
    assert f["Remote-MTA"] == "dns; [127.0.0.1]"
    assert "To <a@plain.example>:" in r.text
    assert r.original.get_content_type() == "text/rfc822-headers"
    assert not any("NOTIFY" in x or "ENVID" in x or "RET=" in x
                   for c in site.plain.peer.conns for x in c.seen
                   if isinstance(x, str))


def test_passed_on(site, user):
    """The next host knows DSN: it has our words, and reports itself."""
    submit(site, user, "a@dsn.example", "-Nsuccess,delay", "-Rhdrs", "-Vx+2By")
    site.h.wait(lambda: any("ENVID" in x for x in site.dsn.commands("MAIL")),
                "the MAIL command")
    no_report(site, user)
    mail = [x for x in site.dsn.commands("MAIL") if user in x][0]
    assert "RET=HDRS" in mail and "ENVID=x+2By" in mail
    to = [x for x in site.dsn.commands("RCPT") if "a@dsn.example" in x][-1]
    assert "NOTIFY=SUCCESS,DELAY" in to


# Failure.


def test_never(site, user):
    for when in ("never", "success", "delay"):
        mark = submit(site, user, [f"nobody-here@{HOST}", "no@dsn.example"],
                      "-N", when)
        for to in (f"nobody-here@{HOST}", "no@dsn.example"):
            assert site.result(to, mark)[0] == "failure"
        no_report(site, user)
        assert len(re.findall(r"(?m)^delivery \d+: failure: .* notify=no ",
                              site.log()[mark:])) == 2


def test_old_bounce_without_wishes(site, user):
    submit(site, user, f"nobody-here@{HOST}")
    r = report(site, user)
    assert not r.multipart
    assert "\n\nHi. This is the qmail-send program at" in r.raw
    assert f"\n<nobody-here@{HOST}>:\n" in r.raw
    assert "--- Below this line is a copy of the message." in r.raw


def test_failed(site, user):
    """Both failures in one report, the success of the same message too."""
    to = site.new_user()
    submit(site, user, [f"nobody-here@{HOST}", "no1@dsn.example",
                        f"{to}@{HOST}", "ok@plain.example"],
           "-Nsuccess,failure", "-Vid")
    r = report(site, user)
    site.empty()
    assert len(site.mails(user)) == 1
    assert r.m["Subject"] == "failure notice"
    assert r.actions == {f"nobody-here@{HOST}": "failed",
                         "no1@dsn.example": "failed",
                         f"{to}@{HOST}": "delivered",
                         "ok@plain.example": "relayed"}
    local = r.rcpts[f"nobody-here@{HOST}"]
    assert local["Status"] == "5.1.1"
    assert "Remote-MTA" not in local and "Diagnostic-Code" not in local
    far = r.rcpts["no1@dsn.example"]
    assert far["Status"] == "5.7.26"
    assert "Remote-MTA" in far and "Last-Attempt-Date" in far
    assert far["Diagnostic-Code"].startswith("smtp; 550")
    assert r.text.startswith(f"Hi. This is the qmail-send program at {HOST}.")
    assert re.findall(r"(?m)^<(.*)>:$", r.text) == \
        [f"nobody-here@{HOST}", "no1@dsn.example"] or \
        re.findall(r"(?m)^<(.*)>:$", r.text) == \
        ["no1@dsn.example", f"nobody-here@{HOST}"]
    assert r.original.get_content_type() == "message/rfc822"
    assert "line of the text" in r.original.as_string()


def test_headers_only(site, user):
    submit(site, user, f"nobody-here@{HOST}", "-Rhdrs")
    r = report(site, user)
    assert r.original.get_content_type() == "text/rfc822-headers"
    assert "line of the text" not in r.raw


def test_large_and_eight_bit(site, user):
    """More than bouncemaxbytes: its header only; other letters are declared,
    and a boundary that the message has guessed is none."""
    text = "Subject: h\u00e4\nX-A: --=_0000\n\n" + "x" * 70 + "\n"
    submit(site, user, f"nobody-here@{HOST}", "-Nfailure", text=text * 2000)
    r = report(site, user)
    assert r.original.get_content_type() == "text/rfc822-headers"
    submit(site, user, f"nobody-here@{HOST}", "-Nfailure", text=text)
    r = report(site, user, 2)
    assert r.original.get_content_type() == "message/rfc822"
    assert "Content-Transfer-Encoding: 8bit" in r.raw


def test_original_recipient(site, user):
    """From the queue's own interface: ORCPT, and one wish a recipient."""
    site.h.write("/run/message", TEXT, mode=0o644)
    site.h.write("/run/envelope",
                 f"F{user}@{HOST}\0MENVID=e+20f\0"
                 f"Tno1@dsn.example\0NNOTIFY=FAILURE ORCPT=rfc822;q+2B1@x\0"
                 f"Tno2@dsn.example\0NNOTIFY=NEVER\0"
                 f"Tno3@dsn.example\0\0", mode=0o644)
    site.h.run("qmail-queue </run/message 1</run/envelope", user="mailadmin")
    r = report(site, user)
    assert set(r.rcpts) == {"no1@dsn.example", "no3@dsn.example"}
    assert r.rcpts["no1@dsn.example"]["Original-Recipient"] == \
        "rfc822;q+1@x"
    assert "Original-Recipient" not in r.rcpts["no3@dsn.example"]
    assert r.fields["Original-Envelope-Id"] == "e f"
    assert any("ORCPT=rfc822;q+2B1@x" in x for x in site.dsn.commands("RCPT"))


@pytest.mark.parametrize("bad", [
    "MENVID=a+0Ab\0Tb@y\0", "Tb@y\0NNOTIFY=never\0", "M\0Tb@y\0",
    "NNOTIFY=NEVER\0Tb@y\0", "Tb@y\0MRET=HDRS\0",
    "Tb@y\0NNOTIFY=NEVER\0NNOTIFY=NEVER\0"])
def test_bad_wishes_are_refused(site, user, bad):
    site.h.write("/run/message", TEXT, mode=0o644)
    site.h.write("/run/envelope", f"F{user}@{HOST}\0{bad}\0", mode=0o644)
    p = site.h.run("qmail-queue </run/message 1</run/envelope",
                   user="mailadmin", check=False)
    assert p.returncode == 91
    assert site.h.run(["sendmail", "-N", "sometimes", "a@b"], input=TEXT,
                      user="mailadmin", check=False).returncode == 64


def test_null_sender(site, user):
    """No report ever goes there; the postmaster's is the one of old."""
    to = site.new_user()
    before = len(site.mails("mailadmin"))
    site.h.run(["sendmail", "-i", "-f", "<>", "-Nsuccess,delay", "--",
                f"{to}@{HOST}", "no9@dsn.example"], input=TEXT,
               user="mailadmin")
    site.mail(to)
    site.empty()
    assert len(site.mails("mailadmin")) == before
    site.h.run(["sendmail", "-i", "-f", "<>", "-Nsuccess,failure", "--",
                f"{to}@{HOST}", "no9@dsn.example"], input=TEXT,
               user="mailadmin")
    raw = site.mail("mailadmin", before + 1)[-1]
    raw = [m for m in site.mails("mailadmin") if "no9@dsn.example" in m][-1]
    assert "multipart/report" not in raw and "\0" not in raw
    assert "The bounce below could not be delivered" in raw
    assert f"{to}@{HOST}" not in raw.split("--- Below")[0]


# The queue.


def test_wishes_survive(site, user):
    """Deferred, restarted, listed, checked; then they hold as before."""
    mark = submit(site, user, ["busy1@plain.example", "busy2@dsn.example"],
                  "-Nsuccess", "-Vsurvives")
    for to in ("busy1@plain.example", "busy2@dsn.example"):
        assert site.result(to, mark)[0] == "deferral"
    assert f"<{user}@{HOST}>" in site.h.run(["qmail-qread"]).stdout
    site.h.run(["svc", "-d", "/service/qmail", "/service/qmail-queued"])
    site.h.wait(lambda: not (site.h.running("qmail-send") or
                             site.h.running("qmail-clean") or
                             site.h.running("qmail-queued")), "their end")
    p = site.h.run(["qmail-queuectl", "check"], user="root", check=False)
    assert p.returncode == 0, p.stdout + p.stderr
    site.h.run(["svc", "-u", "/service/qmail", "/service/qmail-queued"])
    site.h.wait(lambda: site.h.running("qmail-send"), "qmail-send")
    site.h.wait(lambda: f"<{user}@{HOST}>" in
                site.h.run(["qmail-qread"]).stdout, "the list")
    site.h.run("cat /var/qmail/queue/info/*/* | tr '\\0' '\\n' >/run/info")
    assert "MENVID=survives" in site.h.read("/run/info")
    assert "Nr0 NOTIFY=SUCCESS" in site.h.read("/run/info")
    Sink.open = True
    all_due(site, lambda: site.mails(user))
    r = report(site, user)
    site.empty()
    assert len(site.mails(user)) == 1
    assert r.actions == {"busy1@plain.example": "relayed"}
    assert r.fields["Original-Envelope-Id"] == "survives"
    assert any("ENVID=survives" in x for x in site.dsn.commands("MAIL"))


def test_many_recipients(site, user):
    """So many that they go through the queue's files at once."""
    to = [f"{'no' if i % 3 == 0 else 'ok'}{i}@plain.example"
          for i in range(90)]
    submit(site, user, to, "-Nsuccess,failure")
    r = report(site, user)
    assert r.actions == {a: "failed" if a.startswith("no") else "relayed"
                         for a in to}
    site.empty()
    assert len(site.mails(user)) == 1


def older(site, user):
    """The message of that user came five hours ago."""
    n = re.search(rf"(?m)^info msg (\d+): .* from <{user}@",
                  site.log()).group(1)
    site.h.run(["svc", "-d", "/service/qmail"])
    site.h.wait(lambda: not site.h.running("qmail-send"), "its end")
    site.h.run(f"touch -d '5 hours ago' {HOME}/queue/info/*/{n}")
    site.h.run(["svc", "-u", "/service/qmail"])
    site.h.wait(lambda: site.h.running("qmail-send"), "qmail-send to start")


def test_delay(site, user):
    """After four hours the sender is told, once, if he asked for it."""
    mark = submit(site, user, ["busy1@plain.example", "busy2@dsn.example"],
                  "-Ndelay,success", "-Vd")
    for to in ("busy1@plain.example", "busy2@dsn.example"):
        assert site.result(to, mark)[0] == "deferral"
    assert site.mails(user) == []
    mark = site.mark()
    older(site, user)
    all_due(site, lambda: site.mails(user))
    r = report(site, user)
    assert r.m["Subject"] == "delay notice"
    assert r.actions == {"busy1@plain.example": "delayed",
                         "busy2@dsn.example": "delayed"}
    f = r.rcpts["busy1@plain.example"]
    assert f["Status"] == "4.7.1" and "451" in f["Diagnostic-Code"]
    assert r.original.get_content_type() == "text/rfc822-headers"
    assert re.search(r"(?m)^delay notice msg \d+ qp \d+$", site.log()[mark:])
    # Not again, not after a restart either.
    for again in range(2):
        if again:
            site.restart()
        mark = site.mark()
        all_due(site, lambda: site.outcome("busy1@plain.example", mark))
        all_due(site, lambda: site.outcome("busy2@dsn.example", mark))
    assert len(site.mails(user)) == 1
    Sink.open = True
    all_due(site, lambda: len(site.mails(user)) == 2)
    r = [x for x in map(Report, site.mails(user))
         if x.m["Subject"] == "success notice"]
    assert r[0].actions == {"busy1@plain.example": "relayed"}


def test_no_delay_unless_asked(site, user):
    mark = submit(site, user, "busy3@plain.example", "-Nfailure")
    assert site.result("busy3@plain.example", mark)[0] == "deferral"
    older(site, user)
    mark = site.mark()
    all_due(site, lambda: site.outcome("busy3@plain.example", mark))
    assert site.mails(user) == []
    # Given up: the last reason was not permanent, the end is.
    with site.control(queuelifetime="60\n"):
        all_due(site, lambda: site.mails(user))
    r = report(site, user)
    assert r.rcpts["busy3@plain.example"]["Status"] == "5.4.7"
