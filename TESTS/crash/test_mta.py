"""A minute's share of the three simulators against the mail system itself.

`run --full` does all of it.  Nothing here depends on how fast anything is:
a deadline ends a part early, and what was checked until then counts."""
import pytest

from crashlib import outer

LACKING = outer.missing_programs()
pytestmark = pytest.mark.skipif(
    bool(LACKING), reason=f"not in this checkout yet: {' '.join(LACKING)}")


def results(parts, seconds=1500, nosync=False):
    said = []
    run = outer.Run("valija", say=said.append, seconds=seconds,
                    nosync=nosync)
    out = []
    for part, result, took in run.parts(parts):
        text, bad = outer.show("valija", part, result, took)
        print(text)
        out.append((part, result, bad))
    assert len(out) == len(parts), said
    return out


def total(rows, field):
    return sum(r[field] for r in rows.values())


@pytest.fixture(scope="module")
def minute():
    """All parts on one host: its installation is the dear part."""
    parts = [{"part": "block", "fs": fs, "states": 60, "nested": 10,
              "per_round": 40, "seed": 11}
             for fs in ("ext4", "xfs", "btrfs")]
    parts.append({"part": "call", "messages": 16, "seed": 1, "states": 4000})
    parts.append({"part": "sweep", "seed": 1, "share": 0.02,
                  "per_program": 7})
    return results(parts)


@pytest.mark.parametrize("i", range(3), ids=["ext4", "xfs", "btrfs"])
def test_no_power_cut_loses_acknowledged_mail(minute, i):
    part, result, bad = minute[i]
    assert total(result["rows"], "states") >= part["states"]
    assert result["rows"]["flushed"]["states"] > 0
    assert bad == 0, result["examples"]


def test_no_sync_is_missing(minute):
    _, result, bad = minute[3]
    for model in ("weak", "ext4"):
        assert result[model]["acks"] == 16
        assert total(result[model]["rows"], "states") >= 500
    assert bad == 0, {m: r["blame"] for m, r in result.items()}


def test_no_disturbed_call_loses_acknowledged_mail(minute):
    _, result, bad = minute[4]
    for program, row in result["rows"].items():
        assert row["calls"] > 0, program
        assert row["runs"] > 0, program
    assert total(result["rows"], "hit") > 0
    assert bad == 0, result["examples"]


def test_without_syncs_the_loss_is_found():
    """The planted fault: the same mail system, no sync does anything."""
    block, call = results(
        [{"part": "block", "fs": "ext4", "states": 20, "seed": 3,
          "per_round": 20},
         {"part": "call", "messages": 5, "seed": 1, "states": 400}],
        nosync=True)
    assert total(block[1]["rows"], "lost") > 0
    weak = call[1]["weak"]
    assert total(weak["rows"], "lost") > 0
    assert "fsync of directory queue/todo" in weak["blame"]
