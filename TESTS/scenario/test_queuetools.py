"""qmail-qread, qmail-qstat and qmail-queuectl: on a queue in use, on one at
rest, and on one that came out of a backup.

Mail stays in the queue here because a user's .qmail defers it; the tests stop
the services, so they have a host of their own."""

import json
import re

import pytest

from conftest import Site

HOST = "mx.valija.test"
QUEUE = "/var/qmail/queue"
SERVICES = ("qmail", "qmail-queued")


@pytest.fixture(scope="module")
def tools():
    s = Site()
    yield s
    s.close()


@pytest.fixture
def stuck(tools):
    """A user whose mail is deferred until ~/ready exists."""
    user = tools.new_user()
    tools.dotqmail(user, "|test -e ready || exit 111\n./Maildir/\n")
    return user


def ready(tools, user):
    tools.h.run(["touch", "ready"], user=user, cwd=f"/home/{user}")


def ctl(tools, *argv, code=0):
    p = tools.h.run(["qmail-queuectl", *argv], check=False)
    assert p.returncode == code, p.stdout + p.stderr
    return p


def listed(tools, *argv):
    """Messages as JSON objects, by number."""
    out = ctl(tools, "list", "--json", *argv).stdout
    return {m["id"]: m for m in map(json.loads, out.splitlines())}


def put(tools, *users, sender="s@example.org"):
    """One deferred message to some users; its number."""
    before = set(listed(tools))
    rcpts = [f"{u}@{HOST}" for u in users]
    mark = tools.queue(sender, rcpts)
    for r in rcpts:
        assert tools.result(r, mark)[0] == "deferral"
    (new,) = set(listed(tools)) - before
    # Its files are written at once, todo/N goes after the next sync.
    tools.h.wait(lambda: not tools.h.run(
        ["test", "-e", f"{QUEUE}/todo/{new}"], check=False).returncode == 0,
        "the message to leave todo")
    return new


def stop(tools):
    for s in SERVICES:
        tools.h.run(["svc", "-d", f"/service/{s}"])
    tools.h.wait(lambda: not any(tools.h.running(p) for p in (
        "qmail-send", "qmail-queued", "qmail-todo", "qmail-clean")),
        "the services to stop")


def start(tools):
    for s in reversed(SERVICES):
        tools.h.run(["svc", "-u", f"/service/{s}"])
    tools.h.wait(lambda: tools.h.running("qmail-send") and
                 tools.h.running("qmail-queued"), "the services to start")


@pytest.fixture
def stopped(tools):
    """The services are down during the test, after it has queued things:
    call it to stop them."""
    down = []

    def go():
        stop(tools)
        down.append(True)
    yield go
    if down:
        start(tools)


def empty(tools):
    ctl(tools, "release", "--held")
    ctl(tools, "delete", "--all")
    tools.empty()


# Looking.

def test_qread_and_qstat(tools, stuck):
    empty(tools)
    assert tools.h.run(["qmail-qread"]).stdout == ""
    n = put(tools, stuck, sender="al\033ice@example.org")
    text = tools.h.run(["qmail-qread"]).stdout
    assert re.fullmatch(
        rf"\d+ [A-Z][a-z]+ \d{{4}} \d\d:\d\d:\d\d GMT  #{n}  \d+  "
        rf'<"al_ice"@example\.org>\n\tlocal\t{stuck}@{HOST}\n', text), text
    assert text == ctl(tools, "list").stdout.replace("1 message\n", "")
    m = json.loads(tools.h.run(["qmail-qread", "-j"]).stdout)
    assert m["sender"] == "al\033ice@example.org"
    assert m["recipients"] == [{"address": f"{stuck}@{HOST}",
                                "channel": "local", "done": False}]
    assert tools.h.run(["qmail-qstat"]).stdout == (
        "messages in queue: 1\n"
        "messages in queue but not yet preprocessed: 0\n")


def test_show(tools, stuck):
    n = put(tools, stuck)
    out = ctl(tools, "show", f"#{n}").stdout
    assert f"#{n}  " in out and "\n  Subject: test\n" in out
    assert "hello" not in out
    m = json.loads(ctl(tools, "show", "--json", str(n)).stdout)
    assert "Subject: test\n" in m["header"] and m["failures"] == ""


def test_strangers_get_a_clear_refusal(tools, stuck):
    for argv in (["qmail-qread"], ["mailq"], ["qmail-queuectl", "list"]):
        p = tools.h.run(argv, user=stuck, check=False)
        assert p.returncode == 111, argv
        assert "unable to read /var/qmail/queue: Permission denied " \
            "(only root and the qmail users may)" in p.stderr
        assert p.stdout == ""


