/* send/send.c - the loop of the scheduler; see send.h.
 *
 * Each turn: read what came (at most LOOP_BATCH events, a bounded read each),
 * start what may start, then write: first the log, then commands, then what
 * qmail-todo is told.  So the log never tells less than what was done, and
 * nothing here ever waits for a disk. */
#include "send/send.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/sig.h"
#include "lib/tai.h"
#include "mail/limits.h"
#include "mail/qctl.h"
#include "mail/qpath.h"
#include "send/qfile.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SLEEP_MAX 86400         /* seconds */
#define CLOCK_STEP 60           /* seconds: less is somebody adjusting it */
#define LEAVE_MS 20000          /* for the last barrier */

struct msg *
send_msg(const struct send *s, uint64_t id)
{
	return map_get_id(&s->msgs, id);
}

void
send_tell_todo(struct send *s, char kind, uint64_t n)
{
	link_cat_num(&s->to_todo, kind, n);
}

/* ---- qmail-todo ---- */

static void
todo_lost(struct send *s)
{
	if (s->lost && !s->from_todo.on)
		return;
	log_warn("lost connection to qmail-todo; leaving");
	s->lost = s->exiting = true;
	loop_del(&s->loop, &s->from_todo);
	loop_del(&s->loop, &s->to_todo_w);
}

/* The records that follow an m or p record: F, then L and R, and wishes. */
static int
arriving_record(struct send *s, const char *rec)
{
	bool first = !s->arriving_on;
	int c;

	if (first) {
		if (rec[0] != 'F')
			return -1;
		s->arriving_on = true;
		str_copys(&s->arriving_sender, rec + 1);
		str_clear(&s->arriving_wishes);
		s->arriving_channel = -1;
		for (c = 0; c < CHANNELS; c++)
			str_clear(&s->arriving_list[c]);
	} else if (rec[0] == 'M') {
		wish_cat_message(&s->arriving_wishes, rec + 1);
	} else if (rec[0] == 'N') {
		if (s->arriving_channel < 0)
			return -1;
		wish_cat_rcpt(&s->arriving_wishes, s->arriving_channel,
		    s->arriving_at, rec + 1);
	} else {
		c = rec[0] == 'L' ? CHANNEL_LOCAL : CHANNEL_REMOTE;
		if (rec[0] != 'L' && rec[0] != 'R')
			return -1;
		s->arriving_channel = c;
		s->arriving_at = s->arriving_list[c].len;
		str_catc(&s->arriving_list[c], 'T');
		str_catb(&s->arriving_list[c], rec + 1, strlen(rec + 1) + 1);
	}
	if (--s->arriving_left > 0)
		return 0;
	s->arriving_on = false;
	return message_arrive(s);
}

static int
from_todo(struct send *s, const char *rec)
{
	uint64_t n;

	if (s->arriving_left > 0)
		return arriving_record(s, rec);
	switch (rec[0]) {
	case 'm':
	case 'p':
		if (link_parse_msg(rec, &s->arriving) < 0)
			return -1;
		s->arriving_left = 1 + (rec[0] == 'm' ?
		    s->arriving.nlocal + s->arriving.nremote +
		    s->arriving.nwishes : 0);
		return 0;
	case 'b':
		if (link_parse_num(rec, &n) < 0)
			return -1;
		s->begun = true;
		if (n > 0)
			message_barrier(s, n);
		return 0;
	case 'e':
		if (link_parse_num(rec, &n) < 0)
			return -1;
		if (send_msg(s, n) == NULL)
			send_tell_todo(s, 'f', n);
		return 0;
	default:
		return -1;
	}
}

static void
todo_ready(struct loop_watch *w, uint32_t got)
{
	struct send *s = w->owner;
	char buf[16384];
	ssize_t n = read(w->fd, buf, sizeof buf);
	size_t used = 0, end;

	(void)got;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		todo_lost(s);
		return;
	}
	str_catb(&s->in_todo, buf, (size_t)n);
	while ((end = bytes_chr(s->in_todo.s + used, s->in_todo.len - used,
	    '\0')) < s->in_todo.len - used) {
		if (from_todo(s, s->in_todo.s + used) < 0) {
			log_warn("unable to go on with what qmail-todo says");
			todo_lost(s);
			return;
		}
		used += end + 1;
	}
	memmove(s->in_todo.s, s->in_todo.s + used, s->in_todo.len - used);
	str_trunc(&s->in_todo, s->in_todo.len - used);
}

