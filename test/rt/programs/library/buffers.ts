/** ArrayBuffer, typed arrays, DataView: lengths, views over one buffer, conversions, what is out of range. */
import { collect, say } from "./say";

function bytes(view: Uint8Array): string {
  return "<" + view.join(" ") + ">";
}

function buffers(): void {
  const buffer = new ArrayBuffer(16);
  const all = Uint8Array.wrap(buffer);
  for (let i = 0; i < 16; i++) all[i] = i * 17;
  const part = Uint8Array.wrap(buffer, 4, 4);
  const words = Uint32Array.wrap(buffer, 8);
  collect();
  words[0] = 0x01020304;
  say("views", bytes(all) + bytes(part) + words.length.toString() + " " + words.byteOffset.toString());
  const slice = buffer.slice(3, -3);
  collect();
  say("slice", bytes(Uint8Array.wrap(slice)) + slice.byteLength.toString() + buffer.slice(9, 2).byteLength.toString());
  say("isView", ArrayBuffer.isView(part).toString() + ArrayBuffer.isView(buffer).toString());
  let sum = 0;
  for (let n = 0; n < 70000; n = n * 2 + 1) {
    const zeros = Uint8Array.wrap(new ArrayBuffer(n));
    for (let i = 0; i < n; i++) sum += zeros[i];
    memory.fill(zeros.dataStart, 0xff, n);
  }
  say("fresh buffers are zero", sum.toString());
}

function typed(): void {
  const clamped = new Uint8ClampedArray(4);
  clamped[0] = 300;
  clamped[1] = -5;
  clamped[2] = 77;
  say("clamped", clamped.join());
  const floats = new Float64Array(6);
  for (let i = 0; i < 6; i++) floats[i] = 2.5 - i;
  collect();
  say("map", floats.map((x) => x * 2).join() + " " + floats.filter((x) => x > 0).join());
  say("subarray", floats.subarray(1, 4).join() + " " + floats.slice(-2).join());
  floats.sort();
  say("sort", floats.join() + floats.reverse().join());
  floats.fill(9, 1, 3).copyWithin(3, 0, 3);
  say("fill", floats.join());
  const ints = new Int16Array(3);
  ints.set([1, -2, 70000], 0);
  const wide = new Float32Array(5);
  wide.set(ints, 1);
  say("set", ints.join() + " " + wide.join());
  say("reduce", ints.reduce<i32>((a, b) => a + b, 5).toString() + " " + ints.findIndex((x) => x < 0).toString());
  say("includes", ints.includes(-2).toString() + ints.indexOf(9).toString() + ints.lastIndexOf(1).toString());
}

function viewed(): void {
  const view = new DataView(new ArrayBuffer(24), 4, 16);
  view.setFloat64(0, Math.PI, true);
  view.setInt16(8, -2, false);
  view.setUint32(10, 0xdeadbeef);
  collect();
  say(
    "DataView",
    view.getFloat64(0, true).toString() + " " + view.getUint16(8).toString() + " " + view.getInt8(13).toString(),
  );
  say("DataView, order", view.getUint32(10, true).toString(16) + " " + view.getUint64(0).toString(16));
  say(
    "DataView, size",
    view.byteLength.toString() + " " + view.byteOffset.toString() + " " + view.buffer.byteLength.toString(),
  );
}

export function run(): void {
  buffers();
  typed();
  viewed();
}
