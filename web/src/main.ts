// Begins the page: reads the address, starts the link to the engine, shows the shell. The probe lets
// a test (or you, in the console) take any number of the page back to its frame.
import { mount } from 'svelte';
import './style.css';
import Shell from './Shell.svelte';
import { post } from './feed/control.ts';
import { format } from './draw/format.ts';
import { store } from './state/store.svelte.ts';
import { readUrl } from './state/url.ts';

readUrl();
store.start();
const target = document.getElementById('app')!;
target.replaceChildren();
mount(Shell, { target });
Object.assign(window, {
  orreryProbe: {
    resolve: (src: string) => store.resolve(src),
    request: (key: string) => store.requests.get(key),
    session: () => store.session,
    close: () => post('close', { session: store.session }),
    format,
  },
});
