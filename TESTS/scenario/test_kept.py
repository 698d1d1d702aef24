"""tcpserver -k: a program that is started once and forked for every
connection, and everything that may happen to it.

No connection may be lost or served twice, and nothing of one session get into
another.
"""

import contextlib
import os
import re
import signal
import threading

import pytest
from test_tcpserver import BIN, SRC, WAIT, Lab, everything

# Answers a line at a time, after a "+".
KEPT = r"""
#include "lib/keep.h"
#include "lib/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
int
main(int argc, char **argv)
{
	static struct keep_program kept;
	struct rlimit rl;
	char line[100], link[100];
	int made = getpid();

	log_init("kept");
	if (argc > 1 && access(argv[1], F_OK) < 0)
		return 1;               /* not today */
	keep_watch_self(&kept);
	if (argc > 1)
		keep_watch(&kept, argv[1]);
	if (keep_asked())
		keep_serve(&kept);
	else
		made = 0;
	setvbuf(stdout, NULL, _IONBF, 0);
	printf("+");
	while (fgets(line, sizeof line, stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "env") == 0)
			for (char **e = environ; *e != NULL; e++)
				printf("%s\n", *e);
		else if (strcmp(line, "made") == 0)
			printf("%d\n", made);
		else if (strcmp(line, "pid") == 0)
			printf("%d\n", (int)getpid());
		else if (strcmp(line, "as") == 0)
			printf("%ld\n", getrlimit(RLIMIT_AS, &rl) < 0 ? -1L :
			    (long)rl.rlim_cur);
		else if (strcmp(line, "fds") == 0)
			for (int fd = 0; fd < 100; fd++) {
				char name[40];
				ssize_t n;

				snprintf(name, sizeof name,
				    "/proc/self/fd/%d", fd);
				n = readlink(name, link, sizeof link - 1);
				if (n > 0)
					printf("%d %.*s\n", fd, (int)n, link);
			}
		else if (strcmp(line, "lie") == 0)      /* to the server */
			for (int fd = 3, said = 0; fd < 1024; fd++) {
				said += send(fd, "R\0\0\0", 5, MSG_NOSIGNAL)
				    >= 0;
				if (fd == 1023)
					printf("%d\n", said);
			}
		else if (strcmp(line, "crash") == 0)
			abort();
		else
			return atoi(line);
	}
	return 0;
}
"""


class Keeping(Lab):
    def __init__(self):
        super().__init__()
        self.h.write("/run/kept.c", KEPT)
        self.compile("/run/kept")

    def compile(self, out, more=""):
        san = "-fsanitize=address,undefined" if BIN == "build-san" else ""
        self.h.run(f"gcc -std=c17 -D_GNU_SOURCE -O2 {san} {more} -I{SRC} "
                   f"-o {out}.new /run/kept.c {SRC}/{BIN}/libvalija.a && "
                   f"mv {out}.new {out}")

    def kept(self, *args, **kw):
        kw.setdefault("program", ["/run/kept"])
        return self.server("-k", *args, **kw)


@pytest.fixture(scope="module")
def lab():
    lab = Keeping()
    yield lab
    lab.h.close()


def ask(s, *lines, **kw):
    text = s.ask("".join(x + "\n" for x in lines).encode(), **kw)
    assert text is None or text[0] == "+"
    return text if text is None else text[1:]


def made(s):
    """The pid of the template, 0 where there was none."""
    return int(ask(s, "made") or 0)


def until_kept(lab, s, other_than=0):
    """The next connections come from a template (another one)."""
    lab.h.wait(lambda: made(s) not in (0, other_than), "a template\n" +
               s.log()[-2000:], WAIT, step=0.05)
    return made(s)


def templates(s):
    """{pid inside: pid out here} of the server's children, sessions too."""
    with open(f"/proc/{s.outer()}/task/{s.outer()}/children") as f:
        found = {}
        for pid in f.read().split():
            with contextlib.suppress(OSError), \
                    open(f"/proc/{pid}/status") as g:
                inside = re.search(r"NSpid:.*\s(\d+)$", g.read(), re.M)
                found[int(inside.group(1))] = int(pid)
    return found


def test_one_template_many_sessions(lab):
    with lab.kept() as s:
        one = until_kept(lab, s)
        pids = {int(ask(s, "pid")) for _ in range(20)}
        assert len(pids) == 20 and one not in pids
        assert made(s) == one
        assert "TCPKEEP" not in ask(s, "env")
        c = lab.connect(s.port)
        mine = c.getsockname()[1]
        pid = everything(c, b"pid\n")[1:].strip()
        # the last line is a write of its own
        assert lab.h.wait(lambda: re.search(
            rf"(?m)^tcpserver: status: 1/40\ntcpserver: pid {pid} from "
            rf"127\.0\.0\.1\ntcpserver: ok {pid} me:127\.0\.0\.1:{s.port} "
            rf":127\.0\.0\.1::{mine}\ntcpserver: end {pid} status 0\n"
            r"tcpserver: status: 0/40$", s.log()), f"the lines of {pid}")
        # Its template is no connection.
        assert s.stop() == 0
        assert f"end {one} " not in s.log()
        assert "warning" not in s.log()


