"""The network of throwaway hosts itself: names from nsd through our resolver,
a name server that is down, silent or broken, and mail between the peers that
other tests use, so that those can trust them."""

import os
import subprocess

import pytest

from host import REPO
from net import Net

RECORDS = """
equal.example. MX 10 mx1.equal.example.
equal.example. MX 10 mx2.equal.example.
equal.example. MX 5 MX0.Equal.Example.
mx1.equal.example. A 10.7.0.101
mx2.equal.example. AAAA fd07::102
mx0.equal.example. A 10.7.0.100
null.example. MX 0 .
nomx.example. A 10.7.0.103
alias.example. CNAME real.example.
real.example. MX 10 mx1.equal.example.
hop0.example. CNAME hop1.example.
hop1.example. CNAME hop2.example.
hop2.example. A 10.7.0.104
dangling.example. CNAME nothing.example.
toalias.example. MX 10 alias2.example.
alias2.example. CNAME mx1.equal.example.
lame.example. NS ns.elsewhere.example.
odd.example. MX 10 a\\032b.example.
many.example. TXT "v=1" "two"
"""
RECORDS += "".join(f"big.example. MX {i} mx-with-a-long-name-{i:04}.big."
                   "example.\n" for i in range(60))


@pytest.fixture(scope="module")
def ask():
    """dnsask, built from our library."""
    out = REPO + "/build/TESTS/dnsask"
    subprocess.run(["make", "-s", "-C", REPO, "build/libvalija.a"],
                   check=True, stdout=subprocess.DEVNULL)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    subprocess.run(["cc", "-D_GNU_SOURCE", f"-I{REPO}", "-o", out + ".new",
                    REPO + "/TESTS/host/dnsask.c",
                    REPO + "/build/libvalija.a"], check=True)
    os.replace(out + ".new", out)
    return out


@pytest.fixture(scope="module")
def net():
    with Net(RECORDS) as n:
        yield n


@pytest.fixture(scope="module")
def client(net, ask):
    h = net.host("client.example", ipv6=False)
    with open(ask, "rb") as f, h.open("/run/dnsask", "wb") as out:
        out.write(f.read())
    h.run(["chmod", "755", "/run/dnsask"])
    h.ask = lambda name, kind, **kw: h.run(
        ["/run/dnsask", name, str(kind)], **kw).stdout.splitlines()
    return h


A, PTR, MX, TXT, AAAA = 1, 12, 15, 16, 28


@pytest.mark.parametrize("name,kind,want", [
    ("null.example", MX, ["ok ", "0 "]),
    ("nomx.example", MX, ["nodata "]),
    ("missing.example", MX, ["nxdomain "]),
    ("Missing.EXAMPLE.", A, ["nxdomain "]),
    ("alias.example", MX, ["ok real.example", "10 mx1.equal.example"]),
    ("hop0.example", A, ["ok hop2.example", "10.7.0.104"]),
    ("dangling.example", A, ["nxdomain nothing.example"]),
    ("toalias.example", MX, ["ok ", "10 alias2.example"]),
    ("alias2.example", "addresses", ["ok mx1.equal.example", "10.7.0.101"]),
    ("mx2.equal.example", "addresses", ["ok ", "fd07::102"]),
    ("ns.net.example", "addresses", ["ok ", "fd07::53", "10.7.0.53"]),
    ("lame.example", MX, ["temp "]),
    ("odd.example", MX, ["temp "]),
    ("many.example", TXT, ["ok ", "0 v=1two"]),
    ("10.7.0.53", "name", ["ok ", "0 ns.net.example"]),
    ("fd07::53", "name", ["ok ", "0 ns.net.example"]),
    ("10.7.0.200", "name", ["nxdomain "]),
    ("client.example", "addresses", ["ok ", "10.7.0.11"]),
    ("fd07::11", "name", ["ok ", "0 client.example"]),
])
def test_names(client, name, kind, want):
    assert client.ask(name, kind) == want


def test_equal_preferences(client):
    got = client.ask("equal.example", MX)
    assert got[0] == "ok "
    assert sorted(got[1:]) == ["10 mx1.equal.example", "10 mx2.equal.example",
                               "5 mx0.equal.example"]


def test_large_answer(client):
    """Sixty exchangers do not fit into a datagram: by TCP."""
    got = client.ask("big.example", MX)
    assert sorted(got[1:], key=lambda s: int(s.split()[0])) == \
        [f"{i} mx-with-a-long-name-{i:04}.big.example" for i in range(60)]


