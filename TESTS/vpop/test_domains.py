"""Domains and accounts by vadddomain, vdeldomain, vaddaliasdomain, vadduser and
vdeluser: what they say and write, options, refusals, bad names, links."""

import re

import pytest

from domainlab import CONTROL, DOMAINS, FILES, USERS, VPOPMAIL, accounts, \
    counted, files, gone, one_domain, run, tree, whole  # noqa: F401

DIRCTL = "{}\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n\n"


# What they say.

def test_by_the_book(vsite):
    """The commands as a manual for administrators has them."""
    before = files(vsite)
    code, said = run(vsite, "vadddomain", "dominio.com",
                     input="clave1\nclave1\n")
    assert code == 0
    assert said == "Please enter password for postmaster: " \
        "enter password again: "
    assert run(vsite, "vaddaliasdomain", "dominio.es", "dominio.com") == \
        (0, "")
    assert run(vsite, "vadduser", "usuario@dominio.com", "clave") == (0, "")
    assert run(vsite, "vadduser", "-c", "Usuario de administracion",
               "adm@dominio.com", input="uno\ndos\nuio\nuio\n") == \
        (0, "Please enter password for adm@dominio.com: enter password "
         "again: The passwords are not the same, try again.\nPlease enter "
         "password for adm@dominio.com: enter password again: ")
    said = run(vsite, "vuserinfo", "adm@dominio.com")[1]
    assert "comment/gecos: Usuario de administracion\n" in said
    assert f"dir:       {DOMAINS}/dominio.com/adm\n" in said
    assert vsite.good("usuario@dominio.es", "adm@dominio.com")
    assert vsite.vmail("usuario@dominio.com")
    assert vsite.vmail("adm@dominio.com")
    assert run(vsite, "vdeluser", "usuario@dominio.com") == (0, "")
    assert run(vsite, "vuserinfo", "usuario@dominio.com")[0] != 0
    assert not vsite.h.exists(f"{DOMAINS}/dominio.com/usuario")
    code, said = run(vsite, "vdeldomain", "dominio.com")
    assert code == 1
    assert "\n   dominio.es\n" in said and "-f" in said
    whole(vsite, "dominio.com")
    assert run(vsite, "vdeldomain", "-f", "dominio.com")[0] == 0
    gone(vsite, "dominio.com", before | {
        f"{CONTROL}/virtualdomains": "", f"{CONTROL}/rcpthosts":
        before[f"{CONTROL}/rcpthosts"], f"{USERS}/assign": ".\n"})


def test_the_files(site):
    before = files(site)
    assert run(site, "vadddomain", "a.two.example", "pw") == (0, "")
    assert run(site, "vaddaliasdomain", "a.two.example", "z.one.example") == \
        (0, "")
    uid = site.h.user("vpopmail")
    ids = f"{uid.pw_uid}:{uid.pw_gid}"
    now = files(site)
    assert now[f"{USERS}/assign"] == (
        f"+one.example-:one.example:{ids}:{DOMAINS}/one.example:-::\n"
        f"+z.one.example-:a.two.example:{ids}:{DOMAINS}/a.two.example:-::\n"
        f"+a.two.example-:a.two.example:{ids}:{DOMAINS}/a.two.example:-::\n"
        ".\n")
    assert now[f"{CONTROL}/virtualdomains"] == \
        "one.example:one.example\nz.one.example:z.one.example\n" \
        "a.two.example:a.two.example\n"
    d = f"{DOMAINS}/a.two.example"
    assert site.h.read(f"{d}/.qmail-default") == \
        f"| {VPOPMAIL}/bin/vdelivermail '' bounce-no-mailbox\n"
    own = "vpopmail:vchkpw"
    cdb = [f"./.dir-control 600 {own}", f"./postmaster/lastauth 600 {own}",
           f"./vpasswd 600 {own}", f"./vpasswd.cdb 600 {own}"]
    assert tree(site, d) == sorted([
        f". 700 {own}", f"./.qmail-default 600 {own}",
        f"./postmaster 700 {own}", f"./postmaster/Maildir 700 {own}",
        f"./postmaster/Maildir/cur 700 {own}",
        f"./postmaster/Maildir/new 700 {own}",
        f"./postmaster/Maildir/tmp 700 {own}"] +
        (cdb if site.store == "cdb" else []))
    assert counted(site, "a.two.example", d) == 1
    if site.store == "cdb":
        assert site.h.read(f"{d}/.dir-control") == DIRCTL.format(1)
        assert re.fullmatch(r"postmaster:\$[^:]*:1:0:Postmaster:"
                            rf"{d}/postmaster:NOQUOTA\n",
                            site.h.read(f"{d}/vpasswd"))
    assert accounts(site, "a.two.example") == \
        [("postmaster", f"{d}/postmaster", "NOQUOTA")]
    for path in FILES[:3] + [f"{USERS}/assign", f"{USERS}/cdb"]:
        if site.h.exists(path):
            assert site.h.stat(path).st_mode & 0o7777 == 0o644
    assert run(site, "vdeldomain", "z.one.example") == (0, "")
    assert run(site, "vdeldomain", "a.two.example") == (0, "")
    gone(site, "a.two.example", before)


