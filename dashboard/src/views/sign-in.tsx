// Signing in with a token: a link brought it, or it is pasted here.

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";

import { Dialog } from "../parts/dialog";
import { signInReason } from "../session";
import { signIn, signOut } from "../store/desk";

function Form({ onDone }: { onDone: () => void }) {
  const text = useSignal("");
  const wrong = useSignal<string | null>(null);
  const busy = useSignal(false);
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => field.current?.focus(), []);
  return (
    <form
      class="sign-in-form"
      onSubmit={async (event) => {
        event.preventDefault();
        if (busy.value) return;
        if (text.value.trim() === "") {
          wrong.value = "Paste a token first.";
          return;
        }
        busy.value = true;
        wrong.value = await signIn(text.value);
        busy.value = false;
        if (wrong.value === null) onDone();
        else field.current?.focus();
      }}
    >
      <label class="field">
        <span>Access token</span>
        <input
          ref={field}
          type="password"
          autocomplete="off"
          spellcheck={false}
          value={text.value}
          aria-invalid={wrong.value !== null}
          aria-describedby="sign-in-wrong"
          onInput={(event) => {
            text.value = event.currentTarget.value;
            wrong.value = null;
          }}
        />
      </label>
      <p id="sign-in-wrong" class="wrong" role="alert">
        {wrong.value}
      </p>
      <button type="submit" class="primary" disabled={busy.value}>
        {busy.value ? "Signing in…" : "Sign in"}
      </button>
    </form>
  );
}

function How() {
  return (
    <div class="how">
      <p>
        <code>signalroom serve</code> prints a ready sign-in link. For a token of your own, in the
        same folder:
      </p>
      <pre>signalroom token --sub you --role approver</pre>
      <p class="quiet">The token stays in this tab and is gone when you close it.</p>
    </div>
  );
}

/** The whole page while nobody is signed in. */
export function SignInPage() {
  return (
    <main class="sign-in">
      <h1>Signalroom</h1>
      {signInReason.value !== null && (
        <p class="warn" role="alert">
          {signInReason.value}
        </p>
      )}
      <Form onDone={() => undefined} />
      <How />
    </main>
  );
}

/** Over the page, when a session ended: the place is kept, and what was shown stays behind. */
export function SignInDialog({ required, onClose }: { required: boolean; onClose: () => void }) {
  return (
    <Dialog label="Sign in again" class="again" required={required} onClose={onClose}>
      <h2>Sign in again</h2>
      {signInReason.value !== null && <p>{signInReason.value}</p>}
      <Form onDone={onClose} />
      <How />
      {required && (
        <button type="button" class="link" onClick={signOut}>
          Sign out instead
        </button>
      )}
    </Dialog>
  );
}
