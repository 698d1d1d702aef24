-- Tables as vpopmail 5.6 makes them: wider, latin1 said, an id of their own
-- here and there, columns of programs that share the table, and aliases with
-- type and copy.

CREATE TABLE vpopmail (
  id int(11) NOT NULL AUTO_INCREMENT,
  pw_name varchar(64) NOT NULL,
  pw_domain varchar(96) NOT NULL,
  pw_passwd varchar(128) DEFAULT NULL,
  pw_uid int(11) DEFAULT NULL,
  pw_gid int(11) DEFAULT NULL,
  pw_gecos varchar(64) DEFAULT NULL,
  pw_dir varchar(160) DEFAULT NULL,
  pw_shell varchar(20) DEFAULT NULL,
  pw_clear_passwd varchar(128) DEFAULT NULL,
  my_uid int(11) DEFAULT 89,
  my_gid int(11) DEFAULT 89,
  PRIMARY KEY (id),
  KEY (pw_name, pw_domain)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;

CREATE TABLE lastauth (
  user varchar(32) NOT NULL,
  domain varchar(96) NOT NULL,
  remote_ip varchar(39) NOT NULL,
  timestamp int(11) NOT NULL DEFAULT 0,
  PRIMARY KEY (user, domain)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;

CREATE TABLE valias (
  id int(11) NOT NULL AUTO_INCREMENT,
  valias_type tinyint(1) NOT NULL DEFAULT 1,
  alias varchar(32) NOT NULL,
  domain varchar(96) NOT NULL,
  valias_line text NOT NULL,
  copy tinyint(1) NOT NULL DEFAULT 0,
  PRIMARY KEY (id),
  KEY (alias, domain)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;

CREATE TABLE aliasdomains (
  alias varchar(96) NOT NULL,
  domain varchar(96) NOT NULL,
  PRIMARY KEY (alias)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;

CREATE TABLE dir_control (
  domain varchar(96) NOT NULL,
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
  the_dir varchar(160) DEFAULT NULL,
  PRIMARY KEY (domain)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;

INSERT INTO vpopmail (pw_name, pw_domain, pw_passwd, pw_uid, pw_gid, pw_gecos,
  pw_dir, pw_shell, pw_clear_passwd) VALUES
  ('postmaster', 'new.example',
    '$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/',
    0, 0, 'Postmaster', '/home/vpopmail/domains/new.example/postmaster',
    'NOQUOTA', NULL),
  ('ana', 'new.example', '$1$abcdefgh$irWbblnpmw.5z7wgBnprh0', 0, 4096, 'Ana',
    '/home/vpopmail/domains/new.example/ana', '5000000000S', NULL);
INSERT INTO valias (alias, domain, valias_line, copy) VALUES
  ('zed', 'new.example', '&z@elsewhere.example', 1),
  ('info', 'new.example', '&b@elsewhere.example', 0),
  ('info', 'new.example', '&a@elsewhere.example', 0);
INSERT INTO aliasdomains VALUES ('alias.example', 'new.example');
INSERT INTO lastauth VALUES ('ana', 'new.example', '2001:db8::7', 1700000000);
