LOCAL_SRC := local/delivery.c local/dotfile.c local/environ.c local/mbox.c \
	local/program.c local/relay.c
PROGS += qmail-local
qmail-local_SRC := local/qmail-local.c local/worker.c $(LOCAL_SRC)
HELPER_SRC := local/helper.c local/relay.c
PROGS += forward condredirect bouncesaying except preline
forward_SRC := local/forward.c $(HELPER_SRC)
condredirect_SRC := local/condredirect.c $(HELPER_SRC)
bouncesaying_SRC := local/bouncesaying.c $(HELPER_SRC)
except_SRC := local/except.c $(HELPER_SRC)
preline_SRC := local/preline.c $(HELPER_SRC)
PROGS += maildirmake maildir2mbox qreceipt
maildirmake_SRC := local/maildirmake.c
maildir2mbox_SRC := local/maildir2mbox.c local/mbox.c $(HELPER_SRC)
qreceipt_SRC := local/qreceipt.c local/receipt.c $(HELPER_SRC)
UNIT += local
local_UNIT_SRC := $(LOCAL_SRC)
