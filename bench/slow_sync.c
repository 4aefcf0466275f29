/* How does a program fare on a slow disk? Loaded before it (LD_PRELOAD), this lets each sync take SLOW_SYNC_US microseconds more. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void be_slow(void)
{
    static long microseconds = -1;
    if (microseconds < 0) {
        const char *given = getenv("SLOW_SYNC_US");
        microseconds = given ? atol(given) : 0;
    }
    struct timespec pause = {microseconds / 1000000, microseconds % 1000000 * 1000};
    nanosleep(&pause, NULL);
}

#define SLOW(name)                                              \
    int name(int file)                                          \
    {                                                           \
        static int (*real)(int);                                \
        if (!real)                                              \
            real = (int (*)(int))dlsym(RTLD_NEXT, #name);       \
        be_slow();                                              \
        return real(file);                                      \
    }

SLOW(fsync)
SLOW(fdatasync)
