"""Drive blockrec: make, record, plan the crash states, mount each.

Needs root and a private mount namespace (see box.py).
"""
import ctypes
import errno
import fcntl
import os
import random
import struct
import subprocess
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("CRASH_BUILD", os.path.join(HERE, "build"))

_libc = ctypes.CDLL(None, use_errno=True)
LOOP_CTL_GET_FREE, LOOP_CLR_FD, LOOP_CONFIGURE = 0x4C82, 0x4C01, 0x4C0A
MS_NOATIME = 1024

# fs: image size in MiB, mkfs command, mount data, the same for a slow disk
# whose journal commits every second so that it interleaves with the mail.
FILESYSTEMS = {
    "ext4": (64, ["mkfs.ext4", "-q", "-F", "-b", "4096", "-E",
                  "nodiscard,lazy_itable_init=0,lazy_journal_init=0"],
             "", "commit=1"),
    "xfs": (300, ["mkfs.xfs", "-q", "-K", "-f"], "", ""),
    "btrfs": (128, ["mkfs.btrfs", "-q", "-K", "-f"], "", "commit=1"),
}


def mount(src, target, fstype, data="", flags=MS_NOATIME):
    if _libc.mount(src.encode(), target.encode(), fstype.encode(), flags,
                   data.encode()) != 0:
        e = ctypes.get_errno()
        raise OSError(e, f"mount {src} on {target}: {os.strerror(e)}")


def umount(target, tries=500):
    """Unmount; busy is waited for, since killed processes leave lazily."""
    while _libc.umount2(target.encode(), 0) != 0:
        e = ctypes.get_errno()
        tries -= 1
        if e != errno.EBUSY or tries == 0:
            raise OSError(e, f"umount {target}: {os.strerror(e)}")
        time.sleep(0.01)


