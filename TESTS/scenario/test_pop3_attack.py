"""Who wants to break POP3: the owner of a mailbox who plants things in it, and
other programs in it at the same time; a client before and after the login;
kill -9 of each process of a login at each of its moments.

Nothing hangs, nothing of others is read or changed, no mail goes without its
DELE and QUIT, nobody is told "wrong password" because something is down, and
a log has no byte that a stranger chose."""

import contextlib
import os
import poplib

import re
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest

from conftest import CONTROL, HOME
from names import inside
from test_pop3_service import Served, refused

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
