"""Where qmail-remote goes: MX, addresses, routes, other hosts after failures,
and never to itself.  Name servers that fail make deferrals."""

import struct

import pytest

from remote_lab import DROP, Lab, Peer, SILENCE, ehlo

BUSY = "450 4.2.1 later"


@pytest.fixture(scope="module")
def lab():
    made = Lab()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def clean(lab):
    lab.control()
    yield
    lab.h.run(["qmail-tcpok"])
    lab.clear()


def letters(report):
    return "".join(r[0] for r in report)


def host(lab, n, peer, name=None, v6=False):
    """mxN.example at 192.0.2.1N, or behind IPv6 too, with a peer on 25."""
    name = name or f"mx{n}.example"
    if v6 is not True:
        lab.zone.add(name, "A", f"192.0.2.1{n}")
        if peer:
            lab.listen(peer, f"192.0.2.1{n}", 25)
    if v6:
        lab.zone.add(name, "AAAA", f"2001:db8::1{n}")
        if peer:
            lab.listen(peer, f"2001:db8::1{n}", 25)
    return peer


def mx(lab, *hosts, domain="far.example"):
    for pref, name in hosts:
        lab.zone.add(domain, "MX", (pref, name))


def test_preference_is_obeyed(lab):
    mx(lab, (20, "mx1.example"), (10, "mx0.example"))
    best, other = host(lab, 0, Peer()), host(lab, 1, Peer())
    assert letters(lab.send()) == "rK"
    assert len(best.conns) == 1 and other.conns == []


def test_equal_preferences_are_shuffled(lab):
    mx(lab, (10, "mx0.example"), (10, "mx1.example"))
    a, b = host(lab, 0, Peer()), host(lab, 1, Peer())
    for _ in range(100):
        assert letters(lab.send()) == "rK"
        if a.conns and b.conns:
            return
    assert False, "one of two equal hosts was chosen a hundred times"


def test_domain_without_mx(lab):
    peer = host(lab, 0, Peer(), "far.example")
    assert letters(lab.send()) == "rK"
    assert len(peer.conns) == 1


def test_ipv6_only(lab):
    mx(lab, (10, "mx0.example"))
    host(lab, 0, Peer(), v6=True)
    report = lab.send()
    assert letters(report) == "rK"
    assert report[1][1].startswith("2001:db8::10 accepted message.\n")


def test_dead_family_does_not_stop_mail(lab):
    mx(lab, (10, "mx0.example"))
    lab.zone.add("mx0.example", "AAAA", "2001:db8::99")     # nobody
    host(lab, 0, Peer())
    assert lab.send()[1][1].startswith("192.0.2.10 accepted")


def test_domain_alias_keeps_the_envelope(lab):
    lab.zone.add("far.example", "CNAME", "real.example")
    mx(lab, (10, "mx0.example"), domain="real.example")
    peer = host(lab, 0, Peer())
    assert letters(lab.send()) == "rK"
    assert "RCPT TO:<r@far.example>" in peer.commands()


@pytest.mark.parametrize("far,letter,words", [
    ({"mx": [(0, "")]}, "D", "(#5.1.10)"),
    ({"rcode": 3}, "D", "(#5.1.2)"),
    ({"rcode": 2}, "Z", "(#4.4.3)"),
    ({"rcode": 5}, "Z", "(#4.4.3)"),
    ({"mx": [(10, "nowhere.example")]}, "D", "(#5.4.4)"),
    ({"txt": True}, "D", "(#5.4.4)"),
    ({"mx": [(10, "broken.example")]}, "Z", "(#4.4.3)"),
    ({"mx": [(10, "localhost.example")]}, "D", "(#5.4.6)"),
    ({"mx": [(10, "zero.example")]}, "D", "(#5.4.6)"),
    ({"mx": [(10, "zero6.example")]}, "D", "(#5.4.6)"),
    ({"mx": [(10, "us.example")]}, "D", "(#5.4.6)"),
    ({"mx": [(10, "us.example"), (20, "mx0.example")]}, "D", "(#5.4.6)"),
    ({"mx": [(10, "us.example"), (10, "mx0.example")]}, "D", "(#5.4.6)"),
    ({"mx": [(5, "broken.example"), (10, "us.example")]}, "Z", "(#4.4.3)"),
])
def test_what_the_name_servers_say(lab, far, letter, words):
    z = lab.zone
    z.add("localhost.example", "A", "127.0.0.1")
    z.add("zero.example", "A", "0.0.0.0")
    z.add("zero6.example", "AAAA", "::")
    z.add("us.example", "A", "192.0.2.1")
    z.rcode["broken.example"] = 2
    host(lab, 0, Peer())
    mx(lab, *far.get("mx", []))
    if "rcode" in far:
        z.rcode["far.example"] = far["rcode"]
    if "txt" in far:
        z.records[("far.example", 16)] = [b"\1x"]
    report = lab.send()
    assert letters(report) == letter
    assert words in report[0][1]


