"""qmail-remote -w: one process, one SMTP connection, message after message."""

import os
import socket
import tempfile

import pytest

from remote_lab import DROP, ENV, Lab, Peer, ehlo

MESSAGE = b"Subject: test\n\nhello\n"


@pytest.fixture(scope="module")
def lab():
    made = Lab()
    yield made
    made.close()


class Worker:
    def __init__(self, lab, host="far.example"):
        self.sock, inside = socket.socketpair(socket.AF_UNIX,
                                              socket.SOCK_SEQPACKET)
        self.sock.settimeout(60)
        self.child = lab.h.popen(["qmail-remote", "-w", host], user="qmailr",
                                 stdin=inside, env=ENV)
        inside.close()

    def send(self, *rcpts, sender="s@client.example", message=MESSAGE,
             mparams="", rparams=""):
        with tempfile.TemporaryFile() as f:
            f.write(message)
            f.flush()
            os.lseek(f.fileno(), 7, os.SEEK_SET)    # wherever it stands
            words = [sender, mparams]
            for r in rcpts or ("r@far.example",):
                words += [r, rparams]
            socket.send_fds(self.sock, ["".join(
                w + "\0" for w in words).encode()], [f.fileno()])
        out = self.sock.recv(200000).decode()
        assert out.endswith("\0")
        return [(r[:1], r[1:]) for r in out[:-1].split("\0")]

    def end(self):
        self.sock.close()
        return self.child.wait(60)


@pytest.fixture
def worker(lab):
    made = []

    def start(peer):
        port = lab.listen(peer)
        lab.control(smtproutes=f":[127.0.0.1]:{port}\n")
        made.append(Worker(lab))
        return made[0]
    yield start
    for w in made:
        w.end()
    lab.clear()


def letters(report):
    return "".join(r[0] for r in report)


def test_one_connection_for_many_messages(lab, worker):
    peer = Peer()
    w = worker(peer)
    for i in range(5):
        report = w.send()
        assert letters(report) == "rK+"
        assert report[1][1] == ("127.0.0.1 accepted message.\nRemote host "
                                "said: 250 2.0.0 queued as 1\n")
    assert report[2][1].split(" ") == [
        "mta=127.0.0.1", "ip=127.0.0.1", "code=250"]
    assert len(peer.conns) == 1
    assert peer.messages() == [b"Subject: test\r\n\r\nhello\r\n.\r\n"] * 5
    assert "RSET" not in peer.commands()
    assert w.end() == 0
    lab.h.wait(lambda: peer.commands()[-1] == "QUIT", "the goodbye")


def test_it_ends_by_itself(lab, worker):
    w = worker(Peer())
    assert letters(w.send()) == "rK+"
    assert w.child.wait(60) == 0
    assert w.sock.recv(100) == b""


def test_several_recipients(lab, worker):
    peer = Peer(RCPT=("250 ok", "550 5.1.1 no", "250 ok"))
    w = worker(peer)
    assert letters(w.send("a@far.example", "b@far.example",
                          "c@far.example")) == "rhrK+"
    assert letters(w.send()) == "rK+"
    assert len(peer.conns) == 1


def test_many_long_refusals_fit_into_a_report(lab, worker):
    """What was delivered is not deferred because of the others' words."""
    long = ["550-5.1.1 " + "\u00fc" * 200] * 20 + ["550 5.1.1 end"]
    w = worker(Peer(RCPT=("250 ok", long)))
    report = w.send(*(f"r{i}@far.example" for i in range(50)))
    assert letters(report) == "r" + "h" * 49 + "K+"
    assert all(len(r[1]) > 1000 and "\n" == r[1][-1] for r in report[1:50])


def test_envelope_that_came_to_nothing_is_reset(lab, worker):
    peer = Peer(EHLO=ehlo("SIZE"), RCPT=("550 no", "250 ok"))
    w = worker(peer)
    assert letters(w.send()) == "hD+"
    assert letters(w.send()) == "rK+"
    assert len(peer.conns) == 1
    assert peer.commands()[3] == "RSET"


@pytest.mark.parametrize("goodbye", ["421 4.4.2 idle too long", None])
def test_peer_left_meanwhile(lab, worker, goodbye):
    """The next message goes over a new connection, and nobody notices."""
    def bye(conn, line):
        conn.say("250 2.0.0 queued as 1")
        if goodbye:
            conn.say(goodbye)
        return False

    peer = Peer(**{"DATA-END": (bye, "250 2.0.0 queued as 2")})
    w = worker(peer)
    assert letters(w.send()) == "rK+"
    report = w.send()
    assert letters(report) == "rK+" and "queued as 2" in report[1][1]
    assert len(peer.conns) == 2


