"""tcpserver and its rules on a throwaway host: every option, rules, limits,
penalties, and clients that are many, slow, or silent.

The servers run inside; clients are sockets of this process in the host's
network.
"""

import contextlib
import itertools
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time

import pytest

REPO = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, REPO + "/TESTS/host")
from host import Host, SRC  # noqa: E402
from names import inside, name_server  # noqa: E402

PROGRAMS = ["tcpserver", "tcprules", "tcprulescheck", "softlimit"]
BIN = os.environ.get("BUILD", "build")                  # or build-san
PATH = f"{SRC}/{BIN}:/usr/local/bin:/usr/bin:/bin"
WAIT = 60                       # seconds: ends a broken run, measures nothing

# What tests run under tcpserver where the processes are many: greets with a
# "+", answers the first line with "ok" and stays until the end of input.
TINY = r"""
#include <string.h>
#include <unistd.h>
int
main(void)
{
	char c, done = 0;

	if (write(1, "+", 1) != 1)
		return 1;
	while (read(0, &c, 1) == 1)
		if (c == '\n' && !done) {
			done = 1;
			if (write(1, "ok\n", 3) != 3)
				return 1;
		}
	return 0;
}
"""
SHOW_ENV = "env | grep -E '^(PROTO|TCP|RELAY|A=|B=)' | sort"


class Lab:
    """A host, and sockets in its network."""

    def __init__(self):
        self.h = Host()
        self.names = (f"/run/t{i}" for i in itertools.count(1))
        self.h.run(["make", "-C", SRC, *(["SAN=address,undefined"]
                                         if BIN == "build-san" else []),
                    *(f"{BIN}/{p}" for p in PROGRAMS)], timeout=600)
        for ip in ("2001:db8::1", "2001:db8:0:1::1", "2001:db8:1::1"):
            self.h.run(["ip", "-6", "addr", "add", ip + "/128", "dev", "lo",
                        "nodad"])
        self.h.write("/run/tiny.c", TINY)
        self.h.run("gcc -O2 -static -o /run/tiny /run/tiny.c")

    def inside(self, what):
        return inside(self.h, what)

    def connect(self, port, ip="127.0.0.1", source=None):
        return self.inside(lambda: socket.create_connection(
            (ip, port), WAIT, (source, 0) if source else None))

    def file(self, text, mode=None):
        path = next(self.names)
        self.h.write(path, text, mode=mode)
        return path

    def rules(self, text, path=None):
        path = path or next(self.names) + ".cdb"
        self.h.run(["tcprules", path, path + ".tmp"], input=text,
                   env={"PATH": PATH})
        return path

    @contextlib.contextmanager
    def server(self, *args, host="127.0.0.1", port="0", program=None,
               env=None, fast=True, before=()):
        """A tcpserver on a free port.  fast: -v -H -R -l me."""
        s = Server(self)
        program = [program] if isinstance(program, str) else program
        opts = ["-1v"] + (["-H", "-R", "-lme"] if fast else [])
        log = self.h.open(s.path, "wb")
        s.p = self.h.popen([*before, "tcpserver", *opts, *args, host, port,
                            *(program or ["sh", "-c", SHOW_ENV])],
                           env={"PATH": PATH, **(env or {})},
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=log)
        log.close()
        try:
            line = s.p.stdout.readline()
            if not line:
                raise AssertionError(s.log())
            s.port = int(line)
            yield s
        finally:
            s.stop(signal.SIGKILL)


