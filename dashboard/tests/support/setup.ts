// One server for all files of a run; those that stop theirs start their own.

import type { TestProject } from "vitest/node";

import { Server, target, type Place, type Target } from "./server.ts";

declare module "vitest" {
  export interface ProvidedContext {
    place: Place;
    target: Target;
  }
}

export default async function setup(project: TestProject) {
  const server = await Server.start(target());
  project.provide("place", { url: server.url, secret: server.secret });
  project.provide("target", server.target);
  return () => server.dispose();
}
