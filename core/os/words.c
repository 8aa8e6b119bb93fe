#include "os/words.h"

#include <string.h>

char hak__word_lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter | 0x20) : letter;
}

char hak__word_upper(char letter)
{
    return letter >= 'a' && letter <= 'z' ? (char)(letter & ~0x20) : letter;
}

static bool is_word(const char *word, const char *text, size_t length)
{
    size_t i = 0;
    while (i < length && word[i] && hak__word_lower(word[i]) == hak__word_lower(text[i])) i++;
    return i == length && !word[i];
}

bool hak__word_among(const char *const *words, size_t count, const char *text, size_t length,
                     size_t *place)
{
    for (*place = 0; *place < count; ++*place) {
        if (is_word(words[*place], text, length)) return true;
    }
    return false;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t hak__word_distance(const char *text, size_t length, const char *word)
{
    size_t rows[3][HAK_WORD_MOST], *before = rows[0], *last = rows[1], *row = rows[2];
    size_t letters = strlen(word);
    for (size_t j = 0; j <= letters; j++) last[j] = j;
    for (size_t i = 1; i <= length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= letters; j++) {
            row[j] =
                least(last[j - 1] + (text[i - 1] != word[j - 1]), least(last[j], row[j - 1]) + 1);
            bool exchanged =
                i > 1 && j > 1 && text[i - 1] == word[j - 2] && text[i - 2] == word[j - 1];
            if (exchanged) row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *free_row = before;
        before = last, last = row, row = free_row;
    }
    return last[letters];
}

const char *hak__word_shown(const char *text, size_t length, char shown[HAK_WORD_SHOWN])
{
    size_t i = 0;
    for (; i < length && i < HAK_WORD_SHOWN - 1; i++) {
        shown[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
    }
    shown[i] = 0;
    if (i < length) memcpy(shown + i - 3, "...", 3);
    return shown;
}
