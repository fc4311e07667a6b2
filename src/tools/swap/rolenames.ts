/**
 * The members of the malloc family, by name. Apart from roles.ts so that the package's types do not lead to binaryen's,
 * which most of its users have not installed.
 */

/** In the order of reports. */
export const ROLE_NAMES = [
  ...(["malloc", "free", "calloc", "realloc", "memalign", "aligned_alloc", "posix_memalign"] as const),
  ...(["malloc_usable_size", "malloc_trim", "mallopt", "realloc_in_place", "initialiser"] as const),
  ...(["rust_alloc", "rust_dealloc", "rust_realloc", "rust_alloc_zeroed"] as const),
] as const;

export type RoleName = (typeof ROLE_NAMES)[number];