# Changing a queue in use.

def test_retry(tools, stuck):
    n = put(tools, stuck)
    ready(tools, stuck)
    assert ctl(tools, "retry", str(n)).stdout == \
        f"#{n} due now\n1 message due now\n"
    tools.mail(stuck)


def test_flush(tools, stuck):
    put(tools, stuck)
    put(tools, stuck)
    ready(tools, stuck)
    assert ctl(tools, "flush").stdout.startswith("all due now")
    tools.mail(stuck, 2)


def test_delete_by_condition(tools, stuck):
    other = tools.new_user()
    tools.dotqmail(other, "|exit 111\n")
    a = put(tools, stuck, sender="spam@bad.example")
    b = put(tools, other, sender="good@example.org")
    dry = ctl(tools, "delete", "--dry-run", "--sender", "@BAD.example")
    assert dry.stdout == \
        f"#{a} would be deleted\n1 message would be deleted\n"
    assert a in listed(tools)
    ctl(tools, "delete", "--sender", "@bad.example", "--recipient",
        f"{other}@*")                   # both conditions: nothing
    assert a in listed(tools)
    out = ctl(tools, "delete", "--sender", "@bad.example").stdout
    assert out == f"#{a} deleted\n1 message deleted\n"
    tools.h.wait(lambda: a not in listed(tools), "the message to go")
    assert b in listed(tools)
    assert not tools.h.exists(f"{QUEUE}/mess/{a % 23}/{a}")
    p = ctl(tools, "delete", str(a), code=100)
    assert p.stderr == \
        f"qmail-queuectl: warning: #{a}: no such message\n"
    ctl(tools, "delete", str(b))


def test_expire_bounces(tools, stuck):
    back = tools.new_user()
    n = put(tools, stuck, sender=f"{back}@{HOST}")
    assert listed(tools, "--age", "<1h").keys() >= {n}
    assert n not in listed(tools, "--age", ">1h")
    assert ctl(tools, "expire", str(n)).stdout.startswith(f"#{n} expired")
    assert f"<{stuck}@{HOST}>:" in tools.mail(back)[0]
    tools.h.wait(lambda: n not in listed(tools), "the message to go")


def test_hold_survives_a_restart(tools, stuck):
    n = put(tools, stuck)
    assert ctl(tools, "hold", str(n)).stdout == \
        f"#{n} on hold\n1 message on hold\n"
    assert listed(tools, "--held").keys() == {n}
    assert " held\n" in ctl(tools, "list", str(n)).stdout
    ready(tools, stuck)
    mark = tools.mark()
    tools.restart()
    ctl(tools, "flush")
    marker = tools.new_user()           # later mail passes it
    tools.send(f"{marker}@{HOST}")
    tools.mail(marker)
    assert tools.outcome(f"{stuck}@{HOST}", mark) is None
    assert tools.mails(stuck) == []
    ctl(tools, "release", "--held")
    ctl(tools, "retry", str(n))
    tools.mail(stuck)
    assert not tools.h.exists(f"{QUEUE}/hold/{n}")


# Changing a queue at rest.

def test_offline(tools, stopped):
    users = [tools.new_user() for _ in range(4)]
    for u in users:
        tools.dotqmail(u, "|test -e ready || exit 111\n./Maildir/\n")
    back = tools.new_user()
    gone, held, due, old = (put(tools, u, sender=f"{back}@{HOST}")
                            for u in users)
    stopped()
    assert ctl(tools, "delete", str(gone)).stdout == \
        f"#{gone} deleted\n1 message deleted\n"
    ctl(tools, "hold", str(held))
    ctl(tools, "retry", str(due), "--json")
    ctl(tools, "expire", str(old))
    assert listed(tools, "--age", ">7d").keys() == {old}
    for u in users:
        if u != users[3]:
            ready(tools, u)
    ctl(tools, "check")                 # all that left a sound queue
    start(tools)
    tools.mail(users[2])
    assert f"<{users[3]}@{HOST}>:" in tools.mail(back)[0]
    assert tools.mails(users[0]) == [] and tools.mails(users[1]) == []
    ctl(tools, "release", str(held))
    ctl(tools, "retry", str(held))
    tools.mail(users[1])
    assert gone not in listed(tools)


# Checking and repairing.

