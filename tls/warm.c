/* tls/warm.c - a rehearsal before the first session; see warm.h. */
#include "tls/warm.h"

#include <openssl/bio.h>
#include <openssl/err.h>

#define TURNS 10                /* more than any handshake has */

/* Both sides in turn, until neither waits for the other.  Then a line goes
 * over, with which a client takes the ticket, too. */
static void
rehearse(SSL *server, SSL *client)
{
	char buf[16];
	int a = 0, b = 0;

	for (int i = 0; i < TURNS && (a != 1 || b != 1); i++) {
		b = SSL_do_handshake(client);
		a = SSL_do_handshake(server);
	}
	if (a != 1 || b != 1)
		return;
	(void)SSL_write(client, "EHLO\r\n", 6);
	(void)SSL_read(server, buf, sizeof buf);
	(void)SSL_write(server, "250 \r\n", 6);
	(void)SSL_read(client, buf, sizeof buf);
	(void)SSL_shutdown(client);
	(void)SSL_shutdown(server);
}

static void
warm_version(const struct session_tools *tl, int version)
{
	struct context_session named = {.service = "smtp"};
	SSL *server = SSL_new(tl->certs->standard);
	SSL *client = SSL_new(tl->client);
	BIO *a = NULL, *b = NULL;

	if (server != NULL && client != NULL &&
	    BIO_new_bio_pair(&a, 0, &b, 0) == 1) {
		SSL_set_bio(server, a, a);
		SSL_set_bio(client, b, b);
		(void)SSL_set_app_data(server, &named);
		SSL_set_accept_state(server);
		SSL_set_connect_state(client);
		SSL_set_verify(client, SSL_VERIFY_NONE, NULL);
		if (SSL_set_max_proto_version(client, version) == 1)
			rehearse(server, client);
	}
	SSL_free(server);
	SSL_free(client);
	ERR_clear_error();
}

void
warm_up(const struct session_tools *tl)
{
	if (tl->certs == NULL || tl->certs->standard == NULL)
		return;
	warm_version(tl, TLS1_3_VERSION);
	warm_version(tl, TLS1_2_VERSION);
}
