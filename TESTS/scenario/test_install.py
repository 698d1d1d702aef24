"""make setup check: what is on the disk, repeated, in DESTDIR, as process 1."""

import re
import signal
import subprocess

import pytest

from host import Host, HostError, SRC

HOME = "/var/qmail"
VPOPMAIL = "/home/vpopmail"
# What --enable links, in its order.
SERVICES = ["keyd", "tlsd", "authdaemond", "qmail-queued", "qmail-verify",
            "qmail", "qmail-smtpd", "qmail-submission", "qmail-smtps", "pop3",
            "pop3s"]
# Where each logs, below /var/log/qmail.
LOGS = {s: s for s in SERVICES} | {"pop3": "pop3d", "pop3s": "pop3sd"}


def tree(h, *paths):
    """Every file with its type, mode, owner and content."""
    return h.run("find " + " ".join(paths) + " -printf '%p %y %m %u %g %l\\n' "
                 "-type f -exec sha256sum {} + | sort").stdout


@pytest.fixture(scope="module")
def bare():
    """A host with nothing of ours on it."""
    with Host() as h:
        yield h


@pytest.fixture(scope="module")
def installed(bare):
    bare.install(["setup", "check"])
    return bare


def test_nothing_is_there_before(bare):
    assert not bare.exists(HOME)
    with pytest.raises(KeyError):
        bare.user("qmailq")


def test_check_before_setup_fails():
    with Host() as h:
        r = h.run(["make", "-C", SRC, "check"], check=False, timeout=1200)
        assert r.returncode != 0


def test_users_and_groups(installed):
    groups = {line.split(":")[2]: line.split(":")[0]
              for line in installed.read("/etc/group").splitlines()}
    for user, group in (("alias", "nofiles"), ("qmaild", "nofiles"),
                        ("qmaill", "nofiles"), ("qmailp", "nofiles"),
                        ("qmailq", "qmail"), ("qmailr", "qmail"),
                        ("qmails", "qmail"), ("vpopmail", "vchkpw")):
        e = installed.user(user)
        assert groups[str(e.pw_gid)] == group
        assert e.pw_uid != 0
        assert re.search(r"(nologin|false)$", e.pw_shell), user
    assert installed.user("alias").pw_dir == HOME + "/alias"
    e = installed.user("vpopmail")
    assert (e.pw_uid, e.pw_gid, e.pw_dir) == (89, 89, VPOPMAIL)


# name, type, mode, owner, group
TREE = [
    ("", "directory", "755", "root:qmail"),
    ("alias", "directory", "2755", "alias:qmail"),
    ("control", "directory", "755", "root:qmail"),
    ("users", "directory", "755", "root:qmail"),
    ("bin", "directory", "755", "root:qmail"),
    ("queue", "directory", "750", "qmailq:qmail"),
    ("queue/pid", "directory", "700", "qmailq:qmail"),
    ("queue/intd", "directory", "700", "qmailq:qmail"),
    ("queue/todo", "directory", "750", "qmailq:qmail"),
    ("queue/mess", "directory", "750", "qmailq:qmail"),
    ("queue/mess/0", "directory", "750", "qmailq:qmail"),
    ("queue/mess/22", "directory", "750", "qmailq:qmail"),
    ("queue/info", "directory", "700", "qmails:qmail"),
    ("queue/info/22", "directory", "700", "qmails:qmail"),
    ("queue/local/0", "directory", "700", "qmails:qmail"),
    ("queue/remote/0", "directory", "700", "qmails:qmail"),
    ("queue/bounce", "directory", "700", "qmails:qmail"),
    ("queue/lock", "directory", "750", "qmailq:qmail"),
    ("queue/lock/trigger", "fifo", "622", "qmails:qmail"),
    ("queue/lock/sendmutex", "regular", "600", "qmails:qmail"),
    ("queue/lock/tcpto", "regular file", "644", "qmailr:qmail"),
    ("bin/qmail-lspawn", "regular file", "700", "root:qmail"),
    ("bin/qmail-start", "regular file", "700", "root:qmail"),
    ("bin/qmail-newu", "regular file", "700", "root:qmail"),
    ("bin/qmail-send", "regular file", "711", "root:qmail"),
    ("bin/qmail-clean", "regular file", "711", "root:qmail"),
    ("bin/qmail-local", "regular file", "711", "root:qmail"),
    ("bin/qmail-getpw", "regular file", "711", "root:qmail"),
    ("bin/qmail-rspawn", "regular file", "711", "root:qmail"),
    ("bin/qmail-popup", "regular file", "711", "root:qmail"),
    ("bin/qmail-pop3d", "regular file", "711", "root:qmail"),
    ("bin/qmail-inject", "regular file", "755", "root:qmail"),
    ("bin/sendmail", "regular file", "755", "root:qmail"),
    ("bin/forward", "regular file", "755", "root:qmail"),
    ("control/me", "regular file", "644", None),
    ("control/locals", "regular file", "644", None),
    ("alias/.qmail-postmaster", "regular file", "644", None),
    ("alias/.qmail-mailer-daemon", "regular file", "644", None),
    ("alias/.qmail-root", "regular file", "644", None),
]