@pytest.mark.parametrize("args, code, words", [
    (["vadddomain"], 255, "usage: vadddomain"),
    (["vdeldomain"], 255, "usage: vdeldomain"),
    (["vaddaliasdomain", "a.example"], 255, "usage: vaddaliasdomain"),
    (["vadduser"], 255, "usage: vadduser"),
    (["vdeluser"], 255, "usage: vdeluser"),
    (["vadddomain", "-v"], 255, "version: "),
    (["vadddomain", "one.example"], 243, "Error: domain already exists: "
     "one.example\n"),
    (["vadddomain", "ONE.example", "x"], 243, "domain already exists"),
    (["vdeldomain", "no.example"], 245, "Error: domain does not exist: "
     "no.example\n"),
    (["vaddaliasdomain", "x.example", "y.example"], 245, "neither"),
    (["vadduser", "postmaster@one.example", "x"], 254,
     "user name already exists"),
    (["vadduser", "jo@no.example", "x"], 245, "domain does not exist"),
    (["vadduser", "jo", "x"], 244, "invalid domain name"),
    (["vdeluser", "no@one.example"], 246, "user does not exist"),
    (["vadddomain", "dotless", "x"], 244, "no dot"),
    (["vadddomain", "-i", "0", "new.example", "x"], 234, "root"),
    (["vadddomain", "-u", "nosuchuser", "new.example", "x"], 246,
     "nosuchuser"),
    (["vadddomain", "-q", "lots", "new.example", "x"], 236, "lots"),
    (["vadddomain", "-e", "jo`id`@x.example", "new.example", "x"], 222,
     "shell"),
    (["vadddomain", "--unknown", "a b", "new.example", "x"], 222, "shell"),
    (["vadddomain", "-d", "rel", "new.example", "x"], 251, "slash"),
    (["vadduser", "-c", "a\nb", "jo@one.example", "x"], 236, "comment"),
    (["vadduser", "-c", "x" * 65, "jo@one.example", "x"], 228, "64"),
    (["vadduser", "-e", "$" + "x" * 300, "jo@one.example"], 229, "hash"),
    (["vadduser", "jo@one.example", "x" * 10000], 229, "too long"),
    (["vadduser", "-F", "/nowhere", "one.example"], 218, "/nowhere"),
])
def test_refused(site, args, code, words):
    """The number everybody's scripts know, and nothing done."""
    before, there = files(site), tree(site)
    got, said = run(site, *args)
    assert (got, words in said) == (code, True), said
    assert files(site) == before and tree(site) == there
    assert "x" * 70 not in said


NAMES = ["", ".", "..", "/", "a/b", "../x", ".x", "a..b", "a b", "a'b\"c",
         "a\nb", "a\tb", "a;id", "$(id)", "a:b", "a<b", "a\\b", "h\u00e9",
         "\u0430", "x" * 65, "x" * 10000, "%", "@", "vpasswd", "q"]


