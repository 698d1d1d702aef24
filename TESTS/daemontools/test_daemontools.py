"""Debian's own tests of its daemontools package, unmodified, against ours.

The source package is fetched with a deb-src list of this test's own, since a
machine need not have one; apt checks it against Debian's signature.
"""

import glob
import os
import re
import subprocess
import sys

import pytest

REPO = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, REPO + "/TESTS/host")
from host import Host  # noqa: E402

CACHE = REPO + "/build/TESTS/daemontools"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def debian_mirror():
    """The mirror this machine uses, else Debian's own."""
    text = ""
    for name in ["/etc/apt/sources.list"] + \
            sorted(glob.glob("/etc/apt/sources.list.d/*")):
        if name.endswith((".list", ".sources")) and os.path.exists(name):
            with open(name) as f:
                text += f.read()
    m = re.search(r"^(?:URIs:\s*|deb\s+(?:\[[^]]*\]\s*)?)(https?://\S+/debian)"
                  r"/?(?=\s|$)", text, re.M)
    return m.group(1) if m else "http://deb.debian.org/debian"


@pytest.fixture(scope="module")
def debian_tests():
    """Directory with debian/tests of the bookworm source package."""
    found = f"{CACHE}/debian/tests"
    if not os.path.exists(found + "/shortrts"):
        os.makedirs(CACHE + "/lists/partial", exist_ok=True)
        with open(CACHE + "/src.sources", "w") as f:
            f.write("Types: deb-src\n"
                    f"URIs: {debian_mirror()}\nSuites: bookworm\n"
                    f"Components: main\nSigned-By: {KEYRING}\n")
        apt = ["apt-get", "-q", "-o", f"Dir::Etc::sourcelist={CACHE}/src."
               "sources", "-o", "Dir::Etc::sourceparts=-", "-o",
               f"Dir::State::lists={CACHE}/lists", "-o",
               "APT::Sandbox::User=root"]
        for args in (["update"], ["source", "--download-only",
                                  "daemontools"]):
            subprocess.run([*apt, *args], cwd=CACHE, check=True)
        archive, = glob.glob(CACHE + "/daemontools_*.debian.tar.*")
        subprocess.run(["tar", "-xf", archive, "debian/tests"], cwd=CACHE,
                       check=True)
    return found


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
