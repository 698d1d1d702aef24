"""QMTP and QMQP on a running mail system: qmail-qmtpd, qmail-qmqpd and
qmail-qmqpc, with one another and with the test programs of Debian's Postfix.
"""

import os
import re
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "host"))
from host import HOSTNAME  # noqa: E402
from net import debs  # noqa: E402

HERE = {"TCPREMOTEIP": "192.0.2.7", "TCPREMOTEHOST": "client.example",
        "TCPLOCALHOST": HOSTNAME}
POSTFIX = "/run/postfix"
LIBS = (f"{POSTFIX}/usr/lib/postfix:{POSTFIX}/usr/lib/x86_64-linux-gnu:"
        f"{POSTFIX}/usr/lib/aarch64-linux-gnu")
SERVERS = "/var/qmail/control/qmqpservers"


def ns(text):
    """A netstring; text and bytes alike."""
    if isinstance(text, str):
        text = text.encode()
    return str(len(text)).encode() + b":" + text + b","


def qmtp(message, sender, rcpts):
    return ns(message) + ns(sender) + ns(b"".join(ns(r) for r in rcpts))


def qmqp(message, sender, rcpts):
    return ns(ns(message) + ns(sender) + b"".join(ns(r) for r in rcpts))


def answers(text):
    """What a server said, netstring by netstring."""
    out, at = [], 0
    while at < len(text):
        colon = text.index(":", at)
        end = colon + 1 + int(text[at:colon])
        assert text[end] == ","
        out.append(text[colon + 1:end])
        at = end + 1
    return out


def speak(site, program, data, env=None, check=True):
    """A session over a pipe, as tcpserver's user: exit code, answers, log."""
    r = site.h.run([f"/var/qmail/bin/{program}"], user="qmaild", check=False,
                   input=data.decode("utf-8", "surrogateescape"),
                   env={**HERE, **(env or {})})
    if check:
        assert r.returncode == 0, r.stderr
    return r.returncode, answers(r.stdout), r.stderr


@pytest.fixture(scope="module")
def sources(site):
    """qmqp-source and qmqp-sink of Debian's Postfix, unpacked only."""
    site.h.run(["mkdir", "-p", POSTFIX])
    for path in debs("postfix"):
        inside = "/run/" + os.path.basename(path)
        with open(path, "rb") as f, site.h.open(inside, "wb") as out:
            out.write(f.read())
        site.h.run(["dpkg", "-x", inside, POSTFIX])
    return POSTFIX + "/usr/sbin"


@pytest.fixture
def server(site):
    """start(port, address, program, env): a server under tcpserver."""
    running = []

    def start(port, program, address="0", env=None):
        child = site.h.popen(
            ["tcpserver", "-v", "-RHl", HOSTNAME, "-u",
             str(site.h.user("qmaild").pw_uid), "-g",
             str(site.h.user("qmaild").pw_gid), address, str(port),
             *program], env=env, stdout=site.h.open("/run/ts.log", "ab"),
            stderr=site.h.open("/run/ts.log", "ab"))
        running.append(child)
        site.h.wait(lambda: site.h.run(
            f"grep -q ':{port:04X} 0*:0000 0A' /proc/net/tcp /proc/net/tcp6",
            check=False).returncode == 0, "the server to listen")
        return child
    yield start
    for child in running:
        site.h._kill(child)


@pytest.fixture
def servers(site):
    """Set control/qmqpservers."""
    yield lambda text: site.h.write(SERVERS, text, mode=0o644)
    site.h.run(["rm", "-f", SERVERS])


def submit(site, rcpts, text="Subject: x\n\nhello\n", sender="s@far.example",
           envelope=None):
    """qmail-qmqpc as a caller of qmail-queue runs it; the exit code."""
    site.h.write("/run/qmqpc.m", text, mode=0o644)
    site.h.write("/run/qmqpc.e", envelope if envelope is not None else
                 f"F{sender}\0" + "".join(f"T{r}\0" for r in rcpts) + "\0",
                 mode=0o644)
    return site.h.run("qmail-qmqpc </run/qmqpc.m 1</run/qmqpc.e",
                      user="mailadmin", check=False)


