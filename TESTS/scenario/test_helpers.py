"""The small programs that .qmail lines call."""

import re

HOST = "mx.valija.test"


def deliver(site, user, text=None, ext="", sender=None):
    rcpt = f"{user}-{ext}@{HOST}" if ext else f"{user}@{HOST}"
    mark = site.send(rcpt, text=text, sender=sender)
    return site.result(rcpt, mark)


def test_forward(site, user):
    other = site.new_user()
    site.dotqmail(user, f"|forward {other}@{HOST}\n")
    status, text = deliver(site, user)
    assert status == "success" and re.search(r"qp_\d+", text)
    message, = site.mail(other)
    assert f"\nDelivered-To: {user}@{HOST}\n" in message


def test_condredirect(site, user):
    other = site.new_user()
    site.dotqmail(user, f"|condredirect {other}@{HOST} grep -q URGENT\n"
                        "./Maildir/\n")
    assert deliver(site, user, "Subject: URGENT\n\nx\n")[0] == "success"
    site.mail(other)
    assert site.mails(user) == []
    assert deliver(site, user, "Subject: calm\n\nx\n")[0] == "success"
    assert len(site.mails(user)) == 1
    site.dotqmail(user, f"|condredirect {other}@{HOST} sh -c 'exit 111'\n")
    assert deliver(site, user)[0] == "deferral"
    site.dotqmail(user, "#\n")


def test_bouncesaying(site, user):
    site.dotqmail(user, "|bouncesaying 'Not here any more'\n")
    status, text = deliver(site, user)
    assert status == "failure" and "Not_here_any_more" in text
    site.dotqmail(user, "|bouncesaying 'No junk' grep -q JUNK\n./Maildir/\n")
    assert deliver(site, user, "Subject: JUNK\n\nx\n")[0] == "failure"
    assert deliver(site, user, "Subject: fine\n\nx\n")[0] == "success"
    assert len(site.mails(user)) == 1


def test_except(site, user):
    site.dotqmail(user, "|except grep -q JUNK\n./Maildir/\n")
    assert deliver(site, user, "Subject: JUNK\n\nx\n")[0] == "failure"
    assert deliver(site, user, "Subject: fine\n\nx\n")[0] == "success"


def test_preline(site, user):
    site.dotqmail(user, "|preline cat >all\n|preline -f cat >nofrom\n"
                        "|preline -r cat >norp\n|preline -d cat >nodt\n")
    assert deliver(site, user)[0] == "success"
    home = f"/home/{user}"
    text = site.h.read(f"{home}/all")
    assert re.match(rf"From mailadmin@{re.escape(HOST)} [^\n]+\n"
                    rf"Return-Path: <mailadmin@{re.escape(HOST)}>\n"
                    rf"Delivered-To: {user}@{re.escape(HOST)}\nReceived: ",
                    text)
    assert not site.h.read(f"{home}/nofrom").startswith("From ")
    assert "Return-Path:" not in site.h.read(f"{home}/norp")
    assert "Delivered-To:" not in site.h.read(f"{home}/nodt")


def test_qreceipt(site, user):
    site.dotqmail(user, f"|qreceipt {user}@{HOST}\n./Maildir/\n")
    before = len(site.mails("mailadmin"))
    text = (f"To: {user}@{HOST}\nNotice-Requested-Upon-Delivery-To: "
            f"{user}@{HOST}\nSubject: important\n\nx\n")
    assert deliver(site, user, text)[0] == "success"
    site.mail("mailadmin", before + 1)
    assert len(site.mails(user)) == 1
    assert deliver(site, user)[0] == "success"  # asks for nothing
    assert len(site.mails(user)) == 2
    assert len(site.mails("mailadmin")) == before + 1


def test_maildirmake(site, user):
    site.h.run(["maildirmake", "M"], user=user)
    assert site.h.listdir(f"/home/{user}/M") == ["cur", "new", "tmp"]
    assert site.h.stat(f"/home/{user}/M").st_mode & 0o777 == 0o700
    r = site.h.run(["maildirmake", "M"], user=user, check=False)
    assert r.returncode == 111 and "M" in r.stderr


def test_maildir2mbox(site, user):
    assert deliver(site, user, "Subject: one\n\nFrom me\n")[0] == "success"
    home = f"/home/{user}"
    site.h.run(["maildir2mbox"], user=user, env={
        "MAILDIR": f"{home}/Maildir", "MAIL": f"{home}/box",
        "MAILTMP": f"{home}/box.tmp"})
    text = site.h.read(f"{home}/box")
    assert text.startswith("From ") and "\n>From me\n" in text
    assert site.mails(user) == []


def test_helpers_say_how_they_are_called(site):
    for name in ("forward", "condredirect", "bouncesaying", "except",
                 "preline", "qreceipt", "maildirmake"):
        r = site.h.run([name], check=False, env={"SENDER": "", "DTLINE": "x"})
        assert r.returncode == 100, name
        assert r.stderr.startswith(f"{name}: ") and "usage" in r.stderr, name
