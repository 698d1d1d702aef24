/* local/delivery.c - one local delivery; see delivery.h.
 *
 * Steps are done in their order; forwards are gathered and sent last, all in
 * one new message.  When a step fails softly the whole file is done again at
 * the next try, what stood before the step included: so it has always been,
 * and only Maildirs with a key are spared the double. */
#include "local/delivery.h"

#include "lib/log.h"
#include "lib/tai.h"
#include "local/environ.h"
#include "local/mbox.h"
#include "mail/dotfile.h"
#include "mail/limits.h"
#include "mail/program.h"
#include "mail/qx.h"
#include "mail/quote.h"
#include "mail/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A line of its own in somebody's file or environment must stay one line. */
static void
cat_oneline(struct str *out, const char *s)
{
	for (; *s; s++)
		str_catc(out, *s == '\n' ? '_' : *s);
}

void
delivery_init(struct delivery *d)
{
	str_cats(&d->rpline, "Return-Path: <");
	quote_cat_addr(&d->rpline, d->sender, strlen(d->sender));
	str_cats(&d->rpline, ">\n");
	str_cats(&d->dtline, "Delivered-To: ");
	cat_oneline(&d->dtline, d->local);
	str_catc(&d->dtline, '@');
	cat_oneline(&d->dtline, d->host);
	str_catc(&d->dtline, '\n');
	mbox_cat_from(&d->ufline, d->sender, clock_wall());
}

void
delivery_free(struct delivery *d)
{
	str_free(&d->rpline);
	str_free(&d->dtline);
	str_free(&d->ufline);
	str_free(&d->newsender);
	str_free(&d->matched);
	dotqmail_free(&d->todo);
}

/* Words and code of something that may go better later. */
static int
soft(struct str *words, const char *what, const char *name, const char *code)
{
	int e = errno;

	str_cats(words, "Unable to ");
	str_cats(words, what);
	str_catc(words, ' ');
	log_quote(words, name, strlen(name));
	str_catf(words, ": %s. (#%s)\n", strerror(e), code);
	return DELIVERY_SOFT;
}

static int
enter_home(const struct delivery *d, struct str *words)
{
	struct stat st;

	if (chdir(d->home) < 0)
		return soft(words, "enter the home directory", d->home,
		    "4.3.0");
	if (stat(".", &st) < 0)
		return soft(words, "examine the home directory", d->home,
		    "4.3.0");
	if (st.st_mode & DOTFILE_REFUSED_BITS) {
		str_cats(words, "The home directory can be written by "
		    "everybody, so its .qmail files are not believed. "
		    "(#4.7.0)\n");
		return DELIVERY_SOFT;
	}
	if (st.st_mode & S_ISVTX) {
		str_cats(words, "The home directory is sticky: its owner is "
		    "changing it, mail waits. (#4.2.1)\n");
		return DELIVERY_SOFT;
	}
	return DELIVERY_OK;
}

/* A field that one more hop has added? */
static bool
is_hop(const char *s, size_t n)
{
	static const char *const fields[] = {"Received:", "Delivered-To:"};

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		size_t len = strlen(fields[i]);

		if (n >= len && bytes_caseeq(s, len, fields[i], len))
			return true;
	}
	return false;
}

struct trail {
	bool been_here;         /* the header has exactly our line */
	unsigned hops;          /* count */
};

