"""A mail system on a throwaway host.

Tests use users of their own (site.new_user()), so that they do not meet.
"""

import contextlib
import itertools
import re

from host import Host, HOSTNAME

HOME = "/var/qmail"
CONTROL = HOME + "/control"
STRANGER = "192.0.2.7"          # an address without RELAYCLIENT
# smtplib as a command: prints the code of each step, and the last reply.
CLIENT = """
import argparse, smtplib, ssl, sys
p = argparse.ArgumentParser()
p.add_argument("--host", default="127.0.0.1")
p.add_argument("--port", type=int, default=25)
p.add_argument("--source", default="")
p.add_argument("--tls", action="store_true")
p.add_argument("--login")
p.add_argument("--sender", default="ana@mx.valija.test")
p.add_argument("rcpt", nargs="*")
a = p.parse_args()
context = ssl._create_unverified_context()
more = {"source_address": (a.source, 0)} if a.source else {}
def step(name, reply):
    print(name, reply[0], reply[1].decode().replace("\\n", "|"), flush=True)
    if reply[0] >= 400 or reply[0] < 0:
        sys.exit(0)
try:
    if a.port == 465:
        c = smtplib.SMTP_SSL(a.host, 465, timeout=100, context=context,
                             **more)
    else:
        c = smtplib.SMTP(a.host, a.port, timeout=100, **more)
    step("EHLO", c.ehlo())
    if a.tls:
        step("STARTTLS", c.docmd("STARTTLS"))
        c.sock = context.wrap_socket(c.sock, server_hostname="x")
        c.file = None
        step("EHLO", c.ehlo())
    if a.login:
        try:
            step("AUTH", c.login(*a.login.split(":")))
        except smtplib.SMTPResponseException as e:
            step("AUTH", (e.smtp_code, e.smtp_error))
        except smtplib.SMTPNotSupportedError as e:
            print("AUTH none", e)
            sys.exit(0)
    if a.rcpt:
        step("MAIL", c.mail(a.sender))
        for r in a.rcpt:
            step("RCPT", c.rcpt(r))
        step("DATA", c.data("Subject: by smtp\\r\\n\\r\\nhello\\r\\n"))
    step("QUIT", c.quit())
except smtplib.SMTPDataError as e:
    step("DATA", (e.smtp_code, e.smtp_error))
except (OSError, smtplib.SMTPException) as e:
    print("GONE", type(e).__name__, e)
"""


