PROGS += qmail-queued
MAN += queue/qmail-queued.8
qmail-queued_SRC := queue/qmail-queued.c queue/envelope.c queue/qmsg.c \
	queue/service.c

PROGS += qmail-queue
MAN += queue/qmail-queue.8
qmail-queue_SRC := queue/qmail-queue.c

PROGS += qmail-clean
MAN += queue/qmail-clean.8
qmail-clean_SRC := queue/qmail-clean.c queue/clean.c

UNIT += queue
queue_UNIT_SRC := queue/clean.c queue/envelope.c queue/qmsg.c
FUZZ += envelope
envelope_FUZZ_SRC := queue/envelope.c

UNIT += qscan
qscan_UNIT_SRC := queue/qscan.c TESTS/unit/queue_fixture.c

UNIT += qselect
qselect_UNIT_SRC := queue/qselect.c queue/qscan.c

PROGS += qmail-qread
qmail-qread_SRC := queue/qmail-qread.c queue/qshow.c queue/qselect.c \
	queue/qscan.c

PROGS += qmail-qstat
qmail-qstat_SRC := queue/qmail-qstat.c queue/qscan.c

UNIT += qshow
qshow_UNIT_SRC := queue/qshow.c queue/qselect.c queue/qscan.c \
	TESTS/unit/queue_fixture.c

PROGS += qmail-queuectl
qmail-queuectl_SRC := queue/qmail-queuectl.c queue/queuectl.c queue/clean.c \
	queue/qact.c queue/qcheck.c queue/qlayout.c queue/qlock.c queue/qmove.c \
	queue/qrepair.c queue/qscan.c queue/qselect.c queue/qshow.c \
	queue/qwalk.c

UNIT += qrepair
qrepair_UNIT_SRC := queue/qrepair.c queue/qlayout.c queue/qmove.c \
	queue/qscan.c queue/qwalk.c TESTS/unit/queue_fixture.c
qrepair_UNIT_LDLIBS := -Wl,--wrap=renameat2,--wrap=mkdir,--wrap=rmdir \
	-Wl,--wrap=unlink,--wrap=syncfs

UNIT += qact
qact_UNIT_SRC := queue/clean.c queue/qact.c queue/qlock.c queue/qscan.c \
	TESTS/unit/queue_fixture.c

UNIT += queuectl
queuectl_UNIT_SRC := queue/queuectl.c queue/clean.c queue/qact.c queue/qcheck.c \
	queue/qlayout.c queue/qlock.c queue/qmove.c queue/qrepair.c \
	queue/qscan.c queue/qselect.c queue/qshow.c queue/qwalk.c

MAN += queue/qmail-qread.8
MAN += queue/qmail-qstat.8
MAN += queue/qmail-queuectl.8
MAN += queue/qmail-qctl.5
MAN += queue/qmail-envelope.5

FUZZ += qshow
qshow_FUZZ_SRC := queue/qshow.c queue/qselect.c queue/qscan.c
