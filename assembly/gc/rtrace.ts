/**
 * The hooks that a program imports when it is compiled with ASC_RTRACE or ASC_PROFILE: those of AssemblyScript's own
 * runtimes, from the module rtrace. Blocks are addresses of their first word, 20 bytes before an object.
 */

// @ts-ignore: decorator
@external("rtrace", "oninit")
export declare function oninit(heapBase: usize): void;
// @ts-ignore: decorator
@external("rtrace", "onalloc")
export declare function onalloc(block: usize): void;
// @ts-ignore: decorator
@external("rtrace", "onmove")
export declare function onmove(from: usize, to: usize): void;
// @ts-ignore: decorator
@external("rtrace", "onfree")
export declare function onfree(block: usize): void;
/** Whether the block is one that may be visited. */
// @ts-ignore: decorator
@external("rtrace", "onvisit")
export declare function onvisit(block: usize): bool;
/** After a cycle that was asked for; before and after a step of an automatic one. `total`: bytes in use. */
// @ts-ignore: decorator
@external("rtrace", "oncollect")
export declare function oncollect(total: usize): void;
// @ts-ignore: decorator
@external("rtrace", "oninterrupt")
export declare function oninterrupt(total: usize): void;
// @ts-ignore: decorator
@external("rtrace", "onyield")
export declare function onyield(total: usize): void;
