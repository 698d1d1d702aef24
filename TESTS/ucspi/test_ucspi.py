"""The tests that come with ucspi-tcp, unmodified, against our programs: the
Python module of Debian's package over IPv4 and IPv6, and rts.tests of the
original with its expected output.
"""

import os
import re
import sys

import pytest

REPO = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, REPO + "/TESTS/host")
import debsrc  # noqa: E402
from host import Host, SRC  # noqa: E402
from names import name_server  # noqa: E402

INSIDE = f"{SRC}/build/TESTS/ucspi-tcp"
TEXT = "Blackholed - see <URL:http://mail-abuse.org/cgi-bin/lookup?127.0.0.2>"
RECORDS = [
    # as rts.tests wants it: 127.0.0.1 <-> localhost
    ("localhost", "A", "127.0.0.1"),
    ("1.0.0.127.in-addr.arpa", "PTR", "localhost"),
    # the list of that time
    ("2.0.0.127.rbl.maps.vix.com", "TXT", TEXT),
    ("2.0.0.127.rbl.maps.vix.com", "A", "127.0.0.2"),
]

# Here as in Debian rblsmtpd has no list of its own any more; the tests count
# on the one that it had, which came after those of the options.
WITH_LIST = """#!/bin/sh
options=
while :; do
	case $1 in
	-r) exec /usr/local/bin/rblsmtpd $options "$@" ;;
	-a) options="$options -a $2"; shift 2 ;;
	-*) options="$options $1"; shift ;;
	*) exec /usr/local/bin/rblsmtpd $options -r rbl.maps.vix.com "$@" ;;
	esac
done
"""
# Four of the seven clients that tcpserver has in rts.tests leave without
# reading.  Whether the program's lines still find them there, and whether the
# next client comes before the end of the last one is logged, is a race in the
# script; so its last section is compared connection by connection.
LOG = "tcpserver -1v prints proper messages"


@pytest.fixture(scope="module")
def source():
    return debsrc.source("ucspi-tcp")


@pytest.fixture(scope="module")
def installed(source):
    with Host() as h:
        h.install()
        # Debian's programs are in /usr/bin, and its tests look there.
        h.run("for p in /usr/local/bin/*; do ln -sf $p /usr/bin/; done")
        h.add_user("tester", maildir=False)
        with name_server(h, RECORDS):
            h.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
            yield h


def test_our_programs_are_the_ones_tested(installed):
    for name in ("tcpserver", "tcpclient", "tcpcat", "tcprules", "rblsmtpd",
                 "recordio", "addcr", "delcr", "fixcrio", "argv0", "mconnect",
                 "mconnect-io", "tcprulescheck"):
        assert installed.run(f"readlink -f $(command -v {name})").stdout in (
            f"/usr/local/bin/{name}\n", f"/var/qmail/bin/{name}\n")
    assert installed.run("dpkg-query -W -f '${Status}' ucspi-tcp",
                         check=False).stdout != "install ok installed"


@pytest.mark.parametrize("version", [[], ["-i", "4"], ["-i", "6"]],
                         ids=["plain", "ipv4", "ipv6"])
def test_debian(installed, version):
    r = installed.run(
        ["/usr/bin/python3", "-B", "-u", "-m", "ucspi_tcp_test", "-d",
         "/usr/bin", "-p", "tcp", *version], check=False, timeout=120,
        env={"PYTHONPATH": f"{INSIDE}/debian/tests/python"})
    assert r.returncode == 0, r.stdout + r.stderr
    # it ends well without having tested anything where there is no address
    assert "=== The tests for tcp passed" in r.stdout, r.stdout
    assert "test skipped" not in r.stdout


def sections(text):
    """{heading: what came below it}"""
    parts = re.split(r"(?m)^--- (.*)\n", text)
    assert parts[0] == "", parts[0]
    return dict(zip(parts[1::2], parts[2::2]))


def test_rts(installed, source):
    """Section by section, so that a failure says where."""
    d = "/home/tester/rts"
    installed.run(["cp", "-r", f"{INSIDE}/ucspi-tcp-0.88", d])
    installed.write(d + "/rblsmtpd", WITH_LIST, mode=0o755)
    installed.run(["chown", "-R", "tester", d])
    r = installed.run("sh rts.sh", user="tester", cwd=d, timeout=300)
    with open(f"{source}/ucspi-tcp-0.88/rts.exp") as f:
        want = sections(f.read())
    got = sections(r.stdout)
    assert list(got) == list(want)
    wrong = [f"--- {k}\nexpected:\n{want[k]}got:\n{got[k]}"
             for k in want if k != LOG and got[k] != want[k]]
    assert not wrong, "\n".join(wrong)
    check_log(want[LOG], installed.read(d + "/rts-tmp/log"))


def check_log(want, log):
    # The programs' shells write to the same log, in pieces: a line of ours
    # may follow a part of theirs.
    lines = re.findall(r"(?m)^50016$|tcpserver: .*", log)
    pids = [m.group(1) for x in lines
            if (m := re.match(r"tcpserver: pid (\d+) ", x))]
    head, one = want.splitlines()[:2], want.splitlines()[3:6]
    assert lines[:2] == head
    assert len(pids) == want.count("tcpserver: pid x")
    for pid in pids:
        mine = [re.sub("::.*", "::x", x).replace(f" {pid} ", " x ", 1)
                for x in lines if f" {pid} " in x]
        assert len(mine) == 3, f"{pid} in:\n{log}"
        assert re.sub(r"status 256$", "status 0", mine[2]) == one[2]
        assert mine[:2] == one[:2]
    status = [x for x in lines if x.startswith("tcpserver: status: ")]
    counts = [int(x.split()[2].split("/")[0]) for x in status]
    assert len(counts) == 1 + 2 * len(pids)
    assert all(abs(a - b) == 1 and 0 <= b <= 2
               for a, b in zip(counts, counts[1:])) and counts[-1] == 0
