#!/usr/bin/env node
// node run.mjs --server ORIGIN --database NAME [--chromium FILE]
// Sign-up, session, token, revocation, sign-out, and organizations of two people in headless Chromium, from a page on another origin.
import http from 'node:http';
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';

const option = (name, otherwise) => { const i = process.argv.indexOf(`--${name}`); return i < 0 ? otherwise : process.argv[i + 1]; };
const server = option('server');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const same = (got, want, what) => { if (!isDeepStrictEqual(got, want)) throw new Error(`${what}: expected ${JSON.stringify(want)}, got ${JSON.stringify(got)}`); };
const holds = (value, what) => { if (!value) throw new Error(what); };

const bundle = (await build({ entryPoints: [new URL('page.mjs', import.meta.url).pathname], bundle: true, format: 'iife', write: false, logLevel: 'error', define: { 'process.env.NODE_ENV': '"production"' } })).outputFiles[0].text;
const pages = http.createServer((req, res) => {
  if (req.url === '/page.js') return res.writeHead(200, { 'content-type': 'text/javascript' }).end(bundle);
  return res.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><meta charset="utf-8"><title>App</title><script src="/page.js"></script>');
});
await new Promise((ready) => pages.listen(0, '127.0.0.1', ready));
const origin = `http://localhost:${pages.address().port}`;
holds(origin !== server, 'the page must stand on another origin');

const browser = await chromium.launch({ executablePath: option('chromium', '/usr/bin/chromium'), args: FLAGS });

// A browser of one's own: a new context has no cookies.
async function visitor(kind, base) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(origin);
  await page.evaluate(([kind, base]) => { window.client = window.clients[kind](base); }, [kind, base]);
  const call = async (method, argument) => {
    const answer = await page.evaluate(async ([method, argument]) => {
      let target = window.client;
      const names = method.split('.');
      for (const name of names.slice(0, -1)) target = target[name];
      try { const { data, error } = await target[names.at(-1)](argument); return { data, error }; } catch (e) { return { error: { message: e.message, status: e.status, code: e.code } }; }
    }, [method, argument]);
    return answer;
  };
  const data = async (method, argument) => { const { data, error } = await call(method, argument); if (error) throw new Error(`${method}: ${JSON.stringify(error)}`); return data; };
  return { context, page, call, data, cookies: () => context.cookies(server), close: () => context.close() };
}

async function roundTrip(kind, base) {
  const user = { email: `browser-${randomUUID()}@example.com`, password: 'a good long password', name: 'Browser' };
  const one = await visitor(kind, base);
  const two = await visitor(kind, base);
  try {
    const fresh = { fetchOptions: { headers: { 'X-Force-Fetch': '1' } } };
    const signedUp = await one.data('signUp.email', user);
    same(signedUp.user.email, user.email, 'sign-up');
    const cookie = (await one.cookies()).find((c) => c.name.endsWith('session_token'));
    holds(cookie, `a session cookie is kept (${JSON.stringify(await one.cookies())})`);
    same(cookie.httpOnly, true, 'scripts cannot read the session cookie');
    same(await one.page.evaluate(() => document.cookie.includes('session_token')), false, 'scripts do not see it');

    same((await one.data('getSession', fresh)).user.email, user.email, 'session');
    await one.page.reload();
    await one.page.evaluate(([kind, base]) => { window.client = window.clients[kind](base); }, [kind, base]);
    same((await one.data('getSession')).user.email, user.email, 'session after a reload');

    const answer = await one.data('token');
    // The Neon client may answer from the session it holds, whose token is the JWT.
    const token = answer.token ?? answer.session.token;
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
    same([claims.sub, claims.email], [signedUp.user.id, user.email], 'claims');

    await two.data('signIn.email', { email: user.email, password: user.password });
    const sessions = await one.data('listSessions');
    same(sessions.length, 2, 'two sessions');
    await one.data('revokeOtherSessions');
    same((await one.data('listSessions')).length, 1, 'one session after revocation');
    same((await two.call('getSession', fresh)).data ?? null, null, 'the revoked browser is signed out');
    same((await one.data('getSession', fresh)).user.email, user.email, 'the revoking browser is not');

    await one.data('signOut');
    same((await one.cookies()).filter((c) => c.name.endsWith('session_token')), [], 'no session cookie after sign-out');
    same((await one.call('getSession', fresh)).data ?? null, null, 'no session after sign-out');
  } finally { await one.close(); await two.close(); }
}

const until = async (what, done) => {
  for (let tries = 0; tries < 100; tries++) { const value = await done(); if (value) return value; await new Promise((next) => setTimeout(next, 100)); }
  throw new Error(`never happened: ${what}`);
};

