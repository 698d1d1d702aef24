"""qmail-remote alone on a throwaway host, with peers and a name server made
of threads of the test: each does exactly what a test tells it, however wrong.

The host has two networks: its own, and one behind a veth pair where peers
with addresses that are not the host's live (192.0.2.0/24, 2001:db8::/64).
"""

import ctypes
import os
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "host"))
from host import Host, REPO  # noqa: E402

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
HOME = "/var/qmail"
DROP = object()                 # close at once, without a word
SILENCE = object()              # say nothing, keep the connection
# Another build of the programs, with sanitizers for instance.
BUILD = os.environ.get("REMOTE_BUILD", "build")
# A process that may not be traced cannot look for its leaks.
ENV = {} if BUILD == "build" else {"ASAN_OPTIONS": "detect_leaks=0"}
WAIT = 60                       # seconds; ends a broken run, decides nothing

SETUP = r"""
set -e
groupadd qmail; useradd -M -d /var/qmail -g qmail qmailr
mkdir -p /var/qmail/control /var/qmail/queue/lock /var/qmail/run \
    /var/qmail/bin
chmod 755 /var/qmail /var/qmail/control
head -c 1024 /dev/zero >/var/qmail/queue/lock/tcpto
chown qmailr /var/qmail/queue/lock/tcpto
for p in qmail-remote qmail-tcpto qmail-tcpok; do
    cp /src/@BUILD@/$p /var/qmail/bin/$p
done
echo nameserver 127.0.0.1 >/etc/resolv.conf
echo client.example >/var/qmail/control/me
ip netns add far
ip link add near type veth peer name far netns far
ip addr add 192.0.2.1/24 dev near
ip -6 addr add 2001:db8::1/64 dev near nodad
ip link set near up
ip netns exec far sh -c '
    for i in 10 11 12 13 14; do
        ip addr add 192.0.2.$i/24 dev far
        ip -6 addr add 2001:db8::$i/64 dev far nodad
    done
    ip link set lo up; ip link set far up'
"""


class Conn:
    """One connection, as a peer sees it."""

    def __init__(self, sock):
        self.sock = sock
        self.buf = b""
        self.seen = []          # lines and messages, in order
        sock.settimeout(WAIT)

    def say(self, *lines):
        self.sock.sendall(b"".join(
            (x.encode() if isinstance(x, str) else x) + b"\r\n"
            for x in lines))

    def more(self):
        got = self.sock.recv(65536)
        self.buf += got
        return got

    def line(self):
        """The next line without its end; None when the client has left."""
        while b"\r\n" not in self.buf:
            if not self.more():
                return None
        line, self.buf = self.buf.split(b"\r\n", 1)
        self.seen.append(line.decode("utf-8", "surrogateescape"))
        return self.seen[-1]

    def data(self):
        """The raw bytes up to and with the lone dot; None: it never came."""
        while not (self.buf.startswith(b".\r\n") or
                   b"\r\n.\r\n" in self.buf):
            if not self.more():
                self.seen.append(self.buf)
                return None
        if self.buf.startswith(b".\r\n"):
            end = 3
        else:
            end = self.buf.index(b"\r\n.\r\n") + 5
        raw, self.buf = self.buf[:end], self.buf[end:]
        self.seen.append(raw)
        return raw

    def exactly(self, n):
        while len(self.buf) < n:
            if not self.more():
                return None
        raw, self.buf = self.buf[:n], self.buf[n:]
        self.seen.append(raw)
        return raw

    def rest(self):
        """Until the client leaves."""
        try:
            while self.more():
                pass
        except OSError:
            pass


EHLO = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 0", "DSN")


def ehlo(*keywords):
    words = ["peer.example", *keywords]
    return [("250-" if i + 1 < len(words) else "250 ") + w
            for i, w in enumerate(words)]


