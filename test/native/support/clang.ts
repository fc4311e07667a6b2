/** clang for programs of the tests: the recipe that users have, on @yowasp/clang. */
export { clang } from "../../../native/examples/clang.mjs";
