"""qmail-verify: the answer at RCPT is the answer of delivery, for every form
of routing; and no trouble of a directory ever reads as "no such user"."""

import contextlib
import re
import signal

import pytest

from conftest import CONTROL, HOME, HOSTNAME, Site

# Asks the addresses it is given, on one connection; prints the answers.  "-"
# instead of an address waits for a line of input.
ASK = """
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(60)
s.connect("/var/qmail/run/rcpt")
for address in sys.argv[1:]:
    if address == "-":
        print("ready", flush=True)
        sys.stdin.readline()
        continue
    s.send(address.encode())
    print(s.recv(1000).decode(), flush=True)
"""


class Asked(Site):
    def __init__(self):
        super().__init__()
        self.h.write("/run/ask.py", ASK, mode=0o644)
        self.h.wait(lambda: self.h.exists(f"{HOME}/run/rcpt"), "the service")

    def ask(self, *addresses, user=None):
        """The letters of the answers."""
        r = self.h.run(["python3", "/run/ask.py", *addresses], user=user)
        return "".join(line[0] for line in r.stdout.splitlines())

    def becomes(self, address, letter):
        """Until what has changed was noticed."""
        self.h.wait(lambda: self.ask(address) == letter,
                    f"{letter} for {address}", seconds=30, step=0.2)

    def settle(self, control):
        """Service and delivery both know the control files."""
        for name, text in control.items():
            self._control(name, text)
        self.restart()
        self.h.run(["svc", "-h", "/service/qmail-verify"])


@pytest.fixture(scope="module")
def site():
    s = Asked()
    yield s
    s.close()


@pytest.fixture
def restored(site):
    """What a test changes is as before afterwards."""
    undo = contextlib.ExitStack()
    with undo:
        yield undo


def homes(site):
    """jo, whose home may be searched, and eva, whose may not."""
    h = site.h
    for name, mode in (("jo", "711"), ("eva", "700")):
        h.add_user(name)
        h.run(["chmod", mode, h.user(name).pw_dir])
    site.dotqmail("jo", "./Maildir/\n", "list")
    site.dotqmail("jo", "./Maildir/\n", "deep-default")
    site.dotqmail("jo", "./Maildir/\n", "a:b")
    site.dotqmail("eva", "./Maildir/\n", "list")
    for ext in ("info", "any-default", "vip-sale"):
        h.write(f"{HOME}/alias/.qmail-{ext}", "&jo\n", mode=0o644,
                owner="alias")
    h.write(f"{HOME}/users/assign",
            f"=boss:jo:{h.user('jo').pw_uid}:{h.user('jo').pw_gid}:"
            f"{h.user('jo').pw_dir}:::\n"
            f"+team-:jo:{h.user('jo').pw_uid}:{h.user('jo').pw_gid}:"
            f"{h.user('jo').pw_dir}:-::\n.\n", mode=0o644)
    h.run([f"{HOME}/bin/qmail-newu"])
    site.settle({
        "locals": f"{HOSTNAME}\nsecond.example\n",
        "percenthack": "hack.example\n",
        "virtualdomains":
            "virt.example:vip\n"
            "one@virt.example:jo-list\n"
            ".sub.example:any\n"
            "except.sub.example:\n"
            "jo.example:jo\n"
            "boss.example:boss\n"
            "team.example:team\n"})


# The address, and whether its mail can be delivered.
LOCAL = [
    (f"jo@{HOSTNAME}", True), (f"JO@{HOSTNAME.upper()}", True),
    ("jo@second.example", True),
    (f"jo-list@{HOSTNAME}", True), (f"jo-LIST@{HOSTNAME}", True),
    (f"jo-none@{HOSTNAME}", False), (f"jo-@{HOSTNAME}", False),
    (f"jo-deep-x-y@{HOSTNAME}", True), (f"jo-deep@{HOSTNAME}", False),
    (f"jo-a.b@{HOSTNAME}", True), (f"eva@{HOSTNAME}", True),
    (f"eva-list@{HOSTNAME}", True),
    (f"nobody-here@{HOSTNAME}", False), ("nobody-here@second.example", False),
    (f"root-x@{HOSTNAME}", False), (f"info@{HOSTNAME}", True),
    (f"INFO@{HOSTNAME}", True), (f"info-x@{HOSTNAME}", False),
    (f"any-thing@{HOSTNAME}", True), (f"any@{HOSTNAME}", False),
    (f"boss@{HOSTNAME}", True), (f"boss-x@{HOSTNAME}", False),
    (f"team-list@{HOSTNAME}", True), (f"team-none@{HOSTNAME}", False),
    (f"jo%{HOSTNAME}@hack.example", True),
    (f"nobody%{HOSTNAME}@hack.example", False),
    ("sale@virt.example", True), ("other@virt.example", False),
    ("one@virt.example", False),
    ("list@jo.example", True), ("none@jo.example", False),
    ("x@www.sub.example", True), ("deep-1@jo.example", True),
    ("x@boss.example", False), ("list@team.example", True),
]


