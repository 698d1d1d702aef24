-- Tables as vpopmail 5.4 made them, on a server that gave them latin1 and
-- MyISAM, with clear passwords, MySQL limits and aliases in SQL; and accounts
-- of a site that has grown: hashes of two kinds, a row that somebody wrote by
-- hand with an empty directory, one with capitals, a column nobody knows.

CREATE TABLE vpopmail (
  pw_name char(32) NOT NULL,
  pw_domain char(96) NOT NULL,
  pw_passwd char(40) DEFAULT NULL,
  pw_uid int(11) DEFAULT NULL,
  pw_gid int(11) DEFAULT NULL,
  pw_gecos char(48) DEFAULT NULL,
  pw_dir char(160) DEFAULT NULL,
  pw_shell char(20) DEFAULT NULL,
  pw_clear_passwd char(16) DEFAULT NULL,
  PRIMARY KEY (pw_name, pw_domain)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE lastauth (
  user char(32) NOT NULL,
  domain char(96) NOT NULL,
  remote_ip char(18) NOT NULL,
  timestamp bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY (user, domain)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE relay (
  ip_addr char(18) NOT NULL,
  timestamp char(12) DEFAULT NULL,
  PRIMARY KEY (ip_addr)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE ip_alias_map (
  ip_addr char(18) NOT NULL,
  domain char(96) DEFAULT NULL,
  PRIMARY KEY (ip_addr)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE valias (
  alias char(32) NOT NULL,
  domain char(96) NOT NULL,
  valias_line text NOT NULL,
  KEY (alias, domain)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE dir_control (
  domain char(96) NOT NULL,
  cur_users int(11) DEFAULT NULL,
  level_cur int(11) DEFAULT NULL,
  level_max int(11) DEFAULT NULL,
  level_start0 int(11) DEFAULT NULL,
  level_start1 int(11) DEFAULT NULL,
  level_start2 int(11) DEFAULT NULL,
  level_end0 int(11) DEFAULT NULL,
  level_end1 int(11) DEFAULT NULL,
  level_end2 int(11) DEFAULT NULL,
  level_mod0 int(11) DEFAULT NULL,
  level_mod1 int(11) DEFAULT NULL,
  level_mod2 int(11) DEFAULT NULL,
  level_index0 int(11) DEFAULT NULL,
  level_index1 int(11) DEFAULT NULL,
  level_index2 int(11) DEFAULT NULL,
  the_dir char(160) DEFAULT NULL,
  PRIMARY KEY (domain)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE limits (
  domain char(96) NOT NULL,
  maxpopaccounts int(10) NOT NULL DEFAULT -1,
  maxaliases int(10) NOT NULL DEFAULT -1,
  maxforwards int(10) NOT NULL DEFAULT -1,
  maxautoresponders int(10) NOT NULL DEFAULT -1,
  maxmailinglists int(10) NOT NULL DEFAULT -1,
  diskquota bigint(20) unsigned NOT NULL DEFAULT 0,
  maxmsgcount bigint(20) unsigned NOT NULL DEFAULT 0,
  defaultquota bigint(20) unsigned NOT NULL DEFAULT 0,
  defaultmaxmsgcount bigint(20) unsigned NOT NULL DEFAULT 0,
  disable_pop tinyint(1) NOT NULL DEFAULT 0,
  disable_imap tinyint(1) NOT NULL DEFAULT 0,
  disable_dialup tinyint(1) NOT NULL DEFAULT 0,
  disable_passwordchanging tinyint(1) NOT NULL DEFAULT 0,
  disable_webmail tinyint(1) NOT NULL DEFAULT 0,
  disable_relay tinyint(1) NOT NULL DEFAULT 0,
  disable_smtp tinyint(1) NOT NULL DEFAULT 0,
  disable_spamassassin tinyint(1) NOT NULL DEFAULT 0,
  delete_spam tinyint(1) NOT NULL DEFAULT 0,
  disable_maildrop tinyint(1) NOT NULL DEFAULT 0,
  perm_account tinyint(2) NOT NULL DEFAULT 0,
  perm_alias tinyint(2) NOT NULL DEFAULT 0,
  perm_forward tinyint(2) NOT NULL DEFAULT 0,
  perm_autoresponder tinyint(2) NOT NULL DEFAULT 0,
  perm_maillist tinyint(4) NOT NULL DEFAULT 0,
  perm_quota tinyint(2) NOT NULL DEFAULT 0,
  perm_defaultquota tinyint(2) NOT NULL DEFAULT 0,
  PRIMARY KEY (domain)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE vlog (
  id bigint(20) NOT NULL AUTO_INCREMENT,
  user char(32) DEFAULT NULL,
  passwd char(32) DEFAULT NULL,
  domain char(96) DEFAULT NULL,
  logon varchar(200) DEFAULT NULL,
  remoteip char(18) DEFAULT NULL,
  message varchar(255) DEFAULT NULL,
  timestamp bigint(20) NOT NULL DEFAULT 0,
  error int(11) DEFAULT NULL,
  PRIMARY KEY (id),
  KEY (user),
  KEY (domain),
  KEY (remoteip),
  KEY (error),
  KEY (message)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

INSERT INTO vpopmail (pw_name, pw_domain, pw_passwd, pw_uid, pw_gid, pw_gecos,
  pw_dir, pw_shell, pw_clear_passwd) VALUES
  ('postmaster', 'old.example', '$1$abcdefgh$irWbblnpmw.5z7wgBnprh0', 0, 0,
    'Postmaster', '/home/vpopmail/domains/old.example/postmaster', 'NOQUOTA',
    'secret'),
  ('ana', 'old.example', 'rl.3StKT.4T8M', 0, 8192, 'Ana',
    '/home/vpopmail/domains/old.example/ana', '10485760S,1000C', NULL),
  ('byhand', 'old.example', '$1$abcdefgh$irWbblnpmw.5z7wgBnprh0', 0, 0, NULL,
    '', NULL, ''),
  ('Capital', 'old.example', '$1$abcdefgh$irWbblnpmw.5z7wgBnprh0', 1, 2050,
    'Capital', '/home/vpopmail/domains/old.example/0/Capital', 'NOQUOTA', ''),
  ('ana', 'other.example', '$1$abcdefgh$irWbblnpmw.5z7wgBnprh0', 0, 0, 'Other',
    '/home/vpopmail/domains/other.example/ana', 'NOQUOTA', '');
INSERT INTO lastauth VALUES ('ana', 'old.example', '192.0.2.7', 1200000000);
INSERT INTO valias VALUES
  ('info', 'old.example', '&ana@old.example'),
  ('info', 'old.example', '&boss@elsewhere.example'),
  ('info', 'other.example', '&ana@other.example');
INSERT INTO limits (domain, maxpopaccounts, diskquota, disable_imap,
  perm_autoresponder, perm_maillist, perm_quota, perm_defaultquota) VALUES
  ('old.example', 25, 500, 1, 3, 42, 5, 6);
INSERT INTO dir_control VALUES ('old.example', 4, 0, 3, 0, 0, 0, 61, 61, 61,
  0, 2, 4, 0, 0, 0, '');
