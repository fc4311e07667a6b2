/**
 * What libgomalloc-debug.a defines: object.ts, with the heap's laws checked as they may break (GOMALLOC_TEST), and the
 * statistics and checks of native/gomalloc.h.
 *
 * Owner and cost: as in object.ts, and several times the time.
 */

export * from "./object";
export {
  memstats as gomalloc_memstats,
  validate as gomalloc_validate,
  validateInfo as gomalloc_validate_info,
} from "./host";
