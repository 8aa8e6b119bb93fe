// A program that replaces the two basic operators, and calls others. Argument: how often.
#include <cstdlib>
#include <new>

void *operator new(std::size_t size)
{
    return std::malloc(size);
}

void operator delete(void *block) noexcept
{
    std::free(block);
}

int main(int, char **arguments)
{
    static void *volatile kept;
    for (long left = std::atol(arguments[1]); left > 0; left--) {
        kept = ::operator new(56, std::nothrow);
        ::operator delete(kept, std::nothrow);
    }
}
