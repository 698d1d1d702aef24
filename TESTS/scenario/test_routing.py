"""Which channel, which local address: the rewriting before delivery."""

import itertools
import re

HOST = "mx.valija.test"


def route(site, rcpt, numbers=itertools.count()):
    """What the recipient became: (channel, address), as the log has it."""
    sender = f"route{next(numbers)}@sender.example"
    mark = site.queue(sender, [rcpt])

    def found():
        log = site.log()[mark:]
        m = re.search(rf"(?m)^info msg (\d+): bytes \d+ from <{sender}>", log)
        return m and re.search(r"(?m)^starting delivery \d+: msg "
                               rf"{m.group(1)} to (local|remote) (\S+)", log)
    return site.h.wait(found, f"a delivery for {rcpt}").groups()


def test_virtualdomains(site):
    with site.control(virtualdomains=(
            "# a comment\n"
            "person@virtual.example:mailadmin-person\n"
            "virtual.example:mailadmin-vd\n"
            ".virtual.example:mailadmin-sub\n"
            "exception.sub.example:\n"
            ".sub.example:mailadmin-wild\n"
            "twice.example:mailadmin-first\n"
            "twice.example:mailadmin-last\n"
            "a line without a colon\n"
            "UPPER.example:mailadmin-up\n")):
        def local(address):
            return ("local", address)
        assert route(site, "person@virtual.example") == local(
            "mailadmin-person-person@virtual.example")
        assert route(site, "Other@virtual.example") == local(
            "mailadmin-vd-Other@virtual.example")
        assert route(site, "x@Virtual.EXAMPLE") == local(
            "mailadmin-vd-x@Virtual.EXAMPLE")
        assert route(site, "x@a.virtual.example") == local(
            "mailadmin-sub-x@a.virtual.example")
        assert route(site, "x@a.b.virtual.example") == local(
            "mailadmin-sub-x@a.b.virtual.example")
        assert route(site, "x@exception.sub.example") == (
            "remote", "x@exception.sub.example")
        assert route(site, "x@other.sub.example") == local(
            "mailadmin-wild-x@other.sub.example")
        assert route(site, "x@twice.example") == local(
            "mailadmin-last-x@twice.example")
        assert route(site, "x@upper.example") == local(
            "mailadmin-up-x@upper.example")
        assert route(site, "x@elsewhere.example") == (
            "remote", "x@elsewhere.example")
        # locals come first
        assert route(site, f"mailadmin@{HOST}") == local(f"mailadmin@{HOST}")


def test_empty_key_catches_everything(site):
    with site.control(virtualdomains=":mailadmin-all\nnot.example:\n"):
        assert route(site, "x@any.example") == (
            "local", "mailadmin-all-x@any.example")
        assert route(site, "x@not.example") == ("remote", "x@not.example")


def test_virtual_domain_delivers_and_bounces(site, user):
    site.dotqmail(user, '|echo "$LOCAL@$HOST $EXT $DEFAULT" >got\n',
                  ext="info")
    before = len(site.mails("mailadmin"))
    with site.control(virtualdomains=f"shop.example:{user}\n"):
        mark = site.send("info@shop.example")
        rcpt = f"{user}-info@shop.example"
        assert site.result(rcpt, mark)[0] == "success"
        assert site.h.read(f"/home/{user}/got") == f"{rcpt} info \n"
        # the bounce names the address as the sender wrote it
        mark = site.send("nobody@shop.example")
        assert site.result(f"{user}-nobody@shop.example",
                           mark)[0] == "failure"
        bounces = site.h.wait(
            lambda: [m for m in site.mails("mailadmin")[before:]
                     if "<nobody@shop.example>:" in m], "the bounce")
        assert f"<{user}-nobody@shop.example>:" not in bounces[0]


def test_percenthack(site):
    with site.control(percenthack=f"{HOST}\nhack.example\n",
                      locals=f"{HOST}\n"):
        assert route(site, f"mailadmin%{HOST}@hack.example") == (
            "local", f"mailadmin@{HOST}")
        assert route(site, f"a%far.example@{HOST}") == (
            "remote", "a@far.example")
        assert route(site, f"a%far.example%{HOST}@hack.example") == (
            "remote", "a@far.example")
        assert route(site, "a%b@plain.example") == (
            "remote", "a_b@plain.example")      # the log writes _ for %


