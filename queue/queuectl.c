/* queue/queuectl.c - what qmail-queuectl was asked to do; see queuectl.h.
 *
 * Each message is read just before it is touched: on a live queue what was
 * selected a moment ago may be delivered, and that is no error unless the
 * administrator named it. */
#include "queue/queuectl.h"

#include "control/control.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/tai.h"
#include "mail/limits.h"
#include "mail/qpath.h"
#include "mail/show.h"
#include "queue/qact.h"
#include "queue/qcheck.h"
#include "queue/qshow.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOW_HEADER_MAX 65536   /* bytes of a header that show prints */

/* past: what a message then is. */
static const struct {
	const char *word;
	enum queuectl_command command;
	enum qctl_verb verb;
	const char *past;
} commands[] = {
	{"list", QUEUECTL_LIST, QCTL_FLUSH, ""},
	{"show", QUEUECTL_SHOW, QCTL_FLUSH, ""},
	{"delete", QUEUECTL_ACT, QCTL_DELETE, "deleted"},
	{"expire", QUEUECTL_ACT, QCTL_EXPIRE, "expired"},
	{"retry", QUEUECTL_ACT, QCTL_RETRY, "due now"},
	{"flush", QUEUECTL_ACT, QCTL_FLUSH, "all due now"},
	{"hold", QUEUECTL_ACT, QCTL_HOLD, "on hold"},
	{"release", QUEUECTL_ACT, QCTL_RELEASE, "released"},
	{"check", QUEUECTL_CHECK, QCTL_FLUSH, ""},
	{"repair", QUEUECTL_REPAIR, QCTL_FLUSH, ""},
};

/* ---- the command line ---- */

static int
wrong(struct str *why, const char *what, const char *word)
{
	str_clear(why);
	str_cats(why, what);
	if (word != NULL) {
		str_cats(why, ": ");
		log_quote(why, word, strlen(word));
	}
	return -1;
}

static int
parse_option(struct queuectl *out, int c, struct str *why)
{
	switch (c) {
	case 's':
		if (out->sel.sender != NULL)
			return wrong(why, "--sender given twice", NULL);
		out->sel.sender = optarg;
		return 0;
	case 'r':
		if (out->sel.rcpt != NULL)
			return wrong(why, "--recipient given twice", NULL);
		out->sel.rcpt = optarg;
		return 0;
	case 'a':
		if (out->sel.age != QSELECT_ANY_AGE)
			return wrong(why, "--age given twice", NULL);
		if (qselect_parse_age(&out->sel, optarg) < 0)
			return wrong(why, "no age", optarg);
		return 0;
	case 'h':
		out->sel.held = true;
		return 0;
	case 'A':
		out->sel.all = true;
		return 0;
	case 'j':
		out->json = true;
		return 0;
	case 'n':
		out->dry_run = true;
		return 0;
	case ':':
		return wrong(why, "an option lacks its value", NULL);
	default:
		return wrong(why, "", NULL);
	}
}

/* Do the parts fit together? */
static int
check_fit(const struct queuectl *out, const char *word, struct str *why)
{
	bool given = qselect_given(&out->sel);

	if (out->sel.all && (out->sel.ids.n > 0 ||
	    !qselect_only_ids(&out->sel)))
		return wrong(why, "--all and a condition contradict each other",
		    NULL);
	if (out->command == QUEUECTL_CHECK || out->command == QUEUECTL_REPAIR ||
	    (out->command == QUEUECTL_ACT && out->verb == QCTL_FLUSH)) {
		if (given)
			return wrong(why,
			    "this command is for the whole queue", word);
	} else if (out->command != QUEUECTL_LIST && !given) {
		return wrong(why, "say which messages: numbers, a condition, "
		    "or --all", NULL);
	}
	return 0;
}

int
queuectl_parse(struct queuectl *out, int argc, char **argv, struct str *why)
{
	static const struct option options[] = {
		{"sender", required_argument, NULL, 's'},
		{"recipient", required_argument, NULL, 'r'},
		{"age", required_argument, NULL, 'a'},
		{"held", no_argument, NULL, 'h'},
		{"all", no_argument, NULL, 'A'},
		{"json", no_argument, NULL, 'j'},
		{"dry-run", no_argument, NULL, 'n'},
		{NULL, 0, NULL, 0},
	};
	size_t i, n = sizeof commands / sizeof commands[0];
	const char *word;
	uint64_t id;
	int c;

	*out = (struct queuectl){0};
	opterr = 0;
	optind = 0;             /* forget an earlier parse */
	while ((c = getopt_long(argc, argv, ":jn", options, NULL)) != -1)
		if (parse_option(out, c, why) < 0)
			return -1;
	if (optind >= argc)
		return wrong(why, "", NULL);
	word = argv[optind++];
	for (i = 0; i < n && strcmp(word, commands[i].word) != 0; i++)
		continue;
	if (i == n)
		return wrong(why, "no such command", word);
	out->command = commands[i].command;
	out->verb = commands[i].verb;
	for (; optind < argc; optind++) {
		const char *s = argv[optind];

		if (!qpath_parse(*s == '#' ? s + 1 : s, &id))
			return wrong(why, "no message number", s);
		qscan_add(&out->sel.ids, id);
	}
	qscan_sort(&out->sel.ids);
	return check_fit(out, word, why);
}

