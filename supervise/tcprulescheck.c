/* tcprulescheck - say what tcpserver would do with a client.
 * Runs as:  whoever asks.
 * Trusts:   the compiled rules, and its environment.
 * Exits:    0, 100 misuse, 111 when the rules cannot be read. */
#include "supervise/rules.h"
#include "supervise/tool.h"

#include "lib/log.h"

#include <errno.h>
#include <stdlib.h>

static void
print_rule(struct str *out, const struct str *key, const struct str *data)
{
	enum rules_word word;
	const char *text;
	size_t at = 0;

	str_cats(out, "rule ");
	str_cat(out, key);
	str_cats(out, ":\n");
	while ((word = rules_next(data, &at, &text)) == RULES_SET) {
		str_cats(out, "set environment variable ");
		str_cats(out, text);
		str_catc(out, '\n');
	}
	str_cats(out, word == RULES_DENY ? "deny connection\n" :
	    "allow connection\n");
}

int
main(int argc, char **argv)
{
	struct rules_client c = {.ip = getenv("TCPREMOTEIP"),
	    .host = getenv("TCPREMOTEHOST"), .info = getenv("TCPREMOTEINFO")};
	struct str key = {0}, data = {0}, out = {0};
	enum cdb_status st;
	struct cdb_file *f;

	log_init("tcprulescheck");
	tool_open_std();
	if (argc < 2)
		tool_usage(100, "tcprulescheck rules.cdb");
	if (c.ip == NULL)
		c.ip = "0.0.0.0";
	st = cdbfile_open(argv[1], &f);
	if (st == CDB_NONE)
		errno = ENOENT;
	if (st != CDB_OK)
		tool_die(111, "unable to read %s", argv[1]);
	st = rules_find(f, &c, &key, &data);
	if (st == CDB_TEMP)
		tool_die(111, "unable to read %s", argv[1]);
	if (st == CDB_OK)
		print_rule(&out, &key, &data);
	else
		str_cats(&out, "default:\nallow connection\n");
	if (fd_write_all(1, str_c(&out), out.len) < 0)
		tool_die(111, "unable to write output");
	cdbfile_close(f);
	str_free(&key);
	str_free(&data);
	str_free(&out);
	return 0;
}