# QMQP.

def test_qmqpd_queues_and_says_so(site, user):
    code, said, log = speak(site, "qmail-qmqpd", qmqp(
        "Subject: hi\n\nbody\n", "ana@far.example", [f"{user}@{HOSTNAME}"]))
    assert re.fullmatch(r"Kok \d+ qp \d+", said[0]) and len(said) == 1
    message, = site.mail(user)
    assert message.startswith("Return-Path: <ana@far.example>\n")
    assert "Received: from client.example (client.example [192.0.2.7])\n" \
        f"  by {HOSTNAME} with QMQP id " in message
    assert message.endswith("Subject: hi\n\nbody\n")
    assert re.search(r"qmail-qmqpd: info: accept pid=\d+ ip=192.0.2.7 "
                     r"from=ana@far.example to=\S+ rcpts=1 size=18 qp=\d+",
                     log)


def test_postfix_source_to_us(site, sources, server, user):
    server(628, ["/var/qmail/bin/qmail-qmqpd"])
    site.h.run([f"{sources}/qmqp-source", "-m", "20", "-s", "4", "-l", "3000",
                "-f", "ana@far.example", "-t", f"{user}@{HOSTNAME}",
                "inet:127.0.0.1:628"], env={"LD_LIBRARY_PATH": LIBS})
    mails = site.mail(user, 20)
    assert len(mails) == 20 and all("with QMQP" in m for m in mails)
    assert all(len(m) > 3000 for m in mails)


def test_us_to_postfix_sink(site, sources, servers):
    sink = site.h.popen([f"{sources}/qmqp-sink", "-c", "inet:127.0.0.1:1628",
                         "10"], env={"LD_LIBRARY_PATH": LIBS},
                        stdout=site.h.open("/run/sink.log", "wb"))
    site.h.wait(lambda: site.h.run("grep -q ':065C 0*:0000 0A' /proc/net/tcp",
                                   check=False).returncode == 0, "the sink")
    servers("# comment\n127.0.0.1:1628\n")
    for i in range(5):
        r = submit(site, ["a@b.example", "c@d.example"],
                   text="Subject: x\n\n" + "line\n" * 10000 * i)
        assert r.returncode == 0, r.stderr
    site.h.wait(lambda: site.h.read("/run/sink.log").rstrip().endswith("5"),
                "the sink to count five")
    site.h._kill(sink)


def test_mini_qmail(site, server, servers, user):
    """sendmail on a host without a queue, over IPv6; a dead server first."""
    server(628, ["/var/qmail/bin/qmail-qmqpd"], address="::1")
    servers("127.0.0.1:9\n::1\n")
    site.h.run(["sendmail", "-f", "ana@far.example", f"{user}@{HOSTNAME}"],
               user="mailadmin", input="Subject: mini\n\nhello\n",
               env={"QMAILQUEUE": "/var/qmail/bin/qmail-qmqpc"})
    message, = site.mail(user)
    assert "[IPv6:::1])" in message and "Subject: mini\n" in message


def test_large_and_many(site, server, servers, user):
    """A message of 20 MB and an envelope of 5,000 arrive as they are."""
    server(628, ["/var/qmail/bin/qmail-qmqpd"])
    servers("127.0.0.1\n")
    body = "Subject: big\n\n" + ("x" * 99 + "\n") * 200000
    assert submit(site, [f"{user}@{HOSTNAME}"], text=body).returncode == 0
    assert site.mail(user)[0].endswith(body)
    other = site.new_user()
    site.dotqmail(other, "#\n")         # delivered, and dropped
    r = submit(site, [f"{other}@{HOSTNAME}"] * 5000)
    assert r.returncode == 0, r.stderr
    site.empty()


