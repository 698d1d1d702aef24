"""qmail-inject through to the mailbox: options and environment."""

import re

import pytest

HOST = "mx.valija.test"


def inject(site, argv, text, env=None, user="mailadmin", check=True):
    return site.h.run(["qmail-inject", *argv], input=text, env=env, user=user,
                      check=check)


def printed(site, argv, text, env=None):
    return inject(site, ["-n", *argv], text, env).stdout


def fields(text, name):
    return re.findall(rf"(?mi)^{name}: (.*)$", text.split("\n\n")[0])


def test_recipients_come_from_the_header_by_default(site, user):
    cc, bcc = site.new_user(), site.new_user()
    inject(site, [], f"To: {user}\nCc: {cc}\nBcc: {bcc}\n\nhello\n")
    for who in (user, cc, bcc):
        text, = site.mail(who)
        assert not fields(text, "Bcc")


def test_a_uses_the_arguments_alone(site, user):
    other = site.new_user()
    inject(site, ["-a", user], f"To: {other}\n\nx\n")
    site.mail(user)
    assert site.mails(other) == []


def test_h_uses_the_header_alone(site, user):
    other = site.new_user()
    inject(site, ["-h", other], f"To: {user}\n\nx\n")
    site.mail(user)
    assert site.mails(other) == []


def test_A_prefers_the_arguments(site, user):
    other = site.new_user()
    inject(site, ["-A", user], f"To: {other}\n\nx\n")
    site.mail(user)
    assert site.mails(other) == []


def test_H_uses_both(site, user):
    other = site.new_user()
    inject(site, ["-H", other], f"To: {user}\n\nx\n")
    site.mail(user)
    site.mail(other)


def test_n_prints_and_queues_nothing(site, user):
    text = printed(site, [], f"To: {user}\n\nx\n")
    assert fields(text, "To") == [f"{user}@{HOST}"]
    assert text.endswith("\n\nx\n")
    assert site.mails(user) == []


def test_resent_fields_take_precedence(site, user):
    other = site.new_user()
    inject(site, [], f"To: {other}\nResent-To: {user}\n\nx\n")
    site.mail(user)
    assert site.mails(other) == []


def test_missing_recipient_fields(site):
    text = printed(site, ["-a", "mailadmin"], "Subject: x\n\ny\n")
    assert fields(text, "Cc") == ["recipient list not shown: ;"]


def test_fields_that_go(site):
    text = printed(site, ["-a", "x"], "Return-Path: <a@b.example>\n"
                   "Content-Length: 3\nBcc: y\nTo: x\n\nz\n")
    for name in ("Bcc", "Content-Length"):
        assert not fields(text, name)
    # -n shows the sender as qmail-local would write it
    assert fields(text, "Return-Path") == ["<a@b.example>"]


def test_return_path_is_the_sender(site, user):
    inject(site, [], f"Return-Path: <owner@list.example>\nTo: {user}\n\nx\n")
    text, = site.mail(user)
    assert text.startswith("Return-Path: <owner@list.example>\n")


@pytest.mark.parametrize("env,field,want", [
    ({"QMAILUSER": "q"}, "From", f"q@{HOST}"),
    ({"MAILUSER": "m"}, "From", f"m@{HOST}"),
    ({"QMAILUSER": "q", "QMAILHOST": "h.example"}, "From", "q@h.example"),
    ({"QMAILUSER": "q", "MAILHOST": "m.example"}, "From", "q@m.example"),
    ({"QMAILDEFAULTHOST": "dh.example"}, "To", "bare@dh.example"),
    ({"QMAILDEFAULTHOST": "dh", "QMAILDEFAULTDOMAIN": "dd.example"}, "To",
     "bare@dh.dd.example"),
])
def test_environment(site, env, field, want):
    text = printed(site, [], "To: bare\n\nx\n", env)
    assert want in fields(text, field)[0]


def test_plusdomain(site):
    text = printed(site, [], "To: a@host+\n\nx\n",
                   {"QMAILPLUSDOMAIN": "plus.example"})
    assert fields(text, "To") == ["a@host.plus.example"]


def test_name_in_comment(site):
    env = {"QMAILNAME": "A Name", "QMAILUSER": "q"}
    assert fields(printed(site, [], "To: x\n\n", env), "From") == \
        [f"A Name <q@{HOST}>"] or '"A Name" <q@' in str(
            fields(printed(site, [], "To: x\n\n", env), "From"))
    assert fields(printed(site, [], "To: x\n\n",
                          {**env, "QMAILINJECT": "c"}), "From") == \
        [f"q@{HOST} (A Name)"]


