// @neondatabase/auth with the Supabase adapter: every call answers {data, error} and never rejects.
import { flow, SESSION } from '../lib/runner.mjs';

const JWT = /^ey[^.]+\.[^.]+\.[^.]+$/;

/** A tab whose user signed up through the adapter. */
async function member(t, init = {}, data = { displayName: 'Harness Person' }) {
  const b = await t.browser('supabase', init);
  const u = t.creds('sb');
  const d = t.data(await b.auth.signUp({ email: u.email, password: u.password, options: { data } }), 'signUp');
  u.id = d.user.id;
  return { b, u, d };
}
/** The path, without the mount, and the parsed body of every logged request. */
const sent = async (b) => (await b.log()).map((e) => ({ path: e.path.replace(/^.*\/auth\//, '/').replace(/\?.*/, ''), method: e.method, status: e.status, body: e.resBody }));
const wireCode = async (b, path) => JSON.parse((await b.last(path)).resBody).code;

flow('supabase.sign-up', async (t) => {
  const { b, u, d } = await member(t);
  t.eq([d.user.email, d.user.user_metadata.displayName], [u.email, 'Harness Person'], 'user');
  t.eq([d.user.role, d.user.aud], ['authenticated', 'authenticated'], 'role and audience');
  t.eq(d.user.email_confirmed_at ?? null, null, 'not confirmed');
  t.eq([d.session.token_type, d.session.refresh_token], ['bearer', ''], 'session');
  t.match(d.session.access_token, JWT, 'access_token is a JWT');
  const left = d.session.expires_at - Date.now() / 1000;
  t.ok(left > 6.9 * 86400 && left < 7.1 * 86400, `the session lasts seven days (${left} s left)`);
  t.ok(await b.cookie(SESSION), 'session cookie');
  t.eq((await sent(b)).map((r) => r.path).slice(0, 2), ['/sign-up/email', '/get-session'], 'calls');
});

flow('supabase.sign-up-without-name', async (t) => {
  const { d } = await member(t, {}, {});
  t.eq(d.user.user_metadata.displayName, undefined, 'an empty name is a name');
});

flow('supabase.sign-up-unknown-members', async (t) => {
  const data = { displayName: 'Extra', age: 42, plan: 'free', nested: { a: [1] }, 'odd key': null, createdByForm: true };
  const { d } = await member(t, {}, data);
  t.eq(d.user.user_metadata.displayName, 'Extra', 'name');
  for (const key of ['age', 'plan', 'nested', 'odd key', 'createdByForm']) t.ok(!(key in d.user.user_metadata), `${key} is not stored`);
});

flow('supabase.sign-up-members-of-the-user-stay-the-servers', async (t) => {
  const b = await t.browser('supabase');
  const u = t.creds('sb');
  const id = '00000000-0000-4000-8000-000000000000';
  const r = await b.auth.signUp({ email: u.email, password: u.password, options: { data: { displayName: 'Eve', id, emailVerified: true, createdAt: '2001-01-01T00:00:00.000Z' } } });
  if (r.error) return t.oneOf(r.error.status, [400], 'refused');
  t.ok(r.data.user.id !== id, 'id is the server\'s');
  t.eq(r.data.user.email_confirmed_at ?? null, null, 'not confirmed');
  t.ok(new Date(r.data.user.created_at).getFullYear() > 2001, 'created now');
});

flow('supabase.sign-up-never-grants-a-role', async (t) => {
  const b = await t.browser('supabase');
  const u = t.creds('sb');
  const r = await b.auth.signUp({ email: u.email, password: u.password, options: { data: { displayName: 'Eve', role: 'admin', banned: false } } });
  if (r.error) return t.oneOf(r.error.status, [400], 'refused');
  t.ok(r.data.user.user_metadata.role !== 'admin', 'no administrator by sign-up');
});

flow('supabase.sign-up-profile-image', async (t) => {
  const { d } = await member(t, {}, { displayName: 'Pic', image: 'https://example.com/p.png' });
  t.eq(d.user.user_metadata.profileImageUrl, 'https://example.com/p.png', 'image');
});

flow('supabase.sign-up-errors', async (t) => {
  const { u } = await member(t);
  const b = await t.browser('supabase');
  t.err(await b.auth.signUp({ email: u.email, password: u.password }), { status: 422, code: 'validation_failed' }, 'duplicate');
  t.eq(await wireCode(b, '/sign-up/email'), 'USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL', 'wire code');
  t.err(await b.auth.signUp({ email: t.creds().email, password: 'short' }), { status: 400, code: 'weak_password' }, 'short password');
  t.err(await b.auth.signUp({ email: t.creds().email, password: 'x'.repeat(129) }), { status: 400, code: 'weak_password' }, 'long password');
  t.err(await b.auth.signUp({ email: 'not-an-address', password: u.password }), { status: 400, code: ['email_address_invalid', 'validation_failed'] }, 'address');
  t.err(await b.auth.signUp({ phone: '+15550100', password: u.password }), { code: 'phone_provider_disabled' }, 'phone');
  t.eq(await b.cookie(SESSION), null, 'no cookie');
});

flow('supabase.sign-up-redirect-target', async (t) => {
  const b = await t.browser('supabase');
  const u = t.creds('sb');
  t.err(await b.auth.signUp({ email: u.email, password: u.password, options: { emailRedirectTo: 'https://evil.example/x' } }), { status: 403, code: 'feature_not_supported' }, 'foreign target');
  t.data(await b.auth.signUp({ email: u.email, password: u.password, options: { emailRedirectTo: `${t.origin}/welcome` } }), 'own target');
});

flow('supabase.sign-up-disabled', { variant: 'nosignup' }, async (t) => {
  const b = await t.browser('supabase');
  const u = t.creds('sb');
  t.err(await b.auth.signUp({ email: u.email, password: u.password }), { status: 400, code: 'validation_failed' }, 'sign-up');
});

flow('supabase.sign-up-verification-pending', { variant: 'verify' }, async (t) => {
  const b = await t.browser('supabase');
  const u = t.creds('sb');
  t.err(await b.auth.signUp({ email: u.email, password: u.password }), { code: 'session_not_found' }, 'no session yet');
  t.err(await b.auth.signInWithPassword({ email: u.email, password: u.password }), { code: 'email_not_confirmed', status: 422 }, 'sign-in');
  t.eq(await b.cookie(SESSION), null, 'no cookie');
});

flow('supabase.sign-up-verified-by-code', { variant: 'verify', needs: ['otp'] }, async (t) => {
  const b = await t.browser('supabase');
  const u = t.creds('sb');
  await b.auth.signUp({ email: u.email, password: u.password });
  const token = await t.otp(u.email, 'email-verification');
  t.eq((await b.auth.verifyOtp({ type: 'signup', email: u.email, token })).error, null, 'verified');
  const d = t.data(await b.auth.signInWithPassword({ email: u.email, password: u.password }), 'sign-in');
  t.ok(d.user.email_confirmed_at, 'confirmed');
});

flow('supabase.sign-in', async (t) => {
  const { u } = await member(t);
  const b = await t.browser('supabase');
  const d = t.data(await b.auth.signInWithPassword({ email: u.email.toUpperCase(), password: u.password }), 'signInWithPassword');
  t.eq(d.user.id, u.id, 'user');
  t.match(d.session.access_token, JWT, 'access_token');
  t.ok(await b.cookie(SESSION), 'cookie');
  t.eq((await sent(b)).map((r) => r.path).slice(0, 2), ['/sign-in/email', '/get-session'], 'calls');
});

flow('supabase.sign-in-errors', async (t) => {
  const { u } = await member(t);
  const b = await t.browser('supabase');
  const want = { status: 401, code: 'invalid_credentials', message: 'Invalid email or password' };
  t.err(await b.auth.signInWithPassword({ email: u.email, password: 'definitely-wrong' }), want, 'wrong password');
  t.err(await b.auth.signInWithPassword({ email: t.creds().email, password: 'definitely-wrong' }), want, 'unknown address');
  t.eq((await b.auth.getSession()).data.session, null, 'nobody');
  t.eq(await b.cookie(SESSION), null, 'no cookie');
});

flow('supabase.get-session', async (t) => {
  const { b, u } = await member(t);
  const s = t.data(await b.auth.getSession(), 'getSession').session;
  t.eq(s.user.id, u.id, 'user');
  const nobody = await t.browser('supabase');
  t.eq(t.data(await nobody.auth.getSession(), 'signed out').session, null, 'null without an error');
  t.eq((await nobody.last('/get-session')).status, 200, 'status');
});

flow('supabase.get-user', async (t) => {
  const { b, u } = await member(t);
  t.eq(t.data(await b.auth.getUser(), 'getUser').user.email, u.email, 'user');
  const nobody = await t.browser('supabase');
  t.err(await nobody.auth.getUser(), { code: 'session_not_found' }, 'signed out');
});

flow('supabase.refresh-and-reauthenticate', async (t) => {
  const { b, u } = await member(t);
  for (const call of ['refreshSession', 'reauthenticate']) {
    const d = t.data(await b.auth[call](), call);
    t.eq([d.user.id, d.session.user.id], [u.id, u.id], `${call}: user`);
    t.match(d.session.access_token, JWT, `${call}: access_token`);
  }
  t.eq(t.data(await b.auth.exchangeCodeForSession('x'), 'exchangeCodeForSession').user.id, u.id, 'exchange');
  const nobody = await t.browser('supabase');
  t.eq(t.data(await nobody.auth.refreshSession(), 'refreshSession').session, null, 'signed out');
  t.err(await nobody.auth.reauthenticate(), { code: 'session_not_found' }, 'signed out');
  t.err(await nobody.auth.exchangeCodeForSession('x'), { code: 'oauth_callback_failed' }, 'signed out');
});

flow('supabase.forced-fetch', async (t) => {
  const { b, u } = await member(t);
  // Tabs of other flows share the channel on which clients tell each other to forget: whether the cache still answers is theirs.
  await b.auth.getSession();
  await b.clearLog();
  t.eq(t.data(await b.auth.getSession({ forceFetch: true }), 'forced').session.user.id, u.id, 'user');
  t.ok((await b.log()).length > 0, 'the server is asked');
});

flow('supabase.sign-out', async (t) => {
  const { b, u } = await member(t);
  const stale = await b.cookie(SESSION);
  const other = await t.browser('supabase');
  t.data(await other.auth.signInWithPassword({ email: u.email, password: u.password }), 'another tab');
  t.eq(await b.auth.signOut(), { error: null }, 'signOut');
  t.eq(await b.cookie(SESSION), null, 'cookie deleted');
  t.eq((await b.auth.getSession()).data.session, null, 'session');
  t.eq((await t.http('/get-session', { cookie: `${SESSION}=${stale.value}` })).json, null, 'the old cookie is dead');
  t.ok((await other.auth.getSession({ forceFetch: true })).data.session, 'the other tab stays');
  t.eq(await b.auth.signOut(), { error: null }, 'again');
});

flow('supabase.sign-out-scopes', async (t) => {
  // The adapter knows one scope; each word must still sign out.
  for (const scope of ['local', 'global', 'others']) {
    const { b } = await member(t);
    t.eq(await b.auth.signOut({ scope }), { error: null }, scope);
    t.eq((await b.auth.getSession({ forceFetch: true })).data.session, null, `${scope}: session`);
  }
});

flow('supabase.update-user', async (t) => {
  const { b } = await member(t);
  const r = await b.auth.updateUser({ data: { name: 'Renamed', image: 'https://example.com/i.png' } });
  t.err(r, { code: 'internal_error' }, 'a correct answer is read as a failure');
  const e = await b.last('/update-user');
  t.eq([e.status, JSON.parse(e.resBody)], [200, { status: true }], 'wire');
  const s = t.data(await b.auth.getSession({ forceFetch: true }), 'getSession').session;
  t.eq([s.user.user_metadata.displayName, s.user.user_metadata.profileImageUrl], ['Renamed', 'https://example.com/i.png'], 'applied');
});

flow('supabase.update-user-errors', async (t) => {
  const { b } = await member(t);
  t.err(await b.auth.updateUser({ data: { displayName: 'No column' } }), { status: 400, code: 'validation_failed', message: 'No fields to update' }, 'displayName');
  t.err(await b.auth.updateUser({ data: { email: 'x@example.com' } }), { code: 'feature_not_supported', status: 403 }, 'email as data');
  t.err(await b.auth.updateUser({ password: 'another long password' }), { code: 'feature_not_supported' }, 'password');
  t.err(await b.auth.updateUser({ email: 'x@example.com' }), { code: 'feature_not_supported' }, 'email');
  const nobody = await t.browser('supabase');
  t.err(await nobody.auth.updateUser({ data: { name: 'x' } }), { status: 401 }, 'signed out');
});

flow('supabase.reset-password', { needs: ['link'] }, async (t) => {
  const { u } = await member(t);
  const b = await t.browser('supabase');
  t.eq(await b.auth.resetPasswordForEmail(u.email, { redirectTo: `${t.origin}/auth/reset-password` }), { data: {}, error: null }, 'resetPasswordForEmail');
  const nav = await b.navigate((await t.link(u.email, 'forget-password')).url);
  const token = new URL(nav.final).searchParams.get('token');
  t.ok(token, `redirected with a token (${nav.final})`);
  const reset = await b.exec(({ client }, arg) => client.getBetterAuthInstance().resetPassword(arg), { newPassword: 'reset-password-1', token });
  t.eq(reset.data, { status: true }, 'resetPassword');
  t.data(await b.auth.signInWithPassword({ email: u.email, password: 'reset-password-1' }), 'new password');
});

flow('supabase.reset-password-without-target', { needs: ['link'] }, async (t) => {
  const { u } = await member(t);
  for (const dom of [undefined, true]) {
    const b = await t.browser('supabase', { dom });
    const since = Date.now();
    t.eq(await b.auth.resetPasswordForEmail(u.email), { data: {}, error: null }, dom ? 'page' : 'no page');
    t.ok((await t.link(u.email, 'forget-password', since - 1)).token, 'mail');
  }
});

flow('supabase.reset-password-answers-alike', async (t) => {
  const b = await t.browser('supabase');
  const { u } = await member(t);
  t.eq(await b.auth.resetPasswordForEmail(t.creds().email), { data: {}, error: null }, 'unknown address');
  const unknown = (await b.last('/request-password-reset')).resBody;
  await b.auth.resetPasswordForEmail(u.email);
  t.eq((await b.last('/request-password-reset')).resBody, unknown, 'the same body');
  t.err(await b.auth.resetPasswordForEmail(u.email, { redirectTo: 'https://evil.example/' }), { status: 403 }, 'foreign target');
  t.err(await b.auth.resetPasswordForEmail('not-an-address'), { status: 400 }, 'no address');
});

flow('supabase.resend', { needs: ['link'] }, async (t) => {
  const { b, u } = await member(t);
  const since = Date.now();
  t.eq((await b.auth.resend({ type: 'signup', email: u.email, options: { emailRedirectTo: `${t.origin}/done` } })).error, null, 'signup');
  const nav = await b.navigate((await t.link(u.email, 'email-verification', since - 1)).url);
  t.ok(nav.final.startsWith(`${t.origin}/done`) && !nav.final.includes('error='), `back at the page (${nav.final})`);
  t.ok(t.data(await b.auth.getSession({ forceFetch: true }), 'getSession').session.user.email_confirmed_at, 'confirmed');
});

flow('supabase.resend-variants', async (t) => {
  const b = await t.browser('supabase');
  const { u } = await member(t);
  t.eq((await b.auth.resend({ type: 'signup', email: u.email })).error, null, 'no target');
  t.eq((await b.auth.resend({ type: 'signup', email: t.creds().email })).error, null, 'unknown address');
  t.eq((await b.auth.resend({ type: 'email_change', email: u.email })).error, null, 'email_change');
  t.err(await b.auth.resend({ type: 'sms', phone: '+15550100' }), { code: 'phone_provider_disabled' }, 'phone');
  t.err(await b.auth.resend({ type: 'invite', email: u.email }), { code: 'validation_failed' }, 'type');
  t.err(await b.auth.resend({ type: 'signup', email: u.email, options: { emailRedirectTo: 'https://evil.example/' } }), { status: 403 }, 'foreign target');
});

flow('supabase.identities', async (t) => {
  const { b, u } = await member(t);
  const [one, ...more] = t.data(await b.auth.getUserIdentities(), 'getUserIdentities').identities;
  t.eq(more, [], 'one identity');
  t.eq([one.provider, one.identity_id], ['credential', u.id], 'credential account');
  t.match(one.id, /^[0-9a-f]{8}-[0-9a-f]{4}-/, 'id');
  t.eq(one.user_id, one.id, 'user_id is the account row too');
  t.ok(!/password|accessToken|refreshToken|idToken/.test((await b.last('/list-accounts')).resBody), 'no secrets');
  const nobody = await t.browser('supabase');
  t.err(await nobody.auth.getUserIdentities(), { code: 'session_not_found' }, 'signed out');
});

flow('supabase.claims', async (t) => {
  const { b, u } = await member(t);
  const { header, claims } = t.data(await b.auth.getClaims(), 'getClaims');
  t.eq(header.alg, 'EdDSA', 'alg');
  const { keys } = (await t.http('/.well-known/jwks.json')).json;
  t.ok(keys.some((k) => k.kid === header.kid), 'the key is published');
  const origin = new URL(t.base).origin;
  t.eq([claims.sub, claims.id, claims.email, claims.role, claims.iss, claims.aud], [u.id, u.id, u.email, 'authenticated', origin, origin], 'claims');
  t.eq(claims.exp - claims.iat, 900, 'lifetime');
  const given = t.data(await b.auth.getClaims((await b.auth.getSession()).data.session.access_token), 'of a given token');
  t.eq(given.claims.sub, u.id, 'sub');
  t.err(await b.auth.getClaims('nonsense'), { code: 'bad_jwt' }, 'not a token');
  const nobody = await t.browser('supabase');
  t.err(await nobody.auth.getClaims(), { code: 'session_not_found' }, 'signed out');
});

flow('supabase.auth-state-change', async (t) => {
  const { b, u } = await member(t);
  const seen = await b.exec(async ({ client, sleep }) => {
    const events = [];
    const { data } = client.onAuthStateChange((event, session) => { events.push([event, session?.user?.id ?? null]); });
    for (let i = 0; i < 100 && !events.length; i++) await sleep(20);
    data.subscription.unsubscribe();
    return { events, id: typeof data.subscription.id };
  });
  t.eq(seen, { events: [['INITIAL_SESSION', u.id]], id: 'string' }, 'signed in');
  const nobody = await t.browser('supabase');
  const none = await nobody.exec(async ({ client, sleep }) => {
    const events = [];
    client.onAuthStateChange((event, session) => { events.push([event, session]); });
    for (let i = 0; i < 100 && !events.length; i++) await sleep(20);
    return events;
  });
  t.eq(none, [['INITIAL_SESSION', null]], 'signed out');
});

flow('supabase.revoked-session', async (t) => {
  const { b, u } = await member(t);
  const other = await t.rawSignIn(u);
  t.eq((await t.http('/revoke-sessions', { method: 'POST', json: {}, cookie: other.cookie })).status, 200, 'revoke-sessions');
  t.eq(t.data(await b.auth.getSession({ forceFetch: true }), 'getSession').session, null, 'session');
  t.eq(await b.cookie(SESSION), null, 'the dead cookie is deleted');
});

flow('supabase.initialize', async (t) => {
  const { b, u } = await member(t);
  t.eq(t.data(await b.auth.initialize(), 'initialize').session.user.id, u.id, 'signed in');
  t.eq(await b.auth.isThrowOnErrorEnabled(), false, 'errors are returned');
});

flow('supabase.local-refusals', async (t) => {
  const b = await t.browser('supabase');
  t.err(await b.auth.setSession({ access_token: 'x', refresh_token: 'y' }), { code: 'not_implemented' }, 'setSession');
  t.err(await b.auth.signInAnonymously(), { code: 'anonymous_provider_disabled' }, 'signInAnonymously');
  t.err(await b.auth.signInWithSSO({ domain: 'example.com' }), { code: 'sso_provider_disabled' }, 'signInWithSSO');
  t.err(await b.auth.signInWithOtp({ phone: '+15550100' }), { code: 'phone_provider_disabled' }, 'signInWithOtp');
  t.eq((await b.log()).length, 0, 'no request');
});

flow('supabase.cors', async (t) => {
  const b = await t.browser('supabase', { cors: true });
  const u = t.creds('sb');
  const d = t.data(await b.auth.signUp({ email: u.email, password: u.password, options: { data: { displayName: 'Cors' } } }), 'signUp');
  t.match(d.session.access_token, JWT, 'the header with the token is exposed');
  t.eq(t.data(await b.auth.getUserIdentities(), 'identities').identities.length, 1, 'identities');
  t.eq(await b.auth.signOut(), { error: null }, 'signOut');
});
