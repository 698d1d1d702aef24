"""Mail with others, by real MX records: between two of our hosts, and with
Debian's Postfix, Exim and OpenSMTPD in both directions, with and without TLS,
by IPv4 and by IPv6.  The body must arrive byte for byte; the Received line and
the logs must say how it came."""

import re

import pytest

from conftest import CONTROL, Site
from net import Net

# Dots, bytes above 127, blanks at the end, long lines, empty lines at the end.
BODY = (".\n..\n.dot\nFrom the start\n\tt\u00e4b und \u20ac\nblank at end \n"
        + "x" * 990 + "\n\n-- \nend\n\n\n")
HEAD = "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n" \
    "Content-Transfer-Encoding: 8bit\n"


class NetSite(Site):
    """Our mail system for a domain, on a host of a network."""

    def __init__(self, net, name, domain):
        self.h = net.host(name)
        self.domain = domain
        self.domains = [domain, "v4." + domain, "v6." + domain]
        self.h.add_user("mailadmin")
        self.h.add_user("bob")
        self.h.install(["setup", "check", "ADMIN=mailadmin", f"HOST={name}"])
        for file in ("locals", "rcpthosts"):
            path = f"{CONTROL}/{file}"
            self.h.write(path, self.h.read(path) +
                         "\n".join(self.domains) + "\n")
        net.mail_domain(domain, self.h)
        self.h.start()
        self.tls_ready()

    def tls_ready(self):
        self.h.wait(lambda: "certificates=1" in self.h.log("tlsd"),
                    "a certificate")

    def offer_tls(self, offered):
        """STARTTLS on port 25, or not."""
        path = "/var/qmail/supervise/qmail-smtpd/run"
        run = self.h.read(path).replace("UCSPITLS=- ", "")
        if not offered:
            run = run.replace("exec env - ", "exec env - UCSPITLS=- ")
        self.h.write(path, run)
        self.h.run(["svc", "-t", "/service/qmail-smtpd"])
        self.h.wait(lambda: re.search("STARTTLS" if offered else
                                      "^b'250-(?!.*STARTTLS)",
                                      self.greeting()),
                    "qmail-smtpd to start again")

    def greeting(self):
        return self.h.run(
            ["python3", "-c", "import socket\n"
             f"s = socket.create_connection(('{self.h.ip4}', 25))\n"
             "s.recv(999); s.sendall(b'EHLO x\\r\\n'); print(s.recv(999))"],
            check=False).stdout

    def post(self, rcpt, subject):
        """Queue a message; where the log stood."""
        return self.send(rcpt, f"From: bob@{self.domain}\n"
                         f"Subject: {subject}\n{HEAD}\n{BODY}",
                         sender=f"bob@{self.domain}", user="bob")


def find(wait_for, reader, subject):
    """Wait for the one message with this subject."""
    wait_for(lambda: any(f"\nSubject: {subject}\n" in m for m in reader()),
             subject)
    mail, = (m for m in reader() if f"\nSubject: {subject}\n" in m)
    return mail


def received(mail):
    """Received fields, the newest first, unfolded."""
    head = re.sub(r"\n[ \t]+", " ", mail.split("\n\n", 1)[0])
    return re.findall(r"(?m)^Received: (.*)$", head)


def check_body(mail):
    head, body = mail.split("\n\n", 1)
    assert body.encode("utf-8", "surrogateescape") == BODY.encode()
    assert "\nMIME-Version: 1.0\n" in head


@pytest.fixture(scope="module")
def net():
    with Net() as n:
        yield n


@pytest.fixture(scope="module")
def ours(net):
    return NetSite(net, "mx.a.example", "a.example")


@pytest.fixture(scope="module")
def theirs(net):
    """The second of our own."""
    return NetSite(net, "mx.b.example", "b.example")


def address(host, family):
    return host.ip4 if family == "v4" else host.ip6


def bracketed(host, family):
    return f"[{host.ip4}]" if family == "v4" else f"[IPv6:{host.ip6}]"


