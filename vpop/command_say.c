/* vpop/command_say.c - what v* commands print, and how they leave; see
 * command.h.
 *
 * What is printed may be a stranger's: it reaches the terminal as text. */
#include "vpop/command.h"

#include "lib/io.h"
#include "lib/log.h"
#include "mail/show.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_MISUSE 255         /* 256 - 1, as vpopmail's */
#define EXIT_TEMP 111
#define WHAT_MAX 1024           /* bytes of an error after its text */
#define SPILL 65536             /* bytes that a listing gathers */

void
vcommand_print(const struct str *s)
{
	if (fd_write_all(1, str_c(s), s->len) < 0)
		die_sys(EXIT_TEMP, "unable to write the output");
}

void
vcommand_spill(struct str *s)
{
	if (s->len < SPILL)
		return;
	vcommand_print(s);
	str_clear(s);
}

void
vcommand_cat_line(struct str *out, const char *s)
{
	size_t from = out->len;

	show_cat_text(out, s, strlen(s));
	for (size_t i = from; i < out->len; i++)
		if (out->s[i] == '\n')
			out->s[i] = '_';
}

_Noreturn static void
leave(const char *text, const char *what, int code)
{
	struct str out = {0};

	str_catf(&out, "Error: %s", text);
	if (what[0] != '\0') {
		if (text[0] != '\0')
			str_cats(&out, ": ");
		vcommand_cat_line(&out, what);
	}
	str_catc(&out, '\n');
	vcommand_print(&out);
	exit(code);
}

__attribute__((format(printf, 2, 0)))
static void
format(char what[WHAT_MAX], const char *fmt, va_list ap)
{
	if (vsnprintf(what, WHAT_MAX, fmt, ap) >= WHAT_MAX)
		memcpy(what + WHAT_MAX - 4, "...", 4);
}

_Noreturn void
vcommand_fail(enum vpop_error e, const char *fmt, ...)
{
	char what[WHAT_MAX] = "";
	va_list ap;

	if (fmt != NULL) {
		va_start(ap, fmt);
		format(what, fmt, ap);
		va_end(ap);
	}
	leave(vpop_error_text(e), what, (256 + (int)e) & 255);
}

_Noreturn void
vcommand_refuse(const char *fmt, ...)
{
	char what[WHAT_MAX] = "";
	va_list ap;

	va_start(ap, fmt);
	format(what, fmt, ap);
	va_end(ap);
	leave("", what, EXIT_MISUSE);
}

_Noreturn void
vcommand_usage(const char *usage)
{
	struct str out = {0};

	str_catf(&out, "usage: %s\n", usage);
	vcommand_print(&out);
	exit(EXIT_MISUSE);
}

void
vcommand_version(void)
{
	struct str out = {0};

	str_cats(&out, "version: " VPOP_VERSION "\n");
	vcommand_print(&out);
	str_free(&out);
}
