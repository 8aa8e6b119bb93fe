/* Calls `run_all` of a library that it loads for itself alone. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    int (*called)(void) = library ? (int (*)(void))dlsym(library, "run_all") : NULL;
    if (!called) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    return called();
}
