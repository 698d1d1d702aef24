PROGS += qmail-verify
VERIFYD_SRC := smtpd/verifyd.c
qmail-verify_SRC := smtpd/qmail-verify.c $(VERIFYD_SRC)
qmail-verify_LDLIBS := -lcdb
UNIT += verifyd
MAN += smtpd/qmail-verify.8
verifyd_UNIT_SRC := $(VERIFYD_SRC)
verifyd_UNIT_LDLIBS := -lcdb
PROGS += qmail-smtpd
SMTPD_COMMON := smtpd/auth.c smtpd/checker.c smtpd/config.c smtpd/data.c \
	smtpd/decode.c smtpd/mailcmd.c smtpd/message.c smtpd/path.c \
	smtpd/proxy.c smtpd/rcpt.c smtpd/received.c smtpd/sender.c \
	smtpd/session.c smtpd/tls.c smtpd/wire.c smtpd/xclient.c
qmail-smtpd_SRC := smtpd/qmail-smtpd.c $(SMTPD_COMMON)
qmail-smtpd_LDLIBS := -lcdb
qmail-smtpd_LDFLAGS := -static-pie
MAN += smtpd/qmail-smtpd.8
NSD_COMMON := smtpd/nsd.c smtpd/message.c
PROGS += qmail-qmtpd
qmail-qmtpd_SRC := smtpd/qmail-qmtpd.c smtpd/qmtpd.c $(NSD_COMMON)
qmail-qmtpd_LDLIBS := -lcdb
PROGS += qmail-qmqpd
qmail-qmqpd_SRC := smtpd/qmail-qmqpd.c smtpd/qmqpd.c $(NSD_COMMON)
qmail-qmqpd_LDLIBS := -lcdb
UNIT += nsd
nsd_UNIT_SRC := smtpd/qmqpd.c smtpd/qmtpd.c $(NSD_COMMON)
nsd_UNIT_LDLIBS := -lcdb

SMTPD_FAKE := $(SMTPD_COMMON) TESTS/unit/smtpd_fake.c
SMTPD_WRAP := -lcdb -Wl,--wrap=qsubmit_open,--wrap=qsubmit_put \
	-Wl,--wrap=qsubmit_from,--wrap=qsubmit_to,--wrap=qsubmit_params \
	-Wl,--wrap=qsubmit_rcpt_params,--wrap=qsubmit_close \
	-Wl,--wrap=qsubmit_fail,--wrap=verify_ask,--wrap=checker_ask \
	-Wl,--wrap=log_info
UNIT += smtpd
smtpd_UNIT_SRC := $(SMTPD_FAKE)
smtpd_UNIT_LDLIBS := $(SMTPD_WRAP)
FUZZ += smtp_command smtp_data
smtp_command_FUZZ_SRC := $(SMTPD_FAKE)
smtp_command_FUZZ_LDLIBS := $(SMTPD_WRAP)
smtp_data_FUZZ_SRC := $(SMTPD_FAKE)
smtp_data_FUZZ_LDLIBS := $(SMTPD_WRAP)
MAN += smtpd/qmail-qmqpd.8
MAN += smtpd/qmail-qmtpd.8
qmail-qmtpd_LDFLAGS := -static-pie
qmail-qmqpd_LDFLAGS := -static-pie
