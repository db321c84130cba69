// Every check of the page but the oracle's: node tests/all.mjs JOB.json, where the job says where the
// models answer and what transformers knows of them (tests/web/run.py writes it).
import { readFileSync } from 'node:fs';
import { browser, choose, fromDist } from './drive.mjs';
import access from './access.mjs';
import faults from './faults.mjs';
import hostile from './hostile.mjs';
import keyboard from './keyboard.mjs';
import truth from './truth.mjs';
import weight from './weight.mjs';

const job = JSON.parse(readFileSync(process.argv[2], 'utf8'));
choose(job.only ?? '');
const chrome = await browser();
const models = await fromDist(job.models);
const parts = { keyboard, truth, access, faults, hostile, weight };
for (const [name, part] of Object.entries(parts)) {
  if (!job.parts || job.parts.includes(name)) await part(chrome, models);
}
await chrome.close();
process.exit(process.exitCode ?? 0);
