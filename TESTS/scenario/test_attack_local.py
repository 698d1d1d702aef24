"""Attacks on what runs as root or as the recipient: qmail-lspawn,
qmail-getpw, qmail-local, and what they are given to read.

Each test is an attack that must fail: nobody else's file is touched, nobody
else's mail waits, no program runs that the user did not write down, and what
was accepted arrives or bounces."""

import re
import time

import pytest

HOST = "mx.valija.test"
QUEUE = "/var/qmail/queue"
BIN = "/var/qmail/bin"


def inside(site, script, *args, user=None, check=True, timeout=300):
    """Run a Python text inside the host."""
    site.h.write("/run/inside.py", script, mode=0o644)
    return site.h.run(["/usr/bin/python3", "-B", "/run/inside.py", *args],
                      user=user, check=check, timeout=timeout)


def settle(site):
    """Until nothing is being delivered."""
    site.h.wait(lambda: re.findall(r"(?m)^status: local (\d+)/", site.log())
                [-1:] == ["0"], "the deliveries to end")


def nothing_waits(site):
    """Until no local delivery is left to be done.  (Bounces to addresses
    elsewhere stay: this host has no network.)"""
    def left():
        alarm(site)
        return re.search(r"(?m)^\s+(local|todo)\s",
                         site.h.run(["qmail-qread"]).stdout)
    site.h.wait(lambda: not left(), "local mail to be delivered", step=0.5)
    settle(site)


def alarm(site):
    site.h.run(["svc", "-a", "/service/qmail"])


def status(site, comm, key):
    """A value of /proc/PID/status of the only process with this name."""
    pid, = site.h.running(comm)
    with open(f"/proc/{pid}/status") as f:
        return re.search(rf"(?m)^{key}:\s+(\S+)", f.read()).group(1)


# A qmail-lspawn of its own, with us in the place of qmail-send: whatever bytes
# a delivery may have.

DRIVER = r'''
import glob, os, pwd, random, struct, subprocess, sys, time
MESS = "/var/qmail/queue/mess/"
def message(n, text=b"Subject: t\n\nhello\n"):
    path = MESS + "0/%d" % (23 * n)
    with open(path, "wb") as f:
        f.write(text)
    os.chmod(path, 0o644)
    os.chown(path, pwd.getpwnam("qmailq").pw_uid, -1)
    return b"0/%d" % (23 * n)
class Spawner:
    def __init__(self):
        self.p = subprocess.Popen(["/var/qmail/bin/qmail-lspawn",
            "./Maildir/"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        assert self.p.stdout.read(2) == b"\0\1"
        self.max, = struct.unpack(">H", self.p.stdout.read(2))
    def command(self, number, messid, sender, rcpt):
        self.p.stdin.write(struct.pack(">H", number) + messid + b"\0" +
                           sender + b"\0" + rcpt + b"\0")
        self.p.stdin.flush()
    def report(self):
        number, = struct.unpack(">H", self.p.stdout.read(2))
        text = b""
        while not text.endswith(b"\0"):
            c = self.p.stdout.read(1)
            assert c, "qmail-lspawn ended"
            text += c
        return number, text[:-1]
    def deliver(self, messid, sender, rcpt):
        self.command(1, messid, sender, rcpt)
        number, text = self.report()
        assert number == 1
        return text
    def end(self):
        self.p.stdin.close()
        code = self.p.wait(60)
        err = self.p.stderr.read()
        for f in glob.glob(MESS + "0/*"):
            if int(os.path.basename(f)) < 1000:
                os.unlink(f)
        return code, err
'''


# Shells and environments.

HOSTILE = [
    "$(touch pwned)", "`touch pwned`", ";touch pwned;", "|touch pwned",
    "&touch pwned&", "\ntouch pwned\n", "'\"'touch pwned'\"'", "-e",
    "--version", "() { :;}; touch pwned", "() { x() { _; }; touch pwned; }",
    "BASH_FUNC_echo%%=() { touch pwned; }", "PATH=/tmp", "%n%s%x", "*", "~root",
    "<pwned", ">pwned", "\\$(touch pwned)", "${IFS}touch${IFS}pwned", "!!",
    "\x1b[31m", "\r\nDelivered-To: x", "\xe2\x80\xae"]


def test_nothing_in_the_envelope_runs(site, user):
    """Through sh, bash, direct execution and the helpers."""
    site.dotqmail(user, '|printf "%s\\n" "$EXT" "$SENDER" "$LOCAL" '
                  '"$DEFAULT" >>seen\n'
                  "|/bin/bash -c env >>environment\n"
                  "|/usr/bin/env\n"
                  "|preline sh -c 'cat >>lines'\n"
                  '|bouncesaying "no" test "$EXT" = impossible\n'
                  "./Maildir/\n", ext="default")
    for text in HOSTILE:
        site.queue(f"{text}@a.example", [f"{user}-{text}@{HOST}"])
    site.mail(user, len(HOSTILE))
    settle(site)
    assert site.h.run("find / -xdev -name pwned 2>/dev/null",
                      check=False).stdout == ""
    seen = site.h.read(f"/home/{user}/seen")
    for text in HOSTILE:
        if not text.startswith("() {"):
            lines = f"{text}\n{text}@a.example\n".replace("\r\n", "\n")
            assert lines in seen
    env = site.h.read(f"/home/{user}/environment")
    assert not re.search(r"(?m)^\w+=\(\) \{", env)
    assert not re.search(r"(?m)^PATH=/tmp", env)
    for mail in site.mails(user):
        head = mail.split("\n\n")[0]
        assert len(re.findall(r"(?m)^Delivered-To:", head)) == 1
        assert len(re.findall(r"(?m)^Return-Path:", head)) == 1


