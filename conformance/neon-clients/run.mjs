#!/usr/bin/env node
// Usage: node run.mjs BASE_URL [options]      (see README.md)
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';
import { AsyncLocalStorage } from 'node:async_hooks';
import { registerClients } from './lib/register.mjs';
import { startDataApi } from './lib/data-api.mjs';
import { flows, runFlows } from './lib/runner.mjs';

const argv = process.argv.slice(2);
const opt = (n, d) => { const i = argv.indexOf(`--${n}`); return i < 0 ? d : argv[i + 1]; };
const all = (n) => argv.flatMap((a, i) => (a === `--${n}` ? [argv[i + 1]] : []));
const flag = (n) => argv.includes(`--${n}`);
const baseUrl = argv[0] && !argv[0].startsWith('--') ? argv[0].replace(/\/+$/, '') : null;

globalThis.AsyncLocalStorage ??= AsyncLocalStorage; // what Next's own server bootstrap does
registerClients(opt('clients', 'current'));
for (const f of ['server', 'client', 'otp', 'org', 'admin', 'oauth', 'supabase', 'plain', 'sdk', 'next', 'neonjs', 'ui', 'foundation', 'data-api']) await import(`./flows/${f}.mjs`).catch((e) => { if (e.code !== 'ERR_MODULE_NOT_FOUND' || !e.message.includes(`flows/${f}.mjs`)) throw e; });

if (flag('list') || !baseUrl) {
  if (!flag('list')) console.error('usage: node run.mjs BASE_URL [--json OUT] [--hooks reference|http|FILE] [--profile neon|better-auth] [--variant NAME=URL] ...');
  for (const f of flows) console.log(`${f.name}${f.neon ? '  [neon-only]' : ''}${f.needs ? `  needs: ${f.needs.join(', ')}` : ''}${f.variant ? `  variant: ${f.variant}` : ''}${f.selfContained ? '  [self-contained]' : ''}`);
  process.exit(flag('list') ? 0 : 2);
}

// Some SDK code logs through console; keep the PASS/FAIL listing readable.
if (!flag('verbose')) for (const k of ['warn', 'info', 'debug']) console[k] = () => {};

const hooksName = opt('hooks', null);
async function loadHooks(base) {
  if (!hooksName) return {};
  const file = /[/.]/.test(hooksName) ? pathToFileURL(resolve(hooksName)) : new URL(`./hooks/${hooksName}.mjs`, import.meta.url);
  return (await import(file)).default({ baseUrl: base });
}
const variants = {};
for (const v of all('variant')) { const i = v.indexOf('='); const url = v.slice(i + 1).replace(/\/+$/, ''); variants[v.slice(0, i)] = { baseUrl: url, hooks: await loadHooks(url) }; }

const profile = opt('profile', 'neon');
const dataApiUrl = opt('data-api', null);
const dataApi = dataApiUrl ? null : await startDataApi({ baseUrl });
const only = opt('only', null) ? new RegExp(opt('only')) : null;
const skip = opt('skip', null) ? new RegExp(opt('skip')) : null;

const cfg = {
  baseUrl, profile, variants, clients: opt('clients', 'current'),
  origin: opt('origin', 'http://localhost:3000'),
  hooks: await loadHooks(baseUrl),
  strictCors: flag('strict-cors'),
  dataApi, dataApiUrl: dataApiUrl ?? dataApi.url, table: opt('table', 'notes'),
  concurrency: Number(opt('concurrency', 4)), timeoutMs: Number(opt('timeout', 60000)),
};
const hookFor = { sql: 'sql', otp: 'readOtp', link: 'readLink', phone: 'readPhoneOtp', admin: 'promoteAdmin', oauth: 'oauth' };
cfg.skipReason = (d) => {
  if (d.since15 && profile === 'better-auth-1.4') return 'better-auth >= 1.5 behaviour (the Neon service was observed to have it)';
  if (d.neon && profile !== 'neon') return 'Neon-only behaviour, not part of better-auth';
  if (d.variant && !variants[d.variant]) return `needs --variant ${d.variant}=URL`;
  const hooks = d.variant ? variants[d.variant].hooks : cfg.hooks;
  for (const n of d.needs ?? []) {
    if (n === 'dataApi') continue;
    if (n === 'realDataApi') { if (dataApi) return 'needs --data-api URL'; continue; }
    if (!hooks[hookFor[n]]) return `needs hook ${hookFor[n]} (--hooks)`;
  }
  if (d.optional && flag('no-optional')) return 'optional';
  return null;
};

const list = flows.filter((f) => (!only || only.test(f.name)) && (!skip || !skip.test(f.name)));
const started = Date.now();
const results = await runFlows(cfg, list, (r) => {
  console.log(`${r.status.padEnd(4)}  ${r.name}${r.reason ? `  - ${r.reason}` : ''}${r.status !== 'SKIP' ? `  (${r.ms} ms)` : ''}`);
  for (const n of r.notes) console.log(`      note: ${n}`);
  if (r.stack && flag('verbose')) console.log(r.stack.replace(/^/gm, '        '));
});
dataApi?.close();
const by = (s) => results.filter((r) => r.status === s).length;
console.log(`\n${by('PASS')} passed, ${by('FAIL')} failed, ${by('SKIP')} skipped of ${results.length} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
if (opt('json', null)) writeFileSync(opt('json'), JSON.stringify({ baseUrl, profile, clients: cfg.clients, finishedAt: new Date().toISOString(), summary: { pass: by('PASS'), fail: by('FAIL'), skip: by('SKIP') }, results: results.sort((a, b) => a.name.localeCompare(b.name)) }, null, 2));
process.exit(by('FAIL') ? 1 : 0);
