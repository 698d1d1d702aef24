/* local/worker.c - a user's delivery worker; see worker.h.
 *
 * A job is in one of these places, and owns its message's descriptor:
 *
 *	arriving   received, being prepared            (job_arrive)
 *	batch      its files stand unsynced in tmp/    (worker->batch)
 *	waiting    for a free child                    (worker->head)
 *	running    in a child, its pipe watched        (worker->running)
 *	reported   gone
 *
 * One wake-up of the socket takes what has come, up to WORKER_BATCH messages,
 * and then commits: while the disk syncs, the next batch gathers in the
 * socket.  Descriptors: WORKER_BATCH * WORKER_STEPS files in tmp/ and
 * WORKER_JOBS messages stay below the usual 1024. */
#include "local/worker.h"

#include "lib/io.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/proc.h"
#include "lib/sig.h"
#include "lib/sock.h"
#include "local/copies.h"
#include "local/delivery.h"
#include "mail/localproto.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static_assert(WORKER_BATCH * WORKER_STEPS + WORKER_JOBS +
    WORKER_CHILDREN < 1000, "descriptors stay below the usual limit");

struct job {
	struct worker *w;
	struct job *next, *prev;
	char *packet;                   /* what args and d point into */
	struct localproto_job args;
	uint64_t copy_key;              /* 0 before the key is known */
	struct delivery d;
	struct str words;
	struct maildir_file files[WORKER_STEPS];
	size_t nfiles;
	pid_t pid;
	struct loop_watch pipe;
};

struct worker {
	struct loop loop;
	struct loop_watch sock, sig;
	const char *user, *home, *aliasempty;
	/* LOCALPROTO_MAX bytes; on the heap, because what is never used of
	 * them is no memory there, and there are many workers. */
	char *packet;
	struct job *batch[WORKER_BATCH];
	size_t nbatch;
	struct job *head, *tail;        /* waiting, oldest first */
	struct job *running;
	size_t njobs, nrunning;
	struct copies copies;
	bool eof;
};

static void
job_free(struct job *j)
{
	j->w->njobs--;
	for (size_t i = 0; i < j->nfiles; i++)
		maildir_free(&j->files[i]);
	delivery_free(&j->d);
	str_free(&j->words);
	if (j->d.mfd >= 0)
		(void)close(j->d.mfd);
	free(j->packet);
	free(j);
}

/* Takes no more from a lspawn that is gone; jobs not yet begun will be given
 * to another worker. */
static void
hang_up(struct worker *w)
{
	struct job *j;

	w->eof = true;
	loop_del(&w->loop, &w->sock);
	while ((j = w->head) != NULL) {
		w->head = j->next;
		job_free(j);
	}
	w->tail = NULL;
}

/* Reports and frees the job. */
static void
job_report(struct job *j, int code)
{
	struct worker *w = j->w;
	struct localproto_report r = {.id = j->args.id,
	    .code = (unsigned)code & 255u, .text = str_c(&j->words),
	    .n = j->words.len};
	struct pollfd p = {.fd = w->sock.fd, .events = POLLOUT};
	struct str out = {0};

	if (code != DELIVERY_OK && j->copy_key != 0)
		copies_back(&w->copies, j->copy_key, j->d.key.copy);
	if (!w->eof) {
		localproto_cat_report(&out, &r);
		while (sock_send_fd(p.fd, str_c(&out), out.len, -1) < 0) {
			if (errno != EAGAIN && errno != ENOBUFS) {
				hang_up(w);
				break;
			}
			(void)poll(&p, 1, 1000);
		}
		str_free(&out);
	}
	job_free(j);
}

static void
job_wait(struct job *j)
{
	struct worker *w = j->w;

	if (w->tail != NULL)
		w->tail->next = j;
	else
		w->head = j;
	w->tail = j;
}

/* What the child may hold: 0 nothing, 1 and 2 the report, 3 the message. */
static void
child_descriptors(int mfd, int report)
{
	int null = open("/dev/null", O_RDWR);
	int m = fcntl(mfd, F_DUPFD, 10), r = fcntl(report, F_DUPFD, 10);

	if (null < 0 || m < 0 || r < 0 || dup2(null, 0) < 0 ||
	    dup2(r, 1) < 0 || dup2(r, 2) < 0 || dup2(m, 3) < 0 ||
	    fcntl(3, F_SETFD, FD_CLOEXEC) < 0 ||
	    close_range(4, ~0u, 0) < 0)
		_exit(DELIVERY_SOFT);
}

static void
child_deliver(struct job *j, int report)
{
	int code;

	sig_ignore(SIGPIPE);
	child_descriptors(j->d.mfd, report);
	(void)setpgid(0, 0);
	j->d.mfd = 3;
	code = delivery_run(&j->d, &j->words);
	if (fd_write_all(1, str_c(&j->words), j->words.len) < 0)
		_exit(code == DELIVERY_OK ? DELIVERY_OK : code);
	_exit(code);
}