def check_ours(site, mail, peer, family, subject, tls):
    """What our server wrote into a mail that peer, a host, sent."""
    came = [r for r in received(mail) if f" by {site.h.name} with " in r]
    assert len(came) == 1, mail
    assert came[0].startswith(f"from {peer.name} (")
    assert bracketed(peer, family) in came[0]
    assert f"for <bob@{family}.{site.domain}>" in came[0]
    if tls:
        assert " with ESMTPS " in came[0]
        assert re.search(r"\(version=TLSv1\.3 cipher=\w+( sni=\S+)? "
                         r"verify=NO\)", came[0])
    else:
        assert " with ESMTP " in came[0] and "version=" not in came[0]
    line, = re.findall(rf"(?m)^qmail-smtpd: info: accept .*to=bob@{family}\."
                       rf"{site.domain} .*$", site.h.log("qmail-smtpd")
                       [site.smtpd_mark:])
    assert f" ip={address(peer, family)} " in line
    assert (" tls=" in line) == tls


def deliver_out(site, rcpt, subject, address):
    """Send, and check what our log says; the log line."""
    mark = site.post(rcpt, subject)
    result, text = site.result(rcpt, mark)
    assert result == "success", site.h.tail_logs()
    assert text.startswith(f"{address}_accepted_message.")
    line, = re.findall(r"(?m)^delivery \d+: success: .*$",
                       site.log()[mark:])
    assert f" ip={address} " in line
    return line


@pytest.mark.parametrize("family", ["v4", "v6"])
@pytest.mark.parametrize("tls", [True, False])
def test_ours(ours, theirs, family, tls):
    theirs.offer_tls(tls)
    ours.restart()              # or a connection that is kept would be used
    theirs.smtpd_mark = len(theirs.h.log("qmail-smtpd"))
    subject = f"ours {family} {tls}"
    line = deliver_out(ours, f"bob@{family}.b.example", subject,
                       address(theirs.h, family))
    assert (" tls=TLSv1.3" in line) == tls
    mail = find(theirs.h.wait, lambda: theirs.mails("bob"), subject)
    check_body(mail)
    check_ours(theirs, mail, ours.h, family, subject, tls)
    assert mail.startswith(f"Return-Path: <bob@a.example>\n"
                           f"Delivered-To: bob@{family}.b.example\n")


def test_ours_kept(ours, theirs):
    """What follows goes by the connection that is there: one handshake."""
    theirs.offer_tls(True)
    ours.restart()
    mark = len(theirs.h.log("qmail-smtpd"))
    for i in range(4):
        deliver_out(ours, "bob@v6.b.example", f"kept {i}", theirs.h.ip6)
    log = theirs.h.wait(
        lambda: (t := theirs.h.log("qmail-smtpd")[mark:]).count(
            "info: accept ") == 4 and t, "four messages")
    assert len(re.findall(rf"(?m)^tcpserver: pid \d+ from {ours.h.ip6}$",
                          log)) == 1
    for i in range(4):
        mail = find(theirs.h.wait, lambda: theirs.mails("bob"), f"kept {i}")
        check_body(mail)


def test_ours_verified(ours, theirs):
    """A route that demands a good certificate: the one made at installation
    is not good, so the mail waits and says why."""
    theirs.offer_tls(True)
    with ours.control(smtproutes="b.example:mx.b.example tls=verify\n"):
        mark = ours.post("bob@b.example", "verified")
        result, text = ours.result("bob@b.example", mark)
        assert result == "deferral" and "certificate" in text.lower(), text
        assert not any("Subject: verified" in m for m in theirs.mails("bob"))


PEERS = {"postfix": "p.example", "exim": "x.example",
         "opensmtpd": "o.example"}
WORD_OF_TLS = {
    "postfix": (r"Anonymous TLS connection established from mx\.a\.example\["
                r"\S*{address}\]: TLSv1\.3"),
    "exim": r"<= bob@a\.example H=\(mx\.a\.example\) \[{address}\] P=esmtps "
            r"X=TLS1\.3",
}


@pytest.fixture(scope="module", params=PEERS)
def peer(request, net, ours):
    p = getattr(net, request.param)(f"mx.{PEERS[request.param]}",
                                    PEERS[request.param])
    p.kind = request.param
    p.add_user("bob")
    yield p
    p.stop()


