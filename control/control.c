/* control/control.c - reader of control files; see control.h. */
#include "control/control.h"

#include "lib/fs.h"
#include "lib/log.h"
#include "mail/limits.h"

#include <errno.h>
#include <string.h>

static const struct control_entry table[CONTROL_COUNT] = {
#define X(id, file, def, who, meaning)                                        \
	[CONTROL_##id] = {file, def, who, meaning},
	CONTROL_TABLE(X)
#undef X
};

static const char *directory = HOME_DIR "/control";

const struct control_entry *
control_entry(enum control_id id)
{
	return &table[id];
}

void
control_set_dir(const char *dir)
{
	directory = dir;
}

const char *
control_dir(void)
{
	return directory;
}

static enum control_status
load(enum control_id id, struct str *out)
{
	struct str path = {0};
	int r;

	str_catf(&path, "%s/%s", directory, table[id].file);
	r = fs_read(str_c(&path), out, CONTROL_MAX);
	str_free(&path);
	if (r == 0)
		return CONTROL_OK;
	return errno == ENOENT ? CONTROL_NONE : CONTROL_TEMP;
}

static enum control_status
fallback(enum control_id id, struct str *out)
{
	const char *def = table[id].fallback;

	if (def == NULL)
		return CONTROL_NONE;
	if (strcmp(def, "@me") == 0) {
		enum control_status st = control_line(CONTROL_ME, out);

		return st == CONTROL_OK ? CONTROL_DEFAULT : st;
	}
	str_cats(out, def);
	return CONTROL_DEFAULT;
}

enum control_status
control_line(enum control_id id, struct str *out)
{
	enum control_status st;

	str_clear(out);
	st = load(id, out);
	if (st == CONTROL_NONE)
		return fallback(id, out);
	if (st != CONTROL_OK)
		return st;
	str_trunc(out, bytes_chr(str_c(out), out->len, '\n'));
	str_rstrip(out);
	if (out->len > CONTROL_LINE_MAX || str_has_nul(out)) {
		errno = EINVAL;
		return CONTROL_TEMP;
	}
	return CONTROL_OK;
}

enum control_status
control_number(enum control_id id, uint64_t *out)
{
	struct str s = {0};
	enum control_status st = control_line(id, &s);

	if (st == CONTROL_OK && scan_u64(str_c(&s), out) == 0) {
		str_clear(&s);
		st = fallback(id, &s);
	}
	if (st == CONTROL_OK || st == CONTROL_DEFAULT)
		(void)scan_u64(str_c(&s), out);
	str_free(&s);
	return st;
}

static void
take_lines(struct str *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = bytes_chr(s + i, n - i, '\n'), keep = len;

		while (keep > 0 && (s[i + keep - 1] == ' ' ||
		    s[i + keep - 1] == '\t'))
			keep--;
		if (keep > 0 && s[i] != '#') {
			str_catb(out, s + i, keep);
			str_catc(out, '\0');
		}
		i += len + (i + len < n ? 1 : 0);
	}
}

enum control_status
control_list(enum control_id id, struct str *out)
{
	struct str raw = {0};
	enum control_status st;

	str_clear(out);
	st = load(id, &raw);
	if (st == CONTROL_NONE)
		st = fallback(id, &raw);
	if (st == CONTROL_OK || st == CONTROL_DEFAULT)
		take_lines(out, str_c(&raw), raw.len);
	str_free(&raw);
	return st;
}

static _Noreturn void
die_temp(enum control_id id)
{
	die_sys(111, "unable to read %s/%s", directory, table[id].file);
}

void
control_need_line(enum control_id id, struct str *out)
{
	enum control_status st = control_line(id, out);

	if (st == CONTROL_TEMP)
		die_temp(id);
	if (st == CONTROL_NONE)
		die(111, "unable to read %s/%s or %s/me: no such file",
		    directory, table[id].file, directory);
}

uint64_t
control_need_number(enum control_id id)
{
	uint64_t n = 0;

	if (control_number(id, &n) == CONTROL_TEMP)
		die_temp(id);
	return n;
}

enum control_status
control_need_list(enum control_id id, struct str *out)
{
	enum control_status st = control_list(id, out);

	if (st == CONTROL_TEMP)
		die_temp(id);
	return st;
}
