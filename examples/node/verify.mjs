// Verifies a token knowing nothing but the issuer: discovery document, keys, signature, claims.
// The same path as go-oidc and Spring Security.
import { createRemoteJWKSet, jwtVerify } from 'jose';

export async function verifier(issuer) {
  const answer = await fetch(`${issuer}/.well-known/openid-configuration`);
  if (!answer.ok) throw new Error(`discovery answers ${answer.status}`);
  const document = await answer.json();
  // A document that names another issuer speaks for somebody else (OpenID Connect Discovery 1.0, section 4.3).
  if (document.issuer !== issuer) throw new Error(`discovery names ${document.issuer}`);
  const keys = createRemoteJWKSet(new URL(document.jwks_uri));
  const rules = { issuer, audience: issuer, algorithms: ['EdDSA', 'ES256', 'RS256'], requiredClaims: ['sub', 'exp'] };
  return async (token) => (await jwtVerify(token, keys, rules)).payload;
}
