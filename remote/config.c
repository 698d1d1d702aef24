/* remote/config.c - the only reader of control/ here; see config.h. */
#include "remote/config.h"

#include "control/control.h"
#include "lib/fs.h"
#include "lib/io.h"
#include "lib/tlsreq.h"
#include "mail/limits.h"
#include "mail/remoteproto.h"
#include "remote/tcpto.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Of this machine, or of what hands connections on to it. */
static bool
is_own(const void *arg, const struct ip *ip)
{
	const struct remote_config *cfg = arg;
	char text[IP_TEXT];

	(void)ip_text(ip, text);
	return ip_is_own(ip) ||
	    map_get(&cfg->own, text, strlen(text)) != NULL;
}

void
config_init(struct remote_config *cfg)
{
	*cfg = (struct remote_config){.port = 25, .dot_ms = CONFIG_DOT_MS,
	    .handshake_ms = CONFIG_HANDSHAKE_MS,
	    .worker_ms = REMOTE_WORKER_MS, .tcpto = TCPTO_FILE,
	    .tls_socket = TLSREQ_SOCKET,
	    .auth_file = HOME_DIR "/control/smtpauth"};
	dns_init(&cfg->dns);
	cfg->source = (struct mx_source){.ask = dns_ask,
	    .addresses = dns_addresses, .is_own = is_own, .dns = &cfg->dns,
	    .own = cfg};
}

static int
milliseconds(enum control_id id, int *out)
{
	uint64_t n = 0;

	if (control_number(id, &n) == CONTROL_TEMP)
		return -1;
	if (n > CONFIG_SECONDS_MAX)
		n = CONFIG_SECONDS_MAX;
	*out = n > 0 ? (int)n * 1000 : 1;
	return 0;
}

static int
load_helohost(struct remote_config *cfg)
{
	switch (control_line(CONTROL_HELOHOST, &cfg->helohost)) {
	case CONTROL_OK:
	case CONTROL_DEFAULT:
		return 0;
	case CONTROL_NONE:
		errno = ENOENT;
		break;
	case CONTROL_TEMP:
		break;
	}
	return -1;
}

static int
load_routes(struct remote_config *cfg)
{
	struct str lines = {0};
	enum control_status st = control_list(CONTROL_SMTPROUTES, &lines);

	routes_free(&cfg->routes);
	if (st != CONTROL_TEMP)
		routes_load(&cfg->routes, &lines);
	str_free(&lines);
	return st == CONTROL_TEMP ? -1 : 0;
}

static int
load_own(struct remote_config *cfg)
{
	struct str lines = {0};
	enum control_status st = control_list(CONTROL_MOREIPME, &lines);
	char text[IP_TEXT];
	struct ip ip;

	map_free(&cfg->own);
	for (size_t i = 0; st != CONTROL_TEMP && i < lines.len;
	    i += strlen(lines.s + i) + 1)
		if (ip_parse(lines.s + i, strlen(lines.s + i), &ip) == 0) {
			(void)ip_text(&ip, text);
			map_set(&cfg->own, text, strlen(text), cfg);
		}
	str_free(&lines);
	return st == CONTROL_TEMP ? -1 : 0;
}

static int
load_one(struct remote_config *cfg, enum control_id id)
{
	if (id == CONTROL_HELOHOST)
		return load_helohost(cfg);
	if (id == CONTROL_SMTPROUTES)
		return load_routes(cfg);
	if (id == CONTROL_MOREIPME)
		return load_own(cfg);
	if (id == CONTROL_TIMEOUTCONNECT)
		return milliseconds(id, &cfg->connect_ms);
	return milliseconds(id, &cfg->reply_ms);
}

int
config_load(struct remote_config *cfg, const char **file)
{
	static const enum control_id ids[] = {CONTROL_HELOHOST,
	    CONTROL_SMTPROUTES, CONTROL_MOREIPME, CONTROL_TIMEOUTCONNECT,
	    CONTROL_TIMEOUTREMOTE};

	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
		if (load_one(cfg, ids[i]) < 0) {
			*file = control_entry(ids[i])->file;
			return -1;
		}
	cfg->dot_ms = cfg->reply_ms > CONFIG_DOT_MS ? cfg->reply_ms :
	    CONFIG_DOT_MS;
	return 0;
}

void
config_free(struct remote_config *cfg)
{
	str_free(&cfg->helohost);
	routes_free(&cfg->routes);
	map_free(&cfg->own);
}

/* The rest of the line of that name; NULL: there is none. */
static const char *
find_line(struct str *lines, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < lines->len;) {
		char *s = lines->s + i;
		size_t len = bytes_chr(s, lines->len - i, '\n');

		i += len + 1;
		if (len > n && s[n] == ':' && memcmp(s, name, n) == 0) {
			if (s[len] == '\n')
				s[len] = '\0';
			return s + n + 1;
		}
	}
	return NULL;
}

int
config_auth(const struct remote_config *cfg, const char *name,
    struct str *user, struct str *password, struct str *why)
{
	int fd = open(cfg->auth_file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct str lines = {0};
	struct stat st;
	const char *line, *colon;
	int r = -1;

	if (fd < 0 || fstat(fd, &st) < 0 ||
	    fs_read_fd(fd, &lines, CONTROL_MAX) < 0) {
		str_catf(why, "control/smtpauth cannot be read: %s",
		    strerror(errno));
	} else if ((st.st_mode & S_IROTH) != 0) {
		str_cats(why, "control/smtpauth can be read by everybody");
	} else if ((line = find_line(&lines, name)) == NULL ||
	    (colon = strchr(line, ':')) == NULL) {
		str_cats(why, "control/smtpauth has no name:user:password "
		    "line for ");
		str_cats(why, name);
	} else {
		str_copyb(user, line, (size_t)(colon - line));
		str_copys(password, colon + 1);
		r = 0;
	}
	if (fd >= 0)
		(void)close(fd);
	if (lines.cap > 0)
		explicit_bzero(lines.s, lines.cap);
	str_free(&lines);
	return r;
}
