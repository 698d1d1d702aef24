/* queue/service.c - takes messages from local submitters and commits them.
 *
 * Nobody on the socket is trusted: a submitter can make its own submission
 * fail, and nothing else.  It is never waited for.  Who it is comes from the
 * kernel.
 *
 * A connection goes through
 *
 *	LENGTH -> DATA -> ... -> LENGTH(0)      the message, then again
 *	LENGTH -> DATA -> ... -> LENGTH(0)      the envelope
 *	READY                                   published, waits for the sync
 *
 * and back to LENGTH after the answer.  All that are READY when nothing more
 * can be read are committed by one sync: the longer a sync takes, the more
 * submissions share the next one.  Worked example of a batch of two:
 *
 *	A: ...length 0          pid/x, mess/3/26, intd/26, todo/26
 *	B: ...length 0          pid/y, mess/4/27, intd/27, todo/27
 *	syncfs                  both are on the disk now
 *	A: 0 0   B: 0 0         the answers
 *	trigger "26\0" "27\0"   qmail-todo is told
 */
#include "queue/service.h"

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/map.h"
#include "lib/sig.h"
#include "lib/sock.h"
#include "lib/str.h"
#include "lib/tai.h"
#include "mail/date.h"
#include "mail/limits.h"
#include "mail/qsubmit.h"
#include "queue/envelope.h"
#include "queue/qmsg.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 65536         /* bytes taken from one client at a time */
#define GATHER_ROUNDS 8         /* looks for more before a sync */
#define BATCH_MAX 1024          /* messages a sync */
#define ENVELOPE_ROOM ((size_t)ENVELOPE_MAX - 256)      /* u and p are added */
#define ENVELOPES_MAX ((size_t)256 << 20)       /* bytes held for all */
#define ENVELOPES_UID_MAX (ENVELOPES_MAX / 4)   /* for one uid, when scarce */
#define TICK_MS 60000           /* how often the idle are looked for */
#define SOON_MS 1000            /* after what failed is tried again */
#define TRIGGER "lock/trigger"

enum part { PART_BODY, PART_ENVELOPE, PART_READY };

struct client {
	struct loop_watch w;
	struct service *sv;
	struct client *prev, *next;     /* all clients */
	struct client *next_ready;
	uid_t uid;
	pid_t pid;
	enum part part;
	unsigned char length[4];
	unsigned nlength;               /* bytes of length seen */
	size_t left;                    /* bytes of the chunk to come */
	bool started;                   /* qmsg_create was done */
	struct qmsg msg;
	struct str envelope;
	int64_t deadline;               /* clock_mono_ms */
};

struct service {
	const struct service_config *cfg;
	struct loop loop;
	struct loop_watch listener, signals;
	struct client *clients, *ready, **ready_end;
	size_t nclients, nready, held;
	struct map per_uid;             /* uid -> count */
	int trigger;
	bool trigger_scan;              /* a notice was lost: ask for a scan */
	int64_t tick_at;                /* clock_mono_ms */
	bool ending;
	char buf[READ_SIZE];
};

/* ---- the trigger ---- */

