"""The tools around tcpserver on throwaway hosts with a name server: tcpclient
and what stands on it, rblsmtpd's lists, recordio and fixcrio around programs.
"""

import os
import re
import subprocess
import sys
import textwrap
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "host"))
from net import Net  # noqa: E402

ZONE = """\
two.example. A 10.7.0.12
two.example. A 10.7.0.11
four.example. A 10.7.0.11
six.example. AAAA fd07::11
short.search.example. A 10.7.0.11
2.0.0.127.dnsbl.example. A 127.0.0.2
2.0.0.127.dnsbl.example. TXT "Listed, see" " dnsbl.example"
9.2.0.192.dnsbl.example. A 127.0.0.9
7.2.0.192.dnswl.example. A 127.0.0.2
7.2.0.192.dnsbl.example. TXT "also listed"
%s.dnsbl.example. TXT "an IPv6 host"
%s.dnsbl.example. A 127.0.0.2
1.2.0.192.open.example. A 127.255.255.254
1.2.0.192.open.example. TXT "you asked too much"
"""
V6 = ".".join(reversed("20010db8" + "0" * 23 + "1"))


@pytest.fixture(scope="module")
def net():
    with Net(ZONE % (V6, V6)) as n:
        yield n


@pytest.fixture(scope="module")
def h(net):
    """The host of the tools: 10.7.0.11, fd07::11."""
    host = net.host("tools.example")
    host.install()
    yield host


class Server:
    """A server of this test's own, in Python, inside a host."""

    def __init__(self, h, port, code, address="::"):
        self.h = h
        text = textwrap.dedent(f"""\
            import socket, sys, time
            s = socket.create_server(({address!r}, {port}), backlog=50,
                family=socket.AF_INET6 if ":" in {address!r}
                else socket.AF_INET, dualstack_ipv6={address == "::"})
            print("up", flush=True)
            while True:
                c, peer = s.accept()
                print(peer[0], peer[1], flush=True)
            """) + textwrap.indent(textwrap.dedent(code), "    ") + \
            "\n    c.close()\n"
        self.child = h.popen(["/usr/bin/python3", "-c", text],
                             stdout=subprocess.PIPE)
        assert self.child.stdout.readline() == b"up\n"

    def peer(self):
        return self.child.stdout.readline().decode().split()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.h._kill(self.child)


def run(h, argv, **kw):
    kw.setdefault("timeout", 40)
    return h.run(argv, check=False, **kw)


# tcpclient

SHOW = "env | grep -E '^(PROTO|TCP)' | sort"


def test_environment_and_descriptors(h):
    with Server(h, 7001, "c.sendall(b'hi'); c.recv(9)"):
        for host, ip in (("127.0.0.1", "127.0.0.1"), ("::1", "::1"),
                         ("[::1]", "::1"), ("", "127.0.0.1"),
                         ("fd07::11", "fd07::11")):
            r = run(h, ["tcpclient", "-RHl", "Local", host, "7001", "sh", "-c",
                        f"{SHOW}; ls /proc/self/fd | tr '\\n' ' '; echo x >&7;"
                        "head -c 2 <&6"])
            six = "6" if ":" in ip else ""
            want = f"PROTO=TCP{six}\n"
            for p in {"", six}:
                want += (f"TCP{p}LOCALHOST=Local\nTCP{p}LOCALIP={ip}\n"
                         f"TCP{p}LOCALPORT=N\nTCP{p}REMOTEIP={ip}\n"
                         f"TCP{p}REMOTEPORT=7001\n")
            shown, rest = r.stdout.rsplit("\n", 1)
            shown = re.sub(r"LOCALPORT=\d+", "LOCALPORT=N", shown)
            assert sorted(shown.split("\n")) == sorted(want.split()), r.stdout
            assert rest == "0 1 2 3 6 7 hi" and r.returncode == 0


def test_names(h):
    """TCPREMOTEHOST and TCPLOCALHOST come from PTR records."""
    with Server(h, 7002, ""):
        for host in ("tools.example", "fd07::11", "10.7.0.11"):
            r = run(h, ["tcpclient", "-R", host, "7002", "sh", "-c", SHOW])
            assert "TCPREMOTEHOST=tools.example\n" in r.stdout
            assert "TCPLOCALHOST=tools.example\n" in r.stdout
        r = run(h, ["tcpclient", "-RH", "tools.example", "7002", "sh", "-c",
                    SHOW], env={"TCPREMOTEHOST": "stale",
                                "TCPREMOTEINFO": "stale"})
        assert "TCPREMOTEHOST" not in r.stdout
        assert "TCPREMOTEINFO" not in r.stdout
        # An address without a name.
        r = run(h, ["tcpclient", "-R", "127.0.0.1", "7002", "sh", "-c", SHOW],
                env={"TCPREMOTEHOST": "stale"})
        assert "TCPREMOTEHOST" not in r.stdout


