#!/bin/sh
# cmocka.sh FOLDER: the library of the C tests, for a compiler that cannot use Debian's (CC=musl-gcc,
# CC=aarch64-linux-gnu-gcc): FOLDER/include and FOLDER/lib, made of Debian's source package. What is there
# already is left.
set -eu
mkdir -p "$1/include" "$1/lib"
here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "$1" && pwd)
cc=${CC:-cc}
ar=${AR:-$($cc -print-prog-name=ar)}
[ ! -e "$folder/lib/libcmocka.a" ] || exit 0

archive=$("$here/debian_source.sh" "$folder/sources" - cmocka)
rm -rf "$folder/sources/tree"
mkdir "$folder/sources/tree"
tar xf "$archive" -C "$folder/sources/tree" --strip-components=1
cd "$folder/sources/tree"

# What its CMake asks of a system, as both of these have it.
cat >config.h <<END
#define HAVE_ASSERT_H 1
#define HAVE_INTTYPES_H 1
#define HAVE_MALLOC_H 1
#define HAVE_SETJMP_H 1
#define HAVE_SIGNAL_H 1
#define HAVE_STDARG_H 1
#define HAVE_STDDEF_H 1
#define HAVE_STDINT_H 1
#define HAVE_STDIO_H 1
#define HAVE_STDLIB_H 1
#define HAVE_STRINGS_H 1
#define HAVE_STRING_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_TIME_H 1
#define HAVE_UNISTD_H 1
#define HAVE_STRUCT_TIMESPEC 1
#define HAVE_CLOCK_GETTIME 1
#define HAVE_CLOCK_REALTIME 1
#define HAVE_GCC_THREAD_LOCAL_STORAGE 1
#define HAVE_SIGLONGJMP 1
#define HAVE_SNPRINTF 1
#define HAVE_STRSIGNAL 1
#define HAVE_VSNPRINTF 1
END
$cc -std=gnu11 -O2 -w -DHAVE_CONFIG_H -I. -Iinclude -c src/cmocka.c -o cmocka.o
cp include/cmocka*.h "$folder/include"
$ar rcs "$folder/lib/libcmocka.a.begun" cmocka.o
mv "$folder/lib/libcmocka.a.begun" "$folder/lib/libcmocka.a"
