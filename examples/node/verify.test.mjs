// Runs against the server that GATEPOST_ORIGIN names.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, test } from 'node:test';
import { createRemoteJWKSet, decodeProtectedHeader, generateKeyPair, jwtVerify, SignJWT, UnsecuredJWT } from 'jose';
import { verifier } from './verify.mjs';

const origin = process.env.GATEPOST_ORIGIN;
const base = `${origin}/api/auth`;
const user = { email: `node-${randomUUID()}@example.com`, password: 'a good long password', name: 'Node' };
let token, verify, payload;

before(async () => {
  const signUp = await fetch(`${base}/sign-up/email`, { method: 'POST', headers: { 'content-type': 'application/json', origin }, body: JSON.stringify(user) });
  assert.equal(signUp.status, 200, await signUp.clone().text());
  const cookie = signUp.headers.getSetCookie().map((line) => line.split(';')[0]).join('; ');
  ({ token } = await (await fetch(`${base}/token`, { headers: { cookie } })).json());
  payload = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  verify = await verifier(payload.iss);
});

async function forged(changes, kid = decodeProtectedHeader(token).kid) {
  const { privateKey } = await generateKeyPair('EdDSA');
  return new SignJWT({ ...payload, ...changes }).setProtectedHeader({ alg: 'EdDSA', kid }).sign(privateKey);
}

test('a token is accepted by its issuer alone', async () => {
  const claims = await verify(token);
  assert.equal(claims.email, user.email);
  assert.equal(claims.role, 'authenticated');
});

test('a token signed by somebody else is refused', async () => {
  await assert.rejects(verify(await forged({})));
});

test('a token under an unknown key is refused', async () => {
  await assert.rejects(verify(await forged({}, randomUUID())));
});

test('an unsigned token is refused', async () => {
  await assert.rejects(verify(new UnsecuredJWT(payload).encode()));
});

test('a token for another audience is refused', async () => {
  await assert.rejects(jwtVerify(token, createRemoteJWKSet(new URL(`${base}/jwks`)), { audience: 'https://elsewhere.example' }), { code: 'ERR_JWT_CLAIM_VALIDATION_FAILED' });
});
