"""What the tests of domains share: qmail's files and trees before and after."""

import json

import pytest

from vsite import CONTROL, DATABASE, HOME, VPOPMAIL

USERS = HOME + "/users"
DOMAINS = VPOPMAIL + "/domains"
FILES = [f"{CONTROL}/{n}" for n in ("virtualdomains", "locals", "rcpthosts",
                                    "morercpthosts")] + [f"{USERS}/assign"]


def run(site, command, *args, **kw):
    """(exit code, what it said), nothing checked."""
    r = site.v(command, *args, check=False, **kw)
    return r.returncode, r.stdout


def files(site):
    """qmail's files, as bytes."""
    return {p: site.h.read(p) if site.h.exists(p) else None for p in FILES}


def tree(site, path=DOMAINS):
    """Names, modes and owners of all that is there but locks."""
    out = site.h.run(f"cd {path} && find . ! -name '*.lock' ! -name "
                     "'.trash-lock' ! -name .dir_control_free "
                     "-printf '%p %m %u:%g\\n' | sort").stdout
    return out.splitlines()


def accounts(site, domain):
    """[(name, directory, quota)], by name."""
    said = site.v("vuserinfo", "-j", "-D", domain).stdout
    users = [json.loads(line) for line in said.splitlines()]
    return sorted((u["name"], u["dir"], u["quota"]) for u in users)


def counted(site, key, directory):
    """How many entries the directory has had, as its counter says."""
    if site.store == "cdb":
        path = f"{directory}/.dir-control"
        return int(site.h.read(path).split()[0]) if site.h.exists(path) else 0
    said = site.db.ask("SELECT cur_users FROM dir_control WHERE domain = "
                       f"'{key}'", DATABASE).strip()
    return int(said.split()[-1]) if said else 0


def known(site, name):
    """Is it in users/cdb?"""
    return run(site, "vdominfo", "-n", name)[0] == 0


def whole(site, name):
    """Everything agrees that the domain is there."""
    lines = files(site)
    assert f"\n{name}:{name}\n" in "\n" + lines[f"{CONTROL}/virtualdomains"]
    assert f"+{name}-:" in lines[f"{USERS}/assign"]
    assert name in lines[f"{CONTROL}/rcpthosts"].split() + \
        (lines[f"{CONTROL}/morercpthosts"] or "").split()
    assert run(site, "vuserinfo", "-n", f"postmaster@{name}") == \
        (0, "postmaster\n")
    d = run(site, "vdominfo", "-d", name)[1].strip()
    assert not site.h.exists(f"{d}/.unfinished")
    assert site.h.exists(f"{d}/postmaster/Maildir/tmp")


def gone(site, name, before):
    """Nothing is left of it."""
    assert files(site) == before
    assert not known(site, name)
    assert not site.h.exists(f"{DOMAINS}/{name}")
    assert not [n for n in site.h.listdir(DOMAINS) if
                n.startswith(".trash.")]


def inject(site, how, *argv):
    """A command whose system calls are disturbed."""
    return site.h.run(["strace", "-f", "-o", "/dev/null", "-e",
                       f"inject={how}", *argv], check=False)


@pytest.fixture(name="site", scope="module")
def one_domain(vsite):
    """With one domain, so that all files exist."""
    if not known(vsite, "one.example"):
        vsite.add_domain("one.example", "secret")
    return vsite
