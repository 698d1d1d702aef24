/* fuzz_smtp_data.c - any bytes as message data, by DATA and by BDAT: however
 * they are cut the result is the same; what is kept has no CR and no NUL; and
 * sent again it comes back as it was. */
#include "smtpd/message.h"

#include "TESTS/fuzz/fuzz.h"
#include "TESTS/unit/smtpd_fake.h"

#include <stdlib.h>
#include <string.h>

static void
gather(void *arg, const char *s, size_t n)
{
	str_catb(arg, s, n);
}

static enum decode_status
decode(struct decode d, const char *s, size_t n, size_t cut,
    struct str *out, size_t *used_out)
{
	enum decode_status st = DECODE_MORE;
	size_t i = 0, used;

	while (st == DECODE_MORE && i < n) {
		size_t k = n - i < cut ? n - i : cut;

		st = decode_feed(&d, s + i, k, &used, gather, out);
		if (used > k || (st == DECODE_MORE && used != k))
			abort();
		i += used;
	}
	*used_out = i;
	return st;
}

/* As a client would send it. */
static void
encode(struct str *out, const struct str *s)
{
	bool bol = true;

	for (size_t i = 0; i < s->len; i++) {
		if (bol && s->s[i] == '.')
			str_catc(out, '.');
		bol = s->s[i] == '\n';
		if (bol)
			str_catc(out, '\r');
		str_catc(out, s->s[i]);
	}
	str_cats(out, ".\r\n");
}

/* Line ends among the bytes that were accepted are CR LF. */
static void
check_ends(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((s[i] == '\n' && (i == 0 || s[i - 1] != '\r')) ||
		    (s[i] == '\r' && i + 1 < n && s[i + 1] != '\n'))
			abort();
}

static void
decode_all_ways(const char *s, size_t n, struct decode d, size_t cut)
{
	struct str a = {0}, b = {0}, again = {0};
	size_t used_a, used_b;
	enum decode_status st = decode(d, s, n, n + 1, &a, &used_a);

	if (decode(d, s, n, cut, &b, &used_b) != st || used_a != used_b ||
	    a.len != b.len || memcmp(str_c(&a), str_c(&b), a.len) != 0)
		abort();
	if (memchr(str_c(&a), '\r', a.len) || memchr(str_c(&a), '\0', a.len))
		abort();
	if (!d.barelf && (st == DECODE_END || st == DECODE_MORE))
		check_ends(s, used_a);
	if (st == DECODE_END) {
		if (!d.dots || (a.len > 0 && a.s[a.len - 1] != '\n'))
			abort();
		/* Only CR LF . CR LF, or . CR LF alone. */
		if (memcmp(s + used_a - 3, ".\r\n", 3) != 0 || (used_a > 3 &&
		    memcmp(s + used_a - 5, "\r\n", 2) != 0))
			abort();
		str_clear(&b);
		encode(&again, &a);
		if (decode(d, again.s, again.len, cut, &b, &used_b) !=
		    DECODE_END || used_b != again.len || b.len != a.len ||
		    memcmp(str_c(&a), str_c(&b), a.len) != 0)
			abort();
	}
	str_free(&a);
	str_free(&b);
	str_free(&again);
}

/* In a session: one message, or a refusal; by BDAT in two chunks. */
static void
in_session(const char *s, size_t n, unsigned flags)
{
	static const char begin[] = "EHLO x\r\nMAIL FROM:<a@b>\r\n"
	    "RCPT TO:<c@d>\r\n";
	struct smtpd_config cfg;
	struct str in = {0}, out = {0};
	size_t half = n / 2;

	smtpd_fake_config(&cfg);
	cfg.relayclient = "";
	cfg.barelf = flags & 2;
	cfg.submission = flags & 4;
	cfg.auth_never = true;
	cfg.databytes = flags & 8 ? 50 : 0;
	str_cats(&in, begin);
	if (flags & 1) {
		str_cats(&in, "DATA\r\n");
		str_catb(&in, s, n);
		str_cats(&in, "\r\n.\r\n");
	} else {
		str_catf(&in, "BDAT %zu\r\n", half);
		str_catb(&in, s, half);
		str_catf(&in, "BDAT %zu LAST\r\n", n - half);
		str_catb(&in, s + half, n - half);
	}
	smtpd_fake_reset();
	(void)smtpd_fake_play(&cfg, str_c(&in), in.len, &out);
	if (!(flags & 1) && smtpd_fake.queued > 1)
		abort();
	smtpd_config_free(&cfg);
	str_free(&in);
	str_free(&out);
	smtpd_fake_reset();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s;
	unsigned flags;

	if (size < 2)
		return 0;
	flags = data[0];
	s = mem_alloc(size - 1, 1);
	memcpy(s, data + 1, size - 1);
	decode_all_ways(s, size - 1, (struct decode){.dots = flags & 1,
	    .barelf = flags & 2}, 1 + (flags >> 4));
	in_session(s, size - 1, flags);
	free(s);
	return 0;
}
