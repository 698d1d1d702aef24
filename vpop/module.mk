# What every program that opens the store is made of; it adds
# vpop/store_nomysql.c, or store_mysql.c with the connector.  -lcdb.
VSTORE_SRC := vpop/vpop.c vpop/store.c vpop/store_files.c vpop/store_cdb.c \
	vpop/vpasswd.c vpop/limits.c vpop/dirs.c vpop/vfile.c
UNIT += password
password_UNIT_SRC := vpop/password.c vpop/digest.c
password_UNIT_LDLIBS := -lcrypt
UNIT += authd_cache
authd_cache_UNIT_SRC := vpop/authd_cache.c vpop/authd_guess.c vpop/digest.c
