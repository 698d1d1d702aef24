/* smtpd/decode.h - message data as SMTP sends it to lines as the queue keeps
 * them: pure, in pieces of any size.
 *
 * A line ends with CR LF and nothing else.  A lone CR, a lone LF and a NUL are
 * refused, because programs disagree about them: what one takes for the middle
 * of a line ends the message for the next (SMTP smuggling).  The data of DATA
 * end with CR LF . CR LF, or with . CR LF at the very beginning, and with
 * nothing else ever; a dot that begins a line is taken away.
 *
 * With barelf a lone LF ends a line too, as if CR stood before it.  It never
 * begins or ends the line with the last dot. */
#ifndef SMTPD_DECODE_H
#define SMTPD_DECODE_H

#include <stdbool.h>
#include <stddef.h>

enum decode_status {
	DECODE_MORE,            /* everything was used */
	DECODE_END,             /* the last dot's line: what follows is not ours */
	DECODE_LF,
	DECODE_CR,
	DECODE_NUL,
};
enum decode_state {
	DECODE_BOL,             /* after CR LF, or at the beginning */
	DECODE_BOL_LF,          /* after a repaired LF */
	DECODE_TEXT,
	DECODE_TEXT_CR,         /* a CR that must be followed by LF */
	DECODE_DOT,             /* a dot at DECODE_BOL */
	DECODE_DOT_CR,
	DECODE_DOT_LF,          /* a dot at DECODE_BOL_LF: ends nothing */
};
struct decode {
	enum decode_state state;
	bool dots;              /* DATA; not BDAT, whose size is known */
	bool barelf;
};

/* Gets parts of lines; a line's last part is "\n" alone. */
typedef void decode_sink(void *arg, const char *bytes, size_t n);

/* *used: how many of the n bytes were. */
__attribute__((warn_unused_result))
enum decode_status decode_feed(struct decode *, const char *s, size_t n,
    size_t *used, decode_sink *, void *arg);

#endif
