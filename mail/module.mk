LIB_SRC += mail/qpath.c
LIB_SRC += mail/qsubmit.c
LIB_SRC += mail/qx.c
LIB_SRC += mail/spawnproto.c
LIB_SRC += mail/date.c
LIB_SRC += mail/quote.c
LIB_SRC += mail/qrecord.c
LIB_SRC += mail/qctl.c
