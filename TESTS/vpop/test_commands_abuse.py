"""The commands that show and change accounts and domains, used badly: names
that are none, by whom they may not be run, secrets looked for, and a store that
does not answer."""

import re

import pytest

from commandlab import Account, GOLD, Lab, NO_POP, WORK, crypted, one_error
from vsite import VPOPMAIL

SECRET = "kept-Secret-7461"


@pytest.fixture(scope="module")
def lab(vsite):
    lab = Lab(vsite)
    lab.accounts([Account(f"{n}", GOLD) for n in ("adm", "jo", "mary")])
    return lab


COMMANDS = {
    # arguments, with NAME in the place of an address or a domain
    "vuserinfo": (["NAME"], ["-D", "NAME"]),
    "vdominfo": (["NAME"],),
    "valias": (["NAME"], ["-i", "&x@y.example", "NAME"], ["-d", "NAME"],
               ["-w", "NAME"]),
    "vmoddomlimits": (["-S", "NAME"], ["-P", "5", "NAME"], ["-D", "NAME"]),
    "vipmap": (["-a", "192.0.2.1", "NAME"], ["-d", "192.0.2.1", "NAME"],
               ["-a", "NAME", WORK]),
    "vmkpasswd": (["NAME"],),
    "vpasswd": (["NAME", "secret"], ["-r", "NAME"]),
    "vmoduser": (["-p", "NAME"],),
    "vsetuserquota": (["NAME", "5000"],),
}
BAD = ["'", "\"", "a'b", "a' OR '1'='1", "a\"; DROP TABLE vpopmail; -- ",
       "x\ny", "\n", "..", "../../etc", "/", "/etc/passwd", "a\\b", "$(id)",
       "`id`", "a;b", "a|b", "a%s%n", "*", "", " ", "j\u00f6",
       "\udcff\udc80", "\033[2J", "x" * 10000, "a" * 65, "-", "--",
       "a:b", "a,b", "<a>", "(a)", "a\tb", "vpasswd\n"]


ALIAS_NAME = r"[a-z0-9!#$&'*+=?^_`{|}~-]{1,64}"


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_bad_names_do_nothing(lab, command):
    """Whatever a name holds: an error of one line or usage, its number, and
    nothing has changed."""
    before = lab.all()
    known = [f"Error: {t}" for t in (
        "illegal user name", "user name too long", "invalid domain name",
        "domain name too long", "domain does not exist", "user does not exist",
        "invalid IP address", "no alias", "192.0.2.1 does not belong to")] + \
        ["no such user "]
    tried = []
    for bad in BAD:
        for name in (bad, f"{bad}@{WORK}", f"adm@{bad}", f"adm%{bad}"):
            for args in COMMANDS[command]:
                full = [name if a == "NAME" else a for a in args]
                if args[-1] == "NAME":
                    full.insert(-1, "--")
                if command == "valias" and "-i" in args and \
                        re.fullmatch(ALIAS_NAME, bad) and \
                        name == f"{bad}@{WORK}":
                    continue        # odd, but an alias may be called that
                tried.append([command, *full])
    for full, (code, out, err) in zip(tried, lab.runs(tried)):
        if "-w" in full and code == 0:
            continue                # it says where that goes: nowhere
        assert code > 128, (full, code, out, err)
        if out.startswith("usage: "):
            continue
        assert out.count("\n") == 1 and out.endswith("\n"), (full, out)
        assert out[:-1].isprintable(), (full, out)
        assert len(out) < 1300
        assert out.startswith(tuple(known)), (full, out)
        assert err == "", (full, err)
    assert lab.all() == before


def test_odd_names_that_are_allowed(lab):
    """Characters an account may have, in every command that takes one."""
    who = lab.fresh("o'b`r&i|e$n#1=+{~}!*?^_")
    assert lab.v("vuserinfo", "-n", who) == who.split("@")[0] + "\n"
    assert lab.v("vmoduser", "-p", who) == ""
    assert lab.v("vpasswd", who, "it's \"$(id)\" \\ %s") == ""
    assert lab.is_password(who, "it's \"$(id)\" \\ %s")
    assert lab.v("vsetuserquota", who, "5000") == ""
    got = lab.get(who)
    assert int(got["flags"]) == NO_POP and got["quota"] == "5000S"
    assert lab.v("valias", "-i", "&a@b.example", "a'b$c`d@" + WORK) == ""
    assert lab.v("valias", "a'b$c`d@" + WORK) == \
        f"a'b$c`d@{WORK} -> &a@b.example\n"
    assert lab.v("valias", "-d", "a'b$c`d@" + WORK) == ""
    names = [f"{bad}@{WORK}" for bad in BAD if re.fullmatch(ALIAS_NAME, bad)]
    for form in (["-i", "&a@b.example"], ["-d"]):
        for name, got in zip(names, lab.runs(
                [["valias", *form, "--", name] for name in names])):
            assert got == (0, "", ""), name


