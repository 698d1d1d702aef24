"""What vdelivermail does with a message, over both stores: every action of
.qmail-default, every kind of instruction, extensions, aliases with wildcards,
and what the exit codes of programs come to."""

import os
import re

import pytest

DOMAIN = "act.example"
VDELIVERMAIL = "/home/vpopmail/bin/vdelivermail"
BOUNCED = [64, 65, 70, 76, 77, 78, 100, 112]
DEFERRED = [1, 2, 63, 66, 71, 75, 98, 111, 127, 255]


class Act:
    """A domain with some users on a site."""

    def __init__(self, site):
        self.s, self.h = site, site.h
        site.add_domain(DOMAIN)
        self.dir = os.path.dirname(site.user_dir(f"postmaster@{DOMAIN}"))
        for name in ("jo", "al", "codes"):
            site.add_user(f"{name}@{DOMAIN}")
        self.h.run("sed -i 's/^MAXLOGSIZE=.*/MAXLOGSIZE=16000000/' "
                   "/var/qmail/supervise/qmail/log/run && "
                   "svc -t /service/qmail/log")

    def put(self, name, text):
        self.h.write(f"{self.dir}/{name}", text, mode=0o600, owner="vpopmail")

    def rm(self, name):
        self.h.run(["rm", "-f", f"{self.dir}/{name}"])

    def action(self, words):
        self.put(".qmail-default", f"| {VDELIVERMAIL} '' {words}\n")

    def send(self, name, **kw):
        """Outcome and text of the delivery to a name of the domain."""
        mark = self.s.send(f"{name}@{DOMAIN}", **kw)
        return self.s.result(f"{DOMAIN}-{name}@{DOMAIN}", mark)

    def got(self, name, subject):
        """Waits for a message with this subject; the whole of it."""
        return self.h.wait(lambda: [
            m for m in self.s.vmails(f"{name}@{DOMAIN}")
            if f"\nSubject: {subject}\n" in m], f"{subject} for {name}")[0]


@pytest.fixture(scope="module")
def act(vsite):
    return Act(vsite)


def text(subject):
    return f"Subject: {subject}\n\nbody\n"


def test_bounce_no_mailbox(act):
    act.action("bounce-no-mailbox")
    result, said = act.send("nobody")
    assert result == "failure" and said.startswith(
        "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/")
    act.put(".no-user.msg", "Not with us. (#5.1.1)\n")
    assert act.send("nobody")[1].startswith("Not_with_us._(#5.1.1)/")
    act.rm(".no-user.msg")


@pytest.mark.parametrize("form", [
    "delete", "{dir}/al", "{dir}/al/", "al@" + DOMAIN, "'&al@" + DOMAIN + "'",
    '"al@{ext_domain}"', "{dir}/al/Maildir/"])
def test_catch_all(act, form, request):
    subject = f"catch-{abs(hash(form))}"
    act.action(form.format(dir=act.dir, ext_domain=DOMAIN))
    before = len(act.s.vmails(f"al@{DOMAIN}"))
    assert act.send("nobody", text=text(subject))[0] == "success"
    if form == "delete":
        assert len(act.s.vmails(f"al@{DOMAIN}")) == before
    else:
        act.got("al", subject)
    act.action("bounce-no-mailbox")


def test_same_user_elsewhere(act):
    for form in ('"$EXT@elsewhere.example"', "$EXT@elsewhere.example"):
        act.action(form)
        mark = act.s.mark()
        assert act.send("nobody")[0] == "success"
        act.h.wait(lambda: "to remote nobody@elsewhere.example" in
                   act.s.log()[mark:], "the forward")
    act.action("bounce-no-mailbox")


def test_an_action_that_means_nothing_defers(act):
    for form in ("", "one two", "'|true'"):
        act.action(form)
        assert act.send("nobody")[0] == "deferral"
    act.action("bounce-no-mailbox")


