/* mail/qrecord.c - writing, reading and judging envelope files; see qrecord.h.
 *
 * Trusts nothing: a file may be what a crash, an administrator or another
 * writer left.  A file that ends early, or whose sum is wrong, is torn; one
 * that is whole but makes no sense is bad, and stays for a person to see. */
#include "mail/qrecord.h"

#include "lib/hash.h"
#include "mail/dsn.h"
#include "mail/limits.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUM_DIGITS 16

void
qrecord_cat_head(struct str *out, uid_t uid, pid_t pid, uint64_t size,
    uint64_t mess_sum, uint64_t env_sum)
{
	str_catc(out, 'u');
	str_catu(out, uid);
	str_catc(out, '\0');
	str_catc(out, 'p');
	str_catu(out, (uint64_t)pid);
	str_catc(out, ',');
	str_catx(out, size, SUM_DIGITS);
	str_catc(out, ',');
	str_catx(out, mess_sum, SUM_DIGITS);
	str_catc(out, ',');
	str_catx(out, env_sum, SUM_DIGITS);
	str_catc(out, '\0');
}

void
qrecord_cat_sender(struct str *out, const char *sender)
{
	str_catc(out, 'F');
	str_catb(out, sender, strlen(sender) + 1);
}

void
qrecord_cat_rcpt(struct str *out, const char *rcpt)
{
	str_catc(out, 'T');
	str_catb(out, rcpt, strlen(rcpt) + 1);
}

static void
cat_params(struct str *out, char kind, const char *text)
{
	if (*text == '\0')
		return;
	str_catc(out, kind);
	str_catb(out, text, strlen(text) + 1);
}

void
qrecord_cat_params(struct str *out, const char *text)
{
	cat_params(out, 'M', text);
}

void
qrecord_cat_rcpt_params(struct str *out, const char *text)
{
	cat_params(out, 'N', text);
}

/* "," and exactly 16 hex digits at s, a C string. */
static bool
sum_scan(const char *s, uint64_t *out)
{
	return s[0] == ',' &&
	    scan_x64(s + 1, SUM_DIGITS, out) == SUM_DIGITS;
}

/* The u and p records at s, n bytes; *used is where F has to follow.  OK,
 * BAD, or TORN when the bytes end first. */
static enum qrecord_status
head_parse(const char *s, size_t n, struct qrecord *out, size_t *used)
{
	size_t ulen = bytes_chr(s, n, '\0'), plen, d;
	uint64_t v;
	const char *p;

	if (ulen == 0 || ulen == n)     /* zeroed block, or unfinished */
		return QRECORD_TORN;
	d = scan_u64(s + 1, &v);
	if (s[0] != 'u' || d == 0 || d + 1 != ulen || v > UINT32_MAX)
		return QRECORD_BAD;
	out->uid = (uid_t)v;

	p = s + ulen + 1;
	plen = bytes_chr(p, n - ulen - 1, '\0');
	if (plen == 0 || plen == n - ulen - 1)
		return QRECORD_TORN;
	d = scan_u64(p + 1, &v);
	if (p[0] != 'p' || d == 0 || v > INT32_MAX)
		return QRECORD_BAD;
	out->pid = (pid_t)v;
	*used = ulen + 1 + plen + 1;
	p += 1 + d;
	if (*p == '\0')
		return QRECORD_OK;
	if (plen != 1 + d + 3 * (1 + SUM_DIGITS) ||
	    !sum_scan(p, &out->size) ||
	    !sum_scan(p + 1 + SUM_DIGITS, &out->mess_sum) ||
	    !sum_scan(p + 2 * (1 + SUM_DIGITS), &out->env_sum))
		return QRECORD_BAD;
	out->has_sum = true;
	return QRECORD_OK;
}