def test_wait_statuses(lab):
    with lab.kept() as s:
        until_kept(lab, s)
        for say, status in (("3", 768), ("111", 28416)):
            pid = ask(s, "pid", say).strip()
            s.wait(rf"^tcpserver: end {pid} status {status}$")


def test_variables_of_one_client_are_not_those_of_the_next(lab):
    rules = lab.rules('127.0.0.2:allow,RELAYCLIENT="",DATABYTES="5"\n'
                      '127.0.0.3:allow,A="3"\n127.0.0.4:deny\n:allow\n')
    env = {"A": "server", "B": "server", "TCPREMOTEHOST": "stale"}
    with lab.kept("-x", rules, env=env) as s:
        until_kept(lab, s)
        for _ in range(2):
            for ip, want, strange in (
                    ("127.0.0.1", ["A=server"], ["RELAYCLIENT", "DATABYTES"]),
                    ("127.0.0.2", ["A=server", "RELAYCLIENT=",
                                   "DATABYTES=5"], []),
                    ("127.0.0.3", ["A=3"], ["RELAYCLIENT", "DATABYTES",
                                            "A=server"])):
                out = ask(s, "env", "made", source=ip).split("\n")
                assert out[-2] != "0"
                assert f"TCPREMOTEIP={ip}" in out and "B=server" in out
                assert set(want) <= set(out)
                assert not [x for x in out for y in strange + ["TCPREMOTEHOST"]
                            if x.startswith(y)]
            assert ask(s, source="127.0.0.4") is None
        # A rule that has changed counts at once.
        lab.rules('127.0.0.2:allow,C="new"\n:allow\n', rules)
        out = ask(s, "env", source="127.0.0.2")
        assert "C=new" in out and "RELAYCLIENT" not in out


def test_nothing_else_is_open_in_a_session(lab):
    with lab.kept() as s:
        until_kept(lab, s)
        lines = ask(s, "fds").strip().split("\n")
        assert [x.split()[0] for x in lines] == ["0", "1", "2"], lines
        assert re.match(r"0 socket:", lines[0]) and lines[0][2:] == \
            lines[1][2:]
        assert ask(s, "lie") == "0\n"
        with lab.kept("-B", "+") as slow:       # not kept: it is asked first
            assert ask(slow, "made") == "+0\n"


def test_limits(lab):
    with lab.kept("-c", "2") as s:
        until_kept(lab, s)
        lab.h.wait(lambda: s.lines("status: 0/2$"), "rest", WAIT)
        a, b = s.hello(), s.hello()
        c = lab.connect(s.port)                 # waits
        s.wait("status: 2/2")
        a.close()
        assert c.recv(1) == b"+"
        b.close()
        c.close()
    with lab.kept("-C", "1") as s:
        until_kept(lab, s)
        lab.h.wait(lambda: s.lines("end ")[-1:] and s.log().rstrip().endswith(
            "status: 0/40"), "rest", WAIT)
        with s.hello():
            assert ask(s) is None
        s.wait("reason=address-limit")


def test_penalties(lab):
    limits = lab.file("penalty 2\npenalty-time 600\npenalty-max 86400\n")
    with lab.kept("-L", limits) as s:
        until_kept(lab, s, 0)
        for _ in range(2):
            ask(s, "77", source="127.0.0.9")
        s.wait(r"^tcpserver: penalty 127\.0\.0\.9 seconds=600$")
        assert ask(s, "pid", source="127.0.0.9") is None
        assert ask(s, "pid", source="127.0.0.1")


@pytest.mark.skipif(BIN == "build-san", reason="sanitizers need more")
def test_limits_of_the_environment_are_inherited(lab):
    with lab.kept(before=["softlimit", "-m", "123456789"]) as s:
        until_kept(lab, s)
        assert ask(s, "as", "made").split()[0] == "123456789"


