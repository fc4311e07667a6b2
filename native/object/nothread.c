/* Threads without a libc: each calls gomalloc_thread_exit as its last act. */
void gomalloc_thread_start(void) {}
