"""Is it an open relay?  The forms that testers of relays try, and more, from an
address that may not relay, against every configuration that says where mail
goes; and by QMTP the same.  Whatever a form means, nothing may go out: each is
refused, or it is delivered here."""

import re

import pytest

from conftest import CONTROL, HOSTNAME
from mailsite import STRANGER
from test_smtp_service import Served

OUT = "victim@elsewhere.example"
# In RCPT TO:, as it stands; {us} is our domain, {ip} our address, {six} the
# same mapped into IPv6.
FORMS = [
    f"<{OUT}>", OUT, f"<{OUT.upper()}>", f'<"victim"@elsewhere.example>',
    f'<"{OUT}">', f"<{OUT}.>", f"<{OUT}..>", f"< {OUT}>", f"<{OUT} >",
    # percent hack
    "<victim%elsewhere.example@{us}>", "<victim%elsewhere.example>",
    "<victim%elsewhere.example@[{ip}]>", '<"victim%elsewhere.example">',
    "<victim%elsewhere.example%{us}@{us}>", '<"victim%elsewhere.example"@{us}>',
    "<victim%elsewhere.example@[IPv6:{six}]>", "<victim%[192.0.2.77]@{us}>",
    # bang paths
    "<elsewhere.example!victim>", "<elsewhere.example!victim@{us}>",
    "<{us}!elsewhere.example!victim>", "<elsewhere.example!victim@[{ip}]>",
    "<elsewhere.example!{us}!victim@{us}>",
    # source routes
    f"<@{{us}}:{OUT}>", f"<@[{{ip}}]:{OUT}>", f"<@{{us}},@{{us}}:{OUT}>",
    f"<@elsewhere.example:victim@{{us}}>", f"<@{{us}}:{OUT}@{{us}}>",
    "<@{us}:elsewhere.example!victim>", "<@{us}:victim%elsewhere.example>",
    f'<@{{us}}:"{OUT}">', "<@:" + OUT + ">",
    # two hosts, quoted hosts, empty ones
    f"<{OUT}@{{us}}>", f'<"{OUT}"@{{us}}>', f'<"{OUT}"@[{{ip}}]>',
    f"<victim\\@elsewhere.example@{{us}}>", f"<{OUT}@>", "<victim@>", "<@>",
    "<victim@{us}@elsewhere.example>", '<"victim@{us}"@elsewhere.example>',
    f"<{OUT},x@{{us}}>", f"<{OUT};x@{{us}}>", f"<{OUT}> <x@{{us}}>",
    f"<<{OUT}>@{{us}}>", f"<{OUT}(@{{us}})>", f"{OUT}:{{us}}",
    # literals
    "<victim@[192.0.2.77]>", "<victim@192.0.2.77>", "<victim@[3221226061]>",
    "<victim@[IPv6:::ffff:192.0.2.77]>", "<victim@[::ffff:192.0.2.77]>",
    "<victim@[0xc000024d]>", "<victim@[192.0.2.077]>", "<victim@[127.0.0.2]>",
    "<victim@localhost>", "<victim@[]>", "<victim@[{ip}].elsewhere.example>",
    # names like ours
    "<victim@{us}.elsewhere.example>", "<victim@x{us}>", "<victim@.{us}>",
    "<victim@sub.{us}>", "<victim@{us}.>", "<victim@{us}%00.elsewhere.example>",
    "<victim@{us}\\x00.elsewhere.example>", "<victim@{us}\\tx>",
    "<victim@m\u0445.valija.test>", "<victim@\uff4d\uff58.valija.test>",
    "<victim@xn--mx.valija.test>", "<victim@{us}\u3002elsewhere.example>",
    # Encoded words, and nothing at all
    "<=?utf-8?q?victim=40elsewhere.example?=@{us}>", "<>", "", "victim",
    "<victim>", f"<smtp:{OUT}>", f"<mailto:{OUT}>", "<victim+elsewhere@{us}>",
    "<postmaster@elsewhere.example>", "<abuse@elsewhere.example>",
    "<postmaster%elsewhere.example@{us}>", "<|sh@{us}>", "</dev/null@{us}>",
    "<.@{us}>", "<..@{us}>", "<../victim@{us}>", '<"../victim"@{us}>',
]