def test_host_behind_us_is_not_asked(lab):
    """With a better host than us, that one alone is asked."""
    lab.zone.add("us.example", "A", "192.0.2.1")
    mx(lab, (10, "mx0.example"), (20, "us.example"), (30, "mx1.example"))
    host(lab, 0, Peer(RCPT=BUSY))
    behind = host(lab, 1, Peer())
    assert letters(lab.send()) == "sZ"
    assert behind.conns == []


def test_moreipme(lab):
    lab.control(moreipme="# our front\n192.0.2.10\n")
    mx(lab, (10, "mx0.example"))
    host(lab, 0, Peer())
    report = lab.send()
    assert letters(report) == "D" and "(#5.4.6)" in report[0][1]


def test_address_literals(lab):
    host(lab, 0, Peer())
    assert letters(lab.send(host="[192.0.2.10]",
                            rcpts="r@[192.0.2.10]")) == "rK"
    host(lab, 1, Peer(), v6=True)
    assert letters(lab.send(host="[IPv6:2001:db8::11]",
                            rcpts="r@[IPv6:2001:db8::11]")) == "rK"
    for bad in ("[192.0.2.300]", "[]", "[192.0.2.1", "[mx0.example]"):
        report = lab.send(host=bad, rcpts=f"r@{bad}")
        assert letters(report) == "D" and "(#5.1.3)" in report[0][1]
    report = lab.send(host="[127.0.0.1]", rcpts="r@[127.0.0.1]")
    assert letters(report) == "D" and "(#5.4.6)" in report[0][1]


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64 + ".example",
                                  "a b.example", "-", "\u00fc.example",
                                  "\u00fc" * 60])
def test_names_that_are_none(lab, name):
    report = lab.send(host=name, rcpts=f"r@{name}")
    assert letters(report) == "D"


def test_domain_in_utf8(lab):
    mx(lab, (10, "mx0.example"), domain="xn--bcher-kva.example")
    peer = host(lab, 0, Peer())
    assert letters(lab.send(host="b\u00fccher.example",
                            rcpts="r@b\u00fccher.example")) == "rK"
    assert "RCPT TO:<r@b\u00fccher.example>" in peer.commands()


def test_records_of_odd_sizes(lab):
    for rdata in (b"", b"\0", b"\0\n\1", b"\0\n\x3fabc", b"\0\n\xc0\x0c\0"):
        lab.zone.records[("far.example", 15)] = [rdata]
        assert letters(lab.send()) in ("Z", "D")
    lab.zone.records[("far.example", 15)] = [
        b"", struct.pack(">H", 5) + lab.zone.name("mx0.example"), b"\0"]
    host(lab, 0, Peer())
    assert letters(lab.send()) in ("rK", "Z")


def test_name_server_is_down(lab):
    report = lab.send(env={"DNSCACHEIP": "127.0.0.9"})
    assert letters(report) == "Z" and "(#4.4.3)" in report[0][1]


# From one host to the next.

@pytest.mark.parametrize("stage", ["GREET", "EHLO", "MAIL", "RCPT", "DATA",
                                   "DATA-END"])
