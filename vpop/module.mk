# What every program that opens the store is made of; it adds
# vpop/store_nomysql.c, or store_mysql.c with the connector.  -lcdb.
VSTORE_SRC := vpop/vpop.c vpop/store.c vpop/store_files.c vpop/store_cdb.c \
	vpop/vpasswd.c vpop/limits.c vpop/dirs.c vpop/vfile.c
VSTORE_TEST_SRC := $(VSTORE_SRC) vpop/store_nomysql.c
UNIT += vpop vsettings vdirs store_cdb vfiles vdomain
vpop_UNIT_SRC := vpop/vpop.c
vsettings_UNIT_SRC := vpop/settings.c
vdirs_UNIT_SRC := $(VSTORE_TEST_SRC)
vdirs_UNIT_LDLIBS := -lcdb
store_cdb_UNIT_SRC := $(VSTORE_TEST_SRC)
store_cdb_UNIT_LDLIBS := -lcdb
vfiles_UNIT_SRC := $(VSTORE_TEST_SRC)
vfiles_UNIT_LDLIBS := -lcdb
vdomain_UNIT_SRC := vpop/domain.c vpop/vpop.c
vdomain_UNIT_LDLIBS := -lcdb
FUZZ += vpasswd vlimits
vpasswd_FUZZ_SRC := $(VSTORE_TEST_SRC)
vpasswd_FUZZ_LDLIBS := -lcdb
vlimits_FUZZ_SRC := $(VSTORE_TEST_SRC)
vlimits_FUZZ_LDLIBS := -lcdb
UNIT += password
password_UNIT_SRC := vpop/password.c vpop/digest.c
password_UNIT_LDLIBS := -lcrypt
UNIT += authd_cache authd
authd_cache_UNIT_SRC := vpop/authd_cache.c vpop/authd_guess.c vpop/digest.c
AUTHD_SRC := vpop/authd.c vpop/authd_cache.c vpop/authd_guess.c \
	vpop/authd_link.c vpop/authd_resolve.c vpop/authd_sys.c \
	vpop/authd_work.c \
	vpop/digest.c vpop/domain.c vpop/password.c vpop/settings.c
authd_UNIT_SRC := $(AUTHD_SRC) $(VSTORE_TEST_SRC)
authd_UNIT_LDLIBS := -lcdb -lcrypt
VDELIVER_SRC := vpop/vdeliver.c vpop/vbox.c
UNIT += vdeliver vbox
vdeliver_UNIT_SRC := $(VDELIVER_SRC)
PROGS += vdelivermail vresolve
MAN += vpop/vdelivermail.8 vpop/vresolve.8 vpop/vpasswd.5 \
	vpop/vpopmail-control.5 vpop/valija-takeover.7 mail/maildirsize.5
vdelivermail_SRC := vpop/vdelivermail.c $(VDELIVER_SRC)
vdelivermail_LDFLAGS := -static-pie
vresolve_SRC := vpop/vresolve.c vpop/vanswer.c
vresolve_LDLIBS := -lcdb
vbox_UNIT_SRC := vpop/vbox.c
# The store in MariaDB.
SCHEMA_SRC := vpop/schema.c vpop/schema_plan.c vpop/store_mysql_conf.c \
	vpop/store_mysql_conn.c vpop/store_mysql_query.c
VSTORE_MYSQL_SRC := $(SCHEMA_SRC) vpop/store_mysql.c \
	vpop/store_mysql_more.c vpop/store_mysql_limits.c
VSTORE_MYSQL_LDLIBS := -lmariadb
UNIT += store_mysql_conf schema
store_mysql_conf_UNIT_SRC := vpop/store_mysql_conf.c
schema_UNIT_SRC := vpop/schema.c vpop/schema_plan.c vpop/store_mysql_query.c
FUZZ += myconf
myconf_FUZZ_SRC := vpop/store_mysql_conf.c
PROGS += vschema
MAN += vpop/vschema.8
vschema_SRC := vpop/vschema.c $(SCHEMA_SRC)
vschema_LDLIBS := $(VSTORE_MYSQL_LDLIBS)
# The store as a line protocol, for TESTS/vpop/test_store_mysql.py.
STORETOOL := $(B)/TESTS/vpop/storetool
STORETOOL_SRC := TESTS/vpop/storetool.c $(VSTORE_SRC) $(VSTORE_MYSQL_SRC)
$(STORETOOL): $(STORETOOL_SRC:%.c=$(O)/%.o) $(B)/libvalija.a
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcdb $(VSTORE_MYSQL_LDLIBS)
UNIT += vanswer
vanswer_UNIT_SRC := vpop/vanswer.c
vanswer_UNIT_LDLIBS := -lcdb
UNIT += chkpw
chkpw_UNIT_SRC := vpop/chkpw.c
PROGS += authdaemond vchkpw
MAN += vpop/authdaemond.8 vpop/vchkpw.8
authdaemond_SRC := vpop/authdaemond.c $(AUTHD_SRC) $(VSTORE_SRC) \
	$(VSTORE_MYSQL_SRC)
