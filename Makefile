# make                      build every program below build/
# make setup check          (root) install into conf-home, verify the install
# make unit                 unit tests; fuzz-replay: the fuzz corpora
# make lint                 mandoc over every page, the include directions
# make SAN=address,undefined unit   the same with sanitizers, in its own tree
# make CC=clang             another compiler, in its own tree
#
# A room says what it holds in its module.mk:
#   LIB_SRC  += lib/str.c            a source of the common archive
#   PROGS    += qmail-queue          a program, installed in HOME/bin
#   qmail-queue_SRC := queue/qmail-queue.c queue/x.c
#   qmail-queue_LDLIBS := -lcdb      only where a library is needed
#   qmail-queue_LDFLAGS := -static-pie   where a start must be cheap
#   CMDS     += svscan               a program for /usr/local/bin, like PROGS
#   SCRIPTS  += supervise/svscanboot installed as it is
#   MAN      += queue/qmail-queue.8
#   UNIT     += str                  TESTS/unit/test_str.c, run by make unit
#   FUZZ     += addr                 TESTS/fuzz/fuzz_addr.c and its corpus

CC        ?= cc
ifeq ($(origin CC),default)
CC        := gcc
endif
SAN       ?=
HOME_DIR  := $(shell head -n 1 conf-home)
B         := build$(if $(findstring clang,$(CC)),-clang)$(if $(SAN),-san)
# Apart from the programs, because a room and a program may share a name.
O         := $(B)/obj

WARN := -Wall -Wextra -Wshadow -Wpointer-arith -Wcast-qual -Wwrite-strings \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wconversion -Wsign-conversion -Wformat=2 -Wundef -Wvla -Walloca \
	-Wnull-dereference -Wswitch-enum -Wimplicit-fallthrough -Werror
ifeq ($(findstring clang,$(CC)),)
WARN += -Wcast-align=strict -Wlogical-op -Wduplicated-cond \
	-Wduplicated-branches -Wjump-misses-init
HARD := -ftrivial-auto-var-init=zero
endif
HARD += -fstack-protector-strong -fstack-clash-protection \
	-fcf-protection -fno-strict-aliasing -fPIE
ifneq ($(SAN),)
OPT  := -O1 -g -fsanitize=$(SAN) -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
LINK := -fsanitize=$(SAN)
else
OPT  := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif
CPPFLAGS += -D_GNU_SOURCE -DHOME_DIR='"$(HOME_DIR)"' -I.
CFLAGS   += -std=c17 $(OPT) $(HARD) $(WARN)
ifneq ($(findstring clang,$(CC)),)
# -pie does nothing beside a program's own -static-pie.
LINK += -Wno-unused-command-line-argument
endif
LDFLAGS  += $(LINK) -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed

LIB_SRC :=
PROGS   :=
CMDS    :=
SCRIPTS :=
MAN     :=
UNIT    :=
FUZZ    :=
all:
include $(sort $(wildcard */module.mk))

BINS := $(PROGS) $(CMDS)
LIB  := $(B)/libvalija.a
all: directions $(LIB) $(addprefix $(B)/,$(BINS))

$(O)/%.o: %.c Makefile conf-home
	@mkdir -p $(@D)
	@echo '  CC   $<'
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(LIB_SRC:%.c=$(O)/%.o)
	@rm -f $@
	@ar rcs $@ $^

define PROGRAM
$(B)/$(1): $$($(1)_SRC:%.c=$(O)/%.o) $(LIB)
	@mkdir -p $$(@D)
	@$$(CC) $$(CFLAGS) $$(LDFLAGS) $$(if $$(SAN),,$$($(1)_LDFLAGS)) -o $$@ $$^ $$($(1)_LDLIBS)
endef
$(foreach p,$(BINS),$(eval $(call PROGRAM,$(p))))

define UNITTEST
$(B)/TESTS/unit/$(1): $(O)/TESTS/unit/test_$(1).o $$($(1)_UNIT_SRC:%.c=$(O)/%.o) $(LIB)
	@mkdir -p $$(@D)
	@$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ -lcmocka $$($(1)_UNIT_LDLIBS)
endef
$(foreach u,$(UNIT),$(eval $(call UNITTEST,$(u))))

# TESTS/fuzz/run leaves this out: libFuzzer brings a main of its own.
FUZZ_MAIN = $(O)/TESTS/fuzz/replay.o
define FUZZTEST
$(B)/TESTS/fuzz/$(1): $(O)/TESTS/fuzz/fuzz_$(1).o $$(FUZZ_MAIN) $$($(1)_FUZZ_SRC:%.c=$(O)/%.o) $(LIB)
	@mkdir -p $$(@D)
	@$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$($(1)_FUZZ_LDLIBS)
endef
$(foreach f,$(FUZZ),$(eval $(call FUZZTEST,$(f))))

unit: $(addprefix $(B)/TESTS/unit/,$(UNIT))
	@set -e; for t in $(UNIT); do echo "unit: $$t"; \
	    (cd $(B) && TESTS/unit/$$t); done

fuzz-replay: $(addprefix $(B)/TESTS/fuzz/,$(FUZZ))
	@set -e; for f in $(FUZZ); do echo "fuzz: $$f"; \
	    $(B)/TESTS/fuzz/$$f TESTS/fuzz/corpus/$$f; done

# Programs include lib, mail, control and their own room, and lib includes
# nothing else: see INTERNALS.
directions:
	@sh lib/directions.sh

lint: directions
	@test -z "$(MAN)" || mandoc -Tlint -W warning $(MAN)

clean:
	rm -rf build build-*

.PHONY: all unit fuzz-replay directions lint clean
-include $(shell find $(B) -name '*.d' 2>/dev/null)
