# The system calls that the linker wraps for a test (`ld --wrap`): the test refuses or counts them.
# Such a test is linked with the core's objects. tests/core/core.mk and tests/fast.mk share this.
REFUSABLE := mmap madvise mremap munmap
WRAPPED_test_os_failure_is_survived         := $(REFUSABLE)
WRAPPED_test_refused_moves_are_survived     := $(REFUSABLE)
WRAPPED_test_lost_addresses_are_nobodys     := $(REFUSABLE)
WRAPPED_test_prewarmed_pages_stay           := madvise
WRAPPED_test_refused_purges_pause           := madvise munmap
WRAPPED_test_refused_pages_stay_pooled      := madvise munmap
WRAPPED_test_reports_are_lines              := write
WRAPPED_test_large_kernel_pages_are_refused := getpagesize
WRAPPED_test_process_is_read_at_once        := pthread_mutex_unlock
WRAPPED_test_reaper_is_in_nobodys_way       := pthread_create pthread_join
WRAPPED_test_fork_keeps_heaps               := pthread_atfork
WRAPPED_test_observer_does_without_memory   := mmap

WRAPPING := $(patsubst WRAPPED_%,%,$(filter WRAPPED_test_%,$(.VARIABLES)))
# $(1): the path of a test's program. The options for the linker.
wraps = $(WRAPPED_$(notdir $(1)):%=-Wl,--wrap=%)
