"""Several throwaway hosts on one network, with a name server and with mail
systems of others as peers.

Everything is private to the test: a bridge in the network namespace of the
name server's host, and a veth from it to each host.  Host number K has
10.7.0.K and fd07::K (the same digits).  The name server is Debian's nsd and
answers for the whole tree from one zone, the root: the records of all hosts
(A, AAAA and PTR; the names v4.HOST and v6.HOST have one of them) and those
that the test adds.  It ends with the hosts.

    with Net() as net:
        a = net.host("mx.a.example")        # a Host with .ip4 and .ip6
        a.install()
        net.mail_domain("a.example", a)
        p = net.postfix("mx.p.example", "p.example")
        p.add_user("bob")
        p.send("ana@a.example", "Subject: x\\n\\nhello\\n", "bob@p.example")

Peers are unpacked from Debian's packages inside their hosts, never installed
on the machine; the packages are kept in build/TESTS/debs."""

import contextlib
import fcntl
import os
import re
import subprocess
import tempfile

from host import Host, HostError, REPO

DEBS = REPO + "/build/TESTS/debs"
NS = 53                         # number of the name server's host
FIRST = 11                      # of the others
# On, and no address waits for others to object to it.
IPV6 = "cd /proc/sys/net/ipv6/conf && echo 0 >all/disable_ipv6 && " \
    "echo 0 >all/accept_dad && echo 0 >default/accept_dad"
RESOLV = "nameserver 10.7.0.53\nnameserver fd07::53\n"
NSD = ["nsd", "-c", "/run/nsd/conf"]
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}


def in_net(host, *argv):
    """Run a command of the machine in the network of a host."""
    subprocess.run(["nsenter", "-t", str(host.pid), "-n", *argv], check=True,
                   **QUIET)


def apt(archives, *argv, **kw):
    """Without apt's locks: nothing is installed, and somebody may be
    installing."""
    return subprocess.run(["apt-get", "-q", "-y", "--no-install-recommends",
                           "-o", "APT::Sandbox::User=",
                           "-o", "Debug::NoLocking=1",
                           "-o", f"Dir::Cache::archives={archives}", *argv],
                          **kw)


