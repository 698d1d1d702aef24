/* svcwait.c - the questions of svc -w; see svcwait.h. */
#include "supervise/svcwait.h"

#include <string.h>

/* The last of the letters that say where the service shall end up. */
static char
final_wish(const char *letters)
{
	char wish = '\0';

	for (; *letters != '\0'; letters++)
		if (strchr("udo", *letters) != NULL)
			wish = *letters;
	return wish;
}

static bool
changed(const struct status *a, const struct status *b)
{
	return a->pid != b->pid || a->since.sec != b->since.sec ||
	    a->since.nano != b->since.nano;
}

bool
svcwait_reached(const char *letters, const struct status *before,
    const struct status *now, bool running)
{
	bool ended = strpbrk(letters, "dtk") != NULL;
	char wish = final_wish(letters);

	if (strchr(letters, 'x') != NULL || !running)
		return strchr(letters, 'x') != NULL && !running;
	/* A process that was told to end does not count as up. */
	ended = ended && before->pid != 0;
	switch (wish) {
	case 'd':
		return now->want == 'd' && now->pid == 0;
	case 'u':
		return now->want == 'u' && now->pid != 0 &&
		    !(ended && now->pid == before->pid);
	case 'o':
		return now->want == 0 && (ended ? now->pid != before->pid :
		    now->pid != 0 || changed(before, now));
	default:
		break;
	}
	if (!ended)
		return true;
	return now->pid != before->pid && (now->pid != 0 || now->want != 'u');
}
