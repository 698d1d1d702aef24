/* vpop/vdeliver.c - a delivery to a virtual user; see vdeliver.h. */
#include "vpop/vdeliver.h"

#include "lib/log.h"
#include "lib/sandbox.h"
#include "mail/program.h"
#include "mail/qx.h"
#include "mail/quote.h"
#include "mail/relay.h"
#include "mail/verdict.h"
#include "vpop/vbox.h"
#include "vpop/vpop.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert(VPLAN_FLAG_BOUNCE == VPOP_BOUNCE_MAIL, "one bit, two rooms");

void
vdeliver_free(struct vdeliver *v)
{
	str_free(&v->local);
	str_free(&v->domain);
	str_free(&v->ours);
	str_free(&v->head);
	auth_answer_free(&v->answer);
	vplan_free(&v->plan);
}

static int
soft(struct str *words, const char *what, const char *name)
{
	int e = errno;

	str_catf(words, "Unable to %s ", what);
	log_quote(words, name, strlen(name));
	str_catf(words, ": %s. (#4.3.0)\n", strerror(e));
	return VERDICT_SOFT;
}

static const char *
said(const struct vdeliver *v, const char *name)
{
	const char *value = auth_value_peek(&v->answer, name, 0);

	return value == NULL ? "" : value;
}

/* VPOPMAIL/domains, where the texts for all domains are. */
static void
cat_global(struct str *out, const struct vdeliver *v)
{
	if (*said(v, "BASE") != '\0')
		str_catf(out, "%s/domains", said(v, "BASE"));
}

/* -- what is to be done -- */

