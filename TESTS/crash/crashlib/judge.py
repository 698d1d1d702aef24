"""Judges: is every acknowledged message still there in this crash state?

A judge sees a view (files below a root, real or modelled) and says what it
would take the MTA's own recovery to say, without running it.  It is passive:
it never changes the view.
"""
import os

from .mail import ident_of, siphash24


class DirView:
    """A mounted file system."""

    def __init__(self, root):
        self.root = root

    def files(self, prefix):
        top = os.path.join(self.root, prefix)
        out = []
        stack = [top]
        while stack:
            d = stack.pop()
            try:
                with os.scandir(d) as it:
                    for e in it:
                        if e.is_dir(follow_symlinks=False):
                            stack.append(e.path)
                        elif e.is_file(follow_symlinks=False):
                            out.append(os.path.relpath(e.path, self.root))
            except FileNotFoundError:
                pass
        return sorted(out)

    def read(self, path):
        try:
            with open(os.path.join(self.root, path), "rb") as f:
                return f.read()
        except FileNotFoundError:
            return None


class DictView:
    """A modelled state: path -> bytes."""

    def __init__(self, tree):
        self.tree = tree

    def files(self, prefix):
        prefix = prefix.rstrip("/") + "/"
        return sorted(p for p in self.tree if p.startswith(prefix))

    def read(self, path):
        return self.tree.get(path)


class Verdict:
    def __init__(self):
        self.lost = []          # (ident, rcpt, reason)
        self.corrupt = []       # what a reader sees and should not
        self.returned = []      # (ident, rcpt) bounced though deliverable
        self.pending = 0        # delivered and still queued: a later duplicate
        self.doubled = 0        # more than one copy visible


class QmailQueue:
    """qmail's layout: mess, todo, info, local, remote, bounce below queue/.

    checksum: an entry of todo/ counts only with a valid p record, as a
    recovery that saw no clean stop would hold it."""

    def __init__(self, view, queue="queue", checksum=True):
        self.view = view
        self.checksum = checksum
        self.part = {}
        for kind in ("mess", "todo", "info", "local", "remote", "bounce"):
            self.part[kind] = {
                p.rsplit("/", 1)[1]: p
                for p in view.files(f"{queue}/{kind}")}

    def read(self, kind, n):
        path = self.part[kind].get(n)
        return None if path is None else self.view.read(path)

    def todo_rcpts(self, n):
        """Recipients of todo/n, or None if recovery would not believe it."""
        env = self.read("todo", n)
        mess = self.read("mess", n)
        if env is None or mess is None or not env.endswith(b"\0"):
            return None
        recs = env[:-1].split(b"\0")
        if self.checksum and not self.checksum_ok(env, mess):
            return None
        if not any(r.startswith(b"F") for r in recs):
            return None
        return [r[1:].decode() for r in recs if r.startswith(b"T")]

    @staticmethod
    def checksum_ok(env, mess):
        return p_record(env, mess) in env.split(b"\0")

    def queued(self):
        """n -> (mess bytes, recipients still to be served, as str)."""
        out = {}
        for n in self.part["mess"]:
            mess = self.read("mess", n)
            rcpts = None
            if mess is None:
                continue
            if n in self.part["todo"]:
                rcpts = self.todo_rcpts(n)
            elif n in self.part["info"]:
                info = self.read("info", n) or b""
                if info.startswith(b"F") and info.endswith(b"\0"):
                    rcpts = []
                    for kind in ("local", "remote"):
                        recs = self.read(kind, n) or b""
                        rcpts += [r[1:].decode() for r in recs.split(b"\0")
                                  if r.startswith(b"T")]
            if rcpts is not None:
                out[n] = (mess, rcpts)
        return out

    def bounce_text(self, n):
        if n in self.part["todo"]:      # S5 only: stale before that
            return b""
        return self.read("bounce", n) or b""


