/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes the k-th system call or allocation of a running daemon fail: for LD_PRELOAD, in tests only.
 *
 *	KTUND_FAULT="NAME:FILE ..."	the process of this name shares FILE with the test, which sets k and reads the rest
 *
 * FILE is five numbers of 32 bits: k (0: none fails), calls since the test set this to 0, whether one failed, its kind,
 * allocations that live.  Only calls by the program itself and by libnl count: what libev and libnftables do when they get
 * no memory is to end the process, and not ours to mend.  Calls that cannot fail in life (an eventfd's write, random numbers)
 * are left alone. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RANGES = 16 };
enum kind { MALLOC = 1, CALLOC, REALLOC, SOCKET, BIND, CONNECT, SETSOCKOPT, GETSOCKNAME, OPEN, IOCTL, SEND, SENDTO, SENDMSG, RECV,
	    RECVMSG, WRITE, PWRITE, DUPFD, THREAD };

struct shared { uint32_t k, calls, failed, kind; int32_t live; };

static struct shared *shared;
static struct { uintptr_t from, to; } range[RANGES];
static unsigned n_ranges;

/* The next one's in line: AddressSanitizer's where the program has it (make SAN=1), else the C library's. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void __libc_free(void *);
__attribute__((weak)) void *__interceptor_malloc(size_t);
__attribute__((weak)) void *__interceptor_calloc(size_t, size_t);
__attribute__((weak)) void *__interceptor_realloc(void *, size_t);
__attribute__((weak)) void __interceptor_free(void *);
#define NEXT(name) (__interceptor_##name ? __interceptor_##name : __libc_##name)

static int find_code(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *name = info->dlpi_name;

	(void)size;
	(void)arg;
	if (name[0] && !strstr(name, "libnl-") && !strstr(name, "libnl_"))
		return 0;
	for (int i = 0; i < info->dlpi_phnum && n_ranges < RANGES; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		range[n_ranges].from = info->dlpi_addr + p->p_vaddr;
		range[n_ranges++].to = info->dlpi_addr + p->p_vaddr + p->p_memsz;
	}
	return 0;
}

__attribute__((constructor)) static void begin(void)
{
	const char *list = getenv("KTUND_FAULT"), *name = program_invocation_short_name, *at = list;
	size_t n = strlen(name);
	char path[256];
	void *p;
	int fd;

	while (at && (strncmp(at, name, n) || at[n] != ':')) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	if (!at)
		return;
	snprintf(path, sizeof(path), "%.*s", (int)strcspn(at + n + 1, " "), at + n + 1);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return;
	dl_iterate_phdr(find_code, NULL);
	shared = p;
}

/* Is it this call's turn? */
static bool fails(enum kind kind, const void *caller, int err)
{
	uintptr_t at = (uintptr_t)caller;
	bool counts = false;

	if (!shared || !__atomic_load_n(&shared->k, __ATOMIC_ACQUIRE))
		return false;
	for (unsigned i = 0; i < n_ranges && !counts; i++)
		counts = at >= range[i].from && at < range[i].to;
	if (!counts || __atomic_add_fetch(&shared->calls, 1, __ATOMIC_ACQ_REL) != shared->k)
		return false;
	shared->kind = kind;
	__atomic_store_n(&shared->failed, 1, __ATOMIC_RELEASE);
	errno = err;
	return true;
}

static void live(int n)
{
	if (shared)
		__atomic_add_fetch(&shared->live, n, __ATOMIC_RELAXED);
}

#define HERE __builtin_return_address(0)

void *malloc(size_t n)
{
	void *p = fails(MALLOC, HERE, ENOMEM) ? NULL : NEXT(malloc)(n);

	live(!!p);
	return p;
}

void *calloc(size_t n, size_t size)
{
	void *p = fails(CALLOC, HERE, ENOMEM) ? NULL : NEXT(calloc)(n, size);

	live(!!p);
	return p;
}

void *realloc(void *old, size_t n)
{
	void *p = fails(REALLOC, HERE, ENOMEM) ? NULL : NEXT(realloc)(old, n);

	live(!old && p);
	return p;
}

void free(void *p)
{
	live(-!!p);
	NEXT(free)(p);
}

#define REAL(type, name, ...) ((type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

int socket(int domain, int type, int protocol)
{
	return fails(SOCKET, HERE, EMFILE) ? -1 : REAL(int, socket, int, int, int)(domain, type, protocol);
}

int bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	return fails(BIND, HERE, EADDRNOTAVAIL) ? -1 : REAL(int, bind, int, const struct sockaddr *, socklen_t)(fd, sa, len);
}

int connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	return fails(CONNECT, HERE, ENETUNREACH) ? -1 : REAL(int, connect, int, const struct sockaddr *, socklen_t)(fd, sa, len);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	return fails(SETSOCKOPT, HERE, ENOBUFS) ? -1 :
	       REAL(int, setsockopt, int, int, int, const void *, socklen_t)(fd, level, option, value, len);
}

int getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	return fails(GETSOCKNAME, HERE, ENOBUFS) ? -1 : REAL(int, getsockname, int, struct sockaddr *, socklen_t *)(fd, sa, len);
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = va_arg(ap, int);
	va_end(ap);
	return fails(OPEN, HERE, EMFILE) ? -1 : REAL(int, open, const char *, int, int)(path, flags, mode);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	return fails(IOCTL, HERE, ENOMEM) ? -1 : REAL(int, ioctl, int, unsigned long, void *)(fd, request, arg);
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
	return fails(SEND, HERE, ENOBUFS) ? -1 : REAL(ssize_t, send, int, const void *, size_t, int)(fd, p, n, flags);
}

ssize_t sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *sa, socklen_t len)
{
	return fails(SENDTO, HERE, ENOBUFS) ? -1 :
	       REAL(ssize_t, sendto, int, const void *, size_t, int, const struct sockaddr *, socklen_t)(fd, p, n, flags, sa, len);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	return fails(SENDMSG, HERE, ENOBUFS) ? -1 : REAL(ssize_t, sendmsg, int, const struct msghdr *, int)(fd, m, flags);
}

ssize_t recv(int fd, void *p, size_t n, int flags)
{
	return fails(RECV, HERE, EINTR) ? -1 : REAL(ssize_t, recv, int, void *, size_t, int)(fd, p, n, flags);
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	return fails(RECVMSG, HERE, EINTR) ? -1 : REAL(ssize_t, recvmsg, int, struct msghdr *, int)(fd, m, flags);
}

ssize_t write(int fd, const void *p, size_t n)
{
	struct stat st;

	/* PPP's device and the log, not an eventfd */
	if (shared && shared->k && !fstat(fd, &st) && S_ISCHR(st.st_mode) && fails(WRITE, HERE, ENOBUFS))
		return -1;
	return REAL(ssize_t, write, int, const void *, size_t)(fd, p, n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	return fails(PWRITE, HERE, ENOSPC) ? -1 : REAL(ssize_t, pwrite, int, const void *, size_t, off_t)(fd, p, n, at);
}

int fcntl(int fd, int command, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, command);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (command == F_DUPFD_CLOEXEC && fails(DUPFD, HERE, EMFILE))
		return -1;
	return REAL(int, fcntl, int, int, void *)(fd, command, arg);
}

int pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	return fails(THREAD, HERE, EAGAIN) ? EAGAIN :
	       REAL(int, pthread_create, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)(t, attr, run, arg);
}
