"""Bounces, what bounces of bounces become, and the settings of both."""

import re

HOST = "mx.valija.test"


def bounce_for(site, user, needle, seen=0):
    return site.h.wait(lambda: [m for m in site.mails(user)[seen:]
                                if needle in m], f"a bounce of {needle}")[0]


def test_qsbmf_form(site, user):
    site.dotqmail(user, "|printf 'first\\n\\nthird\\n'; exit 100\n", ext="no")
    text = ("Subject: original\nX-Mark: kept\n\nbody line\n"
            "--- Below this line is a copy of the message.\n")
    site.send([f"{user}-no@{HOST}", f"noexiste@{HOST}"], text=text, user=user)
    bounce = bounce_for(site, user, f"<{user}-no@{HOST}>:")
    assert bounce.startswith("Return-Path: <>\n"
                             f"Delivered-To: {user}@{HOST}\n"
                             "Received: (qmail ")
    assert re.search(r"^Received: \(qmail \d+ invoked for bounce\); ", bounce,
                     re.M)
    head, body = bounce.split("\n\n", 1)
    parts = body.split("\n\n")
    assert parts[0].startswith("Hi. This is the qmail-send program at ")
    about = {p.split("\n")[0]: p.split("\n")[1:] for p in parts
             if re.match(r"<[^>]*>:\n", p)}
    assert set(about) == {f"<{user}-no@{HOST}>:", f"<noexiste@{HOST}>:"}
    # a blank line inside a report would end the paragraph
    assert about[f"<{user}-no@{HOST}>:"] == ["first", "/", "third"]
    copy = body.split("--- Below this line is a copy of the message.\n\n",
                      1)[1]
    assert copy.startswith(f"Return-Path: <{user}@{HOST}>\nReceived: (qmail ")
    assert "\nX-Mark: kept\n" in copy
    assert copy.endswith("\nbody line\n"
                         "--- Below this line is a copy of the message.\n")
    assert len([m for m in site.mails(user)]) == 1      # one for both


def test_bouncefrom_and_bouncehost(site, user):
    with site.control(bouncefrom="Mail-System\n",
                      bouncehost="bounces.example\n"):
        site.send(f"noexiste@{HOST}", user=user)
        bounce = bounce_for(site, user, "noexiste")
    assert re.search(r"^From: Mail-System@bounces\.example$", bounce, re.M)
    assert "qmail-send program at bounces.example" in bounce


def test_null_sender_makes_a_double_bounce(site):
    seen = len(site.mails("mailadmin"))
    mark = site.queue("", [f"noexiste@{HOST}"], text="Subject: lost\n\nx\n")
    text = bounce_for(site, "mailadmin", "Subject: lost", seen)
    assert text.startswith("Return-Path: <#@[]>\n")
    assert f"To: postmaster@{HOST}\n" in text
    assert "--- Below this line is the original bounce.\n" in text
    site.h.wait(lambda: re.search(r"(?m)^bounce msg \d+ qp \d+",
                                  site.log()[mark:]), "the log line")


def test_doublebounceto_and_host(site, user):
    with site.control(doublebounceto=f"{user}\n",
                      doublebouncehost="mx.valija.test\n"):
        site.queue("", [f"noexiste@{HOST}"])
        bounce_for(site, user, "original bounce")


def test_double_bounce_sender_is_discarded(site):
    seen = len(site.mails("mailadmin"))
    mark = site.queue("#@[]", [f"noexiste@{HOST}"])
    site.h.wait(lambda: re.search(r"(?m)^triple bounce: discarding bounce/\d+",
                                  site.log()[mark:]),
                "the triple bounce in the log")
    site.h.wait(lambda: re.search(r"(?m)^end msg", site.log()[mark:]),
                "its end")
    assert len(site.mails("mailadmin")) == seen


def test_verp_sender_bounces_to_its_prefix(site, user):
    """A stored VERP sender is expanded for each delivery, but a message that
    fails as a whole goes back to the prefix."""
    mark = site.queue(f"{user}-@{HOST}-@[]", [f"noexiste@{HOST}"])
    site.result(f"noexiste@{HOST}", mark)
    rcpt = f"{user}-@{HOST}"
    site.h.wait(lambda: re.search(rf"to local {re.escape(rcpt)}",
                                  site.log()[mark:]), "the bounce")


def test_bounce_of_a_big_message_is_cut(site, user):
    big = "Subject: big\n\n" + ("x" * 70 + "\n") * 60000
    site.send(f"noexiste@{HOST}", text=big, user=user)
    bounce = bounce_for(site, user, "noexiste")
    assert len(bounce) < len(big) / 2
    assert "\nSubject: big\n" in bounce


def test_queuelifetime_ends_the_waiting(site, user):
    site.dotqmail(user, "|echo try later; exit 111\n", ext="later")
    with site.control(queuelifetime="0\n"):
        mark = site.send(f"{user}-later@{HOST}", user=user)
        site.h.wait(lambda: site.h.run(["svc", "-a", "/service/qmail"]) and
                    site.mails(user), "the bounce", step=1)
        bounce = bounce_for(site, user, f"<{user}-later@{HOST}>:")
        assert "try later\n" in bounce
        log = site.log()[mark:]
        assert re.search(r"(?m)^delivery \d+: failure: ", log)
    about = [p for p in bounce.split("\n\n")
             if p.startswith(f"<{user}-later@{HOST}>:\n")][0]
    assert len(about.splitlines()) >= 3         # the extra line of giving up


def test_hostile_address_cannot_forge_a_paragraph(site, user):
    seen = len(site.mails(user))
    evil = f"a\n\n<victim@example.org>:\n550@{HOST}"
    site.queue(f"{user}@{HOST}", [evil])
    bounce = bounce_for(site, user, "--- Below this line", seen)
    assert "\n\n<victim@example.org>:" not in \
        bounce.split("--- Below this line")[0]


def test_bounce_to_a_sender_that_fails_ends_as_double(site):
    seen = len(site.mails("mailadmin"))
    site.queue(f"noexiste1@{HOST}", [f"noexiste2@{HOST}"],
               text="Subject: twofold\n\nx\n")
    text = bounce_for(site, "mailadmin", "Subject: twofold", seen)
    assert text.startswith("Return-Path: <#@[]>\n")
    assert f"<noexiste1@{HOST}>:\n" in text and f"<noexiste2@{HOST}>:" in text
