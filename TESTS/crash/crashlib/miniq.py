"""A mini mail queue with switchable syncs: the simulators' own test object.

Two orders of the same work:
  full   one message at a time, each file and each directory synced
  batch  valija's: rename into todo/, one syncfs, acknowledge; the envelope
         carries a checksum that recovery believes
Faults leave one sync out (or do one thing too early).  They are planted to
see whether a simulator finds them; "dirs" is qmail's own order, which trusts
that directories are written at once.

Layout below root: queue/{pid,mess,intd,todo,info,local,bounce}, and
home/user/Maildir/{tmp,new,cur}.
"""
import ctypes
import os
import sys
import time

from .judge import DirView, QmailQueue, p_record
from .mail import Message

FAULTS = {
    "full": ["msg", "env", "todo", "mess", "intd", "mfile", "mnew", "dirs",
             "all"],
    "batch": ["syncfs", "early", "nosum", "mfile", "mnew", "barrier"],
}
DIRS = [f"queue/{d}" for d in
        ("pid", "mess", "intd", "todo", "info", "local", "remote", "bounce")
        ] + [f"home/user/Maildir/{d}" for d in ("tmp", "new", "cur")]
MAILDIR = "home/user/Maildir"

_libc = ctypes.CDLL(None, use_errno=True)


def syncfs(fd):
    if _libc.syncfs(fd) != 0:
        raise OSError(ctypes.get_errno(), "syncfs")


def messages(count=12, seed=1):
    out = []
    for i in range(count):
        where = "defer" if i % 6 == 5 else MAILDIR
        rcpt = "later@mini" if where == "defer" else "user@mini"
        size = (300, 2500, 9000, 700, 20000, 5000)[i % 6]
        out.append(Message(f"c{i}", "sender@mini", {rcpt: where}, size, seed))
    return out


def populate(root):
    for d in DIRS:
        os.makedirs(os.path.join(root, d))


class MiniQueue:
    def __init__(self, root, order, fault=None):
        self.root = root
        self.order = order
        self.skip = fault

    def p(self, *parts):
        return os.path.join(self.root, *parts)

    def fsync(self, path, name):
        if self.skip in (name, "all") or (self.skip == "dirs" and
                                          name in ("todo", "mess", "intd")):
            return
        fd = os.open(self.p(path), os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)

    def sync(self, name):
        if self.skip in (name, "all"):
            return
        fd = os.open(self.p("queue"), os.O_RDONLY)
        syncfs(fd)
        os.close(fd)

    def write(self, path, data, chunk=4096):
        fd = os.open(self.p(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
                     0o600)
        for i in range(0, len(data), chunk):
            os.write(fd, data[i:i + chunk])
        os.close(fd)

    # -- the sender ------------------------------------------------------
    def submit(self, m, acknowledge):
        tmp = f"queue/pid/{os.getpid()}.{m.ident}"
        fd = os.open(self.p(tmp), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        n = str(os.fstat(fd).st_ino)
        os.rename(self.p(tmp), self.p("queue/mess", n))
        for i in range(0, len(m.data), 4096):
            os.write(fd, m.data[i:i + 4096])
        os.close(fd)
        env = (f"u0\0p{os.getpid()},\0F{m.sender}\0"
               + "".join(f"T{r}\0" for r in m.rcpts)).encode()
        if self.order == "full":
            self.fsync(f"queue/mess/{n}", "msg")
            self.write(f"queue/intd/{n}", env)
            self.fsync(f"queue/intd/{n}", "env")
            os.link(self.p("queue/intd", n), self.p("queue/todo", n))
            self.fsync("queue/mess", "mess")
            self.fsync("queue/intd", "intd")
            self.fsync("queue/todo", "todo")
        else:
            recs = env.split(b"\0")
            recs[1] = p_record(env, m.data)
            self.write(f"queue/intd/{n}", b"\0".join(recs))
            os.rename(self.p("queue/intd", n), self.p("queue/todo", n))
            if self.skip == "early":
                acknowledge(m.ident)
            self.sync("syncfs")
            if self.skip == "early":
                return
        acknowledge(m.ident)

    # -- the deliverer -----------------------------------------------------
    def deliver_pass(self):
        """Work off what todo/ holds; returns how many."""
        q = QmailQueue(DirView(self.root),
                       checksum=self.order == "batch"
                       and self.skip != "nosum")
        done = 0
        for n in sorted(q.part["todo"], key=int):
            rcpts = q.todo_rcpts(n)
            if rcpts is None:
                continue        # still being written, or garbage of a crash
            self.deliver(n, q.read("mess", n), rcpts)
            done += 1
        return done

    def deliver(self, n, data, rcpts):
        later = [r for r in rcpts if r.startswith("later")]
        if "user@mini" in rcpts:
            # The name depends on the message alone: a repeated delivery
            # replaces its own copy.
            name = f"{n}.{len(data)}"
            self.write(f"{MAILDIR}/tmp/{name}",
                       b"Return-Path: <x>\n" + data)
            self.fsync(f"{MAILDIR}/tmp/{name}", "mfile")
            os.rename(self.p(MAILDIR, "tmp", name),
                      self.p(MAILDIR, "new", name))
            self.fsync(f"{MAILDIR}/new", "mnew")
        if later:
            self.write(f"queue/info/{n}", b"Fsender@mini\0")
            self.write(f"queue/local/{n}",
                       b"".join(b"T%s\0" % r.encode() for r in later))
            self.sync("barrier")
        os.unlink(self.p("queue/todo", n))
        try:
            os.unlink(self.p("queue/intd", n))
        except FileNotFoundError:
            pass
        if not later:
            os.unlink(self.p("queue/mess", n))


def recover(root, order, fault=None):
    """What follows a crash: the deliverer once over everything."""
    MiniQueue(root, order, fault).deliver_pass()


def sequence(root, order, fault, msgs, acknowledge):
    """The same without any concurrency: a recording that repeats exactly."""
    q = MiniQueue(root, order, fault)
    for m in msgs:
        q.submit(m, acknowledge)
    q.deliver_pass()


def workload(root, order, fault, msgs, acknowledge, senders=2, pause=0.0):
    """Two senders and a deliverer as processes; returns when all is quiet."""
    kids = []
    for s in range(senders):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                q = MiniQueue(root, order, fault)
                for m in msgs[s::senders]:
                    q.submit(m, acknowledge)
                    time.sleep(pause)
                status = 0
            finally:
                os._exit(status)
        kids.append(pid)
    stop_r, stop_w = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(stop_w)
            os.set_blocking(stop_r, False)
            q = MiniQueue(root, order, fault)
            over = False
            while True:
                if q.deliver_pass() == 0:
                    if over:
                        break
                    time.sleep(0.002)
                try:
                    over = over or os.read(stop_r, 1) == b""
                except BlockingIOError:
                    pass
            status = 0
        finally:
            os._exit(status)
    os.close(stop_r)
    bad = 0
    for k in kids:
        bad |= os.waitpid(k, 0)[1]
    os.close(stop_w)
    bad |= os.waitpid(pid, 0)[1]
    if bad:
        raise RuntimeError("mini-queue workload failed")


if __name__ == "__main__":      # miniq.py root order fault count markfile
    _root, _order, _fault, _count, _marks = sys.argv[1:6]
    _fd = os.open(_marks, os.O_WRONLY | os.O_APPEND)
    sequence(_root, _order, None if _fault == "-" else _fault,
             messages(int(_count)),
             lambda ident: os.write(_fd, f"mark ack {ident}\n".encode()))
