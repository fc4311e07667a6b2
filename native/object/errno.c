/*
 * errno, for gomalloc's object file. -DGOMALLOC_EMSCRIPTEN: emscripten's, which is behind a function; -DGOMALLOC_NO_ERRNO:
 * there is no libc. Else wasi-libc's.
 */
#if defined(GOMALLOC_EMSCRIPTEN)
int *__errno_location(void);
void gomalloc_set_errno(int code) { *__errno_location() = code; }
#elif defined(GOMALLOC_NO_ERRNO)
void gomalloc_set_errno(int code) { (void)code; }
#else
extern _Thread_local int errno;
void gomalloc_set_errno(int code) { errno = code; }
#endif
