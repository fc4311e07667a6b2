/* Blocks that a host asks for one by one: what it gets is what a snapshot of the memory has to show. */
#include <stdlib.h>

__attribute__((export_name("take"))) void *take(size_t size) { return malloc(size); }

__attribute__((export_name("give"))) void give(void *block) { free(block); }
