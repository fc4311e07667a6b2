/** Types of quiet.mjs, which workers run as it is. */
export const STOP: number;
export const OPS: number;
export function makeControl(slots: number): Int32Array;
export function wordOf(slot: number, i: number): number;
export function clearWords(control: Int32Array, slot: number): void;
export function ask(control: Int32Array): void;
export function release(control: Int32Array): void;
export function askToStop(control: Int32Array): void;
export function isQuiet(control: Int32Array, slot: number): boolean;
export function hasLeft(control: Int32Array, slot: number): boolean;
export function obey(control: Int32Array, slot: number, look: () => void): void;
export function leave(control: Int32Array, slot: number): void;
