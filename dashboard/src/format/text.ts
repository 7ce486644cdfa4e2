// Text that people wrote, made harmless to look at. It is only ever put into text nodes; the marks
// here are about what such a text could still do there: turn the writing direction of its
// surroundings, hide itself, or push the layout.

// Directional overrides, embeddings and isolates would reach beyond the text; its own isolation
// (<bdi>) gives right-to-left writing what it needs.
const DIRECTIONAL = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
// C0 and C1 controls but tab and newline, and what has no width.
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u2060\ufeff]/g;

/** A note or a name without controls that act beyond it; each becomes a visible ␣-like mark. */
export function harmless(text: string) {
  return text.replace(/\r\n?/g, "\n").replace(DIRECTIONAL, "").replace(CONTROLS, "\u2423");
}

/** The first line of a harmless text, at most `max` characters, with an ellipsis if cut. */
export function excerpt(text: string, max: number) {
  const line = harmless(text).trim().split("\n", 1)[0] ?? "";
  const characters = Array.from(line);
  const cut = characters.length > max || line.length < text.trim().length;
  return cut ? `${characters.slice(0, max).join("").trimEnd()}…` : line;
}

/** How the server counts a note: in characters (code points), not UTF-16 units. */
export function characters(text: string) {
  let total = 0;
  for (const _ of text) total += 1;
  return total;
}
