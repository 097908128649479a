#!/usr/bin/env node
// node run.mjs --server ORIGIN --database NAME --dev ORIGIN --dev-database NAME --port PORT [--chromium FILE] [--only RE]
// The stock clients in headless Chromium: `--server` is a production server, `--dev` a development server, which has the
// stand-in for other providers and trusts http://app.localhost:PORT, where the application is.
import cookies from './flows/cookies.mjs';
import mail from './flows/mail.mjs';
import organization from './flows/organization.mjs';
import second from './flows/second.mjs';
import session from './flows/session.mjs';
import social from './flows/social.mjs';
import { endAll } from './lib/chromium.mjs';
import { application } from './lib/site.mjs';

const option = (name, otherwise) => { const i = process.argv.indexOf(`--${name}`); return i < 0 ? otherwise : process.argv[i + 1]; };
const site = await application(Number(option('port', '0')));
const world = {
  server: option('server'), database: option('database'),
  dev: option('dev'), devDatabase: option('dev-database'),
  chromium: option('chromium', '/usr/bin/chromium'), site,
};
const flows = [session, organization, cookies, mail, social, second].flatMap((group) => group(world));
const only = option('only') ? new RegExp(option('only')) : null;
let passed = 0, failed = 0;
for (const [name, run] of flows) {
  if (only && !only.test(name)) continue;
  try { await run(world); passed++; console.log(`PASS  ${name}`); } catch (e) { failed++; console.log(`FAIL  ${name}  - ${e.message}`); }
}
await endAll();
site.close();
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
