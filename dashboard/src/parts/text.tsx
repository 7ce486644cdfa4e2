// Text that people wrote: only ever text, in its own writing direction.

import { harmless } from "../format/text";

/** A name, a note: isolated, without controls. */
export function UserText({ text }: { text: string }) {
  return <bdi class="user-text">{harmless(text)}</bdi>;
}
