"""Ten thousand users of one domain: loaded from a file, sent a bulletin,
checked, damaged and repaired."""

from vsite import VPOPMAIL

STORES = ["cdb"]
D = "many.example"
DIR = f"{VPOPMAIL}/domains/{D}"
N = 10000


def test_ten_thousand(vsite):
    s = vsite
    s.add_domain(D)
    s.h.write("/root/people", "".join(f"user{i:05} pw{i}\n"
                                      for i in range(N)), mode=0o600)
    with s.settings(hashscheme="md5"):          # only to be quick
        r = s.v("vconvert", "-p", "/root/people", "-c", D)
    assert r.stdout == f"{D}: {N} accounts\n"
    assert s.v("vcheck").stdout == ""

    s.h.write("/root/bull", "Subject: all\n\nhello\n")
    r = s.v("vpopbull", "-f", "/root/bull")
    assert (r.stdout, r.stderr) == ("", f"mailboxes: {N + 1}\n")
    for i in (0, 98, 99, 5000, N - 1):
        text, = s.vmails(f"user{i:05}@{D}")
        assert text.startswith(f"To: user{i:05}@{D}\n")

    sub = s.user_dir(f"user00150@{D}")
    assert sub == f"{DIR}/0/user00150"          # a hundred in each
    s.h.run(f"rm -r {DIR}/0; chown -R root {s.user_dir(f'user00005@{D}')}")
    r = s.v("vcheck", D, check=False)
    lost = r.stdout.count("is not there\n")
    assert r.returncode == 1 and lost >= 100
    assert r.stdout.count(": owner: ") == 1
    r = s.v("vcheck", "-r", D, check=False)
    assert r.stdout.endswith(f"{lost + 1} found, {lost + 1} repaired\n")
    assert s.v("vcheck").stdout == ""
    assert s.h.exists(f"{sub}/Maildir/new")
