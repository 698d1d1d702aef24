/* send/todo.c - reads new envelopes, routes their recipients, passes them on.
 *
 * todo/ belongs to this module: it alone decides which entry is new, and
 * it alone has files removed, so that a number cannot be reused while anybody
 * still means the old message.  What it knows of an id:
 *
 *	(nothing)  no todo/ID, or not looked at yet
 *	FAST       passed on whole ('m'); todo/ID stays until qmail-send is done
 *	SPILLED    info, local, remote are written; todo/ID goes after a sync
 *	CLEANING   qmail-clean was asked to remove it; SEEN_AGAIN: and meanwhile
 *	           somebody said there is a new one of that number
 *
 * Nothing is looked at before qmail-clean has answered once: it does so when
 * the one before it, which may have had requests left, has ended.
 *
 * Syncs: one for all 's' and 'w' that came within SYNC_DELAY_MS; it is on
 * nobody's way.  qmail-send and qmail-clean are trusted; lock/trigger is
 * written by anyone: what it says is only a hint where to look. */
#include "send/todo.h"

#include "lib/fs.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/map.h"
#include "lib/tai.h"
#include "mail/limits.h"
#include "mail/qpath.h"
#include "mail/qrecord.h"
#include "send/config.h"
#include "send/link.h"
#include "send/qfile.h"
#include "send/sweep.h"
#include "send/wish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIGGER "lock/trigger"
#define FAST_RCPTS 64           /* more recipients go through files */
#define FAST_BYTES 16384        /* so do more bytes of them */
#define FAST_WINDOW 10000       /* messages qmail-send may hold in memory */
#define CLEAN_WINDOW 1024       /* requests without an answer: with more, both
                                 * pipes could be full, and both ends wait */
#define SCAN_STEP 64            /* entries a turn of the loop */
#define SCAN_EVERY 1500         /* seconds */
#define SCAN_RETRY 123          /* seconds, after a failure */
#define SYNC_DELAY_MS 50        /* lets more share the sync */
#define OUT_MAX 65536           /* bytes buffered for a peer before a write */

enum state { FAST = 1, SPILLED, CLEANING, SEEN_AGAIN };

struct request {
	char kind;              /* 'd' done/, 't' todo/, 'f' foop/ */
	uint64_t id;
};

struct requests {
	struct request *v;
	size_t n, cap, head, sent;      /* head <= sent <= n */
};

struct todo {
	struct loop loop;
	struct loop_watch from_send, from_clean, trigger;
	struct todo_fds fds;
	int dir;                        /* HOME/queue */
	struct config cfg;
	struct map known;               /* id -> enum state */
	size_t nfast;
	struct str to_send, to_clean;
	struct str in_send, in_trigger; /* unfinished records */
	struct requests asked, again;   /* of qmail-clean; to be asked again */
	uint64_t *spilled;              /* wait for the sync */
	size_t nspilled, capspilled;
	uint64_t token;                 /* greatest wanted, 0: none */
	int64_t sync_at;                /* clock_mono_ms, 0: no sync wanted */
	DIR *scan;
	bool first_scan;                /* entries are older than this process */
	bool scan_again;
	int64_t scan_at, again_at;      /* clock_mono_ms */
	struct sweep sweep;
	struct str bytes, address, list[CHANNELS], wishes;      /* scratch */
	struct qrecord rec;
	bool begun;                     /* nobody else removes files */
	bool deaf;                      /* qmail-send reads no more */
	bool ended, lost;
};

static enum state
state_of(const struct todo *t, uint64_t id)
{
	return (enum state)(uintptr_t)map_get_id(&t->known, id);
}

static void
set_state(struct todo *t, uint64_t id, enum state s)
{
	enum state old = state_of(t, id);

	if (old == FAST)
		t->nfast--;
	if (s == FAST)
		t->nfast++;
	map_set_id(&t->known, id, (void *)(uintptr_t)s);
}

static void
forget(struct todo *t, uint64_t id)
{
	if (state_of(t, id) == FAST)
		t->nfast--;
	map_del_id(&t->known, id);
}

/* ---- qmail-clean ---- */

static void
requests_put(struct requests *r, char kind, uint64_t id)
{
	if (r->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 64;
		r->v = mem_resize(r->v, r->cap, sizeof *r->v);
	}
	r->v[r->n++] = (struct request){kind, id};
}

static bool
requests_take(struct requests *r, struct request *out)
{
	if (r->head == r->n)
		return false;
	*out = r->v[r->head++];
	if (r->head == r->n)
		r->head = r->n = r->sent = 0;
	return true;
}