@pytest.mark.parametrize("how", [BUSY, "421 4.3.2 down", DROP])
def test_temporary_failures_ask_the_next_host(lab, stage, how):
    mx(lab, (10, "mx0.example"), (20, "mx1.example"))
    first = host(lab, 0, Peer(**{stage: how}))
    if stage == "EHLO" and how is DROP:
        first.table["HELO"] = DROP
    second = host(lab, 1, Peer())
    report = lab.send()
    if stage == "DATA-END" and how is DROP:
        assert letters(report) == "rZ"
        assert second.conns == []
        return
    assert letters(report) == "rK"
    assert report[1][1].startswith("192.0.2.11 accepted")
    assert len(second.conns) == 1


@pytest.mark.parametrize("stage,letter", [("RCPT", "hD"), ("DATA", "rD"),
                                          ("DATA-END", "rD")])
def test_permanent_failures_do_not(lab, stage, letter):
    mx(lab, (10, "mx0.example"), (20, "mx1.example"))
    host(lab, 0, Peer(**{stage: "550 5.7.1 no"}))
    second = host(lab, 1, Peer())
    assert letters(lab.send()) == letter
    assert second.conns == []


@pytest.mark.parametrize("stage", ["GREET", "MAIL"])
def test_refusing_to_talk_is_final_only_when_all_do(lab, stage):
    no = "554 5.3.2 no"
    mx(lab, (10, "mx0.example"), (20, "mx1.example"))
    host(lab, 0, Peer(**{stage: no}))
    second = host(lab, 1, Peer())
    assert letters(lab.send()) == "rK"
    second.table[stage] = no
    assert letters(lab.send()) == "D"
    second.table[stage] = BUSY
    assert letters(lab.send()) == "Z"


def test_refused_and_unreachable_is_temporary(lab):
    mx(lab, (10, "mx0.example"), (20, "mx1.example"))
    host(lab, 0, Peer(GREET="554 5.3.2 no"))
    host(lab, 1, None)
    report = lab.send()
    assert letters(report) == "Z"
    assert "Unable to connect to 192.0.2.11" in report[0][1]
    assert "(#4.4.1)" in report[0][1]


@pytest.mark.parametrize("stage", ["GREET", "MAIL"])
def test_refused_and_unknown_is_temporary(lab, stage):
    mx(lab, (10, "broken.example"), (20, "mx1.example"))
    lab.zone.rcode["broken.example"] = 2
    host(lab, 1, Peer(**{stage: "554 5.3.2 no"}))
    assert letters(lab.send()) == "Z"


def test_recipients_that_were_deferred_ask_the_next_host(lab):
    mx(lab, (10, "mx0.example"), (20, "mx1.example"))
    host(lab, 0, Peer(RCPT=("250 ok", BUSY, "550 5.1.1 no", BUSY)))
    second = host(lab, 1, Peer(RCPT=("250 ok", BUSY)))
    report = lab.send(rcpts=[f"{x}@far.example" for x in "abcd"])
    assert letters(report) == "rrhsK"
    assert [c for c in second.commands() if c.startswith("RCPT")] == [
        "RCPT TO:<b@far.example>", "RCPT TO:<d@far.example>"]


def test_another_host_comes_before_another_address(lab):
    mx(lab, (10, "mx0.example"), (20, "mx1.example"))
    bad = Peer(MAIL=BUSY)
    host(lab, 0, bad)
    host(lab, 0, bad, v6=True)
    host(lab, 1, Peer())
    assert letters(lab.send()) == "rK"
    assert len(bad.conns) == 1


def test_size_too_small_at_one_host(lab):
    mx(lab, (10, "mx0.example"), (20, "mx1.example"))
    host(lab, 0, Peer(EHLO=ehlo("SIZE 3")))
    host(lab, 1, Peer())
    assert letters(lab.send()) == "rK"


def test_two_sessions_and_five_addresses(lab):
    mx(lab, *((10 + n, f"mx{n}.example") for n in range(4)))
    peers = [host(lab, n, Peer(MAIL=BUSY)) for n in range(4)]
    assert letters(lab.send()) == "Z"
    assert [len(p.conns) for p in peers] == [1, 1, 0, 0]


