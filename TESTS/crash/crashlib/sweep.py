"""The third simulator: disturb each system call of a program in turn.

A subject is something that runs one scenario with one program disturbed:

  programs            names, as calltrace -p takes them
  reset()             everything as new
  run(program, wrap)  the scenario; wrap(argv) is how to start what holds the
                      program under the tracer.  Returns the idents that were
                      acknowledged.
  settle()            restart what died, undisturbed, and let the queue empty;
                      true if it does not
  hung()              clients of this run that did not come back
  judge(acked)        a Verdict

A fake error means the call did not happen; kill strikes at its entry.
"""
import collections
import errno
import os
import random
import re
import shutil
import subprocess
import time

from . import miniq
from .block import BUILD
from .judge import DirView, QmailJudge

ERRORS = ("EIO", "ENOSPC", "EINTR", "EMFILE", "ENOMEM", "EAGAIN", "EPERM")
ACTIONS = ("kill", "short") + ERRORS
SHORTABLE = {"write", "pwrite64", "writev", "read", "pread64", "readv",
             "sendto", "recvfrom", "sendfile"}
# Calls that cannot fail: there a fake error shows nothing.
SURE = {"getpid", "gettid", "getppid", "getuid", "geteuid", "getgid",
        "getegid", "umask", "alarm", "exit", "exit_group", "rt_sigreturn",
        "set_tid_address", "sched_yield"}


def call_names():
    out = {}
    for p in ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
              "/usr/include/asm/unistd_64.h"):
        if os.path.exists(p):
            with open(p) as f:
                for m in re.finditer(r"#define __NR_(\w+) (\d+)", f.read()):
                    out[int(m[2])] = m[1]
            break
    return out


CALLS = call_names()


def injector(log, program, k=0, action=None):
    """wrap() that counts (k = 0) or disturbs call number k."""
    cmd = [os.path.join(BUILD, "calltrace"), "inject", "-o", log,
           "-p", program]
    if k:
        a = action
        if action in ERRORS:
            a = f"err={getattr(errno, action)}"
        cmd += ["-k", str(k), "-a", a]
    return lambda argv: cmd + ["--"] + argv


def counted(log):
    """Numbers of the calls in order, from a log of a counting run."""
    out = []
    with open(log) as f:
        for line in f:
            w = line.split()
            if len(w) == 6 and w[3] == "call":
                out.append(int(w[5]))
    return out


def was_hit(log):
    """Number of the disturbed call, or None."""
    with open(log) as f:
        for line in f:
            w = line.split()
            if len(w) == 6 and w[3] == "hit":
                return int(w[5])
    return None


class Sweep:
    def __init__(self):
        self.rows = collections.OrderedDict()
        self.examples = []

    FIELDS = ("calls", "runs", "hit", "lost", "corrupt", "returned", "stuck",
              "hung", "doubled", "unacked")

    def row(self, prog):
        return self.rows.setdefault(prog, dict.fromkeys(self.FIELDS, 0))

    def total(self, field):
        return sum(r[field] for r in self.rows.values())


def possible(nr, action):
    name = CALLS.get(nr)
    if action == "short":
        return name in SHORTABLE
    return action == "kill" or name not in SURE


def plan(calls, actions, share, rng):
    """(k, action) pairs; share in (0, 1] of them, but each distinct call of
    the program at least once per action group when it can be."""
    every = [(k, a) for k, nr in enumerate(calls, 1) for a in actions
             if possible(nr, a)]
    if share >= 1:
        return every
    n = max(1, int(len(every) * share))
    first = {}
    for k, nr in enumerate(calls, 1):
        first.setdefault(nr, []).append(k)
    chosen = []
    for nr, ks in first.items():
        can = [a for a in actions if possible(nr, a)]
        if can:
            chosen.append((rng.choice(ks), rng.choice(can)))
    rng.shuffle(chosen)
    chosen = chosen[:n]
    chosen += rng.sample(every, max(0, n - len(chosen)))
    return sorted(set(chosen))


