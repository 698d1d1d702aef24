/* record.c - packets as text; see record.h.  A stranger wrote the packets. */
#include "supervise/record.h"

static void
cat_text(struct str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		str_catc(out, s[i] >= 32 && s[i] < 127 ? s[i] : '?');
}

void
record_cat(struct str *out, uint64_t pid, char mark, const char *s, size_t n)
{
	struct str head = {0};

	str_catu(&head, pid);
	str_catc(&head, ' ');
	str_catc(&head, mark);
	str_catc(&head, ' ');
	if (n == 0) {
		str_cat(out, &head);
		str_cats(out, "[EOF]\n");
	}
	while (n > 0) {
		size_t len = bytes_chr(s, n, '\n');
		bool whole = len < n && len <= RECORD_TEXT;

		if (len > RECORD_TEXT)
			len = RECORD_TEXT;
		str_cat(out, &head);
		cat_text(out, s, len);
		str_cats(out, whole ? " \n" : "+\n");
		s += len + whole;
		n -= len + whole;
	}
	str_free(&head);
}
