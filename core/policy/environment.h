/* What the environment says of options: its variables are read once, and what is wrong with them is
 * told once. */
#ifndef HAK_ENVIRONMENT_H
#define HAK_ENVIRONMENT_H

#include "policy/option_table.h"

typedef struct hak_environment {
    const char *value; /* NULL: nothing, or nothing that is accepted */
    size_t number;
} hak_environment;

/* By number of the option. */
extern hak_environment hak__environment[HAK_OPTIONS];

/* The number of the option of that name; NULL: there is none. */
size_t *hak__environment_number(const char *name);

/* It will not be read. To be called before anything else here. */
void hak__environment_ignore(void);

/* Reads it, the first time. */
void hak__environment_read(void);

/* What a heap has that names no profile. */
const hak_profile *hak__environment_profile(void);

#endif
