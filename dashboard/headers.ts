// The `_headers` file of the built page: what the browser may do with it, and how long it may keep
// it. Both runtimes send these with the static files.

/**
 * @param origins where the page may connect besides its own origin: `https://…` or `http://…`
 * @returns the text of a `_headers` file as Cloudflare's static assets and the harness read it
 */
export function headersFile(origins: readonly string[]): string {
  const connect = ["'self'"];
  for (const origin of origins) {
    const url = new URL(origin);
    connect.push(url.origin, url.origin.replace(/^http/, "ws"));
  }
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    `connect-src ${[...new Set(connect)].join(" ")}`,
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");
  return `/*
  Content-Security-Policy: ${policy}
  Cross-Origin-Opener-Policy: same-origin
  Permissions-Policy: camera=(), geolocation=(), microphone=()
  Referrer-Policy: no-referrer
  Strict-Transport-Security: max-age=31536000
  X-Content-Type-Options: nosniff
/
  Cache-Control: no-cache
/signals
  Cache-Control: no-cache
/index.html
  Cache-Control: no-cache
/assets/*
  Cache-Control: public, max-age=31536000, immutable
`;
}
