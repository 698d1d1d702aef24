"""The service tools, run from the build tree over directories of their own.

Nothing here needs an installation or touches the machine: what wants a mount
or to be process 1 gets namespaces of its own.
"""

import contextlib
import glob
import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

REPO = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BIN = os.environ.get("BUILD", REPO + "/build")      # or build-san
ENV = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def run(*argv, **kw):
    kw.setdefault("timeout", 60)
    return subprocess.run(argv, env=kw.pop("env", ENV), capture_output=True,
                          text=True, **kw)


def wait(question, what, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


def script(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w") as f:
        f.write(text)
    os.chmod(path + ".new", 0o755)
    os.rename(path + ".new", path)


def service(d, text, log=None):
    script(f"{d}/run", "#!/bin/sh\n" + text)
    if log is not None:
        script(f"{d}/log/run", "#!/bin/sh\n" + log)
    return str(d)


def stat(d):
    """svstat's line without the name and the seconds."""
    out = run("svstat", str(d)).stdout
    return re.sub(r"\d+ seconds", "N seconds", out.partition(": ")[2]).strip()


def pid(d):
    m = re.match(r"up \(pid (\d+)\)", stat(d))
    return int(m.group(1)) if m else 0


def read(path):
    with open(path) as f:
        return f.read()


def lines(path):
    return read(path).splitlines() if os.path.exists(path) else []


@contextlib.contextmanager
def started(*argv, **kw):
    kw.setdefault("stderr", subprocess.PIPE)
    p = subprocess.Popen(argv, env=ENV, text=True, **kw)
    try:
        yield p
    finally:
        if p.poll() is None:
            p.kill()
        p.wait()


@contextlib.contextmanager
def supervised(d, **kw):
    """A supervise in d, whose service is gone afterwards, too."""
    with started("supervise", str(d), **kw) as p:
        try:
            wait(lambda: run("svok", str(d)).returncode == 0, "supervise")
            yield p
        finally:
            run("svc", "-dkx", str(d))
            with contextlib.suppress(subprocess.TimeoutExpired):
                p.wait(5)


@contextlib.contextmanager
def scanning(d, **kw):
    """An svscan of d; whatever happens nothing of it is left."""
    kw.setdefault("start_new_session", True)
    with started("svscan", str(d), **kw) as p:
        try:
            yield p
        finally:
            if p.poll() is None:
                p.terminate()
                try:
                    p.wait(10)
                except subprocess.TimeoutExpired:
                    run("svc", "-dkx", *glob.glob(f"{d}/*"),
                        *glob.glob(f"{d}/*/log"))
                    p.wait(10)


SLEEP = "exec sleep 1000\n"


# supervise

def test_a_service_that_ends_is_started_again_a_second_later(tmp_path):
    d = service(tmp_path / "s", "date +%s.%N >>starts\n")
    with supervised(d):
        wait(lambda: len(lines(d + "/starts")) >= 4, "four starts")
    times = [float(t) for t in lines(d + "/starts")]
    assert all(0.9 < b - a < 2 for a, b in zip(times, times[1:]))


def test_states_and_what_svstat_says(tmp_path):
    d = service(tmp_path / "s", SLEEP)
    with supervised(d) as p:
        wait(lambda: pid(d), "the service")
        assert stat(d) == f"up (pid {pid(d)}) N seconds"
        run("svc", "-p", d)
        wait(lambda: stat(d).endswith("seconds, paused"), "the pause")
        state = read(f"/proc/{pid(d)}/stat").rsplit(")", 1)[1].split()[0]
        assert state == "T"
        run("svc", "-c", d)
        wait(lambda: "paused" not in stat(d), "the continuation")
        open(d + "/down", "w").close()
        assert stat(d).endswith("N seconds, normally down")
        os.unlink(d + "/down")
        run("svc", "-pd", d)            # TERM reaches a stopped process: CONT
        wait(lambda: stat(d) == "down N seconds, normally up", "the end")
        run("svc", "-o", d)
        first = wait(lambda: pid(d), "the one start")
        os.kill(first, signal.SIGKILL)
        wait(lambda: stat(d) == "down N seconds, normally up", "the end")
        time.sleep(1.2)
        assert stat(d) == "down N seconds, normally up"
        run("svc", "-x", d)
        assert p.wait(5) == 0
        assert p.stderr.read() == ""
    assert stat(d) == "supervise not running"
    assert run("svok", d).returncode == 100


def test_a_down_file_keeps_it_down(tmp_path):
    d = service(tmp_path / "s", SLEEP)
    open(d + "/down", "w").close()
    with supervised(d):
        assert stat(d) == "down N seconds"
        assert run("svup", d).returncode == 100
        run("svc", "-wu", d)
        assert stat(d).endswith(", normally down")
        assert run("svup", d).returncode == 0


def test_every_letter_is_its_signal(tmp_path):
    d = service(tmp_path / "s", """
for s in HUP INT TERM ALRM QUIT USR1 USR2 WINCH; do
    trap "echo $s >>got" $s
done
echo ready >>got
while :; do sleep 0.1; done
""")
    want = {"h": "HUP", "i": "INT", "t": "TERM", "a": "ALRM", "q": "QUIT",
            "1": "USR1", "2": "USR2", "W": "WINCH"}
    with supervised(d):
        wait(lambda: lines(d + "/got") == ["ready"], "the service")
        for n, (letter, name) in enumerate(want.items(), 2):
            assert run("svc", "-" + letter, d).returncode == 0
            wait(lambda n=n: len(lines(d + "/got")) == n, name)
            assert lines(d + "/got")[-1] == name
        first = pid(d)
        run("svc", "-k", d)
        wait(lambda: pid(d) not in (0, first), "the start after KILL")


def test_files_and_modes(tmp_path):
    d = service(tmp_path / "s", SLEEP)
    with supervised(d):
        wait(lambda: pid(d), "the service")
        mode = {n: oct(os.stat(f"{d}/supervise/{n}").st_mode)
                for n in ("", "lock", "control", "ok", "status")}
        raw = open(d + "/supervise/status", "rb").read()
        assert raw[12:] == pid(d).to_bytes(4, "little") + b"\0u"
        age = time.time() - (int.from_bytes(raw[:8], "big") - 2**62 - 10)
        assert 0 <= age < 10
    assert mode == {"": "0o40700", "lock": "0o100600", "control": "0o10600",
                    "ok": "0o10600", "status": "0o100644"}


def test_the_last_word_before_the_end_counts(tmp_path):
    """A service that says svc -x and ends is not started again, even when
    supervise gets to see both at the same moment."""
    d = service(tmp_path / "s", "echo started >>count\n" + SLEEP)
    with supervised(d) as p:
        child = wait(lambda: pid(d), "the service")
        time.sleep(1.2)                 # past the second between starts
        os.kill(p.pid, signal.SIGSTOP)
        os.kill(child, signal.SIGKILL)
        assert run("svc", "-x", d).returncode == 0
        os.kill(p.pid, signal.SIGCONT)
        assert p.wait(15) == 0
    assert lines(d + "/count") == ["started"]


def test_one_supervise_a_directory(tmp_path):
    d = service(tmp_path / "s", SLEEP)
    with supervised(d):
        r = run("supervise", d)
        assert r.returncode == 111
        assert r.stderr == (f"supervise: fatal: unable to acquire {d}/"
                            "supervise/lock: temporary failure\n")
    assert run("supervise").returncode == 100
    assert run("supervise", d, d).returncode == 100


def test_a_dangling_supervise_link_is_followed(tmp_path):
    d = service(tmp_path / "s", SLEEP)
    os.symlink(f"{tmp_path}/elsewhere", d + "/supervise")
    with supervised(d):
        wait(lambda: pid(d), "the service")
        assert os.path.exists(f"{tmp_path}/elsewhere/status")


def test_a_run_that_is_not_there_is_tried_again(tmp_path):
    d = str(tmp_path / "s")
    os.mkdir(d)
    with supervised(d) as p:
        time.sleep(0.5)
        assert stat(d) == "down N seconds, normally up, want up"
        service(d, SLEEP)
        wait(lambda: pid(d), "the start")
        run("svc", "-dx", d)
        p.wait(5)
        assert set(p.stderr.read().splitlines()) == {
            f"supervise: warning: unable to start {d}/run: file does not "
            "exist"}


def test_no_process_to_be_had(request):
    top = tempfile.mkdtemp()            # where everybody may go
    request.addfinalizer(lambda: shutil.rmtree(top))
    os.chmod(top, 0o755)
    d = service(top + "/s", SLEEP)
    shutil.chown(d, "nobody")
    with started("setuidgid", "nobody", "softlimit", "-p", "0",
                 BIN + "/supervise", d, cwd="/") as p:
        assert p.stderr.readline() == (
            f"supervise: warning: unable to fork for {d}, sleeping 60 "
            "seconds: temporary failure\n")
        assert stat(d) == "down N seconds, normally up, want up"
        run("svc", "-x", d)             # commands are heard meanwhile
        assert p.wait(5) == 0


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_a_failed_fork_is_tried_again(tmp_path):
    """The minute is real: this test waits for it."""
    d = service(tmp_path / "s", SLEEP)
    with started("strace", "-qq", "-o", "/dev/null", "-e", "trace=clone",
                 "-e", "inject=clone:error=EAGAIN:when=1", "supervise", d):
        try:
            begin = time.monotonic()
            wait(lambda: pid(d), "the second attempt", 80)
            assert time.monotonic() - begin > 55
        finally:
            run("svc", "-dkx", d)


def test_memory_and_descriptors_stay_as_they_were(tmp_path):
    d = service(tmp_path / "s", SLEEP)

    def use(p):
        data = re.search(r"VmData:\s+(\d+)", read(f"/proc/{p.pid}/status"))
        return data.group(1), len(os.listdir(f"/proc/{p.pid}/fd"))

    with supervised(d) as p:
        wait(lambda: pid(d), "the service")
        before = use(p)
        for _ in range(4):
            assert run("svc", "-wkT", "10", d).returncode == 0
        assert use(p) == before


def test_a_service_sees_0_1_2_only(tmp_path):
    d = service(tmp_path / "s", "exec ls /proc/self/fd >fds\n")
    with supervised(d):
        wait(lambda: len(lines(d + "/fds")) >= 4, "the list")
    assert lines(d + "/fds") == ["0", "1", "2", "3"]    # 3 is ls's own


# svc

def test_svc_waits(tmp_path):
    d = service(tmp_path / "s", "trap 'sleep 0.5; exit' TERM\n"
                "while :; do sleep 0.1; done\n")
    with supervised(d) as p:
        wait(lambda: pid(d), "the service")
        time.sleep(0.2)
        first = pid(d)
        assert run("svc", "-wt", d).returncode == 0
        second = pid(d)
        assert second not in (0, first)
        time.sleep(0.2)
        assert run("svc", "-wdu", d).returncode == 0
        assert pid(d) not in (0, second)
        time.sleep(0.2)
        assert run("svc", "-wd", d).returncode == 0
        assert pid(d) == 0
        assert run("svc", "-wo", d).returncode == 0
        assert pid(d)
        time.sleep(0.2)
        begin = time.monotonic()
        assert run("svc", "-wdx", d).returncode == 0
        assert time.monotonic() - begin < 5
        assert p.wait(1) == 0


def test_svc_gives_up_waiting(tmp_path):
    d = service(tmp_path / "s", "trap '' TERM\nwhile :; do sleep 0.1; done\n")
    with supervised(d):
        wait(lambda: pid(d), "the service")
        time.sleep(0.3)
        r = run("svc", "-wdT1", d)
        assert r.returncode == 111
        assert r.stderr == f"svc: warning: gave up waiting for {d}\n"
        assert stat(d).endswith(", want down")
    r = run("svc", "-wu", d)
    assert r.returncode == 111
    assert r.stderr == (f"svc: warning: unable to control {d}: supervise not "
                        "running\n")
    assert run("svc", "-u", d).returncode == 0
    assert run("svc", "-Z", d).returncode == 100


# svscan

LOG = "exec multilog t s16777215 ./main\n"


def logged(d):
    """What multilog has of d, in order, without the stamps."""
    names = sorted(glob.glob(f"{d}/log/main/@*")) + [f"{d}/log/main/current"]
    return [x[26:] for n in names for x in lines(n)]


def test_nothing_is_lost_when_the_logger_restarts(tmp_path):
    d = service(tmp_path / "s", "i=0\nwhile [ $i -lt 6000 ]; do echo line $i;"
                " i=$((i+1)); done\n" + SLEEP,
                "exec multilog t s4096 n1000 ./main\n")
    with scanning(tmp_path):
        wait(lambda: pid(d + "/log"), "the logger")
        for _ in range(4):
            run("svc", "-wtT9", d + "/log")
        run("svc", "-a", d + "/log")
        wait(lambda: "line 5999" in logged(d), "the last line", 30)
    assert logged(d) == [f"line {i}" for i in range(6000)]


def test_new_services_on_hup_and_every_five_seconds(tmp_path):
    a, b, c = (str(tmp_path / n) for n in "abc")
    service(a, SLEEP)
    service(tmp_path / ".hidden", SLEEP)
    with scanning(tmp_path) as p:
        wait(lambda: pid(a), "the first service")
        service(b, SLEEP)
        begin = time.monotonic()
        p.send_signal(signal.SIGHUP)
        wait(lambda: pid(b), "the service after HUP")
        assert time.monotonic() - begin < 3
        service(c, SLEEP)
        wait(lambda: pid(c), "the service at the next look", 7)
    assert not os.path.exists(tmp_path / ".hidden/supervise")
    assert [stat(x) for x in (a, b, c)] == ["supervise not running"] * 3


def test_a_supervise_that_was_killed_is_replaced(tmp_path):
    d = service(tmp_path / "s", SLEEP)
    with scanning(tmp_path):
        first = wait(lambda: pid(d), "the service")
        child = run("pgrep", "-f", "^supervise s$").stdout.split()
        mine = [c for c in child
                if os.readlink(f"/proc/{c}/cwd") == str(tmp_path / "s")]
        os.kill(int(mine[0]), signal.SIGKILL)
        wait(lambda: run("svok", d).returncode == 100, "its end")
        wait(lambda: pid(d) not in (0, first), "another start", 12)
        os.kill(first, signal.SIGKILL)  # nobody's child any more


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_the_stop_is_in_order(tmp_path, sig):
    """The service first, its last words reach the log, then the logger."""
    d = service(tmp_path / "s", """
trap 'sleep 1; i=0; while [ $i -lt 20000 ]; do echo word $i; i=$((i+1)); done
echo end; exit' TERM
echo begin
while :; do sleep 0.1; done
""", "multilog t s16777215 ./main; date +%s.%N >ended\n")
    other = service(tmp_path / "other", "trap 'date +%s.%N >ended; exit' TERM"
                    "\nwhile :; do sleep 0.1; done\n")
    with scanning(tmp_path) as p:
        wait(lambda: logged(d) == ["begin"] and pid(other), "the service")
        time.sleep(0.3)
        # to the whole process group, as a terminal's ^C goes
        os.killpg(p.pid, sig)
        assert p.wait(20) == 0
        assert p.stderr.read() == ""
    assert logged(d) == ["begin"] + [f"word {i}" for i in range(20000)] + [
        "end"]
    assert float(read(other + "/ended")) < float(read(d + "/log/ended"))
    assert os.stat(d + "/log/main/current").st_mode & 0o777 == 0o744
    assert stat(d) == stat(d + "/log") == "supervise not running"


def test_the_stop_at_once_after_the_start(tmp_path):
    for i in range(10):
        service(tmp_path / f"s{i}", SLEEP, LOG)
    with scanning(tmp_path) as p:
        time.sleep(0.02)
        p.terminate()
        assert p.wait(20) == 0
    assert all(stat(tmp_path / f"s{i}") in (
        "supervise not running",
        "unable to open supervise/ok: file does not exist")
        for i in range(10))


def test_the_stop_reaches_what_was_renamed_or_removed(tmp_path):
    real, scan = tmp_path / "real", tmp_path / "scan"
    scan.mkdir()
    for n in ("gone", "moved"):
        service(real / n, SLEEP, LOG)
        os.symlink(real / n, scan / n)
    with scanning(scan) as p:
        wait(lambda: all(pid(real / n / x) for n in ("gone", "moved")
                         for x in (".", "log")), "the services")
        os.unlink(scan / "gone")
        os.rename(real / "moved", real / "other")
        p.terminate()
        assert p.wait(20) == 0
    assert stat(real / "gone") == "supervise not running"
    assert stat(real / "other" / "log") == "supervise not running"


def test_a_process_that_keeps_the_pipe_does_not_keep_the_stop(tmp_path):
    d = service(tmp_path / "s", "setsid sleep 30 &\necho $! >keeper\necho hi\n"
                + SLEEP, LOG)
    with scanning(tmp_path) as p:
        wait(lambda: logged(d) == ["hi"], "the service")
        try:
            p.terminate()
            assert p.wait(20) == 0
        finally:
            os.kill(int(read(d + "/keeper")), signal.SIGKILL)
    assert logged(d) == ["hi"]


def test_as_process_1(tmp_path):
    d = service(tmp_path / "s", "sh -c 'sleep 0.1 & sleep 0.1 &' \n"
                "trap 'echo bye; exit' TERM\nwhile :; do sleep 0.1; done\n",
                LOG)
    with started("unshare", "-pf", "--mount-proc", "--kill-child", "svscan",
                 str(tmp_path)) as p:
        inside = wait(lambda: run("pgrep", "-P", str(p.pid)).stdout.strip(),
                      "process 1")
        wait(lambda: pid(d) and pid(d + "/log"), "the service")
        time.sleep(1)
        states = run("ps", "-o", "stat=", "--ppid", inside).stdout.split()
        assert states and not [s for s in states if s.startswith("Z")]
        os.kill(int(inside), signal.SIGTERM)
        assert p.wait(20) == 0
    assert logged(d) == ["bye"]


def test_svscanboot(tmp_path):
    """With our programs where it looks for them, in a private mount table."""
    d = service(tmp_path / "scan" / "s", "echo to the title >&2\nenv >env\n"
                + SLEEP)
    inner = f"""
mount -t tmpfs none /usr/local/bin
for p in svscan supervise svc readproctitle svscanboot; do
    cp {BIN}/$p /usr/local/bin 2>/dev/null || cp {REPO}/supervise/$p \
/usr/local/bin
done
exec svscanboot {tmp_path}/scan
"""
    with started("unshare", "-mpf", "--mount-proc", "--kill-child", "sh",
                 "-c", inner) as p:
        inside = int(wait(lambda: run("pgrep", "-P", str(p.pid)
                                      ).stdout.strip(), "process 1"))
        wait(lambda: pid(d), "the service")
        assert read(f"/proc/{inside}/cmdline").split("\0")[0] == "svscan"

        def title():
            for child in run("pgrep", "-P", str(inside)).stdout.split():
                argv = read(f"/proc/{child}/cmdline").split("\0")
                if argv[0] == "readproctitle":
                    return argv
            return None

        argv = wait(title, "readproctitle")
        assert argv[1:3] == ["service", "errors:"]
        wait(lambda: title()[3].endswith("...to the title\n"), "the words")
        assert len(title()[3]) == 400
        os.kill(inside, signal.SIGTERM)
        assert p.wait(20) == 0
    names = {x.split("=")[0] for x in lines(d + "/env")}
    assert names <= {"PATH", "PWD", "SHLVL", "_", "OLDPWD"}


def test_svscan_needs_its_directory():
    r = run("svscan", "/nonexistent")
    assert r.returncode == 111
    assert r.stderr == ("svscan: fatal: unable to chdir to /nonexistent: file "
                        "does not exist\n")


# multilog

def everything(d):
    names = sorted(glob.glob(f"{d}/@*")) + [f"{d}/current"]
    return "".join(read(n) for n in names)


def test_multilog_keeps_every_byte_over_rotations(tmp_path):
    text = "".join(f"{i} {'x' * (i % 997)}\n" for i in range(5000))
    text += "y" * 20000                 # a line longer than a file
    r = run("multilog", "s8192", "n100000", "./m", cwd=tmp_path, input=text)
    assert r.returncode == 0 and r.stderr == ""
    m = tmp_path / "m"
    assert everything(m) == text + "\n"
    for n in glob.glob(f"{m}/@*"):
        assert n.endswith(".s") and os.stat(n).st_mode & 0o777 == 0o744
        assert os.stat(n).st_size <= 8192
    assert os.stat(m).st_mode & 0o777 == 0o700


def test_multilog_waits_for_disk_space_and_loses_nothing(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    text = "".join(f"line {i}\n" for i in range(9000))
    inner = f"""
mount -t tmpfs -o size=128k none {disk}
head -c 100000 /dev/zero >{disk}/ballast
(sleep 3; rm {disk}/ballast) &
multilog s16777215 {disk}/m; echo $?
cat {disk}/m/current >{tmp_path}/out
"""
    r = run("unshare", "-m", "sh", "-c", inner, input=text)
    assert r.stdout == "0\n"
    assert set(r.stderr.splitlines()) == {
        f"multilog: warning: unable to write to {disk}/m/current, pausing: "
        "out of disk space"}
    assert read(tmp_path / "out") == text


def test_multilog_after_kill_and_after_alrm(tmp_path):
    m = tmp_path / "m"
    with started("multilog", "./m", cwd=tmp_path,
                 stdin=subprocess.PIPE) as p:
        p.stdin.write("one\n")
        p.stdin.flush()
        wait(lambda: lines(m / "current") == ["one"], "the line")
        assert os.stat(m / "current").st_mode & 0o777 == 0o644
        p.send_signal(signal.SIGALRM)
        wait(lambda: glob.glob(f"{m}/@*.s"), "the rotation")
        p.stdin.write("two\n")
        p.stdin.flush()
        wait(lambda: lines(m / "current") == ["two"], "the second line")
        p.kill()
    r = run("multilog", "./m", cwd=tmp_path, input="three\n")
    assert r.returncode == 0
    names = sorted(glob.glob(f"{m}/@*"))
    assert [n[-2:] for n in names] == [".s", ".u"]
    assert [read(n) for n in names] == ["one\n", "two\n"]
    assert read(m / "current") == "three\n"


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_multilog_one_write_a_wakeup(tmp_path):
    """10,000 lines in a pipe are not 10,000 writes."""
    text = "".join(f"some words {i}\n" for i in range(10000))
    r = run("strace", "-qq", "-o", tmp_path / "trace", "-e", "trace=write",
            "multilog", "t", "s16777215", "./m", cwd=tmp_path, input=text)
    assert r.returncode == 0
    assert len(lines(tmp_path / "m/current")) == 10000
    assert len(lines(tmp_path / "trace")) < 50


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("call,error", [
    ("write", "EIO"), ("fsync", "EIO"), ("fchmod", "EPERM"),
    ("renameat", "ENOSPC"), ("unlinkat", "EIO")])
def test_multilog_survives_each_disk_error(tmp_path, call, error):
    """One failure in the middle of the work: told, and nothing lost."""
    text = "".join(f"line {i} {'z' * 80}\n" for i in range(100))
    when = {"write": 2, "fsync": 2, "fchmod": 3, "renameat": 2,
            "unlinkat": 3}[call]
    os.mkdir(tmp_path / "m", 0o700)
    argv = ["multilog", "s4096", "n100", "./m"]
    if call == "unlinkat":              # the first two are of the start
        argv[2] = "n3"
    r = run("strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
            f"inject={call}:error={error}:when={when}", *argv, cwd=tmp_path,
            input=text)
    assert r.returncode == 0
    assert r.stderr.count("pausing: ") == 1, r.stderr
    got = everything(tmp_path / "m")
    assert got == text if call != "unlinkat" else text.endswith(got)


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("processor", [None, "!sed s/^/+/; cat <&4 >&5"])
def test_multilog_killed_at_each_step(tmp_path, processor):
    """After SIGKILL at any system call that touches the log the next multilog
    finds every byte once: a prefix of the input, old files first."""
    text = "".join(f"line {i} {'k' * 100}\n" for i in range(60))
    argv = ["multilog", "s4096", "n100", processor, "./m"]
    argv = [a for a in argv if a]
    calls = ["write", "openat", "renameat", "unlinkat", "fsync", "fchmod",
             "close"]
    killed, skip = 0, set()
    for n, call in itertools.product(range(1, 40), calls):
        if call in skip:
            continue
        shutil.rmtree(tmp_path / "m", ignore_errors=True)
        r = run("strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                "-e", f"inject={call}:signal=KILL:when={n}", *argv,
                cwd=tmp_path, input=text)
        if r.returncode == 0:
            skip.add(call)
            continue
        killed += 1
        time.sleep(0.05 if processor else 0)    # its processor, still at it
        assert run(*argv, cwd=tmp_path, input="").returncode == 0
        left = set(os.listdir(tmp_path / "m")) - {"lock", "current", "state"}
        assert all(re.fullmatch(r"@[0-9a-f]{24}\.[su]", x) for x in left)
        got = everything(tmp_path / "m").replace("+line", "line")
        assert text.startswith(got), (call, n)
    assert killed > 20


def test_multilog_processor_with_state(tmp_path):
    r = run("multilog", "s4096", "n50", "!sed s/^/+/; { cat <&4; echo x; } >&5",
            "./m", cwd=tmp_path, input="".join(
                f"line {i}\n" for i in range(2000)))
    assert r.returncode == 0 and r.stderr == ""
    m = tmp_path / "m"
    old = sorted(glob.glob(f"{m}/@*.s"))
    assert "".join(read(n) for n in old) + read(m / "current") == "".join(
        f"{'+' if i < 2000 - len(lines(m / 'current')) else ''}line {i}\n"
        for i in range(2000))
    assert read(m / "state") == "x\n" * len(old)


# The small ones

def test_setuidgid_leaves_no_other_group():
    r = run("setuidgid", "nobody", "sh", "-c", "id -u; id -g; id -G")
    assert r.stdout.split() == ["65534", "65534", "65534"]
    r = run("setuidgid", "no-such-account", "true")
    assert r.returncode == 111
    assert r.stderr == "setuidgid: fatal: unknown account no-such-account\n"
    assert run("setuidgid", "nobody").returncode == 100


def test_envdir(tmp_path):
    for name, data in {"A": "a b \t\nrest\n", "NUL": "x\0y", "E": "\n",
                       "GONE": "", ".hidden": "h", "PATH": "/nowhere"
                       }.items():
        (tmp_path / name).write_text(data)
    r = run("envdir", str(tmp_path), "/usr/bin/env", "-0",
            env={**ENV, "GONE": "1"})
    got = dict(x.split("=", 1) for x in r.stdout.split("\0") if x)
    assert got["A"] == "a b" and got["NUL"] == "x\ny" and got["E"] == ""
    assert "GONE" not in got and ".hidden" not in got
    assert got["PATH"] == "/nowhere"
    # the program is searched in the PATH from before
    assert run("envdir", str(tmp_path), "true").returncode == 0
    (tmp_path / "B=C").write_text("x")
    r = run("envdir", str(tmp_path), "true")
    assert r.returncode == 111 and "B=C" in r.stderr
    assert run("envdir", str(tmp_path)).returncode == 111


def test_softlimit():
    show = ["sh", "-c", "ulimit -Sd; ulimit -Ss; ulimit -Sl; ulimit -Sv; "
            "ulimit -Sn; ulimit -Hn"]
    hard = run("sh", "-c", "ulimit -Hn").stdout.strip()
    lock = run("sh", "-c", "ulimit -Hl").stdout.strip()
    if lock == "unlimited" or int(lock) > 64000:
        lock = "64000"
    r = run("softlimit", "-m", "65536000", "-o", "=", *show)
    assert r.stdout.split() == ["64000", "64000", lock, "64000", hard, hard]
    assert run("softlimit", "-o", "20x", "true").returncode == 100
    assert run("softlimit", "-o").returncode == 100
    r = run("softlimit", "-c1", "-o10", "sh", "-c", "ulimit -Sn; ulimit -Hn")
    assert r.stdout.split() == ["10", hard]


def test_setlock_waits_and_hands_the_lock_on(tmp_path):
    lock = str(tmp_path / "lock")
    with started("setlock", lock, "sleep", "1"):
        wait(lambda: os.path.exists(lock), "the lock")
        time.sleep(0.1)
        assert run("setlock", "-n", lock, "true").returncode == 111
        begin = time.monotonic()
        assert run("setlock", lock, "true").returncode == 0
        assert time.monotonic() - begin > 0.5
    assert run("setlock", "-nX", lock, "sh", "-c", "exit 7").returncode == 7


def test_fghack_waits_for_the_background():
    begin = time.monotonic()
    r = run("fghack", "sh", "-c", "sleep 1 & exit 3", stdin=subprocess.DEVNULL)
    assert r.returncode == 3 and time.monotonic() - begin > 0.9
    r = run("fghack", "sh", "-c", "kill -9 $$")
    assert r.returncode == 111
    assert r.stderr == "fghack: fatal: child crashed\n"


def test_pgrphack_makes_a_session():
    p = subprocess.Popen(["pgrphack", "sleep", "10"], env=ENV)
    try:
        wait(lambda: os.getsid(p.pid) == p.pid, "the session")
        assert os.getpgid(p.pid) == p.pid
    finally:
        p.kill()
        p.wait()


def test_readproctitle(tmp_path):
    with started("readproctitle", "io", "errors:", "." * 20,
                 stdin=subprocess.PIPE) as p:
        p.stdin.write("fatal error xyz\nwarning abc\n")
        p.stdin.flush()
        wait(lambda: read(f"/proc/{p.pid}/cmdline") ==
             "readproctitle\0io\0errors:\0... xyz\nwarning abc\n\0",
             "the words")
        p.stdin.close()
        assert p.wait(5) == 0


def test_tai64n_and_back():
    r = run("sh", "-c", "printf 'a\\nb' | tai64n | tee /dev/stderr | "
            "tai64nlocal")
    assert re.fullmatch(r"(@4[0-9a-f]{23} a\n)(@4[0-9a-f]{23} b)", r.stderr)
    assert re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9} [ab]\n?){2}",
                        r.stdout)
    with open("/dev/full", "w") as full:
        assert subprocess.run(["tai64n"], env=ENV, input=b"x\n",
                              stdout=full).returncode == 111
