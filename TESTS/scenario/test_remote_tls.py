"""When qmail-remote starts TLS, with which demands, and what it does when
that fails.  tlsd is a thread of the test that hands back the peer's own
socket, so that the dialogue can be watched; what it is asked for is what the
real one gets."""

import os
import socket
import threading

import pytest

from remote_lab import Lab, Peer, ehlo

TLS = "/var/qmail/run/tls"
EHLO = ehlo("STARTTLS", "PIPELINING")
DANE_EE = bytes([3, 1, 1]) + b"\x11" * 32


@pytest.fixture(scope="module")
def lab():
    made = Lab()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def clean(lab):
    lab.control()
    yield
    lab.h.run(["rm", "-f", TLS])
    lab.h.run(["qmail-tcpok"])
    lab.clear()


def letters(report):
    return "".join(r[0] for r in report)


class Tlsd:
    """verdict: "ok", "fail", or "die" (end without an answer)."""

    def __init__(self, lab, verdict="ok", listening=True):
        self.requests = []
        self.verdict = verdict
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.bind(f"/proc/{lab.h.pid}/root{TLS}")
        lab.h.run(["chmod", "666", TLS])
        if not listening:
            self.sock.close()   # the file stays: a service that is down
            return
        self.sock.listen(8)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            packet, fds, _, _ = socket.recv_fds(c, 65536, 1)
            if fds:
                self.answer(c, packet, fds[0])
                os.close(fds[0])
            c.close()

    def answer(self, c, packet, fd):
        head, *rest = packet.split(b"\0", 6)
        self.requests.append({
            "role": head[0:1], "verify": head[1:2], "service": rest[0],
            "name": rest[1].decode(), "altname": rest[2].decode(),
            "peer": rest[3].decode(), "ntlsa": int(rest[4]),
            "tlsa": rest[5]})
        if self.verdict == "die":
            return
        ok = self.verdict == "ok"
        facts = (b"11" if ok else b"00") + (
            b"TLSv1.3\0TLS_AES_128_GCM_SHA256\x00128\0\0\0\0\0" if ok else
            b"\0\x000\0\0\0\0certificate has expired\0")
        if ok:
            socket.send_fds(c, [facts], [fd])
        else:
            c.send(facts)


def secure_peer(**table):
    """Speaks STARTTLS; what follows it goes on in the same stream."""
    return Peer(EHLO=EHLO, STARTTLS="220 2.0.0 go", **table)


def routed(lab, peer, extra="", files=None):
    port = lab.listen(peer)
    lab.control(smtproutes=f":[127.0.0.1]:{port} {extra}\n", **(files or {}))
    return lab.send()


def test_opportunistic(lab):
    tlsd, peer = Tlsd(lab), secure_peer()
    assert letters(routed(lab, peer)) == "rK"
    assert peer.commands()[:4] == [
        "EHLO client.example", "STARTTLS", "EHLO client.example",
        "MAIL FROM:<s@client.example>"]
    assert [(r["role"], r["verify"], r["service"]) for r in tlsd.requests] \
        == [(b"2", b"0", b"smtp")]


def test_what_was_said_before_tls_is_forgotten(lab):
    Tlsd(lab)
    peer = secure_peer()
    peer.table["EHLO"] = (ehlo("STARTTLS", "SIZE 5", "AUTH PLAIN"),
                          ehlo("8BITMIME"))
    assert letters(routed(lab, peer)) == "rK"
    assert peer.commands()[3] == "MAIL FROM:<s@client.example>"


def test_failed_handshake_goes_on_in_the_clear_once(lab):
    tlsd, peer = Tlsd(lab, "fail"), secure_peer()
    report = routed(lab, peer)
    assert letters(report) == "rK"
    assert len(peer.conns) == 2 and len(tlsd.requests) == 1
    assert "STARTTLS" in peer.commands(0)
    assert "STARTTLS" not in peer.commands(1)


@pytest.mark.parametrize("extra,verify", [("tls=require", b"0"),
                                          ("tls=verify", b"1")])
