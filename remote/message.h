/* remote/message.h - the message file: what is in it, and its way to the
 * wire.
 *
 * The file is read with pread, as often as needed, in pieces of 64 KB: memory
 * does not depend on its size.  Its content is a stranger's. */
#ifndef REMOTE_MESSAGE_H
#define REMOTE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_CHUNK 65536     /* bytes read at a time */

struct message {
	int fd;                 /* the caller's */
	uint64_t start, size;   /* bytes of the file */
	uint64_t wire_size;     /* with CR LF, before dots are doubled */
	bool eightbit;          /* a byte above 127 somewhere */
	bool header_eightbit;   /* in the header */
	bool header_utf8;       /* and the header is valid UTF-8 */
};

/* The message is what fd holds from start on; looks through all of it.  0, or
 * -1 with errno (EINVAL: not a regular file). */
__attribute__((warn_unused_result))
int message_scan(struct message *, int fd, uint64_t start);
/* What comes from a pipe, put into a nameless temporary file: its descriptor,
 * or -1 with errno. */
__attribute__((warn_unused_result))
int message_spool(int fd);

typedef int message_put(void *arg, const char *s, size_t n);
/* Hands the file's bytes to put as they are.  0; -1 with errno when reading
 * fails, or as put left it when put says -1. */
__attribute__((warn_unused_result))
int message_read(const struct message *, message_put *, void *arg);
/* The same, made ready for the wire (crlf.h). */
__attribute__((warn_unused_result))
int message_write(const struct message *, bool dots, message_put *,
    void *arg);

#endif
