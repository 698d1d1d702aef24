"""Play dialogues with a server, written as text: SMTP and POP3.

A file holds dialogues; each begins with a line `== name`.  Then, a line each:

    # words                 a comment
    env NAME=value          environment of the program (env -NAME: without)
    arg word                an argument of the program
    control NAME: text      a control file for this dialogue (\\n between lines)
    capture                 SMTP: queue into files: T, E and H look there
    input pipe              a pipe in place of a socket

    C: text                 the client says text CRLF; C lines without an S
                            between them leave in one write
    C~ bytes                the same, but nothing is added
    S: text                 the next reply line begins with text
    S+ text                 SMTP: reply lines up to the last one of a reply,
                            which must begin with text, that is code and space
    S& text                 POP3: a reply line that begins with text, and more
                            lines up to one that is a dot
    S* n text               n reply lines that begin with text
    S? text                 a line of what S+ or S& took is this (without code)
    S! text                 none has this as its first word
    S= bytes                the next reply line is this and nothing else
    S.                      the server has closed
    wait                    until the server has read what was sent

    L: regex                a line of the log matches
    L! regex                none does
    X: code                 the exit code

and what a player's owner looks at: SMTP

    M: n                    so many messages were accepted
    E: Fa|Tb|Tc             the captured envelope
    H: regex                the captured message has a match
    H! regex                it has none
    V: NAME=value           the queueing program's environment has it
    V! NAME                 and has it not
    T: text                 the captured message ends with text

POP3

    A: n                    the checkpassword program was run so often
    A= words                and the last time it read these, NUL as |
    message PATH bytes      a message of the Maildir, before the session
    F: path                 after it there is such a file in the Maildir
    F! path                 there is none

Text may have \\r \\n \\t \\\\ \\xHH, and \\{N:text}: text N times.
"""

import fcntl
import os
import re
import select
import socket
import struct
import subprocess
import termios
import threading
import time

PATIENCE = 40           # s; ends a broken run, decides nothing


class Failed(AssertionError):
    pass


def unescape(s):
    """The bytes a line of a dialogue stands for."""
    s = re.sub(r"\\\{(\d+):([^}]*)\}",
               lambda m: m.group(2) * int(m.group(1)), s)
    out = re.sub(r"\\(x[0-9a-fA-F]{2}|.)", lambda m: {
        "r": "\r", "n": "\n", "t": "\t", "\\": "\\"}.get(
            m.group(1)) or chr(int(m.group(1)[1:], 16)), s)
    # Characters of a file are UTF-8; \xHH stands for that byte alone.
    if re.search(r"\\x", s):
        return out.encode("latin-1")
    return out.encode("utf-8")


def load(path):
    """[(name, [(line number, op, rest)])] of a file."""
    out = []
    with open(path, encoding="utf-8") as f:
        for n, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if line.startswith("== "):
                out.append((line[3:], []))
            elif line.strip() and not line.startswith("#"):
                m = re.match(r"(C:|C~|S:|S\+|S&|S\*|S\?|S!|S\.|M:|L:|L!|X:|"
                             r"S=|E:|H:|H!|T:|V:|V!|A:|A=|F:|F!|env|arg|"
                             r"control|capture|input|message|wait)"
                             r"(?: (.*))?$", line)
                if not m or not out:
                    raise Failed(f"{path}:{n}: not understood: {line}")
                out[-1][1].append((n, m.group(1), m.group(2) or ""))
    return out


class Wire:
    """The client's side of a connection."""

    def __init__(self, sock, out=None):
        self.sock, self.out, self.buf = sock, out, b""

    def send(self, data):
        end = time.monotonic() + PATIENCE
        self.sock.setblocking(False) if hasattr(self.sock, "setblocking") \
            else os.set_blocking(self.sock, False)
        while data:
            rd, wr, _ = select.select([self._rfd()], [self.sock], [], 1)
            if wr:
                try:
                    n = os.write(self._wfd(), data)
                except BlockingIOError:
                    continue
                except (BrokenPipeError, ConnectionResetError):
                    return      # its last words are still to be read
                data = data[n:]
            if rd:
                self._fill()
                if self.closed:
                    return
            if time.monotonic() > end:
                raise Failed("the server does not read")

    closed = False

    def _rfd(self):
        return self.out if self.out is not None else self.sock.fileno()

    def _wfd(self):
        return self.sock if isinstance(self.sock, int) \
            else self.sock.fileno()

    def _fill(self):
        try:
            got = os.read(self._rfd(), 65536)
        except ConnectionResetError:
            got = b""
        except BlockingIOError:
            return
        if not got:
            self.closed = True
        self.buf += got

    def line(self):
        end = time.monotonic() + PATIENCE
        while b"\n" not in self.buf and not self.closed:
            if not select.select([self._rfd()], [], [], 1)[0]:
                if time.monotonic() > end:
                    raise Failed(f"no reply; so far {self.buf!r}")
                continue
            self._fill()
        line, sep, self.buf = self.buf.partition(b"\n")
        if not sep:
            return None if not line else line
        if not line.endswith(b"\r"):
            raise Failed(f"a reply without CR LF: {line!r}")
        return line[:-1]

    def eof(self):
        line = self.line()
        if line is not None:
            raise Failed(f"not closed, but: {line!r}")


