/* install/table.h - the installation as tables: directories, files, modes,
 * links.  valija-setup makes what they say and valija-check compares
 * against the same lines; nothing else knows an owner or a mode.
 *
 * Paths without a leading / are below HOME.  The names of programs and pages
 * are not here: make writes them to a manifest (tree.h).  Nor are the
 * accounts and the queue: mail/accounts.h, mail/qtree.h.  No entry but the
 * alias directory is setuid or setgid. */
#ifndef INSTALL_TABLE_H
#define INSTALL_TABLE_H

#include "mail/accounts.h"

/* Directories of ours: made, and their owner and mode set.
 * X(path, owner, group, mode)
 * run/ belongs to qmailq alone: whoever can write there could stand in for
 * the queue service, and group qmail includes the user that talks to the
 * network.  qmail-send's own socket has its own directory for that reason. */
#define TABLE_DIRS(X)                                                         \
	X("", "root", "qmail", 0755)                                          \
	X("bin", "root", "qmail", 0755)                                       \
	X("control", "root", "qmail", 0755)                                   \
	X("users", "root", "qmail", 0755)                                     \
	X("doc", "root", "qmail", 0755)                                       \
	X("doc/service", "root", "qmail", 0755)                               \
	X("man", "root", "qmail", 0755)                                       \
	X("man/man1", "root", "qmail", 0755)                                  \
	X("man/man5", "root", "qmail", 0755)                                  \
	X("man/man7", "root", "qmail", 0755)                                  \
	X("man/man8", "root", "qmail", 0755)                                  \
	X("alias", "alias", "qmail", 02755)                                   \
	X("run", "qmailq", "qmail", 0755)                                     \
	X("run/send", "qmails", "qmail", 0700)                                \
	X("run/key", "keyd", "nofiles", 0700)                                 \
	X("tls", "root", "qmail", 0755)                                       \
	X("tls/empty", "root", "qmail", 0555)                                 \
	X("supervise", "root", "qmail", 0755)                                 \
	X("supervise/qmail", "root", "qmail", 01755)                          \
	X("supervise/qmail/log", "root", "qmail", 0755)                       \
	X("supervise/qmail-queued", "root", "qmail", 01755)                   \
	X("supervise/qmail-queued/log", "root", "qmail", 0755)                \
	X("supervise/qmail-verify", "root", "qmail", 01755)                   \
	X("supervise/qmail-verify/log", "root", "qmail", 0755)                \
	X("supervise/qmail-smtpd", "root", "qmail", 01755)                    \
	X("supervise/qmail-smtpd/log", "root", "qmail", 0755)                 \
	X("supervise/qmail-submission", "root", "qmail", 01755)               \
	X("supervise/qmail-submission/log", "root", "qmail", 0755)            \
	X("supervise/qmail-smtps", "root", "qmail", 01755)                    \
	X("supervise/qmail-smtps/log", "root", "qmail", 0755)                 \
	X("supervise/pop3", "root", "qmail", 01755)                           \
	X("supervise/pop3/log", "root", "qmail", 0755)                        \
	X("supervise/pop3s", "root", "qmail", 01755)                          \
	X("supervise/pop3s/log", "root", "qmail", 0755)                       \
	X("supervise/authdaemond", "root", "qmail", 01755)                    \
	X("supervise/authdaemond/log", "root", "qmail", 0755)                 \
	X("supervise/keyd", "root", "qmail", 01755)                           \
	X("supervise/keyd/log", "root", "qmail", 0755)                        \
	X("supervise/tlsd", "root", "qmail", 01755)                           \
	X("supervise/tlsd/log", "root", "qmail", 0755)                        \
	X("/var/log/qmail", "root", "root", 0755)                             \
	X("/var/log/qmail/qmail", "qmaill", "nofiles", 0700)                  \
	X("/var/log/qmail/qmail-queued", "qmaill", "nofiles", 0700)           \
	X("/var/log/qmail/qmail-verify", "qmaill", "nofiles", 0700)           \
	X("/var/log/qmail/qmail-smtpd", "qmaill", "nofiles", 0700)            \
	X("/var/log/qmail/qmail-submission", "qmaill", "nofiles", 0700)       \
	X("/var/log/qmail/qmail-smtps", "qmaill", "nofiles", 0700)            \
	X("/var/log/qmail/pop3d", "qmaill", "nofiles", 0700)                  \
	X("/var/log/qmail/pop3sd", "qmaill", "nofiles", 0700)                 \
	X("/var/log/qmail/authdaemond", "qmaill", "nofiles", 0700)            \
	X("/var/log/qmail/keyd", "qmaill", "nofiles", 0700)                   \
	X("/var/log/qmail/tlsd", "qmaill", "nofiles", 0700)                   \
	X("/service", "root", "root", 0755)                                   \
	X("/command", "root", "root", 0755)

/* Directories of the system: made when missing, never changed. */
#define TABLE_SYSTEM_DIRS(X)                                                  \
	X("/etc")                                                             \
	X("/usr/local/bin")                                                   \
	X("/usr/local/share/man/man1")                                        \
	X("/usr/local/share/man/man5")                                        \
	X("/usr/local/share/man/man7")                                        \
	X("/usr/local/share/man/man8")

/* Virtual domains, below VPOPMAIL: made when missing; an older installation
 * keeps its directories as they are.  X(path, owner, group, mode)
 * root executes programs in bin and a hook in etc and believes what etc says:
 * neither they nor the directory above are vpopmail's.  Domains may belong to
 * other users, who have to get through. */
