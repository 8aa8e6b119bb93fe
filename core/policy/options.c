#include "policy/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "os/os.h"
#include "policy/environment.h"
#include "policy/values.h"

void hak__options_profile(const char *name, hak_profile *profile)
{
    hak__environment_read();
    *profile = name ? *hak__profile_named(name) : *hak__environment_profile();
    for (size_t i = 0; i < HAK_OPTIONS; i++) {
        if (hak__environment[i].value)
            hak__option_apply(profile, &hak__option_table[i], hak__environment[i].number);
    }
}

static size_t for_process(const char *name)
{
    hak__environment_read();
    return *hak__environment_number(name);
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

/* ------------------------------------------------------------------ options of a heap */

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
    if (hak__profile_against_build(profile))
        return refuse(ENOTSUP, message, size,
                      "profile '%s' is not to be had: the profile of this build is fixed to %s",
                      name, hak_profile_names());
    return true;
}

/* The names of the options that a heap may set, for messages. */
static void list_names(char *text, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < HAK_OPTIONS; i++) {
        if (hak__option_table[i].field == HAK_NOWHERE) continue;
        int n = snprintf(text + length, size - length, "%s%s", length ? ", " : "",
                         hak__option_table[i].name);
        if (n < 0 || (size_t)n >= size - length) return;
        length += (size_t)n;
    }
}

static const hak_option_entry *named(const char *name, size_t length)
{
    for (size_t i = 0; i < HAK_OPTIONS; i++) {
        const hak_option_entry *option = &hak__option_table[i];
        if (option->field == HAK_NOWHERE) continue;
        if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
            return option;
    }
    return NULL;
}

bool hak__options_refine(hak_profile *profile, uint32_t *given, const char *settings, char *message,
                         size_t size)
{
    size_t values[HAK_OPTIONS];
    uint32_t set = 0;
    const char *separators = " ,";
    for (const char *at = settings + strspn(settings, separators); *at;) {
        size_t length = strcspn(at, separators), name_length = strcspn(at, "= ,");
        const hak_option_entry *option = named(at, name_length);
        if (!option) {
            char names[256];
            list_names(names, sizeof names);
            return refuse(EINVAL, message, size, "unknown option '%.*s', accepted are: %s",
                          (int)name_length, at, names);
        }
        size_t index = (size_t)(option - hak__option_table);
        size_t begin = name_length < length ? name_length + 1 : length;
        if (!hak__value_parse(option, at + begin, length - begin, &values[index])) {
            char range[96];
            hak__value_range(option, range, sizeof range);
            return refuse(EINVAL, message, size, "option '%s' cannot be '%.*s', accepted are: %s",
                          option->name, (int)(length - begin), at + begin, range);
        }
        if (hak__option_against_build(option, values[index]))
            return refuse(ENOTSUP, message, size,
                          "option '%s' cannot be '%.*s': the profile of this build is fixed to %s",
                          option->name, (int)(length - begin), at + begin, hak_profile_names());
        set |= (uint32_t)1 << index;
        at += length;
        at += strspn(at, separators);
    }
    for (size_t i = 0; i < HAK_OPTIONS; i++) {
        if (set >> i & 1) hak__option_apply(profile, &hak__option_table[i], values[i]);
    }
    *given |= set;
    return true;
}

bool hak_settings_valid(const char *settings, char *message, size_t size)
{
    hak_profile profile = *hak__profile_named(HAK_PROFILE_DEFAULT);
    return hak__options_refine(&profile, &(uint32_t){0}, settings, message, size);
}

uint32_t hak__options_lasting(void)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < HAK_OPTIONS; i++) {
        if (hak__option_table[i].field == HAK_FIELD(kinds)) bits |= (uint32_t)1 << i;
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

/* ------------------------------------------------------------------ listing */

static const char *origin_of(size_t index, uint32_t given, const hak_option_entry *option)
{
    if (hak__profile_fixed() && hak__option_of_profile(option)) return "build";
    if (given >> index & 1) return "heap";
    if (hak__environment[index].value) return "environment";
    return option->field == HAK_NOWHERE ? "default" : "profile";
}

size_t hak__options_list(const hak_profile *profile, uint32_t given, hak_option *list, size_t most)
{
    static const char *const types[] = {"name", "flag", "number", "bytes", "name"};
    for (size_t i = 0; i < HAK_OPTIONS && i < most; i++) {
        const hak_option_entry *option = &hak__option_table[i];
        list[i] = (hak_option){
            .name = option->name,
            .variable = option->variable,
            .type = types[option->kind],
            .help = option->help,
            .origin = origin_of(i, given, option),
        };
        hak__value_range(option, list[i].range, sizeof list[i].range);
        if (option->kind == HAK_OPTION_PROFILE) {
            snprintf(list[i].value, sizeof list[i].value, "%s", profile->name);
        } else {
            size_t value = option->field == HAK_NOWHERE ? hak__environment[i].number
                                                        : hak__option_value(profile, option);
            hak__value_print(option, value, list[i].value, sizeof list[i].value);
        }
    }
    return HAK_OPTIONS;
}
