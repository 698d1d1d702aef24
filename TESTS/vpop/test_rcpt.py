"""Recipients of virtual domains at RCPT: the answer is that of delivery, and
nothing that is away or out of order ever reads as "no such user"."""

import contextlib

import pytest

from vsite import HOSTNAME

DOMAIN = "rcpt.example"


@pytest.fixture(scope="module")
def domain(vsite):
    vsite.add_domain(DOMAIN)
    vsite.v("vaddaliasdomain", DOMAIN, "alias.example")
    vsite.add_user(f"jo@{DOMAIN}")
    vsite.v("valias", "-i", f"&jo@{DOMAIN}", f"info@{DOMAIN}")
    vsite.h.add_user("local")
    return vsite


@pytest.fixture
def undo():
    with contextlib.ExitStack() as stack:
        yield stack


def answer(site, *rcpts):
    """What a stranger is told: '250', or the code with its enhanced one."""
    step, code, text = site.stranger("--sender", "a@example.org", *rcpts)
    return "250" if step == "QUIT" else f"{code} {text.split()[0]}"


KNOWN = [f"jo@{DOMAIN}", f"JO@{DOMAIN.upper()}", f"postmaster@{DOMAIN}",
         f"abuse@{DOMAIN}", f"info@{DOMAIN}", "jo@alias.example",
         "info@alias.example", f"local@{HOSTNAME}"]
UNKNOWN = [f"nobody@{DOMAIN}", f"jo-x@{DOMAIN}", f"vpasswd@{DOMAIN}",
           "nobody@alias.example", f"a{'b' * 200}@{DOMAIN}",
           f"jo'='jo@{DOMAIN}", f"jo-x-y@{DOMAIN}",
           f"../jo@{DOMAIN}", f"jo/Maildir@{DOMAIN}",
           f"nobody@{HOSTNAME}"]


@pytest.mark.parametrize("rcpt", KNOWN)
def test_known_ones_are_taken(domain, rcpt):
    assert answer(domain, rcpt) == "250"


@pytest.mark.parametrize("rcpt", UNKNOWN)
def test_unknown_ones_are_refused(domain, rcpt):
    assert answer(domain, rcpt) == "550 5.1.1"


def test_what_is_taken_arrives(domain):
    user = domain.add_user(f"arrives@{DOMAIN}")
    assert answer(domain, user) == "250"
    text, = domain.vmail(user)
    assert f"\nDelivered-To: {user}\n" in text
    assert text.endswith("\nSubject: by smtp\n\nhello\n")
    assert answer(domain, "arrives@alias.example") == "250"
    assert len(domain.vmail(user, n=2)) == 2


def test_a_change_counts_at_once(domain):
    rcpt = f"fresh@{DOMAIN}"
    assert answer(domain, rcpt) == "550 5.1.1"
    domain.add_user(rcpt)
    assert answer(domain, rcpt) == "250"
    domain.v("vdeluser", rcpt)
    assert answer(domain, rcpt) == "550 5.1.1"


def test_catch_all(domain):
    name = domain.add_domain("all.example")
    jo = domain.add_user(f"jo@{name}")
    # qmail-verify looks at control files once a second
    domain.h.wait(lambda: answer(domain, f"any@{name}") == "550 5.1.1",
                  "the new domain to be seen", step=0.2)
    path = domain.v("vdominfo", "-d", name).stdout.strip() + "/.qmail-default"
    old = domain.h.read(path)
    domain.h.write(path, old.replace("bounce-no-mailbox", jo))
    domain.h.wait(lambda: answer(domain, f"any@{name}") == "250",
                  "the catch-all to be seen", step=0.2)
    domain.vmail(jo)