def test_families(h):
    with Server(h, 7003, ""):
        def ip(*argv):
            r = run(h, ["tcpclient", "-RHl0", *argv, "7003", "sh", "-c",
                        "echo $TCPREMOTEIP"])
            return r.stdout.strip() or r.stderr.strip()
        assert ip("tools.example") == "fd07::11"
        assert ip("-4", "tools.example") == "10.7.0.11"
        assert ip("-6", "tools.example") == "fd07::11"
        assert ip("-6", "0") == "::1"
        assert ip("-4", "six.example") == \
            "tcpclient: fatal: no IP address for six.example"
        assert ip("-6", "four.example") == \
            "tcpclient: fatal: no IP address for four.example"
        assert ip("localhost") == "127.0.0.1"


def test_search_list(h):
    with Server(h, 7004, ""):
        ask = ["tcpclient", "-RHl0", "short", "7004", "echo", "ok"]
        assert "no IP address for short" in run(h, ask).stderr
        assert run(h, ask, env={"LOCALDOMAIN": "none.example search.example"}
                   ).stdout == "ok\n"


def test_source_address_and_port(h):
    with Server(h, 7005, "") as s:
        r = run(h, ["tcpclient", "-RHl0", "-i", "fd07::11", "-p", "7777",
                    "fd07::11", "7005", "true"])
        assert r.returncode == 0 and s.peer() == ["fd07::11", "7777"]
        r = run(h, ["tcpclient", "-RHl0", "-i", "192.0.2.1", "127.0.0.1",
                    "7005", "true"])
        assert r.returncode == 111 and "address not available" in r.stderr


def test_addresses_in_turn(net, h):
    """One that refuses, then one that answers; each failure is told."""
    with Server(h, 7006, "", address="10.7.0.11"):
        r = run(h, ["tcpclient", "-4vRHl0", "two.example", "7006", "true"])
        assert r.returncode == 0
        assert "tcpclient: connected to 10.7.0.11 port 7006\n" in r.stderr
    r = run(h, ["tcpclient", "-T", "1", "-4RHl0", "two.example", "7006",
                "true"])
    assert r.returncode == 111
    assert "unable to connect to 10.7.0.11 port 7006: connection refused\n" \
        in r.stderr
    assert "unable to connect to 10.7.0.12 port 7006: " in r.stderr
    r = run(h, ["tcpclient", "-qT1", "10.7.0.11", "7006", "true"])
    assert (r.returncode, r.stdout, r.stderr) == (111, "", "")


def test_second_round(h):
    """An address that only is slow is tried again for the longer time."""
    # A listener whose backlog is full does not answer.
    with h.popen(["/usr/bin/python3", "-c", textwrap.dedent("""\
            import socket, time
            s = socket.socket(); s.bind(("127.0.0.1", 7007)); s.listen(0)
            held = []
            for i in range(4):
                c = socket.socket(); c.setblocking(False)
                try: c.connect(("127.0.0.1", 7007))
                except BlockingIOError: pass
                held.append(c)
            time.sleep(.3); print("full", flush=True)
            time.sleep(60)
            """)], stdout=subprocess.PIPE) as full:
        assert full.stdout.readline() == b"full\n"
        before = time.monotonic()
        r = run(h, ["tcpclient", "-T", "1+1", "127.0.0.1", "7007", "true"])
        assert time.monotonic() - before > 1.9
        assert (r.returncode, r.stderr) == (
            111, "tcpclient: unable to connect to 127.0.0.1 port 7007: "
            "timed out\n")
        h._kill(full)


def test_ident(h):
    """What the identification server says is cleaned; a silent one costs -t
    seconds."""
    say = ("q = c.recv(99).decode().split(); "
           "c.sendall(f'{q[0]},{q[2]}:USERID:X: a`b$(id)\\r\\n'.encode())")
    ask = ["tcpclient", "-Hl0", "-t", "1", "127.0.0.1", "7008", "sh", "-c",
           "echo \"${TCPREMOTEINFO-unset}\""]
    with Server(h, 7008, ""):
        with Server(h, 113, say):
            assert run(h, ask).stdout == "a_b__id_\n"
        with Server(h, 113, "time.sleep(5)"):
            assert run(h, ask).stdout == "unset\n"
        with Server(h, 113, "c.sendall(b'x' * 100000)"):
            assert run(h, ask).stdout == "unset\n"
        assert run(h, ask).stdout == "unset\n"


