/* tls/keyproto.c - questions to keyd and its answers; see keyproto.h. */
#include "tls/keyproto.h"

#include "lib/sock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define ROW(number, type, digest, bytes, pss) \
	{number, type, digest, bytes, pss},

static const struct keyproto_scheme schemes[] = {KEYPROTO_SCHEMES(ROW)};
#define N_SCHEMES (sizeof schemes / sizeof schemes[0])

const struct keyproto_scheme *
keyproto_scheme(unsigned number)
{
	for (size_t i = 0; i < N_SCHEMES; i++)
		if (schemes[i].number == number)
			return &schemes[i];
	return NULL;
}

const struct keyproto_scheme *
keyproto_find(enum keyproto_type type, const char *digest, bool pss)
{
	for (size_t i = 0; i < N_SCHEMES; i++)
		if (schemes[i].type == type && schemes[i].pss == pss &&
		    strcmp(schemes[i].digest, digest) == 0)
			return &schemes[i];
	return NULL;
}

int
keyproto_parse(const unsigned char *p, size_t n, struct keyproto *out)
{
	unsigned number;

	*out = (struct keyproto){0};
	errno = EPROTO;
	if (n < KEYPROTO_HEAD || n > KEYPROTO_HEAD + KEYPROTO_DATA)
		return -1;
	memcpy(out->id, p + 1, KEYPROTO_ID);
	number = (unsigned)p[1 + KEYPROTO_ID] << 8 | p[2 + KEYPROTO_ID];
	out->data = p + KEYPROTO_HEAD;
	out->n = n - KEYPROTO_HEAD;
	if (p[0] == '?')
		return number == 0 && out->n == 0 ? 0 : -1;
	out->sign = true;
	out->scheme = keyproto_scheme(number);
	if (p[0] != 'S' || out->scheme == NULL || out->n == 0 ||
	    (out->scheme->bytes != 0 && out->n != out->scheme->bytes))
		return -1;
	return 0;
}

size_t
keyproto_write(unsigned char *out, const struct keyproto *q)
{
	unsigned number = q->scheme != NULL ? q->scheme->number : 0;

	out[0] = q->sign ? 'S' : '?';
	memcpy(out + 1, q->id, KEYPROTO_ID);
	out[1 + KEYPROTO_ID] = (unsigned char)(number >> 8);
	out[2 + KEYPROTO_ID] = (unsigned char)number;
	if (q->n > 0)
		memcpy(out + KEYPROTO_HEAD, q->data, q->n);
	return KEYPROTO_HEAD + q->n;
}

/* The answer's bytes after the first; -1 with errno. */
static ssize_t
converse(int fd, const struct keyproto *q, unsigned char *sig)
{
	static const int reason[] = {0, ENOKEY, EINVAL, EIO};
	unsigned char buf[KEYPROTO_HEAD + KEYPROTO_DATA];
	unsigned char answer[1 + KEYPROTO_SIGNATURE];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;
	int r, none;

	if (q->n > KEYPROTO_DATA) {
		errno = EINVAL;
		return -1;
	}
	if (sock_send_fd(fd, buf, keyproto_write(buf, q), -1) < 0)
		return -1;
	while ((r = poll(&p, 1, KEYPROTO_WAIT_MS)) < 0 && errno == EINTR)
		;
	if (r == 0)
		errno = ETIMEDOUT;
	if (r <= 0)
		return -1;
	n = sock_recv_fd(fd, answer, sizeof answer, &none);
	if (n <= 0 || answer[0] >= sizeof reason / sizeof reason[0]) {
		if (n == 0)
			errno = ECONNRESET;
		else if (n > 0)
			errno = EPROTO;
		return -1;
	}
	if (answer[0] != KEYPROTO_OK) {
		errno = reason[answer[0]];
		return -1;
	}
	memcpy(sig, answer + 1, (size_t)n - 1);
	return n - 1;
}

int
keyproto_has(int fd, const unsigned char id[KEYPROTO_ID])
{
	unsigned char sig[KEYPROTO_SIGNATURE];
	struct keyproto q = {0};

	memcpy(q.id, id, KEYPROTO_ID);
	return converse(fd, &q, sig) < 0 ? -1 : 0;
}

int
keyproto_sign(int fd, const struct keyproto *q,
    unsigned char sig_out[KEYPROTO_SIGNATURE], size_t *n_out)
{
	ssize_t n = converse(fd, q, sig_out);

	if (n == 0)
		errno = EPROTO;
	if (n <= 0)
		return -1;
	*n_out = (size_t)n;
	return 0;
}
