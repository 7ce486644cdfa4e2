// Numbers as people read them. A missing one is an en dash, never a zero.

/** What stands where there is no value. */
export const MISSING = "–";

const formats = new Map<string, Intl.NumberFormat>();

function format(key: string, options: Intl.NumberFormatOptions) {
  let found = formats.get(key);
  if (found === undefined) {
    found = new Intl.NumberFormat(undefined, options);
    formats.set(key, found);
  }
  return found;
}

/** A number with a fixed count of decimals; {@link MISSING} for null or what is not finite. */
export function fixed(value: number | null | undefined, decimals: number) {
  if (value == null || !Number.isFinite(value)) return MISSING;
  return format(`fixed${decimals}`, {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  }).format(value);
}

/** A score in [0, 1] as in lists: two decimals. */
export const score = (value: number | null | undefined) => fixed(value, 2);

/** A score in [0, 1] as in details: three decimals. */
export const scoreExact = (value: number | null | undefined) => fixed(value, 3);

/** A price: two decimals, four under one. */
export function price(value: number | null | undefined) {
  return fixed(value, value != null && Math.abs(value) < 1 ? 4 : 2);
}

/** A count: 1,234. */
export function count(value: number | null | undefined) {
  return fixed(value, 0);
}

/** A part of one as percent with a sign: +1.4 %. */
export function change(part: number | null | undefined) {
  if (part == null || !Number.isFinite(part)) return MISSING;
  return format("change", {
    style: "percent",
    signDisplay: "exceptZero",
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  }).format(part);
}

/** "1 row", "2 rows". */
export function plural(value: number, one: string, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}