def debs(package):
    """Files of a package and of all it needs that is not installed here."""
    os.makedirs(DEBS + "/partial", exist_ok=True)
    with open(DEBS + "/.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return fetch(package)


def fetch(package):
    listed = f"{DEBS}/{package}.list"
    with contextlib.suppress(FileNotFoundError):
        # good as long as nothing was installed since
        if os.path.getmtime(listed) > os.path.getmtime("/var/lib/dpkg/status"):
            with open(listed) as f:
                files = f.read().split()
            if all(os.path.exists(path) for path in files):
                return files
    with tempfile.TemporaryDirectory() as none:
        # what is in the cache would have no address
        def uris():
            return apt(none, "--print-uris", "install", package,
                       capture_output=True, text=True)
        os.mkdir(none + "/partial")
        out = uris()
        if out.returncode != 0:
            subprocess.run(["apt-get", "-q", "update"], check=True, **QUIET)
            out = uris()
        if out.returncode != 0:
            raise HostError(out.stderr)
    apt(DEBS, "-d", "install", package, check=True, **QUIET)
    files = [f"{DEBS}/{name}" for name in
             re.findall(r"(?m)^'\S+' (\S+\.deb) \d+", out.stdout)]
    with open(listed + ".new", "w") as f:
        f.write("\n".join(files))
    os.replace(listed + ".new", listed)
    return files


def unpack(host, package, without=()):
    """Install Debian's package in a host, and start nothing.  without: packages
    that it says it needs, by the beginnings of their names."""
    files = []
    host.run(["mkdir", "-p", "/run/debs"])
    for path in debs(package):
        if os.path.basename(path).startswith(tuple(without)):
            continue
        inside = "/run/debs/" + os.path.basename(path)
        with open(path, "rb") as f, host.open(inside, "wb") as out:
            out.write(f.read())
        files.append(inside)
    host.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", mode=0o755)
    # What it needs goes first: where something is left out dpkg keeps to no
    # order, and a package may ask for what another is to set up.
    def itself(path):
        return os.path.basename(path).startswith(package + "_")

    for group in ([f for f in files if not itself(f)],
                  [f for f in files if itself(f)]):
        if group:
            host.run(["dpkg", "--no-triggers", "--force-unsafe-io",
                      "--force-conflicts", "--force-overwrite",
                      "--force-depends", "--force-confnew",
                      "--path-exclude=/usr/share/man/*",
                      "--path-exclude=/usr/share/doc/*", "-i", *group],
                     env={"DEBIAN_FRONTEND": "noninteractive"})
    host.run(["ldconfig"])


class Net:
    """records: text of zone lines with absolute names; see add()."""

    def __init__(self, records=""):
        self.records = records
        self.hosts = []
        self.broken = []        # zones that answer SERVFAIL
        self.ca = None
        self.count = 0
        self.open_hosts = contextlib.ExitStack()
        try:
            debs("nsd")         # before a host lies over this file system
            self.ns = self.open_hosts.enter_context(Host("ns.net.example"))
            self.ns.run(IPV6)
            in_net(self.ns, "ip", "link", "add", "br0", "type", "bridge",
                   "forward_delay", "0", "mcast_snooping", "0")
            self._address(self.ns, "br0", NS)
            unpack(self.ns, "nsd")
            self.dns_start()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.open_hosts.close()

    # Hosts.

    def _address(self, host, link, number):
        host.number = number
        host.ip4, host.ip6 = f"10.7.0.{number}", f"fd07::{number}"
        in_net(host, "ip", "addr", "add", host.ip4 + "/24", "dev", link)
        in_net(host, "ip", "addr", "add", host.ip6 + "/64", "dev", link,
               "nodad")
        in_net(host, "ip", "link", "set", link, "up")
        in_net(host, "ip", "route", "add", "default", "via",
               "10.7.0.254", "dev", link)
        host.run(["rm", "-f", "/etc/resolv.conf"])
        host.write("/etc/resolv.conf", RESOLV)

    def host(self, name, ipv4=True, ipv6=True, **options):
        """A new host on the network, known to the name server under name;
        ipv4 and ipv6: whether that name has an A and an AAAA record."""
        number = FIRST + self.count
        self.count += 1
        if number == NS:
            raise HostError("no address is left")
        h = self.open_hosts.enter_context(Host(name, **options))
        h.run(IPV6)
        in_net(self.ns, "ip", "link", "add", f"v{number}", "type", "veth",
               "peer", "name", "eth0", "netns", str(h.pid))
        in_net(self.ns, "ip", "link", "set", f"v{number}", "master", "br0",
               "up")
        self._address(h, "eth0", number)
        h.name = name
        h.families = (ipv4, ipv6)
        # Its own name is not 127.0.0.1 here: Postfix and others ask.
        h.write("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n"
                f"{h.ip4} {name}\n{h.ip6} {name}\n")
        self.hosts.append(h)
        self.dns_start()
        return h

    # Names.

    def add(self, text):
        """Add records, zone file lines with absolute names and no TTL:
        "a.example. MX 10 mx.a.example."."""
        self.records += text if text.endswith("\n") else text + "\n"
        self.dns_start()

    def mail_domain(self, domain, host):
        """Mail for domain goes to host: v4.DOMAIN by IPv4 alone, v6.DOMAIN
        by IPv6 alone."""
        self.add("".join(f"{v}{domain}. MX 10 {v}{host.name}.\n"
                         for v in ("", "v4.", "v6.")))

    def zone(self):
        lines = ["$ORIGIN .", "$TTL 60",
                 ". SOA ns.net.example. root.net.example. 1 60 60 60 60",
                 ". NS ns.net.example."]
        for h in [self.ns, *self.hosts]:
            name = getattr(h, "name", "ns.net.example") + "."
            ipv4, ipv6 = getattr(h, "families", (True, True))
            if ipv4:
                lines += [f"{name} A {h.ip4}", f"v4.{name} A {h.ip4}"]
            if ipv6:
                lines += [f"{name} AAAA {h.ip6}", f"v6.{name} AAAA {h.ip6}"]
            lines.append(".".join(reversed(h.ip4.split("."))) +
                         f".in-addr.arpa. PTR {name}")
            digits = "fd07" + "0" * 24 + str(h.number).rjust(4, "0")
            lines.append(".".join(reversed(digits)) + f".ip6.arpa. PTR {name}")
        return "\n".join(lines) + "\n" + self.records

    def dns_start(self):
        """Start the name server, or start it anew with what is known now."""
        self.dns_stop()
        self.ns.run(["mkdir", "-p", "/run/nsd"])
        self.ns.write("/run/nsd/root.zone", self.zone())
        conf = ["server:", *(f'\t{line}' for line in (
            "ip-address: 10.7.0.53", "ip-address: fd07::53",
            "ip-address: 127.0.0.1", 'username: ""', 'database: ""',
            'pidfile: ""', "zonesdir: /run/nsd", "xfrdir: /run/nsd",
            "zonelistfile: /run/nsd/list", "xfrdfile: /run/nsd/xfrd",
            "logfile: /run/nsd/log", "server-count: 1",
            "rrl-ratelimit: 0")),
            "remote-control:", "\tcontrol-enable: no",
            "zone:", '\tname: "."', "\tzonefile: root.zone"]
        for name in self.broken:
            conf += ["zone:", f'\tname: "{name}"', f"\tzonefile: none.{name}",
                     "\trequest-xfr: AXFR 10.7.0.254 NOKEY"]
        self.ns.write("/run/nsd/conf", "\n".join(conf) + "\n")
        self.ns.write("/run/nsd/log", "")
        self.ns.popen(NSD, **QUIET, stderr=subprocess.DEVNULL).wait(20)
        try:
            self.ns.wait(lambda: "started" in self.ns.read("/run/nsd/log") or
                         not self._signal(0), "the name server to start", 20)
        except HostError:
            raise HostError("nsd:\n" + self.ns.read("/run/nsd/log"))
        log = self.ns.read("/run/nsd/log")
        if "error" in log or not self._signal(0):
            raise HostError("nsd:\n" + log)

    def _signal(self, sig):
        """Whether there was a process of it to signal."""
        return self.ns.run(["pkill", f"-{sig}", "-xf", " ".join(NSD)],
                           check=False).returncode == 0

    def dns_stop(self):
        """Nobody answers: the port is closed."""
        self._signal("KILL")
        self.ns.wait(lambda: not self._signal(0), "the name server to end")
        # A dying process loses its name before its sockets.
        self.ns.wait(lambda: not self.ns.run(
            ["ss", "-Hlntu", "sport = :53"]).stdout, "port 53 to be free")

    def dns_pause(self, paused=True):
        """Nobody answers, and nobody says so."""
        self._signal("STOP" if paused else "CONT")

    def dns_break(self, *zones):
        """Answer SERVFAIL for these, and no longer for others before."""
        self.broken = list(zones)
        self.dns_start()

    # Certificates.

    def _openssl(self, *argv):
        self.ns.run(["openssl", *argv], cwd="/run/ca")

    def certificate(self, name, *others, rsa=False):
        """A key and a certificate for host names, PEM text each, of a CA
        that the test can trust: authority()."""
        kind = ["rsa:2048"] if rsa else \
            ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        if self.ca is None:
            self.ns.run(["mkdir", "-p", "/run/ca"])
            self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                          "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                          "-subj", "/CN=Network CA", "-keyout", "ca.key",
                          "-out", "ca.pem")
            self.ca = self.ns.read("/run/ca/ca.pem")
        self._openssl("req", "-newkey", *kind, "-nodes", "-subj",
                      f"/CN={name}", "-keyout", "key", "-out", "csr")
        self.ns.write("/run/ca/ext", "subjectAltName=" + ",".join(
            f"DNS:{n}" for n in (name, *others)) + "\n")
        self._openssl("x509", "-req", "-in", "csr", "-CA", "ca.pem", "-CAkey",
                      "ca.key", "-CAcreateserial", "-days", "30", "-extfile",
                      "ext", "-out", "pem")
        return self.ns.read("/run/ca/key"), self.ns.read("/run/ca/pem")

    def authority(self):
        if self.ca is None:
            self.certificate("unused.example")
        return self.ca

    # Mail systems of others.

    def postfix(self, name, domain, **options):
        return self._peer(Postfix, name, domain, options)

    def exim(self, name, domain, **options):
        return self._peer(Exim, name, domain, options)

    def opensmtpd(self, name, domain, **options):
        return self._peer(OpenSMTPD, name, domain, options)

    def _peer(self, kind, name, domain, options):
        tls = options.pop("tls", True)
        debs(kind.package)
        peer = kind(self, self.host(name, **options), domain)
        self.mail_domain(domain, peer.h)
        peer.start(tls)
        return peer


