/* fuzz_spawnproto.c - commands and reports of the spawn protocol: the same
 * bytes whole and one at a time give the same records, within the limits. */
#include "TESTS/fuzz/fuzz.h"

#include "mail/limits.h"
#include "mail/spawnproto.h"

#include <stdlib.h>
#include <string.h>

static void
commands(struct str *out, unsigned version, const char *s, size_t n, size_t step)
{
	struct spawn_command c = {0};

	for (size_t at = 0; at < n;) {
		size_t k = n - at < step ? n - at : step, used;
		enum spawn_status st = spawn_command_parse(&c, version,
		    s + at, k, &used);

		if (used > k || c.sender.len > (size_t)4 * ADDR_MAX)
			abort();
		if (st == SPAWN_BAD)
			break;
		at += used;
		if (st != SPAWN_DONE)
			continue;
		spawn_cat_command(out, version, c.delnum, str_c(&c.messid),
		    str_c(&c.sender), str_c(&c.rcpt));
		spawn_cat_options(out, str_eqs(&c.mark, "+"),
		    str_c(&c.params), str_c(&c.rparams));
		(void)spawn_messid_ok(&c.messid);
		spawn_command_next(&c);
	}
	spawn_command_free(&c);
}

static void
reports(struct str *out, unsigned version, const char *s, size_t n, size_t step)
{
	struct spawn_report r = {0};

	for (size_t at = 0; at < n;) {
		size_t k = n - at < step ? n - at : step, used;
		enum spawn_status st = spawn_report_parse(&r, version, s + at,
		    k, &used);

		if (used > k || r.text.len > REPORT_MAX ||
		    r.notes.len > REPORT_MAX)
			abort();
		at += used;
		if (st != SPAWN_DONE)
			continue;
		spawn_cat_report(out, version, r.delnum, str_c(&r.text),
		    r.text.len);
		spawn_cat_notes(out, str_c(&r.notes));
		spawn_report_next(&r);
	}
	spawn_report_free(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;

	for (unsigned v = 0; v < 3; v++) {
		struct str whole = {0}, pieces = {0};

		commands(&whole, v, s, size, size);
		commands(&pieces, v, s, size, 1);
		reports(&whole, v, s, size, size);
		reports(&pieces, v, s, size, 1);
		if (whole.len != pieces.len || (whole.len > 0 &&
		    memcmp(whole.s, pieces.s, whole.len) != 0))
			abort();
		str_free(&whole);
		str_free(&pieces);
	}
	return 0;
}