@pytest.mark.parametrize("line", ["", "a\nb", "x" * 4097, "x" * 10000])
def test_bad_alias_lines(lab, line):
    before = lab.all()
    one_error(lab.v("valias", "-i", line, f"bad@{WORK}", code=239))
    assert lab.all() == before


def test_strangers_may_nothing(lab):
    before = lab.all()
    for command, forms in COMMANDS.items():
        for args in forms:
            out = lab.v(command, *[f"adm@{GOLD}" if a == "NAME" else a
                                   for a in args], code=234, user="stranger")
            one_error(out, "only root and vpopmail")
    assert lab.all() == before


def test_a_setting_that_is_not_understood(lab):
    lab.s.setting("hashscheme", "rot13")
    try:
        for command, forms in COMMANDS.items():
            out = lab.v(command, *[f"adm@{GOLD}" if a == "NAME" else a
                                   for a in forms[0]], code=221)
            one_error(out, "rot13")
    finally:
        lab.s.setting("hashscheme", None)


def test_secrets_stay_secret(lab):
    """A hook sees all processes, their arguments and its own environment while
    a password is changed: it is in none, nor in a log or a listing."""
    who = lab.fresh("secret")
    hook = f"{VPOPMAIL}/etc/onchange"
    lab.h.write(hook, "#!/bin/sh\n{ echo \"$@\"; env; cat /proc/[0-9]*/cmdline"
                " /proc/[0-9]*/environ | tr '\\0' '\\n'; } >>/run/hook.seen "
                "2>/dev/null\n", mode=0o755)
    lab.h.run(["chown", "root:root", hook])
    seen = []
    try:
        for args, input in (((who, SECRET + "1"), None),
                            ((who,), f"{SECRET}2\n{SECRET}2\n")):
            lab.v("vpasswd", *args, input=input)
            seen.append(lab.h.read("/run/hook.seen"))
            lab.h.run(["rm", "-f", "/run/hook.seen"])
        h = crypted(SECRET)
        lab.v("vmoduser", "-e", h, who)
        seen.append(lab.h.read("/run/hook.seen"))
        with lab.s.settings(clearpasswords="1"):
            lab.v("vmoduser", "-C", SECRET + "3", who)
        seen.append(lab.h.read("/run/hook.seen"))
        assert all(f"mod_user secret@{WORK}" in x for x in seen), seen[0][:500]
        for x in seen:
            assert SECRET not in x and h not in x
    finally:
        lab.h.run(["rm", "-f", hook, "/run/hook.seen"])
    for args in ((who,), ("-j", who), ("-D", WORK), ("-jD", WORK),
                 ("-pC", who)):
        out = lab.v("vuserinfo", *args, user="vpopmail")
        assert SECRET not in out and h not in out and "$5$" not in out
    assert SECRET + "3" in lab.v("vuserinfo", who)
    logs = lab.h.run("cat /var/log/*/current /service/*/log/main/current "
                     "2>/dev/null; true").stdout
    assert SECRET not in logs
    # nor in what is said about it
    for args in (("vpasswd", who, SECRET + "\n"),
                 ("vmoduser", "-e", SECRET + ":", who)):
        out = lab.h.run([f"{VPOPMAIL}/bin/{args[0]}", *args[1:]],
                        check=False)
        assert out.returncode == 236 and SECRET not in out.stdout + out.stderr


# A store that does not answer.


def test_database_that_does_not_answer(lab):
    if lab.store != "mysql":
        pytest.skip("there is no server")
    before = lab.all()
    lab.s.db.stop()
    try:
        for command, forms in COMMANDS.items():
            for args in forms:
                if command == "vmkpasswd" or "-w" in args:
                    continue        # nothing that is asked of the server
                full = [WORK if a == "NAME" and command in
                        ("vdominfo", "vmoddomlimits", "vipmap") else
                        f"adm@{GOLD}" if a == "NAME" else a for a in args]
                if command == "vuserinfo" and args[0] == "-D":
                    full = ["-D", WORK]
                if command == "vipmap":
                    full = [args[0], "192.0.2.1", WORK]
                p = lab.h.run([f"{VPOPMAIL}/bin/{command}", *full],
                              check=False)
                assert p.returncode == 233, (full, p)
                one_error(p.stdout.splitlines(True)[-1],
                          "no connection to the account store")
    finally:
        lab.s.db.start()
    assert lab.all() == before
