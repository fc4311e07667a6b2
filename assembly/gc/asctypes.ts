/** What the compiler's type information says of the classes of an AssemblyScript program. */

@inline const POINTERFREE: u32 = 1 << 5;

@inline
export function typeinfo(id: u32): u32 {
  return load<u32>(__rtti_base + 4 + (id << 2));
}

/** Whether objects of a class hold no references. */
@inline
export function isPointerFree(id: u32): bool {
  // Object, ArrayBuffer and String have the first numbers.
  return id <= idof<string>() || (typeinfo(id) & POINTERFREE) != 0;
}
