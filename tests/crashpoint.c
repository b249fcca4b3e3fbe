/* Kills the process at a chosen socket call, to prove that every crash point is survived (docs/testing.md).
 *
 * A preload library: one process-wide counter over every call that sends or receives on a socket. Set
 *   CRASHPOINT_AT     N          the call to die at, from 1 (0: never, only count)
 *   CRASHPOINT_WHEN   before|after
 *   CRASHPOINT_ARM    a file     counting starts once it exists (so that starting up can be left out)
 *   CRASHPOINT_COUNT  a file     holds the number of calls so far, as text, for the caller to read
 * strace's injection counts per thread and misses sendmsg; this counts what the process does, whichever
 * thread does it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;
static long at;
static int dies_after;
static const char* arm_file;
static atomic_int armed;
static int count_fd = -1;

__attribute__((constructor)) static void read_settings(void)
{
    const char* text = getenv("CRASHPOINT_AT");
    at = text ? atol(text) : 0;
    text = getenv("CRASHPOINT_WHEN");
    dies_after = text && strcmp(text, "after") == 0;
    arm_file = getenv("CRASHPOINT_ARM");
    armed = arm_file == NULL;
    text = getenv("CRASHPOINT_COUNT");
    if (text)
        count_fd = open(text, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
}

static int is_socket(int fd)
{
    struct stat s;
    return fstat(fd, &s) == 0 && S_ISSOCK(s.st_mode);
}

static void die(void)
{
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        pause();
}

/* The number of this call, or 0 when it does not count. */
static long enter(int fd)
{
    if (!is_socket(fd))
        return 0;
    if (!armed) {
        if (access(arm_file, F_OK) != 0)
            return 0;
        armed = 1;
    }
    const long n = atomic_fetch_add(&calls, 1) + 1;
    if (count_fd >= 0) {
        char text[24];
        const int length = snprintf(text, sizeof text, "%ld\n", n);
        /* the raw call: our own write() below must not count this one */
        syscall(SYS_pwrite64, count_fd, text, (size_t)length, 0L);
    }
    if (n == at && !dies_after)
        die();
    return n;
}

static void leave(long n)
{
    if (n != 0 && n == at && dies_after)
        die();
}

#define WRAP(result, name, parameters, arguments)                                                            \
    result name parameters                                                                                   \
    {                                                                                                        \
        static result(*real) parameters;                                                                     \
        if (!real)                                                                                           \
            real = (result(*) parameters)dlsym(RTLD_NEXT, #name);                                            \
        const long n = enter(fd);                                                                            \
        const result out = real arguments;                                                                   \
        leave(n);                                                                                            \
        return out;                                                                                          \
    }

WRAP(ssize_t, send, (int fd, const void* b, size_t n_, int f), (fd, b, n_, f))
WRAP(ssize_t, sendto, (int fd, const void* b, size_t n_, int f, const struct sockaddr* a, socklen_t l),
    (fd, b, n_, f, a, l))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr* m, int f), (fd, m, f))
WRAP(ssize_t, write, (int fd, const void* b, size_t n_), (fd, b, n_))
WRAP(ssize_t, writev, (int fd, const struct iovec* v, int c), (fd, v, c))
WRAP(ssize_t, recv, (int fd, void* b, size_t n_, int f), (fd, b, n_, f))
WRAP(ssize_t, recvfrom, (int fd, void* b, size_t n_, int f, struct sockaddr* a, socklen_t* l),
    (fd, b, n_, f, a, l))
WRAP(ssize_t, recvmsg, (int fd, struct msghdr* m, int f), (fd, m, f))
WRAP(ssize_t, read, (int fd, void* b, size_t n_), (fd, b, n_))
WRAP(ssize_t, readv, (int fd, const struct iovec* v, int c), (fd, v, c))