def test_the_answer_of_delivery(site):
    """Asked first, delivered then: the same for every address."""
    homes(site)
    addresses = [a for a, _ in LOCAL]
    for user in ("qmaild", "jo"):
        answers = site.ask(*addresses, user=user)
        assert [(a, x == "K") for a, x in zip(addresses, answers)] == LOCAL
        assert set(answers) == {"K", "D"}
    mark = site.mark()
    site.queue("", addresses)
    for address, good in LOCAL:
        log = site.log
        # Routing may have changed the address that the log names.
        local = address.split("@")[0]
        tail = re.escape(local.split("%")[0])
        found = site.h.wait(
            lambda: re.findall(rf"(?mi)^starting delivery (\d+): msg \d+ to "
                               rf"local (?:[a-z]+-)*?{tail}@", log()[mark:]),
            f"the delivery to {address}")
        assert found, address
    site.empty()
    outcome = dict(re.findall(r"(?m)^delivery (\d+): (\w+):",
                              site.log()[mark:]))
    started = re.findall(r"(?m)^starting delivery (\d+): msg \d+ to local "
                         r"(\S+)", site.log()[mark:])
    said = {}
    for d, to in started:
        said.setdefault(to.lower(), set()).add(outcome[d])
    for address, good in LOCAL:
        local, _, domain = address.lower().partition("@")
        if domain == "hack.example":
            local, _, domain = local.partition("%")
        prepend = {"virt.example": "vip-", "jo.example": "jo-",
                   "www.sub.example": "any-", "boss.example": "boss-",
                   "team.example": "team-"}.get(domain, "")
        if address == "one@virt.example":
            prepend = "jo-list-"
        want = {"success" if good else "failure"}
        assert said[f"{prepend}{local}@{domain}"] == want, address


def test_not_ours_to_judge(site):
    assert site.ask("x@remote.example", "x@except.sub.example") == "KK"


def test_percenthack_relays_for_nobody(site):
    assert site.ask("x%remote.example@hack.example",
                    f"jo%{HOSTNAME}@hack.example") == "DK"


def test_always_somebody(site):
    assert site.ask(f"postmaster@{HOSTNAME}", "PostMaster@second.example",
                    "postmaster@virt.example", "abuse@virt.example",
                    f"abuse@{HOSTNAME}", "postmaster", "abuse@jo.example",
                    f"postmaster%{HOSTNAME}@hack.example") == "K" * 8
    assert site.ask(f"postmaster-x@{HOSTNAME}", f"xabuse@{HOSTNAME}") == "DD"


def test_what_it_may_not_see_may_be_there(site):
    assert site.ask(f"eva-none@{HOSTNAME}", f"eva-list@{HOSTNAME}") == "KK"
    site.h.run(["chmod", "711", site.h.user("eva").pw_dir])
    assert site.ask(f"eva-none@{HOSTNAME}", f"eva-list@{HOSTNAME}") == "DK"
    site.h.run(["chmod", "700", site.h.user("eva").pw_dir])


def test_changed_control_files_are_noticed(site, restored):
    old = site.h.read(f"{CONTROL}/locals")
    restored.callback(site._control, "locals", old)
    assert site.ask("nobody@new.example") == "K"
    site._control("locals", old + "new.example\n")
    site.becomes("nobody@new.example", "D")
    site._control("locals", old)
    site.becomes("nobody@new.example", "K")


def test_a_new_table_is_seen_at_once(site, restored):
    h = site.h
    path = f"{HOME}/users/assign"
    old = h.read(path)
    restored.callback(h.run, [f"{HOME}/bin/qmail-newu"])
    restored.callback(h.write, path, old)
    e = h.user("jo")
    address = f"fresh@{HOSTNAME}"
    p = h.popen(["python3", "/run/ask.py", address, "-", address, "-",
                 address], stdin=-1, stdout=-1)
    assert p.stdout.readline()[:1] == b"D"
    assert p.stdout.readline() == b"ready\n"
    h.write(path, f"=fresh:jo:{e.pw_uid}:{e.pw_gid}:{e.pw_dir}:::\n" + old)
    h.run([f"{HOME}/bin/qmail-newu"])
    p.stdin.write(b"\n")
    p.stdin.flush()
    assert p.stdout.readline()[:1] == b"K"
    assert p.stdout.readline() == b"ready\n"
    h.run(["rm", f"{HOME}/users/cdb"])
    p.stdin.write(b"\n")
    p.stdin.flush()
    assert p.stdout.readline()[:1] == b"D"
    assert p.wait() == 0