static void
todo_flush(struct send *s)
{
	size_t done = 0;

	if (s->token_new)
		send_tell_todo(s, 'w', s->token);
	s->token_new = false;
	while (done < s->to_todo.len && s->to_todo_w.on) {
		ssize_t w = write(s->to_todo_w.fd, s->to_todo.s + done,
		    s->to_todo.len - done);

		if (w > 0) {
			done += (size_t)w;
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			todo_lost(s);
			return;
		}
	}
	if (done > 0) {
		memmove(s->to_todo.s, s->to_todo.s + done,
		    s->to_todo.len - done);
		str_trunc(&s->to_todo, s->to_todo.len - done);
	}
	loop_want(&s->loop, &s->to_todo_w, s->to_todo.len > 0 ? LOOP_WRITE :
	    0);
}

static void
todo_writable(struct loop_watch *w, uint32_t got)
{
	struct send *s = w->owner;

	(void)got;
	if (s->to_todo.len == 0)
		todo_lost(s);           /* only a hang-up wakes us then */
	else
		todo_flush(s);
}

/* ---- signals, log ---- */

static void
signals_ready(struct loop_watch *w, uint32_t got)
{
	struct send *s = w->owner;
	int sig;

	(void)got;
	while ((sig = sig_next(w->fd)) != 0) {
		if (sig == SIGTERM || sig == SIGINT) {
			s->exiting = true;
			s->status_changed = true;
		} else if (sig == SIGALRM) {
			s->alrm = true;
		} else if (sig == SIGHUP) {
			s->hup = true;
		} else if (sig == SIGCHLD) {
			bouncer_reap(s);
		}
	}
}

static void
reread(struct send *s)
{
	struct config fresh = {0};

	s->hup = false;
	if (config_load(&fresh) < 0) {
		log_warn("keeping the old settings");
		return;
	}
	config_free(&s->cfg);
	s->cfg = fresh;
	dest_limit_changed(s);
	str_cats(&s->to_todo, "h");
	str_catc(&s->to_todo, '\0');
	s->status_changed = true;
}

static void
log_flush(struct send *s)
{
	if (s->status_changed) {
		str_catf(&s->log, "status: local %u/%u remote %u/%u%s\n",
		    s->ch[CHANNEL_LOCAL].used, channel_limit(s, CHANNEL_LOCAL),
		    s->ch[CHANNEL_REMOTE].used,
		    channel_limit(s, CHANNEL_REMOTE),
		    s->exiting ? " exitasap" : "");
		s->status_changed = false;
	}
	/* Without a log we go on: mail is more than its log. */
	if (s->log.len > 0 &&
	    fd_write_all(s->log_fd, s->log.s, s->log.len) < 0)
		str_clear(&s->log);
	str_clear(&s->log);
}

/* ---- the loop ---- */

static bool
scanning(const struct send *s)
{
	return s->scan_at < QUEUE_SPLIT && !s->exiting;
}

/* Times to come are of the clock on the wall.  When that goes back, they are
 * further away than anybody meant. */
static void
watch_clock(struct send *s)
{
	int64_t ahead = clock_wall() - clock_mono_ms() / 1000;

	if (s->clock_ahead - ahead >= CLOCK_STEP) {
		log_warn("the clock went back %" PRId64 " seconds",
		    s->clock_ahead - ahead);
		message_clock_back(s);
	}
	s->clock_ahead = ahead;
}

static void
turn(struct send *s)
{
	if (s->hup)
		reread(s);
	if (scanning(s))
		message_scan_step(s);
	if (s->alrm && !scanning(s)) {  /* also what the scan will find */
		s->alrm = false;
		message_all_due(s);
	}
	watch_clock(s);
	s->effort = 0;
	for (int c = 0; c < CHANNELS; c++)
		channel_start_some(s, c);
	bouncer_start_some(s, clock_wall());
	log_flush(s);
	for (int c = 0; c < CHANNELS; c++)
		channel_flush(&s->ch[c]);
	todo_flush(s);
	log_flush(s);
}

