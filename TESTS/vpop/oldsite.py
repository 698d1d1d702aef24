"""A host as qmail 1.03 and vpopmail leave it: written by hand, from what is
known of their files, by none of our programs.

    old = OldSite()                     # accounts in vpasswd and vpasswd.cdb
    old = OldSite(store="mysql")        # in tables, see sql()
    old.boxes                           # address -> Box
    old.tree("/home/vpopmail")          # what is there, to be compared

Programs of the original are scripts that say so.  Its services run, under an
svscan that stands for daemontools.
"""

import ctypes
import json
import os
import sys
from collections import namedtuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "host"))
from host import Host, HOSTNAME, SRC  # noqa: E402
from net import unpack  # noqa: E402

VPOPMAIL = "/home/vpopmail"
DOMAINS = VPOPMAIL + "/domains"
QMAIL = "/var/qmail"
UID = GID = 89
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# uid, gid, home below QMAIL, as the guides to qmail have them.
QMAIL_USERS = {"alias": (7790, 2108, "/alias"), "qmaild": (7791, 2108, ""),
               "qmaill": (7792, 2108, ""), "qmailp": (7793, 2108, ""),
               "qmailq": (7794, 2107, ""), "qmailr": (7795, 2107, ""),
               "qmails": (7796, 2107, "")}
QMAIL_PROGRAMS = """bouncesaying condredirect except forward maildirmake
    preline qmail-clean qmail-getpw qmail-inject qmail-local qmail-lspawn
    qmail-newmrh qmail-newu qmail-pop3d qmail-popup qmail-pw2u qmail-qmqpc
    qmail-qread qmail-qstat qmail-queue qmail-remote qmail-rspawn qmail-send
    qmail-showctl qmail-smtpd qmail-start qmail-tcpok qmail-tcpto sendmail
    splogger""".split()
VPOP_PROGRAMS = """clearopensmtp dotqmail2valias vaddaliasdomain vadddomain
    vadduser valias vchangepw vchkpw vconvert vdeldomain vdelivermail
    vdeloldusers vdeluser vdominfo vipmap vkill vlist vmkpasswd vmoddomlimits
    vmoduser vpasswd vpopbull vpopmaild vqmaillocal vsetuserquota
    vuserinfo""".split()

Box = namedtuple("Box", "name domain home hash apop flags gecos quota clear "
                 "password")

libcrypt = ctypes.CDLL("libcrypt.so.1")
libcrypt.crypt.restype = ctypes.c_char_p

# Makes what it is told on descriptor 0: [kind, path, mode, uid, gid, text].
MAKE = r"""
import json, os, sys
for kind, path, mode, uid, gid, text in json.load(sys.stdin):
    data = text.encode("latin-1")
    if kind == "d":
        os.makedirs(path, exist_ok=True)
    elif kind == "l":
        os.symlink(text, path)
        continue
    else:
        with open(path, "wb") as f:
            f.write(data)
    os.chown(path, uid, gid)
    os.chmod(path, mode)
    if kind == "f":
        os.utime(path, (1700000000, 1700000000))
"""
# A line for everything below its arguments, but for what services leave there.
SHOW = r"""
import hashlib, os, stat, sys
def show(path):
    st = os.lstat(path)
    what = ""
    if stat.S_ISREG(st.st_mode):
        with open(path, "rb") as f:
            what = hashlib.sha256(f.read()).hexdigest() + \
                " " + str(int(st.st_mtime))
    elif stat.S_ISLNK(st.st_mode):
        what = os.readlink(path)
    print(os.fsencode(path).decode("latin-1"), oct(st.st_mode), st.st_uid,
          st.st_gid, what, sep="\t")
    if stat.S_ISDIR(st.st_mode):
        for name in sorted(os.listdir(path)):
            show(path + "/" + name)
for top in sys.argv[1:]:
    show(top)
"""


def crypt(password, salt):
    return libcrypt.crypt(password.encode(), salt.encode()).decode()


def md5(password, n):
    return crypt(password, f"$1$saltsa{n % 100:02}")


def cdb_input(records):
    """What `cdb -c` wants."""
    return b"".join(b"+%d,%d:%b->%b\n" % (len(k), len(v), k, v)
                    for k, v in records) + b"\n"


class Tree:
    """Files to be made."""

    def __init__(self):
        self.made = []

    def add(self, kind, path, mode, owner, text):
        uid, gid = owner
        self.made.append([kind, path, mode, uid, gid, text])

    def dir(self, path, mode=0o700, owner=(UID, GID)):
        self.add("d", path, mode, owner, "")

    def file(self, path, text, mode=0o600, owner=(UID, GID)):
        self.add("f", path, mode, owner, text)

    def program(self, path, text, mode=0o755, owner=(0, 2107)):
        self.add("f", path, mode, owner, text)

    def maildir(self, home, owner=(UID, GID)):
        for sub in ("", "/Maildir", "/Maildir/cur", "/Maildir/new",
                    "/Maildir/tmp"):
            self.dir(home + sub, owner=owner)


