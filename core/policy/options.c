#include "policy/options.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"

#define MIB     ((size_t)1 << 20)
#define MOST    ((size_t)1 << 40) /* of bytes */
#define NOWHERE SIZE_MAX          /* not a field of profiles */

#define DEFAULT_PROFILE "balanced"
#define TRACE_USUAL     65536     /* events */
#define WARM_SUPERSLAB  (4 * MIB) /* what the warm pool counts in */

typedef enum kind { PROFILE, FLAG, NUMBER, BYTES, DECOMMIT } kind;

typedef struct entry {
    const char *name, *variable;
    kind kind;
    size_t least, most, step; /* of a number */
    size_t field, width;      /* of hak_profile: its offset and its size */
    const char *help;
} entry;

#define FIELD(name)     offsetof(hak_profile, name)
#define NUMBER_OF(name) FIELD(name), sizeof(((hak_profile *)0)->name)

/* In the order in which they are applied. */
static const entry options[] = {
    {"profile", "HAKMEM_PROFILE", PROFILE, 0, 0, 0, NOWHERE, 0,
     "what a heap trades between speed and memory"},
    {"mem_lean", "HAKMEM_SS_MEM_LEAN", FLAG, 0, 1, 1, NUMBER_OF(mem_lean),
     "1: no more is retained than balanced does"},
    {"warm_pool", "HAKMEM_WARM_POOL_SIZE", NUMBER, 0, 65536, 1, NUMBER_OF(warm_pool),
     "free superslabs of 4 MiB a heap may retain, and the process for new heaps"},
    {"decommit", "HAKMEM_SS_MEM_LEAN_DECOMMIT", DECOMMIT, 0, 2, 1, NUMBER_OF(decommit),
     "how free pages go back to the OS: not by policy, when it wants them, at once"},
    {"carve", "HAKMEM_CARVE", BYTES, HAK_PAGE, (size_t)1 << HAK_UNIT_SHIFT, HAK_PAGE,
     NUMBER_OF(carve), "bytes of new blocks prepared at a time"},
    {"retain_least", "HAKMEM_RETAIN_LEAST", BYTES, 0, MOST, 1, NUMBER_OF(retain_least),
     "bytes of free memory a heap may always retain"},
    {"retain_busy", "HAKMEM_RETAIN_BUSY", BYTES, 0, MOST, 1, NUMBER_OF(retain_busy),
     "up to so many while what it gave back is soon needed again"},
    {"retain_part", "HAKMEM_RETAIN_PART", NUMBER, 0, 1000, 1, NUMBER_OF(retain_part),
     "hundredths of the recent peak it may retain beside them"},
    {"decay", "HAKMEM_DECAY", NUMBER, 0, 60000, 1, NUMBER_OF(decay),
     "milliseconds that whole superslabs and huge blocks beyond that wait before they go"},
    {"pool", "HAKMEM_POOL", BYTES, 0, MOST, 1, NUMBER_OF(pool),
     "bytes of destroyed heaps that the process keeps for new ones"},
    {"wake", "HAKMEM_WAKE", NUMBER, 1, 31, 1, NUMBER_OF(wake),
     "a full slab is used again when 1/2^N of it is free"},
    {"kinds", "HAKMEM_KINDS", FLAG, 0, 1, 1, NUMBER_OF(kinds),
     "1, from a heap's beginning: kinds of block lie apart, and are counted (Lua 5.2 to 5.4)"},
    {"prewarm", "HAKMEM_PREWARM", BYTES, 0, MOST, 1, NOWHERE, 0,
     "bytes touched ahead when a heap is made"},
    {"os_stats", "HAKMEM_SS_OS_STATS", FLAG, 0, 1, 1, NOWHERE, 0,
     "1: a line on stderr at exit tells the calls to the OS"},
    {"trace", "HAKMEM_TRACE", NUMBER, 0, (size_t)1 << 24, 1, NOWHERE, 0,
     "the last events that the trace of an observed heap holds"},
};

#define OPTIONS (sizeof options / sizeof *options)

static const char *const decommits[] = {"OFF", "FREE", "DONTNEED"};

/* What the environment says. */
static struct {
    const char *value; /* NULL: nothing, or nothing that is accepted */
    size_t number;
} environment[OPTIONS];
static const hak_profile *environment_profile; /* NULL: none that is accepted */
static const char *unknown_profile;            /* what it names that is none */
static bool ignores_environment;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ------------------------------------------------------------------ values */

#define SUFFIXES ", also with k, kb, kib, m, mb, mib, g, gb, gib"