@pytest.mark.parametrize("n", range(len(NAMES)))
def test_bad_names(site, n):
    """As a user, as a domain, as an alias: an error that names it, nothing
    done, nothing that a terminal obeys."""
    name = NAMES[n]
    before, there = files(site), tree(site)
    odd = name in ("$(id)", "a'b\"c")       # a user may have $ and '
    for args in (["vadduser", f"{name}@one.example", "x"],
                 ["vadduser", "-c", "c", "--", name, "x"],
                 ["vadddomain", "--", name, "x"],
                 ["vadddomain", "--", f"{name}.example/", "x"],
                 ["vaddaliasdomain", "--", "one.example", name],
                 ["vdeldomain", "--", name],
                 ["vdeluser", "--", f"{name}@one.example"],
                 ["vadduser", "--", f"jo@{name}", "x"],
                 ["vadduser", "-F", "/dev/null", "--", name]):
        code, said = run(site, *args)
        assert code >= 201, (args, said)
        assert said.startswith("Error: ") and len(said) < 2000, said
        assert "\n" not in said[:-1] and "\t" not in said
    assert odd or (files(site) == before and tree(site) == there)


def test_a_colon_where_it_would_be_two_fields(site):
    code, said = run(site, "vadduser", "-c", "a:b", "colon@one.example", "x")
    if site.store == "cdb":
        assert code == 236 and "comment" in said
    else:
        assert (code, said) == (0, "")
        site.v("vdeluser", "colon@one.example")


def test_options(site):
    before = files(site)
    code, said = run(site, "vadddomain", "-r12", "-q", "10M,100C", "-b",
                     "opt.example")
    m = re.fullmatch(r"Random password: (\w{12})\n", said)
    assert code == 0 and m
    assert "10485760S,100C" in run(site, "vuserinfo", "-q",
                                   "postmaster@opt.example")[1]
    assert run(site, "vadduser", "-e", "$1$abc$def", "-q", "noquota",
               "jo@opt.example") == (0, "")
    assert run(site, "vuserinfo", "-p", "jo@opt.example")[1] == \
        "$1$abc$def\n"
    assert run(site, "vadduser", "-n", "an@opt.example") == (0, "")
    assert run(site, "vadduser", "-s", "-r", "eva@opt.example")[1]. \
        startswith("Random password: ")
    # without a domain
    assert site.v("vadduser", "def", "pw",
                  env={"VPOPMAIL_DOMAIN": "opt.example"}).returncode == 0
    assert run(site, "vdeluser", "def@opt.example") == (0, "")
    assert run(site, "vdeldomain", "opt.example") == (0, "")
    for args, text in ((["-e", "jo@x.example"], "jo@x.example"),
                       (["-e", "postmaster"],
                        f"{DOMAINS}/opt.example/postmaster"),
                       (["--unknown=delete"], "delete")):
        assert run(site, "vadddomain", *args, "opt.example", "x") == (0, "")
        assert site.h.read(f"{DOMAINS}/opt.example/.qmail-default") == \
            f"| {VPOPMAIL}/bin/vdelivermail '' {text}\n"
        code, said = run(site, "vdeluser", "postmaster@opt.example")
        assert code == (201 if "/" in text else 0), said
        site.v("vdeldomain", "opt.example")
    gone(site, "opt.example", before)


def test_catchall_gets_mail(site):
    site.v("vadddomain", "-e", "postmaster", "catch.example", "x")
    assert site.good("whoever@catch.example")
    assert site.vmail("postmaster@catch.example")
    site.v("vdeldomain", "catch.example")


def test_another_owner(site):
    """Mail is delivered as that user, and authdaemond can read accounts."""
    site.h.add_user("webco")
    home = site.h.user("webco").pw_dir
    site.h.run(["chmod", "700", home])
    before = files(site)
    code, said = run(site, "vadddomain", "-u", "webco", "webco.example", "pw")
    assert code == 242 and "authdaemond" in said
    assert files(site) == before
    assert not site.h.exists(f"{home}/domains/webco.example")
    site.h.run(["chmod", "711", home])
    assert run(site, "vadddomain", "-u", "webco", "webco.example", "pw") == \
        (0, "")
    assert run(site, "vadduser", "jo@webco.example", "pw") == (0, "")
    d = f"{home}/domains/webco.example"
    listing = dict(t.split(" ", 1) for t in tree(site, d))
    assert listing["."] == "2750 webco:vchkpw"
    for name in ["vpasswd", "vpasswd.cdb", ".qmail-default"][
            0 if site.store == "cdb" else 2:]:
        assert listing[f"./{name}"] == "640 webco:vchkpw", name
    assert listing["./jo/Maildir/new"].split()[1].startswith("webco:")
    assert site.good("jo@webco.example")
    assert site.vmail("jo@webco.example")
    assert run(site, "vdeldomain", "webco.example") == (0, "")
    gone(site, "webco.example", before)
    assert not site.h.exists(d)