def play(steps, wire, settle=lambda: None):
    """The C and S lines."""
    pending, said = b"", []

    def flush():
        nonlocal pending
        if pending:
            data, pending = pending, b""
            wire.send(data)

    for n, op, rest in steps:
        try:
            if op == "C:":
                pending += unescape(rest) + b"\r\n"
            elif op == "C~":
                pending += unescape(rest)
            elif op == "wait":
                flush()
                settle()
            elif op == "S:":
                flush()
                line = wire.line()
                if line is None or not line.decode("latin-1").startswith(
                        rest):
                    raise Failed(f"expected {rest!r}, got {line!r}")
            elif op == "S=":
                flush()
                line = wire.line()
                if line != unescape(rest):
                    raise Failed(f"expected {rest!r}, got {line!r}")
            elif op == "S*":
                flush()
                count, _, text = rest.partition(" ")
                for _ in range(int(count)):
                    line = wire.line()
                    if line is None or not line.decode(
                            "latin-1").startswith(text):
                        raise Failed(f"expected {text!r}, got {line!r}")
            elif op == "S+":
                flush()
                last = []
                while not last or last[-1][3:4] == "-":
                    line = wire.line()
                    if line is None:
                        raise Failed(f"expected {rest!r}, got the end")
                    last.append(line.decode("latin-1"))
                if not last[-1].startswith(rest) or any(
                        x[:3] != last[0][:3] for x in last):
                    raise Failed(f"expected {rest!r}, got {last!r}")
                said = [x[4:] for x in last]
            elif op == "S&":
                flush()
                said = []
                while not said or said[-1] != ".":
                    line = wire.line()
                    if line is None or (not said and not line.decode(
                            "latin-1").startswith(rest)):
                        raise Failed(f"expected {rest!r}, got {line!r}")
                    said.append(line.decode("latin-1"))
            elif op == "S?" and rest not in said:
                raise Failed(f"{rest!r} is not in {said!r}")
            elif op == "S!" and any(x.split(" ")[0] == rest for x in said):
                raise Failed(f"{rest!r} is in {said!r}")
            elif op == "S.":
                flush()
                wire.eof()
        except Failed as e:
            raise Failed(f"line {n}: {op} {rest}: {e}") from None
    flush()


def settled(sock):
    """What was sent has been read."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        n = struct.unpack("i", fcntl.ioctl(
            sock.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
        if n == 0:
            return
        time.sleep(0.002)
    raise Failed("the server does not read")


def converse(start, steps, client=play):
    """Plays the steps with what start(stdin=, stdout=, stderr=, bufsize=) has
    started: (log, exit code)."""
    ours, theirs = socket.socketpair()
    pipes = any(op == "input" for _, op, _ in steps)
    end = subprocess.PIPE if pipes else theirs
    child = start(stdin=end, stdout=end, stderr=subprocess.PIPE, bufsize=0)
    theirs.close()
    if pipes:
        wire = Wire(child.stdin.fileno(), child.stdout.fileno())
    else:
        wire = Wire(ours)
    logged = []
    reader = threading.Thread(
        target=lambda: logged.append(child.stderr.read()))
    reader.start()
    error = None
    try:
        client(steps, wire, lambda: settled(ours))
    except Failed as e:
        error = e
    ours.close()
    if pipes:
        child.stdin.close()
    reader.join()
    log = logged[0].decode("latin-1")
    code = child.wait()
    if error:
        raise Failed(f"{error}\n{log}")
    assert all(re.match(r"^[ -~]*$", line) for line in log.split("\n")), log
    return log, code


def check(steps, log, code):
    for n, op, rest in steps:
        where = f"line {n}: {op} {rest}"
        if op == "L:" and not re.search(rest, log, re.M):
            raise Failed(f"{where}: not in the log:\n{log}")
        if op == "L!" and re.search(rest, log, re.M):
            raise Failed(f"{where}: in the log:\n{log}")
        if op == "X:" and code != int(rest):
            raise Failed(f"{where}: exit code {code}\n{log}")
