"""The POP3 servers of the bench: ours, Debian's Dovecot in two settings, and
courier.  All are in one host, on ports of their own; each has a cgroup."""

import sys

from bench import REPO, Valija

sys.path.insert(0, REPO + "/TESTS/host")
from net import debs, unpack  # noqa: E402

VPOP = "/home/vpopmail"
COURIER = "/run/courier/authdaemon/socket"
CERT = "/etc/ssl/pop3.pem"      # key and certificate, for the others
PACKAGES = {"dovecot": "dovecot-pop3d", "courier": "courier-pop"}


def fetch(names):
    """Before a host lies over the machine."""
    for name in names:
        if name in PACKAGES:
            debs(PACKAGES[name])


class Pop3Valija(Valija):
    label = "valija"
    ports = {False: 110, True: 995}
    extra = False               # a row only where it is cheap

    def __init__(self, host, cgroup):
        super().__init__(host)
        self.cgroup = cgroup

    def install(self):
        super().install()
        self.h.write("/var/qmail/control/plaintextauth", "1\n")
        self.h.write("/var/qmail/control/concurrencypop3", "1000\n")
        # Where courier asks.
        self.h.write(f"{VPOP}/etc/authsockets", COURIER + "\n", mode=0o644)

    def start(self):
        super().start(self.cgroup.path)


class Pop3Dovecot:
    """Debian's configuration but for what is said here."""

    label = "dovecot"
    name = "dovecot"
    ports = {False: 1110, True: 1995}
    extra = False
    more = ""

    def __init__(self, host, cgroup):
        self.h = host
        self.cgroup = cgroup
        self.instance = "bench-" + self.label.replace(" ", "-")
        self.conf = f"/etc/dovecot/{self.instance}.conf"

    def install(self):
        if not self.h.exists("/usr/sbin/dovecot"):
            unpack(self.h, PACKAGES["dovecot"])
            self.h.run("sed -i 's/^!include auth-system/#&/' "
                       "/etc/dovecot/conf.d/10-auth.conf && "
                       "sed -i '/^ssl_/d' /etc/dovecot/conf.d/10-ssl.conf")
        u = self.h.user("vpopmail")
        self.h.write(self.conf, f"""
!include dovecot.conf
base_dir = /run/{self.instance}
instance_name = {self.instance}
log_path = /var/log/{self.instance}.log
mail_location = maildir:~/Maildir
first_valid_uid = {min(u.pw_uid, 500)}
first_valid_gid = {min(u.pw_gid, 500)}
mail_max_userip_connections = 0
default_process_limit = 1000
default_client_limit = 4000
ssl_cert = <{CERT}
ssl_key = <{CERT}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.ports[False]}
  }}
  inet_listener pop3s {{
    port = {self.ports[True]}
  }}
{self.more}}}
service pop3 {{
  process_limit = 4000
}}
passdb {{
  driver = passwd-file
  args = /etc/dovecot/users
}}
userdb {{
  driver = passwd-file
  args = /etc/dovecot/users
}}
""")

    def start(self):
        # Its processes keep what it had for errors.
        self.h.run(f"dovecot -c {self.conf} >/run/{self.instance}.out 2>&1",
                   cgroup=self.cgroup.path)

    def stop(self):
        self.h.run(["doveadm", "-c", self.conf, "stop"], check=False)
        self.h.wait(lambda: not self.cgroup.pids(), f"{self.label} to end")


class Pop3DovecotKept(Pop3Dovecot):
    """Its manual's "high-performance mode": login processes serve many."""

    label = "dovecot hp"
    ports = {False: 3110, True: 3995}
    extra = True
    more = "  service_count = 0\n  process_min_avail = 2\n"


class Pop3Courier:
    """Asks our authdaemond, whose CPU is counted as its own."""

    label = name = "courier"
    ports = {False: 2110, True: 2995}
    extra = False

    def __init__(self, host, cgroup):
        self.h = host
        self.cgroup = cgroup

    def install(self):
        unpack(self.h, PACKAGES["courier"], without=("exim4", "gamin_"))
        self.h.run(["rm", "-rf", "/run/courier"])
        for name, values in (
                ("pop3d", {"PORT": self.ports[False], "MAXDAEMONS": 1000,
                           "MAXPERIP": 1000}),
                ("pop3d-ssl", {"SSLPORT": self.ports[True],
                               "TLS_CERTFILE": CERT})):
            path = f"/etc/courier/{name}"
            self.h.write(path, self.h.read(path) + "".join(
                f"{k}={v}\n" for k, v in values.items()))

    def start(self):
        for name in ("pop3d", "pop3d-ssl"):
            self.h.run([f"/usr/lib/courier/{name}", "start"],
                       cgroup=self.cgroup.path)

    def stop(self):
        for name in ("pop3d", "pop3d-ssl"):
            self.h.run([f"/usr/lib/courier/{name}", "stop"], check=False)
        self.h.wait(lambda: not self.cgroup.pids(), "courier to end")


SYSTEMS = [Pop3Valija, Pop3Dovecot, Pop3DovecotKept, Pop3Courier]
