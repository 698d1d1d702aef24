"""A throwaway host: the machine's own root file system under a private
overlay, in its own mount, network, pid, host name and IPC namespaces.

Inside it /etc, /var, /home, users, ports and signals are real and belong to
nobody else; outside nothing changes.  The whole host hangs on one pipe: when
the process that made it ends, however it ends, process 1 inside reads end of
file and exits, and the kernel takes the processes, mounts and loop devices
with it.  Needs root.

    with Host() as h:
        h.install()                     # make setup, from this checkout
        h.add_user("ana")
        h.start()                       # svscan /service
        h.run(["/var/qmail/bin/qmail-inject", "ana"], input="\\nhello\\n")
        h.wait(lambda: h.listdir("/home/ana/Maildir/new"), "the message")
"""

import argparse
import ctypes
import os
import pwd
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
SRC = "/src"                    # where the checkout is seen inside
MEMORY = "/run"                 # covered, in the private mount table only
DISK = "/disk"                  # the journalled file system, when asked for
HOSTNAME = "mx.valija.test"
PATH = ("/var/qmail/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
        "/sbin:/bin")

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_REC, MS_PRIVATE, MNT_DETACH, PR_SET_PDEATHSIG = 0x4000, 0x40000, 2, 1
SYS_openat2, RESOLVE_IN_ROOT, SYS_pivot_root = 437, 0x10, 155
AT_FDCWD = -100

libc = ctypes.CDLL(None, use_errno=True)

# File systems that hold files worth seeing inside; all others are made anew.
REAL_FS = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "overlay", "zfs"}
# What an installation leaves on a machine; a host starts without it.
OURS = ["/var/qmail", "/var/log/qmail", "/service", "/command"]
OUR_USERS = ["alias", "keyd", "qmaild", "qmaill", "qmailp", "qmailq", "qmailr",
             "qmails", "tlsd", "vpopmail"]
OUR_GROUPS = ["qmail", "nofiles", "vchkpw"]


class HostError(Exception):
    pass


def call(result, what):
    if result != 0:
        e = ctypes.get_errno()
        raise OSError(e, f"{what}: {os.strerror(e)}")


def mount(*args):
    subprocess.run(["mount", *args], check=True)


# The inside half: runs in a process of its own, ends as process 1.


def real_mounts_below_root():
    """Mount points of disks that an overlay over / alone would not show."""
    out = []
    with open("/proc/self/mountinfo") as f:
        for line in f:
            left, right = line.rstrip("\n").split(" - ")
            point = re.sub(r"\\([0-7]{3})",
                           lambda m: chr(int(m.group(1), 8)),
                           left.split()[4])
            if point == "/" or right.split()[0] not in REAL_FS:
                continue
            if re.match(r"/(usr|var|etc|lib|opt|srv|root)(/|$)", point) \
                    and not re.match(r"/var/(tmp|lib/docker|lib/containers)",
                                     point) and os.path.isdir(point):
                out.append(point)
    return sorted(out)


def overlay(lower, top, name, target):
    for part in ("upper", "work"):
        os.makedirs(f"{top}/{part}/{name}", exist_ok=True)
    st = os.stat(lower)
    os.chmod(f"{top}/upper/{name}", stat.S_IMODE(st.st_mode))
    mount("-t", "overlay", "overlay", "-o", f"lowerdir={lower},"
          f"upperdir={top}/upper/{name},workdir={top}/work/{name}", target)


def populate_dev(dev):
    mount("-t", "tmpfs", "-o", "mode=755", "dev", dev)
    for name, major, minor in (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7),
                               ("random", 1, 8), ("urandom", 1, 9),
                               ("tty", 5, 0)):
        os.mknod(f"{dev}/{name}", stat.S_IFCHR | 0o666,
                 os.makedev(major, minor))
        os.chmod(f"{dev}/{name}", 0o666)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"),
                         ("stdout", "fd/1"), ("stderr", "fd/2"),
                         ("ptmx", "pts/ptmx")):
        os.symlink(target, f"{dev}/{name}")
    for name in ("pts", "shm"):
        os.mkdir(f"{dev}/{name}")
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=620,gid=5",
          "devpts", f"{dev}/pts")
    mount("-t", "tmpfs", "-o", "mode=1777", "shm", f"{dev}/shm")