def test_letters_delete_fields(site):
    text = "From: f@x.example\nMessage-ID: <i@x.example>\nTo: a@b.example\n\n"
    env = {"QMAILUSER": "q"}
    assert fields(printed(site, [], text, env), "From") == ["f@x.example"]
    out = printed(site, [], text, {**env, "QMAILINJECT": "f"})
    assert fields(out, "From") == [f"q@{HOST}"]
    out = printed(site, [], text, {**env, "QMAILINJECT": "i"})
    assert fields(out, "Message-ID") != ["<i@x.example>"]
    assert fields(printed(site, [], text, env), "Message-ID") == \
        ["<i@x.example>"]


def test_verp_letters(site, user):
    inject(site, [], f"To: {user}\n\nx\n", {"QMAILINJECT": "r",
           "QMAILSUSER": "list", "QMAILSHOST": "l.example"})
    text, = site.mail(user)
    assert text.startswith(f"Return-Path: <list-{user}={HOST}@l.example>\n")
    other = site.new_user()
    inject(site, [], f"To: {other}\n\nx\n", {"QMAILINJECT": "m",
           "QMAILSUSER": "list", "QMAILSHOST": "l.example"})
    text, = site.mail(other)
    assert re.match(r"Return-Path: <list-\d+\.\d+(\.\w+)*@l\.example>\n", text)


def test_mail_followup_to(site, user):
    site.h.write(f"/home/{user}/lists", "talk@list.example\n", mode=0o644,
                 owner=user)
    env = {"QMAILMFTFILE": f"/home/{user}/lists"}
    text = printed(site, [], "To: talk@list.example, a@b.example\n\n", env)
    mft = fields(text, "Mail-Followup-To")
    assert mft and "talk@list.example" in mft[0] and "a@b.example" in mft[0]
    assert not fields(printed(site, [], "To: a@b.example\n\n", env),
                      "Mail-Followup-To")


def test_wrong_option(site):
    r = inject(site, ["-z"], "", check=False)
    assert r.returncode == 100 and r.stderr.startswith("qmail-inject: ")


def test_header_that_cannot_be_parsed(site):
    r = inject(site, [], "To: a b c <\n\nx\n", check=False)
    assert r.returncode == 100 and r.stderr.startswith("qmail-inject: fatal: ")


def test_qmailqueue_replaces_the_queue(site):
    site.h.write("/run/otherqueue", "#!/bin/sh\ncat >/tmp/other.msg\n"
                 "cat <&1 >/tmp/other.env\n", mode=0o755)
    inject(site, ["-a", "x@y.example"], "Subject: z\n\nw\n",
           {"QMAILQUEUE": "/run/otherqueue"})
    assert site.h.read("/tmp/other.env") == \
        f"Fmailadmin@{HOST}\0Tx@y.example\0\0"
    assert "Subject: z\n" in site.h.read("/tmp/other.msg")


@pytest.mark.parametrize("code,want", [
    (31, 100), (11, 100), (35, 100), (53, 111), (71, 111), (81, 111),
    (91, 111), (120, 111), (1, 111), (200, 111)])
def test_exit_codes_of_a_queue(site, code, want):
    site.h.write("/run/failqueue", f"#!/bin/sh\ncat >/dev/null\nexit {code}\n",
                 mode=0o755)
    r = inject(site, ["-a", "x@y.example"], "\n",
               {"QMAILQUEUE": "/run/failqueue"}, check=False)
    assert r.returncode == want, r.stderr
    assert r.stderr.startswith("qmail-inject: fatal: ")


@pytest.mark.parametrize("dialect,code", [(6, 82), (4, 82), (4, 88)])
@pytest.mark.parametrize("letter,want", [("D", 100), ("Z", 111)])
def test_words_of_a_queue(site, dialect, code, letter, want):
    site.h.write("/run/sayqueue", f"#!/bin/sh\ncat >/dev/null\n"
                 f"printf '{letter}my own words' >&{dialect}\nexit {code}\n",
                 mode=0o755)
    r = inject(site, ["-a", "x@y.example"], "\n",
               {"QMAILQUEUE": "/run/sayqueue"}, check=False)
    assert r.returncode == want and "my own words" in r.stderr


def test_missing_queue_program(site):
    r = inject(site, ["-a", "x@y.example"], "\n",
               {"QMAILQUEUE": "/nonexistent"}, check=False)
    assert r.returncode == 111


def test_datemail_mailsubj_predate(site, user):
    site.h.run(["mailsubj", "a subject", user], input="words\n",
               user="mailadmin")
    text, = site.mail(user)
    assert fields(text, "Subject") == ["a subject"]
    assert text.endswith("\nwords\n")
    other = site.new_user()
    site.h.run(["datemail", "-t"], input=f"To: {other}\n\nx\n",
               user="mailadmin", env={"TZ": "CET-1"})
    text, = site.mail(other)
    assert re.search(r" \+0100$", fields(text, "Date")[0])
    out = site.h.run(["predate", "cat"], input="To: x\n\n",
                     env={"TZ": "CET-1"}).stdout
    assert re.match(r"Date: \d+ \w{3} \d{4} \d\d:\d\d:\d\d \+0100\n"
                    r"To: x\n\n", out)