@pytest.fixture(scope="module", params=[True, False], ids=["tls", "plain"])
def tls(request, peer, ours):
    peer.start(tls=request.param)
    # its client speaks TLS whenever it is offered
    ours.offer_tls(request.param)
    return request.param


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_to_peer(ours, peer, tls, family):
    subject = f"to {peer.kind} {family} {tls}"
    mark = len(peer.log())
    line = deliver_out(ours, f"bob@{family}.{peer.domain}", subject,
                       address(peer.h, family))
    offers = tls and peer.kind != "opensmtpd"
    assert (" tls=TLSv1.3" in line) == offers
    mail = find(peer.h.wait, lambda: peer.mails("bob"), subject)
    check_body(mail)
    assert "return-path: <bob@a.example>\n" in mail.lower()
    assert bracketed(ours.h, family).strip("[]").replace("IPv6:", "") in \
        received(mail)[0]
    if offers:
        word = WORD_OF_TLS[peer.kind].format(
            address=re.escape(address(ours.h, family)))
        assert re.search(word, peer.log()[mark:]), peer.log()[mark:]


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_from_peer(ours, peer, tls, family):
    subject = f"from {peer.kind} {family} {tls}"
    ours.smtpd_mark = len(ours.h.log("qmail-smtpd"))
    peer.send(f"bob@{family}.a.example", f"From: bob@{peer.domain}\n"
              f"Subject: {subject}\n{HEAD}\n{BODY}", f"bob@{peer.domain}")
    mail = find(ours.h.wait, lambda: ours.mails("bob"), subject)
    check_body(mail)
    check_ours(ours, mail, peer.h, family, subject, tls)
    assert mail.startswith(f"Return-Path: <bob@{peer.domain}>\n")


def test_unknown_at_ours(ours, peer, tls):
    """Refused at RCPT: the peer's own user gets its bounce, we make none."""
    before = len(peer.mails("bob"))
    peer.send("nobody.here@v4.a.example", "Subject: to nobody\n\nx\n",
              f"bob@{peer.domain}")
    mails = peer.h.wait(lambda: len(peer.mails("bob")) > before and
                        peer.mails("bob"), "the bounce")
    assert any("nobody.here@v4.a.example" in m and "5.1.1" in m
               for m in mails)
    assert not re.search(r"new msg.*\n.*nobody\.here", ours.log())


def test_unknown_at_peer(ours, peer, tls):
    """Refused by the peer: our user gets a bounce with its words."""
    rcpt = f"nobody.{tls}@v4.{peer.domain}"
    mark = ours.post(rcpt, "to nobody")
    result, text = ours.result(rcpt, mark)
    assert result == "failure", text
    bounce = ours.h.wait(lambda: [m for m in ours.mails("bob") if rcpt in m
                                  and "Return-Path: <>" in m], "the bounce")
    assert peer.h.ip4 in bounce[0] or peer.h.name in bounce[0]


def test_handshake_fails(net, ours):
    """A peer that offers STARTTLS and cannot do it: the mail goes in the
    clear, as it would to a host that does not offer it; but not when a route
    says that it must not."""
    p = net.opensmtpd("mx.broken.example", "broken.example", tls="broken")
    p.add_user("bob")
    mark = ours.post("bob@v4.broken.example", "broken")
    assert ours.result("bob@v4.broken.example", mark)[0] == "success"
    check_body(find(p.h.wait, lambda: p.mails("bob"), "broken"))
    with ours.control(smtproutes="v6.broken.example: tls=require\n"):
        mark = ours.post("bob@v6.broken.example", "required")
        assert ours.result("bob@v6.broken.example", mark)[0] == "deferral"
    assert not any("Subject: required" in m for m in p.mails("bob"))


def test_name_server_down(net, ours, theirs):
    """Mail waits while names cannot be known, and goes when they can."""
    net.dns_stop()
    try:
        mark = ours.post("bob@v4.b.example", "later")
        result, text = ours.result("bob@v4.b.example", mark)
        assert result == "deferral" and "name_servers" in text, text
    finally:
        net.dns_start()
    ours.h.run(["svc", "-a", "/service/qmail"])
    find(theirs.h.wait, lambda: theirs.mails("bob"), "later")
