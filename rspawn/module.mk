PROGS += qmail-rspawn
RSPAWN_COMMON := rspawn/rspawn.c rspawn/pool.c rspawn/single.c \
	rspawn/report.c
qmail-rspawn_SRC := rspawn/qmail-rspawn.c $(RSPAWN_COMMON)
UNIT += rspawn
rspawn_UNIT_SRC := $(RSPAWN_COMMON)
FUZZ += rspawn_report
rspawn_report_FUZZ_SRC := rspawn/report.c
MAN += rspawn/qmail-rspawn.8
