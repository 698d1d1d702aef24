"""qmail-pop3d on Maildirs in which others are at work, and on a full disk."""

import re
import subprocess

import pytest

from mailsite import HOME

MESSAGES = 5000
POP3D = [f"{HOME}/bin/qmail-pop3d", "Maildir"]

# Renames and deliveries, as fast as they go, until the input ends.
STORM = """
import os, select, sys
os.chdir(sys.argv[1])
flags, turn, new = ["", "F", "FS"], 0, 0
names = {n.split(":")[0]: n for n in os.listdir("cur")}
while not select.select([0], [], [], 0)[0]:
    for base, name in names.items():
        to = base + ":2," + flags[turn % 3]
        try:
            os.rename("cur/" + name, "cur/" + to)
        except FileNotFoundError:
            continue
        names[base] = to
    turn += 1
"""


@pytest.fixture(scope="module")
def maildir(site):
    """A user and its Maildir with MESSAGES messages."""
    user = site.new_user()
    path = site.h.user(user).pw_dir + "/Maildir"
    site.h.run(["python3", "-c", f"""
for i in range({MESSAGES}):
    with open(f"{path}/cur/{{1700000000 + i}}.M5P1.h,S=3,W=4:2,", "w") as f:
        f.write("x\\n\\n")
"""], user=user)
    return user, path


def session(h, user, *commands):
    out = h.run(POP3D, input="".join(c + "\r\n" for c in (*commands, "QUIT")),
                user=user, cwd=h.user(user).pw_dir)
    assert "fatal" not in out.stderr
    return out.stdout


def test_nothing_goes_missing(site, maildir):
    user, path = maildir
    h, left = site.h, MESSAGES
    h.write("/run/storm.py", STORM, mode=0o644)
    p = h.popen(["python3", "/run/storm.py", path], user=user,
                stdin=subprocess.PIPE)
    try:
        for i in range(40):
            out = session(h, user, "STAT", f"RETR {i + 1}", f"RETR {left}",
                          "DELE 1", f"DELE {left}", "STAT")
            assert re.findall(r"\+OK (\d+) \d+\r\n", out) == \
                [str(left), str(left - 2)], out
            assert "-ERR" not in out
            left -= 2
    finally:
        p.stdin.close()
        p.wait()
    assert len(h.listdir(f"{path}/cur")) == left


def test_mail_comes(site, maildir):
    """A message that was there before the login is seen, however late it
    came."""
    user, path = maildir
    h = site.h
    count = len(h.listdir(f"{path}/cur"))
    deliver = f"printf 'x\\n\\n' >Maildir/tmp/x && " \
        f"mv Maildir/tmp/x Maildir/new/18000000$$.x && exec {' '.join(POP3D)}"
    for _ in range(10):
        count += 1
        out = h.run(["sh", "-c", deliver], input="STAT\r\nQUIT\r\n",
                    user=user, cwd=h.user(user).pw_dir).stdout
        assert f"+OK {count} " in out


def test_full_disk(site):
    """Mail can be read and removed where nothing can be written."""
    h, user = site.h, site.new_user()
    home = h.user(user).pw_dir
    # Ten files and directories, and no room.
    h.run(f"""mount -t tmpfs -o size=256k,nr_inodes=10 none {home}/Maildir
        cd {home}/Maildir && mkdir new cur tmp
        for i in 1 2 3 4; do printf 'a\\n\\nb\\n' >cur/170000000$i.x:2,; done
        printf '/3 9 7\\n1700000002.x:2, 9 5:7:0\\n' >courierpop3dsizelist
        chown -R {user} .
        cat /dev/zero >fill 2>/dev/null; true""")
    for what in ("avail", "iavail"):
        assert h.run(["df", f"--output={what}", f"{home}/Maildir"]
                     ).stdout.split()[-1] == "0"
    out = session(h, user, "LIST", "UIDL", "RETR 3")
    # Nine as courier has it; the others are read: five bytes and three CRs.
    assert "1 8\r\n2 9\r\n3 8\r\n4 8\r\n.\r\n" in out
    assert "2 UID5-7\r\n" in out
    assert "\r\na\r\n\r\nb\r\n.\r\n" in out
    assert h.listdir(f"{home}/Maildir/tmp") == []
    for name in ("uidl", "sizes", "lock"):
        assert not h.exists(f"{home}/Maildir/pop3d.{name}")
    assert "-ERR" not in session(h, user, "DELE 3")
    assert len(h.listdir(f"{home}/Maildir/cur")) == 3
    h.run(["mount", "-o", "remount,size=1m,nr_inodes=50", f"{home}/Maildir"])
    out = session(h, user, "UIDL")
    assert "2 UID5-7\r\n3 1700000004.x\r\n.\r\n" in out
    for name in ("uidl", "sizes", "lock"):
        assert h.exists(f"{home}/Maildir/pop3d.{name}")


def test_read_only(site):
    """What cannot be removed is said to be still there."""
    h, user = site.h, site.new_user()
    home = h.user(user).pw_dir
    h.run(["sh", "-c", "printf 'a\\n' >Maildir/cur/1.x:2,"], user=user,
          cwd=home)
    h.run(f"mount --bind {home}/Maildir {home}/Maildir && "
          f"mount -o remount,bind,ro {home}/Maildir")
    out = session(h, user, "LIST", "RETR 1", "DELE 1")
    assert "\r\n1 3\r\n.\r\n" in out and "\r\na\r\n.\r\n" in out
    assert "-ERR" in out.split("\r\n")[-2]
    assert h.listdir(f"{home}/Maildir/cur") == ["1.x:2,"]
