// The conversation as a tree: a message may have several followers (an edit, another reply), and one
// path through it is shown. A reply is a run; its text is read from the run's frames.
import { store } from './store.svelte.ts';

export interface Message {
  id: number;
  parent: number;
  role: 'user' | 'assistant';
  content: string;
  run: number;
}

class Chat {
  messages = $state<Message[]>([]);
  /** The last message of the path that is shown; 0: an empty conversation. */
  leaf = $state(0);
  private count = 0;

  byId(id: number) {
    return this.messages.find((one) => one.id === id);
  }
  children(parent: number) {
    return this.messages.filter((one) => one.parent === parent);
  }
  get path(): Message[] {
    const path: Message[] = [];
    for (let at = this.byId(this.leaf); at; at = this.byId(at.parent)) path.unshift(at);
    return path;
  }
  private add(parent: number, role: Message['role'], content: string, run = 0) {
    const message = { id: ++this.count, parent, role, content, run };
    this.messages.push(message);
    this.leaf = message.id;
    return message.id;
  }
  textOf(message: Message) {
    return message.role === 'user' ? message.content : (store.runs.get(message.run)?.replyText() ?? '');
  }
  async send(content: string, parent = this.leaf) {
    const before = this.leaf;
    const id = this.add(parent, 'user', content);
    if (!(await this.reply(id))) {
      this.messages = this.messages.filter((one) => one.id !== id);
      this.leaf = before;
      return false;
    }
    return true;
  }
  /** Another reply to a message of the user. */
  async reply(parent: number) {
    const path: Message[] = [];
    for (let at = this.byId(parent); at; at = this.byId(at.parent)) path.unshift(at);
    const messages = path.map((one) => ({ role: one.role, content: this.textOf(one) }));
    if (store.system.trim()) messages.unshift({ role: 'system' as never, content: store.system });
    // Without a template of its own a model is given the words as they are, and the page says so.
    const run = await store.newRun(store.catalog?.chat ? { messages } : { prompt: messages.map((one) => one.content).join('\n') });
    if (run) this.add(parent, 'assistant', '', run);
    return run;
  }
  /** A branch that an instrument made of a reply stands beside it. */
  adopt(parentRun: number, run: number) {
    const message = this.messages.find((one) => one.run === parentRun);
    if (message && run) this.add(message.parent, 'assistant', '', run);
  }
  /** Shows another of the followers of a message's parent, down to its newest end. */
  show(id: number) {
    let leaf = id;
    for (let next = this.children(leaf).at(-1); next; next = this.children(leaf).at(-1)) leaf = next.id;
    this.leaf = leaf;
  }
  clear() {
    this.messages = [];
    this.leaf = 0;
  }
}

export const chat = new Chat();
