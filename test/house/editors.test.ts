/** assembly/tsconfig.json: an editor that opens a file of assembly/ finds its types, and no errors but two kinds of TypeScript's. */
import { join } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";
import { ROOT } from "../../scripts/build-tools.ts";

/** "Decorators are not valid here": TypeScript has none on functions and variables, AssemblyScript has @inline there. */
const DECORATORS = 1206;

/** Arithmetic on a type parameter: AssemblyScript compiles the body for each type, TypeScript wants it to be a number. */
function isGeneric({ code, messageText }: ts.Diagnostic): boolean {
  const text = ts.flattenDiagnosticMessageText(messageText, "\n");
  return code === 2362 || code === 2363 || (text.includes("'T'") && [2322, 2345, 2365].includes(code));
}

it("assembly/ has no type errors in an editor, decorators of functions and arithmetic on type parameters apart", () => {
  const folder = join(ROOT, "assembly");
  const { config, error } = ts.readConfigFile(join(folder, "tsconfig.json"), ts.sys.readFile);
  expect(error).toBeUndefined();
  const { options, fileNames, errors } = ts.parseJsonConfigFileContent(config, ts.sys, folder);
  expect(errors).toEqual([]);
  expect(fileNames.length).toBeGreaterThan(50);
  const found = ts.getPreEmitDiagnostics(ts.createProgram(fileNames, options));
  const others = found.filter((one) => one.code !== DECORATORS && !isGeneric(one));
  expect(others.map((one) => ts.formatDiagnostic(one, ts.createCompilerHost(options)))).toEqual([]);
  // When TypeScript permits them, the exception can go.
  expect(found.length).toBeGreaterThan(0);
});
