/* fuzz_qshow.c - any bytes as info file, recipient list and pattern; what is
 * printed of them must be harmless to a terminal and valid UTF-8. */
#include "queue/qshow.h"

#include "mail/quote.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
require_harmless(const struct str *s)
{
	for (size_t i = 0; i < s->len;) {
		unsigned char c = (unsigned char)s->s[i];
		size_t len = utf8_len(s->s + i, s->len - i);

		if (len == 0 || c == 127 ||
		    (c < ' ' && c != '\n' && c != '\t'))
			abort();
		if (c == 0xc2 && (unsigned char)s->s[i + 1] < 0xa0)
			abort();
		i += len;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *s = (const char *)data;
	struct qscan_msg m = {.id = 1};
	struct qselect sel = {0};
	struct qscan_rcpt r;
	struct str out = {0};
	size_t lines = 1;

	if (!qscan_parse_info(s, n, &m.sender))
		str_copyb(&m.sender, s, bytes_chr(s, n, '\0'));
	if (!qscan_parse_list(s, n, QSCAN_LOCAL, &m) && m.nleft > m.nrcpt)
		abort();
	for (size_t at = 0; qscan_rcpt_next(&m, &at, &r); lines++)
		(void)qselect_match_addr(str_c(&m.sender), r.addr);
	if (lines != m.nrcpt + 1)
		abort();
	sel.sender = sel.rcpt = str_c(&m.sender);
	(void)qselect_match(&sel, &m, 0);
	if (qselect_parse_age(&sel, str_c(&m.sender)) == 0 && sel.seconds < 0)
		abort();

	qshow_cat_classic(&out, &m);
	require_harmless(&out);
	for (size_t i = 0; i < out.len; i++)
		lines -= out.s[i] == '\n';
	if (lines != 0)
		abort();
	str_clear(&out);
	qshow_cat_json(&out, &m);
	require_harmless(&out);
	if (bytes_chr(out.s, out.len, '\n') != out.len - 1)
		abort();
	str_free(&out);
	qscan_msg_free(&m);
	return 0;
}
