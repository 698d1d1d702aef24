/* vpop/vflags.h - the flags of an account: the one table of their letters and
 * texts.
 *
 * vmoduser and vmoddomlimits have different letters for the same flags; a
 * domain has only those with a letter of the second kind. */
#ifndef VPOP_VFLAGS_H
#define VPOP_VFLAGS_H

#include "vpop/store.h"

/* X(bit, letter of vmoduser, letter of vmoddomlimits or 0, name there, member
 * of JSON, text), in the order of vuserinfo. */
#define VFLAGS(X)                                                             \
	X(VPOP_NO_PASSWD_CHNG, 'd', 'd', "NO_PASSWD_CHNG",                    \
	    "no_password_change", "password can not be changed by user")      \
	X(VPOP_NO_POP, 'p', 'p', "NO_POP", "no_pop", "pop access closed")     \
	X(VPOP_NO_WEBMAIL, 'w', 'w', "NO_WEBMAIL", "no_webmail",              \
	    "webmail access closed")                                          \
	X(VPOP_NO_IMAP, 'i', 'i', "NO_IMAP", "no_imap", "imap access closed") \
	X(VPOP_NO_SMTP, 's', 's', "NO_SMTP", "no_smtp",                       \
	    "smtp access is closed")                                          \
	X(VPOP_NO_RELAY, 'r', 'r', "NO_RELAY", "no_relay",                    \
	    "user not allowed to relay mail")                                 \
	X(VPOP_NO_SPAMASSASSIN, 'f', 'c', "NO_SPAMASSASSIN",                  \
	    "no_spamassassin", "spamassassin processing disabled")            \
	X(VPOP_DELETE_SPAM, 'F', 'x', "DEL_SPAM", "delete_spam",              \
	    "delete spam")                                                    \
	X(VPOP_NO_MAILDROP, 'm', 'm', "NO_MAILDROP", "no_maildrop",           \
	    "maildrop processing disabled")                                   \
	X(VPOP_NO_DIALUP, 'u', 'u', "NO_DIALUP", "no_dialup",                 \
	    "no dialup flag has been set")                                    \
	X(VPOP_BOUNCE_MAIL, 'b', 0, "", "bounce_mail",                        \
	    "mail will be bounced back to sender")                            \
	X(VPOP_QA_ADMIN, 'a', 0, "", "domain_admin",                          \
	    "has qmailadmin administrator access")                            \
	X(VPOP_SA_ADMIN, 'S', 0, "", "system_admin",                          \
	    "has system administrator access")                                \
	X(VPOP_SA_EXPERT, 'E', 0, "", "expert", "has expert access")          \
	X(VPOP_USER0, '0', 0, "", "user_flag_0", "user flag 0 is set")        \
	X(VPOP_USER1, '1', 0, "", "user_flag_1", "user flag 1 is set")        \
	X(VPOP_USER2, '2', 0, "", "user_flag_2", "user flag 2 is set")        \
	X(VPOP_USER3, '3', 0, "", "user_flag_3", "user flag 3 is set")        \
	X(VPOP_OVERRIDE, 'o', 0, "", "override_domain_limits",                \
	    "user is not subject to domain limits")

struct vflag {
	uint32_t bit;
	char user, domain;
	const char *name, *json, *text;
};
extern const struct vflag vflags[];
extern const size_t vflags_n;

/* What holds for the account: its own flags and the domain's. */
uint32_t vflags_effective(uint32_t flags, const struct vlimits *);
/* The bit of a letter of vmoduser; 0: there is no such. */
uint32_t vflags_of_user(char);
/* The bits of letters of vmoddomlimits; -1 with the letter that is none. */
__attribute__((warn_unused_result))
int vflags_of_domain(const char *letters, uint32_t *out, char *bad_out);
/* Appends the members' names, ["no_pop","no_imap"]. */
void vflags_cat_json(struct str *, uint32_t);

#endif