class Server:
    def __init__(self, lab):
        self.lab, self.path, self.pid = lab, next(lab.names) + ".log", None

    def log(self):
        return self.lab.h.read(self.path)

    def lines(self, pattern):
        return re.findall("(?m)" + pattern, self.log())

    def wait(self, pattern, n=1):
        self.lab.h.wait(lambda: len(self.lines(pattern)) >= n,
                        f"{n} of {pattern} in:\n{self.log()[-2000:]}", WAIT,
                        step=0.02)
        return self.lines(pattern)

    def outer(self):
        """The pid of the server itself, as seen out here."""
        if self.pid is None:
            with open(f"/proc/{self.p.pid}/task/{self.p.pid}/children") as f:
                self.pid = int(f.read().split()[0])
        return self.pid

    def send(self, sig):
        os.kill(self.outer(), sig)

    def stop(self, sig=signal.SIGTERM):
        if self.p.poll() is None:
            with contextlib.suppress(OSError, IndexError):
                self.send(sig)
        rc = self.p.wait(WAIT)
        return rc

    def rss(self):
        with open(f"/proc/{self.outer()}/status") as f:
            return int(re.search(r"VmRSS:\s*(\d+) kB", f.read()).group(1))

    def cpu(self):
        """Seconds of the processor that it has used."""
        with open(f"/proc/{self.outer()}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    def ask(self, say=b"", **kw):
        """Connect, say something, and read to the end; None when the server
        closed at once without a byte."""
        with self.lab.connect(self.port, **kw) as c:
            return everything(c, say)

    def hello(self, **kw):
        """A connection to TINY, greeted; it stays."""
        c = self.lab.connect(self.port, **kw)
        assert c.recv(1) == b"+"
        return c


def everything(c, say=b""):
    data = b""
    try:
        if say:
            c.sendall(say)
        c.shutdown(socket.SHUT_WR)
        while True:
            more = c.recv(65536)
            if not more:
                break
            data += more
    except (ConnectionResetError, BrokenPipeError, OSError) as e:
        if isinstance(e, TimeoutError):
            raise
    return data.decode() or None


@pytest.fixture(scope="module")
def lab():
    lab = Lab()
    yield lab
    lab.h.close()


def fails(lab, *argv, env=None):
    r = lab.h.run(["tcpserver", *argv], check=False, timeout=WAIT,
                  env={"PATH": PATH, **(env or {})})
    return r.returncode, r.stderr


# Starting, and what is said.


def test_arguments(lab):
    for argv in ([], ["0"], ["0", "0"], ["-z", "0", "0", "true"],
                 ["-c"], ["-1v", "0", "0"]):
        rc, err = fails(lab, *argv)
        assert rc == 100 and err.startswith("tcpserver: usage: tcpserver "
                                            "[ -1UXpPhHrRoOdDqQv ]"), argv
    for opt, value in (("-u", ""), ("-u", "id"), ("-g", "5x"), ("-c", "0"),
                       ("-c", "many"), ("-b", "-1"), ("-t", "soon"),
                       ("-u", "4294967295"), ("-I", "nosuch0")):
        rc, err = fails(lab, opt, value, "0", "0", "true")
        assert rc == 100 and "fatal" in err and value in err, (opt, value)
    rc, err = fails(lab, "-U", "0", "0", "true")
    assert rc == 100 and "neither UID nor GID is set" in err
    assert fails(lab, "0", "nosuchport", "true") == (
        111, "tcpserver: fatal: unable to figure out port number for "
        "nosuchport\n")
    assert fails(lab, "1.2.3.4", "0", "true") == (
        111, "tcpserver: fatal: unable to bind: address not available\n")
    assert fails(lab, "-q", "1.2.3.4", "0", "true") == (111, "")
    assert fails(lab, "-4", "::1", "0", "true") == (
        111, "tcpserver: fatal: no IP address for ::1\n")
    with lab.server() as s:
        assert fails(lab, "127.0.0.1", str(s.port), "true") == (
            111, "tcpserver: fatal: unable to bind: address already used\n")
    nobody = lab.h.popen(["tcpserver", "-u", "1", "0", "0", "true"],
                         user="nobody", env={"PATH": PATH},
                         stderr=subprocess.PIPE)
    assert nobody.communicate(timeout=WAIT)[1] == (
        b"tcpserver: fatal: unable to set uid: permission denied\n")


def test_lines_and_environment(lab):
    with lab.server() as s:
        c = lab.connect(s.port)
        mine = c.getsockname()[1]
        assert everything(c) == (
            f"PROTO=TCP\nTCPLOCALHOST=me\nTCPLOCALIP=127.0.0.1\n"
            f"TCPLOCALPORT={s.port}\nTCPREMOTEIP=127.0.0.1\n"
            f"TCPREMOTEPORT={mine}\n")
        s.wait("status: 0/40", 2)
        assert s.stop() == 0
        text = s.log()
    pid = re.search(r"pid (\d+) from", text).group(1)
    assert text == (
        "tcpserver: status: 0/40\n"
        "tcpserver: status: 1/40\n"
        f"tcpserver: pid {pid} from 127.0.0.1\n"
        f"tcpserver: ok {pid} me:127.0.0.1:{s.port} :127.0.0.1::{mine}\n"
        f"tcpserver: end {pid} status 0\n"
        "tcpserver: status: 0/40\n")


def test_own_name_is_cleaned_for_the_log(lab):
    name = "a b%c:d\n" + "e" * 100
    for slow in ([], ["-B", ""]):
        with lab.server("-l", name, *slow, program=[
                "sh", "-c", 'printf %s "$TCPLOCALHOST"']) as s:
            assert s.ask() == name
            s.wait(r"^tcpserver: ok \d+ a\?b\?c\?d\?e{92}\.\.\.:127")


def test_wait_statuses_and_own_variables(lab):
    env = {"TCPREMOTEHOST": "stale", "TCPREMOTEINFO": "stale",
           "TCP6REMOTEIP": "stale", "A": "kept"}
    program = ["sh", "-c", SHOW_ENV + "; read x; [ $x = 3 ] && exit 3; "
               "kill -9 $$"]
    with lab.server(program=program, env=env) as s:
        out = s.ask(b"3\n")
        assert "stale" not in out and "A=kept" in out
        s.ask(b"9\n")
        assert set(s.wait(r"end \d+ status (\d+)", 2)) == {"768", "9"}


def test_verbosity(lab):
    for opt, want in (("-Q", True), ("-q", False)):
        with lab.server(opt, program="/nonexistent") as s:
            assert s.ask() is None
            assert s.ask() is None      # it goes on
            s.stop()
            assert s.log() == want * 2 * (
                "tcpserver: warning: dropping connection, unable to run "
                "/nonexistent: file does not exist\n")
    with lab.server(program="/nonexistent") as s:
        assert s.ask() is None
        s.wait("end .* status 28416")
        assert s.wait("status: 0/40", 2)


def test_program_is_searched_in_path(lab):
    with lab.server(program=["printf", "%s", "a b"]) as s:
        assert s.ask() == "a b"
        s.send(signal.SIGHUP)           # nothing to read again
        assert s.ask() == "a b"


def test_user_group_descriptors(lab):
    # 3 is of ls itself; 9 was the server's, of whoever started it
    show = ("id -u; id -g; id -G; ls /proc/self/fd | tr '\\n' ' '; "
            "readlink /proc/self/fd/0 /proc/self/fd/1")
    for args, env, ids in (
            (["-u", "7791", "-g", "2108"], {}, "7791\n2108\n2108\n"),
            (["-u", "7791"], {}, "7791\n0\n0\n"),
            (["-g", "2108"], {}, "0\n2108\n2108\n"),
            (["-U"], {"UID": "7791", "GID": "2108"}, "7791\n2108\n2108\n"),
            ([], {}, "0\n0\n0 4 24\n")):
        for slow in ([], ["-Bx"]):
            with lab.server(*args, *slow, program=["sh", "-c", show],
                            env=env, before=[
                                "setpriv", "--groups", "0,4,24", "sh", "-c",
                                'exec "$@" 9</dev/null', "sh"]) as s:
                out = s.ask()
                if slow:
                    assert out[0] == "x"
                    out = out[1:]
                assert out.startswith(ids), (args, slow)
                rest = out.split("\n", 3)[3]
                fds, in_, out_ = rest.split("socket:")
                assert fds.split() == ["0", "1", "2", "3"], (args, slow)
                assert in_.strip() == out_.strip()


def test_socket_options(lab):
    program = ["python3", "-c", textwrap.dedent("""
        import socket
        s = socket.socket(fileno=0)
        print(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
              s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
              s.getblocking(), flush=True)
        """)]
    for opt, nodelay in (("-D", 1), ("-d", 0), ("-o", 1), ("-O", 1)):
        with lab.server(opt, program=program) as s:
            assert s.ask() == f"{nodelay} 1 True\n"
        with lab.server(opt, "-B", "", program=program) as s:
            assert s.ask() == f"{nodelay} 1 True\n"


def test_backlog(lab):
    def queue(s):
        out = lab.h.run(["ss", "-Hltn", f"sport = :{s.port}"]).stdout
        return int(out.split()[2])
    with lab.server() as s:
        assert queue(s) == 1024
    with lab.server("-b", "7") as s:
        assert queue(s) == 7
    limits = lab.file("backlog 99\n")
    with lab.server("-b", "7", "-L", limits) as s:
        assert queue(s) == 99
        lab.h.write(limits, "backlog 1500\n")
        s.send(signal.SIGHUP)
        lab.h.wait(lambda: queue(s) == 1500, "the new backlog")


def test_term_ends_it_and_only_it(lab):
    with lab.server(program="/run/tiny") as s:
        c = s.hello()
        assert s.stop() == 0
        c.sendall(b"still there?\n")
        assert c.recv(9) == b"ok\n"
        # and its port is free
        with lab.server(port=str(s.port), program="/run/tiny") as again:
            again.hello().close()
        c.close()


def test_killed_while_children_ask(lab):
    """A child that waits for an ident server does not hold the port."""
    with silent(lab, 113, "127.0.0.1"), \
            lab.server("-H", "-lme", fast=False) as s:
        c = lab.connect(s.port)
        s.wait(r"pid \d+ from")
        s.stop(signal.SIGKILL)
        with lab.server(port=str(s.port)) as again:
            assert "PROTO=TCP" in again.ask()
        c.close()


# The seed of all installations: the run script as people have it.


def test_classic_run_script(lab):
    h = lab.h
    h.write("/etc/tcp.smtp", '127.:allow,RELAYCLIENT=""\n'
            '10.0.0.:allow,RELAYCLIENT=""\n')
    h.run("cd /etc && tcprules /etc/tcp.smtp.cdb ficherotemporal "
          "< /etc/tcp.smtp", env={"PATH": PATH})
    h.write("/run/bin.qmail-smtpd", "#!/bin/sh\n"
            "echo 220 $(id -u) $(id -g) ${RELAYCLIENT+relay}\n", mode=0o755)
    h.run("mkdir -p /run/smtpd /run/bin && "
          "mv /run/bin.qmail-smtpd /run/bin/qmail-smtpd")
    h.write("/run/smtpd/run", "#!/bin/sh\n"
            "QMAILDUID=7791\nNOFILESGID=2108\nMAXMEM=4000000\n"
            "exec softlimit -m $MAXMEM \\\n"
            "tcpserver -l 0 -H -v -p \\\n"
            "-x /etc/tcp.smtp.cdb \\\n"
            "-u $QMAILDUID -g $NOFILESGID 0 smtp \\\n"
            "qmail-smtpd 2>&1\n", mode=0o755)
    log = h.open("/run/smtpd.log", "wb")
    p = h.popen(["/run/smtpd/run"], stdout=log,
                env={"PATH": "/run/bin:" + PATH})
    log.close()
    try:
        h.wait(lambda: "status: 0/40" in h.read("/run/smtpd.log"), "start")
        with lab.connect(25) as c:
            assert everything(c) == "220 7791 2108 relay\n"
        with lab.connect(25, "127.0.0.2") as c:
            mine = c.getsockname()[1]
            assert everything(c) == "220 7791 2108 relay\n"
        h.wait(lambda: h.read("/run/smtpd.log").count("status 0\n") == 2,
               "the ends")
        text = h.read("/run/smtpd.log")
        assert re.search(r"(?m)^tcpserver: ok \d+ 0:127\.0\.0\.2:25 "
                         rf":127\.0\.0\.\d::{mine}$", text), text
    finally:
        h.kill("tcpserver")
        p.wait(WAIT)


# Rules.


def test_rules(lab):
    path = lab.rules('127.0.0.1:allow,A="1",B=/two/\n127.0.0.2:deny\n'
                     '127.1.:deny\n127.2.0.0/15:deny\n'
                     '127.3.0.0/16:allow,A="in"\n')
    for slow in ([], ["-B", ""]):
        with lab.server("-x", path, *slow) as s:
            out = s.ask()
            assert "A=1\n" in out and "B=two\n" in out
            for denied in ("127.0.0.2", "127.1.9.9", "127.2.0.9"):
                assert s.ask(source=denied) is None
            assert "A=in" in s.ask(source="127.3.9.9")
            assert "A=" not in s.ask(source="127.4.0.1")
            deny = s.wait(r"^tcpserver: deny (\d+) me:127\.0\.0\.1:\d+ "
                          r":127\.[\d.]+::\d+$", 3)
            assert len(deny) == 3
            for pid in set(deny):
                assert s.lines(rf"^tcpserver: pid {pid} from 127\.")
            if slow:
                s.wait(r"end \d+ status 25600", 3)  # exit 100
            else:
                assert set(deny) == set(deny[:1])   # no process for it


def test_rules_replaced_damaged_missing(lab):
    path = lab.rules(":allow,A=/old/\n")
    for slow in ([], ["-B", ""]):
        lab.rules(":allow,A=/old/\n", path)
        with lab.server("-x", path, *slow) as s:
            assert "A=old" in s.ask()
            lab.rules(":allow,A=/new/\n", path)
            assert "A=new" in s.ask()
            lab.rules(":deny\n", path)
            assert s.ask() is None
            lab.h.write(path, "this is no cdb")
            assert s.ask() is None
            s.wait(rf"warning: dropping connection, unable to read {path}: "
                   "invalid argument")
            lab.h.run(["rm", path])
            assert s.ask() is None
            s.wait(rf"warning: dropping connection, unable to read {path}: "
                   "file does not exist")
            lab.rules(":allow,A=/back/\n", path)
            assert "A=back" in s.ask()
    lab.h.run(["rm", path])
    for slow in ([], ["-B", ""]):
        with lab.server("-X", "-x", path, *slow) as s:
            assert "PROTO=TCP" in s.ask()
            lab.rules("127.:deny\n", path)
            assert s.ask() is None
            lab.h.run(["rm", path])


def test_rules_of_another_user(lab):
    path = lab.rules(":allow\n")
    lab.h.run(["chmod", "600", path])
    with lab.server("-X", "-u", "7791", "-x", path) as s:
        assert s.ask() is None
        s.wait("unable to read .*: access denied")


# IPv6.


def test_ipv6(lab):
    path = lab.rules("2001:db8::/33:allow,A=/net/\n::1:allow,A=/lo/\n"
                     "2001:db8:1::1:deny\n127.0.0.1:allow,A=/v4/\n")
    for host, opts in (("::", []), ("0", ["-6"])):
        with lab.server("-x", path, *opts, host=host) as s:
            c = lab.connect(s.port, "::1")
            mine = c.getsockname()[1]
            assert everything(c) == (
                "A=lo\nPROTO=TCP6\nTCP6LOCALHOST=me\nTCP6LOCALIP=::1\n"
                f"TCP6LOCALPORT={s.port}\nTCP6REMOTEIP=::1\n"
                f"TCP6REMOTEPORT={mine}\nTCPLOCALHOST=me\n"
                f"TCPLOCALIP=::1\nTCPLOCALPORT={s.port}\n"
                f"TCPREMOTEIP=::1\nTCPREMOTEPORT={mine}\n")
            s.wait(rf"^tcpserver: ok \d+ me:::1:{s.port} :::1::{mine}$")
            out = s.ask()
            assert "A=v4\nPROTO=TCP\n" in out
            assert "TCPREMOTEIP=127.0.0.1\n" in out and "TCP6" not in out
            assert "A=net" in s.ask(ip="::1", source="2001:db8:0:1::1")
            assert s.ask(ip="::1", source="2001:db8:1::1") is None
    with lab.server(host="::1") as s:
        assert "TCPREMOTEIP=::1" in s.ask(ip="::1")
        with pytest.raises(ConnectionRefusedError):
            s.ask()
    with lab.server(host="0") as s:
        s.ask()
        with pytest.raises(ConnectionRefusedError):
            s.ask(ip="::1")
    with lab.server(host="localhost") as s:
        s.ask(ip="127.0.0.1")
    # a link-local address, on a cable with both ends here
    lab.h.run("ip link add va type veth peer name vb && "
              "ip link set va up && ip link set vb up && "
              "ip -6 addr add fe80::77/64 dev va nodad")
    with lab.server("-I", "va", host="fe80::77") as s:
        index = lab.inside(lambda: socket.if_nametoindex("va"))
        c = lab.inside(lambda: socket.socket(socket.AF_INET6))
        c.settimeout(WAIT)
        c.connect(("fe80::77", s.port, 0, index))
        out = everything(c)
        assert "TCPREMOTEIP=fe80::77\n" in out
        assert "TCP6INTERFACE=va\n" in out


# What has to be asked for: DNS and ident.


@contextlib.contextmanager
def silent(lab, port, *ips):
    """Ports that take connections and never say a word."""
    socks = [lab.inside(lambda ip=ip: socket.create_server((ip, port)))
             for ip in ips]
    try:
        yield
    finally:
        for s in socks:
            s.close()


@contextlib.contextmanager
def ident_server(lab, answer, ip="127.0.0.1"):
    """answer(their port, our port) is the line it sends."""
    sock = lab.inside(lambda: socket.create_server((ip, 113)))

    def loop():
        while True:
            try:
                c, _ = sock.accept()
            except OSError:
                return
            with c:
                c.settimeout(WAIT)
                a, b = c.recv(99).decode().split(",")
                c.sendall(answer(a.strip(), b.strip()))
    t = threading.Thread(target=loop, daemon=True)
    t.start()
    try:
        yield
    finally:
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()
        t.join(WAIT)


RECORDS = [
    ("1.0.0.127.in-addr.arpa", "PTR", "good.example"),
    ("good.example", "A", "127.0.0.1"),
    ("2.0.0.127.in-addr.arpa", "PTR", "liar.example"),
    ("liar.example", "A", "192.0.2.1"),
    ("3.0.0.127.in-addr.arpa", "PTR", "host.abuser.example"),
    ("host.abuser.example", "A", "127.0.0.3"),
    ("1." + "0." * 31 + "ip6.arpa", "PTR", "six.example"),
    ("six.example", "AAAA", "::1"),
]


def test_names(lab):
    rules = lab.rules("=.abuser.example:deny\n=good.example:allow,A=/good/\n"
                      "=:allow,A=/known/\n:allow,A=/unknown/\n")
    with name_server(lab.h, RECORDS) as env:
        with lab.server("-R", "-x", rules, host="::", env=env,
                        fast=False) as s:
            out = s.ask()
            assert "A=good\n" in out
            assert "TCPLOCALHOST=good.example\n" in out
            assert "TCPREMOTEHOST=good.example\n" in out
            assert "TCPREMOTEHOST=liar.example\n" in s.ask(
                source="127.0.0.2")
            assert s.ask(source="127.0.0.3") is None
            s.wait(r"^tcpserver: deny \d+ good\.example:127\.0\.0\.1:\d+ "
                   r"host\.abuser\.example:127\.0\.0\.3::\d+$")
            out = s.ask(source="127.0.0.4")
            assert "A=unknown\n" in out and "TCPREMOTEHOST" not in out
            out = s.ask(ip="::1")
            assert "TCP6REMOTEHOST=six.example\n" in out
            assert "TCPREMOTEHOST=six.example\n" in out and "A=known" in out
        with lab.server("-p", "-R", "-lx", "-x", rules, host="::", env=env,
                        fast=False) as s:
            assert "TCPREMOTEHOST=good.example\n" in s.ask()
            out = s.ask(source="127.0.0.2")
            assert "TCPREMOTEHOST" not in out and "A=unknown\n" in out
            assert "TCPREMOTEHOST=six.example\n" in s.ask(ip="::1")
        with lab.server("-p", "-P", "-R", "-lx", env=env, fast=False) as s:
            assert "TCPREMOTEHOST=liar.example\n" in s.ask(
                source="127.0.0.2")
        with lab.server("-H", "-h", "-R", "-lx", env=env, fast=False,
                        host="good.example") as s:
            assert "TCPREMOTEHOST=good.example\n" in s.ask()
        with lab.server("-H", "-R", env=env, fast=False) as s:
            out = s.ask()
            assert "TCPLOCALHOST=good.example\n" in out
            assert "TCPREMOTEHOST" not in out
        assert fails(lab, "no.such.example", "0", "true", env=env) == (
            111, "tcpserver: fatal: no IP address for no.such.example\n")
    # nobody answers: no name, and the connection goes on
    with lab.server("-R", env={"DNSCACHEIP": "127.0.0.1"}, fast=False) as s:
        out = s.ask()
        assert "TCPREMOTEIP=127.0.0.1" in out and "TCPREMOTEHOST" not in out


def test_ident(lab):
    rules = lab.rules("joe@127.0.0.1:allow,A=/joe/\n:allow,A=/other/\n")
    with ident_server(lab, lambda a, b:
                      f"{a} , {b} : USERID : UNIX : joe\r\n".encode()), \
            lab.server("-H", "-lme", "-x", rules, fast=False) as s:
        c = lab.connect(s.port)
        mine = c.getsockname()[1]
        out = everything(c)
        assert "A=joe\n" in out and "TCPREMOTEINFO=joe\n" in out
        s.wait(rf":127\.0\.0\.1:joe:{mine}$")
        assert "TCPREMOTEINFO" not in s.ask(source="127.0.0.2")  # refused
    nasty = "() { :;}; x:y % \x1b[31m" + "z" * 500
    with ident_server(lab, lambda a, b:
                      f"{a},{b}:USERID:UNIX:{nasty}\r\n".encode()), \
            lab.server("-H", "-lme", "-x", rules, fast=False) as s:
        info = re.search("TCPREMOTEINFO=(.*)\n", s.ask()).group(1)
        assert re.fullmatch(r"[-a-zA-Z0-9_.+=/@,\[\]]{1,100}", info)
        line, = s.wait(r"^tcpserver: ok .*$")
        assert re.fullmatch(r"[!-$&-~ ]{1,300}", line)
    with ident_server(lab, lambda a, b: b"1,2:USERID:UNIX:liar\r\n"), \
            lab.server("-H", "-lme", fast=False) as s:
        assert "TCPREMOTEINFO" not in s.ask()
    with silent(lab, 113, "127.0.0.1"), \
            lab.server("-H", "-lme", "-t", "1", fast=False) as s:
        assert "TCPREMOTEINFO" not in s.ask()


def test_waiting_for_names_holds_nobody_else(lab):
    """Forty clients whose ident and name servers never answer, and one more:
    it is served before any of them."""
    ptr = [f"{i}.9.0.127.in-addr.arpa" for i in range(1, 41)]
    with name_server(lab.h, RECORDS, silent=ptr) as env, \
            silent(lab, 113, *(f"127.0.9.{i}" for i in range(1, 41))), \
            lab.server("-c", "41", "-lme", env=env, fast=False) as s:
        stuck = [lab.connect(s.port, source=f"127.0.9.{i}")
                 for i in range(1, 41)]
        s.wait(r"pid \d+ from 127.0.9", 40)
        assert "TCPREMOTEHOST=good.example" in s.ask()
        assert len(s.lines("^tcpserver: ok ")) == 1
        for c in stuck:
            c.close()


def test_banner(lab):
    rules = lab.rules("127.0.0.2:deny\n")
    with lab.server("-B", "220 wait\r\n", "-x", rules,
                    program=["echo", "ready"]) as s:
        assert s.ask() == "220 wait\r\nready\n"
        assert s.ask(source="127.0.0.2") == "220 wait\r\n"


# Limits.


def test_limit_of_all(lab):
    with lab.server("-c", "2", program="/run/tiny") as s:
        a, b = s.hello(), s.hello()
        late = lab.connect(s.port)              # the kernel takes it
        s.wait("status: 2/2")
        late.sendall(b"hello\n")
        # it sleeps meanwhile
        cpu, wall = s.cpu(), time.monotonic()
        time.sleep(1)
        assert s.cpu() - cpu < (time.monotonic() - wall) / 2
        a.close()
        assert late.recv(1) == b"+"             # now it is served
        b.close()
        late.close()
        s.wait("status: 0/2", 2)
        assert not s.lines("status: 3/2") and not s.lines("deny")


def test_limit_per_client_and_network(lab):
    limits = lab.file("address 2\nnetwork 3\n")
    with lab.server("-L", limits, host="::", program="/run/tiny") as s:
        a = [s.hello(source="127.0.5.1") for _ in range(2)]
        assert s.ask(source="127.0.5.1") is None
        s.wait(r"^tcpserver: deny \d+ me:127\.0\.0\.1:\d+ :127\.0\.5\.1::\d+ "
               "reason=address-limit$")
        a.append(s.hello(source="127.0.5.2"))
        assert s.ask(source="127.0.5.3") is None
        s.wait(r":127\.0\.5\.3::\d+ reason=network-limit$")
        a.append(s.hello(source="127.0.6.1"))
        # a /64, a /48
        six = [s.hello(ip="::1", source="2001:db8::1") for _ in range(2)]
        assert s.ask(ip="::1", source="2001:db8::1") is None
        six.append(s.hello(ip="::1", source="2001:db8:0:1::1"))
        assert s.ask(ip="::1", source="2001:db8:0:1::1") is None
        six.append(s.hello(ip="::1", source="2001:db8:1::1"))
        assert s.lines(r":2001:db8::1::\d+ reason=address-limit$")
        assert s.lines(r":2001:db8:0:1::1::\d+ reason=network-limit$")
        # whoever ends gives the place back
        a[0].close()
        s.wait("status: 7/40", 2)
        s.hello(source="127.0.5.1").close()
        for c in a + six:
            c.close()
    with lab.server("-C", "1", program="/run/tiny") as s:
        c = s.hello()
        assert s.ask() is None
        s.hello(source="127.0.0.2").close()
        c.close()


def test_exempt_by_rule(lab):
    rules = lab.rules('127.0.0.1:allow,TCPNOLIMIT=""\n')
    with lab.server("-C", "1", "-x", rules, program="/run/tiny") as s:
        many = [s.hello() for _ in range(5)]
        c = s.hello(source="127.0.0.2")
        assert s.ask(source="127.0.0.2") is None
        for x in [*many, c]:
            x.close()


def test_limits_rewritten(lab):
    limits = lab.file("total 1\n")
    with lab.server("-c", "5", "-L", limits, program="/run/tiny") as s:
        s.wait("status: 0/1")
        a = s.hello()
        late = lab.connect(s.port)
        # by itself, without a connection and without a signal
        lab.h.write(limits + ".new", "# more\ntotal 2\n")
        lab.h.run(["mv", limits + ".new", limits])
        s.wait("status: 1/2")
        assert late.recv(1) == b"+"
        # a mistake changes nothing
        lab.h.write(limits, "total 3\nadress 1\n")
        s.wait(rf"warning: keeping the limits, unable to read {limits}: "
               "line 2: there is no limit called adress")
        lab.h.run(["rm", limits])
        s.wait("keeping the limits, unable to read .*: file does not exist")
        last = lab.connect(s.port)
        # what the file does not say is what the options say
        lab.h.write(limits, "address 9\n")
        s.send(signal.SIGHUP)
        s.wait("status: 2/5")
        assert last.recv(1) == b"+"
        for c in (a, late, last):
            c.close()
    lab.h.write(limits, "total none\n")
    assert fails(lab, "-L", limits, "0", "0", "true") == (
        111, f"tcpserver: fatal: unable to read {limits}: line 1: total is "
        "a number from 1 to 1000000\n")
    lab.h.write(limits, "total 1\n", mode=0o600)
    assert fails(lab, "-u", "7791", "-L", limits, "0", "0", "true") == (
        111, f"tcpserver: fatal: unable to read {limits}: access denied\n")
    lab.h.run(["rm", limits])
    rc, err = fails(lab, "-L", limits, "0", "0", "true")
    assert rc == 111 and "file does not exist" in err


def test_penalties(lab):
    rules = lab.rules('127.0.0.3:allow,TCPNOLIMIT=""\n')
    limits = lab.file("penalty-window 86400\npenalty-time 1\n"
                      "penalty-max 86400\n")
    guess = ["sh", "-c", "echo tried; exit 77"]
    for slow in ([], ["-B", ""]):
        with lab.server("-x", rules, "-L", limits, *slow,
                        program=guess) as s:
            for i in range(1, 4):
                assert s.ask() == "tried\n"
                s.wait("status 19712", i)               # 77 * 256
            s.wait(r"^tcpserver: penalty 127\.0\.0\.1 seconds=1$")
            # until that second is over
            lab.h.wait(lambda: s.ask() == "tried\n", "the penalty's end")
            for i in range(5, 7):
                s.wait("status 19712", i - 1)
                assert s.ask() == "tried\n"
            s.wait(r"^tcpserver: penalty 127\.0\.0\.1 seconds=2$")
            assert s.ask(source="127.0.0.2") == "tried\n"
            for _ in range(6):                          # exempt
                assert s.ask(source="127.0.0.3") == "tried\n"


def test_penalty_refuses_and_grows(lab):
    limits = lab.file("penalty 1\npenalty-time 600\npenalty-max 86400\n")
    with lab.server("-L", limits, host="::",
                    program=["sh", "-c", "echo tried; exit 77"]) as s:
        assert s.ask() == "tried\n"
        s.wait("penalty 127.0.0.1 seconds=600")
        assert s.ask() is None
        s.wait(r"^tcpserver: deny \d+ me:127\.0\.0\.1:\d+ "
               r":127\.0\.0\.1::\d+ reason=penalty$")
        assert s.ask(ip="::1", source="2001:db8::1") == "tried\n"
        s.wait("penalty 2001:db8:: seconds=600")
        assert s.ask(ip="::1", source="2001:db8::1") is None
        assert s.ask(ip="::1", source="2001:db8:0:1::1") == "tried\n"
        # switched off while it runs
        lab.h.write(limits, "penalty 0\n")
        s.send(signal.SIGHUP)
        lab.h.wait(lambda: s.ask() == "tried\n", "no more penalties")
        assert s.ask() == "tried\n"


# Many.


@pytest.fixture
def descriptors():
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = 20000
    resource.setrlimit(resource.RLIMIT_NOFILE, (want, max(want, old[1])))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, old)


