#!/bin/sh
# systems.sh FOLDER [RELEASE...]: runs `make demo` and `make test` on fresh systems: Debian 12, 13 and
# unstable (bookworm, trixie, sid), or those named. Each is a root of its own in FOLDER with git, make
# and a compiler, and without what this machine has installed; the last commit is cloned into it. Says
# for each what passed and how long it took; FOLDER/RELEASE.COMMAND.log has all that was printed.
#
# Needs root and debootstrap. The roots use the mirror, the certificates and the proxies that apt and
# pip are set up with here.
set -eu

# What is mounted below is this process's own and goes with it.
[ -n "${IN_OWN_MOUNTS-}" ] || IN_OWN_MOUNTS=yes exec unshare --mount "$0" "$@"

here=$(cd "$(dirname "$0")/.." && pwd)
[ $# -gt 0 ] || { echo "usage: systems.sh FOLDER [RELEASE...]" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- bookworm trixie sid

fail() {
    echo "hakmem: $*" >&2
    exit 1
}
[ "$(id -u)" = 0 ] || fail "fresh systems need root: sudo make systems"
command -v debootstrap >/dev/null || fail "debootstrap is missing; run: apt-get install debootstrap"
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
certificates=/etc/ssl/certs/ca-certificates.crt

# A system as debootstrap leaves it, made once, and a copy of it to work in.
enter() {
    base=$folder/$1.base
    if [ ! -d "$base" ]; then
        rm -rf "$base.begun"
        debootstrap --variant=minbase --include=git,make,gcc,libc6-dev,ca-certificates \
            "$1" "$base.begun" "$mirror" >"$folder/$1.debootstrap.log" 2>&1 ||
            fail "debootstrap $1 failed: see $folder/$1.debootstrap.log"
        mv "$base.begun" "$base"
    fi
    rm -rf "${folder:?}/$1"
    cp -a --reflink=auto "$base" "$folder/$1"
    root=$folder/$1
    for file in /etc/resolv.conf /etc/hosts /etc/pip.conf $certificates \
        $(grep -l Acquire /etc/apt/apt.conf.d/* || true); do
        [ ! -f "$file" ] || cp -L "$file" "$root$file"
    done
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount --bind /dev "$root/dev"
    mount -t devpts devpts "$root/dev/pts"
    mount -t tmpfs tmpfs "$root/dev/shm"
    git clone -q --no-local "$here" "$root/hakmem"
}

# inside COMMAND...
inside() {
    settings=$(env | sed -n -E 's/^((https?|no)_proxy|PIP_(CERT|INDEX_URL|TRUSTED_HOST))=.*/\1/Ip')
    for setting in $settings; do
        eval "value=\$$setting"
        set -- "$setting=$value" "$@"
    done
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" /usr/bin/env \
        HOME=/root LANG=C.UTF-8 TERM=dumb DEBIAN_FRONTEND=noninteractive SSL_CERT_FILE=$certificates "$@"
}

packages() {
    inside dpkg-query -W -f '${db:Status-Status}\n' | grep -c '^installed$'
}

failed=
for release in "$@"; do
    enter "$release"
    inside apt-get update -q >"$folder/$release.update.log" 2>&1 ||
        fail "apt-get update failed in $release: see $folder/$release.update.log"
    for command in demo test; do
        before=$(packages)
        began=$(date +%s)
        result=passed
        inside make -C /hakmem "$command" >"$folder/$release.$command.log" 2>&1 || result=FAILED
        [ $result = passed ] || failed=yes
        printf '%s: make %s: %s in %d s, %d packages installed\n' "$release" "$command" $result \
            $(($(date +%s) - began)) $(($(packages) - before))
    done
done
[ -z "$failed" ]
