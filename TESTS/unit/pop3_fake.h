/* TESTS/unit/pop3_fake.h - a mailbox in memory in place of pop3d/box.c, whose
 * every failure can be had. */
#ifndef TESTS_UNIT_POP3_FAKE_H
#define TESTS_UNIT_POP3_FAKE_H

#include "pop3d/box.h"

#define POP3_FAKE_MAX 8

struct pop3_fake_message {
	const char *bytes;
	size_t n;
	int error;                      /* why it cannot be opened, 0: it can */
	int fd;                         /* > 0: open this instead */
	bool deleted;
};

extern struct pop3_fake {
	enum box_status open;
	size_t count;
	struct pop3_fake_message msg[POP3_FAKE_MAX];
	int uidl_error;                 /* of box_uidl_ready; 0: it is */
	struct box_result result;       /* of box_update */
	unsigned updates, frees;        /* how often they were called */
} pop3_fake;

/* A mailbox with the count C strings. */
void pop3_fake_box(const char *const *messages, size_t count);
/* What is to be sent of a message, said by hand: byte by byte. */
void pop3_fake_wire(struct str *out, const char *s, size_t n, uint64_t lines);
/* A file in memory with these bytes. */
int pop3_fake_file(const char *s, size_t n);

#endif
