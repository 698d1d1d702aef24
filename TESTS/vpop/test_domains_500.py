"""Five hundred domains, there and back."""

import re
import string

from domainlab import CONTROL, DOMAINS, USERS, VPOPMAIL, counted, files, \
    one_domain, tree  # noqa: F401

LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase


def test_five_hundred_domains(site):
    """Fifty in rcpthosts, the others in morercpthosts; hashed directories; and
    the bytes from before when they are gone."""
    site.h.write(f"{CONTROL}/rcpthosts", site.h.read(f"{CONTROL}/rcpthosts") +
                 "# a comment\n.sub.example\n", mode=0o644)
    before, there = files(site), tree(site)
    uid = site.h.user("vpopmail").pw_uid
    first = counted(site, f"dom_{uid}", DOMAINS)
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
        count = first + i + 1
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
