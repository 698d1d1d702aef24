# supervise: services kept running and their logs, as daemontools does it.
SUP_TOOL := supervise/tool.c

CMDS += envdir
envdir_SRC := supervise/envdir.c supervise/envfiles.c $(SUP_TOOL)
CMDS += envuidgid
envuidgid_SRC := supervise/envuidgid.c supervise/account.c $(SUP_TOOL)
CMDS += fghack
fghack_SRC := supervise/fghack.c $(SUP_TOOL)
CMDS += pgrphack
pgrphack_SRC := supervise/pgrphack.c $(SUP_TOOL)
CMDS += readproctitle
readproctitle_SRC := supervise/readproctitle.c supervise/title.c
CMDS += setlock
setlock_SRC := supervise/setlock.c $(SUP_TOOL)
CMDS += setuidgid
setuidgid_SRC := supervise/setuidgid.c supervise/account.c $(SUP_TOOL)
CMDS += softlimit
softlimit_SRC := supervise/softlimit.c supervise/limit.c $(SUP_TOOL)
CMDS += supervise
supervise_SRC := supervise/supervise.c supervise/superv.c \
	supervise/status.c $(SUP_TOOL)
CMDS += svc
svc_SRC := supervise/svc.c supervise/svcopt.c supervise/svcwait.c \
	supervise/status.c $(SUP_TOOL)
CMDS += svok
svok_SRC := supervise/svok.c supervise/status.c $(SUP_TOOL)
CMDS += svstat
svstat_SRC := supervise/svstat.c supervise/status.c $(SUP_TOOL)
CMDS += svup
svup_SRC := supervise/svup.c supervise/status.c $(SUP_TOOL)
CMDS += tai64n
tai64n_SRC := supervise/tai64n.c supervise/stamp.c
CMDS += tai64nlocal
tai64nlocal_SRC := supervise/tai64nlocal.c supervise/stamp.c
CMDS += multilog
multilog_SRC := supervise/multilog.c supervise/logger.c supervise/logdir.c \
	supervise/logpat.c supervise/stamp.c $(SUP_TOOL)
CMDS += svscan
svscan_SRC := supervise/svscan.c supervise/scan.c supervise/status.c \
	$(SUP_TOOL)
CMDS += tcpserver
tcpserver_SRC := supervise/tcpserver.c supervise/server.c \
	supervise/server_opt.c supervise/kept.c supervise/session.c \
	supervise/peers.c supervise/srvlimits.c supervise/rules.c \
	supervise/tcpwho.c $(SUP_TOOL)
tcpserver_LDLIBS := -lcdb
# The address space that run scripts leave it (softlimit -m 4000000) has no room
# for shared libraries.
tcpserver_LDFLAGS := -static-pie
CMDS += tcprules
tcprules_SRC := supervise/tcprules.c supervise/rules.c $(SUP_TOOL)
tcprules_LDLIBS := -lcdb
CMDS += tcprulescheck
tcprulescheck_SRC := supervise/tcprulescheck.c supervise/rules.c $(SUP_TOOL)
tcprulescheck_LDLIBS := -lcdb
SCRIPTS += supervise/svscanboot

UNIT += logpat
logpat_UNIT_SRC := supervise/logpat.c
UNIT += peers
peers_UNIT_SRC := supervise/peers.c supervise/srvlimits.c
UNIT += rules
rules_UNIT_SRC := supervise/rules.c
rules_UNIT_LDLIBS := -lcdb
UNIT += stamp
stamp_UNIT_SRC := supervise/stamp.c
UNIT += svc
svc_UNIT_SRC := supervise/svcopt.c supervise/svcwait.c
UNIT += svstatus
svstatus_UNIT_SRC := supervise/status.c
UNIT += svtools
svtools_UNIT_SRC := supervise/envfiles.c supervise/limit.c supervise/title.c \
	$(SUP_TOOL)
UNIT += logdir
logdir_UNIT_SRC := supervise/logdir.c supervise/stamp.c $(SUP_TOOL)
UNIT += logger
logger_UNIT_SRC := supervise/logger.c supervise/logdir.c supervise/logpat.c \
	supervise/stamp.c $(SUP_TOOL)

MAN += supervise/envdir.8
MAN += supervise/envuidgid.8
MAN += supervise/fghack.8
MAN += supervise/multilog.8
MAN += supervise/pgrphack.8
MAN += supervise/readproctitle.8
MAN += supervise/setlock.8
MAN += supervise/setuidgid.8
MAN += supervise/softlimit.8
MAN += supervise/supervise.8
MAN += supervise/svc.8
MAN += supervise/svok.8
MAN += supervise/svscan.8
MAN += supervise/svscanboot.8
MAN += supervise/svstat.8
MAN += supervise/svup.8
MAN += supervise/tai64n.8
MAN += supervise/tai64nlocal.8

MAN += supervise/tcprules.1
MAN += supervise/tcprulescheck.1
MAN += supervise/tcpserver.1

FUZZ += logger
logger_FUZZ_SRC := supervise/logger.c supervise/logdir.c supervise/logpat.c \
	supervise/stamp.c $(SUP_TOOL)
FUZZ += stamp
stamp_FUZZ_SRC := supervise/stamp.c
FUZZ += tcprules
tcprules_FUZZ_SRC := supervise/rules.c supervise/srvlimits.c
tcprules_FUZZ_LDLIBS := -lcdb

CMDS += addcr
addcr_SRC := supervise/addcr.c supervise/crlf.c supervise/filter.c $(SUP_TOOL)
CMDS += argv0
argv0_SRC := supervise/argv0.c $(SUP_TOOL)
CMDS += delcr
delcr_SRC := supervise/delcr.c supervise/crlf.c supervise/filter.c $(SUP_TOOL)
CMDS += fixcrio
fixcrio_SRC := supervise/fixcrio.c supervise/crlf.c supervise/relay.c \
	$(SUP_TOOL)
CMDS += mconnect-io
mconnect-io_SRC := supervise/mconnect-io.c supervise/crlf.c \
	supervise/relay.c $(SUP_TOOL)
CMDS += recordio
recordio_SRC := supervise/recordio.c supervise/record.c supervise/relay.c \
	$(SUP_TOOL)
SCRIPTS += supervise/date@ supervise/finger@ supervise/http@ \
	supervise/mconnect supervise/tcpcat supervise/who@
CMDS += rblsmtpd
rblsmtpd_SRC := supervise/rblsmtpd.c supervise/rbl.c $(SUP_TOOL)
CMDS += tcpclient
tcpclient_SRC := supervise/tcpclient.c supervise/tcpwho.c $(SUP_TOOL)

UNIT += ucspitools
ucspitools_UNIT_SRC := supervise/crlf.c supervise/rbl.c supervise/record.c \
	supervise/relay.c supervise/tcpwho.c $(SUP_TOOL)
MAN += supervise/addcr.1
MAN += supervise/argv0.1
MAN += supervise/date@.1
MAN += supervise/delcr.1
MAN += supervise/finger@.1
MAN += supervise/fixcrio.1
MAN += supervise/http@.1
MAN += supervise/mconnect.1
MAN += supervise/rblsmtpd.1
MAN += supervise/recordio.1
MAN += supervise/tcpcat.1
MAN += supervise/tcpclient.1
MAN += supervise/who@.1

# Started for every connection: a static program starts in a third of the time.
fixcrio_LDFLAGS := -static-pie
rblsmtpd_LDFLAGS := -static-pie
recordio_LDFLAGS := -static-pie
