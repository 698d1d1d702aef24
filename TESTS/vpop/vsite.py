"""A mail system with virtual domains on a throwaway host, its accounts in the
cdb store or in MariaDB.

    s = VSite("mysql")
    s.add_domain("a.example", "password of postmaster")
    s.add_user("jo@a.example", "secret")
    s.stranger("jo@a.example")          # by SMTP
    s.vmail("jo@a.example")             # waits for it
"""

import contextlib
import os
import sys

sys.path[1:1] = [os.path.dirname(os.path.abspath(__file__)),
                 os.path.join(os.path.dirname(os.path.dirname(
                     os.path.abspath(__file__))), "host")]
from mailsite import CONTROL, HOME, HOSTNAME, STRANGER, Talking  # noqa: F401
from mariadb import MariaDB, RIGHTS  # noqa: E402

VPOPMAIL = "/home/vpopmail"
DATABASE = "vpopmail"


class VSite(Talking):
    """store: cdb or mysql; db is the MariaDB of the latter."""

    def __init__(self, store="cdb", **options):
        self.store, self.db = store, None
        super().__init__(**options)

    def prepare(self):
        if self.store == "mysql":
            self.db = MariaDB(self.h)
            self.db.fresh(DATABASE, rights=RIGHTS + ", CREATE, ALTER, DROP")
            self.h.write(f"{VPOPMAIL}/etc/vpopmail.mysql",
                         self.db.line(DATABASE), mode=0o640)
            self.h.run(["chgrp", "vchkpw", f"{VPOPMAIL}/etc/vpopmail.mysql"])
            self.setting("store", "mysql")
            self.h.run([f"{HOME}/bin/vschema", "--create"])
        self.h.wait(lambda: self.h.running("authdaemond") and
                    self.h.exists(f"{HOME}/run/auth"), "authdaemond")
        self.reload()

    # Settings.

    def reload(self):
        """authdaemond reads its settings anew."""
        def times():
            return self.h.log("authdaemond").count("settings read again")
        before = times()
        self.h.run(["svc", "-h", "/service/authdaemond"])
        self.h.wait(lambda: times() > before, "the settings to be read")

    def setting(self, name, text):
        """A file of VPOPMAIL/etc; None: not there."""
        path = f"{VPOPMAIL}/etc/{name}"
        if text is None:
            self.h.run(["rm", "-f", path])
        else:
            self.h.write(path, text + "\n", mode=0o644)

    @contextlib.contextmanager
    def settings(self, **files):
        """Settings for a while."""
        old = {}
        try:
            for name, text in files.items():
                path = f"{VPOPMAIL}/etc/{name}"
                old[name] = self.h.read(path).rstrip("\n") \
                    if self.h.exists(path) else None
                self.setting(name, text)
            self.reload()
            yield
        finally:
            for name, text in old.items():
                self.setting(name, text)
            self.reload()

    # Commands.

    def v(self, command, *args, **kw):
        """One of the v* commands, as root."""
        return self.h.run([f"{VPOPMAIL}/bin/{command}", *args], **kw)

    def add_domain(self, name, password="secret", *options):
        self.v("vadddomain", *options, name, password)
        return name

    def add_user(self, address, password="secret", *options):
        self.v("vadduser", *options, address, password)
        return address

    def user_dir(self, address):
        return self.v("vuserinfo", "-d", address).stdout.strip()

    # Looking.

    def vmails(self, address, sub="new"):
        """What is in a mailbox now."""
        d = f"{self.user_dir(address)}/Maildir/{sub}"
        return [self.h.read(f"{d}/{name}") for name in self.h.listdir(d)]

    def vmail(self, address, n=1):
        """Wait for n messages; the list of them."""
        return self.h.wait(lambda: len(self.vmails(address)) >= n and
                           self.vmails(address), f"{n} messages for {address}")
