#include "policy/hints.h"

#include <stdint.h>

const hak_hints hak__hints_default = {.clock_most = SIZE_MAX};