def test_greylisting(lab):
    """Deferred today; the next delivery goes through."""
    mx(lab, (10, "mx0.example"))
    host(lab, 0, Peer(RCPT=("451 4.7.1 greylisted", "250 ok")))
    assert letters(lab.send()) == "sZ"
    assert letters(lab.send()) == "rK"


# Connections that are not answered.

def silent(lab, n):
    """An address whose packets go nowhere."""
    lab.h.run(["ip", "route", "replace", f"192.0.2.1{n}/32", "dev", "near"])
    lab.h.run(f"ip netns exec far ip addr del 192.0.2.1{n}/24 dev far; "
              f"ip neigh replace 192.0.2.1{n} lladdr 02:00:00:00:00:01 "
              "dev near nud permanent")


def alive(lab, n):
    lab.h.run(f"ip neigh del 192.0.2.1{n} dev near; "
              f"ip route del 192.0.2.1{n}/32 dev near; "
              f"ip netns exec far ip addr add 192.0.2.1{n}/24 dev far")


def test_timeouts_are_remembered(lab):
    lab.control(timeoutconnect="1\n")
    mx(lab, (10, "mx4.example"))
    lab.zone.add("mx4.example", "A", "192.0.2.14")
    silent(lab, 4)
    try:
        report = lab.send()
        assert letters(report) == "Z"
        assert "(#4.4.1)" in report[0][1]
    finally:
        alive(lab, 4)
    out = lab.h.run(["qmail-tcpto"]).stdout
    assert out.startswith("192.0.2.14 timed out ")
    assert out.endswith(" seconds ago; # recent timeouts: 1\n")
    # A second timeout, later than two minutes: the host rests.
    with lab.h.open("/var/qmail/queue/lock/tcpto", "rb+") as f:
        raw = bytearray(f.read())
        at = raw.index(bytes([192, 0, 2, 14]))
        raw[at + 4] = 2
        f.seek(0)
        f.write(raw)
    peer = host(lab, 4, Peer(), "mx4.example")
    report = lab.send()
    assert letters(report) == "Z"
    assert "did not answer lately" in report[0][1] and peer.conns == []
    lab.h.run(["qmail-tcpok"])
    assert lab.h.run(["qmail-tcpto"]).stdout == ""
    assert letters(lab.send()) == "rK"


def test_refused_connection_is_no_timeout(lab):
    mx(lab, (10, "mx0.example"))
    host(lab, 0, None)
    assert letters(lab.send()) == "Z"
    assert lab.h.run(["qmail-tcpto"]).stdout == ""


# Routes.

def test_routes(lab):
    peers = {}

    def route(name):
        peers[name] = Peer()
        return f"[127.0.0.1]:{lab.listen(peers[name])}"

    host(lab, 0, Peer())
    mx(lab, (10, "mx0.example"), domain="plain.sub.example")
    lab.control(smtproutes=(
        "# comment\n" f"exact.example:{route('exact')}\n"
        f".sub.example:{route('suffix')}\n" "plain.sub.example:\n"
        f"[10.1.2.3]:{route('literal')}\n"
        f"[IPv6:2001:db8::5]:{route('literal6')}\n"
        f"twice.example:{route('first')}\n"
        f"twice.example:{route('last')}\n" f":{route('rest')}\n"))

    def goes(domain):
        before = {n: len(p.conns) for n, p in peers.items()}
        assert letters(lab.send(host=domain, rcpts=f"r@{domain}")) == "rK"
        return [n for n, p in peers.items() if len(p.conns) > before[n]]

    assert goes("exact.example") == ["exact"]
    assert goes("EXACT.example") == ["exact"]
    assert goes("a.exact.example") == ["rest"]
    assert goes("a.sub.example") == ["suffix"]
    assert goes("a.b.sub.example") == ["suffix"]
    assert goes("sub.example") == ["rest"]
    assert goes("plain.sub.example") == []
    assert goes("[10.1.2.3]") == ["literal"]
    assert goes("[IPv6:2001:db8::5]") == ["literal6"]
    assert goes("twice.example") == ["last"]