def sweep(subject, log, share=1.0, seed=0, actions=ACTIONS, programs=None,
          deadline=None, progress=None, max_per_program=0):
    """Disturb and judge.  Returns a Sweep."""
    out = Sweep()
    rng = random.Random(seed)
    for prog in programs or subject.programs:
        r = out.row(prog)
        subject.reset()
        acked = subject.run(prog, injector(log, prog))
        subject.settle()
        v = subject.judge(acked)
        calls = counted(log)
        r["calls"] = len(calls)
        if v.lost or v.corrupt or not acked or not calls:
            raise RuntimeError(f"{prog}: undisturbed run is not clean: "
                               f"{len(calls)} calls, acked {acked}, "
                               f"{v.lost} {v.corrupt}")
        todo = plan(calls, actions, share, rng)
        if max_per_program and len(todo) > max_per_program:
            todo = sorted(rng.sample(todo, max_per_program))
        for k, action in todo:
            if deadline and time.monotonic() > deadline:
                return out
            subject.reset()
            begun = time.monotonic()
            acked = subject.run(prog, injector(log, prog, k, action))
            stuck = subject.settle()
            v = subject.judge(acked)
            nr = was_hit(log)
            r["runs"] += 1
            r["hit"] += nr is not None
            r["lost"] += len(v.lost)
            r["corrupt"] += bool(v.corrupt)
            r["returned"] += len(v.returned)
            r["stuck"] += bool(stuck)
            r["hung"] += subject.hung()
            r["doubled"] += v.doubled
            r["unacked"] += subject.sent() - len(acked)
            if progress and os.environ.get("CRASH_VERBOSE"):
                progress(f"{prog} call {k} ({CALLS.get(nr, nr)}) {action}: "
                         f"{time.monotonic() - begun:.2f} s, acknowledged "
                         f"{len(acked)} of {subject.sent()}, {v.doubled} "
                         "doubled")
            if v.lost or v.corrupt or v.returned or stuck or subject.hung():
                what = (f"{prog} call {k} ({CALLS.get(nr, nr)}) {action}: "
                        f"lost {v.lost} corrupt {v.corrupt} "
                        f"returned {v.returned}"
                        f"{' stuck' if stuck else ''}"
                        f"{' client hangs' if subject.hung() else ''}")
                out.examples.append(what)
                if progress:
                    progress(what)
        if progress:
            progress(f"{prog}: {r}")
    return out


class MiniSubject:
    """miniprog, with one planted fault or none."""

    def __init__(self, work, fault="-"):
        self.root = os.path.join(work, "mini")
        self.fault = fault
        self.prog = os.path.join(BUILD, "miniprog")
        self.programs = ("submit", "deliver")
        self.messages = miniq.messages(2)

    def reset(self):
        shutil.rmtree(self.root, ignore_errors=True)
        miniq.populate(self.root)

    def sent(self):
        return len(self.messages)

    @staticmethod
    def hung():
        return 0

    def _submit(self, m, wrap):
        return subprocess.run(
            wrap([self.prog, "submit", self.root, self.fault]),
            input=m.data, stderr=subprocess.DEVNULL, timeout=60)

    def _deliver(self, wrap):
        subprocess.run(wrap([self.prog, "deliver", self.root, self.fault]),
                       timeout=60)


class MiniSubmit(MiniSubject):
    """The submitter is disturbed: the tracer hides its exit status, so a
    shell around it notes the acknowledgement."""

    def run(self, prog, wrap):
        acked = []
        for m in self.messages:
            note = os.path.join(self.root, "status")
            subprocess.run(
                wrap(["sh", "-c", '"$@"; echo $? > "$0"', note, self.prog,
                      "submit", self.root, self.fault]),
                input=m.data, timeout=60, stderr=subprocess.DEVNULL)
            with open(note) as f:
                if f.read().strip() == "0":
                    acked.append(m.ident)
            wrap = list          # only the first is disturbed
        return acked

    def settle(self):
        self._deliver(list)
        return None

    def judge(self, acked):
        return QmailJudge(self.messages, checksum=False).judge(
            DirView(self.root), acked, True)


class MiniDeliver(MiniSubmit):
    def run(self, prog, wrap):
        acked = super().run(prog, list)
        self._deliver(wrap)
        return acked


def mini_sweep(work, which, fault, share=1.0, seed=0, actions=ACTIONS):
    cls = {"submit": MiniSubmit, "deliver": MiniDeliver}[which]
    subject = cls(work, fault)
    subject.programs = ("miniprog",)
    return sweep(subject, os.path.join(work, "sweep.log"), share, seed,
                 actions)
