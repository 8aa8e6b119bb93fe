/* Words as typed by users: in any case, misspelt, or too long for a message. */
#ifndef HAK_WORDS_H
#define HAK_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#define HAK_WORD_MOST  40 /* most bytes of a word that texts are compared with, with its end */
#define HAK_WORD_SHOWN 40 /* most bytes of a text in a message, with its end */

/* ASCII case conversion, whatever the locale. */
char hak__word_lower(char letter);
char hak__word_upper(char letter);

/* Whether a text is one of `count` words, in any case. If so, `*place` is its index. */
bool hak__word_among(const char *const *words, size_t count, const char *text, size_t length,
                     size_t *place);

/* The letters that must be added, removed, changed or exchanged with their neighbour to turn a
 * text into `word`, which has less than HAK_WORD_MOST letters (the optimal string alignment
 * distance). */
size_t hak__word_distance(const char *text, size_t length, const char *word);

/* The beginning of a text for a message, on one line, in `shown`. */
const char *hak__word_shown(const char *text, size_t length, char shown[HAK_WORD_SHOWN]);

#endif
