/**
 * The environment variable that limits the memory pools ("arenas") that the C library keeps for threads. The kernel starts with one: with more, it keeps 20 MiB
 * that idle compiler threads have freed. Source: glibc, mallopt(3), M_ARENA_MAX.
 */
export const allocatorVariable = 'MALLOC_ARENA_MAX'
