/**
 * The linear memory of the program that a package instantiates for itself, wherever it keeps it.
 */

/** Does a package's work and returns all that it produced. */
export type Work = () => Uint8Array[];

/** Watches WebAssembly.instantiate and WebAssembly.Memory; the function returned gives the largest memory's bytes. */
export function captureMemory(): () => number {
  const memories = new Set<WebAssembly.Memory>();
  const note = (exports: WebAssembly.Exports) => {
    for (const value of Object.values(exports)) if (value instanceof WebAssembly.Memory) memories.add(value);
  };
  const { instantiate, Memory } = WebAssembly;
  const watched = async (source: BufferSource | WebAssembly.Module, imports?: WebAssembly.Imports) => {
    const made = await instantiate(source as BufferSource, imports);
    note((made.instance ?? (made as unknown as WebAssembly.Instance)).exports);
    return made;
  };
  WebAssembly.instantiate = watched as typeof instantiate;
  WebAssembly.Memory = new Proxy(Memory, {
    construct(target, args: [WebAssembly.MemoryDescriptor]) {
      const memory = new target(...args);
      memories.add(memory);
      return memory;
    },
  });
  return () => Math.max(0, ...[...memories].map((memory) => memory.buffer.byteLength));
}
