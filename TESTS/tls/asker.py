"""A program that asks tlsd, written from the description of lib/tlsreq.h:
what the scenario tests of TLS put between a client and tlsd.

    asker.py serve PORT SERVICE [VERIFY [TIMEOUT]]
                                        echoes over TLS; greets with the facts
    asker.py client PORT VERIFY NAME ALTNAME [TLSA-HEX]...
                                        prints the facts and an answer
"""

import json
import socket
import sys
import threading

SOCKET = "/var/qmail/run/tls"


def ask(net, role, verify, service, name=b"", altname=b"", tlsa=(),
        timeout=20000):
    t = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    t.settimeout(60)
    t.connect(SOCKET)
    words = [str(timeout).encode(), service, name, altname, b"127.0.0.1",
             str(len(tlsa)).encode()]
    packet = role + verify + b"0" + b"".join(w + b"\0" for w in words)
    packet += b"".join(len(r).to_bytes(2, "big") + r for r in tlsa)
    socket.send_fds(t, [packet], [net.fileno()])
    net.close()
    data, fds, _, _ = socket.recv_fds(t, 65536, 4)
    if not data:
        return None, None
    words = data[2:].decode().split("\0")
    facts = dict(zip(("version", "cipher", "bits", "sni", "peer",
                      "fingerprint", "reason"), words))
    facts["ok"] = data[0:1] == b"1"
    facts["verified"] = data[1:2] == b"1"
    return facts, socket.socket(fileno=fds[0]) if fds else None


def serve(port, service, verify="0", timeout="20000"):
    """Content goes back as it came.  A line in the log tells how much came
    before the end of file."""
    def session(net):
        facts, plain = ask(net, b"1", verify.encode(), service.encode(),
                           timeout=int(timeout))
        if plain is None:
            print(json.dumps(facts), flush=True)
            return
        plain.sendall(b"220 " + json.dumps(facts).encode() + b"\r\n")
        n = 0
        while True:
            data = plain.recv(65536)
            if not data:
                break
            n += len(data)
            plain.sendall(data)
            if data.endswith(b"QUIT\r\n"):
                break
        print(f"end after {n}", flush=True)
        plain.close()

    listener = socket.create_server(("127.0.0.1", port), backlog=500)
    while True:
        net, _ = listener.accept()
        threading.Thread(target=session, args=(net,), daemon=True).start()


def client(port, verify, name, altname, tlsa):
    net = socket.create_connection(("127.0.0.1", port))
    facts, plain = ask(net, b"2", verify.encode(), b"smtp", name.encode(),
                       altname.encode(), [bytes.fromhex(t) for t in tlsa])
    if plain is not None:
        plain.sendall(b"hello\n")
        plain.settimeout(20)
        facts["answer"] = plain.recv(100).decode()
    print(json.dumps(facts))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]), *sys.argv[3:])
    else:
        client(int(sys.argv[2]), *sys.argv[3:6], sys.argv[6:])
