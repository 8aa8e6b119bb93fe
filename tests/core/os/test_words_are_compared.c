/* Words as people write them are understood in any case, and nowhere else differently; of a word
 * that is misspelt it is known how far it is from each other one, letter by letter; and what a
 * message shows of a text is one line that fits. */
#include "support.h"

#include <string.h>

#include "os/words.h"

static void letters_are_those_of_ascii(void **state)
{
    (void)state;
    for (int code = 0; code < 256; code++) {
        char letter = (char)code;
        bool large = code >= 'A' && code <= 'Z', small = code >= 'a' && code <= 'z';
        assert_int_equal(hak__word_lower(letter), large ? (char)(code + 32) : letter);
        assert_int_equal(hak__word_upper(letter), small ? (char)(code - 32) : letter);
    }
}

static void a_word_is_one_of_several_in_any_case(void **state)
{
    (void)state;
    static const char *const words[] = {"no", "Yes", "on", "one"};
    static const struct {
        const char *text;
        size_t length, place; /* 4: none */
    } cases[] = {{"no", 2, 0},  {"NO", 2, 0},   {"yeS", 3, 1},  {"on", 2, 2},  {"one", 3, 3},
                 {"one", 2, 2}, {"ones", 3, 3}, {"ones", 4, 4}, {"o", 1, 4},   {"", 0, 4},
                 {"n\0", 2, 4}, {"ye", 2, 4},   {"nn", 2, 4},   {"yes ", 4, 4}};
    size_t unused;
    assert_false(hak__word_among(words, 3, "one", 3, &unused)); /* it is the fourth */
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t place = 99;
        bool known = hak__word_among(words, COUNT(words), cases[i].text, cases[i].length, &place);
        REQUIRE_THAT(known == (cases[i].place < 4), "%s", cases[i].text);
        if (known) assert_int_equal(place, cases[i].place);
    }
}

static size_t distance(const char *text, const char *word)
{
    return hak__word_distance(text, strlen(text), word);
}

static void misspelt_words_are_so_far(void **state)
{
    (void)state;
    static const struct {
        const char *text, *word;
        size_t distance;
    } cases[] = {
        {"", "", 0},
        {"", "pool", 4},
        {"pool", "", 4},
        {"pool", "pool", 0},
        {"pol", "pool", 1},
        {"poool", "pool", 1},
        {"poll", "pool", 1},
        {"polo", "pool", 1},
        {"opol", "pool", 1},
        {"lpoo", "pool", 2},
        {"ool", "pool", 1},
        {"poo", "pool", 1},
        {"poolx", "pool", 1},
        {"xpool", "pool", 1},
        {"loop", "pool", 2},
        {"wake", "carve", 3},
        {"retian", "retain", 1},
        {"ab", "ba", 1},
        {"abc", "cba", 2},
        {"ca", "abc", 3},
        {"abcd", "badc", 2},
        {"abcdef", "fedcba", 5},
        {"kitten", "sitting", 3},
        {"xy", "yx", 1},
        {"a", "b", 1},
        {"POOL", "pool", 4},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t told = distance(cases[i].text, cases[i].word);
        REQUIRE_THAT(told == cases[i].distance, "%s, %s: %zu", cases[i].text, cases[i].word, told);
    }
    assert_int_equal(hak__word_distance("poolside", 4, "pool"), 0);
}

/* The same by the definition, at the ends of two words. */
static size_t by_definition(const char *text, size_t length, const char *word, size_t letters)
{
    if (length == 0) return letters;
    if (letters == 0) return length;
    bool differ = text[length - 1] != word[letters - 1];
    size_t best = by_definition(text, length - 1, word, letters - 1) + differ;
    size_t left_out = by_definition(text, length - 1, word, letters) + 1;
    size_t added = by_definition(text, length, word, letters - 1) + 1;
    if (left_out < best) best = left_out;
    if (added < best) best = added;
    if (length < 2 || letters < 2) return best;
    if (text[length - 1] != word[letters - 2] || text[length - 2] != word[letters - 1]) return best;
    size_t exchanged = by_definition(text, length - 2, word, letters - 2) + 1;
    return exchanged < best ? exchanged : best;
}

static void any_two_words_are_as_far_as_defined(void **state)
{
    (void)state;
    support_random random = {support_seed()};
    for (size_t i = 0; i < 2000; i++) {
        char text[7] = "", word[7] = "";
        size_t length = support_below(&random, 7), letters = support_below(&random, 7);
        for (size_t j = 0; j < length; j++) text[j] = (char)('a' + support_below(&random, 3));
        for (size_t j = 0; j < letters; j++) word[j] = (char)('a' + support_below(&random, 3));
        size_t told = distance(text, word);
        REQUIRE_THAT(told == by_definition(text, length, word, letters), "%s, %s: %zu", text, word,
                     told);
    }
    /* The longest word there may be, and a text that is longer. */
    char word[HAK_WORD_MOST], text[100];
    memset(word, 'w', sizeof word);
    memset(text, 'w', sizeof text);
    word[sizeof word - 1] = 0;
    assert_int_equal(hak__word_distance(text, sizeof text, word), sizeof text - sizeof word + 1);
}

static void a_message_shows_one_line_that_fits(void **state)
{
    (void)state;
    char text[100], shown[HAK_WORD_SHOWN], expected[HAK_WORD_SHOWN];
    enum { MOST = HAK_WORD_SHOWN - 1 };
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)('a' + i % 26);
    for (size_t length = 0; length < sizeof text; length++) {
        size_t kept = length <= MOST ? length : MOST;
        memcpy(expected, text, kept);
        expected[kept] = 0;
        if (length > MOST) memcpy(expected + MOST - 3, "...", 4);
        assert_ptr_equal(hak__word_shown(text, length, shown), shown);
        assert_string_equal(shown, expected);
    }
    assert_string_equal(hak__word_shown("a\nb\tc\x7f\x1f~ \xc3\xbc\0z", 13, shown),
                        "a?b?c??~ \xc3\xbc?z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_are_those_of_ascii),
        cmocka_unit_test(a_word_is_one_of_several_in_any_case),
        cmocka_unit_test(misspelt_words_are_so_far),
        cmocka_unit_test(any_two_words_are_as_far_as_defined),
        cmocka_unit_test(a_message_shows_one_line_that_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
