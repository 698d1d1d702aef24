/* qmail-pw2u - make users/assign from passwd lines.
 * Runs as:  the administrator: passwd lines on 0, assign lines on 1.
 * Trusts:   its input to be the system's accounts.
 * Exits:    0 done, 100 on misuse, 111 on trouble (then nothing is printed). */
#include "lib/fs.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lspawn/pw2u.h"
#include "mail/users.h"

#include <errno.h>
#include <unistd.h>

#define USAGE "qmail-pw2u [-/ohHuUC] [-c char]"

/* Absent is empty. */
static bool
read_list(const char *file, struct str *out)
{
	if (fs_read(file, out, USERS_FILE_MAX) == 0)
		return true;
	if (errno != ENOENT)
		die_sys(111, "unable to read %s/%s", USERS_DIR, file);
	return false;
}

static void
read_options(int argc, char **argv, struct pw2u_options *o)
{
	int c;

	while ((c = getopt(argc, argv, "/ohHuUCc:")) != -1)
		switch (c) {
		case '/':
			o->slash = true;
			break;
		case 'o':
			o->homes = PW2U_SKIP;
			break;
		case 'h':
			o->homes = PW2U_STOP;
			break;
		case 'H':
			o->homes = PW2U_IGNORE;
			break;
		case 'u':
			o->upper = true;
			break;
		case 'U':
			o->upper = false;
			break;
		case 'C':
			o->separator = '\0';
			break;
		case 'c':
			o->separator = *optarg;
			break;
		default:
			die_usage(USAGE);
		}
	if (optind != argc)
		die_usage(USAGE);
}

int
main(int argc, char **argv)
{
	struct pw2u_options opt = {.separator = '-'};
	struct pw2u_lists lists = {0};
	struct str passwd = {0}, out = {0}, why = {0};
	static struct io in;

	log_init("qmail-pw2u");
	read_options(argc, argv, &opt);
	if (chdir(USERS_DIR) < 0)
		die_sys(111, "unable to enter %s", USERS_DIR);
	lists.has_include = read_list("include", &lists.include);
	(void)read_list("exclude", &lists.exclude);
	(void)read_list("mailnames", &lists.mailnames);
	(void)read_list("subusers", &lists.subusers);
	(void)read_list("append", &lists.append);
	io_init(&in, 0, -1, IO_FOREVER);
	if (io_slurp(&in, &passwd, USERS_FILE_MAX) != IO_OK)
		die_sys(111, "unable to read passwd lines");
	if (pw2u_convert(str_c(&passwd), passwd.len, &opt, &lists, &out,
	    &why) < 0)
		die(111, "unable to make assignments: %s", str_c(&why));
	if (fd_write_all(1, str_c(&out), out.len) < 0)
		die_sys(111, "unable to write");
	pw2u_lists_free(&lists);
	str_free(&passwd);
	str_free(&out);
	str_free(&why);
	return 0;
}
