"""Who wants to break POP3: the owner of a mailbox who plants things in it, and
other programs in it at the same time; a client before and after the login;
kill -9 of each process of a login at each of its moments.

Nothing hangs, nothing of others is read or changed, no mail goes without its
DELE and QUIT, nobody is told "wrong password" because something is down, and
a log has no byte that a stranger chose."""

import contextlib
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading

import pytest

from conftest import CONTROL
from names import inside
from test_pop3_service import Served

POP3D = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(
    __file__))), "pop3d")
sys.path.insert(0, POP3D)
from maildirs import BIN, ENV, MAILDIR, Mailbox, USER  # noqa: E402
from maildirs import HOME as USER_HOME  # noqa: E402

LIMIT = 60              # s; ends a session that hangs, decides nothing
ONE = "cur/1700000001.M1P1.mx:2,S"
TWO = "new/1700000002.M1P1.mx"
TEXT = {ONE: b"Subject: one\n\nfirst\n", TWO: b"Subject: two\n\nsecond\n"}


@pytest.fixture(scope="module")
def mailbox():
    m = Mailbox()
    yield m
    m.close()


def talk(mailbox, commands, args=("Maildir",), env=ENV, **more):
    """All that is answered, as lines, and the log.  It ends with code 0."""
    p = mailbox.start(env, args, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                      stdout=subprocess.PIPE, **more)
    try:
        out, log = p.communicate("".join(c + "\r\n" for c in commands)
                                 .encode(), LIMIT)
    except subprocess.TimeoutExpired:
        p.kill()
        raise
    assert p.returncode == 0, (out, log)
    for line in log.splitlines():
        assert re.fullmatch(rb"qmail-pop3d: [ -~]+", line), line
    assert out.endswith(b"\r\n"), out
    return out.decode("latin-1").split("\r\n")[:-1], log.decode()


def fill(mailbox, messages, command="true"):
    mailbox.fill(messages)
    mailbox.sh(command)


# What its owner plants.

OURS = ["pop3d.lock", "pop3d.uidl", "pop3d.sizes", "dovecot-uidlist",
        "courierpop3dsizelist", "maildirsize"]
PLANTS = {
    "a link to what is root's": "ln -s /etc/shadow {}",
    "a link to another file": "ln -s ~/other {}",
    "a hard link": "ln ~/other {}",
    "a link to nothing": "ln -s nothing {}",
    "a link to itself": "ln -s {} {}",
    "a pipe": "mkfifo {}",
    "a socket": "python3 -c 'import socket; socket.socket(socket.AF_UNIX)"
                ".bind(\"{}\")'",
    "a directory": "mkdir {}",
    "unreadable": ": >{}; chmod 0 {}",
    "nonsense": "head -c 300000 /dev/urandom >{}",
    "huge": "truncate -s 8T {} 2>/dev/null || truncate -s 1T {}",
    "zeros": "truncate -s 100M {}",
    "one long line": "head -c 50000000 /dev/zero | tr '\\0' 1 >{}",
}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_planted_in_place_of_our_files(mailbox, plant):
    """Mail is read and removed all the same; what a link leads to is as it
    was."""
    commands = ["STAT", "UIDL", "LIST", "RETR 2", "DELE 1", "QUIT"]
    for names in [[name] for name in OURS] + [OURS]:
        fill(mailbox, TEXT, "echo mine >~/other; " + "; ".join(
            plant.format(name, name) for name in names))
        lines, log = talk(mailbox, commands)
        if plant.startswith(": >") and "pop3d.uidl" in names:
            # what clients know by it cannot be told: later, not otherwise
            assert lines == ["-ERR [SYS/TEMP] mail service unavailable"]
            continue
        assert lines[:2] == ["+OK 2 messages", "+OK 2 47"], (names, lines)
        assert lines[-1] == "+OK bye" and "second" in lines, (names, lines)
        assert " dele=1 " in log and " why=quit " in log, log
        assert not mailbox.h.exists(f"{MAILDIR}/{ONE}")
        if names != ["maildirsize"] and names != OURS:
            assert mailbox.h.read(f"{USER_HOME}/other") == "mine\n", names


