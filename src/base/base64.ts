/** Decoding of the inlined module with what Node, Deno, Bun and every browser have. O(bytes). */

/** The bytes of a base64 text without line breaks. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