class Peer:
    """Another mail system: takes mail for domain, v4.domain and v6.domain
    into its users' Maildirs, and sends by MX; with tls it offers and uses
    STARTTLS."""

    def __init__(self, net, host, domain):
        self.h, self.domain = host, domain
        self.domains = [domain, "v4." + domain, "v6." + domain]
        self.prepare()
        unpack(host, self.package)
        key, cert = net.certificate(host.name, "v4." + host.name,
                                    "v6." + host.name)
        host.write("/etc/ssl/private/mail.key", key, mode=0o600)
        host.write("/etc/ssl/mail.pem", cert, mode=0o644)

    def prepare(self):
        """Before the package is unpacked."""

    def start(self, tls):
        """Start, or start anew with or without TLS."""
        self.stop()
        self.tls = tls
        self.configure()
        self.run()
        self._wait(self.listening, f"{self.package} to listen", 30)

    def stop(self):
        self.h.run(["pkill", "-KILL", "-x", self.process], check=False)
        self.h.wait(lambda: not self.h.running(self.process) and
                    not self.listening(), f"{self.package} to end", 30)

    def add_user(self, name):
        self.h.add_user(name)

    def listening(self):
        out = self.h.run(["ss", "-Hltn", "sport", "=", ":25"]).stdout
        return self.h.ip4 + ":25" in out or "0.0.0.0:25" in out or \
            "*:25" in out

    def send(self, rcpt, text, sender):
        """Submit a message (LF lines) as one of its users would."""
        rcpts = [rcpt] if isinstance(rcpt, str) else rcpt
        self.h.run([self.sendmail, "-i", "-f", sender, "--", *rcpts],
                   input=text)

    def mails(self, user, folder="new"):
        d = f"{self.h.user(user).pw_dir}/Maildir/{folder}"
        out = []
        for name in self.h.listdir(d):
            with contextlib.suppress(FileNotFoundError):
                out.append(self.h.read(f"{d}/{name}"))
        return out

    def mail(self, user, n=1):
        """Wait for n messages; the list of them."""
        return self._wait(lambda: len(self.mails(user)) >= n and
                          self.mails(user), f"{n} messages for {user}")

    def _wait(self, condition, what, *args):
        try:
            return self.h.wait(condition, what, *args)
        except HostError as e:
            raise HostError(f"{e}\n{self.log()[-4000:]}")

    def log(self):
        return "".join(self.h.read(path) for path in self.logs
                       if self.h.exists(path))


