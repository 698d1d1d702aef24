"""POP3 clients that others wrote, against POP3 as it is installed: fetchmail,
mpop, getmail, mutt, s-nail, curl and Python's poplib; in the clear where a
rule allows it, by STLS and on port 995; for virtual users and for users of the
system.  What they fetch is what was delivered; what they leave on the server
they know again; a wrong password is one, and trouble is none."""

import concurrent.futures
import contextlib
import re

import pytest

import pop3lab
from pop3lab import (Curl, Fetchmail, Getmail, Mpop, MpopPlain, Mutt, PASSWORD,
                     Poplib, READER, SNail, WAYS)
from vsite import HOSTNAME, VSite

STORES = ["cdb"]                # msite has the other
CLIENTS = [Fetchmail, Mpop, MpopPlain, Getmail, Poplib, Curl, SNail, Mutt]
DOMAIN = "pop.example"
CASES = [(c, w) for c in CLIENTS for w in c.ways]
# Dots, bytes above 127, blanks at the end, long lines, empty lines at the end.
BODIES = [".\n..\n.dot\n\nFrom the start\n",
          "\u00e4 \u20ac\n" + "x" * 990 + "\n\n\n",
          "blank at end \t \n-- \nend\n"]


def name_of(client):
    return "of" + client.__name__.lower()


class PopSite(VSite):
    def prepare(self):
        h = self.h
        h.write("/etc/tcp.pop3", '127.:allow,PLAINTEXTAUTH="1",TCPNOLIMIT=""\n'
                ":allow\n")
        for name in "pop3", "pop3s":
            h.run(["svc", "-t", f"/service/{name}"])
        super().prepare()
        self.setting("logintries", "0")
        self.setting("systemusers", "1")
        h.run(["svc", "-t", "/service/authdaemond"])


def served(store):
    """A site with users for each client."""
    s = PopSite(store)
    try:
        pop3lab.prepare(s.h)
        s.add_domain(DOMAIN)
        for c in CLIENTS:
            s.add_user(f"{name_of(c)}@{DOMAIN}", PASSWORD)
            s.h.add_user(name_of(c))
        s.h.run(["chpasswd"], input="".join(
            f"{name_of(c)}:{PASSWORD}\n" for c in CLIENTS))
        s.h.wait(lambda: serves(s), "POP3")
        yield s
    finally:
        s.close()


@pytest.fixture(scope="module")
def vsite(request):
    yield from served(request.param)


@pytest.fixture(scope="module")
def msite():
    yield from served("mysql")


def serves(site):
    """Each port, and each kind of users."""
    name = name_of(CLIENTS[0])
    with contextlib.suppress(OSError, AssertionError):
        for way in WAYS:
            for user in name, f"{name}@{DOMAIN}":
                pop3lab.Talk(site.h, way, user).quit()
        return True


class Account:
    """A user that a client is for."""

    def __init__(self, site, kind, client):
        name = name_of(client)
        self.h = site.h
        if kind == "virtual":
            self.user = self.address = f"{name}@{DOMAIN}"
            self.maildir = site.user_dir(self.user) + "/Maildir"
        else:
            self.user, self.address = name, f"{name}@{HOSTNAME}"
            self.maildir = f"/home/{name}/Maildir"

    def files(self):
        return [f"{self.maildir}/{d}/{name}" for d in ("new", "cur")
                for name in self.h.listdir(f"{self.maildir}/{d}")]

    def mails(self):
        out = []
        for path in self.files():
            with self.h.open(path, "rb") as f:
                out.append(f.read())
        return out


def deliver(site, accounts, bodies):
    """To all of them; waits for it."""
    there = {a.user: len(a.files()) for a in accounts}
    for i, body in enumerate(bodies):
        site.h.run(["qmail-inject", "-a", *(a.address for a in accounts)],
                   input=f"Subject: {i}\n\n{body}", user="mailadmin")
    for a in accounts:
        site.h.wait(lambda: len(a.files()) == there[a.user] + len(bodies),
                    f"the mail for {a.user}")


def cycle(vsite, client, way):
    accounts = [Account(vsite, kind, client) for kind in ("virtual", "system")]
    readers = [client(vsite.h, way, a.user) for a in accounts]

    def seen(a, messages, retr, dele):
        """Sessions that the log tells of, by this way."""
        counts = rf" messages={messages} .* retr={retr} top=0 dele={dele} "
        return len([line for line in re.findall(
            rf"(?m)^qmail-pop3d: info: end .* user={a.user} .*",
            vsite.h.log("pop3sd" if way == "tls" else "pop3d"))
            if re.search(counts, line) and
            (" tls=TLSv1.3" in line) == (way != "plain")])

    vsite.h.run(["rm", "-f", *(f for a in accounts for f in a.files())])
    deliver(vsite, accounts, BODIES)
    for a, c in zip(accounts, readers):
        code, said = c.fetch()
        assert code == 0, said
        want = sorted(c.expect(m) for m in a.mails())
        assert len(want) == 3 and c.new() == want
        assert vsite.h.listdir(a.maildir + "/new") == []
        known = seen(a, 3, 0, 0)
        code, said = c.fetch()
        assert code in c.nothing, said
        assert c.new() == ([] if c.memory else want)
        if client not in (Curl, SNail):
            vsite.h.wait(lambda: seen(a, 3, 0, 0) == known + 1,
                         "the line of the session")
    deliver(vsite, accounts, ["one more\n"])
    for a, c in zip(accounts, readers):
        code, said = c.fetch()
        assert code == 0, said
        want = sorted(c.expect(m) for m in a.mails()
                      if not c.memory or m.endswith(b"\n\none more\n"))
        assert c.new() == want
        code, said = c.fetch(keep=False)
        assert code == 0, said
        assert a.files() == []


