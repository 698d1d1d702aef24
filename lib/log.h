/* lib/log.h - one line per event on descriptor 2, and leaving with a reason.
 *
 * Lines read "prog: level: text\n" and are written with one write(2).  The
 * text of die_sys and log_sys is followed by ": " and the reason of errno. */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include <stddef.h>

struct str;

void log_init(const char *prog);        /* prog is kept, not copied */
const char *log_prog(void);
/* Where descriptor 2 is the client's socket, as below inetd, log lines would
 * be replies: then there is no log. */
void log_spare_client(void);
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_sys(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "prog: fatal: text", exit code: 111 environment, 100 misuse. */
_Noreturn void die(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
_Noreturn void die_sys(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
_Noreturn void die_usage(const char *usage);            /* exits 100 */

/* Appends bytes with everything outside 33..126, and '%', turned into '_',
 * LF into '/': the one function through which foreign bytes reach a log. */
void log_quote(struct str *out, const char *bytes, size_t n);

#endif
