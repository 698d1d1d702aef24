"""The store of accounts for tests: storetool in a host, with cdb or MariaDB.

Fixtures: db, a MariaDB in a host; open_store(conf), a Store in that host.
"""

import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mariadb import MariaDB  # noqa: E402
from host import Host, REPO  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TOOL = "/src/build/TESTS/vpop/storetool"
VSCHEMA = "/src/build/vschema"
DOMAINS = "/run/domains"
HASH = "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0"
SHA512 = ("$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8"
          "wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/")
NOTHING = "-1 -1 -1 -1 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 0"


def dump(name):
    with open(f"{HERE}/{name}.sql") as f:
        return f.read()


def quote(word):
    return str(word).replace("\\", "\\\\").replace("\t", "\\t") \
        .replace("\n", "\\n")


class Store:
    """storetool in the host: ask() gives (status, reason, lines)."""

    def __init__(self, host, conf, vpop="/run/vpop"):
        """conf: the text of vpopmail.mysql, None: the cdb store."""
        self.h = host
        host.run(["mkdir", "-p", vpop + "/etc", DOMAINS])
        if conf is not None:
            host.write(vpop + "/etc/vpopmail.mysql", conf, mode=0o600)
        self.p = host.popen([TOOL, "cdb" if conf is None else "mysql", vpop,
                             DOMAINS],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            text=True, errors="surrogateescape")

    def tell(self, *words):
        self.p.stdin.write("\t".join(quote(w) for w in words) + "\n")
        self.p.stdin.flush()

    def line(self):
        line = self.p.stdout.readline()
        assert line != "", "storetool is gone"
        return line.rstrip("\n")

    def ask(self, *words):
        self.tell(*words)
        lines = []
        while True:
            line = self.line()
            word, _, reason = line.partition(" ")
            if word in ("OK", "NONE", "EXISTS", "WIDE", "TEMP"):
                return word, reason, lines
            lines.append(line)

    def status(self, *words):
        return self.ask(*words)[0]

    def lines(self, *words):
        st, reason, lines = self.ask(*words)
        assert st == "OK", (words, st, reason)
        return lines

    def fails(self, status, text, *words):
        st, reason, _ = self.ask(*words)
        assert st == status, (words, st, reason)
        assert text in reason, reason
        assert "p'w" not in reason

    def close(self):
        self.p.stdin.close()
        assert self.p.wait(60) == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@pytest.fixture(scope="session")
def db():
    subprocess.run(["make", "-s", "-C", REPO, "build/TESTS/vpop/storetool",
                    "build/vschema"], check=True, timeout=600)
    with Host() as h:
        yield MariaDB(h)


@pytest.fixture
def open_store(db):
    made = []

    def make(conf):
        made.append(Store(db.h, conf))
        return made[-1]
    yield make
    for s in made:
        s.close()


def user(name, hash=HASH, apop=0, flags=0, gecos="", home="", quota="NOQUOTA",
         clear=""):
    return name, hash, apop, flags, gecos, home, quota, clear
