"""TLS as the world sees it: tlsd, keyd, tlswrap and valija-cert on a throwaway
host, met by openssl, GnuTLS and Python's ssl.

TESTS/tls/asker.py stands where a protocol program would; it was written from
the description of the request, not from the library."""

import json
import os
import re
import subprocess
import time

import pytest

from conftest import HOME, Site
from host import HostError

TLS = "/src/TESTS/tls"
SMTP, IMAP, ASK, HASTY = 3025, 3143, 3026, 3027
CA = "/etc/ssl/certs/ca-certificates.crt"
NAME = "mx.valija.test"

# A client of Python: arguments as JSON, an object with what happened back.
CLIENT = r"""
import json, socket, ssl, sys, time
a = json.loads(sys.argv[1])
ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
if a.get("v"):
    ctx.minimum_version = ctx.maximum_version = getattr(ssl.TLSVersion, a["v"])
if a.get("alpn"):
    ctx.set_alpn_protocols(a["alpn"])
if a.get("cert"):
    ctx.load_cert_chain(a["cert"], a["key"])
out, session = [], None
for port in a["ports"]:
    try:
        s = ctx.wrap_socket(socket.create_connection(("127.0.0.1", port)),
                            server_hostname=a.get("sni"), session=session)
        s.settimeout(30)
        f = s.makefile("rwb", 0)
        r = {"facts": json.loads(f.readline()[4:]), "reused": s.session_reused,
             "alpn": s.selected_alpn_protocol(), "version": s.version(),
             "cert": ssl.DER_cert_to_PEM_cert(s.getpeercert(True))}
        f.write(a.get("text", "hello\n").encode())
        r["echo"] = f.readline().decode()
        session = s.session
        if a.get("cut"):
            s.detach() and None
        else:
            s.unwrap()
            s.close()
        out.append(r)
    except (OSError, ValueError) as e:
        out.append({"error": str(e)})
print(json.dumps(out))
"""


class Tls:
    def __init__(self):
        self.site = Site()
        self.h = self.site.h
        self.h.write("/root/client.py", CLIENT)
        for port, *words in ((SMTP, "smtp"), (IMAP, "imap"),
                             (ASK, "smtp", "3"),
                             (HASTY, "smtp", "0", "1000")):
            self.spawn("python3", f"{TLS}/asker.py", "serve", str(port),
                       *words)
        self.h.wait(lambda: all(self.listening(p) for p in
                                (SMTP, IMAP, ASK, HASTY)),
                    "the askers to listen")
        self.wait_log("tlsd", "certificates=1")
        self.make_cas()

    def spawn(self, *argv, **kw):
        out = self.h.open("/root/asker.log", "ab")
        p = self.h.popen(list(argv), stdout=out, stderr=out, stdin=out, **kw)
        out.close()
        return p

    def listening(self, port):
        return f":{port:04X} " in self.h.run(
            ["cat", "/proc/net/tcp", "/proc/net/tcp6"]).stdout

    def log(self, service="tlsd"):
        return self.h.log(service)

    def wait_log(self, service, words, after=0):
        return self.h.wait(lambda: words in self.log(service)[after:],
                           f"{words!r} in the log of {service}")

    def sh(self, command, **kw):
        return self.h.run(command, check=False, timeout=60, **kw)

    def s_client(self, options="", port=SMTP, text="hello\\nQUIT\\r\\n"):
        """Output of openssl s_client, which says hello and leaves."""
        r = self.sh(f"printf '{text}' | timeout 20 openssl s_client -connect "
                    f"127.0.0.1:{port} -ign_eof -nocommands {options} 2>&1")
        return r.stdout

    def client(self, *ports, **args):
        r = self.h.run(["python3", "/root/client.py",
                        json.dumps({"ports": ports or [SMTP], **args})],
                       timeout=60)
        out = json.loads(r.stdout)
        return out if ports else out[0]

    def ask(self, port, verify, name="", altname="", *tlsa):
        """What tlsd says about a server, in the client role."""
        r = self.h.run(["python3", f"{TLS}/asker.py", "client", str(port),
                        verify, name, altname, *tlsa], timeout=60)
        return json.loads(r.stdout)

    # Certificates of a CA of our own.

    def make_cas(self):
        self.h.run("mkdir -p /root/ca && cd /root/ca && "
                   "openssl req -x509 -newkey ec -pkeyopt "
                   "ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem "
                   "-days 30 -subj '/CN=Test CA' 2>/dev/null && "
                   f"cat ca.pem >>{CA}")
        self.hup("tlsd", "generation=")

    def issue(self, name, kind="ec", days=30, also=()):
        """/root/ca/NAME.pem with its chain and NAME.key; their paths."""
        new = {"ec": "-newkey ec -pkeyopt ec_paramgen_curve:P-256",
               "p384": "-newkey ec -pkeyopt ec_paramgen_curve:P-384",
               "rsa": "-newkey rsa:2048",
               "ed25519": "-newkey ed25519"}[kind]
        names = ",".join(f"DNS:{n}" for n in (name, *also))
        f = "/root/ca/" + name.replace("*", "any") + "." + kind
        self.h.run(f"cd /root/ca && openssl req {new} -nodes -keyout {f}.key "
                   f"-out r -subj '/O=Test/CN={name}' 2>/dev/null && "
                   f"printf 'subjectAltName={names}' >ext && "
                   f"openssl x509 -req -in r -CA ca.pem -CAkey ca.key "
                   f"-CAcreateserial -days {days} -extfile ext -out leaf "
                   f"2>/dev/null && cat leaf ca.pem >{f}.pem")
        return f + ".pem", f + ".key"

    def install(self, name, *files, options=()):
        mark = len(self.log())
        r = self.h.run(["valija-cert", "install", *options, name, *files])
        self.wait_log("tlsd", "certificates=", mark)
        return r

    def hup(self, service, words):
        mark = len(self.log(service))
        self.h.run(["svc", "-h", f"/service/{service}"])
        self.wait_log(service, words, mark)


@pytest.fixture(scope="module")
def tls():
    t = Tls()
    yield t
    t.site.close()


