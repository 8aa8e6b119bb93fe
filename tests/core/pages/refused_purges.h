/* Refuses to take pages back, as under mlockall or a filter of system calls. The linker puts
 * functions in place of madvise and munmap (--wrap). */
#ifndef HAK_TEST_REFUSED_PURGES_H
#define HAK_TEST_REFUSED_PURGES_H

#include "support.h"

extern bool refusing;
extern bool unmapping;        /* is not refused */
extern bool refusing_records; /* the calls for one page */
extern bool refusing_unmaps;  /* munmap only */
extern size_t asked;          /* calls of madvise */
extern size_t unmaps_asked;   /* and of munmap */

#endif
