/** Numbers as people read them. */

/** 1536: "1.5 KiB". */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let value = Math.abs(bytes);
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  const text = unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1);
  return `${bytes < 0 ? "-" : ""}${text} ${units[unit]}`;
}

/** 0.5: "50.0 %". */
export function percentText(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** A number with its sign. */
export function signed(n: number, text: string): string {
  return n > 0 ? `+${text}` : text;
}
