/** A client of a Signalroom desk: signals and decisions live, resumed after any interruption. */

export { createClient } from "./client.js";
export { QueueFull } from "./approvals.js";
export {
  Problem,
  Unreachable,
  type ApprovalFilter,
  type Call,
  type Page,
  type Rest,
} from "./rest.js";
export type * from "./types.js";
