/* tls/layout.h - where certificates and keys lie, below HOME/tls.
 *
 *   current                 a link to gen.N: the one switch
 *   gen.N/cert/NAME/ec.pem  certificate and chain; also rsa.pem, ed25519.pem;
 *                           readable by all
 *   gen.N/cert/NAME/self-signed     an empty mark: made here
 *   gen.N/cert/default      a link to the NAME of clients that name nobody
 *   gen.N/key/NAME:ec.pem   its private key; only user keyd enters key/
 *   empty                   the root directory of tlsd's sessions
 *   lock                    held by valija-cert
 *
 * A generation is never changed once current points to it.  NAME is a host
 * name in lower case, or *.DOMAIN. */
#ifndef TLS_LAYOUT_H
#define TLS_LAYOUT_H

#include "lib/str.h"

#include <stdint.h>

#define LAYOUT_HOME HOME_DIR "/tls"
#define LAYOUT_NAME 253                 /* bytes of a NAME */
#define LAYOUT_DEFAULT "default"

/* The kinds of a certificate, by the type of its key. */
#define LAYOUT_KINDS 3
/* "ec", "rsa", "ed25519", for an enum keyproto_type. */
const char *layout_kind(unsigned type);

/* The number N of what current points to: 0, or -1 with errno (EINVAL when
 * the link is not one of ours). */
__attribute__((warn_unused_result))
int layout_current(const char *home, uint64_t *n_out);
/* The greatest generation below n that is there; 0 with *n_out 0: none. */
__attribute__((warn_unused_result))
int layout_before(const char *home, uint64_t n, uint64_t *n_out);

/* A host name as a NAME: letters, digits, hyphens, dots, underscores, no
 * empty label; with a "*." before it when star.  Folded to lower case. */
__attribute__((warn_unused_result))
int layout_name(struct str *out, const char *name, size_t n, bool star);

#endif
