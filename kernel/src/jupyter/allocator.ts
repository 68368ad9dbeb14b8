/**
 * The environment variable that says how many pools of memory the C library keeps for threads. The kernel starts with one pool: with more, it holds 20 MiB that
 * threads have freed which compile no more. Source: glibc, mallopt(3), M_ARENA_MAX.
 */
export const allocatorVariable = 'MALLOC_ARENA_MAX'
