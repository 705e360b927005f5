# Every .c file in examples/, bench/ and tests/ is one program, built into build/.
## make              build the programs of examples/ and bench/
## make build/NAME   build one program
## make demo         pre-train three small models on synthetic images, evaluate them, write pictures to out/
## make demo-all     the same with every method
## make test         build and run all tests; the last line is the sum
## make test-emulated the CUDA kernels and their runtime on the host emulation, under the address and undefined-behaviour sanitizers
## make conformance  replay the fixtures of FIXTURES=DIR
## make bench        every kernel and every workload against the measured ceilings of this machine
## make bench-peer   the workloads beside PyTorch, which VENV=DIR has; BENCH='W1 --threads 1 --json FILE' for both
## make cuda         build the programs with nvcc into build/cuda/
## make cuda-report  registers, shared memory and spills of every CUDA kernel of REPORT_ARCH="sm_80 sm_90a"; fails where one spills
## make test-cuda    the tests on an NVIDIA GPU
## make bench-cuda   tests and measurements on an NVIDIA GPU beside PyTorch and cuBLASLt, in 9 minutes
## make deps         install what the build needs: stb_image
## make clean        remove build/
##
## Variables: CC CXX NVCC CFLAGS, OPENMP= (build without it), STB_DIR=DIR (with stb_image.h and stb_image_write.h),
## FIXTURES=DIR, TESTS="test_ops ..." (run only these)
CFLAGS   ?= -O2
NVCC     ?= nvcc
WARN      = -Wall -Wextra -Wpedantic
B         = build
STB_DIR   = /usr/include/stb
FIXTURES  = ../shared/fixtures
CUDA_WARN = -Werror all-warnings
CUDA_ARCH = -gencode arch=compute_80,code=[sm_80,compute_80] -gencode arch=compute_90a,code=sm_90a