def test_qmqpc_exit_codes(site, servers):
    assert submit(site, ["a@b"]).returncode == 55           # no file
    servers("\n# nothing\n")
    assert submit(site, ["a@b"]).returncode == 55
    servers("127.0.0.1:9\n")
    r = submit(site, ["a@b"])
    assert r.returncode == 73 and "127.0.0.1: Connection refused" in r.stderr
    assert submit(site, [], envelope="").returncode == 54
    assert submit(site, [], envelope="Fa\0Tb\0").returncode == 54
    assert submit(site, [], envelope="Ta\0\0").returncode == 91
    assert submit(site, ["x" * 1003]).returncode == 11


def test_qmqpc_reports_refusals(site, server, servers):
    """D is 31, Z asks the next server, a server that hangs up is 74."""
    server(1001, ["sh", "-c", "head -c 20 >/dev/null; printf '3:Dno,'"])
    server(1002, ["sh", "-c", "head -c 20 >/dev/null; printf '5:Zbusy,'"])
    server(1003, ["sh", "-c", "cat >/dev/null & sleep 1"])
    servers("127.0.0.1:1001\n127.0.0.1:1002\n")
    r = submit(site, ["a@b"])
    assert r.returncode == 31 and "no" in r.stderr
    servers("127.0.0.1:1002\n127.0.0.1:1001\n")
    assert submit(site, ["a@b"]).returncode == 31
    servers("127.0.0.1:1002\n")
    assert submit(site, ["a@b"]).returncode == 71
    servers("127.0.0.1:1003\n127.0.0.1:1001\n")     # never asked
    assert submit(site, ["a@b"]).returncode == 74


def test_qmqpd_keeps_nothing_of_what_is_cut_off(site):
    whole = qmqp("Subject: x\n\n" + "y" * 100, "s@t", ["a@b.example"])
    before = site.queued()
    for n in (0, 1, 5, 30, len(whole) - 20, len(whole) - 1):
        code, said, log = speak(site, "qmail-qmqpd", whole[:n])
        assert said == []
    code, said, log = speak(site, "qmail-qmqpd", b"QUIT\r\n", check=False)
    assert code == 100 and said == [] and "reason=malformed" in log
    code, said, log = speak(site, "qmail-qmqpd", b"9999999999:", check=False)
    assert code == 111 and "reason=too_large" in log
    assert site.queued() == before


# QMTP.

def test_qmtpd_session(site, user):
    """Two packages; an answer for each recipient, in their order."""
    with site.control(rcpthosts=f"{HOSTNAME}\n"):
        code, said, log = speak(site, "qmail-qmtpd", qmtp(
            "\nSubject: one\n\nhello\n", "ana@far.example",
            [f"{user}@{HOSTNAME}", "x@elsewhere.example", "no\nbody@x",
             f"postmaster@{HOSTNAME}"]) + qmtp(
            "\rSubject: two\r\n\r\nhe\rllo\r\n", "", [f"{user}@{HOSTNAME}"]))
    assert [a[0] for a in said] == ["K", "D", "D", "K", "K"]
    assert re.fullmatch(r"Kok \d+ qp \d+", said[0]) and said[0] == said[3]
    assert "#5.7.1" in said[1] and "#5.1.3" in said[2]
    mails = sorted(site.mail(user, 2), key=lambda m: "two" in m)
    assert f"  by {HOSTNAME} with QMTP id " in mails[0]
    assert mails[0].endswith("Subject: one\n\nhello\n")
    raw = site.h.run(f"cat /home/{user}/Maildir/new/*").stdout
    assert "\nSubject: two\n\nhe\rllo\n" in raw and raw.count("\r") == 1
    assert mails[1].startswith("Return-Path: <>\n")
    assert re.search(r"info: refuse pid=\d+ ip=192.0.2.7 "
                     r"from=ana@far.example to=x@elsewhere.example reason=",
                     log)
    assert re.search(r"info: accept .* rcpts=2 refused=2 size=\d+ qp=\d+",
                     log)


