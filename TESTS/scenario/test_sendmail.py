"""sendmail as the programs of a Debian system call it."""

import re

import pytest

HOST = "mx.valija.test"
SENDMAIL = "/var/qmail/bin/sendmail"


def call(site, argv, text="Subject: test\n\nhello\n", user="mailadmin",
         env=None):
    return site.h.run([SENDMAIL, *argv], input=text, user=user, check=False,
                      env=env)


# The command lines of 7.2: what cron, mutt, git, PHP, mailx and Debian's own
# packages really run.  RCPT stands for the recipient; -t takes it from To:.
CALLERS = {
    "cron": ["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "RCPT"],
    "systemd-cron": ["-i", "-B8BITMIME", "RCPT"],
    "anacron": ["-FAnacron", "-odi", "RCPT"],
    "at": ["-i", "RCPT"],
    "mutt": ["-oem", "-oi", "-B8BITMIME", "-f", "mailadmin@" + HOST, "-N",
             "never", "-R", "hdrs", "--", "RCPT"],
    "alpine": ["-oem", "-t", "-oi"],
    "git send-email": ["-f", "mailadmin@" + HOST, "-i", "RCPT"],
    "PHP": ["-t", "-i"],
    "PHP with -f": ["-t", "-i", "-fmailadmin@" + HOST],
    "mailx": ["-i", "RCPT"],
    "s-nail": ["-i", "-r", "mailadmin@" + HOST, "--", "RCPT"],
    "logwatch": ["-t"],
    "unattended-upgrades": ["-oi", "-t"],
    "popularity-contest": ["-oi", "RCPT"],
    "fail2ban": ["-f", "mailadmin@" + HOST, "RCPT"],
    "smartmontools": ["RCPT"],
    "Email::Sender": ["-i", "-f", "mailadmin@" + HOST, "--", "RCPT"],
}


@pytest.mark.parametrize("caller", CALLERS)
def test_caller(site, user, caller):
    rcpt = f"{user}@{HOST}"
    argv = [rcpt if a == "RCPT" else a for a in CALLERS[caller]]
    r = call(site, argv, f"To: {rcpt}\nSubject: {caller}\n\nhello\n")
    assert (r.returncode, r.stdout) == (0, ""), r.stderr
    text, = site.mail(user)
    assert f"\nSubject: {caller}\n" in text
    assert text.startswith(f"Return-Path: <mailadmin@{HOST}>\n")


# 7.3: every option that must be taken.
@pytest.mark.parametrize("options", [
    ["-i"], ["-oi"], ["-oem"], ["-oee"], ["-em"], ["-odi"], ["-odb"],
    ["-odq"], ["-FName"], ["-F", "A Name"], ["-f", "a@b.example"],
    ["-fa@b.example"], ["-B8BITMIME"], ["-B", "7BIT"], ["-p", "ESMTP"], ["-v"],
    ["-x"], ["-m"], ["-oMrFOO"], ["-oQ/tmp"], ["-N", "never"],
    ["-Nfailure,delay"], ["-R", "hdrs"], ["-V", "envid"],
    ["-r", "a@b.example"], ["-h", "3"], ["-G"], ["-U"], ["-L", "tag"],
    ["-Am"], ["-Ac"], ["-A", "m"], ["-O", "Timeout=1"], ["-bm"], ["--"],
    ["-C", "/etc/mail/sendmail.cf"]],
    ids=lambda o: " ".join(o))
def test_option_is_taken(site, user, options):
    r = call(site, [*options, f"{user}@{HOST}"] if options != ["--"]
             else ["--", f"{user}@{HOST}"])
    assert r.returncode == 0, r.stderr
    assert len(site.mail(user)) == 1


def test_f_sets_the_envelope_sender(site, user):
    call(site, ["-f", "other@from.example", f"{user}@{HOST}"])
    text, = site.mail(user)
    assert text.startswith("Return-Path: <other@from.example>\n")


def test_null_sender(site, user):
    call(site, ["-f", "", f"{user}@{HOST}"])
    call(site, ["-f", "<>", f"{user}@{HOST}"])
    for text in site.mail(user, 2):
        assert text.startswith("Return-Path: <>\n")


def test_F_sets_the_name(site, user):
    call(site, ["-FCron Daemon", f"{user}@{HOST}"])
    text, = site.mail(user)
    field = re.search(r"(?m)^From: (.*)$", text).group(1)
    assert "Cron Daemon" in field and f"mailadmin@{HOST}" in field


def test_t_reads_the_header_and_hides_bcc(site, user):
    cc, bcc = site.new_user(), site.new_user()
    r = call(site, ["-t"], f"To: {user}@{HOST}\nCc: Someone <{cc}@{HOST}>\n"
             f"Bcc: {bcc}@{HOST}\nSubject: t\n\nhello\n")
    assert r.returncode == 0
    for who in (user, cc, bcc):
        text, = site.mail(who)
        assert "Bcc:" not in text and bcc not in text.split(
            "\n\n")[0].replace(f"Delivered-To: {bcc}@{HOST}", "")


def test_t_adds_the_arguments(site, user):
    other = site.new_user()
    r = call(site, ["-t", f"{other}@{HOST}"], f"To: {user}@{HOST}\n\nx\n")
    assert r.returncode == 0
    site.mail(user)
    site.mail(other)


def test_t_without_recipients_is_a_usage_error(site):
    r = call(site, ["-t"], "Subject: nobody\n\nx\n")
    assert r.returncode in (64, 65) and r.stderr.startswith("sendmail: ")


def test_no_recipient_at_all(site):
    r = call(site, [])
    assert r.returncode in (64, 65) and "sendmail: " in r.stderr


def test_lone_dot_ends_the_message_without_i(site, user):
    call(site, [f"{user}@{HOST}"], "Subject: x\n\none\n.\ntwo\n")
    text, = site.mail(user)
    assert text.endswith("\none\n") and "two" not in text


@pytest.mark.parametrize("option", ["-i", "-oi"])
def test_lone_dot_is_text_with_i(site, user, option):
    call(site, [option, f"{user}@{HOST}"], "Subject: x\n\none\n.\ntwo\n")
    text, = site.mail(user)
    assert text.endswith("\none\n.\ntwo\n")


@pytest.mark.parametrize("argv", [["-bi"], ["-I"]])
def test_rebuilding_aliases_succeeds(site, argv):
    assert call(site, argv, "").returncode == 0


def test_newaliases(site):
    site.h.run("ln -sf /var/qmail/bin/sendmail /run/newaliases")
    assert site.h.run(["/run/newaliases"], check=False).returncode == 0
    assert site.h.run(["newaliases"], check=False).returncode == 0


def test_mailq(site, user):
    site.dotqmail(user, "|exit 111\n")
    mark = site.send(f"{user}@{HOST}", sender="waiting@from.example")
    assert site.result(f"{user}@{HOST}", mark)[0] == "deferral"
    site.h.run("ln -sf /var/qmail/bin/sendmail /run/mailq")
    n = re.search(r"(?m)^new msg (\d+)", site.log()[mark:]).group(1)
    # What is deferred has files at once; todo goes after the next sync.
    site.h.wait(lambda: site.h.run(
        ["test", "-e", f"/var/qmail/queue/todo/{n}"],
        check=False).returncode != 0, "the message to leave todo")
    for argv in ([SENDMAIL, "-bp"], ["/run/mailq"], ["qmail-qread"],
                 ["mailq"]):
        out = site.h.run(argv).stdout
        assert re.search(rf"(?m)^\d+ \w{{3}} \d{{4}} \d\d:\d\d:\d\d GMT +"
                         rf"#{n} +\d+ +<waiting@from\.example>", out), argv
        assert re.search(rf"(?m)^\s+local\s+{user}@{re.escape(HOST)}$", out)
    out = site.h.run(["qmail-qstat"]).stdout
    m = re.fullmatch(r"messages in queue: (\d+)\nmessages in queue but not "
                     r"yet preprocessed: (\d+)\n", out)
    assert m and int(m.group(1)) >= 1
    site.dotqmail(user, "#\n")
    site.h.run(["svc", "-a", "/service/qmail"])


def test_mailq_of_somebody_else_says_why_not(site):
    r = site.h.run([SENDMAIL, "-bp"], user="mailadmin", check=False)
    assert r.returncode != 0 and r.stderr


def test_q_flushes(site, user):
    site.dotqmail(user, "|test -e ready || exit 111\n./Maildir/\n")
    mark = site.send(f"{user}@{HOST}")
    assert site.result(f"{user}@{HOST}", mark)[0] == "deferral"
    site.h.run(["touch", "ready"], user=user, cwd=f"/home/{user}")
    r = site.h.run([SENDMAIL, "-q"], check=False)
    assert r.returncode == 0, r.stderr
    site.mail(user)


def test_bd_is_a_note(site):
    r = call(site, ["-bd"], "")
    assert r.returncode == 0


@pytest.mark.parametrize("argv", [["-bt"], ["-d0"], ["-X", "/tmp/x"],
                                  ["-Mx"], ["-s"], ["-bz"], ["-K"]],
                         ids=lambda a: " ".join(a))
def test_what_is_not_here_is_a_usage_error(site, argv):
    r = call(site, argv + ["mailadmin"])
    assert r.returncode == 64, r.stderr
    assert r.stderr.startswith("sendmail: ")


def test_bv_says_where_mail_goes(site):
    r = call(site, ["-bv", f"mailadmin@{HOST}"], "")
    assert r.returncode == 0 and f"mailadmin@{HOST}" in r.stdout


def test_long_address_is_a_data_error(site):
    r = call(site, ["x" * 2000 + "@" + HOST])
    assert r.returncode in (64, 65, 67), r.stderr
    assert r.stderr


def test_eight_bit_text_arrives_as_it_was(site, user):
    raw = b"Subject: test\n\nma\xc3\xb1ana \xf1\x80\x00 end\n".decode(
        "utf-8", "surrogateescape")
    assert call(site, ["-i", f"{user}@{HOST}"], raw).returncode == 0
    text, = site.mail(user)
    assert text.endswith(raw.split("\n\n", 1)[1])
