"""An inverted index: made-up documents are tokenised and indexed with the positions of
their words, the oldest are removed, and queries with and, or, not and phrases are
answered and ranked. Churns words, lists of positions, sets and counters; the index and
its documents stay alive.
"""

import math
import random
import re
from collections import Counter, defaultdict, deque

DOCUMENTS = 300
QUERIES_PER_DOCUMENT = 5

SYLLABLES = "ba be bo da de di ga go ka ke la li lo ma mi na no ra ri sa ta ti".split()
STOP_WORDS = frozenset(["the", "of", "and", "a"])
WORD = re.compile(r"[a-z]+")


def check(what, got, expected):
    if got != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {got!r}")


def words_of(text):
    return [word for word in WORD.findall(text.lower()) if word not in STOP_WORDS]


class Document:
    def __init__(self, number, text):
        self.number = number
        self.text = text
        self.length = 0


class Index:
    def __init__(self):
        self.documents = {}
        self.postings = defaultdict(dict)  # word -> {document: positions}

    def add(self, document):
        words = words_of(document.text)
        document.length = len(words)
        self.documents[document.number] = document
        positions = defaultdict(list)
        for position, word in enumerate(words):
            positions[word].append(position)
        for word, places in positions.items():
            self.postings[word][document.number] = places

    def remove(self, number):
        document = self.documents.pop(number)
        for word in set(words_of(document.text)):
            postings = self.postings[word]
            del postings[number]
            if not postings:
                del self.postings[word]

    def with_word(self, word):
        return self.postings.get(word, {}).keys()

    def with_all(self, words):
        found = sorted((self.with_word(word) for word in words), key=len)
        result = set(found[0])
        for numbers in found[1:]:
            result &= numbers
        return result

    def with_any(self, words):
        return set().union(*(self.with_word(word) for word in words))

    def with_phrase(self, words):
        result = set()
        for number in self.with_all(words):
            starts = set(self.postings[words[0]][number])
            for offset, word in enumerate(words[1:], 1):
                places = self.postings[word][number]
                starts &= {place - offset for place in places}
            if starts:
                result.add(number)
        return result

    def search(self, query):
        """The documents for a query such as: +must may -not "a phrase"."""
        must, may, refused, phrases = [], [], [], []
        for sign, phrase, word in re.findall(r'([+-]?)(?:"([^"]*)"|(\w+))', query):
            if phrase:
                phrases.append(words_of(phrase))
            else:
                {"+": must, "": may, "-": refused}[sign].append(word)
        found = self.with_any(may) if may else set(self.documents)
        if must:
            found &= self.with_all(must)
        for phrase in phrases:
            found &= self.with_phrase(phrase)
        found -= self.with_any(refused)
        return self.ranked(found, must + may)

    def ranked(self, numbers, words):
        scores = dict.fromkeys(numbers, 0.0)
        for word in words:
            postings = self.postings.get(word, {})
            weight = math.log(1 + len(self.documents) / (1 + len(postings)))
            for number in numbers & postings.keys():
                frequency = len(postings[number]) / self.documents[number].length
                scores[number] += weight * frequency
        return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def make_vocabulary(rng):
    words = {}
    while len(words) < 1500:
        word = "".join(rng.choice(SYLLABLES) for _ in range(rng.randrange(2, 5)))
        words[word] = None
    return list(words)


def make_text(rng, vocabulary):
    """Sentences in which the first words of the vocabulary are common."""
    sentences = []
    for _ in range(rng.randrange(8, 16)):
        words = []
        for _ in range(rng.randrange(5, 14)):
            words.append(vocabulary[int(len(vocabulary) * rng.random() ** 3)])
            if rng.random() < 0.2:
                words.append(rng.choice(["the", "of", "and", "a"]))
        sentences.append(" ".join(words).capitalize() + ".")
    return "\n".join(sentences)


def answer_by_reading(documents, must, may, refused):
    """The same as a search in the index, but through all texts."""
    found = set()
    for document in documents:
        words = set(words_of(document.text))
        if words.issuperset(must) and words & may and not words & refused:
            found.add(document.number)
    return found


def query(index, rng, vocabulary, document):
    """Queries that must find the document."""
    words = words_of(document.text)
    common = vocabulary[rng.randrange(20)]
    start = rng.randrange(len(words) - 3)
    phrase = words[start : start + 3]
    found = index.search(f'+{words[0]} "{" ".join(phrase)}"')
    check("found by phrase", document.number in dict(found), True)
    one = index.search(f"+{words[3]} {words[7]} {common}")
    scores = [score for _, score in one]
    check("scores in order", scores == sorted(scores, reverse=True), True)
    check("found by words", document.number in dict(one), True)
    without = index.search(f"+{words[3]} {words[7]} {common} -{words[5]}")
    check("not found", document.number in dict(without), False)
    both = index.search(f"+{words[3]} +{words[5]} {words[7]} {common}")
    check("with and without", {**dict(without), **dict(both)}.keys(), dict(one).keys())


def run(scale):
    rng = random.Random(1945)
    vocabulary = make_vocabulary(rng)
    index, window = Index(), deque()
    lengths = Counter()
    rounds = max(1, round(360 * scale))
    for number in range(DOCUMENTS + rounds):
        document = Document(number, make_text(rng, vocabulary))
        index.add(document)
        window.append(document)
        lengths[number] = document.length
        if number < DOCUMENTS:
            continue
        removed = window.popleft().number
        index.remove(removed)
        del lengths[removed]
        for _ in range(QUERIES_PER_DOCUMENT):
            query(index, rng, vocabulary, rng.choice(window))
        if number % 20 == 0:
            must, may, refused = vocabulary[4], vocabulary[9:12], vocabulary[7]
            found = index.search(f"+{must} {' '.join(may)} -{refused}")
            expected = answer_by_reading(window, [must], set(may), {refused})
            check("found by reading", dict(found).keys(), expected)
    places = sum(
        len(positions)
        for postings in index.postings.values()
        for positions in postings.values()
    )
    check("places in the index", places, sum(lengths.values()))
    for document in window:
        index.remove(document.number)
    check("words in the empty index", len(index.postings), 0)