@pytest.mark.parametrize("argv", [
    ["0", "25"], ["-T", "x", "0", "25", "true"], ["-T", "1+", "0", "25", "t"],
    ["-t", "1s", "0", "25", "true"], ["-i", "x", "0", "25", "true"],
    ["-p", "70000", "0", "25", "true"], ["-z", "0", "25", "true"]])
def test_tcpclient_misuse(h, argv):
    r = run(h, ["tcpclient", *argv])
    assert r.returncode == 100 and "tcpclient: usage: " in r.stderr


def test_no_name_server(net, h):
    """Not to know is not to be none."""
    net.dns_break("down.example.")
    try:
        r = run(h, ["tcpclient", "x.down.example", "25", "true"])
        assert r.returncode == 111 and r.stderr.startswith(
            "tcpclient: fatal: temporarily unable to figure out IP address "
            "for x.down.example: ")
    finally:
        net.dns_break()


# The small clients.

def test_small_clients(h):
    with Server(h, 7011, "c.sendall(b'\\0\\r\\nx\\n')"):
        r = run(h, "tcpcat ::1 7011 | od -An -c")
        assert r.stdout.split() == ["\\0", "\\r", "\\n", "x", "\\n"]
    with Server(h, 11, "c.sendall(b'ana tty1\\r\\n\\x1b[H\\r\\n')"):
        assert run(h, ["who@", "::1"]).stdout == "ana tty1\n^[[H\n"
    with Server(h, 13, "c.sendall(b'23 NOV 2026\\r\\n')"):
        assert run(h, ["date@"]).stdout == "23 NOV 2026\n"
    with Server(h, 79, "c.sendall(b'<' + c.recv(99) + b'>')"):
        assert run(h, ["finger@", "127.0.0.1", "ana; x"]).stdout == \
            "<ana; x\n>"
        assert run(h, ["finger@", "localhost"]).stdout == "<\n>"
    page = ("q = b''\n"
            "while b'\\r\\n\\r\\n' not in q: q += c.recv(999)\n"
            "c.sendall(b'HTTP/1.0 200 OK\\r\\nA: b\\r\\n\\r\\n' + q)")
    with Server(h, 80, page):
        assert run(h, ["http@", "::1", "a/b"]).stdout == \
            "GET /a/b HTTP/1.0\nHost: [::1]\n\n"
    with Server(h, 8080, page):
        assert run(h, ["http@", "localhost", "", "8080"]).stdout == \
            "GET / HTTP/1.0\nHost: localhost:8080\n\n"


def test_mconnect(h):
    """A CR for each line; the end of input does not end the conversation."""
    with Server(h, 25, """\
            f = c.makefile('rb')
            q = f.readline() + f.readline()
            f.close()
            time.sleep(.5)
            c.sendall(b'221 ' + q.replace(b'\\r', b'R').replace(b'\\n', b'N')
                      + b'\\r\\n')
            """):
        r = run(h, "printf 'HELO x\\nQUIT\\n' | mconnect 127.0.0.1")
        assert r.stdout.encode() == b"221 HELO xRNQUITRN\r\n"


# recordio and fixcrio

def test_recordio_dialogue(h):
    r = run(h, ["recordio", "sh", "-c", "read a; echo \"$a\" there; exit 3"],
            input="hello\r\nleft over")
    pid = r.stderr.split()[0]
    lines = [line.replace(pid, "N", 1) for line in r.stderr.splitlines()]
    assert "N < hello? " in lines and "N > hello? there " in lines
    assert lines[-1] == "N > [EOF]" and r.returncode == 3
    assert r.stdout == "hello\r there\n"


@pytest.mark.parametrize("tool", ["recordio", "fixcrio"])
def test_carriers_pass_everything(h, tool):
    """Bytes both ways at once, more than any pipe holds."""
    h.run("head -c 3000000 /dev/urandom | tr -d '\\r\\n' >/run/noise")
    r = run(h, f"{tool} cat </run/noise 2>/dev/null | cmp - /run/noise")
    assert r.returncode == 0
    # A program that never reads, and one that closes its input.
    r = run(h, f"{tool} sh -c 'exec <&-; echo done' </run/noise 2>/dev/null")
    assert r.stdout.replace("\r", "") == "done\n" and r.returncode == 0


