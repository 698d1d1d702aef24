INJECT_SRC := inject/account.c inject/body.c inject/compose.c inject/config.c \
	inject/followup.c inject/inject.c inject/rewrite.c
PROGS += qmail-inject
qmail-inject_SRC := inject/qmail-inject.c $(INJECT_SRC)
PROGS += sendmail
sendmail_SRC := inject/sendmail.c inject/smopts.c inject/smrun.c \
	inject/smverify.c $(INJECT_SRC)
PROGS += predate
predate_SRC := inject/predate.c inject/prefix.c
PROGS += datemail
datemail_SRC := inject/datemail.c
PROGS += mailsubj
mailsubj_SRC := inject/mailsubj.c inject/prefix.c
UNIT += inject
inject_UNIT_SRC := $(INJECT_SRC)
UNIT += smopts
smopts_UNIT_SRC := inject/smopts.c inject/smrun.c \
	inject/smverify.c $(INJECT_SRC)
MAN += inject/qmail-inject.8 inject/sendmail.8 inject/qmail-header.5
MAN += inject/predate.1 inject/datemail.1 inject/mailsubj.1
FUZZ += inject
inject_FUZZ_SRC := $(INJECT_SRC)
UNIT += prefix
prefix_UNIT_SRC := inject/prefix.c
