"""POP3 as it is installed: ports 110 and 995 under svscan, with TLS, rules,
limits and passwords of the system's users by a checkpassword program; its
services stopped, started, killed and upgraded."""

import contextlib
import poplib
import re
import signal
import socket
import ssl

import pytest

from conftest import CONTROL, HOME, HOSTNAME
from mailsite import STRANGER, Talking
from names import inside

# Becomes the user whose name is the password; notes what it was told.
CHECKPW = """#!/usr/bin/python3
import os, pwd, sys
user, password, stamp, rest = os.read(3, 600).split(b"\\0", 3)
with open("/run/told", "a") as f:
    print(os.getuid(), *sys.argv[1:], file=f)
if user == b"trouble":
    sys.exit(111)
if password != b"pw-" + user:
    sys.exit(1)
p = pwd.getpwnam(user.decode())
os.environ.update(USER=p.pw_name, HOME=p.pw_dir, SHELL=p.pw_shell)
os.setgroups([])
os.setgid(p.pw_gid)
os.setuid(p.pw_uid)
os.chdir(p.pw_dir)
skip = 2 if sys.argv[1] == "-x" else 1
os.execvp(sys.argv[skip], sys.argv[skip:])
"""
SERVICES = {110: "pop3", 995: "pop3s"}


class Served(Talking):
    def prepare(self):
        h = self.h
        h.write("/run/checkpw", CHECKPW, mode=0o755)
        h.write(f"{CONTROL}/checkpassword", "/run/checkpw /bin/true\n",
                mode=0o644)
        for name in SERVICES.values():
            h.run(["svc", "-t", f"/service/{name}"])
        self.h.wait(lambda: all(self.greets(p) for p in SERVICES), "POP3")

    def greets(self, port, host="127.0.0.1", source=None):
        """Is a connection served?"""
        try:
            with contextlib.closing(self.pop3(port, host, source)) as c:
                return c.getwelcome().startswith(b"+OK")
        except (OSError, EOFError, poplib.error_proto):
            return False

    def pop3(self, port=110, host="127.0.0.1", source=None, tls=None):
        """A connection that was greeted; tls: None for the port's own way,
        False to leave STLS out."""
        context = ssl._create_unverified_context()

        class From(poplib.POP3):
            def _create_socket(self, timeout):
                return inside(site.h, lambda: socket.create_connection(
                    (host, port), timeout, source and (source, 0)))

        class FromSSL(From):
            def _create_socket(self, timeout):
                return context.wrap_socket(super()._create_socket(timeout))
        site = self
        if port == 995:
            return FromSSL(host, port, timeout=60)
        c = From(host, port, timeout=60)
        if tls:
            c.stls(context)
        return c

    def login(self, user, port=110, password=None, tls=True, **kw):
        c = self.pop3(port, tls=tls, **kw)
        try:
            c.user(user)
            c.pass_(password or "pw-" + user)
        except BaseException:
            c.close()
            raise
        return c

    def works(self, user, port=110, **kw):
        try:
            self.login(user, port, **kw).quit()
            return True
        except (OSError, EOFError, poplib.error_proto):
            return False

    def pid(self, name):
        """Of a service that is up."""
        said = self.h.run(["svstat", f"/service/{name}"]).stdout
        m = re.search(r": up \(pid (\d+)\)", said)
        return m and m.group(1)

    def again(self, *names):
        """svc -t, until they serve again."""
        for name in names or SERVICES.values():
            old, mark = self.pid(name), len(self.h.log(name + "d"))
            self.h.run(["svc", "-t", f"/service/{name}"])
            self.h.wait(lambda: self.pid(name) not in (None, old), name)
            self.h.wait(lambda: "tcpserver: status: 0/" in
                        self.h.log(name + "d")[mark:], f"{name}'s port")


@pytest.fixture(scope="module")
def site():
    s = Served()
    yield s
    s.close()


@pytest.fixture
def undo():
    with contextlib.ExitStack() as stack:
        yield stack


