"""Many domains and accounts: five hundred domains, ten thousand accounts from a
file, hashing by us, a load that is killed."""

import re
import string

from domainlab import CONTROL, DOMAINS, HOME, USERS, VPOPMAIL, files, \
    inject, one_domain, run, tree  # noqa: F401

STORES = ["cdb"]
LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase


def test_ten_thousand_accounts(site):
    """From a file: one change, hashed directories, all or nothing."""
    site.v("vadddomain", "many.example", "x")
    d = f"{DOMAINS}/many.example"
    lines = "".join(f"user{i}:$1$a$b{i}:User {i}:{'1M' if i % 2 else ''}\n"
                    for i in range(10000))
    site.h.write("/tmp/users", lines, mode=0o600)
    site.h.write("/tmp/bad", lines + "postmaster:$1$a$b\n", mode=0o600)
    old = site.h.read(f"{d}/vpasswd")
    code, said = run(site, "vadduser", "-E", "-F", "/tmp/bad", "many.example")
    assert code == 254 and "/tmp/bad: line 10001: postmaster" in said
    assert site.h.read(f"{d}/vpasswd") == old
    assert not site.h.exists(f"{d}/user0")
    r = site.v("vadduser", "-E", "-F", "/tmp/users", "many.example")
    assert r.stdout == "" and "accounts: 10000 of 10000\n" in r.stderr
    assert "users:  10001\n" in run(site, "vdominfo", "many.example")[1]
    assert site.h.read(f"{d}/.dir-control").splitlines()[0] == "10001"
    vpasswd = site.h.read(f"{d}/vpasswd").splitlines()
    assert len(vpasswd) == 10001
    names = [v.split(":")[0] for v in vpasswd]
    assert names == sorted(names)
    dirs = {v.split(":")[0]: v.split(":")[5] for v in vpasswd}
    # postmaster was the first
    assert dirs["user97"] == f"{d}/user97"
    assert dirs["user98"] == f"{d}/0/user98"
    assert dirs["user198"] == f"{d}/1/user198"
    assert dirs["user6197"] == f"{d}/y/user6197"
    assert dirs["user6198"] == f"{d}/z/user6198"
    assert dirs["user6298"] == f"{d}/0/0/user6298"
    for name in ("user0", "user6298", "user9999"):
        assert site.h.exists(f"{dirs[name]}/Maildir/new")
        assert site.h.stat(dirs[name]).st_mode & 0o777 == 0o700
    assert "1048576S" in vpasswd[names.index("user1")]
    assert vpasswd[names.index("user2")].endswith(":NOQUOTA")
    assert site.good("user9999@many.example")
    assert site.vmail("user9999@many.example")
    # a place that became free is the next one's
    site.v("vdeluser", "user198@many.example")
    site.v("vadduser", "-n", "next@many.example")
    assert run(site, "vuserinfo", "-d", "next@many.example")[1] == \
        f"{d}/1/next\n"
    site.v("vdeldomain", "many.example")


def test_hashed_by_us(site):
    lines = "".join(f"p{i}a:word {i}\n" for i in range(40))
    r = site.v("vadduser", "-q", "5M", "-F", "-", "one.example", input=lines)
    assert "passwords: 40 of 40\n" in r.stderr
    said = run(site, "vuserinfo", "-p", "p39a@one.example")[1]
    assert said.startswith("$y$")
    assert site.smtp("--port", "465", "--login", "p39a@one.example:word 39",
                     last=True)[0] == "QUIT"
    for i in range(40):
        site.v("vdeluser", f"p{i}a@one.example")


def test_killed_while_loading(site):
    """The accounts are all there or none, and a second run makes them."""
    lines = "".join(f"k{i}a:$1$a$b\n" for i in range(150))
    site.h.write("/tmp/load", lines, mode=0o600)
    vpasswd = f"{DOMAINS}/one.example/vpasswd"
    old = site.h.read(vpasswd)
    for call, n in (("mkdir", 300), ("openat", 200), ("syncfs", 1),
                    ("fsync", 1), ("rename", 1), ("rename", 2)):
        inject(site, f"{call}:signal=KILL:when={n}", f"{HOME}/bin/vadduser",
               "-E", "-F", "/tmp/load", "one.example")
        if site.h.read(vpasswd) == old:
            assert run(site, "vadduser", "-E", "-F", "/tmp/load",
                       "one.example")[0] == 0
        now = site.h.read(vpasswd)
        assert now.count("\n") == old.count("\n") + 150
        site.h.run("for i in $(seq 0 149); do "
                   f"{VPOPMAIL}/bin/vdeluser k${{i}}a@one.example || exit; "
                   "done")
        assert site.h.read(vpasswd) == old


def test_five_hundred_domains(site):
    """Fifty in rcpthosts, the others in morercpthosts; hashed directories; and
    the bytes from before when they are gone."""
    site.h.write(f"{CONTROL}/rcpthosts", site.h.read(f"{CONTROL}/rcpthosts") +
                 "# a comment\n.sub.example\n", mode=0o644)
    before, there = files(site), tree(site)
    counted = int(site.h.read(f"{DOMAINS}/.dir-control").split()[0])
    names = [f"d{i:03}.example{i % 3}.com" for i in range(500)]
    site.h.write("/tmp/names", "".join(n + "\n" for n in names), mode=0o644)
    site.h.run(f"while read d; do {VPOPMAIL}/bin/vadddomain -O $d "
               f"pw{'x' * 8} || exit 1; done </tmp/names",
               timeout=600)
    # the last one tells
    site.v("vadddomain", "last.example", "x")
    now = files(site)
    hosts = now[f"{CONTROL}/rcpthosts"].splitlines()
    assert len([h for h in hosts if not h.startswith("#")]) == 50
    more = now[f"{CONTROL}/morercpthosts"].splitlines()
    assert len(hosts) - 1 + len(more) == 501 + \
        len(before[f"{CONTROL}/rcpthosts"].splitlines()) - 1

    def key(name):
        labels = name.split(".")
        return ".".join(labels[-2:]), ".".join(labels[:-2])
    for path, pick in ((f"{CONTROL}/morercpthosts", lambda s: s),
                       (f"{CONTROL}/virtualdomains",
                        lambda s: s.split(":")[0]),
                       (f"{USERS}/assign",
                        lambda s: s.split(":")[0][1:-1])):
        keys = [pick(s) for s in now[path].splitlines() if s != "."]
        assert keys == sorted(keys, key=key), path
    dirs = dict(re.findall(r"(?m)^\+(\S+?)-:.*?:(/[^:]*):",
                           now[f"{USERS}/assign"]))
    for i, name in enumerate(names):
        count = counted + i + 1
        place = "" if count < 100 else LETTERS[count // 100 - 1] + "/"
        assert dirs[name] == f"{DOMAINS}/{place}{name}"
    for name in (names[0], names[250], names[499]):
        assert site.stranger(f"postmaster@{name}")[0] == "QUIT"
        assert site.vmail(f"postmaster@{name}")
    assert "none of mine" in site.stranger("postmaster@no.example.com")[2]
    site.h.run(f"while read d; do {VPOPMAIL}/bin/vdeldomain $d || exit 1; "
               "done </tmp/names", timeout=600)
    site.v("vdeldomain", "last.example")
    assert files(site) == before
    assert not site.h.exists(f"{CONTROL}/morercpthosts.cdb")
    assert [t for t in tree(site) if not re.match(r"\./\w ", t)] == there
