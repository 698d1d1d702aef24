/* pop3d/box_uidl.c - unique identifiers; see box.h. */
#include "pop3d/box_private.h"

#include "lib/hash.h"

#include <stdio.h>
#include <string.h>

#define HASHED "h"
#define HASH_HEX 32

static bool
is_plain(const char *s, size_t n)
{
	bool ok = n >= 1 && n <= BOX_UIDL;

	for (size_t i = 0; ok && i < n; i++)
		ok = (unsigned char)(s[i] - 33) <= 126 - 33;
	return ok;
}

/* One that is made of the name: 128 bits. */
static void
hash_name(const char *base, size_t n, char out[BOX_UIDL + 1])
{
	struct hash a, c;

	hash_init(&a, 0, 0);
	hash_add(&a, base, n);
	hash_init(&c, 1, 0);
	hash_add(&c, base, n);
	(void)snprintf(out, BOX_UIDL + 1, HASHED "%016llx%016llx",
	    (unsigned long long)hash_end(&a), (unsigned long long)hash_end(&c));
}

const char *
box_uidl(struct box *b, size_t i)
{
	const char *name = box_name(b, i);
	size_t n = b->m[i].base;

	if (is_plain(name, n)) {
		memcpy(b->uidl, name, n);
		b->uidl[n] = '\0';
	} else {
		hash_name(name, n, b->uidl);
	}
	return b->uidl;
}
