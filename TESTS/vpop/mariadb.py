"""MariaDB in a throwaway host: unpacked from Debian's packages there, never
installed on the machine.

    db = MariaDB(host)              # started, strict as Debian's is
    db.sql("CREATE DATABASE x")
    db.kill(); db.start()
    copy = db.another(3307)         # a second server with data of its own
"""

import contextlib
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "host"))
from net import unpack  # noqa: E402

PACKAGE = "mariadb-server"
USER, PASSWORD = "vpopmail", "p'w \"$;\\x"
RIGHTS = "SELECT, INSERT, UPDATE, DELETE"


class MariaDB:
    def __init__(self, host, port=3306, data="/var/lib/mysql", options=()):
        self.h, self.port, self.data = host, port, data
        self.socket = f"/run/mysqld/{port}.sock"
        self.options = list(options)
        self.server = None
        if not host.exists("/usr/sbin/mariadbd"):
            unpack(host, PACKAGE)
        if not host.exists(data + "/mysql"):
            host.run(["mariadb-install-db", "--no-defaults", "--user=mysql",
                      f"--datadir={data}", "--skip-test-db",
                      "--auth-root-authentication-method=socket"])
        host.run(["install", "-d", "-o", "mysql", "/run/mysqld"])
        self.start()

    def another(self, port, options=()):
        return MariaDB(self.h, port, f"/var/lib/mysql{port}", options)

    def start(self, *options):
        log = self.h.open(f"/run/mariadb.{self.port}.log", "ab")
        self.server = self.h.popen(
            ["setpriv", "--reuid=mysql", "--regid=mysql", "--init-groups",
             "/usr/sbin/mariadbd", "--no-defaults", "--basedir=/usr",
             f"--datadir={self.data}", f"--socket={self.socket}",
             f"--port={self.port}", "--bind-address=127.0.0.1",
             f"--pid-file=/run/mysqld/{self.port}.pid", "--skip-name-resolve",
             "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M",
             "--innodb-flush-log-at-trx-commit=2", "--key-buffer-size=1M",
             "--performance-schema=OFF", *self.options, *options],
            stdin=log, stdout=log, stderr=log)
        log.close()
        self.h.wait(lambda: self.ask("SELECT 1", check=False) == "1\n",
                    "MariaDB to start")

    def pid(self):
        """Its number outside: the one whose command line has our port."""
        for pid in self.h.running("mariadbd"):
            with contextlib.suppress(OSError):      # it ends just now
                with open(f"/proc/{pid}/cmdline") as f:
                    if f"--port={self.port}" in f.read().split("\0"):
                        return pid
        return None

    def _end(self, sig):
        pid = self.pid()
        if pid is not None:
            os.kill(pid, sig)
        self.h.wait(lambda: self.pid() is None, "MariaDB to end")
        self.h.wait(lambda: self.server.poll() is not None, "its parent")

    def stop(self):
        self._end(signal.SIGTERM)

    def kill(self):
        self._end(signal.SIGKILL)

    def freeze(self):
        """Returns when no thread runs any more."""
        pid = self.pid()
        os.kill(pid, signal.SIGSTOP)

        def states():
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/stat") as f:
                    yield f.read().rpartition(")")[2].split()[0]
        self.h.wait(lambda: all(s == "T" for s in states()),
                    "MariaDB to stand still")

    def thaw(self):
        # nsenter stopped itself with its child
        for pid in self.server.pid, self.pid():
            os.kill(pid, signal.SIGCONT)

    def ask(self, sql, database="", check=True):
        """What the client prints: a row a line, TAB between columns."""
        p = self.h.run(["mariadb", "--no-defaults", "-N", "-B", "-u", "root",
                        "-S", self.socket, *([database] if database else [])],
                       input=sql, check=check, timeout=60)
        return p.stdout

    def fresh(self, database, *dumps, rights=RIGHTS, extra=""):
        """A new database with what the dumps say, and our user for it."""
        if self.pid() is None:          # a test that failed left it so
            self.start()
        name = USER
        word = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
        self.ask(f"DROP DATABASE IF EXISTS {database};"
                 f"CREATE DATABASE {database};"
                 f"CREATE OR REPLACE USER {name}@localhost "
                 f"IDENTIFIED BY '{word}';"
                 f"CREATE OR REPLACE USER {name}@127.0.0.1 "
                 f"IDENTIFIED BY '{word}';"
                 f"GRANT {rights} ON {database}.* TO {name}@localhost;"
                 f"GRANT {rights} ON {database}.* TO {name}@127.0.0.1;")
        for text in dumps:
            self.ask(text, database)
        if extra:
            self.ask(extra, database)

    def line(self, database, options="", tcp=True):
        """Our line of etc/vpopmail.mysql."""
        where = str(self.port) if tcp else self.socket
        return f"127.0.0.1|{where}|{USER}|{PASSWORD}|{database}" + \
            (f"|{options}" if options else "") + "\n"
