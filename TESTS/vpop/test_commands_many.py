"""Commands over many accounts and many domains: what they need, and that all
accounts are changed or none, wherever something is killed."""

import json
import re
import subprocess
import time

import pytest

from commandlab import BOUNCE, GOLD, Lab, NO_POP, one_error
from vsite import VPOPMAIL


@pytest.fixture(scope="module")
def lab(vsite):
    lab = Lab(vsite)
    lab.domains("many.example")
    lab.assign()
    lab.tool(["load", "many.example", "user", "10000", "0"])
    return lab


@pytest.fixture
def small(lab):
    """KB for a listing of nobody."""
    return rss(lab, "vuserinfo", "-D", GOLD)


RSS = """
import resource, subprocess, sys
p = subprocess.run(sys.argv[1:], stdout=open("/run/many.out", "wb"))
print(p.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def rss(lab, *argv):
    """KB that the program needs at its most."""
    lab.h.write("/run/rss.py", RSS)
    code, kb = lab.h.run(["python3", "/run/rss.py",
                          f"{VPOPMAIL}/bin/{argv[0]}", *argv[1:]]
                         ).stdout.split()
    assert code == "0"
    return int(kb)


def test_many_users(lab, small):
    """10,000 accounts: all are there, and what a listing needs grows by less
    than a kilobyte for each."""
    assert lab.v("vdominfo", "-t", "many.example") == "10000\n"
    for args in ((), ("-j",)):
        kb = rss(lab, "vuserinfo", *args, "-D", "many.example")
        assert kb - small < 8192, (kb, small)
        text = lab.h.read("/run/many.out")
        if args:
            names = [json.loads(x)["name"] for x in text.splitlines()]
        else:
            names = re.findall(r"(?m)^name:   (.*)$", text)
            assert text.count("dir:       \n") == 10000
        assert names == [f"user{i:06}" for i in range(10000)]
    assert lab.v("vmoduser", "-xp", "many.example") == ""
    out = lab.v("vuserinfo", "-g", "-D", "many.example")
    assert out == f"{NO_POP}\n" * 10000


def all_or_none(lab, flag):
    """The flags of all accounts are the same; whether they have this one."""
    got = set(lab.v("vuserinfo", "-g", "-D", "many.example").split())
    assert len(got) == 1, got
    return bool(int(got.pop()) & flag)


def test_killed_in_the_middle(lab):
    """Wherever it is killed: all accounts have the flag, or none."""
    for i in range(6):
        assert lab.v("vmoduser", "-x", "many.example") == ""
        p = lab.h.popen([f"{VPOPMAIL}/bin/vmoduser", "-b", "many.example"])
        lab.h.wait(lambda: lab.h.running("vmoduser") or p.poll() is not None,
                   "vmoduser")
        time.sleep(i * 0.02)        # anywhere is right
        lab.h.kill("vmoduser")
        p.wait(60)
        all_or_none(lab, BOUNCE)
    # and the next one finds nothing in its way
    assert lab.v("vmoduser", "-b", "many.example") == ""
    assert all_or_none(lab, BOUNCE)


def test_database_killed_in_the_middle(lab):
    if lab.store != "mysql":
        pytest.skip("there is no server")
    for i in range(3):
        assert lab.v("vmoduser", "-x", "many.example") == ""
        p = lab.h.popen([f"{VPOPMAIL}/bin/vmoduser", "-b", "many.example"],
                        stdout=subprocess.PIPE, text=True)
        lab.h.wait(lambda: lab.h.running("vmoduser") or p.poll() is not None,
                   "vmoduser")
        time.sleep(i * 0.1)
        lab.s.db.kill()
        out = p.communicate(timeout=100)[0]
        lab.s.db.start()
        assert p.returncode in (0, 233), (p.returncode, out)
        done = all_or_none(lab, BOUNCE)
        if p.returncode == 0:
            assert done and out == ""
        else:
            one_error(out, "no connection to the account store")


def test_many_domains(lab):
    names = [f"d{i:03}.example" for i in range(500)]
    few = rss(lab, "vdominfo")
    lab.domains(*names)
    lab.assign()
    try:
        kb = rss(lab, "vdominfo")
        assert kb - few < 4096, (kb, few)
        text = lab.h.read("/run/many.out")
        assert re.findall(r"(?m)^domain: (d\d+\.example)$", text) == names
        assert lab.v("vdominfo", "-n").split() == sorted(lab.known)
        assert len(lab.v("vdominfo", "-j").splitlines()) == len(lab.known)
    finally:
        for n in names:
            del lab.known[n]
        lab.assign()