def refused(call, *args):
    with pytest.raises(poplib.error_proto) as e:
        call(*args)
    return str(e.value)


def port_of(c):
    return c.sock.getsockname()[1]


@pytest.mark.parametrize("port", SERVICES)
def test_mail_is_fetched(site, user, port):
    site.send(user, text=f"To: {user}\nSubject: one\n\n.dot\n")
    text, = site.mail(user)
    log = SERVICES[port] + "d"
    c = site.login(user, port, host="::1")
    assert c.sock.version() == "TLSv1.3"
    mine = port_of(c)
    n, size = c.stat()
    lines = c.retr(1)[1]
    assert n == 1 and b"\n".join(lines).decode() + "\n" == text
    assert size == sum(len(line) + 2 for line in lines)
    # who does what
    out = site.h.run("ps -eo user,args").stdout
    rest = rf"/var/qmail/bin/qmail-popup {re.escape(HOSTNAME)} /run/checkpw " \
        "/var/qmail/bin/qmail-pop3d Maildir\n"
    assert re.search(rf"(?m)^root +\S*tcpserver .* 0 {port} {rest}", out)
    assert re.search(rf"(?m)^{user} +/var/qmail/bin/qmail-pop3d Maildir$",
                     out)
    c.dele(1)
    c.quit()
    assert site.mails(user) == []
    log = site.h.wait(
        lambda: re.search(r"(?m)^qmail-pop3d: info: end pid=\d+ "
                          rf"user={user} ip=::1 .*", site.h.log(log)) and
        site.h.log(log), "the end of the session")
    line = re.search(rf"(?m)^qmail-pop3d: info: end .* user={user} .*$",
                     log).group(0)
    for words in ("why=quit", "messages=1", f"size={size}", "retr=1", "top=0",
                  "dele=1"):
        assert f" {words} " in line + " ", line
    # one number leads through the log
    pid = re.search(r" pid=(\d+) ", line).group(1)
    assert re.search(rf"tcpserver: ok {pid} \S+:::1:{port} :::1::{mine}\n", log)
    assert f"pw-{user}" not in log


def test_the_checkpassword_program(site, user, undo):
    """Run as root, with its own words and without the last one."""
    undo.callback(site.again, "pop3")
    undo.callback(site._control, "checkpassword",
                  site.h.read(f"{CONTROL}/checkpassword"))
    undo.callback(site.h.run, ["rm", "-f", "/run/told"])
    for line in ("/run/checkpw -x /bin/true", " /run/checkpw  -x\t/bin/true ",
                 "/run/checkpw -x anything\nsecond line"):
        site._control("checkpassword", line + "\n")
        site.h.run(["rm", "-f", "/run/told"])
        site.again("pop3")
        assert site.works(user)
        assert site.h.read("/run/told") == \
            f"0 -x {HOME}/bin/qmail-pop3d Maildir\n"
    # one that is not named is vchkpw; so is one without what it is to run
    for line in (None, "/run/checkpw\n"):
        site._control("checkpassword", line)
        site.h.run(["rm", "-f", "/run/told"])
        site.again("pop3")
        assert "[AUTH]" in refused(site.login, user)
        site.h.wait(lambda: f"vchkpw: vchkpw-pop3: vpopmail user not found "
                    f"{user}:127.0.0.1\n" in site.h.log("pop3d"), "its line")
        assert not site.h.exists("/run/told")


def test_wrong_is_not_unknown(site, user):
    for port in SERVICES:
        assert "-ERR [AUTH]" in refused(
            lambda p=port: site.login(user, p, password="wrong"))
        assert "-ERR [SYS/TEMP]" in refused(
            lambda p=port: site.login("trouble", p))
    assert "wrong" not in site.h.log("pop3d").replace("wrong=", "")


