LIB_SRC += lib/cdb.c lib/fs.c lib/hash.c lib/heap.c lib/io.c lib/log.c \
	lib/loop.c lib/map.c lib/proc.c lib/sandbox.c lib/sig.c lib/sock.c \
	lib/str.c lib/tai.c lib/user.c
UNIT += str hash heap map tai io log proc sig sock fs sandbox loop user cdb oom
FUZZ += io
cdb_UNIT_LDLIBS := -lcdb
oom_UNIT_LDLIBS := -lcdb
LIB_SRC += lib/ip.c
UNIT += ip
LIB_SRC += lib/tcp.c
UNIT += tcp
LIB_SRC += lib/tlsreq.c
UNIT += tlsreq
FUZZ += tlsreq
LIB_SRC += lib/dns.c lib/dns_parse.c
UNIT += dns dns_parse
FUZZ += dns
LIB_SRC += lib/base64.c
LIB_SRC += lib/keep.c
UNIT += base64 keep
LIB_SRC += lib/cdb_ask.c lib/user_file.c
