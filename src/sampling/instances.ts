/**
 * Hooks for programs that other code instantiates: the JavaScript of an npm package whose module gomalloc swap --profile
 * has given an allocator that samples.
 *
 * WebAssembly.instantiate, instantiateStreaming and Instance are replaced on this thread: imports without a module
 * "gomalloc" get one. A module that does not import it does not see it. Cost: nothing but for the instances themselves.
 */
import { profileImports, type SamplingOptions } from "./hooks.js";

/** A program that samples, and that was instantiated meanwhile. */
export interface ProfiledInstance {
  readonly module: WebAssembly.Module;
  readonly instance: WebAssembly.Instance;
  /** The one it exports, or imports: what readSamples and readSnapshot read. */
  readonly memory: WebAssembly.Memory;
}

export interface ProfiledInstances {
  /** In the order in which they were made. They live as long as this object does. */
  readonly instances: readonly ProfiledInstance[];
  /** Put back what WebAssembly had. Instances that are there go on sampling. */
  stop(): void;
}

/**
 * From now on every instance on this thread of a module that imports the hooks gets them, with these options:
 *
 *   const { instances } = profileInstances();
 *   const jq = await (await import("jq-web")).default;
 *   ...
 *   const samples = readSamples(instances[0].memory);
 *
 * Throws RangeError and TypeError as profileImports.
 */
export function profileInstances(options: SamplingOptions = {}): ProfiledInstances {
  profileImports(() => undefined, options); // the options are looked at now
  const instances: ProfiledInstance[] = [];
  const { instantiate, instantiateStreaming, Instance } = WebAssembly;

  /** Imports with the hooks, and what notes the instance that was made with them. */
  const hooked = (given: WebAssembly.Imports | undefined) => {
    let memory: WebAssembly.Memory | undefined;
    const has = given !== undefined && "gomalloc" in given;
    const imports = has ? given : { ...given, gomalloc: profileImports(() => memory, options) };
    const note = (module: WebAssembly.Module, instance: WebAssembly.Instance) => {
      if (has || !WebAssembly.Module.imports(module).some(isHook)) return;
      memory = memoryOf(module, instance, imports);
      if (memory !== undefined) instances.push({ module, instance, memory });
    };
    // An imported memory is there before the instance is.
    const expect = (module: WebAssembly.Module) => {
      memory = memoryOf(module, undefined, imports);
    };
    return { imports, note, expect };
  };

  async function instantiated(source: BufferSource | WebAssembly.Module, given?: WebAssembly.Imports) {
    const { imports, note, expect } = hooked(given);
    if (!(source instanceof WebAssembly.Module)) {
      const made = await instantiate(source, imports);
      note(made.module, made.instance);
      return made;
    }
    expect(source);
    const instance = await instantiate(source, imports);
    note(source, instance);
    return instance;
  }
  WebAssembly.instantiate = instantiated as typeof instantiate;
  if (typeof instantiateStreaming === "function") {
    WebAssembly.instantiateStreaming = async (source, given) => {
      const { imports, note } = hooked(given);
      const made = await instantiateStreaming(source, imports);
      note(made.module, made.instance);
      return made;
    };
  }
  WebAssembly.Instance = new Proxy(Instance, {
    construct(target, [module, given]: [WebAssembly.Module, WebAssembly.Imports?], newTarget) {
      const { imports, note, expect } = hooked(given);
      expect(module);
      const instance = Reflect.construct(target, [module, imports], newTarget) as WebAssembly.Instance;
      note(module, instance);
      return instance;
    },
  });
  return {
    instances,
    stop() {
      Object.assign(WebAssembly, { instantiate, Instance });
      if (typeof instantiateStreaming === "function") WebAssembly.instantiateStreaming = instantiateStreaming;
    },
  };
}

function isHook({ module, name }: WebAssembly.ModuleImportDescriptor): boolean {
  return module === "gomalloc" && name === "stack";
}

/** The memory that a module imports or, when there is an instance, exports. */
function memoryOf(
  module: WebAssembly.Module,
  instance: WebAssembly.Instance | undefined,
  imports: WebAssembly.Imports,
): WebAssembly.Memory | undefined {
  const imported = WebAssembly.Module.imports(module).find(({ kind }) => kind === "memory");
  const value = imported && imports[imported.module]?.[imported.name];
  if (value instanceof WebAssembly.Memory) return value;
  return Object.values(instance?.exports ?? {}).find((one) => one instanceof WebAssembly.Memory);
}
