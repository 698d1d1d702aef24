"""A full disk, no inodes, services that are down, input that is not mail:
nothing acknowledged may be lost, and the refusal says what and why."""

import re
import signal
import threading
import time

import pytest

HOST = "mx.valija.test"
QUEUE = "/var/qmail/queue"


def submit(site, user="mailadmin", text="Subject: t\n\nhello\n",
           rcpt="mailadmin@" + HOST, **kw):
    """qmail-queue itself; its exit code and words."""
    site.h.write("/run/m", text, mode=0o644)
    site.h.write("/run/e", f"Fa@b.example\0T{rcpt}\0\0", mode=0o644)
    return site.h.run("exec qmail-queue </run/m 1</run/e", user=user,
                      check=False, **kw)


def small_queue(site, options):
    """Move the queue to a small file system of its own."""
    site.h.run(["svc", "-d", "/service/qmail", "/service/qmail-queued"])
    site.h.wait(lambda: not site.h.running("qmail-send") and
                not site.h.running("qmail-queued"), "the services to end")
    site.h.run(f"mv {QUEUE} {QUEUE}.old && mkdir {QUEUE} && "
               f"mount -t tmpfs -o {options} tmpfs {QUEUE} && "
               f"cp -a {QUEUE}.old/. {QUEUE}/ && "
               f"chown --reference={QUEUE}.old {QUEUE} && "
               f"chmod --reference={QUEUE}.old {QUEUE}")
    site.h.run(["svc", "-u", "/service/qmail", "/service/qmail-queued"])
    site.h.wait(lambda: site.h.running("qmail-send") and
                site.h.running("qmail-queued"), "the services to start")


def leftovers(site):
    """Files of the queue that hold a message or name one."""
    return site.h.run(f"find {QUEUE} -type f ! -path '*/lock/*'").stdout


def test_full_disk(own_site):
    site = own_site()
    small_queue(site, "size=2m")
    site.h.run(f"dd if=/dev/zero of={QUEUE}/filler bs=4k || true")
    before = len(site.mails("mailadmin"))
    r = submit(site, text="Subject: big\n\n" + "x" * 100000)
    assert r.returncode == 53, (r.returncode, r.stderr)
    r = site.h.run(["qmail-inject", "-a", f"mailadmin@{HOST}"],
                   input="x: y\n\n" + "z" * 100000, user="mailadmin",
                   check=False)
    assert r.returncode == 111
    assert re.match(r"qmail-inject: fatal: .*qq ", r.stderr) or \
        "disk" in r.stderr or "write" in r.stderr
    site.h.run(["rm", f"{QUEUE}/filler"])
    submit(site)
    site.mail("mailadmin", before + 1)
    site.empty()
    assert leftovers(site) == ""        # nothing half-written stays


def test_message_that_fills_the_disk_is_refused_whole(own_site):
    site = own_site()
    small_queue(site, "size=3m")
    r = submit(site, text="Subject: big\n\n" + "x" * 6000000)
    assert r.returncode == 53
    assert leftovers(site) == ""
    before = len(site.mails("mailadmin"))
    assert submit(site).returncode == 0
    site.mail("mailadmin", before + 1)


def test_no_inodes(own_site):
    site = own_site()
    small_queue(site, "size=20m,nr_inodes=400")
    site.h.run(f"mkdir {QUEUE}/fill; i=0; while true >{QUEUE}/fill/$i; do "
               "i=$((i+1)); done 2>/dev/null || true")
    r = submit(site)
    assert r.returncode in (53, 63, 64, 65, 66), (r.returncode, r.stderr)
    site.h.run(["rm", "-r", f"{QUEUE}/fill"])
    before = len(site.mails("mailadmin"))
    assert submit(site).returncode == 0
    site.mail("mailadmin", before + 1)
    site.empty()
    assert leftovers(site) == ""


def test_full_disk_while_deferring_and_bouncing(own_site):
    """qmail-send cannot write what it has to remember: it waits, goes on
    delivering what needs no writing, and catches up."""
    site = own_site()
    small_queue(site, "size=4m,nr_inodes=1200")
    user = site.new_user()
    site.dotqmail(user, "|test -e ready || exit 111\n./Maildir/\n")
    with site.control(concurrencylocal="0\n"):
        for _ in range(5):
            assert submit(site, rcpt=f"{user}@{HOST}").returncode == 0
        site.h.run(f"mkdir {QUEUE}/fill; i=0; while true >{QUEUE}/fill/$i; do "
                   "i=$((i+1)); done 2>/dev/null; "
                   f"dd if=/dev/zero of={QUEUE}/fill/0 bs=4k 2>&1 || true")
    site.h.wait(lambda: "deferral" in site.log(), "the deliveries")
    site.h.run(["rm", "-r", f"{QUEUE}/fill"])
    site.h.run(["touch", "ready"], user=user, cwd=f"/home/{user}")

    def all_there():
        site.h.run(["svc", "-a", "/service/qmail"])
        return len(site.mails(user)) >= 5
    site.h.wait(all_there, "all five to arrive", seconds=300, step=2)
    site.empty()


