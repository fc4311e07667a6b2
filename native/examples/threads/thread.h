/*
 * Threads for threads.c: POSIX's where the compiler has them (wasi-sdk's wasm32-wasip1-threads, emscripten), else the
 * little of them that the program needs, over what wasi-threads gives a bare clang: an import that starts a thread and
 * an export in which it runs. Stack and thread-local storage of a thread are one block of malloc, as in wasi-libc.
 *
 *   thread_start(run, arg)   a thread that calls run(arg); NULL: no memory, or none could be started
 *   thread_join(thread)      waits until it is over and frees what it had; once, by any thread
 *   print(text, number)      one line of output
 */
#include <stdint.h>
#include <stddef.h>

#if __has_include(<pthread.h>)

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct thread {
  pthread_t id;
  void (*run)(void *);
  void *arg;
};

static void *thread_main(void *arg) {
  struct thread *thread = arg;
  thread->run(thread->arg);
  return NULL;
}

static struct thread *thread_start(void (*run)(void *), void *arg) {
  struct thread *thread = malloc(sizeof *thread);
  if (thread == NULL) return NULL;
  *thread = (struct thread){.run = run, .arg = arg};
  if (pthread_create(&thread->id, NULL, thread_main, thread) == 0) return thread;
  free(thread);
  return NULL;
}

static void thread_join(struct thread *thread) {
  pthread_join(thread->id, NULL);
  free(thread);
}

static void print(const char *text, uint32_t number) { printf("%s %u\n", text, (unsigned)number); }

#else

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *ptr, size_t size);
void free(void *ptr);

#define WASI(module, name) __attribute__((import_module(module), import_name(name)))

WASI("wasi", "thread-spawn") int32_t wasi_thread_spawn(void *start_arg);
struct ciovec {
  const void *bytes;
  size_t size;
};
WASI("wasi_snapshot_preview1", "fd_write")
int fd_write(int fd, const struct ciovec *parts, size_t count, size_t *written);

/* A block: this record, the thread's storage, its stack. The first three fields stand where the code below looks. */
struct thread {
  void *stack_top;
  void *storage;
  _Atomic int32_t over;
  void (*run)(void *);
  void *arg;
};

enum { STACK_BYTES = 65536 };

/*
 * What the host calls in the new thread's instance: it has no stack yet. When thread_main has returned, nothing here uses
 * the stack any more, and whoever joins may free it.
 */
__asm__(
    ".globaltype __stack_pointer, i32\n"
    ".functype __wasm_init_tls (i32) -> ()\n"
    ".functype thread_main (i32) -> ()\n"
    ".export_name wasi_thread_start, wasi_thread_start\n"
    ".section .text.wasi_thread_start,\"\",@\n"
    ".globl wasi_thread_start\n"
    ".type wasi_thread_start,@function\n"
    "wasi_thread_start:\n"
    ".functype wasi_thread_start (i32, i32) -> ()\n"
    "local.get 1\n"
    "i32.load 0\n"
    "global.set __stack_pointer\n"
    "local.get 1\n"
    "i32.load 4\n"
    "call __wasm_init_tls\n"
    "local.get 1\n"
    "call thread_main\n"
    "local.get 1\n"
    "i32.const 1\n"
    "i32.atomic.store 8\n"
    "local.get 1\n"
    "i32.const -1\n"
    "memory.atomic.notify 8\n"
    "drop\n"
    "end_function\n");

/* Of libgomalloc.a. Missing with gomalloc.c, for which `gomalloc link` puts the call where the thread ends. */
__attribute__((weak)) void gomalloc_thread_exit(void);

__attribute__((used)) void thread_main(struct thread *thread) {
  thread->run(thread->arg);
  if (gomalloc_thread_exit) gomalloc_thread_exit();
}

static struct thread *thread_start(void (*run)(void *), void *arg) {
  uintptr_t align = __builtin_wasm_tls_align() < 16 ? 16 : __builtin_wasm_tls_align();
  size_t storage = (__builtin_wasm_tls_size() + align - 1) / align * align;
  struct thread *thread = malloc(sizeof *thread + 2 * align + storage + STACK_BYTES);
  if (thread == NULL) return NULL;
  uintptr_t at = ((uintptr_t)(thread + 1) + align - 1) / align * align;
  void *top = (void *)(at + storage + STACK_BYTES);
  *thread = (struct thread){.stack_top = top, .storage = (void *)at, .run = run, .arg = arg};
  if (wasi_thread_spawn(thread) > 0) return thread;
  free(thread);
  return NULL;
}

static void thread_join(struct thread *thread) {
  while (thread->over == 0) __builtin_wasm_memory_atomic_wait32((int32_t *)&thread->over, 0, -1);
  free(thread);
}

static void print(const char *text, uint32_t number) {
  char digits[12];
  size_t at = sizeof digits;
  digits[--at] = '\n';
  do digits[--at] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  digits[--at] = ' ';
  size_t length = 0;
  while (text[length] != '\0') length++;
  const struct ciovec parts[] = {{text, length}, {digits + at, sizeof digits - at}};
  size_t written;
  fd_write(1, parts, 2, &written);
}

/* A program without libc: constructors (gomalloc.c has one), then main. */
void __wasm_call_ctors(void);
int main(void);
__attribute__((export_name("_start"))) void _start(void) {
  __wasm_call_ctors();
  main();
}

#endif
