/* Operations of the fuzz target on blocks: which ones, how many and of what size an instruction
 * means. What must hold then, shadow.c knows. */
#include "fail.h"
#include "heap/blocks.h"
#include "program.h"

/* ------------------------------------------------------------------ sizes */

static const size_t edges[] = {
    0,       1,        8,        16,        128,     256,
    1024,    2048,     4096,     8192,      12288,   14336,
    16384,   20480,    32768,    61440,     65536,   69632,
    131072,  196608,   258048,   262144,    520192,  524288,
    1 << 20, 3 << 19,  2 << 20,  5 << 19,   4 << 20, (4 << 20) + 4096,
    8 << 20, 12 << 20, 64 << 20, 512 << 20,
};

static const size_t absurd[] = {
    SIZE_MAX, SIZE_MAX - 4096, SIZE_MAX / 2 + 4096, SIZE_MAX / 2, SIZE_MAX / 2 - 4096, ABSURD * 2,
};

size_t program_size(const shadow *s, uint8_t b, uint8_t c)
{
    size_t value = ((size_t)(b >> 3) << 8) + c; /* 13 bits */
    switch (b & 7) {
    case 0: return value % 300;
    case 1:
        return hak__class_size(1 + c % (HAK_CLASSES - 9), hak__heap_spacing(s->heap)) +
               (b >> 3) % 3 - 1;
    case 2: return value % 1100;
    case 3: return 1024 + value * 2;
    case 4: return 16 * KIB + value * 64;
    case 5: return edges[c % COUNT(edges)] + (b >> 3) % 3 - (c % COUNT(edges) > 0);
    case 6:
        return b >> 3 == 31 ? absurd[c % COUNT(absurd)] - c / COUNT(absurd)
                            : 16 * KIB + value * 256;
    default: return value < 4096 ? value % 64 : MIB + value * 1408;
    }
}

/* ------------------------------------------------------------------ allocating */

/* How many blocks `a` stands for: mostly few, so that programs go on. */
static size_t draw_count(uint8_t a)
{
    if (a < 128) return 1 + a % 4;
    return a < 224 ? 1 + a % 64 : (size_t)(a - 223) * 16;
}

static void allocate_some(shadow *s, instruction i, unsigned kind)
{
    size_t size = program_size(s, i.b, i.c);
    for (size_t n = draw_count(i.a); n > 0 && shadow_has_room(s, size); n--) {
        if (!shadow_alloc(s, size, kind)) return;
    }
}

void operate_alloc(shadow *s, instruction i)
{
    allocate_some(s, i, 0);
}

void operate_alloc_kind(shadow *s, instruction i)
{
    allocate_some(s, i, i.a / 8 % HAK_KINDS);
}

void operate_zalloc(shadow *s, instruction i)
{
    size_t size = program_size(s, i.b, i.c), count = 1 + (i.a & 7), bytes;
    if (i.a >= 250) count = SIZE_MAX / (size + 1) + (i.a & 3);
    if (__builtin_mul_overflow(count, size, &bytes)) bytes = SIZE_MAX;
    if (bytes < ABSURD && bytes > 12 * MIB) count = 1, bytes = size;
    for (size_t n = 1 + (i.a >> 5); n > 0 && shadow_has_room(s, bytes); n--) {
        if (!shadow_zalloc(s, count, size)) return;
    }
}

void operate_aligned(shadow *s, instruction i)
{
    static const size_t unusual[] = {
        0, 3, 48, 4097, 8 * MIB, (size_t)1 << 41, (size_t)1 << 63, SIZE_MAX};
    size_t size = program_size(s, i.b, i.c), alignment = (size_t)1 << i.a % 23;
    if (i.a >= 248) alignment = unusual[i.a - 248];
    for (size_t n = 1 + (i.a >> 6); n > 0 && shadow_has_room(s, size); n--) {
        if (!shadow_aligned(s, alignment, size)) return;
    }
}

/* ------------------------------------------------------------------ resizing */

static bool resizes(const shadow *s, size_t size)
{
    return size >= ABSURD || shadow_has_room(s, size);
}

void operate_realloc(shadow *s, instruction i)
{
    size_t size = program_size(s, i.b, i.c);
    if (i.a == 255 && resizes(s, size)) shadow_realloc_null(s, size);
    else if (s->count && resizes(s, size)) shadow_realloc(s, i.a * s->count / 255, size);
}

/* By how much it is changed depends on the block: so that it grows and shrinks in small steps. */
void operate_realloc_by(shadow *s, instruction i)
{
    if (s->count == 0) return;
    size_t index = i.a * s->count / 256, amount = (size_t)i.c * 16 + 1;
    const block *b = &s->blocks[index];
    size_t had = b->usable, size = 0;
    switch (i.b % 12) {
    case 0: size = had + 1; break;
    case 1: size = had + had / 8 + 1; break;
    case 2: size = had * 2; break;
    case 3: size = had / 2 + 1; break;
    case 4: size = had - 1; break;
    case 5: size = b->size; break;
    case 6: size = had; break;
    case 7: size = had + amount; break;
    case 8: size = had > amount ? had - amount : 1; break;
    case 9: size = had + amount * PAGE; break;
    case 10: size = had > amount * PAGE ? had - amount * PAGE : 1; break;
    default: size = i.c & 1 ? 0 : had / 8 + 1;
    }
    if (resizes(s, size)) shadow_realloc(s, index, size);
}

/* ------------------------------------------------------------------ freeing */

void operate_free(shadow *s, instruction i)
{
    if (s->count) shadow_free(s, (((size_t)i.a << 16) + ((size_t)i.b << 8) + i.c) % s->count);
}

/* Neighbours, all of them or each second, third, …, in either direction. */
void operate_free_run(shadow *s, instruction i)
{
    if (s->count == 0) return;
    size_t index = (size_t)i.a * s->count / 256, step = 1 + (i.b & 3);
    size_t count = 1 + (size_t)i.c * (1 + (i.b >> 3 & 3));
    bool down = i.b & 4;
    for (; count > 0 && index < s->count; count--) {
        shadow_free(s, index);
        if (down && index < step) break;
        index = down ? index - step : index + step;
    }
}

/* One of so many, or all but one of so many. */
void operate_free_each(shadow *s, instruction i)
{
    size_t each = 2 + i.a % 62, phase = i.b % each;
    bool others = i.c & 1;
    for (size_t at = 0; at < s->count; at++) {
        if ((at % each == phase) != others) shadow_free(s, at);
    }
}

void operate_free_all(shadow *s, instruction i)
{
    for (size_t at = 0; at < s->count; at++) shadow_free(s, i.a & 1 ? s->count - 1 - at : at);
}

/* All of about one size. */
void operate_free_size(shadow *s, instruction i)
{
    size_t size = program_size(s, i.b, i.c);
    if (i.a & 1 && s->count) size = s->blocks[i.b * s->count / 256].usable;
    for (size_t at = 0; at < s->count; at++) {
        size_t usable = s->blocks[at].usable;
        if (usable >= size && usable - size <= size / 8) shadow_free(s, at);
    }
}

void operate_churn(shadow *s, instruction i)
{
    shadow_churn(s, program_size(s, i.b, i.c), i.a);
}