class Postfix(Peer):
    package = "postfix"
    process = "master"
    sendmail = "/usr/sbin/sendmail"
    logs = ["/var/log/postfix.log"]

    def prepare(self):
        self.h.run(["debconf-set-selections"], input="postfix postfix/"
                   "main_mailer_type select No configuration\n")

    def aged(self, *argv):
        """Run a command after main.cf; Postfix reads no file that changed in
        this very second, and waits."""
        self.h.run(["touch", "-d", "1 hour ago", "/etc/postfix/main.cf",
                    "/etc/postfix/master.cf"])
        self.h.run(argv)

    def configure(self):
        level = "may" if self.tls else "none"
        for file, form in (("main.cf", "main.cf.debian"),
                           ("master.cf", "master.cf.dist")):
            self.h.run(["cp", f"/usr/share/postfix/{form}",
                        f"/etc/postfix/{file}"])
        self.aged("postconf", "-F", "*/*/chroot = n")
        self.aged("postconf", "-e", f"myhostname={self.h.name}",
                    "mydestination=" + ", ".join([*self.domains, self.h.name,
                                                  "localhost"]),
                    f"myorigin={self.domain}", "inet_interfaces=all",
                    "inet_protocols=all", "mynetworks=127.0.0.0/8 [::1]/128",
                    "home_mailbox=Maildir/", "mailbox_size_limit=0",
                    "compatibility_level=3.6",
                    "local_recipient_maps=unix:passwd.byname",
                    "alias_maps=hash:/etc/aliases",
                    "alias_database=hash:/etc/aliases",
                    "maillog_file=/var/log/postfix.log",
                    f"smtpd_tls_security_level={level}",
                    f"smtp_tls_security_level={level}",
                    "smtpd_tls_cert_file=/etc/ssl/mail.pem",
                    "smtpd_tls_key_file=/etc/ssl/private/mail.key",
                    "smtpd_tls_received_header=yes", "smtp_tls_loglevel=1",
                    "smtpd_tls_loglevel=1", "minimal_backoff_time=2s",
                    "queue_run_delay=2s", "smtp_host_lookup=dns")
        self.h.write("/etc/aliases", "postmaster: root\n")
        self.aged("postalias", "/etc/aliases")

    def run(self):
        self.aged("postfix", "start")

    def stop(self):
        self.h.run(["postfix", "stop"], check=False)
        super().stop()


