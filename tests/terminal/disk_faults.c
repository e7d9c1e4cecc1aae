/* Lets one system call on files fail, as a disk would: preloaded into a test's child process.
 *
 * fault_arm(mask, nth, error, sticky): from now on, the nth call of a kind in mask fails with
 * error; sticky ones fail from then on. error 0 makes a write short instead. fault_fired() tells
 * how many calls were failed, fault_seen() how many were counted. Only regular files count.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { WRITES = 1, SYNCS = 2, RENAMES = 4, TRUNCATES = 8 };

static int mask, nth, error, sticky, seen, fired;

void fault_arm(int m, int n, int e, int s) { mask = m; nth = n; error = e; sticky = s; seen = fired = 0; }
int fault_fired(void) { mask = 0; return fired; }
int fault_seen(void) { return seen; }

static int regular(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

static int hit(int kind) {
    if (!(mask & kind)) return 0;
    seen++;
    if (seen == nth || (sticky && fired)) { fired++; return 1; }
    return 0;
}

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))

typedef ssize_t (*pwrite_t)(int, const void *, size_t, off_t);
typedef ssize_t (*write_t)(int, const void *, size_t);
typedef int (*fd_t)(int);
typedef int (*rename_t)(const char *, const char *);
typedef int (*truncate_t)(int, off_t);
typedef int (*fallocate_t)(int, off_t, off_t);

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) {
    if (regular(fd) && hit(WRITES)) {
        if (error) { errno = error; return -1; }
        return NEXT(pwrite_t, "pwrite64")(fd, data, size / 2, at);
    }
    return NEXT(pwrite_t, "pwrite64")(fd, data, size, at);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

ssize_t write(int fd, const void *data, size_t size) {
    if (regular(fd) && hit(WRITES)) {
        if (error) { errno = error; return -1; }
        return NEXT(write_t, "write")(fd, data, size > 1 ? size / 2 : size);
    }
    return NEXT(write_t, "write")(fd, data, size);
}

int fsync(int fd) {
    if (regular(fd) && hit(SYNCS)) { errno = error; return -1; }
    return NEXT(fd_t, "fsync")(fd);
}
int fdatasync(int fd) {
    if (regular(fd) && hit(SYNCS)) { errno = error; return -1; }
    return NEXT(fd_t, "fdatasync")(fd);
}

int rename(const char *from, const char *to) {
    if (hit(RENAMES)) { errno = error; return -1; }
    return NEXT(rename_t, "rename")(from, to);
}

int ftruncate64(int fd, off_t size) {
    if (regular(fd) && hit(TRUNCATES)) { errno = error; return -1; }
    return NEXT(truncate_t, "ftruncate64")(fd, size);
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }
