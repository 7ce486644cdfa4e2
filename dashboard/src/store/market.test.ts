import { expect, test } from "vitest";

import { MARKET_COMPONENTS } from "./market";

test("values are told in their own units", () => {
  const told = (name: keyof typeof MARKET_COMPONENTS, value: number) =>
    MARKET_COMPONENTS[name].value(value).replace("−", "-").replace(/\s/g, "");
  expect(told("momentum", 1.032)).toBe("+3.2%");
  expect(told("volatility", 0.9)).toBe("-10.0%");
  expect(told("safe_haven", -0.021)).toBe("-2.1%");
  expect(told("junk_bond_demand", 3.125)).toMatch(/^3\.1[23]%$/);
  expect(told("put_call", 0.876)).toBe("0.88");
});