def test_full_mailbox_disk_defers(own_site):
    site = own_site()
    user = site.new_user()
    home = f"/home/{user}"
    site.h.run(f"mount -t tmpfs -o size=64k,mode=755,uid=$(id -u {user}) "
               f"tmpfs {home}")
    site.h.run(["maildirmake", "Maildir"], user=user)
    rcpt = f"{user}@{HOST}"
    mark = site.send(rcpt, text="Subject: big\n\n" + "x\n" * 100000)
    assert site.result(rcpt, mark)[0] == "deferral"
    assert site.mails(user) == []
    assert site.h.listdir(f"{home}/Maildir/tmp") == []
    site.dotqmail(user, "./mbox\n")
    site.h.write(f"{home}/mbox", "From before\n\nold\n\n", mode=0o600,
                 owner=user)
    mark = site.send(rcpt, text="Subject: big\n\n" + "x\n" * 100000)
    assert site.result(rcpt, mark)[0] == "deferral"
    assert site.h.read(f"{home}/mbox") == "From before\n\nold\n\n"
    site.h.run(["mount", "-o", "remount,size=10m", home])
    site.h.run(["svc", "-a", "/service/qmail"])
    site.h.wait(lambda: site.h.read(f"{home}/mbox").count("Subject: big") == 2,
                "both messages")


def test_queue_service_down_the_client_waits(own_site):
    site = own_site()
    site.h.run(["svc", "-d", "/service/qmail-queued"])
    site.h.wait(lambda: not site.h.running("qmail-queued"), "its end")
    before = len(site.mails("mailadmin"))
    out = []
    t = threading.Thread(target=lambda: out.append(submit(site)))
    t.start()
    time.sleep(3)
    assert not out                              # it is waiting
    site.h.run(["svc", "-u", "/service/qmail-queued"])
    t.join()
    assert out[0].returncode == 0
    site.mail("mailadmin", before + 1)


def test_queue_service_down_for_long_is_temporary(own_site):
    """qmail-queue 51 to 120, qmail-inject 111, sendmail 75: what PHP, mailx
    and Perl read as: try again later.  All three wait at the same time."""
    site = own_site()
    site.h.run(["svc", "-d", "/service/qmail-queued"])
    site.h.wait(lambda: not site.h.running("qmail-queued"), "its end")
    site.h.write("/run/m", "x: y\n\nz\n", mode=0o644)
    site.h.write("/run/e", f"Fa@b\0Tmailadmin@{HOST}\0\0", mode=0o644)
    clients = [site.h.popen(["sh", "-c", f"exec {c}"], user="mailadmin",
                            stdout=-1, stderr=-1)
               for c in ("qmail-queue </run/m 1</run/e",
                         f"qmail-inject -a mailadmin@{HOST} </run/m",
                         f"sendmail -i mailadmin@{HOST} </run/m")]
    said = [c.communicate(timeout=600) for c in clients]
    codes = [c.returncode for c in clients]
    assert 51 <= codes[0] <= 120 and said[0] == (b"", b"")
    assert codes[1] == 111
    assert said[1][1].startswith(b"qmail-inject: fatal: ")
    assert codes[2] == 75 and said[2][1].startswith(b"sendmail: ")


def test_stopped_queue_service_loses_nothing(own_site):
    """Killed between acknowledgement and delivery, at any moment."""
    site = own_site()
    user = site.new_user()
    taken = 0
    for i in range(20):
        if submit(site, rcpt=f"{user}@{HOST}").returncode == 0:
            taken += 1
        site.h.kill("qmail-queued" if i % 2 else "qmail-send",
                    signal.SIGKILL)
    assert taken > 0
    site.mail(user, taken)
    site.empty()
    assert len(site.mails(user)) >= taken


# Input that is not mail.

