// A server between the page and the engine, for tests and for work on the page; never shipped. It
// hands out web/dist as the program does, and passes the rest on to a running engine, with faults if a
// test asks for them, or answers itself (`handle`), so that a test can say what no engine would.
import { createReadStream, existsSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const dist = path.join(here, '..', 'dist');
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };
const policy = "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'";

function file(request, response) {
  const url = new URL(request.url, 'http://localhost');
  const name = url.pathname === '/explorer/' ? 'index.html' : decodeURIComponent(url.pathname.slice('/explorer/'.length));
  const full = path.join(dist, name);
  if (!full.startsWith(dist) || !existsSync(full)) return false;
  response.writeHead(200, { 'Content-Type': types[path.extname(full)] ?? 'application/octet-stream', 'Content-Security-Policy': policy, 'X-Content-Type-Options': 'nosniff' });
  createReadStream(full).pipe(response);
  return true;
}

export const bodyOf = (request) => new Promise((done) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => done(Buffer.concat(parts).toString()));
});

async function pass(options, request, response) {
  await options.slow?.(request.url);
  const headers = { ...request.headers, host: new URL(options.upstream).host, ...(request.headers.origin ? { origin: options.upstream } : {}) };
  const up = http.request(new URL(request.url, options.upstream), { method: request.method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    if (!options.mangle || !request.url.startsWith('/explorer/stream')) return answer.pipe(response);
    const cut = { rest: Buffer.alloc(0), count: 0 };
    answer.on('data', (part) => {
      for (const frame of framesOf(cut, part)) options.mangle(frame, response, answer, cut.count++);
    });
    answer.on('end', () => response.end());
    answer.on('error', () => response.destroy());
  });
  up.on('error', () => response.destroy());
  response.on('close', () => up.destroy());
  request.pipe(up);
}

/** Whole frames of a stream that comes in pieces. */
export function framesOf(cut, part) {
  cut.rest = Buffer.concat([cut.rest, part]);
  const frames = [];
  while (cut.rest.length >= 32) {
    const size = cut.rest.readUInt16LE(6) * 4 + cut.rest.readUInt32LE(28);
    if (cut.rest.length < size) break;
    frames.push(cut.rest.subarray(0, size));
    cut.rest = cut.rest.subarray(size);
  }
  return frames;
}

/**
 * options, which a test may change while it runs: upstream 'http://…'; mangle(frame, response, answer,
 * count) in place of passing a stream's frame on; slow(url): a promise to wait for; down: nobody answers; handle(path, body, response,
 * url): a body to answer with, true if it answered itself, or undefined.
 */
export async function serve(options) {
  const server = http.createServer(async (request, response) => {
    if (options.down) return request.socket.destroy();
    if (request.method === 'GET' && /^\/explorer\/($|\?|assets\/)/.test(request.url) && file(request, response)) return;
    if (options.upstream) return pass(options, request, response);
    const url = new URL(request.url, 'http://localhost');
    const answer = await options.handle(url.pathname.replace('/explorer/', ''), await bodyOf(request), response, url);
    if (answer === true) return;
    const { status = 200, ...body } = answer ?? { status: 404, code: 'not_found', message: 'nothing here', hint: '' };
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(body));
  });
  await new Promise((done) => server.listen(options.port ?? 0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}/explorer/`, cut: () => server.closeAllConnections(), close: () => { server.closeAllConnections(); server.close(); } };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serve({ upstream: process.argv[2], port: 8123 });
  console.log(url);
}