def test_qmtpd_is_no_open_relay(site):
    package = qmtp("\nx\n", "s@t", ["a@far.example", "b%far.example@far.ex",
                                    f"a@far.example@{HOSTNAME}.", "@a,@b:c@d",
                                    f"{HOSTNAME}!a@far.example"])
    with site.control(rcpthosts=None, morercpthosts=None):
        for env in ({}, {"DATABYTES": "0"}):
            code, said, log = speak(site, "qmail-qmtpd", package, env)
            assert [a[0] for a in said] == ["D"] * 5
    code, said, log = speak(site, "qmail-qmtpd", qmtp(
        "\nx\n", "s@t", ["a@deferred.invalid"]), {"RELAYCLIENT": ""})
    assert said[0][0] == "K"


def test_qmtpd_verifies(site, user):
    site.h.wait(lambda: site.h.exists("/var/qmail/run/rcpt"),
                "the recipient service")
    with site.control(rcpthosts=f"{HOSTNAME}\n"):
        code, said, log = speak(site, "qmail-qmtpd", qmtp(
            "\nx\n", "s@t", [f"nobody-there@{HOSTNAME}",
                             f"{user}@{HOSTNAME}"]))
    assert [a[0] for a in said] == ["D", "K"] and "#5.1.1" in said[0]


def test_qmtpd_limits(site, user):
    rcpt = [f"{user}@{HOSTNAME}"]
    relay = {"RELAYCLIENT": ""}
    code, said, log = speak(site, "qmail-qmtpd", qmtp(
        "\n" + "x" * 100, "s@t", rcpt) + qmtp("\nx\n", "s@t", rcpt),
        {**relay, "DATABYTES": "50"})
    assert said[0].startswith("D") and "#5.3.4" in said[0]
    assert said[1].startswith("K")
    code, said, log = speak(site, "qmail-qmtpd", qmtp(
        "\n" + "Received: x\n" * 100 + "\nx\n", "s@t", rcpt), relay)
    assert "#5.4.6" in said[0]
    site.mail(user, 1)
    assert len(site.mails(user)) == 1
    # Announced, and never sent: no memory is taken for it.
    r = site.h.run("ulimit -v 80000; printf '999999999:\\n' | "
                   "/var/qmail/bin/qmail-qmtpd", user="qmaild", check=False)
    assert r.returncode == 0 and "reason=cut_off" in r.stderr
    # A hundred thousand recipients: the first 65,536, and Z for the rest.
    code, said, log = speak(site, "qmail-qmtpd", qmtp(
        "\nx\n", "s@t", ["a@far.example"] * 100000))
    assert len(said) == 100000
    assert {a[0] for a in said[:65536]} == {"D"}
    assert {a[0] for a in said[65536:]} == {"Z"}
    assert log.count("info: refuse") < 110


def test_servers_under_tcpserver_are_confined(site, server):
    """No privilege, no descriptor but the connection, no program to run."""
    server(209, ["/var/qmail/bin/qmail-qmtpd"])
    client = site.h.popen(["tcpclient", "-RHl0", "127.0.0.1", "209", "sleep",
                           "60"])
    pid, = site.h.wait(lambda: site.h.running("qmail-qmtpd"), "the server")

    def confined():
        with open(f"/proc/{pid}/status") as f:
            return "NoNewPrivs:\t1" in f.read()
    site.h.wait(confined, "it to give up rights")
    fds = {n: os.readlink(f"/proc/{pid}/fd/{n}")
           for n in os.listdir(f"/proc/{pid}/fd")}
    assert fds["0"].startswith("socket:") and fds["1"] == fds["0"]
    assert set(fds) - {"0", "1", "2"} <= {n for n in fds
                                          if fds[n].endswith(".cdb")}
    with open(f"/proc/{pid}/status") as f:
        uid = site.h.user("qmaild").pw_uid
        assert re.search(rf"^Uid:\t{uid}\t{uid}\t{uid}\t", f.read(), re.M)
    site.h._kill(client)
    site.h.wait(lambda: not site.h.running("qmail-qmtpd"), "it to end")
