/* mail/mdname.c - what the name of a message in a Maildir tells; see mdscan.h.
 *
 * "SEC.MusecNnsecPpid.HOST,S=SIZE,W=WIRE:2,FLAGS", or anything else that
 * somebody has put there: what a name does not tell for certain it does not
 * tell. */
#include "mail/mdscan.h"

#include <string.h>

#define USEC 1000000

size_t
mdname_base(const char *name)
{
	return strcspn(name, ":");
}

/* The N of ",KEY=N", before the ":". */
static uint64_t
find_number(const char *name, char key)
{
	uint64_t u;

	for (const char *p = name; *(p += strcspn(p, ",:")) == ',';) {
		size_t n;

		if (*++p != key || p[1] != '=')
			continue;
		n = scan_u64(p + 2, &u);
		p += 2 + n;
		if (n > 0 && (*p == '\0' || *p == ',' || *p == ':'))
			return u;
	}
	return UINT64_MAX;
}

uint64_t
mdname_size(const char *name)
{
	return find_number(name, 'S');
}

uint64_t
mdname_wire(const char *name)
{
	return find_number(name, 'W');
}

/* In "M123456P789Q2.host": letters, each with its number. */
static uint64_t
find_usec(const char *p)
{
	uint64_t u;

	p += strcspn(p, "M.:");
	if (*p != 'M' || scan_u64(p + 1, &u) == 0)
		return 0;
	return u < USEC ? u : USEC - 1;
}

uint64_t
mdname_time(const char *name)
{
	uint64_t sec;
	size_t n = scan_u64(name, &sec);

	if (n == 0 || name[n] != '.' || sec > UINT64_MAX / USEC - 1)
		return UINT64_MAX;
	return sec * USEC + find_usec(name + n + 1);
}

bool
mdname_has_flag(const char *name, char flag)
{
	const char *p = name + mdname_base(name);

	return strncmp(p, ":2,", 3) == 0 && flag != '\0' &&
	    memchr(p + 3, flag, strcspn(p + 3, ",")) != NULL;
}