// Two people, two browsers: invited by mail, accepted on the server's own page, then roles, switching, leaving.
async function organization(kind, base) {
  const password = 'a good long password';
  const [ada, bob] = [`ada-${randomUUID()}@example.com`, `bob-${randomUUID()}@example.com`];
  const one = await visitor(kind, base);
  const two = await visitor(kind, base);
  try {
    await one.data('signUp.email', { email: ada, password, name: 'Ada' });
    const acme = await one.data('organization.create', { name: 'Acme', slug: `acme-${randomUUID()}` });
    const home = await one.data('organization.create', { name: 'Home', slug: `home-${randomUUID()}` });
    await one.data('organization.setActive', { organizationId: acme.id });
    await one.data('organization.inviteMember', { email: bob, role: 'member' });
    const mail = await until('the invitation arrives', async () => {
      const mails = await (await fetch(`${server}/inbox/messages?to=${encodeURIComponent(bob)}&kind=org-invitation`)).json();
      return mails[0];
    });
    const link = /https?:[^\s"<]+invitationId=[0-9a-f-]+/.exec(mail.text ?? JSON.stringify(mail))?.[0];
    holds(link?.startsWith(`${base}/accept-invitation?`), `the mail links to the page (${link})`);

    // Bob has no account yet: the page makes one, then shows the invitation.
    const page = await two.context.newPage();
    await page.goto(link);
    await page.getByLabel('Email').fill(bob);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Create an account' }).click();
    await page.getByText(`${ada} invites you to Acme as member.`).waitFor();
    await page.getByRole('button', { name: 'Accept' }).click();
    await page.getByText('You are a member of Acme now.').waitFor();
    await page.reload();
    await page.getByText('This invitation is not open').waitFor();
    await page.close();

    // Under partitioned cookies the application's page holds a session of its own.
    await two.data('signIn.email', { email: bob, password });
    const mine = await two.data('organization.list');
    same(mine.map((it) => it.id), [acme.id], 'Bob is in Acme');
    await two.data('organization.setActive', { organizationId: acme.id });
    const may = async (who, permissions) => (await who.data('organization.hasPermission', { permissions })).success;
    same(await may(two, { invitation: ['create'] }), false, 'a member may not invite');
    const refused = await two.call('organization.inviteMember', { email: 'x@example.com', role: 'member' });
    same(refused.error?.status, 403, 'and is refused');
    const members = (await one.data('organization.listMembers')).members;
    const member = members.find((it) => it.user.email === bob);
    await one.data('organization.updateMemberRole', { memberId: member.id, role: 'admin' });
    same(await may(two, { invitation: ['create'] }), true, 'an admin may, at once');

    await one.data('organization.setActive', { organizationId: home.id });
    same((await one.data('organization.getFullOrganization')).name, 'Home', 'switched');
    await one.data('organization.setActive', { organizationId: acme.id });
    same((await one.data('organization.getFullOrganization')).members.length, 2, 'and back');

    const last = await one.call('organization.leave', { organizationId: acme.id });
    same([last.error?.status, last.error?.code], [400, 'YOU_CANNOT_LEAVE_THE_ORGANIZATION_AS_THE_ONLY_OWNER'], 'the last owner stays');
    await two.data('organization.leave', { organizationId: acme.id });
    same(await two.data('organization.list'), [], 'Bob left');
    same((await two.call('organization.getFullOrganization', { query: { organizationId: acme.id } })).error?.status, 403, 'and reads nothing more');
  } finally { await one.close(); await two.close(); }
}

// A page that nobody trusts: the browser keeps the answer from it, and nobody is signed in.
async function foreignPage(base) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(origin.replace('localhost', '127.0.0.1'));
    const seen = await page.evaluate(async (url) => {
      try { const r = await fetch(url, { credentials: 'include' }); return { status: r.status }; } catch (e) { return { refused: e.name }; }
    }, `${base}/get-session`);
    same(seen, { refused: 'TypeError' }, 'a page of an untrusted origin cannot read the session');
  } finally { await context.close(); }
}

const flows = [
  ['better-auth client, /api/auth', () => roundTrip('better-auth', `${server}/api/auth`)],
  ['better-auth client, Neon layout', () => roundTrip('better-auth', `${server}/${option('database')}/auth`)],
  ['neon client, Neon layout', () => roundTrip('neon', `${server}/${option('database')}/auth`)],
  ['organization of two people, better-auth client, /api/auth', () => organization('better-auth', `${server}/api/auth`)],
  ['organization of two people, neon client, Neon layout', () => organization('neon', `${server}/${option('database')}/auth`)],
  ['untrusted page, /api/auth', () => foreignPage(`${server}/api/auth`)],
  ['untrusted page, Neon layout', () => foreignPage(`${server}/${option('database')}/auth`)],
];
const only = option('only') ? new RegExp(option('only')) : null;
let passed = 0, failed = 0;
for (const [name, run] of flows) {
  if (only && !only.test(name)) continue;
  try { await run(); passed++; console.log(`PASS  ${name}`); } catch (e) { failed++; console.log(`FAIL  ${name}  - ${e.message}`); }
}
await browser.close();
pages.close();
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
