"""The dialogues of TESTS/pop3d with the installed qmail-pop3d, as a user, and
what no text file can say: a mailbox that others change, messages that are
large, ways to be started, what a session may do.  Filters are in force in all
of them: a system call that the list has forgotten ends the session."""

import ctypes
import glob
import os
import random
import re
import socket
import subprocess
import sys

import pytest

POP3D = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(
    __file__))), "pop3d")
sys.path.insert(0, POP3D)
import dialogue  # noqa: E402
from maildirs import BIN, CONTROL, ENV, HOME, MAILDIR, THREE, USER, \
    Mailbox  # noqa: E402

MiB = 1 << 20


@pytest.fixture(scope="module")
def mailbox():
    m = Mailbox()
    yield m
    m.close()


DIALOGUES = [pytest.param(steps, id=f"{os.path.basename(path)[8:-4]}-{name}")
             for path in sorted(glob.glob(POP3D + "/session-*.txt"))
             for name, steps in dialogue.load(path)]


@pytest.mark.parametrize("steps", DIALOGUES)
def test_dialogue(mailbox, steps):
    mailbox.run(steps)


# What no text file can say.

def ask(wire, command, first="+OK"):
    """One line of an answer."""
    wire.send(command.encode() + b"\r\n")
    line = wire.line().decode("latin-1")
    assert line.startswith(first), (command, line)
    return line


def more(wire):
    """The lines below it, without dots."""
    out = []
    while (line := wire.line()) != b".":
        out.append(line[1:] if line.startswith(b".") else line)
    return out


def on(mailbox, messages, client, steps=()):
    """A session on this Maildir; its log."""
    count = sum(path[:4] in ("cur/", "new/") for path in messages)

    def greeted(_, wire, settle):
        assert wire.line() == b"+OK %d messages" % count
        client(wire)
    return mailbox.run(list(steps), greeted, messages)


def wire_form(data):
    """What RETR makes of a file, written anew."""
    if data and not data.endswith(b"\n"):
        data += b"\r\n"
    return re.sub(rb"(?<!\r)\n", b"\r\n", data)


def any_message(rng):
    parts = [b"\n", b"\n", b"\r\n", b"\r", b".", b"..", b"\0", b"\xe9",
             b"word ", b"x" * 200]
    return b"".join(rng.choice(parts) for _ in range(rng.randrange(400)))


def test_sizes_are_what_is_sent(mailbox):
    """LIST, STAT, RETR's own word and what comes agree for any bytes, whether
    names tell sizes or not."""
    rng = random.Random(5)
    messages = {}
    for i in range(60):
        data = any_message(rng)
        size = f",S={len(data)},W={len(wire_form(data))}" if i % 2 else ""
        messages[f"cur/17000{i:05}.M1P1.mx{size}:2,S"] = data

    def client(wire):
        count, total = ask(wire, "STAT").split()[1:]
        ask(wire, "LIST")
        listed = [tuple(map(int, line.split())) for line in more(wire)]
        assert int(count) == len(listed) == 60
        assert int(total) == sum(size for _, size in listed)
        for (n, size), data in zip(listed, messages.values()):
            assert ask(wire, f"RETR {n}") == f"+OK {size} octets"
            got = b"".join(line + b"\r\n" for line in more(wire))
            assert got == wire_form(data)
            assert len(got) == size
        ask(wire, "QUIT")
    on(mailbox, messages, client)


def status(mailbox, what):
    pid, = mailbox.h.running("qmail-pop3d")
    with open(f"/proc/{pid}/{what}") as f:
        return dict(line.split(":", 1) for line in f if ":" in line)


def kib(mailbox, what, field):
    return int(status(mailbox, what)[field].split()[0])


def test_large_messages_in_little_memory(mailbox):
    """100 MB in lines, and one line of 50 MB."""
    line = b"0123456789" * 7 + b"\n"

    def client(wire):
        mailbox.sh(f"yes {line.decode().strip()} | head -c {100 * MiB} "
                   f">cur/1700000001.M1P1.mx:2,")
        mailbox.sh(f"tr '\\0' . </dev/zero | head -c {50 * MiB} "
                   f">cur/1700000002.M1P1.mx:2,")
        size = 100 * MiB + 100 * MiB // 71
        size += 2 if 100 * MiB % 71 else 0
        for n, size in ((1, size), (2, 50 * MiB + 2)):
            assert ask(wire, f"RETR {n}") == f"+OK {size} octets"
            left = size + 3 + (n == 2)      # a dot more
            while left > 0:
                left -= len(wire.buf)
                wire.buf = b""
                assert not wire.closed
                if left > 0:
                    wire.sock.setblocking(True)
                    wire._fill()
            assert left == 0
        assert kib(mailbox, "status", "VmHWM") < 2000
        ask(wire, "QUIT")
    messages = {f"cur/170000000{i}.M1P1.mx:2,": b"" for i in (1, 2)}
    log = on(mailbox, messages, client)
    assert " retr=2 " in log


