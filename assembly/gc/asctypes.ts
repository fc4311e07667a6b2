/**
 * The compiler's type information about the classes of an AssemblyScript program.
 *
 * Owner: the compiler writes the table at __rtti_base; it never changes. Cost: one load.
 */

@inline const POINTERFREE: u32 = 1 << 5;

@inline
export function typeinfo(id: u32): u32 {
  return load<u32>(__rtti_base + 4 + (id << 2));
}

/** Whether objects of the class `id` hold no references. */
@inline
export function isPointerFree(id: u32): bool {
  // Object, ArrayBuffer and String have the lowest ids.
  return id <= idof<string>() || (typeinfo(id) & POINTERFREE) != 0;
}
