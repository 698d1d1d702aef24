"""The second simulator: recorded system calls under a model of the disk.

calltrace gives every change in order.  Two models say what a power cut may
leave of the changes that no sync has forced:

  weak   each directory entry and each write persists or not, independently;
         fsync of a file forces its bytes, fsync of a directory its entries,
         syncfs all.  A rename is two changes: the new name and the old one's
         end.
  ext4   directory changes persist in their order, any fsync forces all of
         them so far; bytes of a file in their order, forced by its fsync.

What the block recorder cannot show because this kernel's journals hide it,
the weak model shows; and it names the sync that is missing.
"""
import os
import random
import re
import subprocess

from .block import BUILD, Tally
from .judge import DictView


class Op:
    """One change; forced is the number of the event that made it durable."""

    __slots__ = ("seq", "prog", "kind", "dir", "name", "obj", "off", "data",
                 "forced", "meta")

    def __init__(self, seq, prog, kind, **kw):
        self.seq = seq
        self.prog = prog
        self.kind = kind
        self.dir = self.name = self.obj = self.off = self.data = None
        self.forced = None
        for k, v in kw.items():
            setattr(self, k, v)
        self.meta = kind in ("add", "del")


class Trace:
    """The ops and marks of one recording, read from calltrace's log."""

    def __init__(self, log, snapshot):
        """snapshot: (dirs: inode -> path, files: inode -> bytes, names:
        (dir inode, name) -> inode) taken before the run."""
        self.dirs, files, names = (dict(x) for x in snapshot)
        self.start_names = {k: ("old", v) for k, v in names.items()}
        self.start_data = {("old", i): d for i, d in files.items()}
        self.ops = []
        self.marks = []         # (seq, text)
        self.where = {}         # object -> last directory it was named in
        self.end = 0
        cur = {i: ("old", i) for i in files}
        for (d, n), i in names.items():
            self.where[cur[i]] = d
        with open(log + ".data", "rb") as f:
            blob = f.read()
        with open(log) as f:
            for line in f:
                self._event(line.rstrip("\n"), cur, blob)

    def _event(self, line, cur, blob):
        seq, _pid, prog, kind, *rest = line.split(" ", 4)
        seq = int(seq)
        self.end = seq + 1
        rest = rest[0] if rest else ""
        if kind == "M":
            self.marks.append((seq, rest))
        elif kind == "C":
            d, i, name = rest.split(" ", 2)
            cur[int(i)] = (seq, int(i))
            self._add(seq, prog, int(d), name, cur[int(i)])
        elif kind == "L":
            d, i, name = rest.split(" ", 2)
            self._add(seq, prog, int(d), name, cur.get(int(i)))
        elif kind == "R":
            od, nd, i, both = rest.split(" ", 3)
            old, new = both.split("/", 1)
            self._add(seq, prog, int(nd), new, cur.get(int(i)))
            self._del(seq, prog, int(od), old)
        elif kind == "U":
            d, i, name = rest.split(" ", 2)
            self._del(seq, prog, int(d), name)
        elif kind == "D":
            d, i, name = rest.split(" ", 2)
            if int(d) in self.dirs:
                self.dirs[int(i)] = os.path.join(self.dirs[int(d)], name)
        elif kind == "W":
            i, off, n, at = map(int, rest.split())
            if i in cur:
                self.ops.append(Op(seq, prog, "write", obj=cur[i], off=off,
                                   data=blob[at:at + n]))
        elif kind == "T":
            i, size = map(int, rest.split())
            if i in cur:
                self.ops.append(Op(seq, prog, "trunc", obj=cur[i], off=size))
        elif kind == "S":
            self._force(seq, int(rest), cur.get(int(rest)))
        elif kind == "Y":
            for op in self.ops:
                if op.forced is None:
                    op.forced = seq
        else:
            raise ValueError(f"calltrace cannot model: {line}")

    def _add(self, seq, prog, d, name, obj):
        if d in self.dirs and obj is not None:
            self.where[obj] = d
            self.ops.append(Op(seq, prog, "add", dir=d, name=name, obj=obj))

    def _del(self, seq, prog, d, name):
        if d in self.dirs:
            self.ops.append(Op(seq, prog, "del", dir=d, name=name))

    def _force(self, seq, ino, obj):
        for op in self.ops:
            if op.forced is not None:
                continue
            if self.model_ext4 and op.meta:
                op.forced = seq
            elif ino in self.dirs and op.dir == ino:
                op.forced = seq
            elif ino not in self.dirs and op.obj == obj and not op.meta:
                op.forced = seq

    model_ext4 = False


class TraceExt4(Trace):
    model_ext4 = True


def snapshot(root):
    dirs, files, names = {}, {}, {}
    for path, _, fs in os.walk(root):
        ino = os.stat(path).st_ino
        rel = os.path.relpath(path, root)
        dirs[ino] = "" if rel == "." else rel
        for f in fs:
            full = os.path.join(path, f)
            st = os.lstat(full)
            if not os.path.isfile(full) or os.path.islink(full):
                continue
            names[ino, f] = st.st_ino
            with open(full, "rb") as h:
                files[st.st_ino] = h.read()
    return dirs, files, names


def record(command, root, marks, log, timeout=120, **kw):
    """Run command under calltrace."""
    subprocess.run([os.path.join(BUILD, "calltrace"), "record", "-o", log,
                    "-r", root, "-m", marks, "--"] + command,
                   check=True, timeout=timeout, **kw)