def test_planted_messages(mailbox):
    """Names of any bytes, and what is no message by any of them."""
    odd = [b"1700000005.M1P1.a\nb", b"1700000006.M1P1.\x1b[2J\x07",
           b"1700000007." + b"x" * 244, b"1700000008.M1P1.\xff\xfe:2,S",
           b"-rf", b"17 00", b"1700000009.M1P1.mx:2,S\n.\n+OK", b"1.",
           b"99999999999999999999999.M1.mx", b"a,S=1,W=99999999999999999999",
           b"b,S=-1,W=-1", b"c,W=18446744073709551615", b"+OK", b"%s%n"]
    fill(mailbox, TEXT, """
        mkfifo cur/1700000010.M1P1.pipe:2,; mkdir cur/1700000011.M1P1.dir
        ln -s /etc/passwd cur/1700000012.M1P1.root; ln -s ../../other new/13.x
        ln -s 14.loop cur/14.loop; echo mine >~/other; mkfifo new/15.pipe
        python3 -c 'import socket; socket.socket(socket.AF_UNIX)
.bind("cur/1700000016.M1P1.sock")'""".replace("\n.bind", ".bind"))
    mailbox.h.run(["python3", "-c", """
import sys
for name in eval(sys.stdin.read()):
    open(b"cur/" + name, "wb").write(b"Subject: odd\\n\\nodd\\n")
"""], user=USER, cwd=MAILDIR, input=repr(odd))
    n = 2 + len(odd) + 6                # all but the directory
    commands = ["LIST", "UIDL", *(f"RETR {i + 1}" for i in range(n)),
                *(f"TOP {i + 1} 1" for i in range(n)), "QUIT"]
    lines, _ = talk(mailbox, commands)
    assert lines[0] == f"+OK {n} messages"
    uidl = lines[lines.index(".") + 2:]
    uidl = uidl[:uidl.index(".")]
    assert len(uidl) == n == len({x.split(" ")[1] for x in uidl})
    for i, line in enumerate(uidl):
        assert re.fullmatch(rf"{i + 1} [!-~]{{1,70}}", line), line
    assert lines.count("-ERR another program removed that message") == 2 * 6
    assert lines.count("Subject: odd") == 2 * len(odd)
    assert not any("root:" in x or "mine" in x for x in lines)
    # and all of it goes, but not what it leads to
    lines, log = talk(mailbox, [*(f"DELE {i + 1}" for i in range(n)), "QUIT"])
    assert lines[-1] == "+OK bye" and f" dele={n} " in log, (lines, log)
    assert mailbox.files() == {"cur/1700000011.M1P1.dir"}
    assert mailbox.h.read(f"{USER_HOME}/other") == "mine\n"


BROKEN = {
    "no tmp": ("rmdir tmp", "+OK 2 "),
    "tmp elsewhere": ("rmdir tmp; ln -s /tmp tmp", "+OK 2 "),
    "tmp is a pipe": ("rmdir tmp; mkfifo tmp", "+OK 2 "),
    "no cur": ("rm -r cur", "-ERR [SYS/PERM] there is no mailbox"),
    "cur is a pipe": ("rm -r cur; mkfifo cur", "-ERR [SYS/"),
    "cur leads nowhere": ("rm -r cur; ln -s cur cur", "-ERR [SYS/"),
    "cur is a file": ("rm -r cur; : >cur", "-ERR [SYS/"),
    "cur is closed": ("chmod 0 cur", "-ERR [SYS/TEMP]"),
    "cur cannot be changed": ("chmod 500 cur", "+OK 2 "),
    "no Maildir": ("rm -r ~/Maildir", "-ERR [SYS/PERM]"),
    "Maildir is a pipe": ("rm -r ~/Maildir; mkfifo ~/Maildir", "-ERR [SYS/"),
    "Maildir is a file": ("rm -r ~/Maildir; : >~/Maildir", "-ERR [SYS/"),
    "Maildir leads nowhere": ("rm -r ~/Maildir; ln -s Maildir ~/Maildir",
                              "-ERR [SYS/"),
    "Maildir is closed": ("chmod 0 ~/Maildir", "-ERR [SYS/TEMP]"),
    "Maildir cannot be changed": ("chmod 500 ~/Maildir", "+OK 2 "),
    "Maildir is /": ("rm -r ~/Maildir; ln -s / ~/Maildir",
                     "-ERR [SYS/PERM]"),
}