def test_envnoathost(site):
    with site.control(envnoathost="added.example\n"):
        assert route(site, "bare") == ("remote", "bare@added.example")
    assert route(site, "mailadmin") == ("local", f"mailadmin@{HOST}")


def test_locals_decides(site):
    with site.control(locals="Second.Example\n"):
        assert route(site, "mailadmin@second.example")[0] == "local"
        assert route(site, f"mailadmin@{HOST}")[0] == "remote"
    with site.control(locals=""):
        assert route(site, f"mailadmin@{HOST}")[0] == "remote"
    with site.control(locals=None):
        assert route(site, f"mailadmin@{HOST}")[0] == "local"


def test_users_assign(site, user):
    e = site.h.user(user)
    site.h.run(["mkdir", "-p", "/home/virt"])
    site.h.run(["chown", f"{e.pw_uid}:{e.pw_gid}", "/home/virt"])
    site.h.write("/home/virt/.qmail-box", "|cat >box\n", mode=0o644,
                 owner=user)
    site.h.write("/home/virt/.qmail-pre-default", "|echo $EXT $DEFAULT >pre\n",
                 mode=0o644, owner=user)
    site.h.write(
        "/var/qmail/users/assign",
        f"=exact:{user}:{e.pw_uid}:{e.pw_gid}:/home/virt:-:box:\n"
        f"+wild-:{user}:{e.pw_uid}:{e.pw_gid}:/home/virt:-:pre-:\n"
        ".\n", mode=0o644)
    try:
        site.h.run(["qmail-newu"])
        mark = site.send(f"exact@{HOST}")
        assert site.result(f"exact@{HOST}", mark)[0] == "success"
        assert site.h.exists("/home/virt/box")
        rcpt = f"Wild-Some.Thing@{HOST}"
        mark = site.queue("a@b", [rcpt])
        assert site.result(rcpt, mark)[0] == "success"
        assert site.h.read("/home/virt/pre") == "pre-Some.Thing Some.Thing\n"
        # what the table does not name is still looked up in the passwd file
        mark = site.send(f"{user}@{HOST}")
        assert site.result(f"{user}@{HOST}", mark)[0] == "success"
    finally:
        site.h.run("rm -f /var/qmail/users/assign /var/qmail/users/cdb")


def test_broken_users_cdb_defers(site, user):
    site.h.write("/var/qmail/users/cdb", "nonsense", mode=0o644)
    try:
        mark = site.send(f"{user}@{HOST}")
        assert site.result(f"{user}@{HOST}", mark)[0] == "deferral"
    finally:
        site.h.run(["rm", "-f", "/var/qmail/users/cdb"])
    site.h.run(["svc", "-a", "/service/qmail"])
    site.mail(user)


def test_assign_without_its_end_is_refused(site):
    site.h.write("/var/qmail/users/assign", "=x:x:1:1:/:::\n", mode=0o644)
    try:
        r = site.h.run(["qmail-newu"], check=False)
        assert r.returncode == 111 and r.stderr.startswith("qmail-newu: ")
        assert not site.h.exists("/var/qmail/users/cdb")
    finally:
        site.h.run(["rm", "-f", "/var/qmail/users/assign"])


def test_pw2u(site, user):
    out = site.h.run("grep -E '^(mailadmin|alias):' /etc/passwd |"
                     " qmail-pw2u").stdout
    e = site.h.user("mailadmin")
    line = f"{e.pw_uid}:{e.pw_gid}:/home/mailadmin"
    assert f"=mailadmin:mailadmin:{line}:::\n" in out
    assert f"+mailadmin-:mailadmin:{line}:-::\n" in out
    assert out.endswith("\n.\n")


def test_many_recipients_of_one_message(site):
    users = [site.new_user() for _ in range(5)]
    rcpts = [f"{u}@{HOST}" for u in users]
    mark = site.queue("a@b", rcpts + ["noexiste@" + HOST])
    for u in users:
        text, = site.mail(u)
        assert text.startswith(f"Return-Path: <a@b>\nDelivered-To: {u}@{HOST}")
    assert site.result("noexiste@" + HOST, mark)[0] == "failure"


def test_verp_sender_in_the_envelope(site, user):
    mark = site.queue(f"list-@{HOST}-@[]", [f"{user}@{HOST}"])
    assert site.result(f"{user}@{HOST}", mark)[0] == "success"
    text, = site.mails(user)
    assert text.startswith(f"Return-Path: <list-{user}={HOST}@{HOST}>\n")
