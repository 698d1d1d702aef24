/* vpop/opensmtp.c - who may relay for a while; see opensmtp.h. */
#include "vpop/opensmtp.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "lib/ip.h"
#include "lib/proc.h"
#include "lib/tai.h"
#include "vpop/store_mysql_tools.h"
#include "vpop/vfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN "open-smtp"
#define LOCK "open-smtp.lock"
#define RULES "tcp.smtp"
#define TCPRULES "/usr/local/bin/tcprules"
#define LOCK_MS 30000
#define FILE_MAX ((size_t)64 << 20)

static int
fail(struct str *why, const char *dir, const char *name)
{
	str_catf(why, "%s/%s: %s", dir, name, strerror(errno));
	return -1;
}

/* 0, or -1 with errno; a missing file is empty, and *there false. */
static int
read_file(const char *dir, const char *name, struct str *out, bool *there)
{
	struct str path = {0};
	int e, r;

	str_catf(&path, "%s/%s", dir, name);
	r = fs_read(str_c(&path), out, FILE_MAX);
	e = errno;
	str_free(&path);
	errno = e;
	*there = r == 0;
	return r < 0 && e == ENOENT ? 0 : r;
}

/* "IP:...<TAB>time": keeps what is an address and not too old. */
static void
take_line(struct opensmtp *o, const char *s, size_t n)
{
	size_t tab = bytes_rchr(s, n, '\t'), colon;
	struct str number = {0};
	uint64_t when = 0;
	struct ip ip;

	if (tab == n)
		return;
	str_copyb(&number, s + tab + 1, n - tab - 1);
	str_rstrip(&number);
	colon = bytes_chr(s, tab, ':');
	/* an IPv6 address has colons of its own */
	while (colon < tab && ip_parse(s, colon, &ip) < 0)
		colon += 1 + bytes_chr(s + colon + 1, tab - colon - 1, ':');
	if (colon < tab && number.len > 0 &&
	    scan_u64(str_c(&number), &when) == number.len &&
	    when >= o->before) {
		str_catb(&o->kept, s, n);
		str_catc(&o->kept, '\n');
		str_catb(&o->rules, s, tab);
		str_catc(&o->rules, '\n');
	}
	str_free(&number);
}

/* *lock_out is held from here on; -1: it is not. */
static int
clear_file(struct opensmtp *o, const char *etc, bool *any, int *lock_out,
    struct str *why)
{
	struct str old = {0};
	struct vfile_as as;
	bool there = false;
	int lock = -1, r = -1;

	if (vfile_as_owner(&as, etc) < 0)
		return fail(why, etc, "");
	lock = vfile_lock(etc, LOCK, LOCK_MS);
	if (lock >= 0)
		r = read_file(etc, OPEN, &old, &there);
	for (size_t at = 0; r == 0 && at < old.len; ) {
		size_t n = bytes_chr(old.s + at, old.len - at, '\n');

		take_line(o, old.s + at, n);
		at += n + 1;
	}
	if (r == 0 && there && o->kept.len != old.len)
		r = vfile_replace(etc, OPEN, str_c(&o->kept), o->kept.len,
		    0644);
	if (r < 0)
		(void)fail(why, etc, lock < 0 ? LOCK : OPEN);
	vfile_as_end(&as);
	str_free(&old);
	*lock_out = lock;
	*any = *any || there;
	return r;
}

static int
take_row(void *arg, const char *text, uint64_t when)
{
	struct opensmtp *o = arg;
	char shown[IP_TEXT];
	struct ip ip;

	if (when >= o->before && ip_parse(text, strlen(text), &ip) == 0)
		str_catf(&o->rules, "%s:allow,RELAYCLIENT=\"\","
		    "RBLSMTPD=\"\"\n", ip_text(&ip, shown));
	return 0;
}

static int
clear_table(struct opensmtp *o, struct vcommand *c, bool *any,
    struct str *why)
{
	enum vstore_status st = vmysql_relay_expire(c->store, o->before);

	if (st == VSTORE_OK) {
		*any = true;
		st = vmysql_relay_each(c->store, take_row, o);
	}
	if (st == VSTORE_OK || st == VSTORE_NONE)
		return 0;
	str_catf(why, "relay: %s", vstore_reason_peek(c->store));
	return -1;
}

static int
compile(const struct opensmtp *o, const char *etc, struct str *why)
{
	struct str cdb = {0}, tmp = {0};
	struct proc_fd fds[] = {{-1, 0}};
	struct proc_spawn p = {.path = TCPRULES, .fds = fds, .nfds = 1,
	    .dir = "/"};
	const char *argv[] = {"tcprules", NULL, NULL, NULL};
	int status = 0, r = -1, fd = memfd_create("rules", MFD_CLOEXEC);
	char text[32];
	mode_t mask;
	pid_t pid;

	str_catf(&cdb, "%s/" RULES ".cdb", etc);
	str_catf(&tmp, "%s/" RULES ".tmp", etc);
	argv[1] = str_c(&cdb);
	argv[2] = str_c(&tmp);
	p.argv = argv;
	fds[0].from = fd;
	if (fd < 0 || fd_write_all(fd, str_c(&o->rules), o->rules.len) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0) {
		(void)fail(why, etc, RULES);
	} else {
		/* tcpserver may run as somebody who owns nothing here */
		mask = umask(022);
		r = proc_spawn(&p, &pid);
		(void)umask(mask);
		if (r < 0)
			str_catf(why, "%s: %s", TCPRULES, strerror(errno));
		else if ((r = proc_wait(pid, &status)) < 0 || status != 0) {
			str_catf(why, "%s: %s", TCPRULES,
			    proc_status_text(status, text, sizeof text));
			r = -1;
		}
	}
	if (fd >= 0)
		fd_close(fd);
	str_free(&cdb);
	str_free(&tmp);
	return r;
}

int
opensmtp_clear(struct opensmtp *o, struct vcommand *c, uint64_t age,
    struct str *why)
{
	struct str etc = {0}, base = {0};
	uint64_t now = (uint64_t)clock_wall();
	bool any = false, there = false;
	int r, lock = -1;

	o->before = age < now ? now - age : 0;
	str_catf(&etc, "%s/etc", str_c(&c->home));
	r = clear_file(o, str_c(&etc), &any, &lock, why);
	if (r == 0)
		r = clear_table(o, c, &any, why);
	if (r == 0 && any && read_file(str_c(&etc), RULES, &base,
	    &there) < 0)
		r = fail(why, str_c(&etc), RULES);
	if (r == 0 && there) {
		/* the first rule of an address counts: theirs, then ours */
		if (base.len > 0 && base.s[base.len - 1] != '\n')
			str_catc(&base, '\n');
		str_cat(&o->rules, &base);
	}
	if (r == 0 && any)
		r = compile(o, str_c(&etc), why);
	if (lock >= 0)
		fd_close(lock);
	str_free(&etc);
	str_free(&base);
	str_free(&o->kept);
	str_free(&o->rules);
	return r;
}
