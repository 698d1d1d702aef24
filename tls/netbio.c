/* tls/netbio.c - a socket under libssl; see netbio.h. */
#include "tls/netbio.h"

#include <errno.h>
#include <sys/socket.h>

static int
net_read(BIO *b, char *buf, int n)
{
	struct netbio *net = BIO_get_data(b);
	ssize_t r;

	BIO_clear_retry_flags(b);
	if (net->quiet >= net->quiet_max) {
		net->over = true;
		return -1;
	}
	do
		r = recv(net->fd, buf, (size_t)n, MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	if (r > 0) {
		net->quiet += (uint64_t)r;
		return (int)r;
	}
	if (r == 0) {
		net->eof = true;
		return 0;
	}
	if (errno == EAGAIN)
		BIO_set_retry_read(b);
	else
		net->error = errno;
	return -1;
}

static int
net_write(BIO *b, const char *buf, int n)
{
	struct netbio *net = BIO_get_data(b);
	ssize_t r;

	BIO_clear_retry_flags(b);
	do
		r = send(net->fd, buf, (size_t)n,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	if (r >= 0)
		return (int)r;
	if (errno == EAGAIN)
		BIO_set_retry_write(b);
	else
		net->error = errno;
	return -1;
}

static long
net_ctrl(BIO *b, int what, long n, void *p)
{
	const struct netbio *net = BIO_get_data(b);

	(void)n;
	(void)p;
	if (what == BIO_CTRL_FLUSH)
		return 1;
	return what == BIO_CTRL_EOF && net->eof;
}

BIO_METHOD *
netbio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() |
	    BIO_TYPE_SOURCE_SINK, "peer");

	if (m == NULL || BIO_meth_set_read(m, net_read) != 1 ||
	    BIO_meth_set_write(m, net_write) != 1 ||
	    BIO_meth_set_ctrl(m, net_ctrl) != 1)
		return NULL;
	return m;
}

BIO *
netbio_new(const BIO_METHOD *m, struct netbio *n)
{
	BIO *b = BIO_new(m);

	if (b == NULL)
		return NULL;
	BIO_set_data(b, n);
	BIO_set_init(b, 1);
	return b;
}
