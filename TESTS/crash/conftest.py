import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from crashlib import box  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def tools():
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts, loop devices, namespaces")
    # An end from outside gives scratch directories and loop devices back.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    box.build()
