"""sudo ./quickstart: the first command of the README, and what setup does on
a machine that is in use."""

import re
import subprocess

import pytest

from host import Host, SRC
from net import unpack

HOME = "/var/qmail"
VPOPMAIL = "/home/vpopmail"
DOMAIN = "virtual.mx.valija.test"
PROCESSES = ["keyd", "qmail-queued", "qmail-send", "tcpserver",
             "authdaemond"]
LINKS = ["/usr/sbin/sendmail", "/usr/lib/sendmail", "/usr/bin/mailq",
         "/usr/bin/newaliases"]


def a_bare_host():
    """A host without any mail system."""
    with Host() as h:
        h.run(["rm", "-f", *LINKS])
        yield h


bare = pytest.fixture(a_bare_host, name="bare")
unchanged = pytest.fixture(a_bare_host, name="unchanged", scope="module")


def quickstart(h, *args, check=True):
    return h.run(["./quickstart", *args], cwd=SRC, check=check, timeout=1200)


def inbox(h, address=f"mailadmin@{DOMAIN}"):
    """The messages of a virtual user."""
    box = h.run([f"{VPOPMAIL}/bin/vuserinfo", "-d", address]).stdout.strip()
    assert box.startswith(f"{VPOPMAIL}/domains/")
    dirs = [f"{box}/Maildir/{d}" for d in ("new", "cur")]
    return [h.read(f"{d}/{name}") for d in dirs for name in h.listdir(d)]


def shown(r):
    """What a run has shown at its end: the message."""
    m = re.search(r"(?ms)^The message, as it came:\n(.*?\n)\nWhat next:\n",
                  r.stdout)
    return re.sub(r"(?m)^    ", "", m.group(1))


def fetched(r, address=f"mailadmin@{DOMAIN}"):
    """Its dialogue with port 110: what was said, and what was answered."""
    said = r.stdout.split("by POP3 with STLS from port 110\n")[1] \
        .split("\nThe message, as it came:\n")[0]
    said, log = said.split("How it went, from /var/log/qmail/pop3d/current:")
    assert re.search(rf"qmail-pop3d: info: end .* user={re.escape(address)} "
                     r".* tls=TLSv1\.3 .* retr=1 .* dele=0 ", log)
    # inside TLS: passwords are taken, and TLS is not offered again
    assert re.search(r"(?m)^ +> CAPA\n +< \+OK", said)
    assert re.search(r"(?m)^ +< USER$", said) and "STLS" not in said
    assert re.search(rf"(?m)^ +> USER {re.escape(address)}\n +< \+OK.*\n"
                     r" +> PASS \.\.\.\n +< \+OK", said)
    n = int(re.search(r"(?m)^ +> STAT\n +< \+OK (\d+) \d+$", said).group(1))
    retr = said[said.index(f"> RETR {n}\n"):]
    assert re.search(r"(?m)^ +< \.\n +> QUIT\n +< \+OK", retr)
    for line in shown(r).splitlines():
        assert f" < {line}\n" in retr
    return n


def state(h):
    """What a careless run would change."""
    out = h.run("{ find /etc /var/qmail /var/log /service /command "
                 "/usr/local/bin -xdev; ls -d /home/* "
                 "/usr/lib/sendmail /usr/sbin/* /usr/bin/*; } 2>/dev/null | "
                 "sort | xargs stat -c '%n %f %U %G %s %Y'",
                 check=False).stdout
    assert "/usr/sbin/useradd " in out
    return out


