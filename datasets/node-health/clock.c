/*
 * A clock for all processes of a virtual testbed: each reads the time of day with an offset, in whole seconds, from the file /etc/community-lab-offset. virtual-testbed.ts compiles
 * this and names it in /etc/ld.so.preload, in a mount namespace of the testbed's own. The monotonic clock stays, so timers, timeouts and measured durations are as they are.
 *
 * Debian's libfaketime leaves the monotonic clock alone only when an environment variable says so, and the testbed gives its processes an environment of its own.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

static long offset_s;
static int (*real_gettime)(clockid_t, struct timespec *);
static int (*real_cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*real_sem_timedwait)(sem_t *, const struct timespec *);

static void prepare(void) {
  if (real_gettime) return;
  FILE *file = fopen("/etc/community-lab-offset", "re");
  if (file) {
    if (fscanf(file, "%ld", &offset_s) != 1) offset_s = 0;
    fclose(file);
  }
  real_cond_timedwait = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  if (!real_cond_timedwait) real_cond_timedwait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
  real_sem_timedwait = dlsym(RTLD_NEXT, "sem_timedwait");
  real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
}

__attribute__((constructor)) static void start(void) { prepare(); }

int clock_gettime(clockid_t clock, struct timespec *now) {
  prepare();
  int failed = real_gettime(clock, now);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += offset_s;
  return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}

/* The kernel waits until a time of its own clock. A time that is smaller than any of this century is one of the monotonic clock. */
static struct timespec kernels(const struct timespec *until) {
  struct timespec at = *until;
  if (at.tv_sec > 946684800) at.tv_sec -= offset_s;
  return at;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
  prepare();
  struct timespec at = kernels(until);
  return real_cond_timedwait(cond, mutex, &at);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
  prepare();
  struct timespec at = kernels(until);
  return real_sem_timedwait(semaphore, &at);
}
