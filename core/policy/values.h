/* Values of options as text: parsing and printing. */
#ifndef HAK_VALUES_H
#define HAK_VALUES_H

#include "policy/option_table.h"

/* The accepted values of an option, as text. */
void hak__value_range(const hak_option_entry *option, char *text, size_t size);

/* Whether a text is a valid value of the option. If so, sets `*value`. */
bool hak__value_parse(const hak_option_entry *option, const char *text, size_t length,
                      size_t *value);

/* The same for a flag: 0 or 1. The values that are accepted, in any case. */
bool hak__value_parse_flag(const char *text, size_t length, size_t *value);
#define HAK_FLAG_VALUES "0, 1, no, yes, off, on, false, true"

void hak__value_print(const hak_option_entry *option, size_t value, char *text, size_t size);

#endif