static void describe_range(const entry *option, char *text, size_t size)
{
    switch (option->kind) {
    case PROFILE: snprintf(text, size, "%s", hak_profile_names()); break;
    case FLAG: snprintf(text, size, "0, 1, no, yes, off, on, false, true"); break;
    case DECOMMIT: snprintf(text, size, "OFF, FREE, DONTNEED"); break;
    default:
        snprintf(text, size, "%zu to %zu%s%s", option->least, option->most,
                 option->step > 1 ? ", in pages of 4096" : "",
                 option->kind == BYTES ? SUFFIXES : "");
    }
}

/* Every second word means 1. */
static bool parse_flag(const char *text, size_t length, size_t *value)
{
    static const char *const words[] = {"0", "1", "no", "yes", "off", "on", "false", "true"};
    bool known = hak__word_among(words, sizeof words / sizeof *words, text, length, value);
    *value %= 2;
    return known;
}

/* How far a unit of bytes shifts a number: k, kb and kib are all 1,024. */
static bool parse_unit(const char *text, size_t length, size_t *shift)
{
    static const char *const units[] = {"k", "m", "g", "kb", "mb", "gb", "kib", "mib", "gib"};
    bool known = hak__word_among(units, sizeof units / sizeof *units, text, length, shift);
    *shift = *shift % 3 * 10 + 10;
    return known;
}

/* A whole number; of bytes, a unit may follow. */
static bool parse_number(const entry *option, const char *text, size_t length, size_t *value)
{
    size_t number = 0, i = 0, shift = 0;
    for (; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
        if (number > MOST) return false;
        number = number * 10 + (size_t)(text[i] - '0');
    }
    if (i == 0) return false;
    if (i < length && (option->kind != BYTES || !parse_unit(text + i, length - i, &shift)))
        return false;
    if (number > MOST >> shift) return false;
    *value = number << shift;
    return *value >= option->least && *value <= option->most && *value % option->step == 0;
}

static bool parse(const entry *option, const char *text, size_t length, size_t *value)
{
    if (option->kind == FLAG) return parse_flag(text, length, value);
    if (option->kind != DECOMMIT) return parse_number(option, text, length, value);
    return hak__word_among(decommits, sizeof decommits / sizeof *decommits, text, length, value);
}

/* A profile by its name in any case, as people write variables. */
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

static void print(const entry *option, size_t value, char *text, size_t size)
{
    if (option->kind == DECOMMIT) snprintf(text, size, "%s", decommits[value]);
    else if (value == HAK_UNSET) snprintf(text, size, "unset");
    else snprintf(text, size, "%zu", value);
}

/* ------------------------------------------------------------------ setting them */

static size_t value_of(const hak_profile *profile, const entry *option)
{
    const char *field = (const char *)profile + option->field;
    if (option->width == sizeof(size_t)) return *(const size_t *)field;
    uint32_t value = *(const uint32_t *)field;
    return value == HAK_UNSET_SMALL ? HAK_UNSET : value;
}

static void set_value(hak_profile *profile, const entry *option, size_t value)
{
    char *field = (char *)profile + option->field;
    if (option->width == sizeof(size_t)) *(size_t *)field = value;
    else *(uint32_t *)field = (uint32_t)value;
}

#define AT_MOST(value, most) ((value) = (value) < (most) ? (value) : (most))

static void apply(hak_profile *profile, const entry *option, size_t value)
{
    if (option->field == NOWHERE) return;
    set_value(profile, option, value);
    if (option->field == FIELD(mem_lean) && value) {
        const hak_profile *balanced = hak__profile_named("balanced");
        AT_MOST(profile->retain_least, balanced->retain_least);
        AT_MOST(profile->retain_busy, balanced->retain_busy);
        AT_MOST(profile->retain_part, balanced->retain_part);
        AT_MOST(profile->pool, balanced->pool);
    } else if (option->field == FIELD(warm_pool)) {
        profile->retain_least = profile->retain_busy = profile->pool = value * WARM_SUPERSLAB;
        profile->retain_part = 0;
    } else if (option->field == FIELD(retain_least)) {
        profile->retain_busy = value;
    } else if (option->field == FIELD(wake)) {
        profile->wake_in_order = profile->wake;
    }
}

/* ------------------------------------------------------------------ a build's fixed profile */

static bool of_a_profile(const entry *option)
{
    return option->kind == PROFILE || option->field != NOWHERE;
}

/* Whether the build's profile is fixed, and the option would have it another. */
static bool against_build(const entry *option, size_t value)
{
    const hak_profile *fixed = hak__profile_fixed();
    if (!fixed) return false;
    hak_profile refined = *fixed;
    apply(&refined, option, value);
    return memcmp(&refined, fixed, sizeof refined) != 0;
}

static bool profile_against_build(const hak_profile *profile)
{
    const hak_profile *fixed = hak__profile_fixed();
    return fixed && strcmp(profile->name, fixed->name) != 0;
}

