import { getMigrations } from 'better-auth/db/migration';
import { options, pool } from './auth.mjs';

await (await getMigrations(options)).runMigrations();
await pool.end();