def test_from_nothing_to_a_message_and_again(bare):
    h = bare
    r = quickstart(h)
    text, = inbox(h)
    assert f"\nDelivered-To: mailadmin@{DOMAIN}\n" in text
    # it was fetched, the message and the lines of its way are shown
    assert fetched(r) == 1
    assert shown(r) == text
    for words in ("new msg", "info msg", "starting delivery",
                  ": success:", "end msg"):
        assert words in r.stdout
    # it came by SMTP with TLS
    assert re.search(r"(?m)^ +< 250 2\.0\.0 ok \d+ qp \d+$", r.stdout)
    assert re.search(r"by mx\.valija\.test with ESMTPS\n +\(version=TLSv1\.3 ",
                     text)
    for words in ("tcpserver: ok ", "qmail-smtpd: info: accept pid=",
                  "tcpserver: end "):
        assert words in r.stdout
    for path in LINKS:
        assert h.run(["readlink", "-f", path]).stdout == \
            f"{HOME}/bin/sendmail\n"
    assert h.read(f"{HOME}/alias/.qmail-postmaster") == "&mailadmin\n"
    pids = [h.running(p) for p in PROCESSES]
    assert all(pids)

    # who got a password can use it
    word = re.search(r"Random password: (\S+)", r.stdout).group(1)
    h.write("/run/in", f"mailadmin@{DOMAIN}\0{word}\0\0")
    h.run("exec 3</run/in; exec vchkpw /bin/true",
          env={"TCPLOCALPORT": "587"})
    assert word not in h.read(f"{SRC}/build/quickstart.log")
    assert r.stdout.count(word) == 1
    kept = f"{HOME}/users/quickstart"
    assert h.run(["stat", "-c", "%a %U", kept]).stdout == "600 root\n"
    assert h.read(kept) == f"mailadmin@{DOMAIN} {word}\n"

    config = "cat /etc/passwd /etc/group /var/qmail/control/* " \
        "/var/qmail/users/assign /var/qmail/alias/.q*; " \
        "ls -lR /service/ /var/qmail/bin /usr/local/bin; " \
        f"cd {VPOPMAIL} && ls -la . bin etc domains && find domains -name " \
        "'vpasswd*' -printf '%p %s %T@'"
    before = h.run(config).stdout
    r = quickstart(h)
    assert " 0 changed" in r.stdout
    assert h.run(config).stdout == before
    assert [h.running(p) for p in PROCESSES] == pids
    assert fetched(r) == 2
    assert sorted(inbox(h))[0] != sorted(inbox(h))[1]
    assert shown(r) in inbox(h) and shown(r) != text

    # Whose password is known no more is not guessed: it is said.
    h.run([f"{VPOPMAIL}/bin/vpasswd", f"mailadmin@{DOMAIN}", "changed"])
    r = quickstart(h)
    assert re.search(r"(?m)^ +> PASS \.\.\.\n +< -ERR \[AUTH\] ", r.stdout)
    assert "--new-password" in r.stdout
    assert len(inbox(h)) == 3 and shown(r) in inbox(h)
    h.run(["rm", kept])
    r = quickstart(h)
    assert "> PASS" not in r.stdout and "--new-password" in r.stdout
    assert len(inbox(h)) == 4 and shown(r) in inbox(h)
    r = quickstart(h, "--new-password")
    assert fetched(r) == 5
    word = re.search(r"Random password: (\S+)", r.stdout).group(1)
    assert h.read(kept) == f"mailadmin@{DOMAIN} {word}\n"
    assert fetched(quickstart(h)) == 6


def test_dots_and_more_mail(bare):
    """Its own message is shown, byte by byte, and nobody else's."""
    h = bare
    quickstart(h)
    box = h.run([f"{VPOPMAIL}/bin/vuserinfo", "-d",
                 f"mailadmin@{DOMAIN}"]).stdout.strip() + "/Maildir"
    # delivered in a future that others' clocks may be in
    for i in range(3):
        h.write(f"{box}/new/{4000000000 + i}.x{i}.y", "Subject: private\n\n"
                ".dot\n..\n.\n-ERR no\n550 no\n", owner="vpopmail")
    r = quickstart(h)
    assert "private" not in r.stdout
    assert shown(r) in inbox(h)
    assert re.search(r"(?m)^ +> RETR 2\n", r.stdout)


def test_user_host_and_domain_are_taken(bare):
    h = bare
    quickstart(h, "--user", "ana", "--host", "mail.example.org")
    assert h.read(f"{HOME}/control/me") == "mail.example.org\n"
    text, = inbox(h, "ana@virtual.mail.example.org")
    assert "\nTo: ana@virtual.mail.example.org\n" in text
    h.run(["/usr/sbin/sendmail", "root"], input="Subject: x\n\ny\n")
    h.wait(lambda: len(h.listdir("/home/ana/Maildir/new")) == 1,
           "root's mail to reach ana")
    quickstart(h, "--user=ana", "--domain", "other.example")
    assert len(inbox(h, "ana@other.example")) == 1
    assert len(inbox(h, "ana@virtual.mail.example.org")) == 1
    for address in ("ana@other.example", "ana@virtual.mail.example.org"):
        domain = address.split("@")[1]
        assert fetched(quickstart(h, "--user=ana", "--domain", domain),
                       address) == 2


