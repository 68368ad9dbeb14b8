/**
 * Environment variables of the kernel's process that make the C library return memory to the operating system. With its defaults it keeps 20 MiB that idle
 * compiler threads have freed, in memory pools ("arenas") of their own, and 13 MiB in gaps between other blocks: a block of 32 KiB or more, such as those of V8's
 * compilers, gets its own mapping, which disappears with it. Source: glibc, mallopt(3), M_ARENA_MAX and M_MMAP_THRESHOLD.
 */
export const allocatorSettings = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '32768',
} as const
