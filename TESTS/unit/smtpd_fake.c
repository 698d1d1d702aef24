/* TESTS/unit/smtpd_fake.c - see smtpd_fake.h.  The checker knows u with the
 * password p; the verifier knows nobody whose name begins with "no". */
#include "TESTS/unit/smtpd_fake.h"

#include "lib/fs.h"
#include "mail/qsubmit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct smtpd_fake smtpd_fake;

void __wrap_qsubmit_open(struct qsubmit *);
void __wrap_qsubmit_put(struct qsubmit *, const void *, size_t);
void __wrap_qsubmit_from(struct qsubmit *, const char *);
void __wrap_qsubmit_to(struct qsubmit *, const char *);
void __wrap_qsubmit_params(struct qsubmit *, const char *);
void __wrap_qsubmit_rcpt_params(struct qsubmit *, const char *);
int __wrap_qsubmit_close(struct qsubmit *, struct str *);
void __wrap_qsubmit_fail(struct qsubmit *, int);
enum verify_status __wrap_verify_ask(struct verify *, const char *,
    const char *, struct str *);
enum checkpw_status __wrap_checker_ask(struct checker *, const char *,
    const char *, size_t, const char *, size_t);
void __wrap_log_info(const char *, ...) __attribute__((format(printf, 1, 2)));

void
__wrap_qsubmit_open(struct qsubmit *q)
{
	q->fail = 0;
	q->qp = 7;
	str_clear(&smtpd_fake.message);
	str_clear(&smtpd_fake.envelope);
}

void
__wrap_qsubmit_put(struct qsubmit *q, const void *s, size_t n)
{
	(void)q;
	str_catb(&smtpd_fake.message, s, n);
}

static void
record(char kind, const char *s)
{
	if (kind != 'F' && kind != 'T' && *s == '\0')
		return;
	str_catc(&smtpd_fake.envelope, kind);
	str_cats(&smtpd_fake.envelope, s);
	str_catc(&smtpd_fake.envelope, '|');
}

void
__wrap_qsubmit_from(struct qsubmit *q, const char *s)
{
	(void)q;
	record('F', s);
}

void
__wrap_qsubmit_to(struct qsubmit *q, const char *s)
{
	(void)q;
	record('T', s);
}

void
__wrap_qsubmit_params(struct qsubmit *q, const char *s)
{
	(void)q;
	record('M', s);
}

void
__wrap_qsubmit_rcpt_params(struct qsubmit *q, const char *s)
{
	(void)q;
	record('N', s);
}

void
__wrap_qsubmit_fail(struct qsubmit *q, int code)
{
	q->fail = code;
}

int
__wrap_qsubmit_close(struct qsubmit *q, struct str *text)
{
	int code = q->fail != 0 ? q->fail : smtpd_fake.code;

	str_clear(text);
	if (code != 0) {
		str_cats(text, qx_text(code));
		smtpd_fake.dropped++;
	} else {
		smtpd_fake.queued++;
	}
	return code;
}

enum verify_status
__wrap_verify_ask(struct verify *v, const char *path, const char *addr,
    struct str *text)
{
	(void)v;
	(void)path;
	str_copys(text, "nobody");
	return strncmp(addr, "no", 2) == 0 ? VERIFY_NO : VERIFY_OK;
}

enum checkpw_status
__wrap_checker_ask(struct checker *c, const char *ip, const char *user,
    size_t nuser, const char *pass, size_t npass)
{
	(void)c;
	(void)ip;
	return nuser == 1 && *user == 'u' && npass == 1 && *pass == 'p' ?
	    CHECKPW_OK : CHECKPW_WRONG;
}

void
__wrap_log_info(const char *fmt, ...)
{
	char line[2000];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	str_cats(&smtpd_fake.log, line);
	str_catc(&smtpd_fake.log, '\n');
}

void
smtpd_fake_reset(void)
{
	str_free(&smtpd_fake.message);
	str_free(&smtpd_fake.envelope);
	str_free(&smtpd_fake.log);
	smtpd_fake = (struct smtpd_fake){0};
}

void
smtpd_fake_config(struct smtpd_config *c)
{
	*c = (struct smtpd_config){.ssl_ctl = -1, .ssl_read = -1,
	    .ssl_write = -1, .tls_socket = "/nonexistent",
	    .rcpt_socket = "/nonexistent", .queue_dir = "/",
	    .times = {.idle = 60000, .line = 60000, .data = 60000,
	    .session = 600000, .greet = -1, .proxy = 60000, .wrong = 0,
	    .slow = 0, .tls = 1000}};
	str_copys(&c->me, "mx.example.org");
	str_copys(&c->greeting, "mx.example.org");
	str_copyb(&c->locals, "local.example\0", 14);
	str_copys(&c->peer.ip, "192.0.2.9");
	c->rcpthosts.list.nocase = true;
	map_set(&c->rcpthosts.list, "example.org", 11, c);
}

int
smtpd_fake_play(const struct smtpd_config *cfg, const void *bytes, size_t n,
    struct str *out)
{
	static struct io io;
	struct checker checker = {.fd = -1};
	int in = memfd_create("in", MFD_CLOEXEC);
	int reply = memfd_create("out", MFD_CLOEXEC), code;

	if (in < 0 || reply < 0 || fd_write_all(in, bytes, n) < 0 ||
	    lseek(in, 0, SEEK_SET) != 0)
		abort();
	io_init(&io, in, reply, cfg->times.idle);
	code = smtpd_session(&io, cfg, cfg->auth_never ? NULL : &checker);
	if (lseek(reply, 0, SEEK_SET) != 0 ||
	    fs_read_fd(reply, out, (size_t)1 << 28) < 0)
		abort();
	(void)close(in);
	(void)close(reply);
	return code;
}
