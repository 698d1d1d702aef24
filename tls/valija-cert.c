/* valija-cert - install, make, list and remove certificates.
 * Runs as:  root.
 * Trusts:   the administrator; checks certificates and keys all the same.
 * Exits:    0, 100 for what cannot be installed, 111 on local trouble. */
#include "lib/fs.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/tai.h"
#include "lib/user.h"
#include "tls/layout.h"
#include "tls/pair.h"
#include "tls/store.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define USAGE "valija-cert install [-a] NAME CERT KEY [CERT KEY]...\n" \
	"       valija-cert self-signed [-n] [NAME]\n" \
	"       valija-cert list [-j]\n" \
	"       valija-cert default NAME\n" \
	"       valija-cert remove NAME"
#define SERVICES HOME_DIR "/supervise"
#define ME HOME_DIR "/control/me"

static void
begin(struct store *st)
{
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0)
		die(111, "must be root");
	user_need("keyd", &uid, &gid);
	if (store_begin(st, LAYOUT_HOME, uid, gid) < 0) {
		store_abort(st);
		_exit(111);
	}
}

/* Every step says itself what went wrong. */
static void
need(int r, struct store *st)
{
	if (r == 0)
		return;
	store_abort(st);
	_exit(111);
}

static void
finish(struct store *st, unsigned char (*ids)[KEYPROTO_ID], size_t n)
{
	const unsigned char (*keys)[KEYPROTO_ID] =
	    (const unsigned char (*)[KEYPROTO_ID])ids;

	need(store_commit(st), st);
	if (store_tell(SERVICES, KEYPROTO_SOCKET, keys, n) < 0)
		_exit(111);
}

static void
need_name(struct str *out, const char *name)
{
	if (layout_name(out, name, strlen(name), true) < 0 ||
	    str_eqs(out, LAYOUT_DEFAULT))
		die(100, "not a host name: %s", name);
}

static void
print(const struct str *s)
{
	if (fd_write_all(1, str_c(s), s->len) < 0)
		die_sys(111, "unable to write to standard output");
}

/* A real certificate takes the place of one made here, also as default. */
static void
choose_default(struct store *st, const char *name)
{
	struct str now = {0};

	store_get_default(st, &now);
	if (now.len == 0 || store_marked(st, str_c(&now)))
		need(store_default(st, name), st);
	str_free(&now);
}

static void
load_pairs(struct pair *pairs, size_t n, char **files, const char *name)
{
	struct str why = {0}, warnings = {0};
	char *line, *rest;

	for (size_t i = 0; i < n; i++) {
		if (pair_read(&pairs[i], files[2 * i], files[2 * i + 1],
		    &why) < 0)
			die(100, "%s", str_c(&why));
		if (pair_check(&pairs[i], name, clock_wall(), &why,
		    &warnings) < 0)
			die(100, "unable to install %s: %s", files[2 * i],
			    str_c(&why));
		for (size_t j = 0; j < i; j++)
			if (pairs[j].type == pairs[i].type)
				die(100, "two certificates with a key of the "
				    "kind %s", layout_kind(pairs[i].type));
		rest = warnings.s;
		while (rest != NULL && (line = strsep(&rest, "\n")) != NULL)
			if (*line != '\0')
				log_warn("%s: %s", files[2 * i], line);
		str_clear(&warnings);
	}
	str_free(&why);
	str_free(&warnings);
}

static int
cmd_install(int argc, char **argv)
{
	bool add = argc > 1 && strcmp(argv[1], "-a") == 0;
	unsigned char ids[LAYOUT_KINDS][KEYPROTO_ID];
	struct pair pairs[LAYOUT_KINDS] = {0};
	struct str name = {0}, standard = {0};
	struct store st;
	size_t n;

	argv += add;
	argc -= add;
	if (argc < 4 || argc % 2 != 0)
		die_usage(USAGE);
	n = (size_t)(argc - 2) / 2;
	if (n > LAYOUT_KINDS)
		die(100, "too many certificates for one name");
	need_name(&name, argv[1]);
	load_pairs(pairs, n, argv + 2, str_c(&name));
	begin(&st);
	/* Replacing does not change whose certificate is the default. */
	store_get_default(&st, &standard);
	if (store_has(&st, str_c(&name)) &&
	    (!add || store_marked(&st, str_c(&name))))
		need(store_drop(&st, str_c(&name)), &st);
	for (size_t i = 0; i < n; i++)
		need(store_put(&st, str_c(&name), layout_kind(pairs[i].type),
		    &pairs[i].certificate_pem, &pairs[i].key_pem), &st);
	if (str_eqs(&standard, str_c(&name)))
		need(store_default(&st, str_c(&name)), &st);
	choose_default(&st, str_c(&name));
	for (size_t i = 0; i < n; i++) {
		memcpy(ids[i], pairs[i].id, sizeof ids[i]);
		pair_free(&pairs[i]);
	}
	finish(&st, ids, n);
	str_free(&standard);
	str_free(&name);
	return 0;
}

static void
name_of_host(struct str *out)
{
	struct str text = {0};

	if (fs_read(ME, &text, 1024) < 0)
		die_sys(111, "unable to read %s", ME);
	str_trunc(&text, bytes_chr(str_c(&text), text.len, '\n'));
	str_rstrip(&text);
	need_name(out, str_c(&text));
	str_free(&text);
}

