# loopfork: `make help` lists the targets.
# A folder is a program: a new .c file in it changes nothing here.

VARIANT ?= release
BUILD ?= build
OUT := $(BUILD)/$(VARIANT)
PREFIX ?= /usr/local
CC ?= cc
PYTHON ?= /usr/bin/python3
PROGRAMS := async_server prefork_server loadgen lab
JOBS ?= $(shell nproc)

# `make V=1` shows each command whole.
ifeq ($(V),1)
say = @:
Q :=
else
say = @printf '  %-5s %s\n'
Q := @
endif

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wformat=2 -Wvla -Wundef -Wnull-dereference
WERROR ?=

# The same hardening for both servers, so that neither is measured with less.
release_FLAGS := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
release_LINK := -pie -Wl,-z,relro,-z,now
# gcc compiles each server as a whole, common/ and llhttp included: a request then takes it 0.7 of the time in there.
# (clang would need another linker.) Everything else links the same objects as they are.
LTO ?= $(if $(findstring clang,$(shell $(CC) --version)),,-flto=auto)
release_LTO := $(LTO)
asan_FLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
asan_LINK := -fsanitize=address,undefined
tsan_FLAGS := -O1 -g -fsanitize=thread
tsan_LINK := -fsanitize=thread
coverage_FLAGS := -O0 -g --coverage
coverage_LINK := --coverage
fuzz_FLAGS := -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
fuzz_LINK := -fsanitize=address,undefined

# llhttp: the system's library from 9.2 on, else built from Debian's C sources of it.
ifeq ($(shell pkg-config --atleast-version=9.2 libllhttp 2>/dev/null && echo yes),yes)
LLHTTP_CPPFLAGS := $(shell pkg-config --cflags libllhttp)
LLHTTP_LIBS := $(shell pkg-config --libs libllhttp)
else
LLHTTP := $(BUILD)/llhttp
LLHTTP_CPPFLAGS := -isystem $(LLHTTP) -DLLHTTP_STRICT_MODE=1
LLHTTP_OBJECTS := $(patsubst %,$(OUT)/llhttp/%.o,llhttp api http)
LLHTTP_READY := $(LLHTTP)/llhttp.h
endif

ALL_CPPFLAGS = -I. -D_GNU_SOURCE $(LLHTTP_CPPFLAGS) $(CPPFLAGS)
ALL_CFLAGS = -std=c11 -pthread $(WARNINGS) $(WERROR) $($(VARIANT)_FLAGS) $(LTO_COMPILE) $(CFLAGS)
ALL_LDFLAGS = -pthread $($(VARIANT)_LINK) $(LTO_LINK) $(LDFLAGS)
LTO_LINK = -fno-lto

# Where each program lives when not in the folder of its name, and what it links with.
lab_DIR := experiments
async_server_LIBS := -luv -linih -lz -lnettle
prefork_server_LIBS := -linih
loadgen_LIBS := -levent_core -ljansson -lssl -lcrypto
lab_LIBS := -ljansson -linih -lsqlite3
COMMON_LIBS := $(LLHTTP_LIBS) -lm
common_LIBS := -linih

ifneq ($($(VARIANT)_LTO),)
WHOLE := async_server prefork_server loadgen
$(patsubst %,$(OUT)/%/%.o,common llhttp bench $(WHOLE)): LTO_COMPILE = $($(VARIANT)_LTO) -ffat-lto-objects
$(WHOLE:%=$(OUT)/bin/%) $(OUT)/bench/parse: LTO_LINK = $($(VARIANT)_FLAGS) $($(VARIANT)_LTO)
endif

