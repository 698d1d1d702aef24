"""The whole way with two commands: vadddomain and vadduser on a running
system, mail by SMTP, and Debian's courier-pop, in the place of our own server,
reads it by POP3, asking our authdaemond at courier's own place.  Our own is in
test_pop3_*.py here and in TESTS/scenario."""

import json

import pytest

from net import unpack
from vsite import VSite

COURIER = "/run/courier/authdaemon/socket"

# All messages of a mailbox; an error as text.
POP3 = """
import json, poplib, sys
user, password = json.load(sys.stdin)
try:
    c = poplib.POP3("127.0.0.1", timeout=60)
    c.user(user)
    c.pass_(password)
    out = [b"\\n".join(c.retr(i + 1)[1]).decode() for i in range(c.stat()[0])]
    c.quit()
except poplib.error_proto as e:
    out = str(e)
json.dump(out, sys.stdout)
"""


@pytest.fixture(scope="module")
def vsite(request):
    s = VSite(request.param)
    try:
        unpack(s.h, "courier-pop", without=("exim4", "gamin_"))
        s.setting("authsockets", COURIER)
        s.h.run(["rm", "-rf", "/run/courier"])
        s.h.run(["svc", "-t", "/service/authdaemond"])
        s.h.wait(lambda: s.h.exists(COURIER), "the socket")
        s.h.write("/run/pop3.py", POP3, mode=0o644)
        s.h.run(["svc", "-d", "/service/pop3"])
        s.h.wait(lambda: ": down " in s.h.run(["svstat", "/service/pop3"])
                 .stdout, "port 110 to be free")
        s.h.run(["/usr/lib/courier/pop3d", "start"])
        yield s
    finally:
        s.close()


def pop3(vsite, user, password):
    return json.loads(vsite.h.run(["python3", "/run/pop3.py"],
                                  input=json.dumps([user, password])).stdout)


def test_read_by_pop3(vsite):
    vsite.v("vadddomain", "read.example", "postmaster's")
    vsite.v("vadduser", "ana@read.example", "ana's word")
    vsite.v("vaddaliasdomain", "read.example", "other.example")
    for rcpt in ("ana@read.example", "ana@other.example"):
        assert vsite.good(rcpt)
    vsite.h.wait(lambda: len(vsite.vmails("ana@read.example")) == 2,
                 "two messages")
    got = pop3(vsite, "ana@read.example", "ana's word")
    assert len(got) == 2
    assert sorted(x.split("Delivered-To: ")[1].split("\n")[0] for x in got) == \
        ["ana@other.example", "ana@read.example"]
    assert "-ERR" in pop3(vsite, "ana@read.example", "wrong")
    assert pop3(vsite, "postmaster@read.example", "postmaster's") == []
