/* qmail-lspawn - start local deliveries for qmail-send.
 * Runs as:  root, to become each user; parses as little as it can.
 * Trusts:   qmail-send's commands (form checked), users/cdb.
 * Exits:    0 when qmail-send has closed descriptor 0 and all is reported,
 *           100 on misuse, 111 on trouble. */
#include "control/control.h"
#include "lib/log.h"
#include "lib/user.h"
#include "lspawn/lspawn.h"
#include "mail/qpath.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A worker costs a descriptor, so does a message on its way to one. */
static void
raise_descriptors(void)
{
	const rlim_t want = LSPAWN_MAX + LSPAWN_IDLE + 100;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= want)
		return;
	r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
	if (setrlimit(RLIMIT_NOFILE, &r) < 0)
		log_sys("unable to raise the limit of descriptors");
}

/* One user may have four places of five, so that others have one. */
static size_t
share_of_places(void)
{
	uint64_t n;

	if (control_number(CONTROL_CONCURRENCYLOCAL, &n) == CONTROL_TEMP)
		die_sys(111, "unable to read control/concurrencylocal");
	if (n > LSPAWN_MAX)
		n = LSPAWN_MAX;
	return n > 0 ? (size_t)(n - n / 5) : 1;
}

int
main(int argc, char **argv)
{
	static struct lspawn l;
	struct lspawn_config cfg = {.mess = QUEUE_DIR "/mess",
	    .cdb = USERS_DIR "/cdb", .local = HOME_DIR "/bin/qmail-local",
	    .getpw = HOME_DIR "/bin/qmail-getpw", .drop = true,
	    .idle_ms = LSPAWN_IDLE_MS, .lookup_ms = LSPAWN_LOOKUP_MS,
	    .hold_ms = LSPAWN_HOLD_MS,
	    .deaf_ms = LSPAWN_DEAF_MS, .silent_ms = LSPAWN_SILENT_MS};

	log_init("qmail-lspawn");
	if (argc != 2)
		die_usage("qmail-lspawn aliasempty");
	(void)umask(077);
	cfg.aliasempty = argv[1];
	cfg.share = share_of_places();
	cfg.queue_uid = user_need_uid("qmailq");
	user_need("qmailp", &cfg.getpw_uid, &cfg.getpw_gid);
	if (cfg.getpw_uid == 0)
		die(111, "user qmailp must not be root");
	if (chdir(cfg.mess) < 0)
		die_sys(111, "unable to enter %s", cfg.mess);
	cfg.mess = ".";
	raise_descriptors();
	return lspawn_run(&l, &cfg, 0, 1);
}