/* Memory stays bounded however long a line is. */
static int
read_trail(int mfd, const struct str *line, struct trail *out)
{
	char buf[4096], start[16];
	size_t col = 0;         /* bytes of this line so far */
	bool same = true;
	off_t at = 0;

	*out = (struct trail){0};
	for (;;) {
		ssize_t n = pread(mfd, buf, sizeof buf, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		at += n;
		for (ssize_t i = 0; i < n; i++) {
			same = same && col < line->len &&
			    buf[i] == line->s[col];
			if (col < sizeof start)
				start[col] = buf[i];
			col++;
			if (buf[i] != '\n')
				continue;
			if (col == 1)
				return 0;
			if (same && col == line->len)
				out->been_here = true;
			out->hops += is_hop(start, col < sizeof start ? col :
			    sizeof start);
			col = 0;
			same = true;
		}
	}
}

/* Our own line tells of a loop at once; where somebody takes such lines out,
 * the number of hops does later. */
static int
check_loop(const struct delivery *d, struct str *words)
{
	struct trail t;

	if (read_trail(d->mfd, &d->dtline, &t) < 0)
		return soft(words, "read", "the message", "4.3.0");
	if (t.been_here) {
		str_cats(words, "Mail loop: this message has already been "
		    "delivered to this address. (#5.4.6)\n");
		return DELIVERY_HARD;
	}
	if (t.hops > HOPS_MAX) {
		str_catf(words, "Mail loop: this message has been on its way "
		    "for more than %d hops. (#5.4.6)\n", HOPS_MAX);
		return DELIVERY_HARD;
	}
	return DELIVERY_OK;
}

/* A forward's bounces go to the -owner address where there is one. */
static int
find_owner(struct delivery *d, struct str *words)
{
	bool owner = false, each = false;

	str_copys(&d->newsender, d->sender);
	if (*d->sender == '\0' || strcmp(d->sender, "#@[]") == 0)
		return DELIVERY_OK;
	if (dotfile_exists("", d->dash, d->ext, "-owner", &owner) < 0 ||
	    (owner && dotfile_exists("", d->dash, d->ext, "-owner-default",
	    &each) < 0))
		return soft(words, "examine", "the .qmail-owner file",
		    "4.3.0");
	if (owner) {
		str_copys(&d->newsender, d->local);
		str_cats(&d->newsender, each ? "-owner-@" : "-owner@");
		str_cats(&d->newsender, d->host);
		str_cats(&d->newsender, each ? "-@[]" : "");
	}
	return DELIVERY_OK;
}

static int
read_instructions(struct delivery *d, struct str *words)
{
	struct dotfile f = {0};
	int code = DELIVERY_OK;

	switch (dotfile_find("", d->dash, d->ext, &f)) {
	case DOTFILE_OK:
		break;
	case DOTFILE_NONE:
		if (*d->dash == '\0')
			break;
		str_cats(words, "There is no mailbox of this name here. "
		    "(#5.1.1)\n");
		code = DELIVERY_HARD;
		break;
	case DOTFILE_WRITABLE:
		str_cats(words, "The file ");
		log_quote(words, str_c(&f.name), f.name.len);
		str_cats(words, " can be written by everybody, so it is not "
		    "believed. (#4.7.0)\n");
		code = DELIVERY_SOFT;
		break;
	case DOTFILE_TEMP:
		code = soft(words, "read", str_c(&f.name), "4.3.0");
		break;
	}
	if (code == DELIVERY_OK) {
		d->have_matched = f.have_matched;
		str_copys(&d->matched, f.have_matched ?
		    d->ext + f.matched_at : "");
		if (f.text.len > 0)
			dotqmail_parse(&d->todo, str_c(&f.text), f.text.len,
			    f.forward_only);
		else
			dotqmail_parse(&d->todo, d->aliasempty,
			    strlen(d->aliasempty), false);
	}
	dotfile_free(&f);
	return code;
}

int
delivery_prepare(struct delivery *d, struct str *words)
{
	int code;

	if ((code = enter_home(d, words)) != DELIVERY_OK ||
	    (code = check_loop(d, words)) != DELIVERY_OK ||
	    (code = read_instructions(d, words)) != DELIVERY_OK)
		return code;
	return find_owner(d, words);
}

enum maildir_status
delivery_maildir(const struct delivery *d, size_t step,
    struct maildir_file *f)
{
	struct maildir_key key = d->key;
	struct str head = {0};
	enum maildir_status st;

	key.step = step;
	str_cat(&head, &d->rpline);
	str_cat(&head, &d->dtline);
	st = maildir_write(f, dotqmail_arg(&d->todo, step), str_c(&head),
	    head.len, d->mfd, d->keyed ? &key : NULL);
	str_free(&head);
	return st;
}

void
delivery_cat_maildir_trouble(const struct maildir_file *f, struct str *words)
{
	errno = f->error;
	(void)soft(words, maildir_verb(f->status), str_c(&f->dir), "4.3.0");
}

static int
run_maildir(struct delivery *d, size_t step, struct str *words)
{
	struct maildir_file f, *one = &f;
	int code = DELIVERY_OK;

	if (delivery_maildir(d, step, &f) == MAILDIR_OK)
		maildir_commit(&one, 1);
	if (f.status != MAILDIR_OK) {
		delivery_cat_maildir_trouble(&f, words);
		code = DELIVERY_SOFT;
	}
	maildir_free(&f);
	return code;
}

static int
run_mbox(struct delivery *d, const char *path, struct str *words)
{
	struct str head = {0};
	enum mbox_status st;
	int code = DELIVERY_OK;

	str_cat(&head, &d->ufline);
	str_cat(&head, &d->rpline);
	str_cat(&head, &d->dtline);
	st = mbox_append(path, str_c(&head), head.len, d->mfd,
	    MBOX_LOCK_MS);
	if (st == MBOX_LOCKED) {
		str_cats(words, "The file ");
		log_quote(words, path, strlen(path));
		str_catf(words, " has been locked for %d seconds. (#4.3.0)\n",
		    MBOX_LOCK_MS / 1000);
		code = DELIVERY_SOFT;
	} else if (st == MBOX_ERROR) {
		code = soft(words, "append to", path, "4.3.0");
	}
	str_free(&head);
	return code;
}

static int
run_program(struct delivery *d, const char *command, struct str *words)
{
	struct environ env = {0};
	int code;

	environ_make(&env, d);
	code = program_run(command, environ_vec(&env), d->mfd, d->time_ms,
	    words);
	environ_free(&env);
	return code;
}

static int
run_forwards(struct delivery *d, struct str *words)
{
	const char **rcpts = mem_alloc(d->forwards, sizeof *rcpts);
	struct str why = {0};
	unsigned n = 0;
	int qx, code;

	for (size_t i = 0; i < d->todo.n && n < d->forwards; i++)
		if (d->todo.steps[i].kind == DOTQMAIL_FORWARD)
			rcpts[n++] = dotqmail_arg(&d->todo, i);
	if (lseek(d->mfd, 0, SEEK_SET) < 0) {
		code = soft(words, "rewind", "the message", "4.3.0");
	} else if ((qx = relay_message(d->mfd, str_c(&d->dtline),
	    str_c(&d->newsender), rcpts, n, &d->qp, &why)) == 0) {
		code = DELIVERY_OK;
	} else {
		code = qx_permanent(qx) ? DELIVERY_HARD : DELIVERY_SOFT;
		str_cats(words, "Unable to forward: ");
		str_cat(words, &why);
		str_cats(words, code == DELIVERY_HARD ? ". (#5.3.0)\n" :
		    ". (#4.3.0)\n");
	}
	str_free(&why);
	free(rcpts);
	return code;
}

static int
run_step(struct delivery *d, size_t i, struct str *words)
{
	const char *arg = dotqmail_arg(&d->todo, i);

	switch (d->todo.steps[i].kind) {
	case DOTQMAIL_PROGRAM:
		d->programs++;
		return run_program(d, arg, words);
	case DOTQMAIL_MBOX:
		d->files++;
		return run_mbox(d, arg, words);
	case DOTQMAIL_MAILDIR:
		d->files++;
		return run_maildir(d, i, words);
	case DOTQMAIL_FORWARD:
		d->forwards++;
		return DELIVERY_OK;
	case DOTQMAIL_BLANK_FIRST:
		str_cats(words, "The first line of the .qmail file is blank. "
		    "(#4.2.1)\n");
		break;
	case DOTQMAIL_NO_FILES:
		str_cats(words, "The .qmail file delivers to a file where "
		    "only forwards are allowed. (#4.7.0)\n");
		break;
	case DOTQMAIL_NO_PROGRAMS:
		str_cats(words, "The .qmail file runs a program where only "
		    "forwards are allowed. (#4.7.0)\n");
		break;
	case DOTQMAIL_NUL:
		str_cats(words, "The .qmail file has a NUL byte. (#4.2.1)\n");
		break;
	}
	return DELIVERY_SOFT;
}

int
delivery_run(struct delivery *d, struct str *words)
{
	int code = DELIVERY_OK;

	for (size_t i = 0; i < d->todo.n && code == DELIVERY_OK; i++)
		code = run_step(d, i, words);
	if (code == DELIVERY_STOP) {
		/* Forwards below the stop are not sent. */
		code = DELIVERY_OK;
	} else if (code != DELIVERY_OK) {
		return code;
	}
	if (d->forwards > 0)
		code = run_forwards(d, words);
	if (code == DELIVERY_OK)
		delivery_cat_success(d, words);
	return code;
}

void
delivery_cat_success(const struct delivery *d, struct str *words)
{
	str_catf(words, "did %u+%u+%u\n", d->files, d->forwards, d->programs);
	if (d->qp != 0)
		str_catf(words, "qp %llu\n", (unsigned long long)d->qp);
}

void
delivery_cat_plan(const struct delivery *d, struct str *out)
{
	static const char *const verb[] = {
		[DOTQMAIL_PROGRAM] = "program ",
		[DOTQMAIL_MBOX] = "mbox ",
		[DOTQMAIL_MAILDIR] = "maildir ",
		[DOTQMAIL_FORWARD] = "forward ",
		[DOTQMAIL_BLANK_FIRST] = "refused: the first line is blank",
		[DOTQMAIL_NO_FILES] = "refused: only forwards: ",
		[DOTQMAIL_NO_PROGRAMS] = "refused: only forwards: |",
		[DOTQMAIL_NUL] = "refused: a NUL byte",
	};

	for (size_t i = 0; i < d->todo.n; i++) {
		str_cats(out, verb[d->todo.steps[i].kind]);
		str_cats(out, dotqmail_arg(&d->todo, i));
		str_catc(out, '\n');
	}
}