@pytest.mark.parametrize("command,greeting", BROKEN.values(), ids=BROKEN)
def test_broken_maildirs(mailbox, command, greeting):
    """Said in one line, and no mail is lost by it."""
    try:
        fill(mailbox, TEXT, command)
        lines, _ = talk(mailbox, ["STAT", "UIDL", "RETR 1", "DELE 1", "QUIT"])
        assert lines[0].startswith(greeting), lines
        assert greeting[0] == "+" or len(lines) == 1, lines
        if greeting[0] == "+":
            assert "first" in lines and lines[1] == "+OK 2 47"
    finally:
        mailbox.h.run("test ! -L Maildir || rm Maildir; chmod -R u+rwx "
                      "Maildir; rm -rf Maildir", user=USER, cwd=USER_HOME,
                      check=False)


def test_many_messages_and_little_memory(mailbox):
    """Whose mailbox is too large for the limit is not let in and dropped: the
    login says that it cannot be."""
    mailbox.fill({})
    mailbox.sh("seq -f 'cur/17%08.0f.M1P1.a-long-host-name.example:2,S' "
               "30000 | xargs touch")
    for kib, code in ((5000, 111), (40000, 0)):
        p = mailbox.h.popen(
            ["sh", "-c", f"ulimit -v {kib}; exec 5>~/taken; LOGINFD=5 "
             f"exec {BIN}/qmail-pop3d Maildir"], env={**ENV, "HOME":
                                                      USER_HOME},
            user=USER, cwd=USER_HOME, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, log = p.communicate(b"QUIT\r\n", LIMIT)
        assert p.returncode == code, (out, log)
        assert out.startswith(b"+OK 30000 ") if code == 0 else out == b""
        assert len(mailbox.h.read(f"{USER_HOME}/taken")) == (code == 0)


def test_no_watches_left(mailbox):
    """Another program of the user has all inotify instances: messages that
    are renamed are found all the same."""
    mailbox.fill({f"cur/17000000{i:02}.M1P1.mx:2,": b"m%d\n" % i
                  for i in range(40)})
    hog = mailbox.h.popen(["python3", "-c", """
import ctypes, sys
libc = ctypes.CDLL(None)
n = 0
while libc.inotify_init1(0) >= 0:
    n += 1
print(n, flush=True)
sys.stdin.read()
"""], user=USER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert int(hog.stdout.readline()) > 0
    p = mailbox.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                      stderr=subprocess.DEVNULL)
    assert p.stdout.readline() == b"+OK 40 messages\r\n"
    mailbox.sh("for f in cur/*; do mv $f ${f}FRS; done")
    out, _ = p.communicate("".join(f"RETR {i + 1}\r\n" for i in range(40))
                           .encode() + b"DELE 7\r\nQUIT\r\n", LIMIT)
    hog.communicate(timeout=LIMIT)
    for i in range(40):
        assert b"\r\nm%d\r\n" % i in out
    assert out.endswith(b"+OK bye\r\n")
    assert len(mailbox.files()) == 39


# Over the network, and with kill -9.

# As the one of test_pop3_service.py; two more users never get an answer.
CHECKPW = """#!/usr/bin/python3
import os, pwd, signal, sys
user, password, stamp, rest = os.read(3, 600).split(b"\\0", 3)
if user == b"crash":
    os.kill(os.getpid(), signal.SIGSEGV)
if user == b"hang":
    open("/run/hangs", "w").close()
    signal.pause()
if password != b"pw-" + user:
    sys.exit(1)
p = pwd.getpwnam(user.decode())
os.environ.update(USER=p.pw_name, HOME=p.pw_dir, SHELL=p.pw_shell)
os.setgroups([])
os.setgid(p.pw_gid)
os.setuid(p.pw_uid)
os.chdir(p.pw_dir)
os.execvp(sys.argv[1], sys.argv[1:])
"""
SECRET = "unutterable"


class Attacked(Served):
    def prepare(self):
        self._control("plaintextauth", "1\n")
        self._control("pop3sessions", "1\n")
        self._control("pop3limits", "penalty 0\n")
        super().prepare()
        self.h.write("/run/checkpw", CHECKPW, mode=0o755)

    def raw(self, port=110):
        return inside(self.h, lambda: socket.create_connection(
            ("127.0.0.1", port), LIMIT))

    def sessions(self):
        """[(pid, ppid, state, name)] of what connections have."""
        out = self.h.run("ps -eo pid,ppid,stat,comm").stdout
        found = [line.split(None, 3) for line in out.splitlines()[1:]]
        comm = {pid: name for pid, _, _, name in found}
        return [(int(pid), int(ppid), state, name)
                for pid, ppid, state, name in found
                if state[0] == "Z" or name in ("qmail-pop3d", "checkpw") or
                (name == "qmail-popup" and not self._is_template(pid)) or
                (name == "tlsd" and comm.get(ppid) == "tlsd")]

    def _is_template(self, pid):
        """It waits for its server's questions, without a connection."""
        r = self.h.run(["readlink", f"/proc/{pid}/fd/0"], check=False)
        return r.returncode == 0 and "socket:" not in r.stdout

    def pids(self, role):
        now = self.sessions()
        pids = {pid for pid, *_ in now}
        return [pid for pid, ppid, _, name in now if {
            "talker": name == "qmail-popup" and ppid in pids,
            "monitor": name == "qmail-popup" and ppid not in pids,
            "checkpw": name == "checkpw", "tlsd": name == "tlsd",
            "pop3d": name == "qmail-pop3d"}[role]]

    def idle(self):
        self.h.wait(lambda: not self.sessions(), "the end of all sessions",
                    30)


@pytest.fixture(scope="module")
def site():
    s = Attacked()
    yield s
    s.close()


class Client:
    """A raw connection; TLS is on port 995."""

    def __init__(self, site, port=110):
        self.site, self.sock = site, site.raw(port)
        if port == 995:
            self.sock = ssl._create_unverified_context().wrap_socket(self.sock)
        self.file = self.sock.makefile("rb")

    def say(self, *lines):
        self.sock.sendall(b"".join(x.encode() + b"\r\n" for x in lines))

    def ask(self, line, first="+OK"):
        self.say(line)
        return self.hear(first)

    def hear(self, first="+OK"):
        got = self.file.readline()
        assert got.startswith(first.encode()), got
        return got

    def rest(self):
        """All up to the end, however it comes."""
        try:
            return self.file.read()
        except (ConnectionResetError, ssl.SSLError):
            return b""

    def reset(self):
        """Gone at once, as of a machine that is switched off and on."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self.file.close()
        self.sock.close()


# How far a client goes.

def greeted(site, c, user):
    c.hear()


def named(site, c, user):
    greeted(site, c, user)
    c.ask(f"USER {user}")


def half_a_line(site, c, user):
    named(site, c, user)
    c.sock.sendall(b"PASS pw-")


def checked(site, c, user):
    site.h.run(["rm", "-f", "/run/hangs"])
    greeted(site, c, user)
    c.ask("USER hang")
    c.say("PASS " + SECRET)
    site.h.wait(lambda: site.h.exists("/run/hangs"), "the check")


def refused_once(site, c, user):
    greeted(site, c, user)
    c.say(f"USER {user}", "PASS " + SECRET)
    c.hear()


def logged_in(site, c, user):
    named(site, c, user)
    assert c.ask("PASS pw-" + user) == b"+OK 1 messages\r\n"


def deleted(site, c, user):
    logged_in(site, c, user)
    c.ask("DELE 1")


def does_not_read(site, c, user):
    """10,000 times what is sent, and what would delete it at the end."""
    logged_in(site, c, user)
    c.sock.settimeout(1)
    with contextlib.suppress(TimeoutError):
        c.say(*["RETR 1"] * 10000, "DELE 1", "QUIT")
    c.sock.settimeout(LIMIT)


def half_a_handshake(site, c, user):
    greeted(site, c, user)
    c.ask("STLS")
    c.sock.sendall(b"\x16\x03\x01\x02\x00\x01")
    site.h.wait(lambda: site.pids("tlsd"), "tlsd to have it")


MOMENTS = [greeted, named, half_a_line, checked, refused_once, logged_in,
           deleted, does_not_read, half_a_handshake]


@pytest.fixture(scope="module")
def owner(site):
    """Who has one message, of some size."""
    user = site.new_user()
    site.send(user, text=f"To: {user}\nSubject: kept\n\n" + "x" * 70 * 400)
    site.mail(user)
    return user


def still_well(site, owner):
    """No process and no lock is left, and the message is there."""
    site.idle()
    c = Client(site)
    logged_in(site, c, owner)
    c.ask("RETR 1")
    c.ask("QUIT", "")
    c.rest()
    c.close()
    site.idle()


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda m: m.__name__)
def test_clients_that_vanish(site, owner, moment):
    """After which nothing is held and nothing is deleted; a check that runs
    is not hurried."""
    for port in (110, 995) if moment is not half_a_handshake else (110,):
        c = Client(site, port)
        moment(site, c, owner)
        c.reset()
        if moment is checked:
            site.h.kill("checkpw", signal.SIGKILL)
        site.idle()
    still_well(site, owner)


KILLS = [(role, moment) for role, moments in {
    "talker": (greeted, named, half_a_line),
    "monitor": (greeted, half_a_line, checked, refused_once,
                half_a_handshake),
    "checkpw": (checked,),
    "pop3d": (logged_in, deleted, does_not_read),
    "tlsd": (greeted, checked, deleted, does_not_read),
}.items() for moment in moments]


@pytest.mark.parametrize("role,moment", KILLS, ids=[
    f"{r}-{m.__name__}" for r, m in KILLS])
def test_kill_9(site, owner, role, moment):
    """The connection is over, or the login cannot be now.  Nobody is told
    that a password is wrong."""
    c = Client(site, 995 if role == "tlsd" else 110)
    moment(site, c, owner)
    pid, = site.h.wait(lambda: site.pids(role), role)
    site.h.run(["kill", "-9", str(pid)])
    if (role, moment) == ("checkpw", checked):
        assert c.hear("-ERR [SYS/TEMP] ")
        c.ask("QUIT")
    elif moment is checked:
        site.h.kill("checkpw", signal.SIGKILL)
    assert b"[AUTH]" not in c.rest() or moment is refused_once
    c.close()
    still_well(site, owner)


def test_kill_9_of_the_monitor_after_the_login(site, owner):
    """The session is the user's: it goes on, and ends as ever."""
    c = Client(site)
    deleted(site, c, owner)
    pid, = site.pids("monitor")
    site.h.run(["kill", "-9", str(pid)])
    c.ask("RSET")
    c.ask("RETR 1")
    c.say("QUIT")
    assert c.rest().endswith(b".\r\n+OK bye\r\n")
    c.close()
    still_well(site, owner)


def test_a_crash_is_not_a_wrong_password(site, owner):
    c = Client(site)
    c.hear()
    c.say("USER crash", "PASS " + SECRET)
    c.hear()
    c.hear("-ERR [SYS/TEMP] ")
    c.ask("QUIT")
    c.close()


def test_no_password_is_a_wrong_one(site, owner):
    """In each way to give none; nothing is run for it."""
    ways = (["USER hang", "PASS "], ["AUTH PLAIN AGhhbmcA"],
            ["AUTH PLAIN Ym9iAGhhbmcAeA=="],
            ["AUTH LOGIN aGFuZw==", ""])
    site.h.run(["rm", "-f", "/run/hangs"])
    clients = [Client(site) for _ in ways]
    for c, lines in zip(clients, ways):
        c.say(*lines)
    for c, lines in zip(clients, ways):
        c.hear()
        for _ in lines[1:]:
            c.hear("+")
        c.hear("-ERR [AUTH] ")
        c.ask("QUIT")
        c.close()
    assert not site.h.exists("/run/hangs")
    site.idle()


def test_a_megabyte_of_commands(site, owner):
    """Before the login, nonsense ends soon; after it each is answered."""
    for line in ("STAT", "x" * 5000, "\0", "AUTH PLAIN !", "USER"):
        c = Client(site)
        c.hear()
        with contextlib.suppress(OSError):
            c.say(*[line] * (1000000 // (len(line) + 2)))
        assert c.rest().count(b"-ERR") <= 14
        c.close()
    c = Client(site)
    logged_in(site, c, owner)
    n = 30000
    got = []
    reader = threading.Thread(target=lambda: got.append(c.file.read()))
    reader.start()
    c.say(*["LIST 18446744073709551617", "RETR 0", "LIST -1", "TOP 1 x",
            "TOP 1 99999999999999999999999", "UIDL 1 1", "DELE 4294967297"]
          * (n // 7), "QUIT")
    reader.join(LIMIT)
    lines = got[0].split(b"\r\n")
    assert len(lines) == n // 7 * 7 + 2
    assert all(x.startswith(b"-ERR") for x in lines[:-2])
    assert lines[-2:] == [b"+OK bye", b""]
    c.close()
    still_well(site, owner)


def test_the_log_has_no_strangers_bytes(site, owner):
    names = ["a\x1b[2J", "b\x7f", "\xff\xfe", "c\rqmail-pop3d: info: end",
             "d ip=1.2.3.4 user=root", "e" * 500, "%s%n", "::ffff:1.2.3.4"]
    marks = {name: len(site.h.log(name)) for name in ("pop3d", "pop3sd")}
    clients = [Client(site) for _ in names]
    for c, name in zip(clients, names):
        c.sock.sendall(b"USER " + name.encode("latin-1") + b"\r\nPASS " +
                       SECRET.encode() + b"\r\nQUIT\r\n")
    for c in clients:
        assert b"\r\n-ERR [AUTH] " in c.rest()
        c.close()
    site.idle()
    log = site.h.log("pop3d")[marks["pop3d"]:]
    failed = [x for x in log.splitlines() if "auth-failed" in x]
    # nobody is asked about control characters, or more than 512 bytes
    assert len(failed) == 4
    for line in failed:
        assert re.fullmatch(r"qmail-popup: info: auth-failed pid=\d+ "
                            r"ip=127\.0\.0\.1 user=\S+", line), line
    for line in log.splitlines():
        assert re.fullmatch(r"[ -~]*", line), line
    assert not any(SECRET in site.h.log(name) for name in marks)
    assert SECRET not in site.h.run("cat /proc/[0-9]*/environ "
                                    "/proc/[0-9]*/cmdline", check=False).stdout


# What an administrator may leave behind.

TEMP = "-ERR [SYS/TEMP] "
ODD = {
    "no such program": ("checkpassword", "/nonexistent /bin/true", TEMP),
    "a program that is none": ("checkpassword", "/etc/passwd x y", TEMP),
    "nonsense for a format": ("pop3uidl", "dovecot %q", TEMP),
    "a directory": ("timeoutpop3d", None, TEMP),
    # what is no number is as good as no file, in all control files
    "a word for a number": ("timeoutpop3d", "soon", "+OK "),
    "less than none": ("pop3sessions", "-1", "+OK "),
    "more than there are": ("pop3sessions", "18446744073709551615", "+OK "),
    "for ever": ("timeoutpop3d", "18446744073709551615", "+OK "),
    "at once": ("timeoutpop3d", "0", "+OK "),
}


@pytest.mark.parametrize("name,text,answer", ODD.values(), ids=ODD)
def test_odd_settings_are_no_wrong_passwords(site, owner, name, text, answer):
    path = f"{CONTROL}/{name}"
    old = site.h.read(path) if site.h.exists(path) else None
    try:
        if text is None:
            site.h.run(["mkdir", path])
        else:
            site._control(name, text + "\n")
        if name == "checkpassword":
            site.again("pop3")
        c = Client(site)
        named(site, c, owner)
        got = c.ask("PASS pw-" + owner, "")
        c.reset()
        assert got.startswith(answer.encode()), got
        if name == "pop3uidl":
            site.h.wait(lambda: "warning: control/pop3uidl is not understood"
                        in site.h.log("pop3d"), "why, in the log")
    finally:
        site.h.run(["rm", "-rf", path])
        site._control(name, old)
        if name == "checkpassword":
            site.again("pop3")
    still_well(site, owner)


def test_without_authdaemond(site):
    """vchkpw has nobody to ask: not now, and not wrong.  With it, what
    fail2ban's filter for courier looks for."""
    old = site.h.read(f"{CONTROL}/checkpassword")
    try:
        site._control("checkpassword", None)
        site.again("pop3")
        c = Client(site)
        c.hear()
        c.say("USER ana@example.org", "PASS " + SECRET)
        c.hear()
        c.hear("-ERR [AUTH] ")
        c.close()
        site.h.wait(lambda: "\nLOGIN FAILED, method=PLAIN, ip=[127.0.0.1]\n"
                    in site.h.log("pop3d"), "the line")
        mark = len(site.h.log("pop3d"))
        site.h.run(["svc", "-d", "/service/authdaemond"])
        site.h.wait(lambda: not site.h.running("authdaemond"), "its end")
        c = Client(site)
        c.hear()
        c.say("USER ana@example.org", "PASS " + SECRET)
        c.hear()
        c.hear("-ERR [SYS/TEMP] ")
        c.close()
        site.idle()
        assert "LOGIN FAILED" not in site.h.log("pop3d")[mark:]
    finally:
        site.h.run(["svc", "-u", "/service/authdaemond"])
        site._control("checkpassword", old)
        site.again("pop3")