def test_check_needs_the_services_stopped(tools):
    for command in ("check", "repair"):
        p = ctl(tools, command, code=111)
        assert "qmail-send is running: stop it first" in p.stderr
    tools.h.run(["svc", "-d", "/service/qmail"])
    tools.h.wait(lambda: not tools.h.running("qmail-send"), "qmail-send")
    p = ctl(tools, "repair", code=111)
    assert "qmail-queued is running: stop it first" in p.stderr
    tools.h.run(["svc", "-u", "/service/qmail"])


def test_sound_queue(tools, stuck, stopped):
    n = put(tools, stuck)
    ctl(tools, "hold", str(n))
    stopped()
    p = ctl(tools, "check")
    assert p.stdout.endswith("nothing wrong\n"), p.stdout
    p = ctl(tools, "repair")
    assert p.stdout.endswith("nothing wrong\n"), p.stdout
    start(tools)
    ctl(tools, "delete", str(n))


def test_restored_queue(tools, stopped):
    """A queue copied file by file: every inode is another one.  Messages in
    all states keep their senders, recipients, failures and holds."""
    empty(tools)
    users = [tools.new_user() for _ in range(3)]
    for u in users:
        tools.dotqmail(u, "|test -e ready || exit 111\n./Maildir/\n")
    put(tools, users[0])
    put(tools, users[0], users[1])
    ctl(tools, "hold", str(put(tools, users[2])))
    tools.h.run(["svc", "-d", "/service/qmail"])
    tools.h.wait(lambda: not tools.h.running("qmail-todo"), "qmail-todo")
    tools.queue("s@example.org", [f"{users[1]}@{HOST}"])        # stays S4
    stopped()
    before = sorted(json.dumps({**m, "id": 0}, sort_keys=True)
                    for m in listed(tools).values())
    assert len(before) == 4
    tools.h.run(f"cp -a {QUEUE} {QUEUE}.restored && rm -rf {QUEUE} && "
                f"mv {QUEUE}.restored {QUEUE}")
    p = ctl(tools, "check", code=1)
    assert p.stdout.count("its inode number is") == 4, p.stdout
    p = ctl(tools, "repair")
    assert "4 messages, 4 found, 4 repaired, 0 left" in p.stdout
    assert ctl(tools, "check").stdout == "4 messages, nothing wrong\n"
    after = listed(tools)
    assert before == sorted(json.dumps({**m, "id": 0}, sort_keys=True)
                            for m in after.values())
    for n in after:
        assert tools.h.stat(f"{QUEUE}/mess/{n % 23}/{n}").st_ino == n
    for u in users:
        ready(tools, u)
    start(tools)
    ctl(tools, "release", "--all")
    ctl(tools, "flush")
    assert len(tools.mail(users[0], 2)) == 2
    assert len(tools.mail(users[1], 2)) == 2
    tools.mail(users[2])
    tools.empty()


def test_owners_modes_and_missing_parts(tools, stopped):
    empty(tools)
    stopped()
    tools.h.run(f"rmdir {QUEUE}/hold; rm {QUEUE}/lock/trigger; "
                f"chmod 777 {QUEUE}/todo; chown root {QUEUE}/info/3; "
                f"touch {QUEUE}/core")
    p = ctl(tools, "check", code=1)
    for line in ("hold: it is missing\n", "lock/trigger: it is missing\n",
                 "todo: its mode is 0777, not 0750\n",
                 "core: it is no part of a queue: left as it is\n"):
        assert line in p.stdout, p.stdout
    assert re.search(r"(?m)^info/3: its owner is uid 0, not \d+$", p.stdout)
    ctl(tools, "repair", code=1)        # core is left
    tools.h.run(["rm", f"{QUEUE}/core"])
    assert ctl(tools, "check").stdout == "0 messages, nothing wrong\n"
    tools.h.run(["make", "-C", "/src", "check"])


def test_unfinished_repair_keeps_services_out(tools, stopped):
    stopped()
    tools.h.run(["mkdir", "-m", "700", f"{QUEUE}/repair"])
    marks = {s: len(tools.h.log(s)) for s in SERVICES}
    for s in SERVICES:
        tools.h.run(["svc", "-o", f"/service/{s}"])
        tools.h.wait(lambda: "unfinished repair in /var/qmail/queue/repair" in
                     tools.h.log(s)[marks[s]:], f"{s} to say why")
    stopped()
    assert "a repair was interrupted" in ctl(tools, "check", code=1).stdout
    ctl(tools, "repair")
    assert not tools.h.exists(f"{QUEUE}/repair")
