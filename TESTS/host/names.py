"""Sockets in the network of a host, and a name server of a few lines there.

    with name_server(h, [("a.example", "A", "192.0.2.1")]) as env: ...

env is what makes a program ask it.  TESTS/host/net.py has a real one, for
hosts with domains; this one is for tests that want a name or two, or silence.
"""

import contextlib
import ctypes
import os
import select
import socket
import struct
import threading

CLONE_NEWNET = 0x40000000
TYPES = {"A": 1, "PTR": 12, "TXT": 16, "AAAA": 28}
libc = ctypes.CDLL(None, use_errno=True)


def inside(host, what):
    """what(), run by a thread in the host's network; what it returns.  Its
    sockets stay there and may be used from any thread."""
    out = []

    def go():
        try:
            with open(f"/proc/{host.pid}/ns/net") as ns:
                if libc.setns(ns.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            out.append((what(), None))
        except BaseException as e:
            out.append((None, e))
    t = threading.Thread(target=go)
    t.start()
    t.join()
    value, error = out[0]
    if error is not None:
        raise error
    return value


def encode(kind, value):
    if kind == "PTR":
        return b"".join(bytes([len(x)]) + x.encode()
                        for x in value.rstrip(".").split(".")) + b"\0"
    if kind == "TXT":
        return bytes([len(value)]) + value.encode()
    return socket.inet_pton(socket.AF_INET if kind == "A" else
                            socket.AF_INET6, value)


def answer(query, records, silent):
    """The reply to a query, None for a name that is met with silence."""
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
        at += 1 + query[at]
    name = ".".join(labels)
    number, = struct.unpack(">H", query[at + 1:at + 3])
    if name in silent:
        return None
    found = [encode(k, v) for n, k, v in records
             if n == name and TYPES[k] == number]
    known = any(n == name for n, _, _ in records)
    return (query[:2] + struct.pack(">HHHHH", 0x8180 | (0 if known else 3),
                                    1, len(found), 0, 0)
            + query[12:at + 5]
            + b"".join(b"\xc0\x0c" + struct.pack(">HHIH", number, 1, 60,
                                                 len(data)) + data
                       for data in found))


@contextlib.contextmanager
def name_server(host, records, silent=()):
    """Answers on 127.0.0.1 of the host while the block runs."""
    sock = inside(host, lambda: socket.socket(socket.AF_INET,
                                              socket.SOCK_DGRAM))
    sock.bind(("127.0.0.1", 53))
    stop_r, stop_w = os.pipe()

    def loop():
        while True:
            if stop_r in select.select([sock, stop_r], [], [])[0]:
                return
            query, who = sock.recvfrom(4096)
            reply = answer(query, records, silent)
            if reply is not None:
                sock.sendto(reply, who)
    t = threading.Thread(target=loop)
    t.start()
    try:
        yield {"DNSCACHEIP": "127.0.0.1"}
    finally:
        os.close(stop_w)
        t.join()
        os.close(stop_r)
        sock.close()
