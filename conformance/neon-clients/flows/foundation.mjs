// What the flows that also touch organizations, the admin plugin or e-mail OTP ask of the foundation.
import { flow } from '../lib/runner.mjs';

flow('server.core-unauthorized', async (t) => {
  for (const path of ['/list-sessions', '/token', '/list-accounts']) await t.errBody(await t.http(path), 401, 'UNAUTHORIZED', path);
});

flow('server.core-endpoint-aliases', async (t) => {
  const one = await t.rawSignUp();
  const two = await t.rawSignIn(one.u);
  const revoked = await t.http('/revoke-all-sessions', { method: 'POST', json: {}, cookie: one.cookie });
  t.eq([revoked.status, revoked.json], [200, { status: true }], 'POST /revoke-all-sessions');
  t.eq((await t.http('/get-session', { cookie: two.cookie })).json, null, 'the other session is over');
  t.eq((await t.http('/get-session', { cookie: one.cookie })).json.user.id, one.u.id, 'the own one is not');
  t.eq((await t.http('/jwt')).json, (await t.http('/.well-known/jwks.json')).json, 'GET /jwt is the key set');
  await t.errBody(await t.http('/verify-email?token=nonsense', { method: 'POST', json: {} }), 401, 'INVALID_TOKEN', 'POST /verify-email');
});

flow('server.core-verify-email-by-post', { needs: ['link'] }, async (t) => {
  const { u, cookie } = await t.rawSignUp();
  t.eq((await t.http('/send-verification-email', { method: 'POST', json: { email: u.email } })).status, 200, 'mail');
  const { token } = await t.link(u.email, 'email-verification');
  t.eq((await t.http(`/verify-email?token=${encodeURIComponent(token)}`, { method: 'POST', json: {} })).status, 200, 'verified');
  t.eq((await t.http('/get-session', { cookie })).json.user.emailVerified, true, 'user');
});
