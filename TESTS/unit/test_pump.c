/* test_pump.c - a TLS session in one process: the program's end, and a peer
 * that takes its last bytes, some of them, or none. */
#include "TESTS/unit/unit.h"

#include "lib/io.h"
#include "lib/sock.h"
#include "tls/context.h"
#include "tls/pair.h"
#include "tls/pump.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MINUTES (10 * 60 * 1000)        /* ends a broken run */

struct lab {
	struct netbio net;
	SSL_CTX *client_ctx, *server_ctx;
	SSL *client, *server;
	int peer, plain, program;
	struct pump p;
};

static void
open_lab(struct lab *l)
{
	static BIO_METHOD *method;
	struct pair pair = {0};
	const int small = 4608;
	int far, done = 0;
	BIO *b;

	*l = (struct lab){.net = {.quiet_max = PUMP_QUIET}};
	if (method == NULL)
		method = netbio_method();
	assert_int_equal(pair_make(&pair, "a.example", KEYPROTO_EC), 0);
	l->client_ctx = context_client();
	l->server_ctx = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(l->server_ctx, pair.leaf), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(l->server_ctx, pair.key), 1);
	pair_free(&pair);
	assert_int_equal(sock_pair(SOCK_STREAM, &l->peer, &far), 0);
	assert_int_equal(setsockopt(far, SOL_SOCKET, SO_SNDBUF, &small,
	    sizeof small), 0);
	assert_int_equal(fd_nonblock(l->peer), 0);
	l->net.fd = far;
	l->client = SSL_new(l->client_ctx);
	l->server = SSL_new(l->server_ctx);
	b = netbio_new(method, &l->net);
	SSL_set_bio(l->server, b, b);
	assert_int_equal(SSL_set_fd(l->client, l->peer), 1);
	SSL_set_accept_state(l->server);
	SSL_set_connect_state(l->client);
	for (int i = 0; i < 100 && done < 2; i++)
		done = (SSL_do_handshake(l->client) == 1) +
		    (SSL_do_handshake(l->server) == 1);
	assert_int_equal(done, 2);
	assert_int_equal(sock_pair(SOCK_STREAM, &l->plain, &l->program), 0);
	l->p = (struct pump){.ssl = l->server, .net = &l->net,
	    .plain = l->plain, .idle_ms = MINUTES, .linger_ms = 1,
	    .rest_ms = MINUTES};
}

static void
close_lab(struct lab *l)
{
	SSL_free(l->client);
	SSL_free(l->server);
	SSL_CTX_free(l->client_ctx);
	SSL_CTX_free(l->server_ctx);
	(void)close(l->peer);
	(void)close(l->net.fd);
	(void)close(l->plain);
	if (l->program >= 0)
		(void)close(l->program);
}

/* The program says n bytes and ends. */
static void
speak(struct lab *l, size_t n)
{
	static char text[100000];

	memset(text, 'x', sizeof text);
	assert_true(n <= sizeof text);
	assert_int_equal(fd_write_all(l->program, text, n), 0);
	(void)close(l->program);
	l->program = -1;
}

static void
test_end(void **state)
{
	struct lab l;
	char buf[100];

	(void)state;
	open_lab(&l);
	speak(&l, sizeof buf);
	assert_int_equal(pump_run(&l.p), PUMP_CLOSED);
	assert_int_equal(l.p.out, sizeof buf);
	assert_int_equal(SSL_read(l.client, buf, sizeof buf), sizeof buf);
	assert_int_equal(SSL_read(l.client, buf, sizeof buf), 0);
	assert_int_equal(SSL_get_error(l.client, 0), SSL_ERROR_ZERO_RETURN);
	close_lab(&l);
}

/* Nobody else would end it: what counts the connection has seen the program's
 * end. */
static void
test_peer_takes_nothing(void **state)
{
	struct lab l;

	(void)state;
	open_lab(&l);
	speak(&l, 100000);
	l.p.rest_ms = 50;
	assert_int_equal(pump_run(&l.p), PUMP_STUCK);
	assert_true(l.p.out < 100000);
	close_lab(&l);
}

/* With the program there it is a matter of patience. */
static void
test_program_stays(void **state)
{
	struct lab l;

	(void)state;
	open_lab(&l);
	l.p.idle_ms = 50;
	l.p.rest_ms = 1;
	assert_int_equal(pump_run(&l.p), PUMP_IDLE);
	close_lab(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_peer_takes_nothing),
		cmocka_unit_test(test_program_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
