"""qmail-remote's side of the dialogue, against peers that behave and peers
that do not: the exact letters of its report, and its words."""

import threading

import pytest

from remote_lab import DROP, ENV, Lab, Peer, SILENCE, WAIT, ehlo

OK = "127.0.0.1 accepted message.\nRemote host said: 250 2.0.0 queued as 1\n"


@pytest.fixture(scope="module")
def lab():
    made = Lab()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def clean(lab):
    yield
    lab.clear()


def letters(report):
    return "".join(r[0] for r in report)


def test_delivered_in_one_transaction(lab):
    peer = Peer()
    assert lab.to(peer, rcpts=["a@far.example", "b@far.example"]) == \
        [("r", ""), ("r", ""), ("K", OK)]
    assert peer.seen == [
        "EHLO client.example", "MAIL FROM:<s@client.example> SIZE=24",
        "RCPT TO:<a@far.example>", "RCPT TO:<b@far.example>", "DATA",
        b"Subject: test\r\n\r\nhello\r\n.\r\n", "QUIT"]


def test_without_pipelining_each_command_waits(lab):
    waits = []

    def mail(conn, line):
        # Nothing of what follows may be there before the answer.
        waits.append(conn.buf)
        conn.say("250 ok")

    peer = Peer(EHLO=ehlo("SIZE 0"), MAIL=mail, RCPT=mail)
    assert lab.to(peer, rcpts=["a@far.example", "b@far.example"])[-1] == \
        ("K", OK)
    assert waits == [b""] * 3


def test_helo_after_ehlo_is_refused(lab):
    peer = Peer(EHLO="502 5.5.1 not implemented")
    assert lab.to(peer)[-1] == ("K", OK)
    assert peer.seen[:3] == ["EHLO client.example", "HELO client.example",
                             "MAIL FROM:<s@client.example>"]


def test_helo_over_a_new_connection(lab):
    peer = Peer(EHLO=DROP)
    assert lab.to(peer)[-1] == ("K", OK)
    assert peer.commands(0) == ["EHLO client.example"]
    assert peer.commands(1)[0] == "HELO client.example"


def test_helohost(lab):
    peer = Peer()
    port = lab.listen(peer)
    lab.control(smtproutes=f":[127.0.0.1]:{port}\n", helohost="we.example\n")
    assert letters(lab.send()) == "rK"
    assert peer.seen[0] == "EHLO we.example"


def test_addresses_are_quoted(lab):
    peer = Peer()
    assert letters(lab.to(peer, sender="a b@client.example",
                          rcpts=['x"y@far.example', "ok@far.example"])) == \
        "rrK"
    assert peer.seen[1:4] == [
        'MAIL FROM:<"a b"@client.example> SIZE=24',
        'RCPT TO:<"x\\"y"@far.example>', "RCPT TO:<ok@far.example>"]


def test_null_sender(lab):
    peer = Peer()
    assert letters(lab.to(peer, sender="")) == "rK"
    assert peer.seen[1] == "MAIL FROM:<> SIZE=24"


def test_line_end_in_an_address_is_never_sent(lab):
    peer = Peer()
    report = lab.to(peer, rcpts=["a\nb@far.example", "ok@far.example"])
    assert letters(report) == "hrK"
    assert "#5.1.3" in report[0][1]
    assert not any("b@far" in c for c in peer.commands())
    assert letters(lab.to(Peer(), sender="a\r\nDATA@client.example")) == "D"


# Refusals at each stage.

def test_recipients_apart(lab):
    peer = Peer(RCPT=("250 ok", "550 5.1.1 no such user", "450 4.2.1 later",
                      "250 ok"))
    assert lab.to(peer, rcpts=["a@far.example", "b@far.example",
                               "c@far.example", "d@far.example"]) == [
        ("r", ""),
        ("h", "127.0.0.1 does not take mail for this address.\n"
              "Remote host said: 550 5.1.1 no such user\n"),
        ("s", "127.0.0.1 does not take mail for this address now.\n"
              "Remote host said: 450 4.2.1 later\n"),
        ("r", ""), ("K", OK)]


@pytest.mark.parametrize("reply,want", [
    ("550 5.1.1 no such user", "hD"), ("450 4.2.1 later", "sZ")])