int
vdeliver_has_line(int mfd, const struct str *line, bool *out)
{
	char buf[8192];
	size_t col = 0;         /* bytes of this line so far */
	bool same = true;
	off_t at = 0;

	*out = false;
	for (;;) {
		ssize_t n = pread(mfd, buf, sizeof buf, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		at += n;
		for (ssize_t i = 0; i < n; i++) {
			same = same && col < line->len &&
			    ascii_lower(buf[i]) == ascii_lower(line->s[col]);
			col++;
			if (buf[i] != '\n')
				continue;
			if (col == 1)
				return 0;
			if (same && col == line->len) {
				*out = true;
				return 0;
			}
			col = 0;
			same = true;
		}
	}
}

/* Our line is in what we put into mailboxes and before what we forward, so it
 * is the mark of a message that was here. */
static int
check_loop(const struct vdeliver *v, struct str *words)
{
	bool been_here;

	if (vdeliver_has_line(v->mfd, &v->ours, &been_here) < 0)
		return soft(words, "read", "the message");
	if (!been_here && !bytes_caseeq(v->dtline, strlen(v->dtline),
	    v->ours.s, v->ours.len))
		return VERDICT_OK;
	str_cats(words, "mail is looping: it has already been delivered to "
	    "this address. (#5.4.6)\n");
	return VERDICT_HARD;
}

static int
set_names(struct vdeliver *v, struct str *words)
{
	str_copys(&v->local, v->ext);
	str_lower(&v->local);
	str_copys(&v->domain, v->host);
	str_lower(&v->domain);
	if (v->local.len == 0 || v->domain.len == 0 ||
	    !vplan_name_ok(str_c(&v->local)) ||
	    !vplan_name_ok(str_c(&v->domain)) ||
	    strchr(str_c(&v->domain), '/') != NULL) {
		str_cats(words, "No mailbox can have this name. (#5.1.3)\n");
		return VERDICT_HARD;
	}
	str_catf(&v->ours, "Delivered-To: %s@%s\n", str_c(&v->local),
	    str_c(&v->domain));
	str_cats(&v->head, v->rpline);
	if (v->head.len > 0 && v->head.s[v->head.len - 1] != '\n')
		str_catc(&v->head, '\n');
	str_cat(&v->head, &v->ours);
	return VERDICT_OK;
}

static int
ask(struct vdeliver *v, struct str *words)
{
	struct str addr = {0};
	enum auth_status st;

	str_cat(&addr, &v->local);
	str_catc(&addr, '@');
	str_cat(&addr, &v->domain);
	st = v->ask(v->auth, str_c(&addr), &v->answer);
	str_free(&addr);
	if (st == AUTH_OK)
		return VERDICT_OK;
	if (st == AUTH_TEMP) {
		str_cats(words, "Accounts cannot be looked up now. "
		    "(#4.3.0)\n");
	} else {
		log_quote(words, str_c(&v->domain), v->domain.len);
		str_cats(words, " is no virtual domain. (#4.3.5)\n");
	}
	return VERDICT_SOFT;
}

int
vdeliver_prepare(struct vdeliver *v, struct str *words)
{
	int code;

	if ((code = set_names(v, words)) != VERDICT_OK ||
	    (code = check_loop(v, words)) != VERDICT_OK ||
	    (code = ask(v, words)) != VERDICT_OK)
		return code;
	if (*said(v, "DIR") != '/') {
		str_cats(words, "The domain has no directory. (#4.3.5)\n");
		return VERDICT_SOFT;
	}
	vplan_make(&v->plan, &v->answer, str_c(&v->local), v->action);
	if (v->plan.closed) {
		str_cats(words, "There may be a .qmail, which must not be "
		    "read, in ");
		log_quote(words, str_c(&v->plan.dir), v->plan.dir.len);
		str_cats(words, ". (#4.2.1)\n");
		return VERDICT_SOFT;
	}
	return VERDICT_OK;
}

/* -- the walls -- */

static bool
runs_programs(const struct vdeliver *v)
{
	for (size_t i = 0; i < v->plan.todo.n; i++)
		if (v->plan.todo.steps[i].kind == DOTQMAIL_PROGRAM)
			return true;
	return getenv("QMAILQUEUE") != NULL;
}

/* One of the texts for all domains, if it is there. */
static const char *
add_text(struct str *path, const char *global, const char *name)
{
	struct stat st;

	str_catf(path, "%s/%s", global, name);
	return *global != '\0' && stat(str_c(path), &st) == 0 ?
	    str_c(path) : NULL;
}

static int
confine(const struct vdeliver *v, const char *global, struct str *words)
{
	const char *dir = said(v, "DIR"), *mine = str_c(&v->plan.dir);
	struct str texts[2] = {{0}, {0}}, above = {0};
	const char *read[] = {NULL, NULL, NULL};
	const char *write[] = {dir, NULL, NULL, NULL};
	struct sandbox_fs fs = {.read = read, .write = write};
	struct stat st;
	size_t n = 0, m = 1;
	int code = VERDICT_OK;

	if (!v->sandbox || runs_programs(v))
		return VERDICT_OK;
	read[n] = add_text(&texts[0], global, ".over-quota.msg");
	n += read[n] != NULL;
	read[n] = add_text(&texts[1], global, ".quotawarn.msg");
	/* It may be a link to elsewhere, as may be its Maildir. */
	if (stat(mine, &st) == 0) {
		write[m++] = mine;
		if (stat(str_c(&v->plan.maildir), &st) == 0)
			write[m] = str_c(&v->plan.maildir);
	} else if (*mine == '/' && !vbox_is_below(dir, mine)) {
		/* To be made there. */
		str_copyb(&above, mine, bytes_rchr(mine, strlen(mine), '/'));
		write[m] = above.len == 0 ? "/" : str_c(&above);
	}
	if (sandbox_landlock(&fs, SANDBOX_NO_TCP | SANDBOX_SCOPED) < 0)
		code = soft(words, "be confined to", fs.bad == NULL ? dir :
		    fs.bad);
	str_free(&texts[0]);
	str_free(&texts[1]);
	str_free(&above);
	return code;
}

/* -- doing it -- */

struct run {
	struct vdeliver *v;
	struct vbox_config cfg;
	struct str global;
	struct vbox **boxes;
	size_t n;
	unsigned forwards;
};

/* The caller's, with what is ours in place of his. */
static const char **
make_environment(const struct vdeliver *v, struct str *text)
{
	static const char mark[] = "VDELIVERMAIL=", rest[] = "DEFAULT=";
	const char *depth = getenv("VDELIVERMAIL"), **envp;
	uint64_t d = 0;
	size_t n = 0, i = 0;

	if (depth != NULL && scan_u64(depth, &d) == 0)
		d = 0;
	str_catf(text, "VDELIVERMAIL=%llu", (unsigned long long)d + 1);
	str_catc(text, '\0');
	/* What old shells would take for a function is no value. */
	if (v->plan.have_matched && strncmp(str_c(&v->plan.matched), "() {",
	    4) != 0) {
		str_catf(text, "DEFAULT=%s", str_c(&v->plan.matched));
		str_catc(text, '\0');
	}
	for (char **p = environ; p != NULL && *p != NULL; p++)
		if (strncmp(*p, mark, sizeof mark - 1) != 0 &&
		    (!v->plan.have_matched ||
		    strncmp(*p, rest, sizeof rest - 1) != 0))
			str_catb(text, *p, strlen(*p) + 1);
	for (size_t k = 0; k < text->len; k++)
		n += text->s[k] == '\0';
	envp = mem_alloc(n + 1, sizeof *envp);
	for (size_t at = 0; at < text->len; at += strlen(text->s + at) + 1)
		envp[i++] = text->s + at;
	return envp;
}

static int
run_program(struct run *r, const char *command, struct str *words)
{
	struct str text = {0};
	const char **envp = make_environment(r->v, &text);
	int code = program_run(command, envp, r->v->mfd, r->v->time_ms,
	    words);

	free(envp);
	str_free(&text);
	return code;
}

/* Is it the Maildir of the account, however it is written? */
static bool
is_own(const struct vdeliver *v, const char *maildir)
{
	struct stat a, b;

	return v->plan.have_quota && (strcmp(maildir,
	    str_c(&v->plan.maildir)) == 0 ||
	    (stat(maildir, &a) == 0 && stat(str_c(&v->plan.maildir),
	    &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino));
}

static int
run_maildir(struct run *r, const char *maildir, bool make,
    struct str *words)
{
	struct vbox *b = mem_alloc(1, sizeof *b);

	r->boxes = mem_resize(r->boxes, r->n + 1, sizeof *r->boxes);
	r->boxes[r->n++] = b;
	return vbox_write(b, &r->cfg, maildir, is_own(r->v, maildir) ?
	    &r->v->plan.quota : NULL, make, words);
}

/* "./Maildir/" and the account's own path are the same. */
static int
run_maildir_line(struct run *r, const char *arg, struct str *words)
{
	struct str path = {0};
	int code;

	if (*arg != '/') {
		str_cat(&path, &r->v->plan.dir);
		str_catc(&path, '/');
	}
	str_cats(&path, strncmp(arg, "./", 2) == 0 ? arg + 2 : arg);
	code = run_maildir(r, str_c(&path), is_own(r->v, str_c(&path)),
	    words);
	str_free(&path);
	return code;
}

static int
run_line(struct run *r, size_t i, struct str *words)
{
	const struct dotqmail *todo = &r->v->plan.todo;
	const char *arg = dotqmail_arg(todo, i);

	switch (todo->steps[i].kind) {
	case DOTQMAIL_PROGRAM:
		return run_program(r, arg, words);
	case DOTQMAIL_MAILDIR:
		return run_maildir_line(r, arg, words);
	case DOTQMAIL_FORWARD:
		r->forwards++;
		return VERDICT_OK;
	case DOTQMAIL_MBOX:
		str_cats(words, "The .qmail file delivers to ");
		log_quote(words, arg, strlen(arg));
		str_cats(words, ", which is no Maildir: it must end in a "
		    "slash. (#4.3.5)\n");
		break;
	case DOTQMAIL_BLANK_FIRST:
		return VERDICT_OK;
	case DOTQMAIL_NO_FILES:
	case DOTQMAIL_NO_PROGRAMS:
		str_cats(words, "The .qmail file does something else where "
		    "only forwards are allowed. (#4.7.0)\n");
		break;
	case DOTQMAIL_NUL:
		str_cats(words, "The .qmail file has a NUL byte. (#4.2.1)\n");
		break;
	}
	return VERDICT_SOFT;
}

/* The first n forwards, in one message. */
static int
send_forwards(struct run *r, struct str *words)
{
	const struct vdeliver *v = r->v;
	const char **rcpts = mem_alloc(r->forwards, sizeof *rcpts);
	struct str why = {0};
	unsigned n = 0;
	uint64_t qp;
	int qx, code = VERDICT_OK;

	for (size_t i = 0; i < v->plan.todo.n && n < r->forwards; i++)
		if (v->plan.todo.steps[i].kind == DOTQMAIL_FORWARD)
			rcpts[n++] = dotqmail_arg(&v->plan.todo, i);
	if (lseek(v->mfd, 0, SEEK_SET) < 0) {
		code = soft(words, "rewind", "the message");
	} else if ((qx = relay_message(v->mfd, str_c(&v->ours), v->sender,
	    rcpts, n, &qp, &why)) != 0) {
		code = qx_permanent(qx) ? VERDICT_HARD : VERDICT_SOFT;
		str_catf(words, "Unable to forward: %s. (#%s)\n",
		    str_c(&why), code == VERDICT_HARD ? "5.3.0" : "4.3.0");
	} else {
		str_catf(words, "qp %llu\n", (unsigned long long)qp);
	}
	str_free(&why);
	free(rcpts);
	return code;
}

static int
run_lines(struct run *r, struct str *words)
{
	struct vdeliver *v = r->v;
	int code = VERDICT_OK, last;

	if (chdir(str_c(&v->plan.dir)) < 0)
		return soft(words, "enter", str_c(&v->plan.dir));
	for (size_t i = 0; i < v->plan.todo.n && code == VERDICT_OK; i++)
		code = run_line(r, i, words);
	if (code != VERDICT_OK && code != PROGRAM_STOP)
		return code;
	last = r->forwards > 0 ? send_forwards(r, words) : VERDICT_OK;
	return last != VERDICT_OK ? last : code;
}

static int
run_plan(struct run *r, struct str *words)
{
	struct vdeliver *v = r->v;

	switch (v->plan.kind) {
	case VPLAN_LINES:
		return run_lines(r, words);
	case VPLAN_MAILBOX:
		return run_maildir(r, str_c(&v->plan.maildir),
		    v->plan.have_quota, words);
	case VPLAN_NOTHING:
		return VERDICT_OK;
	case VPLAN_NOBODY:
		(void)vbox_cat_text(words, said(v, "DIR"),
		    str_c(&r->global), ".no-user.msg",
		    "Sorry, no mailbox here by that name. (#5.1.1)\n");
		return VERDICT_HARD;
	case VPLAN_REFUSED:
		str_cats(words, "This mailbox takes no mail. (#5.2.1)\n");
		return VERDICT_HARD;
	case VPLAN_TEMP:
		break;
	}
	str_catf(words, "It cannot be said where this mail goes: %s%s%s. "
	    "(#4.3.0)\n", v->plan.why, v->plan.error != 0 ? ": " : "",
	    v->plan.error != 0 ? strerror(v->plan.error) : "");
	return VERDICT_SOFT;
}

static enum vbox_policy
policy_of(const struct vdeliver *v)
{
	const char *word = said(v, "OVERQUOTA");

	return strcmp(word, "bounce") == 0 ? VBOX_BOUNCE :
	    strcmp(word, "accept") == 0 ? VBOX_ACCEPT : VBOX_DEFER;
}

int
vdeliver_execute(struct vdeliver *v, struct str *words)
{
	struct run r = {.v = v};
	struct stat st;
	int code;

	if (fstat(v->mfd, &st) < 0)
		return soft(words, "examine", "the message");
	cat_global(&r.global, v);
	r.cfg = (struct vbox_config){.dir = said(v, "DIR"),
	    .global = str_c(&r.global), .head = str_c(&v->head),
	    .nhead = v->head.len, .dtline = str_c(&v->ours), .mfd = v->mfd,
	    .size = (uint64_t)st.st_size, .policy = policy_of(v)};
	code = v->plan.kind == VPLAN_LINES || v->plan.kind == VPLAN_MAILBOX ?
	    confine(v, str_c(&r.global), words) : VERDICT_OK;
	if (code == VERDICT_OK)
		code = run_plan(&r, words);
	if (code == VERDICT_OK || code == PROGRAM_STOP) {
		int last = vbox_commit(r.boxes, r.n, words);

		for (size_t i = 0; last == VERDICT_OK && i < r.n; i++)
			vbox_finish(r.boxes[i], &r.cfg);
		if (last != VERDICT_OK)
			code = last;
	}
	for (size_t i = 0; i < r.n; i++) {
		vbox_free(r.boxes[i]);
		free(r.boxes[i]);
	}
	free(r.boxes);
	str_free(&r.global);
	return code;
}

int
vdeliver_run(struct vdeliver *v, struct str *words)
{
	int code = vdeliver_prepare(v, words);

	return code == VERDICT_OK ? vdeliver_execute(v, words) : code;
}
