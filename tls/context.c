/* tls/context.c - settings of TLS and sealed tickets; see context.h. */
#include "tls/context.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define AEAD "ECDHE+AESGCM:ECDHE+CHACHA20"
#define CLIENT AEAD ":DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:!aNULL:!aDSS:!AESCCM"
#define TLS13 "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:" \
	"TLS_AES_128_GCM_SHA256"
#define GROUPS "X25519:P-256:P-384"
#define SIGNATURES "ECDSA+SHA256:ECDSA+SHA384:ed25519:" \
	"RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:" \
	"RSA+SHA256:RSA+SHA384:RSA+SHA512"

int
tickets_rotate(struct tickets *t, int64_t now_ms)
{
	struct ticket_key new;

	if (t->born_ms != 0 && now_ms - t->born_ms < TICKET_KEY_MS)
		return 0;
	if (RAND_bytes((unsigned char *)&new, sizeof new) != 1)
		return -1;
	/* At the start both are new: nothing is ever opened with zeros. */
	t->key[1] = t->key[0];
	t->key[0] = new;
	if (t->born_ms == 0)
		t->key[1] = new;
	OPENSSL_cleanse(&new, sizeof new);
	t->born_ms = now_ms;
	return 0;
}

static int
start_mac(EVP_MAC_CTX *mac, struct ticket_key *k)
{
	char digest[] = "SHA256";
	OSSL_PARAM p[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k->mac,
		    sizeof k->mac),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
		    digest, 0),
		OSSL_PARAM_construct_end()};

	return EVP_MAC_CTX_set_params(mac, p);
}

/* 3.0's SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 0 unknown, 1 good, 2 good
 * and due for a new one, -1 failure. */
static int
ticket(SSL *s, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *c,
    EVP_MAC_CTX *mac, int seal)
{
	struct tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(s));
	const EVP_CIPHER *aes = EVP_aes_256_cbc();
	size_t i = 0;

	if (seal) {
		memcpy(name, t->key[0].name, sizeof t->key[0].name);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes)) != 1 ||
		    EVP_EncryptInit_ex(c, aes, NULL, t->key[0].aes, iv) != 1 ||
		    start_mac(mac, &t->key[0]) != 1)
			return -1;
		return 1;
	}
	while (i < 2 && memcmp(name, t->key[i].name, 16) != 0)
		i++;
	if (i == 2)
		return 0;
	if (EVP_DecryptInit_ex(c, aes, NULL, t->key[i].aes, iv) != 1 ||
	    start_mac(mac, &t->key[i]) != 1)
		return -1;
	return i == 0 ? 1 : 2;
}

/* A client that names protocols must name ours: else it is a browser that
 * was led here (ALPACA). */
static int
choose_protocol(SSL *s, const unsigned char **out, unsigned char *n_out,
    const unsigned char *in, unsigned n, void *arg)
{
	const struct context_session *cs = SSL_get_app_data(s);
	size_t len = strlen(cs->service);

	(void)arg;
	while (n > 0 && in[0] < n) {
		if (in[0] == len && memcmp(in + 1, cs->service, len) == 0) {
			*out = in + 1;
			*n_out = in[0];
			return SSL_TLSEXT_ERR_OK;
		}
		n -= in[0] + 1u;
		in += in[0] + 1;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* The macros for these cast const away, and want no more than to read. */
static int
set_list(SSL_CTX *c, int what, const char *list)
{
	union {
		const char *in;
		void *out;
	} u = {.in = list};

	return SSL_CTX_ctrl(c, what, 0, u.out) == 1;
}

static SSL_CTX *
context(const SSL_METHOD *method, const char *suites)
{
	SSL_CTX *c = SSL_CTX_new(method);

	if (c == NULL)
		return NULL;
	SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION |
	    SSL_OP_NO_RENEGOTIATION);
	(void)SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(c, 1);
	(void)SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(c, suites) != 1 ||
	    SSL_CTX_set_ciphersuites(c, TLS13) != 1 ||
	    !set_list(c, SSL_CTRL_SET_GROUPS_LIST, GROUPS)) {
		SSL_CTX_free(c);
		return NULL;
	}
	SSL_CTX_set_security_level(c, 2);
	return c;
}

SSL_CTX *
context_server(struct tickets *t)
{
	SSL_CTX *c = context(TLS_server_method(), AEAD);

	if (c == NULL)
		return NULL;
	SSL_CTX_set_options(c, SSL_OP_CIPHER_SERVER_PREFERENCE |
	    SSL_OP_PRIORITIZE_CHACHA);
	(void)SSL_CTX_set_app_data(c, t);
	(void)SSL_CTX_set_timeout(c, TICKET_LIFE);
	SSL_CTX_set_alpn_select_cb(c, choose_protocol, NULL);
	if (!set_list(c, SSL_CTRL_SET_SIGALGS_LIST, SIGNATURES) ||
	    SSL_CTX_set_num_tickets(c, 1) != 1 ||
	    SSL_CTX_set_tlsext_ticket_key_evp_cb(c, ticket) != 1) {
		SSL_CTX_free(c);
		return NULL;
	}
	return c;
}

SSL_CTX *
context_client(void)
{
	SSL_CTX *c = context(TLS_client_method(), CLIENT);

	if (c != NULL && SSL_CTX_dane_enable(c) != 1) {
		SSL_CTX_free(c);
		c = NULL;
	}
	return c;
}