def test_no_password_without_tls(site, user, undo):
    def capa():
        with contextlib.closing(site.pop3(tls=False)) as c:
            return c.capa()
    assert "USER" not in capa() and "SASL" not in capa() and "STLS" in capa()
    with contextlib.closing(site.pop3(tls=False)) as c:
        assert "-ERR" in refused(c.user, user)
        assert "-ERR" in refused(c._shortcmd, "PASS pw-" + user)
        assert "-ERR" in refused(c._shortcmd, "AUTH PLAIN AGEAYQ==")
    undo.callback(site.again, "pop3")
    undo.callback(site._control, "plaintextauth", None)
    site._control("plaintextauth", "0\n")
    site.again("pop3")
    assert not site.works(user, tls=False)
    site._control("plaintextauth", "1\n")
    site.again("pop3")
    assert site.works(user, tls=False) and site.works(user, tls=True)
    assert {"USER", "SASL", "STLS"} <= set(capa())
    undo.close()
    assert not site.works(user, tls=False)


def put_rules(site, text):
    """None: there are none."""
    site.h.run(["rm", "-f", "/etc/tcp.pop3"])
    if text is None:
        site.h.run(["rm", "-f", "/etc/tcp.pop3.cdb"])
    else:
        site.h.write("/etc/tcp.pop3", text, mode=0o644)
        site.h.run("! test -e /etc/tcp.pop3.cdb || "
                   "touch -d 2020-01-01 /etc/tcp.pop3.cdb")
    site.again()


@pytest.fixture
def rules(site, undo):
    """What sets the rules for a test."""
    undo.callback(put_rules, site, site.h.read("/etc/tcp.pop3"))
    return lambda text: put_rules(site, text)


def stranger(site, port=110):
    return site.greets(port, STRANGER, STRANGER)


def test_rules(site, rules):
    assert site.h.read("/etc/tcp.pop3").endswith("\n:allow\n")
    assert stranger(site) and stranger(site, 995)
    rules(f"{STRANGER}:deny\n:allow\n")
    for port, name in SERVICES.items():
        assert not stranger(site, port) and site.greets(port)
        site.h.wait(lambda: re.search(
            rf"tcpserver: deny \d+ .*:{STRANGER}:",
            site.h.log(name + "d")), "its line")
    # a mistake: the services start, and the old rules hold
    rules("nonsense:perhaps\n")
    assert not stranger(site) and not stranger(site, 995)
    assert site.greets(110) and site.greets(995)
    site.h.wait(lambda: "nonsense" in site.h.log("pop3d"), "its line")
    # of rules of which none was ever right nobody may come
    site.h.run(["rm", "/etc/tcp.pop3.cdb"])
    site.again()
    assert not any(site.greets(p) or stranger(site, p) for p in SERVICES)
    # without any, everybody
    rules(None)
    assert stranger(site) and stranger(site, 995)


def test_passwords_without_tls_for_some(site, user, rules):
    rules('127.:allow,PLAINTEXTAUTH="1"\n:allow\n')
    for _ in range(2):                  # also of one that is kept
        assert site.works(user, tls=False)
        assert not site.works(user, tls=False, host=STRANGER,
                              source=STRANGER)
        assert site.works(user, tls=True, host=STRANGER, source=STRANGER)


def waits(site, port):
    """Does a new connection wait for its turn?  It is there, without a
    word."""
    c = inside(site.h, lambda: socket.create_connection(
        ("127.0.0.1", port), 60))
    c.settimeout(1)
    try:
        c.recv(1)
        return None
    except socket.timeout:
        c.settimeout(60)
        return c


def test_concurrency(site, user, undo):
    undo.callback(site.again)
    undo.callback(site._control, "concurrencypop3", None)
    site._control("concurrencypop3", "2\n")
    site.again()
    first, second = site.login(user), site.pop3()
    undo.callback(second.close)
    third = waits(site, 110)
    assert third
    undo.callback(third.close)
    assert site.greets(995)             # each port for itself
    first.quit()
    assert third.recv(100).startswith(b"+OK")
    assert "tcpserver: status: 2/2\n" in site.h.log("pop3d")


