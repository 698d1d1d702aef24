/* mail/verdict.c - exit codes to report letters; see verdict.h. */
#include "mail/verdict.h"

void
verdict_cat(struct str *out, unsigned code, const char *said, size_t n)
{
	static const struct {
		unsigned code;
		char letter;
		const char *text;
	} table[] = {
#define X(id, code, letter, text) {code, letter, text},
		VERDICT_TABLE(X)
#undef X
	};
	char letter = 'D';
	const char *text = "";

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].code == code) {
			letter = table[i].letter;
			text = table[i].text;
		}
	str_catc(out, letter);
	if (*text != '\0') {
		str_cats(out, text);
		str_catc(out, '\n');
	}
	str_catb(out, said, bytes_chr(said, n, '\0'));
}