#define TABLE_VPOP_DIRS(X)                                                    \
	X("", "root", ACCOUNTS_VCHKPW, 0755)                                  \
	X("bin", "root", ACCOUNTS_VCHKPW, 0755)                               \
	X("etc", "root", ACCOUNTS_VCHKPW, 0755)                               \
	X("domains", ACCOUNTS_VPOPMAIL, ACCOUNTS_VCHKPW, 0711)

/* Texts an administrator may edit: X(source below service/, path, mode).
 * @HOME@ becomes the home.  The text as delivered is kept in doc/service/; an
 * installed one that differs from it was edited and stays as it is. */
#define TABLE_TEXTS(X)                                                        \
	X("rc", "rc", 0755)                                                   \
	X("qmail.run", "supervise/qmail/run", 0755)                           \
	X("qmail.log.run", "supervise/qmail/log/run", 0755)                   \
	X("qmail-verify.run", "supervise/qmail-verify/run", 0755)             \
	X("qmail-verify.log.run", "supervise/qmail-verify/log/run", 0755)     \
	X("qmail-smtpd.run", "supervise/qmail-smtpd/run", 0755)               \
	X("qmail-smtpd.log.run", "supervise/qmail-smtpd/log/run", 0755)       \
	X("qmail-submission.run", "supervise/qmail-submission/run", 0755)     \
	X("qmail-submission.log.run", "supervise/qmail-submission/log/run",   \
	    0755)                                                             \
	X("qmail-smtps.run", "supervise/qmail-smtps/run", 0755)               \
	X("qmail-smtps.log.run", "supervise/qmail-smtps/log/run", 0755)       \
	X("pop3.run", "supervise/pop3/run", 0755)                             \
	X("pop3.log.run", "supervise/pop3/log/run", 0755)                     \
	X("pop3s.run", "supervise/pop3s/run", 0755)                           \
	X("pop3s.log.run", "supervise/pop3s/log/run", 0755)                   \
	X("authdaemond.run", "supervise/authdaemond/run", 0755)               \
	X("authdaemond.log.run", "supervise/authdaemond/log/run", 0755)       \
	X("keyd.run", "supervise/keyd/run", 0755)                             \
	X("keyd.log.run", "supervise/keyd/log/run", 0755)                     \
	X("tlsd.run", "supervise/tlsd/run", 0755)                             \
	X("tlsd.log.run", "supervise/tlsd/log/run", 0755)                     \
	X("qmail-queued.run", "supervise/qmail-queued/run", 0755)             \
	X("qmail-queued.log.run", "supervise/qmail-queued/log/run", 0755)

/* Services that valija-setup --enable links into /service, in this order. */
#define TABLE_SERVICES(X)                                                     \
	X("keyd")                                                             \
	X("tlsd")                                                             \
	X("authdaemond")                                                      \
	X("qmail-queued")                                                     \
	X("qmail-verify")                                                     \
	X("qmail")                                                            \
	X("qmail-smtpd")                                                      \
	X("qmail-submission")                                                 \
	X("qmail-smtps")                                                      \
	X("pop3")                                                             \
	X("pop3s")

/* X(path, target) */
#define TABLE_LINKS(X)                                                        \
	X("bin/mailq", "sendmail")                                            \
	X("bin/newaliases", "sendmail")                                       \
	X("man/man8/mailq.8", "sendmail.8")                                   \
	X("man/man8/newaliases.8", "sendmail.8")                              \
	X("/usr/local/share/man/man8/mailq.8",                                \
	    HOME_DIR "/man/man8/mailq.8")                                     \
	X("/usr/local/share/man/man8/newaliases.8",                           \
	    HOME_DIR "/man/man8/newaliases.8")

/* Programs whose mode is not PROGRAM_MODE.  0700: only root has a use for
 * them; 0711: started by root or by name, nobody needs to read them. */
#define PROGRAM_MODE 0755
#define TABLE_PROGRAM_MODES(X)                                                \
	X("qmail-lspawn", 0700)                                               \
	X("qmail-start", 0700)                                                \
	X("tlsd", 0700)                                                       \
	X("valija-cert", 0700)                                                \
	X("qmail-newu", 0700)                                                 \
	X("qmail-newmrh", 0700)                                               \
	X("valija-setup", 0700)                                               \
	X("authdaemond", 0711)                                                \
	X("qmail-clean", 0711)                                                \
	X("keyd", 0711)                                                       \
	X("qmail-getpw", 0711)                                                \
	X("qmail-local", 0711)                                                \
	X("qmail-pop3d", 0711)                                                \
	X("qmail-popup", 0711)                                                \
	X("qmail-pw2u", 0711)                                                 \
	X("qmail-queue", 0711)                                                \
	X("qmail-queued", 0711)                                               \
	X("qmail-remote", 0711)                                               \
	X("qmail-rspawn", 0711)                                               \
	X("qmail-send", 0711)                                                 \
	X("qmail-smtpd", 0711)                                                \
	X("qmail-qmqpd", 0711)                                                \
	X("qmail-qmtpd", 0711)                                                \
	X("qmail-todo", 0711)                                                 \
	X("qmail-verify", 0711)

/* Owner of programs, pages, papers, control files. */
#define TABLE_OWNER "root"
#define TABLE_GROUP "qmail"

#endif
