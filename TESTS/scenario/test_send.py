"""Signals, settings and limits of qmail-send."""

import re
import signal

HOST = "mx.valija.test"


def ran(site, user):
    """How many lines the user's program has written by now."""
    path = f"/home/{user}/running"
    return len(site.h.read(path).splitlines()) if site.h.exists(path) else 0


def test_alrm_makes_everything_due(site, user):
    site.dotqmail(user, "|test -e ready || exit 111\n./Maildir/\n")
    mark = site.send(f"{user}@{HOST}")
    assert site.result(f"{user}@{HOST}", mark)[0] == "deferral"
    site.h.run(["touch", "ready"], user=user, cwd=f"/home/{user}")
    site.h.run(["svc", "-a", "/service/qmail"])
    site.mail(user)


def test_hup_rereads_every_control_file(site, user):
    """Also those that history read once: here concurrencylocal."""
    files = {"virtualdomains": f"hup.example:{user}\n",
             "concurrencylocal": "3\n", "locals": f"{HOST}\nhup2.example\n",
             "percenthack": "hup3.example\n", "envnoathost": "hup.example\n",
             "bouncefrom": "hup\n", "queuelifetime": "1234567\n"}
    old = {f: site.h.read(f"/var/qmail/control/{f}") if
           site.h.exists(f"/var/qmail/control/{f}") else None for f in files}
    pids = site.h.running("qmail-send")
    try:
        for name, text in files.items():
            site.h.write(f"/var/qmail/control/{name}", text, mode=0o644)
        site.h.run(["svc", "-h", "/service/qmail"])

        def routed(rcpt, want):
            mark = site.queue("a@b", [rcpt])
            site.h.wait(lambda: re.search(r"(?m)^end msg", site.log()[mark:])
                        or re.search(r"(?m)^delivery \d+: def",
                                     site.log()[mark:]), "the message")
            return want in site.log()[mark:]

        site.h.wait(lambda: routed("x@hup.example",
                                   f"to local {user}-x@hup.example"),
                    "virtualdomains to be read")
        assert routed("x@hup2.example", "to local x@hup2.example")
        assert routed("x%hup2.example@hup3.example",
                      "to local x@hup2.example")
        assert routed("bare", f"to local {user}-bare@hup.example")
        assert site.h.wait(lambda: routed(f"{user}@{HOST}",
                                          "status: local 1/3 "),
                           "concurrencylocal to be read")
        assert site.h.running("qmail-send") == pids
    finally:
        for name, text in old.items():
            site._control(name, text)
        site.restart()


def test_term_lets_running_deliveries_end(site, user):
    site.dotqmail(user, "|touch started; while test ! -e go; do sleep 0.1; "
                        "done\n./Maildir/\n")
    mark = site.send(f"{user}@{HOST}")
    home = f"/home/{user}"
    site.h.wait(lambda: site.h.exists(f"{home}/started"), "the delivery")
    old = site.h.running("qmail-send")
    site.h.run(["svc", "-t", "/service/qmail"])
    site.h.wait(lambda: "exitasap" in site.log()[mark:], "exitasap")
    waiting = site.send(f"mailadmin@{HOST}", user=user)     # taken, not sent
    assert site.h.running("qmail-send") == old
    site.h.run(["touch", "go"], user=user, cwd=home)
    site.mail(user)
    site.h.wait(lambda: "status: exiting" in site.log()[mark:], "its end")
    assert site.outcome(f"{user}@{HOST}", mark)[0] == "success"
    # supervise starts it again, and what waited goes out
    assert site.result(f"mailadmin@{HOST}", waiting)[0] == "success"
    assert len(site.mails(user)) == 1


def test_concurrencylocal_is_kept(site, user):
    site.dotqmail(user, "|echo x >>running; while test ! -e go; do sleep 0.1;"
                        " done\n")
    with site.control(concurrencylocal="2\n"):
        mark = site.mark()
        for _ in range(5):
            site.send(f"{user}@{HOST}")
        home = f"/home/{user}"
        site.h.wait(lambda: "local 2/2" in site.log()[mark:], "two running")
        site.h.wait(lambda: len(re.findall(r"(?m)^new msg",
                                           site.log()[mark:])) == 5,
                    "all to be seen")
        site.h.wait(lambda: ran(site, user) >= 2, "both programs")
        assert ran(site, user) == 2
        site.h.run(["touch", "go"], user=user, cwd=home)
        site.h.wait(lambda: ran(site, user) == 5, "the others")
    counts = re.findall(r"(?m)^status: local (\d+)/2 ", site.log()[mark:])
    assert counts and max(map(int, counts)) == 2


def test_zero_concurrency_holds_a_channel(site, user):
    with site.control(concurrencylocal="0\n"):
        mark = site.send(f"{user}@{HOST}")
        site.h.wait(lambda: re.search(r"(?m)^new msg", site.log()[mark:]),
                    "the message to be seen")
        assert "starting delivery" not in site.log()[mark:]
    site.mail(user)


WAITING = ("|echo x >>running; while test ! -e go; do sleep 0.5; done\n")