static int
cmd_self_signed(int argc, char **argv)
{
	static const enum keyproto_type types[] = {KEYPROTO_EC, KEYPROTO_RSA};
	bool unless = argc > 1 && strcmp(argv[1], "-n") == 0;
	unsigned char ids[2][KEYPROTO_ID];
	struct str name = {0};
	struct store st;
	uint64_t gen;

	argv += unless;
	argc -= unless;
	if (argc > 2)
		die_usage(USAGE);
	if (unless && layout_current(LAYOUT_HOME, &gen) == 0)
		return 0;
	if (argc == 2)
		need_name(&name, argv[1]);
	else
		name_of_host(&name);
	begin(&st);
	if (store_has(&st, str_c(&name)) && !store_marked(&st, str_c(&name))) {
		store_abort(&st);
		die(100, "%s has a certificate that was not made here: remove "
		    "it first", str_c(&name));
	}
	if (store_has(&st, str_c(&name)))
		need(store_drop(&st, str_c(&name)), &st);
	for (size_t i = 0; i < 2; i++) {
		struct pair p = {0};

		if (pair_make(&p, str_c(&name), types[i]) < 0) {
			store_abort(&st);
			die(111, "unable to make a certificate");
		}
		memcpy(ids[i], p.id, sizeof ids[i]);
		need(store_put(&st, str_c(&name), layout_kind(types[i]),
		    &p.certificate_pem, &p.key_pem), &st);
		pair_free(&p);
	}
	need(store_mark(&st, str_c(&name)), &st);
	choose_default(&st, str_c(&name));
	finish(&st, ids, 2);
	str_free(&name);
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* One NAME's lines. */
static void
list_name(struct store *st, const char *name, struct pair_shown *w,
    struct str *out)
{
	struct str path = {0}, why = {0};

	w->name = name;
	w->self_signed = store_marked(st, name);
	for (unsigned k = 0; k < LAYOUT_KINDS; k++) {
		struct pair p = {0};

		str_clear(&path);
		str_catf(&path, "%s/cert/%s/%s.pem", str_c(&st->dir), name,
		    layout_kind(k));
		if (access(str_c(&path), F_OK) < 0)
			continue;
		w->kind = layout_kind(k);
		str_clear(&why);
		if (pair_read(&p, str_c(&path), NULL, &why) < 0) {
			log_warn("%s", str_c(&why));
		} else {
			if (w->json)
				str_cats(out, out->len > 1 ? ",\n " : "");
			pair_cat(out, &p, w);
			if (!w->json)
				str_catc(out, '\n');
		}
		pair_free(&p);
	}
	str_free(&path);
	str_free(&why);
}

static int
cmd_list(int argc, char **argv)
{
	struct pair_shown w = {.json = argc == 2 &&
	    strcmp(argv[1], "-j") == 0, .now = clock_wall()};
	struct store st = {.home = LAYOUT_HOME, .lock = -1};
	struct str out = {0}, dir = {0}, standard = {0};
	char **names = NULL;
	struct dirent *e;
	size_t n = 0;
	DIR *d = NULL;

	if (argc > 2 || (argc == 2 && !w.json))
		die_usage(USAGE);
	if (layout_current(LAYOUT_HOME, &st.gen) == 0) {
		str_catf(&st.dir, "%s/gen.%llu", LAYOUT_HOME,
		    (unsigned long long)st.gen);
		str_catf(&dir, "%s/cert", str_c(&st.dir));
		d = opendir(str_c(&dir));
		if (d == NULL)
			die_sys(111, "unable to read %s", str_c(&dir));
	} else if (errno != ENOENT) {
		die_sys(111, "unable to read the link %s/current",
		    LAYOUT_HOME);
	}
	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && store_has(&st, e->d_name)) {
			names = mem_resize(names, n + 1, sizeof *names);
			names[n++] = mem_dup_copy(e->d_name);
		}
	if (d != NULL)
		(void)closedir(d);
	if (n > 0)
		qsort(names, n, sizeof *names, compare);
	store_get_default(&st, &standard);
	str_cats(&out, w.json ? "[" : "");
	for (size_t i = 0; i < n; i++) {
		w.standard = str_eqs(&standard, names[i]);
		list_name(&st, names[i], &w, &out);
		free(names[i]);
	}
	str_cats(&out, w.json ? "]\n" : "");
	print(&out);
	free(names);
	str_free(&out);
	str_free(&dir);
	str_free(&standard);
	str_free(&st.dir);
	return 0;
}

static int
cmd_default_or_remove(int argc, char **argv)
{
	bool remove = strcmp(argv[0], "remove") == 0;
	struct str name = {0};
	struct store st;

	if (argc != 2)
		die_usage(USAGE);
	need_name(&name, argv[1]);
	begin(&st);
	if (!store_has(&st, str_c(&name))) {
		store_abort(&st);
		die(100, "no certificate is installed for %s", str_c(&name));
	}
	need(remove ? store_drop(&st, str_c(&name)) :
	    store_default(&st, str_c(&name)), &st);
	finish(&st, NULL, 0);
	str_free(&name);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int, char **);
	} commands[] = {
		{"install", cmd_install},
		{"self-signed", cmd_self_signed},
		{"list", cmd_list},
		{"default", cmd_default_or_remove},
		{"remove", cmd_default_or_remove},
	};

	log_init("valija-cert");
	if (argc < 2)
		die_usage(USAGE);
	(void)umask(022);
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		die(111, "unable to start libcrypto");
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	die_usage(USAGE);
}