def sql(h, text):
    return h.run(["mariadb", "-N", "-B", "-u", "root"], input=text,
                 env={"HOME": "/root"}).stdout


def test_accounts_in_mariadb(bare):
    """First without, then with it: what was made before is taken along."""
    h = bare
    quickstart(h)
    assert len(inbox(h)) == 1
    word = h.run([f"{VPOPMAIL}/bin/vuserinfo", "-p",
                  f"mailadmin@{DOMAIN}"]).stdout
    unpack(h, "mariadb-server")
    r = quickstart(h, "--mysql")
    assert "MariaDB" in r.stdout
    assert len(inbox(h)) == 2
    assert fetched(r) == 2
    assert h.run([f"{VPOPMAIL}/bin/vuserinfo", "-p",
                  f"mailadmin@{DOMAIN}"]).stdout == word
    assert h.run(f"stat -c '%a %U:%G' {VPOPMAIL}/etc/vpopmail.mysql"
                 ).stdout == "640 root:vchkpw\n"
    conf = h.read(f"{VPOPMAIL}/etc/vpopmail.mysql")
    assert re.fullmatch(r"localhost\|/\S+\|vpopmail\|\w{32}\|vpopmail\n",
                        conf)
    assert conf.split("|")[3] not in h.read(f"{SRC}/build/quickstart.log")
    assert h.read(f"{VPOPMAIL}/etc/store") == "mysql\n"
    users = "SELECT pw_name, pw_domain FROM vpopmail.vpopmail ORDER BY 1"
    assert sql(h, users) == f"mailadmin\t{DOMAIN}\npostmaster\t{DOMAIN}\n"
    pids = [h.running(p) for p in PROCESSES]
    for n, args in enumerate((["--mysql"], [])):
        r = quickstart(h, *args)
        assert fetched(r) == 3 + n
        assert " 0 changed" in r.stdout and "mysql store" in r.stdout
    assert len(inbox(h)) == 4
    assert h.read(f"{VPOPMAIL}/etc/vpopmail.mysql") == conf
    assert sql(h, users).count("\n") == 2
    assert [h.running(p) for p in PROCESSES] == pids


def test_mariadb_from_the_beginning(bare):
    h = bare
    unpack(h, "mariadb-server")
    assert fetched(quickstart(h, "--mysql")) == 1
    assert len(inbox(h)) == 1
    assert sql(h, "SELECT COUNT(*) FROM vpopmail.vpopmail") == "2\n"
    # An interrupted run: the line is written, its user not yet made.
    sql(h, "DROP USER vpopmail@localhost")
    h.run(["svc", "-t", "/service/authdaemond"])
    quickstart(h, "--mysql")
    assert len(inbox(h)) == 2


def test_a_database_of_somebody_else_is_left_alone(bare):
    h = bare
    unpack(h, "mariadb-server")
    h.run("/etc/init.d/mariadb start </dev/null >/dev/null 2>&1")
    sql(h, "CREATE USER vpopmail@localhost IDENTIFIED BY 'theirs'")
    grants = "SHOW CREATE USER vpopmail@localhost; SHOW DATABASES"
    before = sql(h, grants)
    r = quickstart(h, "--mysql", check=False)
    assert r.returncode == 111
    assert "MariaDB has a user vpopmail already" in r.stderr
    assert sql(h, grants) == before
    assert not h.exists(f"{VPOPMAIL}/etc/vpopmail.mysql")
    assert not h.exists(f"{VPOPMAIL}/etc/store")


@pytest.mark.parametrize("args", [["--foo"], ["--user"], ["--user", "root"],
                                  ["--user", "a b"], ["--user", "-x"], ["x"],
                                  ["--user", "a"], ["--domain"],
                                  ["--domain", "x y.z"],
                                  ["--domain", "nodot"],
                                  ["--domain", ".a.b"]])