def test_without_authdaemond_mail_waits(domain, undo):
    undo.callback(domain.h.wait, lambda: answer(
        domain, f"jo@{DOMAIN}") == "250", "authdaemond again", step=0.2)
    undo.callback(domain.h.run, "svc -u /service/authdaemond")
    domain.h.run("svc -d /service/authdaemond")
    domain.h.wait(lambda: not domain.h.running("authdaemond"), "its end")
    for rcpt in (f"jo@{DOMAIN}", f"nobody@{DOMAIN}", "jo@alias.example"):
        assert answer(domain, rcpt) == "451 4.3.0"
    # who needs none of it
    assert answer(domain, f"postmaster@{DOMAIN}") == "250"
    assert answer(domain, f"local@{HOSTNAME}") == "250"
    assert answer(domain, f"nobody@{HOSTNAME}") == "550 5.1.1"


def test_killed_it_is_back_for_the_next(domain):
    old = set(domain.h.running("authdaemond"))
    assert domain.h.kill("authdaemond") > 0
    domain.h.wait(lambda: set(domain.h.running("authdaemond")) - old,
                  "the next one")

    def again():
        code = answer(domain, f"jo@{DOMAIN}")
        assert code in ("250", "451 4.3.0")
        return code == "250"
    domain.h.wait(again, "an answer", step=0.2)


def test_a_store_that_is_away(domain, undo):
    """Never a refusal; and when it is back nobody has to be told."""
    if domain.store == "mysql":
        undo.callback(domain.db.start)
        domain.db.stop()
    else:
        d = domain.v("vdominfo", "-d", DOMAIN).stdout.strip()
        undo.callback(domain.h.run, f"chown vpopmail {d}/vpasswd*")
        domain.h.run(f"chown root {d}/vpasswd* && chmod 600 {d}/vpasswd*")

    def waits(rcpt):
        return answer(domain, rcpt) == "451 4.3.0"
    for rcpt in (f"jo@{DOMAIN}", f"nobody@{DOMAIN}"):
        # known for a second
        domain.h.wait(lambda r=rcpt: waits(r), "a deferral", step=0.2)
    undo.close()
    domain.h.wait(lambda: answer(domain, f"jo@{DOMAIN}") == "250",
                  "the store again", step=0.2)
    assert answer(domain, f"nobody@{DOMAIN}") == "550 5.1.1"


def test_over_quota(domain):
    user = domain.add_user(f"full@{DOMAIN}", "secret", "-q", "1000S")
    assert answer(domain, user) == "250"
    domain.vmail(user)
    d = f"{domain.user_dir(user)}/Maildir"
    domain.h.run(f"setpriv --reuid=vpopmail --regid=vchkpw --clear-groups "
                 f"sh -c 'head -c 2000 /dev/zero >{d}/cur/1.a.b,S=2000:2,S && "
                 f"rm -f {d}/maildirsize'")
    for word, code in (("bounce", "552 5.2.2"), ("defer", "451 4.3.0"),
                       ("accept", "250"), (None, "451 4.3.0")):
        with domain.settings(overquota=word):
            domain.h.wait(lambda c=code: answer(domain, user) == c,
                          f"{code} with {word}", seconds=20, step=0.2)
    # room again
    domain.h.run(f"rm {d}/cur/*")
    domain.v("vsetuserquota", user, "NOQUOTA")
    assert answer(domain, user) == "250"


def test_submission_with_a_virtual_user(domain):
    """Ports 587 and 465, a password that vchkpw asks authdaemond about."""
    user = domain.add_user(f"sender@{DOMAIN}", "pass word")
    jo = domain.add_user(f"reader@{DOMAIN}")
    for n, port in ((1, "587"), (2, "465")):
        tls = ["--port", port] + (["--tls"] if port == "587" else [])
        steps = domain.smtp(*tls, "--login", f"{user}:pass word", "--sender",
                            user, jo)
        assert steps[-1][0] == "QUIT", steps
        assert " with ESMTPSA " in domain.vmail(jo, n=n)[-1].replace(
            "\n", " ")
        step, code, _ = domain.smtp(*tls, "--login", f"{user}:wrong", jo,
                                    last=True)
        assert (step, code) == ("AUTH", "535")
    log = domain.h.wait(
        lambda: (text := domain.h.log("qmail-submission")) and
        f"vchkpw-submission: (PLAIN) login success {user}:" in text and text,
        "the login in the log")
    assert "pass word" not in log