@pytest.mark.parametrize("envelope,code", [
    ("", 54), ("F", 54), ("Fa@b", 54), ("Fa@b\0", 54), ("Fa@b\0Tc@d", 54),
    ("Fa@b\0Tc@d\0", 54), ("\0", 91), ("Ta@b\0\0", 91), ("X\0", 91),
    ("Fa@b\0Xc@d\0\0", 91), ("F" + "x" * 1100 + "\0T\0\0", 11),
    ("Fa@b\0T" + "y" * 1100 + "\0\0", 11)],
    ids=lambda v: repr(v)[:24])
def test_malformed_envelope(site, envelope, code):
    before = site.queued()
    site.h.write("/run/m", "x: y\n\n", mode=0o644)
    site.h.write("/run/e", envelope, mode=0o644)
    r = site.h.run("exec qmail-queue </run/m 1</run/e", user="mailadmin",
                   check=False)
    assert r.returncode == code, r.stderr
    assert site.queued() <= before


def test_envelope_at_the_address_limit(site):
    """1003 bytes with the NUL are an address, one more is too many."""
    for n, code in ((1002, 0), (1003, 11)):
        name = "n" * (n - len("@far.example")) + "@far.example"
        r = submit(site, rcpt=name)
        assert r.returncode == code, n
    site.h.run(["qmail-queuectl", "delete", "--recipient", "*@far.example"],
               check=False)


def test_closed_descriptors(site):
    r = site.h.run("exec timeout 20 qmail-queue <&- 1</dev/null",
                   user="mailadmin", check=False)
    assert r.returncode in (54, 51, 53, 81, 91)
    r = site.h.run("exec timeout 20 qmail-queue </dev/null 1>&-",
                   user="mailadmin", check=False)
    assert r.returncode in (54, 51, 53, 81, 91)


def test_many_recipients(site, user):
    site.dotqmail(user, "./Maildir/\n", ext="default")
    rcpts = "".join(f"T{user}-{i}@{HOST}\0" for i in range(500))
    site.h.write("/run/m", "Subject: many\n\nx\n", mode=0o644)
    site.h.write("/run/e", f"Fa@b.example\0{rcpts}\0", mode=0o644)
    r = site.h.run("exec qmail-queue </run/m 1</run/e", user="mailadmin",
                   check=False)
    assert r.returncode == 0
    to = {re.search(r"(?m)^Delivered-To: \S+-(\d+)@", m).group(1)
          for m in site.mail(user, 500)}
    assert to == {str(i) for i in range(500)}


SOCKET_CLIENT = r'''
import os, socket, struct, sys, time
kind = sys.argv[1]
s = socket.socket(socket.AF_UNIX)
s.connect("/var/qmail/run/queue")
try:
    if kind == "huge-chunk":
        s.sendall(struct.pack(">I", 0xffffffff) + b"x" * 100)
    elif kind == "garbage":
        s.sendall(os.urandom(100000))
    elif kind == "half":
        s.sendall(struct.pack(">I", 10) + b"x" * 5)
    elif kind == "no-envelope":
        s.sendall(struct.pack(">I", 2) + b"x\n" + bytes(4))
    elif kind == "nothing":
        pass
    if kind in ("half", "no-envelope", "nothing"):
        s.shutdown(socket.SHUT_WR)
    s.settimeout(20)
    print(s.recv(300))
except OSError as e:
    print(e)
'''


@pytest.mark.parametrize("kind", ["huge-chunk", "garbage", "half",
                                  "no-envelope", "nothing"])
def test_nonsense_on_the_queue_socket(site, user, kind):
    """It closes that client, queues nothing, and serves the next."""
    pids = site.h.running("qmail-queued")
    site.h.write("/run/client.py", SOCKET_CLIENT, mode=0o644)
    r = site.h.run(["/usr/bin/python3", "/run/client.py", kind], user=user)
    assert not r.stdout.startswith(r"b'\x00")
    assert site.h.running("qmail-queued") == pids
    mark = site.send(f"{user}@{HOST}")
    assert site.result(f"{user}@{HOST}", mark)[0] == "success"


def test_idle_clients_do_not_stop_the_others(site, user):
    """200 connections that say nothing, or half a message."""
    script = (
        "import socket, struct, time\n"
        "c = []\n"
        "for i in range(200):\n"
        "    s = socket.socket(socket.AF_UNIX)\n"
        "    s.connect('/var/qmail/run/queue')\n"
        "    if i % 2: s.sendall(struct.pack('>I', 10) + b'x' * 5)\n"
        "    c.append(s)\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n")
    site.h.write("/run/idle.py", script, mode=0o644)
    p = site.h.popen(["/usr/bin/python3", "/run/idle.py"], user=user,
                     stdout=-1)
    try:
        assert p.stdout.readline() == b"ready\n"
        mark = site.send(f"{user}@{HOST}")
        assert site.result(f"{user}@{HOST}", mark)[0] == "success"
    finally:
        site.h._kill(p)