def greeted(socks):
    """All of them have got their "+"."""
    poll = select.poll()
    left = {}
    for c in socks:
        c.settimeout(WAIT)
        poll.register(c, select.POLLIN)
        left[c.fileno()] = c
    end = time.monotonic() + WAIT
    while left and time.monotonic() < end:
        for fd, _ in poll.poll(1000):
            assert left.pop(fd).recv(1) == b"+"
            poll.unregister(fd)
    assert not left, f"{len(left)} were not served"


def test_burst_of_500(lab, descriptors):
    """All at once: none is refused and all are served."""
    def burst():
        socks = []
        for _ in range(500):
            c = socket.socket()
            c.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                c.connect(("127.0.0.1", port))
            socks.append(c)
        return socks
    with lab.server("-c", "40", program=["sh", "-c", "echo +"]) as s:
        port = s.port
        socks = lab.inside(burst)
        for c in socks:
            c.settimeout(WAIT)
            assert c.recv(9) == b"+\n"
            c.close()
        assert len(s.wait("^tcpserver: ok ", 500)) == 500
        assert not s.lines("status: 41/40")


def test_thousand_slow_clients(lab, descriptors):
    """A thousand that send a byte a second, and one more: it is served while
    they are all still there."""
    with lab.server("-c", "1001", "-Q", program="/run/tiny") as s:
        slow = [lab.connect(s.port) for _ in range(1000)]
        greeted(slow)
        stop = threading.Event()

        def drip():
            while not stop.wait(1):
                for c in slow:
                    c.send(b"x")
        t = threading.Thread(target=drip)
        t.start()
        try:
            for _ in range(3):
                assert s.ask(b"hello\n") == "+ok\n"
        finally:
            stop.set()
            t.join()
        for c in slow:                  # and they lost nothing
            c.sendall(b"\n")
        for c in slow:
            assert c.recv(9) == b"ok\n"
            c.close()