@pytest.mark.parametrize("path,kind,mode,owner", TREE,
                         ids=[t[0] or "home" for t in TREE])
def test_tree(installed, path, kind, mode, owner):
    out = installed.run(["stat", "-c", "%F|%a|%U:%G",
                         f"{HOME}/{path}"]).stdout.strip().split("|")
    assert out[0].startswith(kind)
    assert out[1] == mode
    if owner:
        assert out[2] == owner


def test_tree_of_virtual_domains(installed):
    out = installed.run(f"cd {VPOPMAIL} && stat -c '%n %a %U:%G' . *").stdout
    assert out.split("\n")[:-1] == [
        ". 755 root:vchkpw", "bin 755 root:vchkpw",
        "domains 711 vpopmail:vchkpw", "etc 755 root:vchkpw"]
    for name in installed.listdir(VPOPMAIL + "/bin"):
        assert installed.run(["readlink", f"{VPOPMAIL}/bin/{name}"]).stdout \
            == f"{HOME}/bin/{name}\n"
    assert installed.exists(VPOPMAIL + "/.valija")


def test_existing_vpopmail_is_kept():
    """User, group, home, owners, modes and files are those of an older
    installation; its programs make room and are not lost."""
    with Host() as h:
        h.run("groupadd -g 2110 vpop && useradd -u 2110 -g vpop -m -d "
              "/srv/vpop vpopmail && chmod 711 /srv/vpop && cd /srv/vpop && "
              "mkdir bin domains && echo theirs >bin/vchkpw && "
              "chmod 4711 bin/vchkpw && ln -s /opt/x bin/vdelivermail && "
              "echo mine >domains/x && chown -R vpopmail:vpop . && "
              "echo 'localhost|0|u|p|d' >/srv/vpop/note")
        look = "cd /srv/vpop && stat -c '%n %a %U:%G' . domains bin " \
            "domains/x note; grep vpopmail /etc/passwd"
        before = h.run(look).stdout
        r = h.install()
        assert h.run(look).stdout == before
        assert not h.exists("/home/vpopmail")
        assert not h.exists("/srv/vpop/.valija")
        assert h.run("stat -c '%a %U:%G' /srv/vpop/etc").stdout == \
            "755 root:vpop\n"
        programs = [n for n in ("vchkpw", "vdelivermail")
                    if h.exists(f"{HOME}/bin/{n}")]
        for name in programs:
            path = f"/srv/vpop/bin/{name}"
            assert f"put {path} aside as {name}.orig\n" in r.stdout
            assert h.run(["readlink", path]).stdout == f"{HOME}/bin/{name}\n"
            assert h.exists(path + ".orig")
        if "vchkpw" in programs:
            assert h.read("/srv/vpop/bin/vchkpw.orig") == "theirs\n"
        r = h.install()
        assert " 0 changed" in r.stdout and "aside" not in r.stdout
        # what the README removes of such a one: our links
        block = re.search(r"(?ms)^    (if \[ -e ~vpopmail/.*?; fi)$",
                          h.read(f"{SRC}/README.md")).group(1)
        h.run(block)
        assert h.listdir("/srv/vpop/bin") == ["vchkpw.orig",
                                              "vdelivermail.orig"]
        assert h.run(look).stdout == before


def test_queue_is_split_in_23(installed):
    for d in ("mess", "info", "local", "remote"):
        assert sorted(installed.listdir(f"{HOME}/queue/{d}"), key=int) == \
            [str(i) for i in range(23)]


def test_no_set_id_file_but_the_alias_directory(installed):
    find = ("find /var /etc /home /srv /opt /usr/local /usr/bin /usr/sbin "
            "/command /service -perm /6000 2>/dev/null; true")
    new = installed.run(find).stdout
    with Host() as h:
        old = h.run(find).stdout
    assert set(new.split("\n")) - set(old.split("\n")) == {HOME + "/alias"}


