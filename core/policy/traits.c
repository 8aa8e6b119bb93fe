#include "policy/traits.h"

#include <stdint.h>

const hak_traits hak__traits_default = {.work_most = SIZE_MAX};
