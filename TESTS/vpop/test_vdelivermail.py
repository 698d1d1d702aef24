"""vdelivermail through the whole system: qmail-local starts it, a stand-in for
authdaemond says what it is told, messages arrive, wait or come back; killed at
every system call that matters; on a full disk."""

import json
import os
import re
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "host"))
from mailsite import Site  # noqa: E402

HOST = "mx.valija.test"
SOCKET = "/var/qmail/run/auth"
VPOP = "/home/vpop"
FAKE = "/run/fakeauth.py"
ANSWERS = "/run/fakeauth.json"

# The stand-in: one question a connection.  An address that is not in the file
# has no mailbox; the answer null means that nothing is said at all.
FAKE_PY = r"""
import json, os, socket, sys
try:
    os.unlink(sys.argv[1])
except FileNotFoundError:
    pass
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
s.listen(64)
print("ready", flush=True)
while True:
    c, _ = s.accept()
    with c:
        q = c.makefile("rb").readline().decode().split()
        with open(sys.argv[2]) as f:
            a = json.load(f)
        text = a.get("default", "")
        if q[:1] == ["RESOLVE"] and q[1] in a:
            if a[q[1]] is None:
                continue
            text += a[q[1]]
        c.sendall((text + ".\n").encode())
"""


class Domain:
    """A virtual domain with a user of its own, and who answers for it."""

    def __init__(self, site):
        self.site, self.h = site, site.h
        self.user = site.new_user()
        self.name = f"{self.user}.example"
        home = self.h.user(self.user).pw_dir
        self.dir = f"{home}/{self.name}"
        self.h.run(["mkdir", "-m", "700", self.dir], user=self.user)
        self.action("bounce-no-mailbox")
        entry = self.h.user(self.user)
        assign = "/var/qmail/users/assign"
        old = self.h.read(assign) if self.h.exists(assign) else ".\n"
        lines = old.splitlines()[:-1] + [
            f"+{self.name}-:{self.name}:{entry.pw_uid}:{entry.pw_gid}:"
            f"{self.dir}:-::", "."]
        self.h.write(assign, "\n".join(lines) + "\n", mode=0o644)
        self.h.run(["qmail-newu"])
        vdoms = "/var/qmail/control/virtualdomains"
        old = self.h.read(vdoms) if self.h.exists(vdoms) else ""
        self.h.write(vdoms, old + f"{self.name}:{self.name}\n", mode=0o644)
        site.restart()
        self.answers = {"default": f"DOMAIN={self.name}\nDIR={self.dir}\n"
                        f"UID={entry.pw_uid}\nGID={entry.pw_gid}\n"
                        f"BASE={VPOP}\n"}
        self.tell()

    def action(self, words):
        self.h.write(f"{self.dir}/.qmail-default",
                     f"| vdelivermail '' {words}\n", mode=0o600,
                     owner=self.user)

    def tell(self):
        self.h.write(ANSWERS + ".new", json.dumps(self.answers))
        self.h.run(["mv", ANSWERS + ".new", ANSWERS])

    def box(self, name, **more):
        """An account, its directory not yet made."""
        self.answers[f"{name}@{self.name}"] = \
            f"USER={name}\nHOME={self.dir}/{name}\n" + \
            "".join(f"{k}={v}\n" for k, v in more.items())
        self.tell()
        return f"{name}@{self.name}"

    def dotqmail(self, name, text):
        self.h.run(["mkdir", "-p", f"{self.dir}/{name}"], user=self.user)
        self.h.write(f"{self.dir}/{name}/.qmail", text, mode=0o600,
                     owner=self.user)

    def new(self, name, sub="new"):
        d = f"{self.dir}/{name}/Maildir/{sub}"
        return [self.h.read(f"{d}/{n}") for n in self.h.listdir(d)]

    def deliver(self, addr, **kw):
        mark = self.site.send(addr, **kw)
        return self.site.result(f"{self.name}-{addr}", mark)


@pytest.fixture(scope="module")
def site():
    s = Site()
    s.h.run(["svc", "-d", "/service/authdaemond"])
    s.h.wait(lambda: not s.h.running("authdaemond"), "authdaemond to end")
    yield s
    s.close()


@pytest.fixture(scope="module")
def fake(site):
    site.h.write(FAKE, FAKE_PY)
    site.h.write(ANSWERS, "{}")
    site.h.run(["mkdir", "-p", VPOP + "/domains"])
    p = site.h.popen(["python3", FAKE, SOCKET, ANSWERS], stdout=-1)
    assert p.stdout.readline() == b"ready\n"
    yield
    p.kill()


@pytest.fixture
def domain(site, fake):
    return Domain(site)


def test_mailbox(domain):
    jo = domain.box("jo")
    assert domain.deliver(jo)[0] == "success"
    text, = domain.new("jo")
    assert text.startswith(f"Return-Path: <mailadmin@{HOST}>\n"
                           f"Delivered-To: {jo}\n")
    assert domain.new("jo", "tmp") == []
    st = domain.h.stat(f"{domain.dir}/jo/Maildir")
    assert st.st_mode & 0o777 == 0o700


def test_nobody_is_told_so(domain):
    result, text = domain.deliver(f"nobody@{domain.name}")
    assert result == "failure"
    assert text.startswith("Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/")


def test_nothing_is_said(domain):
    jo = domain.box("jo")
    domain.answers[jo] = None
    domain.tell()
    assert domain.deliver(jo)[0] == "deferral"
    domain.box("jo")
    domain.h.run(["svc", "-a", "/service/qmail"])
    domain.h.wait(lambda: domain.new("jo"), "the message that waited")