def test_programs_of_supervision_are_where_scripts_look(installed):
    for name in ("svscan", "svscanboot", "supervise", "svc", "svok", "svstat",
                 "multilog", "tai64n", "tai64nlocal", "setuidgid",
                 "envuidgid", "envdir", "softlimit", "setlock", "pgrphack",
                 "fghack", "readproctitle"):
        assert installed.run(["test", "-x", f"/usr/local/bin/{name}"],
                             check=False).returncode == 0, name


def test_control_files_say_the_name_of_the_host(installed):
    assert installed.read(f"{HOME}/control/me") == "mx.valija.test\n"
    assert "localhost" in installed.read(
        f"{HOME}/control/locals").splitlines()
    assert installed.read(f"{HOME}/control/rcpthosts") == \
        installed.read(f"{HOME}/control/locals")


def test_service_directories(installed):
    for name in SERVICES:
        d = f"{HOME}/supervise/{name}"
        for script in ("run", "log/run"):
            assert installed.stat(f"{d}/{script}").st_mode & 0o777 == 0o755
        st = installed.stat(d)
        assert st.st_mode & 0o7777 == 0o1755
        log = installed.read(f"{d}/log/run")
        assert re.search(r"MAXLOGSIZE=\d+", log) and \
            re.search(r"NUMLOG=\d+", log)
        assert installed.run(["stat", "-c", "%U",
                              f"/var/log/qmail/{LOGS[name]}"]).stdout == \
            "qmaill\n"
        assert f"/var/log/qmail/{LOGS[name]}\n" in log
    assert set(installed.listdir(f"{HOME}/supervise")) == \
        set(SERVICES)
    assert "qmail-start ./Maildir/" in installed.read(f"{HOME}/rc")


def test_every_program_has_its_page(installed):
    pages = installed.run(f"find {HOME}/man /usr/local/man "
                          "/usr/local/share/man -name '*.[158]*' 2>/dev/null"
                          "; true").stdout
    names = {re.sub(r"\.[158](\.gz)?$", "", p.rsplit("/", 1)[-1])
             for p in pages.split("\n") if p}
    programs = set(installed.listdir(HOME + "/bin"))
    assert programs - names == set()


def test_setup_twice_changes_nothing(installed):
    where = [HOME, "/usr/local/bin", "/etc/passwd", "/etc/group"]
    before = tree(installed, *where)
    installed.install(["setup", "check"])
    assert tree(installed, *where) == before


def test_setup_keeps_what_the_administrator_wrote(installed):
    h = installed
    h.write(f"{HOME}/control/locals", "mine.example\n", mode=0o644)
    h.write(f"{HOME}/control/me", "other.example\n", mode=0o644)
    h.write(f"{HOME}/alias/.qmail-postmaster", "&me@mine.example\n",
            mode=0o644)
    h.write(f"{HOME}/users/assign", ".\n", mode=0o644)
    h.write("/etc/tcp.smtp", ":deny\n", mode=0o644)
    h.write("/etc/tcp.pop3", "10.:allow\n", mode=0o644)
    h.write(f"{HOME}/queue/mess/5/123456", "kept\n", owner="qmailq")
    h.install(["setup", "check"])
    assert h.read(f"{HOME}/control/locals") == "mine.example\n"
    assert h.read(f"{HOME}/control/me") == "other.example\n"
    assert h.read(f"{HOME}/alias/.qmail-postmaster") == "&me@mine.example\n"
    assert h.read(f"{HOME}/users/assign") == ".\n"
    assert h.read("/etc/tcp.smtp") == ":deny\n"
    assert h.read("/etc/tcp.pop3") == "10.:allow\n"
    assert h.read(f"{HOME}/queue/mess/5/123456") == "kept\n"


@pytest.mark.parametrize("damage", [
    "chmod 4755 /var/qmail/bin/qmail-inject",
    "chmod 777 /var/qmail/queue/todo",
    "chown root /var/qmail/queue/mess/3",
    "rm /var/qmail/bin/qmail-local",
    "rmdir /var/qmail/queue/info/7",
    "rm /var/qmail/queue/lock/trigger && touch /var/qmail/queue/lock/trigger",
    "echo x >>/var/qmail/bin/qmail-send",
    "chgrp nogroup /var/qmail/alias"])
def test_check_finds_damage_and_setup_mends_it(installed, damage):
    installed.run(damage)
    r = installed.run(["make", "-C", SRC, "check"], check=False, timeout=1200)
    assert r.returncode != 0
    path = re.search(r"/var/qmail/\S+", damage).group(0)
    assert path in r.stdout + r.stderr
    if "trigger" in damage:
        installed.run(["rm", path])     # a file in the way is not ours to lose
    installed.install(["setup", "check"])