static void warn_of_build(const char *variable)
{
    char what[96], why[96];
    snprintf(what, sizeof what, "%s is ignored", variable);
    snprintf(why, sizeof why, "the profile of this build is fixed to %s",
             hak__profile_fixed()->name);
    hak__warn(what, why);
}

/* ------------------------------------------------------------------ the environment */

#define PREFIX "HAKMEM_"

/* What else the project reads: the switch of CPython's startup file. */
static const char *const others[] = {PREFIX "PYTHON"};

enum { NAME_SIZE = HAK_WORD_MOST, VARIABLES = 2 * OPTIONS + sizeof others / sizeof *others };

/* The names of variables, by number: of each option the one of the table, and the one that its name
 * makes, which are often the same; then the others. */
static const char *variable_name(size_t number, char name[NAME_SIZE])
{
    if (number >= 2 * OPTIONS) return others[number - 2 * OPTIONS];
    const entry *option = &options[number / 2];
    if (number % 2 == 0) return option->variable;
    /* snprintf would touch 128 KiB of libc in each process. */
    strcat(strcpy(name, PREFIX), option->name);
    for (char *letter = name; *letter; letter++) *letter = hak__word_upper(*letter);
    return name;
}

static void read_profile(const char *variable, size_t index, const char *text)
{
    const hak_profile *profile = profile_of(text);
    if (!profile) {
        unknown_profile = text; /* warned of where it is used */
    } else if (profile_against_build(profile)) {
        warn_of_build(variable);
    } else {
        environment_profile = profile;
        environment[index].value = text;
    }
}

static void read_value(const char *variable, size_t index, const char *text)
{
    const entry *option = &options[index];
    size_t number = 0;
    if (!parse(option, text, strlen(text), &number)) {
        char what[128], why[128], range[96], value[HAK_WORD_SHOWN];
        describe_range(option, range, sizeof range);
        snprintf(what, sizeof what, "%s is '%s', which is ignored", variable,
                 hak__word_shown(text, strlen(text), value));
        snprintf(why, sizeof why, "accepted are %s", range);
        hak__warn(what, why);
    } else if (against_build(option, number)) {
        warn_of_build(variable);
    } else {
        environment[index].value = text;
        environment[index].number = number;
    }
}

static void read_variable(size_t index)
{
    for (size_t number = 2 * index; number < 2 * index + 2; number++) {
        char own[NAME_SIZE];
        const char *variable = variable_name(number, own), *text = getenv(variable);
        if (!text || !*text) continue;
        if (options[index].kind == PROFILE) read_profile(variable, index, text);
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

/* The number of the variable whose name is like that one the most. */
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

/* Warns of a variable that has our prefix and no meaning. */
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

static size_t *value_for_process(const char *name)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        if (strcmp(options[i].name, name) == 0) return &environment[i].number;
    }
    return NULL;
}

static void read_environment(void)
{
    *value_for_process("trace") = TRACE_USUAL;
    if (ignores_environment) return;
    check_names();
    for (size_t i = 0; i < OPTIONS; i++) read_variable(i);
}

void hak__options_ignore_environment(void)
{
    ignores_environment = true;
}

/* What a heap has that names no profile. */
static const hak_profile *default_profile(void)
{
    static atomic_bool warned;
    const hak_profile *base = hak__profile_fixed();
    if (!base) base = environment_profile;
    if (!base) base = hak__profile_named(DEFAULT_PROFILE);
    if (unknown_profile && !atomic_exchange(&warned, true)) {
        char what[128], why[96], value[HAK_WORD_SHOWN];
        snprintf(what, sizeof what, "HAKMEM_PROFILE is '%s', which is no profile, using %s",
                 hak__word_shown(unknown_profile, strlen(unknown_profile), value), base->name);
        snprintf(why, sizeof why, "accepted are %s", hak_profile_names());
        hak__warn(what, why);
    }
    return base;
}

void hak__options_profile(const char *name, hak_profile *profile)
{
    pthread_once(&once, read_environment);
    *profile = name ? *hak__profile_named(name) : *default_profile();
    for (size_t i = 0; i < OPTIONS; i++) {
        if (environment[i].value) apply(profile, &options[i], environment[i].number);
    }
}

static size_t for_process(const char *name)
{
    pthread_once(&once, read_environment);
    return *value_for_process(name);
}

bool hak__options_os_stats(void)
{
    return for_process("os_stats") != 0;
}

size_t hak__options_prewarm(void)
{
    return for_process("prewarm");
}

size_t hak__options_trace(void)
{
    return for_process("trace");
}

/* ------------------------------------------------------------------ a heap's own */

