# SPDX-License-Identifier: GPL-2.0
#
# Commands for people; kbuild reads Kbuild. Everything downloaded or built from others goes to the cache
# (RUST_FUSE_CACHE), everything built from this checkout to build/.

# The scripts read these from the environment.
export SUITE CASE IMPL LANE KERNEL N SEED KSRC FILES MODULE RUST_FUSE_CACHE RUST_FUSE_MIRROR
ifeq ($(RUST_FUSE_CACHE),)
unexport RUST_FUSE_CACHE
endif

.PHONY: help run test quick cases check check-quick doc shell bench soak modules clean clean-cache

help:
	@echo 'make run                  from a fresh machine to daemons serving mounts on our module'
	@echo 'make test                 all tests; a part: SUITE=name IMPL=rust|c|both KERNEL=plain|debug|small'
	@echo '                          LANE=uml: on User Mode Linux, which is faster; LANE=qemu'
	@echo '                          SUITE=hostile: N=bad replies, SEED=of an earlier run'
	@echo '                          CASE=part of the names of cases in SUITE'
	@echo 'make quick SUITE=name     the fastest way to a verdict: our module, plain, on User Mode Linux'
	@echo 'make cases SUITE=name     the names of the cases in SUITE, without a virtual machine'
	@echo 'make check-quick          format, unsafe report, pages, scripts, tidy; clippy of what changed'
	@echo 'make check                all of check-quick, rustdoc, what must not compile, host tests'
	@echo 'make doc                  rustdoc and the pages of Documentation, in build/doc'
	@echo 'make shell                a virtual machine with the module loaded; IMPL=c for the C module'
	@echo '                          FILES="path...": there, too; MODULE=fuse.ko: a module of your own'
	@echo 'make bench                instructions and time per operation, ours and C'
	@echo 'make soak                 all suites on all kernels, and long forms; SUITE, LANE, KERNEL as above'
	@echo 'make modules              fuse.ko for the plain test kernel, in build/module/plain'
	@echo 'make KDIR=... modules     fuse.ko for a kernel build of your own, in build/module/kdir'
	@echo 'make clean                removes build/'
	@echo 'make clean-cache          empties the cache: roots, kernel sources and builds, crates'
	@echo
	@echo 'RUST_FUSE_CACHE=DIR       the cache, by default rust_fuse in your cache directory'
	@echo 'RUST_FUSE_MIRROR=URL      a Debian mirror, by default the one this machine uses'
	@echo 'KSRC=DIR                  a clean tree of Linux 7.3.x instead of the one from Debian'

run test cases check doc shell bench soak:
	@scripts/$@.sh

quick: export LANE = uml
quick: export KERNEL = plain
quick: export IMPL := $(or $(IMPL),rust)
quick:
	@$(if $(SUITE),scripts/test.sh,echo 'SUITE=name: which suite?' >&2; exit 1)

check-quick:
	@scripts/check.sh quick

ifneq ($(origin KDIR),undefined)
modules:
	+@scripts/modules.sh '$(KDIR)' '$(MAKE)'
else
modules:
	@scripts/modules.sh
endif

clean:
	rm -rf build

clean-cache:
	@scripts/clean-cache.sh
