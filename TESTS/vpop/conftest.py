"""Virtual domains on a throwaway host.

    def test_x(vsite):          # run with each store
    STORES = ["cdb"]            # in a file: only with this one

vsite is one host for all tests of a file and store; a test that breaks it
takes one of its own: own_vsite("mysql").
"""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vsite import VSite  # noqa: E402


def pytest_generate_tests(metafunc):
    if "vsite" in metafunc.fixturenames:
        stores = getattr(metafunc.module, "STORES", ["cdb", "mysql"])
        metafunc.parametrize("vsite", stores, indirect=True, scope="module")


@pytest.fixture(scope="module")
def vsite(request):
    s = VSite(request.param)
    yield s
    s.close()


@pytest.fixture
def own_vsite():
    """A factory of hosts for one test alone."""
    made = []

    def make(store="cdb", **options):
        made.append(VSite(store, **options))
        return made[-1]
    yield make
    for s in made:
        s.close()
