#!/bin/sh
# The Dockerfile's steps, which can be run by hand in a bare Debian 12 or Ubuntu 22.04, or newer, that has Swift's
# toolchain in PATH:
#
#     container.sh packages             installs what building and testing need, as root
#     container.sh build [1]            fetches what camtl needs and builds it; 1 takes libtorch with CUDA
#     container.sh test [1]             runs all tests; needs Python 3.11 or newer (Debian 12, Ubuntu 24.04)
#     container.sh install FOLDER       puts the program into FOLDER/bin and its libraries, those of libtorch and of
#                                       Swift's runtime too, into FOLDER/lib
#     container.sh runtime-packages     installs what the installed program needs, as root

set -eu

device=cpu
if [ "${2:-}" = 1 ]; then
    device=cuda
fi

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install --yes --no-install-recommends "$@"
    rm -rf /var/lib/apt/lists/*
}

case "${1:-}" in
packages)
    # The second line is what the Swift toolchain itself needs, which Swift's own images have already.
    install_packages \
        bash ca-certificates g++ git make pkg-config python3 python3-pip python3-venv unzip zlib1g-dev \
        binutils libc6-dev libcurl4-openssl-dev libedit2 libncurses6 libsqlite3-0 libxml2-dev libz3-dev tzdata
    ;;
build)
    make build DEVICE="$device"
    ;;
test)
    make test DEVICE="$device"
    ;;
install)
    folder=${2:?container.sh install FOLDER}
    libtorch=${LIBTORCH_DIR:-.libtorch}
    mkdir -p "$folder/bin" "$folder/lib"
    cp .build/release/camtl "$folder/bin/camtl"
    cp "${CTORCH_DIR:-.build/ctorch}/libctorch.so" "$folder/lib/libctorch.so"
    cp -R "$libtorch/lib/." "$folder/lib/"
    # A Python package has NVIDIA's libraries beside it.
    if [ -e "$libtorch/__init__.py" ]; then
        for nvidia in "$libtorch"/../nvidia/*/lib; do
            if [ -d "$nvidia" ]; then cp -R "$nvidia/." "$folder/lib/"; fi
        done
    fi
    needed=$(ldd .build/release/camtl)
    printf '%s\n' "$needed" | sed -n 's|^.* => \(/.*/swift/linux/[^/]*\) (0x[0-9a-f]*)$|\1|p' |
        while read -r library; do cp "$library" "$folder/lib/"; done
    ;;
runtime-packages)
    install_packages ca-certificates libcurl4 zlib1g
    ;;
*)
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