@pytest.mark.parametrize("client, way", CASES)
def test_client(vsite, client, way):
    """Fetched and left there; not fetched again; what is new; deleted."""
    cycle(vsite, client, way)


@pytest.mark.parametrize("client, way", [(Fetchmail, "stls"), (Curl, "tls")])
def test_client_of_mariadb(msite, client, way):
    cycle(msite, client, way)


def all_clients(site, kinds, password=PASSWORD, way="stls"):
    """[(client, exit, said)] of all at once."""
    readers = [c(site.h, way if way in c.ways else c.ways[-1],
                 Account(site, kind, c).user, password)
               for kind in kinds for c in CLIENTS]
    with concurrent.futures.ThreadPoolExecutor(len(readers)) as pool:
        return [(c, *r) for c, r in
                zip(readers, pool.map(lambda c: c.fetch(), readers))]


def test_wrong_password(vsite):
    for c, code, said in all_clients(vsite, ("virtual", "system"), "wrong"):
        assert code in c.wrong, (c.home, code, said)
        assert "[AUTH]" in said and "[SYS/TEMP]" not in said, said
        assert c.got == {}
    assert "wrong" not in vsite.h.log("pop3d")


def test_no_password_in_the_clear(vsite):
    """Where no rule allows it, it is not asked for."""
    vsite.h.run("ip addr add 198.51.100.7/32 dev lo")
    with pop3lab.Talk(vsite.h, ip="198.51.100.7") as t:
        assert not {"USER", "SASL"} & {w[0] for w in t.words("CAPA")}
        t.err("USER jo")
        t.err("AUTH PLAIN")


def test_accounts_are_down(vsite):
    """No client takes it for a wrong password, where it can tell; fetchmail in
    the background comes again."""
    h, kinds = vsite.h, ("virtual", "system")
    accounts = [Account(vsite, kind, c) for kind in kinds for c in CLIENTS]
    h.run(["rm", "-f", *(f for a in accounts for f in a.files())])
    deliver(vsite, accounts, ["later\n"])
    patient = Fetchmail(h, "tls", accounts[0].user)
    h.run(["svc", "-d", "/service/authdaemond"])
    h.wait(lambda: not h.running("authdaemond"), "authdaemond to end")
    child = None
    try:
        for c, code, said in all_clients(vsite, kinds):
            assert code in c.down, (c.home, code, said)
            assert "[SYS/TEMP]" in said and "[AUTH]" not in said, said
            assert c.got == {}
        patient.configure()
        with h.open("/run/patient", "wb") as out:
            child = h.popen(["fetchmail", "-f", f"{patient.home}/rc", "-N",
                             "-d", "1", "--pidfile", f"{patient.home}/pid",
                             "-i", f"{patient.home}/ids"], user=READER,
                            stdout=out, stderr=out, cwd=patient.home,
                            env={"HOME": patient.home})
        h.wait(lambda: "Server busy" in h.read("/run/patient"),
               "fetchmail to try")
        h.run(["svc", "-u", "/service/authdaemond"])
        got = h.wait(patient.new, "fetchmail to get it")
        assert got == [patient.expect(m) for m in accounts[0].mails()]
    finally:
        h.run(["svc", "-u", "/service/authdaemond"])
        h.kill("fetchmail")
        if child is not None:
            child.wait(20)
    h.wait(lambda: serves(vsite), "logins")
    for a, (c, code, said) in zip(accounts, all_clients(vsite, kinds)):
        assert code == 0, (c.home, said)
        assert c.new() == [c.expect(m) for m in a.mails()]


def test_database_is_down(msite):
    msite.add_user(f"fresh@{DOMAIN}", PASSWORD)
    msite.db.stop()
    try:
        for client in Fetchmail, Poplib, MpopPlain:
            c = client(msite.h, "stls", f"fresh@{DOMAIN}")
            code, said = c.fetch()
            assert code in c.down and "[SYS/TEMP]" in said, said
    finally:
        msite.db.start()
    c = Fetchmail(msite.h, "stls", f"fresh@{DOMAIN}")
    msite.h.wait(lambda: c.fetch()[0] == 1, "the database")
