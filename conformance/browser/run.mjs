#!/usr/bin/env node
// node run.mjs --server ORIGIN --database NAME [--chromium FILE]
// Sign-up, session, token, revocation, second factors, passkeys and sign-out in headless Chromium, from a page on another origin.
import http from 'node:http';
import { createHmac, randomUUID } from 'node:crypto';
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

// What an authenticator shows, some steps of thirty seconds from now.
function totp(uri, later = 0) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...new URL(uri).searchParams.get('secret')].map((c) => alphabet.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + later));
  const tag = createHmac('sha1', key).update(step).digest();
  return String((tag.readUInt32BE(tag.at(-1) & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

// A code is taken once, so each further one is of a later step; the server takes those of the next thirty seconds.
async function secondFactor(kind, base) {
  const user = { email: `second-${randomUUID()}@example.com`, password: 'a good long password', name: 'Second' };
  const { email, password } = user;
  const one = await visitor(kind, base);
  const two = await visitor(kind, base);
  const fresh = { fetchOptions: { headers: { 'X-Force-Fetch': '1' } } };
  const isSignedIn = async (who) => !!(await who.call('getSession', fresh)).data;
  const isAsked = async (who) => (await who.data('signIn.email', { email, password })).twoFactorRedirect === true;
  try {
    await one.data('signUp.email', user);
    const { totpURI, backupCodes } = await one.data('twoFactor.enable', { password });
    same(backupCodes.length, 10, 'backup codes');
    // In this order over the next minute: the step before, this one, the next.
    await one.data('twoFactor.verifyTotp', { code: totp(totpURI, -1) });
    await one.data('signOut');

    same(await isAsked(one), true, 'the second factor is asked for');
    same(await isSignedIn(one), false, 'nobody is signed in before it');
    same((await one.call('twoFactor.verifyTotp', { code: '000000' })).error?.code, 'INVALID_CODE', 'a wrong code');
    await one.data('twoFactor.verifyTotp', { code: totp(totpURI, 1), trustDevice: true });
    same(await isSignedIn(one), true, 'signed in by the authenticator');

    await one.data('signOut');
    same(await isAsked(one), false, 'a trusted browser is not asked');
    same(await isSignedIn(one), true, 'a trusted browser is signed in');

    same(await isAsked(two), true, 'another browser is asked');
    await two.data('twoFactor.verifyBackupCode', { code: backupCodes[0] });
    same(await isSignedIn(two), true, 'signed in by a backup code');
    await two.data('signOut');
    same(await isAsked(two), true, 'and asked again');
    same((await two.call('twoFactor.verifyBackupCode', { code: backupCodes[0] })).error?.code, 'INVALID_BACKUP_CODE', 'a backup code works once');
    await two.data('twoFactor.sendOtp');
    const mail = await (await fetch(`${server}/inbox/code?to=${encodeURIComponent(email)}&kind=two-factor-otp&wait=10`)).json();
    await two.data('twoFactor.verifyOtp', { code: mail.otp });
    same(await isSignedIn(two), true, 'signed in by a mailed code');

    await two.data('twoFactor.disable', { password });
    await one.data('signOut');
    same(await isAsked(one), false, 'nobody is asked any more');
  } finally { await one.close(); await two.close(); }
}

// A visitor with a security key built into the browser.
async function withDevice(kind, base) {
  const one = await visitor(kind, base);
  const cdp = await one.context.newCDPSession(one.page);
  await cdp.send('WebAuthn.enable');
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', { options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });
  return { ...one, keys: async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials };
}

async function passkeys(kind, base) {
  const user = { email: `passkey-${randomUUID()}@example.com`, password: 'a good long password', name: 'Passkey' };
  const one = await withDevice(kind, base);
  const fresh = { fetchOptions: { headers: { 'X-Force-Fetch': '1' } } };
  const who = async () => (await one.call('getSession', fresh)).data?.user?.email ?? null;
  try {
    await one.data('signUp.email', user);
    same((await one.data('passkey.addPasskey', { name: 'Desk' })).name, 'Desk', 'a passkey is added');
    const [key, ...others] = await one.keys();
    same([others.length, key.rpId, key.isResidentCredential], [0, 'localhost', true], 'the device holds it');
    holds((await one.call('passkey.addPasskey', { name: 'Twice' })).error, 'a device is registered once');
    const [listed] = await one.data('passkey.listUserPasskeys');
    same((await one.data('passkey.updatePasskey', { id: listed.id, name: 'Phone' })).passkey.name, 'Phone', 'renamed');

    await one.data('signOut');
    same(await who(), null, 'signed out');
    await one.data('signIn.passkey');
    same(await who(), user.email, 'signed in without a name');

    await one.data('signOut');
    same(await one.page.evaluate(() => PublicKeyCredential.isConditionalMediationAvailable()), true, 'the browser knows conditional UI');
    await one.page.evaluate(() => { document.body.innerHTML = '<input name="email" autocomplete="username webauthn" autofocus>'; });
    await one.data('signIn.passkey', { autoFill: true });
    same(await who(), user.email, 'signed in from the field');

    await one.data('passkey.deletePasskey', { id: listed.id });
    same(await one.data('passkey.listUserPasskeys'), [], 'none is left');
    await one.data('signOut');
    same((await one.call('signIn.passkey')).error?.code, 'PASSKEY_NOT_FOUND', 'a removed passkey signs nobody in');
  } finally { await one.close(); }
}

const flows = [
  ['better-auth client, /api/auth', () => roundTrip('better-auth', `${server}/api/auth`)],
  ['better-auth client, Neon layout', () => roundTrip('better-auth', `${server}/${option('database')}/auth`)],
  ['neon client, Neon layout', () => roundTrip('neon', `${server}/${option('database')}/auth`)],
  ['second factor, /api/auth', () => secondFactor('better-auth', `${server}/api/auth`)],
  ['second factor, Neon layout', () => secondFactor('better-auth', `${server}/${option('database')}/auth`)],
  ['passkeys, /api/auth', () => passkeys('better-auth', `${server}/api/auth`)],
  ['passkeys, Neon layout', () => passkeys('better-auth', `${server}/${option('database')}/auth`)],
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
