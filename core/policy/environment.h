/* The options of the environment: its variables are read once, and each error in them
 * is reported once. */
#ifndef HAK_ENVIRONMENT_H
#define HAK_ENVIRONMENT_H

#include "policy/option_table.h"

typedef struct hak_environment {
    const char *value; /* NULL: not set, or not accepted */
    size_t number;
} hak_environment;

/* By index in hak__option_table. */
extern hak_environment hak__environment[HAK_OPTIONS];

/* The number of the option `name`; NULL: there is no such option. */
size_t *hak__environment_number(const char *name);

/* Makes the environment be ignored. To be called before any other function here. */
void hak__environment_ignore(void);

/* Reads the environment, once. Any thread may call it. */
void hak__environment_read(void);

/* The profile of heaps that name none. */
const hak_profile *hak__environment_profile(void);

#endif
