/* svcopt.c - svc's options; see svcopt.h. */
#include "supervise/svcopt.h"

#include "lib/str.h"

#include <string.h>
#include <unistd.h>

static void
add(char *letters, char c)
{
	size_t n = strlen(letters);

	if (n < SVCOPT_LETTERS && strchr(letters, c) == NULL)
		letters[n] = c;
}

static bool
seconds(const char *text, uint32_t *out)
{
	uint64_t u;
	size_t n = scan_u64(text, &u);

	if (n == 0 || text[n] != '\0' || u > UINT32_MAX)
		return false;
	*out = (uint32_t)u;
	return true;
}

bool
svcopt_parse(struct svcopt *o, int argc, char **argv)
{
	char *letters = o->service;
	int c;

	*o = (struct svcopt){0};
	opterr = 0;
	while ((c = getopt(argc, argv, "+udopchaitkxq12WlLwT:")) != -1) {
		switch (c) {
		case '?':
			return false;
		case 'l':
			letters = o->logger;
			break;
		case 'L':
			letters = o->service;
			break;
		case 'w':
			o->wait = true;
			break;
		case 'W':       /* supervise's letter for WINCH is w */
			add(letters, 'w');
			break;
		case 'T':
			if (!seconds(optarg, &o->seconds))
				return false;
			break;
		default:
			add(letters, (char)c);
		}
	}
	o->first = optind;
	return true;
}