def test_onchange(site):
    """The hook gets words of their own, and what it does is its business."""
    hook = f"{VPOPMAIL}/etc/onchange"
    site.h.write(hook, "#!/bin/sh\necho \"$# $1|$2|$3|$VPOP_ACTION|"
                 "$VPOP_ARG1|$VPOP_ARG2\" >>/tmp/changes\nid -un "
                 ">/tmp/whose\nexit 3\n", mode=0o755)
    site.h.run("rm -f /tmp/changes; : >/tmp/changes; : >/tmp/whose; "
               "chmod 666 /tmp/changes /tmp/whose")
    assert run(site, "vadddomain", "hook.example", "x") == (0, "")
    assert run(site, "vaddaliasdomain", "hook.example", "h.example") == \
        (0, "")
    assert run(site, "vadduser", "jo@hook.example", "x") == (0, "")
    assert run(site, "vdeluser", "jo@hook.example") == (0, "")
    site.v("vadduser", "-E", "-F", "-", "hook.example", input="a1:h\nb1:h\n")
    assert run(site, "vdeldomain", "-f", "hook.example")[0] == 0
    said = site.h.read("/tmp/changes").splitlines()
    assert said == [
        "2 add_domain|hook.example||add_domain|hook.example|",
        "3 add_alias_domain|hook.example|h.example|add_alias_domain|"
        "hook.example|h.example",
        "2 add_user|jo@hook.example||add_user|jo@hook.example|",
        "2 del_user|jo@hook.example||del_user|jo@hook.example|",
        "3 add_users|hook.example|2|add_users|hook.example|2",
        "2 del_domain|h.example||del_domain|h.example|",
        "2 del_domain|hook.example||del_domain|hook.example|"]
    assert site.h.read("/tmp/whose") == "root\n"
    site.h.run(["chown", "vpopmail", hook])
    site.v("vadduser", "hook@one.example", "x")
    assert site.h.read("/tmp/whose") == "vpopmail\n"
    site.h.run(["rm", hook])
    site.v("vdeluser", "hook@one.example")


def test_somebody_elses_mail(site):
    """A directory that is there with something in it is nobody's."""
    d = f"{DOMAINS}/one.example/left"
    site.h.run(f"mkdir -p {d}/Maildir/cur && echo secret >{d}/Maildir/cur/1 "
               f"&& chown -R vpopmail:vchkpw {d}")
    code, said = run(site, "vadduser", "left@one.example", "x")
    assert code == 249 and d in said
    assert site.h.read(f"{d}/Maildir/cur/1") == "secret\n"
    site.h.run(["rm", f"{d}/Maildir/cur/1"])
    assert run(site, "vadduser", "left@one.example", "x") == (0, "")
    site.v("vdeluser", "left@one.example")


def test_links_lead_nowhere(site):
    """An owner's links in what is removed, and where something is made."""
    site.h.run("rm -rf /tmp/target && mkdir -m 777 /tmp/target && "
               "echo kept >/tmp/target/file && chmod 600 /tmp/target/file")
    site.v("vadddomain", "link.example", "x")
    site.v("vadduser", "jo@link.example", "x")
    d = f"{DOMAINS}/link.example"
    site.h.run(f"ln -s /tmp/target {d}/jo/Maildir/.out && "
               f"ln -s /tmp/target {d}/an && ln -s /etc/passwd {d}/jo/x")
    code, said = run(site, "vadduser", "an@link.example", "x")
    assert code == 249, said
    site.v("vdeluser", "jo@link.example")
    site.v("vdeldomain", "link.example")
    assert site.h.read("/tmp/target/file") == "kept\n"
    assert site.h.listdir("/tmp/target") == ["file"]
    # a domain's directory that is a link: only the link goes
    site.v("vadddomain", "link.example", "x")
    site.h.run(f"mv {d} /tmp/target/real && ln -s /tmp/target/real {d}")
    assert run(site, "vdeldomain", "link.example") == (0, "")
    assert site.h.exists("/tmp/target/real/postmaster")
    assert not site.h.exists(d)
