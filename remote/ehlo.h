/* remote/ehlo.h - what a server says it can do (5321:4.1.1.1). */
#ifndef REMOTE_EHLO_H
#define REMOTE_EHLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ehlo {
	bool pipelining, eightbitmime, smtputf8, chunking, dsn, starttls;
	bool size;
	bool auth_plain, auth_login;
	uint64_t size_max;      /* bytes of a message; 0: no limit was said */
	uint64_t rcpt_max, mail_max;    /* 9422: count; 0: not said */
};

/* text is a reply's (reply.h): lines with their code.  What is not known or
 * not understood is left out. */
void ehlo_parse(struct ehlo *out, const char *text, size_t n);

#endif
