/* tls/keyproto.h - asking keyd for a signature: both ends of its socket.
 *
 *   question  kind ("S": sign, "?": is it there), 32 bytes SHA-256 of the
 *             public key (SubjectPublicKeyInfo), TLS SignatureScheme in two
 *             bytes, big-endian, then the digest (ed25519: the message)
 *   answer    one byte, enum keyproto_answer, and the signature
 *
 * A packet each (SOCK_SEQPACKET).  Nothing here decrypts, and no scheme signs
 * a block that the asker padded: whoever asks can make TLS signatures while it
 * may ask, and nothing else.  keyd trusts its peer's uid, not these bytes. */
#ifndef TLS_KEYPROTO_H
#define TLS_KEYPROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYPROTO_SOCKET HOME_DIR "/run/key/socket"
#define KEYPROTO_ID 32                  /* bytes */
#define KEYPROTO_HEAD (1 + KEYPROTO_ID + 2)
#define KEYPROTO_DATA 512               /* bytes; ed25519 in TLS needs 150 */
#define KEYPROTO_SIGNATURE 1024         /* bytes: RSA of 8192 bits */
#define KEYPROTO_PER_CONNECTION 4       /* signatures; a handshake needs 1 */
#define KEYPROTO_WAIT_MS 10000

enum keyproto_type { KEYPROTO_EC, KEYPROTO_RSA, KEYPROTO_ED25519 };

/* X(number, type, OpenSSL's name of the digest, bytes signed, PSS) */
#define KEYPROTO_SCHEMES(X)                                                   \
	X(0x0403, KEYPROTO_EC, "SHA256", 32, false)                           \
	X(0x0503, KEYPROTO_EC, "SHA384", 48, false)                           \
	X(0x0804, KEYPROTO_RSA, "SHA256", 32, true)                           \
	X(0x0805, KEYPROTO_RSA, "SHA384", 48, true)                           \
	X(0x0806, KEYPROTO_RSA, "SHA512", 64, true)                           \
	X(0x0401, KEYPROTO_RSA, "SHA256", 32, false)                          \
	X(0x0501, KEYPROTO_RSA, "SHA384", 48, false)                          \
	X(0x0601, KEYPROTO_RSA, "SHA512", 64, false)                          \
	X(0x0807, KEYPROTO_ED25519, "", 0, false)

struct keyproto_scheme {
	uint16_t number;
	enum keyproto_type type;
	const char *digest;             /* "" : the message itself */
	size_t bytes;                   /* 0: 1..KEYPROTO_DATA */
	bool pss;                       /* salt as long as the digest */
};
/* NULL when there is none. */
const struct keyproto_scheme *keyproto_scheme(unsigned number);
const struct keyproto_scheme *keyproto_find(enum keyproto_type,
    const char *digest, bool pss);

enum keyproto_answer {
	KEYPROTO_OK = 0,
	KEYPROTO_NO_KEY = 1,
	KEYPROTO_UNFIT = 2,             /* scheme and key, or too many asked */
	KEYPROTO_BROKEN = 3,            /* signing failed */
};

struct keyproto {
	bool sign;
	unsigned char id[KEYPROTO_ID];
	const struct keyproto_scheme *scheme;   /* NULL unless sign */
	const unsigned char *data;
	size_t n;
};

/* Borrows from bytes; -1 (EPROTO) when malformed. */
__attribute__((warn_unused_result))
int keyproto_parse(const unsigned char *bytes, size_t n, struct keyproto *out);
/* out of KEYPROTO_HEAD + KEYPROTO_DATA bytes; how many were written. */
size_t keyproto_write(unsigned char *out, const struct keyproto *);

/* The asker.  0, or -1 with errno: ENOKEY, EINVAL (unfit), EIO (broken),
 * EPROTO, ETIMEDOUT, or what the socket said. */
__attribute__((warn_unused_result))
int keyproto_has(int fd, const unsigned char id[KEYPROTO_ID]);
__attribute__((warn_unused_result))
int keyproto_sign(int fd, const struct keyproto *,
    unsigned char sig_out[KEYPROTO_SIGNATURE], size_t *n_out);

#endif