@pytest.mark.parametrize("again", [DROP, "421 4.7.0 enough",
                                   "451 4.7.1 too many", "550 5.7.1 no more"])
def test_no_second_message_over_it(lab, worker, again):
    peer = Peer(MAIL=("250 ok", again, "250 ok"))
    w = worker(peer)
    assert letters(w.send()) == "rK+"
    assert letters(w.send()) == "rK+"
    assert len(peer.conns) == 2


def test_host_that_has_answered_is_not_asked_again_at_once(lab, worker):
    peer = Peer(RCPT=("250 ok", "451 4.7.1 later"))
    w = worker(peer)
    assert letters(w.send()) == "rK+"
    assert letters(w.send()) == "sZ+"
    assert len(peer.conns) == 1


def test_announced_limit_of_messages(lab, worker):
    peer = Peer(EHLO=ehlo("LIMITS MAILMAX=2"))
    w = worker(peer)
    assert [letters(w.send()) for _ in range(4)] == ["rK+"] * 4
    assert len(peer.conns) == 2


def test_hundred_messages_over_one_connection(lab, worker):
    peer = Peer()
    w = worker(peer)
    assert {letters(w.send()) for _ in range(101)} == {"rK+"}
    assert [len([c for c in peer.commands(n) if c.startswith("MAIL")])
            for n in range(2)] == [100, 1]


def test_lost_after_the_dot_is_deferred_and_the_worker_goes_on(lab, worker):
    peer = Peer(**{"DATA-END": (DROP, "250 ok")})
    w = worker(peer)
    report = w.send()
    assert letters(report) == "rZ+" and "Possible duplicate" in report[1][1]
    assert letters(w.send()) == "rK+"
    assert len(peer.conns) == 2


def test_wishes_about_reports(lab, worker):
    wishes = dict(mparams="RET=HDRS ENVID=QQ314159",
                  rparams="NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a@b.example")
    peer = Peer()
    report = worker(peer).send(**wishes)
    assert peer.commands()[1:3] == [
        "MAIL FROM:<s@client.example> SIZE=24 RET=HDRS ENVID=QQ314159",
        "RCPT TO:<r@far.example> NOTIFY=SUCCESS,FAILURE "
        "ORCPT=rfc822;a@b.example"]
    assert "dsn=relayed" in report[2][1].split(" ")


def test_wishes_are_not_told_to_peers_without_dsn(lab, worker):
    peer = Peer(EHLO=ehlo("SIZE"))
    report = worker(peer).send(mparams="RET=HDRS", rparams="NOTIFY=NEVER")
    assert peer.commands()[1:3] == ["MAIL FROM:<s@client.example> SIZE=24",
                                    "RCPT TO:<r@far.example>"]
    assert "dsn" not in report[2][1]


def test_damaged_command(lab, worker):
    w = worker(Peer())
    w.sock.send(b"no end")
    out = w.sock.recv(1000)
    assert out[:1] == b"Z" and out[-1:] == b"\0"


def test_command_without_a_message(lab, worker):
    peer = Peer()
    w = worker(peer)
    w.sock.send(b"s@client.example\0\0r@far.example\0\0")
    assert w.sock.recv(1000).startswith(b"Z")
    assert peer.conns == []
    assert letters(w.send()) == "rK+"


def test_control_files_are_read_again_for_a_new_session(lab, worker):
    first, second = Peer(QUIT=DROP), Peer()
    first.table["DATA-END"] = DROP
    w = worker(first)
    assert letters(w.send()) == "rZ+"
    port = lab.listen(second)
    lab.control(smtproutes=f":[127.0.0.1]:{port}\n")
    assert letters(w.send()) == "rK+"
    assert len(second.conns) == 1


def test_control_files_may_be_links(lab, worker):
    """Landlock does not follow them by itself."""
    w = worker(peer := Peer())
    w.end()
    lab.h.run("mv /var/qmail/control/smtproutes /etc/routes && "
              "ln -s /etc/routes /var/qmail/control/smtproutes")
    w = Worker(lab)
    try:
        assert letters(w.send()) == "rK+"
        assert len(peer.conns) == 1
    finally:
        w.end()
