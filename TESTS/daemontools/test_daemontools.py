"""Debian's own tests of its daemontools package, unmodified, against ours."""

import os
import sys

import pytest

REPO = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, REPO + "/TESTS/host")
import debsrc  # noqa: E402
from host import Host  # noqa: E402


@pytest.fixture(scope="module")
def debian_tests():
    """Directory with debian/tests of the bookworm source package."""
    return debsrc.source("daemontools") + "/debian/tests"


@pytest.fixture(scope="module")
def installed():
    with Host() as h:
        h.install()
        yield h


def run_debian_test(h, debian_tests, name):
    where = "/run/debian-tests"
    h.run(["mkdir", "-p", where, f"/run/{name}.tmp"])
    for path in os.listdir(debian_tests):
        source = f"{debian_tests}/{path}"
        if os.path.isfile(source) and not os.path.islink(source):
            with open(source) as f:
                h.write(f"{where}/{path}", f.read())
    r = h.run(["sh", f"{where}/{name}"], check=False,
              env={"AUTOPKGTEST_TMP": f"/run/{name}.tmp"})
    assert r.returncode == 0, r.stdout + r.stderr


def test_our_programs_are_the_ones_tested(installed):
    for name in ("svscan", "supervise", "multilog", "softlimit"):
        assert installed.run(f"command -v {name}").stdout.strip() in (
            f"/command/{name}", f"/usr/local/bin/{name}")
    assert installed.run("dpkg-query -W -f '${Status}' daemontools",
                         check=False).stdout != "install ok installed"


def test_shortrts(installed, debian_tests):
    run_debian_test(installed, debian_tests, "shortrts")


def test_uidgid(installed, debian_tests):
    run_debian_test(installed, debian_tests, "uidgid")