@pytest.mark.parametrize("tool", ["recordio", "fixcrio"])
def test_carriers_end_with_their_program(h, tool):
    """The child ends when the program ends, and when the peer has gone; it
    keeps no descriptor of its caller."""
    h.write("/run/held", "")
    child = h.popen(["sh", "-c", f"exec 9</run/held; exec {tool} sleep 600"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL)
    h.wait(lambda: h.running("sleep"), "the program")   # was the tool before
    carrier, = h.wait(lambda: h.running(tool), "the carrier")
    fds = h.wait(lambda: (lambda d: len(d) == 5 and d)(
        {os.readlink(f"/proc/{carrier}/fd/{n}")
         for n in os.listdir(f"/proc/{carrier}/fd")}), "its descriptors")
    assert not any("held" in f for f in fds)
    assert h.kill("sleep") == 1
    h.wait(lambda: not h.running(tool), "the carrier to end")
    child.wait(20)
    # The peer goes: the program's next word meets a closed pipe.
    child = h.popen([tool, "sh", "-c", "while echo x; do sleep .1; done"],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL)
    child.stdout.read(1)
    child.stdout.close()
    child.wait(20)
    h.wait(lambda: not h.running(tool), "the carrier to end")


def test_fixcrio_under_tcpserver(h):
    server = h.popen(["tcpserver", "-RHl0", "127.0.0.1", "7020", "fixcrio",
                      "sh", "-c", "read x; printf 'a\\nb\\r\\n%s\\n' \"$x\""],
                     stderr=subprocess.DEVNULL)
    h.wait(lambda: "7020" in h.run(["ss", "-Hltn"]).stdout, "tcpserver")
    r = run(h, ["tcpclient", "-RHl0", "127.0.0.1", "7020", "sh", "-c",
                "echo q >&7; exec od -An -c <&6"])
    # The program read "q CR", and wrote that back.
    assert r.stdout.split() == ["a", "\\r", "\\n", "b", "\\r", "\\n", "q",
                                "\\r", "\\n"]
    h._kill(server)


# rblsmtpd

def rbl(h, client, *argv, said="help\r\nquit\r\n", env=None):
    r = run(h, ["rblsmtpd", *argv, "echo", "let in"], input=said,
            env={"TCPREMOTEIP": client, **(env or {})})
    assert r.returncode == 0
    if r.stdout == "let in\n":
        return "in", r.stderr
    m = re.match(r"220 rblsmtpd.local\r\n(\d\d\d .*)\r\n221 rblsmtpd.local\r\n"
                 r"\Z", r.stdout)
    log = re.match(r"rblsmtpd: (\S+) pid \d+: (.*)\n\Z", r.stderr)
    assert m and log and log.group(2) == m.group(1), r.stdout + r.stderr
    assert log.group(1) == client
    return m.group(1), r.stderr


def test_rbl_lists(h):
    ask = ["-r", "dnsbl.example"]
    assert rbl(h, "127.0.0.2")[0] == "in"               # no list, no question
    assert rbl(h, "127.0.0.1", *ask)[0] == "in"
    assert rbl(h, "127.0.0.2", *ask)[0] == "451 Listed, see dnsbl.example"
    assert rbl(h, "127.0.0.2", "-b", *ask)[0] == \
        "553 Listed, see dnsbl.example"
    assert rbl(h, "2001:db8::1", *ask)[0] == "451 an IPv6 host"
    assert rbl(h, "2001:db8::2", *ask)[0] == "in"
    # In order: the first that knows the client decides.
    assert rbl(h, "192.0.2.7", "-a", "dnswl.example", *ask)[0] == "in"
    assert rbl(h, "192.0.2.7", *ask, "-a", "dnswl.example")[0] == \
        "451 also listed"


def test_rbl_codes(h):
    assert rbl(h, "127.0.0.2", "-r", "dnsbl.example:=127.0.0.2")[0] == \
        "451 Listed, see dnsbl.example"
    assert rbl(h, "192.0.2.9", "-r", "dnsbl.example:=127.0.0.2")[0] == "in"
    assert rbl(h, "192.0.2.9", "-r", "dnsbl.example:=127.0.0.8/29")[0] == \
        "451 192.0.2.9 is listed by dnsbl.example"
    # A list that answers everything when it is asked too much.
    assert rbl(h, "192.0.2.1", "-r", "open.example")[0].startswith("451")
    assert rbl(h, "192.0.2.1", "-r", "open.example:=127.0.0.0/24")[0] == "in"


def test_rbl_environment(h):
    ask = ["-r", "dnsbl.example"]
    assert rbl(h, "127.0.0.2", *ask, env={"RBLSMTPD": ""})[0] == "in"
    assert rbl(h, "127.0.0.1", *ask, env={"RBLSMTPD": "Go"})[0] == "451 Go"
    assert rbl(h, "127.0.0.1", env={"RBLSMTPD": "-Go\r\nx"})[0] == \
        "553 Go??x"


def test_rbl_trouble(net, h):
    """A list that cannot be asked: let in, or refused for now."""
    net.dns_break("down.example.")
    try:
        ask = ["-r", "down.example", "-r", "dnsbl.example"]
        assert rbl(h, "127.0.0.1", *ask)[0] == "in"
        assert rbl(h, "127.0.0.2", "-b", *ask)[0] == \
            "553 Listed, see dnsbl.example"
        assert rbl(h, "127.0.0.1", "-c", "-b", *ask)[0].startswith(
            "451 127.0.0.1 could not be looked up")
        ask[0] = "-a"
        assert rbl(h, "127.0.0.2", *ask)[0] == "in"
        assert rbl(h, "127.0.0.2", "-cb", *ask)[0] == \
            "451 Listed, see dnsbl.example"
    finally:
        net.dns_break()
    # Without an address there is nothing to ask for.
    r = run(h, ["rblsmtpd", "-r", "dnsbl.example", "echo", "in"])
    assert r.stdout == "in\n" and "TCPREMOTEIP is not an address" in r.stderr
    r = run(h, ["rblsmtpd", "-ct0", "-r", "dnsbl.example", "echo", "in"],
            env={"TCPREMOTEIP": "nonsense"})
    assert r.stdout.startswith("451 ")


def test_rbl_session_ends(h):
    """After -t seconds in all, however busy the client is; at its end."""
    env = {"TCPREMOTEIP": "192.0.2.3", "RBLSMTPD": "no"}
    r = run(h, "(while echo noop; do sleep .1; done) 2>/dev/null | "
            "rblsmtpd -t 1 echo in; echo $?", env=env)
    assert r.stdout.startswith("220 rblsmtpd.local\r\n250 ")
    assert r.stdout.endswith("\n0\n")
    r = run(h, "sleep 3 | rblsmtpd -t0 echo in", env=env)
    assert r.stdout == "451 no\r\n"
    r = run(h, ["rblsmtpd", "echo", "in"], env=env, input="RCPT TO:<a@b>")
    assert r.stdout == "220 rblsmtpd.local\r\n"


@pytest.mark.parametrize("argv", [[], ["-r", "x"], ["-t", "x", "true"],
                                  ["-r", "x:y", "true"], ["-z", "true"],
                                  ["-r", "x:=1.2.3", "true"]])
def test_rbl_misuse(h, argv):
    r = run(h, ["rblsmtpd", *argv])
    assert r.returncode == 100 and r.stderr.startswith("rblsmtpd: ")


# addcr, delcr, argv0

def test_filters_and_argv0(h):
    assert run(h, "printf 'a\\nb\\r\\nc' | addcr | od -An -c").stdout.split() \
        == ["a", "\\r", "\\n", "b", "\\r", "\\r", "\\n", "c"]
    assert run(h, "printf 'a\\r\\nb\\rc\\r\\r\\n\\r' | delcr | od -An -c"
               ).stdout.split() == ["a", "\\n", "b", "\\r", "c", "\\r",
                                    "\\n", "\\r"]
    for tool in ("addcr", "delcr"):
        r = run(h, f"echo x | {tool} >/dev/full")
        assert r.returncode == 111 and r.stderr == \
            f"{tool}: fatal: unable to write: out of disk space\n"
        assert run(h, f"{tool} <&-").returncode == 111
    assert run(h, ["argv0", "sh", "zero", "-c", "echo $0"]).stdout == "zero\n"
    assert run(h, ["argv0", "sh"]).returncode == 100
    r = run(h, ["argv0", "/nonexistent", "x"])
    assert (r.returncode, r.stderr) == (111, "argv0: fatal: unable to run "
                                        "/nonexistent: file does not exist\n")