class Model:
    """Builds the state after a crash from the ops that persisted."""

    def __init__(self, trace):
        self.t = trace
        self.memo = {}

    def content(self, obj, ops):
        key = (obj, tuple(o.seq for o in ops))
        data = self.memo.get(key)
        if data is None:
            buf = bytearray(self.t.start_data.get(obj, b""))
            for o in ops:
                if o.kind == "trunc":
                    del buf[o.off:]
                    buf.extend(bytes(max(0, o.off - len(buf))))
                else:
                    if len(buf) < o.off:
                        buf.extend(bytes(o.off - len(buf)))
                    buf[o.off:o.off + len(o.data)] = o.data
            data = self.memo[key] = bytes(buf)
        return data

    def view(self, persisted):
        names = dict(self.t.start_names)
        data = {}
        for op in persisted:
            if op.kind == "add":
                names[op.dir, op.name] = op.obj
            elif op.kind == "del":
                names.pop((op.dir, op.name), None)
            else:
                data.setdefault(op.obj, []).append(op)
        tree = {}
        for (d, name), obj in names.items():
            tree[os.path.join(self.t.dirs[d], name)] = self.content(
                obj, data.get(obj, []))
        return DictView(tree)


def plan(trace, limit, rng):
    """(kind, crash moment, persisted ops) for every state, or for `limit`
    of them."""
    ops = trace.ops
    points = sorted({op.seq + 1 for op in ops}
                    | {seq + 1 for seq, _ in trace.marks})
    every = []
    for c in points:
        before = [o for o in ops if o.seq < c]
        loose = [o for o in before if o.forced is None or o.forced >= c]
        every.append((c, before, loose))

    def states():
        for c, before, loose in every:
            gone = set(loose)
            yield "none", c, [o for o in before if o not in gone]
            yield "all", c, before
            if trace.model_ext4:
                meta = [o for o in loose if o.meta]
                data = [o for o in loose if not o.meta]
                for _ in range(min(12, 1 << len(loose))):
                    n = rng.randint(0, len(meta))
                    stop = {}
                    drop = set(meta[n:])
                    for o in data:          # each file: a prefix of its bytes
                        if o.obj not in stop:
                            stop[o.obj] = rng.random() < 0.5
                        elif not stop[o.obj]:
                            stop[o.obj] = rng.random() < 0.3
                        if stop[o.obj]:
                            drop.add(o)
                    yield "subset", c, [o for o in before if o not in drop]
                continue
            for o in loose:
                yield "drop one", c, [x for x in before if x is not o]
                yield "keep one", c, [x for x in before
                                      if x not in gone or x is o]
            for _ in range(min(8, 1 << len(loose))):
                p = rng.choice((0.3, 0.5, 0.8))
                drop = {o for o in loose if rng.random() > p}
                yield "subset", c, [o for o in before if o not in drop]
            if before and before[-1] in gone and before[-1].kind == "write":
                w = before[-1]
                half = Op(w.seq, w.prog, "write", obj=w.obj, off=w.off,
                          data=w.data[:len(w.data) // 2])
                half.seq = -w.seq - 1       # a content of its own
                yield "torn", c, before[:-1] + [half]

    out = list(states())
    if limit and len(out) > limit:
        out = [out[i] for i in sorted(rng.sample(range(len(out)), limit))]
    return out


def describe(trace, op):
    """The sync whose absence let this op be lost."""
    def tidy(path):
        return re.sub(r"/\d+$", "/*", path)     # split directories
    if op.kind == "add":
        return f"fsync of directory {tidy(trace.dirs[op.dir])}"
    if op.kind == "del":
        return f"fsync of directory {tidy(trace.dirs[op.dir])} (removal)"
    d = trace.where.get(op.obj)
    return f"fsync of a file of {tidy(trace.dirs.get(d, '?'))}"


def check(trace, judge, limit=0, seed=0):
    """Judge the states.  Returns (tally, blame: missing sync -> (states,
    example))."""
    rng = random.Random(seed)
    model = Model(trace)
    tally = Tally()
    blame = {}

    def acked(c):
        return tuple(t[9:] if t.startswith("mark ack ") else t[4:]
                     for s, t in trace.marks if s < c
                     and (t.startswith("mark ack ") or t.startswith("ack ")))

    def bad(c, persisted):
        v = judge.judge(model.view(persisted), acked(c))
        return v

    for kind, c, persisted in plan(trace, limit, rng):
        v = bad(c, persisted)
        what = f"crash before event {c}, {kind}"
        tally.add(kind, v, what)
        if not (v.lost or v.corrupt) or kind == "torn":
            continue
        # Give back one lost change at a time as long as it stays bad: what
        # remains is what had to be forced.
        have = set(persisted)
        before = [o for o in trace.ops if o.seq < c]
        missing = [o for o in before if o not in have]
        if len(missing) > 1 and sum(n for n, _ in blame.values()) > 200:
            continue
        for o in list(missing):
            rest = [x for x in missing if x is not o]
            drop = set(rest)
            w = bad(c, [x for x in before if x not in drop])
            if w.lost or w.corrupt:
                missing = rest
        for o in missing:
            name = describe(trace, o)
            n, ex = blame.get(name, (0, None))
            blame[name] = (n + 1, ex or f"{o.kind} {o.name or ''} by "
                           f"{o.prog}, event {o.seq}, {what}")
    return tally, blame
