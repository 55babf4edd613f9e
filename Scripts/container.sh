#!/bin/sh
# The Dockerfile's steps, which can be run by hand in a bare Debian 12 or Ubuntu 22.04, or newer, that has Swift's
# toolchain in PATH:
#
#     container.sh packages             installs what building and testing need, as root
#     container.sh build [1]            fetches what camtl needs and builds it; 1 takes PyTorch's CUDA libraries
#     container.sh test                 runs all tests
#     container.sh install FOLDER       puts the program into FOLDER/bin and libtorch into FOLDER/lib
#     container.sh runtime-packages     installs what the installed program needs, as root

set -eu

# PyTorch with CUDA, where `build 1` puts it.
cuda_python=/opt/camtl-torch

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install --yes --no-install-recommends "$@"
    rm -rf /var/lib/apt/lists/*
}

# A libtorch that was built for CUDA is used from where it was installed, beside the libraries that it loads.
use_libtorch() {
    torch=$(echo "$cuda_python"/lib/python3*/site-packages/torch)
    if [ -d "$torch" ]; then
        export LIBTORCH_DIR="$torch"
    fi
}

case "${1:-}" in
packages)
    # The second line is what the Swift toolchain itself needs, which Swift's own images have already.
    install_packages \
        bash ca-certificates g++ git make pkg-config python3 python3-pip python3-venv unzip zlib1g-dev \
        binutils libc6-dev libcurl4-openssl-dev libedit2 libncurses6 libsqlite3-0 libxml2-dev libz3-dev tzdata
    ;;
build)
    if [ "${2:-}" = 1 ]; then
        # The version that Scripts/setup.py fetches, with all that it depends on.
        version=$(sed -n 's/^TORCH = "\(.*\)"/\1/p' Scripts/setup.py)
        python3 -m venv "$cuda_python"
        "$cuda_python/bin/pip" install --no-cache-dir "torch==$version"
    fi
    use_libtorch
    make build
    ;;
test)
    use_libtorch
    make test
    ;;
install)
    folder=${2:?container.sh install FOLDER}
    mkdir -p "$folder/bin" "$folder/lib"
    cp .build/release/camtl "$folder/bin/camtl"
    use_libtorch
    libtorch=${LIBTORCH_DIR:-.libtorch}
    cp -RL "$libtorch/lib/." "$folder/lib/"
    # CUDA's libraries lie in packages beside torch.
    if [ -d "$libtorch/../nvidia" ]; then
        find "$libtorch/../nvidia" -name '*.so*' -exec cp -L {} "$folder/lib/" \;
    fi
    ;;
runtime-packages)
    install_packages ca-certificates libcurl4 zlib1g
    ;;
*)
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