def test_functions_of_bash_are_not_exported(site, user):
    """A value that old shells would execute is not handed on at all."""
    site.dotqmail(user, '|echo "[${SENDER-unset}] [${RPLINE-unset}]" >>seen\n')
    rcpt = f"{user}@{HOST}"
    mark = site.queue("() { :;}; touch pwned", [rcpt])
    assert site.result(rcpt, mark)[0] == "success"
    assert site.h.read(f"/home/{user}/seen").startswith("[unset] [Return-Path")


# Paths.

def test_no_extension_leaves_the_home(site, user):
    """Every form of "up" in a local part, given to the spawner itself."""
    other = site.new_user()
    site.h.write(f"/home/{other}/.qmail-prize", "|touch /tmp/escaped-prize\n",
                 mode=0o644, owner=other)
    site.h.run("chmod 755 /home/*")
    site.h.run(["mkdir", "-p", f"/home/{user}/.qmail-", f"/home/{user}/.qmail-"
                "a", f"/home/{user}/.qmail-a/b"], user=user)
    r = inside(site, DRIVER + r'''
user, other = (a.encode() for a in sys.argv[1:3])
ups = [b"../" * n + b"home/" + other + b"/.qmail-prize" for n in range(8)]
ups += [b"a/" + u for u in ups] + [b"a/b/" + u for u in ups]
ups += [b"/" + u for u in ups] + [b"%2e%2e%2f" * 3 + other,
    b"..\\" * 4 + other, b"\xc0\xae\xc0\xae/" * 4 + other,
    b"\xe2\x80\xa5/" * 3, b"a/", b"/", b"//", b".", b"..", b"...",
    b"a/../", b"\n", b"\xff\xfe", b"-" * 900, b"a-" * 450, b"." * 1000,
    b"/" * 1000, b"\xc3\xa9" * 490, b"default", b"-default", b"owner",
    b"x" * 250, b"x" * 247, b"x" * 3900]
s, m = Spawner(), message(1)
for u in ups:
    for local in (user + b"-" + u, u, user + u, u + b"-" + user):
        got = s.deliver(m, b"a@b", local + b"@x.example")
        assert got[:1] in b"DZ", (local, got)
code, err = s.end()
assert code == 0, err
print(len(ups))
''', user, other)
    assert int(r.stdout) > 50
    assert not site.h.exists("/tmp/escaped-prize")
    assert site.mails(other) == [] and site.mails(user) == []


def test_an_extension_is_one_name(site, user):
    """A slash only reaches into a directory that the user called .qmail-x."""
    site.h.run(f"mkdir .qmail-d && echo '|touch in-d' >.qmail-d/x && "
               f"chmod 644 .qmail-d/x", user=user, cwd=f"/home/{user}")
    rcpt = f"{user}-d/x@{HOST}"
    mark = site.queue("a@b.example", [rcpt])
    site.result(rcpt, mark)
    rcpt = f"{user}-d/../d/x@{HOST}"
    mark = site.queue("a@b.example", [rcpt])
    assert site.result(rcpt, mark)[0] == "failure"


def test_odd_locals_end_in_failure_or_mail(site, user):
    """Through the whole system: 1000 bytes, UTF-8, slashes, control bytes."""
    locals_ = [f"{user}-" + "y" * (1000 - len(user) - len(HOST)),
               f"{user}-\u00e9\u4e2d", f"{user}-/etc/passwd", f"{user}-..",
               "../" + user, "/" + user, user + "/", f"{user}-\x01\x7f\x80",
               "-", "-" + user, ".", " ", "\u202e" + user, "root", "Root",
               "root-x", "alias-../x"]
    mark = site.queue("mailadmin@" + HOST, [f"{name}@{HOST}"
                                            for name in locals_])
    site.h.wait(lambda: len(re.findall(
        r"(?m)^delivery \d+: (failure|success)", site.log()[mark:])) >=
        len(locals_), "all of them")
    settle(site)
    assert site.mails(user) == []
    nothing_waits(site)


# .qmail files that are not what they should be.

@pytest.mark.parametrize("make,want", [
    ("mkfifo .qmail", "success"),
    ("mkdir .qmail", "success"),
    ("ln -s /dev/zero .qmail", "success"),
    ("ln -s /dev/tty .qmail", "success"),
    ("ln -s .qmail .qmail", "success"),
    ("ln -s /nowhere .qmail", "success"),
    ("ln -s /etc/shadow .qmail", "deferral"),
    ("truncate -s 2M .qmail", "deferral"),
    ("truncate -s 100G .qmail", "deferral"),
    ("yes ./Maildir/ | head -c 3000000 >.qmail", "deferral"),
    ("echo ./Maildir/ >.qmail; chmod 666 .qmail", "deferral"),
    ("echo ./Maildir/ >.qmail; chmod 000 .qmail", "deferral"),
    ("ln -s /proc/self/mem .qmail", "deferral"),
    ("printf './Maildir/\\0\\n' >.qmail", "deferral")],
    ids=lambda v: v.replace("/", "_")[:30])
def test_strange_dotqmail(site, user, make, want):
    """Neither a hang nor a wrong bounce; the default where there is none."""
    site.h.run(make, user=user, cwd=f"/home/{user}")
    rcpt = f"{user}@{HOST}"
    mark = site.send(rcpt)
    assert site.result(rcpt, mark)[0] == want
    assert len(site.mails(user)) == (want == "success")
    site.h.run(["rm", "-rf", ".qmail"], user=user, cwd=f"/home/{user}")
    if want != "success":
        alarm(site)
        site.mail(user)


