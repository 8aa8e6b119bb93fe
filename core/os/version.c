/* Which hakmem this is. */
#include "hakmem.h"
#include "os/build.h"

const char *hak_version(void)
{
    return HAK_VERSION;
}

const char *hak_build(void)
{
    return HAK_BUILD;
}