__attribute__((format(printf, 4, 5))) static bool refuse(int error, char *message, size_t size,
                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (size) vsnprintf(message, size, format, args);
    va_end(args);
    errno = error;
    return false;
}

bool hak_profile_valid(const char *name, char *message, size_t size)
{
    const hak_profile *profile = name ? hak__profile_named(name) : NULL;
    if (!profile)
        return refuse(EINVAL, message, size, "unknown profile '%s', accepted are: %s",
                      name ? name : "", hak_profile_names());
    if (profile_against_build(profile))
        return refuse(ENOTSUP, message, size,
                      "profile '%s' is not to be had: the profile of this build is fixed to %s",
                      name, hak_profile_names());
    return true;
}

/* The names of the options that a heap may set, for messages. */
static void list_names(char *text, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < OPTIONS; i++) {
        if (options[i].field == NOWHERE) continue;
        int n = snprintf(text + length, size - length, "%s%s", length ? ", " : "", options[i].name);
        if (n < 0 || (size_t)n >= size - length) return;
        length += (size_t)n;
    }
}

static const entry *named(const char *name, size_t length)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        const entry *option = &options[i];
        if (option->field == NOWHERE) continue;
        if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
            return option;
    }
    return NULL;
}

bool hak__options_refine(hak_profile *profile, uint32_t *given, const char *settings, char *message,
                         size_t size)
{
    size_t values[OPTIONS];
    uint32_t set = 0;
    const char *separators = " ,";
    for (const char *at = settings + strspn(settings, separators); *at;) {
        size_t length = strcspn(at, separators), name_length = strcspn(at, "= ,");
        const entry *option = named(at, name_length);
        if (!option) {
            char names[256];
            list_names(names, sizeof names);
            return refuse(EINVAL, message, size, "unknown option '%.*s', accepted are: %s",
                          (int)name_length, at, names);
        }
        size_t index = (size_t)(option - options);
        size_t begin = name_length < length ? name_length + 1 : length;
        if (!parse(option, at + begin, length - begin, &values[index])) {
            char range[96];
            describe_range(option, range, sizeof range);
            return refuse(EINVAL, message, size, "option '%s' cannot be '%.*s', accepted are: %s",
                          option->name, (int)(length - begin), at + begin, range);
        }
        if (against_build(option, values[index]))
            return refuse(ENOTSUP, message, size,
                          "option '%s' cannot be '%.*s': the profile of this build is fixed to %s",
                          option->name, (int)(length - begin), at + begin, hak_profile_names());
        set |= (uint32_t)1 << index;
        at += length;
        at += strspn(at, separators);
    }
    for (size_t i = 0; i < OPTIONS; i++) {
        if (set >> i & 1) apply(profile, &options[i], values[i]);
    }
    *given |= set;
    return true;
}

bool hak_settings_valid(const char *settings, char *message, size_t size)
{
    hak_profile profile = *hak__profile_named(DEFAULT_PROFILE);
    return hak__options_refine(&profile, &(uint32_t){0}, settings, message, size);
}

uint32_t hak__options_lasting(void)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < OPTIONS; i++) {
        if (options[i].field == FIELD(kinds)) bits |= (uint32_t)1 << i;
    }
    return bits;
}

bool hak__options_may_follow(const hak_profile *from, const hak_profile *to, char *message,
                             size_t size)
{
    if (from->kinds == to->kinds) return true;
    return refuse(EINVAL, message, size,
                  "option 'kinds' is %u in this heap: it can be set only when one is made",
                  from->kinds);
}

/* ------------------------------------------------------------------ telling */

static const char *origin_of(size_t index, uint32_t given, const entry *option)
{
    if (hak__profile_fixed() && of_a_profile(option)) return "build";
    if (given >> index & 1) return "heap";
    if (environment[index].value) return "environment";
    return option->field == NOWHERE ? "default" : "profile";
}

size_t hak__options_list(const hak_profile *profile, uint32_t given, hak_option *list, size_t most)
{
    static const char *const types[] = {"name", "flag", "number", "bytes", "name"};
    pthread_once(&once, read_environment);
    for (size_t i = 0; i < OPTIONS && i < most; i++) {
        const entry *option = &options[i];
        list[i] = (hak_option){
            .name = option->name,
            .variable = option->variable,
            .type = types[option->kind],
            .help = option->help,
            .origin = origin_of(i, given, option),
        };
        describe_range(option, list[i].range, sizeof list[i].range);
        if (option->kind == PROFILE) {
            snprintf(list[i].value, sizeof list[i].value, "%s", profile->name);
        } else {
            size_t value =
                option->field == NOWHERE ? environment[i].number : value_of(profile, option);
            print(option, value, list[i].value, sizeof list[i].value);
        }
    }
    return OPTIONS;
}
