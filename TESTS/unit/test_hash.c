/* test_hash.c - SipHash-2-4 against the vectors of its authors: key 00..0f,
 * messages of 0..63 bytes 00, 01, 02...  (the paper's appendix is the one of
 * 15 bytes), computed again by an implementation written for this table. */
#include "lib/hash.h"

#include "TESTS/unit/unit.h"

#include <stdio.h>

#define K0 UINT64_C(0x0706050403020100)
#define K1 UINT64_C(0x0f0e0d0c0b0a0908)

static const uint64_t vectors[64] = {
	UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd),
	UINT64_C(0x0d6c8009d9a94f5a), UINT64_C(0x85676696d7fb7e2d),
	UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d),
	UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137),
	UINT64_C(0x93f5f5799a932462), UINT64_C(0x9e0082df0ba9e4b0),
	UINT64_C(0x7a5dbbc594ddb9f3), UINT64_C(0xf4b32f46226bada7),
	UINT64_C(0x751e8fbc860ee5fb), UINT64_C(0x14ea5627c0843d90),
	UINT64_C(0xf723ca908e7af2ee), UINT64_C(0xa129ca6149be45e5),
	UINT64_C(0x3f2acc7f57c29bdb), UINT64_C(0x699ae9f52cbe4794),
	UINT64_C(0x4bc1b3f0968dd39c), UINT64_C(0xbb6dc91da77961bd),
	UINT64_C(0xbed65cf21aa2ee98), UINT64_C(0xd0f2cbb02e3b67c7),
	UINT64_C(0x93536795e3a33e88), UINT64_C(0xa80c038ccd5ccec8),
	UINT64_C(0xb8ad50c6f649af94), UINT64_C(0xbce192de8a85b8ea),
	UINT64_C(0x17d835b85bbb15f3), UINT64_C(0x2f2e6163076bcfad),
	UINT64_C(0xde4daaaca71dc9a5), UINT64_C(0xa6a2506687956571),
	UINT64_C(0xad87a3535c49ef28), UINT64_C(0x32d892fad841c342),
	UINT64_C(0x7127512f72f27cce), UINT64_C(0xa7f32346f95978e3),
	UINT64_C(0x12e0b01abb051238), UINT64_C(0x15e034d40fa197ae),
	UINT64_C(0x314dffbe0815a3b4), UINT64_C(0x027990f029623981),
	UINT64_C(0xcadcd4e59ef40c4d), UINT64_C(0x9abfd8766a33735c),
	UINT64_C(0x0e3ea96b5304a7d0), UINT64_C(0xad0c42d6fc585992),
	UINT64_C(0x187306c89bc215a9), UINT64_C(0xd4a60abcf3792b95),
	UINT64_C(0xf935451de4f21df2), UINT64_C(0xa9538f0419755787),
	UINT64_C(0xdb9acddff56ca510), UINT64_C(0xd06c98cd5c0975eb),
	UINT64_C(0xe612a3cb9ecba951), UINT64_C(0xc766e62cfcadaf96),
	UINT64_C(0xee64435a9752fe72), UINT64_C(0xa192d576b245165a),
	UINT64_C(0x0a8787bf8ecb74b2), UINT64_C(0x81b3e73d20b49b6f),
	UINT64_C(0x7fa8220ba3b2ecea), UINT64_C(0x245731c13ca42499),
	UINT64_C(0xb78dbfaf3a8d83bd), UINT64_C(0xea1ad565322a1a0b),
	UINT64_C(0x60e61c23a3795013), UINT64_C(0x6606d7e446282b93),
	UINT64_C(0x6ca4ecb15c5f91e1), UINT64_C(0x9f626da15c9625f3),
	UINT64_C(0xe51b38608ef25f57), UINT64_C(0x958a324ceb064572),
};

static uint64_t
whole(uint64_t k0, uint64_t k1, const unsigned char *p, size_t n)
{
	struct hash h;

	hash_init(&h, k0, k1);
	hash_add(&h, p, n);
	return hash_end(&h);
}

static void
test_vectors(void **state)
{
	unsigned char msg[64];

	(void)state;
	for (size_t i = 0; i < sizeof msg; i++)
		msg[i] = (unsigned char)i;
	for (size_t i = 0; i < sizeof msg; i++)
		assert_true(whole(K0, K1, msg, i) == vectors[i]);
	assert_true(whole(K0, K1, msg, 15) == UINT64_C(0xa129ca6149be45e5));
}

/* 128 bits, by openssl mac -macopt size:16 SIPHASH. */
static void
test_vectors_128(void **state)
{
	static const struct {
		size_t n;
		const char *hex;
	} want[] = {
		{0, "A3817F04BA25A8E66DF67214C7550293"},
		{8, "3B62A9BA6258F5610F83E264F31497B4"},
		{15, "5493E99933B0A8117E08EC0F97CFC3D9"},
		{63, "5150D1772F50834A503E069A973FBD7C"},
	};
	unsigned char msg[64];

	(void)state;
	for (size_t i = 0; i < sizeof msg; i++)
		msg[i] = (unsigned char)i;
	for (size_t i = 0; i < N_OF(want); i++) {
		char hex[33];
		uint64_t out[2];
		struct hash h;

		hash_init128(&h, K0, K1);
		hash_add(&h, msg, want[i].n);
		hash_end128(&h, out);
		for (size_t k = 0; k < 16; k++)
			(void)snprintf(hex + 2 * k, 3, "%02X",
			    (unsigned)(out[k / 8] >> k % 8 * 8 & 255));
		assert_string_equal(hex, want[i].hex);
	}
}

/* A long message and the empty one under the zero key, by the same second
 * implementation. */
static void
test_long_and_zero_key(void **state)
{
	unsigned char msg[1000];

	(void)state;
	for (size_t i = 0; i < sizeof msg; i++)
		msg[i] = (unsigned char)i;
	assert_true(whole(K0, K1, msg, sizeof msg) ==
	    UINT64_C(0xdb9b3ed69e31c9a6));
	assert_true(whole(0, 0, msg, 0) == UINT64_C(0x1e924b9d737700d7));
}

static void
test_every_split(void **state)
{
	unsigned char msg[64];

	(void)state;
	for (size_t i = 0; i < sizeof msg; i++)
		msg[i] = (unsigned char)i;
	for (size_t n = 0; n < sizeof msg; n++)
		for (size_t a = 0; a <= n; a++)
			for (size_t b = a; b <= n; b++) {
				struct hash h;

				hash_init(&h, K0, K1);
				hash_add(&h, msg, a);
				hash_add(&h, msg + a, b - a);
				hash_add(&h, msg + b, n - b);
				assert_true(hash_end(&h) == vectors[n]);
			}
	for (size_t step = 1; step <= sizeof msg; step++) {
		struct hash h;

		hash_init(&h, K0, K1);
		for (size_t i = 0; i < 63; i += step)
			hash_add(&h, msg + i, 63 - i < step ? 63 - i : step);
		assert_true(hash_end(&h) == vectors[63]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_vectors_128),
		cmocka_unit_test(test_long_and_zero_key),
		cmocka_unit_test(test_every_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
