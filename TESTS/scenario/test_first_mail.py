"""The first messages an administrator sends after an installation, each one a
sentence of the classic installation instructions."""

import re


def inject(site, text):
    """As typed at a shell: echo to: NAME | /var/qmail/bin/qmail-inject"""
    mark = site.mark()
    site.h.run(f"echo {text} | /var/qmail/bin/qmail-inject", user="mailadmin")
    return mark


def test_everything_is_running(site):
    for name in ("svscan", "supervise", "multilog", "qmail-queued",
                 "qmail-send", "qmail-todo", "qmail-lspawn", "qmail-rspawn",
                 "qmail-clean"):
        assert site.h.running(name), name
    out = site.h.run(["svstat", "/service/qmail", "/service/qmail-queued"])
    assert re.search(r"^/service/qmail: up \(pid \d+\) \d+ seconds", out.stdout,
                     re.M)


def test_programs_run_as_their_users(site):
    want = {"qmail-queued": "qmailq", "qmail-clean": "qmailq",
            "qmail-send": "qmails", "qmail-todo": "qmails",
            "qmail-rspawn": "qmailr", "qmail-lspawn": "root"}
    out = site.h.run(["ps", "-eo", "user:32,comm"]).stdout
    for line in out.splitlines()[1:]:
        who, comm = line.split(None, 1)
        if comm in want:
            assert who == want.pop(comm), comm
        if comm == "multilog":
            assert who == "qmaill"
    assert not want


def test_local_delivery(site):
    before = len(site.mails("mailadmin"))
    mark = inject(site, "to: mailadmin")
    site.mail("mailadmin", before + 1)
    assert site.result("mailadmin@mx.valija.test", mark)[0] == "success"
    text = site.mails("mailadmin")[-1]
    head = text.split("\n\n")[0]
    assert re.search(r"^Return-Path: <mailadmin@mx\.valija\.test>$", head, re.M)
    assert re.search(r"^Delivered-To: mailadmin@mx\.valija\.test$", head, re.M)
    uid = site.h.user("mailadmin").pw_uid
    assert re.search(rf"^Received: \(qmail \d+ invoked by uid {uid}\); "
                     r"\d+ \w{3} \d{4} \d\d:\d\d:\d\d -0000$", head, re.M)
    for field in ("Date", "Message-ID", "From"):
        assert re.search(rf"^{field}: ", head, re.M | re.I), field
    assert re.search(r"^to: mailadmin@mx\.valija\.test$", head, re.M | re.I)


def test_the_log_tells_the_way_of_a_message(site):
    mark = inject(site, "to: mailadmin")
    site.result("mailadmin@mx.valija.test", mark)
    site.h.wait(lambda: re.search(r"(?m)^end msg ", site.log()[mark:]),
                "the end of the message in the log")
    log = site.log()[mark:]
    n = re.search(r"(?m)^new msg (\d+)$", log).group(1)
    uid = site.h.user("mailadmin").pw_uid
    assert re.search(rf"(?m)^info msg {n}: bytes \d+ from "
                     rf"<mailadmin@mx\.valija\.test> qp \d+ uid {uid}\b", log)
    d = re.search(rf"(?m)^starting delivery (\d+): msg {n} to local "
                  r"mailadmin@mx\.valija\.test\b", log).group(1)
    assert re.search(r"(?m)^status: local 1/\d+ remote 0/\d+", log)
    assert re.search(rf"(?m)^delivery {d}: success: did_1\+0\+0/", log)
    assert re.search(rf"(?m)^end msg {n}\b", log)
    current = site.h.read("/var/log/qmail/qmail/current")
    assert re.match(r"@[0-9a-f]{24} ", current)


def test_unknown_user_is_answered_with_a_bounce(site):
    old = site.mails("mailadmin")
    mark = inject(site, "to: noexiste")
    status, text = site.result("noexiste@mx.valija.test", mark)
    assert status == "failure" and "#5.1.1" in text
    bounce = site.h.wait(
        lambda: [m for m in site.mails("mailadmin") if m not in old and
                 "<noexiste@mx.valija.test>:" in m], "the bounce")[0]
    head, body = bounce.split("\n\n", 1)
    assert re.search(r"^Return-Path: <>$", head, re.M)
    assert re.search(r"^From: MAILER-DAEMON@mx\.valija\.test$", head, re.M)
    assert re.search(r"^To: mailadmin@mx\.valija\.test$", head, re.M)
    assert re.search(r"^Subject: failure notice$", head, re.M)
    assert re.search(r"^Date: \d+ \w{3} \d{4} \d\d:\d\d:\d\d ", head, re.M)
    assert body.startswith("Hi. This is the qmail-send program at "
                           "mx.valija.test.")
    paragraphs = body.split("\n\n")
    about, = [p for p in paragraphs
              if p.startswith("<noexiste@mx.valija.test>:\n")]
    assert "#5.1.1" in about
    assert any(p.startswith("--- Below this line is a copy of the message.")
               for p in paragraphs)
    assert "Return-Path: <mailadmin@mx.valija.test>" in body
    assert re.search(r"(?m)^bounce msg \d+ qp \d+", site.log()[mark:])


def test_mail_to_the_internet_goes_to_the_remote_channel(site):
    mark = inject(site, "to: yo@unlugarlejano.com")
    status, _ = site.result("yo@unlugarlejano.com", mark)
    assert re.search(r"(?m)^starting delivery \d+: msg \d+ to remote "
                     r"yo@unlugarlejano\.com", site.log()[mark:])
    assert status == "deferral"         # there is no network here


def test_postmaster_reaches_the_administrator(site):
    for name in ("postmaster", "root", "mailer-daemon"):
        before = len(site.mails("mailadmin"))
        mark = inject(site, f"to: {name}")
        site.mail("mailadmin", before + 1)
        assert site.result(f"{name}@mx.valija.test", mark)[0] == "success"
        assert any(f"Delivered-To: {name}@mx.valija.test\n" in m
                   for m in site.mails("mailadmin"))


def test_localhost_is_local(site):
    before = len(site.mails("mailadmin"))
    inject(site, "to: mailadmin@localhost")
    site.mail("mailadmin", before + 1)
