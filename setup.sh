#!/bin/sh
# Install the Debian packages that building firmware and running it on QEMU need; quiet where nothing is missing.
# Without root and without sudo it prints the line to type and exits 1.
set -eu

PYTHON="${PYTHON:-python3}"
missing=""

need() { missing="$missing $1"; }
has() { command -v "$1" >/dev/null 2>&1; }
# A compiler without its C library's headers is the usual half-installed state, so one header is compiled.
compiles() { has "$1" && echo '#include <string.h>' | "$1" -fsyntax-only -x c - 2>/dev/null; }

has qemu-system-arm || need qemu-system-arm
has arm-none-eabi-gcc || need gcc-arm-none-eabi
has arm-none-eabi-ld || need binutils-arm-none-eabi
compiles arm-none-eabi-gcc || need libnewlib-arm-none-eabi
has gcc || need gcc
# A test reads the generated header as C++.
has c++ || need g++
# Projects that `wvv micro create` writes, and loading them over a gdb server.
has make || need make
has cmake || need cmake
has gdb-multiarch || need gdb-multiarch
compiles gcc || need libc6-dev
# Debian splits ensurepip from its python3; other builds carry it.
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || need python3-venv

[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif has sudo && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    as_root="none"
fi

if [ "$as_root" = "none" ] || ! has apt-get; then
    echo "setup.sh: missing:$missing" >&2
    echo "on Debian, type:  sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

echo "setup.sh: installing:$missing" >&2
# Both variables are lists of words on purpose.
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q </dev/null >&2
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing </dev/null >&2
