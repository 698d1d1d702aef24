# pop3d: qmail-popup (the login) and qmail-pop3d (the mailbox).
PROGS += qmail-popup
POPUP_SRC := pop3d/popup.c pop3d/capa.c
qmail-popup_SRC := pop3d/qmail-popup.c $(POPUP_SRC)
qmail-popup_LDFLAGS := -static-pie
UNIT += popup
popup_UNIT_SRC := $(POPUP_SRC)
BOX_SRC := pop3d/lists.c pop3d/box.c pop3d/box_file.c pop3d/box_name.c \
	pop3d/box_order.c pop3d/box_sizes.c pop3d/box_slot.c pop3d/box_uidl.c \
	pop3d/box_update.c
UNIT += box box_lists lists
box_UNIT_SRC := $(BOX_SRC) TESTS/unit/box_fixture.c
box_lists_UNIT_SRC := $(BOX_SRC) TESTS/unit/box_fixture.c
lists_UNIT_SRC := pop3d/lists.c
FUZZ += lists box
lists_FUZZ_SRC := pop3d/lists.c
box_FUZZ_SRC := $(BOX_SRC)
SESSION_SRC := pop3d/session.c pop3d/messages.c pop3d/send.c pop3d/out.c \
	pop3d/capa.c
POP3_FAKE := $(SESSION_SRC) TESTS/unit/pop3_fake.c
UNIT += pop3_send
pop3_send_UNIT_SRC := $(POP3_FAKE)
UNIT += pop3_session
pop3_session_UNIT_SRC := $(POP3_FAKE)
PROGS += qmail-pop3d
qmail-pop3d_SRC := pop3d/qmail-pop3d.c $(SESSION_SRC) $(BOX_SRC)
qmail-pop3d_LDFLAGS := -static-pie
FUZZ += popup
popup_FUZZ_SRC := $(POPUP_SRC)
FUZZ += pop3_send pop3_session
pop3_send_FUZZ_SRC := $(POP3_FAKE)
pop3_session_FUZZ_SRC := $(POP3_FAKE)
pop3_session_FUZZ_LDLIBS := -Wl,--wrap=log_info,--wrap=log_sys
MAN += pop3d/qmail-pop3d.8
MAN += pop3d/qmail-popup.8 pop3d/pop3d.uidl.5