def test_wrong_usage_is_100(unchanged, args):
    before = state(unchanged)
    assert quickstart(unchanged, *args, check=False).returncode == 100
    assert state(unchanged) == before


def test_help(unchanged):
    r = quickstart(unchanged, "--help")
    for option in ("--user", "--host", "--domain", "--mysql",
                   "--new-password", "--replace-mta"):
        assert option in r.stdout


def other_sendmail(h):
    h.write("/usr/sbin/sendmail", "#!/bin/sh\nexit 75\n", mode=0o755)
    return "/usr/sbin/sendmail"


def other_port(h, port=25):
    p = h.popen(["python3", "-c", "import socket, time\n"
                 "s = socket.socket(); s.setsockopt(1, 2, 1)\n"
                 f"s.bind(('', {port})); s.listen()\n"
                 "print('up', flush=True); time.sleep(1000)"],
                stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"up\n"
    return f"port {port} is held by python3"


def other_submission(h):
    return other_port(h, 587)


def other_pop3(h):
    return other_port(h, 110)


def other_pop3s(h):
    return other_port(h, 995)


@pytest.mark.parametrize("other", [other_sendmail, other_port,
                                   other_submission, other_pop3, other_pop3s])
def test_another_mail_system_is_left_alone(bare, other):
    words = other(bare)
    before = state(bare)
    r = quickstart(bare, check=False)
    assert r.returncode == 1
    assert words in r.stderr
    assert "--replace-mta" in r.stderr
    assert state(bare) == before


def test_pop3_of_another_beside_ours(bare):
    """An installation from before POP3, with courier or Dovecot for it."""
    h = bare
    quickstart(h)
    for name in ("pop3", "pop3s"):
        h.run(f"rm /service/{name}; cd {HOME}/supervise && "
              f"svc -dxw {name} {name}/log && rm -r {name}")
    h.run("rm /etc/tcp.pop3*")
    words = other_pop3(h)
    before = state(h)
    r = quickstart(h, check=False)
    assert r.returncode == 1 and words in r.stderr
    assert state(h) == before
    r = quickstart(h, "--replace-mta", check=False)
    assert r.returncode == 111 and "port 110 is still held" in r.stderr
    assert not h.exists("/service/pop3")
    h.run(["kill", re.search(r"python3 \(pid (\d+)\)", r.stderr).group(1)])
    r = quickstart(h)
    assert fetched(r) == 2
    assert h.exists("/etc/tcp.pop3.cdb")


def test_a_port_that_stays_taken(bare):
    other_port(bare)
    r = quickstart(bare, "--replace-mta", check=False)
    assert r.returncode == 111
    assert re.search(r"port 25 is still held by python3 \(pid \d+\)",
                     r.stderr)
    assert not bare.running("qmail-send")


def test_replace_mta_puts_it_aside(bare):
    h = bare
    other_sendmail(h)
    h.write("/usr/bin/mailq", "#!/bin/sh\n", mode=0o755)
    quickstart(h, "--replace-mta")
    assert "exit 75" in h.read("/usr/sbin/sendmail.old")
    assert h.exists("/usr/bin/mailq.old")
    for path in LINKS:
        assert h.run(["readlink", "-f", path]).stdout == \
            f"{HOME}/bin/sendmail\n"
    # and from now on the machine is ours
    quickstart(h)
    # the way back
    h.run("rm /usr/sbin/sendmail; dpkg-divert --rename --remove "
          "/usr/sbin/sendmail")
    assert "exit 75" in h.read("/usr/sbin/sendmail")


def test_systemd_unit(bare):
    """systemd itself does not run here: a stand-in does what the unit says."""
    h = bare
    h.run(["mkdir", "-p", "/run/systemd/system"])
    h.write("/usr/local/sbin/systemctl", """#!/bin/sh
echo "$@" >>/run/systemctl.log
unit=/etc/systemd/system/valija.service
[ "$1 $2 $3" = "enable --now valija" ] || exit 0
setsid $(sed -n 's/^ExecStart=//p' $unit) </dev/null >/dev/null 2>&1 &
""", mode=0o755)
    quickstart(h)
    assert h.read("/run/systemctl.log") == \
        "daemon-reload\nenable --now valija\n"
    assert h.read("/etc/systemd/system/valija.service") == \
        h.read(f"{SRC}/service/valija.service")
    quickstart(h)
    assert h.read("/run/systemctl.log").count("\n") == 2


def make_setup(h, check=True):
    return h.run(["make", "-C", SRC, "setup"], check=check, timeout=1200)


def test_upgrade_leaves_running_services_alone(own_site):
    site = own_site()
    h = site.h
    pid = h.running("qmail-send")
    h.run(f"printf x >>{HOME}/bin/.spoil && cat {HOME}/bin/.spoil "
          f">/dev/null && rm {HOME}/bin/.spoil")
    inode = h.stat(f"{HOME}/bin/qmail-send").st_ino
    h.run(f"cp {HOME}/bin/qmail-send /run/x && printf x >>/run/x && "
          f"mv /run/x {HOME}/bin/qmail-send")
    make_setup(h)
    assert h.stat(f"{HOME}/bin/qmail-send").st_ino != inode
    assert h.running("qmail-send") == pid
    rcpt = site.new_user()
    site.send(rcpt)
    h.wait(lambda: h.listdir(f"/home/{rcpt}/Maildir/new"), "the message")


def test_edited_run_script_is_kept(bare):
    h = bare
    make_setup(h)
    run = f"{HOME}/supervise/qmail/log/run"
    h.run(["sed", "-i", "s/^NUMLOG=.*/NUMLOG=20/", run])
    r = make_setup(h)
    assert f"kept {run}" in r.stdout
    assert "NUMLOG=20\n" in h.read(run)
    h.run(["make", "-C", SRC, "check"], timeout=1200)


def test_queue_on_another_disk(bare):
    """root may put a directory elsewhere and link to it."""
    h = bare
    make_setup(h)
    h.run(f"mv {HOME}/queue /srv/queue && ln -s /srv/queue {HOME}/queue && "
          "chmod 777 /srv/queue/mess/4")
    r = h.run(["make", "-C", SRC, "check"], check=False, timeout=1200)
    assert re.search(r"queue/mess/4: mode is 0777, should be 0750", r.stdout)
    make_setup(h)
    h.run(["make", "-C", SRC, "check"], timeout=1200)
    assert h.stat("/srv/queue/mess/4").st_mode & 0o7777 == 0o750


@pytest.mark.parametrize("plant", [
    "rmdir mess/4 && ln -s /victim mess/4",
    "rm lock/tcpto && ln -s /victim/file lock/tcpto",
    "rm lock/trigger && ln -s /victim/file lock/trigger",
    "mv mess mess.old && ln -s /victim mess"])
def test_links_of_other_users_lead_nowhere(bare, plant):
    """The queue's user must not get root to change a file of another."""
    h = bare
    make_setup(h)
    h.run("mkdir -p /victim/4 && echo mine >/victim/file && "
          "chmod 700 /victim /victim/4 && chmod 600 /victim/file && "
          f"chmod 755 {HOME}/queue {HOME}/queue/lock")
    look = "stat -c '%n %a %U:%G %s' /victim /victim/4 /victim/file"
    before = h.run(look).stdout
    h.run(["sh", "-c", plant], user="qmailq", cwd=f"{HOME}/queue")
    r = make_setup(h, check=False)
    assert r.returncode != 0
    assert "unable to make /var/qmail/queue/" in r.stderr
    assert h.run(look).stdout == before
    r = h.run(["make", "-C", SRC, "check"], check=False, timeout=1200)
    assert r.returncode != 0


def test_destdir_needs_no_root(bare):
    h = bare
    h.add_user("packager")
    h.run(["make", "-C", SRC, "all", "build/manifest"], timeout=1200)
    h.run(["chmod", "-R", "a+rX", SRC], timeout=1200)
    h.run([f"{SRC}/build/valija-setup", "--source", SRC, "--manifest",
           f"{SRC}/build/manifest", "--destdir", "/home/packager/root",
           "--host", "mx.example.org"], user="packager")
    r = h.run([f"{SRC}/build/valija-check", "--source", SRC, "--manifest",
               f"{SRC}/build/manifest", "--destdir", "/home/packager/root"],
              user="packager")
    assert "as they should be" in r.stdout
    assert h.read("/home/packager/root/var/qmail/control/me") == \
        "mx.example.org\n"
