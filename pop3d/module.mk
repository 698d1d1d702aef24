# pop3d: qmail-popup (the login) and qmail-pop3d (the mailbox).
