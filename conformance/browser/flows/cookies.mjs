// That third-party cookies are really blocked where the other flows say so.
import http from 'node:http';
import { same } from '../lib/check.mjs';
import { ALLOWED, BLOCKED, launch } from '../lib/chromium.mjs';

// What of two cookies another site gets back: one of the old kind, one partitioned by the site that embeds it.
async function seen(world, mode) {
  const other = http.createServer((req, res) => {
    const headers = { 'access-control-allow-origin': req.headers.origin ?? '', 'access-control-allow-credentials': 'true' };
    const cookie = (name, more) => `${name}=1; Path=/; Secure; HttpOnly; SameSite=None${more}`;
    if (req.url === '/set') headers['set-cookie'] = [cookie('plain', ''), cookie('partitioned', '; Partitioned')];
    res.writeHead(200, headers).end(req.headers.cookie ?? '');
  });
  await new Promise((ready) => other.listen(0, ready));
  const browser = await launch(world.chromium, mode);
  try {
    const page = await browser.context.newPage();
    await page.goto(`http://app.localhost:${world.site.port}/`);
    return await page.evaluate(async (url) => {
      await fetch(`${url}/set`, { credentials: 'include' });
      return (await fetch(`${url}/get`, { credentials: 'include' })).text();
    }, `http://localhost:${other.address().port}`);
  } finally { await browser.close(); other.close(); }
}

export default () => [
  ['third-party cookies are blocked where the flows say so', async (world) => same(await seen(world, BLOCKED), 'partitioned=1', 'what comes back')],
  ['third-party cookies are allowed otherwise', async (world) => same(await seen(world, ALLOWED), 'plain=1; partitioned=1', 'what comes back')],
];