def p_record(env, mess):
    """The p record that vouches for an envelope and its message: size and
    hash of the message, and hash of the envelope from its F to its end.  The
    pid is the envelope's own."""
    pid, at = b"", env.find(b"\0F") + 1
    for r in env[:at].split(b"\0"):
        if r.startswith(b"p"):
            pid = r[1:].split(b",")[0]
    return b"p%s,%016x,%016x,%016x" % (
        pid, len(mess), siphash24(mess), siphash24(env[at:]))


class QmailJudge:
    """Judges a view with queue/ in qmail's layout and Maildirs."""

    def __init__(self, messages, checksum=True, queue="queue"):
        self.messages = {m.ident: m for m in messages}
        self.checksum = checksum
        self.queue = queue

    def maildirs(self):
        return sorted({d for m in self.messages.values()
                       for d in m.rcpts.values()
                       if "/" in d and not d.startswith("mbox:")}
                      | {m.sender_maildir for m in self.messages.values()
                         if getattr(m, "sender_maildir", None)})

    def open_queue(self, view):
        return QmailQueue(view, self.queue, self.checksum)

    def judge(self, view, acked, recovered=False):
        """acked: idents.  recovered: the queue has been worked off, so what
        is deliverable must be in its Maildir."""
        v = Verdict()
        q = self.open_queue(view)
        copies = {}             # (ident, maildir) -> complete copies
        texts = {}              # maildir -> contents, for bounces
        for d in self.maildirs():
            for p in view.files(f"{d}/new") + view.files(f"{d}/cur"):
                data = view.read(p)
                if data is None:        # a live view: gone since
                    continue
                texts.setdefault(d, []).append(data)
                ident = ident_of(data)
                m = self.messages.get(ident)
                if m is not None and m.complete(data):
                    copies[ident, d] = copies.get((ident, d), 0) + 1
                elif m is not None or b"MAILER-DAEMON" not in data:
                    v.corrupt.append(f"{p}: {len(data)} bytes, id {ident}")
        for m in self.messages.values():
            for where in m.rcpts.values():
                if where.startswith("mbox:"):
                    # A piece that a crash left at the end is no message.
                    whole = f"X-Crash-Id: {m.ident}\n\n".encode() + m.body
                    n = (view.read(where[5:]) or b"").count(whole)
                    if n:
                        copies[m.ident, where] = n
        still = {}              # (ident, rcpt) -> N
        notes = []              # texts that tell the sender
        for n, (mess, rcpts) in q.queued().items():
            ident = ident_of(mess)
            m = self.messages.get(ident)
            if m is not None and m.complete(mess):
                for r in rcpts:
                    still[ident, r] = n
                bounce = q.bounce_text(n)
                if bounce:
                    notes.append(mess + bounce)
            elif b"MAILER-DAEMON" in mess:
                notes.append(mess)
            else:
                v.corrupt.append(f"queue entry {n} would be believed: "
                                 f"{len(mess)} bytes, id {ident}")
        for ident in acked:
            m = self.messages[ident]
            for r, where in m.rcpts.items():
                have = copies.get((ident, where), 0)
                if have > 1:
                    v.doubled += have - 1
                queued = ((ident, r) in still
                          or (ident, m.also.get(r)) in still)
                if have and queued:
                    v.pending += 1
                if have:
                    continue
                if queued:
                    if recovered and "/" in where:
                        v.lost.append((ident, r, "queued, not delivered"))
                    continue
                if self.told(m, r, notes, texts):
                    if where != "bounce":
                        v.returned.append((ident, r))
                    continue
                v.lost.append((ident, r, "neither queued nor delivered"))
        return v

    @staticmethod
    def told(m, rcpt, notes, texts):
        want = [f"X-Crash-Id: {m.ident}\n".encode(), rcpt.encode()]
        box = getattr(m, "sender_maildir", None)
        return any(all(w in t for w in want)
                   for t in notes + texts.get(box, []))
