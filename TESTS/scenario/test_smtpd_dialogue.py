"""The dialogues of TESTS/smtpd with the installed qmail-smtpd, as qmaild."""

import glob
import os
import sys

import pytest

SMTPD = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(
    __file__))), "smtpd")
sys.path.insert(0, SMTPD)
import dialogue  # noqa: E402
from server import Server  # noqa: E402


@pytest.fixture(scope="module")
def server():
    s = Server()
    yield s
    s.h.close()


DIALOGUES = [pytest.param(steps, id=f"{os.path.basename(path)[:-4]}-{name}")
             for path in sorted(glob.glob(SMTPD + "/*.txt"))
             for name, steps in dialogue.load(path)]


@pytest.mark.parametrize("steps", DIALOGUES)
def test_dialogue(server, steps):
    server.run(steps)
