/**
 * The hooks that a program imports when compiled with ASC_RTRACE or ASC_PROFILE: those of AssemblyScript's own
 * runtimes, from the module rtrace. A block is given by the address of its first word, 20 bytes before an object.
 *
 * Owner: the one thread. Cost: none without these flags.
 */

import { PROFILE, RTRACE } from "../base/config";

@external("rtrace", "oninit")
export declare function oninit(heapBase: usize): void;
@external("rtrace", "onalloc")
export declare function onalloc(block: usize): void;
@external("rtrace", "onmove")
export declare function onmove(from: usize, to: usize): void;
@external("rtrace", "onfree")
export declare function onfree(block: usize): void;
/** Whether the block may be visited. */
@external("rtrace", "onvisit")
export declare function onvisit(block: usize): bool;
/** After a requested cycle; before and after a step of an automatic one. `total`: bytes in use. */
@external("rtrace", "oncollect")
export declare function oncollect(total: usize): void;
@external("rtrace", "oninterrupt")
export declare function oninterrupt(total: usize): void;
@external("rtrace", "onyield")
export declare function onyield(total: usize): void;

/* The same hooks; they do nothing in programs that do not import them. */
@inline
export function traceInit(heapBase: usize): void {
  if (RTRACE) oninit(heapBase);
}
@inline
export function traceAlloc(block: usize): void {
  if (RTRACE) onalloc(block);
}
@inline
export function traceMove(from: usize, to: usize): void {
  if (RTRACE) onmove(from, to);
}
@inline
export function traceFree(block: usize): void {
  if (RTRACE) onfree(block);
}
@inline
export function traceVisit(block: usize): bool {
  return RTRACE ? onvisit(block) : true;
}
@inline
export function traceCollect(total: usize): void {
  if (RTRACE || PROFILE) oncollect(total);
}
@inline
export function traceInterrupt(total: usize): void {
  if (PROFILE) oninterrupt(total);
}
@inline
export function traceYield(total: usize): void {
  if (PROFILE) onyield(total);
}
