"""A program for UCSPI-TLS, written from its specification: greets, echoes
lines in the clear, and on STARTTLS (y) or STARTTLSV (Y, with the facts) goes on
with the descriptors it was given."""

import os

rfd, wfd = 0, 1


def line():
    out = b""
    while not out.endswith(b"\n"):
        c = os.read(rfd, 1)
        if not c:
            raise SystemExit(0)
        out += c
    return out.strip()


def say(text):
    os.write(wfd, text + b"\r\n")


say(b"220 ready " + (b"tls" if "SSLCTLFD" in os.environ else b"plain"))
while True:
    word = line()
    if word == b"QUIT":
        say(b"221 bye")
        break
    if word in (b"STARTTLS", b"STARTTLSV"):
        ctl = int(os.environ["SSLCTLFD"])
        say(b"220 go")
        facts = b""
        if word == b"STARTTLS":
            os.write(ctl, b"y")
        else:
            os.write(ctl, b"Y")
            while not facts.endswith(b"\0\0"):
                got = os.read(ctl, 100)
                if not got:
                    raise SystemExit(1)
                facts += got
        rfd = int(os.environ["SSLREADFD"])
        wfd = int(os.environ["SSLWRITEFD"])
        if facts:
            say(b"250 " + facts.rstrip(b"\0").replace(b"\0", b"|"))
    else:
        say(b"250 " + word)
