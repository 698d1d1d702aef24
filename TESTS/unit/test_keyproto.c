/* test_keyproto.c - questions to keyd byte by byte, and what a ring of keys
 * signs: every scheme with its key, verified by libcrypto; everything else
 * refused; keys that leave. */
#include "TESTS/unit/unit.h"

#include "lib/sock.h"
#include "tls/keyring.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define MINUTE 60000

static char dir[] = "/tmp/unit-keyproto.XXXXXX";
static EVP_PKEY *keys[3];       /* by enum keyproto_type */
static EVP_PKEY *other;

static void
test_parse(void **state)
{
	unsigned char q[KEYPROTO_HEAD + KEYPROTO_DATA + 1] = "S";
	struct keyproto k;

	(void)state;
	for (int i = 0; i < 32; i++)
		q[1 + i] = (unsigned char)i;
	q[33] = 0x04;
	q[34] = 0x03;
	for (size_t n = 0; n <= sizeof q; n++) {
		/* ecdsa_secp256r1_sha256: 32 bytes and no others */
		assert_int_equal(keyproto_parse(q, n, &k),
		    n == 35 + 32 ? 0 : -1);
		if (n != 35 + 32)
			assert_int_equal(errno, EPROTO);
	}
	assert_int_equal(keyproto_parse(q, 67, &k), 0);
	assert_true(k.sign);
	assert_int_equal(k.id[31], 31);
	assert_int_equal(k.scheme->type, KEYPROTO_EC);
	assert_ptr_equal(k.data, q + 35);
	/* ed25519: 1 to 512 bytes */
	q[33] = 0x08;
	q[34] = 0x07;
	for (size_t n = 0; n <= sizeof q; n++)
		assert_int_equal(keyproto_parse(q, n, &k),
		    n > 35 && n <= 35 + 512 ? 0 : -1);
	/* "Is it there" carries nothing. */
	q[0] = '?';
	assert_int_equal(keyproto_parse(q, 35, &k), -1);
	q[33] = q[34] = 0;
	assert_int_equal(keyproto_parse(q, 35, &k), 0);
	assert_false(k.sign);
	assert_int_equal(keyproto_parse(q, 36, &k), -1);
	q[0] = 'D';
	assert_int_equal(keyproto_parse(q, 35, &k), -1);
}

/* RFC 8446 4.2.3: what TLS 1.2 and 1.3 sign with; SHA-1, DSA, raw RSA and
 * PSS keys are not among it. */
static void
test_schemes(void **state)
{
	static const struct {
		unsigned number;
		size_t bytes;
	} want[] = {{0x0401, 32}, {0x0501, 48}, {0x0601, 64}, {0x0403, 32},
	    {0x0503, 48}, {0x0804, 32}, {0x0805, 48}, {0x0806, 64},
	    {0x0807, 0}};

	(void)state;
	for (unsigned n = 0, i = 0; n < 65536; n++) {
		const struct keyproto_scheme *s = keyproto_scheme(n);
		bool found = false;

		for (i = 0; i < N_OF(want); i++)
			if (want[i].number == n) {
				found = true;
				assert_non_null(s);
				assert_int_equal(s->bytes, want[i].bytes);
			}
		assert_int_equal(s != NULL, found);
	}
}

static void
save(const char *name, EVP_PKEY *k, int pass)
{
	char path[100];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	if (k == NULL)
		(void)fputs("nonsense", f);
	else
		assert_int_equal(PEM_write_PrivateKey(f, k,
		    pass ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
		    pass ? (void *)dir : NULL), 1);
	assert_int_equal(fclose(f), 0);
}

static void
drop(const char *name)
{
	char path[100];

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	assert_int_equal(unlink(path), 0);
}

static int
setup(void **state)
{
	(void)state;
	keys[KEYPROTO_EC] = EVP_EC_gen("P-256");
	keys[KEYPROTO_RSA] = EVP_RSA_gen(2048);
	keys[KEYPROTO_ED25519] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	other = EVP_EC_gen("P-384");
	return mkdtemp(dir) == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(keys); i++)
		EVP_PKEY_free(keys[i]);
	EVP_PKEY_free(other);
	return rmdir(dir);
}

