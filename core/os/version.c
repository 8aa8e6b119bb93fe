/* The version and the build. */
#include "hakmem.h"
#include "os/build.h"
#include "os/config.h"

const char HAK_LAYOUT = HAK_UNIT_SHIFT;

const char *hak_version(void)
{
    return HAK_VERSION;
}

const char *hak_build(void)
{
    return HAK_BUILD;
}
