// What the page of an application does: the stock clients, created in its own origin.
import { createAuthClient as createBetterAuth } from 'better-auth/client';
import { jwtClient, twoFactorClient } from 'better-auth/client/plugins';
import { passkeyClient } from '@better-auth/passkey/client';
import { createAuthClient as createNeonAuth } from '@neondatabase/auth';

window.clients = {
  'better-auth': (baseURL) => createBetterAuth({ baseURL, plugins: [jwtClient(), twoFactorClient(), passkeyClient()] }),
  neon: (baseURL) => createNeonAuth(baseURL),
};
