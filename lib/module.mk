LIB_SRC += lib/cdb.c lib/fs.c lib/hash.c lib/heap.c lib/io.c lib/log.c \
	lib/loop.c lib/map.c lib/proc.c lib/sig.c lib/sock.c lib/str.c \
	lib/tai.c lib/user.c
FUZZ += io
UNIT += str hash heap map tai
UNIT += io log
UNIT += proc
UNIT += sig sock fs
