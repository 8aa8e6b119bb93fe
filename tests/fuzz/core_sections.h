/* Put in front of each file of the core by the compiler: its variables lie together, so that the
 * fuzz target can set them all back to what they are when a process starts (process.c). */
#pragma clang section bss = "core_bss" data = "core_data"