static void
ask_clean(struct todo *t, char kind, uint64_t id)
{
	requests_put(&t->asked, kind, id);
	set_state(t, id, CLEANING);
}

static void
flush_clean(struct todo *t)
{
	struct requests *r = &t->asked;

	for (; r->sent < r->n && r->sent - r->head < CLEAN_WINDOW; r->sent++) {
		char kind = r->v[r->sent].kind;

		str_cats(&t->to_clean, kind == 'd' ? "done/" :
		    kind == 't' ? "todo/" : "foop/");
		str_catu(&t->to_clean, r->v[r->sent].id);
		str_catc(&t->to_clean, '\0');
	}
	if (t->to_clean.len > 0 && fd_write_all(t->fds.to_clean,
	    t->to_clean.s, t->to_clean.len) < 0) {
		log_sys("unable to write to qmail-clean");
		t->lost = true;
	}
	str_clear(&t->to_clean);
}

/* When it has ended, what it said before is still read, up to its end. */
static void
flush_send(struct todo *t)
{
	if (t->to_send.len > 0 && !t->deaf && fd_write_all(t->fds.to_send,
	    t->to_send.s, t->to_send.len) < 0)
		t->deaf = true;
	str_clear(&t->to_send);
}

static void entry(struct todo *, uint64_t id, bool old);

static void
clean_answer(struct todo *t, char c)
{
	struct request r;

	if (!requests_take(&t->asked, &r)) {
		log_warn("qmail-clean answered what was not asked");
		t->lost = true;
		return;
	}
	if (c != '+') {
		log_warn("qmail-clean was unable to remove files of message "
		    "%llu; will ask again", (unsigned long long)r.id);
		requests_put(&t->again, r.kind, r.id);
		t->again_at = clock_mono_ms() + SCAN_RETRY * 1000;
		return;
	}
	if (state_of(t, r.id) == SEEN_AGAIN && !t->ended) {
		forget(t, r.id);
		entry(t, r.id, false);
	} else if (state_of(t, r.id) >= CLEANING) {
		forget(t, r.id);
	}
}

static void begin(struct todo *);

static void
clean_ready(struct loop_watch *w, uint32_t got)
{
	struct todo *t = w->owner;
	char buf[512];
	ssize_t n = read(w->fd, buf, sizeof buf);

	(void)got;
	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
		log_warn("lost connection to qmail-clean");
		t->lost = true;
	}
	for (ssize_t i = 0; i < n; i++)
		if (t->begun)
			clean_answer(t, buf[i]);
		else
			begin(t);
}

static void
ask_again(struct todo *t)
{
	struct requests due = t->again;
	struct request r;

	t->again = (struct requests){0};
	t->again_at = 0;
	while (requests_take(&due, &r))
		ask_clean(t, r.kind, r.id);
	free(due.v);
}

/* ---- one entry ---- */

static void
scan_later(struct todo *t, int64_t seconds)
{
	int64_t at = clock_mono_ms() + seconds * 1000;

	if (at < t->scan_at)
		t->scan_at = at;
}

static void
want_sync(struct todo *t)
{
	if (t->sync_at == 0)
		t->sync_at = clock_mono_ms() + SYNC_DELAY_MS;
}

static void
add_spilled(struct todo *t, uint64_t id)
{
	if (t->nspilled == t->capspilled) {
		t->capspilled = t->capspilled ? t->capspilled * 2 : 64;
		t->spilled = mem_resize(t->spilled, t->capspilled,
		    sizeof *t->spilled);
	}
	t->spilled[t->nspilled++] = id;
	set_state(t, id, SPILLED);
	want_sync(t);
}

/* What a crash left: it was never acknowledged. */
static void
garbage(struct todo *t, uint64_t id, const char *why)
{
	log_warn("removing todo/%llu: %s; it was never acknowledged",
	    (unsigned long long)id, why);
	qfile_remove_all(id);
	ask_clean(t, 'd', id);
}

/* Is the message itself there and whole?  Only a crash can make it not so;
 * reading it is left out for entries that a living service just told of. */
