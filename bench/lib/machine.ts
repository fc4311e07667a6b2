/** The machine and the tools that figures were taken with. */

import os from "node:os";
import { packageVersion } from "./paths.ts";

/** What a record of figures says of its origin; `packages` are npm's, by the names they get in the record. */
export function describeMachine<Name extends string>(packages: Readonly<Record<Name, string>>) {
  const cores = os.cpus();
  const versions = Object.entries<string>(packages).map(([name, npm]) => [name, packageVersion(npm)]);
  return {
    cpu: cores[0]?.model ?? "unknown processor",
    cores: cores.length,
    system: `${os.type()} ${os.arch()}`,
    node: process.versions.node,
    v8: process.versions.v8,
    ...(Object.fromEntries(versions) as Record<Name, string>),
  };
}