class Peer:
    """A server that follows a table: the first word of a command -> what to
    do.  A value is a reply (str, or a list of lines), DROP, SILENCE, or a
    function of (conn, line); a list of values inside a tuple is used up one
    after the other, the last one stays.  GREET, DATA-END and BDAT-END are
    there too."""

    def __init__(self, **table):
        self.conns = []
        self.errors = []
        self.settles = True     # a connection ends soon after its client
        self.threads = []
        self.table = {"GREET": "220 peer.example ESMTP",
                      "EHLO": ehlo(*EHLO), "HELO": "250 peer.example",
                      "MAIL": "250 2.1.0 sender ok",
                      "RCPT": "250 2.1.5 recipient ok",
                      "DATA": "354 go ahead",
                      "DATA-END": "250 2.0.0 queued as 1",
                      "BDAT-END": "250 2.0.0 queued as 1",
                      "RSET": "250 2.0.0 ok", "QUIT": "221 2.0.0 bye"}
        self.table.update({k.replace("_", "-"): v
                           for k, v in table.items()})

    def act(self, conn, what, line=""):
        """False: the connection is over."""
        do = self.table.get(what, "500 5.5.1 what?")
        if isinstance(do, tuple):
            if len(do) > 1:
                self.table[what] = do[1:]
            do = do[0]
        if do is DROP:
            return False
        if do is SILENCE:
            conn.rest()
            return False
        if callable(do):
            return do(conn, line) is not False
        conn.say(*([do] if isinstance(do, str) else do))
        return True

    def serve(self, sock):
        conn = Conn(sock)
        self.conns.append(conn)
        try:
            if not self.act(conn, "GREET"):
                return
            while (line := conn.line()) is not None:
                verb = line.split(" ")[0].split(":")[0].upper()
                if verb == "BDAT":
                    if conn.exactly(int(line.split()[1])) is None:
                        return
                    verb = "BDAT-END"
                if not self.act(conn, verb, line):
                    return
                if verb == "DATA" and self.said_354():
                    if conn.data() is None or \
                            not self.act(conn, "DATA-END"):
                        return
                if verb == "QUIT":
                    return
        except OSError:
            pass
        except Exception as e:      # the test shall see it
            self.errors.append(e)
        finally:
            sock.close()

    def said_354(self):
        do = self.table["DATA"]
        do = do[0] if isinstance(do, tuple) else do
        return isinstance(do, str) and do.startswith("354")

    def settle(self):
        """Let it read what its clients, who have left, said at the end."""
        for t in self.threads if self.settles else []:
            t.join(WAIT)
        self.threads = []

    @property
    def seen(self):
        """What the first connection saw."""
        return self.conns[0].seen

    def commands(self, n=0):
        return [x for x in self.conns[n].seen if isinstance(x, str)]

    def messages(self):
        return [x for c in self.conns for x in c.seen
                if isinstance(x, bytes)]


class Zone:
    """A name server: {(name, type): [rdata]} and the statuses of names."""
    TYPES = {"A": 1, "CNAME": 5, "MX": 15, "TXT": 16, "AAAA": 28, "TLSA": 52}

    def __init__(self):
        self.records = {}
        self.rcode = {}         # name -> 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED
        self.rcode_of = {}      # (name, type) -> the same, for one type
        self.ad = False
        self.insecure = set()   # names without AD
        self.asked = []

    @staticmethod
    def name(s):
        return b"".join(bytes([len(x)]) + x.encode()
                        for x in s.split(".") if x) + b"\0"

    def add(self, name, kind, value):
        if kind == "A":
            value = socket.inet_aton(value)
        elif kind == "AAAA":
            value = socket.inet_pton(socket.AF_INET6, value)
        elif kind == "MX":
            value = struct.pack(">H", value[0]) + self.name(value[1])
        elif kind == "CNAME":
            value = self.name(value)
        self.records.setdefault((name, self.TYPES[kind]), []).append(value)

    def answer(self, q):
        at, labels = 12, []
        while q[at]:
            labels.append(q[at + 1:at + 1 + q[at]].decode().lower())
            at += 1 + q[at]
        name = ".".join(labels)
        kind = struct.unpack(">H", q[at + 1:at + 3])[0]
        question = q[12:at + 5]
        self.asked.append((name, kind))
        out, owner = [], name
        for _ in range(5):
            alias = self.records.get((owner, 5))
            if alias is None or kind == 5:
                break
            out.append((owner, 5, alias[0]))
            owner = self.text(alias[0])
        out += [(owner, kind, v) for v in self.records.get((owner, kind), [])]
        rcode = self.rcode_of.get((owner, kind), self.rcode.get(owner, 0))
        if rcode:
            out = []
        elif not out and not any(n == owner for n, _ in self.records):
            rcode = 3
        ad = 0x20 if self.ad and owner not in self.insecure else 0
        head = q[:2] + bytes([0x81, 0x80 | ad | rcode]) + \
            struct.pack(">HHHH", 1, len(out), 0, 0)
        return head + question + b"".join(
            self.name(n) + struct.pack(">HHIH", t, 1, 60, len(v)) + v
            for n, t, v in out)

    @staticmethod
    def text(wire):
        at, labels = 0, []
        while wire[at]:
            labels.append(wire[at + 1:at + 1 + wire[at]].decode().lower())
            at += 1 + wire[at]
        return ".".join(labels)