class Site:
    """An installed and running mail system."""

    def __init__(self, **options):
        self.h = Host(**options)
        self.names = (f"u{i}" for i in itertools.count(1))
        try:
            self.h.add_user("mailadmin")
            self.h.install(["setup", "check", "ADMIN=mailadmin",
                            f"HOST={HOSTNAME}"])
            self.h.start()
        except BaseException:
            self.h.close()
            raise

    def close(self):
        self.h.close()

    def new_user(self):
        name = next(self.names)
        self.h.add_user(name)
        return name

    # Sending.

    def send(self, rcpt, text=None, sender=None, user="mailadmin",
             program="qmail-inject"):
        """Queue one message; returns where the log stood before."""
        mark = self.mark()
        if text is None:
            text = f"To: {rcpt}\nSubject: test\n\nhello\n"
        argv = [program, "-a"] if program == "qmail-inject" else [program]
        if sender is not None:
            argv.append(f"-f{sender}")
        rcpts = [rcpt] if isinstance(rcpt, str) else rcpt
        self.h.run([*argv, "--", *rcpts], input=text, user=user)
        return mark

    def queue(self, sender, rcpts, text="Subject: test\n\nhello\n",
              user="mailadmin"):
        """Straight into qmail-queue, envelope as given."""
        envelope = "F" + sender + "\0" + \
            "".join(f"T{r}\0" for r in rcpts) + "\0"
        mark = self.mark()
        self.h.write("/run/message", text, mode=0o644)
        self.h.write("/run/envelope", envelope, mode=0o644)
        self.h.run("qmail-queue </run/message 1</run/envelope", user=user)
        return mark

    # Watching.

    def log(self):
        return self.h.log("qmail")

    def mark(self):
        return len(self.log())

    def outcome(self, rcpt, mark=0):
        """(success|failure|deferral, text) of the newest delivery to rcpt
        after the mark, when there is one."""
        log = self.log()[mark:]
        for d in reversed(re.findall(r"(?m)^starting delivery (\d+): msg \d+"
                                     rf" to (?:local|remote) {re.escape(rcpt)}"
                                     r"(?: .*)?$", log)):
            m = re.search(rf"(?m)^delivery {d}: (success|deferral|failure): "
                          r"?(\S*)( \S+=\S*)*$", log)
            if m:
                return m.group(1), m.group(2)
        return None

    def result(self, rcpt, mark=0):
        return self.h.wait(lambda: self.outcome(rcpt, mark),
                           f"the delivery to {rcpt}")

    def mails(self, user, maildir="Maildir"):
        d = f"{self.h.user(user).pw_dir}/{maildir}/new"
        out = []
        for name in self.h.listdir(d):
            with contextlib.suppress(FileNotFoundError):
                out.append(self.h.read(f"{d}/{name}"))
        return out

    def mail(self, user, n=1, maildir="Maildir"):
        """Wait for n messages in a user's Maildir; the list of them."""
        return self.h.wait(
            lambda: len(self.mails(user, maildir)) >= n and
            self.mails(user, maildir), f"{n} messages for {user}")

    def queued(self):
        out = self.h.run(["qmail-qstat"]).stdout
        return int(re.match(r"messages in queue: (\d+)\n", out).group(1))

    def undone(self):
        """Files of messages that are still somebody's duty.  A message that was
        being received when its receiver was killed (states S2 and S3) is not:
        the sweep removes it when it is old."""
        q = HOME + "/queue"
        return self.h.run(f"cd {q} && find todo info local remote bounce "
                          "-type f").stdout.split()

    def empty(self):
        self.h.wait(lambda: not self.undone(), "the queue to be empty",
                    step=0.2)

    # Arranging.

    def dotqmail(self, user, text, ext="", mode=0o644):
        """Write ~user/.qmail or .qmail-ext as the user would."""
        path = f"{self.h.user(user).pw_dir}/.qmail" + (f"-{ext}" if ext
                                                       else "")
        self.h.write(path, text, mode=mode, owner=user)
        return path

    def local(self, user, ext="", sender="sender@example.org",
              domain=HOSTNAME, text="Subject: test\n\nhello\n",
              aliasempty="./Maildir/", options=()):
        """Run the qmail-local program itself, as lspawn would run it."""
        entry = self.h.user(user)
        self.h.write("/run/message", text, mode=0o644)
        local = f"{user}-{ext}" if ext else user
        argv = " ".join(f"'{a}'" for a in (
            *options, "--", user, entry.pw_dir, local, "-" if ext else "",
            ext, domain, sender, aliasempty))
        return self.h.run(f"exec qmail-local {argv} </run/message", user=user,
                          check=False)

    def restart(self):
        """Stop and start qmail-send and what hangs on it."""
        old = self.h.running("qmail-send")
        self.h.run(["svc", "-t", "/service/qmail"])
        self.h.wait(lambda: self.h.running("qmail-send") and
                    self.h.running("qmail-send") != old,
                    "qmail-send to start again")

    @contextlib.contextmanager
    def control(self, **files):
        """Control files for a while; None means: not there."""
        old = {}
        try:
            for name, text in files.items():
                path = f"{CONTROL}/{name}"
                old[name] = self.h.read(path) if self.h.exists(path) else None
                self._control(name, text)
            self.restart()
            yield
        finally:
            for name, text in old.items():
                self._control(name, text)
            self.restart()

    def _control(self, name, text):
        if text is None:
            self.h.run(["rm", "-f", f"{CONTROL}/{name}"])
        else:
            self.h.write(f"{CONTROL}/{name}", text, mode=0o644)


class Talking(Site):
    """A site that is talked to by SMTP."""

    def __init__(self, **options):
        super().__init__(**options)
        self.h.write("/run/client.py", CLIENT, mode=0o644)
        self.h.run(f"ip addr add {STRANGER}/32 dev lo")
        self.prepare()
        self.h.wait(lambda: "certificates=1" in self.h.log("tlsd"), "TLS")
        for port in (25, 587, 465):
            self.h.wait(lambda p=port: self.speaks(p), f"port {port}")

    def prepare(self):
        """Before it is waited for."""

    def speaks(self, port):
        return self.smtp("--port", str(port), last=True)[0] != "GONE"

    def smtp(self, *args, last=False):
        """[(step, code or error, text)], or the last of them."""
        out = self.h.run(["python3", "/run/client.py", *args],
                         timeout=200).stdout
        steps = [tuple((line + "  ").split(" ", 2))
                 for line in out.splitlines()]
        return steps[-1] if last else steps

    def good(self, *args):
        steps = self.smtp(*args)
        return steps[-1][0] == "QUIT"

    def stranger(self, *args):
        return self.smtp("--host", STRANGER, "--source", STRANGER, *args,
                         last=True)