static int64_t
sleep_ms(const struct send *s)
{
	int64_t now = clock_wall(), until = now + SLEEP_MAX;
	struct heap_item it;

	if (scanning(s) && s->begun)
		return 0;
	if (s->hup || (s->alrm && !scanning(s)))
		return 0;
	for (int c = 0; c < CHANNELS; c++) {
		if (!channel_room(s, c))
			continue;
		if (s->ch[c].fresh != NULL || s->ch[c].ring != NULL)
			return 0;       /* it was enough for one turn */
		if (heap_min(&s->ch[c].due, &it) && it.when < until)
			until = it.when;
	}
	if (!s->exiting && heap_min(&s->bounces, &it) && it.when < until &&
	    (!bouncer_busy(s) || it.when > now))
		until = it.when;
	return until > now ? (until - now) * 1000 : 0;
}

static bool
deliveries_running(const struct send *s)
{
	return s->ch[CHANNEL_LOCAL].used + s->ch[CHANNEL_REMOTE].used > 0;
}

/* Running deliveries and bounces have ended: put on disk what only memory
 * knows, and wait until it is there. */
static void
leave(struct send *s)
{
	int64_t until = clock_mono_ms() + LEAVE_MS;

	message_save_all(s);
	todo_flush(s);
	while (s->from_todo.on && clock_mono_ms() < until &&
	    (s->token_done < s->token || s->to_todo.len > 0)) {
		if (loop_run(&s->loop, 1000) < 0)
			break;
		todo_flush(s);
	}
	log_flush(s);
	if (s->token_done < s->token)
		log_warn("leaving without the last sync; some mail may be "
		    "delivered twice");
}

static int
watch(struct send *s, struct loop_watch *w, int fd, uint32_t want,
    void (*ready)(struct loop_watch *, uint32_t))
{
	*w = (struct loop_watch){.fd = fd, .want = want, .ready = ready,
	    .owner = s};
	return loop_add(&s->loop, w);
}

/* A hold without its message is of an earlier owner of the number. */
static void
clean_holds(void)
{
	DIR *d = opendir(QCTL_HOLD_DIR);
	const struct dirent *e;
	uint64_t id;

	if (d == NULL) {
		log_sys("unable to read %s", QCTL_HOLD_DIR);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (qpath_parse(e->d_name, &id) &&
		    access(qpath_split("mess", id).s, F_OK) < 0 &&
		    errno == ENOENT)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	(void)closedir(d);
}

static int
start(struct send *s, const struct send_fds *fds)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGALRM, SIGHUP,
	    SIGCHLD, 0};
	int sigfd = sig_open(signals);

	if (config_load(&s->cfg) < 0)
		return -1;
	if (sigfd < 0 || loop_init(&s->loop) < 0 ||
	    watch(s, &s->signals, sigfd, LOOP_READ, signals_ready) < 0 ||
	    fd_nonblock(fds->to_todo) < 0 ||
	    watch(s, &s->from_todo, fds->from_todo, LOOP_READ, todo_ready) <
	    0 ||
	    watch(s, &s->to_todo_w, fds->to_todo, 0, todo_writable) < 0 ||
	    channel_init(s, CHANNEL_LOCAL, fds->to_lspawn,
	    fds->from_lspawn) < 0 ||
	    channel_init(s, CHANNEL_REMOTE, fds->to_rspawn,
	    fds->from_rspawn) < 0) {
		log_sys("unable to start");
		return -1;
	}
	clean_holds();
	ctl_init(s);
	return 0;
}

int
send_run(const struct send_fds *fds)
{
	struct send *s = mem_alloc(1, sizeof *s);

	s->log_fd = fds->log;
	s->status_changed = true;
	s->clock_ahead = clock_wall() - clock_mono_ms() / 1000;
	if (start(s, fds) < 0)
		return 111;
	while (!s->exiting || deliveries_running(s) || bouncer_busy(s)) {
		turn(s);
		if (s->exiting && !deliveries_running(s) && !bouncer_busy(s))
			break;
		if (loop_run(&s->loop, sleep_ms(s)) < 0) {
			log_sys("unable to wait");
			return 111;
		}
	}
	leave(s);
	str_cats(&s->log, "status: exiting\n");
	log_flush(s);
	return s->lost ? 111 : 0;
}
