"""The simulators are tested themselves: each planted fault must be found,
and an object without a fault must come out clean."""
import json

import pytest

from crashlib import box
from crashlib.block import plan, runs
from crashlib.mail import siphash24


def mini(*args, timeout=600):
    p = box.call("mini", args, timeout, capture=True)
    assert p.returncode == 0
    return json.loads(p.stdout)


def total(out, field):
    return sum(r[field] for r in out["rows"].values())


# -- the parts --

def test_siphash_has_the_paper_vector():
    key = bytes(range(16))
    assert siphash24(bytes(range(15)), key) == 0xa129ca6149be45e5


def test_runs_are_short():
    assert runs([3, 4, 5, 9]) == "3-5 9"


def test_plan_of_a_small_log():
    # Two epochs: a write, a flush, two writes with a mark between them.
    log = [("W", ""), ("F", ""), ("W", ""), ("M", "ack a"), ("W", "")]
    got = {(s.kind, s.base, s.extra, s.acked) for s in plan(log, 0, 1)}
    assert ("prefix", 0, "0", ()) in got
    assert ("torn", 0, "t0", ()) in got
    assert ("at-ack", 1, "2", ("a",)) in got
    assert ("flushed", 1, "", ("a",)) in got
    # the last epoch holds two writes: all four subsets, at its end
    for extra in ("", "2", "4", "2 4"):
        assert ("reorder", 1, extra, ("a",)) in got
    # a prefix without the mark does not owe the message
    assert ("prefix", 1, "2", ()) in got
    assert ("prefix", 1, "2 4", ("a",)) in got


def test_plan_is_deterministic_and_bounded():
    log = [("W", "")] * 40 + [("F", ""), ("M", "ack a")] + [("W", "")] * 40
    one, two = plan(log, 50, 7), plan(log, 50, 7)
    assert [str(s) for s in one] == [str(s) for s in two]
    assert len(one) <= 50
    assert {"at-ack", "flushed"} <= {s.kind for s in one}


# -- the block recorder --

@pytest.mark.parametrize("fs", ["ext4", "xfs", "btrfs"])
@pytest.mark.parametrize("order", ["full", "batch"])
def test_block_finds_nothing_in_a_right_queue(fs, order):
    out = mini("block", fs, order, "-", 100)
    assert total(out, "states") >= 80
    assert total(out, "lost") == 0, out["examples"]
    assert total(out, "corrupt") == 0, out["examples"]
    assert total(out, "broken") == 0, out["examples"]


@pytest.mark.parametrize("fs,order,fault", [
    ("ext4", "full", "msg"), ("ext4", "full", "env"),
    ("ext4", "full", "dirs"), ("ext4", "full", "mfile"),
    ("ext4", "full", "all"), ("ext4", "batch", "syncfs"),
    ("ext4", "batch", "early"), ("ext4", "batch", "mfile"),
    ("ext4", "batch", "barrier"),
    ("xfs", "full", "all"), ("xfs", "full", "msg"), ("xfs", "full", "dirs"),
    ("xfs", "batch", "syncfs"), ("xfs", "batch", "barrier"),
    ("btrfs", "full", "all"), ("btrfs", "full", "msg"),
    ("btrfs", "full", "dirs"),
    ("btrfs", "batch", "syncfs"),
])
def test_block_finds_a_planted_fault(fs, order, fault):
    out = mini("block", fs, order, fault, 100)
    assert total(out, "lost") > 0, out["rows"]


def test_block_sees_truncated_mail():
    out = mini("block", "ext4", "full", "mfile", 100)
    assert total(out, "corrupt") > 0, out["rows"]


def test_only_acknowledgement_states_show_a_queue_without_any_sync():
    rows = mini("block", "ext4", "full", "all", 100)["rows"]
    assert rows["at-ack"]["lost"] == rows["at-ack"]["states"] > 0
    assert rows["prefix"]["lost"] == 0


# -- the call recorder --

@pytest.mark.parametrize("order", ["full", "batch"])
def test_calls_of_a_right_queue_are_enough(order):
    out = mini("call", order, "-", 0)
    for model in ("weak", "ext4"):
        assert total(out[model], "states") > 100
        assert total(out[model], "lost") == 0, out[model]["blame"]
        assert total(out[model], "corrupt") == 0, out[model]["blame"]


@pytest.mark.parametrize("order,fault,missing", [
    ("full", "msg", "fsync of a file of queue/mess"),
    ("full", "env", "fsync of a file of queue/todo"),
    ("full", "todo", "fsync of directory queue/todo"),
    ("full", "mess", "fsync of directory queue/mess"),
    ("full", "mfile", "fsync of a file of home/user/Maildir/new"),
    ("full", "mnew", "fsync of directory home/user/Maildir/new"),
    ("batch", "syncfs", "fsync of directory queue/todo"),
    ("batch", "early", "fsync of directory queue/todo"),
    ("batch", "mfile", "fsync of a file of home/user/Maildir/new"),
    ("batch", "mnew", "fsync of directory home/user/Maildir/new"),
    ("batch", "barrier", "fsync of directory queue/local"),
])
def test_calls_name_the_missing_sync(order, fault, missing):
    weak = mini("call", order, fault, 0)["weak"]
    assert total(weak, "lost") + total(weak, "corrupt") > 0
    most = max(weak["blame"].values(), key=lambda b: b[0])[0]
    assert weak["blame"][missing][0] >= most / 20, weak["blame"]


def test_calls_find_an_envelope_without_checksum():
    weak = mini("call", "batch", "nosum", 0)["weak"]
    assert total(weak, "corrupt") > 0
    assert total(weak, "lost") == 0


# -- the sweep --

@pytest.mark.parametrize("which", ["submit", "deliver"])
def test_sweep_of_a_right_program_is_clean(which):
    out = mini("sweep", which, "-")
    assert total(out, "hit") > 100
    assert total(out, "lost") == total(out, "corrupt") == 0, out["examples"]


@pytest.mark.parametrize("which,fault", [
    ("submit", "nocheck-write"), ("submit", "nocheck-short"),
    ("submit", "nocheck-rename"), ("deliver", "unlink-first"),
    ("deliver", "nocheck-write"), ("deliver", "nocheck-short"),
])
def test_sweep_finds_a_planted_fault(which, fault):
    out = mini("sweep", which, fault, "kill,short,EIO")
    assert total(out, "lost") > 0, out["rows"]
