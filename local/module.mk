LOCAL_SRC := local/delivery.c local/dotfile.c local/environ.c local/mbox.c \
	local/program.c
PROGS += qmail-local
qmail-local_SRC := local/qmail-local.c local/worker.c $(LOCAL_SRC)
