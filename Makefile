# SPDX-License-Identifier: GPL-2.0-or-later
# make            build/ktund build/ktund-keeper build/ktun
# make demo       a LAC and an LNS bring up a PPP session on a real kernel, and ping through it
# make check      all tests = check-style check-unit check-sim check-fuzz check-net (each alone, too)
# make bench      set-up rate, CPU and memory per session, as ratios to a bare kernel loop
# make soak       ten minutes (TIME=) of crashes, losses and reloads under churn; LONG=1: 300 sessions, every call that may fail
# make fuzz FUZZ=l2tp_msg TIME=60     one fuzzer for a while; `make fuzz` lists them
# make install DESTDIR= PREFIX=/usr
# SAN=1: with ASan and UBSan (in build/san).  O=dir: build elsewhere.  V=1: show commands.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

SAN ?=
O ?= $(if $(SAN),build/san,build)
PREFIX ?= /usr
DESTDIR ?=
TIME ?= 60
VERSION = 0.1
# What installs missing packages; "true" where that is somebody else's business (debian/rules).
SETUP ?= scripts/setup
FUZZ_TIME ?= 5
KERNELS ?= 6.12 6.1
SOAK_TIME ?= $(if $(filter command environment,$(firstword $(origin TIME))),$(TIME),600)
ifeq ($(V),)
Q = @
say = @printf '  %-7s %s\n' $(1) $(2);
else
Q =
say =
endif

CC = gcc
CLANG = clang
CFLAGS ?= -O2 -g
HARDEN = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
	-Wswitch-enum -Wformat=2 -Wvla -Wundef -Wwrite-strings -Wunused-result -Werror
SANFLAGS = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
BASEFLAGS = -std=gnu11 -D_GNU_SOURCE -DHASH_NONFATAL_OOM=1 -DKTUND_VERSION='"$(VERSION)"' $(WARN) -MMD -MP -I daemon -I . -I $(O)/gen
ALLFLAGS = $(BASEFLAGS) $(if $(findstring clang,$(CC)),,-Wno-format-truncation) $(PKG_CFLAGS) $(CFLAGS) $(if $(SAN),$(SANFLAGS),$(HARDEN))
LINK = $(CC) $(CFLAGS) $(if $(SAN),$(SANFLAGS),-pie -Wl,-z,relro,-z,now)

# Flags of the libraries, found once; make restarts by itself after writing this file.
GOALS := $(if $(MAKECMDGOALS),$(MAKECMDGOALS),all)
ifneq ($(filter-out clean distclean,$(GOALS)),)
include $(O)/config.mk
endif

