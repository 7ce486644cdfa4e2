import { expect, test } from "vitest";

import { HELP, press, PREFIX_MS } from "./keys";

const action = (key: string) => press(null, key, 0).action;

test("letters work in both cases, unknown keys do nothing", () => {
  expect(action("j")).toEqual({ do: "move", by: 1 });
  expect(action("J")).toEqual({ do: "move", by: 1 });
  expect(action("r")).toEqual({ do: "decide", choice: "RISK" });
  expect(action("x")).toBeNull();
  expect(action("F5")).toBeNull();
});

test("g waits for its second key, but not for ever", () => {
  const g = press(null, "g", 0);
  expect(g.action).toBeNull();
  expect(press(g.prefix, "h", 100).action).toEqual({ do: "go", view: "history" });
  expect(press(g.prefix, "h", PREFIX_MS + 1).action).toBeNull();
});

test("a key that does not follow g means what it means alone", () => {
  const g = press(null, "g", 0);
  expect(press(g.prefix, "b", 10)).toEqual({
    action: { do: "decide", choice: "BUY" },
    prefix: null,
  });
  expect(press(g.prefix, "g", 10).prefix).toEqual({ at: 10 });
});

test("every key of the help does something", () => {
  const names: Record<string, string> = { Esc: "Escape" };
  for (const { keys } of HELP)
    for (const key of keys) {
      const [first = "", second] = key.split(" ");
      const one = press(null, names[first] ?? first, 0);
      const result = second === undefined ? one : press(one.prefix, second, 1);
      expect(result.action, key).not.toBeNull();
    }
});
