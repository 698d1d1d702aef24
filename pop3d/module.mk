# pop3d: qmail-popup (the login) and qmail-pop3d (the mailbox).
PROGS += qmail-popup
POPUP_SRC := pop3d/popup.c pop3d/capa.c
qmail-popup_SRC := pop3d/qmail-popup.c $(POPUP_SRC)
qmail-popup_LDFLAGS := -static-pie
UNIT += popup
popup_UNIT_SRC := $(POPUP_SRC)