def mount_disk(root, megabytes, where):
    """A journalled ext4 in a file without a name: when the last mount of it
    goes, the loop device detaches itself and the space is free."""
    fd, image = tempfile.mkstemp(prefix="valija-disk.", dir=where)
    try:
        os.truncate(fd, megabytes << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-i", "4096",
                        "-E", "lazy_itable_init=0,lazy_journal_init=0",
                        image], check=True)
        os.mkdir(root + DISK)
        mount("-o", "loop", image, root + DISK)
    finally:
        os.close(fd)
        os.unlink(image)
    for inside in ("/home", "/var/qmail", "/var/spool"):
        name = f"{root}{DISK}/{inside[1:].replace('/', '_')}"
        os.makedirs(root + inside, exist_ok=True)
        subprocess.run(["cp", "-a", root + inside, name], check=True)
        mount("--bind", name, root + inside)


def forget_people(root):
    """Names and numbers of ordinary accounts are free in a host: quickstart
    may have made one on this machine, or its owner may have a test's name."""
    for entry in pwd.getpwall():
        if 1000 <= entry.pw_uid < 60000:
            subprocess.run(["chroot", root, "userdel", "-f", entry.pw_name],
                           stderr=subprocess.DEVNULL)


# The tools that /command links to, and links elsewhere into the home.
OUR_LINKS = r"""
find /command -lname '/usr/local/bin/*' -printf '%l\0' | xargs -0r rm -f
find /usr/local/share/man /usr/sbin/sendmail /usr/lib/sendmail \
    /usr/bin/mailq /usr/bin/newaliases -lname '/var/qmail/*' -delete
"""


def forget_installation(root):
    subprocess.run(["chroot", root, "/bin/sh", "-c", OUR_LINKS],
                   stderr=subprocess.DEVNULL)
    for path in OURS:
        if os.path.islink(root + path) or os.path.exists(root + path):
            subprocess.run(["rm", "-rf", root + path], check=True)
    for user in OUR_USERS:
        subprocess.run(["chroot", root, "userdel", "-f", user],
                       stderr=subprocess.DEVNULL)
    for group in OUR_GROUPS:
        subprocess.run(["chroot", root, "groupdel", group],
                       stderr=subprocess.DEVNULL)


def enter_root(root):
    os.makedirs(root + "/.old", exist_ok=True)
    if libc.syscall(SYS_pivot_root, root.encode(),
                    (root + "/.old").encode()) == 0:
        os.chdir("/")
        call(libc.umount2(b"/.old", MNT_DETACH), "umount the old root")
        os.rmdir("/.old")
    else:                       # we are in a chroot ourselves
        os.chroot(root)
        os.chdir("/")


def make_private():
    if libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None) == 0:
        return
    with open("/proc/self/mountinfo") as f:     # / is not a mount point
        points = [line.split()[4] for line in f]
    for point in points:
        libc.mount(None, point.encode(), None, MS_PRIVATE, None)


def build_inside(opts):
    """Make the new root and go there.  opts: a dict from Host()."""
    top = opts["top"]
    make_private()
    if top == MEMORY:
        mount("-t", "tmpfs", "-o", "mode=755,size=6g", "host", top)
    root = top + "/root"
    os.makedirs(root, exist_ok=True)
    os.makedirs(top + "/upper/root/home", exist_ok=True)
    os.chmod(top + "/upper/root/home", 0o755)
    os.setxattr(top + "/upper/root/home", "trusted.overlay.opaque", b"y")
    overlay("/", top, "root", root)
    for i, point in enumerate(real_mounts_below_root()):
        overlay(point, top, f"m{i}", root + point)
    os.makedirs(root + SRC, exist_ok=True)
    overlay(REPO, top, "src", root + SRC)
    populate_dev(root + "/dev")
    mount("-t", "proc", "proc", root + "/proc")
    mount("-t", "sysfs", "-o", "ro", "sysfs", root + "/sys")
    for name, mode in (("/run", "755"), ("/tmp", "1777")):
        mount("-t", "tmpfs", "-o", f"mode={mode}", "tmpfs", root + name)
    os.mkdir(root + "/run/lock", 0o1777)
    forget_people(root)
    forget_installation(root)
    if opts["disk"]:
        mount_disk(root, opts["disk"], opts["disk_dir"])
    enter_root(root)
    with open("/etc/hostname", "w") as f:
        f.write(opts["name"] + "\n")
    with open("/etc/mailname", "w") as f:
        f.write(opts["name"] + "\n")
    with open("/etc/hosts", "w") as f:
        f.write(f"127.0.0.1 localhost\n127.0.0.1 {opts['name']} "
                f"{opts['name'].split('.')[0]}\n::1 localhost\n")
    call(libc.sethostname(opts["name"].encode(), len(opts["name"])),
         "sethostname")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def init_loop(control):
    """Process 1: reap orphans until the maker of this host goes away."""
    wake_r, wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake_w)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, signal.SIG_IGN)
    import select
    while True:
        ready, _, _ = select.select([control, wake_r], [], [])
        if control in ready:
            return
        os.read(wake_r, 4096)
        try:
            while os.waitpid(-1, os.WNOHANG)[0] != 0:
                pass
        except ChildProcessError:
            pass