def test_zone_broken(net, client):
    net.dns_break("broken.example")
    try:
        assert client.ask("mx.broken.example", A) == ["temp "]
        assert client.ask("nomx.example", A) == ["ok ", "10.7.0.103"]
    finally:
        net.dns_break()
    assert client.ask("mx.broken.example", A) == ["nxdomain "]


def test_server_down(net, client):
    """The port is closed, which is known at once."""
    net.dns_stop()
    try:
        assert client.ask("nomx.example", A) == ["temp "]
        assert client.ask("missing.example", MX) == ["temp "]
    finally:
        net.dns_start()


def test_second_server(net, client):
    """The first one is no host at all."""
    client.write("/etc/resolv.conf",
                 "nameserver 10.7.0.250\nnameserver fd07::53\n")
    assert client.ask("nomx.example", A) == ["ok ", "10.7.0.103"]
    # the environment comes first
    assert client.ask("nomx.example", A,
                      env={"DNSCACHEIP": "10.7.0.53"}) == \
        ["ok ", "10.7.0.103"]
    client.write("/etc/resolv.conf",
                 "nameserver 10.7.0.53\nnameserver fd07::53\n")


def test_server_silent(net, client):
    """A server that comes back while it is waited for answers."""
    net.dns_pause()
    child = client.popen(["/run/dnsask", "nomx.example", "1"],
                         stdout=subprocess.PIPE, text=True)
    # the question has arrived, and lies there
    net.ns.wait(lambda: " 0 " not in net.ns.run(
        "ss -Hanu 'sport = :53' | awk '{s += $2} END {print \" \" s \" \"}'"
        ).stdout, "a question")
    net.dns_pause(False)
    assert child.communicate(timeout=60)[0].splitlines() == \
        ["ok ", "10.7.0.103"]


# The peers.

PEERS = {"postfix": "p.example", "exim": "x.example", "opensmtpd":
         "o.example"}


@pytest.fixture(scope="module")
def peers(net):
    made = {kind: getattr(net, kind)(f"mx.{d}", d)
            for kind, d in PEERS.items()}
    for p in made.values():
        p.add_user("bob")
    return made


def test_peers_exchange(peers):
    """Each sends to each of the others; TLS where both can."""
    for a in peers.values():
        for b in peers.values():
            if a is not b:
                a.send(f"bob@{b.domain}", f"Subject: from {a.domain}\n\n"
                       ".\n..dots\nend\n", f"bob@{a.domain}")
    for b in peers.values():
        mails = b.mail("bob", 2)
        assert len(mails) == 2
        for a in peers.values():
            if a is b:
                continue
            mail, = (m for m in mails
                     if f"\nSubject: from {a.domain}\n" in m)
            assert mail.endswith("\n\n.\n..dots\nend\n")
    log = peers["postfix"].log()
    assert "TLS connection established from mx.x.example" in log
    assert "TLS connection established from mx.o.example" in log
    assert "TLS connection established to mx.x.example" in log


def features(peer):
    return peer.h.run(["python3", "-c", "import smtplib; "
                       f"s = smtplib.SMTP('{peer.h.ip4}'); s.ehlo(); "
                       "print(*s.esmtp_features)"]).stdout.split()


@pytest.mark.parametrize("kind", ["postfix", "exim"])
def test_peers_without_tls(peers, kind):
    """STARTTLS is offered, or not."""
    p = peers[kind]
    assert "starttls" in features(p)
    p.start(tls=False)
    assert "size" in features(p) and "starttls" not in features(p)


def test_peers_one_family(peers):
    """v4.DOMAIN and v6.DOMAIN go by the one family."""
    a, b = peers["exim"], peers["postfix"]
    for family in ("v4", "v6"):
        a.send(f"bob@{family}.{b.domain}", f"Subject: by {family}\n\nx\n",
               f"bob@{a.domain}")
    mails = b.h.wait(lambda: {f: m for m in b.mails("bob") for f in
                              ("v4", "v6") if f"Subject: by {f}\n" in m}
                     .keys() >= {"v4", "v6"} and b.mails("bob"), "the mails")
    for family, address in (("v4", f"[{a.h.ip4}]"),
                            ("v6", f"[IPv6:{a.h.ip6}]")):
        mail, = (m for m in mails if f"Subject: by {family}\n" in m)
        assert f"({a.h.name} {address})" in mail
