// CSV as RFC 4180 has it, for spreadsheets.

/** One field: quoted where needed; what a spreadsheet would run as a formula becomes text. */
export function field(value: string | number | null) {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Header and rows, each line ended by CRLF. */
export function csv(
  header: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
) {
  return [header, ...rows].map((row) => `${row.map(field).join(",")}\r\n`).join("");
}