def test_never_in_the_clear_where_tls_is_demanded(lab, extra, verify):
    tlsd, peer = Tlsd(lab, "fail"), secure_peer()
    report = routed(lab, peer, extra)
    assert letters(report) == "Z"
    assert "certificate has expired" in report[0][1]
    assert "(#4.7.5)" in report[0][1]
    assert tlsd.requests[0]["verify"] == verify
    assert not any("MAIL" in c for n in range(len(peer.conns))
                   for c in peer.commands(n))
    plain = Peer()
    report = routed(lab, plain, extra)
    assert letters(report) == "Z" and "(#4.7.4)" in report[0][1]
    refusing = Peer(EHLO=EHLO, STARTTLS="454 4.7.0 not today")
    report = routed(lab, refusing, extra)
    assert letters(report) == "Z"
    assert "454 4.7.0 not today" in report[0][1]
    helo = Peer(EHLO="500 what")
    assert letters(routed(lab, helo, extra)) == "Z"


def test_starttls_refused_is_no_obstacle_when_optional(lab):
    Tlsd(lab)
    peer = Peer(EHLO=EHLO, STARTTLS="454 4.7.0 not today")
    assert letters(routed(lab, peer)) == "rK"
    assert len(peer.conns) == 1


def test_tls_never(lab):
    tlsd, peer = Tlsd(lab), secure_peer()
    assert letters(routed(lab, peer, "tls=never")) == "rK"
    assert tlsd.requests == []


@pytest.mark.parametrize("extra", ["", "tls=may", "tls=require"])
@pytest.mark.parametrize("injected", ["250 2.0.0 injected",
                                      "250-x\r\n250 SIZE 1"])
def test_bytes_after_the_reply_to_starttls(lab, extra, injected):
    tlsd = Tlsd(lab)
    peer = Peer(EHLO=EHLO, STARTTLS=["220 go", injected])
    report = routed(lab, peer, extra)
    assert letters(report) == "Z"
    assert "before it was asked" in report[0][1]
    assert tlsd.requests == [] and len(peer.conns) == 1


def test_service_that_is_down_defers(lab):
    Tlsd(lab, listening=False)
    peer = secure_peer()
    for extra in ("", "tls=require"):
        report = routed(lab, peer, extra)
        assert letters(report) == "Z"
        assert "TLS service" in report[0][1] and "(#4.7.5)" in report[0][1]
    # Peers without TLS get their mail.
    assert letters(routed(lab, Peer())) == "rK"


def test_service_that_dies_defers(lab):
    Tlsd(lab, "die")
    peer = secure_peer()
    report = routed(lab, peer)
    assert letters(report) == "Z" and "TLS service" in report[0][1]
    assert len(peer.conns) == 1


def test_no_tls_installed(lab):
    peer = secure_peer()
    assert letters(routed(lab, peer)) == "rK"
    assert "STARTTLS" not in peer.commands()
    assert letters(routed(lab, peer, "tls=require")) == "Z"


def test_login_inside_tls(lab):
    tlsd = Tlsd(lab)
    peer = secure_peer(AUTH="235 ok")
    peer.table["EHLO"] = (EHLO, ehlo("AUTH PLAIN"))
    report = routed(lab, peer, "auth=x", {"smtpauth": "x:joe:sec:ret\n"})
    assert letters(report) == "rK"
    assert tlsd.requests[0]["verify"] == b"1"
    assert peer.commands()[1:4] == ["STARTTLS", "EHLO client.example",
                                    "AUTH PLAIN AGpvZQBzZWM6cmV0"]


def test_login_is_never_tried_without_tls(lab):
    Tlsd(lab, "fail")
    peer = secure_peer(AUTH="235 ok")
    peer.table["EHLO"] = ehlo("STARTTLS", "AUTH PLAIN")
    report = routed(lab, peer, "auth=x", {"smtpauth": "x:joe:secret\n"})
    assert letters(report) == "Z"
    assert not any("AUTH" in c for c in peer.commands())