/* Verifies without any of the code under test. */
static bool
good(EVP_PKEY *k, const struct keyproto *q, const unsigned char *sig,
    size_t n)
{
	bool ed = q->scheme->type == KEYPROTO_ED25519;
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(k, NULL);
	bool ok;

	if (ed) {
		ok = EVP_DigestVerifyInit(m, NULL, NULL, NULL, k) == 1 &&
		    EVP_DigestVerify(m, sig, n, q->data, q->n) == 1;
	} else {
		ok = EVP_PKEY_verify_init(c) == 1;
		if (q->scheme->type == KEYPROTO_RSA)
			ok = ok && EVP_PKEY_CTX_set_rsa_padding(c,
			    q->scheme->number >> 8 == 8 ?
			    RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1;
		if (q->scheme->number >> 8 == 8)
			ok = ok && EVP_PKEY_CTX_set_rsa_pss_saltlen(c,
			    (int)q->n) == 1;
		ok = ok && EVP_PKEY_CTX_set_signature_md(c,
		    q->n == 32 ? EVP_sha256() : q->n == 48 ? EVP_sha384() :
		    EVP_sha512()) == 1 &&
		    EVP_PKEY_verify(c, sig, n, q->data, q->n) == 1;
	}
	EVP_MD_CTX_free(m);
	EVP_PKEY_CTX_free(c);
	return ok;
}

static void
test_sign(void **state)
{
	static const unsigned numbers[] = {0x0401, 0x0501, 0x0601, 0x0403,
	    0x0503, 0x0804, 0x0805, 0x0806, 0x0807};
	unsigned char sig[KEYPROTO_SIGNATURE], data[64];
	struct keyring r = {0};
	struct keyproto q = {.sign = true, .data = data};
	size_t n;

	(void)state;
	memset(data, 'd', sizeof data);
	save("a.pem", keys[KEYPROTO_EC], 0);
	save("b.pem", keys[KEYPROTO_RSA], 0);
	save("c.pem", keys[KEYPROTO_ED25519], 0);
	assert_int_equal(keyring_load(&r, dir, 0), 3);
	for (size_t i = 0; i < N_OF(numbers); i++)
		for (unsigned t = 0; t < N_OF(keys); t++) {
			q.scheme = keyproto_scheme(numbers[i]);
			q.n = q.scheme->bytes ? q.scheme->bytes : 33;
			assert_int_equal(key_id(keys[t], q.id), 0);
			if (q.scheme->type != t) {
				assert_int_equal(keyring_sign(&r, &q, sig,
				    &n), KEYPROTO_UNFIT);
				continue;
			}
			assert_int_equal(keyring_sign(&r, &q, sig, &n),
			    KEYPROTO_OK);
			assert_true(good(keys[t], &q, sig, n));
			data[0] ^= 1;
			assert_false(good(keys[t], &q, sig, n));
			data[0] ^= 1;
		}
	assert_int_equal(key_id(other, q.id), 0);
	q.scheme = keyproto_scheme(0x0503);
	q.n = 48;
	assert_int_equal(keyring_sign(&r, &q, sig, &n), KEYPROTO_NO_KEY);
	assert_null(keyring_find(&r, q.id));
	keyring_free(&r);
	drop("a.pem");
	drop("b.pem");
	drop("c.pem");
}

/* What is no key of ours is passed over, and a missing directory changes
 * nothing. */
static void
test_load(void **state)
{
	EVP_PKEY *weak = EVP_RSA_gen(1024), *big = EVP_EC_gen("P-521");
	struct keyring r = {0};

	(void)state;
	save("a.pem", keys[0], 0);
	save("weak.pem", weak, 0);
	save("big.pem", big, 0);
	save("enc.pem", other, 1);
	save("no.pem", NULL, 0);
	save(".hidden", other, 0);
	assert_int_equal(keyring_load(&r, dir, 0), 1);
	assert_int_equal(r.n, 1);
	assert_int_equal(keyring_load(&r, "/nonexistent", 0), -1);
	assert_int_equal(r.n, 1);
	keyring_free(&r);
	drop("weak.pem");
	drop("big.pem");
	drop("enc.pem");
	drop("no.pem");
	drop(".hidden");
	drop("a.pem");
	EVP_PKEY_free(weak);
	EVP_PKEY_free(big);
}

/* A key that left stays for ten minutes, and until a second load. */
static void
test_leave(void **state)
{
	unsigned char id[KEYPROTO_ID];
	struct keyring r = {0};

	(void)state;
	assert_int_equal(key_id(keys[0], id), 0);
	save("a.pem", keys[0], 0);
	assert_int_equal(keyring_load(&r, dir, 0), 1);
	drop("a.pem");
	save("b.pem", other, 0);
	/* An hour in use counts for nothing: it leaves now. */
	assert_int_equal(keyring_load(&r, dir, 60 * MINUTE), 1);
	assert_non_null(keyring_find(&r, id));
	assert_int_equal(keyring_load(&r, dir, 61 * MINUTE), 1);
	assert_non_null(keyring_find(&r, id));
	assert_int_equal(keyring_load(&r, dir, 71 * MINUTE), 1);
	assert_null(keyring_find(&r, id));
	assert_int_equal(r.n, 1);
	/* The generation before stays however old it is. */
	drop("b.pem");
	save("a.pem", keys[0], 0);
	assert_int_equal(keyring_load(&r, dir, 500 * MINUTE), 1);
	assert_int_equal(key_id(other, id), 0);
	assert_non_null(keyring_find(&r, id));
	keyring_free(&r);
	drop("a.pem");
}

/* The asker against every answer. */
static void
test_ask(void **state)
{
	static const struct {
		const char *wire;
		size_t n;
		int error;
	} answers[] = {{"\0sig", 4, 0}, {"\0", 1, EPROTO}, {"\1", 1, ENOKEY},
	    {"\2", 1, EINVAL}, {"\3", 1, EIO}, {"\4", 1, EPROTO},
	    {"", 0, ECONNRESET}};
	unsigned char sig[KEYPROTO_SIGNATURE], data[32] = "d", seen[1000];
	struct keyproto q = {.sign = true, .scheme = keyproto_scheme(0x0403),
	    .data = data, .n = 32}, back;
	size_t n;
	int a, b;

	(void)state;
	for (size_t i = 0; i < N_OF(answers); i++) {
		assert_int_equal(sock_pair(SOCK_SEQPACKET, &a, &b), 0);
		if (answers[i].n > 0)
			assert_int_equal(send(b, answers[i].wire,
			    answers[i].n, 0), answers[i].n);
		else
			assert_int_equal(shutdown(b, SHUT_WR), 0);
		errno = 0;
		assert_int_equal(keyproto_sign(a, &q, sig, &n),
		    answers[i].error ? -1 : 0);
		assert_int_equal(errno, answers[i].error);
		assert_int_equal(recv(b, seen, sizeof seen, 0), 35 + 32);
		assert_int_equal(keyproto_parse(seen, 67, &back), 0);
		(void)close(a);
		(void)close(b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_schemes),
		cmocka_unit_test(test_sign),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_leave),
		cmocka_unit_test(test_ask),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
