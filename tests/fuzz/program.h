/* An input is a program: instructions of four bytes, of which the first says which operation and
 * the others are its operands. Whatever the bytes are, they are a program. */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shadow.h"

#define INSTRUCTION 4 /* bytes */

typedef struct program {
    const uint8_t *at, *end;
    size_t current;        /* the heap that operations are for */
    bool forked, in_child; /* a program forks once */
    size_t child_left;     /* instructions until the child ends */
} program;

/* The next instruction, zeros at the end. */
typedef struct instruction {
    uint8_t op, a, b, c;
} instruction;
instruction program_next(program *p);

/* A size in bytes that `b` and `c` stand for: of each kind of block, and at the edges between. */
size_t program_size(const shadow *s, uint8_t b, uint8_t c);

/* Operations on a heap as a whole: manage.c. */
void manage_new(program *p, instruction i);
void manage_destroy(shadow *s);
void manage_trim(shadow *s);
void manage_settle(shadow *s, instruction i);
void manage_profile(shadow *s, instruction i);
void manage_configure(shadow *s, instruction i);
void manage_limit(shadow *s, instruction i);
void manage_grace(shadow *s, instruction i);
void manage_prewarm(shadow *s, instruction i);
void manage_tell(shadow *s, instruction i);
void manage_refuse(instruction i);

#endif