dir_of = $(or $($(1)_DIR),$(1))
objects_of = $(patsubst %.c,$(OUT)/%.o,$(sort $(wildcard $(1)/*.c)))
COMMON := $(OUT)/libcommon.a

.PHONY: all
all: $(PROGRAMS:%=$(OUT)/bin/%)

$(COMMON): $(call objects_of,common) $(LLHTTP_OBJECTS)
	@rm -f $@
	$(say) AR $@
	$(Q)$(AR) rcs $@ $^

define PROGRAM
$(OUT)/bin/$(1): $(call objects_of,$(call dir_of,$(1))) $(COMMON)
	@mkdir -p $$(@D)
	$$(say) LINK $$@
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$($(1)_LIBS) $$(COMMON_LIBS)
endef
$(foreach program,$(PROGRAMS),$(eval $(call PROGRAM,$(program))))

$(OUT)/%.o: %.c $(LLHTTP_READY)
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Somebody else's sources: their warnings are not ours to mend.
$(OUT)/llhttp/%.o: $(LLHTTP)/llhttp.h
	@mkdir -p $(@D)
	$(say) CC $(LLHTTP)/$*.c
	$(Q)$(CC) -isystem $(LLHTTP) -DLLHTTP_STRICT_MODE=1 -std=c11 $($(VARIANT)_FLAGS) $(LTO_COMPILE) -w -c -o $@ $(LLHTTP)/$*.c

ifdef LLHTTP
$(LLHTTP)/llhttp.h: tools/llhttp
	$(say) GET $@
	$(Q)tools/llhttp $(@D)
endif

# Unit tests: tests/unit/FOLDER/FILE.c -> $(OUT)/tests/FOLDER/FILE, linked with the folder's objects but main.
UNIT_SOURCES := $(sort $(wildcard tests/unit/*/*.c))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(OUT)/tests/%,$(UNIT_SOURCES))
unit_folder = $(patsubst %/,%,$(dir $(1)))
unit_program = $(if $(filter experiments,$(1)),lab,$(1))
# FOLDER/FILE_LINK: what a test links with besides: a JSON reader of somebody else's; these let memory run out, writing fail, and llhttp see other bytes.
common/json_text_LINK := -Wl,--no-as-needed -ljansson
common/access_log_json_LINK := -Wl,--no-as-needed -ljansson
prefork_server/status_json_LINK := -Wl,--no-as-needed -ljansson
common/access_log_LINK := -Wl,--wrap=calloc,--wrap=write
loadgen/series_LINK := -Wl,--wrap=calloc
async_server/exchange_LINK := -Wl,--wrap=malloc
prefork_server/exchange_rest_LINK := -Wl,--wrap=malloc,--wrap=calloc
common/http_request_LINK := -Wl,--wrap=malloc,--wrap=calloc,--wrap=llhttp_execute
async_server/ws_LINK := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
async_server/ws_message_LINK := -Wl,--wrap=realloc
async_server/ws_deflate_LINK := -Wl,--wrap=inflateInit2_,--wrap=deflateInit2_,--wrap=inflate
loadgen/config_options_LINK := -Wl,--wrap=reallocarray
loadgen/dial_LINK := -Wl,--wrap=setsockopt
loadgen/pacer_LINK := -Wl,--wrap=reallocarray
loadgen/tls_LINK := -Wl,--wrap=calloc
loadgen/tunnel_LINK := -Wl,--wrap=calloc
# In this one, writers die while they hold the lock.
common/settings_LINK := -Wl,--wrap=pthread_mutex_lock,--wrap=pthread_mutex_unlock

# What these say depends on the time, and on what the kernel says.
loadgen/progress_LINK := -Wl,--wrap=clock_now_ns
loadgen/runner_LINK := -Wl,--wrap=clock_now_ns,--wrap=connect,--wrap=send,--wrap=setsockopt

define UNIT_TEST
$(OUT)/tests/$(1): $(OUT)/tests/unit/$(1).o \
	$(filter-out %/main.o $(call objects_of,common),$(call objects_of,$(call unit_folder,$(1)))) $(COMMON)
	@mkdir -p $$(@D)
	$$(say) LINK $$@
	$$(Q)$$(CC) $$(ALL_LDFLAGS) $$($(1)_LINK) -o $$@ $$^ $$($(call unit_program,$(call unit_folder,$(1)))_LIBS) -lcmocka $$(COMMON_LIBS)
endef
$(foreach test,$(UNIT_TESTS:$(OUT)/tests/%=%),$(eval $(call UNIT_TEST,$(test))))

.PHONY: deps deps-test deps-check deps-bench lab test check asan tsan fuzz soak coverage bench install clean help

## deps: install what building and the lab need (apt; sudo only when not root)
deps:
	@tools/deps lab

deps-test:
	@tools/deps lab test

deps-check:
	@tools/deps lab test check

deps-bench:
	@BUILD=$(BUILD) tools/deps lab test bench

## lab: install what is missing, build, run tasks 7 to 9, print tables and write results/<when>/
lab: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all
	$(OUT)/bin/lab run task7 task8 task9

