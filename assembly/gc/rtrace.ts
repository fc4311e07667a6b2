/**
 * The hooks that a program imports when it is compiled with ASC_RTRACE or ASC_PROFILE: those of AssemblyScript's own
 * runtimes, from the module rtrace. Blocks are addresses of their first word, 20 bytes before an object.
 */

@external("rtrace", "oninit")
export declare function oninit(heapBase: usize): void;
@external("rtrace", "onalloc")
export declare function onalloc(block: usize): void;
@external("rtrace", "onmove")
export declare function onmove(from: usize, to: usize): void;
@external("rtrace", "onfree")
export declare function onfree(block: usize): void;
/** Whether the block is one that may be visited. */
@external("rtrace", "onvisit")
export declare function onvisit(block: usize): bool;
/** After a cycle that was asked for; before and after a step of an automatic one. `total`: bytes in use. */
@external("rtrace", "oncollect")
export declare function oncollect(total: usize): void;
@external("rtrace", "oninterrupt")
export declare function oninterrupt(total: usize): void;
@external("rtrace", "onyield")
export declare function onyield(total: usize): void;
