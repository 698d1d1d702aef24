/* mail/show.c - strangers' bytes for eyes and for programs; see show.h. */
#include "mail/show.h"

#include "mail/quote.h"

/* U+0080 to U+009F are control characters too. */
static bool
control80(const char *s, size_t len)
{
	return len == 2 && (unsigned char)s[0] == 0xc2 &&
	    (unsigned char)s[1] < 0xa0;
}

void
show_cat_text(struct str *out, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)bytes[i];
		size_t len = utf8_len(bytes + i, n - i);

		if (len > 1 && !control80(bytes + i, len)) {
			str_catb(out, bytes + i, len);
			i += len;
			continue;
		}
		str_catc(out, c == '\n' || (c >= ' ' && c < 127) ?
		    bytes[i] : '_');
		i += len > 1 ? len : 1;
	}
}

void
show_cat_json(struct str *out, const char *bytes, size_t n)
{
	str_catc(out, '"');
	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)bytes[i];
		size_t len = utf8_len(bytes + i, n - i);

		if (len == 0) {
			str_cats(out, "\\ufffd");
			len = 1;
		} else if (c < ' ' || c == 127) {
			str_cats(out, "\\u00");
			str_catx(out, c, 2);
		} else if (control80(bytes + i, len)) {
			str_cats(out, "\\u00");
			str_catx(out, (unsigned char)bytes[i + 1], 2);
		} else {
			if (c == '"' || c == '\\')
				str_catc(out, '\\');
			str_catb(out, bytes + i, len);
		}
		i += len;
	}
	str_catc(out, '"');
}
