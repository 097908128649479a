import fs from 'node:fs';
import path from 'node:path';
import { GOLDEN_SECRET, rawRequest } from './engine.mjs';

export const LOCAL = { main: 4100, strict: 4101, cache: 4102, 'cache-jwt': 4103, 'cache-jwe': 4104, short: 4105, ratelimit: 4106, secure: 4107, defer: 4108, bare: 4109, lifetimes: 4110 };

export function parseArgs(argv) {
	const a = { profiles: {}, ignore: [], cases: [] };
	for (let i = 0; i < argv.length; i++) {
		const x = argv[i];
		const next = () => argv[++i];
		if (x === '--base') a.base = next();
		else if (x === '--outbox') a.outbox = next();
		else if (x === '--fixture') a.fixture = next();
		else if (x === '--sidecar') a.sidecar = next().replace(/\/+$/, '');
		else if (x === '--profile') { const [k, ...v] = next().split('='); a.profiles[k] = v.join('='); }
		else if (x === '--local') a.local = true;
		else if (x === '--ports') { a.local = true; a.ports = Number(next()); }
		else if (x === '--cases') a.cases.push(next());
		else if (x === '--grep') a.grep = new RegExp(next());
		else if (x === '--json') a.json = next();
		else if (x === '--idp') a.idp = next();
		else if (x === '--secret') a.secret = next();
		else if (x === '--psql') a.psql = next();
		else if (x === '--schema') a.schema = next();
		else if (x === '--ignore') a.ignore.push(new RegExp(next()));
		else if (x === '--ignore-cookie') (a.ignoreCookie ||= []).push(new RegExp(next()));
		else if (x === '--loose-ids') a.looseIds = true;
		else if (x === '--strict-500') a.strict500 = true;
		else if (x === '--relax-validation') a.relaxValidation = true;
		else if (x === '--verbose' || x === '-v') a.verbose = true;
		else if (x === '--concurrency' || x === '-j') a.j = Number(next());
		else if (x === '--max-diffs') a.maxDiffs = Number(next());
		else if (x === '--help' || x === '-h') a.help = true;
		else throw new Error('unknown option ' + x);
	}
	return a;
}

export function config(a) {
	const profiles = {};
	const add = (name, base, outbox, fixture) => {
		const o = a.sidecar ? `${a.sidecar}/${name}` : new URL(base).origin;
		profiles[name] = { base: base.replace(/\/+$/, ''), outbox: outbox || o + '/__outbox', fixture: fixture || (outbox ? outbox.replace(/__outbox.*$/, '__fixture') : o + '/__fixture') };
	};
	if (a.local) for (const [n, p] of Object.entries(LOCAL)) add(n, `http://localhost:${p - 4100 + (a.ports || 4100)}/api/auth`);
	if (a.base) add('main', a.base, a.outbox, a.fixture);
	for (const [n, b] of Object.entries(a.profiles)) add(n, b);
	return { profiles, idp: a.idp || 'http://localhost:4199', secret: a.secret || GOLDEN_SECRET, psql: a.psql, schema: a.schema };
}

export async function warm(cfg) { // make sure each server is up and has its JWKS key before scenarios run in parallel
	for (const [n, p] of Object.entries(cfg.profiles)) {
		try { await rawRequest({ url: p.base, path: new URL(p.base).pathname + '/jwks', method: 'GET', headers: {}, timeout: 5000 }); } catch (e) { throw new Error(`profile ${n} at ${p.base}: ${e.message}`); }
	}
}

export function loadCases(globs, dir) {
	const files = globs.length ? globs.flatMap((g) => expand(g)) : fs.readdirSync(dir).filter((f) => f.endsWith('.json')).map((f) => path.join(dir, f));
	return [...new Set(files)].sort().map((f) => ({ file: f, ...JSON.parse(fs.readFileSync(f, 'utf8')) }));
}
function expand(g) {
	if (fs.existsSync(g) && fs.statSync(g).isFile()) return [g];
	const dir = path.dirname(g), re = new RegExp('^' + path.basename(g).replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*') + '$');
	return fs.readdirSync(dir).filter((f) => re.test(f)).map((f) => path.join(dir, f));
}
export async function pool(items, j, fn) {
	const q = [...items.entries()]; const out = [];
	await Promise.all(Array.from({ length: j }, async () => { for (;;) { const x = q.shift(); if (!x) return; out[x[0]] = await fn(x[1], x[0]); } }));
	return out;
}
