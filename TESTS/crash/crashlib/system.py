"""A mail system as the simulators see it; runs inside a throwaway host.

The file system under test is mounted at REC and holds queue/ and home/,
which are bound over the places where the mail system looks for them.
"""
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

from .block import mount, umount
from .judge import DirView, QmailJudge
from .mail import Message

MS_BIND = 4096


def pids():
    return {int(p) for p in os.listdir("/proc") if p.isdigit()}


class System:
    """What all mail systems here have in common.

    Everything in this process namespace that was not there when the object
    was made, and was not registered in keep, is the mail system's."""

    name = None
    delivers = True         # False: everything stays queued
    places = {}             # directory on REC -> where it is bound
    host = "mx.valija.test"
    settle_seconds = 20     # these end a broken run and measure nothing
    client_seconds = 60

    def __init__(self, work):
        self.work = work
        self.keep = pids()
        self.bound = []
        self.hung = 0       # clients that did not come back
        self.services = {}
        self.wrap = {}      # service -> how to start it under a tracer
        self.log = open(os.path.join(work, "mta.log"), "ab")

    # -- files ----------------------------------------------------------
    def save_pristine(self):
        """Copies of the empty queue and the homes, to start each run from."""
        for part, place in self.places.items():
            subprocess.run(["cp", "-a", place,
                            os.path.join(self.work, f"pristine-{part}")],
                           check=True)

    def populate(self, root):
        for part in self.places:
            subprocess.run(["cp", "-a",
                            os.path.join(self.work, f"pristine-{part}"),
                            os.path.join(root, part)], check=True)

    def empty(self, root):
        for part in self.places:
            shutil.rmtree(os.path.join(root, part), ignore_errors=True)

    def attach(self, root):
        for part, place in self.places.items():
            mount(os.path.join(root, part), place, "none", flags=MS_BIND)
            self.bound.append(place)

    def detach(self):
        while self.bound:
            umount(self.bound[-1])
            self.bound.pop()

    # -- processes ---------------------------------------------------------
    def start(self):
        raise NotImplementedError

    def stop(self):
        """SIGKILL for all; nothing is told beforehand."""
        while True:
            for s in self.services.values():
                s.poll()
            # A fresh list each time: a child may have been born meanwhile.
            left = [p for p in pids() - self.keep - {os.getpid()}
                    if self._alive(p)]
            if not left:
                break
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.002)
        for s in self.services.values():
            s.wait()
        self.services = {}

    @staticmethod
    def _alive(pid):
        try:
            with open(f"/proc/{pid}/stat") as f:
                return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
        except OSError:
            return False

    def nudge(self):
        """Retry what was deferred, now."""

    def revive(self):
        """Start again, undisturbed, what has died."""

    # -- mail ------------------------------------------------------------
    def messages(self, count, seed=1):
        raise NotImplementedError

    def judge_of(self, messages):
        raise NotImplementedError

    def submit(self, m):
        """True when the message was acknowledged."""
        raise NotImplementedError

    def workload(self, messages, acknowledge, senders, pause=0.0):
        """Several senders at once; acknowledge(ident) right after each."""
        lock = threading.Lock()

        def sender(mine):
            for m in mine:
                if self.submit(m):
                    with lock:
                        acknowledge(m.ident)
                time.sleep(pause)

        threads = [threading.Thread(target=sender,
                                    args=(messages[s::senders],))
                   for s in range(senders)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    def settled(self, root, judge, acked):
        try:
            return not judge.judge(DirView(root), acked, self.delivers).lost
        except OSError:         # a disk that fails, a file that has gone
            return False

    def wait_settled(self, root, judge, acked, seconds=None, nudge=False):
        """Whether everything deliverable was delivered in time."""
        end = time.monotonic() + (seconds or self.settle_seconds)
        nudged = 0
        while not self.settled(root, judge, acked):
            if time.monotonic() > end:
                return False
            if nudge and time.monotonic() > nudged + 0.3:
                self.nudge()
                nudged = time.monotonic()
            time.sleep(0.01)
        return True

    def recover(self, root, judge, acked):
        """The real recovery over the mounted state; leaves nothing mounted
        or running.  The verdict is the caller's."""
        self.attach(root)
        try:
            self.start()
            self.wait_settled(root, judge, acked)
        finally:
            self.stop()
            self.detach()


class Valija(System):
    name = "valija"
    home = "/var/qmail"
    places = {"queue": "/var/qmail/queue", "home": "/home"}
    users = ("alice", "bob")

    def setup(self):
        self.save_pristine()

    def start(self, only=None):
        for service in ("qmail-queued", "qmail"):
            if service in self.services:
                continue
            argv = self.wrap.get(service, list)(["sh", "./run"])
            self.services[service] = subprocess.Popen(
                argv, cwd=f"{self.home}/supervise/{service}",
                stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                start_new_session=True)

    def revive(self):
        for service, p in list(self.services.items()):
            if p.poll() is not None:
                del self.services[service]
                self.wrap.pop(service, None)
        self.start()

    def nudge(self):
        for pid in pids() - self.keep:
            try:
                with open(f"/proc/{pid}/comm") as f:
                    if f.read() == "qmail-send\n":
                        os.kill(pid, signal.SIGALRM)
            except OSError:
                pass

    def messages(self, count, seed=1):
        """Ten kinds in turn: one and two recipients, one that is deferred,
        one that bounces, a big one, an mbox, a forward."""
        out = []
        for i in range(count):
            ident = f"c{i}"
            a, b = ((f"alice@{self.host}", "home/alice/Maildir"),
                    (f"bob@{self.host}", "home/bob/Maildir"))
            later = (f"alice-later{i}@{self.host}", "defer")
            never = (f"nouser{i}@{self.host}", "bounce")
            mbox = (f"alice-mbox@{self.host}", "mbox:home/alice/Mailbox")
            onward = (f"alice-onward@{self.host}", "home/bob/Maildir")
            rcpts = ([a], [b], [a, b], [later], [a, later], [never], [b],
                     [a, never], [mbox], [onward])[i % 10]
            size = (300, 2500, 9000, 700, 3000, 1200, 70000, 5000, 4000,
                    2000)[i % 10]
            m = Message(ident, f"bob@{self.host}", rcpts, size, seed)
            m.also = {onward[0]: b[0]}
            m.sender_maildir = "home/bob/Maildir"
            m.way = ("inject", "socket")[i // 10 % 2 ^ i % 2]
            out.append(m)
        return out

    def judge_of(self, messages):
        return QmailJudge(messages, checksum=True)

    def submit(self, m):
        if m.way == "socket":
            return self._submit_socket(m)
        if m.way == "queue":
            return self._submit_queue(m)
        argv = [f"{self.home}/bin/qmail-inject", "-a", "-f", m.sender,
                *m.rcpts]
        return self._client("inject", argv, m, self.log) == 0

    def _client(self, way, argv, m, stdout):
        """Exit status of a submitting program, None if it had to be killed.
        Under a tracer the status is known by a note of the shell."""
        note = os.path.join(self.work, "status")
        wrap = self.wrap.get(way)
        if wrap:
            if os.path.exists(note):
                os.unlink(note)
            argv = wrap(["sh", "-c", '"$@"; echo $? > "$0"', note, *argv])
        try:
            p = subprocess.run(argv, input=m.data, stdout=stdout,
                               stderr=self.log, timeout=self.client_seconds)
        except subprocess.TimeoutExpired:
            self.hung += 1
            return None
        if not wrap:
            return p.returncode
        with open(note) as f:
            return int(f.read())

    def _submit_queue(self, m):
        """Through the historical interface: message on 0, envelope on 1."""
        env = (f"F{m.sender}\0" + "".join(f"T{r}\0" for r in m.rcpts)
               + "\0").encode()
        name = os.path.join(self.work, f"env.{m.ident}")
        with open(name, "wb") as f:
            f.write(env)
        with open(name, "rb") as f:
            os.unlink(name)
            return self._client("queue", [f"{self.home}/bin/qmail-queue"],
                                m, f) == 0

    def connect(self):
        end = time.monotonic() + 30
        while True:
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(f"{self.home}/run/queue")
                return s
            except OSError:
                s.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.005)

    def _submit_socket(self, m):
        """The wire of mail/qsubmit.h."""
        env = (f"F{m.sender}\0" + "".join(f"T{r}\0" for r in m.rcpts)
               + "\0").encode()
        try:
            with self.connect() as s:
                s.settimeout(20)
                wire = b""
                for text in (m.data, env):
                    for i in range(0, len(text), 16384):
                        piece = text[i:i + 16384]
                        wire += struct.pack(">I", len(piece)) + piece
                    wire += struct.pack(">I", 0)
                s.sendall(wire)
                return s.recv(1) == b"\0"
        except OSError:
            return False


class ValijaQueue(Valija):
    """The queue service alone: everything stays queued."""

    name = "valija-queue"
    delivers = False

    def start(self):
        self.services.setdefault("qmail", None)
        super().start()
        self.services.pop("qmail")


class PostfixQueue:
    """What recovery of Postfix would find: (bytes, recipients) per file.

    A file is whole when it ends in an E record; one of maildrop/ also needs
    its executable bit, which postdrop sets last."""

    def __init__(self, view, queue="queue"):
        self.view = view
        self.files = [p for d in ("maildrop", "incoming", "active", "deferred")
                      for p in view.files(f"{queue}/{d}")]

    @staticmethod
    def records(data):
        at = 0
        while at < len(data):
            kind = data[at:at + 1]
            at += 1
            n = shift = 0
            while True:
                if at >= len(data):
                    return
                b = data[at]
                at += 1
                n |= (b & 127) << shift
                shift += 7
                if not b & 128:
                    break
            if at + n > len(data):
                return
            yield kind, data[at:at + n]
            at += n

    def queued(self):
        for p in self.files:
            text, rcpts, whole = [], [], False
            for kind, data in self.records(self.view.read(p) or b""):
                if kind == b"N":
                    text.append(data + b"\n")
                elif kind == b"L":
                    text.append(data)
                elif kind == b"R":
                    rcpts.append(data.decode("utf-8", "replace"))
                elif kind == b"E":
                    whole = True
            if whole and self.view.ready(p):
                yield b"".join(text), rcpts


class PostfixJudge(QmailJudge):
    def open_queue(self, view):
        return self

    def judge(self, view, acked, recovered=False):
        def ready(p):
            try:
                mode = os.stat(os.path.join(view.root, p)).st_mode
            except FileNotFoundError:   # a live view: gone since
                return False
            return "/maildrop/" not in p or bool(mode & 0o100)

        view.ready = ready
        self._queue = PostfixQueue(view)
        return super().judge(view, acked, recovered)

    def queued(self):
        return dict(enumerate(self._queue.queued()))

    @staticmethod
    def bounce_text(_n):
        return b""


class Postfix(System):
    name = "postfix"
    places = {"queue": "/var/spool/postfix", "home": "/home"}
    settle_seconds = 40

    def setup(self):
        for setting in (f"myhostname={self.host}",
                        f"mydestination={self.host}, localhost",
                        "home_mailbox=Maildir/", "mailbox_command=",
                        "inet_interfaces=loopback-only", "biff=no",
                        "alias_maps=", "alias_database=",
                        "virtual_alias_maps=", "relayhost="):
            subprocess.run(["postconf", "-e", setting], check=True,
                           stdout=self.log, stderr=self.log)
        # What the start script of the package does, once.
        subprocess.run(["postfix", "check"], stdout=self.log,
                       stderr=self.log)
        self.save_pristine()

    def start(self):
        if "master" in self.services:
            return
        self.services["master"] = subprocess.Popen(
            ["/usr/lib/postfix/sbin/master", "-c", "/etc/postfix", "-s"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            start_new_session=True,
            env=dict(os.environ, MAIL_CONFIG="/etc/postfix"))

    def revive(self):
        p = self.services.get("master")
        if p is not None and p.poll() is not None:
            del self.services["master"]
        self.start()

    def nudge(self):
        subprocess.run(["postqueue", "-f"], stdout=self.log, stderr=self.log)

    def messages(self, count, seed=1):
        out = []
        for i in range(count):
            a, b = ((f"alice@{self.host}", "home/alice/Maildir"),
                    (f"bob@{self.host}", "home/bob/Maildir"))
            out.append(Message(f"c{i}", f"bob@{self.host}",
                               ([a], [b], [a, b])[i % 3],
                               (300, 2500, 9000, 70000)[i % 4], seed))
        return out

    def judge_of(self, messages):
        return PostfixJudge(messages)

    def submit(self, m):
        p = subprocess.run(["/usr/sbin/sendmail", "-i", "-f", m.sender,
                            *m.rcpts], input=m.data, stdout=self.log,
                           stderr=self.log)
        return p.returncode == 0


SYSTEMS = {"valija": Valija, "valija-queue": ValijaQueue, "postfix": Postfix}
