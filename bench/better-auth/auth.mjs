// The peer: Better Auth with the plugins that a Neon Auth project has, over a pool of its usual size.
import { betterAuth } from 'better-auth';
import { admin, bearer, jwt, organization } from 'better-auth/plugins';
import pg from 'pg';

export const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
export const options = {
  baseURL: process.env.BASE_URL,
  secret: process.env.BETTER_AUTH_SECRET,
  trustedOrigins: ['http://localhost:*'],
  database: pool,
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: 'error' },
  advanced: { useSecureCookies: false, database: { generateId: 'uuid' } },
  plugins: [jwt(), bearer(), admin(), organization()],
};
export const auth = betterAuth(options);