EXIM_CONF = r"""
primary_hostname = {name}
domainlist local_domains = {domains} : {name}
qualify_domain = {domain}
local_interfaces = <; 0.0.0.0 ; ::0
acl_smtp_rcpt = rcpt
log_file_path = /var/log/exim4/%slog
log_selector = +tls_cipher +smtp_confirmation -queue_run
spool_directory = /var/spool/exim4
never_users = root
untrusted_set_sender = *
host_lookup =
rfc1413_hosts =
ignore_bounce_errors_after = 1h
{tls}
begin acl
rcpt:
  accept hosts = :
  accept domains = +local_domains
         verify = recipient
  deny message = relay not permitted
begin routers
out:
  driver = dnslookup
  domains = ! +local_domains
  transport = smtp
  no_more
users:
  driver = accept
  check_local_user
  transport = maildir
begin transports
smtp:
  driver = smtp
  hosts_try_dane =
  {avoid}
maildir:
  driver = appendfile
  directory = $home/Maildir
  maildir_format
  delivery_date_add = false
  envelope_to_add = false
  return_path_add
begin retry
* * F,1h,2s
"""


class Exim(Peer):
    package = "exim4-daemon-light"
    process = "exim4"
    sendmail = "/usr/sbin/exim4"
    logs = ["/var/log/exim4/mainlog", "/var/log/exim4/paniclog"]

    def configure(self):
        tls = "tls_advertise_hosts = *\ntls_certificate = /etc/ssl/mail.pem" \
            "\ntls_privatekey = /etc/exim4/mail.key" if self.tls else \
            "tls_advertise_hosts ="
        self.h.run(["install", "-m", "640", "-g", "Debian-exim",
                    "/etc/ssl/private/mail.key", "/etc/exim4/mail.key"])
        self.h.write("/etc/exim4/exim4.conf", EXIM_CONF.format(
            name=self.h.name, domain=self.domain, tls=tls,
            domains=" : ".join(self.domains), avoid="" if self.tls else "hosts_avoid_tls = *"))

    def run(self):
        self.h.run(["exim4", "-bd", "-q4s"])


class OpenSMTPD(Peer):
    """Debian 12's cannot do TLS as a server: it fails inside OpenSSL 3
    (upstream's issues 1171 and 1239).  So it offers STARTTLS only with
    tls="broken", and every handshake fails then; as a client it uses TLS."""

    package = "opensmtpd"
    process = "smtpd"
    sendmail = "/usr/sbin/sendmail"
    logs = ["/var/log/smtpd.log"]

    def configure(self):
        offer = self.tls == "broken"
        pki = 'pki mail cert "/etc/ssl/mail.pem"\n' \
            'pki mail key "/etc/ssl/private/mail.key"\n' if offer else ""
        listen = "tls pki mail" if offer else ""
        self.h.write("/etc/mailname", self.domain + "\n")
        self.h.write("/etc/smtpd.conf", pki + f"""
table aliases file:/etc/aliases
listen on lo
listen on eth0 {listen} hostname {self.h.name}
action "local" maildir "~/Maildir" alias <aliases>
action "out" relay helo {self.h.name}
match from any for domain {{ {", ".join(self.domains)} }} action "local"
match from local for local action "local"
match from local for any action "out"
""")
        self.h.write("/etc/aliases", "postmaster: root\n")

    def run(self):
        out = self.h.open("/var/log/smtpd.log", "ab")
        self.h.popen(["smtpd", "-d"], stdin=subprocess.DEVNULL, stdout=out,
                     stderr=out)
        out.close()