def test_tls_first_on_port_465(lab):
    tlsd = Tlsd(lab)
    peer = Peer()
    lab.listen(peer, "192.0.2.10", 465)
    lab.control(smtproutes=":192.0.2.10:465\n")
    assert letters(lab.send()) == "rK"
    assert len(tlsd.requests) == 1 and "STARTTLS" not in peer.commands()
    tlsd.verdict = "fail"
    assert letters(lab.send()) == "Z"


# DANE: 7672.

def dane(lab, peer, *tlsa, name="mx0.example", **peers):
    z = lab.zone
    z.ad = True
    z.add("far.example", "MX", (10, name))
    z.add("mx0.example", "A", "192.0.2.10")
    for t in tlsa:
        z.records.setdefault(("_25._tcp.mx0.example", 52), []).append(t)
    lab.listen(peer, "192.0.2.10", 25)
    return lab.send()


def test_dane_must_verify(lab):
    tlsd = Tlsd(lab)
    assert letters(dane(lab, secure_peer(), DANE_EE,
                        bytes([0, 1, 1]) + b"x" * 32)) == "rK"
    r = tlsd.requests[0]
    assert (r["verify"], r["name"], r["altname"], r["ntlsa"]) == \
        (b"2", "mx0.example", "far.example", 1)
    assert r["tlsa"] == b"\0\x23" + DANE_EE


def test_dane_that_fails_defers(lab):
    Tlsd(lab, "fail")
    peer = secure_peer()
    report = dane(lab, peer, DANE_EE)
    assert letters(report) == "Z" and "(#4.7.5)" in report[0][1]
    assert len(peer.conns) == 1


def test_dane_without_starttls_defers(lab):
    Tlsd(lab)
    peer = Peer()
    report = dane(lab, peer, DANE_EE)
    assert letters(report) == "Z" and "STARTTLS" in report[0][1]
    assert not any("MAIL" in c for c in peer.commands())


def test_records_that_cannot_be_used_demand_tls_all_the_same(lab):
    tlsd = Tlsd(lab)
    bad = [b"", b"\3", b"\3\1\1", bytes([3, 1, 1]) + b"short",
           bytes([1, 1, 1]) + b"x" * 32, bytes([3, 9, 1]) + b"x" * 32,
           bytes([3, 1, 9]) + b"x" * 32, bytes([3, 1, 0])]
    assert letters(dane(lab, secure_peer(), *bad)) == "rK"
    assert tlsd.requests[0]["verify"] == b"0"
    tlsd.verdict = "fail"
    assert letters(lab.send()) == "Z"


def test_tlsa_that_cannot_be_known_defers(lab):
    Tlsd(lab)
    peer = secure_peer()
    lab.zone.rcode["_25._tcp.mx0.example"] = 2
    report = dane(lab, peer)
    assert letters(report) == "Z" and "(#4.7.5)" in report[0][1]
    assert peer.conns == []
    # Another host may be told for sure.
    lab.zone.add("far.example", "MX", (20, "mx1.example"))
    lab.zone.add("mx1.example", "A", "192.0.2.11")
    lab.listen(secure_peer(), "192.0.2.11", 25)
    assert letters(lab.send()) == "rK"


@pytest.mark.parametrize("insecure", ["far.example", "mx0.example",
                                      "_25._tcp.mx0.example"])
def test_insecure_answers_make_no_dane(lab, insecure):
    tlsd = Tlsd(lab, "fail")
    lab.zone.insecure.add(insecure)
    peer = secure_peer()
    assert letters(dane(lab, peer, DANE_EE)) == "rK"
    assert tlsd.requests[0]["verify"] == b"0"
    assert len(peer.conns) == 2         # and in the clear, then


def test_no_tlsa(lab):
    tlsd = Tlsd(lab)
    assert letters(dane(lab, secure_peer())) == "rK"
    assert tlsd.requests[0]["verify"] == b"0"


def test_tlsa_under_the_name_an_alias_leads_to(lab):
    tlsd = Tlsd(lab)
    lab.zone.add("alias.example", "CNAME", "mx0.example")
    assert letters(dane(lab, secure_peer(), DANE_EE,
                        name="alias.example")) == "rK"
    assert (tlsd.requests[0]["verify"], tlsd.requests[0]["name"]) == \
        (b"2", "mx0.example")
