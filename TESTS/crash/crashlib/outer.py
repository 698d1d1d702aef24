"""Make a throwaway host with a mail system and run the simulators in it."""
import json
import os
import subprocess
import sys
import threading

from . import box
from .block import HERE

sys.path.insert(0, os.path.join(os.path.dirname(HERE), "host"))
from host import Host, HostError, SRC  # noqa: E402

WORK = "/dev/shm/crash"
REPO = os.path.dirname(os.path.dirname(HERE))
CRASH = f"{SRC}/TESTS/crash"

# The programs that a message needs on its way; without them there is nothing
# to test yet.
NEEDED = ("qmail-queued", "qmail-queue", "qmail-inject", "qmail-start",
          "qmail-todo", "qmail-send", "qmail-lspawn", "qmail-rspawn",
          "qmail-local", "qmail-clean", "qmail-getpw")


def missing_programs():
    """Those of NEEDED that this checkout cannot build."""
    p = subprocess.run(
        ["make", "-s", "--no-print-directory", "--eval",
         "crash-show: ; @echo '$(PROGS)'", "crash-show"], cwd=REPO,
        capture_output=True, text=True)
    have = p.stdout.split() if p.returncode == 0 else []
    return [n for n in NEEDED if n not in have]


class Run:
    """One mail system on one host; results of parts as they come."""

    def __init__(self, system, say=print, seconds=3600, nosync=False):
        """nosync plants a fault: no sync does anything on that host."""
        self.nosync = nosync
        self.system = system
        self.say = say
        self.seconds = seconds

    def parts(self, parts):
        box.build()
        host = Host()
        notes = ""
        try:
            self._prepare(host)
            yield from self._inner(host, parts)
        finally:
            try:
                notes = host.read(f"{WORK}/loops")
            except OSError:
                pass
            host.close()
            box.give_back_noted(notes)

    def _prepare(self, host):
        for name, kind, major, minor in (
                ("fuse", "c", 10, 229), ("loop-control", "c", 10, 237)):
            host.run(["mknod", "-m", "600", f"/dev/{name}", kind, str(major),
                      str(minor)])
        host.run(["mkdir", "-p", WORK])
        getattr(self, "_prepare_" + self.system.split("-")[0])(host)
        if self.nosync:
            host.write("/etc/ld.so.preload", f"{CRASH}/build/nosync.so\n")

    @staticmethod
    def _prepare_valija(host):
        host.install(("setup",))
        for user in ("alice", "bob"):
            host.add_user(user)
            host.write(f"/home/{user}/.qmail", "./Maildir/\n", 0o600, user)
        host.write("/home/alice/.qmail-default", "|exit 111\n", 0o600,
                   "alice")
        for ext, text in (("mbox", "./Mailbox\n"),
                          ("onward", f"&bob@{host_name()}\n")):
            host.write(f"/home/alice/.qmail-{ext}", text, 0o600, "alice")
        host.write("/var/qmail/control/me", host_name() + "\n")
        host.write("/var/qmail/control/locals", host_name() + "\n")

    @staticmethod
    def _prepare_postfix(host):
        for user in ("alice", "bob"):
            host.add_user(user)
        # The overlay takes the package, the machine does not.
        host.run("printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; "
                 "chmod 755 /usr/sbin/policy-rc.d")
        host.run("apt-get -q update && apt-get -q -y "
                 "--no-install-recommends install postfix", net=False,
                 timeout=600, env={"DEBIAN_FRONTEND": "noninteractive"})

    def _inner(self, host, parts):
        spec = {"system": self.system, "parts": parts}
        p = host.popen(["/usr/bin/python3", "-B", "-m", "crashlib.real",
                        WORK, json.dumps(spec)], cwd=CRASH,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE,
                       env={"CRASH_VERBOSE":
                            os.environ.get("CRASH_VERBOSE")})
        errors = []
        reader = threading.Thread(
            target=lambda: errors.append(p.stderr.read()), daemon=True)
        reader.start()
        timer = threading.Timer(self.seconds, p.kill)
        timer.start()
        try:
            for line in p.stdout:
                what = json.loads(line)
                if "say" in what:
                    self.say(what["say"])
                else:
                    yield what["done"], what["result"], what["took"]
            if p.wait() != 0:
                reader.join(5)
                text = b"".join(errors).decode("utf-8", "replace")
                raise HostError(
                    f"{self.system}: the simulator ended with {p.returncode}"
                    f"\n{text}\n{tail(host)}")
        finally:
            timer.cancel()


def tail(host, lines=40):
    try:
        return "\n".join(host.read(f"{WORK}/mta.log").splitlines()[-lines:])
    except OSError:
        return ""


def host_name():
    from .system import System
    return System.host


BLOCK_FIELDS = ("states", "recovered", "lost", "corrupt", "returned",
                "pending", "doubled", "broken")
CALL_FIELDS = ("states", "lost", "corrupt", "returned", "pending")
BLOCK_ORDER = ("prefix", "at-ack", "flushed", "reorder", "torn", "nested")
SWEEP_FIELDS = ("calls", "runs", "hit", "lost", "corrupt", "returned",
                "stuck", "hung", "doubled", "unacked")


def table(title, rows, fields, order=None):
    """Lines of a table with a sum at its end."""
    names = [n for n in order or rows if n in rows]
    names += [n for n in rows if n not in names]
    width = max([len(n) for n in names] + [5])
    out = [title, "  " + " " * width
           + "".join(f"{f:>10}" for f in fields)]
    for n in names:
        out.append(f"  {n:<{width}}"
                   + "".join(f"{rows[n][f]:>10}" for f in fields))
    out.append(f"  {'all':<{width}}"
               + "".join(f"{sum(rows[n][f] for n in names):>10}"
                         for f in fields))
    return "\n".join(out)


def show(system, part, result, took):
    """One part's table, and how many acknowledged messages it lost."""
    out, bad = [], 0
    if part["part"] == "block":
        rows = result["rows"]
        out.append(table(f"{system}, power cuts on {part['fs']} "
                         f"({took:.0f} s)", rows, BLOCK_FIELDS, BLOCK_ORDER))
        bad = sum(r["lost"] + r["corrupt"] + r["returned"] + r["broken"]
                  for r in rows.values())
        out += result["examples"][:10]
    elif part["part"] == "call":
        for model, r in result.items():
            out.append(table(
                f"{system}, {model} model of the disk, {r['acks']} "
                f"acknowledgements, {r['ops']} changes ({took:.0f} s)",
                r["rows"], CALL_FIELDS))
            for name, (n, ex) in sorted(r["blame"].items(),
                                        key=lambda b: -b[1][0]):
                out.append(f"  missing: {name} ({n} states; first: {ex})")
            bad += sum(x["lost"] + x["corrupt"] + x["returned"]
                       for x in r["rows"].values())
    else:
        rows = result["rows"]
        out.append(table(f"{system}, each system call disturbed "
                         f"({took:.0f} s)", rows, SWEEP_FIELDS))
        bad = sum(r["lost"] + r["corrupt"] + r["returned"]
                  for r in rows.values())
        out += result["examples"][:20]
    return "\n".join(out), bad
