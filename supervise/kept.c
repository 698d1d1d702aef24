/* supervise/kept.c - see kept.h.  Owned by the one loop of tcpserver; nothing
 * here waits but keep_give, which is bounded. */
#include "supervise/kept.h"

#include "supervise/tool.h"

#include "lib/log.h"
#include "lib/proc.h"
#include "lib/tai.h"

/* Starts another copy, unless one is on its way or it is too early. */
static void
start(struct kept *k)
{
	int64_t ms = clock_mono_ms();

	if (k->next.fd >= 0 || ms < k->again)
		return;
	k->again = ms + KEPT_AGAIN_MS;
	if (keep_start(&k->next, k->program) < 0) {
		k->again = ms + KEPT_FAILED_MS;
		if (!k->quiet)
			tool_warn("unable to keep %s", k->program[0]);
	}
}

/* It ended, or what it said was not "ready". */
static void
failed(struct kept *k)
{
	k->again = clock_mono_ms() + KEPT_FAILED_MS;
	if (!k->quiet)
		log_warn("%s cannot be kept: starting it for every "
		    "connection", k->program[0]);
}

/* Is the next one ready to take over? */
static void
look(struct kept *k)
{
	if (k->next.fd < 0)
		return;
	switch (keep_look(&k->next)) {
	case KEEP_OK:
		keep_stop(&k->now);
		k->now = k->next;
		k->next = (struct keep){.fd = -1};
		k->used = 0;
		k->born = clock_mono_ms();
		break;
	case KEEP_GONE:
		failed(k);
		break;
	case KEEP_NOT:
	case KEEP_STALE:
		break;
	}
}

void
kept_open(struct kept *k, const char *const *program, bool quiet)
{
	*k = (struct kept){.program = program, .quiet = quiet,
	    .now = {.fd = -1}, .next = {.fd = -1}};
	start(k);
}

bool
kept_give(struct kept *k, int conn, const struct str *log,
    const char *const *env, pid_t *pid_out)
{
	enum keep_verdict v = KEEP_GONE;

	look(k);
	if (k->now.fd >= 0) {
		v = keep_give(&k->now, conn, log, env, pid_out);
		k->used += v == KEEP_OK;
		if (v == KEEP_GONE && !k->quiet)
			log_warn("the %s that was kept does not answer",
			    k->program[0]);
	}
	if (v == KEEP_STALE || v == KEEP_GONE)
		kept_renew(k);
	else if (k->used >= KEPT_SESSIONS ||
	    clock_mono_ms() - k->born > KEPT_MS)
		start(k);
	return v == KEEP_OK;
}

void
kept_renew(struct kept *k)
{
	keep_stop(&k->now);
	start(k);
}

void
kept_ended(struct kept *k, pid_t pid, int status)
{
	char text[32];

	if (pid == k->now.pid) {
		k->now.pid = 0;
		if (k->now.fd >= 0 && !k->quiet)
			log_warn("the %s that was kept ended: %s",
			    k->program[0], proc_status_text(status, text,
			    sizeof text));
		kept_renew(k);
	} else if (pid == k->next.pid) {
		k->next.pid = 0;
		look(k);
	}
}

void
kept_close(struct kept *k)
{
	keep_stop(&k->now);
	keep_stop(&k->next);
}