def test_mess_file_of_another_owner_is_not_delivered(own_site):
    """The spawner opens what qmailq owns and nothing else."""
    site = own_site()
    user = site.new_user()
    site.dotqmail(user, "|test -e ready || exit 111\n./Maildir/\n")
    mark = site.send(f"{user}@{HOST}")
    assert site.result(f"{user}@{HOST}", mark)[0] == "deferral"
    n = re.search(r"(?m)^new msg (\d+)", site.log()[mark:]).group(1)
    site.h.run(f"chown root {QUEUE}/mess/*/{n}")
    site.h.run(["touch", "ready"], user=user, cwd=f"/home/{user}")
    mark = site.mark()
    site.h.run(["svc", "-a", "/service/qmail"])
    site.h.wait(lambda: re.search(r"(?m)^delivery \d+: deferral",
                                  site.log()[mark:]), "a deferral")
    assert site.mails(user) == []
    site.h.run(f"chown qmailq {QUEUE}/mess/*/{n}")
    site.h.run(["svc", "-a", "/service/qmail"])
    site.mail(user)


def test_todo_garbage_is_logged_and_harms_nothing(own_site):
    site = own_site()
    for name, text in (("999999991", ""), ("999999992", "\0\0\0"),
                       ("999999993", "u0\0p1\0Fa@b\0Tc@d\0"),
                       ("notanumber", "x"), ("999999994", "u0\0p1\0F" +
                                             "x" * 5000)):
        site.h.write(f"{QUEUE}/todo/{name}", text, mode=0o644, owner="qmailq")
    site.restart()
    before = len(site.mails("mailadmin"))
    site.send(f"mailadmin@{HOST}")
    site.mail("mailadmin", before + 1)
    assert "9999999" in site.log() or "9999999" in site.h.tail_logs()


def test_directory_service_that_fails_defers(own_site):
    """An account lookup that errs is not 'no such user'."""
    site = own_site()
    user = site.new_user()
    site.h.run("mv /etc/passwd /etc/passwd.away && mkdir /etc/passwd")
    rcpt = f"{user}@{HOST}"
    try:
        mark = site.mark()
        script = r'''
import socket, struct, sys
def chunk(b): return struct.pack(">I", len(b)) + b
s = socket.socket(socket.AF_UNIX); s.connect("/var/qmail/run/queue")
s.sendall(chunk(b"a: b\n\n") + bytes(4) + chunk(b"Fa@b.example\0T" +
          sys.argv[1].encode() + b"\0\0") + bytes(4))
assert s.recv(1) == b"\0"
'''
        site.h.write("/run/sub.py", script)
        site.h.run(["/usr/bin/python3", "/run/sub.py", rcpt])
        assert site.result(rcpt, mark)[0] == "deferral"
    finally:
        site.h.run("rmdir /etc/passwd && mv /etc/passwd.away /etc/passwd")
    site.h.run(["svc", "-a", "/service/qmail"])
    site.mail(user)


def test_few_descriptors(own_site):
    """A queue service that cannot accept more serves again afterwards."""
    site = own_site()
    user = site.new_user()
    pid = site.h.running("qmail-queued")[0]
    q = site.h.user("qmailq")           # a process may limit its own user's
    site.h.run(f"exec setpriv --reuid={q.pw_uid} --regid={q.pw_gid} "
               "--clear-groups prlimit --pid=$(pgrep -x qmail-queued) "
               "--nofile=16")
    site.h.write("/run/flood.py", "import socket, time\nc = []\n"
                 "for i in range(100):\n"
                 "    s = socket.socket(socket.AF_UNIX)\n"
                 "    s.setblocking(False)\n"
                 "    try: s.connect('/var/qmail/run/queue')\n"
                 "    except OSError: pass\n"
                 "    c.append(s)\n"
                 "time.sleep(2)\n")
    site.h.run(["/usr/bin/python3", "/run/flood.py"])
    assert submit(site, rcpt=f"{user}@{HOST}").returncode == 0
    site.mail(user)
    assert site.h.running("qmail-queued") == [pid]