static bool
mess_good(struct todo *t, uint64_t id, bool old, uint64_t *size)
{
	struct stat st;
	int fd;
	enum qrecord_status q = QRECORD_OK;

	if (!old && t->rec.has_sum) {
		*size = t->rec.size;
		return true;
	}
	fd = open(qpath_split("mess", id).s,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) {
		if (errno == ENOENT)
			garbage(t, id, "its message is gone");
		else
			q = QRECORD_ERROR;
	} else if (fstat(fd, &st) < 0) {
		q = QRECORD_ERROR;
	} else {
		*size = (uint64_t)st.st_size;
		q = qrecord_check_mess(fd, &t->rec);
	}
	if (q == QRECORD_ERROR) {
		log_sys("unable to read mess of message %llu; will try again",
		    (unsigned long long)id);
		scan_later(t, SCAN_RETRY);
	} else if (q == QRECORD_TORN) {
		garbage(t, id, "its message is torn");
	}
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0 && (q == QRECORD_OK || q == QRECORD_NOSUM);
}

static bool
envelope_good(struct todo *t, uint64_t id, int64_t *birth)
{
	struct stat st;
	int fd = open(qpath_flat("todo", id).s,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int r = -1, e;

	if (fd < 0 && errno == ENOENT)
		return false;
	str_clear(&t->bytes);
	if (fd >= 0 && fstat(fd, &st) == 0)
		r = fs_read_fd(fd, &t->bytes, (size_t)ENVELOPE_MAX + 256);
	e = errno;
	if (fd >= 0)
		(void)close(fd);
	if (r < 0) {
		errno = e;
		log_sys("unable to read todo/%llu; will try again",
		    (unsigned long long)id);
		scan_later(t, SCAN_RETRY);
		return false;
	}
	*birth = st.st_mtim.tv_sec;
	switch (qrecord_parse(str_c(&t->bytes), t->bytes.len, &t->rec)) {
	case QRECORD_OK:
	case QRECORD_NOSUM:
		return true;
	case QRECORD_TORN:
		garbage(t, id, "its envelope is torn");
		return false;
	case QRECORD_BAD:
	case QRECORD_ERROR:
	default:
		log_warn("unable to understand todo/%llu; leaving it alone",
		    (unsigned long long)id);
		return false;
	}
}

/* Sorts the recipients into t->list as L/R records for qmail-send, each with
 * its wishes, or T records for files, the wishes to t->wishes; counts them.
 * -1: names in control/ made them too long. */
static int
route(struct todo *t, bool files, struct link_msg *m)
{
	uint64_t *const n[CHANNELS] = {&m->nlocal, &m->nremote};
	const char *wish = str_c(&t->rec.rparams);

	for (int c = 0; c < CHANNELS; c++)
		str_clear(&t->list[c]);
	str_clear(&t->wishes);
	wish_cat_message(&t->wishes, str_c(&t->rec.params));
	m->nwishes = t->rec.params.len > 0;
	for (size_t i = 0; i < t->rec.rcpts.len; i += strlen(t->rec.rcpts.s +
	    i) + 1, wish += strlen(wish) + 1) {
		int c = (int)route_find(&t->cfg.route, t->rec.rcpts.s + i,
		    &t->address);

		if (files)
			wish_cat_rcpt(&t->wishes, c, t->list[c].len, wish);
		m->nwishes += *wish != '\0';
		str_catc(&t->list[c], files ? 'T' :
		    c == CHANNEL_LOCAL ? 'L' : 'R');
		str_catb(&t->list[c], t->address.s, t->address.len + 1);
		++*n[c];
		if (!files && *wish != '\0') {
			str_catc(&t->list[c], 'N');
			str_catb(&t->list[c], wish, strlen(wish) + 1);
		}
		if (t->list[c].len > QLIST_MAX) {
			str_free(&t->list[c]);
			errno = EFBIG;
			return -1;
		}
	}
	return 0;
}

static int
write_files(struct todo *t, uint64_t id, int64_t birth)
{
	if (qfile_write_info(id, str_c(&t->rec.sender), &t->wishes, birth) <
	    0)
		return -1;
	for (int c = 0; c < CHANNELS; c++)
		if (t->list[c].len > 0 &&
		    qfile_write_list(id, c, &t->list[c]) < 0)
			return -1;
	return 0;
}

static void
pass_on(struct todo *t, uint64_t id, int64_t birth, uint64_t size)
{
	bool fast = t->rec.nrcpt <= FAST_RCPTS && t->nfast < FAST_WINDOW &&
	    t->rec.rcpts.len <= FAST_BYTES;
	struct link_msg m = {.kind = fast ? 'm' : 'p', .id = id,
	    .birth = birth, .bytes = size, .qp = (uint64_t)t->rec.pid,
	    .uid = t->rec.uid};

	/* Of an earlier life of this message, or of this number. */
	qfile_remove_all(id);
	if (route(t, !fast, &m) < 0 ||
	    (!fast && write_files(t, id, birth) < 0)) {
		log_sys("unable to preprocess message %llu; will try again",
		    (unsigned long long)id);
		qfile_remove_all(id);
		scan_later(t, SCAN_RETRY);
		return;
	}
	link_cat_msg(&t->to_send, &m);
	str_catc(&t->to_send, 'F');
	str_catb(&t->to_send, str_c(&t->rec.sender), t->rec.sender.len + 1);
	if (fast) {
		str_cat(&t->to_send, &t->wishes);       /* of the message */
		str_cat(&t->to_send, &t->list[CHANNEL_LOCAL]);
		str_cat(&t->to_send, &t->list[CHANNEL_REMOTE]);
		set_state(t, id, FAST);
	} else {
		add_spilled(t, id);
	}
	if (t->to_send.len >= OUT_MAX)
		flush_send(t);
}

static void
entry(struct todo *t, uint64_t id, bool old)
{
	int64_t birth;
	uint64_t size;

	if (t->deaf)
		return;
	switch (state_of(t, id)) {
	case CLEANING:
		set_state(t, id, SEEN_AGAIN);
		return;
	case FAST:
	case SPILLED:
	case SEEN_AGAIN:
		return;
	default:
		break;
	}
	if (envelope_good(t, id, &birth) && mess_good(t, id, old, &size))
		pass_on(t, id, birth, size);
}

/* ---- where entries come from ---- */

static void
trigger_ready(struct loop_watch *w, uint32_t got)
{
	struct todo *t = w->owner;
	char buf[4096];
	ssize_t n = read(w->fd, buf, sizeof buf);
	size_t used = 0, end;
	uint64_t id;

	(void)got;
	if (n <= 0)
		return;
	str_catb(&t->in_trigger, buf, (size_t)n);
	while ((end = bytes_chr(t->in_trigger.s + used,
	    t->in_trigger.len - used, '\0')) < t->in_trigger.len - used) {
		if (qpath_parse(t->in_trigger.s + used, &id))
			entry(t, id, false);
		else
			t->scan_again = true;
		used += end + 1;
	}
	memmove(t->in_trigger.s, t->in_trigger.s + used,
	    t->in_trigger.len - used);
	str_trunc(&t->in_trigger, t->in_trigger.len - used);
	if (t->in_trigger.len > MSGID_MAX) {
		str_clear(&t->in_trigger);
		t->scan_again = true;
	}
}

static void
scan_step(struct todo *t)
{
	if (t->scan == NULL) {
		t->scan_again = false;
		t->scan_at = clock_mono_ms() + SCAN_EVERY * 1000;
		t->scan = opendir("todo");
		if (t->scan == NULL) {
			log_sys("unable to scan todo");
			scan_later(t, SCAN_RETRY);
			return;
		}
	}
	for (int i = 0; i < SCAN_STEP; i++) {
		const struct dirent *e = readdir(t->scan);
		uint64_t id;

		if (e == NULL) {
			(void)closedir(t->scan);
			t->scan = NULL;
			t->first_scan = false;
			return;
		}
		if (qpath_parse(e->d_name, &id))
			entry(t, id, t->first_scan);
	}
}

/* ---- qmail-send ---- */

static void
reread(struct todo *t)
{
	struct config fresh = {0};

	if (config_load(&fresh) < 0) {
		log_warn("keeping the old settings");
		return;
	}
	config_free(&t->cfg);
	t->cfg = fresh;
}

static int
from_send(struct todo *t, const char *rec)
{
	uint64_t n;

	if (rec[0] == 'h') {
		reread(t);
		return 0;
	}
	if (link_parse_num(rec, &n) < 0)
		return -1;
	switch (rec[0]) {
	case 'd':
		ask_clean(t, 'd', n);
		return 0;
	case 's':
		add_spilled(t, n);
		return 0;
	case 'f':
		if (state_of(t, n) == 0 && sweep_leftover(n, clock_wall()))
			ask_clean(t, 'f', n);
		return 0;
	case 'w':
		t->token = n;
		want_sync(t);
		return 0;
	default:
		errno = EPROTO;
		return -1;
	}
}

static void
send_ready(struct loop_watch *w, uint32_t got)
{
	struct todo *t = w->owner;
	char buf[8192];
	ssize_t n = read(w->fd, buf, sizeof buf);
	size_t used = 0, end;

	(void)got;
	if (n == 0) {
		t->ended = true;
		return;
	}
	if (n < 0) {
		if (errno != EINTR && errno != EAGAIN) {
			log_sys("unable to read from qmail-send");
			t->lost = true;
		}
		return;
	}
	str_catb(&t->in_send, buf, (size_t)n);
	while ((end = bytes_chr(t->in_send.s + used, t->in_send.len - used,
	    '\0')) < t->in_send.len - used) {
		if (from_send(t, t->in_send.s + used) < 0) {
			log_sys("unable to understand qmail-send");
			t->lost = true;
			return;
		}
		used += end + 1;
	}
	memmove(t->in_send.s, t->in_send.s + used, t->in_send.len - used);
	str_trunc(&t->in_send, t->in_send.len - used);
}

/* After a failed sync nothing is known: everything stays as it is, and the
 * next sync is tried later. */
static void
sync_now(struct todo *t)
{
	if (fs_syncfs(t->dir) < 0) {
		log_sys("unable to sync the queue; will try again");
		t->sync_at = clock_mono_ms() + SCAN_RETRY * 1000;
		return;
	}
	t->sync_at = 0;
	for (size_t i = 0; i < t->nspilled; i++)
		if (state_of(t, t->spilled[i]) == SPILLED)
			ask_clean(t, 't', t->spilled[i]);
	t->nspilled = 0;
	if (t->token > 0)
		link_cat_num(&t->to_send, 'b', t->token);
	t->token = 0;
}

/* ---- sweeping ---- */

/* qmail-send may have finished it just now, with `d` still on its way: then
 * the number could be another message's when that is read.  So it is asked. */
static void
swept(void *arg, uint64_t id)
{
	struct todo *t = arg;

	if (state_of(t, id) == 0)
		link_cat_num(&t->to_send, 'e', id);
}

static int64_t
min_at(int64_t a, int64_t b)
{
	return b != 0 && b < a ? b : a;
}

static void
turn(struct todo *t)
{
	int64_t now = clock_mono_ms();

	if (!t->begun)
		return;
	if (t->scan != NULL || t->scan_again || now >= t->scan_at)
		scan_step(t);
	if (t->sync_at != 0 && now >= t->sync_at)
		sync_now(t);
	if (t->again_at != 0 && now >= t->again_at)
		ask_again(t);
	sweep_step(&t->sweep, swept, t);
	flush_send(t);
	flush_clean(t);
}

static int64_t
sleep_ms(const struct todo *t)
{
	int64_t at, now = clock_mono_ms();

	if (!t->begun)
		return -1;
	if (t->scan != NULL || t->scan_again || sweep_busy(&t->sweep))
		return 0;
	at = min_at(t->scan_at, t->sync_at);
	at = min_at(at, t->again_at);
	at = min_at(at, sweep_due(&t->sweep));
	return at > now ? at - now : 0;
}

static int
watch(struct todo *t, struct loop_watch *w, int fd,
    void (*ready)(struct loop_watch *, uint32_t))
{
	*w = (struct loop_watch){.fd = fd, .want = LOOP_READ, .ready = ready,
	    .owner = t};
	return loop_add(&t->loop, w);
}

static void
begin(struct todo *t)
{
	/* Read and write, so that it never is at its end. */
	int fd = open(TRIGGER, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || watch(t, &t->trigger, fd, trigger_ready) < 0) {
		log_sys("unable to open %s", TRIGGER);
		t->lost = true;
		return;
	}
	t->begun = true;
	link_cat_num(&t->to_send, 'b', 0);
}

static int
start(struct todo *t)
{
	t->dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->dir < 0 || loop_init(&t->loop) < 0 ||
	    watch(t, &t->from_send, t->fds.from_send, send_ready) < 0 ||
	    watch(t, &t->from_clean, t->fds.from_clean, clean_ready) < 0 ||
	    fd_write_all(t->fds.to_clean, "", 1) < 0) {
		log_sys("unable to start");
		return -1;
	}
	return config_load(&t->cfg);
}

int
todo_run(const struct todo_fds *fds)
{
	struct todo *t = mem_alloc(1, sizeof *t);

	t->fds = *fds;
	t->first_scan = t->scan_again = true;
	t->scan_at = clock_mono_ms();
	sweep_init(&t->sweep);
	if (start(t) < 0)
		return 111;
	while (!t->ended && !t->lost) {
		turn(t);
		if (t->lost || loop_run(&t->loop, sleep_ms(t)) < 0)
			t->lost = true;
	}
	while (t->ended && !t->lost && t->asked.head < t->asked.n) {
		flush_clean(t);
		clean_ready(&t->from_clean, LOOP_READ);
	}
	return t->lost ? 111 : 0;
}
