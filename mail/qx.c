/* mail/qx.c - texts of the queue's exit codes; see qx.h. */
#include "mail/qx.h"

const char *
qx_text(int code)
{
	switch (code) {
#define X(id, n, text) case n: return text;
		QX_TABLE(X)
#undef X
	default:
		return qx_permanent(code) ? "permanently rejected" :
		    "temporarily rejected";
	}
}

bool
qx_permanent(int code)
{
	/* 115 was the code for a long address before 1996. */
	return (code >= 11 && code <= 40) || code == 115;
}
