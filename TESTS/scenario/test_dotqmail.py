"""Every form of a .qmail file, through the queue, and qmail-local's answers."""

import os
import re

import pytest

HOST = "mx.valija.test"


def deliver(site, user, ext="", **kw):
    rcpt = f"{user}-{ext}" if ext else user
    mark = site.send(f"{rcpt}@{HOST}", **kw)
    return site.result(f"{rcpt}@{HOST}", mark)


# Where mail goes.

def test_no_dotqmail_means_the_default_delivery(site, user):
    assert deliver(site, user) == ("success", "did_1+0+0/")
    assert len(site.mails(user)) == 1


def test_empty_file_means_the_default_delivery(site, user):
    site.dotqmail(user, "")
    assert deliver(site, user)[0] == "success"
    assert len(site.mails(user)) == 1


def test_empty_extension_file_means_the_default_delivery(site, user):
    site.dotqmail(user, "", ext="list")
    assert deliver(site, user, "list")[0] == "success"
    assert len(site.mails(user)) == 1


def test_comment_alone_drops_the_message(site, user):
    site.dotqmail(user, "# gone\n")
    assert deliver(site, user) == ("success", "did_0+0+0/")
    assert site.mails(user) == []


def test_maildir(site, user):
    site.h.run(["maildirmake", "Other"], user=user)
    site.dotqmail(user, "./Other/\n")
    assert deliver(site, user) == ("success", "did_1+0+0/")
    text, = site.mails(user, "Other")
    assert text.startswith(f"Return-Path: <mailadmin@{HOST}>\n"
                           f"Delivered-To: {user}@{HOST}\n")
    assert text.endswith("\n\nhello\n")
    name, = site.h.listdir(f"/home/{user}/Other/new")
    st = site.h.stat(f"/home/{user}/Other/new/{name}")
    assert st.st_uid == site.h.user(user).pw_uid
    assert name.endswith(f",S={len(text.encode())},"
                         f"W={len(text.encode()) + text.count(chr(10))}")
    assert st.st_mode & 0o077 == 0
    assert site.h.listdir(f"/home/{user}/Other/tmp") == []


def test_maildir_by_absolute_path(site, user):
    site.h.run(["maildirmake", "Abs"], user=user)
    site.dotqmail(user, f"/home/{user}/Abs/\n")
    assert deliver(site, user)[0] == "success"
    assert len(site.mails(user, "Abs")) == 1


def test_missing_maildir_is_tried_again(site, user):
    site.dotqmail(user, "./Nowhere/\n")
    assert deliver(site, user)[0] == "deferral"
    site.h.run(["maildirmake", "Nowhere"], user=user)
    site.h.run(["svc", "-a", "/service/qmail"])
    site.mail(user, maildir="Nowhere")


def test_mbox(site, user):
    site.dotqmail(user, "./mbox\n")
    text = "Subject: one\n\nFrom here on\n>From there\nplain\nno newline"
    assert deliver(site, user, text=text) == ("success", "did_1+0+0/")
    mbox = site.h.read(f"/home/{user}/mbox")
    lines = mbox.split("\n")
    assert re.match(rf"From mailadmin@{re.escape(HOST)} \w{{3}} \w{{3}} [ \d]\d "
                    r"\d\d:\d\d:\d\d \d{4}$", lines[0])
    assert lines[1] == f"Return-Path: <mailadmin@{HOST}>"
    assert lines[2] == f"Delivered-To: {user}@{HOST}"
    assert ">From here on" in lines and ">>From there" in lines
    assert mbox.endswith("\nplain\nno newline\n\n")
    assert deliver(site, user)[0] == "success"
    assert len(re.findall(r"(?m)^From ", site.h.read(f"/home/{user}/mbox"))) \
        == 2


def test_null_sender_in_mbox_is_mailer_daemon(site, user):
    site.dotqmail(user, "./mbox\n")
    mark = site.queue("", [f"{user}@{HOST}"])
    assert site.result(f"{user}@{HOST}", mark)[0] == "success"
    mbox = site.h.read(f"/home/{user}/mbox")
    assert mbox.startswith("From MAILER-DAEMON ")
    assert "Return-Path: <>\n" in mbox