void
queuectl_free(struct queuectl *ctl)
{
	qselect_free(&ctl->sel);
	*ctl = (struct queuectl){0};
}

/* ---- one message in full ---- */

/* Up to the empty line, or SHOW_HEADER_MAX bytes. */
static int
read_header(const char *path, struct str *out)
{
	struct io in;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	size_t had = 0;

	if (fd < 0)
		return -1;
	io_init(&in, fd, -1, 0);
	while (out->len < SHOW_HEADER_MAX &&
	    io_getdelim(&in, out, '\n', SHOW_HEADER_MAX) == IO_OK &&
	    out->len > had) {
		str_catc(out, '\n');
		had = out->len;
	}
	(void)close(fd);
	return 0;
}

static void
cat_indented(struct str *out, const struct str *text)
{
	for (size_t at = 0; at < text->len;) {
		size_t n = bytes_chr(text->s + at, text->len - at, '\n');

		str_cats(out, "  ");
		show_cat_text(out, text->s + at, n);
		str_catc(out, '\n');
		at += n + 1;
	}
}

/* The list's form with more: the failures noted so far, and the header. */
static void
show_one(struct str *out, const struct qscan_msg *m, bool json)
{
	struct qpath mess = qpath_split("mess", m->id);
	struct qpath bounce = qpath_flat("bounce", m->id);
	struct str header = {0}, failures = {0};

	if (read_header(mess.s, &header) < 0)
		log_sys("unable to read %s", mess.s);
	if (m->bouncing && fs_read(bounce.s, &failures, ENVELOPE_MAX) < 0 &&
	    errno != ENOENT)
		log_sys("unable to read %s", bounce.s);
	if (json) {
		qshow_cat_json(out, m);
		str_trunc(out, out->len - 2);           /* "}\n" */
		str_cats(out, ",\"failures\":");
		show_cat_json(out, str_c(&failures), failures.len);
		str_cats(out, ",\"header\":");
		show_cat_json(out, str_c(&header), header.len);
		str_cats(out, "}\n");
	} else {
		qshow_cat_classic(out, m);
		if (m->todo)
			str_catf(out, "submitted by uid %u, qp %ld; not "
			    "preprocessed, or being delivered\n",
			    (unsigned)m->uid, (long)m->pid);
		if (failures.len > 0)
			str_cats(out, "failures so far:\n");
		cat_indented(out, &failures);
		str_cats(out, "header:\n");
		cat_indented(out, &header);
		str_catc(out, '\n');
	}
	str_free(&header);
	str_free(&failures);
}

/* ---- going over the messages ---- */

struct run {
	struct queuectl *ctl;
	struct qact act;
	struct io out;
	struct str text;        /* scratch */
	uint64_t count, missed;
	int code;               /* the worst so far */
	bool stop;
};

static const char *
past_word(enum qctl_verb verb)
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (commands[i].command == QUEUECTL_ACT &&
		    commands[i].verb == verb)
			return commands[i].past;
	return "";
}

static void
worse(struct run *run, int code)
{
	if (code > run->code)
		run->code = code;
}

static void
put(struct run *run, const struct str *s)
{
	if (io_put(&run->out, str_c(s), s->len) != IO_OK)
		run->stop = true;
}

/* One line about one message: what was done, or would be. */
static void
report(struct run *run, uint64_t id, bool ok, const char *text)
{
	const struct queuectl *ctl = run->ctl;
	struct str s = {0};

	if (ctl->json) {
		str_cats(&s, "{\"action\":\"");
		str_cats(&s, qctl_verb_word(ctl->verb));
		if (ctl->verb != QCTL_FLUSH) {
			str_cats(&s, "\",\"id\":");
			str_catu(&s, id);
		} else {
			str_catc(&s, '"');
		}
		str_catf(&s, ",\"ok\":%s,\"dry_run\":%s,\"text\":",
		    ok ? "true" : "false", ctl->dry_run ? "true" : "false");
		show_cat_json(&s, text, strlen(text));
		str_cats(&s, "}\n");
	} else if (ok) {
		if (ctl->verb != QCTL_FLUSH) {
			str_catc(&s, '#');
			str_catu(&s, id);
			str_catc(&s, ' ');
		}
		str_cats(&s, ctl->dry_run ? "would be " : "");
		str_cats(&s, past_word(ctl->verb));
		if (*text != '\0') {
			str_cats(&s, ": ");
			show_cat_text(&s, text, strlen(text));
		}
		str_catc(&s, '\n');
	} else {
		show_cat_text(&s, text, strlen(text));
		log_warn("#%" PRIu64 ": unable to %s: %s", id,
		    qctl_verb_word(ctl->verb), str_c(&s));
		str_clear(&s);
	}
	put(run, &s);
	str_free(&s);
}

