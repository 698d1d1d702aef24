/* TESTS/fuzz/fuzz_tcprules.c - any text as rules, any bytes as their cdb, any
 * text as limits.  Byte 0 says which; then come address, name and info of a
 * client, a line each, and the rest.
 *
 * What is parsed must say again what it says: a key parses as itself, and data
 * as the instructions it came from. */
#include "TESTS/fuzz/fuzz.h"

#include "supervise/rules.h"
#include "supervise/srvlimits.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char cdb[64], tmp[80];

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
name_files(void)
{
	if (cdb[0] != '\0')
		return;
	(void)snprintf(cdb, sizeof cdb, "/dev/shm/fuzz-tcprules.%d",
	    (int)getpid());
	(void)snprintf(tmp, sizeof tmp, "%s.tmp", cdb);
}

/* A line of the input, as far as a C string goes. */
static const char *
take_line(const char **s, size_t *n, struct str *out)
{
	size_t len = bytes_chr(*s, *n, '\n');

	str_copyb(out, *s, len);
	*s += len < *n ? len + 1 : len;
	*n -= len < *n ? len + 1 : len;
	return out->len > 0 ? str_c(out) : NULL;
}

static void
find(const struct rules_client *c)
{
	struct str key = {0}, data = {0};
	struct cdb_file *f;
	const char *word;
	size_t at = 0;

	if (cdbfile_open(cdb, &f) != CDB_OK)
		return;
	if (rules_find(f, c, &key, &data) == CDB_OK)
		while (rules_next(&data, &at, &word) != RULES_END)
			must(at <= data.len);
	cdbfile_close(f);
	str_free(&key);
	str_free(&data);
}

/* A rule written again from what was parsed is the same rule. */
static void
check_again(const struct rule *r)
{
	struct str line = {0};
	struct rule again;
	const char *word, *why;
	size_t at = 0;

	str_cat(&line, &r->key);
	if (r->range)
		str_catf(&line, "%u-%u%s", r->low, r->high, str_c(&r->tail));
	if (str_has_nul(&line)) {
		str_free(&line);
		return;
	}
	str_cats(&line, r->data.len > 0 && r->data.s[0] == 'D' ?
	    ":deny" : ":allow");
	for (enum rules_word w; (w = rules_next(&r->data, &at, &word)) !=
	    RULES_END;) {
		const char *eq = w == RULES_SET ? strchr(word, '=') : NULL;

		if (eq == NULL)
			continue;
		str_catc(&line, ',');
		str_catb(&line, word, (size_t)(eq + 1 - word));
		str_catc(&line, '\1');
		if (strchr(eq, '\1') != NULL)
			goto done;
		str_cats(&line, eq + 1);
		str_catc(&line, '\1');
	}
	must(rules_parse(line.s, line.len, &again, &why) == RULES_RULE);
	must(again.key.len == r->key.len &&
	    memcmp(str_c(&again.key), str_c(&r->key), r->key.len) == 0);
	must(again.data.len == r->data.len &&
	    memcmp(str_c(&again.data), str_c(&r->data), r->data.len) == 0);
	must(again.family == r->family && again.bits == r->bits);
	must(again.range == r->range && again.low == r->low &&
	    again.high == r->high);
	rule_free(&again);
done:
	str_free(&line);
}

static void
each_line(const char *s, size_t n)
{
	while (n > 0) {
		size_t len = bytes_chr(s, n, '\n');
		const char *why;
		struct rule r;

		switch (rules_parse(s, len, &r, &why)) {
		case RULES_RULE:
			check_again(&r);
			rule_free(&r);
			break;
		case RULES_BAD:
			must(why != NULL);
			break;
		case RULES_BLANK:
			break;
		}
		s += len < n ? len + 1 : len;
		n -= len < n ? len + 1 : len;
	}
}

static int
file_of(const char *s, size_t n)
{
	int fd = memfd_create("in", MFD_CLOEXEC);

	must(fd >= 0 && write(fd, s, n) == (ssize_t)n);
	must(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static void
compile(const char *s, size_t n, const struct rules_client *c)
{
	static struct io io;
	struct rules_report rep = {0};
	struct cdb_writer *w;
	int fd = file_of(s, n);

	io_init(&io, fd, -1, IO_FOREVER);
	must(cdbwriter_open(tmp, &w) == 0);
	if (rules_compile(&io, w, &rep) == RULES_OK) {
		must(cdbwriter_commit(w, cdb, 0600) == 0);
		find(c);
		(void)unlink(cdb);
	} else {
		must(rep.why != NULL);
		cdbwriter_abort(w);
	}
	str_free(&rep.line);
	must(close(fd) == 0);
}

static void
wild(const char *s, size_t n, const struct rules_client *c)
{
	int fd = open(cdb, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, s, n) == (ssize_t)n && close(fd) == 0);
	find(c);
	(void)unlink(cdb);
}

static void
limits(const char *s, size_t n)
{
	struct srvlimits l, before;
	struct str why = {0};

	srvlimits_default(&l);
	before = l;
	if (srvlimits_parse(s, n, &l, &why) < 0)
		must(why.len > 0 && memcmp(&l, &before, sizeof l) == 0);
	else
		must(l.total > 0 && l.backlog > 0 && l.penalty_time > 0);
	str_free(&why);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct str ip = {0}, host = {0}, info = {0};
	const char *s = (const char *)bytes + 1;
	struct rules_client c;

	if (n < 2 || n > 20000)
		return 0;
	name_files();
	n--;
	if (bytes[0] == 'l') {
		limits(s, n);
		return 0;
	}
	c.ip = take_line(&s, &n, &ip);
	if (c.ip == NULL)
		c.ip = "192.0.2.1";
	c.host = take_line(&s, &n, &host);
	c.info = take_line(&s, &n, &info);
	if (bytes[0] == 'w') {
		wild(s, n, &c);
	} else {
		each_line(s, n);
		compile(s, n, &c);
	}
	str_free(&ip);
	str_free(&host);
	str_free(&info);
	return 0;
}
