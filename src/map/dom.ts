/** Elements without markup in strings: text of snapshots is never read as HTML. */

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Partial<HTMLElementTagNameMap[K]> & { readonly data?: Record<string, string> } = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const { data, ...rest } = properties;
  const made = Object.assign(document.createElement(name), rest);
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

/** The element of the page with that id. */
export function byId<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** A square in the colour of a kind. */
export function swatch(kind: string): HTMLElement {
  const made = element("span", { className: "swatch" });
  made.style.background = `var(--${kind})`;
  return made;
}
