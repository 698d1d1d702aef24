/* tls/certs_parse.c - PEM to certificates; see certs.h. */
#include "tls/certs.h"

#include <openssl/err.h>
#include <openssl/pem.h>

static int
no_password(char *buf, int size, int rw, void *arg)
{
	(void)buf;
	(void)size;
	(void)rw;
	(void)arg;
	return -1;
}

int
certs_parse(const char *pem, size_t n, X509 **leaf_out,
    STACK_OF(X509) **chain_out, const char **why)
{
	BIO *b = BIO_new_mem_buf(pem, (int)n);
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509 *leaf = NULL, *x;

	*why = NULL;
	if (b == NULL || chain == NULL)
		*why = "out of memory";
	else
		leaf = PEM_read_bio_X509(b, NULL, no_password, NULL);
	if (leaf == NULL && *why == NULL)
		*why = "no certificate in PEM";
	while (*why == NULL &&
	    (x = PEM_read_bio_X509(b, NULL, no_password, NULL)) != NULL) {
		if (sk_X509_num(chain) == CERTS_CHAIN) {
			*why = "too many certificates";
			X509_free(x);
		} else if (sk_X509_push(chain, x) == 0) {
			*why = "out of memory";
			X509_free(x);
		}
	}
	/* The end reads as "no start line"; anything else is a damaged one. */
	if (*why == NULL && ERR_GET_REASON(ERR_peek_last_error()) !=
	    PEM_R_NO_START_LINE)
		*why = "a certificate of the chain is damaged";
	ERR_clear_error();
	BIO_free(b);
	if (*why == NULL) {
		*leaf_out = leaf;
		*chain_out = chain;
		return 0;
	}
	X509_free(leaf);
	sk_X509_pop_free(chain, X509_free);
	return -1;
}