# ---- what we speak ----

@pytest.mark.parametrize("option", ["-tls1", "-tls1_1"])
def test_old_versions(tls, option):
    out = tls.s_client(f"{option} -cipher ALL:@SECLEVEL=0")
    assert "alert protocol version" in out
    assert "220 " not in out


@pytest.mark.parametrize("option, version, suite", [
    ("-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1.2", None),
    ("-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2", None),
    ("-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305", "TLSv1.2", None),
    ("-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256", "TLSv1.2", None),
    ("-tls1_2 -cipher ECDHE-RSA-AES256-GCM-SHA384", "TLSv1.2", None),
    ("-tls1_2 -cipher ECDHE-RSA-CHACHA20-POLY1305", "TLSv1.2", None),
    ("-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256", "TLSv1.3", None),
    ("-tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384", "TLSv1.3", None),
    ("-tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256", "TLSv1.3", None),
    ("-tls1_3 -groups P-256", "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
    ("-tls1_3 -groups P-384", "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
])
def test_suites(tls, option, version, suite):
    out = tls.s_client(option)
    facts = json.loads(re.search(r"(?m)^220 (.*)$", out).group(1))
    assert facts["version"] == version
    assert facts["cipher"] == (suite or option.split()[-1])
    assert int(facts["bits"]) in (128, 256)
    assert "\nhello\n" in out


@pytest.mark.parametrize("suites", [
    "AES128-GCM-SHA256:AES256-SHA",                 # no forward secrecy
    "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA",
    "DHE-RSA-AES256-GCM-SHA384", "aNULL", "3DES:NULL", "PSK"])
def test_suites_refused(tls, suites):
    out = tls.s_client(f"-tls1_2 -cipher {suites}:@SECLEVEL=0")
    assert "220 " not in out
    assert "handshake failure" in out or "no cipher" in out


def test_server_chooses(tls):
    """Our order, not the client's."""
    out = tls.s_client("-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256:"
                       "ECDHE-ECDSA-AES256-GCM-SHA384")
    assert '"ECDHE-ECDSA-AES256-GCM-SHA384"' in out
    assert "Compression: NONE" in tls.s_client("-tls1_2 -comp")


def test_both_kinds_of_key(tls):
    """A client that knows ECDSA alone, one that knows RSA alone, TLS 1.2
    and 1.3 each."""
    for v, sigs, kind in (("-tls1_3", "ECDSA+SHA256", "id-ecPublicKey"),
                          ("-tls1_3", "RSA-PSS+SHA256", "rsaEncryption"),
                          ("-tls1_2", "ECDSA+SHA256", "id-ecPublicKey"),
                          ("-tls1_2", "RSA-PSS+SHA384", "rsaEncryption"),
                          ("-tls1_2", "RSA+SHA512", "rsaEncryption")):
        out = tls.s_client(f"{v} -sigalgs {sigs}")
        assert "220 " in out, (v, sigs)
        pem = out[out.index("-----BEGIN"):out.index("-----END")]
        text = tls.h.run(["openssl", "x509", "-noout", "-text"],
                         input=pem + "-----END CERTIFICATE-----\n").stdout
        assert f"Public Key Algorithm: {kind}" in text


def test_gnutls(tls):
    for priority in ("NORMAL:-VERS-ALL:+VERS-TLS1.2",
                     "NORMAL:-VERS-ALL:+VERS-TLS1.3"):
        out = tls.sh(f"(sleep 1; printf 'QUIT\\r\\n') | timeout 20 gnutls-cli "
                     f"--insecure --priority {priority} -p {SMTP} 127.0.0.1"
                     " 2>&1").stdout
        assert "Handshake was completed" in out
        assert "220 {" in out


def test_python(tls):
    for v in ("TLSv1_2", "TLSv1_3"):
        r = tls.client(v=v)
        assert r["echo"] == "hello\n"
        assert r["facts"]["ok"] is True
        assert r["facts"]["peer"] == ""
        assert r["facts"]["verified"] is False


def test_much(tls):
    """Both buffers full in both directions; every byte arrives."""
    out = tls.h.run(["python3", "-c", r"""
import hashlib, os, socket, ssl, threading
ctx = ssl._create_unverified_context()
s = ctx.wrap_socket(socket.create_connection(("127.0.0.1", %d)))
s.settimeout(60)
greeting = b""
while not greeting.endswith(b"\n"):
    greeting += s.recv(1)
data = os.urandom(5000000)
threading.Thread(target=lambda: s.sendall(data)).start()
h, n = hashlib.sha256(), 0
while n < len(data):
    got = s.recv(65536)
    h.update(got)
    n += len(got)
print(h.hexdigest() == hashlib.sha256(data).hexdigest())
""" % SMTP], timeout=90).stdout
    assert out == "True\n"


# ---- names ----

def subject(r):
    return r["cert"]


@pytest.fixture(scope="module")
def names(tls):
    for name in ("a.example", "*.b.example"):
        tls.install(name, *tls.issue(name))
    return tls


def names_of(tls, sni):
    r = tls.client(sni=sni)
    text = tls.h.run(["openssl", "x509", "-noout", "-ext", "subjectAltName"],
                     input=r["cert"]).stdout
    return re.findall(r"DNS:(\S+)", text), r["facts"]["sni"]


@pytest.mark.parametrize("sni, want", [
    ("a.example", "a.example"), ("A.ExAmPle", "a.example"),
    ("x.b.example", "*.b.example"), ("b.example", "first"),
    ("x.y.b.example", "first"), ("unknown.example", "first"),
    ("example", "first"), ("127.0.0.1", "first"), (None, "first")])
def test_sni(names, sni, want):
    """The directory's name decides; what is unknown gets the default, which
    the first real certificate became."""
    got, told = names_of(names, sni)
    assert got == ["a.example" if want == "first" else want]
    assert told.lower() == ("" if sni in (None, "127.0.0.1") else sni.lower())


HELLO = r"""
import socket, ssl, sys
old, new = bytes.fromhex(sys.argv[1]), bytes.fromhex(sys.argv[2])
ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
i, o = ssl.MemoryBIO(), ssl.MemoryBIO()
s = ctx.wrap_bio(i, o, server_hostname=old.decode())
try:
    s.do_handshake()
except ssl.SSLWantReadError:
    pass
hello = o.read()
assert hello.count(old) == 1 and len(old) == len(new)
c = socket.create_connection(("127.0.0.1", %d))
c.settimeout(20)
c.sendall(hello.replace(old, new))
print(c.recv(5).hex())
""" % SMTP


@pytest.mark.parametrize("bad", [
    b"\0" * 24, b"a.example\0.evil.example\0", b"../../../../etc/passwd\0\0",
    b"../../../../etc/shadow..", b"default/../../current/..",
    b"%s%n" * 6,
    b"*.b.example.\n\r\n\r\n tlsd: ", b"\xff" * 24, b"........................"])
def test_sni_hostile(names, bad):
    """An alert or the default certificate, and nothing else; no file is
    looked for, and the log keeps its lines."""
    mark = len(names.log())
    good = b"a234567890123456.example"
    assert len(bad) == len(good)
    first = names.h.run(["python3", "-c", HELLO, good.hex(),
                         bad.hex()]).stdout.strip()
    assert first[:6] in ("150303", "160303")        # alert, server hello
    names.h.wait(lambda: len(names.log()) > mark, "its line in the log")
    new = names.log()[mark:]
    assert "signal" not in new
    assert all(line.startswith("tlsd: ") for line in new.splitlines())
    assert "passwd" not in new and "evil" not in new
    assert names.client(sni="a.example")["facts"]["ok"]


def test_sni_long(names):
    name = ".".join(["a" * 49] * 5)
    assert len(name) == 249
    got, told = names_of(names, name)
    assert got == ["a.example"] and told == name
    out = names.s_client("-servername " + "b" * 255)
    assert "220 " in out and "a.example" in out


# ---- protocols, tickets, renegotiation ----

def test_alpn(tls):
    assert tls.client(alpn=["smtp"])["alpn"] == "smtp"
    assert tls.client(alpn=["h2", "smtp"])["alpn"] == "smtp"
    assert tls.client()["alpn"] is None
    for wrong in (["h2", "http/1.1"], ["imap"], ["smt"], ["smtpx"]):
        assert "no application protocol" in \
            tls.client(alpn=wrong)["error"].lower(), wrong
    assert tls.client(IMAP, alpn=["imap"])[0]["alpn"] == "imap"


@pytest.mark.parametrize("v", ["TLSv1_2", "TLSv1_3"])
def test_tickets(tls, v):
    """Good for the same service, and for no other."""
    r = tls.client(SMTP, SMTP, v=v)
    assert [x["reused"] for x in r] == [False, True]
    r = tls.client(SMTP, IMAP, v=v)
    assert [x.get("reused") for x in r] == [False, False]
    assert r[1]["echo"] == "hello\n"
    r = tls.client(IMAP, SMTP, v=v)
    assert [x.get("reused") for x in r] == [False, False]


def test_tickets_survive_reload(tls):
    """A changed certificate does not cost every client its ticket, and a
    restart does: the keys are in memory alone."""
    code = r"""
import socket, ssl, subprocess, sys
ctx = ssl._create_unverified_context()
ctx.maximum_version = ssl.TLSVersion.TLSv1_2
def go(session):
    s = ctx.wrap_socket(socket.create_connection(("127.0.0.1", %d)),
                        session=session)
    s.recv(1)
    return s
a = go(None)
subprocess.run(["valija-cert", "self-signed"], check=True)
b = go(a.session)
print(b.session_reused)
""" % SMTP
    assert tls.h.run(["python3", "-c", code]).stdout == "True\n"


def test_renegotiation(tls):
    out = tls.sh("(sleep 1; echo R; sleep 1) | timeout 20 openssl s_client "
                 f"-connect 127.0.0.1:{SMTP} -tls1_2 -legacy_renegotiation "
                 "2>&1").stdout
    assert "RENEGOTIATING" in out
    assert "no renegotiation" in out


# ---- ends ----

def ended(tls, mark, how):
    tls.h.wait(lambda: re.search(rf"(?m)^tlsd: ok .* end={how}$",
                                 tls.log()[mark:]), f"end={how}")


def test_truncation(tls):
    """A cut connection is an end of file for the program, and the log tells
    it from a close."""
    mark = len(tls.log())
    tls.client(text="1234567890\n")
    ended(tls, mark, "closed")
    mark = len(tls.log())
    tls.client(text="1234567890\n", cut=True)
    ended(tls, mark, "truncated")
    assert "end after 11\n" in tls.h.read("/root/asker.log")


RAW = r"""
import socket, sys, time
c = socket.create_connection(("127.0.0.1", %d))
c.settimeout(60)
"""


def reason(tls, code, port=SMTP):
    mark = len(tls.log())
    out = tls.h.run(["python3", "-c", RAW % port + code], timeout=90).stdout
    m = tls.h.wait(lambda: re.search(r"tlsd: failed .* reason=(\S+)",
                                     tls.log()[mark:]), "the failure")
    return m.group(1), out


def test_not_tls(tls):
    for text in ("GET / HTTP/1.1\\r\\n\\r\\n", "EHLO x\\r\\n" * 100):
        why, _ = reason(tls, f"c.sendall(b'{text}'); c.recv(100)")
        assert why in ("http_request", "wrong_version_number")
    why, _ = reason(tls, "c.shutdown(1); c.recv(100)")
    assert why == "connection_closed"


def test_silent(tls):
    """The time is the asker's; this one gives a second."""
    why, _ = reason(tls, "c.recv(100)", HASTY)
    assert why == "timeout"


def test_endless_handshake(tls):
    """A ClientHello that is said to have 120,000 bytes."""
    why, _ = reason(tls, r"""
head = b"\x16\x03\x01\x40\x00"
body = b"\x01\x01\xd4\xc0" + b"\x03\x03" + b"r" * 32 + b"\0"
try:
    for i in range(8):
        part = (body if i == 0 else b"").ljust(16384, b"x")
        c.sendall(head + part)
    c.recv(100)
except OSError:
    pass
""")
    assert why in ("too_many_bytes_before_the_end", "length_mismatch",
                   "excessive_message_size", "Connection_reset_by_peer")
    assert tls.client()["echo"] == "hello\n"


def test_key_updates(tls):
    """A flood of them, and no content, ends the session."""
    mark = len(tls.log())
    tls.h.run(f"gcc -o /root/flood {TLS}/flood.c -lssl -lcrypto")
    sent, how = tls.h.run(["/root/flood", str(SMTP), "100000"]).stdout.split()
    assert how == "ended" and int(sent) < 100000
    ended(tls, mark, "(broken|reset)")
    assert tls.client()["echo"] == "hello\n"


# ---- who may ask ----

def test_askers(tls):
    """root, qmaild, qmailr, and nobody who is not named."""
    code = ("import socket;t=socket.socket(socket.AF_UNIX,"
            "socket.SOCK_SEQPACKET);t.connect('/var/qmail/run/tls');"
            "t.settimeout(1);print(t.recv(10))")
    for user in ("alias", "qmails", "mailadmin"):
        r = tls.sh(["python3", "-c", code], user=user)
        assert r.stdout == "b''\n" or "reset" in r.stderr
    for user in ("qmaild", "qmailr"):
        r = tls.sh(["python3", "-c", code], user=user)
        assert "timed out" in r.stderr, user
    r = tls.sh(["python3", "-c", code.replace("run/tls", "run/key/socket")],
               user="tlsd")
    assert "PermissionError" in r.stderr


def test_bad_requests(tls):
    """A malformed request ends its own connection."""
    mark = len(tls.log())
    tls.h.run(["python3", "-c", r"""
import os, socket
for packet, fd in ((b"xx", True), (b"10", False), (b"1001000\0smtp\0\0\0\0000\0",
        False), (b"10" * 30000, True), (b"1001000\0smtp\0\0\0\0000\0", "pipe")):
    t = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    t.connect("/var/qmail/run/tls")
    t.settimeout(20)
    a, b = socket.socketpair()
    fds = [os.pipe()[0]] if fd == "pipe" else [a.fileno()] if fd else []
    socket.send_fds(t, [packet], fds)
    assert t.recv(100) == b""
"""])
    tls.h.wait(lambda: tls.log()[mark:].count("malformed request") == 5,
               "five warnings")
    assert tls.client()["echo"] == "hello\n"


# ---- with the SMTP server ----

SMTPLIB = r"""
import smtplib, ssl, sys
s = smtplib.SMTP("127.0.0.1", 25, "client.example")
assert s.has_extn("starttls") or s.ehlo()[0] == 250 and s.has_extn("starttls")
s.starttls(context=ssl._create_unverified_context())
s.ehlo("client.example")
assert not s.has_extn("starttls")
s.mail("ana@client.example")
s.rcpt(sys.argv[1])
if sys.argv[2] == "whole":
    print(s.data("Subject: over TLS\r\n\r\nhello\r\n")[0])
    s.quit()
else:
    s.putcmd("data")
    print(s.getreply()[0])
    s.send("Subject: cut\r\n\r\nhello\r\n")
    s.sock.detach()             # the connection goes, without close_notify
"""


def test_smtp(tls):
    """STARTTLS of the real server.  A message that was cut is none: whoever
    cuts a connection must not choose where a message ends."""
    user = tls.site.new_user()
    to = f"{user}@{NAME}"
    mark = len(tls.log())
    assert tls.h.run(["python3", "-c", SMTPLIB, to, "cut"]).stdout == "354\n"
    ended(tls, mark, "truncated")
    assert tls.h.run(["python3", "-c", SMTPLIB, to, "whole"]).stdout == "250\n"
    mails = tls.site.mail(user)
    assert len(mails) == 1 and "Subject: over TLS" in mails[0]
    assert "TLS_AES_256_GCM_SHA384" in mails[0]


# ---- the client role ----

@pytest.fixture(scope="module")
def servers(tls):
    """openssl s_server with a certificate each; port by name."""
    ports = {}
    chains = {"good": tls.issue("mx.peer.example", also=["peer.example"]),
              "expired": tls.issue("old.peer.example", days=-1),
              "rsa": tls.issue("rsa.peer.example", kind="rsa")}
    tls.h.run("cd /root/ca && openssl req -x509 -newkey rsa:2048 -nodes "
              "-keyout self.key -out self.pem -days 30 -subj /CN=self.example"
              " -addext subjectAltName=DNS:self.example 2>/dev/null")
    chains["self"] = ("/root/ca/self.pem", "/root/ca/self.key")
    for i, (name, (pem, key)) in enumerate(chains.items()):
        ports[name] = 4000 + i
        tls.spawn("openssl", "s_server", "-accept", f"127.0.0.1:{4000 + i}",
                  "-cert", pem, "-cert_chain", pem, "-key", key, "-rev",
                  "-quiet")
    ports["old"] = 4100
    tls.spawn("openssl", "s_server", "-accept", "127.0.0.1:4100", "-cert",
              chains["good"][0], "-key", chains["good"][1], "-tls1_1",
              "-cipher", "ALL:@SECLEVEL=0", "-rev", "-quiet")
    tls.h.wait(lambda: all(tls.listening(p) for p in ports.values()),
               "the servers")
    return tls, ports, chains


def test_client_any(servers):
    tls, port, _ = servers
    r = tls.ask(port["good"], "0", "mx.peer.example")
    assert r["ok"] and r["verified"] and r["answer"] == "olleh\n"
    assert r["version"] == "TLSv1.3" and len(r["fingerprint"]) == 64
    assert "CN=mx.peer.example" in r["peer"]
    for name, host, words in (("self", "self.example", "self-signed"),
                              ("expired", "old.peer.example", "expired")):
        r = tls.ask(port[name], "0", host)
        assert r["ok"] and not r["verified"]
        assert words in r["reason"]
    r = tls.ask(port["good"], "0", "other.example")
    assert r["ok"] and not r["verified"] and "ostname" in r["reason"]
    r = tls.ask(port["good"], "0")
    assert r["ok"] and not r["verified"]
    r = tls.ask(port["old"], "0", "mx.peer.example")
    assert not r["ok"] and "version" in r["reason"]


def test_client_name(servers):
    tls, port, _ = servers
    assert tls.ask(port["good"], "1", "mx.peer.example")["verified"]
    assert tls.ask(port["good"], "1", "x.example", "peer.example")["verified"]
    assert tls.ask(port["rsa"], "1", "rsa.peer.example")["verified"]
    for name, host, words in (("good", "x.example", "ostname"),
                              ("self", "self.example", "self-signed"),
                              ("expired", "old.peer.example", "expired")):
        r = tls.ask(port[name], "1", host)
        assert not r["ok"] and not r["verified"]
        assert r["reason"].startswith("certificate: ")
        assert words in r["reason"]
        assert "answer" not in r


def digest(tls, pem, what):
    """SHA-256 of the first certificate of a file, or of its key."""
    how = "-outform DER" if what == "cert" else \
        "-noout -pubkey | openssl pkey -pubin -outform DER"
    return tls.h.run(f"openssl x509 -in {pem} {how} | openssl sha256 "
                     "-r").stdout[:64]


def test_client_dane(servers):
    tls, port, chains = servers
    ee = "030101" + digest(tls, chains["good"][0], "key")
    full = "030001" + digest(tls, chains["good"][0], "cert")
    ta = "020001" + digest(tls, "/root/ca/ca.pem", "cert")
    ta_key = "020101" + digest(tls, "/root/ca/ca.pem", "key")
    wrong = "030101" + "11" * 32
    for tlsa in ([ee], [full], [wrong, ee], [ta], [ta_key], [wrong, ta]):
        r = tls.ask(port["good"], "2", "mx.peer.example", "", *tlsa)
        assert r["ok"] and r["verified"], tlsa
        assert r["answer"] == "olleh\n"
    # Usage 3 looks at no name and no date, usage 2 does (RFC 7672 3.1.1, 2).
    assert tls.ask(port["good"], "2", "x.example", "", ee)["verified"]
    r = tls.ask(port["good"], "2", "x.example", "", ta)
    assert not r["ok"] and "ostname" in r["reason"]
    assert tls.ask(port["good"], "2", "x.example", "peer.example",
                   ta)["verified"]
    old = chains["expired"][0]
    assert tls.ask(port["expired"], "2", "old.peer.example", "",
                   "030101" + digest(tls, old, "key"))["verified"]
    assert not tls.ask(port["expired"], "2", "old.peer.example", "", ta)["ok"]
    # Public CAs mean nothing here.
    r = tls.ask(port["good"], "2", "mx.peer.example", "", wrong)
    assert not r["ok"] and "TLSA" in r["reason"]
    # Nothing usable: TLS with whoever it is (RFC 7672 2.2).
    for tlsa in ("010101" + "11" * 32, "000001" + "11" * 32, "0301ff1111",
                 "030101" + "11" * 5, "03"):
        r = tls.ask(port["good"], "2", "mx.peer.example", "", tlsa)
        assert r["ok"] and not r["verified"], tlsa
        assert "usable" in r["reason"]


def test_client_certificate(tls):
    """Asked for on request; told, not demanded."""
    good = tls.issue("client.example")
    r = tls.client(ASK, cert=good[0], key=good[1])[0]["facts"]
    assert r["ok"] and r["verified"] and "CN=client.example" in r["peer"]
    assert r["fingerprint"] == digest(tls, good[0], "cert")
    assert tls.client(ASK)[0]["facts"]["fingerprint"] == ""
    tls.h.run("cd /root/ca && openssl req -x509 -newkey rsa:2048 -nodes "
              "-keyout me.key -out me.pem -days 30 -subj /CN=me 2>/dev/null")
    r = tls.client(ASK, cert="/root/ca/me.pem", key="/root/ca/me.key")[0]
    assert "facts" not in r or not r["facts"]["verified"]
    # and who was not asked sends none
    assert tls.client(cert=good[0], key=good[1])["facts"]["peer"] == ""


# ---- tlswrap ----

def test_tlswrap_implicit(tls):
    tls.spawn("tcpserver", "-HRl0", "127.0.0.1", "3465", "tlswrap", "-u",
              "qmaild", "sh", "-c", "env | grep ^SSL_; id -un; read x; "
              "echo \"got $x\"")
    tls.h.wait(lambda: tls.listening(3465), "tcpserver")
    out = tls.s_client("-servername a.example", port=3465, text="hello\\n")
    assert "SSL_PROTOCOL=TLSv1.3\n" in out
    assert "SSL_CIPHER=TLS_AES_256_GCM_SHA384\n" in out
    assert "SSL_TLS_SNI_SERVERNAME=a.example\n" in out
    assert "SSL_CLIENT_VERIFY=NONE\n" in out
    assert "\nqmaild\n" in out
    assert "got hello\n" in out


UCSPI_CLIENT = r"""
import json, socket, ssl, sys
c = socket.create_connection(("127.0.0.1", 3466))
c.settimeout(30)
f = c.makefile("rwb", 0)
out = [f.readline().decode()]
def say(t):
    f.write(t.encode() + b"\r\n")
    out.append(f.readline().decode())
say("ONE")
if sys.argv[1]:
    say(sys.argv[1])
    f.close()
    c = ssl._create_unverified_context().wrap_socket(c,
        server_hostname="a.example")
    f = c.makefile("rwb", 0)
    if sys.argv[1] == "STARTTLSV":
        out.append(f.readline().decode())
    say("TWO")
say("QUIT")
out.append(f.readline().decode())
print(json.dumps(out))
"""


def test_tlswrap_ucspi(tls):
    """A program for UCSPI-TLS that was written without us."""
    tls.spawn("tcpserver", "-HRl0", "127.0.0.1", "3466", "tlswrap", "-n",
              "-u", "qmaild", "python3", f"{TLS}/ucspi.py")
    tls.h.wait(lambda: tls.listening(3466), "tcpserver")

    def talk(word):
        return json.loads(tls.h.run(["python3", "-c", UCSPI_CLIENT,
                                     word]).stdout)
    assert talk("") == ["220 ready tls\r\n", "250 ONE\r\n", "221 bye\r\n", ""]
    assert talk("STARTTLS") == ["220 ready tls\r\n", "250 ONE\r\n",
                                "220 go\r\n", "250 TWO\r\n", "221 bye\r\n",
                                ""]
    out = talk("STARTTLSV")
    assert out[4:] == ["250 TWO\r\n", "221 bye\r\n", ""]
    assert "SSL_PROTOCOL=TLSv1.3|" in out[3]
    assert "SSL_TLS_SNI_SERVERNAME=a.example|" in out[3]
    # The helpers end with their programs.
    tls.h.wait(lambda: not tls.h.running("tlswrap"), "the helpers to end")


# ---- what breaks, and how much ----

HOLD = r"""
import json, socket, ssl, sys
ctx = ssl._create_unverified_context()
s = ctx.wrap_socket(socket.create_connection(("127.0.0.1", %d)))
s.settimeout(60)
f = s.makefile("rwb", 0)
f.readline()
print("ready", flush=True)
for line in sys.stdin:
    try:
        f.write(line.encode())
        got = f.readline().decode().strip()
    except OSError as e:
        got = type(e).__name__
    print(got or "end", flush=True)
""" % SMTP


class Held:
    """A session that lives; and the pid of its process."""

    def __init__(self, tls):
        before = set(tls.h.running("tlsd"))
        self.p = tls.h.popen(["python3", "-c", HOLD], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.p.stdout.readline() == "ready\n"
        self.pid, = set(tls.h.running("tlsd")) - before

    def say(self, text):
        self.p.stdin.write(text + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()

    def close(self):
        self.p.stdin.close()
        self.p.wait(30)


def resident(tls):
    return next(p for p in tls.h.running("tlsd")
                if os.stat(f"/proc/{p}").st_uid == 0 and
                "supervise" in open(f"/proc/{ppid(p)}/comm").read())


def ppid(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[1]


def test_killed(tls):
    """A session's process takes only its session along; sessions outlive
    the resident process, and supervise brings another."""
    tls.h.wait(lambda: len(tls.h.running("tlsd")) == 1, "earlier sessions")
    a, b = Held(tls), Held(tls)
    assert (a.say("x"), b.say("y")) == ("x", "y")
    os.kill(a.pid, 9)
    assert a.say("x") in ("end", "ConnectionResetError", "SSLEOFError",
                          "BrokenPipeError")
    assert b.say("y") == "y"
    old = resident(tls)
    os.kill(old, 9)
    assert b.say("y") == "y"
    tls.h.wait(lambda: tls.client().get("echo") == "hello\n",
               "tlsd to start again")
    assert b.say("still") == "still"
    assert resident(tls) != old
    a.close()
    b.close()


def test_keyd_killed(tls):
    """Without keyd no new session, and it comes back by itself."""
    held = Held(tls)
    tls.h.run(["svc", "-d", "/service/keyd"])
    tls.h.wait(lambda: not tls.h.running("keyd"), "keyd to end")
    mark = len(tls.log())
    assert "error" in tls.client()
    assert "keyd" in tls.log()[mark:]
    assert held.say("x") == "x"
    tls.h.run(["svc", "-u", "/service/keyd"])
    tls.h.wait(lambda: tls.client().get("echo") == "hello\n", "keyd")
    held.close()


CROWD = """
import socket, sys
crowd = []
for i in range(60):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[1])
    crowd.append(s)
print("here", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("service, socket", [
    ("tlsd", "run/tls"), ("keyd", "run/key/socket")])
def test_descriptors_used_up(tls, service, socket):
    """It says so and waits, instead of trying without end."""
    path = f"{HOME}/supervise/{service}/run"
    run = tls.h.read(path)

    def again(text):
        old, mark = tls.h.running(service), len(tls.log(service))
        tls.h.write(path, text)
        tls.h.run(["svc", "-t", f"/service/{service}"])
        tls.h.wait(lambda: not set(old) & set(tls.h.running(service)) and
                   "generation=" in tls.log(service)[mark:], service)
        return mark

    tls.h.wait(lambda: len(tls.h.running("tlsd")) == 1, "earlier sessions")
    mark = again(run.replace("\nexec", "\nulimit -n 40\nexec"))
    try:
        crowd = tls.h.popen(["python3", "-c", CROWD, f"{HOME}/{socket}"],
                            text=True, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)
        assert crowd.stdout.readline() == "here\n"
        tls.h.wait(lambda: "unable to accept a connection: Too many open "
                   "files" in tls.log(service)[mark:], "a word about it")
        crowd.stdin.close()
        crowd.wait(30)
        tls.h.wait(lambda: tls.client().get("echo") == "hello\n", "TLS")
        # each pause has its line; without pauses there would be thousands
        assert tls.log(service)[mark:].count("unable to accept") < 200
    finally:
        again(run)
    tls.h.wait(lambda: tls.client().get("echo") == "hello\n", "TLS")


# ---- certificates ----

def test_refusals(tls):
    """Each says what is wrong, and changes nothing."""
    good, key = tls.issue("c.example")
    _, other = tls.issue("d.example")
    tls.h.run(f"cd /root/ca && tac {good} >nonsense; "
              f"openssl x509 -in {good} -out alone.pem; "
              f"cat ca.pem alone.pem >reversed.pem; "
              f"cat alone.pem self.pem >wrongchain.pem 2>/dev/null || "
              f"cat alone.pem alone.pem >wrongchain.pem; "
              f"openssl pkey -in {key} -aes128 -passout pass:x -out enc.key; "
              f"cat {good} {key} >both.pem; "
              "openssl req -x509 -newkey rsa:1024 -nodes -keyout small.key "
              "-out small.pem -subj /CN=x 2>/dev/null; "
              "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-521 "
              "-nodes -keyout p521.key -out p521.pem -subj /CN=x 2>/dev/null;"
              "openssl req -x509 -newkey rsa:2048 -sha1 -nodes -keyout "
              "sha1.key -out sha1.pem -subj /CN=x 2>/dev/null")
    before = tls.h.run(["valija-cert", "list"]).stdout
    for cert, k, words in (
            (good, other, "does not belong"), ("/nonexistent", key, "read"),
            ("/root/ca/nonsense", key, "no certificate in PEM"),
            ("/root/ca/reversed.pem", key, "must come first"),
            ("/root/ca/wrongchain.pem", key, "out of order"),
            (good, "/root/ca/enc.key", "unencrypted"),
            (good, good, "private key"),
            ("/root/ca/both.pem", key, "holds a private key"),
            ("/root/ca/small.pem", "/root/ca/small.key", "2048"),
            ("/root/ca/p521.pem", "/root/ca/p521.key", "P-384"),
            ("/root/ca/sha1.pem", "/root/ca/sha1.key", "weakly")):
        r = tls.sh(["valija-cert", "install", "c.example", cert, k])
        assert r.returncode == 100, (cert, r)
        assert words in r.stderr, (cert, r.stderr)
    for name in ("../x", "a/b", "", ".", "a..b", "*", "default", "-x y",
                 "x\n.example"):
        r = tls.sh(["valija-cert", "install", name, good, key])
        assert r.returncode == 100, name
    assert tls.h.run(["valija-cert", "list"]).stdout == before


def test_warnings(tls):
    """Said, but done: only the administrator knows."""
    r = tls.install("other.example", *tls.issue("e.example"))
    assert "does not name other.example" in r.stderr
    r = tls.install("f.example", *tls.issue("f.example", days=-1))
    assert "has expired" in r.stderr
    r = tls.install("g.example", *tls.issue("g.example", days=3))
    assert "expires in less than 7 days" in r.stderr
    for name in ("other.example", "f.example", "g.example"):
        tls.h.run(["valija-cert", "remove", name])
    r = tls.sh(["valija-cert", "remove", "g.example"])
    assert r.returncode == 100 and "no certificate" in r.stderr


def test_descriptors_run_out(tls):
    """Whatever cannot be read is not taken for something that is gone."""
    def names():
        listed = tls.h.run(["valija-cert", "list", "-j"]).stdout
        return {e["name"] for e in json.loads(listed)}

    before, failed, done = names(), 0, set()
    for n in range(4, 20):
        r = tls.sh(f"ulimit -n {n} && valija-cert self-signed l{n}.example")
        assert r.returncode in (0, 100, 111, 127), r
        failed += r.returncode != 0
        if r.returncode == 0:
            done.add(f"l{n}.example")
        assert names() == before | done, (n, r.stderr)
        keys = tls.h.listdir(f"{HOME}/tls/current/key")
        assert {k.split(":")[0] for k in keys} == names(), n
    assert failed > 0 and done
    for name in done:
        tls.h.run(["valija-cert", "remove", name])


def test_list(tls):
    ec, rsa = tls.issue("h.example"), tls.issue("h.example", kind="rsa")
    tls.install("h.example", *ec, *rsa)
    tls.install("h.example", *tls.issue("h.example", kind="ed25519"),
                options=["-a"])
    rows = [r for r in json.loads(tls.h.run(
        ["valija-cert", "list", "-j"]).stdout) if r["name"] == "h.example"]
    assert [r["kind"] for r in rows] == ["ec", "rsa", "ed25519"]
    assert rows[0]["key_sha256"] == digest(tls, ec[0], "key")
    assert rows[1]["key_sha256"] == digest(tls, rsa[0], "key")
    assert rows[0]["names"] == ["h.example"] and rows[0]["days"] in (29, 30)
    assert rows[0]["issuer"] == "CN=Test CA"
    out = tls.s_client("-servername h.example -sigalgs ed25519")
    assert "Peer signature type: ed25519" in out and "220 " in out
    tls.install("h.example", *tls.issue("h.example", kind="p384"))
    assert "220 " in tls.s_client("-servername h.example")
    # What is given is all there is from then on.
    assert "no suitable signature" in \
        tls.s_client("-servername h.example -sigalgs RSA-PSS+SHA256") or \
        "handshake failure" in \
        tls.s_client("-servername h.example -sigalgs RSA-PSS+SHA256")
    tls.h.run(["valija-cert", "remove", "h.example"])


def test_modes(tls):
    """Keys are keyd's alone; certificates are for all."""
    out = tls.h.run("find -L /var/qmail/tls/current/key -printf '%u %m\\n' | "
                    "sort -u").stdout
    assert out == "keyd 400\nkeyd 700\n"
    for user in ("tlsd", "qmaild", "qmailq", "mailadmin"):
        assert tls.sh("ls /var/qmail/tls/current/key",
                      user=user).returncode != 0
        assert tls.sh("ls /var/qmail/run/key", user=user).returncode != 0
    # Two generations are kept.
    gens = [d for d in tls.h.listdir("/var/qmail/tls")
            if d.startswith("gen.")]
    assert len(gens) == 2


STORM = r"""
import socket, ssl, subprocess, sys, threading, time
ctx = ssl._create_unverified_context()
errors, count, stop = [], [0], threading.Event()
def shake():
    while not stop.is_set():
        try:
            s = ctx.wrap_socket(socket.create_connection(
                ("127.0.0.1", %d)), server_hostname="swap.example")
            s.recv(1)
            s.close()
            count[0] += 1
        except OSError as e:
            errors.append(str(e))
threads = [threading.Thread(target=shake) for _ in range(4)]
for t in threads:
    t.start()
files = sys.argv[1:]
i = 0
while i < 100 or count[0] < 100 and not errors:
    a = i %% 2 * 2
    i += 1
    subprocess.run(["valija-cert", "install", "swap.example", *files[a:a + 2]],
                   check=True)
stop.set()
for t in threads:
    t.join()
print(count[0], len(errors), errors[:3])
""" % SMTP


def test_exchange_under_load(tls):
    """A hundred exchanges, ECDSA for RSA and back, and no handshake fails."""
    files = (*tls.issue("swap.example"),
             *tls.issue("swap.example", kind="rsa"))
    tls.install("swap.example", *files[:2])
    out = tls.h.run(["python3", "-c", STORM, *files], timeout=120).stdout
    shakes, failed, _ = out.split(" ", 2)
    assert int(failed) == 0, out
    assert int(shakes) >= 100
    tls.h.run(["valija-cert", "remove", "swap.example"])


def page_hook(tls):
    """The hook as the page has it."""
    text = tls.h.run("mandoc -T ascii /var/qmail/man/man8/valija-cert.8 | "
                     "col -b").stdout
    lines = [line.strip() for line in text.splitlines()]
    start = next(i for i, x in enumerate(lines) if x == "#!/bin/sh")
    end = next(i for i in range(start, len(lines)) if lines[i] == "")
    return "\n".join(lines[start:end]) + "\n"


def test_acme_hook(tls):
    """certbot's deploy hook, word for word, in certbot's environment."""
    hook = page_hook(tls)
    assert "RENEWED_LINEAGE" in hook
    pem, key = tls.issue("acme.example")
    tls.h.run(f"d=/etc/letsencrypt/live/acme.example; mkdir -p $d && "
              f"cp {pem} $d/fullchain.pem && cp {key} $d/privkey.pem")
    tls.h.write("/root/hook", hook, mode=0o755)
    mark = len(tls.log())
    tls.h.run(["/root/hook"], env={
        "RENEWED_LINEAGE": "/etc/letsencrypt/live/acme.example",
        "RENEWED_DOMAINS": "acme.example"})
    tls.wait_log("tlsd", "certificates=", mark)
    assert names_of(tls, "acme.example")[0] == ["acme.example"]
    tls.h.run(["valija-cert", "remove", "acme.example"])


# ---- who holds what ----

SCAN = r"""
import os, re, sys
needles = [bytes.fromhex(x) for x in sys.argv[1:]]
needles += [n[::-1] for n in needles]          # libcrypto's numbers
found = set()
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        comm = open(f"/proc/{pid}/comm").read().strip()
        maps = open(f"/proc/{pid}/maps").read()
        mem = open(f"/proc/{pid}/mem", "rb", 0)
    except OSError:
        continue
    if int(pid) == os.getpid():
        continue
    for line in maps.splitlines():
        m = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
        if not m:               # what was never writable holds no secret
            continue
        a, b = (int(x, 16) for x in m.groups())
        try:
            data = os.pread(mem.fileno(), b - a, a)
        except (OSError, OverflowError):
            continue
        if any(n in data for n in needles):
            found.add(f"{comm}")
print(" ".join(sorted(found)))
"""


def secrets(tls, pem):
    """Every secret number of a key as 16-byte pieces in hex."""
    text = tls.h.run(["openssl", "pkey", "-in", pem, "-noout",
                      "-text"]).stdout
    out = []
    for part in ("priv", "privateExponent", "prime1", "prime2", "exponent1",
                 "exponent2", "coefficient"):
        m = re.search(rf"(?m)^{part}:\n((?: +[0-9a-f:]+\n)+)", text)
        if m:
            value = re.sub(r"[^0-9a-f]", "", m.group(1)).lstrip("0")
            value = value[len(value) % 2:]
            out += [value[i:i + 32] for i in range(0, len(value) - 31, 32)]
    return out


def test_keys_in_one_process(tls):
    """Private numbers, both ways round, in every 16-byte piece: in keyd, and
    in no other process of the machine while sessions run."""
    files = (*tls.issue("scan.example"),
             *tls.issue("scan.example", kind="rsa"))
    tls.install("scan.example", *files)
    for sig in ("ECDSA+SHA256", "RSA-PSS+SHA256"):
        assert "220 " in tls.s_client(f"-servername scan.example -sigalgs "
                                      f"{sig}")
    held = Held(tls)
    needles = secrets(tls, files[1]) + secrets(tls, files[3])
    assert len(needles) > 2 + 16
    tls.h.write("/root/scan.py", SCAN)
    out = tls.h.run(["python3", "/root/scan.py", *needles]).stdout
    assert out.split() == ["keyd"]
    held.close()
    tls.h.run(["valija-cert", "remove", "scan.example"])


def test_libraries(tls):
    """libssl is linked by tlsd and nothing else.  The database connector has
    one of its own: programs of accounts that link it load it with that."""
    def users(tool, library):
        out = tls.h.run(
            "cd /usr/local/bin; for f in $(sed -n 's|^cmd build/||p' "
            "/var/qmail/doc/manifest) /var/qmail/bin/*; do "
            f"{tool} $f 2>&1 | grep -q {library} && echo ${{f##*/}}; done; "
            "true")
        return out.stdout.split()

    connector = users("ldd", "libmariadb")
    assert "authdaemond" in connector
    for library, want in (("libssl", ["tlsd"]),
                          ("libcrypto", ["keyd", "tlsd", "valija-cert"])):
        assert users("readelf -d", library) == want
        assert [u for u in users("ldd", library)
                if u not in connector] == want


def test_processes(tls):
    """The session's process: its user, an empty root, a filter, no way to
    new privileges, and two descriptors besides the log."""
    held = Held(tls)
    with open(f"/proc/{held.pid}/status") as f:
        status = dict(line.split(":\t", 1) for line in f if ":\t" in line)
    uid = tls.h.user("tlsd").pw_uid
    assert status["Uid"].split() == [str(uid)] * 4
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    assert status["CapEff"].strip("\n0") == ""
    assert os.listdir(f"/proc/{held.pid}/root") == []
    fds = sorted(int(fd) for fd in os.listdir(f"/proc/{held.pid}/fd"))
    assert len(fds) == 5 and fds[:3] == [0, 1, 2]
    held.close()
    with open(f"/proc/{tls.h.running('keyd')[0]}/status") as f:
        status = dict(line.split(":\t", 1) for line in f if ":\t" in line)
    assert status["Seccomp"].strip() == "2"
    assert int(status["VmLck"].split()[0]) > 0
    assert "signal 31" not in tls.log()
