// Begins the page: reads the address, starts the link to the engine, shows the shell. The probe lets
// a test (or you, in the console) take any number of the page back to its frame.
import { mount } from 'svelte';
import './style.css';
import Shell from './Shell.svelte';
import { format } from './draw/format.ts';
import { store } from './state/store.svelte.ts';
import { readUrl } from './state/url.ts';

readUrl();
store.start();
mount(Shell, { target: document.getElementById('app')! });
Object.assign(window, {
  orreryProbe: {
    resolve: (src: string) => store.resolve(src),
    request: (key: string) => store.requests.get(key),
    session: () => store.session,
    format,
  },
});
