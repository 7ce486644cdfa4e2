// Fails when src/openapi.ts is not what openapi-typescript makes of the server's description, or
// when the library has grown too large.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** Bytes, minified and gzipped. */
const MOST = 8192;

const here = import.meta.dirname;
const folder = mkdtempSync(join(tmpdir(), "signalroom-types-"));
try {
  const fresh = join(folder, "openapi.ts");
  execFileSync("openapi-typescript", ["../../core/openapi.json", "-o", fresh], {
    cwd: here,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (readFileSync(fresh, "utf8") !== readFileSync(join(here, "src/openapi.ts"), "utf8")) {
    console.error("src/openapi.ts is out of date. Write and commit it:");
    console.error("  npm run types -w dashboard/client");
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}

const { outputFiles } = await build({
  entryPoints: [join(here, "src/index.ts")],
  bundle: true,
  format: "esm",
  minify: true,
  target: "es2022",
  write: false,
});
const size = gzipSync(outputFiles[0].contents, { level: 9 }).length;
console.log(`${size} bytes gzipped, of at most ${MOST}`);
if (size > MOST) process.exitCode = 1;