def test_ten_thousand_idle(lab, descriptors):
    held = []
    with lab.server("-c", "12000", "-Q", program="/run/tiny") as s:
        empty = s.rss()
        try:
            while len(held) < 10000:
                batch = lab.inside(lambda: [
                    socket.create_connection(("127.0.0.1", s.port), WAIT)
                    for _ in range(500)])
                held += batch
                greeted(batch)
            full = s.rss()
            print(f"tcpserver: {empty} kB, with 10000 connections {full} kB: "
                  f"{(full - empty) * 1024 // 10000} bytes each")
            assert full < 16 * 1024
            assert s.ask(b"hello\n") == "+ok\n"
            # the one that was first is still there
            held[0].sendall(b"\n")
            assert held[0].recv(9) == b"ok\n"
        finally:
            for c in held:
                c.close()
        # and everything is given back
        lab.h.wait(lambda: not lab.h.running("tiny"), "the ends", WAIT, 0.3)


def test_a_storm_of_resets(lab):
    """Clients that are gone before they are accepted cost nothing."""
    with lab.server("-c", "5", program="/run/tiny") as s:
        for _ in range(300):
            c = lab.inside(socket.socket)
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                c.connect(("127.0.0.1", s.port))
            c.close()
        assert s.ask(b"hello\n") == "+ok\n"
        lab.h.wait(lambda: s.lines("status: .*")[-1].endswith(" 0/5"),
                   "all of them to end")


def test_no_descriptors_left(lab):
    """With descriptors for nothing it waits, and it says so; it ends well."""
    with lab.server(program="/run/tiny") as s:
        lab.h.run(["prlimit", "--pid", str(inner(lab, s)),
                   "--nofile=5:"])
        c = lab.connect(s.port)
        s.wait("warning: unable to (accept connections|run .*): "
               "|dropping connection")
        lab.h.run(["prlimit", "--pid", str(inner(lab, s)),
                   "--nofile=1024:"])
        lab.h.wait(lambda: s.ask(b"hello\n") == "+ok\n", "a connection")
        c.close()


def inner(lab, s):
    """The server's pid as the host sees it."""
    with open(f"/proc/{s.outer()}/status") as f:
        return re.search(r"NSpid:.*\s(\d+)\n", f.read()).group(1)
