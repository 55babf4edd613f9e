# camtl's commands; `make help` lists them. Each does all the set-up it needs: the first run fetches libtorch and a
# small pretrained encoder into a cache (see Scripts/setup.py), later runs and other clones need no network for that.

# Building and testing share their flags, so that neither compiles again what the other has compiled. Without
# -enable-testing a release build would refuse the tests' `@testable import`.
SWIFT_FLAGS := -c release -Xswiftc -enable-testing

PROGRAM := $(CURDIR)/.build/release/camtl
ENCODER := $(CURDIR)/.pretrained/minilm

# The demo: train the adaptive encoder on a small sample of every task, then evaluate it.
DEMO_OUTPUT := output/demo
DEMO_FLAGS := \
	--model_name_or_path .pretrained/minilm \
	--encoder_type ca-mtl-base \
	--data_dir Examples/glue_sample \
	--output_dir $(DEMO_OUTPUT) \
	--overwrite_output_dir \
	--do_train \
	--do_eval \
	--max_seq_length 64 \
	--per_device_train_batch_size 32 \
	--learning_rate 1e-4 \
	--num_train_epochs 3 \
	--logging_steps 50 \
	--seed 1

# Which libtorch is fetched and built against: its CPU build, or the one for NVIDIA's GPUs, which computes on the CPU as
# well.
DEVICE ?= cpu
ifneq ($(DEVICE),cpu)
ifneq ($(DEVICE),cuda)
$(error camtl: DEVICE is cpu or cuda, not '$(DEVICE)')
endif
endif

# A libtorch of the user's own, whose path may have spaces, and where libctorch.so is built, whose path may not. The
# linker needs them absolute, behind the command, too.
ifneq ($(LIBTORCH_DIR),)
override LIBTORCH_DIR := $(shell realpath -ms -- '$(LIBTORCH_DIR)')
export LIBTORCH_DIR
endif
ctorch_out := $(if $(CTORCH_DIR),$(abspath $(CTORCH_DIR)),../../.build/ctorch)
override CTORCH_DIR := $(abspath $(or $(CTORCH_DIR),.build/ctorch))
export CTORCH_DIR

# libctorch.so is compiled with Swift's own clang++, which set-up has checked, unless CXX is set.
swift_clang = $(shell swift -print-target-info | sed -n 's|.*"runtimeResourcePath": "\(.*\)/lib/swift.*"|\1/bin/clang++|p')
ifeq ($(origin CXX),default)
CXX = $(swift_clang)
endif

# As many compilations at once as there are cores, and gigabytes of memory; `make -j` has its own say.
JOBS = $(shell awk -v cores="$$(nproc)" '/^MemAvailable/ { gigabytes = int($$2 / 1e6) } \
    END { print gigabytes < 1 ? 1 : gigabytes < cores ? gigabytes : cores }' /proc/meminfo)

.PHONY: help setup ctorch build demo test tests peers mutate fuzz sanitize bench example docs protobuf clean

help:
	@echo 'make demo   set up, build, then train and evaluate on the sample data'
	@echo 'make test   set up, build and run all tests'
	@echo 'make fuzz   build the tests, then read damaged files of every kind for SECONDS=60, as SEED=1 decides'
	@echo 'make mutate set up, then break formulas one at a time and list those that no test notices: an hour;'
	@echo "            MUTATIONS='dropout*' breaks some of them"
	@echo 'make sanitize'
	@echo '            build and run the tests with the address, undefined and thread sanitizers in turn: hours;'
	@echo '            SANITIZER=thread takes one of them'
	@echo 'make bench  set up and build, then measure against Python and write Benchmarks/RESULTS.md:'
	@echo '            an hour on two cores, with 16 GB of memory; on the sample data, or on GLUE in a folder with'
	@echo "            BENCH_FLAGS='--data_dir FOLDER'"
	@echo 'make build  set up and build the program, .build/release/camtl'
	@echo 'make docs   build, then make the documentation of the library modules, .build/docs/camtl.doccarchive'
	@echo 'make ctorch set up and build the C++ library around libtorch alone, .build/ctorch/libctorch.so'
	@echo 'make setup  fetch libtorch and the pretrained encoder into the cache, if it lacks them'
	@echo 'make clean  remove what was built here; the cache stays'
	@echo
	@echo 'DEVICE=cuda after any of them takes the libtorch for NVIDIA GPUs; without it, the CPU one.'