def test_forward(site, user):
    other, third = site.new_user(), site.new_user()
    site.dotqmail(user, f"&{other}@{HOST}\n{third}\n")
    mark = site.send(user)
    status, text = site.result(f"{user}@{HOST}", mark)
    assert status == "success"
    assert re.fullmatch(r"did_0\+2\+0/qp_\d+/", text)
    for who in (other, third):
        message, = site.mail(who)
        assert message.startswith(f"Return-Path: <mailadmin@{HOST}>\n"
                                  f"Delivered-To: {who}@{HOST}\n")
        assert f"\nDelivered-To: {user}@{HOST}\n" in message


def test_instructions_run_in_order(site, user):
    other = site.new_user()
    site.dotqmail(user, f"#\n./Maildir/\n\n&{other}\n|cat >>out\n./mbox\n")
    status, text = deliver(site, user)
    assert status == "success"
    assert re.fullmatch(r"did_2\+1\+1/qp_\d+/", text)
    assert site.h.exists(f"/home/{user}/out")
    assert site.h.exists(f"/home/{user}/mbox")
    site.mail(other)


def test_trailing_blanks_are_dropped(site, user):
    site.dotqmail(user, "./Maildir/ \t\n")
    assert deliver(site, user)[0] == "success"
    assert len(site.mails(user)) == 1


def test_last_line_without_newline(site, user):
    site.dotqmail(user, "./Maildir/")
    assert deliver(site, user)[0] == "success"
    assert len(site.mails(user)) == 1


# Programs.

def test_program_reads_the_message_without_extra_fields(site, user):
    site.dotqmail(user, "|cat >seen\n")
    assert deliver(site, user) == ("success", "did_0+0+1/")
    seen = site.h.read(f"/home/{user}/seen")
    assert seen.startswith("Received: (qmail ")
    assert "Delivered-To" not in seen and "Return-Path" not in seen
    assert seen.endswith("\n\nhello\n")


def test_every_program_reads_from_the_start(site, user):
    site.dotqmail(user, "|cat >one\n|cat >two\n")
    assert deliver(site, user) == ("success", "did_0+0+2/")
    assert site.h.read(f"/home/{user}/one") == site.h.read(f"/home/{user}/two")


def test_program_environment(site, user):
    site.dotqmail(user, "|env -0 >env; id -u >id; pwd >pwd\n",
                  ext="one-default")
    rcpt = f"{user}-one-two-three-four@{HOST}"
    mark = site.send(rcpt, sender="someone@sender.example")
    assert site.result(rcpt, mark)[0] == "success"
    home = f"/home/{user}"
    env = dict(v.split("=", 1)
               for v in site.h.read(f"{home}/env").split("\0") if v)
    want = {
        "USER": user, "HOME": home, "HOST": HOST,
        "LOCAL": f"{user}-one-two-three-four", "RECIPIENT": rcpt,
        "SENDER": "someone@sender.example",
        "NEWSENDER": "someone@sender.example",
        "EXT": "one-two-three-four", "EXT2": "two-three-four",
        "EXT3": "three-four", "EXT4": "four", "DEFAULT": "two-three-four",
        "HOST2": "mx.valija", "HOST3": "mx",
        "DTLINE": f"Delivered-To: {rcpt}\n",
        "RPLINE": "Return-Path: <someone@sender.example>\n",
    }
    assert {k: env.get(k) for k in want} == want
    assert re.fullmatch(r"From someone@sender\.example \w{3} \w{3} [ \d]\d "
                        r"\d\d:\d\d:\d\d \d{4}\n", env["UFLINE"])
    assert "HOST4" in env
    entry = site.h.user(user)
    assert site.h.read(f"{home}/id").strip() == str(entry.pw_uid)
    assert site.h.read(f"{home}/pwd").strip() == home


def test_default_is_unset_without_a_default_file(site, user):
    site.dotqmail(user, "|echo ${DEFAULT-unset} >default\n", ext="plain")
    assert deliver(site, user, "plain")[0] == "success"
    assert site.h.read(f"/home/{user}/default") == "unset\n"


def test_shell_text_in_an_address_is_not_run(site, user):
    site.dotqmail(user, '|echo "$EXT" >ext\n', ext="default")
    rcpt = f"{user}-$(touch${{IFS}}pwned)`id`;x@{HOST}"
    site.queue("a@b", [rcpt])
    site.h.wait(lambda: site.h.exists(f"/home/{user}/ext") and
                site.h.read(f"/home/{user}/ext"), "the delivery")
    assert site.h.read(f"/home/{user}/ext") == \
        "$(touch${IFS}pwned)`id`;x\n"
    assert not site.h.exists(f"/home/{user}/pwned")