def test_destdir(bare):
    with Host() as h:
        h.run(["make", "-C", SRC, "setup", "DESTDIR=/tmp/pkg"], timeout=1200)
        assert h.exists("/tmp/pkg/var/qmail/bin/qmail-send")
        assert h.exists("/tmp/pkg/usr/local/bin/svscan")
        assert not h.exists(HOME)
        assert not h.exists("/usr/local/bin/svscan")
        with pytest.raises(KeyError):
            h.user("qmailq")


def deliver_one(h):
    h.add_user("ana")
    h.run(["/var/qmail/bin/qmail-inject", "ana"], input="\nhello\n",
          user="ana")
    h.wait(lambda: h.listdir("/home/ana/Maildir/new"), "the message")


def test_enable_links_every_service(installed):
    h = installed
    for _ in range(2):
        h.install(["enable"])
        assert h.listdir("/service") == sorted(SERVICES)
    h.run("rm /service/*")


def test_another_service_of_that_name_is_left_alone(installed):
    """Such as courier's POP3 under svscan."""
    h = installed
    other = "/usr/lib/courier-imap/supervise/pop3"
    h.run(f"mkdir -p {other} && ln -s {other} /service/pop3 && "
          "mkdir /service/keyd")
    r = h.install(["enable"])
    assert f"kept /service/pop3, which is another's; ours is {HOME}" \
        "/supervise/pop3\n" in r.stdout
    assert "kept /service/keyd, which is another's" in r.stdout
    assert h.run(["readlink", "/service/pop3"]).stdout == other + "\n"
    assert h.listdir("/service") == sorted(SERVICES)
    h.run("rm -r /service/*")


def test_svscanboot_from_a_shell():
    with Host() as h:
        h.install()
        h.run("mkdir -p /service && for s in qmail-queued qmail; do "
              "ln -sfn /var/qmail/supervise/$s /service/$s; done")
        h.popen(["svscanboot"], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deliver_one(h)


def test_svscan_as_process_1_of_a_container():
    """No init, no systemd: svscan is the first process, reaps orphans, and
    TERM ends everything in order."""
    with Host() as h:
        h.install()
        h.run("mkdir -p /service && for s in qmail-queued qmail; do "
              "ln -sfn /var/qmail/supervise/$s /service/$s; done")
        p = h.popen(["unshare", "--fork", "--pid", "--mount-proc",
                     "--kill-child", "svscan", "/service"],
                    stdin=subprocess.DEVNULL)
        deliver_one(h)
        # an orphan must not stay a zombie
        inner = [c for c in h.run(["pgrep", "-x", "svscan"]).stdout.split()][0]
        h.run(["nsenter", "-t", inner, "-p", "-m", "sh", "-c",
               "(sleep 0.2 &) ; exit 0"])

        def no_zombies():
            out = h.run(["ps", "-eo", "stat,comm"]).stdout
            return not re.search(r"(?m)^Z\S*\s+sleep", out)
        h.wait(no_zombies, "the orphan to be reaped")
        h.run(["kill", "-TERM", inner])
        try:
            assert p.wait(120) == 0
        except subprocess.TimeoutExpired:
            raise HostError("svscan did not end on TERM") from None
        for comm in ("supervise", "qmail-send", "multilog", "qmail-queued"):
            assert h.run(["pgrep", "-x", comm], check=False).stdout == "", comm
        log = h.log("qmail")
        assert log.rstrip("\n").endswith("status: exiting")


def test_term_stops_services_in_order(own_site):
    site = own_site()
    site.h.wait(lambda: len(site.h.running("multilog")) == len(SERVICES),
                "every service")
    assert site.h.kill("svscan", signal.SIGTERM) == 1
    site.h.wait(lambda: not site.h.running("svscan"), "svscan to end")
    for comm in ("supervise", "qmail-send", "qmail-lspawn", "qmail-queued",
                 "qmail-verify", "tcpserver", "tlsd", "keyd", "authdaemond",
                 "qmail-popup", "multilog"):
        assert not site.h.running(comm), comm
    assert site.log().rstrip("\n").endswith("status: exiting")
    # the loggers ended properly: current is marked as complete
    for service in SERVICES:
        mode = site.h.stat(
            f"/var/log/qmail/{LOGS[service]}/current").st_mode
        assert mode & 0o100, service