class Lab:
    def __init__(self):
        if BUILD == "build":
            subprocess.run(["make", "-s", "build/qmail-remote",
                            "build/qmail-tcpto", "build/qmail-tcpok"],
                           cwd=REPO, check=True)
        self.h = Host()
        self.sockets = []
        self.peers = []
        self.zone = Zone()
        try:
            self.h.run(SETUP.replace("@BUILD@", BUILD))
            self.near = os.open(f"/proc/{self.h.pid}/ns/net", os.O_RDONLY)
            self.far = self.h._openat2("/run/netns/far", os.O_RDONLY)
            self.start_dns()
        except BaseException:
            self.close()
            raise

    def close(self):
        self.clear()
        for fd in ("near", "far"):
            if hasattr(self, fd):
                os.close(getattr(self, fd))
        self.h.close()

    # Sockets of the host's networks, made by a thread that goes there.

    def socket(self, far, family, kind, address):
        result = []

        def make():
            if libc.setns(self.far if far else self.near, CLONE_NEWNET):
                result.append(OSError(ctypes.get_errno(), "setns"))
                return
            try:
                s = socket.socket(family, kind)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(address)
                if kind == socket.SOCK_STREAM:
                    s.listen(64)
                result.append(s)
            except OSError as e:
                result.append(e)
        t = threading.Thread(target=make)
        t.start()
        t.join()
        if isinstance(result[0], OSError):
            raise result[0]
        return result[0]

    def start_dns(self):
        s = self.socket(False, socket.AF_INET, socket.SOCK_DGRAM,
                        ("127.0.0.1", 53))

        def run():
            while True:
                q, who = s.recvfrom(4096)
                a = self.zone.answer(q)
                if a is not None:
                    s.sendto(a, who)
        threading.Thread(target=run, daemon=True).start()

    def listen(self, peer, address="127.0.0.1", port=0):
        """Serve on an address of the host's, or on one behind the veth."""
        v6 = ":" in address
        s = self.socket(address not in ("127.0.0.1", "::1"),
                        socket.AF_INET6 if v6 else socket.AF_INET,
                        socket.SOCK_STREAM, (address, port))
        self.sockets.append(s)

        def run():
            while True:
                try:
                    c, _ = s.accept()
                except OSError:
                    return
                t = threading.Thread(target=peer.serve, args=(c,),
                                     daemon=True)
                t.start()
                peer.threads.append(t)
        self.peers.append(peer)
        threading.Thread(target=run, daemon=True).start()
        return s.getsockname()[1]

    def clear(self):
        for s in self.sockets:
            # wakes the thread in accept()
            s.shutdown(socket.SHUT_RDWR)
            s.close()
        self.sockets, self.peers = [], []
        self.zone.__init__()

    # Running it.

    def control(self, **files):
        for name in ("smtproutes", "timeoutconnect", "timeoutremote",
                     "helohost", "moreipme", "smtpauth"):
            self.h.run(["rm", "-f", f"{HOME}/control/{name}"])
        for name, text in files.items():
            self.h.write(f"{HOME}/control/{name}", text,
                         mode=0o400 if name == "smtpauth" else 0o644,
                         owner="qmailr" if name == "smtpauth" else None)

    def raw(self, host, sender, rcpts, message, env=None):
        if isinstance(message, str):
            message = message.encode()
        with self.h.open("/run/message", "wb") as f:
            f.write(message)
        rcpts = [rcpts] if isinstance(rcpts, str) else rcpts
        argv = " ".join(f"'{a}'" for a in (host, sender, *rcpts))
        r = self.h.run(f"exec qmail-remote {argv} </run/message",
                       user="qmailr", check=False,
                       env={**ENV, **(env or {})})
        assert r.returncode == 0, r
        assert r.stderr == "", r
        for peer in self.peers:
            peer.settle()
        return r.stdout

    def send(self, message="Subject: test\n\nhello\n", host="far.example",
             sender="s@client.example", rcpts="r@far.example", env=None):
        """The report's records: [(letter, text)]."""
        out = self.raw(host, sender, rcpts, message, env)
        assert out.endswith("\0"), repr(out)
        return [(r[:1], r[1:]) for r in out[:-1].split("\0")]

    def to(self, peer, *args, extra="", timeout=None, **kw):
        """Send by way of a route to this peer on loopback."""
        port = self.listen(peer)
        files = {"smtproutes": f":[127.0.0.1]:{port} {extra}\n"}
        if timeout is not None:
            files["timeoutremote"] = f"{timeout}\n"
        self.control(**files)
        result = self.send(*args, **kw)
        assert not peer.errors, peer.errors
        return result
