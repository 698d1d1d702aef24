"""The simulators against the mini-queue: python -m crashlib.mini WORK ...

    block FS ORDER FAULT STATES     (FAULT - for none)
    call ORDER FAULT STATES
    sweep submit|deliver FAULT [ACTION,...]
Prints one JSON object.
"""
import json
import os
import sys

from . import block, callrec, miniq, sweep
from .judge import QmailJudge


def run_block(work, fs, order, fault, limit, seed=1, count=12):
    msgs = miniq.messages(count)
    with block.Recorder(fs, work, note=os.path.join(work, "loops")) as rec:
        rec.start(miniq.populate)
        miniq.sequence(rec.root, order, fault, msgs, rec.mark_ack)
        rec.stop()
        states = block.plan(rec.events(), limit, seed)
        return block.check_states(
            rec, states, QmailJudge(msgs, checksum=order == "batch"),
            lambda root, acked: miniq.recover(root, order, fault),
            nested=20, seed=seed)


def run_call(work, order, fault, limit, seed=1, count=6):
    """For each model its (tally, blame)."""
    root, marks = os.path.join(work, "root"), os.path.join(work, "marks")
    log = os.path.join(work, "log")
    os.mkdir(root)
    open(marks, "w").close()
    miniq.populate(root)
    snap = callrec.snapshot(root)
    callrec.record([sys.executable, "-m", "crashlib.miniq", root, order,
                    fault or "-", str(count), marks], root, marks, log)
    judge = QmailJudge(miniq.messages(count),
                       checksum=order == "batch" and fault != "nosum")
    return {name: callrec.check(cls(log, snap), judge, limit, seed)
            for name, cls in (("weak", callrec.Trace),
                              ("ext4", callrec.TraceExt4))}


def main(work, what, *args):
    if what == "block":
        fs, order, fault, limit = args
        t = run_block(work, fs, order, None if fault == "-" else fault,
                      int(limit))
        out = {"rows": t.rows, "examples": t.examples}
    elif what == "call":
        order, fault, limit = args
        out = {}
        for name, (t, blame) in run_call(
                work, order, None if fault == "-" else fault,
                int(limit)).items():
            out[name] = {"rows": t.rows, "examples": t.examples,
                         "blame": blame}
    else:
        actions = args[2].split(",") if args[2:] else sweep.ACTIONS
        s = sweep.mini_sweep(work, args[0], args[1], actions=actions)
        out = {"rows": s.rows, "examples": s.examples[:20]}
    json.dump(out, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