def test_an_idle_session_is_small(mailbox):
    messages = {f"cur/17000000{i:02}.M1P1.mx,S=5,W=6": b"test\n"
                for i in range(20)}

    def client(wire):
        ask(wire, "STAT")
        if "Pss_Anon" in (got := status(mailbox, "smaps_rollup")):
            assert int(got["Pss_Anon"].split()[0]) < 130
        ask(wire, "QUIT")
    on(mailbox, messages, client)


def test_others_rename_deliver_and_remove(mailbox):
    names = list(THREE)

    def client(wire):
        # mutt has read one, a delivery came, a third program removed one
        mailbox.sh(f"mv '{names[1]}' 'cur/1700000002.M1P1.mx:2,RS'; "
                   f"rm '{names[0]}'; echo x >new/1700000009.M1P1.mx")
        assert ask(wire, "RETR 2") == "+OK 34 octets"
        assert len(more(wire)) == 6
        ask(wire, "RETR 1", "-ERR")
        ask(wire, "TOP 1 1", "-ERR")
        ask(wire, "RETR 4", "-ERR")
        assert ask(wire, "STAT") == "+OK 3 87"
        ask(wire, "DELE 1")
        ask(wire, "DELE 2")
        mailbox.sh("mv 'cur/1700000002.M1P1.mx:2,RS' "
                   "'cur/1700000002.M1P1.mx:2,FRS'")
        ask(wire, "QUIT")
    on(mailbox, THREE, client)
    left = mailbox.files()
    assert not any("1700000002" in f for f in left), left
    assert any("1700000009" in f for f in left), left


def test_what_cannot_be_removed(mailbox):
    def client(wire):
        ask(wire, "DELE 1")
        mailbox.sh("chmod 500 cur")
        answer = ask(wire, "QUIT", "-ERR")
        assert answer == "-ERR [SYS/PERM] some deleted messages were not " \
            "removed"
        wire.eof()
    log = on(mailbox, THREE, client)
    assert " why=quit " in log and " dele=0 " in log
    assert "unable to remove 1 messages: Permission denied" in log
    assert list(THREE)[0] in mailbox.files()


def test_a_message_that_cannot_be_read(mailbox):
    def client(wire):
        mailbox.sh(f"chmod 0 '{list(THREE)[0]}'")
        assert ask(wire, "RETR 1", "-ERR").startswith("-ERR [SYS/TEMP] ")
        ask(wire, "RETR 3")
        assert len(more(wire)) == 3
    log = on(mailbox, THREE, client)
    assert "unable to open message 1700000001.M1P1.mx,S=28,W=32: " in log