authdaemond_LDLIBS := -lcdb -lcrypt $(VSTORE_MYSQL_LDLIBS)
vchkpw_SRC := vpop/vchkpw.c vpop/chkpw.c
vchkpw_LDFLAGS := -static-pie
# The frame of the v* commands; they add the store.  -lcdb -lcrypt
VASK_SRC := vpop/command_say.c vpop/command_ask.c vpop/password.c \
	vpop/digest.c
VCOMMAND_SRC := $(VASK_SRC) vpop/command.c vpop/progress.c vpop/domain.c \
	vpop/settings.c
UNIT += vcommand
vcommand_UNIT_SRC := $(VCOMMAND_SRC) $(VSTORE_TEST_SRC)
vcommand_UNIT_LDLIBS := -lcdb -lcrypt
# Changing domains and accounts.
ASSIGN_SRC := vpop/assign.c vpop/domain.c control/newmrh.c
UNIT += assign
assign_UNIT_SRC := $(ASSIGN_SRC) vpop/vpop.c vpop/vfile.c
# With VCOMMAND_SRC and the store.  -lcdb -lcrypt
MANAGE_SRC := vpop/manage.c vpop/manage_bulk.c vpop/manage_domain.c \
	vpop/manage_user.c vpop/vtree.c vpop/assign.c control/newmrh.c
UNIT += manage
manage_UNIT_SRC := $(MANAGE_SRC) $(VCOMMAND_SRC) $(VSTORE_TEST_SRC)
manage_UNIT_LDLIBS := -lcdb -lcrypt
assign_UNIT_LDLIBS := -lcdb
# Commands that show accounts and domains, and change what is recorded.
VCMD_SRC := $(VCOMMAND_SRC) $(VSTORE_SRC) $(VSTORE_MYSQL_SRC)
VCMD_LDLIBS := -lcdb -lcrypt $(VSTORE_MYSQL_LDLIBS)
VLISTING := vuserinfo vdominfo vipmap vmkpasswd vmoddomlimits
VCHANGING := valias vpasswd vmoduser vsetuserquota
PROGS += $(VLISTING) $(VCHANGING) vchangepw
MAN += $(addsuffix .8,$(addprefix vpop/,$(VLISTING) $(VCHANGING))) \
	vpop/vchangepw.1
vuserinfo_SRC := vpop/vuserinfo.c vpop/userinfo.c vpop/vflags.c $(VCMD_SRC)
vdominfo_SRC := vpop/vdominfo.c $(VCMD_SRC)
vipmap_SRC := vpop/vipmap.c $(VCMD_SRC)
vmkpasswd_SRC := vpop/vmkpasswd.c $(VCMD_SRC)
vmoddomlimits_SRC := vpop/vmoddomlimits.c vpop/domlimits.c vpop/vflags.c \
	$(VCMD_SRC)
valias_SRC := vpop/valias.c vpop/vanswer.c $(MANAGE_SRC) $(VCMD_SRC)
vpasswd_SRC := vpop/vpasswd_main.c vpop/vflags.c $(MANAGE_SRC) $(VCMD_SRC)
vmoduser_SRC := vpop/vmoduser.c vpop/moduser.c vpop/vflags.c $(MANAGE_SRC) \
	$(VCMD_SRC)
vsetuserquota_SRC := vpop/vsetuserquota.c vpop/moduser.c $(MANAGE_SRC) \
	$(VCMD_SRC)
$(foreach p,$(VLISTING) $(VCHANGING),$(eval $(p)_LDLIBS := $(VCMD_LDLIBS)))
vchangepw_SRC := vpop/vchangepw.c vpop/vpop.c $(VASK_SRC)
vchangepw_LDLIBS := -lcrypt
UNIT += vlisting
vlisting_UNIT_SRC := vpop/vflags.c vpop/domlimits.c vpop/limits.c \
	vpop/vpop.c vpop/command_say.c
