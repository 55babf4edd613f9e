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
ifeq ($(origin CXX),default)
CXX = $(shell swift -print-target-info | sed -n 's|.*"runtimeResourcePath": "\(.*\)/lib/swift.*"|\1/bin/clang++|p')
endif

# As many compilations at once as there are cores, and gigabytes of memory; `make -j` has its own say.
JOBS = $(shell awk -v cores="$$(nproc)" '/^MemAvailable/ { gigabytes = int($$2 / 1e6) } \
    END { print gigabytes < 1 ? 1 : gigabytes < cores ? gigabytes : cores }' /proc/meminfo)

.PHONY: help setup ctorch build demo test tests peers mutate fuzz bench example docs protobuf clean

help:
	@echo 'make demo   set up, build, then train and evaluate on the sample data'
	@echo 'make test   set up, build and run all tests'
	@echo 'make fuzz   build the tests, then read damaged files of every kind for SECONDS=60, as SEED=1 decides'
	@echo 'make mutate set up, then break formulas one at a time and list those that no test notices: an hour;'
	@echo "            MUTATIONS='dropout*' breaks some of them"
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
	@echo 'camtl: building the tests and the example package, then running them: about fourteen minutes on two cores'
	@+$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j3) tests example peers
	@python3 Scripts/mutate.py --check
	@CAMTL_PEERS_PYTHON="$$(cat .build/peers)" CAMTL_PROGRAM='$(PROGRAM)' CAMTL_PRETRAINED='$(ENCODER)' \
	    CAMTL_EXAMPLE='$(CURDIR)/.build/example/debug/predict' \
	    python3 Scripts/run_tests.py --times .build/test-times.txt $(TEST_FLAGS) \
	    -- .build/release/camtlPackageTests.xctest $(wildcard Tests/*Tests.py)

# Damages files of every kind, for SECONDS, in ways that SEED decides, and reads them as a run would.
SECONDS ?= 60
SEED ?= 1
fuzz: tests
	@CAMTL_FUZZ_SECONDS='$(SECONDS)' CAMTL_FUZZ_SEED='$(SEED)' python3 Scripts/run_tests.py --only DamagedFilesTests \
	    -- .build/release/camtlPackageTests.xctest

# Works in a copy in .build/mutate; MUTATIONS are names of Scripts/mutations.txt, where `*` stands for anything.
mutate: setup
	CXX='$(CXX)' python3 Scripts/mutate.py $(foreach pattern,$(MUTATIONS),'$(pattern)')

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
