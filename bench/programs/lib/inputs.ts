/**
 * Documents for the programs to read, the same on every machine: made from a seed.
 */

/** cmark's CMake writes these; here by hand for clang. */
export const CMARK_CONFIG = {
  "config.h": [
    "#include <stdbool.h>",
    "#define HAVE_STDBOOL_H",
    "#define HAVE___BUILTIN_EXPECT",
    "#define HAVE___ATTRIBUTE__",
    "#define CMARK_ATTRIBUTE(list) __attribute__ (list)",
    "#define CMARK_INLINE inline",
    "",
  ].join("\n"),
  "cmark_version.h": [
    "#define CMARK_VERSION ((0 << 16) | (30 << 8) | 2)",
    '#define CMARK_VERSION_STRING "0.30.2"',
    "",
  ].join("\n"),
  "cmark_export.h": ["#define CMARK_EXPORT", "#define CMARK_NO_EXPORT", ""].join("\n"),
};

/** Whole numbers in [0, n) from a 32-bit linear congruential sequence. */
function generator(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

const SYLLABLES = "al be cor di en fu gra hi in ko lum mer no os pra qui ro sen tu ver".split(" ");

function word(random: (n: number) => number): string {
  return Array.from({ length: 1 + random(4) }, () => SYLLABLES[random(SYLLABLES.length)]).join("");
}

function words(random: (n: number) => number, count: number): string {
  return Array.from({ length: count }, () => word(random)).join(" ");
}

/** An array of `count` records: nested objects, arrays, strings of many lengths, numbers. */
export function json(count: number): string {
  const random = generator(1);
  const records = Array.from({ length: count }, (_, id) => ({
    id,
    name: words(random, 1 + random(4)),
    active: random(2) === 0,
    balance: random(1_000_000) / 100,
    text: words(random, random(60)),
    tags: Array.from({ length: random(8) }, () => word(random)),
    address: { street: words(random, 2), number: random(300), place: { x: random(9999) / 10, y: -random(9999) / 10 } },
    friends: Array.from({ length: random(6) }, () => ({
      id: random(count),
      since: 1990 + random(30),
      note: word(random),
    })),
  }));
  return JSON.stringify(records);
}

/** `count` functions and classes of JavaScript. */
export function javascript(count: number): string {
  const random = generator(2);
  const name = () => word(random);
  const expression = (depth: number): string => {
    const below = () => expression(depth - 1);
    if (depth <= 0) return random(2) ? `v_${name()}` : String(random(1000));
    switch (random(8)) {
      case 0:
        return `${below()} + ${below()} * ${below()}`;
      case 1:
        return `f_${name()}(${below()}, ${below()})`;
      case 2:
        return `[${below()}, ${below()}, ...v_${name()}]`;
      case 3:
        return `{ ${name()}1: ${below()}, "${name()}": ${below()} }`.replace(/^/, "(").concat(")");
      case 4:
        return `(a_${name()}) => ${below()}`.replace(/^/, "(").concat(")");
      case 5:
        return `v_${name()}.p_${name()}[${below()}]`;
      case 6:
        return `(${below()} ? \`${name()} \${${below()}}\` : /${name()}+/g)`;
      default:
        return `"${words(random, random(5))}"`;
    }
  };
  const lines: string[] = [];
  for (let i = 0; i < count; i++) {
    lines.push(`// ${words(random, 6)}`, `function f_${name()}(a, b = ${expression(1)}) {`);
    for (let j = 0; j < 2 + random(4); j++) lines.push(`  const v_${name()}${j} = ${expression(3)};`);
    lines.push(`  for (let i = 0; i < b; i++) {`, `    if (${expression(2)}) return ${expression(2)};`, "  }", "}", "");
  }
  return lines.join("\n");
}

/** `count` blocks of Markdown: headings, paragraphs with links and emphasis, lists, quotes, code. */
export function markdown(count: number): string {
  const random = generator(3);
  const inline = () => {
    const text = words(random, 1 + random(6));
    return [
      text,
      `*${text}*`,
      `**${text}**`,
      `\`${text}\``,
      `[${text}](/${word(random)} "${word(random)}")`,
      `"${text}"`,
    ][random(6)];
  };
  const paragraph = () => Array.from({ length: 2 + random(12) }, () => inline()).join(random(3) ? " " : "\n");
  const blocks: string[] = [];
  for (let i = 0; i < count; i++) {
    const kind = random(8);
    if (kind === 0) blocks.push(`${"#".repeat(1 + random(4))} ${words(random, 4)}`);
    else if (kind === 1)
      blocks.push(Array.from({ length: 2 + random(5) }, () => `- ${inline()}\n  - ${inline()}`).join("\n"));
    else if (kind === 2) blocks.push(`> ${paragraph().replaceAll("\n", "\n> ")}`);
    else if (kind === 3) blocks.push(`\`\`\`c\n${words(random, 20)}\n\`\`\``);
    else blocks.push(paragraph());
  }
  return `${blocks.join("\n\n")}\n`;
}
