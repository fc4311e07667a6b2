/** Calls the component that jco has made an ES module of: node main.mjs, in the folder in which `component` lies. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const { words } = await import(pathToFileURL(resolve("component/words.js")).href);

console.log(words("the cat and the dog and the bird").join(" "));