@pytest.mark.parametrize("code,status", [
    (0, "success"), (99, "success"), (100, "failure"), (111, "deferral"),
    (64, "failure"), (65, "failure"), (70, "failure"), (76, "failure"),
    (77, "failure"), (78, "failure"), (112, "failure"), (1, "deferral"),
    (2, "deferral"), (75, "deferral"), (127, "deferral")])
def test_exit_codes_of_programs(site, user, code, status):
    want = {"success": 99 if code == 99 else 0, "failure": 100,
            "deferral": 111}[status]
    site.dotqmail(user, f"|echo said so; exit {code}\n")
    r = site.local(user)
    # 99 is between the program and qmail-local: outside it is success
    assert r.returncode in ((0, 99) if want == 99 else (want,))
    assert "said so" in r.stdout + r.stderr


@pytest.mark.parametrize("code,status", [
    (99, "success"), (100, "failure"), (111, "deferral")])
def test_exit_codes_through_the_queue(site, user, code, status):
    site.dotqmail(user, f"|echo because of {code}; exit {code}\n./Maildir/\n")
    got, text = deliver(site, user)
    assert got == status
    assert f"because_of_{code}" in text
    assert site.mails(user) == []       # nothing after 99, 100, 111


def test_99_keeps_the_forwards_before_it(site, user):
    before, after = site.new_user(), site.new_user()
    site.dotqmail(user, f"&{before}\n|exit 99\n&{after}\n./Maildir/\n")
    status, text = deliver(site, user)
    assert status == "success" and text.startswith("did_0+1+1/qp_")
    site.mail(before)
    assert site.mails(after) == [] and site.mails(user) == []


def test_crash_of_a_program_is_tried_again(site, user):
    site.dotqmail(user, "|kill -SEGV $$\n")
    assert deliver(site, user)[0] == "deferral"


def test_failure_before_forwards_sends_none(site, user):
    other = site.new_user()
    site.dotqmail(user, f"&{other}\n|exit 111\n")
    assert deliver(site, user)[0] == "deferral"
    assert site.mails(other) == []


# Extensions.

def test_extension_file(site, user):
    site.dotqmail(user, "|cat >got\n", ext="safety")
    assert deliver(site, user, "safety")[0] == "success"
    assert site.h.exists(f"/home/{user}/got")


def test_most_exact_file_wins(site, user):
    for ext in ("default", "a-default", "a-b-default", "a-b-c"):
        site.dotqmail(user, f"|echo '{ext}' \"$DEFAULT\" >>which\n", ext=ext)
    for ext in ("a-b-c", "a-b-x", "a-x-c", "x"):
        assert deliver(site, user, ext)[0] == "success"
    assert site.h.read(f"/home/{user}/which") == \
        "a-b-c \na-b-default x\na-default x-c\ndefault x\n"


def test_no_file_for_the_extension_bounces(site, user):
    status, text = deliver(site, user, "nothing")
    assert status == "failure" and "#5.1.1" in text


def test_default_file_does_not_catch_the_user_himself(site, user):
    site.dotqmail(user, "|exit 100\n", ext="default")
    assert deliver(site, user) == ("success", "did_1+0+0/")


def test_dot_becomes_colon(site, user):
    site.dotqmail(user, "|cat >got\n", ext="a:b")
    assert deliver(site, user, "a.b")[0] == "success"
    assert site.h.exists(f"/home/{user}/got")


def test_no_way_out_of_the_home(site, user):
    site.h.write("/home/evil", "|touch /run/evil\n", mode=0o644)
    status, text = deliver(site, user, "x/../../evil")
    assert status == "failure" and "#5.1.1" in text
    assert not site.h.exists("/run/evil")


def test_extensions_are_lowercased(site, user):
    site.dotqmail(user, '|echo "$EXT" >got\n', ext="loud")
    rcpt = f"{user}-LOUD@{HOST}"
    mark = site.queue("a@b", [rcpt])
    assert site.result(rcpt, mark)[0] == "success"
    assert site.h.read(f"/home/{user}/got") == "LOUD\n"