DAEMON_SRC := $(wildcard daemon/base/*.c daemon/l2tp/*.c daemon/ppp/*.c daemon/vici/*.c daemon/io/*.c daemon/core/*.c)
CLI_SRC := $(wildcard daemon/cli/*.c)
KOBJ_SRC := $(patsubst %,netlink/%.c,attach holder kobj l2tp netns nl rtnl survey)
KEEPER_SRC := $(filter-out netlink/main.c,$(wildcard netlink/*.c))
ENGINE_SRC := $(wildcard daemon/base/*.c daemon/l2tp/*.c daemon/ppp/*.c daemon/vici/*.c)
TEST_LIB := $(wildcard selftests/lib/*.c)
UNIT := $(patsubst selftests/%.c,$(O)/selftests/%,$(wildcard selftests/unit/test_*.c))
SIM := $(patsubst selftests/%.c,$(O)/selftests/%,$(wildcard selftests/sim/test_*.c))
NET := $(patsubst selftests/%.c,$(O)/selftests/%,$(wildcard selftests/net/*.c selftests/bench/*.c))
FUZZERS := $(patsubst selftests/fuzz/fuzz_%.c,%,$(wildcard selftests/fuzz/fuzz_*.c))
obj = $(patsubst %.c,$(O)/obj/%.o,$(1))

.PHONY: all demo check run-unit run-sim fuzzers check-style check-unit check-sim check-fuzz check-net bench soak fuzz install clean distclean tests setup-net
all: $(O)/ktund $(O)/ktund-keeper $(O)/ktun

$(O)/config.mk: scripts/packages Makefile
	@$(SETUP) build test
	@mkdir -p $(@D)
	@{ echo "PKG_CFLAGS = $$(pkg-config --cflags libnl-3.0 libnl-genl-3.0 libnl-route-3.0 libnftables)"; \
	   echo "NL_LIBS = $$(pkg-config --libs libnl-3.0 libnl-genl-3.0 libnl-route-3.0 libnftables) -lcap-ng -lpthread"; \
	   echo "DAEMON_LIBS = $$(pkg-config --libs libconfuse jansson nettle libcares) -lev -lcap-ng"; \
	   echo "CLI_LIBS = $$(pkg-config --libs jansson libnl-3.0 libnl-genl-3.0)"; \
	   if pkg-config --exists libsystemd; then \
		echo "PKG_CFLAGS += -DHAVE_SYSTEMD=1 $$(pkg-config --cflags libsystemd)"; \
		echo "DAEMON_LIBS += $$(pkg-config --libs libsystemd)"; \
	   else echo "PKG_CFLAGS += -DHAVE_SYSTEMD=0"; fi; } > $@

$(O)/ktund: $(call obj,daemon/main.c) $(O)/libktund.a $(O)/netlink/client.a
	$(call say,LD,$@)$(LINK) -o $@ $^ $(DAEMON_LIBS)
$(O)/ktund-keeper: $(call obj,netlink/main.c) $(O)/libkeeper.a
	$(call say,LD,$@)$(LINK) -o $@ $^ $(NL_LIBS)
$(O)/ktun: $(call obj,daemon/cli/main.c) $(O)/libktun.a $(O)/netlink/kobj.a $(O)/libbase.a
	$(call say,LD,$@)$(LINK) -o $@ $^ $(CLI_LIBS)

$(O)/libktund.a: $(call obj,$(DAEMON_SRC))
$(O)/libkeeper.a: $(call obj,$(KEEPER_SRC))
$(O)/libbase.a: $(call obj,$(wildcard daemon/base/*.c))
# What ktund links of netlink/: talking to the keeper and reading its descriptors; no libnl.
$(O)/netlink/client.a: $(call obj,netlink/client.c netlink/pppio.c)
$(O)/libktun.a: $(call obj,$(filter-out %/main.c,$(CLI_SRC)) daemon/vici/msg.c)
# What ktun links: the kernel's tunnels and sessions without a keeper.
$(O)/netlink/kobj.a: $(call obj,$(KOBJ_SRC))
$(O)/libtest.a: $(call obj,$(TEST_LIB))
%.a:
	@mkdir -p $(@D); rm -f $@
	$(call say,AR,$@)ar rcs $@ $^

$(O)/obj/%.o: %.c $(O)/config.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALLFLAGS) -I selftests -c -o $@ $<

# A text file as a C string literal, to be #included.
$(O)/gen/%.inc: daemon/core/%
	@mkdir -p $(@D)
	$(Q)sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' $< > $@
$(call obj,$(wildcard daemon/core/*.c)): | $(patsubst daemon/core/%,$(O)/gen/%.inc,$(wildcard daemon/core/*.varlink))

# Tests

$(O)/selftests/sim/test_memory_sim $(O)/selftests/sim/test_v3_memory_sim: EXTRA = -Wl,--wrap=malloc
$(O)/selftests/%: $(O)/obj/selftests/%.o $(O)/libktund.a $(O)/libktun.a $(O)/libkeeper.a $(O)/libtest.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(LINK) $(EXTRA) -o $@ $< $(O)/libtest.a $(O)/libktund.a $(O)/libktun.a $(O)/libkeeper.a -lcmocka $(DAEMON_LIBS) $(NL_LIBS)

# Fails the k-th system call of whom it is preloaded into; itself without sanitizers.
$(O)/selftests/fault.so: selftests/fault/fault.c
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -g -fPIC -shared -o $@ $<

tests: all $(UNIT) $(SIM) $(NET) $(O)/selftests/fault.so

check: setup-net
	@$(MAKE) --no-print-directory -j$$(nproc) tests fuzzers >/dev/null
	@$(MAKE) --no-print-directory -j$$(nproc) SAN=1 O=$(O)/san tests >/dev/null
	@MAKE="$(MAKE)" scripts/check $(O) style unit sim fuzz net

check-style: all
	@scripts/check-style $(O)
# Engines and parsers are tested with the sanitizers on.
check-unit: all
	@$(MAKE) --no-print-directory SAN=1 O=$(O)/san run-unit
check-sim:
	@$(MAKE) --no-print-directory SAN=1 O=$(O)/san run-sim
run-unit: all $(UNIT)
	@scripts/check-programs $(O) $(UNIT)
run-sim: $(SIM)
	@scripts/check-programs $(O) $(SIM)
fuzzers: $(FUZZERS:%=$(O)/fuzz/%)
check-fuzz: fuzzers
	@scripts/check-fuzz $(O) $(FUZZ_TIME) $(FUZZERS)

setup-net:
	@scripts/setup net
check-net: tests | setup-net
	@$(MAKE) --no-print-directory SAN=1 O=$(O)/san tests
	@scripts/check-net $(O) $(KERNELS)
demo: all | setup-net
	@KTUND_BUILD=$(O) scripts/demo
bench: tests | setup-net
	@rc=0; for k in $(KERNELS); do KTUND_BUILD=$(O) scripts/bench --kernel $$k || rc=1; done; exit $$rc
soak: tests | setup-net
	@scripts/soak $(O) $(SOAK_TIME) $(KERNELS)

# Fuzzers: everything they link is compiled anew by clang, with coverage and sanitizers.
FUZZFLAGS = $(BASEFLAGS) $(PKG_CFLAGS) -I selftests -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
fobj = $(patsubst %.c,$(O)/fuzz/obj/%.o,$(1))
$(O)/fuzz/obj/%.o: %.c $(O)/config.mk
	@mkdir -p $(@D)
	$(call say,CLANG,$<)$(CLANG) $(FUZZFLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<
$(call fobj,$(wildcard daemon/core/*.c)): | $(patsubst daemon/core/%,$(O)/gen/%.inc,$(wildcard daemon/core/*.varlink))
$(O)/fuzz/libktund.a: $(call fobj,$(DAEMON_SRC) netlink/client.c netlink/pppio.c $(TEST_LIB))
$(O)/fuzz/libktun.a: $(call fobj,$(filter-out %/main.c,$(CLI_SRC)))
$(O)/fuzz/libkeeper.a: $(call fobj,$(KEEPER_SRC))
$(O)/fuzz/%: $(O)/fuzz/obj/selftests/fuzz/fuzz_%.o $(O)/fuzz/libktund.a $(O)/fuzz/libktun.a $(O)/fuzz/libkeeper.a
	$(call say,LD,$@)$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ -lcmocka $(DAEMON_LIBS) $(NL_LIBS)
ifdef FUZZ
fuzz: $(O)/fuzz/$(FUZZ)
	@mkdir -p $(O)/corpus/$(FUZZ)
	$(O)/fuzz/$(FUZZ) -max_total_time=$(TIME) -timeout=10 -rss_limit_mb=2048 $(O)/corpus/$(FUZZ) $(wildcard selftests/fuzz/corpus/$(FUZZ))
else
fuzz:
	@echo "make fuzz FUZZ=name TIME=seconds; names: $(FUZZERS)"
endif

INST = $(DESTDIR)$(PREFIX)
install: all
	install -D -m 755 $(O)/ktund $(INST)/sbin/ktund
	install -D -m 755 $(O)/ktund-keeper $(INST)/sbin/ktund-keeper
	install -D -m 755 $(O)/ktun $(INST)/bin/ktun
	for m in scripts/man/*.[58]; do install -D -m 644 $$m $(INST)/share/man/man$${m##*.}/$${m##*/}; done
	install -D -m 644 scripts/completion/ktun.bash $(INST)/share/bash-completion/completions/ktun
	mkdir -p $(INST)/lib/systemd/system
	for u in ktund ktund-keeper; do \
		sed 's,=\(+*\)/usr/,=\1$(PREFIX)/,' scripts/units/$$u.service >$(INST)/lib/systemd/system/$$u.service; done
	install -D -m 644 scripts/units/ktund.conf $(INST)/lib/modules-load.d/ktund.conf
	install -D -m 644 scripts/units/ktund.sysusers $(INST)/lib/sysusers.d/ktund.conf
	install -D -m 644 scripts/ktund.conf.example $(INST)/share/doc/ktund/ktund.conf.example

clean:
	rm -rf $(O)
distclean: clean
	rm -rf build

-include $(shell find $(O)/obj $(O)/fuzz/obj -name '*.d' 2>/dev/null)
