/**
 * gomalloc as the runtime of an AssemblyScript program: `asc app.ts --runtime ./node_modules/gomalloc/rt`.
 * All of it is in assembly/abi/asc.ts, which tells what the program gets.
 *
 * The import goes by the package's name: files that asc finds so are library files, which may be unsafe when the program
 * is compiled with --noUnsafe. assembly/rt.ts is the same by a relative path.
 */
import "gomalloc/assembly/abi/asc";