# Tools for many at once.
VTOOL_SRC := $(VCOMMAND_SRC) $(VSTORE_SRC) $(VSTORE_MYSQL_SRC)
VTOOL_LDLIBS := -lcdb -lcrypt $(VSTORE_MYSQL_LDLIBS)
PROGS += vkill vpopbull
MAN += vpop/vkill.8 vpop/vpopbull.8
vkill_SRC := vpop/vkill.c
vpopbull_SRC := vpop/vpopbull.c vpop/bulletin.c $(VTOOL_SRC)
vpopbull_LDLIBS := $(VTOOL_LDLIBS)
# Commands that add and remove domains and accounts.
VMANAGE_SRC := $(MANAGE_SRC) $(VCOMMAND_SRC) $(VSTORE_SRC) $(VSTORE_MYSQL_SRC)
VMANAGE_LDLIBS := -lcdb -lcrypt $(VSTORE_MYSQL_LDLIBS)
PROGS += vadddomain vdeldomain vaddaliasdomain vadduser vdeluser
MAN += vpop/vadddomain.8 vpop/vdeldomain.8 vpop/vaddaliasdomain.8 \
	vpop/vadduser.8 vpop/vdeluser.8
vadddomain_SRC := vpop/vadddomain.c $(VMANAGE_SRC)
vadddomain_LDLIBS := $(VMANAGE_LDLIBS)
vdeldomain_SRC := vpop/vdeldomain.c $(VMANAGE_SRC)
vdeldomain_LDLIBS := $(VMANAGE_LDLIBS)
vaddaliasdomain_SRC := vpop/vaddaliasdomain.c $(VMANAGE_SRC)
vaddaliasdomain_LDLIBS := $(VMANAGE_LDLIBS)
vadduser_SRC := vpop/vadduser.c vpop/vload.c $(VMANAGE_SRC)
vadduser_LDLIBS := $(VMANAGE_LDLIBS)
vdeluser_SRC := vpop/vdeluser.c $(VMANAGE_SRC)
vdeluser_LDLIBS := $(VMANAGE_LDLIBS)
UNIT += vload
vload_UNIT_SRC := vpop/vload.c vpop/password.c vpop/digest.c vpop/vpop.c \
	vpop/progress.c vpop/settings.c
vload_UNIT_LDLIBS := -lcrypt
PROGS += vconvert
MAN += vpop/vconvert.8
vconvert_SRC := vpop/vconvert.c vpop/convert.c vpop/convert_system.c \
	vpop/store_mysql_tools.c $(VTOOL_SRC) $(MANAGE_SRC)
vconvert_LDLIBS := $(VTOOL_LDLIBS)
PROGS += clearopensmtp dotqmail2valias vdeloldusers vsavealiasdomains
MAN += vpop/clearopensmtp.8 vpop/dotqmail2valias.8 vpop/vdeloldusers.8 \
	vpop/vsavealiasdomains.8
clearopensmtp_SRC := vpop/clearopensmtp.c vpop/opensmtp.c \
	vpop/store_mysql_tools.c $(VTOOL_SRC)
clearopensmtp_LDLIBS := $(VTOOL_LDLIBS)
dotqmail2valias_SRC := vpop/dotqmail2valias.c vpop/store_mysql_tools.c \
	$(VTOOL_SRC)
dotqmail2valias_LDLIBS := $(VTOOL_LDLIBS)
vdeloldusers_SRC := vpop/vdeloldusers.c $(VTOOL_SRC) $(MANAGE_SRC)
vdeloldusers_LDLIBS := $(VTOOL_LDLIBS)
vsavealiasdomains_SRC := vpop/vsavealiasdomains.c vpop/store_mysql_tools.c \
	$(VTOOL_SRC)
vsavealiasdomains_LDLIBS := $(VTOOL_LDLIBS)
PROGS += vcheck
MAN += vpop/vcheck.8
vcheck_SRC := vpop/vcheck.c vpop/check_domain.c vpop/check_left.c \
	vpop/check_site.c vpop/check_user.c vpop/check_vpasswd.c \
	vpop/store_mysql_tools.c $(VTOOL_SRC) $(MANAGE_SRC)
vcheck_LDLIBS := $(VTOOL_LDLIBS)
