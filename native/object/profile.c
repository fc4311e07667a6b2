/* The hooks of libgomalloc-profile.a: what the core asks of the host is imported from module gomalloc
 * (assembly/base/hooks.ts), whatever the linker is told about missing symbols. gomalloc/profile has the JavaScript for it.
 */
#include <stdint.h>

#define HOOK(name) __attribute__((import_module("gomalloc"), import_name(#name)))

HOOK(option) uint32_t gomalloc_host_option(uint32_t param);
HOOK(stack) uint32_t gomalloc_host_stack(void *buffer, uint32_t max);
HOOK(report) void gomalloc_host_report(int kind, void *sample);

uint32_t gomalloc_hook_option(uint32_t param) { return gomalloc_host_option(param); }

uint32_t gomalloc_hook_stack(void *buffer, uint32_t max) { return gomalloc_host_stack(buffer, max); }

void gomalloc_hook_report(int kind, void *sample) { gomalloc_host_report(kind, sample); }
