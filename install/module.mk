PROGS += valija-setup valija-check
INSTALL_COMMON := install/accounts.c install/config.c install/place.c \
	install/setup.c install/tree.c install/verify.c
valija-setup_SRC := install/valija-setup.c $(INSTALL_COMMON)
valija-check_SRC := install/valija-check.c $(INSTALL_COMMON)
MAN += install/valija-setup.8 install/valija-check.8
UNIT += install
install_UNIT_SRC := $(INSTALL_COMMON)

# The programs of vpop/, which have a link in VPOPMAIL/bin.
VPROGS = $(foreach p,$(PROGS),$(if $(filter vpop/$(p).c,$($(p)_SRC)),$(p)))

# What setup copies and check expects, by kind: see install/tree.h.
PAPERS = $(wildcard README.md INTERNALS SECURITY DEVIATIONS CHANGES LICENSE) \
	service/valija.service $(B)/manifest
$(B)/manifest: FORCE
	@mkdir -p $(@D)
	@{ for f in $(filter-out $(VPROGS),$(PROGS)); do \
	    echo "prog $(B)/$$f"; done; \
	for f in $(VPROGS); do echo "vprog $(B)/$$f"; done; \
	for f in $(CMDS); do echo "cmd $(B)/$$f"; done; \
	for f in $(SCRIPTS); do echo "cmdscript $$f"; done; \
	for f in $(MAN); do echo "man $$f"; done; \
	for f in $(PAPERS); do echo "doc $$f"; done; } >$@.new
	@mv $@.new $@

# MAILHOST= and ADMIN= name the host and who gets postmaster's mail.
SETUP_PLACE = --source . --manifest $(B)/manifest \
	$(if $(DESTDIR),--destdir "$(DESTDIR)")
setup: all $(B)/manifest
	@$(B)/valija-setup $(SETUP_PLACE) $(if $(MAILHOST),--host "$(MAILHOST)") \
	    $(if $(ADMIN),--admin "$(ADMIN)")
check: all $(B)/manifest
	@$(B)/valija-check $(SETUP_PLACE)
enable:
	@$(B)/valija-setup --enable $(if $(DESTDIR),--destdir "$(DESTDIR)")

.PHONY: setup check enable FORCE
