"""Measure this mail system beside Debian's Postfix on the same file system.

The first tables inject through sendmail (bench.py), the others by SMTP
(smtp.py), then there are virtual users (vpop.py) and, beside Dovecot and
courier, POP3 (pop3.py).  TESTS/bench/README.md says what each column means.
"""

import argparse
import json
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench  # noqa: E402
import pop3  # noqa: E402
import smtp  # noqa: E402
import vpop  # noqa: E402
from host import HostError  # noqa: E402

TABLES = bench.TABLES + smtp.TABLES + vpop.TABLES + pop3.TABLES


def run(kind, tables, args, results):
    if not tables:
        return
    b = kind(args)
    try:
        b.prepare()
        for name in tables:
            b.say(name)
            results[name] = getattr(b, name)()
    finally:
        b.close()


def main():
    p = argparse.ArgumentParser(prog="TESTS/bench/run", description=__doc__,
                                formatter_class=argparse.
                                RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true",
                   help="a few minutes: fewer messages, one repetition, a "
                   "smaller queue")
    p.add_argument("--systems", default="valija,postfix",
                   help="default %(default)s")
    p.add_argument("--pop3", default="valija,dovecot,courier",
                   help="systems of the tables about POP3; default "
                   "%(default)s")
    p.add_argument("--only", default=",".join(TABLES),
                   help="tables, of: %(default)s")
    p.add_argument("--messages", type=int)
    p.add_argument("--repeat", type=int, help="runs, of which the median")
    p.add_argument("--deferred", type=int, help="messages in the big queue")
    p.add_argument("--disk", type=int, default=6000, metavar="MB")
    p.add_argument("--disk-dir", default="/var/tmp", help="where the image "
                   "of the file system lies; the disk measured")
    p.add_argument("--idle", type=int, default=100, metavar="N",
                   help="connections that do nothing in smtp_memory")
    p.add_argument("--connections", default="1,10,50,100",
                   help="rows of the tables by SMTP; default %(default)s")
    p.add_argument("--control", action="append", default=[],
                   metavar="FILE=VALUE", help="a control file of ours that "
                   "is not at its default, in the tables by SMTP")
    p.add_argument("--json", help="also write the figures to this file")
    a = p.parse_args()
    a.systems = a.systems.split(",")
    a.connections = [int(n) for n in a.connections.split(",")]
    smtp.SmtpValija.control = dict(c.split("=", 1) for c in a.control)
    a.messages = a.messages or (400 if a.quick else 3000)
    a.repeat = a.repeat or (1 if a.quick else 3)
    a.deferred = a.deferred or (5000 if a.quick else 100000)
    a.probes = 5 if a.quick else 20
    a.limit = 300
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench.build()
    results = {}
    try:
        for kind, tables in ((bench.Bench, bench.TABLES),
                             (smtp.SmtpBench, smtp.TABLES),
                             (vpop.VpopBench, vpop.TABLES),
                             (pop3.Pop3Bench, pop3.TABLES)):
            run(kind, [t for t in tables if t in a.only.split(",")], a,
                results)
    finally:
        if a.json:
            with open(a.json, "w") as f:
                json.dump(results, f, indent=1)
        bench.show(results)
        smtp.show(results)
        vpop.show(results)
        pop3.show(results)
    return 0 if all(r["complete"] for rows in results.values()
                    for r in rows if "complete" in r) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except (HostError, OSError) as e:
        print(f"bench: fatal: {e}", file=sys.stderr)
        sys.exit(111)