/* The M and N records are wishes of what stands before them. */
static enum qrecord_status
params_parse(char kind, const char *s, size_t n, struct qrecord *out)
{
	struct dsn_message m = {0};
	struct dsn_rcpt r = {0};
	bool good;

	good = n > 0 && (kind == 'M' ? dsn_message_parse(s, n, &m) :
	    dsn_rcpt_parse(s, n, &r)) == 0;
	dsn_message_free(&m);
	dsn_rcpt_free(&r);
	if (!good)
		return QRECORD_BAD;
	if (kind == 'M') {
		str_copyb(&out->params, s, n);
	} else {
		str_trunc(&out->rparams, out->rparams.len - 1);
		str_catb(&out->rparams, s, n + 1);
	}
	out->has_params = true;
	return QRECORD_OK;
}

/* The F, M, T and N records, n bytes in all. */
static enum qrecord_status
body_parse(const char *s, size_t n, struct qrecord *out)
{
	char before = '\0';
	size_t len;

	if (n == 0)
		return QRECORD_TORN;
	for (; n > 0; before = s[0], s += len + 1, n -= len + 1) {
		len = bytes_chr(s, n, '\0');
		if (len == n)
			return QRECORD_TORN;
		if ((s[0] == 'M' && before == 'F') ||
		    (s[0] == 'N' && before == 'T')) {
			if (params_parse(s[0], s + 1, len - 1, out) !=
			    QRECORD_OK)
				return QRECORD_BAD;
			continue;
		}
		if (len == 0 || s[0] != (before == '\0' ? 'F' : 'T') ||
		    len - 1 > ADDR_MAX)
			return QRECORD_BAD;
		if (s[0] == 'F') {
			str_copyb(&out->sender, s + 1, len - 1);
		} else {
			str_catb(&out->rcpts, s + 1, len);
			str_catb(&out->rparams, "", 1);
			out->nrcpt++;
		}
	}
	return QRECORD_OK;
}

enum qrecord_status
qrecord_parse(const char *bytes, size_t n, struct qrecord *out)
{
	enum qrecord_status st;
	struct str sender = out->sender, rcpts = out->rcpts;
	struct str params = out->params, rparams = out->rparams;
	struct hash h;
	size_t used = 0;

	str_clear(&sender);
	str_clear(&rcpts);
	str_clear(&params);
	str_clear(&rparams);
	*out = (struct qrecord){.sender = sender, .rcpts = rcpts,
	    .params = params, .rparams = rparams};
	if (n > ENVELOPE_MAX)
		return QRECORD_BAD;
	if ((st = head_parse(bytes, n, out, &used)) != QRECORD_OK)
		return st;
	if (out->has_sum) {
		hash_init(&h, 0, 0);
		hash_add(&h, bytes + used, n - used);
		if (hash_end(&h) != out->env_sum)
			return QRECORD_TORN;
	}
	st = body_parse(bytes + used, n - used, out);
	return st == QRECORD_OK && !out->has_sum ? QRECORD_NOSUM : st;
}

enum qrecord_status
qrecord_check_mess(int fd, const struct qrecord *rec)
{
	char buf[32768];
	struct stat st;
	struct hash h;
	off_t at = 0;
	ssize_t n;

	if (!rec->has_sum)
		return QRECORD_NOSUM;
	if (fstat(fd, &st) < 0)
		return QRECORD_ERROR;
	if ((uint64_t)st.st_size != rec->size)
		return QRECORD_TORN;
	hash_init(&h, 0, 0);
	while ((n = pread(fd, buf, sizeof buf, at)) != 0) {
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return QRECORD_ERROR;
		}
		hash_add(&h, buf, (size_t)n);
		at += n;
	}
	return hash_end(&h) == rec->mess_sum ? QRECORD_OK : QRECORD_TORN;
}

void
qrecord_free(struct qrecord *rec)
{
	str_free(&rec->sender);
	str_free(&rec->rcpts);
	str_free(&rec->params);
	str_free(&rec->rparams);
	*rec = (struct qrecord){0};
}
