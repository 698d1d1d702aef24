PROGS += qmail-remote qmail-tcpto qmail-tcpok
REMOTE_COMMON := remote/config.c remote/crlf.c remote/deliver.c \
	remote/downgrade.c remote/ehlo.c remote/encode.c remote/idna.c remote/job.c \
	remote/message.c remote/mime.c remote/mxlist.c remote/reply.c \
	remote/routes.c remote/smtp.c remote/tcpto.c remote/tlspolicy.c \
	remote/transaction.c remote/wire.c remote/worker.c
qmail-remote_SRC := remote/qmail-remote.c $(REMOTE_COMMON)
qmail-remote_LDFLAGS := -static-pie
qmail-tcpto_SRC := remote/qmail-tcpto.c remote/tcpto.c
qmail-tcpok_SRC := remote/qmail-tcpok.c remote/tcpto.c
PROGS += qmail-qmqpc
qmail-qmqpc_SRC := remote/qmail-qmqpc.c remote/qmqpc.c
UNIT += remote_parse remote_message
remote_parse_UNIT_SRC := $(REMOTE_COMMON)
remote_message_UNIT_SRC := $(REMOTE_COMMON)
UNIT += remote_hosts
remote_hosts_UNIT_SRC := $(REMOTE_COMMON)
FUZZ += smtp_reply remote_message
smtp_reply_FUZZ_SRC := remote/reply.c remote/ehlo.c
remote_message_FUZZ_SRC := remote/crlf.c remote/downgrade.c remote/encode.c \
	remote/message.c remote/mime.c
UNIT += qmqpc
qmqpc_UNIT_SRC := remote/qmqpc.c
MAN += remote/qmail-remote.8 remote/qmail-tcpto.8 remote/qmail-tcpok.8
UNIT += remote_session
remote_session_UNIT_SRC := $(REMOTE_COMMON)
MAN += remote/qmail-qmqpc.8
