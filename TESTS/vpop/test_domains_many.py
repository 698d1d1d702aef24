"""Ten thousand accounts from a file, hashing by us, a load that is killed."""

from domainlab import DOMAINS, HOME, accounts, counted, inject, one_domain, \
    run  # noqa: F401


def test_ten_thousand_accounts(site):
    """From a file: one change, hashed directories, all or nothing."""
    site.v("vadddomain", "many.example", "x")
    d = f"{DOMAINS}/many.example"
    lines = "".join(f"user{i}:$1$a$b{i}:User {i}:{'1M' if i % 2 else ''}\n"
                    for i in range(10000))
    site.h.write("/tmp/users", lines, mode=0o600)
    site.h.write("/tmp/bad", lines + "postmaster:$1$a$b\n", mode=0o600)
    old = accounts(site, "many.example")
    code, said = run(site, "vadduser", "-E", "-F", "/tmp/bad", "many.example")
    assert code == 254 and "/tmp/bad: line 10001: postmaster" in said
    assert accounts(site, "many.example") == old
    assert not site.h.exists(f"{d}/user0")
    r = site.v("vadduser", "-E", "-F", "/tmp/users", "many.example")
    assert r.stdout == "" and "accounts: 10000 of 10000\n" in r.stderr
    assert "users:  10001\n" in run(site, "vdominfo", "many.example")[1]
    assert counted(site, "many.example", d) == 10001
    users = accounts(site, "many.example")
    assert len(users) == 10001
    dirs = {name: home for name, home, _ in users}
    quotas = {name: quota for name, _, quota in users}
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
    assert quotas["user1"] == "1048576S" and quotas["user2"] == "NOQUOTA"
    if site.store == "cdb":
        names = [line.split(":")[0] for line in
                 site.h.read(f"{d}/vpasswd").splitlines()]
        assert names == sorted(names)
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
    for call, n in (("mkdir", 300), ("openat", 200), ("syncfs", 1),
                    ("fsync", 1), ("rename", 1), ("rename", 2)):
        site.v("vadddomain", "load.example", "x")
        inject(site, f"{call}:signal=KILL:when={n}", f"{HOME}/bin/vadduser",
               "-E", "-F", "/tmp/load", "load.example")
        if len(accounts(site, "load.example")) == 1:
            assert run(site, "vadduser", "-E", "-F", "/tmp/load",
                       "load.example")[0] == 0
        assert len(accounts(site, "load.example")) == 151
        site.v("vdeldomain", "load.example")
