/* send/sweep.c - the 36 hour sweep; see sweep.h.
 *
 * It is safe because a submission ends after QUEUE_DEATH seconds and every
 * message that was accepted has todo or info. */
#include "send/sweep.h"

#include "lib/tai.h"
#include "mail/limits.h"
#include "mail/qpath.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP 32                 /* entries */
#define IDLE QUEUE_SPLIT
#define START_MS 60000          /* after the start, when it is quieter */

void
sweep_init(struct sweep *s)
{
	*s = (struct sweep){.at = IDLE, .due = clock_mono_ms() + START_MS};
}

bool
sweep_busy(const struct sweep *s)
{
	return s->at != IDLE;
}

int64_t
sweep_due(const struct sweep *s)
{
	return s->due;
}

bool
sweep_leftover(uint64_t id, int64_t now)
{
	struct stat st;

	if (lstat(qpath_split("mess", id).s, &st) < 0 ||
	    st.st_atim.tv_sec + QUEUE_OSSIFIED >= now)
		return false;
	return access(qpath_flat("todo", id).s, F_OK) < 0 &&
	    access(qpath_split("info", id).s, F_OK) < 0;
}

static void
next_dir(struct sweep *s)
{
	char name[32];

	while (s->dir == NULL && s->at < IDLE) {
		(void)snprintf(name, sizeof name, "mess/%d", s->at);
		s->dir = opendir(name);
		if (s->dir == NULL)
			s->at++;
	}
}

void
sweep_step(struct sweep *s, void (*found)(void *, uint64_t), void *arg)
{
	int64_t now = clock_wall();

	if (s->at == IDLE) {
		if (clock_mono_ms() < s->due)
			return;
		s->due = clock_mono_ms() + (int64_t)SWEEP_EVERY * 1000;
		s->at = 0;
	}
	next_dir(s);
	for (int i = 0; i < STEP && s->dir != NULL; i++) {
		const struct dirent *e = readdir(s->dir);
		uint64_t id;

		if (e == NULL) {
			(void)closedir(s->dir);
			s->dir = NULL;
			s->at++;
		} else if (qpath_parse(e->d_name, &id) &&
		    sweep_leftover(id, now)) {
			found(arg, id);
		}
	}
}