/* Keeps one byte more than a report has, so that it says it was cut. */
static void
pipe_ready(struct loop_watch *watch, uint32_t got)
{
	struct job *j = watch->owner;
	char buf[4096];
	ssize_t n;

	(void)got;
	do
		n = read(watch->fd, buf, sizeof buf);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		loop_del(&j->w->loop, watch);
		return;
	}
	if (j->words.len <= REPORT_LOCAL_MAX)
		str_catb(&j->words, buf, (size_t)n);
}

static void
job_failed_to_run(struct job *j)
{
	str_catf(&j->words, "Unable to start a delivery: %s. (#4.3.0)\n",
	    strerror(errno));
	job_report(j, DELIVERY_SOFT);
}

static void
job_run(struct job *j)
{
	struct worker *w = j->w;
	int r, p;

	if (proc_pipe(&r, &p) < 0) {
		job_failed_to_run(j);
		return;
	}
	if (fd_nonblock(r) < 0 || (j->pid = proc_fork()) < 0) {
		(void)close(r);
		(void)close(p);
		job_failed_to_run(j);
		return;
	}
	if (j->pid == 0)
		child_deliver(j, p);
	(void)close(p);
	(void)close(j->d.mfd);
	j->d.mfd = -1;
	j->pipe = (struct loop_watch){.fd = r, .want = LOOP_READ,
	    .ready = pipe_ready, .owner = j};
	/* Unwatched, the report is read when the child has ended. */
	if (loop_add(&w->loop, &j->pipe) < 0)
		log_sys("unable to watch a delivery");
	j->prev = NULL;
	j->next = w->running;
	if (w->running != NULL)
		w->running->prev = j;
	w->running = j;
	w->nrunning++;
}

static void
run_waiting(struct worker *w)
{
	struct job *j;

	while (w->nrunning < WORKER_CHILDREN && (j = w->head) != NULL) {
		w->head = j->next;
		if (w->head == NULL)
			w->tail = NULL;
		j->next = NULL;
		job_run(j);
	}
}

/* What daemons it left may still write is not waited for. */
static void
job_ended(struct job *j, int status)
{
	struct worker *w = j->w;
	char text[32];
	int code = DELIVERY_SOFT;

	for (int i = 0; i < 32 && j->pipe.on; i++)
		pipe_ready(&j->pipe, LOOP_READ);
	loop_del(&w->loop, &j->pipe);
	(void)close(j->pipe.fd);
	if (j->prev != NULL)
		j->prev->next = j->next;
	else
		w->running = j->next;
	if (j->next != NULL)
		j->next->prev = j->prev;
	w->nrunning--;
	if (WIFEXITED(status)) {
		/* Nothing else is ours to say. */
		if (WEXITSTATUS(status) == DELIVERY_OK ||
		    WEXITSTATUS(status) == DELIVERY_HARD)
			code = WEXITSTATUS(status);
	} else {
		str_catf(&j->words, "The delivery crashed: %s. (#4.3.0)\n",
		    proc_status_text(status, text, sizeof text));
	}
	job_report(j, code);
}

static void
signal_ready(struct loop_watch *watch, uint32_t got)
{
	struct worker *w = watch->owner;
	struct job *j;
	pid_t pid;
	int status;

	(void)got;
	while (sig_next(watch->fd) != 0)
		;
	while ((pid = proc_reap(&status)) > 0) {
		for (j = w->running; j != NULL && j->pid != pid; j = j->next)
			;
		if (j != NULL)
			job_ended(j, status);
	}
	run_waiting(w);
}

static bool
fits_batch(const struct delivery *d)
{
	return d->todo.n <= WORKER_STEPS && dotqmail_only_maildirs(&d->todo);
}

/* Phase one.  A Maildir that cannot be written fails the message alone. */
static void
job_batch(struct job *j)
{
	struct worker *w = j->w;

	for (size_t i = 0; i < j->d.todo.n; i++) {
		struct maildir_file *f = &j->files[j->nfiles++];

		if (delivery_maildir(&j->d, i, f) == MAILDIR_OK)
			continue;
		delivery_cat_maildir_trouble(f, &j->words);
		job_report(j, DELIVERY_SOFT);
		return;
	}
	(void)close(j->d.mfd);
	j->d.mfd = -1;
	w->batch[w->nbatch++] = j;
}

