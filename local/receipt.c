/* local/receipt.c - delivery receipts; see receipt.h.
 *
 * The header is a stranger's: it is only compared, and one value of it, its
 * Message-ID, is repeated when it is plain. */
#include "local/receipt.h"

#include "lib/tai.h"
#include "mail/addr.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/limits.h"
#include "mail/qsubmit.h"
#include "mail/quote.h"

#include <errno.h>
#include <string.h>

/* An address list that cannot be understood asks for nothing. */
static bool
names_address(const char *value, size_t n, const char *address)
{
	struct addr_list list = {0};
	struct str plain = {0};
	bool yes = false;

	if (addr_parse(&list, value, n) == ADDR_OK)
		for (size_t i = 0; i < list.n && !yes; i++) {
			if (list.items[i].kind != ADDR_MAILBOX)
				continue;
			str_clear(&plain);
			addr_cat_plain(&plain, &list, i);
			yes = bytes_caseeq(str_c(&plain), plain.len, address,
			    strlen(address));
		}
	addr_free(&list);
	str_free(&plain);
	return yes;
}

/* "<...>" of printable ASCII without blanks inside. */
static void
take_msgid(struct str *out, const char *value, size_t n)
{
	while (n > 0 && (*value == ' ' || *value == '\t')) {
		value++;
		n--;
	}
	while (n > 0 && strchr(" \t\r\n", value[n - 1]) != NULL)
		n--;
	if (n < 3 || n > 900 || value[0] != '<' || value[n - 1] != '>')
		return;
	for (size_t i = 0; i < n; i++)
		if (value[i] <= ' ' || value[i] > '~')
			return;
	str_copyb(out, value, n);
}

int
receipt_asked(struct io *in, const char *address, struct str *msgid_out,
    struct str *why)
{
	struct header h;
	enum header_status st;
	int asked = 0;

	header_init(&h, in, LINE_MAX_HDR, HEADER_MAX);
	while ((st = header_next(&h)) == HEADER_FIELD) {
		size_t n;
		const char *value = header_value(&h, &n);

		if (h.id == HEADER_NOTICE_TO &&
		    names_address(value, n, address))
			asked = 1;
		else if (h.id == HEADER_MESSAGE_ID && msgid_out->len == 0)
			take_msgid(msgid_out, value, n);
	}
	if (st == HEADER_ERROR) {
		str_catf(why, "unable to read the message: %s",
		    strerror(errno));
		asked = -1;
	}
	/* A header that is too long has been read as far as it matters. */
	header_free(&h);
	return asked;
}

void
receipt_cat_notice(struct str *out, const char *address, const char *sender,
    const char *msgid, int64_t now)
{
	str_cats(out, "Date: ");
	date822_cat(out, now);
	str_cats(out, "\nFrom: ");
	quote_cat_addr(out, address, strlen(address));
	str_cats(out, "\nTo: ");
	quote_cat_addr(out, sender, strlen(sender));
	str_cats(out, "\nSubject: Your message was delivered\n"
	    "Auto-Submitted: auto-replied\n");
	if (*msgid != '\0')
		str_catf(out, "In-Reply-To: %s\nReferences: %s\n", msgid,
		    msgid);
	str_cats(out, "\nYour message has reached the mailbox of\n\n    ");
	quote_cat_addr(out, address, strlen(address));
	str_cats(out, "\n\nas you asked to be told.  It says nothing about "
	    "whether it has been read.\n");
}

static int
send_notice(const struct str *notice, const char *dtline, const char *sender,
    struct str *why)
{
	struct str text = {0};
	struct qsubmit q;
	int qx;

	qsubmit_open(&q);
	if (dtline != NULL)
		qsubmit_puts(&q, dtline);
	qsubmit_put(&q, str_c(notice), notice->len);
	qsubmit_from(&q, "");
	qsubmit_to(&q, sender);
	qx = qsubmit_close(&q, &text);
	if (qx != 0)
		str_catf(why, "unable to send the notice: %s", str_c(&text));
	str_free(&text);
	return qx == 0 ? 0 : qx_permanent(qx) ? 100 : 111;
}

int
receipt_answer(int fd, const char *address, const char *sender,
    const char *dtline, struct str *why)
{
	struct str msgid = {0}, notice = {0};
	struct io in;
	int code = 0;

	if (*sender == '\0' || strcmp(sender, "#@[]") == 0)
		return 0;
	io_init(&in, fd, -1, IO_FOREVER);
	switch (receipt_asked(&in, address, &msgid, why)) {
	case 0:
		break;
	case 1:
		receipt_cat_notice(&notice, address, sender, str_c(&msgid),
		    clock_wall());
		code = send_notice(&notice, dtline, sender, why);
		break;
	default:
		code = 111;
		break;
	}
	str_free(&msgid);
	str_free(&notice);
	return code;
}