@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("data", ["354 go ahead", "554 no valid recipients"])
def test_no_recipient_is_taken(lab, reply, want, pipelining, data):
    peer = Peer(RCPT=reply, DATA=data)
    if not pipelining:
        peer.table["EHLO"] = ehlo("SIZE")
    report = lab.to(peer)
    assert letters(report) == want
    assert f"Remote host said: {reply}\n" in report[0][1]
    assert b"hello" not in b"".join(peer.messages())


@pytest.mark.parametrize("stage,reply,want", [
    ("GREET", "554 5.3.2 no service", "D"),
    ("GREET", "450 4.3.2 busy", "Z"),
    ("EHLO", "450 4.3.2 busy", "Z"),
    ("MAIL", "550 5.1.8 bad sender", "D"),
    ("MAIL", "451 4.1.8 cannot look you up", "Z"),
    ("DATA", "554 5.6.0 no", "rD"),
    ("DATA", "451 4.3.0 not now", "rZ"),
    ("DATA-END", "550 5.7.1 spam", "rD"),
    ("DATA-END", "452 4.3.1 disk full", "rZ"),
    ("GREET", "421 4.3.2 going down", "Z"),
    ("EHLO", "421 4.3.2 going down", "Z"),
    ("MAIL", "421 4.3.2 going down", "Z"),
    ("RCPT", "421 4.3.2 going down", "Z"),
    ("DATA", "421 4.3.2 going down", "rZ"),
    ("DATA-END", "421 4.3.2 going down", "rZ"),
])
@pytest.mark.parametrize("pipelining", [True, False])
def test_refusal_at_each_stage(lab, stage, reply, want, pipelining):
    peer = Peer(**({} if pipelining else {"EHLO": ehlo("SIZE")}))
    peer.table[stage] = reply
    report = lab.to(peer)
    assert letters(report) == want
    assert report[-1][1].endswith(f"Remote host said: {reply}\n")
    assert "127.0.0.1 " in report[-1][1]
    assert "duplicate" not in report[-1][1]


def test_helo_refused(lab):
    peer = Peer(EHLO="500 what", HELO="550 who are you")
    report = lab.to(peer)
    assert letters(report) == "D"
    assert report[0][1].endswith("Remote host said: 550 who are you\n")


@pytest.mark.parametrize("stage,want", [
    ("GREET", "Z"), ("MAIL", "Z"), ("RCPT", "Z"), ("DATA", "rZ"),
])
def test_peer_drops_at_each_command(lab, stage, want):
    peer = Peer(**{stage: DROP})
    report = lab.to(peer)
    assert letters(report) == want
    assert "closed the connection" in report[-1][1]
    assert "(#4.4.2)" in report[-1][1]
    assert "uplicate" not in report[-1][1]


def test_lost_after_the_dot_may_be_a_duplicate(lab):
    peer = Peer(**{"DATA-END": DROP})
    report = lab.to(peer)
    assert letters(report) == "rZ"
    assert report[1][1].startswith("Possible duplicate: 127.0.0.1 ")
    assert len(peer.conns) == 1


def test_lost_while_the_message_is_sent(lab):
    def data(conn, line):
        conn.say("354 go")
        conn.sock.recv(10)
        return False            # with unread data: a reset

    peer = Peer(DATA=data)
    report = lab.to(peer, "Subject: x\n\n" + "hello\n" * 2000000)
    assert letters(report) == "rZ"
    assert "uplicate" not in report[1][1]


@pytest.mark.parametrize("reply,want", [("552 5.3.4 too big", "rD"),
                                        ("452 4.3.1 disk full", "rZ")])
@pytest.mark.parametrize("reads_on", [True, False])
def test_refusal_in_the_middle_of_the_message(lab, reply, want, reads_on):
    """The rest is not sent, whether the peer would read it or not."""
    got = []

    def data(conn, line):
        conn.say("354 go")
        conn.sock.recv(10)
        conn.say(reply)
        if reads_on:
            conn.rest()
            got.append(len(conn.buf))
        else:
            left.wait(WAIT)
        return False

    peer, left = Peer(DATA=data), threading.Event()
    peer.settles = reads_on
    report = lab.to(peer, "Subject: x\n\n" + "hello\n" * 10000000,
                    timeout=20)
    left.set()
    assert letters(report) == want
    assert f"Remote host said: {reply}\n" in report[1][1]
    assert all(n < 60000000 for n in got)


# Peers that are slow, silent, or talk nonsense.

