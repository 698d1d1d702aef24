"""Taking over a host as the page valija-takeover(7) says, and asking it then.

The commands come from the page's displays, so that it and the tests cannot
part."""

import json
import os
import re

from oldsite import DOMAINS, QMAIL, SRC, VPOPMAIL, OldSite


def page(path):
    """The commands of a page: heading -> list of what its displays say."""
    out, heading, block = {}, None, None
    with open(path) as f:
        for line in f.read().splitlines():
            if m := re.match(r"\.S[sh] (.*)", line):
                heading = m.group(1)
            elif line.startswith(".Bd -literal"):
                block = []
            elif line == ".Ed":
                out.setdefault(heading, []).append("\n".join(block) + "\n")
                block = None
            elif block is not None:
                block.append(line.replace("\\e", "\\").replace("\\&", ""))
            elif line.startswith(".Dl "):
                out.setdefault(heading, []).append(
                    line[4:].replace("\\e", "\\") + "\n")
    return out


PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), "vpop", "valija-takeover.7")
# What some hosts alone have to do: a word in the command, for which store.
ONLY = {"echo cdb": "cdb", "echo mysql": "mysql", "vschema": "mysql",
        "web.example": "cdb"}
# Commands that say by their exit status what they found.
FINDS = ("vschema --check", "grep ")
LOGIN = r"""
import json, subprocess, sys
out = []
for service, ip, user, password in json.load(sys.stdin):
    p = subprocess.run(["/bin/sh", "-c", "exec /home/vpopmail/bin/vchkpw "
        "/bin/sh -c 'pwd; id -u; id -g; echo $USER' 3<&0 </dev/null"],
        input=f"{user}\0{password}\0\0".encode(), capture_output=True,
        env={"SERVICE": service, "TCPREMOTEIP": ip, "PATH": "/usr/bin:/bin"})
    out.append([p.returncode, p.stdout.decode().splitlines()])
print(json.dumps(out))
"""
SMTP = r"""
import json, smtplib, sys
out = []
s = smtplib.SMTP("127.0.0.1", 25, timeout=60)
for sender, rcpt, text in json.load(sys.stdin):
    s.ehlo_or_helo_if_needed()
    s.mail(sender)
    code, said = s.rcpt(rcpt)
    if code == 250:
        code, said = s.data(text)
    s.rset()
    out.append([code, said.decode()])
s.quit()
print(json.dumps(out))
"""

# What a client without TLS, or with it from the first byte, sees: the message
# of each identifier.  It leaves in the given way.
POP3 = r"""
import json, poplib, socket, ssl, sys
out, connect = [], socket.create_connection
# What comes from 127.0.0.1 is webmail to vpopmail.
socket.create_connection = lambda to, t: connect(to, t, ("127.0.0.2", 0))
for port, user, password, quit in json.load(sys.stdin):
    try:
        c = poplib.POP3("127.0.0.1", port, timeout=60) if port == 110 else \
            poplib.POP3_SSL("127.0.0.1", port, timeout=60,
                            context=ssl._create_unverified_context())
        c.user(user)
        c.pass_(password)
        out.append({uidl.decode(): b"\n".join(c.retr(int(n))[1]).decode()
                    for n, uidl in (x.split() for x in c.uidl()[1])})
        c.quit() if quit else c.close()
    except poplib.error_proto as e:
        out.append(str(e))
print(json.dumps(out))
"""

KEPT = [DOMAINS, QMAIL + "/control", QMAIL + "/users", QMAIL + "/alias",
        QMAIL + "/rc", VPOPMAIL + "/etc"]
PROGRAMS = [VPOPMAIL + "/bin", QMAIL + "/bin", "/usr/local/bin", "/command"]


class TakenOver(OldSite):
    """And what was seen on the way: trees before and after, what was said."""

    def take_over(self):
        self.before, self.programs = self.tree(*KEPT), self.tree(*PROGRAMS)
        self.said = self.follow("Settings", "POP3", "Look first", "Save",
                                "Stop", "Install")
        self.after = self.tree(*KEPT)
        self.h.wait(lambda: self.h.running("qmail-send") and
                    self.h.running("qmail-smtpd") and
                    self.h.exists(QMAIL + "/run/auth") and
                    self.h.running("qmail-popup"), "the new services")
        assert not self.h.running("qmail-pop3d")
        self.said.update(self.follow("Look again"))

    def follow(self, *headings):
        """Do what the page says below these headings, and nothing else.  What
        it printed, by heading: a list."""
        steps, said = page(PAGE), {}
        assert list(steps) == ["Settings", "POP3", "Look first", "Save",
                               "Stop", "Install", "Look again",
                               "Back again", "Staying"]
        for heading in headings:
            for text in steps[heading]:
                if any(word in text and self.store != store
                       for word, store in ONLY.items()):
                    continue
                finds = any(word in text for word in FINDS)
                p = self.h.run(["/bin/sh", "-c" if finds else "-ec", text],
                               cwd=SRC, check=not finds, timeout=600)
                said.setdefault(heading, []).append(p.stdout)
        return said

    def home(self, address):
        name, domain = address.split("@")
        return self.boxes[address].home if address in self.boxes else \
            f"{self.dir_of(domain)}/{name}"

    def mails(self, address, sub="new"):
        d = f"{self.home(address)}/Maildir/{sub}"
        return [self.h.read(f"{d}/{n}") for n in self.h.listdir(d)]

    def arrived(self, address, subject):
        """Waits for a message with this subject in a mailbox."""
        def look():
            return [m for m in self.mails(address)
                    if f"\nSubject: {subject}\n" in m]
        return self.h.wait(look, f"{subject} for {address}")[0]

    def vpop(self, *argv, check=True, **kw):
        return self.h.run([f"{VPOPMAIL}/bin/{argv[0]}", *argv[1:]],
                          check=check, **kw)

    def logins(self, tries):
        """[service, address, user, password] -> [exit code, lines], as
        root."""
        return json.loads(self.h.run(["python3", "-c", LOGIN],
                                     input=json.dumps(tries)).stdout)

    def pop3(self, *sessions):
        """[port, user, password, with QUIT] -> {identifier: message}, or the
        error."""
        return json.loads(self.h.run(["python3", "-c", POP3],
                                     input=json.dumps(sessions)).stdout)

    def smtp(self, mails):
        """(sender, recipient, subject) -> [code, text]"""
        mails = [(s, r, f"From: {s}\r\nTo: {r}\r\nSubject: {t}\r\n\r\nhi\r\n")
                 for s, r, t in mails]
        return json.loads(self.h.run(["python3", "-c", SMTP],
                                     input=json.dumps(mails)).stdout)


def differ(a, b):
    return sorted(p for p in a.keys() | b.keys() if a.get(p) != b.get(p))