setup:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null || \
	    { echo 'camtl: python3 is missing or too old: install Python 3.8 or newer, with pip.' >&2; exit 1; }
	@python3 Scripts/setup.py $(DEVICE)

ctorch: setup
	@test -e '$(CTORCH_DIR)/libctorch.so' || \
	    echo 'camtl: building the C++ library around libtorch, about a minute on two cores'
	@+$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS)) -C Sources/CTorch CXX='$(CXX)' \
	    LIBTORCH='$(or $(LIBTORCH_DIR),../../.libtorch)' OUT='$(ctorch_out)'

build: ctorch
	@test -e '$(PROGRAM)' || echo 'camtl: building the program, about two minutes on two cores'
	swift build $(SWIFT_FLAGS)

demo: build
	'$(PROGRAM)' $(DEMO_FLAGS)

# A package of its own that depends on this one, in a debug build. Nobody edits it with an index of what is built here.
example: ctorch
	swift build --quiet --disable-index-store --package-path Examples/PredictPackage --scratch-path .build/example

docs: build
	python3 Scripts/docs.py .build/release .build/docs/camtl.doccarchive

# The tests with all that they test.
tests: ctorch
	swift build $(SWIFT_FLAGS) --build-tests

peers: setup
	@python3 Scripts/peers.py > .build/peers