@pytest.mark.parametrize("stage", ["GREET", "EHLO", "MAIL", "RCPT", "DATA"])
def test_silence(lab, stage):
    report = lab.to(Peer(**{stage: SILENCE}), timeout=1)
    assert letters(report).endswith("Z")
    assert "does not answer in time" in report[-1][1]
    assert "(#4.4.2)" in report[-1][1]


def test_tarpit_that_drips_does_not_move_the_deadline(lab):
    def drip(conn, line):
        conn.sock.settimeout(0.2)
        conn.say("220-wait")
        while True:
            conn.say("220-a little longer")
            try:
                if not conn.more():
                    return False
            except TimeoutError:
                pass

    report = lab.to(Peer(GREET=drip), timeout=1)
    assert letters(report) == "Z"
    assert "does not answer in time" in report[0][1]


def test_peer_that_never_reads(lab):
    def data(conn, line):
        conn.say("354 go")
        import time
        time.sleep(3)
        return False

    report = lab.to(Peer(DATA=data), "Subject: x\n\n" + "hello\n" * 2000000,
                    timeout=1)
    assert letters(report) == "rZ"
    assert "does not take the message in time" in report[1][1]


def test_peer_that_writes_while_we_write(lab):
    """Replies that fill the buffers of both sides stop nobody."""
    def data(conn, line):
        conn.say("354 go")
        conn.say(*["250-" + "x" * 500] * 25)
        if conn.data() is None:
            return False
        conn.say("250 done")

    report = lab.to(Peer(DATA=data), "Subject: x\n\n" + "hello\n" * 1000000)
    assert letters(report) == "rZ"      # it spoke out of turn


