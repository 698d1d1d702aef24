/* tls/keyserve.c - keyd's event loop; see keyserve.h.
 *
 * Only root connects: tlsd does before it becomes its own user, so that a
 * session which was taken over has the connection it was born with and cannot
 * make another.  A connection may ask for few signatures and then ends.
 * Nobody is waited for. */
#include "tls/keyserve.h"

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/sig.h"
#include "lib/sock.h"
#include "lib/tai.h"
#include "tls/keyring.h"
#include "tls/layout.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAUSE_MS 200            /* after the kernel had nothing to give */

struct keyserve {
	const struct keyserve_config *cfg;
	struct keyring ring;
	struct loop loop;
	struct loop_watch listener, signals;
	size_t nclients;
	uint64_t signatures, refused;
	int64_t pause_ms;               /* accept nobody before; 0: go on */
	bool ending;
};

struct client {
	struct loop_watch w;
	struct keyserve *ks;
	pid_t pid;
	unsigned asked;
};

static int
load_generation(struct keyserve *ks, uint64_t gen)
{
	struct str dir = {0};
	int n;

	str_catf(&dir, "%s/gen.%llu/key", ks->cfg->home,
	    (unsigned long long)gen);
	n = keyring_load(&ks->ring, str_c(&dir), clock_mono_ms());
	if (n < 0)
		log_sys("unable to read keys in %s", str_c(&dir));
	else
		log_info("keys=%d generation=%llu held=%lu", n,
		    (unsigned long long)gen, (unsigned long)ks->ring.n);
	str_free(&dir);
	return n < 0 ? -1 : 0;
}

/* At the start the generation before the current one, too: a tlsd that lives
 * on may still use it.  0 unless the current one cannot be read. */
static int
load(struct keyserve *ks, bool start)
{
	uint64_t gen, before;

	if (layout_current(ks->cfg->home, &gen) < 0) {
		if (errno == ENOENT && start) {
			log_warn("no certificates yet: see valija-cert");
			return 0;
		}
		log_sys("unable to read the link current");
		return -1;
	}
	if (start && layout_before(ks->cfg->home, gen, &before) == 0 &&
	    before > 0)
		(void)load_generation(ks, before);
	return load_generation(ks, gen);
}

static void
client_end(struct client *c)
{
	loop_del(&c->ks->loop, &c->w);
	(void)close(c->w.fd);
	c->ks->nclients--;
	free(c);
}

/* False: this client is done with. */
static bool
answer(struct client *c, const unsigned char *p, size_t n)
{
	unsigned char out[1 + KEYPROTO_SIGNATURE];
	struct keyserve *ks = c->ks;
	enum keyproto_answer a;
	struct keyproto q;
	size_t len = 0;

	if (keyproto_parse(p, n, &q) < 0) {
		ks->refused++;
		log_warn("malformed question pid=%ld", (long)c->pid);
		return false;
	}
	if (!q.sign) {
		a = keyring_find(&ks->ring, q.id) != NULL ? KEYPROTO_OK :
		    KEYPROTO_NO_KEY;
	} else if (c->asked++ == KEYPROTO_PER_CONNECTION) {
		ks->refused++;
		log_warn("too many signatures asked for pid=%ld",
		    (long)c->pid);
		return false;
	} else {
		a = keyring_sign(&ks->ring, &q, out + 1, &len);
		if (a == KEYPROTO_OK) {
			ks->signatures++;
		} else {
			len = 0;
			ks->refused++;
			log_warn("unable to sign pid=%ld scheme=%04x: %s",
			    (long)c->pid, (unsigned)q.scheme->number,
			    a == KEYPROTO_NO_KEY ? "no such key" :
			    a == KEYPROTO_UNFIT ? "not for this key" :
			    "libcrypto failed");
		}
	}
	out[0] = (unsigned char)a;
	return sock_send_fd(c->w.fd, out, 1 + len, -1) >= 0;
}

static void
client_ready(struct loop_watch *w, uint32_t got)
{
	unsigned char buf[KEYPROTO_HEAD + KEYPROTO_DATA + 1];
	struct client *c = w->owner;
	ssize_t n;
	int fd;

	(void)got;
	n = sock_recv_fd(w->fd, buf, sizeof buf, &fd);
	if (n < 0 && errno == EAGAIN)
		return;
	if (fd >= 0)
		(void)close(fd);
	if (n <= 0 || !answer(c, buf, (size_t)n))
		client_end(c);
}

static void
listener_ready(struct loop_watch *w, uint32_t got)
{
	struct keyserve *ks = w->owner;
	struct client *c;
	uid_t uid = 0;
	gid_t gid = 0;
	pid_t pid = 0;
	int fd = sock_accept(w->fd);

	(void)got;
	if (fd < 0) {
		if (errno == EAGAIN || errno == EINTR ||
		    errno == ECONNABORTED)
			return;
		/* It stays where it is, and would wake us at once again. */
		log_sys("unable to accept a connection");
		ks->pause_ms = clock_mono_ms() + PAUSE_MS;
		loop_want(&ks->loop, w, 0);
		return;
	}
	if (sock_peer(fd, &uid, &gid, &pid) < 0 || uid != 0 ||
	    ks->nclients == KEYSERVE_CLIENTS) {
		log_warn("connection refused pid=%ld uid=%ld", (long)pid,
		    (long)uid);
		(void)close(fd);
		return;
	}
	c = mem_alloc(1, sizeof *c);
	*c = (struct client){.ks = ks, .pid = pid, .w = {.fd = fd,
	    .want = LOOP_READ, .ready = client_ready, .owner = c}};
	ks->nclients++;
	if (loop_add(&ks->loop, &c->w) < 0)
		client_end(c);
}

static void
signals_ready(struct loop_watch *w, uint32_t got)
{
	struct keyserve *ks = w->owner;
	int s;

	(void)got;
	while ((s = sig_next(w->fd)) != 0) {
		log_info("signatures=%llu refused=%llu",
		    (unsigned long long)ks->signatures,
		    (unsigned long long)ks->refused);
		if (s == SIGHUP)
			(void)load(ks, false);
		else
			ks->ending = true;
	}
}

/* How long to wait. */
static int64_t
pause_left(struct keyserve *ks)
{
	int64_t left = ks->pause_ms - clock_mono_ms();

	if (ks->pause_ms == 0)
		return -1;
	if (left > 0)
		return left;
	ks->pause_ms = 0;
	loop_want(&ks->loop, &ks->listener, LOOP_READ);
	return -1;
}

int
keyserve_run(const struct keyserve_config *cfg)
{
	struct keyserve ks = {.cfg = cfg};

	ks.listener = (struct loop_watch){.fd = cfg->listener,
	    .want = LOOP_READ, .ready = listener_ready, .owner = &ks};
	ks.signals = (struct loop_watch){.fd = cfg->signals,
	    .want = LOOP_READ, .ready = signals_ready, .owner = &ks};
	if (load(&ks, true) < 0)
		return 111;
	if (loop_init(&ks.loop) < 0 || loop_add(&ks.loop, &ks.listener) < 0 ||
	    loop_add(&ks.loop, &ks.signals) < 0)
		die_sys(111, "unable to wait for events");
	while (!ks.ending)
		if (loop_run(&ks.loop, pause_left(&ks)) < 0)
			die_sys(111, "unable to wait for events");
	keyring_free(&ks.ring);
	return 0;
}