class OldSite:
    """owners: domains of other users than vpopmail, (user, uid, directory)."""

    def __init__(self, store="cdb", domains=None, alias_domains=None,
                 owners=None):
        self.store = store
        self.h = Host()
        self.boxes = {}                 # address -> Box
        self.domains = domains or {}    # name -> action of .qmail-default
        self.alias_domains = alias_domains or {}        # alias -> real
        self.owners = owners or {}
        self.t = Tree()
        try:
            unpack(self.h, "tinycdb")
            # The machine may have a mail system of ours.
            self.h.run(["rm", "-f", "/etc/tcp.smtp", "/etc/tcp.smtp.cdb",
                        "/etc/tcp.pop3", "/etc/tcp.pop3.cdb"])
            self._users()
        except BaseException:
            self.close()
            raise

    def close(self):
        self.h.close()

    # Accounts of the system.

    def _users(self):
        run = self.h.run
        run(["groupadd", "-g", "2107", "qmail"])
        run(["groupadd", "-g", "2108", "nofiles"])
        run(["groupadd", "-g", str(GID), "vchkpw"])
        for name, (uid, gid, home) in QMAIL_USERS.items():
            run(["useradd", "-u", str(uid), "-g", str(gid), "-d",
                 QMAIL + home, "-M", "-s", "/bin/true", name])
        run(["useradd", "-u", str(UID), "-g", "vchkpw", "-d", VPOPMAIL,
             "-M", "-s", "/bin/sh", "vpopmail"])

        for user, uid, _ in self.owners.values():
            run(["useradd", "-u", str(uid), "-U", "-m", user])

    def dir_of(self, domain):
        return self.owners[domain][2] if domain in self.owners else \
            f"{DOMAINS}/{domain}"

    def owner_of(self, domain):
        return (self.owners[domain][1],) * 2 if domain in self.owners else \
            (UID, GID)

    # Accounts of domains.

    def box(self, domain, name, password, hash=None, n=None, apop=False,
            flags=0, gecos="", quota="NOQUOTA", clear=None, prefix=""):
        """An account, and its directory unless home is "" (a row that somebody
        put into a table by hand)."""
        home = f"{self.dir_of(domain)}/{prefix}{name}"
        box = Box(name, domain, home, hash or md5(password, n or 0), apop,
                  flags, gecos or name, quota, clear, password)
        self.boxes[f"{name}@{domain}"] = box
        self.t.maildir(home, self.owner_of(domain))
        return box

    def fill(self, domain, count, first):
        """Accounts until there are count; first: those of a name."""
        names = list(first) + [f"u{i:03}" for i in
                               range(count - len(first))]
        for i, name in enumerate(names):
            place = i + 1               # the first directory takes 99
            prefix = "" if place < 100 else \
                LETTERS[place // 100 - 1] + "/"
            more = dict(first.get(name, {}))
            password = more.pop("password", f"pw-{name}")
            if prefix and not any(m[1] == f"{DOMAINS}/{domain}/{prefix[0]}"
                                  for m in self.t.made):
                self.t.dir(f"{DOMAINS}/{domain}/{prefix[0]}")
            self.box(domain, name, password, n=i, prefix=prefix, **more)
        self.dir_control(domain, count, LETTERS[count // 100 - 1]
                         if count >= 100 else "")

    def dir_control(self, domain, count, the_dir):
        index = LETTERS.index(the_dir) if the_dir else 0
        self.t.file((self.dir_of(domain) if domain else DOMAINS) +
                    "/.dir-control",
                    f"{count}\n0\n3\n0 0 0\n61 61 61\n0 2 4\n"
                    f"{index} 0 0\n{the_dir}\n",
                    owner=self.owner_of(domain))

    def vpasswd_line(self, b):
        line = (f"{b.name}:{b.hash}:{2 if b.apop else 1}:{b.flags}:{b.gecos}:"
                f"{b.home}:{b.quota}")
        return line if b.clear is None else line + ":" + b.clear

    def of(self, domain):
        return sorted((b for b in self.boxes.values() if b.domain == domain),
                      key=lambda b: b.name.encode())

    # The whole.

    def write(self):
        self._qmail()
        self._vpopmail()
        self.h.run(["python3", "-c", MAKE], input=json.dumps(self.t.made))
        if self.store == "cdb":
            for domain in self.domains:
                self._vpasswd(domain)
        self._users_cdb()
        self._old_services()

    def _vpopmail(self):
        t = self.t
        made, t.made = t.made, []
        t.dir(VPOPMAIL, 0o755)
        t.dir(VPOPMAIL + "/bin", 0o755)
        t.dir(VPOPMAIL + "/etc", 0o755)
        t.dir(DOMAINS)
        for name in VPOP_PROGRAMS:
            mode = 0o4711 if name == "vchkpw" else 0o711
            t.program(f"{VPOPMAIL}/bin/{name}",
                      f"#!/bin/sh\necho the original {name}\n", mode,
                      (0, GID) if name == "vchkpw" else (UID, GID))
        t.file(VPOPMAIL + "/etc/tcp.smtp", '127.:allow,RELAYCLIENT=""\n'
               ":allow\n", 0o644)
        t.file(VPOPMAIL + "/etc/open-smtp", "")
        t.file(VPOPMAIL + "/etc/vlimits.default", "! the defaults\n"
               "maxpopaccounts\t\t-1\n", 0o644)
        t.file(VPOPMAIL + "/etc/inc_deps", "-I/home/vpopmail/include\n", 0o644)
        if self.store == "cdb":
            self.dir_control("", len(self.domains) - len(self.owners), "")
        for domain, action in self.domains.items():
            owner = self.owner_of(domain)
            if domain in self.owners:
                t.dir(os.path.dirname(self.dir_of(domain)), 0o755, owner)
                t.dir(os.path.dirname(os.path.dirname(self.dir_of(domain))),
                      0o711, owner)
            t.dir(self.dir_of(domain), owner=owner)
            t.file(self.dir_of(domain) + "/.qmail-default",
                   f"| {VPOPMAIL}/bin/vdelivermail '' {action}\n",
                   owner=owner)
        t.made += made

    def _vpasswd(self, domain):
        d, (uid, gid) = self.dir_of(domain), self.owner_of(domain)
        lines = [self.vpasswd_line(b) for b in self.of(domain)]
        records = [(l.split(":", 1)[0].encode(), l.split(":", 1)[1].encode())
                   for l in lines]
        self.h.write(d + "/vpasswd", "".join(l + "\n" for l in lines), 0o600)
        self.h.run(["cdb", "-c", "-t", d + "/cdb.tmp", d + "/vpasswd.cdb"],
                   input=cdb_input(records))
        self.h.run(["chown", f"{uid}:{gid}", d + "/vpasswd",
                    d + "/vpasswd.cdb"])
        self.h.run(["chmod", "600", d + "/vpasswd.cdb"])

    def all_domains(self):
        return {**{d: d for d in self.domains}, **self.alias_domains}

    def sorted_domains(self):
        """The last two labels first."""
        def key(name):
            labels = name.split(".")
            return labels[-2:] + labels[:-2]
        return sorted(self.all_domains(), key=key)

    def _qmail(self):
        t, q = self.t, (7794, 2107)
        s = (7796, 2107)
        root = (0, 2107)
        for sub in ("", "/bin", "/control", "/users", "/supervise"):
            t.dir(QMAIL + sub, 0o755, root)
        t.dir(QMAIL + "/alias", 0o2755, (7790, 2107))
        for name in ("postmaster", "mailer-daemon", "root"):
            t.file(f"{QMAIL}/alias/.qmail-{name}", "&mailadmin\n", 0o644,
                   (0, 2107))
        for name in QMAIL_PROGRAMS:
            t.program(f"{QMAIL}/bin/{name}",
                      f"#!/bin/sh\necho the original {name}\n",
                      *((0o4711, q) if name == "qmail-queue" else (0o711,)))
        for name, text in {
                "me": HOSTNAME, "defaultdomain": "valija.test",
                "plusdomain": "test", "locals": HOSTNAME + "\nlocalhost",
                "rcpthosts": "\n".join([HOSTNAME, *self.sorted_domains()]),
                "virtualdomains": "\n".join(
                    f"{d}:{d}" for d in self.sorted_domains()),
                "concurrencyincoming": "40",
                "defaultdelivery": "./Maildir/"}.items():
            t.file(f"{QMAIL}/control/{name}", text + "\n", 0o644, (0, 2107))
        real = self.all_domains()
        t.file(QMAIL + "/users/assign", "".join(
            "+%s-:%s:%d:%d:%s:-::\n" % (d, real[d], *self.owner_of(real[d]),
                                        self.dir_of(real[d]))
            for d in self.sorted_domains()) + ".\n", 0o644, (0, 2107))
        t.dir(QMAIL + "/queue", 0o750, q)
        for sub, owner, mode in (("pid", q, 0o700), ("intd", q, 0o700),
                                 ("todo", q, 0o750), ("lock", q, 0o750),
                                 ("bounce", s, 0o700), ("mess", q, 0o750),
                                 ("info", s, 0o700), ("local", s, 0o700),
                                 ("remote", s, 0o700)):
            t.dir(f"{QMAIL}/queue/{sub}", mode, owner)
            if sub in ("mess", "info", "local", "remote"):
                for i in range(23):
                    t.dir(f"{QMAIL}/queue/{sub}/{i}", mode, owner)
        t.file(QMAIL + "/queue/lock/sendmutex", "", 0o600, s)
        t.file(QMAIL + "/queue/lock/tcpto", "\0" * 1024, 0o644, (7795, 2107))
        t.program(QMAIL + "/rc", "#!/bin/sh\nexec env - "
                  f'PATH="{QMAIL}/bin:$PATH" \\\nqmail-start "`cat '
                  f'{QMAIL}/control/defaultdelivery`"\n')

    def _users_cdb(self):
        """As qmail-newu makes it: the first byte of a key says what it is, NUL
        stands between fields, and a record of no name has the last letters of
        the prefixes."""
        real = self.all_domains()
        records = [(f"!{d}-".encode(),
                    "\0".join([real[d], *map(str, self.owner_of(real[d])),
                               self.dir_of(real[d]), "-", ""]).encode())
                   for d in self.sorted_domains()]
        self.h.run(["cdb", "-c", "-t", QMAIL + "/users/cdb.tmp",
                    QMAIL + "/users/cdb"],
                   input=cdb_input(records + [(b"", b"-")]))
        self.h.run(["chmod", "644", QMAIL + "/users/cdb"])
        self.h.run(["mkfifo", "-m", "622", QMAIL + "/queue/lock/trigger"])
        self.h.run(["chown", "qmails:qmail", QMAIL + "/queue/lock/trigger"])

    def _old_services(self):
        """daemontools, and services as Life with qmail has them."""
        h = self.h
        for name in ("svscan", "supervise", "svc", "svstat", "svok",
                     "multilog", "setuidgid", "tcpserver"):
            h.run(["install", f"{SRC}/build/{name}", "/usr/local/bin/"])
        h.run("mkdir -p /command /service && ln -s /usr/local/bin/* /command")
        for name in ("qmail-send", "qmail-smtpd", "qmail-pop3d"):
            d = f"{QMAIL}/supervise/{name}"
            h.run(["mkdir", "-p", "-m", "1755", d, d + "/log"])
            # The process of the name is what is waited for.
            h.run(["cp", "/bin/sleep", f"/usr/local/bin/{name}.old"])
            h.write(d + "/run", "#!/bin/sh\necho the original runs\n"
                    f"exec -a {name} /run/old/{name} 1000000\n"
                    .replace("#!/bin/sh", "#!/bin/bash"), 0o755)
            h.run(f"mkdir -p /run/old && cp /bin/sleep /run/old/{name} && "
                  f"rm /usr/local/bin/{name}.old")
            h.write(d + "/log/run", "#!/bin/sh\nexec cat >/dev/null\n", 0o755)
            h.run(["ln", "-s", d, "/service/"])
        out = h.open("/run/svscan.log", "ab")
        self.svscan = h.popen(["/usr/local/bin/svscan", "/service"],
                              stdin=out, stdout=out, stderr=out,
                              start_new_session=True)
        out.close()
        h.wait(lambda: all(map(h.running, ("qmail-send", "qmail-smtpd",
                                           "qmail-pop3d"))),
               "the old services")

    # Looking.

    def tree(self, *tops):
        """path -> what is there; mail queues and run directories of services
        are left out by not asking for them."""
        out = self.h.run(["python3", "-c", SHOW, *tops]).stdout
        return dict(line.split("\t", 1) for line in out.splitlines())

    def vpasswd(self, domain):
        """Its lines; sorted, and the index as tinycdb would make it of them."""
        d = self.dir_of(domain)
        lines = self.h.read(d + "/vpasswd").splitlines()
        names = [l.split(":", 1)[0].encode() for l in lines]
        assert names == sorted(names), names
        have = self.h.run(["cdb", "-d", d + "/vpasswd.cdb"]).stdout
        want = cdb_input([(l.split(":", 1)[0].encode(),
                           l.split(":", 1)[1].encode()) for l in lines])
        assert have == want.decode()
        for f in ("vpasswd", "vpasswd.cdb"):
            st = self.h.stat(f"{d}/{f}")
            if domain in self.owners:
                assert (st.st_uid, st.st_gid, st.st_mode & 0o777) == \
                    (self.owner_of(domain)[0], GID, 0o640)
            else:
                assert (st.st_uid, st.st_gid, st.st_mode & 0o777) == \
                    (UID, GID, 0o600)
        return lines
