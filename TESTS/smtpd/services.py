"""Stand-ins for the services that qmail-smtpd asks, run inside a host.

    services.py rcpt PATH       who begins with "no" does not exist, who begins
                                with "temp" is not known now
    services.py tls PATH        "TLS" that encrypts nothing: passes bytes on

The packets are those of mail/verify.h and lib/tlsreq.h.
"""

import array
import os
import socket
import sys
import threading


def listen(path):
    if os.path.exists(path):
        os.unlink(path)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.bind(path)
    os.chmod(path, 0o666)
    s.listen(100)
    return s


def rcpt(c):
    while True:
        addr = c.recv(2000)
        if not addr:
            return
        if addr.startswith(b"no"):
            c.send(b"Dno such mailbox")
        elif addr.startswith(b"temp"):
            c.send(b"Zdirectory trouble")
        elif addr.startswith(b"full"):
            c.send(b"Fmailbox is full")
        else:
            c.send(b"K")


def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def tls(c):
    def packet():
        data, anc, _, _ = c.recvmsg(65536, socket.CMSG_SPACE(16))
        fds = array.array("i")
        for level, kind, body in anc:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(body[:len(body) // 4 * 4])
        return data, list(fds)

    _, fds = packet()
    if not fds:
        return
    net = socket.socket(fileno=fds[0])
    ours, theirs = socket.socketpair()
    facts = b"10" + b"\0".join([b"TLSv1.3", b"TLS_AES_256_GCM_SHA384", b"256",
                                b"mx.valija.test", b"", b"", b""]) + b"\0"
    socket.send_fds(c, [facts], [theirs.fileno()])
    theirs.close()
    t = threading.Thread(target=pump, args=(net, ours))
    t.start()
    pump(ours, net)
    t.join()
    net.close()


def main():
    serve = {"rcpt": rcpt, "tls": tls}[sys.argv[1]]
    s = listen(sys.argv[2])
    while True:
        c, _ = s.accept()

        def one(c=c):
            with c:
                serve(c)
        threading.Thread(target=one, daemon=True).start()


main()
