// What the page of an application does: it creates one of the stock clients, in its own origin.
import { createAuthClient as createBetterAuth } from 'better-auth/client';
import { emailOTPClient, jwtClient, magicLinkClient, organizationClient, twoFactorClient } from 'better-auth/client/plugins';
import { passkeyClient } from '@better-auth/passkey/client';
import { createAuthClient as createNeonAuth } from '@neondatabase/auth';

const create = {
  'better-auth': (baseURL) => createBetterAuth({ baseURL, plugins: [jwtClient(), emailOTPClient(), magicLinkClient(), organizationClient(), twoFactorClient(), passkeyClient()] }),
  neon: (baseURL) => createNeonAuth(baseURL),
};
// Set by `/settings.js`.
const { kind, base } = window.settings;
window.client = create[kind](base);