def test_mailboxes_that_are_not_files(site, user):
    """FIFO, device, directory, dangling link, a file of root's."""
    home = f"/home/{user}"
    site.h.run("mkfifo fifo; ln -s /dev/full full; mkdir dir; ln -s "
               "/etc/passwd passwd; ln -s /root/x root; ln -s loop loop",
               user=user, cwd=home)
    before = site.h.read("/etc/passwd")
    for name in ("fifo", "full", "dir", "passwd", "root", "loop",
                 "no/such/place"):
        site.dotqmail(user, f"./{name}\n")
        rcpt = f"{user}@{HOST}"
        mark = site.send(rcpt)
        assert site.result(rcpt, mark)[0] == "deferral", name
    assert site.h.read("/etc/passwd") == before
    assert not site.h.exists("/root/x")
    site.dotqmail(user, "#\n")
    nothing_waits(site)


def test_dot_lock_of_a_stranger(own_site):
    """In a spool that everybody may write to, as some old hosts have it, a
    stranger's dot-lock keeps nobody's mail out; the user's own does."""
    site = own_site()
    user, enemy = site.new_user(), site.new_user()
    box = f"/var/mail/{user}"
    site.h.run(f"chmod 1777 /var/mail; rm -f {box}; install -o {user} "
               f"-m 600 /dev/null {box}")
    site.dotqmail(user, f"{box}\n")
    rcpt = f"{user}@{HOST}"
    for make in (f": >{box}.lock", f"ln -s /dev/null {box}.lock",
                 f"mkdir {box}.lock"):
        site.h.run(make, user=enemy)
        mark = site.send(rcpt)
        assert site.result(rcpt, mark)[0] == "success", make
        assert site.h.exists(f"{box}.lock")
        site.h.run(["rm", "-rf", f"{box}.lock"])
    site.h.run(f": >{box}.lock", user=user)
    mark = site.send(rcpt)
    assert site.result(rcpt, mark)[0] == "deferral"
    assert site.h.read(box).count("Subject: test") == 3


RACER = r'''
import os, sys, time
home, other = sys.argv[1:3]
os.chdir(home)
end = time.monotonic() + 120
def swap(a, b):
    for x, y in ((a, ".swap"), (b, a), (".swap", b)):
        try: os.rename(x, y)
        except OSError: pass
os.symlink(other, "Evil")
os.symlink("/root", "Root")
for i, text in enumerate(("./Maildir/\n", "./Second/\n./Maildir/\n",
                          "./Evil/Maildir/\n")):
    with open("q%d" % i, "w") as f: f.write(text)
print("ready", flush=True)
n = 0
# Ends only where all is in its place again: the mail is in a "new".
while n % 8 or not os.path.exists("stop") and time.monotonic() < end:
    n += 1
    k = n % 8
    if k == 0: swap("Maildir", "Second")
    elif k == 1: swap("Maildir/tmp", "Root")
    elif k == 2: swap("Maildir/new", "Evil")
    elif k == 3: swap("Maildir/new", "Evil")
    elif k == 4: swap("Maildir/tmp", "Root")
    else:
        try: os.symlink("q%d" % (n % 3), ".qmail.t")
        except OSError: pass
        try: os.rename(".qmail.t", ".qmail")
        except OSError: pass
print(n, flush=True)
'''


