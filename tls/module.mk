# tls: TLS for programs that know nothing of it, and keys nobody else holds.
PROGS += keyd
keyd_SRC := tls/keyd.c tls/keyserve.c tls/keyring.c tls/key.c \
	tls/keyproto.c tls/layout.c
keyd_LDLIBS := -lcrypto
PROGS += tlsd
tlsd_SRC := tls/tlsd.c tls/serve.c tls/session.c tls/warm.c tls/pump.c \
	tls/trust.c tls/certs.c tls/certs_parse.c tls/context.c tls/netbio.c \
	tls/provider.c tls/key.c tls/keyproto.c tls/layout.c
tlsd_LDLIBS := -lssl -lcrypto
PROGS += valija-cert
valija-cert_SRC := tls/valija-cert.c tls/store.c tls/tell.c tls/pair.c \
	tls/pair_make.c tls/pair_show.c tls/certs_parse.c tls/key.c \
	tls/keyproto.c tls/layout.c
valija-cert_LDLIBS := -lcrypto
PROGS += tlswrap
tlswrap_SRC := tls/tlswrap.c
tlswrap_LDFLAGS := -static-pie
MAN += tls/keyd.8 tls/tlsd.8 tls/tlswrap.8 tls/valija-cert.8
UNIT += keyproto layout pump
pump_UNIT_SRC := tls/pump.c tls/netbio.c tls/context.c tls/pair_make.c \
	tls/pair.c tls/certs_parse.c tls/key.c tls/keyproto.c
pump_UNIT_LDLIBS := -lssl -lcrypto
keyproto_UNIT_SRC := tls/keyring.c tls/key.c tls/keyproto.c
keyproto_UNIT_LDLIBS := -lcrypto
layout_UNIT_SRC := tls/layout.c
FUZZ += keyproto
keyproto_FUZZ_SRC := tls/keyproto.c
