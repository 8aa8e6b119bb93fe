// new and delete in each of their forms. A program that replaces some of them finds that the others
// call those, as the standard says: which ones it replaces is told by -DREPLACES_… .
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

static int made, gone;

#ifdef REPLACES_NEW_AND_DELETE
constexpr std::size_t IN_FRONT = 16; // so that no other operator delete could free it
#else
constexpr std::size_t IN_FRONT = 0;
#endif

#if defined REPLACES_NEW_AND_DELETE || defined REPLACES_NEW
void *operator new(std::size_t size)
{
    made++;
    void *block = std::malloc(size + 16);
    if (!block) throw std::bad_alloc();
    return static_cast<char *>(block) + IN_FRONT;
}
#endif

#ifdef REPLACES_NEW_AND_DELETE
void operator delete(void *block) noexcept
{
    gone++;
    if (block) std::free(static_cast<char *>(block) - IN_FRONT);
}
#endif

#ifdef REPLACES_ALIGNED
void *operator new(std::size_t size, std::align_val_t align)
{
    made++;
    return std::aligned_alloc(static_cast<std::size_t>(align), size);
}

void operator delete(void *block, std::align_val_t) noexcept
{
    gone++;
    std::free(block);
}
#endif

#ifdef REPLACES_ARRAYS
void *operator new[](std::size_t size)
{
    made++;
    return operator new(size);
}

void operator delete[](void *block) noexcept
{
    gone++;
    operator delete(block);
}
#endif

#ifdef REPLACES_SIZED
void operator delete(void *block, std::size_t) noexcept
{
    gone++;
    operator delete(block);
}
#endif

struct alignas(512) wide {
    char bytes[512];
};

static volatile std::size_t most = SIZE_MAX / 4, size = 100;
static int handled;
static void *volatile kept; // so that no call is left out

static void handler()
{
    handled++;
    std::set_new_handler(nullptr);
}

template <typename Call> static bool throws(Call call)
{
    try {
        kept = call();
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

static bool check(bool is_right, const char *what)
{
    if (!is_right) std::fprintf(stderr, "wrong: %s\n", what);
    return is_right;
}

static bool is_aligned(const void *block, std::size_t align)
{
    return reinterpret_cast<std::uintptr_t>(block) % align == 0;
}

extern "C" int run_all()
{
    bool good = true;
    constexpr std::align_val_t wide_align{512};
    for (int i = 0; i < 1000; i++) {
        char *one = static_cast<char *>(::operator new(size)), *many = new char[size];
        void *quiet = ::operator new(size, std::nothrow), *quiets = ::operator new[](size, std::nothrow);
        wide *aligned = new wide, *aligneds = new wide[3];
        void *both = ::operator new(size, wide_align, std::nothrow);
        void *boths = ::operator new[](size, wide_align, std::nothrow);
        one[0] = one[size - 1] = many[0] = many[size - 1] = 1;
        aligned->bytes[511] = aligneds[2].bytes[511] = 1;
        for (void *block : {static_cast<void *>(aligned), static_cast<void *>(aligneds), both, boths})
            good &= check(is_aligned(block, 512), "aligned");
        good &= check(is_aligned(one, 16) && is_aligned(quiet, 16), "aligned to 16");
        if (i % 2) ::operator delete(one);
        else ::operator delete(one, size);
        if (i % 2) ::operator delete[](many);
        else ::operator delete[](many, size);
        ::operator delete(quiet, std::nothrow);
        ::operator delete[](quiets, std::nothrow);
        delete aligned;
        delete[] aligneds;
        ::operator delete(both, wide_align, std::nothrow);
        ::operator delete[](boths, size, wide_align);
    }
    ::operator delete(nullptr);
    ::operator delete[](nullptr);
    good &= check(throws([] { return ::operator new(most); }), "new throws");
    good &= check(throws([] { return ::operator new[](most); }), "new[] throws");
    good &= check(!::operator new(most, std::nothrow), "new(nothrow) is null");
    good &= check(!::operator new[](most, std::nothrow), "new[](nothrow) is null");
#ifndef REPLACES_ALIGNED
    good &= check(throws([] { return ::operator new(most, std::align_val_t{64}); }), "aligned new throws");
    good &= check(!::operator new(most, std::align_val_t{64}, std::nothrow), "and is null");
#endif
#if !defined REPLACES_NEW_AND_DELETE && !defined REPLACES_NEW
    std::set_new_handler(handler);
    good &= check(throws([] { return ::operator new(most); }) && handled == 1, "the new-handler is called");
    std::set_new_handler(handler);
    good &= check(!::operator new(most, std::nothrow) && handled == 2, "with nothrow too");
#endif
    std::vector<std::string> words;
    for (int i = 0; i < 1000; i++) words.push_back(std::string(i % 200, 'x'));
    std::printf("%d %d %zu\n", made, gone, words.size());
    return good ? 0 : 1;
}

int main()
{
    return run_all();
}
