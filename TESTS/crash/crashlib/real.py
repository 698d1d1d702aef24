"""The simulators against a real mail system, inside a throwaway host.

    python -m crashlib.real WORK 'JSON'     started by outer.py
    python -m crashlib.real --workload WORK 'JSON'   the traced half of `call`

Prints JSON lines: {"say": text}, {"part": name, ...result...}.
"""
import json
import os
import sys
import threading
import time

from . import block, callrec, sweep
from .judge import DirView
from .system import SYSTEMS, pids

REC = "/rec"


def emit(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def tally_json(t):
    return {"rows": t.rows, "examples": t.examples}


# Each recording is made in one of these ways in turn: (senders, pause in
# seconds, messages, journal commits every second, the disk fails one flush).
VARIANTS = [(1, 0, 24, False, False), (8, 0, 48, False, False),
            (3, 0.02, 24, False, False), (1, 0, 10, False, True),
            (2, 0.5, 16, True, False), (8, 0, 96, False, False)]


def run_block(system, fs, spec, deadline):
    """Rounds of record and rebuild until there are spec["states"]."""
    total = block.Tally()
    want, rnd = spec["states"], 0
    while total.total("states") < want and time.monotonic() < deadline:
        seed = spec["seed"] + rnd
        senders, pause, count, slow, fails = VARIANTS[rnd % len(VARIANTS)]
        if spec.get("messages"):
            count = spec["messages"]
        msgs = system.messages(count, seed)
        judge = system.judge_of(msgs)
        with block.Recorder(fs, system.work, slow,
                            os.path.join(system.work, "loops")) as rec:
            rec.start(system.populate)
            keep = set(system.keep)
            system.keep |= pids()       # blockrec is not the mail system
            acked = []

            def acknowledge(ident):
                rec.mark_ack(ident)
                acked.append(ident)
                if fails and len(acked) == count // 2:
                    rec.command("failflush 1")

            system.attach(rec.root)
            try:
                system.start()
                system.workload(msgs, acknowledge, senders, pause)
                # A file system whose disk failed takes nothing any more.
                done = system.wait_settled(rec.root, judge, acked,
                                           1 if fails else None)
                rec.cut()
            finally:
                system.stop()
                system.detach()
            if not fails and (len(acked) != len(msgs) or not done):
                v = judge.judge(DirView(rec.root), acked, system.delivers)
                raise RuntimeError(
                    f"{system.name} on {fs}: {len(acked)} of {len(msgs)} "
                    f"acknowledged, not delivered: {v.lost[:5]}")
            rec.stop()
            share = want - total.total("states")
            if spec.get("per_round"):
                share = min(share, spec["per_round"])
            states = block.plan(
                rec.events(), max(share, 1), seed,
                spec.get("active", 50) if system.delivers else 0)
            part = block.check_states(
                rec, states, judge,
                lambda root, acks: system.recover(root, judge, acks),
                nested=spec.get("nested", 10), seed=seed, deadline=deadline)
            total.merge(part)
            system.keep = keep
            emit(say=f"{system.name} {fs} round {rnd}: {senders} senders, "
                 f"{'a failed flush, ' if fails else ''}"
                 f"{len(acked)} of {len(msgs)} messages acknowledged, "
                 f"{len(rec.events())} events, "
                 + ", ".join(f"{part.total(k)} {k}" for k in
                             ("states", "recovered", "lost", "corrupt",
                              "returned", "broken")))
        rnd += 1
    return total


def make_rec(system, fstype="tmpfs"):
    os.makedirs(REC, exist_ok=True)
    block.mount("rec", REC, fstype, "mode=755")
    system.populate(REC)


def workload_half(work, spec):
    """Runs under calltrace: start, submit, wait, stop."""
    system = SYSTEMS[spec["system"]](work)
    msgs = system.messages(spec["messages"], spec["seed"])
    judge = system.judge_of(msgs)
    fd = os.open(os.path.join(work, "marks"), os.O_WRONLY | os.O_APPEND)
    acked = []

    def acknowledge(ident):
        os.write(fd, f"mark ack {ident}\n".encode())
        acked.append(ident)

    system.start()
    try:
        system.workload(msgs, acknowledge, spec.get("senders", 3))
        ok = system.wait_settled(REC, judge, acked, 60)
        quiet_until(system, REC)
    finally:
        system.stop()
    if not ok or len(acked) != len(msgs):
        v = judge.judge(DirView(REC), acked, system.delivers)
        raise RuntimeError(f"{len(acked)} acknowledged, {v.lost[:5]}")


def quiet_until(system, root, seconds=3):
    """Let the removals of a finished queue be part of the recording."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not DirView(root).files("queue/todo"):
            break
        time.sleep(0.02)


def run_call(system, spec):
    """For each model its tally and blame."""
    import subprocess
    log, marks = (os.path.join(system.work, n) for n in ("calls", "marks"))
    open(marks, "w").close()
    make_rec(system)
    system.attach(REC)
    inner = dict(spec, system=system.name)
    try:
        snap = callrec.snapshot(REC)
        callrec.record(
            [sys.executable, "-B", "-m", "crashlib.real", "--workload",
             system.work, json.dumps(inner)], REC, marks, log, timeout=300,
            stdout=subprocess.DEVNULL)
    finally:
        system.stop()
        system.detach()
        block.umount(REC)
    judge = system.judge_of(system.messages(spec["messages"], spec["seed"]))
    out = {}
    for name, cls in (("weak", callrec.Trace), ("ext4", callrec.TraceExt4)):
        trace = cls(log, snap)
        if len(trace.marks) < spec["messages"]:
            raise RuntimeError(f"only {len(trace.marks)} acknowledgements "
                               "were recorded")
        t, blame = callrec.check(trace, judge, spec["states"], spec["seed"])
        out[name] = dict(tally_json(t), blame=blame, ops=len(trace.ops),
                         acks=len(trace.marks))
    return out


class MailPath:
    """The subject of the sweep: the whole mail path, one program disturbed."""

    programs = ("qmail-queued", "qmail-queue", "qmail-inject", "qmail-todo",
                "qmail-send", "qmail-lspawn", "qmail-local", "qmail-clean",
                "qmail-getpw")
    # what is started under the tracer, one process of it
    service = {"qmail-queued": "qmail-queued", "qmail-queue": "queue",
               "qmail-inject": "inject"}
    ways = ("queue", "inject", "socket", "socket")

    def __init__(self, system, spec):
        self.system = system
        self.spec = spec
        self.round = 0
        system.client_seconds = 8
        make_rec(system)
        system.attach(REC)
        self.fresh = True

    def close(self):
        self.system.stop()
        self.system.detach()
        block.umount(REC)

    def reset(self):
        self.system.stop()
        self.system.detach()
        if not self.fresh:
            self.system.empty(REC)
            self.system.populate(REC)
        self.fresh = False
        self.system.attach(REC)
        self.round += 1
        self.system.wrap = {}
        self.system.hung = 0
        every = self.system.messages(8, self.round)
        # one recipient, two, a deferral beside a delivery, a bounce
        self.msgs = [every[i] for i in (0, 2, 4, 5)]
        for m, way in zip(self.msgs, self.ways):
            m.way = way
        self.judge_ = self.system.judge_of(self.msgs)

    def sent(self):
        return len(self.msgs)

    def hung(self):
        return self.system.hung

    def run(self, prog, wrap):
        s = self.system
        where = self.service.get(prog, "qmail")
        s.wrap = {where: wrap}
        s.start()
        acked = []
        over = threading.Event()

        def supervise():
            while not over.wait(0.02):
                s.revive()

        # What died is started again; what was deferred is tried again.
        t = threading.Thread(target=supervise)
        t.start()
        try:
            for m in self.msgs:
                if s.submit(m):
                    acked.append(m.ident)
            s.wait_settled(REC, self.judge_, acked, 3, nudge=True)
        finally:
            over.set()
            t.join()
        self.acked = acked
        return acked

    def settle(self):
        """If that was not enough: stop all and start over."""
        s = self.system
        s.wrap = {}
        if s.settled(REC, self.judge_, self.acked):
            s.stop()
            return None
        s.stop()
        s.start()
        s.wait_settled(REC, self.judge_, self.acked, 15, nudge=True)
        s.stop()
        return None if s.settled(REC, self.judge_, self.acked) else "a while"

    def judge(self, acked):
        return self.judge_.judge(DirView(REC), acked, self.system.delivers)


def run_sweep(system, spec, deadline):
    subject = MailPath(system, spec)
    log = os.path.join(system.work, "sweep.log")
    try:
        return sweep.sweep(
            subject, log, spec.get("share", 1.0), spec["seed"],
            programs=spec.get("programs") or subject.programs,
            deadline=deadline, max_per_program=spec.get("per_program", 0),
            progress=lambda text: emit(say=text))
    finally:
        subject.close()


def main(work, text):
    spec = json.loads(text)
    os.chmod(work, 0o755)
    system = SYSTEMS[spec["system"]](work)
    system.setup()
    for part in spec["parts"]:
        deadline = time.monotonic() + part.get("seconds", 1e6)
        part.setdefault("seed", 1)
        start = time.monotonic()
        if part["part"] == "block":
            t = run_block(system, part["fs"], part, deadline)
            out = tally_json(t)
        elif part["part"] == "call":
            out = run_call(system, part)
        else:
            s = run_sweep(system, part, deadline)
            out = {"rows": s.rows, "examples": s.examples}
        emit(done=part, took=time.monotonic() - start, result=out)


if __name__ == "__main__":
    if sys.argv[1] == "--workload":
        workload_half(sys.argv[2], json.loads(sys.argv[3]))
    else:
        main(*sys.argv[1:])
