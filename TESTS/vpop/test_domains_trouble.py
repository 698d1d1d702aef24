"""What vadddomain, vdeldomain and vadduser leave behind when they are killed,
when a call fails, on a full disk and on one that is read-only."""

import pytest

from domainlab import CONTROL, DOMAINS, HOME, USERS, accounts, files, gone, \
    inject, known, one_domain, run, tree, whole  # noqa: F401


KILLED = {"openat": 11, "write": 5, "fsync": 2, "rename": 1, "mkdir": 1,
          "unlink": 3, "link": 1, "fcntl": 3, "sendto": 2}      # steps


def add(site, how):
    return inject(site, how, f"{HOME}/bin/vadddomain", "kill.example", "x")


@pytest.mark.parametrize("call", KILLED)
def test_killed_while_adding(site, call):
    """At each of these calls: the domain is all there or unknown, and a second
    run makes it whole."""
    before, done = files(site), False
    for n in range(1, 300, KILLED[call]):
        r = add(site, f"{call}:signal=KILL:when={n}")
        done = r.returncode == 0
        if not done:
            code, said = run(site, "vadddomain", "kill.example", "x")
            assert code in (0, 243), said
        whole(site, "kill.example")
        assert run(site, "vdeldomain", "kill.example") == (0, "")
        gone(site, "kill.example", before)
        if done:
            break
    assert done
    assert known(site, "one.example")


@pytest.mark.parametrize("call", ["rename", "unlink", "fsync", "unlinkat"])
def test_killed_while_deleting(site, call):
    before = files(site)
    for n in range(1, 100):
        site.v("vadddomain", "kill.example", "x")
        r = inject(site, f"{call}:signal=KILL:when={n}",
                   f"{HOME}/bin/vdeldomain", "kill.example")
        if r.returncode != 0 and known(site, "kill.example"):
            assert run(site, "vdeldomain", "kill.example") == (0, "")
        # what is left of its tree goes with the next one
        site.v("vadddomain", "other.example", "x")
        site.v("vdeldomain", "other.example")
        gone(site, "kill.example", before)
        if r.returncode == 0:
            break
    assert r.returncode == 0 and n > 1


@pytest.mark.parametrize("call, error", [
    ("write", "ENOSPC"), ("fsync", "EIO"), ("rename", "ENOSPC"),
    ("mkdir", "EDQUOT"), ("link", "EIO"), ("fchmod", "EPERM")])
def test_trouble_while_adding(site, call, error):
    """Whichever call fails: an error, and nothing is there."""
    before, there = files(site), tree(site)
    for n in range(1, 100):
        r = add(site, f"{call}:error={error}:when={n}")
        if r.returncode == 0:
            break
        assert r.stdout.startswith("Error: "), (n, r.stdout)
        gone(site, "kill.example", before)
        assert tree(site) == there, n
    whole(site, "kill.example")
    assert n > 1
    site.v("vdeldomain", "kill.example")


def add_user(site, how):
    return inject(site, how, f"{HOME}/bin/vadduser", "kill@one.example", "x")


@pytest.mark.parametrize("call", KILLED)
def test_killed_while_adding_a_user(site, call):
    done = False
    for n in range(1, 300, KILLED[call]):
        r = add_user(site, f"{call}:signal=KILL:when={n}")
        done = r.returncode == 0
        if not done:
            code, said = run(site, "vadduser", "kill@one.example", "x")
            assert code in (0, 254), said
        d = run(site, "vuserinfo", "-d", "kill@one.example")[1].strip()
        assert site.h.exists(f"{d}/Maildir/tmp")
        assert run(site, "vdeluser", "kill@one.example") == (0, "")
        assert not site.h.exists(d)
        if done:
            break
    assert done


@pytest.mark.parametrize("call", ["write", "fsync", "rename", "mkdir"])
def test_trouble_while_adding_a_user(site, call):
    there, users = tree(site), accounts(site, "one.example")
    for n in range(1, 60):
        r = add_user(site, f"{call}:error=ENOSPC:when={n}")
        if r.returncode == 0:
            break
        assert accounts(site, "one.example") == users, n
        assert tree(site) == there, n
    assert n > 1 or (site.store == "mysql" and call in ("write", "rename"))
    site.v("vdeluser", "kill@one.example")


def fill(site, where):
    site.h.run(f"cd {where} && (dd if=/dev/zero of=filler bs=4k; "
               "dd if=/dev/zero of=filler2 bs=1; true) 2>/dev/null")


@pytest.mark.parametrize("where", [CONTROL, USERS, DOMAINS])
def test_full_disk(site, where):
    """Of control, of users, of the domains: nothing is half done."""
    site.h.run(f"mkdir /tmp/keep && cp -a {where}/. /tmp/keep/ && mount -t "
               f"tmpfs -o size=256k,mode=0755 tmpfs {where} && cp -a "
               f"/tmp/keep/. {where}/ && chown --reference=/tmp/keep {where}")
    try:
        fill(site, where)
        before, there = files(site), tree(site)
        code, said = run(site, "vadddomain", "full.example", "x")
        assert code != 0 and "No space left on device" in said, said
        assert files(site) == before
        assert tree(site) == there
        code, said = run(site, "vadduser", "full@one.example", "x")
        # directories alone want no room there
        if where == DOMAINS and site.store == "cdb":
            assert code != 0 and "No space left" in said
            assert tree(site) == there
        else:
            assert (code, said) == (0, "")
            site.v("vdeluser", "full@one.example")
        site.h.run(f"rm {where}/filler {where}/filler2")
        assert run(site, "vadddomain", "full.example", "x") == (0, "")
        whole(site, "full.example")
        site.v("vdeldomain", "full.example")
    finally:
        site.h.run(f"umount {where} && rm -rf /tmp/keep")


def test_read_only(site):
    for where in (CONTROL, USERS, DOMAINS):
        site.h.run(f"mount --bind {where} {where} && "
                   f"mount -o remount,bind,ro {where}")
        try:
            before, there = files(site), tree(site)
            code, said = run(site, "vadddomain", "ro.example", "x")
            assert code != 0 and "Read-only file system" in said, said
            code, said = run(site, "vdeldomain", "one.example")
            assert code != 0 and "Read-only file system" in said, said
            assert files(site) == before and tree(site) == there
        finally:
            site.h.run(["umount", where])
    whole(site, "one.example")
