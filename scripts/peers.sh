#!/bin/sh
# peers.sh FOLDER: allocators to compare with that Debian may not have, into FOLDER: mimalloc 3, as
# cmeel-mimalloc on PyPI has it built, and snmalloc, built as its authors build it from snmalloc-sys on
# crates.io. What is there already is left. Beside each library lies LIBRARY.version.
set -eu
mimalloc=3.4.3
snmalloc=0.7.6

mkdir -p "$1"
folder=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# has LIBRARY VERSION
has() {
    [ "$(cat "$folder/$1.version" 2>/dev/null)" = "$2" ] && [ -e "$folder/$1" ]
}

# keep FILE LIBRARY VERSION
keep() {
    cp -L "$1" "$folder/$2"
    echo "$3" >"$folder/$2.version"
}

# quietly COMMAND...: its output is shown if it fails.
quietly() {
    "$@" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        return 1
    }
}

mimalloc3() {
    cd "$work" &&
        quietly python3 -m pip download --no-deps --only-binary :all: "cmeel-mimalloc==$mimalloc" &&
        quietly python3 -m zipfile -e cmeel_mimalloc-*.whl wheel &&
        keep wheel/cmeel.prefix/lib/libmimalloc.so.3 libmimalloc.so.3 "$mimalloc"
}

manifest() {
    cat <<END
[package]
name = "peers"
version = "0.0.0"
[lib]
path = "empty.rs"
[dependencies]
snmalloc-sys = "=$snmalloc"
END
}

snmalloc() {
    mkdir "$work/crate" && cd "$work/crate" && manifest >Cargo.toml && : >empty.rs &&
        quietly cargo vendor && cd vendor/snmalloc-sys/upstream &&
        quietly cmake -S . -B build -DCMAKE_BUILD_TYPE=Release -DSNMALLOC_BUILD_TESTING=OFF &&
        quietly cmake --build build --target snmallocshim &&
        keep build/libsnmallocshim.so libsnmallocshim.so "$snmalloc"
}

has libmimalloc.so.3 "$mimalloc" || mimalloc3 || echo "hakmem: without mimalloc 3: see above" >&2
has libsnmallocshim.so "$snmalloc" || snmalloc || echo "hakmem: without snmalloc: see above" >&2
