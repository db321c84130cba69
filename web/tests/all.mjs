// Every check of the page but the oracle's: node tests/all.mjs JOB.json, where the job says where the
// models answer and what transformers knows of them (tests/web/run.py writes it).
import { readFileSync } from 'node:fs';
import { browser, fromDist, runChecks } from './drive.mjs';
import access from './access.mjs';
import faults from './faults.mjs';
import hostile from './hostile.mjs';
import keyboard from './keyboard.mjs';
import truth from './truth.mjs';
import weight from './weight.mjs';

const job = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const models = await fromDist(job.models);
const chrome = await browser();
const wanted = (name) => !job.parts || job.parts.includes(name);
const parts = { truth, keyboard, access, faults, hostile };
for (const [name, part] of Object.entries(parts)) if (wanted(name)) part(chrome, models);
await runChecks(job.only, 4);
// What is timed has the browser for itself.
if (wanted('weight')) weight(chrome, models);
await runChecks(job.only, 1);
await chrome.close();
process.exit(process.exitCode ?? 0);