def test_alias_user_takes_what_nobody_owns(site):
    site.h.write("/var/qmail/alias/.qmail-catch", "&mailadmin\n", mode=0o644)
    before = len(site.mails("mailadmin"))
    mark = site.send(f"catch@{HOST}")
    assert site.result(f"catch@{HOST}", mark)[0] == "success"
    site.mail("mailadmin", before + 1)


def test_long_file_of_forwards(site, user):
    site.dotqmail(user, "".join(f"&nobody{i}@far.example\n"
                                for i in range(2000)))
    status, text = deliver(site, user)
    assert status == "success" and text.startswith("did_0+2000+0/qp_")
    site.h.run(["qmail-queuectl", "delete", "--recipient", "*@far.example"],
               check=False)


# Senders.

def test_owner_becomes_the_sender(site, user):
    other = site.new_user()
    site.dotqmail(user, f"&{other}\n", ext="list")
    site.dotqmail(user, "", ext="list-owner")
    assert deliver(site, user, "list")[0] == "success"
    text, = site.mail(other)
    assert text.startswith(f"Return-Path: <{user}-list-owner@{HOST}>\n")


def test_owner_default_makes_a_sender_per_recipient(site, user):
    others = [site.new_user() for _ in range(2)]
    site.dotqmail(user, "".join(f"&{o}\n" for o in others), ext="list")
    site.dotqmail(user, "", ext="list-owner")
    site.dotqmail(user, "|echo \"$DEFAULT\" >>bounced\n",
                  ext="list-owner-default")
    assert deliver(site, user, "list")[0] == "success"
    for other in others:
        text, = site.mail(other)
        assert text.startswith(
            f"Return-Path: <{user}-list-owner-{other}={HOST}@{HOST}>\n")


def test_verp_message_that_fails_here_goes_back_to_the_prefix(site, user):
    """The expanded sender is for other hosts to bounce to."""
    site.dotqmail(user, "&noexiste\n", ext="list")
    site.dotqmail(user, "", ext="list-owner")
    site.dotqmail(user, "|echo \"$DEFAULT\" >bounced\n",
                  ext="list-owner-default")
    assert deliver(site, user, "list")[0] == "success"
    site.h.wait(lambda: site.h.exists(f"/home/{user}/bounced") and
                site.h.read(f"/home/{user}/bounced"), "the bounce")
    assert site.h.read(f"/home/{user}/bounced") == "\n"


def test_null_sender_keeps_its_emptiness(site, user):
    other = site.new_user()
    site.dotqmail(user, f"&{other}\n", ext="list")
    site.dotqmail(user, "", ext="list-owner")
    mark = site.queue("", [f"{user}-list@{HOST}"])
    assert site.result(f"{user}-list@{HOST}", mark)[0] == "success"
    text, = site.mail(other)
    assert text.startswith("Return-Path: <>\n")


# Refusals.

def test_sticky_home_waits(site, user):
    site.h.run(["chmod", "+t", f"/home/{user}"])
    assert site.local(user).returncode == 111
    assert deliver(site, user)[0] == "deferral"
    site.h.run(["chmod", "-t", f"/home/{user}"])
    site.h.run(["svc", "-a", "/service/qmail"])
    site.mail(user)


def test_writable_home_waits(site, user):
    site.h.run(["chmod", "o+w", f"/home/{user}"])
    assert site.local(user).returncode == 111
    assert deliver(site, user)[0] == "deferral"
    site.h.run(["chmod", "o-w", f"/home/{user}"])


def test_writable_dotqmail_waits(site, user):
    site.dotqmail(user, "|touch hacked\n", mode=0o646)
    assert site.local(user).returncode == 111
    assert deliver(site, user)[0] == "deferral"
    assert not site.h.exists(f"/home/{user}/hacked")
    site.dotqmail(user, "#\n")


def test_unreadable_dotqmail_waits(site, user):
    path = site.dotqmail(user, "./Maildir/\n")
    site.h.run(["chown", "root", path])
    site.h.run(["chmod", "600", path])
    assert site.local(user).returncode == 111
    assert deliver(site, user)[0] == "deferral"
    site.h.run(["rm", path])


def test_account_without_a_home_is_not_served(site, user):
    site.h.run(["mv", f"/home/{user}", f"/home/{user}.away"])
    # without an owned home the account does not exist for mail: the alias
    # user has no such address
    status, text = deliver(site, user)
    assert status == "failure" and "#5.1.1" in text
    site.h.run(["mv", f"/home/{user}.away", f"/home/{user}"])