/* No reader is no trouble: qmail-todo scans when it starts. */
static bool
trigger_write(struct service *sv, const char *p, size_t n)
{
	for (int tries = 0; tries < 2; tries++) {
		if (sv->trigger < 0)
			sv->trigger = open(TRIGGER,
			    O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		if (sv->trigger < 0)
			return errno == ENXIO;
		if (write(sv->trigger, p, n) == (ssize_t)n)
			return true;
		if (errno == EAGAIN)
			return false;
		(void)close(sv->trigger);       /* EPIPE: a new reader? */
		sv->trigger = -1;
	}
	return true;
}

/* Numbers in writes of at most PIPE_BUF bytes, so that none is torn. */
static void
trigger_pull(struct service *sv, const struct str *ids)
{
	size_t at = 0;

	if (sv->trigger_scan)
		sv->trigger_scan = !trigger_write(sv, "", 1);
	while (at < ids->len) {
		size_t n = ids->len - at;

		if (n > PIPE_BUF)
			n = bytes_rchr(ids->s + at, PIPE_BUF, '\0') + 1;
		if (!trigger_write(sv, ids->s + at, n))
			sv->trigger_scan = true;
		at += n;
	}
}

/* ---- clients ---- */

static uintptr_t
uid_count(const struct service *sv, uid_t uid)
{
	return (uintptr_t)map_get_id(&sv->per_uid, uid);
}

static void
uid_add(struct service *sv, uid_t uid, int by)
{
	uintptr_t n = uid_count(sv, uid) + (uintptr_t)(intptr_t)by;

	if (n == 0)
		map_del_id(&sv->per_uid, uid);
	else
		map_set_id(&sv->per_uid, uid, (void *)n);
}

static void
envelope_drop(struct client *c)
{
	c->sv->held -= c->envelope.len;
	str_free(&c->envelope);
}

static void
client_close(struct client *c)
{
	struct service *sv = c->sv;

	assert(c->part != PART_READY);
	if (c->started)
		qmsg_discard(&c->msg);
	envelope_drop(c);
	loop_del(&sv->loop, &c->w);
	(void)close(c->w.fd);
	uid_add(sv, c->uid, -1);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		sv->clients = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	sv->nclients--;
	if (!sv->ending)
		loop_want(&sv->loop, &sv->listener, LOOP_READ);
	free(c);
}

/* A new submission may follow. */
static void
client_restart(struct client *c)
{
	c->part = PART_BODY;
	c->nlength = 0;
	c->left = 0;
	c->started = false;
	envelope_drop(c);
	c->deadline = clock_mono_ms() + (int64_t)QUEUE_DEATH * 1000;
}

/* An answer is 2 bytes and a short text: it fits or the client is gone. */
static int
client_answer(struct client *c, int code, const char *text)
{
	struct str out = {0};
	size_t n = strlen(text);
	ssize_t w;

	if (n > QTEXT_MAX)
		n = QTEXT_MAX;
	str_catc(&out, (char)code);
	str_catc(&out, (char)(unsigned char)n);
	str_catb(&out, text, n);
	w = send(c->w.fd, out.s, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	n = out.len;
	str_free(&out);
	return w == (ssize_t)n ? 0 : -1;
}

static void
client_refuse(struct client *c, enum qx code)
{
	int e = errno;

	if (code != QX_PROTO && code != QX_ADDR_LONG && code != QX_TEMP &&
	    code != QX_READ && code != QX_REFUSED)
		log_warn("submission of uid %lu pid %ld failed: %s: %s",
		    (unsigned long)c->uid, (long)c->pid, qx_text((int)code),
		    strerror(e));
	(void)client_answer(c, (int)code, qx_text((int)code));
	client_close(c);
}

/* ---- a submission ---- */

static enum qx
body_start(struct client *c, struct str *received)
{
	const struct service_config *cfg = c->sv->cfg;
	enum qx x = qmsg_create(&c->msg);

	c->started = true;
	if (x != QX_OK)
		return x;
	str_catf(received, "Received: (qmail %ld invoked ", (long)c->pid);
	if (c->uid == cfg->uid_alias)
		str_cats(received, "by alias");
	else if (c->uid == cfg->uid_network)
		str_cats(received, "from network");
	else if (c->uid == cfg->uid_bounce)
		str_cats(received, "for bounce");
	else
		str_catf(received, "by uid %lu", (unsigned long)c->uid);
	str_cats(received, "); ");
	date822_cat(received, clock_wall());
	str_catc(received, '\n');
	return QX_OK;
}

static enum qx
body_bytes(struct client *c, const char *p, size_t n)
{
	struct str received = {0};
	enum qx x = QX_OK;

	if (!c->started)
		x = body_start(c, &received);
	if (x == QX_OK && received.len > 0)
		x = qmsg_body(&c->msg, received.s, received.len, p, n);
	else if (x == QX_OK)
		x = qmsg_body(&c->msg, p, n, "", 0);
	str_free(&received);
	return x;
}

/* Looked at only when memory gets scarce. */
static size_t
uid_held(const struct service *sv, uid_t uid)
{
	size_t n = 0;

	for (const struct client *c = sv->clients; c != NULL; c = c->next)
		if (c->uid == uid)
			n += c->envelope.len;
	return n;
}

static enum qx
envelope_bytes(struct client *c, const char *p, size_t n)
{
	struct service *sv = c->sv;

	if (n > ENVELOPE_ROOM - c->envelope.len)
		return QX_ADDR_LONG;
	if (n > ENVELOPES_MAX - sv->held ||
	    (sv->held > ENVELOPES_MAX / 2 &&
	    uid_held(sv, c->uid) > ENVELOPES_UID_MAX)) {
		errno = ENOMEM;
		return QX_NOMEM;
	}
	str_catb(&c->envelope, p, n);
	sv->held += n;
	return QX_OK;
}

static enum qx
part_end(struct client *c)
{
	struct service *sv = c->sv;
	size_t n;
	enum qx x;

	if (c->part == PART_BODY) {
		if (!c->started && (x = body_bytes(c, "", 0)) != QX_OK)
			return x;
		c->part = PART_ENVELOPE;
		return QX_OK;
	}
	x = envelope_check(c->envelope.s, c->envelope.len, &n);
	if (x == QX_OK)
		x = qmsg_publish(&c->msg, c->uid, c->pid, c->envelope.s, n);
	if (x != QX_OK)
		return x;
	envelope_drop(c);
	c->part = PART_READY;
	c->next_ready = NULL;
	*sv->ready_end = c;
	sv->ready_end = &c->next_ready;
	sv->nready++;
	loop_want(&sv->loop, &c->w, 0);
	return QX_OK;
}

static enum qx
length_byte(struct client *c, unsigned char b, bool last)
{
	c->length[c->nlength++] = b;
	if (c->nlength < 4)
		return QX_OK;
	c->nlength = 0;
	c->left = (size_t)c->length[0] << 24 | (size_t)c->length[1] << 16 |
	    (size_t)c->length[2] << 8 | c->length[3];
	if (c->left > QSUBMIT_CHUNK_MAX)
		return QX_PROTO;
	/* Who says more does not wait for the answer: refused before the
	 * message is published, for then it is too late. */
	if (c->left == 0 && c->part == PART_ENVELOPE && !last)
		return QX_PROTO;
	return c->left == 0 ? part_end(c) : QX_OK;
}

static enum qx
client_bytes(struct client *c, const char *p, size_t n)
{
	enum qx x = QX_OK;

	while (n > 0 && x == QX_OK) {
		size_t k;

		if (c->left == 0) {
			x = length_byte(c, (unsigned char)*p++, n == 1);
			n--;
			continue;
		}
		k = n < c->left ? n : c->left;
		c->left -= k;
		x = c->part == PART_BODY ? body_bytes(c, p, k) :
		    envelope_bytes(c, p, k);
		p += k;
		n -= k;
	}
	return x;
}

static void
client_ready(struct loop_watch *w, uint32_t got)
{
	struct client *c = w->owner;
	ssize_t n;
	enum qx x;

	(void)got;
	if (c->part == PART_READY) {
		/* Hung up before the answer: the message is whole, and its
		 * commit goes on; what matters is only not to spin. */
		loop_del(&c->sv->loop, w);
		return;
	}
	n = recv(w->fd, c->sv->buf, sizeof c->sv->buf, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(c);
		return;
	}
	x = client_bytes(c, c->sv->buf, (size_t)n);
	if (x != QX_OK)
		client_refuse(c, x);
}

static void
client_open(struct service *sv, int fd)
{
	struct client *c;
	uid_t uid;
	gid_t gid;
	pid_t pid;

	if (sock_peer(fd, &uid, &gid, &pid) < 0) {
		(void)close(fd);
		return;
	}
	c = mem_alloc(1, sizeof *c);
	c->sv = sv;
	c->uid = uid;
	c->pid = pid;
	c->msg.fd = -1;
	c->w = (struct loop_watch){.fd = fd, .want = LOOP_READ,
	    .ready = client_ready, .owner = c};
	client_restart(c);
	if (loop_add(&sv->loop, &c->w) < 0) {
		(void)close(fd);
		free(c);
		return;
	}
	c->next = sv->clients;
	if (c->next != NULL)
		c->next->prev = c;
	sv->clients = c;
	sv->nclients++;
	uid_add(sv, uid, 1);
	if (uid_count(sv, uid) > sv->cfg->clients_uid_max) {
		client_refuse(c, QX_TEMP);
		return;
	}
	/* What it has to say has usually arrived with it. */
	client_ready(&c->w, LOOP_READ);
}

static void
listener_ready(struct loop_watch *w, uint32_t got)
{
	struct service *sv = w->owner;

	(void)got;
	for (int i = 0; i < LOOP_BATCH; i++) {
		int fd;

		if (sv->nclients >= sv->cfg->clients_max) {
			loop_want(&sv->loop, w, 0);
			return;
		}
		fd = sock_accept(w->fd);
		if (fd < 0) {
			if (errno != EAGAIN && errno != EINTR &&
			    errno != ECONNABORTED) {
				log_sys("unable to accept a submission");
				loop_want(&sv->loop, w, 0);
				sv->tick_at = clock_mono_ms() + SOON_MS;
			}
			return;
		}
		client_open(sv, fd);
	}
}

static void
signal_ready(struct loop_watch *w, uint32_t got)
{
	struct service *sv = w->owner;

	(void)got;
	while (sig_next(w->fd) != 0)
		sv->ending = true;
}

/* ---- commit ---- */

static void
commit(struct service *sv)
{
	struct client *c = sv->ready, *next;
	struct str ids = {0};
	enum qx x = qmsg_sync(sv->cfg->queue_dir);

	if (x != QX_OK)
		log_sys("unable to sync the queue; %zu messages refused",
		    sv->nready);
	for (struct client *p = c; x == QX_OK && p != NULL; p = p->next_ready) {
		str_catu(&ids, p->msg.id);
		str_catc(&ids, '\0');
	}
	sv->ready = NULL;
	sv->ready_end = &sv->ready;
	sv->nready = 0;
	for (; c != NULL; c = next) {
		bool gone = !c->w.on;

		next = c->next_ready;
		c->part = PART_BODY;
		if (x != QX_OK) {
			client_refuse(c, x);    /* withdraws the message */
			continue;
		}
		c->msg = (struct qmsg){.fd = -1};
		client_restart(c);
		if (gone || client_answer(c, 0, "") < 0)
			client_close(c);
		else
			loop_want(&sv->loop, &c->w, LOOP_READ);
	}
	if (x == QX_OK)
		trigger_pull(sv, &ids);
	str_free(&ids);
}

static void
tick(struct service *sv)
{
	int64_t now = clock_mono_ms();
	struct client *next;

	for (struct client *c = sv->clients; c != NULL; c = next) {
		next = c->next;
		if (c->part != PART_READY && c->deadline <= now)
			client_refuse(c, QX_TIMEOUT);
	}
	if (sv->nclients < sv->cfg->clients_max)
		loop_want(&sv->loop, &sv->listener, LOOP_READ);
	if (sv->trigger_scan)
		sv->trigger_scan = !trigger_write(sv, "", 1);
	sv->tick_at = now + TICK_MS;
}

static void
end_all(struct service *sv)
{
	while (sv->clients != NULL)
		client_close(sv->clients);
	map_free(&sv->per_uid);
	if (sv->trigger >= 0)
		(void)close(sv->trigger);
	(void)close(sv->loop.ep);
}

static int
serve(struct service *sv)
{
	while (!sv->ending) {
		int64_t wait = sv->tick_at - clock_mono_ms();

		if (sv->trigger_scan && wait > SOON_MS)
			wait = SOON_MS;
		if (loop_run(&sv->loop, wait > 0 ? wait : 0) < 0)
			return -1;
		for (int i = 0; i < GATHER_ROUNDS && sv->nready > 0 &&
		    sv->nready < BATCH_MAX; i++) {
			size_t had = sv->nready;

			if (loop_run(&sv->loop, 0) < 0)
				return -1;
			if (sv->nready == had)
				break;
		}
		if (sv->nready > 0)
			commit(sv);
		if (sv->trigger_scan || clock_mono_ms() >= sv->tick_at)
			tick(sv);
	}
	return 0;
}

int
service_run(const struct service_config *cfg)
{
	struct service *sv = mem_alloc(1, sizeof *sv);
	int r = -1;

	sv->cfg = cfg;
	sv->trigger = -1;
	/* What a killed predecessor acknowledged it may not have told of. */
	sv->trigger_scan = true;
	sv->ready_end = &sv->ready;
	sv->listener = (struct loop_watch){.fd = cfg->listener,
	    .want = LOOP_READ, .ready = listener_ready, .owner = sv};
	sv->signals = (struct loop_watch){.fd = cfg->signals,
	    .want = LOOP_READ, .ready = signal_ready, .owner = sv};
	if (loop_init(&sv->loop) == 0) {
		if (loop_add(&sv->loop, &sv->listener) == 0 &&
		    loop_add(&sv->loop, &sv->signals) == 0)
			r = serve(sv);
		if (sv->nready > 0)
			commit(sv);
		end_all(sv);
	}
	free(sv);
	return r < 0 ? 111 : 0;
}
