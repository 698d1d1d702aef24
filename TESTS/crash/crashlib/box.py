"""Run a part of the crash tests where it can leave nothing behind.

The part gets mount, pid and network namespaces of its own and a scratch
directory; it dies with its first process.  Loop devices are the machine's:
the part notes which it took, and what it did not give back is given back
here.
"""
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile

from .block import HERE, LOOP_CLR_FD


def build():
    subprocess.run(["make", "-s", "-C", HERE], check=True)


def scratch():
    """A directory in memory when there is one."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return tempfile.mkdtemp(prefix="crash.", dir=base)


def give_back(work):
    """Detach the loop devices noted in work/loops that are still ours."""
    try:
        with open(os.path.join(work, "loops")) as f:
            give_back_noted(f.read())
    except FileNotFoundError:
        pass


def give_back_noted(notes):
    """notes: lines of a device and the path it was attached to."""
    for dev, path in {tuple(n.split()) for n in notes.splitlines()}:
        try:
            with open(f"/sys/block/{dev[5:]}/loop/backing_file") as f:
                name = f.read().strip()
        except FileNotFoundError:
            continue
        # Of a file system that is gone, only the end of the path is left.
        if not (path.endswith(name.removesuffix(" (deleted)"))
                or name.endswith(path)):
            continue
        fd = os.open(dev, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(fd, LOOP_CLR_FD)
        except OSError:
            pass
        os.close(fd)


def call(module, args, timeout, capture=False):
    """python -m crashlib.MODULE WORK args in its own namespaces; returns
    its CompletedProcess.  subprocess.TimeoutExpired when it takes longer."""
    work = scratch()
    try:
        return subprocess.run(
            ["unshare", "-m", "-p", "-n", "--fork", "--kill-child",
             "--mount-proc", "--propagation", "private",
             sys.executable, "-m", f"crashlib.{module}", work,
             *map(str, args)],
            cwd=HERE, timeout=timeout, text=True,
            stdout=subprocess.PIPE if capture else None,
            env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"))
    finally:
        give_back(work)
        shutil.rmtree(work, ignore_errors=True)