def test_killed_while_connections_come(lab):
    with lab.kept("-c", "500") as s:
        until_kept(lab, s)
        pids, killed = [], []

        def ready():
            return made(s) != 0

        for i in range(50):
            if i % 10 == 5:
                lab.h.wait(ready, "a template", WAIT, step=0.05)
                one = made(s)
                os.kill(templates(s)[one], signal.SIGKILL)
                killed.append(one)
            pids.append(int(ask(s, "pid")))
        assert len(set(pids)) == 50 and len(set(killed)) == 5
        for p in pids:
            s.wait(rf"^tcpserver: end {p} status 0$")
            assert len(s.lines(f"ok {p} ")) == 1
        s.wait(r"kept ended: signal 9|kept does not answer")


def test_stopped(lab):
    """One that stands still holds the port for a second, once."""
    with lab.kept() as s:
        one = until_kept(lab, s)
        os.kill(templates(s)[one], signal.SIGSTOP)
        assert made(s) == 0
        s.wait("warning: the /run/kept that was kept does not answer")
        assert until_kept(lab, s, one)
        assert one not in templates(s)


def test_thousand_connections_and_the_next_template(lab):
    with lab.kept("-c", "100") as s:
        one = until_kept(lab, s)
        old = s.hello()
        everyone = []

        def clients():
            for _ in range(250):
                everyone.append(ask(s, "pid", "made").split())

        threads = [threading.Thread(target=clients) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        # The next takes over without a gap.
        while {m for _, m in everyone} == {str(one)}:
            assert len(everyone) < 5000
            everyone.append(ask(s, "pid", "made").split())
        assert len({pid for pid, _ in everyone}) == len(everyone)
        by = [int(m) for _, m in everyone]
        assert len(set(by)) == 2 and 0 not in by
        assert by.count(one) >= 990
        # A session of the first still lives, the template has gone.
        lab.h.wait(lambda: one not in templates(s), "its end", WAIT)
        old.sendall(b"made\n")
        assert old.recv(20) == b"%d\n" % one
        old.close()


def test_replaced_binary(lab):
    lab.h.run("cp /run/kept /run/kept2")
    with lab.kept(program=["/run/kept2"]) as s:
        one = until_kept(lab, s)
        lab.h.write("/run/kept.c", KEPT.replace('"+"', '"+new "'))
        try:
            lab.compile("/run/kept2")
        finally:
            lab.h.write("/run/kept.c", KEPT)
        # The very next connection has the new one.
        assert ask(s, "made") == "new 0\n"
        lab.h.wait(lambda: ask(s, "made") != "new 0\n", "a template", WAIT)
        assert ask(s, "made") != f"new {one}\n"


def test_what_it_read_has_changed(lab):
    path = lab.file("x")
    with lab.kept(program=["/run/kept", path]) as s:
        one = until_kept(lab, s)
        lab.h.write(path, "longer")
        assert made(s) == 0
        two = until_kept(lab, s, one)
        # Now the program cannot begin, whoever starts it.
        lab.h.run(["rm", path])
        lab.h.wait(lambda: ask(s) is None and s.lines(
            "warning: /run/kept cannot be kept"), "a warning", WAIT)
        lab.h.write(path, "again")
        assert made(s) == 0
        assert two not in templates(s)


def test_a_crash_ends_the_template(lab):
    with lab.kept() as s:
        one = until_kept(lab, s)
        with s.hello() as other:
            ask(s, "crash")
            s.wait(r"end \d+ status (6|134)$")
            two = until_kept(lab, s, one)
            assert two != one
            other.sendall(b"made\n")
            assert other.recv(20) == b"%d\n" % one


@pytest.mark.parametrize("program", [
    ["sh", "-c", "echo +; exec cat"], ["sh", "-c", "echo +; cat; exit 3"]])
def test_programs_that_cannot_be_kept(lab, program):
    with lab.kept(program=program) as s:
        for i in range(5):
            assert s.ask(b"hello\n") == "+\nhello\n"
        s.wait("end ", 5)
        assert len(s.lines("cannot be kept: starting it for every "
                           "connection")) == 1
    with lab.kept(program="/nonexistent") as s:
        assert s.ask() is None
        assert s.lines("unable to keep /nonexistent: file does not exist")


def test_through_other_programs(lab):
    """What executes the program in the end does not matter."""
    with lab.kept(program=["sh", "-c", "A=b exec /run/kept"]) as s:
        until_kept(lab, s)
        assert "A=b" not in ask(s, "env")


def test_term(lab):
    with lab.kept() as s:
        one = until_kept(lab, s)
        with s.hello() as c:
            outside = templates(s)[one]
            assert s.stop() == 0
            lab.h.wait(lambda: not os.path.exists(f"/proc/{outside}"),
                       "the template's end", WAIT)
            c.sendall(b"made\n")
            assert c.recv(20) == b"%d\n" % one


def test_quiet(lab):
    for opt in ("-q", "-Q"):
        with lab.kept(opt) as s:
            until_kept(lab, s)
            assert s.log() == ""
