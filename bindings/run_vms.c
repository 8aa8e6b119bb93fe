#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* asprintf */
#endif
#include "run_vms.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

/* Sets a variable as printf makes it. */
__attribute__((format(printf, 2, 3))) static void set(const char *name, const char *format, ...)
{
    va_list arguments;
    char *value;
    va_start(arguments, format);
    if (vasprintf(&value, format, arguments) < 0) abort();
    va_end(arguments);
    setenv(name, value, 1);
    free(value);
}

/* ------------------------------------------------------------------ Python */

static void set_python(const char *folder)
{
    const char *others = getenv("PYTHONPATH");
    bool more = others && *others;
    set("PYTHONPATH", "%s/hakmem-run%s%s", folder, more ? ":" : "", more ? others : "");
    setenv("HAKMEM_PYTHON", "1", 0);
}

/* ------------------------------------------------------------------ Lua */

#define LOAD "pcall(require, 'hakmem.auto');"

/* Quotes a text for Lua: long brackets of a level that it does not end. */
static void load_file_after(const char *variable, const char *file)
{
    char close[64] = "]]";
    for (size_t level = 1; strstr(file, close) && level < sizeof close - 2; level++) {
        memset(close + 1, '=', level);
        strcpy(close + 1 + level, "]");
    }
    int level = (int)strlen(close) - 2;
    set(variable, LOAD " dofile[%.*s[%s%s", level, close + 1, file, close);
}

/* The variable keeps what the user has it do: a text, or the name of a file behind an @. */
static void set_init(const char *variable)
{
    const char *init = getenv(variable);
    if (init && strncmp(init, LOAD, strlen(LOAD)) == 0) return;
    if (init && init[0] == '@') load_file_after(variable, init + 1);
    else set(variable, LOAD " %s", init ? init : "");
}

static bool wants_lua(void)
{
    const char *value = getenv("HAKMEM_LUA");
    size_t on = 0;
    if (!value) return true;
    if (!*value || hak__value_parse_flag(value, strlen(value), &on)) return on;
    fprintf(stderr, "hakmem run: HAKMEM_LUA is '%.40s', accepted are " HAK_FLAG_VALUES "\n", value);
    return false;
}

/* A variable for one version comes before LUA_INIT. */
static void set_lua(void)
{
    static const char *const versions[] = {"LUA_INIT_5_2", "LUA_INIT_5_3", "LUA_INIT_5_4",
                                           "LUA_INIT_5_5"};
    if (!wants_lua()) return;
    set_init("LUA_INIT");
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        if (getenv(versions[i])) set_init(versions[i]);
    }
}

void hak__run_vms(const char *folder)
{
    set_python(folder);
    set_lua();
}