def test_limits_hold_at_once(site, undo):
    path = f"{CONTROL}/pop3limits"
    undo.callback(site.again)
    undo.callback(site.h.run, ["rm", "-f", path])
    site.h.write(path, "address 1\n", mode=0o644)
    site.again()
    for port, name in SERVICES.items():
        with contextlib.closing(site.pop3(port)):
            assert not site.greets(port) and stranger(site, port)
            assert "reason=address-limit" in site.h.log(name + "d")
        site.h.wait(lambda p=port: site.greets(p), "the place to be free")
    site.h.write(path, "address 2\n", mode=0o644)
    with contextlib.closing(site.pop3()):
        site.h.wait(lambda: site.greets(110), "the new limit", step=0.3)


def test_who_guesses_is_shut_out(site, user, undo):
    path = f"{CONTROL}/pop3limits"
    undo.callback(site.again)
    undo.callback(site.h.run, ["rm", "-f", path])
    site.h.write(path, "penalty 1\npenalty-time 1000\n", mode=0o644)
    site.again()
    for port, name in SERVICES.items():
        # the right password in the end makes good, another's does not count
        c = site.pop3(port, tls=True)
        c.user(user)
        assert "[AUTH]" in refused(c.pass_, "w")
        c.user(user)
        c.pass_("pw-" + user)
        c.quit()
        assert site.greets(port)
        with contextlib.closing(site.pop3(port, STRANGER, STRANGER,
                                          tls=True)) as c:
            c.user(user)
            assert "[AUTH]" in refused(c.pass_, "w")
        site.h.wait(lambda: re.search(rf"tcpserver: end \d+ status {77 << 8}\n"
                                      r"(.*\n)*?"
                                      rf"tcpserver: penalty {STRANGER} ",
                                      site.h.log(name + "d")), "the penalty")
        assert not stranger(site, port) and site.greets(port)


def test_sessions_outlive_the_service(site, user, undo):
    """svc -t and svc -d: who is there stays, also in the middle of a login."""
    site.send(user)
    site.mail(user)
    for port, name in SERVICES.items():
        box, half = site.login(user, port), site.pop3(port)
        undo.callback(box.close)
        undo.callback(half.close)
        site.again(name)
        assert site.greets(port)
        undo.callback(site.again, name)
        undo.callback(site.h.run, ["svc", "-u", f"/service/{name}"])
        site.h.run(["svc", "-d", f"/service/{name}"])
        site.h.wait(lambda: not site.pid(name), "its end")
        with pytest.raises(ConnectionRefusedError):
            site.pop3(port)
        assert box.stat()[0] == 1
        box.retr(1)
        box.quit()
        if port == 110:
            half.stls(ssl._create_unverified_context())
        half.user(user)
        half.pass_("pw-" + user)
        assert half.stat()[0] == 1
        half.quit()
    undo.close()
    assert all(site.works(user, p) for p in SERVICES)


def test_what_is_killed_comes_back(site, user):
    h = site.h
    for name in ("tcpserver", "qmail-popup", "tlsd", "keyd"):
        old = set(h.running(name))
        assert h.kill(name, signal.SIGKILL) > 0
        h.wait(lambda: not old & set(h.running(name)) and
               all(site.works(user, p) for p in SERVICES),
               f"logins without the old {name}", step=0.3)
        # tcpserver starts no second program to be kept within a second; after
        # that the next connection has it do so.
        h.wait(lambda: h.running(name) or
               (site.works(user) and h.running(name)), f"a new {name}",
               step=0.3)


def test_without_tls_there_is_no_login(site, user, undo):
    undo.callback(lambda: site.h.wait(lambda: site.works(user), "TLS again"))
    undo.callback(site.h.run, ["svc", "-u", "/service/tlsd"])
    site.h.run(["svc", "-d", "/service/tlsd"])
    site.h.wait(lambda: not site.h.running("tlsd"), "its end")
    assert not site.greets(995)
    with contextlib.closing(site.pop3(tls=False)) as c:
        assert "-ERR" in refused(c.user, user)
        assert "-ERR" in refused(c._shortcmd, "STLS")
        assert "-ERR" in refused(c.user, user)