def loop_attach(path, note=None):
    """A loop device on path; its name is appended to the file note, so that
    whoever survives us can detach it."""
    backing = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    with open("/dev/loop-control", "rb+", buffering=0) as ctl:
        for _ in range(200):
            dev = f"/dev/loop{fcntl.ioctl(ctl, LOOP_CTL_GET_FREE)}"
            try:
                fd = os.open(dev, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                os.mknod(dev, 0o600 | 0o060000,
                         os.makedev(7, int(dev[9:])))
                fd = os.open(dev, os.O_RDWR | os.O_CLOEXEC)
            try:
                if note:
                    with open(note, "a") as f:
                        f.write(f"{dev} {path}\n")
                fcntl.ioctl(fd, LOOP_CONFIGURE,
                            struct.pack("II", backing, 0) + bytes(296))
                break
            except OSError as e:
                if e.errno != errno.EBUSY:
                    raise
                time.sleep(0.01)
            finally:
                os.close(fd)
        else:
            raise OSError(errno.EBUSY, "no free loop device")
    os.close(backing)
    return dev


def loop_detach(dev):
    """Detach and wait: the kernel does it when the last user is gone."""
    fd = os.open(dev, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, LOOP_CLR_FD)
    except OSError as e:
        if e.errno != errno.ENXIO:
            raise
    os.close(fd)
    gone = f"/sys/block/{dev[5:]}/loop/backing_file"
    for _ in range(1000):
        if not os.path.exists(gone):
            return
        time.sleep(0.005)
    raise OSError(errno.EBUSY, f"{dev} does not detach")


class State:
    """One crash: events [0, base) of the log, then the listed ones."""

    __slots__ = ("kind", "base", "extra", "acked", "active")

    def __init__(self, kind, base, extra, acked):
        self.kind = kind
        self.base = base
        self.extra = extra
        self.acked = acked
        self.active = False

    def __str__(self):
        return f"{self.kind}: events before {self.base} and [{self.extra}]"


def runs(numbers):
    """[3,4,5,9] -> '3-5 9'"""
    out = []
    for n in numbers:
        if out and out[-1][1] == n - 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return " ".join(f"{a}-{b}" if a < b else f"{a}" for a, b in out)


BTRFS_SUPER = ("65536 4096", "67108864 4096")
KINDS = ("prefix", "at-ack", "flushed", "reorder", "torn")


def plan(events, limit, seed, active=50):
    """All states of the recipe, then a seeded choice of `limit` of them;
    `active` of a hundred go through the real recovery.

    events: list of (kind letter, text).  A state must hold every message
    whose mark lies before the moment of its crash.  A btrfs superblock is
    not torn: btrfs trusts the disk with those 4096 bytes and refuses to
    mount otherwise, whatever lies on it."""
    rng = random.Random(seed)
    acks, acked_at, last_flush, flush_at = [], [], 0, []
    for i, (k, text) in enumerate(events):
        acked_at.append(len(acks))      # acks before event i
        flush_at.append(last_flush)     # events before it are on disk
        if k == "M" and text.startswith("ack "):
            acks.append(text[4:])
        elif k == "F":
            last_flush = i
    acked_at.append(len(acks))
    flush_at.append(last_flush)

    def state(kind, base, extra, when):
        return State(kind, base, extra, tuple(acks[:acked_at[when]]))

    writes = [i for i, (k, _) in enumerate(events) if k in "WP"]
    out = {k: [] for k in KINDS}
    for i in writes:
        b = flush_at[i]
        mine = [w for w in range(b, i) if events[w][0] in "WP"]
        out["prefix"].append(state("prefix", b, runs(mine + [i]), i + 1))
        if events[i][0] == "W" and events[i][1] not in BTRFS_SUPER:
            out["torn"].append(
                state("torn", b, (runs(mine) + f" t{i}").strip(), i + 1))
    for i, (k, text) in enumerate(events):
        if k != "M" or not text.startswith("ack "):
            continue
        b = flush_at[i]
        mine = [w for w in range(b, i) if events[w][0] in "WP"]
        out["at-ack"].append(state("at-ack", b, runs(mine), i + 1))
        out["flushed"].append(state("flushed", b, "", i + 1))
    ends = [i for i, (k, _) in enumerate(events) if k == "F"] + [len(events)]
    for e in ends:
        b = flush_at[e]
        mine = [w for w in range(b, e) if events[w][0] in "WP"]
        if not mine:
            continue
        seen = set()

        def add(sub, when):
            key = (runs(sub), acked_at[when])
            if key not in seen:
                seen.add(key)
                out["reorder"].append(state("reorder", b, key[0], when))

        if len(mine) <= 4:
            for bits in range(1 << len(mine)):
                add([w for j, w in enumerate(mine) if bits >> j & 1], e)
        else:
            for w in mine:
                add([x for x in mine if x != w], e)
        # Random subsets at random moments: the more room is left, the more.
        for _ in range(max(4, len(mine))):
            when = rng.choice(mine) + 1
            before = [w for w in mine if w < when]
            keep = rng.choice((0.5, 0.8, 0.95))
            add([w for w in before if rng.random() < keep], when)

    # The states at an acknowledgement are few and say most: they are kept,
    # up to half of the limit.
    if limit:
        cut(out, ("at-ack", "flushed"), limit // 2, rng)
        cut(out, ("prefix", "reorder", "torn"),
            limit - len(out["at-ack"]) - len(out["flushed"]), rng)
    chosen = [s for k in KINDS for s in out[k]]
    for s in chosen:
        s.active = rng.random() * 100 < active
    chosen.sort(key=lambda s: s.base)
    return chosen


def cut(out, kinds, limit, rng):
    """Leave at most limit states (one a kind at least) of these kinds."""
    total = sum(len(out[k]) for k in kinds)
    for k in kinds:
        share = max(1, limit * len(out[k]) // max(total, 1))
        if total > limit and len(out[k]) > share:
            out[k] = rng.sample(out[k], share)


class Recorder:
    """One file system on a recorded disk."""

    def __init__(self, fs, work, slow=False, note=None):
        size, self.mkfs, fast, slowdata = FILESYSTEMS[fs]
        self.fs = fs
        self.size = size << 20
        self.data = slowdata if slow else fast
        self.image = os.path.join(work, f"{fs}.img")
        self.fuse = os.path.join(work, f"{fs}.fuse")
        self.root = os.path.join(work, f"{fs}.mnt")
        self.note = note
        self.proc = None
        self.dev = None
        self.at = 0
        for d in (self.fuse, self.root):
            os.makedirs(d, exist_ok=True)

    def prepare(self, populate):
        """mkfs on a plain image; populate(root) creates the tree."""
        with open(self.image, "wb") as f:
            f.truncate(self.size)
        subprocess.run(self.mkfs + [self.image], check=True,
                       stdout=subprocess.DEVNULL)
        dev = loop_attach(self.image, self.note)
        try:
            mount(dev, self.root, self.fs)
            try:
                populate(self.root)
            finally:
                umount(self.root)
        finally:
            loop_detach(dev)

    def serve(self):
        self.proc = subprocess.Popen(
            [os.path.join(BUILD, "blockrec"), self.image, self.fuse],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not os.path.exists(os.path.join(self.fuse, "disk")):
            if self.proc.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("blockrec does not start")
            time.sleep(0.002)
        self.ctl = os.open(os.path.join(self.fuse, "control"),
                           os.O_WRONLY | os.O_CLOEXEC)
        self.dev = loop_attach(os.path.join(self.fuse, "disk"), self.note)

    def command(self, text):
        os.write(self.ctl, text.encode())

    @property
    def control(self):
        return os.path.join(self.fuse, "control")

    def mark_ack(self, ident):
        self.command(f"mark ack {ident}")

    def mount(self):
        mount(self.dev, self.root, self.fs, self.data)

    def umount(self):
        umount(self.root)

    def start(self, populate):
        self.prepare(populate)
        self.serve()
        self.mount()

    def cut(self):
        """Nothing after this is part of the recording."""
        self.command("mark END")
        self.command("stop")

    def stop(self):
        """Ready to rebuild states."""
        self.cut()
        self.umount()
        self.command("rewind")
        self.at = 0

    def events(self, nested=False):
        with open(os.path.join(self.fuse, "nlog" if nested else "log")) as f:
            out = []
            for line in f:
                _, k, *rest = line.rstrip("\n").split(" ", 2)
                text = rest[0] if rest else ""
                if k == "W" and self.fs != "btrfs":
                    text = ""
                out.append((k, text))
            return out

    def enter(self, state):
        if state.base < self.at:
            self.command("rewind")
            self.at = 0
        if state.base > self.at:
            self.command(f"advance {state.base}")
            self.at = state.base
        self.command("push")
        self.apply(state.extra)

    def apply(self, numbers, word="apply"):
        # One command is one request; a long list is sent in pieces.
        parts = numbers.split()
        for i in range(0, len(parts), 2000):
            self.command(f"{word} " + " ".join(parts[i:i + 2000]))

    def leave(self):
        self.command("pop")

    def close(self):
        if os.path.ismount(self.root):  # only after an error
            umount(self.root)
        try:
            if self.dev:
                loop_detach(self.dev)
                self.dev = None
            if self.proc:
                os.close(self.ctl)
                umount(self.fuse)
                self.proc.wait(10)
        finally:
            if self.proc:
                self.proc.kill()
                self.proc.wait()
                self.proc = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Tally:
    """Counts of one file system, one line a kind of state."""

    FIELDS = ("states", "recovered", "lost", "corrupt", "returned", "pending",
              "doubled", "broken")

    def __init__(self):
        self.rows = {}
        self.examples = []

    def row(self, kind):
        return self.rows.setdefault(kind, dict.fromkeys(self.FIELDS, 0))

    def add(self, kind, verdict, what, recovered=False):
        r = self.row(kind)
        r["states"] += 1
        r["recovered"] += recovered
        r["lost"] += bool(verdict.lost)
        r["corrupt"] += bool(verdict.corrupt)
        r["returned"] += bool(verdict.returned)
        r["pending"] += verdict.pending
        r["doubled"] += verdict.doubled
        bad = verdict.lost or verdict.corrupt or verdict.returned
        if bad and len(self.examples) < 20:
            self.examples.append(f"{what}: lost {verdict.lost[:3]} "
                                 f"corrupt {verdict.corrupt[:3]} "
                                 f"returned {verdict.returned[:3]}")

    def broken(self, kind, what):
        r = self.row(kind)
        r["states"] += 1
        r["broken"] += 1
        if len(self.examples) < 20:
            self.examples.append(what)

    def total(self, field):
        return sum(r[field] for r in self.rows.values())

    def merge(self, other):
        for k, r in other.rows.items():
            mine = self.row(k)
            for f in self.FIELDS:
                mine[f] += r[f]
        self.examples += other.examples[:20 - len(self.examples)]


def check_states(rec, states, judge, recover, nested=0, seed=0,
                 deadline=None, tally=None):
    """Mount every state and judge it.

    recover(root, acked) runs the real recovery code; in half of the states
    (state.active) it runs before the judge.  For `nested` states in a
    hundred of those the power is cut again during recovery, at a random
    prefix of what recovery wrote, and recovery runs once more."""
    from .judge import DirView
    rng = random.Random(f"{seed}/nested")
    tally = tally or Tally()
    for s in states:
        if deadline and time.monotonic() > deadline:
            break
        cut_again = s.active and rng.random() * 100 < nested
        rec.enter(s)
        try:
            _one(rec, s, s.kind, judge, recover, tally, cut_again, DirView)
            if cut_again:
                _again(rec, s, judge, recover, tally, rng, DirView)
        finally:
            rec.leave()
    return tally


def _one(rec, s, kind, judge, recover, tally, record, view):
    if record:
        rec.command("push")
        rec.command("nested on")
    try:
        try:
            rec.mount()
        except OSError as e:
            tally.broken(kind, f"{rec.fs} {s}: {e}")
            return
        try:
            if s.active:
                recover(rec.root, s.acked)
            verdict = judge.judge(view(rec.root), s.acked, s.active)
            tally.add(kind, verdict,
                      f"{rec.fs} {s}{' recovered' if s.active else ''}",
                      s.active)
        except OSError as e:
            tally.broken(kind, f"{rec.fs} {s}: {e!r}")
        finally:
            rec.umount()
    finally:
        if record:
            rec.command("nested off")
            rec.command("pop")


def _again(rec, s, judge, recover, tally, rng, view):
    events = rec.events(nested=True)
    writes = [i for i, (k, _) in enumerate(events) if k in "WP"]
    if not writes:
        return
    cut = rng.choice(writes)
    last = max([i for i in range(cut) if events[i][0] == "F"], default=0)
    volatile = [w for w in writes if last <= w <= cut]
    keep = [w for w in writes if w < last]
    if rng.random() < 0.5:
        keep += volatile                        # prefix
    else:
        keep += [w for w in volatile if rng.random() < 0.7]
    rec.command("push")
    try:
        rec.apply(runs(keep), "napply")
        _one(rec, s, "nested", judge, recover, tally, False, view)
    finally:
        rec.command("pop")
