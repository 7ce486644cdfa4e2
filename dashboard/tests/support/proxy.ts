// What stands between a browser and a server in bad networks: it passes requests on, but can
// refuse WebSockets, as some proxies do, or hold back what the server sends on them.

import { once } from "node:events";
import { Agent, createServer, request, type Server as HttpServer } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";

import type { Place } from "./server.ts";

interface Link {
  client: Socket;
  server: Socket;
}

/** A proxy of `place`, with an address of its own. */
export class Proxy implements Place {
  readonly secret: string;
  readonly #target: URL;
  readonly #http: HttpServer;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #links = new Set<Link>();
  #refuses = false;
  #holds = false;

  private constructor(place: Place) {
    this.secret = place.secret;
    this.#target = new URL(place.url);
    this.#http = createServer((incoming, answer) => {
      const { host, port } = { host: this.#target.hostname, port: this.#target.port };
      const { method, url, headers } = incoming;
      const on = request({ host, port, method, path: url, headers, agent: this.#agent });
      on.on("response", (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
      });
      on.on("error", () => answer.destroy());
      incoming.pipe(on);
    });
    this.#http.on("upgrade", (incoming, client: Socket, head: Buffer) => {
      client.on("error", () => client.destroy());
      if (this.#refuses) {
        client.end("HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        return;
      }
      const server = connect(Number(this.#target.port), this.#target.hostname);
      const link = { client, server };
      this.#links.add(link);
      const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
      for (let at = 0; at < incoming.rawHeaders.length; at += 2)
        lines.push(`${incoming.rawHeaders[at]}: ${incoming.rawHeaders[at + 1]}`);
      server.write(`${lines.join("\r\n")}\r\n\r\n`);
      server.write(head);
      client.pipe(server);
      server.pipe(client);
      if (this.#holds) server.pause();
      const end = () => {
        this.#links.delete(link);
        client.destroy();
        server.destroy();
      };
      for (const side of [client, server]) side.on("error", end).on("close", end);
    });
  }

  static async before(place: Place): Promise<Proxy> {
    const proxy = new Proxy(place);
    proxy.#http.listen(0, "127.0.0.1");
    await once(proxy.#http, "listening");
    return proxy;
  }

  get url() {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  /** Cuts all WebSockets and refuses new ones. */
  refuse() {
    this.#refuses = true;
    for (const { client } of this.#links) client.destroy();
  }

  /** Lets WebSockets through again. */
  allow() {
    this.#refuses = false;
  }

  /** Holds back what the server sends on WebSockets. */
  hold() {
    this.#holds = true;
    for (const { client, server } of this.#links) server.unpipe(client).pause();
  }

  /** Sends on what was held back. */
  release() {
    this.#holds = false;
    for (const { client, server } of this.#links) server.pipe(client);
  }

  async close() {
    for (const { client } of this.#links) client.destroy();
    this.#agent.destroy();
    this.#http.closeAllConnections();
    this.#http.close();
    await once(this.#http, "close");
  }
}
