"""Debian's source packages, for tests that run Debian's or upstream's own
tests.  Fetched with a deb-src list of this file's own, since a machine need
not have one; apt checks it against Debian's signature."""

import glob
import os
import re
import subprocess

from host import REPO

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def mirror():
    """The mirror this machine uses, else Debian's own."""
    text = ""
    for name in ["/etc/apt/sources.list"] + \
            sorted(glob.glob("/etc/apt/sources.list.d/*")):
        if name.endswith((".list", ".sources")) and os.path.exists(name):
            with open(name) as f:
                text += f.read()
    m = re.search(r"^(?:URIs:\s*|deb\s+(?:\[[^]]*\]\s*)?)(https?://\S+/debian)"
                  r"/?(?=\s|$)", text, re.M)
    return m.group(1) if m else "http://deb.debian.org/debian"


def source(package):
    """Directory with debian/ and the original tree of bookworm's package;
    kept in build/TESTS."""
    cache = f"{REPO}/build/TESTS/{package}"
    if os.path.exists(cache + "/complete"):
        return cache
    os.makedirs(cache + "/lists/partial", exist_ok=True)
    with open(cache + "/src.sources", "w") as f:
        f.write(f"Types: deb-src\nURIs: {mirror()}\nSuites: bookworm\n"
                f"Components: main\nSigned-By: {KEYRING}\n")
    apt = ["apt-get", "-q", "-o", f"Dir::Etc::sourcelist={cache}/src.sources",
           "-o", "Dir::Etc::sourceparts=-", "-o",
           f"Dir::State::lists={cache}/lists", "-o",
           "APT::Sandbox::User=root"]
    for args in (["update"], ["source", "--download-only", package]):
        subprocess.run([*apt, *args], cwd=cache, check=True)
    for archive in glob.glob(f"{cache}/{package}_*.tar.*"):
        subprocess.run(["tar", "-xf", archive], cwd=cache, check=True)
    with open(cache + "/complete", "w"):
        pass
    return cache