@pytest.mark.parametrize("first", ["\n./Maildir/\n", " \t\n./Maildir/\n"])
def test_blank_first_line_is_an_error(site, user, first):
    site.dotqmail(user, first)
    assert site.local(user).returncode == 111
    assert site.mails(user) == []


def test_blank_line_later_is_nothing(site, user):
    site.dotqmail(user, "#\n\n./Maildir/\n")
    assert site.local(user).returncode == 0
    assert len(site.mails(user)) == 1


def test_delivered_to_loop_bounces(site, user):
    text = f"Delivered-To: {user}@{HOST}\nSubject: round\n\nhello\n"
    status, why = deliver(site, user, text=text)
    assert status == "failure" and "#5.4.6" in why
    r = site.local(user, text=text)
    assert r.returncode == 100


def test_forward_to_oneself_ends(site, user):
    site.dotqmail(user, f"&{user}\n")
    mark = site.send(user)
    site.h.wait(lambda: "#5.4.6" in site.log()[mark:], "the loop to be seen")


def test_delivered_to_in_the_body_is_no_loop(site, user):
    text = f"Subject: x\n\nDelivered-To: {user}@{HOST}\n"
    assert deliver(site, user, text=text)[0] == "success"


def test_executable_file_may_only_forward(site, user):
    site.dotqmail(user, "./Maildir/\n", mode=0o744)
    assert site.local(user).returncode == 111
    site.dotqmail(user, "|true\n", mode=0o744)
    assert site.local(user).returncode == 111
    other = site.new_user()
    site.dotqmail(user, f"&{other}\n", mode=0o744)
    assert site.local(user).returncode == 0
    site.mail(other)


def test_plus_list_means_forward_only(site, user):
    site.dotqmail(user, "+list\n|true\n")
    assert site.local(user).returncode == 111


def test_root_gets_no_mail_of_his_own(site):
    site.h.write("/root/.qmail-x", "|touch /run/rooted\n", mode=0o644)
    mark = site.send(f"root-x@{HOST}")
    assert site.result(f"root-x@{HOST}", mark)[0] == "failure"
    assert not site.h.exists("/run/rooted")


def test_directory_named_dotqmail_is_not_a_file(site, user):
    site.h.run(["mkdir", f"/home/{user}/.qmail-dir"])
    status, text = deliver(site, user, "dir")
    assert status == "failure" and "#5.1.1" in text


# The program's own interface.

def test_dash_n_delivers_nothing(site, user):
    site.dotqmail(user, "./Maildir/\n|touch ran\n&other\n")
    r = site.local(user, options=("-n",))
    assert r.returncode == 0
    assert site.mails(user) == [] and not site.h.exists(f"/home/{user}/ran")
    assert "./Maildir/" in r.stdout and "touch ran" in r.stdout \
        and "other" in r.stdout


def test_success_text_of_the_program(site, user):
    r = site.local(user)
    assert (r.returncode, r.stdout) == (0, "did 1+0+0\n")


@pytest.mark.parametrize("text", [
    "", "\n", "no header at all", "a: b", "\x00\x01\xff\n\n\x00",
    "Subject: " + "x" * 200000 + "\n\n", "a: b\n\n" + "y" * 1000000],
    ids=lambda t: repr(t[:12]))
def test_strange_messages_arrive_unchanged(site, user, text):
    raw = text.encode("latin-1").decode("utf-8", "surrogateescape")
    mark = site.queue("a@b", [f"{user}@{HOST}"], text=raw)
    assert site.result(f"{user}@{HOST}", mark)[0] == "success"
    message, = site.mails(user)
    head = re.match(r"Return-Path: <a@b>\nDelivered-To: [^\n]*\n"
                    r"Received: [^\n]*\n", message)
    assert message[head.end():] == raw


def test_helpers_are_installed():
    """The programs a .qmail line calls: each has a test of its own in
    test_helpers.py; this list keeps that file honest."""
    with open(os.path.join(os.path.dirname(__file__), "test_helpers.py"),
              encoding="utf-8") as f:
        text = f.read()
    for name in ("forward", "condredirect", "bouncesaying", "except",
                 "preline", "qreceipt", "maildirmake", "maildir2mbox"):
        assert name in text