def test_directories_swapped_during_delivery(site, user):
    """The recipient swaps his .qmail, Maildir, tmp/ and new/ for links into
    other homes while mail comes in.  All happens with his rights alone, and
    no message is lost."""
    victim = site.new_user()
    home = f"/home/{user}"
    site.h.run(f"chmod 755 /home/{victim}; chmod 700 /home/{victim}/Maildir; "
               f"mkdir /home/{victim}/drop; chmod 777 /home/{victim}/drop")
    site.h.run(["maildirmake", "Second"], user=user)

    def others():
        return site.h.run(f"find /home/{victim} /root -xdev -printf "
                          "'%p %u %m %s\\n' | grep -v .cache | sort").stdout
    before = others()
    site.h.write("/run/racer.py", RACER, mode=0o644)
    p = site.h.popen(["/usr/bin/python3", "-B", "/run/racer.py", home,
                      f"/home/{victim}"], user=user, stdout=-1)
    count = 300
    try:
        assert p.stdout.readline() == b"ready\n"
        for i in range(count // 10):
            site.queue("a@b.example", [f"{user}@{HOST}"] * 10,
                       text=f"Subject: race {i}\n\nx\n")
            if i % 5 == 4:
                alarm(site)
    finally:
        site.h.write(f"{home}/stop", "", owner=user)
        p.wait(60)
    assert int(p.stdout.readline()) > 1000
    assert others() == before
    site.h.run("rm -rf .qmail* Evil Root; for d in Maildir Second; do "
               "mkdir -p $d/tmp $d/new $d/cur; done", user=user, cwd=home,
               check=False)
    # Links may have been left in the place of directories.
    site.h.run("for d in Maildir Second; do for s in tmp new; do "
               "test -L $d/$s && rm $d/$s && mkdir $d/$s; done; done; true",
               user=user, cwd=home)
    nothing_waits(site)
    text = site.h.run("cat $(find . -path '*/new/*' -type f) /dev/null",
                      user=user, cwd=home).stdout
    for i in range(count // 10):
        # .qmail with two lines gives two copies; none may be missing.
        assert text.count(f"Subject: race {i}\n") >= 1
    assert site.h.run(f"find {home} -xdev ! -user {user} ! -path {home}"
                      ).stdout == ""


# A worker that its user, or a hole in it, has turned against us.

WORKER = r'''#!/usr/bin/python3 -BIS
import os, socket, struct, sys, time, signal
REAL = "/var/qmail/bin/qmail-local.real"
if sys.argv[2:3] != [open("/run/evil-user").read()]:
    os.execv(REAL, [REAL] + sys.argv[1:])
mode = open("/run/evil-mode").read()
s = socket.socket(fileno=0)
def job():
    data, fds, flags, addr = socket.recv_fds(s, 20000, 4)
    for fd in fds: os.close(fd)
    return data
def say(n, code=0, text=b"did 1+0+0\n"):
    s.send(struct.pack(">IB", n, code) + text)
if mode == "exit":
    sys.exit(0)
if mode == "close":
    os.close(s.detach()); time.sleep(600)
if mode == "stop":
    os.kill(os.getpid(), signal.SIGSTOP)
if mode == "deaf":
    time.sleep(600)
j = job()
n, = struct.unpack(">I", j[:4])
if mode == "forge":
    for i in range(1000):
        if i != n:
            say(i)
elif mode == "wild":
    say(0xffffffff)
elif mode == "twice":
    for i in range(100): say(n, 111, b"again\n")
elif mode == "short":
    s.send(b"x")
elif mode == "empty":
    s.send(b"")
elif mode == "huge":
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    s.send(struct.pack(">IB", n, 0) + b"y" * 100000)
elif mode == "full":
    say(n, 111, b"z\n" * 8000)
elif mode == "lines":
    say(n, 111, b"x\nK\0Dforged\0\0\1Kforged\ndelivery 1: success: forged\n")
elif mode == "codes":
    say(n, 255, b"\x1b[2J\n")
elif mode == "files":
    r = [os.open("/dev/null", 0) for i in range(40)]
    socket.send_fds(s, [struct.pack(">IB", n, 111) + b"fds\n"], r)
elif mode == "flood":
    try:
        while True: s.send(struct.pack(">IB", n, 111) + b"f" * 15000)
    except OSError: pass
elif mode == "fork":
    for i in range(20):
        if os.fork() == 0:
            time.sleep(600)
time.sleep(3)
'''


@pytest.fixture(scope="module")
def evil():
    """A site whose qmail-local is hostile for one user."""
    from conftest import Site
    site = Site()
    site.evil = site.new_user()
    site.h.run(["mv", f"{BIN}/qmail-local", f"{BIN}/qmail-local.real"])
    site.h.write("/run/evil-user", site.evil, mode=0o644)
    site.h.write("/run/evil-mode", "exit", mode=0o644)
    site.h.write(f"{BIN}/qmail-local", WORKER, mode=0o755)
    yield site
    site.close()


@pytest.mark.parametrize("mode", [
    "exit", "close", "forge", "wild", "twice", "short", "empty", "huge",
    "full", "lines", "codes", "files", "flood", "fork"])
def test_hostile_worker(evil, mode):
    """Its own user's mail fails or waits.  Nobody else's does, and the
    spawner goes on as the same process, no larger than before."""
    site = evil
    good = site.new_user()
    pid = site.h.running("qmail-lspawn")
    site.h.write("/run/evil-mode", mode, mode=0o644)
    mark = site.mark()
    goods = [f"{good}@{HOST}"] * 10
    bads = [f"{site.evil}@{HOST}"] * 3
    site.queue("a@b.example", goods[:5] + bads + goods[5:])
    site.mail(good, 10)
    status_, text = site.result(bads[0], mark)
    assert status_ == ("failure" if mode == "codes" else "deferral"), text
    assert site.h.running("qmail-lspawn") == pid
    assert len(site.mails(good)) == 10
    assert site.mails(site.evil) == []
    log = site.log()[mark:]
    assert not re.search(r"(?m)^delivery \d+: success: forged", log)
    assert log.isascii() and "\x1b" not in log
    assert all(len(line) < 12000 for line in log.splitlines())
    assert int(status(site, "qmail-lspawn", "VmRSS")) < 12000
    # Nothing of the forged reports was believed.
    again = site.new_user()
    mark = site.send(f"{again}@{HOST}")
    assert site.result(f"{again}@{HOST}", mark)[0] == "success"


@pytest.mark.parametrize("mode", ["stop", "deaf"])
def test_worker_that_stands_still(evil, mode):
    """It holds its own deliveries; all others go on meanwhile."""
    site = evil
    pid = site.h.running("qmail-lspawn")
    site.h.write("/run/evil-mode", mode, mode=0o644)
    site.queue("a@b.example", [f"{site.evil}@{HOST}"] * 4)
    for _ in range(5):
        good = site.new_user()
        mark = site.send(f"{good}@{HOST}")
        assert site.result(f"{good}@{HOST}", mark)[0] == "success"
    assert site.h.running("qmail-lspawn") == pid
    # Its end frees what it held, and the mail is tried again.
    site.h.run(["pkill", "-KILL", "-u", site.evil])
    site.h.wait(lambda: re.findall(r"(?m)^status: local (\d+)/", site.log())
                [-1:] == ["0"], "its deliveries to end")


def test_slow_programs_of_one_user_leave_places_to_others(site, user):
    """Three times as many deliveries as there are places, none of which ends:
    others' mail goes on, later theirs does too."""
    site.dotqmail(user, "|test -e go || sleep 600\n")
    site.queue("a@b.example", [f"{user}@{HOST}"] * 30)
    for _ in range(3):
        good = site.new_user()
        mark = site.send(f"{good}@{HOST}")
        assert site.result(f"{good}@{HOST}", mark)[0] == "success"
    assert len(site.h.running("sleep")) <= 8
    site.h.run(["touch", "go"], user=user, cwd=f"/home/{user}")
    site.h.run(["pkill", "-KILL", "-u", user])
    nothing_waits(site)


def test_user_kills_and_stops_his_workers(site, user):
    """With the real worker: a user who signals all that he may, without an
    end, harms himself alone."""
    good = site.new_user()
    site.dotqmail(user, "|sleep 0.1\n./Maildir/\n")
    site.h.write("/run/killer.py", r'''
import os, signal, time
end = time.monotonic() + 15
me = os.getpid()
n = 0
print("ready", flush=True)
while time.monotonic() < end:
    n += 1
    for p in os.listdir("/proc"):
        if not p.isdigit() or int(p) == me: continue
        try:
            for sig in ((signal.SIGSTOP, signal.SIGKILL) if n % 3 == 0 else
                        (signal.SIGSTOP, signal.SIGCONT)):
                os.kill(int(p), sig)
        except OSError: pass
    time.sleep(0.002)
''', mode=0o644)
    pid = site.h.running("qmail-lspawn")
    p = site.h.popen(["/usr/bin/python3", "-B", "/run/killer.py"], user=user,
                     stdout=-1)
    assert p.stdout.readline() == b"ready\n"
    for i in range(20):
        site.queue("a@b.example", [f"{user}@{HOST}", f"{good}@{HOST}"],
                   text=f"Subject: {i}\n\nx\n")
    site.mail(good, 20)
    p.wait(60)
    assert site.h.running("qmail-lspawn") == pid
    site.h.run(["pkill", "-CONT", "-u", user], check=False)
    site.dotqmail(user, "./Maildir/\n")
    nothing_waits(site)
    assert {re.search(r"Subject: (\d+)", m).group(1)
            for m in site.mails(user)} == {str(i) for i in range(20)}


def test_a_worker_cannot_be_traced_or_read(site, user):
    """No ptrace, no /proc/PID/fd and no descriptor taken: what a user might
    do in the place of his worker."""
    site.dotqmail(user, "|sleep 2\n")
    rcpt = f"{user}@{HOST}"
    mark = site.send(rcpt)
    r = site.h.wait(lambda: inside(site, r'''
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
for p in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open("/proc/%s/comm" % p) as f: comm = f.read().strip()
        if comm != "qmail-local" or os.stat("/proc/%s/task" % p) is None:
            continue
    except OSError: continue
    with open("/proc/%s/status" % p) as f:
        if "\nUid:\t%d\t" % os.getuid() not in f.read(): continue
    out = []
    fd = libc.syscall(434, int(p), 0)
    out.append(libc.syscall(438, fd, 0, 0) < 0)
    try: os.listdir("/proc/%s/fd" % p); out.append(False)
    except OSError: out.append(True)
    try: open("/proc/%s/mem" % p, "rb"); out.append(False)
    except OSError: out.append(True)
    out.append(libc.ptrace(0x4206, int(p), None, None) < 0)
    print(all(out), out)
''', user=user).stdout, "a worker")
    assert r.splitlines() and all(line.startswith("True")
                                  for line in r.splitlines()), r
    assert site.result(rcpt, mark)[0] == "success"


# Programs.

@pytest.mark.parametrize("name,program,want", [
    ("daemon", "(setsid sleep 300 &) ; exit 0", "success"),
    ("daemon that holds the pipe", "sleep 300 & exit 0", "success"),
    ("fills the pipe", "yes | head -c 50000000; exit 0", "success"),
    ("fills both", "yes | head -c 9999999 >&2; yes | head -c 9999999", None),
    ("deaf to TERM", "trap '' TERM INT HUP PIPE; exit 0", "success"),
    ("closes all", "exec 0<&- 1>&- 2>&-; exit 0", "success"),
    ("kills its parent", "kill -9 $PPID", "deferral"),
    ("kills its group", "kill -9 0", "deferral"),
    ("kills all", "kill -9 -1", "deferral"),
    ("forks", "for i in 1 2 3 4 5 6 7 8 9; do sleep 300 & done", "success"),
    ("eats memory", "ulimit -v 100000; head -c 1G /dev/zero | tail -c 1G "
     ">/dev/null; exit 0", "success"),
    ("reads nothing", "exit 0", "success"),
    ("no such program", "/no/such/program", "deferral"),
    ("a directory", "/etc", "deferral"),
    ("empty", "", "success"),
    ("lone quote", "'", "deferral"),
    ("locks the message", "flock 0 sleep 300 & exit 0", "success")])
def test_hostile_program(site, user, name, program, want):
    """Whatever it does, its delivery ends, and so do the others'."""
    good = site.new_user()
    site.dotqmail(user, f"|{program}\n")
    mark = site.mark()
    site.queue("a@b.example", [f"{user}@{HOST}", f"{good}@{HOST}"])
    got, text = site.result(f"{user}@{HOST}", mark)
    assert want is None or got == want, (name, text)
    assert len(text) < 5000
    assert site.result(f"{good}@{HOST}", mark)[0] == "success"
    site.h.run(["pkill", "-KILL", "-u", user], check=False)
    site.dotqmail(user, "#\n")
    nothing_waits(site)


def test_programs_hold_nothing_of_ours(site, user):
    """Descriptors, groups, signals, limits, directory of a program."""
    site.dotqmail(user, "|/usr/bin/python3 -c 'import os, signal; "
                  "print(sorted(os.listdir(\"/proc/self/fd\")), os.getgroups()"
                  ", os.getresuid(), os.getresgid(), os.getcwd(), "
                  "signal.getsignal(signal.SIGCHLD).value, "
                  "open(\"/proc/self/status\").read())' >facts\n")
    assert site.send(f"{user}@{HOST}") is not None
    site.h.wait(lambda: site.h.exists(f"/home/{user}/facts") and
                site.h.read(f"/home/{user}/facts").endswith("\n"), "the facts")
    settle(site)
    facts = site.h.read(f"/home/{user}/facts")
    u = site.h.user(user)
    assert facts.startswith(
        f"['0', '1', '2', '3'] [{u.pw_gid}] "
        f"({u.pw_uid}, {u.pw_uid}, {u.pw_uid}) "
        f"({u.pw_gid}, {u.pw_gid}, {u.pw_gid}) /home/{user} 0 "), facts
    for name in ("SigBlk", "CapPrm", "CapEff", "CapInh", "CapAmb"):
        assert re.search(rf"(?m)^{name}:\s+0+$", facts), name


# Root.

def test_nobody_delivers_as_uid_0(own_site):
    """An assign line, a second account with uid 0, alias itself."""
    site = own_site()
    site.h.run("useradd -o -u 0 -d /home/toor -m -s /bin/sh toor && "
               "mkdir -p /home/toor && echo '|id >/tmp/as-root' "
               ">/home/toor/.qmail && cp /home/toor/.qmail /root/.qmail")
    user = site.new_user()
    site.h.write("/var/qmail/users/assign",
                 "=zero:root:0:0:/root:::\n=zeros:x:00:0:/root:::\n"
                 f"+z-:root:0:0:/root:-::\n=theirs:{user}:"
                 f"{site.h.user(user).pw_uid}:{site.h.user(user).pw_gid}:"
                 "/home/mailadmin:::\n.\n")
    site.h.run(["qmail-newu"])
    for name in ("zero", "zeros", "z-x", "toor", "toor-x", "root", "ROOT"):
        mark = site.queue("a@b.example", [f"{name}@{HOST}"])
        site.result(f"{name}@{HOST}", mark)
        assert not site.h.exists("/tmp/as-root"), name
    # Another's home is entered with the user's rights, not its owner's.
    before = len(site.mails("mailadmin"))
    site.h.run(["chmod", "755", "/home/mailadmin"])
    mark = site.queue("a@b.example", [f"theirs@{HOST}"])
    assert site.result(f"theirs@{HOST}", mark)[0] == "deferral"
    assert len(site.mails("mailadmin")) == before
    # A home that belongs to somebody else: not the account's mail.
    site.h.run(f"chown mailadmin /home/{user}")
    mark = site.queue("", [f"{user}@{HOST}"])
    assert site.result(f"{user}@{HOST}", mark)[0] == "failure"
    site.h.run(r"sed -i 's/^alias:x:[0-9]*:/alias:x:0:/' /etc/passwd")
    site.h.write("/var/qmail/alias/.qmail-ghost", "|id >/tmp/as-root\n",
                 mode=0o644)
    mark = site.queue("a@b.example", [f"ghost@{HOST}"])
    assert site.result(f"ghost@{HOST}", mark)[0] == "deferral"
    assert not site.h.exists("/tmp/as-root")


def test_accounts_with_odd_entries_harm_nobody(own_site):
    """A home that is no absolute path, uids at the edge: their mail waits or
    is the alias user's; the mail that comes with it is delivered."""
    site = own_site()
    good = site.new_user()
    site.h.run(["mkdir", "-p", "/relative/home"])
    with site.h.open("/etc/passwd", "a") as f:
        f.write("rel:x:1777:1777::relative/home:/bin/sh\n"
                "none:x:1778:1778:::/bin/sh\n"
                "dot:x:0:0::.:/bin/sh\n"
                "edge:x:4294967295:1::/relative/home:/bin/sh\n"
                "edgy:x:1779:4294967295::/edgy:/bin/sh\n"
                f"long:x:1780:1780::/{'long/' * 3000}:/bin/sh\n")
    site.h.run("chown 1777 /relative/home; mkdir /edgy; chown 1779 /edgy; "
               f"mkdir -p /{'long/' * 200}")
    names = ["rel", "none", "dot", "edge", "edgy", "long"]
    mark = site.queue("", [f"{n}@{HOST}" for n in names for _ in (0, 1)] +
                      [f"{good}-x@{HOST}", f"{good}@{HOST}"])
    assert site.result(f"{good}@{HOST}", mark)[0] == "success"
    for name in names:
        assert site.result(f"{name}@{HOST}", mark)[0] != "success", name
    log = site.log()[mark:]
    assert "gave no answer" not in log and "qmail-getpw ended" not in log
    assert site.result(f"{good}-x@{HOST}", mark)[0] == "failure"


# users/cdb.

def test_damaged_users_cdb(site, user):
    """Cut anywhere, or with a bit turned: no crash, never root, and no uid but
    the one that is written there."""
    other = site.new_user()
    u, o = site.h.user(user), site.h.user(other)
    for name in (user, other):
        site.h.write(f"/home/{name}/.qmail", "|id -u >>/tmp/uids; exit 0\n",
                     mode=0o644, owner=name)
    r = inside(site, DRIVER + r'''
import signal
users = "/var/qmail/users/"
assign = "=vic:%s:%s:%s:/home/%s:::\n" % tuple(sys.argv[1:4] + sys.argv[1:2])
assign += "=oth:%s:%s:%s:/home/%s:::\n" % tuple(sys.argv[4:7] + sys.argv[4:5])
assign += "+vic-:%s:%s:%s:/home/%s:-::\n" % tuple(sys.argv[1:4] +
                                                 sys.argv[1:2])
with open(users + "assign", "w") as f: f.write(assign + ".\n")
subprocess.run(["/var/qmail/bin/qmail-newu"], check=True)
with open(users + "cdb", "rb") as f: good = f.read()
ids = [good.find(b"\0" + x.encode() + b"\0") for x in sys.argv[2:4] +
       sys.argv[5:7]]
digits = set()
for x in sys.argv[2:4] + sys.argv[5:7]:
    at = -1
    while (at := good.find(x.encode() + b"\0", at + 1)) >= 0:
        digits |= set(range(at, at + len(x)))
def put(data):
    with open(users + "cdb.t", "wb") as f: f.write(data)
    os.chmod(users + "cdb.t", 0o644)
    os.rename(users + "cdb.t", users + "cdb")
rng = random.Random(int(os.environ.get("SEED", "1")))
s, m = Spawner(), message(1)
def try_one(data):
    put(data)
    for rcpt in (b"vic@x", b"oth@x", b"vic-e@x"):
        assert s.deliver(m, b"a@b", rcpt)[:1] in (b"K", b"Z", b"D")
try_one(good)
for n in sorted({0, 1, 100, 2047, 2048, 2049, len(good) - 1, len(good) - 8} |
                {rng.randrange(len(good)) for i in range(60)}):
    try_one(good[:n])
used = [i for i in range(len(good)) if good[i] or i >= 2048]
for i in range(250):
    at = rng.choice(used)
    if at in digits: continue
    try_one(good[:at] + bytes([good[at] ^ 1 << rng.randrange(8)]) +
            good[at + 1:])
for i in range(30):
    b = bytearray(good)
    for k in range(20):
        at = rng.randrange(len(b))
        if at not in digits: b[at] = rng.randrange(256)
    try_one(bytes(b))
try_one(os.urandom(4096))
code, err = s.end()
os.unlink(users + "cdb"); os.unlink(users + "assign")
assert code == 0, err
''', user, str(u.pw_uid), str(u.pw_gid), other, str(o.pw_uid), str(o.pw_gid),
               timeout=600)
    assert r.returncode == 0
    uids = set(site.h.read("/tmp/uids").split())
    site.h.run(["rm", "/tmp/uids"])
    assert uids <= {str(u.pw_uid), str(o.pw_uid)}


# Loops.

def test_forwarding_rings_end(site):
    """Two and three in a ring, and one that strips Delivered-To."""
    for n in (2, 3):
        ring = [site.new_user() for _ in range(n)]
        for a, b in zip(ring, ring[1:] + ring[:1]):
            site.dotqmail(a, f"&{b}@{HOST}\n")
        mark = site.queue("a@[127.0.0.1]", [f"{ring[0]}@{HOST}"])
        site.h.wait(lambda: "(#5.4.6)" in site.log()[mark:], "the end")
        settle(site)
        assert site.log()[mark:].count("starting delivery") <= 2 * n + 4


def test_ring_that_strips_delivered_to_ends(site):
    a, b = site.new_user(), site.new_user()
    for x, y in ((a, b), (b, a)):
        site.dotqmail(x, "|sed -e '/^Delivered-To:/d' | "
                      f"qmail-inject -a -f '' {y}@{HOST}\n")
    mark = site.queue("", [f"{a}@{HOST}"])
    site.h.wait(lambda: "(#5.4.6)" in site.log()[mark:], "the end",
                seconds=120)
    settle(site)
    assert site.log()[mark:].count("starting delivery") <= 120


def test_bounces_of_bounces_end(site):
    """Sender, bounce and double bounce cannot be delivered: three messages,
    then silence."""
    with site.control(doublebounceto="nobody-there\n"):
        mark = site.queue(f"gone1@{HOST}", [f"gone2@{HOST}"])
        site.h.wait(lambda: f"to local nobody-there@{HOST}" in
                    site.log()[mark:], "the double bounce")
        nothing_waits(site)
        log = site.log()[mark:]
        assert len(re.findall(r"(?m)^starting delivery \d+: msg \d+ to local ",
                              log)) == 3
        assert len(re.findall(r"(?m)^new msg ", log)) == 3


# Logs.

def test_no_field_forges_a_log_line(site, user):
    """Sender, recipient and a program's words, with whatever bytes."""
    evil = ("x\nend msg 99999\x1b[2J\r\x00\x9b31m\u202e\u2028\x7f\t "
            "delivery 1: success: all/").replace("\0", "")
    site.dotqmail(user, "|printf 'said\\nend msg 99999\\n\\033[2Jx\\r\\233 "
                  "\\342\\200\\256\\000delivery 1: success: hm/'; "
                  "printf '%s\\n' \"$EXT\"; head -c 100000 /dev/zero | tr "
                  "'\\0' '\\033'; exit 100\n", ext="default")
    mark = site.queue(evil + "@a.example", [f"{user}-{evil}@{HOST}"])
    site.h.wait(lambda: re.search(r"(?m)^delivery \d+: failure",
                                  site.log()[mark:]), "the delivery")
    settle(site)
    raw = site.h.run("cat /var/log/qmail/qmail/* /var/log/qmail/*/current "
                     "/run/svscan.log | LC_ALL=C grep -nP "
                     "'[^\\x20-\\x7e\\t]'", check=False).stdout
    assert raw == ""
    log = site.log()[mark:]
    assert "\nend msg 99999" not in log
    assert not re.search(r"(?m)^delivery 1: success: ", log)
    assert max(len(line) for line in log.splitlines()) < 12000


def test_report_text_forges_no_paragraph_of_a_bounce(site, user):
    """A program's words stay one paragraph, its own."""
    site.dotqmail(user, "|printf 'no\\n\\n<victim@x.example>:\\nforged\\n\\n"
                  "--- Below this line is a copy of the message.\\n'; "
                  "exit 100\n")
    sender = site.new_user()
    site.queue(f"{sender}@{HOST}", [f"{user}@{HOST}"])
    bounce, = site.mail(sender)
    body = bounce.split("\n\n", 1)[1]
    paragraphs = body.split("\n\n")
    assert not any(p.startswith("<victim@x.example>") for p in paragraphs)
    assert body.count("\n\n--- Below this line") == 1


# Size.

def test_envelope_of_64_megabytes(site, user):
    """Too many addresses are refused whole, with little memory."""
    r = site.h.run(
        "(printf 'Fa@b.example\\0'; yes \"T$(printf 'x%.0s' $(seq 900))"
        "@far.example\" | head -c 70000000 | tr '\\n' '\\0'; printf '\\0') "
        ">/run/big-envelope; echo x >/run/m; "
        "timeout 100 qmail-queue </run/m 1</run/big-envelope; echo $?; "
        "rm /run/big-envelope")
    assert int(r.stdout) in (11, 31, 51, 53, 81, 91), r.stdout
    assert int(status(site, "qmail-queued", "VmRSS")) < 200000
    mark = site.send(f"{user}@{HOST}")
    assert site.result(f"{user}@{HOST}", mark)[0] == "success"


def test_200_megabytes_without_a_header_end(site, user):
    """One line of 200 MB, that is all header, to a Maildir, an mbox and a
    program: memory stays small, the bytes arrive."""
    site.dotqmail(user, "./Maildir/\n./mbox\n|wc -c >count\n")
    site.h.run("truncate -s 200M /run/big")
    site.h.write("/run/e-big", f"Fa@b.example\0T{user}@{HOST}\0\0")
    mark = site.mark()
    site.h.run("qmail-queue </run/big 1</run/e-big")
    peak = 0
    end = time.monotonic() + 200
    while not site.outcome(f"{user}@{HOST}", mark):
        for pid in site.h.running("qmail-local"):
            try:
                with open(f"/proc/{pid}/status") as f:
                    peak = max(peak, int(re.search(
                        r"VmHWM:\s+(\d+)", f.read()).group(1)))
            except (OSError, AttributeError):
                pass
        assert time.monotonic() < end
        time.sleep(0.05)
    assert site.outcome(f"{user}@{HOST}", mark)[0] == "success"
    assert 0 < peak < 16000, peak
    name, = site.h.listdir(f"/home/{user}/Maildir/new")
    assert site.h.stat(f"/home/{user}/Maildir/new/{name}").st_size > 200 << 20
    assert int(site.h.read(f"/home/{user}/count")) > 200 << 20
    site.h.run(f"rm -f /run/big /home/{user}/mbox /home/{user}/Maildir/new/*")


# Names.

def test_100_deliveries_at_one_moment(site, user):
    """100 programs of their own into one Maildir: 100 messages."""
    u = site.h.user(user)
    site.h.write("/run/m100", "Subject: t\n\nhello\n", mode=0o644)
    site.h.run("for i in $(seq 100); do qmail-local -- "
               f"{user} {u.pw_dir} {user} '' '' x a@b ./Maildir/ </run/m100 "
               "& done; wait", user=user)
    assert len(site.mails(user)) == 100
    assert site.h.listdir(f"{u.pw_dir}/Maildir/tmp") == []


CLOCK = r'''
#include <sys/types.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *t)
{
	t->tv_sec = 1000000000;
	t->tv_nsec = 5;
	return 0;
}
time_t time(time_t *t)
{
	if (t)
		*t = 1000000000;
	return 1000000000;
}
pid_t getpid(void)
{
	return 77;
}
'''


def test_clock_and_pid_that_repeat_overwrite_nothing(site, user):
    """The clock set back to the same nanosecond, and the same pid: the second
    delivery may have to wait, but the first stays."""
    u = site.h.user(user)
    site.h.write("/run/clock.c", CLOCK)
    site.h.run("gcc -shared -fPIC -o /run/clock.so /run/clock.c && "
               "chmod 755 /run/clock.so")
    codes = []
    for i in range(3):
        # Equal in size, so that the whole name is the same.
        site.h.write("/run/m", f"Subject: {i}\n\nx\n", mode=0o644)
        codes.append(site.h.run(
            f"exec qmail-local -- {user} {u.pw_dir} {user} '' '' x a@b "
            "./Maildir/ </run/m", user=user, check=False,
            env={"LD_PRELOAD": "/run/clock.so"}).returncode)
    assert codes[0] == 0 and set(codes) <= {0, 111}
    got = sorted(re.search(r"Subject: (\d)", m).group(1)
                 for m in site.mails(user))
    assert got == [str(i) for i in range(3) if codes[i] == 0]
    assert site.h.listdir(f"{u.pw_dir}/Maildir/tmp") == []
