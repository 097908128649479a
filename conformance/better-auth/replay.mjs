#!/usr/bin/env node
// Replay the golden cases against any server and report the differences.  See --help.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Runner, diff } from './lib/engine.mjs';
import { parseArgs, config, warm, loadCases, pool } from './lib/cli.mjs';

const HELP = `node replay.mjs --base URL [options]
  --base URL             base URL of the "main" profile, e.g. http://localhost:4100/api/auth
  --profile NAME=URL     base URL of another profile (strict, cache, cache-jwt, cache-jwe, short, ratelimit, secure, defer, bare, lifetimes); repeatable
  --local                use the recorded server's own layout (ports 4100-4110) for every profile (--ports 4200 for another block of ports)
  --outbox URL           where captured mail is read for main (default <origin>/__outbox; other profiles: their own origin)
  --fixture URL          test-only SQL endpoint (default: <outbox origin>/__fixture); scenarios needing it are skipped if absent
  --sidecar URL          outbox and fixture of every profile: URL/PROFILE/__outbox and URL/PROFILE/__fixture
  --psql CONN [--schema S]  run fixture steps with psql instead (single database)
  --idp URL              fake OIDC provider (default http://localhost:4199; node server/oidc.mjs)
  --secret S             BETTER_AUTH_SECRET of the server under test (checks cookie/JWT signatures)
  --cases GLOB           case files (repeatable; default cases/*.json)    --grep RE  scenario name filter
  --ignore RE            ignore diff paths matching (e.g. 'headers\\.cache-control')   --ignore-cookie RE  drop cookies by name
  --loose-ids            do not check id/token identity and length, only that there is one
  --strict-500           demand the same 500 where Better Auth itself crashes (default: any status >= 400 is accepted there)
  --relax-validation     compare only the code of VALIDATION_ERROR bodies, not the zod message
  --json OUT             write a machine-readable report   -j N concurrency (default 3)   -v all steps   --max-diffs N (default 6)`;

const a = parseArgs(process.argv.slice(2));
if (a.help || (!a.base && !a.local && !Object.keys(a.profiles).length)) { console.log(HELP); process.exit(a.help ? 0 : 2); }
const here = path.dirname(fileURLToPath(import.meta.url));
const cfg = config(a);
const files = loadCases(a.cases, path.join(here, 'cases'));
await warm(cfg);
const runner = new Runner(cfg);
const all = files.flatMap((f) => f.scenarios.map((s) => ({ ...s, area: f.area })));
const todo = all.filter((s) => !a.grep || a.grep.test(s.name));
const t0 = Date.now();
const prep = (x) => {
	if (!x || typeof x !== 'object') return x;
	x = structuredClone(x);
	if (a.ignoreCookie && x.cookies) { x.cookies = x.cookies.filter((c) => !a.ignoreCookie.some((r) => r.test(c.name))); if (!x.cookies.length) delete x.cookies; }
	if (a.relaxValidation && x.body?.code === 'VALIDATION_ERROR') x.body = { code: 'VALIDATION_ERROR' };
	return x;
};
const show = (v) => { const s = typeof v === 'string' ? v : JSON.stringify(v); return s === undefined ? 'undefined' : s.length > 140 ? s.slice(0, 137) + '...' : s; };
const report = [];
let stepsRun = 0;
const one = async (s) => {
	const prof = s.profile || 'main';
	if (!cfg.profiles[prof]) { report.push({ name: s.name, area: s.area, status: 'skip', why: `no --profile ${prof}=URL` }); return; }
	const steps = [];
	let skip = null;
	await runner.run(s, (i, step, got) => {
		if (got?.skip) skip = got.skip;
		stepsRun++;
		if (!('expect' in step)) { if (got?.error) steps.push({ i, title: step.title, diffs: [['error', undefined, got.error]] }); return; }
		const crash = step.expect.status === 500 && !step.expect.body && !a.strict500 && got?.status >= 400;
		const d = crash ? [] : diff(prep(step.expect), prep(got), '', [], { ignore: a.ignore, looseIds: a.looseIds });
		steps.push({ i, title: step.title || (step.request ? `${step.request.method} ${step.request.path}` : Object.keys(step)[0]), diffs: d });
	});
	const bad = steps.filter((x) => x.diffs.length);
	const status = skip && bad.length ? 'skip' : bad.length ? 'fail' : 'pass';
	report.push({ name: s.name, area: s.area, profile: prof, status, why: skip || undefined, steps: steps.length, failed: bad });
	const lines = [`${{ pass: 'PASS', fail: 'FAIL', skip: 'SKIP' }[status]} ${s.name}${prof === 'main' ? '' : ` [${prof}]`}`];
	if (status === 'fail') for (const b of bad) {
		lines.push(`   step ${b.i + 1} ${b.title || ''}`);
		for (const [p, e, g] of b.diffs.slice(0, a.maxDiffs ?? 6)) lines.push(`      ${p}: expected ${show(e)}  got ${show(g)}`);
		if (b.diffs.length > (a.maxDiffs ?? 6)) lines.push(`      … ${b.diffs.length - (a.maxDiffs ?? 6)} more`);
	}
	if (status !== 'pass' || a.verbose) console.log(lines.join('\n')); else console.log(lines[0]);
};
// expiry cases run alone: any look-up in the verification table deletes expired rows, so a neighbour could change the outcome
await pool(todo.filter((s) => !s.serial), a.j || 3, one);
for (const s of todo.filter((x) => x.serial)) await one(s);
const n = (st) => report.filter((r) => r.status === st).length;
const areas = {};
for (const r of report) { const x = (areas[r.area] ||= { pass: 0, fail: 0, skip: 0 }); x[r.status]++; }
console.log('\narea'.padEnd(27) + 'pass  fail  skip');
for (const k of Object.keys(areas).sort()) console.log(k.padEnd(26) + String(areas[k].pass).padStart(4) + String(areas[k].fail).padStart(6) + String(areas[k].skip).padStart(6));
console.log(`\n${n('pass')} passed, ${n('fail')} failed${n('skip') ? `, ${n('skip')} skipped` : ''}  (${report.length} scenarios, ${stepsRun} steps, ${((Date.now() - t0) / 1000).toFixed(1)}s)`);
if (a.json) fs.writeFileSync(a.json, JSON.stringify({ base: a.base, passed: n('pass'), failed: n('fail'), skipped: n('skip'), areas, scenarios: report.sort((x, y) => (x.name < y.name ? -1 : 1)) }, null, 1));
process.exit(n('fail') ? 1 : 0);
