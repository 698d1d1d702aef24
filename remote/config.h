/* remote/config.h - what qmail-remote is told by its control files. */
#ifndef REMOTE_CONFIG_H
#define REMOTE_CONFIG_H

#include "remote/mxlist.h"
#include "remote/routes.h"

#define CONFIG_DOT_MS 600000    /* 5321:4.5.3.2.6: a shorter wait for the
                                 * answer to a whole message doubles mail */
#define CONFIG_HANDSHAKE_MS 60000
#define CONFIG_SECONDS_MAX 1000000      /* of a timeout */

struct remote_config {
	struct str helohost;
	struct routes routes;
	struct map own;         /* control/moreipme: addresses as text */
	int connect_ms;         /* for a connection to be made */
	int reply_ms;           /* for a whole reply, or 64 KB to be taken */
	int dot_ms;             /* for the reply to a whole message */
	int handshake_ms;       /* for TLS to begin */
	int worker_ms;          /* age at which a worker ends */
	uint16_t port;          /* 25 */
	const char *tls_socket, *tcpto, *auth_file;     /* paths */
	struct dns dns;
	struct mx_source source;
};

/* Reads /etc/resolv.conf and sets what no file says; once. */
void config_init(struct remote_config *);
/* Reads the control files, again if need be.  0; -1 with errno, and *file
 * names the one that could not be read. */
__attribute__((warn_unused_result))
int config_load(struct remote_config *, const char **file);
void config_free(struct remote_config *);

/* The line "name:user:password" of control/smtpauth.  0, or -1 and *why says
 * what is wrong; a file that everybody can read is not used. */
__attribute__((warn_unused_result))
int config_auth(const struct remote_config *, const char *name,
    struct str *user, struct str *password, struct str *why);

#endif
