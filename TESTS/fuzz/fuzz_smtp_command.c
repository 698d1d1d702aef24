/* fuzz_smtp_command.c - any bytes as a client: the session ends, its replies
 * are replies, its log lines are lines, and nothing is queued that was not
 * acknowledged.  The first byte chooses the configuration. */
#include "TESTS/fuzz/fuzz.h"
#include "TESTS/unit/smtpd_fake.h"

#include <stdlib.h>
#include <string.h>

/* Counts replies that say a message is queued. */
static unsigned
check_replies(const struct str *out)
{
	const char *p = str_c(out), *end = p + out->len;
	unsigned queued = 0;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		size_t n;

		if (lf == NULL || lf == p || lf[-1] != '\r')
			abort();
		n = (size_t)(lf - p) - 1;
		if (n > 510 || n < 4 || p[0] < '2' || p[0] > '5' ||
		    (p[3] != ' ' && p[3] != '-'))
			abort();
		for (size_t i = 0; i < n; i++)
			if (p[i] < 32 || p[i] > 126)
				abort();
		if (n > 12 && memcmp(p, "250 2.0.0 ok ", 13) == 0)
			queued++;
		p = lf + 1;
	}
	return queued;
}

static void
check_log(void)
{
	const struct str *l = &smtpd_fake.log;

	for (size_t i = 0; i < l->len; i++)
		if (l->s[i] != '\n' && (l->s[i] < 32 || l->s[i] > 126))
			abort();
	if (l->len == 0 || strstr(l->s, "info: end ") == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtpd_config cfg;
	struct str out = {0};
	unsigned flags = size > 0 ? data[0] : 0;

	if (size > 0) {
		data++;
		size--;
	}
	smtpd_fake_reset();
	smtpd_fake_config(&cfg);
	cfg.relayclient = flags & 1 ? "" : NULL;
	cfg.barelf = flags & 2;
	cfg.xclient = flags & 4;
	cfg.proxy = flags & 8;
	cfg.auth_clear = flags & 16;
	cfg.submission = flags & 32;
	cfg.databytes = flags & 64 ? 100 : 0;
	cfg.auth_never = flags & 128;
	(void)smtpd_fake_play(&cfg, data, size, &out);
	if (check_replies(&out) != smtpd_fake.queued)
		abort();
	check_log();
	if (memchr(str_c(&smtpd_fake.message), '\r', smtpd_fake.message.len))
		abort();
	smtpd_config_free(&cfg);
	str_free(&out);
	smtpd_fake_reset();
	return 0;
}
