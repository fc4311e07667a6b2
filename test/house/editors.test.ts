/** assembly/tsconfig.json: an editor that opens a file of assembly/ finds its types, and no errors but one of TypeScript's. */
import { join } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";
import { ROOT } from "../../scripts/build-tools.ts";

/** "Decorators are not valid here": TypeScript has none on functions and variables, AssemblyScript has @inline there. */
const DECORATORS = 1206;

it("assembly/ has no type errors in an editor, decorators of functions apart", () => {
  const folder = join(ROOT, "assembly");
  const { config, error } = ts.readConfigFile(join(folder, "tsconfig.json"), ts.sys.readFile);
  expect(error).toBeUndefined();
  const { options, fileNames, errors } = ts.parseJsonConfigFileContent(config, ts.sys, folder);
  expect(errors).toEqual([]);
  expect(fileNames.length).toBeGreaterThan(50);
  const found = ts.getPreEmitDiagnostics(ts.createProgram(fileNames, options));
  const others = found.filter(({ code }) => code !== DECORATORS);
  expect(others.map((one) => ts.formatDiagnostic(one, ts.createCompilerHost(options)))).toEqual([]);
  // When TypeScript permits them, the exception can go.
  expect(found.length).toBeGreaterThan(0);
});