# Nine at a time: then errors make a session slow, and end it.
CLIENT = r"""
import re, socket, sys
forms = eval(sys.stdin.read())
def reply(f):
    line = f.readline()
    while line[3:4] == b"-":
        line = f.readline()
    return line.decode().strip()
for at in range(0, len(forms), 9):
    s = socket.socket()
    s.settimeout(100)
    s.bind(("%s", 0))
    s.connect(("%s", 25))
    f = s.makefile("rb")
    def say(line):
        s.sendall(line + b"\r\n")
        return reply(f)
    reply(f)
    say(b"EHLO tester.example")
    for form in forms[at:at + 9]:
        text = form.replace("\\x00", "\0").replace("\\t", "\t").encode()
        say(b"MAIL FROM:<spam@tester.example> SMTPUTF8")
        r = say(b"RCPT TO:" + text)
        if r[:3] == "250" and say(b"DATA")[:3] == "354":
            r += " " + say(b"Subject: relayed\r\n\r\nx\r\n.")
        print(repr((form, r)))
        if "\0" in text.decode():          # it ended the session
            break
        say(b"RSET")
    s.close()
""" % (STRANGER, STRANGER)

US = {"rcpthosts": f"{HOSTNAME}\n", "locals": f"{HOSTNAME}\n",
      "localiphost": None, "percenthack": None, "virtualdomains": None,
      "envnoathost": None, "morercpthosts": None}
CONFIGURATIONS = {
    "as installed": {},
    "no rcpthosts": {"rcpthosts": None},
    "empty rcpthosts": {"rcpthosts": ""},
    # Who lists subdomains takes mail for them; these are ours here.
    "subdomains of ours": {"rcpthosts": f"{HOSTNAME}\n.{HOSTNAME}\n",
                           "locals": f"{HOSTNAME}\nsub.{HOSTNAME}\n"},
    "percenthack": {"percenthack": f"{HOSTNAME}\n",
                    "localiphost": f"{HOSTNAME}\n"},
    "localiphost": {"localiphost": f"{HOSTNAME}\n"},
    "virtual domain": {"virtualdomains": f"{HOSTNAME}:catchall\n",
                       "locals": "none.example\n"},
    "catch all": {"virtualdomains": f".{HOSTNAME}:catchall\n",
                  "rcpthosts": f"{HOSTNAME}\n.{HOSTNAME}\n"},
    "morercpthosts": {"rcpthosts": None, "morercpthosts": f"{HOSTNAME}\n"},
    "names without host": {"envnoathost": f"{HOSTNAME}\n"},
}


@pytest.fixture(scope="module")
def site():
    s = Served()
    s.h.write("/run/relay.py", CLIENT, mode=0o644)
    s.h.add_user("catchall")
    s.dotqmail("catchall", "./Maildir/\n", ext="default")
    yield s
    s.close()


def forms():
    return [f.replace("{us}", HOSTNAME).replace("{ip}", STRANGER).replace(
        "{six}", "::ffff:" + STRANGER) for f in FORMS]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_no_form_relays(site, name):
    mark = site.mark()
    with site.control(**{**US, **CONFIGURATIONS[name]}):
        site.h.run(f"if [ -f {CONTROL}/morercpthosts ]; then qmail-newmrh; "
                   f"else rm -f {CONTROL}/morercpthosts.cdb; fi")
        site.h.run("svc -h /service/qmail-verify; sleep 1.2")
        tried = forms()
        out = site.h.run(["python3", "/run/relay.py"], input=repr(tried),
                         timeout=100).stdout
        got = [eval(line) for line in out.splitlines()]
        seen = {f for f, _ in got}
        assert len(seen) >= 60, out      # a NUL takes the rest along
        taken = [(f, r) for f, r in got if not re.match("5", r)]
        # What was taken is somebody's here.
        catch = "virtual" in name or name == "catch all"
        for form, reply in taken:
            assert reply.startswith("250") and catch, (form, reply)
        assert bool(taken) == catch
        site.empty()
        log = site.log()[mark:]
        assert " to remote " not in log
        assert not re.search(r"(?m)^starting delivery \d+: msg \d+ to local "
                             r"\S*@elsewhere\.example( |$)", log)


def test_there_is_a_control(site, user):
    """The same client does get mail in: the table above could fail."""
    out = site.h.run(["python3", "/run/relay.py"],
                     input=repr([f"<{user}@{HOSTNAME}>"])).stdout
    assert "250 2.1.5" in out and "250 2.0.0 ok" in out
    site.mail(user)
