#!/bin/sh
# debian_source.sh FOLDER RELEASES PACKAGE...: downloads what the authors of a Debian package have released,
# into FOLDER, and prints the archive's path: of the newest version that can be had of the first package
# that there is. RELEASES are Debian's, or "-" for the system's own. apt verifies what it fetches; the lists
# that this takes, which a machine may not have, lie in FOLDER, and nothing of the system is changed.
set -eu
mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
folder=$(cd "$1" && pwd)
releases=$2
shift 2
cd "$folder"

own() {
    program=$1
    shift
    "$program" -q -o Dir::Etc::SourceList="$folder/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State::Lists="$folder/lists" -o Dir::Cache="$folder/cache" \
        -o APT::Sandbox::User="$(id -un)" "$@"
}
packages='Created-By: Packages'
if [ "$releases" = - ]; then
    apt-get indextargets --format 'deb-src $(SITE) $(RELEASE) $(COMPONENT)' "$packages" |
        grep -E ' (main|universe)$' | sort -u
else
    mirror=$(apt-get indextargets --format '$(SITE)' "$packages" | head -n 1)
    for release in $releases; do
        echo "deb-src $mirror $release main"
    done
fi >sources.list

rm -f ./*.orig.tar.*
if own apt-get update >log 2>&1; then
    for package in "$@"; do
        for version in $(own apt-cache showsrc --only-source "$package" | sed -n 's/^Version: //p' | sort -rV); do
            own apt-get source --download-only --tar-only "$package=$version" >>log 2>&1 || continue
            for archive in "$folder"/*.orig.tar.*; do
                case $archive in *.asc) ;; *) echo "$archive" && exit 0 ;; esac
            done
        done
    done
fi
cat log >&2
echo "hakmem: apt cannot download the source package $*" >&2
exit 1
