"""What leaves on the wire, byte by byte: only CR LF line ends, every leading
dot doubled, whatever is stored."""

import itertools

import pytest

from remote_lab import Lab, Peer, ehlo

PIECES = ["\r\n", "\n", "\r", "\n\r", "\r\r\n", "\r\0\n", "\n\0", "", "x"]


@pytest.fixture(scope="module")
def lab():
    made = Lab()
    yield made
    made.close()


def wire(text):
    """The rule, slowly: a CR before an LF or at the very end belongs to the
    line end, any other becomes a space; dots are doubled."""
    out, lines = [], text.split(b"\n")
    last = lines.pop()
    if last:
        lines.append(last)
    for line in lines:
        if line.endswith(b"\r"):
            line = line[:-1]
        line = line.replace(b"\r", b" ")
        out.append((b"." if line.startswith(b".") else b"") + line + b"\r\n")
    return b"".join(out)


def test_oracle():
    """By hand."""
    assert wire(b"") == b""
    assert wire(b"a") == b"a\r\n"
    assert wire(b"a\n") == b"a\r\n"
    assert wire(b"a\r\n.\r\nb") == b"a\r\n..\r\nb\r\n"
    assert wire(b"a\n\r.\r\r\nb\r") == b"a\r\n . \r\nb\r\n"
    assert wire(b"\r") == b"\r\n"


def check_wire(raw):
    """True of anything a client may send as a message."""
    assert raw.endswith(b".\r\n")
    body = raw[:-3]
    assert body == b"" or body.endswith(b"\r\n")
    assert b"\r" not in body.replace(b"\r\n", b"")
    assert b"\n" not in body.replace(b"\r\n", b"")
    assert b"\r\n.\r\n" not in b"\r\n" + body
    for line in body.split(b"\r\n"):
        assert not line.startswith(b".") or line.startswith(b"..")


def test_every_way_to_write_a_lone_dot(lab):
    """The smuggling matrix, outwards, over one kind of session each."""
    peer = Peer()
    port = lab.listen(peer)
    lab.control(smtproutes=f":[127.0.0.1]:{port}\n")
    texts = [f"Subject: x\n\nbefore{a}.{b}MAIL FROM:<evil@x>{a}.{b}".encode()
             for a, b in itertools.product(PIECES, PIECES)]
    for text in texts:
        assert lab.send(text)[-1][0] == "K", text
    assert len(peer.messages()) == len(texts)
    for text, raw in zip(texts, peer.messages()):
        check_wire(raw)
        assert raw == wire(text) + b".\r\n"
    assert all(c.split()[0].split(":")[0] in
               ("EHLO", "MAIL", "RCPT", "DATA", "QUIT")
               for n in range(len(peer.conns)) for c in peer.commands(n))
    assert not any("evil" in c for n in range(len(peer.conns))
                   for c in peer.commands(n))
    lab.clear()


def test_the_same_by_bdat(lab):
    peer = Peer(EHLO=ehlo("CHUNKING", "PIPELINING"))
    port = lab.listen(peer)
    lab.control(smtproutes=f":[127.0.0.1]:{port}\n")
    for a, b in itertools.product(PIECES, PIECES):
        assert lab.send(f"S: x\n\nbefore{a}.{b}after{a}".encode())[-1][0] \
            == "K"
    for (a, b), raw in zip(itertools.product(PIECES, PIECES),
                           peer.messages()):
        text = f"S: x\n\nbefore{a}.{b}after{a}".encode()
        assert raw == wire(text).replace(b"\r\n..", b"\r\n.")
    lab.clear()


@pytest.mark.parametrize("text", [
    b"", b"\n", b"x", b".", b".\n", b"..\n.", b"\r", b"\n\n\n",
    b"x" * 998 + b"\n", b"x" * 100000, b"." * 70000 + b"\n",
    (b"." + b"y" * 65534 + b"\n") * 3, b"\r" * 70000, b"\r\n" * 40000,
    (b"z" * 65535 + b"\r\n.") * 2, b"a\0b\n", bytes(range(256)) * 300,
], ids=lambda text: f"{len(text)}-{text[:4].hex()}")
def test_odd_messages(lab, text):
    peer = Peer()
    assert lab.to(peer, text)[-1][0] == "K"
    check_wire(peer.messages()[0])
    assert peer.messages() == [wire(text) + b".\r\n"]
    lab.clear()


def test_a_large_message_needs_no_memory(lab):
    """200 MB through a process that may have 64."""
    peer = Peer()

    def data(conn, line):
        conn.say("354 go")
        n, tail = 0, b""
        while not tail.endswith(b"\r\n.\r\n"):
            got = conn.sock.recv(1 << 20)
            if not got:
                return False
            n += len(got)
            tail = (tail + got)[-5:]
        peer.n = n
        conn.say("250 2.0.0 queued as 1")

    peer.table["DATA"] = data
    port = lab.listen(peer)
    lab.control(smtproutes=f":[127.0.0.1]:{port}\n")
    lab.h.run("yes 'a line of text' | head -c 209715200 >/run/big")
    r = lab.h.run("ulimit -v 65536; exec qmail-remote far.example s@x "
                  "r@far.example </run/big", user="qmailr")
    lab.h.run("rm /run/big")
    peer.settle()
    assert r.stdout.startswith("r\0K")
    lines = 209715200 // 15
    assert peer.n == lines * 16 + (209715200 - lines * 15 + 2) + 3
    lab.clear()
