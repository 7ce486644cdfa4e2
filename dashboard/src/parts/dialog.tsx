// A native modal dialog: the browser keeps the focus in it, closes it on Escape, and gives the
// focus back.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** Open as long as it is rendered. `onClose` is called when the reader closes it. */
export function Dialog({
  label,
  class: name = "",
  required = false,
  onClose,
  children,
}: {
  label: string;
  class?: string;
  /** Whether it stays until its question is answered. */
  required?: boolean;
  onClose: () => void;
  children: ComponentChildren;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  // Before the next key: what is typed after it belongs to the dialog.
  useLayoutEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={name}
      aria-label={label}
      onCancel={(event) => {
        event.preventDefault();
        if (!required) onClose();
      }}
      onMouseDown={(event) => {
        // The dialog itself is hit only beside its content: on the backdrop.
        if (!required && event.target === ref.current) onClose();
      }}
    >
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}
