// node cookies.mjs SECRET COUNT: the signed session cookies of the seeded users, one a line.
import { createHash, createHmac } from 'node:crypto';

const [secret, count] = process.argv.slice(2);
const lines = [];
for (let i = 1; i <= Number(count); i++) {
  const token = createHash('md5').update(`token${i}`).digest('hex');
  const signature = createHmac('sha256', secret).update(token).digest('base64');
  lines.push(`better-auth.session_token=${encodeURIComponent(`${token}.${signature}`)}`);
}
console.log(lines.join('\n'));
