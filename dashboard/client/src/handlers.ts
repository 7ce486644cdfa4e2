/** Functions that want to hear of something. */
export class Handlers<T> {
  readonly #handlers = new Set<{ call: (value: T) => void }>();

  /** Adds one; returns its undo. */
  add(call: (value: T) => void): () => void {
    // The same function may be added twice.
    const handler = { call };
    this.#handlers.add(handler);
    return () => void this.#handlers.delete(handler);
  }

  /** Calls all. One that throws is reported as any uncaught error, and stops no other. */
  call(value: T): void {
    for (const handler of [...this.#handlers]) {
      try {
        if (this.#handlers.has(handler)) handler.call(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