TROUBLE = [
    ("users/cdb unreadable", "mv /var/qmail/users/cdb /run/ && "
     "install -m 600 /run/cdb /var/qmail/users/",
     "install -m 644 /run/cdb /var/qmail/users/"),
    ("users/cdb cut", "cp /var/qmail/users/cdb /run/cdb && "
     "truncate -s 100 /var/qmail/users/cdb",
     "cp /run/cdb /var/qmail/users/cdb"),
    ("/etc/passwd unreadable", "chmod 600 /etc/passwd",
     "chmod 644 /etc/passwd"),
    ("no name service", "cp /etc/nsswitch.conf /run/ && "
     "sed -i 's/^passwd:.*/passwd: nosuch/' /etc/nsswitch.conf",
     "cp /run/nsswitch.conf /etc/"),
    ("locals is a directory", "mv {c}/locals /run/ && mkdir {c}/locals",
     "rmdir {c}/locals && mv /run/locals {c}/"),
    ("virtualdomains unreadable", "chmod 600 {c}/virtualdomains",
     "chmod 644 {c}/virtualdomains"),
    ("no home", "mv ~alias /run/alias", "mv /run/alias ~alias"),
]


@pytest.mark.parametrize("what", TROUBLE, ids=[t[0] for t in TROUBLE])
def test_trouble_is_never_a_refusal(site, restored, what):
    _, do, undo = (w.format(c=CONTROL) for w in what)
    restored.callback(site.h.run, undo)
    address = f"nobody-here@{HOSTNAME}"
    assert site.ask(address) == "D"
    site.h.run(do)
    site.becomes(address, "Z")
    assert "D" not in site.ask(address, f"jo@{HOSTNAME}", f"boss@{HOSTNAME}",
                               f"info@{HOSTNAME}", "x@remote.example",
                               "list@jo.example")
    restored.close()
    site.becomes(address, "D")
    assert site.ask(f"jo@{HOSTNAME}", f"info@{HOSTNAME}") == "KK"


def test_killed_it_comes_back(site):
    h = site.h
    old = h.running("qmail-verify")
    assert site.ask(f"jo@{HOSTNAME}") == "K"
    assert h.kill("qmail-verify") >= 1
    h.wait(lambda: h.running("qmail-verify") and
           not set(h.running("qmail-verify")) & set(old), "the next one")

    def answers():
        r = h.run(["python3", "/run/ask.py", f"jo@{HOSTNAME}",
                   f"nobody@{HOSTNAME}"], check=False)
        # A socket that nobody serves refuses connections, no recipients.
        return re.sub(r"(?m)(?<=^.).*\n", "", r.stdout) == "KD"
    h.wait(answers, "answers")


def test_a_killed_worker_harms_nobody(site):
    h = site.h
    assert site.ask(f"jo@{HOSTNAME}") == "K"
    pids = h.running("qmail-verify")
    assert len(pids) >= 2               # the service and a worker
    h.kill("qmail-verify", signal.SIGHUP)       # workers know no HUP and end
    h.wait(lambda: site.ask(f"jo@{HOSTNAME}") == "K", "an answer")


def test_who_it_runs_as(site):
    h = site.h
    assert site.ask(f"jo@{HOSTNAME}") == "K"
    out = h.run("for p in $(pgrep -x qmail-verify); do "
                "grep -E '^(Uid|Gid|Groups|NoNewPrivs|CapEff)' "
                "/proc/$p/status; done").stdout
    uid, gid = h.user("qmailp").pw_uid, h.user("qmailp").pw_gid
    assert set(re.findall(r"Uid:\t(\d+)\t(\d+)\t(\d+)\t(\d+)", out)) == \
        {(str(uid),) * 4}
    assert set(re.findall(r"Gid:\t(\d+)", out)) == {str(gid)}
    assert set(re.findall(r"Groups:\t(.*?) ?\n", out)) == {str(gid)}
    assert set(re.findall(r"CapEff:\t0*(\w)\n", out)) == {"0"}


def test_malformed_questions_end_their_connection_only(site):
    r = site.h.run(["python3", "-c", """
import socket
def client():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(60)
    s.connect("/var/qmail/run/rcpt")
    return s
good = client()
for bad in (b"a\\0b@c", b"x" * 1003, b"x" * 20000):
    s = client()
    s.send(bad)
    try:
        print(s.recv(1000))
    except ConnectionResetError:
        print(b"")
good.send(b"x@remote.example")
print(good.recv(1000))
"""], user="jo")
    assert r.stdout.split() == ["b''"] * 3 + ["b'K'"]