@pytest.mark.parametrize("stage", ["GREET", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("garbage", [
    "hello", "999 what", "2x0 ok", "", "250ok", "\x00\x01\x02", "150 go on",
    "250-first\r\n251 second",
])
def test_garbage(lab, stage, garbage):
    report = lab.to(Peer(**{stage: garbage}))
    assert letters(report).endswith("Z")
    assert "does not speak SMTP" in report[-1][1]
    assert not any(c < " " and c != "\n" for c in report[-1][1])


def test_garbage_after_the_dot_may_be_a_duplicate(lab):
    report = lab.to(Peer(**{"DATA-END": "what?"}))
    assert letters(report) == "rZ"
    assert "Possible duplicate" in report[1][1]


@pytest.mark.parametrize("stage,reply", [("MAIL", "354 go"),
                                         ("RCPT", "354 go"),
                                         ("DATA", "250 ok"),
                                         ("DATA", "334 what")])
def test_answers_that_do_not_fit(lab, stage, reply):
    report = lab.to(Peer(EHLO=ehlo("SIZE"), **{stage: reply}))
    assert letters(report).endswith("Z")
    assert "does not fit" in report[-1][1]


def test_endless_line_and_endless_reply(lab):
    def line(conn, _):
        try:
            while True:
                conn.sock.sendall(b"250 " + b"x" * 65536)
        except OSError:
            return False

    def lines(conn, _):
        try:
            while True:
                conn.sock.sendall(b"250-more\r\n" * 5000)
        except OSError:
            return False

    for peer in (Peer(MAIL=line), Peer(EHLO=lines)):
        report = lab.to(peer)
        assert letters(report) == "Z"
        assert len(report[0][1]) < 6000


def test_early_replies_end_the_session(lab):
    """A peer that says everything in advance has not taken the message."""
    everything = ["220 hi", "250 a", "250 b", "250 c", "354 d", "250 e"]
    peer = Peer(GREET=everything)
    report = lab.to(peer)
    assert letters(report) == "Z"
    assert "before it was asked" in report[0][1]


def test_early_answer_to_the_message(lab):
    peer = Peer(DATA=["354 go", "250 2.0.0 I have it"])

    def data(conn, line):
        conn.say("354 go", "250 2.0.0 I have it")
        conn.data()
        return False
    peer.table["DATA"] = data
    report = lab.to(peer)
    assert letters(report) == "rZ"
    assert "before it was asked" in report[1][1]
    assert b"\r\n.\r\n" not in b"".join(peer.messages())


def test_multi_line_replies_and_their_words(lab):
    peer = Peer(**{"DATA-END": ["550-5.7.1 first\tline",
                                "550-5.7.1 \x1b[31mred\x07 and \x9b or",
                                "550 5.7.1 l\u00e4st"]})
    report = lab.to(peer)
    assert report == [("r", ""), ("D", (
        "127.0.0.1 refused the message.\nRemote host said: "
        "550-5.7.1 first line\n550-5.7.1 ?[31mred? and ? or\n"
        "550 5.7.1 l\u00e4st\n"))]


def test_long_words_are_cut(lab):
    peer = Peer(**{"DATA-END": ["550-" + "x" * 400] * 100 + ["550 end"]})
    report = lab.to(peer)
    assert letters(report) == "rD"
    assert 4900 < len(report[1][1]) < 5200


def test_bare_lf_in_replies_is_understood(lab):
    def greet(conn, line):
        conn.sock.sendall(b"220-hi\n220 there\n")
    assert letters(lab.to(Peer(GREET=greet))) == "rK"


# Several transactions.

def test_too_many_recipients_at_a_time(lab):
    rcpts = [f"r{i}@far.example" for i in range(5)]
    for code in ("452 4.5.3 too many", "552 5.5.3 too many",
                 "552 too many"):
        peer = Peer(RCPT=("250 ok", "250 ok", code, code, code,
                          "250 ok", "250 ok", code, "250 ok"))
        report = lab.to(peer, rcpts=rcpts)
        assert letters(report) == "rrrrrK"
        assert [c for c in peer.commands() if c.startswith("RCPT")] == [
            f"RCPT TO:<{rcpts[i]}>" for i in (0, 1, 2, 3, 4, 2, 3, 4, 4)]
        assert len(peer.messages()) == 3
        assert len(peer.conns) == 1


def test_552_for_a_full_mailbox_is_final(lab):
    peer = Peer(RCPT=("250 ok", "552 5.2.2 mailbox full"))
    assert letters(lab.to(peer, rcpts=["a@far.example", "b@far.example"])) \
        == "rhK"


def test_452_for_the_first_recipient_is_a_deferral(lab):
    peer = Peer(RCPT="452 4.2.2 full")
    assert letters(lab.to(peer)) == "sZ"


def test_announced_limits(lab):
    peer = Peer(EHLO=ehlo("PIPELINING", "LIMITS RCPTMAX=2 MAILMAX=100"))
    report = lab.to(peer, rcpts=[f"r{i}@far.example" for i in range(5)])
    assert letters(report) == "rrrrrK"
    assert len(peer.messages()) == 3


# SIZE, 8BITMIME, SMTPUTF8, CHUNKING.

def test_size_is_refused_before_it_is_sent(lab):
    peer = Peer(EHLO=ehlo("PIPELINING", "SIZE 23"))
    report = lab.to(peer)
    assert letters(report) == "D"
    assert "(#5.3.4)" in report[0][1]
    assert not any(c.startswith("MAIL") for c in peer.commands())
    assert letters(lab.to(Peer(EHLO=ehlo("SIZE 24")))) == "rK"


def test_peer_that_lies_about_size(lab):
    peer = Peer(EHLO=ehlo("SIZE 1000000000"),
                **{"DATA-END": "552 5.3.4 too big after all"})
    report = lab.to(peer)
    assert letters(report) == "rD"
    assert "552 5.3.4 too big after all" in report[1][1]
    for lie in ("SIZE", "SIZE x", "SIZE -1", "SIZE 99999999999999999999999"):
        assert letters(lab.to(Peer(EHLO=ehlo(lie)))) == "rK"


def test_eightbit(lab):
    text = "Subject: x\n\nh\u00e9llo\n"
    peer = Peer(EHLO=ehlo("8BITMIME"))
    assert letters(lab.to(peer, text)) == "rK"
    assert peer.seen[1] == "MAIL FROM:<s@client.example> BODY=8BITMIME"
    peer = Peer(EHLO=ehlo("PIPELINING"))
    assert letters(lab.to(peer, text)) == "rK"
    assert peer.seen[1] == "MAIL FROM:<s@client.example>"
    assert peer.messages() == [
        b"Subject: x\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=unknown-8bit\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"h=C3=A9llo\r\n.\r\n"]


def test_eightbit_that_cannot_be_converted(lab):
    text = ("MIME-Version: 1.0\nContent-Type: multipart/signed; "
            "boundary=b\n\n--b\n\nh\u00e9llo\n--b--\n")
    report = lab.to(Peer(EHLO=ehlo("SIZE")), text)
    assert letters(report) == "D"
    assert "signed" in report[0][1] and "(#5.6.3)" in report[0][1]
    assert letters(lab.to(Peer(EHLO=ehlo("8BITMIME")), text)) == "rK"


def test_utf8_addresses_and_headers(lab):
    plain = ehlo("8BITMIME")
    peer = Peer()
    assert letters(lab.to(peer, sender="m\u00fc@client.example",
                          rcpts="g\u00fc@far.example")) == "rK"
    assert peer.seen[1:3] == [
        "MAIL FROM:<m\u00fc@client.example> SIZE=24 SMTPUTF8",
        "RCPT TO:<g\u00fc@far.example>"]
    report = lab.to(Peer(EHLO=plain), sender="m\u00fc@client.example")
    assert letters(report) == "D" and "(#5.6.7)" in report[0][1]
    report = lab.to(Peer(EHLO=plain), rcpts=["g\u00fc@far.example",
                                             "a@far.example"])
    assert letters(report) == "hrK" and "(#5.6.7)" in report[0][1]
    # A domain alone can be said in ASCII.
    peer = Peer(EHLO=plain)
    assert letters(lab.to(peer, sender="m@\u00fc.example",
                          rcpts="g@b\u00fccher.example")) == "rK"
    assert peer.seen[1:3] == ["MAIL FROM:<m@xn--tda.example>",
                              "RCPT TO:<g@xn--bcher-kva.example>"]
    text = "Subject: \u00fc\n\nx\n"
    report = lab.to(Peer(EHLO=plain), text)
    assert letters(report) == "D" and "(#5.6.7)" in report[0][1]
    peer = Peer()
    assert letters(lab.to(peer, text)) == "rK"
    assert peer.seen[1].endswith(" BODY=8BITMIME SMTPUTF8")
    # Not needed: plain ASCII, or a header that is no UTF-8 at all.
    peer = Peer()
    lab.to(peer, b"Subject: \xfc\n\nx\n")
    assert peer.seen[1].endswith(" BODY=8BITMIME")


def test_chunking(lab):
    text = "Subject: x\n\n.dot\nlast"
    peer = Peer(EHLO=ehlo("CHUNKING", "PIPELINING"))
    assert letters(lab.to(peer, text)) == "rK"
    assert peer.seen[3:5] == ["BDAT 26 LAST",
                              b"Subject: x\r\n\r\n.dot\r\nlast\r\n"]
    peer = Peer(EHLO=ehlo("CHUNKING"), RCPT="550 no")
    assert letters(lab.to(peer, text)) == "hD"
    assert not any(c.startswith("BDAT") for c in peer.commands())
    peer = Peer(EHLO=ehlo("CHUNKING"), **{"BDAT-END": "554 5.6.0 no"})
    assert letters(lab.to(peer, text)) == "rD"
    peer = Peer(EHLO=ehlo("CHUNKING"), **{"BDAT-END": DROP})
    report = lab.to(peer, text)
    assert letters(report) == "rZ" and "Possible duplicate" in report[1][1]
    assert letters(lab.to(Peer(EHLO=ehlo("CHUNKING")),
                          "x\n" * 3000000)) == "rK"


def test_arguments(lab):
    for argv in ("", "host", "host sender"):
        r = lab.h.run(f"qmail-remote {argv} </dev/null", check=False)
        assert r.returncode == 100
        assert r.stderr.startswith("qmail-remote: usage: ") or \
            "usage" in r.stderr


def test_message_from_a_pipe(lab):
    peer = Peer()
    port = lab.listen(peer)
    lab.control(smtproutes=f":[127.0.0.1]:{port}\n")
    r = lab.h.run("printf 'a\\nb' | qmail-remote far.example s@x r@far.example",
                  user="qmailr", env=ENV)
    peer.settle()
    assert r.stdout == "r\0K" + OK + "\0"
    assert peer.messages() == [b"a\r\nb\r\n.\r\n"]


def test_unreadable_control_file_defers(lab):
    lab.control()
    lab.h.run(f"mkdir /var/qmail/control/smtproutes")
    report = lab.send()
    lab.h.run(f"rmdir /var/qmail/control/smtproutes")
    assert letters(report) == "Z"
    assert "control/smtproutes" in report[0][1]