def test_instructions(act):
    s = act.s
    act.put("jo/.qmail", f"# a comment\n{act.dir}/jo/Maildir/\n"
            f"&al@{DOMAIN}\n|cat >seen; pwd >where\n")
    assert act.send("jo", text=text("kinds"))[0] == "success"
    head = act.got("jo", "kinds").split("\nReceived")[0]
    assert head == (f"Return-Path: <mailadmin@mx.valija.test>\nDelivered-To: "
                    f"jo@{DOMAIN}")
    assert f"\nDelivered-To: jo@{DOMAIN}\n" in act.got("al", "kinds")
    assert "Subject: kinds\n" in act.h.read(f"{act.dir}/jo/seen")
    assert act.h.read(f"{act.dir}/jo/where") == f"{act.dir}/jo\n"
    n = len(s.vmails(f"jo@{DOMAIN}"))
    for lines, result in (("# delete\n", "success"),
                          ("./mbox\n", "deferral"),
                          ("|exit 99\n./Maildir/\n", "success"),
                          ("./Maildir/\n|exit 100\n", "failure"),
                          ("./Maildir/\n|exit 111\n", "deferral")):
        act.put("jo/.qmail", lines)
        assert act.send("jo")[0] == result
    assert len(s.vmails(f"jo@{DOMAIN}")) == n
    act.put("jo/.qmail", "")
    assert act.send("jo", text=text("empty"))[0] == "success"
    act.got("jo", "empty")
    act.rm("jo/.qmail")


def test_exit_codes(act):
    """Of programs in a user's .qmail, and by signals."""
    with act.s.settings(qmailext="1"):
        act.put("codes/.qmail-default", "|exit $EXT2\n")
        act.put("codes/.qmail-signal", "|kill -KILL $$\n")
        want = {**dict.fromkeys(BOUNCED, "failure"),
                **dict.fromkeys(DEFERRED, "deferral"),
                0: "success", 99: "success", "signal": "deferral"}
        marks = {code: act.s.send(f"codes-{code}@{DOMAIN}") for code in want}
        for code, mark in marks.items():
            assert act.s.result(f"{DOMAIN}-codes-{code}@{DOMAIN}",
                                mark)[0] == want[code], code


def test_extensions(act):
    assert act.send("jo-list")[0] == "failure"
    with act.s.settings(qmailext="1"):
        for name in ("-a:b", "-c-default", ""):
            act.put(f"jo/.qmail{name}",
                    f"|echo x{name} $DEFAULT $EXT >>{act.dir}/jo/ext\n")
        for name in ("jo-a.b", "jo-c-d", "jo-e", "jo"):
            assert act.send(name)[0] == "success"
        assert act.h.read(f"{act.dir}/jo/ext").splitlines() == [
            "x-a:b jo-a.b jo-a.b", "x-c-default d jo-c-d", "x jo-e jo-e",
            "x jo jo"]
        for name in ("-a:b", "-c-default", ""):
            act.rm(f"jo/.qmail{name}")
        assert act.send("jo-more", text=text("more"))[0] == "success"
        assert f"\nDelivered-To: jo-more@{DOMAIN}\n" in act.got("jo", "more")


def test_aliases(act):
    def alias(name, line):
        act.s.v("valias", "-i", line, f"{name}@{DOMAIN}")

    alias("team", f"&jo@{DOMAIN}")
    alias("team", f"&al@{DOMAIN}")
    alias("list-default", f"|echo \"$DEFAULT\" >>{act.dir}/list")
    alias("list-x-default", f"|echo \"x $DEFAULT\" >>{act.dir}/list")
    alias("al", f"&jo@{DOMAIN}")
    assert act.send("team", text=text("team"))[0] == "success"
    act.got("jo", "team")
    # The alias goes before the mailbox of that name: here it is reached by
    # no address.
    act.h.wait(lambda: sum("\nSubject: team\n" in m for m in
                           act.s.vmails(f"jo@{DOMAIN}")) == 2, "both ways")
    assert not any("\nSubject: team\n" in m
                   for m in act.s.vmails(f"al@{DOMAIN}"))
    for name in ("list-a-b", "list-x-y", "list-" + "z" * 70):
        assert act.send(name)[0] == "success"
    assert act.h.read(f"{act.dir}/list").splitlines() == [
        "a-b", "x y", "z" * 70]
    for name in ("team", "al", "list-default", "list-x-default"):
        act.s.v("valias", "-d", f"{name}@{DOMAIN}")
    assert act.send("team")[0] == "failure"


def test_names(act):
    for name in ("a,b", "j\u00f6", 'a"b'):
        mark = act.s.queue("sender@mx.valija.test", [f"{name}@{DOMAIN}"])
        act.h.wait(lambda: re.search(
            r"(?m)^delivery \d+: failure: No_mailbox_can_have_this_name",
            act.s.log()[mark:]), f"the end of mail for {name}")
