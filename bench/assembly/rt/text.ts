/** FNV-1a over the code units of a string, for checksums. */
export function hash(text: string): u32 {
  let state: u32 = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) state = (state ^ text.charCodeAt(i)) * 0x01000193;
  return state;
}
