/**
 * assemblyscript-prettier with one habit taken away: it puts a line break in front of every decorator that no comment
 * precedes, one more at each run. Without it, formatting what is formatted changes nothing.
 */
import plugin from "assemblyscript-prettier";
import { builders } from "prettier/doc";

const printer = plugin.printers["as-estree"];

/** The plugin prints a decorator as [line break, text], or as [text] where a comment precedes it. */
function printComment(path, options) {
  const doc = printer.printComment(path, options);
  return Array.isArray(doc) && doc.length === 2 && doc[0] === builders.hardline ? doc[1] : doc;
}

export default { ...plugin, printers: { "as-estree": { ...printer, printComment } } };
