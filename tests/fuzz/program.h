/* An input is a program: instructions of four bytes, of which the first says which operation and
 * the others are its operands. Whatever the bytes are, they are a program. */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shadow.h"

#define INSTRUCTION 4 /* bytes */

/* The next instruction, zeros at the end. */
typedef struct instruction {
    uint8_t op, a, b, c;
} instruction;
instruction program_next(void);

/* Which heap operations are for from now on. */
void program_select(size_t place);

/* A size in bytes that `b` and `c` stand for: of each kind of block, and at the edges between. */
size_t program_size(const shadow *s, uint8_t b, uint8_t c);

/* Operations on blocks: operate.c. */
void operate_alloc(shadow *s, instruction i);
void operate_alloc_kind(shadow *s, instruction i);
void operate_zalloc(shadow *s, instruction i);
void operate_aligned(shadow *s, instruction i);
void operate_realloc(shadow *s, instruction i);
void operate_realloc_by(shadow *s, instruction i);
void operate_free(shadow *s, instruction i);
void operate_free_run(shadow *s, instruction i);
void operate_free_each(shadow *s, instruction i);
void operate_free_all(shadow *s, instruction i);
void operate_free_size(shadow *s, instruction i);
void operate_churn(shadow *s, instruction i);

/* On a heap as a whole, and what the OS refuses: manage.c. */
void manage_new(shadow *s, instruction i);
void manage_destroy(shadow *s, instruction i);
void manage_trim(shadow *s, instruction i);
void manage_settle(shadow *s, instruction i);
void manage_profile(shadow *s, instruction i);
void manage_configure(shadow *s, instruction i);
void manage_limit(shadow *s, instruction i);
void manage_grace(shadow *s, instruction i);
void manage_prewarm(shadow *s, instruction i);
void manage_tell(shadow *s, instruction i);
void manage_refuse(shadow *s, instruction i);

#endif
