#!/bin/sh
# versions.sh MODULES LUA:FOLDER...: each module in each interpreter. It works in that of its version, and
# says so in every other. LuaJIT and Lua 5.1 take each other's.
set -u
modules=$1
shift
failed=
for each in "$@"; do
    lua=${each%%:*}
    for other in "$@"; do
        folder=${other##*:}
        said=$(LUA_CPATH="$modules/$folder/?.so" "$lua" -e '
            local found, module = pcall(require, "hakmem")
            print(found and tostring(module.install()) or module)' 2>&1) || failed="$failed $folder in $lua"
        suits=$(case "${each##*:} $folder" in *j*j* | *j*5.1 | 5.1\ *j*) echo yes ;; esac)
        [ "${each##*:}" != "$folder" ] || suits=yes
        case $folder in jit*) version=5.1 ;; *) version=$folder ;; esac
        case "$suits $said" in
        yes\ true | *"built for Lua $version, but the interpreter is Lua "*) ;;
        *)
            failed="$failed $folder in $lua"
            echo "the module for $folder in $lua: $said"
            ;;
        esac
    done
done
[ -z "$failed" ] || exit 1
echo "versions: $# modules in $# interpreters"