PROGRAMS = $(basename $(notdir $(wildcard examples/*.c bench/*.c)))
TESTS    = $(basename $(notdir $(wildcard tests/test_*.c)))
REPLAY   = $(wildcard tests/golden $(FIXTURES))
MATRIX   = sh tests/compile.sh $(B)/compile

# -fopenmp if the compiler has its header and library.
OPENMP := $(shell mkdir -p $(B) && printf '\043include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n' >$(B)/probe.c && \
            $(CC) -fopenmp $(B)/probe.c -o $(B)/probe 2>/dev/null && echo -fopenmp)
STB     = -isystem $(STB_DIR) -DSSL_STB_IMAGE='<stb_image.h>' -DSSL_STB_IMAGE_WRITE='<stb_image_write.h>'
FLAGS   = $(CFLAGS) $(WARN) $(OPENMP) $(STB) -I. -MMD -MP -MF $@.d
NEEDS   = ssl.h Makefile | $(STB_DIR)/stb_image.h

ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0) # all cores unless told otherwise
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif

.PHONY: all demo demo-all test test-emulated conformance bench bench-peer cuda cuda-report test-cuda bench-cuda deps clean help
all: $(PROGRAMS:%=$(B)/%)

# Tests and benchmarks look inside the library and compile their own copy; the examples link one. Tests that are not about the
# instruction sets do without them, which compiles in a third of the time.
ISA_TESTS = test_ops test_gemm test_half test_maps test_objectives
$(addprefix $(B)/,$(filter-out $(ISA_TESTS),$(TESTS))): private CFLAGS += -O1 -DSSL_PORTABLE
$(B)/test_objectives $(B)/emu/test_ops $(B)/emu/conformance $(B)/emu/test_gemm $(B)/emu/device $(B)/amx/%: private CFLAGS += -O1
$(B)/ssl.o: $(NEEDS)
	printf '\043include "ssl.h"\n' | $(CC) -std=c11 $(FLAGS) -DSSL_IMPLEMENTATION -x c -c - -o $@
$(B)/%: examples/%.c $(B)/ssl.o $(NEEDS)
	$(CC) -std=c11 $(FLAGS) -DSSL_NO_IMPLEMENTATION $< $(B)/ssl.o -o $@ -lm -pthread
$(B)/%: tests/%.c $(NEEDS)
	$(CC) -std=c11 $(FLAGS) $< -o $@ -lm -pthread
$(B)/%: bench/%.c $(NEEDS)
	$(CC) -std=c11 $(FLAGS) $< -o $@ -lm -pthread

define cuda
$(B)/cuda/%: $(1)/%.c ssl_cuda.cuh $(NEEDS)
	@mkdir -p $$(@D)
	$$(NVCC) -O3 -x cu $$(CUDA_ARCH) $$(CUDA_WARN) -Xcompiler "$$(OPENMP)" $$(STB) -I. $$< -o $$@
endef
$(foreach dir,examples bench tests,$(eval $(call cuda,$(dir))))
$(B)/amx/%: tests/%.c tests/amx_emu.h $(NEEDS) # AMX's instructions, emulated
	@mkdir -p $(@D)
	$(CC) -std=c11 $(FLAGS) -include tests/amx_emu.h $< -o $@ -lm -pthread
$(B)/emu/%: tests/%.c tests/cuda_emu.h ssl_cuda.cuh $(NEEDS) # the CUDA kernels as plain C++ on the host
	@mkdir -p $(@D)
	$(CXX) -x c++ -std=c++17 $(FLAGS) -DSSL_PORTABLE -include tests/cuda_emu.h $< -o $@ -lm -pthread
$(B)/emu/emulation: tests/emulation.cpp tests/cuda_emu.h tests/check.h Makefile
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(FLAGS) -include tests/cuda_emu.h $< -o $@
-include $(wildcard $(B)/*.d $(B)/amx/*.d $(B)/emu/*.d)

demo: $(B)/demo
	$(B)/demo
demo-all: $(B)/demo
	$(B)/demo --all

# A program that does not compile counts as one failure; the others still run.
EMULATE  = emulation test_gemm test_ops conformance device
EMULATED = env SSL_DEVICE=cuda $(B)/emu
emulated_emulation   = '$(B)/emu/emulation'
emulated_test_gemm   = '$(EMULATED)/test_gemm cuda'
emulated_test_ops    = '$(EMULATED)/test_ops'
emulated_conformance = $(foreach p,highest high bf16,$(REPLAY:%='$(EMULATED)/conformance % --precision $p'))
emulated_device      = '$(EMULATED)/device'
emulated_methods     = '$(EMULATED)/methods'
# These look into the device's memory.
emulated_test_eval    = 'env SSL_CUDA_SYNC=1 $(EMULATED)/test_eval'
emulated_test_methods = 'env SSL_CUDA_SYNC=1 $(EMULATED)/test_methods'
AMX     := $(if $(shell grep -m1 avx512_bf16 /proc/cpuinfo 2>/dev/null),test_gemm test_ops test_maps conformance) # emulated where the rest of its instructions is there
amx_test_gemm   = '$(B)/amx/test_gemm amx/'
amx_test_ops    = '$(B)/amx/test_ops'
amx_test_maps   = '$(B)/amx/test_maps'
amx_conformance = $(foreach p,high bf16,$(REPLAY:%='$(B)/amx/conformance % --precision $p'))
test:
	-@$(MAKE) -k --no-print-directory $(TESTS:%=$(B)/%) $(if $(TESTS),$(B)/conformance $(B)/pretrain $(B)/evaluate) $(EMULATE:%=$(B)/emu/%) $(AMX:%=$(B)/amx/%)
	@STB_DIR='$(STB_DIR)' NVCC='$(NVCC)' sh tests/run.sh $(B)/log $(TESTS:%=$(B)/%) $(if $(TESTS),$(foreach p,highest high bf16,$(REPLAY:%='$(B)/conformance % --precision $p'))) \
	    $(foreach t,$(EMULATE),$(emulated_$t)) $(foreach t,$(AMX),$(amx_$t)) $(if $(MATRIX),'$(MATRIX)')

# The emulation under the sanitizers: a wrong index, a missing barrier, a buffer read too early; and methods and evaluation. Many minutes.
SANITIZE = -O1 -g -DSSL_PORTABLE -fsanitize=address,undefined -fno-sanitize-recover=all
test-emulated:
	@$(MAKE) --no-print-directory test B=$(B)/sanitized CFLAGS='$(SANITIZE)' TESTS= MATRIX= AMX= REPLAY=tests/golden EMULATE='$(EMULATE) methods test_methods test_eval'

conformance: $(B)/conformance
	$(B)/conformance $(FIXTURES)

bench: $(B)/bench
	$(B)/bench all $(BENCH)

bench-peer: $(B)/bench
	@[ -x '$(VENV)/bin/python' ] || { echo "name a virtual environment with torch, torchvision and timm: make bench-peer VENV=DIR" >&2; exit 1; }
	$(VENV)/bin/python bench/peer_torch.py --ours $(B)/bench $(BENCH)

cuda: $(PROGRAMS:%=$(B)/cuda/%)

# Of every kernel for each of REPORT_ARCH: registers a thread, bytes of static shared memory, bytes spilled. Fails where one spills.
REPORT_ARCH = sm_80 sm_90a
cuda-report: $(REPORT_ARCH:%=cuda-report-%)
cuda-report-%: ssl_cuda.cuh $(NEEDS)
	@printf '\043include "ssl.h"\n' >$(B)/report-$*.cu
	@$(NVCC) -O3 -x cu -arch=$* -DSSL_IMPLEMENTATION -Xptxas -v -I. -cubin $(B)/report-$*.cu -o $(B)/report-$*.cubin 2>$(B)/report-$*.txt || { cat $(B)/report-$*.txt; exit 1; }
	@sed "s/Compiling entry function '/& /; s/' for/ & /" $(B)/report-$*.txt | c++filt | awk -v arch=$* \
	    '/Compiling entry/ { name = $$0; sub(/.*function . */, "", name); sub(/\(.*/, "", name); sub(/ . for .*/, "", name) } \
	     /spill stores/ { spill = $$5 + $$9 } \
	     /Used [0-9]+ registers/ { smem = 0; for (i = 2; i < NF; i++) if ($$(i + 1) ~ /^smem/) smem = $$(i - 1); \
	         printf "%-7s %-72s %4d registers %6d B shared %6d B spilled\n", arch, name, $$5, smem, spill; n++; bad += spill > 0 } \
	     END { if (bad) print arch ": " bad " of " n " kernels spill"; else print arch ": no kernel of " n " spills"; exit bad > 0 || !n }'

# The op table and the fixtures on the device, then the op table under the memory and race checkers.
ON_GPU = env SSL_DEVICE=cuda
CHECKED = $(ON_GPU) compute-sanitizer --error-exitcode 1 --log-file $(B)/log-cuda/sanitizer.txt --tool
test-cuda:
	@if nvidia-smi -L >/dev/null 2>&1; then \
	    $(MAKE) -k --no-print-directory $(B)/cuda/test_ops $(B)/cuda/test_gemm $(B)/cuda/conformance $(B)/cuda/device $(B)/cuda/methods; \
	    sh tests/run.sh $(B)/log-cuda '$(ON_GPU) $(B)/cuda/test_gemm cuda' '$(ON_GPU) $(B)/cuda/test_ops' '$(ON_GPU) $(B)/cuda/device' '$(ON_GPU) $(B)/cuda/methods' $(foreach p,highest high bf16,$(REPLAY:%='$(ON_GPU) $(B)/cuda/conformance % --precision $p')) \
	        '$(CHECKED) memcheck $(B)/cuda/test_ops' '$(CHECKED) racecheck $(B)/cuda/test_ops' '$(CHECKED) memcheck $(B)/cuda/device presets' '$(CHECKED) racecheck $(B)/cuda/device half_blocks'; \
	else echo "no NVIDIA GPU here"; echo "0 passed, 0 failed, $(words test_gemm test_ops device methods memcheck racecheck memcheck racecheck $(REPLAY) $(REPLAY) $(REPLAY)) skipped"; fi

bench-cuda:
	@FIXTURES='$(FIXTURES)' NVCC='$(NVCC)' bash bench/gpu_run.sh $(B)/gpu

deps: $(STB_DIR)/stb_image.h
$(STB_DIR)/stb_image.h: # Debian's package when no other directory was named and we may install
	@if [ '$(STB_DIR)' = /usr/include/stb ] && command -v apt-get >/dev/null; then \
	    sudo=; [ "$$(id -u)" = 0 ] || sudo='sudo -n'; \
	    $$sudo true 2>/dev/null && $$sudo apt-get update && $$sudo apt-get install -y --no-install-recommends libstb-dev; \
	fi; \
	[ -f '$@' ] || { echo "stb_image.h is not in $(STB_DIR): install Debian's libstb-dev (Fedora: stb_image-devel stb_image_write-devel," \
	    "macOS: brew install libstb), or name the directory that has it: make STB_DIR=DIR" >&2; exit 1; }

help:
	@sed -n 's/^## \{0,1\}//p' Makefile

clean:
	rm -rf $(B)
