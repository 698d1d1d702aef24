"""authdaemond when something is broken or somebody is unkind, over both stores:
crowds of connections, slow clients, a store that is away, processes that are
killed, settings that make no sense; and the part that knows system users."""

import contextlib
import os
import re
import signal
import socket
import subprocess

import pytest

from authlab import (AuthSite, DOMAIN, DOMDIR, FAIL, HOME, NOTHING, OK, SOCKET,
                     VPOPMAIL, kill_worker)

PW = "secret pass"


@pytest.fixture(scope="module")
def vsite(request):
    s = AuthSite(request.param)
    s.setting("logintries", "0")
    s.reload()
    yield s
    s.close()


# Crowds.

def rss(pids):
    n = 0
    for pid in pids:
        with open(f"/proc/{pid}/statm") as f:
            n += int(f.read().split()[1]) * 4096
    return n


HOLD = """
import socket, sys
held, text = [], sys.argv[1].encode()
for i in range(int(sys.argv[2])):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(0.5)
    try:
        s.connect("/var/qmail/run/auth")
        s.sendall(text)
    except OSError:
        s.close()
        continue
    held.append(s)
print(len(held), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("text, count", [
    ("", 6000),
    ("AUTH 8000\n" + "x" * 7000, 3000),
    ("ENUMERATE\n", 300),
], ids=["says nothing", "never ends", "not its own"])
def test_many_connections_of_a_stranger(vsite, text, count):
    """He keeps only himself out, and costs little."""
    h = vsite.h
    h.write("/run/hold.py", HOLD, mode=0o644)
    vsite.put("dos" + str(count))
    before = rss(h.running("authdaemond"))
    with h.popen(["setpriv", f"--reuid={h.user('stranger').pw_uid}",
                  "--clear-groups", "/bin/sh", "-c", "ulimit -n 7000; exec "
                  'python3 /run/hold.py "$0" "$1"', text, str(count)],
                 stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                 text=True) as holder:
        held = int(holder.stdout.readline())
        assert held > (100 if "ENUM" in text else 900)
        assert vsite.login(f"dos{count}@{DOMAIN}", PW, ip="192.0.2.5") == OK
        assert vsite.ask(f"PRE . imap jo@{DOMAIN}\n").startswith("UID=")
        after = rss(h.running("authdaemond"))
        holder.stdin.close()
    assert after - before < 64 << 20, (before, after)
    h.wait(vsite.alive, "authdaemond")


def test_slow_clients(vsite):
    """A byte now and then, a question that never ends, an answer not read."""
    slow = [vsite.connect() for _ in range(20)]
    for i, s in enumerate(slow):
        s.sendall(b"AUTH 100\nimap\nlogin\n" if i % 2 else b"PRE . i")
    lists = [vsite.connect() for _ in range(3)]
    for s in lists:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        s.sendall(b"ENUMERATE\n")
    for i in range(5):
        assert vsite.login(f"jo@{DOMAIN}", PW, ip=f"192.0.2.{i}") == OK
    for s in slow:                      # closed without a word
        s.settimeout(60)
        assert s.recv(10) == b""
        s.close()
    for s in lists:
        text = b""
        while b := s.recv(65536):
            text += b
        assert text.endswith(b"\n.\n") and f"jo@{DOMAIN}\t".encode() in text
        s.close()


# Trouble.

def every_question(vsite, name):
    user = f"{name}@{DOMAIN}"
    return (f"PRE . imap {user}\n", vsite.auth(user, PW, ip="192.0.2.20"),
            vsite.auth(user, "wrong", ip="192.0.2.20"),
            f"RESOLVE {user}\n", f"PASSWD imap\t{user}\t{PW}\tnew one\n",
            f"PRE . imap no{user}\n", vsite.auth("no" + user, PW))


def says_nothing(vsite, name):
    for q in every_question(vsite, name):
        assert vsite.ask(q) == NOTHING, q
    code, _, err = vsite.vchkpw(f"{name}@{DOMAIN}", PW)
    assert code == 111 and "no answer" in err and "FAILED" not in err


def works(vsite, name):
    vsite.h.wait(lambda: vsite.login(f"{name}@{DOMAIN}", PW) == OK,
                 "a right login")
    assert vsite.login(f"{name}@{DOMAIN}", "wrong") == FAIL
    assert vsite.ask(f"PRE . imap no{name}@{DOMAIN}\n") == "FAIL\n"


def test_a_store_that_is_down(vsite):
    vsite.put("down")
    if vsite.store == "mysql":
        vsite.db.stop()
        try:
            vsite.ask(f"CHANGED {DOMAIN}\n")
            says_nothing(vsite, "down")
        finally:
            vsite.db.start()
        works(vsite, "down")
        vsite.db.kill()
        try:
            vsite.ask(f"CHANGED {DOMAIN}\n")
            says_nothing(vsite, "down")
        finally:
            vsite.db.start()
    else:
        h = vsite.h
        for path in f"{DOMDIR}/vpasswd.cdb", f"{HOME}/users/cdb":
            kept = h.stat(path).st_mode & 0o777
            h.run(["cp", "-p", path, "/run/kept"])
            h.run(["chmod", "0", path])
            vsite.ask(f"CHANGED {DOMAIN}\n")
            if path.startswith(HOME):
                says_nothing(vsite, "down")
            h.run(["chmod", f"{kept:o}", path])
        for junk in "", "junk", "\xff" * 3000:
            path = f"{HOME}/users/cdb"
            h.run(["cp", "-p", path, "/run/kept"])
            h.write(path, junk)
            vsite.ask(f"CHANGED {DOMAIN}\n")
            says_nothing(vsite, "down")
            h.run(["cp", "-p", "/run/kept", path])
        vsite.ask(f"CHANGED {DOMAIN}\n")
    works(vsite, "down")


def test_a_slow_store(vsite):
    """Others are not kept waiting by it, and it is never a no."""
    if vsite.store == "cdb":
        pytest.skip("files do not wait")
    vsite.put("slow")
    vsite.put("fast")
    assert vsite.login(f"fast@{DOMAIN}", PW) == OK
    line = vsite.db.line("vpopmail", "timeout=3")
    vsite.h.write(f"{VPOPMAIL}/etc/vpopmail.mysql", line)
    vsite.reload()
    assert vsite.login(f"fast@{DOMAIN}", PW, ip="192.0.2.20") == OK
    vsite.db.freeze()
    try:
        assert vsite.ask(f"PRE . imap slow@{DOMAIN}\n") == NOTHING
        # What is kept is still said.
        assert vsite.login(f"fast@{DOMAIN}", PW, ip="192.0.2.20") == OK
    finally:
        vsite.db.thaw()
    works(vsite, "slow")
    vsite.h.write(f"{VPOPMAIL}/etc/vpopmail.mysql", vsite.db.line("vpopmail"))
    vsite.reload()


def test_a_worker_is_killed(vsite):
    vsite.put("work")
    for sig in signal.SIGKILL, signal.SIGSEGV:
        assert vsite.login(f"work@{DOMAIN}", "w" + str(sig)) == FAIL
        kill_worker(vsite, sig)
        works(vsite, "work")


def test_it_is_killed_and_restarted(vsite):
    """A question in between is not a no: it is asked again, or nothing."""
    vsite.put("rest")
    vsite.h.kill("authdaemond")
    code, _, err = vsite.vchkpw(f"rest@{DOMAIN}", PW)
    assert code in (0, 111), err
    vsite.h.wait(lambda: vsite.alive(), "authdaemond to start again")
    works(vsite, "rest")
    vsite.h.run(["svc", "-d", "/service/authdaemond"])
    vsite.h.wait(lambda: not vsite.h.running("authdaemond"), "its end")
    code, _, err = vsite.vchkpw(f"rest@{DOMAIN}", PW)
    assert code == 111 and "fail" not in err
    vsite.h.run(["svc", "-u", "/service/authdaemond"])
    vsite.h.wait(vsite.alive, "authdaemond to start again")
    works(vsite, "rest")


def test_settings_that_make_no_sense(vsite):
    """It goes on with what it had; it does not start with them."""
    vsite.setting("logintries", "many")
    vsite.reload("settings stay as they were")
    works(vsite, "jo")
    vsite.h.wait(lambda: "logintries: many: not a number" in vsite.log(),
                 "the reason in the log")
    vsite.h.run(["svc", "-t", "/service/authdaemond"])
    vsite.h.wait(lambda: "fatal: /home/vpopmail/etc/logintries: many: not a "
                 "number" in vsite.log(), "its reason")
    vsite.setting("logintries", "0")
    vsite.h.wait(vsite.alive, "authdaemond to start again")
    works(vsite, "jo")
    r = vsite.h.run([HOME + "/bin/authdaemond", "x"], check=False)
    assert r.returncode == 100
    assert vsite.h.stat(SOCKET).st_mode & 0o777 == 0o666


# System users.

def uids_of(h, name):
    """{pid: real uid} of its processes; one that ends meanwhile is none."""
    found = {}
    for pid in h.running(name):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as f:
            found[pid] = int(re.search(r"(?m)^Uid:\s+(\d+)", f.read())[1])
    return found


def test_system_users(vsite):
    h = vsite.h
    h.run(["useradd", "-m", "sysjo"])
    h.run(["chpasswd"], input="sysjo:system pass\nroot:root pass\n")
    assert vsite.login("sysjo", "system pass") == FAIL
    vsite.setting("systemusers", "1")
    vsite.again()
    try:
        got = vsite.lines(vsite.auth("sysjo", "system pass"))
        entry = h.user("sysjo")
        assert got == {"UID": [str(entry.pw_uid)], "GID": [str(entry.pw_gid)],
                       "HOME": [entry.pw_dir], "ADDRESS": ["sysjo"]}
        assert vsite.login("sysjo", "wrong") == FAIL
        assert vsite.login("root", "root pass") == FAIL
        assert vsite.login("sysjo@" + DOMAIN, "system pass") == FAIL
        assert vsite.login(f"jo@{DOMAIN}", PW) == OK
        code, out, err = vsite.vchkpw("sysjo", "system pass",
                                      argv=("/usr/bin/id", "-un"))
        assert (code, out) == (0, "sysjo\n"), err
        assert set(uids_of(h, "authdaemond").values()) == {0, vsite.uid}
        # Without that part all of it ends and is started again.
        old = h.running("authdaemond")
        for pid, uid in uids_of(h, "authdaemond").items():
            if uid == 0:
                os.kill(pid, signal.SIGKILL)
        h.wait(lambda: not set(old) & set(h.running("authdaemond")) and
               vsite.alive(), "authdaemond to start again")
        h.wait(lambda: vsite.login("sysjo", "system pass") == OK, "sysjo")
    finally:
        vsite.setting("systemusers", None)
        vsite.again()
    assert vsite.login("sysjo", "system pass") == FAIL
