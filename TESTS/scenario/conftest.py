"""A mail system on a throwaway host for the tests of a file; a test that
breaks the installation takes a host of its own (own_site)."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "host"))
from mailsite import CONTROL, HOME, HOSTNAME, Site  # noqa: E402, F401


@pytest.fixture(scope="module")
def site():
    """A host for the tests of one file: what one file leaves in its queue, a
    deferred message say, is not there for the next."""
    s = Site()
    yield s
    s.close()


@pytest.fixture
def user(site):
    return site.new_user()


@pytest.fixture
def own_site():
    """A factory of hosts for one test alone."""
    made = []

    def make(**options):
        made.append(Site(**options))
        return made[-1]
    yield make
    for s in made:
        s.close()
