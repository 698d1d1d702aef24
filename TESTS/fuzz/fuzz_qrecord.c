/* fuzz_qrecord.c - any bytes as an envelope file.  What is valid is written
 * again and must read the same. */
#include "mail/qrecord.h"

#include "lib/hash.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct qrecord r = {0}, again = {0};
	struct str body = {0}, file = {0};
	enum qrecord_status st = qrecord_parse((const char *)data, n, &r);
	struct hash h;

	if (st == QRECORD_OK || st == QRECORD_NOSUM) {
		size_t wish = 0;

		qrecord_cat_sender(&body, str_c(&r.sender));
		qrecord_cat_params(&body, str_c(&r.params));
		for (size_t i = 0; i < r.rcpts.len;
		    i += strlen(r.rcpts.s + i) + 1) {
			qrecord_cat_rcpt(&body, r.rcpts.s + i);
			require(wish < r.rparams.len);
			qrecord_cat_rcpt_params(&body, r.rparams.s + wish);
			wish += strlen(r.rparams.s + wish) + 1;
		}
		require(wish == r.rparams.len);
		require(n >= body.len &&
		    memcmp(data + n - body.len, body.s, body.len) == 0);
		hash_init(&h, 0, 0);
		hash_add(&h, body.s, body.len);
		qrecord_cat_head(&file, r.uid, r.pid, r.size, r.mess_sum,
		    hash_end(&h));
		str_cat(&file, &body);
		require(qrecord_parse(file.s, file.len, &again) == QRECORD_OK);
		require(again.nrcpt == r.nrcpt && again.uid == r.uid &&
		    again.pid == r.pid && again.size == r.size);
	}
	str_free(&body);
	str_free(&file);
	qrecord_free(&again);
	qrecord_free(&r);
	return 0;
}
