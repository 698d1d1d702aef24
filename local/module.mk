LOCAL_SRC := local/delivery.c local/environ.c local/mbox.c
PROGS += qmail-local
qmail-local_SRC := local/qmail-local.c local/worker.c local/copies.c \
	$(LOCAL_SRC)
HELPER_SRC := local/helper.c
PROGS += forward condredirect bouncesaying except preline
forward_SRC := local/forward.c $(HELPER_SRC)
condredirect_SRC := local/condredirect.c $(HELPER_SRC)
bouncesaying_SRC := local/bouncesaying.c $(HELPER_SRC)
except_SRC := local/except.c $(HELPER_SRC)
preline_SRC := local/preline.c $(HELPER_SRC)
PROGS += maildirmake maildir2mbox qreceipt
maildirmake_SRC := local/maildirmake.c
maildir2mbox_SRC := local/maildir2mbox.c local/drain.c local/mbox.c \
	$(HELPER_SRC)
qreceipt_SRC := local/qreceipt.c local/receipt.c $(HELPER_SRC)
UNIT += local
local_UNIT_SRC := local/copies.c local/drain.c $(LOCAL_SRC)
UNIT += receipt
receipt_UNIT_SRC := local/receipt.c
MAN += local/qmail-local.8 local/dot-qmail.5 local/maildir.5 local/mbox.5 \
	local/forward.1 local/condredirect.1 local/bouncesaying.1 \
	local/except.1 local/preline.1 local/qreceipt.1 local/maildirmake.1 \
	local/maildir2mbox.1
