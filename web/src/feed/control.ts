// The control side of the feed: JSON over HTTP. An answer is the parsed body; a refusal is a
// `Refusal` with the server's own code, message and hint.

export class Refusal extends Error {
  code: string;
  hint: string;
  status: number;
  constructor(status: number, code: string, message: string, hint: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

/** The page stands at /explorer/; the endpoints stand beside it. */
export const base = new URL('.', document.baseURI).href;

async function answerOf(answer: Response) {
  const body = await answer.json().catch(() => null);
  if (!answer.ok) {
    const error = body?.error && typeof body.error === 'object' ? body.error : (body ?? {});
    throw new Refusal(answer.status, error.code ?? `http_${answer.status}`,
      error.message ?? `The server answered ${answer.status}.`, error.hint ?? '');
  }
  if (body === null) throw new Refusal(answer.status, 'no_json', 'The server sent no JSON.', '');
  return body;
}

async function reach(path: string, init?: RequestInit) {
  try {
    return await fetch(new URL(path, base), init);
  } catch {
    throw new Refusal(0, 'unreachable', 'The engine cannot be reached.', 'Is orrery still running?');
  }
}

export async function post(path: string, body: object): Promise<any> {
  return answerOf(await reach(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  }));
}

export async function get(path: string, query: Record<string, string | number> = {}): Promise<any> {
  const search = new URLSearchParams(Object.entries(query).map(([k, v]) => [k, String(v)]));
  return answerOf(await reach(`${path}?${search}`));
}

export async function getBytes(path: string, query: Record<string, string | number>) {
  const search = new URLSearchParams(Object.entries(query).map(([k, v]) => [k, String(v)]));
  const answer = await reach(`${path}?${search}`);
  if (!answer.ok) await answerOf(answer);
  return new Uint8Array(await answer.arrayBuffer());
}