def test_who_does_not_read(mailbox):
    """It is over after the time that silence has, and nothing is removed."""
    data = b"x" * (20 * MiB)
    name = "cur/1700000001.M1P1.mx:2,S"

    def client(wire):
        wire.send(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
        mailbox.h.wait(lambda: not mailbox.h.running("qmail-pop3d"),
                       "the end of the session")
    log = on(mailbox, {name: data}, client,
             [(0, "control", "timeoutpop3d: 1")])
    assert " why=timeout " in log and " retr=0 " in log
    assert name in mailbox.files()


def test_no_more_sessions_than_allowed(mailbox):
    """The slot is free as soon as the last word was said."""
    def client(wire):
        for _ in range(2):
            p = mailbox.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
            out, log = p.communicate(b"QUIT\r\n", 60)
            assert out.startswith(b"-ERR [IN-USE] "), out
            assert b" why=busy " in log and p.returncode == 0
        ask(wire, "QUIT")
        p = mailbox.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
        assert p.communicate(b"QUIT\r\n", 60)[0].count(b"+OK") == 2
    on(mailbox, THREE, client, [(0, "control", "pop3sessions: 1")])


# Ways to be started.

def test_under_our_login(mailbox):
    """It is told that the connection has its owner; CAPA says on what the
    login said."""
    mailbox.prepare([])
    p = mailbox.h.popen(
        ["sh", "-c", "exec 5>taken; LOGINFD=5 exec $0 Maildir",
         f"{BIN}/qmail-pop3d"], env=ENV, user=USER, cwd=HOME,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, _ = p.communicate(b"CAPA\r\n", 60)
    assert p.returncode == 0
    assert b"\r\nUSER\r\n" in out and b"\r\nSASL PLAIN LOGIN\r\n" in out
    assert mailbox.h.read(f"{HOME}/taken") != ""


def test_where_the_log_is_the_connection(mailbox):
    """As with the qmail-popup of 1.03."""
    mailbox.prepare([])
    ours, theirs = socket.socketpair()
    p = mailbox.start(stdin=theirs, stdout=theirs, stderr=theirs)
    theirs.close()
    ours.sendall(b"DELE 1\r\nQUIT\r\n")
    with ours, ours.makefile("rb") as f:
        lines = f.read().splitlines()
    assert p.wait() == 0
    assert len(lines) == 3 and all(x.startswith(b"+OK") for x in lines)


def test_on_a_terminal(mailbox):
    mailbox.prepare([])
    ours, theirs = os.openpty()
    p = mailbox.start(stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    os.write(ours, b"STAT\nRETR 2\nQUIT\n")
    while b"why=quit" not in seen:
        try:
            seen += os.read(ours, 65536)
        except OSError:
            break
    assert p.wait() == 0
    os.close(ours)
    for words in (b"+OK 3 messages", b"+OK 3 87", b"..dot", b"+OK bye",
                  b"why=quit"):
        assert words in seen, seen


def test_replies_are_not_held_back(mailbox):
    """TCP sends at once: no reply waits for the client's acknowledgement."""
    mailbox.prepare([])
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
    p = mailbox.start(stdin=theirs, stdout=theirs)
    with ours, ours.makefile("rb") as f:
        assert f.readline().startswith(b"+OK")
        assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        theirs.close()
        ours.sendall(b"QUIT\r\n")
        assert f.read().startswith(b"+OK")
    assert p.wait() == 0


def test_refused_with_commands_on_their_way(mailbox):
    """The reason arrives, though nobody reads what was sent with it."""
    mailbox.prepare([])
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    ours.sendall(b"STAT\r\n" * 1000)
    p = mailbox.start(args=["Nowhere"], stdin=theirs, stdout=theirs)
    theirs.close()
    with ours, ours.makefile("rb") as f:
        assert f.read() == b"-ERR [SYS/PERM] there is no mailbox\r\n"
    assert p.wait() == 0


def test_misuse(mailbox):
    for args in ([], ["Maildir", "Maildir"]):
        got = mailbox.h.run([f"{BIN}/qmail-pop3d", *args], check=False)
        assert got.returncode == 100 and got.stdout == ""
    mailbox.h.write(f"{CONTROL}/pop3sessions", "10\n", mode=0)
    got = mailbox.h.run([f"{BIN}/qmail-pop3d", "Maildir"], user=USER,
                        cwd=HOME, check=False)
    assert got.returncode == 111 and "pop3sessions" in got.stderr


# What a session may do.

def test_rights_are_given_up(mailbox):
    def client(wire):
        got = status(mailbox, "status")
        assert got["NoNewPrivs"].strip() == "1"
        assert got["Seccomp"].strip() == "2"
        assert got["Uid"].split() == [str(mailbox.h.user(USER).pw_uid)] * 4
        pid, = mailbox.h.running("qmail-pop3d")
        with open(f"/proc/{pid}/limits") as f:
            limits = f.read()
        assert re.search(r"Max processes +0 +0 ", limits)
        assert re.search(r"Max core file size +0 +0 ", limits)
    on(mailbox, THREE, client)


def landlock():
    """Does the kernel have what writing needs?"""
    return ctypes.CDLL(None).syscall(444, None, 0, 1) >= 2


def test_another_mailbox_of_the_same_user(mailbox):
    """Virtual users share a uid: a link to another's messages leads
    nowhere."""
    mailbox.prepare([])
    mailbox.sh("rm -rf ../other && cp -a . ../other && rm -r cur && "
               "ln -s ../other/cur cur")
    p = mailbox.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                      stderr=subprocess.PIPE)
    out, log = p.communicate(b"STAT\r\nQUIT\r\n", 60)
    assert p.returncode == 0
    if landlock():
        assert out.startswith(b"-ERR [SYS/"), (out, log)
        assert b"why=error" in log


def test_lists_of_others_and_the_quota(mailbox):
    """Every path that reads or writes more than messages."""
    name = "1700000001.M1P1.mx"
    messages = {f"cur/{name}:2,S": b"one\n",
                "new/1700000002.M1P1.mx,S=4": b"two\n",
                "maildirsize": b"1000000S\n8 2\n",
                "dovecot-uidlist": b"3 V1700000000 N3 G0123456789abcdef\n"
                                   b"1 :" + name.encode() + b"\n",
                "courierpop3dsizelist": b"/2 3 1700000000\n" +
                                        name.encode() + b" 5 1:1700000000\n"}

    def client(wire):
        assert ask(wire, "STAT") == "+OK 2 10"
        ask(wire, "UIDL")
        assert len(more(wire)) == 2
        ask(wire, "DELE 1")
        ask(wire, "QUIT")
    for setting in ("auto", "courier", "dovecot %08Xu%08Xv", "name"):
        on(mailbox, messages, client,
           [(0, "control", f"pop3uidl: {setting}")])
        assert mailbox.h.read(f"{MAILDIR}/maildirsize").splitlines()[-1] \
            .split() == ["-4", "-1"]
        assert mailbox.files() == {"cur/1700000002.M1P1.mx,S=4:2,"}