static void
act_on(struct run *run, uint64_t id)
{
	enum qact_status st = QACT_DONE;

	str_clear(&run->text);
	if (!run->ctl->dry_run)
		st = qact_do(&run->act, run->ctl->verb, id, &run->text);
	if (st == QACT_REFUSED && faccessat(AT_FDCWD,
	    qpath_flat("todo", id).s, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		str_cats(&run->text, " (it waits for qmail-todo: try again)");
	report(run, id, st == QACT_DONE, str_c(&run->text));
	switch (st) {
	case QACT_DONE:
		run->count++;
		break;
	case QACT_REFUSED:
		worse(run, 100);
		break;
	case QACT_TROUBLE:
		worse(run, 111);
		run->stop = run->act.online;
		break;
	}
}

/* Reads one message; acts on it or shows it if it is meant. */
static void
visit(struct run *run, uint64_t id, struct qscan_msg *m, int64_t now)
{
	const struct queuectl *ctl = run->ctl;
	bool named = ctl->sel.ids.n > 0 && qselect_only_ids(&ctl->sel);
	struct str s = {0};

	switch (qscan_load(id, m, &run->text)) {
	case QSCAN_OK:
		break;
	case QSCAN_GONE:
		if (ctl->sel.ids.n > 0) {
			log_warn("#%" PRIu64 ": no such message", id);
			worse(run, 100);
		}
		return;
	case QSCAN_BAD:
		log_warn("%s", str_c(&run->text));
		if (!named) {           /* it may not be what it seems */
			worse(run, 111);
			return;
		}
		break;
	case QSCAN_TROUBLE:
		log_warn("%s", str_c(&run->text));
		worse(run, 111);
		return;
	}
	if (!qselect_match(&ctl->sel, m, now))
		return;
	if (ctl->command == QUEUECTL_ACT) {
		act_on(run, id);
		return;
	}
	show_one(&s, m, ctl->json);
	put(run, &s);
	str_free(&s);
	run->count++;
}

static void
visit_all(struct run *run)
{
	const struct qselect *sel = &run->ctl->sel;
	struct qscan_ids found = {0};
	const struct qscan_ids *ids = &sel->ids;
	struct qscan_msg m = {0};
	int64_t now = clock_wall();

	if (sel->ids.n == 0) {
		ids = &found;
		if (qscan_list(&found, &run->text) < 0) {
			log_warn("%s", str_c(&run->text));
			worse(run, 111);
			run->stop = true;
		}
	}
	for (size_t i = 0; i < ids->n && !run->stop; i++)
		visit(run, ids->ids[i], &m, now);
	qscan_ids_free(&found);
	qscan_msg_free(&m);
}

/* "3 messages deleted", the last line of text output. */
static void
total(struct run *run)
{
	const struct queuectl *ctl = run->ctl;
	struct str s = {0};

	if (ctl->json || (ctl->command == QUEUECTL_ACT &&
	    ctl->verb == QCTL_FLUSH))
		return;
	str_catu(&s, run->count);
	str_cats(&s, run->count == 1 ? " message" : " messages");
	if (ctl->command == QUEUECTL_ACT) {
		str_cats(&s, ctl->dry_run ? " would be " : " ");
		str_cats(&s, past_word(ctl->verb));
	}
	str_catc(&s, '\n');
	put(run, &s);
	str_free(&s);
}

static int
act_open(struct run *run)
{
	const struct queuectl *ctl = run->ctl;
	uint64_t lifetime = QUEUE_LIFE;

	run->act = (struct qact){.lock = -1, .sock = -1};
	if (ctl->command != QUEUECTL_ACT || ctl->dry_run)
		return 0;
	if (ctl->verb == QCTL_EXPIRE)
		lifetime = control_need_number(CONTROL_QUEUELIFETIME);
	if (qact_open(&run->act, QCTL_SOCKET, lifetime, &run->text) == 0)
		return 0;
	log_warn("%s", str_c(&run->text));
	return -1;
}

static int
run_messages(struct queuectl *ctl)
{
	struct run run = {.ctl = ctl};

	io_init(&run.out, -1, 1, IO_FOREVER);
	if (act_open(&run) < 0) {
		str_free(&run.text);
		return 111;
	}
	if (ctl->command == QUEUECTL_LIST)
		run.code = qshow_list(&run.out, &ctl->sel, ctl->json,
		    &run.count);
	else if (ctl->command == QUEUECTL_ACT && ctl->verb == QCTL_FLUSH)
		act_on(&run, 0);
	else
		visit_all(&run);
	if (qact_close(&run.act) < 0) {
		log_sys("unable to sync the queue");
		worse(&run, 111);
	}
	total(&run);
	if (io_flush(&run.out) != IO_OK) {
		log_sys("unable to write to standard output");
		worse(&run, 111);
	}
	str_free(&run.text);
	return run.code;
}

int
queuectl_run(struct queuectl *ctl)
{
	if (ctl->command == QUEUECTL_CHECK || ctl->command == QUEUECTL_REPAIR)
		return qcheck_main(ctl->command == QUEUECTL_REPAIR &&
		    !ctl->dry_run, ctl->json);
	return run_messages(ctl);
}
