#include "policy/values.h"

#include <stdio.h>

#include "hakmem.h"
#include "os/os.h"

static const char *const decommits[] = {"OFF", "FREE", "DONTNEED"};

#define SUFFIXES ", also with k, kb, kib, m, mb, mib, g, gb, gib"

void hak__value_range(const hak_option_entry *option, char *text, size_t size)
{
    switch (option->kind) {
    case HAK_OPTION_PROFILE: snprintf(text, size, "%s", hak_profile_names()); break;
    case HAK_OPTION_FLAG: snprintf(text, size, HAK_FLAG_VALUES); break;
    case HAK_OPTION_DECOMMIT: snprintf(text, size, "OFF, FREE, DONTNEED"); break;
    default:
        snprintf(text, size, "%zu to %zu%s%s", option->least, option->most,
                 option->step > 1 ? ", in pages of 4096" : "",
                 option->kind == HAK_OPTION_BYTES ? SUFFIXES : "");
    }
}

/* Every second word means 1. */
bool hak__value_parse_flag(const char *text, size_t length, size_t *value)
{
    static const char *const words[] = {"0", "1", "no", "yes", "off", "on", "false", "true"};
    bool known = hak__word_among(words, sizeof words / sizeof *words, text, length, value);
    *value %= 2;
    return known;
}

/* The shift for a unit of bytes: k, kb and kib are all 1,024. */
static bool parse_unit(const char *text, size_t length, size_t *shift)
{
    static const char *const units[] = {"k", "m", "g", "kb", "mb", "gb", "kib", "mib", "gib"};
    bool known = hak__word_among(units, sizeof units / sizeof *units, text, length, shift);
    *shift = *shift % 3 * 10 + 10;
    return known;
}

/* A whole number; for bytes, a unit may follow. */
static bool parse_number(const hak_option_entry *option, const char *text, size_t length,
                         size_t *value)
{
    size_t number = 0, i = 0, shift = 0;
    for (; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
        if (number > HAK_BYTES_MOST) return false;
        number = number * 10 + (size_t)(text[i] - '0');
    }
    if (i == 0) return false;
    if (i < length &&
        (option->kind != HAK_OPTION_BYTES || !parse_unit(text + i, length - i, &shift)))
        return false;
    if (number > HAK_BYTES_MOST >> shift) return false;
    *value = number << shift;
    return *value >= option->least && *value <= option->most && *value % option->step == 0;
}

bool hak__value_parse(const hak_option_entry *option, const char *text, size_t length,
                      size_t *value)
{
    if (option->kind == HAK_OPTION_FLAG) return hak__value_parse_flag(text, length, value);
    if (option->kind != HAK_OPTION_DECOMMIT) return parse_number(option, text, length, value);
    return hak__word_among(decommits, sizeof decommits / sizeof *decommits, text, length, value);
}

void hak__value_print(const hak_option_entry *option, size_t value, char *text, size_t size)
{
    if (option->kind == HAK_OPTION_DECOMMIT) snprintf(text, size, "%s", decommits[value]);
    else if (value == HAK_UNSET) snprintf(text, size, "unset");
    else snprintf(text, size, "%zu", value);
}