def session(site):
    """What the kernel says about the process of a new connection, and about
    the one that talks in it."""
    with contextlib.closing(site.pop3()) as c:
        pid = site.h.wait(lambda: re.findall(
            rf"tcpserver: ok (\d+) .*:{port_of(c)}\n",
            site.h.log("pop3d")), "its log line")[-1]
        talker = site.h.run(["pgrep", "-P", pid]).stdout.split()
        assert len(talker) == 1
        return [{f: site.h.read(f"/proc/{p}/{f}")
                 for f in ("environ", "limits", "status")}
                for p in (pid, *talker)]


def test_sessions_of_one_template(site):
    """As installed they are forked, not executed."""
    def forked():
        # The kernel shows the environment that it was executed with.
        seen = session(site)
        return seen if "TCPKEEP=3" in seen[0]["environ"] else None
    monitor, talker = site.h.wait(forked, "a session that was forked",
                                  step=0.2)
    assert "TCPREMOTEIP" not in monitor["environ"]
    uid, gid = site.h.user("qmaild")[2:4]
    for who, want in ((monitor, 0), (talker, uid)):
        assert re.search(rf"Uid:\s+{want}\s+{want}\s+{want}\s+{want}\n",
                         who["status"])
        assert re.search(r"NoNewPrivs:\s+1", who["status"])
    assert re.search(r"Seccomp:\s+2\n", talker["status"])
    assert re.search(rf"Groups:\s*({gid}\s*)?\n", talker["status"])
    for limit in ("processes", "file size"):
        assert re.search(rf"Max {limit} +0 +0 ", talker["limits"])


def test_apop_with_clear_passwords_only(site, undo):
    """And with the program that can have them."""
    path = "/home/vpopmail/etc/clearpasswords"

    def stamp(port):
        with contextlib.closing(site.pop3(port)) as c:
            return re.search(rb"<\d+\.\d+\.\w+@" + HOSTNAME.encode() +
                             rb">$", c.getwelcome())
    undo.callback(site.again)
    undo.callback(site._control, "checkpassword",
                  site.h.read(f"{CONTROL}/checkpassword"))
    undo.callback(site.h.run, ["rm", "-f", path])
    site.h.write(path, "1\n", mode=0o644)
    site.again()
    assert not stamp(110) and not stamp(995)
    site._control("checkpassword", None)
    site.again()
    stamps = [stamp(p).group(0) for p in SERVICES for _ in range(2)]
    assert len(set(stamps)) == 4
    site.h.write(path, "0\n", mode=0o644)
    site.again()
    assert not stamp(110) and not stamp(995)


def test_an_installation_from_before_gets_it(own_site):
    """make setup and make enable, while everything runs."""
    h = own_site().h
    for name in SERVICES.values():
        h.run(f"rm /service/{name}; cd {HOME}/supervise && "
              f"svc -dxw {name} {name}/log && rm -r {name} "
              f"/var/log/qmail/{name}d {HOME}/doc/service/{name}.*")
    h.run(["rm", "-f", "/etc/tcp.pop3", "/etc/tcp.pop3.cdb",
           f"{HOME}/bin/qmail-popup", f"{HOME}/bin/qmail-pop3d"])
    r = h.run([f"{HOME}/bin/valija-check"], check=False)
    assert r.returncode == 1
    for line in ("supervise/pop3/run: is missing", "bin/qmail-popup: is"):
        assert f"{HOME}/{line}" in r.stdout
    others = [h.running(n) for n in ("qmail-send", "tlsd", "authdaemond")]
    r = h.install(["setup", "check", "enable"])
    assert "made /etc/tcp.pop3\n" in r.stdout
    for port, name in SERVICES.items():
        assert f"linked /service/{name} to {HOME}/supervise/{name}\n" in \
            r.stdout
        h.wait(lambda: "tcpserver: status: 0/100\n" in h.log(name + "d"),
               name)
        assert f":{port} " in h.run(["ss", "-Hltn"]).stdout
    assert [h.running(n) for n in ("qmail-send", "tlsd", "authdaemond")] == \
        others
    assert h.exists("/etc/tcp.pop3.cdb")
