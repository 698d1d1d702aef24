"""qmail-remote into Postfix's smtp-sink, with extensions switched off."""

import os
import sys

import pytest

from remote_lab import Lab

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "host"))
from net import unpack  # noqa: E402

MESSAGE = "Subject: test\n\nhello\n.\n..two\nlast"
STORED = "Subject: test\n\nhello\n.\n..two\nlast\n"


@pytest.fixture(scope="module")
def lab():
    made = Lab()
    unpack(made.h, "postfix")
    made.h.run("useradd -r sink; install -d -o sink /run/sink")
    yield made
    made.close()


@pytest.mark.parametrize("options", [
    [], ["-e"], ["-p"], ["-8"], ["-e", "-p"], ["-A", "1"], ["-w", "1"],
    ["-h", "sink.example"], ["-E"]])
def test_sink(lab, options):
    port = 2525
    lab.h.run("rm -f /run/sink/*")
    child = lab.h.popen(["smtp-sink", "-u", "sink", "-R", "/run/sink", "-D",
                         "dump", *options, f"127.0.0.1:{port}", "100"])
    try:
        lab.h.wait(lambda: f":{port} " in lab.h.run(["ss", "-Hltn"]).stdout,
                   "smtp-sink to listen")
        lab.control(smtproutes=f":[127.0.0.1]:{port}\n")
        report = lab.send(MESSAGE, rcpts=["a@far.example", "b@far.example"])
        if "-A" in options:         # 550 in place of the message's answer
            assert [r[0] for r in report] == ["r", "r", "D"]
            assert "Remote host said: 550 " in report[2][1]
            return
        assert [r[0] for r in report] == ["r", "r", "K"]
        dump = lab.h.read("/run/sink/dump")
        assert dump.replace("\r", "").endswith(STORED + "\n") or \
            dump.replace("\r", "").endswith(STORED)
        assert dump.count("X-Rcpt-Args: ") == 2
    finally:
        lab.h.kill("smtp-sink")
        child.wait()
