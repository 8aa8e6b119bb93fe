/* Words as people write them: in any case, misspelt, or of a length that no message can show. */
#ifndef HAK_WORDS_H
#define HAK_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#define HAK_WORD_MOST  40 /* letters of a word that others are compared with, with its end */
#define HAK_WORD_SHOWN 40 /* bytes of what is shown of a text, with its end */

/* As ASCII has them, whatever the locale says. */
char hak__word_lower(char letter);
char hak__word_upper(char letter);

/* Whether a text is one of `count` words, in any case; then `*place` is which. */
bool hak__word_among(const char *const *words, size_t count, const char *text, size_t length,
                     size_t *place);

/* How many letters must be added, left out, changed or exchanged with their neighbour to make
 * `word`, of less than HAK_WORD_MOST letters, of a text (the optimal string alignment distance). */
size_t hak__word_distance(const char *text, size_t length, const char *word);

/* A text for a message: its beginning, on one line, in `shown`. */
const char *hak__word_shown(const char *text, size_t length, char shown[HAK_WORD_SHOWN]);

#endif
