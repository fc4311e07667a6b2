/** Names of functions as people read them. */
import { expect, it } from "vitest";
import { demangleRust, readableName } from "../../src/profile/names.ts";

it.each([
  ["_ZN4core3fmt5write17hee677439f637843bE", "core::fmt::write"],
  [
    "_ZN46_$LT$calls..Square$u20$as$u20$calls..Shape$GT$4area17h4467570ba0c61f3aE",
    "<calls::Square as calls::Shape>::area",
  ],
  ["_ZN5calls7measure28_$u7b$$u7b$closure$u7d$$u7d$17hf8e6cae72274856aE", "calls::measure::{{closure}}"],
  [
    "_ZN50_$LT$$RF$mut$u20$W$u20$as$u20$core..fmt..Write$GT$9write_str17h7a902adce804d401E",
    "<&mut W as core::fmt::Write>::write_str",
  ],
])("Rust: %s", (mangled, name) => {
  expect(demangleRust(mangled)).toBe(name);
  expect(readableName(mangled)).toBe(name);
});

it.each([
  "_ZNK6shapes3BoxIxE4openEv",
  "_ZN3foo3barE",
  "_ZN3foo17h4467570ba0c61f3E",
  "_ZN99foo17h4467570ba0c61f3aE",
  "_ZN0017h4467570ba0c61f3aE",
  "_ZNE",
  "malloc",
])("not of Rust's older mangling: %s", (name) => {
  expect(demangleRust(name)).toBeUndefined();
  expect(readableName(name)).toBe(name);
});

it("the hash of a demangled name goes, and so do binaryen's escapes", () => {
  expect(readableName("core::fmt::write::hee677439f637843b")).toBe("core::fmt::write");
  expect(readableName("core::fmt::write::header")).toBe("core::fmt::write::header");
  expect(readableName("std::get\\28int\\2c\\20long\\29")).toBe("std::get(int, long)");
});