# What the tests need is made side by side: compiling takes cores, and fetching a network. TEST_FLAGS go to
# run_tests.py, such as `make test TEST_FLAGS='--only StoppedRunTests'`.
test: ctorch
	@echo 'camtl: building the tests and the example package, then running them: about fifteen minutes on two cores'
	@+$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j3) tests example peers
	@python3 Scripts/mutate.py --check
	@CAMTL_PEERS_PYTHON="$$(cat .build/peers)" CAMTL_PROGRAM='$(PROGRAM)' CAMTL_PRETRAINED='$(ENCODER)' \
	    CAMTL_EXAMPLE='$(CURDIR)/.build/example/debug/predict' \
	    python3 Scripts/run_tests.py --times .build/test-times.txt $(TEST_FLAGS) \
	    -- .build/release/camtlPackageTests.xctest $(wildcard Tests/*Tests.py)

# Damages files of every kind, for SECONDS together, in ways that SEED decides, and reads them as a run would.
SECONDS ?= 60
SEED ?= 1
fuzz: tests
	@CAMTL_FUZZ_SECONDS='$(SECONDS)' CAMTL_FUZZ_SEED='$(SEED)' CAMTL_PROGRAM='$(PROGRAM)' \
	    python3 Scripts/run_tests.py --only DamagedFilesTests -- .build/release/camtlPackageTests.xctest

# Works in a copy in .build/mutate; MUTATIONS are names of Scripts/mutations.txt, where `*` stands for anything.
mutate: setup
	CXX='$(CXX)' python3 Scripts/mutate.py $(foreach pattern,$(MUTATIONS),'$(pattern)')

# Runs the tests with each sanitizer, of what is built with it in .build/sanitize-NAME: see Documentation/Building.md.
# libtorch stays as it is. TEST_FLAGS go to run_tests.py.
SANITIZER ?= address undefined thread
sanitize:
	@+failed=; $(foreach name,$(SANITIZER),$(MAKE) --no-print-directory sanitize-$(name) || failed="$$failed $(name)";) \
	    test -z "$$failed" || { echo "camtl: make sanitize: not clean:$$failed" >&2; exit 1; }

SANITIZE_OUT = .build/sanitize-$*
# Of a program: its main file, the sanitizer's runtime in it. The linker that Swift takes by itself complains of that.
SANITIZE_SWIFT = -use-ld=lld -sanitize=$*
SANITIZE_C = -fsanitize=$*
# Of libctorch.so, which takes the runtime from the program.
SANITIZE_LIBRARY = -fuse-ld=lld -Wl,-z,undefs
# How threads of libraries that are not built with it wait for each other: see the file; and, where C++ makes a
# function's static variable, the sanitizer itself.
sanitize-thread: SANITIZE_OBJECT = $(SANITIZE_OUT)/HappensBefore.o
sanitize-thread: SANITIZE_LINK = -Xlinker '$(CURDIR)/$(SANITIZE_OBJECT)' \
	-Xlinker --export-dynamic-symbol=GOMP_parallel -Xlinker '--export-dynamic-symbol=__cxa_guard_*'
# Swift's compiler has no such sanitizer, and needs none: the program is that of `make tests`, and the library brings the
# runtime. What vptr asks of an object's type, libtorch's objects, which are built without, needn't answer.
sanitize-undefined: SANITIZE_C = -fsanitize=$* -fno-sanitize=vptr
sanitize-undefined: SANITIZE_SWIFT = -use-ld=lld -Xclang-linker -fsanitize=$*
sanitize-undefined: SANITIZE_LIBRARY = -fsanitize=$* -shared-libsan -Wl,-rpath,$(dir \
	$(shell '$(swift_clang)' -print-file-name=libclang_rt.ubsan_standalone-$$(uname -m).so))

define sanitize_cxx
@mkdir -p $(SANITIZE_OUT)
@'$(swift_clang)' -std=c++20 -g $(SANITIZE_C) -c Tests/Sanitizers/Fault.cpp -o $(SANITIZE_OUT)/fault.o
@swiftc $(SANITIZE_SWIFT) $(SANITIZE_OUT)/fault.o -lstdc++ -o $(SANITIZE_OUT)/fault
@+$(MAKE) --no-print-directory ctorch CXX='$(swift_clang)' \
    CTORCH_DIR=$(SANITIZE_OUT)/ctorch ctorch_out=../../$(SANITIZE_OUT)/ctorch \
    CXXFLAGS='-g $(SANITIZE_C)' LDFLAGS='$(SANITIZE_LIBRARY)'
endef

sanitize_run = CAMTL_PEERS_PYTHON="$$(cat .build/peers)" CAMTL_PRETRAINED='$(ENCODER)' \
	python3 Scripts/sanitize.py $* $(SANITIZE_OUT)

.PHONY: sanitize-address sanitize-undefined sanitize-thread
sanitize-address sanitize-thread: sanitize-%: peers
	$(sanitize_cxx)
	@$(if $(SANITIZE_OBJECT),'$(swift_clang:++=)' -O2 -g -c Tests/Sanitizers/HappensBefore.c -o $(SANITIZE_OBJECT))
	CTORCH_DIR='$(CURDIR)/$(SANITIZE_OUT)/ctorch' swift build $(SWIFT_FLAGS) --build-tests \
	    --scratch-path $(SANITIZE_OUT) $(SANITIZE_LINK) -Xcc $(SANITIZE_C) $(SANITIZE_SWIFT:%=-Xswiftc %)
	@$(sanitize_run) $(SANITIZE_OUT)/release $(TEST_FLAGS)

sanitize-undefined: sanitize-%: tests peers
	$(sanitize_cxx)
	@LD_LIBRARY_PATH='$(CURDIR)/$(SANITIZE_OUT)/ctorch'"$${LD_LIBRARY_PATH:+:$$LD_LIBRARY_PATH}" \
	    $(sanitize_run) .build/release $(TEST_FLAGS)

# BENCH_FLAGS go to run.py, such as `make bench BENCH_FLAGS='--data_dir GLUE --only tokenizer'`.
bench: build
	python3 Benchmarks/run.py $(BENCH_FLAGS)

# What swift-protobuf makes of event.proto is committed; whoever changes that file runs this, with protoc in PATH. The
# generator is built from a copy of the package, so that the build of this one knows nothing of it.
EVENTS := Sources/Reporting/TensorBoard
protobuf: build
	rm -rf .build/protobuf
	cp -R .build/checkouts/swift-protobuf .build/protobuf
	swift build --package-path .build/protobuf --product protoc-gen-swift
	protoc --plugin=.build/protobuf/.build/debug/protoc-gen-swift --proto_path=$(EVENTS) --swift_out=$(EVENTS) event.proto

clean:
	rm -rf .build .libtorch .pretrained/minilm