def test_more_than_255_deliveries_at_once(site):
    """Six users, fifty programs each, all running at one moment."""
    users = [site.new_user() for _ in range(6)]
    for u in users:
        site.dotqmail(u, WAITING)
    with site.control(concurrencylocal="400\n"):
        mark = site.queue("a@b", [f"{u}@{HOST}" for u in users] * 50)
        try:
            site.h.wait(lambda: sum(ran(site, u) for u in users) == 300,
                        "300 running programs", seconds=300)
            assert "status: local 300/400 " in site.log()[mark:]
        finally:
            for u in users:
                site.h.run(["touch", "go"], user=u, cwd=f"/home/{u}")
        site.h.wait(lambda: len(re.findall(r"(?m)^delivery \d+: success",
                                           site.log()[mark:])) == 300,
                    "all to end", seconds=300)


def test_slow_programs_do_not_hold_up_the_users_other_mail(site, user):
    site.dotqmail(user, WAITING, ext="slow")
    with site.control(concurrencylocal="400\n"):
        mark = site.queue("a@b", [f"{user}-slow@{HOST}"] * 100)
        site.h.wait(lambda: "status: local 100/400 " in site.log()[mark:],
                    "a hundred deliveries to be given out")
        site.send(f"{user}@{HOST}")
        try:
            site.mail(user)
        finally:
            site.h.run(["touch", "go"], user=user, cwd=f"/home/{user}")
        site.h.wait(lambda: ran(site, user) == 100, "the slow ones",
                    seconds=300)


def test_a_second_qmail_send_refuses_to_start(site):
    r = site.h.run("cd / && exec setpriv --reuid=qmails --regid=qmail "
                   "--clear-groups qmail-send </dev/null 3</dev/null "
                   "4>/dev/null 5</dev/null 6>/dev/null", check=False,
                   timeout=60)
    assert r.returncode == 111


def test_restart_keeps_the_retry_time(site, user):
    """After TERM the next attempt is still in the future."""
    site.dotqmail(user, "|echo x >>tried; exit 111\n")
    mark = site.send(f"{user}@{HOST}")
    assert site.result(f"{user}@{HOST}", mark)[0] == "deferral"
    site.restart()
    mark = site.send(f"mailadmin@{HOST}")       # a full turn of the schedule
    site.result(f"mailadmin@{HOST}", mark)
    assert len(site.h.read(f"/home/{user}/tried").splitlines()) == 1
    site.dotqmail(user, "#\n")
    site.h.run(["svc", "-a", "/service/qmail"])


def test_unreadable_control_file_stops_it_with_a_word(own_site):
    """A setting that cannot be read must not be taken as unset."""
    site = own_site()
    path = "/var/qmail/control/virtualdomains"
    site.h.run(["mkdir", path])
    site.h.run(["svc", "-t", "/service/qmail"])
    mark = site.mark()
    site.h.wait(lambda: re.search(r"(?m)^qmail-(send|todo): .*unable to .*"
                                  r"control/virtualdomains",
                                  site.log()[mark:] + site.h.tail_logs()),
                "a message that names the file")
    before = len(site.mails("mailadmin"))
    site.send(f"mailadmin@{HOST}")              # taken meanwhile
    site.h.run(["rmdir", path])
    site.mail("mailadmin", before + 1)


def test_hup_with_an_unreadable_file_keeps_the_old_settings(own_site):
    site = own_site()
    path = "/var/qmail/control/locals"
    pids = site.h.running("qmail-send")
    mark = site.mark()
    site.h.run(f"rm {path} && mkdir {path}")
    site.h.run(["svc", "-h", "/service/qmail"])
    site.h.wait(lambda: "control/locals" in site.log()[mark:],
                "a message that names the file")
    before = len(site.mails("mailadmin"))
    site.send(f"mailadmin@{HOST}")
    site.mail("mailadmin", before + 1)
    assert site.h.running("qmail-send") == pids


def test_killed_spawner_starts_anew(site, user):
    for comm in ("qmail-lspawn", "qmail-rspawn", "qmail-clean", "qmail-todo",
                 "qmail-send", "qmail-queued"):
        old = set(site.h.running(comm))
        assert site.h.kill(comm, signal.SIGKILL)
        site.h.wait(lambda: set(site.h.running(comm)) - old,
                    f"{comm} to start again")
        site.send(f"{user}@{HOST}")
    site.mail(user, 6)


def test_historical_queue_writer(site, user):
    """A program that writes the classic files itself and pulls the trigger is
    served: no sums in its envelope, a lone NUL in the trigger."""
    script = r'''
import os, sys
os.umask(0o033)
os.chdir("/var/qmail/queue")
fd = os.open("pid/classic", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
n = os.fstat(fd).st_ino
split = f"mess/{n % 23}/{n}"
os.link("pid/classic", split)
os.unlink("pid/classic")
os.write(fd, b"Received: (qmail 1 invoked by uid 0); 1 Jan 2026 00:00:00 -0000\n"
             b"Subject: classic\n\nhello\n")
os.fsync(fd)
fd = os.open(f"intd/{n}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
os.write(fd, b"u0\0p1\0Fold@b\0T" + sys.argv[1].encode() + b"\0")
os.fsync(fd)
os.link(f"intd/{n}", f"todo/{n}")
fd = os.open("lock/trigger", os.O_WRONLY | os.O_NONBLOCK)
os.write(fd, b"\0")
'''
    site.h.write("/run/classic.py", script, mode=0o644)
    q = site.h.user("qmailq")
    site.h.run(["setpriv", f"--reuid={q.pw_uid}", f"--regid={q.pw_gid}",
                "--clear-groups", "/usr/bin/python3", "/run/classic.py",
                f"{user}@{HOST}"])
    text, = site.mail(user)
    assert text.startswith("Return-Path: <old@b>\n")
    assert "\nSubject: classic\n" in text
