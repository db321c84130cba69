// Serves web/dist under /explorer/ the way the binary does, and answers the feed either from a
// recording (a folder: answers.json and stream.bin, made by record.mjs from the real program) or by
// passing requests on to a running one. For tests and for work on the page; never shipped.
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const dist = path.join(here, '..', 'dist');
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };
const policy = "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'";

export const keyOf = (method, url, body) => {
  const at = new URL(url, 'http://localhost');
  at.searchParams.delete('session');
  const fields = body ? JSON.parse(body) : {};
  delete fields.session;
  return `${method} ${at.pathname}?${[...at.searchParams].sort().map((p) => p.join('=')).join('&')} ${JSON.stringify(fields)}`;
};

function file(request, response) {
  const url = new URL(request.url, 'http://localhost');
  const name = url.pathname === '/explorer/' ? 'index.html' : decodeURIComponent(url.pathname.slice('/explorer/'.length));
  const full = path.join(dist, name);
  if (!full.startsWith(dist) || !existsSync(full)) return false;
  response.writeHead(200, { 'Content-Type': types[path.extname(full)] ?? 'application/octet-stream', 'Content-Security-Policy': policy, 'X-Content-Type-Options': 'nosniff' });
  createReadStream(full).pipe(response);
  return true;
}

const bodyOf = (request) => new Promise((done) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => done(Buffer.concat(parts).toString()));
});

/** {upstream: 'http://…'} or {stream: Buffer, answers: {key: {status, body}}}; `end`: cut the stream. */
export async function serve(options) {
  const log = [];
  const server = http.createServer(async (request, response) => {
    if (request.method === 'GET' && /^\/explorer\/($|\?|assets\/)/.test(request.url) && file(request, response)) return;
    if (options.upstream) {
      const up = http.request(new URL(request.url, options.upstream), { method: request.method, headers: { ...request.headers, host: new URL(options.upstream).host, origin: options.upstream } }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      up.on('error', () => response.destroy());
      response.on('close', () => up.destroy());
      request.pipe(up);
      return;
    }
    const body = await bodyOf(request);
    log.push(`${request.method} ${request.url} ${body}`);
    const url = new URL(request.url, 'http://localhost');
    if (url.pathname === '/explorer/stream') {
      options.streams = (options.streams ?? 0) + 1;
      response.writeHead(200, { 'Content-Type': 'application/octet-stream' });
      const since = Number(url.searchParams.get('since') ?? 0);
      if (since === 0) response.write(options.stream);
      options.write = (bytes) => response.write(bytes);
      if (options.end) setTimeout(() => response.destroy(), 200);
      return;
    }
    const answer = (options.answers ?? {})[keyOf(request.method, request.url, body)] ?? options.answers?.[`${request.method} ${url.pathname}`];
    if (!answer) {
      response.writeHead(404, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ code: 'not_recorded', message: 'this answer was not recorded', hint: '' }));
      return;
    }
    response.writeHead(answer.status ?? 200, { 'Content-Type': answer.base64 ? 'application/octet-stream' : 'application/json' });
    response.end(answer.base64 ? Buffer.from(answer.base64, 'base64') : JSON.stringify(answer.body));
  });
  await new Promise((done) => server.listen(options.port ?? 0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}/explorer/`, log, close: () => { server.closeAllConnections(); server.close(); } };
}

export function recording(name) {
  const folder = path.join(here, 'recorded', name);
  return { stream: readFileSync(path.join(folder, 'stream.bin')), answers: JSON.parse(readFileSync(path.join(folder, 'answers.json'), 'utf8')) };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serve(process.argv[2]?.startsWith('http') ? { upstream: process.argv[2], port: 8123 } : { ...recording(process.argv[2]), port: 8123 });
  console.log(url);
}