static void
commit_batch(struct worker *w)
{
	size_t n = 0, njobs = w->nbatch;
	struct maildir_file **files;

	if (njobs == 0)
		return;
	files = mem_alloc(njobs * WORKER_STEPS, sizeof *files);
	for (size_t i = 0; i < njobs; i++)
		for (size_t k = 0; k < w->batch[i]->nfiles; k++)
			files[n++] = &w->batch[i]->files[k];
	maildir_commit(files, n);
	free(files);
	w->nbatch = 0;
	for (size_t i = 0; i < njobs; i++) {
		struct job *j = w->batch[i];
		int code = DELIVERY_OK;

		for (size_t k = 0; k < j->nfiles && code == DELIVERY_OK; k++)
			if (j->files[k].status != MAILDIR_OK) {
				delivery_cat_maildir_trouble(&j->files[k],
				    &j->words);
				code = DELIVERY_SOFT;
			}
		j->d.files = (unsigned)j->nfiles;
		if (code == DELIVERY_OK)
			delivery_cat_success(&j->d, &j->words);
		job_report(j, code);
	}
}

static void
job_arrive(struct job *j)
{
	struct delivery *d = &j->d;
	struct stat st;
	int code;

	d->user = j->w->user;
	d->home = j->w->home;
	d->aliasempty = j->w->aliasempty;
	d->local = j->args.local;
	d->dash = j->args.dash;
	d->ext = j->args.ext;
	d->host = j->args.host;
	d->sender = j->args.sender;
	d->time_ms = DELIVERY_TIME_MS;
	if (fstat(d->mfd, &st) < 0) {
		str_cats(&j->words, "Unable to examine the message. "
		    "(#4.3.0)\n");
		job_report(j, DELIVERY_SOFT);
		return;
	}
	d->keyed = true;
	d->key = maildir_key_of(&st, d->local, d->host);
	j->copy_key = maildir_key_hash(&d->key);
	d->key.copy = copies_take(&j->w->copies, j->copy_key);
	delivery_init(d);
	code = delivery_prepare(d, &j->words);
	if (code != DELIVERY_OK)
		job_report(j, code);
	else if (fits_batch(d))
		job_batch(j);
	else
		job_wait(j);
}

/* One packet.  0, or -1 when there is none now. */
static int
receive(struct worker *w)
{
	struct job *j;
	int mfd;
	ssize_t n = sock_recv_fd(w->sock.fd, w->packet, LOCALPROTO_MAX, &mfd);

	if (n < 0 && errno == EAGAIN)
		return -1;
	if (n <= 0) {
		hang_up(w);
		return -1;
	}
	j = mem_alloc(1, sizeof *j);
	j->packet = mem_alloc((size_t)n, 1);
	memcpy(j->packet, w->packet, (size_t)n);
	j->w = w;
	j->d.mfd = mfd;
	w->njobs++;
	if (mfd < 0 ||
	    localproto_parse_job(j->packet, (size_t)n, &j->args) < 0) {
		/* A lspawn that speaks otherwise is not to be served. */
		job_free(j);
		hang_up(w);
		return -1;
	}
	job_arrive(j);
	return 0;
}

static void
sock_ready(struct loop_watch *watch, uint32_t got)
{
	struct worker *w = watch->owner;

	(void)got;
	/* Nothing is wanted, so this is a hang-up. */
	if (w->njobs >= WORKER_JOBS) {
		hang_up(w);
		return;
	}
	while (!w->eof && w->nbatch < WORKER_BATCH &&
	    w->njobs < WORKER_JOBS && receive(w) == 0)
		;
	commit_batch(w);
	run_waiting(w);
}

int
worker_run(int sock, const char *user, const char *home,
    const char *aliasempty)
{
	static const int signals[] = {SIGCHLD, 0};
	struct worker w = {.user = user, .home = home,
	    .aliasempty = aliasempty,
	    .packet = mem_resize(NULL, LOCALPROTO_MAX, 1)};

	sig_ignore(SIGPIPE);
	w.sock = (struct loop_watch){.fd = sock, .want = LOOP_READ,
	    .ready = sock_ready, .owner = &w};
	w.sig = (struct loop_watch){.fd = sig_open(signals),
	    .want = LOOP_READ, .ready = signal_ready, .owner = &w};
	if (w.sig.fd < 0 || fd_nonblock(sock) < 0 || loop_init(&w.loop) < 0 ||
	    loop_add(&w.loop, &w.sock) < 0 || loop_add(&w.loop, &w.sig) < 0) {
		log_sys("unable to start");
		return DELIVERY_SOFT;
	}
	while (!w.eof || w.nrunning > 0) {
		if (!w.eof)
			loop_want(&w.loop, &w.sock,
			    w.njobs < WORKER_JOBS ? LOOP_READ : 0u);
		if (loop_run(&w.loop, -1) < 0) {
			log_sys("unable to wait");
			return DELIVERY_SOFT;
		}
	}
	copies_free(&w.copies);
	free(w.packet);
	(void)close(w.sig.fd);
	(void)close(w.loop.ep);
	return 0;
}
