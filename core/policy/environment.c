#include "policy/environment.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hakmem.h"
#include "os/os.h"
#include "policy/values.h"

hak_environment hak__environment[HAK_OPTIONS];
static const hak_profile *environment_profile; /* NULL: not set, or not accepted */
static const char *unknown_profile;            /* the value of HAKMEM_PROFILE if it is not a
                                                * profile */
static bool ignores_environment;
static hak_once once;

/* A profile by its name, in any case. */
static const hak_profile *profile_of(const char *text)
{
    char small[32], large[sizeof small];
    size_t length = strlen(text);
    if (length >= sizeof small) return NULL;
    for (size_t i = 0; i <= length; i++) {
        small[i] = hak__word_lower(text[i]);
        large[i] = hak__word_upper(text[i]);
    }
    const hak_profile *profile = hak__profile_named(small);
    return profile ? profile : hak__profile_named(large);
}

static void warn_of_build(const char *variable)
{
    char what[96], why[96];
    snprintf(what, sizeof what, "%s is ignored", variable);
    snprintf(why, sizeof why, "the profile of this build is fixed to %s",
             hak__profile_fixed()->name);
    hak__warn(what, why);
}

#define PREFIX "HAKMEM_"

/* Other variables of the project: the switches of CPython's startup file, and of Lua's under `hakmem
 * run`; those of what replaces malloc. */
static const char *const others[] = {PREFIX "PYTHON", PREFIX "LUA", PREFIX "FORCE_LIBC_ALLOC",
                                     PREFIX "STATS"};

enum { NAME_SIZE = HAK_WORD_MOST, VARIABLES = 2 * HAK_OPTIONS + sizeof others / sizeof *others };

/* The names of variables, by number. For each option there are two, often the same: the one in the
 * table, and the one made of the option's name. The others follow. */
static const char *variable_name(size_t number, char name[NAME_SIZE])
{
    if (number >= 2 * HAK_OPTIONS) return others[number - 2 * HAK_OPTIONS];
    const hak_option_entry *option = &hak__option_table[number / 2];
    if (number % 2 == 0) return option->variable;
    /* not by snprintf, which would touch 128 KiB of libc in each process */
    strcat(strcpy(name, PREFIX), option->name);
    for (char *letter = name; *letter; letter++) *letter = hak__word_upper(*letter);
    return name;
}

static void read_profile(const char *variable, size_t index, const char *text)
{
    const hak_profile *profile = profile_of(text);
    if (!profile) {
        unknown_profile = text; /* reported when the profile is used */
    } else if (hak__profile_against_build(profile)) {
        warn_of_build(variable);
    } else {
        environment_profile = profile;
        hak__environment[index].value = text;
    }
}

static void read_value(const char *variable, size_t index, const char *text)
{
    const hak_option_entry *option = &hak__option_table[index];
    size_t number = 0;
    if (!hak__value_parse(option, text, strlen(text), &number)) {
        char what[128], why[128], range[96], value[HAK_WORD_SHOWN];
        hak__value_range(option, range, sizeof range);
        snprintf(what, sizeof what, "%s is '%s', which is ignored", variable,
                 hak__word_shown(text, strlen(text), value));
        snprintf(why, sizeof why, "accepted are %s", range);
        hak__warn(what, why);
    } else if (hak__option_against_build(option, number)) {
        warn_of_build(variable);
    } else {
        hak__environment[index].value = text;
        hak__environment[index].number = number;
    }
}

static void read_variable(size_t index)
{
    for (size_t number = 2 * index; number < 2 * index + 2; number++) {
        char own[NAME_SIZE];
        const char *variable = variable_name(number, own), *text = getenv(variable);
        if (!text || !*text) continue;
        if (hak__option_table[index].kind == HAK_OPTION_PROFILE)
            read_profile(variable, index, text);
        else read_value(variable, index, text);
        return;
    }
}

static bool is_known(const char *variable, size_t length)
{
    char name[NAME_SIZE];
    for (size_t number = 0; number < VARIABLES; number++) {
        const char *known = variable_name(number, name);
        if (strlen(known) == length && memcmp(known, variable, length) == 0) return true;
    }
    return false;
}

/* The number of the variable whose name is nearest to `variable`. */
static size_t nearest_to(const char *variable, size_t length)
{
    char name[NAME_SIZE];
    size_t nearest = 0, least = SIZE_MAX;
    for (size_t number = 0; number < VARIABLES; number++) {
        size_t distance = hak__word_distance(variable, length, variable_name(number, name));
        if (distance >= least) continue;
        least = distance;
        nearest = number;
    }
    return nearest;
}

/* Warns of a variable with our prefix that does not exist. */
static void check_name(const char *variable, size_t length)
{
    char what[96], why[128], begin[HAK_WORD_SHOWN], name[NAME_SIZE];
    if (is_known(variable, length)) return;
    snprintf(what, sizeof what, "%s is ignored", hak__word_shown(variable, length, begin));
    snprintf(why, sizeof why, "there is no such variable, the nearest is %s",
             variable_name(nearest_to(variable, length), name));
    hak__warn(what, why);
}

static void check_names(void)
{
    extern char **environ;
    for (char **at = environ; at && *at; at++) {
        const char *end = strchr(*at, '=');
        if (!end || !end[1] || strncmp(*at, PREFIX, strlen(PREFIX)) != 0) continue;
        check_name(*at, (size_t)(end - *at));
    }
}

size_t *hak__environment_number(const char *name)
{
    for (size_t i = 0; i < HAK_OPTIONS; i++) {
        if (strcmp(hak__option_table[i].name, name) == 0) return &hak__environment[i].number;
    }
    return NULL;
}

static void read_environment(void)
{
    *hak__environment_number("trace") = HAK_TRACE_USUAL;
    if (ignores_environment || hak__os_has_more_rights()) return;
    check_names();
    for (size_t i = 0; i < HAK_OPTIONS; i++) read_variable(i);
}

void hak__environment_ignore(void)
{
    ignores_environment = true;
}

void hak__environment_read(void)
{
    hak__once(&once, read_environment);
}

const hak_profile *hak__environment_profile(void)
{
    static atomic_bool warned;
    const hak_profile *base = hak__profile_fixed();
    if (!base) base = environment_profile;
    if (!base) base = hak__profile_named(HAK_PROFILE_DEFAULT);
    if (unknown_profile && !atomic_exchange(&warned, true)) {
        char what[128], why[96], value[HAK_WORD_SHOWN];
        snprintf(what, sizeof what, "HAKMEM_PROFILE is '%s', which is no profile, using %s",
                 hak__word_shown(unknown_profile, strlen(unknown_profile), value), base->name);
        snprintf(why, sizeof why, "accepted are %s", hak_profile_names());
        hak__warn(what, why);
    }
    return base;
}