def test_over_quota(domain):
    jo = domain.box("jo", QUOTA="10S")
    result, text = domain.deliver(jo)
    assert (result, "over_quota" in text) == ("deferral", True)
    al = domain.box("al", QUOTA="10S", OVERQUOTA="bounce")
    result, text = domain.deliver(al)
    assert (result, "over_quota" in text) == ("failure", True)


def test_dotqmail(domain):
    jo, al = domain.box("jo"), domain.box("al")
    domain.dotqmail("jo", f"./Maildir/\n&{al}\n|cat > copy\n")
    domain.h.run(["maildirmake", f"{domain.dir}/jo/Maildir"],
                 user=domain.user)
    assert domain.deliver(jo)[0] == "success"
    assert len(domain.new("jo")) == 1
    domain.h.wait(lambda: domain.new("al"), "the forward")
    text, = domain.new("al")
    assert f"\nDelivered-To: {jo}\n" in text
    assert domain.h.read(f"{domain.dir}/jo/copy").endswith("\n\nhello\n")


def test_a_loop_ends(domain):
    jo, al = domain.box("jo"), domain.box("al")
    domain.dotqmail("jo", f"&{al}\n")
    domain.dotqmail("al", f"&{jo}\n")
    mark = domain.site.send(jo)
    domain.h.wait(lambda: "mail_is_looping" in domain.site.log()[mark:],
                  "the loop to be seen")


def test_catch_all(domain):
    al = domain.box("al")
    domain.action(al)
    assert domain.deliver(f"any@{domain.name}")[0] == "success"
    domain.h.wait(lambda: domain.new("al"), "the catch-all")
    domain.action(f'"$EXT@{domain.name}.other"')
    mark = domain.site.mark()
    domain.deliver(f"any@{domain.name}")
    domain.h.wait(lambda: f"to remote any@{domain.name}.other"
                  in domain.site.log()[mark:], "the forward elsewhere")
    domain.action("delete")
    assert domain.deliver(f"any@{domain.name}")[0] == "success"


def test_another_domain_is_out_of_reach(domain):
    if domain.h.run(["python3", "-c", "import ctypes; print(ctypes.CDLL(None)"
                     ".syscall(444, None, 0, 1))"]).stdout == "-1\n":
        pytest.skip("no Landlock")
    home = domain.h.user(domain.user).pw_dir
    jo = domain.box("jo")
    domain.dotqmail("jo", f"{home}/Maildir/\n")
    assert domain.deliver(jo)[0] == "deferral"
    assert domain.site.mails(domain.user) == []


def direct(domain, addr, prefix=()):
    """The program alone, on a message in a file."""
    name, host = addr.split("@")
    domain.h.write("/run/vmessage", "Subject: t\n\n" + "x" * 5000 + "\n",
                   mode=0o644)
    argv = " ".join([*prefix, "vdelivermail", "''", "bounce-no-mailbox"])
    return domain.h.run(
        f"cd {domain.dir} && exec {argv} </run/vmessage", user=domain.user,
        check=False, env={"EXT": name, "HOST": host, "SENDER": "s@x.example",
                          "RPLINE": "Return-Path: <s@x.example>\n",
                          "PATH": os.environ["PATH"] + ":/var/qmail/bin"})


@pytest.mark.parametrize("call", ["connect", "openat", "write", "fsync",
                                  "renameat2", "mkdir", "close"])
def test_killed_at_every_call(domain, call):
    """Whatever it had reached: no part of a message is in new/, a message is
    there when it said so, and the next delivery works."""
    jo = domain.box("jo", QUOTA="10000000S")
    said = 0
    for n in range(1, 60):
        before = len(domain.new("jo"))
        r = direct(domain, jo, ["strace", "-o", "/dev/null", "-e",
                                f"inject={call}:signal=KILL:when={n}"])
        mails = domain.new("jo")
        assert all(m.endswith("x\n") and len(m) > 5000 for m in mails)
        if r.returncode == 0:
            assert len(mails) == before + 1
            said = n
            break
        assert len(mails) <= before + 1
    assert said > 1 or call == "mkdir"
    assert direct(domain, jo).returncode == 0
    # What it is said to hold is never more than a delivery a try off, and the
    # truth once it is counted.
    domain.h.run(f"rm -f {domain.dir}/jo/Maildir/maildirsize", check=False)
    assert direct(domain, jo).returncode == 0


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EDQUOT"])
@pytest.mark.parametrize("call", ["write", "fsync", "renameat2", "mkdir"])
def test_disk_trouble_defers(domain, call, error):
    jo = domain.box("jo", QUOTA="10000000S")
    r = direct(domain, jo, ["strace", "-o", "/dev/null", "-e",
                            f"inject={call}:error={error}"])
    assert r.returncode == 111, r.stdout
    assert domain.new("jo") == domain.new("jo", "tmp") == []
    assert direct(domain, jo).returncode == 0
    assert len(domain.new("jo")) == 1


def test_full_disk(domain):
    jo = domain.box("jo", QUOTA="10000000S")
    assert direct(domain, jo).returncode == 0
    box = f"{domain.dir}/jo/Maildir"
    domain.h.run(f"mv {box} {box}.old && mkdir {box} && mount -t tmpfs -o "
                 f"size=32k tmpfs {box} && cp -a {box}.old/. {box}/ && "
                 f"chown -R {domain.user}: {box} && "
                 f"dd if=/dev/zero of={box}/filler bs=4k || true")
    r = direct(domain, jo)
    assert r.returncode == 111
    assert re.search(r"No space left on device", r.stdout)
    assert domain.new("jo", "tmp") == []
    domain.h.run(["rm", f"{box}/filler"])
    assert direct(domain, jo).returncode == 0