def test_route_by_name_uses_addresses_only(lab):
    peer = Peer()
    host(lab, 0, None, "relay.example")
    port = lab.listen(peer, "192.0.2.10")
    mx(lab, (10, "other.example"), domain="relay.example")
    lab.control(smtproutes=f":relay.example:{port}\n")
    assert letters(lab.send()) == "rK"
    lab.control(smtproutes=f":192.0.2.10:{port}\n")
    assert letters(lab.send()) == "rK"
    # A route may lead to this host itself: a filter, for instance.
    lab.zone.add("self.example", "A", "192.0.2.1")
    lab.control(smtproutes=":self.example:1\n")
    report = lab.send()
    assert letters(report) == "Z" and "Unable to connect" in report[0][1]


def test_route_over_ipv6(lab):
    peer = Peer()
    port = lab.listen(peer, "2001:db8::10")
    lab.control(smtproutes=f":[2001:db8::10]:{port}\n")
    assert letters(lab.send()) == "rK"


@pytest.mark.parametrize("line,words", [
    (":[::1:25", '"[" without "]"'), (":relay:0", "port"),
    (":relay:65536", "port"), (":relay:x", "port"),
    (":2001:db8::1", "square brackets"), (":relay colour=red", "unknown"),
    (":relay tls=", "unknown"), (":relay auth=x tls=may", "password"),
    (": auth=x", "auth without a relay"),
    (":relay auth=nobody", "no name:user:password line for nobody"),
])
def test_wrong_routes_defer(lab, line, words):
    lab.control(smtproutes=line + "\n", smtpauth="x:user:secret\n")
    report = lab.send()
    assert letters(report) == "Z"
    assert words in report[0][1] and "(#4.3.5)" in report[0][1]


def test_relay_that_does_not_exist_defers(lab):
    lab.control(smtproutes=":nowhere.example\n")
    report = lab.send()
    assert letters(report) == "Z"
    assert "control/smtproutes" in report[0][1]


@pytest.mark.parametrize("mech", ["PLAIN", "LOGIN", "CRAM-MD5 LOGIN PLAIN"])
def test_auth(lab, mech):
    def auth(conn, line):
        if line == "AUTH LOGIN":
            conn.say("334 VXNlcm5hbWU6")
            user = conn.line()
            conn.say("334 UGFzc3dvcmQ6")
            ok = (user, conn.line()) == ("am9l", "c2VjOnJldA==")
        else:
            ok = line == "AUTH PLAIN AGpvZQBzZWM6cmV0"
        conn.say("235 2.7.0 welcome" if ok else "535 5.7.8 no")

    peer = Peer(EHLO=ehlo(f"AUTH {mech}"), AUTH=auth)
    port = lab.listen(peer)
    lab.control(smtproutes=f":[127.0.0.1]:{port} auth=x tls=never\n",
                smtpauth="y:a:b\nx:joe:sec:ret\n")
    assert letters(lab.send()) == "rK"


def test_auth_that_fails_defers(lab):
    peer = Peer(EHLO=ehlo("AUTH PLAIN"), AUTH="535 5.7.8 wrong")
    port = lab.listen(peer)
    lab.control(smtproutes=f":[127.0.0.1]:{port} auth=x tls=never\n",
                smtpauth="x:joe:secret\n")
    report = lab.send()
    assert letters(report) == "Z" and "(#4.7.8)" in report[0][1]
    peer.table["EHLO"] = ehlo("SIZE")
    report = lab.send()
    assert letters(report) == "Z" and "no way to log in" in report[0][1]
    # Never in the clear unless that is said.
    lab.control(smtproutes=f":[127.0.0.1]:{port} auth=x\n",
                smtpauth="x:joe:secret\n")
    report = lab.send()
    assert letters(report) == "Z" and "STARTTLS" in report[0][1]
    lab.h.run("chmod 444 /var/qmail/control/smtpauth")
    report = lab.send()
    assert letters(report) == "Z" and "everybody" in report[0][1]
    assert not any("AUTH" in c for c in peer.commands(-1))
