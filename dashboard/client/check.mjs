// Fails when src/openapi.ts is not what openapi-typescript makes of the server's description.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "signalroom-types-"));
try {
  const fresh = join(folder, "openapi.ts");
  execFileSync("openapi-typescript", ["../../core/openapi.json", "-o", fresh], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const same = readFileSync(fresh, "utf8") === readFileSync("src/openapi.ts", "utf8");
  if (!same) {
    console.error("src/openapi.ts is out of date. Write and commit it:");
    console.error("  npm run types -w dashboard/client");
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
