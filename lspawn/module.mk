LSPAWN_SRC := lspawn/lspawn.c lspawn/lookup.c lspawn/pool.c
PROGS += qmail-lspawn
qmail-lspawn_SRC := lspawn/qmail-lspawn.c $(LSPAWN_SRC)
qmail-lspawn_LDLIBS := -lcdb
PROGS += qmail-getpw
qmail-getpw_SRC := lspawn/qmail-getpw.c
UNIT += lspawn
lspawn_UNIT_SRC := $(LSPAWN_SRC)
lspawn_UNIT_LDLIBS := -lcdb
$(B)/TESTS/unit/lspawn: | $(B)/qmail-local $(B)/qmail-getpw
PROGS += qmail-newu
qmail-newu_SRC := lspawn/qmail-newu.c
qmail-newu_LDLIBS := -lcdb
PROGS += qmail-pw2u
qmail-pw2u_SRC := lspawn/qmail-pw2u.c lspawn/pw2u.c
UNIT += pw2u
pw2u_UNIT_SRC := lspawn/pw2u.c
MAN += lspawn/qmail-lspawn.8 lspawn/qmail-getpw.8 lspawn/qmail-newu.8 \
	lspawn/qmail-pw2u.8 lspawn/qmail-users.5
