// Sign-up, session, token, revocation and sign-out.
import { randomUUID } from 'node:crypto';
import { holds, same } from '../lib/check.mjs';
import { BLOCKED } from '../lib/chromium.mjs';
import { FRESH, visitor } from '../lib/visitor.mjs';

async function roundTrip(world, kind, base) {
  const user = { email: `browser-${randomUUID()}@example.com`, password: 'a good long password', name: 'Browser' };
  const home = `http://localhost:${world.site.port}/`;
  const one = await visitor(world, { kind, base, home, cookies: BLOCKED });
  const two = await visitor(world, { kind, base, home, cookies: BLOCKED });
  try {
    const signedUp = await one.data('signUp.email', user);
    same(signedUp.user.email, user.email, 'sign-up');
    const cookie = (await one.cookies()).find((c) => c.name.endsWith('session_token'));
    holds(cookie, `a session cookie is kept (${JSON.stringify(await one.cookies())})`);
    same(cookie.httpOnly, true, 'scripts cannot read the session cookie');
    same(await one.page.evaluate(() => document.cookie.includes('session_token')), false, 'scripts do not see it');

    same((await one.data('getSession', FRESH)).user.email, user.email, 'session');
    await one.visit(home);
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
    same(await two.session(), null, 'the revoked browser is signed out');
    same((await one.data('getSession', FRESH)).user.email, user.email, 'the revoking browser is not');

    await one.data('signOut');
    same((await one.cookies()).filter((c) => c.name.endsWith('session_token')), [], 'no session cookie after sign-out');
    same(await one.session(), null, 'no session after sign-out');
  } finally { await one.close(); await two.close(); }
}

// A page that nobody trusts: the browser keeps the answer from it, and nobody is signed in.
async function foreignPage(world, base) {
  const home = `http://127.0.0.1:${world.site.port}/`;
  const stranger = await visitor(world, { kind: 'better-auth', base, home, cookies: BLOCKED });
  try {
    const seen = await stranger.page.evaluate(async (url) => {
      try { const r = await fetch(url, { credentials: 'include' }); return { status: r.status }; } catch (e) { return { refused: e.name }; }
    }, `${base}/get-session`);
    same(seen, { refused: 'TypeError' }, 'a page of an untrusted origin cannot read the session');
  } finally { await stranger.close(); }
}

export default ({ server, database }) => [
  ['better-auth client, /api/auth', (world) => roundTrip(world, 'better-auth', `${server}/api/auth`)],
  ['better-auth client, Neon layout', (world) => roundTrip(world, 'better-auth', `${server}/${database}/auth`)],
  ['neon client, Neon layout', (world) => roundTrip(world, 'neon', `${server}/${database}/auth`)],
  ['untrusted page, /api/auth', (world) => foreignPage(world, `${server}/api/auth`)],
  ['untrusted page, Neon layout', (world) => foreignPage(world, `${server}/${database}/auth`)],
];
