/**
 * ArrayBuffer and what looks into it: typed arrays of every kind, subarrays that alone keep their buffer alive,
 * DataView, StaticArray, from 0 bytes to 1.7 MB, so that small, medium and large blocks come and go.
 */
import { below, mix, mixBytes, mixFloat, mixText, next, safepoint } from "./lib";

const VIEWS = 48;
let views: Uint8Array[] = [];
let large: Float64Array[] = [];

export function start(): void {
  for (let i = 0; i < VIEWS; i++) views.push(new Uint8Array(i));
  for (let i = 0; i < 3; i++) large.push(new Float64Array(1));
}

export function step(round: i32): void {
  for (let i = 0; i < 20; i++) {
    windows();
    kinds();
    records();
  }
  fixed();
  if (round % 4 == 0) megabytes(round);
}

export function finish(): void {
  for (let i = 0; i < VIEWS; i++) mixBytes(views[i]);
  for (let i = 0; i < large.length; i++) mixFloat(large[i].reduce<f64>((sum, x) => sum + x, 0));
}

/** A size whose logarithm is uniform. */
function size(limit: u32): i32 {
  return <i32>below((<u32>1) << below(limit));
}

/** A subarray replaces the view it looks into: its buffer has no other reference afterwards. */
function windows(): void {
  const at = below(VIEWS);
  const bytes = new Uint8Array(size(15) + 16);
  for (let i = 0; i < bytes.length; i += 1 + (bytes.length >> 6)) bytes[i] = <u8>next();
  safepoint(60);
  const from = <i32>below(<u32>bytes.length);
  views[at] = bytes.subarray(from, from + size(14));
  const other = views[below(VIEWS)];
  if (other.length < bytes.length) bytes.set(other, bytes.length - other.length);
  mixBytes(other.slice(other.length >> 1));
  mix(other.indexOf(7) + other.lastIndexOf(9));
}

function kinds(): void {
  const buffer = new ArrayBuffer(256);
  const i16s = Int16Array.wrap(buffer);
  const f32s = Float32Array.wrap(buffer, 128, 16);
  const i64s = Int64Array.wrap(buffer, 64, 8);
  safepoint(60);
  for (let i = 0; i < 16; i++) f32s[i] = <f32>(<i32>next()) / 64;
  for (let i = 0; i < 8; i++) i64s[i] = <i64>next() * <i64>(<i32>next());
  i16s.sort();
  i16s.subarray(4, 40).reverse();
  const mapped = i16s.map((x) => x * 3).filter((x) => x % 2 == 0);
  safepoint(60);
  mixBytes(Uint8Array.wrap(buffer));
  for (let i = 0; i < mapped.length; i++) mix(mapped[i]);
  const clamped = new Uint8ClampedArray(4);
  clamped[0] = <u8>below(200);
  mixText(clamped.join() + i64s.toString());
  const doubles = new Float64Array(20);
  doubles.set(f32s, 2);
  doubles.sort((a, b) => <i32>(a > b) - <i32>(a < b));
  mixFloat(doubles[10]);
}

function records(): void {
  const view = new DataView(new ArrayBuffer(size(10) + 32));
  view.setFloat64(0, <f64>next() * 0.25);
  view.setUint32(8, next(), true);
  view.setInt64(12, -(<i64>next()), false);
  view.setInt8(31, <i8>below(128));
  safepoint(60);
  const copy = view.buffer.slice(4, 24);
  mixFloat(view.getFloat64(0));
  mixBytes(Uint8Array.wrap(copy));
  mix(view.getUint16(11, true));
}

function fixed(): void {
  const texts = new StaticArray<string>(300);
  const counts = new StaticArray<u32>(3000);
  for (let i = 0; i < 300; i++) {
    texts[i] = next().toString();
    safepoint(900);
  }
  for (let i = 0; i < 300; i++) counts[texts[i].length] += 1;
  const joined = texts.slice<string[]>(10, 30).join("-");
  mixText(joined);
  for (let i = 0; i < 12; i++) mix(counts[i]);
}

/** Buffers of up to 1.7 MB, a few alive. */
function megabytes(round: i32): void {
  const length = 20000 + <i32>below(200000);
  const numbers = new Float64Array(length);
  for (let i = 0; i < length; i += 512) {
    assert(numbers[i] == 0);
    numbers[i] = <f64>(i ^ round);
  }
  numbers[length - 1] = <f64>round;
  mixFloat(large[below(3)].reduce<f64>((sum, x) => sum + x, 0));
  large[below(3)] = numbers;
  safepoint(3);
  mixFloat(numbers[length - 1]);
}