## test: install what is missing, build, and pass every test
test: deps-test
	@$(MAKE) --no-print-directory -j$(JOBS) test-run

.PHONY: unit test-run
unit: $(UNIT_TESTS)

test-run: all unit
	@$(PYTHON) tests/run --bin $(OUT)/bin --unit $(OUT)/tests $(TESTS)

## asan, tsan: the same tests on a build with sanitizers
asan tsan: deps-test
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=$@ test-run

## coverage: the same tests, and which lines they reached (gcov)
coverage: deps-test
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=coverage test-run
	@tools/coverage $(BUILD)/coverage

## fuzz: run each fuzz target for FUZZ_SECONDS (60) with clang and sanitizers
FUZZ_SECONDS ?= 60
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/fuzz/%,$(sort $(wildcard tests/fuzz/*.c)))
ifeq ($(VARIANT),fuzz)
$(BUILD)/fuzz/fuzz/%: $(BUILD)/fuzz/tests/fuzz/%.o $(COMMON)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(COMMON) $(FUZZ_LIBS) $(COMMON_LIBS)
# The WebSocket readers are async_server's; they do no I/O.
$(BUILD)/fuzz/fuzz/ws_frame: $(patsubst %,$(OUT)/async_server/ws_%.o,buffer deflate frame message utf8)
$(BUILD)/fuzz/fuzz/ws_frame: FUZZ_LIBS := -lz
# Responses are loadgen's to read.
$(BUILD)/fuzz/fuzz/http_response: $(OUT)/loadgen/response.o
# A connection is served by the whole of both servers.  These have functions of the same names: of prefork_server's, the
# target sees only its own way in.
$(BUILD)/fuzz/prefork_server.o: $(BUILD)/fuzz/tests/fuzz/connection/prefork.o $(filter-out %/main.o,$(call objects_of,prefork_server))
	$(LD) -r -o $@ $^
	objcopy --wildcard --keep-global-symbol='prefork_*' $@
$(BUILD)/fuzz/fuzz/connection: $(filter-out %/main.o,$(call objects_of,async_server)) \
	$(BUILD)/fuzz/tests/fuzz/connection/answers.o $(BUILD)/fuzz/prefork_server.o
$(BUILD)/fuzz/fuzz/connection: FUZZ_LIBS := $(async_server_LIBS)
# Lines are read back by somebody else's reader.
$(BUILD)/fuzz/fuzz/log_json: FUZZ_LIBS := -ljansson
endif
fuzz: deps-check
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=fuzz CC=clang $(FUZZ_TARGETS)
	@tools/fuzz $(FUZZ_SECONDS) $(FUZZ_TARGETS)

## soak: mixed load on each server (SOAK: which) for SOAK_SECONDS (600) each, watching for leaks, growth and wrong answers; VARIANT=asan too
SOAK_SECONDS ?= 600
SOAK ?= async_server prefork_server gthread prefork_signals gthread_signals
soak: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@status=0; for kind in $(SOAK); do tests/soak --bin $(OUT)/bin --seconds $(SOAK_SECONDS) --server $$kind || status=1; done; \
	exit $$status

## check: both compilers without warnings, formatting, static analysis, shell scripts and man pages
check: deps-check
	@tools/check

## bench: our servers, and loadgen, beside the real programs (BENCH: which of bench/), each in one run
BENCH ?= async_server prefork_server loadgen agree fidelity
bench: deps-bench
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@status=0; for bench in $(BENCH); do bench/$$bench --bin $(OUT)/bin || status=1; done; exit $$status

# bench/parse: the benchmark programs that link with common/.
$(OUT)/bench/%: $(OUT)/bench/%.o $(COMMON)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(COMMON_LIBS)

## install: programs, experiments, man pages and completions under PREFIX (/usr/local)
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/loopfork/experiments
	install -m 755 $(PROGRAMS:%=$(OUT)/bin/%) $(DESTDIR)$(PREFIX)/bin
	install -m 644 docs/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	cp -R experiments/*.ini experiments/real $(DESTDIR)$(PREFIX)/share/loopfork/experiments
	install -D -m 644 completions/loadgen.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/loadgen
	install -D -m 644 completions/_loadgen $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_loadgen

## clean: remove every build (results/ stays)
clean:
	rm -rf $(BUILD)

## help: this list
help:
	@sed -n 's/^## \([a-z, ]*\): /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "make %-12s %s\n", $$1, $$2 }'

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