def holder(opts):
    """Runs in a fresh interpreter: fd 0 is the control pipe, fd 1 answers."""
    call(libc.unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
                      CLONE_NEWPID | CLONE_NEWNET), "unshare")
    pid = os.fork()
    if pid:
        os.write(1, f"pid {pid}\n".encode())
        os.close(0)
        os.close(1)
        os.waitpid(pid, 0)
        return
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    control = os.dup(0)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    build_inside(opts)
    os.write(1, b"ready\n")
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    init_loop(control)
    os._exit(0)


# The outside half.


class Host:
    """One throwaway host.

    disk      megabytes of journalled ext4 under /home, /var/qmail and
              /var/spool; None leaves them on the overlay
    upper     keep what is written in this directory instead of memory
    """

    def __init__(self, name=HOSTNAME, disk=None, disk_dir="/var/tmp",
                 upper=None):
        self.pid = None
        self.children = []
        top = MEMORY if upper is None else os.path.abspath(upper)
        if os.geteuid() != 0:
            raise HostError("a throwaway host needs root")
        opts = {"top": top, "name": name, "disk": disk, "disk_dir": disk_dir}
        self.holder = subprocess.Popen(
            ["/usr/bin/python3", os.path.abspath(__file__), "--holder",
             repr(opts)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True, cwd="/")
        try:
            line = self.holder.stdout.readline().decode()
            if not line.startswith("pid "):
                raise HostError("the host did not start")
            self.pid = int(line.split()[1])
            if self.holder.stdout.readline() != b"ready\n":
                raise HostError("the host could not be set up")
            self.root = os.open(f"/proc/{self.pid}/root",
                                os.O_PATH | os.O_DIRECTORY)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End everything inside; safe to call twice."""
        if self.holder is None:
            return
        self.holder.stdin.close()
        try:
            self.holder.wait(20)
        except subprocess.TimeoutExpired:
            if self.pid:
                os.kill(self.pid, signal.SIGKILL)
            self.holder.wait()
        self.holder.stdout.close()
        self.holder = None
        if hasattr(self, "root"):
            os.close(self.root)
        for child in self.children:
            for f in (child.stdin, child.stdout, child.stderr):
                if f and not f.closed:
                    f.close()
            child.wait()

    # Running things.

    def _argv(self, argv, user, env, cwd, net, cgroup=None):
        """nsenter, then the user, then a clean environment."""
        join = ["/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"',
                cgroup + "/cgroup.procs"] if cgroup else []
        home, shell_user = "/root", user or "root"
        enter = ["nsenter", "-t", str(self.pid), "-m", "-p", "-u", "-i", "-r",
                 "-w"] + (["-n"] if net else [])
        become = []
        if user:
            entry = self.user(user)
            home = entry.pw_dir
            become = ["setpriv", f"--reuid={entry.pw_uid}",
                      f"--regid={entry.pw_gid}", "--init-groups"]
        full = {"PATH": PATH, "HOME": home, "USER": shell_user,
                "LOGNAME": shell_user, "LANG": "C.UTF-8"}
        full.update(env or {})
        chdir = ["-C", cwd or (home if user and self.exists(home) else "/")]
        # Whoever started the tests may ignore signals (nohup, a shell's &).
        return [*join, *enter, "--", *become, "env", "-i",
                "--default-signal", *chdir,
                *(f"{k}={v}" for k, v in full.items() if v is not None),
                *argv]

    def popen(self, argv, user=None, env=None, cwd=None, net=True,
              cgroup=None, **kw):
        child = subprocess.Popen(
            self._argv(argv, user, env, cwd, net, cgroup), **kw)
        self.children.append(child)
        return child

    def run(self, argv, user=None, input=None, check=True, timeout=300,
            env=None, cwd=None, net=True, cgroup=None):
        """Run argv inside and wait.  input and output are str (bytes that
        are not UTF-8 survive as surrogates)."""
        if isinstance(argv, str):
            argv = ["/bin/sh", "-c", argv]
        if isinstance(input, str):
            input = input.encode("utf-8", "surrogateescape")
        p = subprocess.Popen(self._argv(argv, user, env, cwd, net, cgroup),
                             stdin=subprocess.PIPE if input is not None
                             else subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = p.communicate(input, timeout)
        except BaseException:
            self._kill(p)
            raise
        out = out.decode("utf-8", "surrogateescape")
        err = err.decode("utf-8", "surrogateescape")
        if check and p.returncode != 0:
            raise HostError(f"{' '.join(argv)!r}: exit {p.returncode}\n"
                            f"{out}{err}")
        return subprocess.CompletedProcess(argv, p.returncode, out, err)

    @staticmethod
    def _kill(p):
        """nsenter waits for its child: end both."""
        try:
            with open(f"/proc/{p.pid}/task/{p.pid}/children") as f:
                for pid in f.read().split():
                    os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass
        p.kill()
        p.communicate()

    # Files inside.  Paths are the host's own: links stay inside.

    def _openat2(self, path, flags, mode=0):
        how = (ctypes.c_uint64 * 3)(flags | os.O_CLOEXEC,
                                    mode if flags & os.O_CREAT else 0,
                                    RESOLVE_IN_ROOT)
        fd = libc.syscall(SYS_openat2, self.root, os.fsencode(path), how,
                          ctypes.sizeof(how))
        if fd < 0:
            e = ctypes.get_errno()
            raise OSError(e, os.strerror(e), path)
        return fd

    def open(self, path, mode="r"):
        return open(path, mode,
                    opener=lambda p, f: self._openat2(p, f, 0o644),
                    **({} if "b" in mode else
                       {"encoding": "utf-8", "errors": "surrogateescape"}))

    def read(self, path):
        with self.open(path) as f:
            return f.read()

    def write(self, path, text, mode=None, owner=None):
        with self.open(path, "w") as f:
            f.write(text)
            if mode is not None:
                os.fchmod(f.fileno(), mode)
            if owner is not None:
                entry = self.user(owner)
                os.fchown(f.fileno(), entry.pw_uid, entry.pw_gid)

    def stat(self, path, follow=True):
        fd = self._openat2(path, os.O_PATH | (0 if follow else os.O_NOFOLLOW))
        try:
            return os.fstat(fd)
        finally:
            os.close(fd)

    def exists(self, path):
        try:
            self.stat(path, follow=False)
            return True
        except OSError:
            return False

    def listdir(self, path):
        """Names in a directory, [] when there is none."""
        try:
            fd = self._openat2(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return []
        try:
            return sorted(os.listdir(fd))
        finally:
            os.close(fd)

    # Users.

    def user(self, name):
        for line in self.read("/etc/passwd").splitlines():
            f = line.split(":")
            if f[0] == str(name):
                return pwd.struct_passwd((f[0], f[1], int(f[2]), int(f[3]),
                                          f[4], f[5], f[6]))
        raise KeyError(name)

    def add_user(self, name, maildir=True):
        self.run(["useradd", "-m", "-s", "/bin/sh", name])
        if maildir:
            home = self.user(name).pw_dir
            self.run(["sh", "-c", 'mkdir -m 700 "$1" "$1/new" "$1/cur" '
                      '"$1/tmp"', "sh", home + "/Maildir"], user=name)

    # The mail system.

    def install(self, targets=("setup", "check")):
        return self.run(["make", "-C", SRC, *targets], timeout=1200)

    def start(self, cgroup=None):
        """Run svscan on /service as an administrator's boot would."""
        self.run("mkdir -p /service; for d in /var/qmail/supervise/*; do "
                 'test -e "/service/${d##*/}" || '
                 'ln -s "$d" "/service/${d##*/}"; done')
        out = self.open("/run/svscan.log", "ab")
        self.svscan = self.popen(["svscan", "/service"],
                                 stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=out, start_new_session=True,
                                 cgroup=cgroup)
        out.close()
        self.wait(lambda: self.exists("/var/qmail/run/queue") and
                  self.running("qmail-send"), "the mail system to start")

    def running(self, comm):
        """Outer pids of the processes inside with this name."""
        found = []
        ns = os.readlink(f"/proc/{self.pid}/ns/pid")
        for p in os.listdir("/proc"):
            if not p.isdigit():
                continue
            try:
                with open(f"/proc/{p}/comm") as f:
                    if f.read().rstrip("\n") != comm[:15]:
                        continue
                with open(f"/proc/{p}/stat") as f:
                    if f.read().rsplit(")", 1)[1].split()[0] in "ZX":
                        continue
                if os.readlink(f"/proc/{p}/ns/pid") == ns:
                    found.append(int(p))
            except OSError:
                continue
        return found

    def kill(self, comm, sig=signal.SIGKILL):
        """Signal every process inside with this name; how many there were."""
        n = 0
        for pid in self.running(comm):
            try:
                os.kill(pid, sig)
                n += 1
            except ProcessLookupError:
                pass
        return n

    def wait(self, condition, what, seconds=90, step=0.05):
        """Poll until condition() is true; its value.  The limit is there to
        end a broken run, not to measure anything."""
        end = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise HostError(f"waited {seconds} s for {what}\n"
                                f"{self.tail_logs()}")
            time.sleep(step)

    def log(self, service="qmail"):
        """The service's log without the stamps, rotated files included."""
        d = f"/var/log/qmail/{service}"
        text = ""
        for name in self.listdir(d):
            if name.startswith("@") or name == "current":
                text += self.read(f"{d}/{name}")
        return re.sub(r"(?m)^@[0-9a-f]{24} ", "", text)

    def tail_logs(self, lines=30):
        out = []
        for path in ["/run/svscan.log"] + \
                [f"/var/log/qmail/{s}/current"
                 for s in self.listdir("/var/log/qmail")]:
            try:
                text = self.read(path)
            except OSError:
                continue
            out.append(f"--- {path}")
            out += text.splitlines()[-lines:]
        return "\n".join(out)


def main():
    if sys.argv[1:2] == ["--holder"]:
        import ast
        return holder(ast.literal_eval(sys.argv[2]))
    p = argparse.ArgumentParser(
        prog="host", description="Run a shell or a command on a throwaway "
        "host: a private overlay of this machine that is gone afterwards.")
    p.add_argument("--install", action="store_true",
                   help="make setup check before")
    p.add_argument("--start", action="store_true",
                   help="install, add user mailadmin and start svscan")
    p.add_argument("--disk", type=int, metavar="MB",
                   help="/home, /var/qmail, /var/spool on journalled ext4")
    p.add_argument("--disk-dir", default="/var/tmp", help="where its image "
                   "lies (default %(default)s)")
    p.add_argument("--upper", help="keep what is written in this directory")
    p.add_argument("--net", action="store_true",
                   help="give the command the machine's network")
    p.add_argument("what", choices=["shell", "run"])
    p.add_argument("argv", nargs=argparse.REMAINDER)
    a = p.parse_args()
    if a.what == "run" and a.argv[:1] == ["--"]:
        a.argv = a.argv[1:]
    if a.what == "run" and not a.argv:
        p.error("run what?")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with Host(disk=a.disk, disk_dir=a.disk_dir, upper=a.upper) as h:
            if a.install or a.start:
                h.install()
            if a.start:
                h.add_user("mailadmin")
                h.start()
            argv = a.argv or ["/bin/bash", "-i"]
            env = {"TERM": os.environ.get("TERM", "dumb"),
                   "PS1": "throwaway:\\w# "}
            child = h.popen(argv, env=env, net=not a.net, cwd=SRC)
            if a.what == "shell":
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            return child.wait()
    except KeyboardInterrupt:
        return 130
    except (HostError, OSError) as e:
        print(f"host: fatal: {e}", file=sys.stderr)
        return 111


if __name__ == "__main__":
    sys.exit(main())
