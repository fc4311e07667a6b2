/**
 * gomalloc as the runtime of an AssemblyScript program: `asc app.ts --runtime ./node_modules/gomalloc/rt`.
 * All of it is in assembly/abi/asc.ts, which tells what the program gets.
 */
import "./assembly/abi/asc";
